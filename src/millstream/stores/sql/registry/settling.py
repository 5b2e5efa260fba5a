"""Transition requests that a change has answered: their version is where they ask it to go."""

from __future__ import annotations

from sqlalchemy import select, update

from millstream.entities.approval import CLOSED, OPEN
from millstream.stores.sql.registry.changes import Change, moment_of_change, record
from millstream.stores.sql.registry.reading import find_model
from millstream.stores.sql.registry.tables import model_versions, transition_requests
from millstream.stores.sql.transaction import Transaction


def settle(transaction: Transaction, name: str) -> None:
    """Close the open requests for versions of this model that are in the stage asked for, each with an activity."""
    model = find_model(transaction, name)
    table = transition_requests
    query = (
        select(table, model_versions.c.version)
        .join(model_versions, model_versions.c.id == table.c.model_version)
        .where(table.c.model == model.id, table.c.state == OPEN, table.c.stage == model_versions.c.stage)
        .order_by(table.c.id)
    )
    for row in transaction.connection.execute(query).all():
        end(transaction, name, row.id, CLOSED)
        model = find_model(transaction, name)
        change = Change(
            "transition_request.closed", row.version, row.request_id, row.from_stage, row.stage,
            told={"requested_by": row.user_id},
        )
        record(transaction, model, change, moment_of_change(model))


def end(transaction: Transaction, name: str, request: int, state: str, reason: str | None = None) -> None:
    """Put a request into its last state, by the word of the one who asks now."""
    now = moment_of_change(find_model(transaction, name))
    transaction.connection.execute(
        update(transition_requests)
        .where(transition_requests.c.id == request)
        .values(state=state, decided_by=transaction.principal.name, reason=reason, last_updated_timestamp=now)
    )
