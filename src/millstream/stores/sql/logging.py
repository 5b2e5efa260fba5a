"""What runs log: metrics, parameters and tags, of any number of operations in one go.

The writer hands over every logging operation of a group at once. Each is checked by itself and answered by itself;
those that are sound are written together, so that a thousand clients cost a handful of statements.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from millstream.entities import Metric, Param, RunTag
from millstream.errors import InvalidValue, MillstreamError, ParameterChanged
from millstream.operations import LogBatch, LogMetric, LogParam, SetTag
from millstream.operations.limits import (
    PARAM_LENGTH,
    RUN_NAME_LENGTH,
    TAG_LENGTH,
    check_batch,
    check_key,
    check_text,
    check_timestamp,
)
from millstream.stores.sql.driver import fetch, many, marks
from millstream.stores.sql.points import Point, write_points
from millstream.stores.sql.schema import params
from millstream.stores.sql.transaction import Transaction, deleted_run, executes, no_run

LoggingOperation = LogMetric | LogParam | SetTag | LogBatch
LOGGING: tuple[type[Any], ...] = (LogMetric, LogParam, SetTag, LogBatch)

_CHUNK = 500
_INSERT_PARAM = "INSERT INTO params (run, key, experiment_id, value) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
UPSERT_TAG = (
    "INSERT INTO run_tags (run, key, experiment_id, value) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (run, key) DO UPDATE SET value = excluded.value"
)
_RENAME = "UPDATE runs SET run_name = ? WHERE id = ?"
RUN_NAME_TAG = "mlflow.runName"


@dataclass
class _Entry:
    """One operation, taken apart and checked."""

    run_id: str
    metrics: Sequence[Metric | LogMetric] = ()
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


def _taken_apart(operation: LoggingOperation) -> _Entry:
    if isinstance(operation, LogMetric):
        check_key(operation.key)
        check_timestamp(operation.timestamp)
        return _Entry(operation.run_id, metrics=(operation,))
    if isinstance(operation, LogParam):
        return _Entry(operation.run_id, params=_params([Param(operation.key, operation.value)], ""))
    if isinstance(operation, SetTag):
        return _Entry(operation.run_id, tags=checked_tags([RunTag(operation.key, operation.value)], ""))
    check_batch(operation.metrics, operation.params, operation.tags)
    for index, metric in enumerate(operation.metrics):
        check_key(metric.key, f"metrics[{index}].key")
        check_timestamp(metric.timestamp, f"metrics[{index}].timestamp")
    return _Entry(
        operation.run_id, operation.metrics, _params(operation.params, "params"), checked_tags(operation.tags, "tags")
    )


def _field(where: str, index: int, name: str) -> str:
    return f"{where}[{index}].{name}" if where else name


def _params(items: Sequence[Param], where: str) -> dict[str, str]:
    made: dict[str, str] = {}
    for index, item in enumerate(items):
        key = check_key(item.key, _field(where, index, "key"))
        value = check_text(item.value, PARAM_LENGTH, _field(where, index, "value"), cut=True)
        if key in made:
            raise InvalidValue(
                f"Duplicate parameter keys have been submitted: {key!r} stands twice in one request.",
                hint="send each parameter once a request",
            )
        made[key] = value
    return made


def checked_tags(items: Sequence[RunTag], where: str) -> dict[str, str]:
    """The tags as they are to be stored; of a key that stands twice the last counts."""
    made: dict[str, str] = {}
    for index, item in enumerate(items):
        key = check_key(item.key, _field(where, index, "key"))
        made[key] = check_text(item.value, TAG_LENGTH, _field(where, index, "value"), cut=True)
        if key == RUN_NAME_TAG:
            check_text(item.value, RUN_NAME_LENGTH, _field(where, index, "value"))
    return made


def log(transaction: Transaction, operations: Sequence[LoggingOperation]) -> list[MillstreamError | None]:
    """Carry out logging operations in their order; what became of each: None, or the error that it is answered with."""
    outcomes: list[MillstreamError | None] = [None] * len(operations)
    entries: dict[int, _Entry] = {}
    for index, operation in enumerate(operations):
        try:
            entries[index] = _taken_apart(operation)
        except MillstreamError as error:
            outcomes[index] = error
    found = _find_runs(
        transaction, {entry.run_id for entry in entries.values()}, lock=any(entry.params for entry in entries.values())
    )
    for index, entry in list(entries.items()):
        row = found.get(entry.run_id)
        if row is None or row[2] is not None:
            outcomes[index] = no_run(entry.run_id) if row is None else deleted_run(entry.run_id)
            del entries[index]
    number = transaction.enter_keys(_names(entries.values()))
    new_params = _new_params(transaction, entries, found, number, outcomes)
    sound = [entry for index, entry in entries.items() if outcomes[index] is None]
    _write(transaction, sound, found, number, new_params)
    return outcomes


@executes(LogMetric)
@executes(LogParam)
@executes(SetTag)
@executes(LogBatch)
def log_one(transaction: Transaction, operation: LoggingOperation) -> None:
    """Carry out one logging operation; raises the error that it is answered with."""
    for error in log(transaction, [operation]):
        if error is not None:
            raise error


def _names(entries: Any) -> set[str]:
    names: set[str] = set()
    for entry in entries:
        names.update(metric.key for metric in entry.metrics)
        names.update(entry.params)
        names.update(entry.tags)
    return names


def _find_runs(transaction: Transaction, run_ids: set[str], *, lock: bool) -> dict[str, tuple[int, int, int | None]]:
    """Run id → number, experiment, time of deletion. With ``lock``, nobody else logs to them until the commit:
    PostgreSQL would otherwise let two clients log one parameter with two values at the same moment."""
    wanted = sorted(run_ids)
    found: dict[str, tuple[int, int, int | None]] = {}
    connection = transaction.connection
    locked = " ORDER BY id FOR NO KEY UPDATE" if lock and connection.dialect.name != "sqlite" else ""
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        query = (
            f"SELECT run_id, id, experiment_id, deleted_time FROM runs WHERE run_id IN ({marks(len(chunk))}){locked}"
        )
        found.update({row[0]: row[1:] for row in fetch(connection, query, chunk)})
    return found


def _new_params(
    transaction: Transaction,
    entries: dict[int, _Entry],
    found: dict[str, tuple[int, int, int | None]],
    number: dict[str, int],
    outcomes: list[MillstreamError | None],
) -> dict[tuple[int, int], tuple[int, str]]:
    """The parameters to insert, (run, key) → (experiment, value); operations that change one are refused."""
    wanted = {index: entry for index, entry in entries.items() if entry.params}
    if not wanted:
        return {}
    pairs = {(found[entry.run_id][0], number[key]) for entry in wanted.values() for key in entry.params}
    known = _known_params(transaction, pairs)
    new: dict[tuple[int, int], tuple[int, str]] = {}
    for index, entry in wanted.items():
        run, experiment_id, _ = found[entry.run_id]
        changed = [
            (key, known[run, number[key]], value)
            for key, value in entry.params.items()
            if known.get((run, number[key]), value) != value
        ]
        if changed:
            key, before, after = changed[0]
            outcomes[index] = ParameterChanged(
                f"Changing param values is not allowed. {key!r} was logged with {before!r} for run {entry.run_id}, "
                f"the new value is {after!r}.",
                hint="log it under another key, set a tag instead, or start a new run",
            )
            continue
        for key, value in entry.params.items():
            if (run, number[key]) not in known:
                known[run, number[key]] = value
                new[run, number[key]] = (experiment_id, value)
    return new


def _known_params(transaction: Transaction, pairs: set[tuple[int, int]]) -> dict[tuple[int, int], str]:
    known: dict[tuple[int, int], str] = {}
    run_numbers, keys = sorted({run for run, _ in pairs}), sorted({key for _, key in pairs})
    for start in range(0, len(run_numbers), _CHUNK):
        for first in range(0, len(keys), _CHUNK):
            query = select(params.c.run, params.c.key, params.c.value).where(
                params.c.run.in_(run_numbers[start : start + _CHUNK]), params.c.key.in_(keys[first : first + _CHUNK])
            )
            known.update({(run, key): value for run, key, value in transaction.connection.execute(query)})
    return known


def _write(
    transaction: Transaction,
    entries: Sequence[_Entry],
    found: dict[str, tuple[int, int, int | None]],
    number: dict[str, int],
    new_params: dict[tuple[int, int], tuple[int, str]],
) -> None:
    points: list[Point] = []
    tags: dict[tuple[int, int], tuple[int, str]] = {}
    named: dict[int, str] = {}
    for entry in entries:
        run, experiment_id, _ = found[entry.run_id]
        for metric in entry.metrics:
            points.append(
                Point(
                    run,
                    number[metric.key],
                    experiment_id,
                    metric.step,
                    metric.timestamp,
                    float(metric.value),
                    metric.model_id,
                    metric.dataset_name,
                    metric.dataset_digest,
                )
            )
        for key, value in entry.tags.items():
            tags[run, number[key]] = (experiment_id, value)
            if key == RUN_NAME_TAG:
                named[run] = value
    connection = transaction.connection
    many(connection, _INSERT_PARAM, [(run, key, *new_params[run, key]) for run, key in sorted(new_params)])
    many(connection, UPSERT_TAG, [(run, key, *tags[run, key]) for run, key in sorted(tags)])
    many(connection, _RENAME, [(name, run) for run, name in sorted(named.items())])
    if points:
        write_points(connection, points)
        _measured_models(transaction, entries)


_UPSERT_MEASURED = (
    "INSERT INTO logged_model_metrics (model, key, dataset_name, dataset_digest, run_id, value, step, timestamp)"
    " SELECT id, ?, ?, ?, ?, ?, ?, ? FROM logged_models WHERE model_id = ?"
    " ON CONFLICT (model, key, dataset_name, dataset_digest, run_id) DO UPDATE SET"
    " value = excluded.value, step = excluded.step, timestamp = excluded.timestamp"
    " WHERE (excluded.step, excluded.timestamp) >= (logged_model_metrics.step, logged_model_metrics.timestamp)"
)


def _measured_models(transaction: Transaction, entries: Sequence[_Entry]) -> None:
    """Metrics that name a logged model stand on the model too."""
    rows: list[tuple[Any, ...]] = [
        (
            metric.key,
            metric.dataset_name or "",
            metric.dataset_digest or "",
            entry.run_id,
            None if math.isnan(metric.value) else float(metric.value),
            metric.step,
            metric.timestamp,
            metric.model_id,
        )
        for entry in entries
        for metric in entry.metrics
        if metric.model_id
    ]
    if not rows:
        return
    if transaction.connection.dialect.name == "sqlite":
        # Without it SQLite's parser takes ON CONFLICT for the ON of a join.
        statement = _UPSERT_MEASURED.replace("WHERE model_id = ?", "WHERE true AND model_id = ?")
    else:
        casts = "?::text, ?::text, ?::text, ?::text, ?::double precision, ?::bigint, ?::bigint"
        statement = _UPSERT_MEASURED.replace("?, ?, ?, ?, ?, ?, ?", casts, 1)
    many(transaction.connection, statement, sorted(rows, key=lambda row: (row[7], row[:4], row[5:7])))
