"""The function that measures a model on data and logs what it measures."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream.autolog.inside import inside
from millstream.errors import FunctionFailed, InvalidValue, MissingValue
from millstream.evaluation import contents, metrics
from millstream.evaluation.evaluators import CLASSIFIER, REGRESSOR, check_task, chosen
from millstream.evaluation.inputs import EvaluationDataset, evaluation_dataset
from millstream.evaluation.options import Options
from millstream.evaluation.predicting import Predicted, Subject, predicted_by, subject_of
from millstream.evaluation.results import EvaluationResult

if TYPE_CHECKING:
    from millstream.evaluation.metrics import EvaluationMetric

logger = logging.getLogger("millstream")

_TABLE = "eval_results_table"


def evaluate(
    model: Any = None, data: Any = None, *, model_type: str | None = None, targets: Any = None,
    predictions: Any = None, dataset_path: str | None = None, feature_names: list[Any] | None = None,
    evaluators: Any = None, evaluator_config: Mapping[str, Any] | None = None,
    extra_metrics: list[EvaluationMetric] | None = None, custom_artifacts: list[Callable[..., Any]] | None = None,
    env_manager: str = "local", model_config: dict[str, Any] | None = None,
    inference_params: dict[str, Any] | None = None, model_id: str | None = None,
) -> EvaluationResult:
    """Measure a model, or predictions, on data; log metrics, plots and tables to the active run and return them.

    ``model`` is a URI, a loaded model, an estimator or a function of a DataFrame; without one, ``predictions`` names a
    column of the data. ``data`` is a DataFrame (pandas, polars, Spark), an array, a list, or a data set of
    ``millstream.data``, and becomes an input of the run. ``targets`` is a column, or an array with a value a row.

    ``model_type`` is ``"regressor"``, ``"classifier"``, or None for ``extra_metrics`` alone. ``evaluator_config`` has
    the fields of :class:`~millstream.evaluation.options.Options`. A function among ``custom_artifacts`` takes
    ``(eval_df, builtin_metrics, artifacts_dir)`` and returns a dict of objects or files by name. Metrics belong to the
    model too when it is logged, or when ``model_id`` names one. Without an active run, one is made and ended.

    Raises InvalidValue and MissingValue for arguments that do not fit together, NotSupported for another model type,
    FunctionFailed when a metric or artifact function raises; what the model raises goes through.
    """
    subject = subject_of(model, env_manager, model_config, inference_params)
    extra = metrics.check_metrics(extra_metrics)
    functions = _functions(custom_artifacts)
    ours, others = chosen(evaluators, evaluator_config, model_type)
    dataset = evaluation_dataset(
        data, targets, predictions, feature_names, dataset_path, with_model=subject is not None
    )
    if subject is None and not dataset.has_predictions and ours is not None:
        raise MissingValue("there is neither a model nor predictions", hint="predictions='…' names their column")
    options = None
    if ours is not None:
        check_task(model_type, dataset.has_targets, extra, functions)
        options = Options.of(ours, len(dataset.features_data))
    model_id = _model_id(subject, model_id)
    # What an evaluation calls, such as the metrics of scikit-learn, is its own business and not logged again.
    with _run() as run_id, inside:
        results = []
        if options is not None:
            results.append(_built_in(subject, dataset, model_type, options, extra, functions, run_id, model_id))
        for other, config in others:
            results.append(other.evaluate(
                model_type=model_type, dataset=dataset, run_id=run_id, evaluator_config=config,
                model=subject.given if subject else None, extra_metrics=extra, custom_artifacts=functions,
                predictions=dataset.predictions_data, model_id=model_id,
            ))
    return EvaluationResult(
        {name: value for one in results for name, value in one.metrics.items()},
        {name: artifact for one in results for name, artifact in one.artifacts.items()},
        run_id,
    )


def _built_in(
    subject: Subject | None, dataset: EvaluationDataset, model_type: str | None, options: Options,
    extra: list[EvaluationMetric], functions: list[Callable[..., Any]], run_id: str, model_id: str | None,
) -> EvaluationResult:
    from millstream.tracking.artifacts import log_artifacts
    from millstream.tracking.logging import log_metrics

    classifies = model_type == CLASSIFIER
    if subject is not None:
        predicted = predicted_by(subject, dataset.features_data, dataset.predictions_name, classifies=classifies)
    else:
        assert dataset.predictions_data is not None  # asked before the run began
        predicted = Predicted(dataset.predictions_data)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "artifacts"
        folder.mkdir()
        kept = _Kept(folder, _artifact_uri(run_id), options.metric_prefix)
        measured, drawn = _standard(predicted, dataset, model_type, options, kept)
        frame = _Frame(predicted, dataset)
        given = metrics.Measured(
            frame.evaluated(), frame.columns(), options.col_mapping, measured,
            {name: metrics.MetricValue(aggregate_results={name: value}) for name, value in measured.items()},
        )
        metrics.compute(extra, given)
        numbers = {f"{options.metric_prefix}{name}": _plain(value) for name, value in given.numbers.items()}
        log_metrics(
            numbers, run_id=run_id, model_id=model_id,
            dataset=dataset.dataset if options.log_metrics_with_dataset_info else None,
        )
        _keep_scores(given, extra, frame, kept)
        _keep_custom(functions, given, kept, Path(temporary))
        drawn()
        if subject is not None and options.log_model_explainability:
            from millstream.evaluation import explaining

            explaining.explain(subject, dataset.features_data, options, kept.add)
        if any(folder.iterdir()):
            log_artifacts(folder, run_id=run_id)
    return EvaluationResult(numbers, kept.artifacts, run_id)


def _standard(
    predicted: Predicted, dataset: EvaluationDataset, model_type: str | None, options: Options, kept: _Kept
) -> tuple[dict[str, Any], Callable[[], None]]:
    """The metrics of the model's type, and what draws its plots and tables."""
    measured: dict[str, Any] = {}
    if model_type is None or dataset.labels_data is None:
        return measured, lambda: None
    true = dataset.labels_data
    if predicted.score is not None:
        score = _score(predicted, dataset, options)
        if score is not None:
            measured["score"] = score
    if model_type == REGRESSOR:
        from millstream.evaluation.regressor import regressor_metrics

        return measured | regressor_metrics(true, predicted.values, options), lambda: None
    from millstream.evaluation import classifier, plots

    labels = classifier.labels_of(true, predicted, options)
    predicted.values = labels.predicted
    measured |= classifier.classifier_metrics(labels, options)

    def draw() -> None:
        if labels.positive is None:
            with_areas = len(labels.every) <= options.max_classes_for_multiclass_roc_pr
            kept.add("per_class_metrics", classifier.per_class(labels, with_areas=with_areas))
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            logger.warning("no plots: matplotlib is not installed")
            return
        for name, plot in plots.plots(labels, options).items():
            kept.add(name, plot())

    return measured, draw


