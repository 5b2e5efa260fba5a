"""The managed registry's operations on webhooks, in SQL: the same rows as MLflow's, in its shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select

from millstream.errors import InvalidValue
from millstream.operations import (
    CreateRegistryWebhook,
    DeleteRegistryWebhook,
    DeleteWebhook,
    HttpUrlSpec,
    JobSpec,
    ListRegistryWebhooks,
    RegistryWebhook,
    RegistryWebhookAnswer,
    RegistryWebhookPage,
    UpdateRegistryWebhook,
)
from millstream.stores.sql.transaction import Transaction, executes
from millstream.stores.sql.webhooks.checks import (
    check_description,
    check_events,
    check_move,
    check_status,
    check_url,
    seal_all,
)
from millstream.stores.sql.webhooks.payloads import event_of_managed, managed_name
from millstream.stores.sql.webhooks.subscriptions import (
    any_of,
    find_webhook,
    insert_webhook,
    page_of_webhooks,
    remove,
    update_webhook,
)
from millstream.stores.sql.webhooks.tables import webhooks


def _managed_events(given: Sequence[str]) -> list[str]:
    return check_events([event_of_managed(name) for name in given])


@executes(CreateRegistryWebhook)
def create_managed(transaction: Transaction, operation: CreateRegistryWebhook) -> RegistryWebhookAnswer:
    if (operation.http_url_spec is None) == (operation.job_spec is None):
        raise InvalidValue("exactly one of http_url_spec and job_spec is to be given")
    values = {
        "name": operation.model_name or "all registered models",
        "events": ",".join(_managed_events(operation.events)),
        "description": check_description(operation.description),
        "status": check_status(operation.status),
        "payload_format": "DATABRICKS",
        **_target(operation.http_url_spec, operation.job_spec),
    }
    return RegistryWebhookAnswer(_managed(insert_webhook(transaction, operation.model_name, values)))


def _target(http: HttpUrlSpec | None, job: JobSpec | None) -> dict[str, Any]:
    """The columns that say whom to call. Raises InvalidValue for what can never work."""
    if http is not None:
        made: dict[str, Any] = dict(seal_all(http.secret, http.authorization))
        if http.enable_ssl_verification is not None:
            made["verify_tls"] = http.enable_ssl_verification
        return made | {"url": check_url(http.url, "http_url_spec.url")}
    assert job is not None
    if not job.workspace_url:
        raise InvalidValue.of(
            "job_spec.workspace_url", job.workspace_url, "this registry has no jobs of its own to start",
            hint="name the workspace whose job it is, such as https://example.cloud.databricks.com",
        )
    if not (job.job_id.isascii() and job.job_id.isdigit()):
        raise InvalidValue.of("job_spec.job_id", job.job_id, "the id of a job is a number")
    if not job.access_token:
        raise InvalidValue("job_spec.access_token is to be given", hint="make a token in the workspace of the job")
    return {
        "url": check_url(job.workspace_url, "job_spec.workspace_url").rstrip("/"), "job_id": job.job_id,
        **seal_all(None, f"Bearer {job.access_token}"),
    }


@executes(UpdateRegistryWebhook)
def change_managed(transaction: Transaction, operation: UpdateRegistryWebhook) -> RegistryWebhookAnswer:
    row = find_webhook(transaction, operation.id)
    values: dict[str, Any] = {}
    if operation.events:
        values["events"] = ",".join(_managed_events(operation.events))
    if operation.description is not None:
        values["description"] = check_description(operation.description)
    if operation.status is not None:
        values["status"] = check_status(operation.status)
    if operation.http_url_spec is not None and operation.job_spec is not None:
        raise InvalidValue("http_url_spec and job_spec cannot both be given")
    if operation.http_url_spec is not None:
        # A field that is not given stays as it is, the address too.
        given = operation.http_url_spec
        http = HttpUrlSpec(given.url or row.url, given.enable_ssl_verification, given.secret, given.authorization)
        if row.job_id is None:
            check_move(row, http.url, http.authorization)
            values |= _target(http, None)
        else:
            values |= {"job_id": None, "authorization": None, **_target(http, None)}
    elif operation.job_spec is not None:
        values |= {"secret": None, **_target(None, operation.job_spec)}
    return RegistryWebhookAnswer(_managed(update_webhook(transaction, row, values)))


@executes(ListRegistryWebhooks)
def list_managed(transaction: Transaction, operation: ListRegistryWebhooks) -> RegistryWebhookPage:
    query = select(webhooks)
    if operation.model_name is not None:
        query = query.where(webhooks.c.model == operation.model_name)
    if operation.events:
        query = query.where(any_of(_managed_events(operation.events)))
    rows, token = page_of_webhooks(
        transaction, query, operation.max_results, operation.page_token, operation.model_name, operation.events
    )
    return RegistryWebhookPage([_managed(row) for row in rows], token)


@executes(DeleteRegistryWebhook)
def remove_managed(transaction: Transaction, operation: DeleteRegistryWebhook) -> None:
    remove(transaction, DeleteWebhook(operation.id))


def _managed(row: Row[Any]) -> RegistryWebhook:
    return RegistryWebhook(
        id=row.webhook_id,
        events=[managed_name(event) for event in row.events.split(",")],
        creation_timestamp=row.creation_timestamp,
        last_updated_timestamp=row.last_updated_timestamp,
        status=row.status,
        description=row.description,
        model_name=row.model,
        http_url_spec=None if row.job_id else HttpUrlSpec(row.url, row.verify_tls),
        job_spec=JobSpec(row.job_id, row.url) if row.job_id else None,
    )
