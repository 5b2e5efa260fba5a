"""MLflow's operations on webhooks, in SQL."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, delete, insert, literal, or_, select, update

from millstream.entities.webhook import MLFLOW_EVENTS
from millstream.errors import WebhookNotFound
from millstream.operations import (
    CreateWebhook,
    DeleteWebhook,
    EventName,
    GetWebhook,
    ListWebhooks,
    UpdateWebhook,
    WebhookAnswer,
    WebhookPage,
    WebhookRecord,
)
from millstream.operations.limits import check_page
from millstream.search.sql import Clause
from millstream.stores.sql.ordering import VALUE, Key, fingerprint, read_token, write_token
from millstream.stores.sql.registry.reading import find_model
from millstream.stores.sql.transaction import Transaction, executes, now_ms
from millstream.stores.sql.webhooks.checks import (
    check_description,
    check_events,
    check_format,
    check_move,
    check_name,
    check_status,
    check_url,
    seal_all,
)
from millstream.stores.sql.webhooks.tables import webhooks

WEBHOOKS_PAGE = 1_000


def no_webhook(webhook_id: str) -> WebhookNotFound:
    """The error for an id that names nothing."""
    return WebhookNotFound(f"Webhook with id={webhook_id} not found", hint="`millstream webhooks list` shows all")


def find_webhook(transaction: Transaction, webhook_id: str) -> Row[Any]:
    """The row of a webhook. Raises WebhookNotFound."""
    row = transaction.connection.execute(select(webhooks).where(webhooks.c.webhook_id == webhook_id)).one_or_none()
    if row is None:
        raise no_webhook(webhook_id)
    return row


def insert_webhook(transaction: Transaction, model: str | None, values: dict[str, Any]) -> Row[Any]:
    """A new webhook with these columns, for one registered model or for all; those that are None have their default."""
    if model is not None:
        find_model(transaction, model)
    now, webhook_id = now_ms(), uuid.uuid4().hex
    made = {
        "webhook_id": webhook_id, "model": model, "creator": transaction.principal.name, "creation_timestamp": now,
        "last_updated_timestamp": now, "status": "ACTIVE", "verify_tls": True,
        **{name: value for name, value in values.items() if value is not None},
    }
    transaction.connection.execute(insert(webhooks).values(made))
    return find_webhook(transaction, webhook_id)


def update_webhook(transaction: Transaction, row: Row[Any], values: dict[str, Any]) -> Row[Any]:
    """The webhook with these columns changed."""
    values["last_updated_timestamp"] = max(now_ms(), row.last_updated_timestamp)
    transaction.connection.execute(update(webhooks).where(webhooks.c.id == row.id).values(values))
    return find_webhook(transaction, row.webhook_id)


@executes(CreateWebhook)
def create(transaction: Transaction, operation: CreateWebhook) -> WebhookAnswer:
    values = {
        "name": check_name(operation.name),
        "url": check_url(operation.url),
        "events": ",".join(check_events(operation.events)),
        "description": check_description(operation.description),
        "status": check_status(operation.status),
        "payload_format": check_format(operation.payload_format) or "MLFLOW",
        "verify_tls": operation.enable_ssl_verification,
        **seal_all(operation.secret, operation.authorization),
    }
    return WebhookAnswer(_record(insert_webhook(transaction, operation.model_name, values)))


@executes(GetWebhook)
def get(transaction: Transaction, operation: GetWebhook) -> WebhookAnswer:
    return WebhookAnswer(_record(find_webhook(transaction, operation.webhook_id)))


@executes(ListWebhooks)
def list_webhooks(transaction: Transaction, operation: ListWebhooks) -> WebhookPage:
    query = select(webhooks)
    if not operation.all_events:
        kinds = {name.partition(".")[0] for name in MLFLOW_EVENTS}
        query = query.where(any_of([*MLFLOW_EVENTS, *(f"{kind}.*" for kind in kinds), "*"]))
    of = operation.all_events
    rows, token = page_of_webhooks(transaction, query, operation.max_results, operation.page_token, of)
    return WebhookPage([_record(row) for row in rows], token)


@executes(UpdateWebhook)
def change(transaction: Transaction, operation: UpdateWebhook) -> WebhookAnswer:
    row = find_webhook(transaction, operation.webhook_id)
    values: dict[str, Any] = seal_all(operation.secret, operation.authorization)
    if operation.name is not None:
        values["name"] = check_name(operation.name)
    if operation.description is not None:
        values["description"] = check_description(operation.description)
    if operation.url is not None:
        check_move(row, operation.url, operation.authorization)
        values["url"] = check_url(operation.url)
    if operation.events:
        values["events"] = ",".join(check_events(operation.events))
    if operation.status is not None:
        values["status"] = check_status(operation.status)
    if operation.payload_format is not None:
        values["payload_format"] = check_format(operation.payload_format)
    if operation.enable_ssl_verification is not None:
        values["verify_tls"] = operation.enable_ssl_verification
    return WebhookAnswer(_record(update_webhook(transaction, row, values)))


@executes(DeleteWebhook)
def remove(transaction: Transaction, operation: DeleteWebhook) -> None:
    row = find_webhook(transaction, operation.webhook_id)
    transaction.connection.execute(delete(webhooks).where(webhooks.c.id == row.id))


def _record(row: Row[Any]) -> WebhookRecord:
    names = row.events.split(",")
    return WebhookRecord(
        webhook_id=row.webhook_id,
        name=row.name,
        url=row.url,
        creation_timestamp=row.creation_timestamp,
        last_updated_timestamp=row.last_updated_timestamp,
        events=[EventName(*event.upper().split(".")) for event in _known_to_mlflow(names)],
        status=row.status,
        description=row.description,
        event_names=names,
        model_name=row.model,
        payload_format=row.payload_format,
        has_secret=row.secret is not None,
        has_authorization=row.authorization is not None,
        enable_ssl_verification=row.verify_tls,
        job_id=row.job_id,
    )


def _known_to_mlflow(names: Sequence[str]) -> list[str]:
    """The events of MLflow's that these names stand for."""
    return [
        event for event in MLFLOW_EVENTS if {event, f"{event.partition('.')[0]}.*", "*"}.intersection(names)
    ]


def any_of(events: Sequence[str]) -> ColumnElement[bool]:
    """The condition that a webhook has subscribed to one of these names."""
    column = literal(",").concat(webhooks.c.events).concat(",")
    return or_(*(column.contains(f",{event},", autoescape=True) for event in events))


def page_of_webhooks(
    transaction: Transaction, query: Select[Any], size: int, page_token: str | None, *of_what: object
) -> tuple[Sequence[Row[Any]], str | None]:
    """The rows of a page in the order of their creation, and the token of the next page, None on the last."""
    limit = check_page(size, WEBHOOKS_PAGE)
    of = fingerprint("webhooks", *of_what)
    after = read_token(page_token, of, [Key(Clause("id"), True)])
    if after is not None:
        query = query.where(webhooks.c.id > after[0][1])
    rows = transaction.connection.execute(query.order_by(webhooks.c.id).limit(limit + 1)).all()
    token = write_token(of, ((VALUE, rows[limit - 1].id),)) if len(rows) > limit else None
    return rows[:limit], token
