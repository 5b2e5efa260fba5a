"""Autologging of CatBoost: ``fit`` of every model, also the one inside ``catboost.train``."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from millstream.autolog import boosting
from millstream.autolog.libraries import autologging
from millstream.autolog.patching import Patches
from millstream.autolog.sklearn import afterwards
from millstream.autolog.training import Training

if TYPE_CHECKING:
    from millstream.data import Dataset

MODELS = ("CatBoost", "CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker")
# Arguments of fit() that are no parameters of the training: data, and what goes to the screen or to files.
_NO_PARAMS = frozenset({
    "self", "X", "y", "cat_features", "text_features", "embedding_features", "pairs", "graph", "sample_weight",
    "group_id", "group_weight", "subgroup_id", "pairs_weight", "baseline", "eval_set", "verbose", "logging_level",
    "plot", "plot_file", "column_description", "verbose_eval", "silent", "save_snapshot", "snapshot_file",
    "snapshot_interval", "init_model", "callbacks", "log_cout", "log_cerr",
})


@autologging("catboost")
def autolog(
    log_input_examples: bool = False, log_model_signatures: bool = True, log_models: bool = True,
    log_datasets: bool = True, disable: bool = False, exclusive: bool = False,
    disable_for_unsupported_versions: bool = False, silent: bool = False, registered_model_name: str | None = None,
    extra_tags: dict[str, str] | None = None,
) -> None:
    """Log every ``fit`` of a model of CatBoost, and every ``catboost.train``.

    - Parameters: those that the model has after the training, chosen by CatBoost or by the program (``learning_rate``,
      ``depth``, …).
    - Metrics of the training and of each evaluation set after each round, as ``<set>-<metric>`` (``learn-RMSE``,
      ``validation-RMSE``); with an evaluation set also ``best_iteration``, and with early stopping
      ``stopped_iteration`` and the metrics of the best round at one step after the last. They are logged when the
      training is over: to ask for them in every round, CatBoost makes lists of all rounds before.
    - ``feature_importance_<type>.json`` and ``.png``.
    - The model (``log_models``), and its data and evaluation sets (``log_datasets``).
    - What ``score`` says about it afterwards.

    The other arguments are those of :func:`millstream.autolog`.
    """


def install(patches: Patches) -> None:
    """Patch what trains, and what data are brought to it in."""
    import catboost

    patches.watch(catboost.Pool, "__init__", boosting.note_data, nested=True)
    for name in MODELS:
        model = getattr(catboost, name)
        if "fit" in vars(model):
            patches.train(model, "fit", _fit)
        if "predict" in vars(model):
            patches.watch(model, "predict", afterwards.prediction, own_calls=False)
        if "score" in vars(model):
            patches.watch(model, "score", afterwards.score, own_calls=False)


def _fit(training: Training) -> Generator[None, Any, None]:
    model = training.instance
    asked = {**model.get_params(), **_arguments(training)}
    training.log_params(asked)
    datasets = _datasets(training)
    training.begin_model()
    yield
    with training.safely("the parameters that CatBoost has chosen"):
        chosen = {**model.get_all_params(), **model.get_params()}
        training.log_params({
            name: value for name, value in chosen.items() if name not in asked and not isinstance(value, dict)
        })
    with training.safely("the metrics of the rounds"):
        _log_rounds(training, model, datasets)
    with training.safely("the importance of the features"):
        _log_importance(training, model)
    X = training.argument("X")
    example = boosting.example_of(X) if _is_pool(X) else boosting.rows_of(X)
    data = boosting.data_of(X)[0] if _is_pool(X) else X
    training.log_model("catboost", model, examples=example, predict=model.predict, data=data)
    afterwards.remember(training, model)


def _arguments(training: Training) -> dict[str, Any]:
    """The arguments of fit() that are parameters of the training, those that were given."""
    return {
        name: value for name, value in training.arguments.items() if name not in _NO_PARAMS and value is not None
    }


def _log_rounds(training: Training, model: Any, datasets: dict[str, Dataset | None]) -> None:
    measured: dict[str, dict[str, list[float]]] = model.get_evals_result()
    rounds = boosting.Rounds(training, datasets)
    period = int(training.argument("metric_period") or model.get_params().get("metric_period") or 1)
    count = max((len(values) for metrics in measured.values() for values in metrics.values()), default=0)
    last = int(model.get_all_params()["iterations"]) - 1  # is measured even where it is no multiple of the period
    for place in range(count):
        rounds.log({
            name: {metric: values[place] for metric, values in metrics.items() if place < len(values)}
            for name, metrics in measured.items()
        }, min(place * period, last))
    best = model.get_best_iteration()
    if best is None:
        return
    if _stops_early(training, model):
        rounds.log_best(-(-best // period), best=best, stopped=min((count - 1) * period, last))
    else:
        training.log_metrics({"best_iteration": best})


def _stops_early(training: Training, model: Any) -> bool:
    params = model.get_params()
    return any(
        value is not None
        for value in (training.argument("early_stopping_rounds"), params.get("early_stopping_rounds"),
                      params.get("od_type"), params.get("od_wait"), params.get("od_pval"))
    )


def _log_importance(training: Training, model: Any) -> None:
    """The importance that CatBoost works out while it trains: of loss changes for a ranking, of predictions for all
    others."""
    numbers = model.feature_importances_
    if numbers is None or not len(numbers):
        return
    kind = "LossFunctionChange" if type(model).__name__ == "CatBoostRanker" else "PredictionValuesChange"
    boosting.log_importance(training, kind, dict(zip(model.feature_names_, map(float, numbers), strict=True)))


def _datasets(training: Training) -> dict[str, Dataset | None]:
    """Log the data of the training and of each evaluation set; those of the sets by the name that metrics have."""
    found = {"learn": _log_dataset(training, training.argument("X"), training.argument("y"), "train", None)}
    sets = training.argument("eval_set")
    if sets is None:
        return found
    sets = list(sets) if isinstance(sets, list) else [sets]
    for place, one in enumerate(sets):
        data, label = one if isinstance(one, tuple) and len(one) == 2 else (one, None)
        name = "validation" if len(sets) == 1 else f"validation_{place}"
        found[name] = _log_dataset(training, data, label, "eval", name)
    return found


def _log_dataset(training: Training, data: Any, label: Any, context: str, name: str | None) -> Dataset | None:
    if _is_pool(data):
        pool = data
        data, label = boosting.data_of(pool)
        if data is None and not pool.get_cat_feature_indices():
            data, label = pool.get_features(), pool.get_label()
    return training.log_dataset(data, label, context, name) if data is not None else None


def _is_pool(data: Any) -> bool:
    import catboost

    return isinstance(data, catboost.Pool)
