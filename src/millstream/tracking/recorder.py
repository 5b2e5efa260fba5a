"""What this process knows of the runs it logs to, and the way their entries take: the outbox, or the store at once."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from millstream import settings
from millstream.entities import (
    DatasetInput,
    LifecycleStage,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    Param,
    Run,
    RunTag,
)
from millstream.errors import InvalidValue, MillstreamError, ParameterChanged, StoreUnavailable
from millstream.operations import GetLoggedModel, GetRun, LogInputs, LogOutputs, UpdateRun
from millstream.operations.limits import check_run_id
from millstream.tracking import checks
from millstream.tracking.batches import in_batches
from millstream.tracking.clock import next_time, times_of
from millstream.tracking.stores import store

if TYPE_CHECKING:
    from millstream.data import Dataset
    from millstream.entities import Dataset as DatasetEntity
    from millstream.stores.contract import Store
    from millstream.tracking.outbox import RunLog

logger = logging.getLogger("millstream")

# Of the runs that are logged to by their id without being active, this many are remembered.
_BY_ID = 256


class Recorder:
    """Checks what is logged to one run and hands it on.

    ``params`` holds the parameters that the run is known to have: one that comes again with another value is refused
    at the call, not when it is sent. ``buffered`` says whether entries go through the outbox unless a call asks for the
    store. ``made_at`` maps steps to the ids of the models that the run has made at them: what is logged at such a step
    is measured on the model too. Any number of threads may use a recorder.
    """

    __slots__ = (
        "_inputs", "_unsent_inputs", "buffered", "experiment_id", "lock", "log", "made_at", "metric", "params",
        "run_id", "times", "uri",
    )

    def __init__(self, uri: str, run: Run) -> None:
        from millstream.tracking import outbox

        self.uri = uri
        self.run_id = run.info.run_id
        self.experiment_id = run.info.experiment_id
        self.params = run.data.params
        self.buffered = settings.ENABLE_ASYNC_LOGGING.get()
        self.times = times_of(self.run_id)
        for metric in run.data.metric_list:
            self.times.setdefault(metric.key, (metric.step, metric.timestamp))
        self.log: RunLog = outbox.run_log(store(uri), self.run_id, experiment_id=self.experiment_id)
        self.metric = self.log.metric
        self.lock = threading.Lock()
        self.made_at: dict[int, list[str]] = {}
        for made in run.outputs.model_outputs:
            self.made_at.setdefault(made.step, []).append(made.model_id)
        self._unsent_inputs: list[LogInputs] = []
        self._inputs: set[tuple[str, ...]] = {  # model ids, and names with digests of datasets
            *((used.model_id,) for used in run.inputs.model_inputs),
            *((made.model_id,) for made in run.outputs.model_outputs),
            *((used.dataset.name, used.dataset.digest) for used in run.inputs.dataset_inputs),
        }

    @property
    def store(self) -> Store:
        """The run's store; in a child process one of its own."""
        return store(self.uri)

    def log_metrics(
        self, values: Mapping[str, Any], step: Any, timestamp: Any, *, model_id: str | None = None,
        dataset: Dataset | DatasetEntity | None = None, directly: bool = False,
    ) -> None:
        """Log one point of each metric; through the outbox, or with ``directly`` to the store at once.

        Raises InvalidValue for a key, number, step or timestamp that can never be stored; nothing is logged then.
        """
        if not isinstance(values, Mapping):
            raise InvalidValue(f"metrics are a dictionary of key and number, not {type(values).__name__}")
        sound = {checks.metric_key(key): checks.number(value, key) for key, value in values.items()}
        step = checks.step(step)
        timestamp = next_time(self.times, sound, step) if timestamp is None else checks.timestamp(timestamp)
        name, digest = (dataset.name, dataset.digest) if dataset is not None else (None, None)
        if model_id is not None or dataset is not None:
            self._note_inputs(model_id, dataset)
        measured: Sequence[str | None] = [model_id] if model_id is not None else self.made_at.get(step, [None])
        if not directly:
            for one in measured:
                self.log.metrics(sound, timestamp, step, one, name, digest)
            return
        self.write(metrics=[
            Metric(key, value, timestamp, step, one, name, digest) for one in measured for key, value in sound.items()
        ])

    def log_params(self, values: Mapping[str, Any], *, directly: bool = False) -> None:
        """Log parameters, all or, when the run has one with another value, none. Raises ParameterChanged then."""
        texts = checks.params(values)
        with self.lock:
            known = self.params
            for key, text in texts.items():
                if known.get(key, text) != text:
                    raise ParameterChanged(
                        f"Changing param values is not allowed: {key!r} of the run {self.run_id} was logged as "
                        f"{known[key]!r}, now {text!r}",
                        hint="log it under another key or in a run of its own; as a tag it may change: set_tag(…)",
                    )
            new = {key: text for key, text in texts.items() if key not in known}
            known.update(new)
        if not new:
            return
        try:
            if directly:
                self.write(params=[Param(key, text) for key, text in new.items()])
            else:
                self.log.params(new)
        except Exception:
            with self.lock:
                for key in new:
                    known.pop(key, None)
            raise

    def set_tags(self, values: Mapping[str, Any], *, directly: bool = False) -> None:
        """Set tags."""
        texts = checks.tags(values)
        if not directly:
            self.log.tags(texts)
            return
        self.write(tags=[RunTag(key, text) for key, text in texts.items()])

    def write(
        self, metrics: Sequence[Metric] = (), params: Sequence[Param] = (), tags: Sequence[RunTag] = ()
    ) -> None:
        """Send what is checked to the store now, behind everything that was logged before."""
        self.flush()
        for batch in in_batches(self.run_id, metrics, params, tags):
            self.store.execute(batch)

    def log_outputs(self, models: Sequence[LoggedModelOutput]) -> None:
        """Enter models that the run has made, each at a step: the last metrics of that step were measured on them,
        where nothing else is said."""
        self.store.execute(LogOutputs(self.run_id, list(models)))
        self.flush()
        last = self.store.execute(GetRun(self.run_id)).run.data.metric_list
        with self.lock:
            for made in models:
                self._inputs.add((made.model_id,))
                known = self.made_at.setdefault(made.step, [])
                if made.model_id not in known:
                    known.append(made.model_id)
        self.write(metrics=[
            Metric(point.key, point.value, point.timestamp, point.step, made.model_id)
            for made in models for point in last if point.step == made.step and point.model_id is None
        ])

    def end(self, status: str, end_time: int) -> None:
        """Note the end of the run, behind everything that was logged before."""
        if self.buffered:
            self.log.update(status, end_time, None)
            return
        self.flush()
        self.store.execute(UpdateRun(self.run_id, status=status, end_time=end_time))

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until the store has answered for all that was logged; False when ``timeout`` seconds were not enough."""
        self.send_inputs()
        return self.log.flush(settings.EXIT_FLUSH_SECONDS.get() if timeout is None else timeout)

    def close(self, timeout: float | None = None) -> bool:
        """Flush, stop beating and let go of the outbox's file; False when something is left in it, to be sent later."""
        self.send_inputs()
        return self.log.close(settings.EXIT_FLUSH_SECONDS.get() if timeout is None else timeout)

    def _note_inputs(self, model_id: str | None, dataset: Dataset | DatasetEntity | None) -> None:
        """Enter the model and the dataset that a metric was measured on as inputs of the run, once.

        Raises what the store says against them; when it does not answer, they are sent later.
        """
        models, datasets = [], []
        keys: list[tuple[str, ...]] = []
        if model_id is not None:
            keys.append((model_id,))
            models.append(LoggedModelInput(model_id))
        if dataset is not None:
            keys.append((dataset.name, dataset.digest))
            datasets.append(DatasetInput(entity_of(dataset)))
        if self._inputs.issuperset(keys):
            return
        operation = LogInputs(self.run_id, datasets=datasets, models=models)
        try:
            if model_id is not None:  # the store takes inputs for what they are called, and would refuse the metric
                self.store.execute(GetLoggedModel(model_id))
            self.store.execute(operation)
        except StoreUnavailable as error:
            logger.warning("inputs of the run %s are sent later: %s", self.run_id, error)
            with self.lock:
                self._unsent_inputs.append(operation)
        self._inputs.update(keys)

    def send_inputs(self) -> None:
        """Send the inputs that the store could not take when they were noted."""
        if not self._unsent_inputs:
            return
        with self.lock:
            unsent, self._unsent_inputs = self._unsent_inputs, []
        for operation in unsent:
            try:
                self.store.execute(operation)
            except StoreUnavailable:
                with self.lock:
                    self._unsent_inputs.append(operation)
            except MillstreamError as error:
                logger.warning("inputs of the run %s are refused: %s", self.run_id, error)


