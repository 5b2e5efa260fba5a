"""Finished runs below the run of a training: the candidates of a search."""

from __future__ import annotations

import time
from collections.abc import Mapping
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


def log(
    training: Training, params: Mapping[str, Any], metrics: Mapping[str, Any], tags: Mapping[str, Any],
    dataset: Dataset | None, run_name: str | None, start_time: int | None,
) -> None:
    """Create a child run of the training's run with all it holds, and end it. Raises what the store raises.

    It goes to the store at once, not through the outbox: a child is a few requests, and done with.
    """
    store = training.recorder.store
    now = time.time_ns() // 1_000_000
    texts = checks.tags({
        **context.collect_tags(), **(training.settings.extra_tags or {}), **tags,
        MLFLOW_AUTOLOGGING: training.library.name, MLFLOW_PARENT_RUN_ID: training.run_id,
    })
    run = store.execute(CreateRun(
        training.experiment_id, texts.get(MLFLOW_USER), run_name, min(start_time or now, now),
        [RunTag(key, text) for key, text in texts.items()],
    )).run
    run_id = run.info.run_id
    points = []
    for key, value in metrics.items():
        try:
            points.append(Metric(checks.metric_key(key), checks.number(value, key), now, 0))
        except InvalidValue:
            continue  # a score that is no number is in the table of results
    texts_of_params = checks.params(params)
    for batch in in_batches(run_id, points, [Param(key, text) for key, text in texts_of_params.items()]):
        store.execute(batch)
    if dataset is not None:
        used = DatasetInput(entity_of(dataset), [InputTag(MLFLOW_DATASET_CONTEXT, "train")])
        store.execute(LogInputs(run_id, [used], []))
    store.execute(UpdateRun(run_id, status="FINISHED", end_time=now))
