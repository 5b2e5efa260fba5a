"""Autologging of XGBoost: ``xgboost.train``, and the estimators of its scikit-learn interface."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

from millstream.autolog import boosting
from millstream.autolog.libraries import autologging
from millstream.autolog.patching import Call, Patches
from millstream.autolog.sklearn import afterwards
from millstream.autolog.training import Training

if TYPE_CHECKING:
    from millstream.data import Dataset

ESTIMATORS = (
    "XGBModel", "XGBClassifier", "XGBRegressor", "XGBRanker", "XGBRFClassifier", "XGBRFRegressor",
)
# Arguments of train() that are no parameters of the training, or none that a text shows.
_NO_PARAMS = frozenset({
    "params", "dtrain", "evals", "obj", "feval", "evals_result", "xgb_model", "callbacks", "learning_rates",
})
# A matrix is looked into up to so many cells, which take 4 bytes each.
_CELLS = 10_000_000
_estimators = boosting.Estimators()


@autologging("xgboost")
def autolog(
    importance_types: list[str] | None = None, log_input_examples: bool = False, log_model_signatures: bool = True,
    log_models: bool = True, log_datasets: bool = True, disable: bool = False, exclusive: bool = False,
    disable_for_unsupported_versions: bool = False, silent: bool = False, registered_model_name: str | None = None,
    model_format: str = "ubj", extra_tags: dict[str, str] | None = None,
) -> None:
    """Log every training with XGBoost, by ``xgboost.train`` or by ``fit`` of an estimator such as ``XGBClassifier``.

    - Parameters: those of the training and the arguments of the call.
    - Metrics of each evaluation set after each round, as ``<set>-<metric>``; with early stopping also
      ``best_iteration``, ``stopped_iteration``, and the metrics of the best round at one step after the last.
    - ``feature_importance_<type>.json`` and ``.png`` of each of ``importance_types`` (weight unless given).
    - The model (``log_models``, in the format ``model_format``), and its data and evaluation sets (``log_datasets``).
    - What ``score`` of an estimator, and with ``millstream.sklearn.autolog`` the functions of ``sklearn.metrics``, say
      about it afterwards.

    The other arguments are those of :func:`millstream.autolog`.
    """


def install(patches: Patches) -> None:
    """Patch what trains, and what data are brought to it in."""
    import xgboost

    for name in ("DMatrix", "QuantileDMatrix"):
        if hasattr(xgboost, name):
            patches.watch(getattr(xgboost, name), "__init__", boosting.note_data, nested=True)
    patches.train(xgboost, "train", _train)
    _estimators.patch(patches, xgboost, ESTIMATORS, _fit, _rounds)


def _train(training: Training) -> Generator[None, Any, None]:
    """``xgboost.train``: the booster is the model."""
    from millstream.flavors.xgboost import PythonFunction

    booster = yield from _rounds(training, training)
    matrix = training.argument("dtrain")
    predict = PythonFunction(booster).predict
    training.log_model("xgboost", booster, examples=_example(matrix), predict=predict,
                       data=boosting.data_of(matrix)[0], **_format(training))


def _fit(training: Training) -> Generator[None, Any, None]:
    """``fit`` of an estimator: it calls ``train``, whose booster is a part of the model."""
    estimator = training.instance
    with _estimators.fitting(training):
        yield
    example = boosting.rows_of(training.argument("X"))
    training.log_model("xgboost", estimator, examples=example, predict=estimator.predict,
                       data=training.argument("X"), **_format(training))
    afterwards.remember(training, estimator)


def _rounds(call: Call, training: Training) -> Generator[None, Any, Any]:
    """A call of ``train`` that logs into ``training``; the booster that it returns."""
    import xgboost

    given = call.argument("params")
    with training.safely("the parameters"):
        training.log_params({
            **dict(given or {}), **{name: value for name, value in call.arguments.items() if name not in _NO_PARAMS},
        })
    rounds = boosting.Rounds(training, _datasets(call, training))
    training.begin_model()
    stops = bool(call.argument("early_stopping_rounds")) or any(
        isinstance(one, xgboost.callback.EarlyStopping) for one in call.argument("callbacks") or ()
    )
    boosting.add_callback(call, _callback(rounds))
    booster = yield
    if stops:
        with training.safely("the best round"):
            rounds.log_best(booster.best_iteration, best=booster.best_iteration, stopped=len(rounds.seen) - 1)
    for kind in training.settings.importance_types or ["weight"]:
        with training.safely(f"feature_importance_{kind}.json"):
            boosting.log_importance(training, kind, booster.get_score(importance_type=kind))
    return booster


def _callback(rounds: boosting.Rounds) -> Any:
    import xgboost

    class Log(xgboost.callback.TrainingCallback):  # type: ignore[misc, unused-ignore]
        """Logs the metrics of each round."""

        def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Any]) -> bool:
            with rounds.training.safely("the metrics of a round"):
                rounds.log({
                    name: {metric: values[-1] for metric, values in history.items()}
                    for name, history in evals_log.items()
                }, epoch)
            return False

    return Log()


def _datasets(call: Call, training: Training) -> dict[str, Dataset | None]:
    """Log the data of the training and of each evaluation set; those of the sets by name."""
    _log_dataset(training, call.argument("dtrain"), "train", None)
    evals = call.argument("evals")
    if not isinstance(evals, (list, tuple)):
        return {}
    return {name: _log_dataset(training, matrix, "eval", name) for matrix, name in evals}


def _log_dataset(training: Training, matrix: Any, context: str, name: str | None) -> Dataset | None:
    """Log the numbers of a matrix, as XGBoost keeps them: the data that it was made from may be gone."""
    if training.settings.log_datasets:
        with training.safely(f"the dataset ({context})"):
            return training.log_dataset(_array(matrix), None, context, name)
    return None


def _example(matrix: Any) -> Any:
    """The first rows of a matrix; with the columns that its data had, if it was seen."""
    example = boosting.example_of(matrix)
    if example is not None or matrix.feature_names is None:
        return example if example is not None else lambda: _array(matrix)
    import pandas

    return lambda: pandas.DataFrame(_array(matrix), columns=matrix.feature_names)


def _array(matrix: Any) -> Any:
    """The numbers of a matrix, float32, NaN where they are missing; None for very many."""
    if matrix.num_row() * matrix.num_col() > _CELLS:
        return None
    return matrix.get_data().toarray()


def _format(training: Training) -> dict[str, Any]:
    return {"model_format": training.settings.model_format}
