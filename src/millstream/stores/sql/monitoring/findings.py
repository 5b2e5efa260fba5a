"""What monitors find, and the alerts that follow, in SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from operator import eq, ge, lt
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from millstream.entities.monitoring import (
    Alert,
    AlertAction,
    AlertChange,
    Finding,
    MonitorWindow,
    WindowFindings,
)
from millstream.errors import RegisteredModelNotFound
from millstream.operations import (
    AlertPage,
    DeleteRegisteredModelTag,
    FindingsPage,
    FindingsRecorded,
    ListAlerts,
    ListFindings,
    RecordFindings,
    SetRegisteredModelTag,
)
from millstream.operations.limits import check_page, check_text, check_timestamp
from millstream.search.sql import Clause
from millstream.stores.sql.driver import many
from millstream.stores.sql.monitoring.checks import check_batch, check_finite
from millstream.stores.sql.monitoring.reading import alert, find_monitor, settings_of
from millstream.stores.sql.monitoring.tables import monitor_alerts, monitor_findings, monitor_windows, monitors
from millstream.stores.sql.ordering import VALUE, Key, fingerprint, read_token, write_token
from millstream.stores.sql.registry.models import delete_tag, set_tag
from millstream.stores.sql.transaction import Transaction, executes, now_ms
from millstream.stores.sql.webhooks.outbox import publish

_PAGE = 1_000
_ALERTS_PAGE = 10_000
_FINDINGS = 100_000
_REASON, _NAME = 1_000, 1_000
_ID = [Key(Clause("id"), False)]
_INSERT = (
    "INSERT INTO monitor_findings (window_id, place, statistic, column_name, value, limit_value, p_value, state)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


@executes(RecordFindings)
def record_findings(transaction: Transaction, operation: RecordFindings) -> FindingsRecorded:
    check_batch(operation.findings, "findings", _FINDINGS)
    monitor = find_monitor(transaction, operation.name, change=True)
    settings = settings_of(monitor)
    made = _insert_window(transaction, monitor, operation.window)
    if made is None:
        return FindingsRecorded()
    told: list[Finding | AlertChange] = [*operation.findings, *operation.raised, *operation.cleared]
    for said in told:
        check_finite(said.value, "value")
        check_finite(said.limit, "limit")
        check_text(said.column, _NAME, "column")
        check_text(said.statistic, _NAME, "statistic")
    many(transaction.connection, _INSERT, [
        (made, place, one.statistic, one.column, one.value, one.limit, check_finite(one.p_value, "p_value"), one.state)
        for place, one in enumerate(operation.findings)
    ])
    raised = [
        found for change in operation.raised
        if (found := _raise(transaction, monitor, operation.window, change)) is not None
    ]
    cleared = [
        found for change in operation.cleared
        if (found := _clear(transaction, monitor, operation.window, change)) is not None
    ]
    for action in settings.actions:
        if action.kind == "webhook":
            _tell(transaction, raised, cleared)
        else:
            _tag(transaction, monitor, action, [*raised, *cleared])
    return FindingsRecorded(raised, cleared)


def _insert_window(transaction: Transaction, monitor: Row[Any], window: MonitorWindow) -> int | None:
    """The number of the window; None when it was there."""
    table = monitor_windows
    for field in ("start_time", "end_time"):
        check_timestamp(getattr(window, field), field)
    there = select(table.c.id).where(
        table.c.monitor == monitor.id, table.c.model == window.model, table.c.version == window.version,
        table.c.last_sequence == window.last_sequence,
    )
    if transaction.connection.execute(there).scalar() is not None:
        return None
    values = {name: getattr(window, name) for name in window.__struct_fields__}
    done = transaction.connection.execute(insert(table).values(monitor=monitor.id, time=now_ms(), **values))
    assert done.inserted_primary_key is not None
    return int(done.inserted_primary_key[0])


def _open(transaction: Transaction, monitor: Row[Any], window: MonitorWindow, change: AlertChange) -> Row[Any] | None:
    table = monitor_alerts
    return transaction.connection.execute(
        select(table).where(
            table.c.monitor == monitor.id, table.c.model == window.model, table.c.version == window.version,
            table.c.statistic == change.statistic, table.c.column_name == change.column,
            table.c.cleared_time.is_(None),
        )
    ).one_or_none()


def _raise(
    transaction: Transaction, monitor: Row[Any], window: MonitorWindow, change: AlertChange
) -> Alert | None:
    if _open(transaction, monitor, window, change) is not None:
        return None
    check_text(change.reason, _REASON, "reason")
    transaction.connection.execute(
        insert(monitor_alerts).values(
            monitor=monitor.id, model=window.model, version=window.version, statistic=change.statistic,
            column_name=change.column, value=change.value, limit_value=change.limit, reason=change.reason,
            raised_time=now_ms(),
        )
    )
    row = _open(transaction, monitor, window, change)
    assert row is not None
    return alert(row, monitor.endpoint)


def _clear(
    transaction: Transaction, monitor: Row[Any], window: MonitorWindow, change: AlertChange
) -> Alert | None:
    row = _open(transaction, monitor, window, change)
    if row is None:
        return None
    check_text(change.reason, _REASON, "reason")
    table = monitor_alerts
    here = table.c.id == row.id
    transaction.connection.execute(
        update(table).where(here).values(cleared_time=now_ms(), cleared_reason=change.reason)
    )
    return alert(transaction.connection.execute(select(table).where(here)).one(), monitor.endpoint)


def _tell(transaction: Transaction, raised: Sequence[Alert], cleared: Sequence[Alert]) -> None:
    """Publish alerts, in the order in which they happened, for the model that they are about."""
    for one in (*raised, *cleared):
        gone = one.cleared_time is not None
        facts = {
            "alert_id": one.alert_id, "endpoint": one.endpoint, "version": one.version, "column": one.column,
            "statistic": one.statistic, "value": one.value, "limit": one.limit,
            "reason": one.cleared_reason if gone else one.reason,
            "timestamp": one.cleared_time if gone else one.raised_time,
        }
        kind = "monitor.alert_cleared" if gone else "monitor.alert_raised"
        publish(transaction, kind=kind, model=one.model or None, facts=facts)


def _tag(transaction: Transaction, monitor: Row[Any], action: AlertAction, changed: Sequence[Alert]) -> None:
    """Set the tag of each model that has open alerts now, remove it from one that has none left."""
    table = monitor_alerts
    for model in dict.fromkeys(one.model for one in changed if one.model):
        count = select(func.count()).where(
            table.c.monitor == monitor.id, table.c.model == model, table.c.cleared_time.is_(None)
        )
        try:
            if transaction.connection.execute(count).scalar():
                set_tag(transaction, SetRegisteredModelTag(model, action.key, action.value or "open"))
            else:
                delete_tag(transaction, DeleteRegisteredModelTag(model, action.key))
        except RegisteredModelNotFound:  # a model that is served and no longer registered
            continue


@executes(ListFindings)
def list_findings(transaction: Transaction, operation: ListFindings) -> FindingsPage:
    limit = check_page(operation.max_results, _PAGE)
    monitor = find_monitor(transaction, operation.name)
    table = monitor_windows
    query = select(table).where(table.c.monitor == monitor.id)
    for compare, column, value in (
        (eq, table.c.model, operation.model), (eq, table.c.version, operation.version),
        (ge, table.c.end_time, operation.start_time), (lt, table.c.start_time, operation.end_time),
    ):
        if value is not None:
            query = query.where(compare(column, value))
    of = fingerprint("monitor_windows", monitor.id, operation.model, operation.version)
    after = read_token(operation.page_token, of, _ID)
    if after is not None:
        query = query.where(table.c.id < after[0][1])
    rows = transaction.connection.execute(query.order_by(table.c.id.desc()).limit(limit + 1)).all()
    token = write_token(of, ((VALUE, rows[limit - 1].id),)) if len(rows) > limit else None
    found = _findings(transaction, [row.id for row in rows[:limit]], operation)
    return FindingsPage([
        WindowFindings(monitor.endpoint, _window(row), row.time, found[row.id]) for row in rows[:limit]
    ], token)


def _window(row: Row[Any]) -> MonitorWindow:
    return MonitorWindow(**{name: getattr(row, name) for name in MonitorWindow.__struct_fields__})


def _findings(transaction: Transaction, windows: list[int], operation: ListFindings) -> dict[int, list[Finding]]:
    table = monitor_findings
    query = select(table).where(table.c.window_id.in_(windows)).order_by(table.c.window_id, table.c.place)
    if operation.column is not None:
        query = query.where(table.c.column_name == operation.column)
    if operation.statistic is not None:
        query = query.where(table.c.statistic == operation.statistic)
    found: dict[int, list[Finding]] = defaultdict(list)
    for row in transaction.connection.execute(query):
        found[row.window_id].append(
            Finding(row.statistic, row.value, row.state, row.column_name, row.limit_value, row.p_value)
        )
    return found


@executes(ListAlerts)
def list_alerts(transaction: Transaction, operation: ListAlerts) -> AlertPage:
    limit = check_page(operation.max_results, _ALERTS_PAGE)
    table = monitor_alerts
    query = select(table, monitors.c.endpoint).join(monitors, monitors.c.id == table.c.monitor)
    if operation.name is not None:
        query = query.where(table.c.monitor == find_monitor(transaction, operation.name).id)
    if operation.model is not None:
        query = query.where(table.c.model == operation.model)
    if operation.version is not None:
        query = query.where(table.c.version == operation.version)
    if operation.only_open:
        query = query.where(table.c.cleared_time.is_(None))
    of = fingerprint("monitor_alerts", operation.name, operation.model, operation.version, operation.only_open)
    after = read_token(operation.page_token, of, _ID)
    if after is not None:
        query = query.where(table.c.id < after[0][1])
    rows = transaction.connection.execute(query.order_by(table.c.id.desc()).limit(limit + 1)).all()
    token = write_token(of, ((VALUE, rows[limit - 1].id),)) if len(rows) > limit else None
    return AlertPage([alert(row, row.endpoint) for row in rows[:limit]], token)