def entity_of(dataset: Dataset | DatasetEntity) -> DatasetEntity:
    """The stored facts of a dataset, whichever of the two it is. Raises InvalidValue for anything else."""
    from millstream.entities import Dataset as Entity

    if isinstance(dataset, Entity):
        return dataset
    if hasattr(dataset, "to_entity"):
        return dataset.to_entity()
    raise InvalidValue(
        f"a dataset is expected, not {type(dataset).__name__}", hint="make one with millstream.data.from_pandas(…)"
    )


class _Known:
    """The recorders of this process."""

    def __init__(self) -> None:
        self.active: dict[tuple[str, str], Recorder] = {}
        self.by_id: OrderedDict[tuple[str, str], Recorder] = OrderedDict()
        self.renew_locks()

    def renew_locks(self) -> None:
        """In a child process, where nobody will open those that were held at the fork."""
        self.lock = threading.RLock()
        for recorder in [*self.active.values(), *self.by_id.values()]:
            recorder.lock = threading.Lock()


_known = _Known()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_known.renew_locks)


def begin(uri: str, run: Run) -> Recorder:
    """The recorder of a run that becomes active now."""
    key = (uri, run.info.run_id)
    with _known.lock:
        found = _known.active.get(key) or _known.by_id.pop(key, None)
        if found is None:
            found = Recorder(uri, run)
        found.params.update(run.data.params)
        _known.active[key] = found
        return found


