"""Rows of monitors found by their endpoints, and made into entities."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Row, select

from millstream.entities.monitoring import Alert, Monitor, MonitorSettings
from millstream.errors import MonitorNotFound
from millstream.stores.sql.monitoring.tables import monitors
from millstream.stores.sql.transaction import Transaction

_decode = msgspec.json.Decoder(MonitorSettings).decode


def monitor_of(transaction: Transaction, endpoint: str, *, change: bool = False) -> Row[Any] | None:
    """The row of an endpoint's monitor, None without one; one that is about to change waits for others who do."""
    query = select(monitors).where(monitors.c.endpoint == endpoint)
    return transaction.connection.execute(query.with_for_update() if change else query).one_or_none()


def find_monitor(transaction: Transaction, endpoint: str, *, change: bool = False) -> Row[Any]:
    """The row of an endpoint's monitor. Raises MonitorNotFound."""
    row = monitor_of(transaction, endpoint, change=change)
    if row is None:
        raise MonitorNotFound(f"nothing watches the endpoint {endpoint!r}",
                              hint=f"watch it: `millstream monitor set --endpoint {endpoint}`")
    return row


def settings_of(row: Row[Any]) -> MonitorSettings:
    """The settings of a monitor."""
    return _decode(row.settings)


def monitor(row: Row[Any]) -> Monitor:
    """The entity."""
    return Monitor(row.endpoint, row.creation_time, row.last_update_time, settings_of(row), row.last_check)


def alert(row: Row[Any], endpoint: str) -> Alert:
    """The entity of an alert."""
    return Alert(
        alert_id=row.id, endpoint=endpoint, statistic=row.statistic, raised_time=row.raised_time, reason=row.reason,
        model=row.model, version=row.version, column=row.column_name, value=row.value, limit=row.limit_value,
        cleared_time=row.cleared_time, cleared_reason=row.cleared_reason,
    )