def _score(predicted: Predicted, dataset: EvaluationDataset, options: Options) -> float | None:
    """The model's own score; None for one whose score takes something else, and with weights where it takes none."""
    assert predicted.score is not None
    weights = {} if options.sample_weights is None else {"sample_weight": options.sample_weights}
    try:
        return float(predicted.score(dataset.features_data, dataset.labels_data, **weights))
    except Exception as error:
        logger.warning("no score: %s: %s", type(error).__name__, error)
        return None


class _Frame:
    """Predictions beside the data, in the forms that functions of users take them."""

    def __init__(self, predicted: Predicted, dataset: EvaluationDataset) -> None:
        self.predicted = predicted
        self.dataset = dataset

    def evaluated(self) -> Any:
        """A frame with the columns ``prediction`` and, with labels, ``target``."""
        import pandas

        made = {"prediction": self.predicted.values}
        if self.dataset.labels_data is not None:
            made["target"] = self.dataset.labels_data
        return pandas.DataFrame(made)

    def columns(self) -> dict[Any, Any]:
        """The columns of the data, then those of the model's output, by name."""
        import pandas

        features, dataset = self.dataset.features_data, self.dataset
        made = {name: features[name] for name in features.columns}
        if dataset.labels_data is not None:
            made[dataset.targets_name if dataset.targets_name is not None else "target"] = pandas.Series(
                dataset.labels_data
            )
        own = dataset.predictions_name if dataset.predictions_name is not None else "predictions"
        return made | self.predicted.others | {own: pandas.Series(self.predicted.values)}


