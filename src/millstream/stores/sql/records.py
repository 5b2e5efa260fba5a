"""Rows become entities: the one place that reads whole runs."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Row, Table, select

from millstream.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    Param,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
    RunStatus,
    RunTag,
)
from millstream.stores.sql.driver import fetch
from millstream.stores.sql.schema import (
    dataset_input_tags,
    dataset_inputs,
    datasets,
    metrics,
    model_links,
    params,
    run_tags,
    runs,
)
from millstream.stores.sql.transaction import Transaction

_CHUNK = 500


def run_info(row: Row[Any]) -> RunInfo:
    """The facts of a run from its row in ``runs``."""
    return RunInfo(
        run_id=row.run_id,
        experiment_id=str(row.experiment_id),
        user_id=row.user_id or "",
        status=RunStatus.to_string(row.status),
        start_time=row.start_time,
        end_time=row.end_time,
        lifecycle_stage="active" if row.deleted_time is None else "deleted",
        artifact_uri=row.artifact_uri,
        run_name=row.run_name,
    )


def load_runs(
    transaction: Transaction,
    rows: Sequence[Row[Any]],
    *,
    metric_keys: Sequence[str] | None = None,
    param_keys: Sequence[str] | None = None,
    tag_keys: Sequence[str] | None = None,
) -> list[Run]:
    """The runs of these rows of ``runs``, in their order.

    The keys limit what is read: None means everything, an empty list nothing.
    """
    numbers = [row.id for row in rows]
    of_metrics = _metrics(transaction, numbers, metric_keys)
    of_params = _texts(transaction, params, Param, numbers, param_keys)
    of_tags = _texts(transaction, run_tags, RunTag, numbers, tag_keys)
    inputs, outputs = _links(transaction, numbers)
    nothing: list[Any] = []
    no_inputs, no_outputs = RunInputs(), RunOutputs()
    return [
        Run(
            run_info(row),
            RunData(of_metrics.get(row.id, nothing), of_params.get(row.id, nothing), of_tags.get(row.id, nothing)),
            inputs.get(row.id, no_inputs),
            outputs.get(row.id, no_outputs),
        )
        for row in rows
    ]


def _chunks(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), _CHUNK):
        yield numbers[start : start + _CHUNK]


def _wanted(transaction: Transaction, keys: Sequence[str] | None) -> list[int] | None:
    return None if keys is None else list(transaction.keys.find(transaction.connection, keys).values())


def _rows(
    transaction: Transaction,
    columns: str,
    table: Table,
    numbers: Sequence[int],
    wanted: Sequence[int] | None,
    more: str = "",
) -> Sequence[Any]:
    """Rows of these runs (and keys) as the driver makes them, past the compiler: a page of a search reads tens of
    thousands. The numbers are our own, so they may stand in the text."""
    keys = "" if wanted is None else f" AND key IN ({', '.join(map(str, wanted))})"
    runs_ = ", ".join(map(str, numbers))
    return fetch(transaction.connection, f"SELECT {columns} FROM {table.name} WHERE run IN ({runs_}){keys}{more}")


def _metrics(transaction: Transaction, numbers: Sequence[int], keys: Sequence[str] | None) -> dict[int, list[Metric]]:
    found: dict[int, list[Metric]] = defaultdict(list)
    wanted = _wanted(transaction, keys)
    if wanted == []:
        return found
    for chunk in _chunks(numbers):
        rows = _rows(transaction, "run, key, value, timestamp, step", metrics, chunk, wanted)
        # Few points name a model or a dataset: reading the columns of all for them costs more than asking once more.
        measured = {
            (run, key): measured_on
            for run, key, *measured_on in _rows(
                transaction,
                "run, key, model_id, dataset_name, dataset_digest",
                metrics,
                chunk,
                wanted,
                " AND (model_id IS NOT NULL OR dataset_name IS NOT NULL)",
            )
        }
        names = transaction.keys.names(transaction.connection, {row[1] for row in rows})
        for run, key, value, timestamp, step in rows:
            value = math.nan if value is None else value
            if measured and (run, key) in measured:
                found[run].append(Metric(names[key], value, timestamp, step, *measured[run, key]))
            else:
                found[run].append(Metric(names[key], value, timestamp, step))
    return found


def _texts(
    transaction: Transaction, table: Table, kind: type[Any], numbers: Sequence[int], keys: Sequence[str] | None
) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = defaultdict(list)
    wanted = _wanted(transaction, keys)
    if wanted == []:
        return found
    for chunk in _chunks(numbers):
        rows = _rows(transaction, "run, key, value", table, chunk, wanted)
        names = transaction.keys.names(transaction.connection, {row[1] for row in rows})
        for run, key, value in rows:
            found[run].append(kind(names[key], value))
    return found


def _links(transaction: Transaction, numbers: Sequence[int]) -> tuple[dict[int, RunInputs], dict[int, RunOutputs]]:
    used: dict[int, list[DatasetInput]] = defaultdict(list)
    read: dict[int, list[LoggedModelInput]] = defaultdict(list)
    made: dict[int, list[LoggedModelOutput]] = defaultdict(list)
    for chunk in _chunks(numbers):
        for run, dataset_input in _dataset_inputs(transaction, chunk):
            used[run].append(dataset_input)
        links = (
            select(model_links)
            .where(model_links.c.run.in_(chunk))
            .order_by(model_links.c.run, model_links.c.step, model_links.c.model_id)
        )
        for link in transaction.connection.execute(links):
            if link.direction == "input":
                read[link.run].append(LoggedModelInput(link.model_id))
            else:
                made[link.run].append(LoggedModelOutput(link.model_id, link.step))
    inputs = {run: RunInputs(used.get(run, []), read.get(run, [])) for run in used.keys() | read.keys()}
    return inputs, {run: RunOutputs(models) for run, models in made.items()}


def _dataset_inputs(transaction: Transaction, numbers: Iterable[int]) -> Iterator[tuple[int, DatasetInput]]:
    query = (
        select(dataset_inputs.c.id, dataset_inputs.c.run, datasets)
        .join(datasets, datasets.c.id == dataset_inputs.c.dataset)
        .where(dataset_inputs.c.run.in_(numbers))
        .order_by(dataset_inputs.c.id)
    )
    rows = transaction.connection.execute(query).all()
    if not rows:
        return
    tags: dict[int, list[InputTag]] = defaultdict(list)
    found = select(dataset_input_tags).where(dataset_input_tags.c.input.in_([row[0] for row in rows]))
    for row in transaction.connection.execute(found.order_by(dataset_input_tags.c.key)):
        tags[row.input].append(InputTag(row.key, row.value))
    for row in rows:
        dataset = Dataset(row.name, row.digest, row.source_type, row.source, row.schema, row.profile)
        yield row[1], DatasetInput(dataset, tags.get(row[0], []))


def find_rows(transaction: Transaction, run_ids: Sequence[str]) -> list[Row[Any]]:
    """The rows of these runs, in the order of the ids; unknown ones are left out."""
    found: dict[str, Row[Any]] = {}
    for start in range(0, len(run_ids), _CHUNK):
        query = select(runs).where(runs.c.run_id.in_(run_ids[start : start + _CHUNK]))
        found.update({row.run_id: row for row in transaction.connection.execute(query)})
    return [found[run_id] for run_id in run_ids if run_id in found]