def finish(recorder: Recorder) -> None:
    """The run is no longer active here."""
    with _known.lock:
        _known.active.pop((recorder.uri, recorder.run_id), None)


def of(uri: str, run_id: str) -> Recorder:
    """The recorder of any run by its id, active or not; one that this process meets first is read from the store.

    Raises RunNotFound, and InvalidValue for a deleted run.
    """
    key = (uri, run_id)
    found = _known.active.get(key)
    if found is not None:
        return found
    with _known.lock:
        found = _known.by_id.get(key)
        if found is not None:
            _known.by_id.move_to_end(key)
            return found
    check_run_id(run_id)
    run = store(uri).execute(GetRun(run_id)).run
    if run.info.lifecycle_stage != LifecycleStage.ACTIVE:
        raise InvalidValue(
            f"The run {run_id} must be in the 'active' state. Current state is deleted.",
            hint=f"restore it: restore_run({run_id!r})",
        )
    with _known.lock:
        found = _known.active.get(key) or _known.by_id.setdefault(key, Recorder(uri, run))
        if len(_known.by_id) > _BY_ID:
            _known.by_id.popitem(last=False)
    return found


def forget(uri: str, run_id: str) -> None:
    """Read a run from the store again when it is logged to next: it was deleted, restored or changed elsewhere."""
    with _known.lock:
        _known.by_id.pop((uri, run_id), None)


def remember_params(uri: str, run_id: str, params: Mapping[str, str]) -> None:
    """Parameters that the store has taken from someone else in this process."""
    found = _known.active.get((uri, run_id)) or _known.by_id.get((uri, run_id))
    if found is not None:
        found.params.update(params)


def flush(uri: str | None = None, run_id: str | None = None, timeout: float | None = None) -> bool:
    """Wait for what this process has logged: to a run, to any run of a store, or at all; cheap when nothing waits.

    False when ``timeout`` seconds (EXIT_FLUSH_SECONDS unless given) were not enough.
    """
    outbox = sys.modules.get("millstream.tracking.outbox")
    if outbox is None:  # nothing was logged yet
        return True
    if uri is not None and run_id is not None:
        found = _known.active.get((uri, run_id)) or _known.by_id.get((uri, run_id))
        if found is not None:
            return found.flush(timeout)
    for recorder in [*_known.active.values(), *_known.by_id.values()]:
        if uri is None or recorder.uri == uri:
            recorder.send_inputs()
    seconds = settings.EXIT_FLUSH_SECONDS.get() if timeout is None else timeout
    return bool(outbox.flush_all(None if uri is None else store(uri).uri, seconds))