class _Kept:
    """The artifacts of an evaluation, as files of a folder and by name."""

    def __init__(self, folder: Path, uri: str, prefix: str) -> None:
        self.folder = folder
        self.uri = uri
        self.prefix = prefix
        self.artifacts: dict[str, contents.EvaluationArtifact] = {}

    def add(self, name: str, content: Any, *, prefixed: bool = True) -> None:
        """Keep an object under ``name``; the file's name begins with the prefix, the artifact's does not."""
        file = f"{self.prefix if prefixed else ''}{name}"
        _, self.artifacts[name] = contents.made_of(file, content, self.folder, self.uri)


def _keep_scores(
    given: metrics.Measured, extra: list[EvaluationMetric], frame: _Frame, kept: _Kept
) -> None:
    """Keep the scores by row that metrics gave, beside the data, as one table."""
    import pandas

    table = {}
    for one in extra:
        value = given.values.get(one.name)
        for what, column in (("scores", "score"), ("justifications", "justification")):
            if value is not None and getattr(value, what) is not None:
                table[f"{one.key}/{column}"] = pandas.Series(list(getattr(value, what)))
    if table:
        rows = pandas.DataFrame(frame.columns() | table)
        kept.add(_TABLE, {"columns": [str(name) for name in rows.columns], "data": rows.to_numpy().tolist()})


def _keep_custom(
    functions: list[Callable[..., Any]], given: metrics.Measured, kept: _Kept, temporary: Path
) -> None:
    for position, function in enumerate(functions):
        name = getattr(function, "__name__", type(function).__name__)
        folder = temporary / f"custom-{position}"
        folder.mkdir()
        try:
            made = function(given.eval_frame.copy(), dict(given.numbers), str(folder))
        except Exception as error:
            raise FunctionFailed(
                f"the artifact function {name!r} (custom_artifacts[{position}]) failed: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(made, dict) or not all(isinstance(key, str) for key in made):
            logger.warning(
                "the artifacts of %r are not logged: it returned %s, expected a dictionary of objects by name",
                name, type(made).__name__,
            )
            continue
        for key, content in made.items():
            kept.add(key, content, prefixed=False)


def _functions(custom_artifacts: Any) -> list[Callable[..., Any]]:
    given = [] if custom_artifacts is None else (
        list(custom_artifacts) if isinstance(custom_artifacts, (list, tuple)) else [custom_artifacts]
    )
    for position, one in enumerate(given):
        if not callable(one):
            raise InvalidValue(f"custom_artifacts[{position}] is {type(one).__name__}, expected a function")
    return given


def _model_id(subject: Subject | None, given: str | None) -> str | None:
    """The logged model that the metrics belong to. Raises InvalidValue when two are named."""
    own = subject.model_id if subject is not None else None
    if own is not None and given is not None and own != given:
        raise InvalidValue(
            f"model_id is {given}, but the model is the logged model {own}",
            hint="leave model_id out: the model knows it",
        )
    return given or own


@contextlib.contextmanager
def _run() -> Iterator[str]:
    """The active run, or one that lasts as long as the evaluation."""
    from millstream.tracking.runs import active_run, start_run

    active = active_run()
    if active is not None:
        yield active.info.run_id
        return
    with start_run() as made:
        yield made.info.run_id


def _artifact_uri(run_id: str) -> str:
    from millstream.tracking.active import local

    live = next(one for one in reversed(local.stack) if one.recorder.run_id == run_id)
    return (live.run.info.artifact_uri or "").rstrip("/")


def _plain(value: Any) -> Any:
    """A number of numpy as Python's."""
    return value.item() if hasattr(value, "item") else value
