"""Logging to the active run, or to any run by its id: metrics, parameters, tags, datasets and models."""

from __future__ import annotations

import contextlib
import logging
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from millstream.entities import DatasetInput, InputTag, LoggedModelInput, LoggedModelOutput
from millstream.errors import InvalidValue
from millstream.operations import DeleteTag, LogInputs
from millstream.tracking import recorder, stores
from millstream.tracking.active import active_model_id, local
from millstream.tracking.checks import number, sound_keys
from millstream.tracking.clock import next_time
from millstream.tracking.pending import RunOperations
from millstream.tracking.recorder import Recorder, entity_of
from millstream.tracking.runs import start_run
from millstream.tracking.tags import MLFLOW_DATASET_CONTEXT

if TYPE_CHECKING:
    from millstream.data import Dataset
    from millstream.entities import Dataset as DatasetEntity

logger = logging.getLogger("millstream")


def recorder_of(run_id: str | None = None) -> Recorder:
    """The recorder of a run: the active one (started if there is none) unless an id is given."""
    if run_id is not None:
        for live in local.stack:
            if live.recorder.run_id == run_id:
                return live.recorder
        return recorder.of(stores.get_tracking_uri(), run_id)
    if not local.stack:
        start_run()
    return local.stack[-1].recorder


def log_metric(
    key: str, value: float, step: int | None = None, synchronous: bool | None = None, timestamp: int | None = None,
    run_id: str | None = None, model_id: str | None = None, dataset: Dataset | DatasetEntity | None = None,
) -> RunOperations | None:
    """Log one point of a metric to the active run, or to the run with ``run_id``.

    ``step`` is a whole number, 0 unless given; ``timestamp`` is in milliseconds since the epoch, now unless given;
    ``model_id`` and ``dataset`` say what was measured on what, and become inputs of the run.

    The point is on the disk when the call returns and is sent soon after. With ``synchronous=True`` the call returns
    when the store has it; with ``synchronous=False`` it returns something to wait for. Raises InvalidValue for a key,
    number, step or timestamp that can never be stored.
    """
    keeper = local.plain
    if (
        keeper is not None
        and type(key) is str
        and key in sound_keys
        and run_id is None
        and synchronous is None
        and timestamp is None
        and model_id is None
        and dataset is None
        and (step is None or type(step) is int)
    ):
        # What a training loop does a million times: one look at each argument, and one append.
        if type(value) is not float:
            value = number(value, key)
        step = step or 0
        if step not in keeper.made_at:
            keeper.metric(key, value, next_time(keeper.times, (key,), step), step)
            return None
    return log_metrics({key: value}, step, synchronous, run_id, timestamp, model_id, dataset)


def log_metrics(
    metrics: dict[str, float], step: int | None = None, synchronous: bool | None = None, run_id: str | None = None,
    timestamp: int | None = None, model_id: str | None = None, dataset: Dataset | DatasetEntity | None = None,
) -> RunOperations | None:
    """Log a point of each metric, at one step and time; all or none are refused. Otherwise like :func:`log_metric`."""
    keeper = recorder_of(run_id)
    directly = _directly(keeper, synchronous)
    keeper.log_metrics(
        metrics, step, timestamp, model_id=model_id or active_model_id(), dataset=dataset, directly=directly,
    )
    return _answer(keeper, synchronous)


def log_param(key: str, value: Any, synchronous: bool | None = None) -> Any:
    """Log a parameter of the active run and return ``value``; kept as text, once and for all.

    Raises ParameterChanged when the run has it with another value, and InvalidValue for a bad key.
    """
    keeper = recorder_of()
    keeper.log_params({key: value}, directly=_directly(keeper, synchronous))
    return RunOperations([keeper.log]) if synchronous is False else value


def log_params(
    params: dict[str, Any], synchronous: bool | None = None, run_id: str | None = None
) -> RunOperations | None:
    """Log parameters of the active run, or of the run with ``run_id``; when one is refused, none is logged.

    Raises ParameterChanged when the run has one with another value, and InvalidValue for a bad key.
    """
    keeper = recorder_of(run_id)
    keeper.log_params(params, directly=_directly(keeper, synchronous))
    return _answer(keeper, synchronous)


