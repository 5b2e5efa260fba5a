"""Monitors and the profiles that are set for versions, in SQL."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import delete, insert, or_, select, update

from millstream.errors import InvalidValue
from millstream.operations import (
    Claimed,
    ClaimMonitor,
    DeleteMonitor,
    GetMonitor,
    GetVersionProfile,
    ListMonitors,
    MonitorAnswer,
    MonitorPage,
    ProfileAnswer,
    SetMonitor,
    SetVersionProfile,
)
from millstream.operations.limits import check_page, check_text
from millstream.search.sql import Clause
from millstream.stores.sql.driver import many
from millstream.stores.sql.monitoring.checks import check_name, check_settings
from millstream.stores.sql.monitoring.reading import find_monitor, monitor
from millstream.stores.sql.monitoring.requests import forget
from millstream.stores.sql.monitoring.tables import model_version_profiles, monitors
from millstream.stores.sql.ordering import VALUE, Key, fingerprint, read_token, write_token
from millstream.stores.sql.registry.reading import find_version
from millstream.stores.sql.transaction import Transaction, executes, now_ms

_PAGE = 10_000
_LONGEST_CLAIM = 3_600.0
_UPSERT = (
    "INSERT INTO monitors (endpoint, settings, creation_time, last_update_time) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (endpoint) DO UPDATE SET settings = excluded.settings, last_update_time = excluded.last_update_time"
)


@executes(SetMonitor)
def set_monitor(transaction: Transaction, operation: SetMonitor) -> MonitorAnswer:
    endpoint = check_name(operation.name, "name")
    settings = msgspec.json.encode(check_settings(operation.settings)).decode()
    now = now_ms()
    many(transaction.connection, _UPSERT, [(endpoint, settings, now, now)])
    return MonitorAnswer(monitor(find_monitor(transaction, endpoint)))


@executes(GetMonitor)
def get_monitor(transaction: Transaction, operation: GetMonitor) -> MonitorAnswer:
    return MonitorAnswer(monitor(find_monitor(transaction, operation.name)))


@executes(ListMonitors)
def list_monitors(transaction: Transaction, operation: ListMonitors) -> MonitorPage:
    limit = check_page(operation.max_results, _PAGE)
    of = fingerprint("monitors")
    after = read_token(operation.page_token, of, [Key(Clause("endpoint"), True, text=True)])
    query = select(monitors).order_by(monitors.c.endpoint).limit(limit + 1)
    if after is not None:
        query = query.where(monitors.c.endpoint > after[0][1])
    rows = transaction.connection.execute(query).all()
    token = write_token(of, ((VALUE, rows[limit - 1].endpoint),)) if len(rows) > limit else None
    return MonitorPage([monitor(row) for row in rows[:limit]], token)


@executes(DeleteMonitor)
def delete_monitor(transaction: Transaction, operation: DeleteMonitor) -> None:
    row = find_monitor(transaction, operation.name, change=True)
    transaction.connection.execute(delete(monitors).where(monitors.c.id == row.id))
    forget(transaction, operation.name)


@executes(ClaimMonitor)
def claim_monitor(transaction: Transaction, operation: ClaimMonitor) -> Claimed:
    if not operation.seconds <= _LONGEST_CLAIM:
        raise InvalidValue.of("seconds", operation.seconds, f"it may be at most {_LONGEST_CLAIM:g}")
    row = find_monitor(transaction, operation.name)
    now = now_ms()
    until = now + int(operation.seconds * 1000)
    values: dict[str, Any] = {"holder": operation.holder, "lease_until": until, "last_check": now}
    if operation.seconds <= 0:
        values = {"holder": None, "lease_until": None}
    free = or_(monitors.c.lease_until.is_(None), monitors.c.lease_until < now, monitors.c.holder == operation.holder)
    changed = transaction.connection.execute(
        update(monitors).where(monitors.c.id == row.id, free).values(**values)
    ).rowcount
    return Claimed(bool(changed))


@executes(SetVersionProfile)
def set_profile(transaction: Transaction, operation: SetVersionProfile) -> None:
    version = find_version(transaction, operation.name, operation.version)
    table = model_version_profiles
    transaction.connection.execute(delete(table).where(table.c.model_version == version.id))
    if operation.profile:
        check_text(operation.profile, 16 * 1024 * 1024, "profile")
        transaction.connection.execute(insert(table).values(model_version=version.id, profile=operation.profile))


@executes(GetVersionProfile)
def get_profile(transaction: Transaction, operation: GetVersionProfile) -> ProfileAnswer:
    version = find_version(transaction, operation.name, operation.version)
    table = model_version_profiles
    query = select(table.c.profile).where(table.c.model_version == version.id)
    return ProfileAnswer(transaction.connection.execute(query).scalar())
