"""The request log, outcomes and figures, in SQL."""

from __future__ import annotations

import json
from collections import defaultdict
from operator import eq, ge, gt, le, lt
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, select

from millstream.entities.latency import quantiles
from millstream.entities.monitoring import MonitorSettings, RequestRecord, ServiceFigures
from millstream.errors import InvalidValue
from millstream.operations import (
    GetServiceFigures,
    OutcomesRecorded,
    PruneRequests,
    RecordOutcomes,
    RecordRequests,
    Removed,
    RequestPage,
    SearchRequests,
    ServiceFiguresAnswer,
)
from millstream.operations.limits import check_page, check_text, check_timestamp
from millstream.search.sql import Clause
from millstream.stores.sql.driver import many
from millstream.stores.sql.monitoring.checks import (
    BATCH,
    BODY_BYTES,
    check_batch,
    check_bucket,
    check_finite,
    check_json,
    check_name,
)
from millstream.stores.sql.monitoring.reading import monitor_of, settings_of
from millstream.stores.sql.monitoring.tables import (
    monitor_alerts,
    monitor_figures,
    monitor_requests,
    monitor_windows,
)
from millstream.stores.sql.ordering import VALUE, Key, fingerprint, read_token, write_token
from millstream.stores.sql.transaction import Transaction, executes, now_ms

_DAY, _MINUTE = 86_400_000, 60_000
_MOST_STEPS = 20_000
_COLUMNS = (
    "endpoint", "request_id", "time", "model", "version", "status_code", "seconds", "rows", "content_type", "request",
    "answer", "outcome", "outcome_time",
)
_INSERT = (
    f"INSERT INTO monitor_requests ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
    " ON CONFLICT (endpoint, request_id, time) DO NOTHING"
)
_COUNTS = ("requests", "errors", "refused", "rows", "seconds", "buckets")
_FIGURES = (
    f"INSERT INTO monitor_figures (endpoint, minute, model, version, host, {', '.join(_COUNTS)})"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (endpoint, minute, model, version, host) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COUNTS)
)


@executes(RecordRequests)
def record_requests(transaction: Transaction, operation: RecordRequests) -> None:
    check_batch(operation.requests, "requests")
    check_batch(operation.figures, "figures")
    rows: list[tuple[object, ...]] = []
    for one in operation.requests:
        check_name(one.endpoint, "endpoint")
        check_name(one.request_id, "request_id")
        check_timestamp(one.time, "time")
        for field in ("model", "version", "content_type"):
            check_text(getattr(one, field) or "", 256, field)
        for field in ("request", "answer"):
            check_text(getattr(one, field) or "", BODY_BYTES, field)
        check_finite(one.seconds, "seconds")
        if one.outcome is not None:
            check_json(one.outcome, "outcome")
        rows.append(tuple(getattr(one, name) for name in _COLUMNS))
    many(transaction.connection, _INSERT, rows)
    figures: list[tuple[object, ...]] = []
    for minute in operation.figures:
        check_name(minute.endpoint, "endpoint")
        check_name(minute.host, "host")
        check_finite(minute.seconds, "seconds")
        buckets = json.dumps({str(check_bucket(bucket.index)): bucket.count for bucket in minute.buckets})
        figures.append((minute.endpoint, check_timestamp(minute.minute, "minute") // _MINUTE * _MINUTE, minute.model,
                        minute.version, minute.host, minute.requests, minute.errors, minute.refused, minute.rows,
                        minute.seconds, buckets))
    # In one order, so that hosts that report at once wait for each other and never in a circle.
    many(transaction.connection, _FIGURES, sorted(figures, key=lambda figure: figure[:5]))


@executes(SearchRequests)
def search_requests(transaction: Transaction, operation: SearchRequests) -> RequestPage:
    limit = check_page(operation.max_results, BATCH)
    table = monitor_requests
    bodies = () if operation.with_bodies else (table.c.request, table.c.answer)
    query = select(*(column for column in table.c if column not in set(bodies))).where(*_conditions(operation))
    upward = operation.after is not None
    of = fingerprint("monitor_requests", operation.name, upward)
    after = read_token(operation.page_token, of, [Key(Clause("id"), upward)])
    if after is not None:
        query = query.where(table.c.id > after[0][1] if upward else table.c.id < after[0][1])
    query = query.order_by(table.c.id if upward else table.c.id.desc())
    rows = transaction.connection.execute(query.limit(limit + 1)).all()
    token = write_token(of, ((VALUE, rows[limit - 1].id),)) if len(rows) > limit else None
    return RequestPage([_record(row) for row in rows[:limit]], token)


def _conditions(operation: SearchRequests) -> list[ColumnElement[bool]]:
    table = monitor_requests
    found: list[ColumnElement[bool]] = [table.c.endpoint == operation.name]
    for compare, column, value in (
        (eq, table.c.model, operation.model), (eq, table.c.version, operation.version),
        (eq, table.c.request_id, operation.request_id),
        (ge, table.c.time, operation.start_time), (lt, table.c.time, operation.end_time),
        (ge, table.c.status_code, operation.least_status), (le, table.c.status_code, operation.most_status),
        (ge, table.c.seconds, operation.least_seconds), (gt, table.c.id, operation.after),
    ):
        if value is not None:
            found.append(compare(column, value))
    if operation.with_outcome is not None:
        there = table.c.outcome.is_not(None)
        found.append(there if operation.with_outcome else ~there)
    return found


