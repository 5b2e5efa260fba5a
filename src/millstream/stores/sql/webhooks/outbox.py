"""The way out of the registry: what happens is written down for whoever subscribed, in the same transaction."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import or_, select, update

from millstream.stores.sql.driver import many
from millstream.stores.sql.registry.tables import registered_models
from millstream.stores.sql.transaction import Transaction, now_ms
from millstream.stores.sql.webhooks.payloads import bodies, events_of
from millstream.stores.sql.webhooks.tables import webhooks

PENDING = "PENDING"

_INSERT = (
    "INSERT INTO webhook_deliveries"
    " (delivery_id, webhook, lane, model, event, payload, status, creation_timestamp, next_try_time, replay_of)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_WAKE = (
    "INSERT INTO webhook_lanes (webhook, lane, due_time) VALUES (?, ?, ?)"
    " ON CONFLICT (webhook, lane) DO UPDATE SET due_time = COALESCE(webhook_lanes.due_time, excluded.due_time)"
)


def publish(
    transaction: Transaction, *, kind: str, model: str | None, facts: dict[str, Any], lane: str | None = None
) -> None:
    """Write a delivery for every active webhook that wants to hear of this.

    ``kind`` is ``<entity>.<past participle>``, ``model`` the name of the registered model that it is about, if it is
    about one. ``facts`` is what a receiver is to know, in JSON's types; of a change of the registry they are the fields
    of :class:`millstream.stores.sql.registry.changes.Change`, with ``timestamp`` and ``user``. What is published of one
    ``lane`` arrives in this order; unless given, that is the model.
    """
    table = webhooks
    query = select(table).where(table.c.status == "ACTIVE", or_(table.c.model.is_(None), table.c.model == model))
    found = transaction.connection.execute(query.order_by(table.c.id)).all()
    if found:
        facts = dict(facts)
        timestamp = int(facts.pop("timestamp", None) or now_ms())
        user = str(facts.pop("user", None) or transaction.principal.name)
        for event in events_of(kind, model, facts, timestamp, user):
            wanted = [webhook for webhook in found if event.names.intersection(webhook.events.split(","))]
            if wanted:
                lane = _lane(transaction, model) if lane is None else lane
                enqueue(transaction, bodies(transaction, event, wanted), event.kind, model, lane)
    if kind == "registered_model.renamed":
        transaction.connection.execute(update(table).where(table.c.model == model).values(model=facts["after"]))


def _lane(transaction: Transaction, model: str | None) -> str:
    table = registered_models
    number = transaction.connection.execute(select(table.c.id).where(table.c.name == model)).scalar()
    return "" if number is None else str(number)


def enqueue(
    transaction: Transaction, rows: list[tuple[int, str]], event: str, model: str | None, lane: str,
    replay_of: str | None = None,
) -> list[str]:
    """Write deliveries, ``(number of the webhook, body)`` each, behind all that the lane holds; returns their ids."""
    now, transaction.published = now_ms(), True
    ids = [str(uuid.uuid4()) for _ in rows]
    # Whoever publishes to a lane has it until the transaction ends, so the numbers of deliveries are in order.
    many(transaction.connection, _WAKE, [(webhook, lane, now) for webhook, _ in rows])
    many(transaction.connection, _INSERT, [
        (delivery_id, webhook, lane, model, event, body, PENDING, now, now, replay_of)
        for delivery_id, (webhook, body) in zip(ids, rows, strict=True)
    ])
    return ids