def set_tag(key: str, value: Any, synchronous: bool | None = None) -> RunOperations | None:
    """Set a tag of the active run. Raises InvalidValue for a bad key."""
    return set_tags({key: value}, synchronous)


def set_tags(tags: dict[str, Any], synchronous: bool | None = None) -> RunOperations | None:
    """Set tags of the active run. Raises InvalidValue for a bad key; none is set then."""
    keeper = recorder_of()
    keeper.set_tags(tags, directly=_directly(keeper, synchronous))
    return _answer(keeper, synchronous)


def delete_tag(key: str) -> None:
    """Remove a tag of the active run. Raises NotFound when it has none of this key."""
    keeper = recorder_of()
    keeper.flush()
    keeper.store.execute(DeleteTag(keeper.run_id, key))


def log_input(
    dataset: Dataset | DatasetEntity | None = None, context: str | None = None, tags: dict[str, str] | None = None,
    model: LoggedModelInput | None = None,
) -> None:
    """Note a dataset, a model or both as inputs of the active run. ``context`` says what for, such as "training"."""
    _log_inputs([_used(dataset, context, tags)] if dataset is not None else [], [model] if model is not None else [])


def log_inputs(
    datasets: list[Dataset | DatasetEntity | None] | None = None, contexts: list[str | None] | None = None,
    tags_list: list[dict[str, str] | None] | None = None, models: list[LoggedModelInput | None] | None = None,
) -> None:
    """Note datasets, each with its context and its tags, and models as inputs of the active run.

    Raises InvalidValue when the lists that are given differ in length.
    """
    given = [items for items in (datasets, contexts, tags_list, models) if items is not None]
    lengths = {len(items) for items in given}
    if len(lengths) > 1:
        raise InvalidValue("datasets, contexts, tags_list and models belong together, and so have one length",
                           hint="put None where a dataset has no context or no tags")
    count = lengths.pop() if lengths else 0
    empty: Sequence[None] = [None] * count
    _log_inputs(
        [
            _used(dataset, context, tags)
            for dataset, context, tags in zip(datasets or empty, contexts or empty, tags_list or empty, strict=True)
            if dataset is not None
        ],
        [model for model in models or () if model is not None],
    )


# The data set that each run of this process was trained on, as long as the program keeps it.
training_data: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
_TRAINING = (None, "train", "training")


def _used(dataset: Dataset | DatasetEntity, context: str | None, tags: dict[str, str] | None) -> DatasetInput:
    if context in _TRAINING and hasattr(dataset, "to_entity"):
        with contextlib.suppress(TypeError):  # of a class that cannot be referred to weakly
            training_data[recorder_of().run_id] = dataset
    made = [InputTag(key, str(value)) for key, value in (tags or {}).items()]
    if context is not None:
        made.append(InputTag(MLFLOW_DATASET_CONTEXT, context))
    return DatasetInput(entity_of(dataset), made)


def _log_inputs(datasets: list[DatasetInput], models: list[LoggedModelInput]) -> None:
    keeper = recorder_of()
    if datasets or models:
        keeper.store.execute(LogInputs(keeper.run_id, datasets, models))


def log_outputs(models: list[LoggedModelOutput] | None = None) -> None:
    """Note models that the active run has made, each at a step."""
    keeper = recorder_of()
    if models:
        keeper.log_outputs(models)


def delete_metric(run_id: str, key: str | None = None, from_step: int | None = None) -> int:
    """Remove the points of a metric from ``from_step`` on, all of them without it; returns how many.

    Without a ``key``, of every metric of the run. Beyond MLflow.
    """
    from millstream.tracking.client import MlflowClient

    return MlflowClient().delete_metric(run_id, key, from_step)


def flush_async_logging() -> None:
    """Wait until the stores have all that this process has logged, at most the seconds of EXIT_FLUSH_SECONDS."""
    if not recorder.flush():
        logger.warning("not everything that was logged has been sent yet; it is kept and sent later")


def _directly(keeper: Recorder, synchronous: bool | None) -> bool:
    return not keeper.buffered if synchronous is None else synchronous


def _answer(keeper: Recorder, synchronous: bool | None) -> RunOperations | None:
    return RunOperations([keeper.log]) if synchronous is False else None