def _record(row: Row[Any]) -> RequestRecord:
    values = dict(row._mapping)
    return RequestRecord(sequence=values.pop("id"), **values)


@executes(RecordOutcomes)
def record_outcomes(transaction: Transaction, operation: RecordOutcomes) -> OutcomesRecorded:
    check_batch(operation.outcomes, "outcomes")
    given = {one.request_id: check_json(one.value, "value") for one in operation.outcomes}
    table, names = monitor_requests, list(given)
    known: set[str] = set()
    for start in range(0, len(names), 500):
        query = select(table.c.request_id).where(
            table.c.endpoint == operation.name, table.c.request_id.in_(names[start:start + 500])
        )
        known.update(transaction.connection.execute(query).scalars())
    now = now_ms()
    many(
        transaction.connection,
        "UPDATE monitor_requests SET outcome = ?, outcome_time = ? WHERE endpoint = ? AND request_id = ?",
        [(value, now, operation.name, name) for name, value in sorted(given.items()) if name in known],
    )
    return OutcomesRecorded(len(known), [name for name in names if name not in known])


@executes(PruneRequests)
def prune(transaction: Transaction, operation: PruneRequests) -> Removed:
    row = monitor_of(transaction, operation.name)
    settings = MonitorSettings() if row is None else settings_of(row)
    now, table = now_ms(), monitor_requests
    before = operation.before if operation.before is not None else now - int(settings.keep_days * _DAY)
    most = operation.most if operation.most is not None else settings.keep_requests
    here = table.c.endpoint == operation.name
    removed = transaction.connection.execute(delete(table).where(here, table.c.time < before)).rowcount
    oldest = select(table.c.id).where(here).order_by(table.c.id.desc()).offset(max(0, most)).limit(1)
    beyond = transaction.connection.execute(oldest).scalar()
    if beyond is not None:
        removed += transaction.connection.execute(delete(table).where(here, table.c.id <= beyond)).rowcount
    long_ago = now - int(settings.keep_figures_days * _DAY)
    figures = monitor_figures
    transaction.connection.execute(
        delete(figures).where(figures.c.endpoint == operation.name, figures.c.minute < long_ago)
    )
    if row is not None:
        windows, alerts = monitor_windows, monitor_alerts
        transaction.connection.execute(
            delete(windows).where(windows.c.monitor == row.id, windows.c.time < long_ago)
        )
        transaction.connection.execute(
            delete(alerts).where(alerts.c.monitor == row.id, alerts.c.cleared_time < long_ago)
        )
    return Removed(removed)


@executes(GetServiceFigures)
def service_figures(transaction: Transaction, operation: GetServiceFigures) -> ServiceFiguresAnswer:
    check_timestamp(operation.start_time, "start_time")
    check_timestamp(operation.end_time, "end_time")
    step = operation.step_minutes * _MINUTE
    if operation.step_minutes < 1:
        raise InvalidValue.of("step_minutes", operation.step_minutes, "it must be at least 1")
    span = operation.end_time - operation.start_time
    if span > step * _MOST_STEPS:
        raise InvalidValue.of("step_minutes", operation.step_minutes,
                              f"the time between start and end has more than {_MOST_STEPS} such steps",
                              hint=f"ask for steps of {-(-span // (_MOST_STEPS * _MINUTE))} minutes")
    table = monitor_figures
    query = select(table).where(
        table.c.endpoint == operation.name,
        table.c.minute >= operation.start_time // _MINUTE * _MINUTE, table.c.minute < operation.end_time,
    )
    if operation.model is not None:
        query = query.where(table.c.model == operation.model)
    if operation.version is not None:
        query = query.where(table.c.version == operation.version)
    sums: dict[tuple[int, str, str], list[float]] = defaultdict(lambda: [0, 0, 0, 0, 0.0])
    buckets: dict[tuple[int, str, str], dict[int, int]] = defaultdict(dict)
    for row in transaction.connection.execute(query):
        key = (row.minute // step * step, row.model, row.version)
        added = (row.requests, row.errors, row.refused, row.rows, row.seconds)
        sums[key] = [one + more for one, more in zip(sums[key], added, strict=True)]
        mine = buckets[key]
        for index, count in json.loads(row.buckets).items():
            mine[int(index)] = mine.get(int(index), 0) + count
    found = []
    for key in sorted(sums):
        requests, errors, refused, rows, seconds = sums[key]
        p50, p95, p99 = quantiles(buckets[key], (0.5, 0.95, 0.99))
        time, model, version = key
        found.append(ServiceFigures(operation.name, time, step, model, version, int(requests), int(errors),
                                    int(refused), int(rows), seconds, p50, p95, p99))
    return ServiceFiguresAnswer(found)


def forget(transaction: Transaction, endpoint: str) -> None:
    """Remove every request to an endpoint from the log."""
    transaction.connection.execute(delete(monitor_requests).where(monitor_requests.c.endpoint == endpoint))


