"""Finished runs below the run of a training: the candidates of a search."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from millstream.entities import DatasetInput, InputTag, Metric, Param, RunTag
from millstream.errors import InvalidValue
from millstream.operations import CreateRun, LogInputs, UpdateRun
from millstream.tracking import checks, context
from millstream.tracking.batches import in_batches
from millstream.tracking.recorder import entity_of
from millstream.tracking.tags import MLFLOW_AUTOLOGGING, MLFLOW_DATASET_CONTEXT, MLFLOW_PARENT_RUN_ID, MLFLOW_USER

if TYPE_CHECKING:
    from millstream.autolog.training import Training
    from millstream.data import Dataset

# Each is a few requests that wait for the store, which takes those of several at once.
_AT_ONCE = 8


@dataclass(frozen=True)
class Child:
    """What a child run holds. ``start_time`` is in milliseconds since the epoch, now unless given."""

    params: Mapping[str, Any]
    metrics: Mapping[str, Any]
    tags: Mapping[str, Any] = field(default_factory=dict)
    run_name: str | None = None
    start_time: int | None = None


def log(training: Training, children: Sequence[Child], dataset: Dataset | None) -> None:
    """Create children of the training's run with all they hold, and end them. Raises what the store raises.

    They go to the store at once, not through the outbox: a child is a few requests, and done with.
    """
    common = {
        **context.collect_tags(), **(training.settings.extra_tags or {}),
        MLFLOW_AUTOLOGGING: training.library.name, MLFLOW_PARENT_RUN_ID: training.run_id,
    }
    used = []
    if dataset is not None:
        used = [DatasetInput(entity_of(dataset), [InputTag(MLFLOW_DATASET_CONTEXT, "train")])]
    if len(children) == 1:
        _log(training, children[0], common, used)
        return
    with ThreadPoolExecutor(_AT_ONCE, "millstream-children") as pool:
        made = [
            pool.submit(contextvars.copy_context().run, _log, training, child, common, used) for child in children
        ]
        for one in made:
            one.result()


def _log(training: Training, child: Child, common: Mapping[str, Any], used: list[DatasetInput]) -> None:
    store = training.recorder.store
    now = time.time_ns() // 1_000_000
    texts = checks.tags({**common, **child.tags})
    run_id = store.execute(CreateRun(
        training.experiment_id, texts.get(MLFLOW_USER), child.run_name, min(child.start_time or now, now),
        [RunTag(key, text) for key, text in texts.items()],
    )).run.info.run_id
    points = []
    for key, value in child.metrics.items():
        try:
            points.append(Metric(checks.metric_key(key), checks.number(value, key), now, 0))
        except InvalidValue:
            continue  # a score that is no number is in the table of results
    params = [Param(key, text) for key, text in checks.params(child.params).items()]
    for batch in in_batches(run_id, points, params):
        store.execute(batch)
    if used:
        store.execute(LogInputs(run_id, used, []))
    store.execute(UpdateRun(run_id, status="FINISHED", end_time=now))
