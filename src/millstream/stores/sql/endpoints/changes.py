"""The one way in which endpoints change: what is done is written down and published, in the same transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, insert, update

from millstream.errors import Conflict
from millstream.stores.sql.endpoints.reading import Settings
from millstream.stores.sql.endpoints.tables import endpoint_events, endpoints
from millstream.stores.sql.transaction import Transaction, now_ms
from millstream.stores.sql.webhooks.outbox import publish

_KEPT_EVENTS = 1_000


def check_revision(row: Row[Any], revision: int | None) -> None:
    """Raise Conflict when somebody has changed the endpoint since this revision was read."""
    if revision is not None and revision != row.revision:
        raise Conflict(
            f"the endpoint {row.name} was changed meanwhile: it is at revision {row.revision}, not {revision}",
            hint="read it again, and change what is there now",
        )


def note(
    transaction: Transaction, row: Row[Any], kind: str, *, version: str | None = None, detail: str | None = None,
    user: str | None = None,
) -> int:
    """Write an event of an endpoint, and tell who wants to hear of it; returns its sequence.

    ``row`` is what was found for change in this operation, which writes down one event of it.
    """
    now, who = now_ms(), user or transaction.principal.name
    sequence = int(row.events) + 1
    transaction.connection.execute(
        insert(endpoint_events).values(
            endpoint=row.id, sequence=sequence, kind=kind, timestamp=now, user_id=who, version=version, detail=detail
        )
    )
    if sequence > _KEPT_EVENTS and sequence % 100 == 0:
        table = endpoint_events
        transaction.connection.execute(
            delete(table).where(table.c.endpoint == row.id, table.c.sequence <= sequence - _KEPT_EVENTS)
        )
    transaction.connection.execute(update(endpoints).where(endpoints.c.id == row.id).values(events=sequence))
    facts: dict[str, Any] = {"endpoint": row.name, "timestamp": now, "user": who}
    publish(
        transaction, kind=kind, model=row.model_name,
        facts={**facts, **{name: value for name, value in (("version", version), ("detail", detail)) if value}},
    )
    return sequence


def change(
    transaction: Transaction, row: Row[Any], kind: str, settings: Settings, *, enabled: bool | None = None,
    version: str | None = None, detail: str | None = None,
) -> None:
    """Give an endpoint these settings, and write that down."""
    note(transaction, row, kind, version=version, detail=detail)
    values = {
        "settings": settings.text(),
        "enabled": row.enabled if enabled is None else enabled,
        "revision": row.revision + 1,
        "last_updated_timestamp": max(now_ms(), row.last_updated_timestamp),
    }
    transaction.connection.execute(update(endpoints).where(endpoints.c.id == row.id).values(**values))
