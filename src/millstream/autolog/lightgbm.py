"""Autologging of LightGBM: ``lightgbm.train``, and the estimators of its scikit-learn interface."""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from millstream.autolog import boosting
from millstream.autolog.libraries import autologging
from millstream.autolog.patching import Call, Patches
from millstream.autolog.sklearn import afterwards
from millstream.autolog.training import Training

if TYPE_CHECKING:
    from millstream.data import Dataset

ESTIMATORS = ("LGBMModel", "LGBMClassifier", "LGBMRegressor", "LGBMRanker")
IMPORTANCES = ("split", "gain")
# Arguments of train() that are no parameters of the training, or none that a text shows.
_NO_PARAMS = frozenset({
    "params", "train_set", "valid_sets", "valid_names", "fobj", "feval", "init_model", "evals_result", "learning_rates",
    "callbacks", "feature_name", "categorical_feature",
})
_estimators = boosting.Estimators()


@autologging("lightgbm")
def autolog(
    log_input_examples: bool = False, log_model_signatures: bool = True, log_models: bool = True,
    log_datasets: bool = True, disable: bool = False, exclusive: bool = False,
    disable_for_unsupported_versions: bool = False, silent: bool = False, registered_model_name: str | None = None,
    extra_tags: dict[str, str] | None = None,
) -> None:
    """Log every training with LightGBM, by ``lightgbm.train`` or by ``fit`` of an estimator such as ``LGBMClassifier``.

    - Parameters: those of the training and the arguments of the call.
    - Metrics of each evaluation set after each round, as ``<set>-<metric>``; with early stopping also
      ``best_iteration``, ``stopped_iteration`` (numbers of rounds), and the metrics of the best round at one step after
      the last.
    - ``feature_importance_split`` and ``feature_importance_gain``, as ``.json`` and ``.png``.
    - The model (``log_models``), and its data and evaluation sets (``log_datasets``).
    - What ``score`` of an estimator, and with ``millstream.sklearn.autolog`` the functions of ``sklearn.metrics``, say
      about it afterwards.

    The other arguments are those of :func:`millstream.autolog`.
    """


def install(patches: Patches) -> None:
    """Patch what trains, and what data are brought to it in."""
    import lightgbm

    patches.watch(lightgbm.Dataset, "__init__", boosting.note_data, nested=True)
    patches.train(lightgbm, "train", _train)
    _estimators.patch(patches, lightgbm, ESTIMATORS, _fit, _rounds)


def _train(training: Training) -> Generator[None, Any, None]:
    """``lightgbm.train``: the booster is the model."""
    booster = yield from _rounds(training, training)
    matrix = training.argument("train_set")
    training.log_model("lightgbm", booster, examples=boosting.example_of(matrix), predict=booster.predict,
                       data=boosting.data_of(matrix)[0])


def _fit(training: Training) -> Generator[None, Any, None]:
    """``fit`` of an estimator: it calls ``train``, whose booster is a part of the model."""
    estimator = training.instance
    with _estimators.fitting(training):
        yield
    example = boosting.rows_of(training.argument("X"))
    training.log_model("lightgbm", estimator, examples=example, predict=estimator.predict, data=training.argument("X"))
    afterwards.remember(training, estimator)


def _rounds(call: Call, training: Training) -> Generator[None, Any, Any]:
    """A call of ``train`` that logs into ``training``; the booster that it returns."""
    given = call.argument("params")
    with training.safely("the parameters"):
        training.log_params({
            **(given or {}), **{name: value for name, value in call.arguments.items() if name not in _NO_PARAMS},
        })
    ours = _Callback(boosting.Rounds(training, _datasets(call, training)))
    training.begin_model()
    for place, callback in enumerate(callbacks := list(call.argument("callbacks") or ())):
        # What LightGBM does itself, by its count of callbacks: one more would be seen in the caller's.
        vars(callback).setdefault("order", place - len(callbacks))
    boosting.add_callback(call, ours)
    booster = yield
    best = booster.best_iteration  # counts from one, 0 without early stopping
    if best > 0:
        seen = len(ours.rounds.seen)
        ours.rounds.log_best(best - 1 - ours.first, best=best, stopped=ours.first + seen)
    for kind in IMPORTANCES:
        with training.safely(f"feature_importance_{kind}.json"):
            numbers = booster.feature_importance(importance_type=kind).tolist()
            boosting.log_importance(training, kind, dict(zip(booster.feature_name(), numbers, strict=True)))
    return booster


class _Callback:
    """Logs the metrics of each round. LightGBM calls those of a lower ``order`` first, and none behind one that stops
    the training."""

    order = -math.inf

    def __init__(self, rounds: boosting.Rounds) -> None:
        self.rounds = rounds
        self.first = 0

    def __call__(self, env: Any) -> None:
        with self.rounds.training.safely("the metrics of a round"):
            self.first = env.begin_iteration
            results: dict[str, dict[str, float]] = {}
            for name, metric, value, *_ in env.evaluation_result_list or ():
                results.setdefault(name, {})[metric] = value
            self.rounds.log(results, env.iteration)


def _datasets(call: Call, training: Training) -> dict[str, Dataset | None]:
    """Log the data of the training and of each evaluation set; those of the sets by the name that metrics have."""
    train = call.argument("train_set")
    _log_dataset(training, train, "train", None)
    sets, names = call.argument("valid_sets"), call.argument("valid_names")
    sets = list(sets) if isinstance(sets, (list, tuple)) else [sets] if sets is not None else []
    found = {}
    for place, (one, name) in enumerate(zip(sets, boosting.names_of(sets, [names] if isinstance(names, str) else names),
                                            strict=True)):
        shown = name or ("training" if one is train else f"valid_{place}")
        found[shown] = _log_dataset(training, one, "eval", name)
    return found


def _log_dataset(training: Training, dataset: Any, context: str, name: str | None) -> Dataset | None:
    data, label = boosting.data_of(dataset)
    if data is None:
        data, label = getattr(dataset, "data", None), getattr(dataset, "label", None)
    return training.log_dataset(data, label, context, name) if data is not None else None
