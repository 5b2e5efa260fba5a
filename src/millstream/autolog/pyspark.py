"""Autologging of Spark ML: every ``fit`` of an estimator, and what evaluators say about its predictions."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Generator, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from millstream.autolog import spark
from millstream.autolog.libraries import autologging
from millstream.autolog.patching import Call, Patches
from millstream.autolog.pyspark_estimators import (
    candidate_of,
    columns_needed,
    described,
    names_of,
    params_of,
    search_in,
)
from millstream.autolog.sklearn import afterwards
from millstream.autolog.sklearn.fitting import tags_of
from millstream.autolog.training import Training
from millstream.entities import DatasetInput, InputTag
from millstream.operations import LogInputs
from millstream.tracking import recorder
from millstream.tracking.tags import MLFLOW_DATASET_CONTEXT

if TYPE_CHECKING:
    from millstream.autolog.pyspark_estimators import Names
    from millstream.data.spark_dataset import SparkDataset
    from millstream.models.signature import ModelSignature

# Models that are logged: all of Spark's, but for those whose size grows with the data. Theirs are the factors of every
# user and item (pyspark.ml.recommendation), every frequent set (pyspark.ml.fpm), and topics spread over the cluster.
ALLOWLIST = (
    "pyspark.ml.classification.*", "pyspark.ml.clustering.[!D]*", "pyspark.ml.feature.*", "pyspark.ml.pipeline.*",
    "pyspark.ml.regression.*", "pyspark.ml.tuning.*",
)
# The setting of a Spark session that names a file with a list of the user's own.
ALLOWLIST_FILE = "spark.mlflow.pysparkml.autolog.logModelAllowlistFile"
# Estimators that prepare data for others: a fit of them alone is no training.
PREPARING = "pyspark.ml.feature"


@autologging("pyspark.ml")
def autolog(
    log_models: bool = True, log_datasets: bool = True, disable: bool = False, exclusive: bool = False,
    disable_for_unsupported_versions: bool = False, silent: bool = False, log_post_training_metrics: bool = True,
    registered_model_name: str | None = None, log_input_examples: bool = False, log_model_signatures: bool = True,
    log_model_allowlist: list[str] | None = None, extra_tags: dict[str, str] | None = None,
) -> None:
    """Log every ``fit`` of an estimator of ``pyspark.ml``, but for those of ``pyspark.ml.feature`` alone.

    - Parameters: the estimator's, and those of its stages and other parts as ``<Part>.<name>``; ``estimator_info.json``
      says how it is made up. Tags ``estimator_name`` and ``estimator_class``.
    - Of ``CrossValidator`` and ``TrainValidationSplit``, also as a stage of a pipeline: every candidate as a child run
      with its parameters and metrics, the best parameters as ``best_<Part>.<name>`` and ``best_parameters.json``, the
      table ``search_results.csv``, and the best model as a model of its own.
    - What ``Evaluator.evaluate`` says about predictions of the model (``log_post_training_metrics``), as
      ``<metric>[-n]_<variable of the data>``; ``metric_info.json`` says how each was measured.
    - The model (``log_models``) where its class and those of its stages are in ``log_model_allowlist``, names of
      classes or patterns such as ``pyspark.ml.regression.*``; unless given, the list in the file that the session's
      setting ``spark.mlflow.pysparkml.autolog.logModelAllowlistFile`` names, else all of Spark's, but for those of
      ``recommendation`` and ``fpm`` and distributed LDA, which may be as large as the data.
    - The training data and the data of each evaluation as datasets (``log_datasets``).

    Spark computes nothing for it but the saving of the models, and with ``log_input_examples`` five rows: rows of a
    dataset are counted only where Spark knows their number. The other arguments are those of
    :func:`millstream.autolog`.
    """


def install(patches: Patches) -> None:
    """Patch what all estimators, models and evaluators have in common."""
    from pyspark.ml.base import Estimator, Transformer
    from pyspark.ml.evaluation import Evaluator

    patches.train(Estimator, "fit", _fit, kind=_Fit, own_calls=False)
    patches.watch(Transformer, "transform", afterwards.prediction, own_calls=False)
    patches.watch(Evaluator, "evaluate", _evaluate, own_calls=False)


class _Fit(Training):
    """A fit, unless it only prepares data."""

    def begin(self) -> bool:
        """Find or make the run."""
        return type(self.instance).__module__ != PREPARING and super().begin()


def _fit(training: Training) -> Generator[None, Any, None]:
    estimator, frame, params = training.instance, training.argument("dataset"), training.argument("params")
    begun = time.time_ns() // 1_000_000
    if isinstance(params, dict) and params:
        estimator = estimator.copy(params)
    names = names_of(estimator)
    training.log_params(params_of(estimator, names))
    training.set_tags({**tags_of(estimator), **spark.waiting()})
    with training.safely("estimator_info.json"):
        training.log_text(json.dumps(described(estimator, names), indent=2, default=str), "estimator_info.json")
    with training.safely("the dataset (train)"):
        if training.settings.log_datasets:
            training.log_made_dataset(dataset_of(frame))
    made = yield
    if isinstance(params, (list, tuple)):  # a model for each
        for one in params:
            _log_candidate(training, estimator, one, {}, begun)
        return
    with training.safely("the search"):
        found = search_in(estimator, made)
        if found is not None:
            _log_search(training, *found, names, begun)
    _log_model(training, made, frame)
    best = getattr(made, "bestModel", None)
    if best is not None:
        # The search itself is the training's model, and what is registered.
        model_id = training.model_id
        _log_model(training, best, frame, "best_model", registered_model_name=None)
        training.model_id = model_id
        afterwards.remember(training, best)
    afterwards.remember(training, made)


def _log_search(training: Training, search: Any, model: Any, names: Names, begun: int) -> None:
    """Log the best parameters, the table of results, and each candidate as a child run."""
    import numpy

    maps, evaluator = search.getEstimatorParamMaps(), search.getEvaluator()
    metric = _metric_of(evaluator)
    if hasattr(model, "validationMetrics"):
        measured = {metric: list(model.validationMetrics)}
    else:
        measured = {f"avg_{metric}": list(model.avgMetrics), f"std_{metric}": list(model.stdMetrics or ())}
    measured = {name: values for name, values in measured.items() if len(values) == len(maps)}
    scores = next(iter(measured.values()))
    # As Spark chooses, also where a score is no number.
    best = int(numpy.argmax(scores) if evaluator.isLargerBetter() else numpy.argmin(scores))
    candidates = [candidate_of(one, names) for one in maps]
    training.log_params({f"best_{name}": value for name, value in candidates[best].items()})
    with training.safely("best_parameters.json"):
        training.log_text(json.dumps(candidates[best], indent=2, default=str), "best_parameters.json")
    with training.safely("search_results.csv"):
        training.log_text(_table(candidates, measured), "search_results.csv")
    for index, one in enumerate(maps):
        metrics = {name: values[index] for name, values in measured.items()}
        _log_candidate(training, search.getEstimator(), one, metrics, begun)


def _log_candidate(
    training: Training, estimator: Any, params: Mapping[Any, Any], metrics: Mapping[str, float], begun: int
) -> None:
    with training.safely("the candidates as child runs"):
        tried = estimator.copy(params)
        training.log_child(params_of(tried, names_of(tried)), metrics, tags_of(tried), start_time=begun)


def _table(candidates: list[dict[str, Any]], measured: Mapping[str, list[float]]) -> str:
    """The results as CSV, a line for each candidate."""
    params = list(dict.fromkeys(name for one in candidates for name in one))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["params", *measured, *(f"param.{name}" for name in params)])
    for index, one in enumerate(candidates):
        scores = [values[index] for values in measured.values()]
        writer.writerow([json.dumps(one, default=str), *scores, *(one.get(name, "") for name in params)])
    return text.getvalue()


def _log_model(training: Training, model: Any, frame: Any, name: str = "model", **options: Any) -> None:
    if not training.settings.log_models:
        return
    with training.safely("the model"):
        left_out = next(_left_out(model, _allowed(training, frame)), None)
        if left_out is not None:
            training.tell(f"{name} is not logged, as {left_out} is not in the list of models to log; "
                          f"autolog(log_model_allowlist=[…]) sets another")
            return
        columns = columns_needed(model, frame.columns)
        options["signature"] = False
        if training.settings.log_model_signatures:
            with training.safely("the signature of the model"):
                options["signature"] = signature_of(model, frame.select(*columns))
        if training.settings.log_input_examples:
            options["input_example"] = frame.select(*columns)
        training.log_model("spark", model, name, **options)


def signature_of(model: Any, frame: Any) -> ModelSignature:
    """The signature of a model for data like ``frame``, from the types of the columns: no row of it is computed."""
    from millstream.flavors.spark import prediction_column
    from millstream.models.inference import infer_schema
    from millstream.models.schema import ColSpec, Schema
    from millstream.models.signature import ModelSignature

    made = model.transform(frame)
    column = prediction_column(model)
    outputs = None
    if column in made.columns:
        outputs = Schema([ColSpec(kind) for kind in infer_schema(made.select(column)).input_types()])
    return ModelSignature(infer_schema(frame), outputs)


def dataset_of(frame: Any) -> SparkDataset:
    """The dataset of a DataFrame of Spark, with the number of its rows where Spark knows it without counting."""
    from millstream.data.spark_dataset import from_spark

    made = from_spark(frame)
    made.__dict__["profile"] = {"approx_count": _rows_of(frame)}  # in the place of the one that counts
    return made


def _rows_of(frame: Any) -> int | str:
    try:
        count = frame._jdf.queryExecution().optimizedPlan().stats().rowCount()
        return int(str(count.get())) if count.isDefined() else "unknown"
    except Exception:  # Spark Connect has no JVM here; a plan that fails does so in the user's own code
        return "unknown"


def _allowed(training: Training, frame: Any) -> Iterable[str]:
    """The patterns of the classes of models to log."""
    given = training.settings.log_model_allowlist
    if given is not None:
        return list(given)
    file = frame.sparkSession.conf.get(ALLOWLIST_FILE, None)
    return _lines_of(file) if file else ALLOWLIST


def _lines_of(file: str) -> tuple[str, ...]:
    """The lines of a file anywhere that artifacts may lie, without comments."""
    from pathlib import Path

    from millstream.tracking.files import download_artifacts

    lines = (line.partition("#")[0].strip() for line in Path(download_artifacts(file)).read_text("utf-8").splitlines())
    return tuple(line for line in lines if line)


def _left_out(model: Any, allowed: Iterable[str]) -> Generator[str, None, None]:
    """The classes of a model and of the models in it that no pattern allows."""
    from pyspark.ml import Model

    name = f"{type(model).__module__}.{type(model).__name__}"
    if not any(fnmatchcase(name, pattern) for pattern in allowed):
        yield name
    parts = [getattr(model, "bestModel", None), *getattr(model, "stages", ()), *getattr(model, "models", ())]
    for part in parts:
        if isinstance(part, Model):
            yield from _left_out(part, allowed)


def _evaluate(call: Call) -> Generator[None, Any, None]:
    """Log what an evaluator says about predictions of an autologged model."""
    value = yield
    frame = call.argument("dataset")
    found = afterwards.prediction_in([frame])
    if found is None or not call.settings.log_post_training_metrics:
        return
    evaluator, params = call.instance, call.argument("params")
    if params:
        evaluator = evaluator.copy(params)
    kind = type(evaluator)
    how = {"evaluator_class": f"{kind.__module__}.{kind.__name__}", "params": params_of(evaluator, {})}
    afterwards.log(call, found.trained, found.model_id, _metric_of(evaluator), found.dataset, value, how)
    if call.settings.log_datasets:
        with call.safely("the dataset (eval)"):
            used = DatasetInput(recorder.entity_of(dataset_of(frame)), [InputTag(MLFLOW_DATASET_CONTEXT, "eval")])
            store = recorder.of(found.trained.uri, found.trained.run_id).store
            store.execute(LogInputs(found.trained.run_id, [used], []))


def _metric_of(evaluator: Any) -> str:
    """The name of what an evaluator measures."""
    return str(evaluator.getMetricName()) if hasattr(evaluator, "getMetricName") else type(evaluator).__name__
