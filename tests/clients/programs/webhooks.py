"""Webhooks by the official client and that of the managed registry: made, listed, changed, tested, deleted."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.ml import HttpUrlSpec, JobSpec, RegistryWebhookEvent, RegistryWebhookStatus
from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent
from mlflow.tracking import MlflowClient

URL, SECRET = os.environ["RECEIVER_URL"], os.environ["RECEIVER_SECRET"]


def shown(webhook: Any) -> dict[str, Any]:
    return {
        "name": webhook.name, "url": webhook.url, "events": sorted(map(str, webhook.events)),
        "description": webhook.description, "status": str(webhook.status), "secret": webhook.secret,
        "times": 10**12 < webhook.creation_timestamp <= webhook.last_updated_timestamp,
    }


def official() -> dict[str, Any]:
    client = MlflowClient()
    event = WebhookEvent(WebhookEntity.MODEL_VERSION, WebhookAction.CREATED)
    made = client.create_webhook("ci", URL, ["registered_model.created", event], description="CI", secret=SECRET)
    other = client.create_webhook("chat", URL, ["model_version_tag.set"], status="DISABLED")
    found: dict[str, Any] = {"made": shown(made), "got": shown(client.get_webhook(made.webhook_id))}
    page = client.list_webhooks(max_results=1)
    rest = client.list_webhooks(max_results=5, page_token=page.token)
    found["pages"] = [[webhook.name for webhook in page], [webhook.name for webhook in rest], rest.token]
    events = ["model_version_alias.created"]
    changed = client.update_webhook(other.webhook_id, name="room", events=events, secret=SECRET)
    found["changed"] = shown(changed)
    result = client.test_webhook(made.webhook_id)
    found["test"] = [result.success, result.response_status, result.response_body, result.error_message]
    result = client.test_webhook(made.webhook_id, "model_version_alias.deleted")
    found["test of an event"] = [result.success, result.response_status]
    client.delete_webhook(other.webhook_id)
    try:
        client.get_webhook(other.webhook_id)
    except Exception as error:
        found["gone"] = getattr(error, "error_code", repr(error))
    name = "official loan"
    client.create_registered_model(name, {"team": "risk"}, "who may borrow")
    client.create_model_version(name, "s3://bucket/model")
    found["webhook"] = made.webhook_id
    return found


def managed() -> dict[str, Any]:
    registry = WorkspaceClient(host=os.environ["MLFLOW_TRACKING_URI"], token="x", auth_type="pat").model_registry
    events = [RegistryWebhookEvent.MODEL_VERSION_TRANSITIONED_TO_PRODUCTION, RegistryWebhookEvent.COMMENT_CREATED]
    spec = HttpUrlSpec(url=URL, secret=SECRET, authorization="Bearer abc", enable_ssl_verification=True)
    made = registry.create_webhook(events, description="d", http_url_spec=spec, model_name="official loan").webhook
    assert made is not None and made.id is not None
    found: dict[str, Any] = {"made": made.as_dict()}
    job = registry.create_webhook(
        [RegistryWebhookEvent.REGISTERED_MODEL_CREATED],
        job_spec=JobSpec(job_id="17", access_token="token", workspace_url=URL.removesuffix("/hook")),
    ).webhook
    assert job is not None and job.id is not None
    found["job"] = job.as_dict()
    # A webhook that the other client has made is listed too, its events by the names that this one knows.
    found["listed"] = [[event.value for event in one.events or []] for one in registry.list_webhooks(max_results=1)]
    listed = registry.list_webhooks(events=[RegistryWebhookEvent.COMMENT_CREATED], model_name="official loan")
    found["of a model"] = [one.id == made.id for one in listed]
    result = registry.test_registry_webhook(made.id, event=RegistryWebhookEvent.COMMENT_CREATED)
    found["test"] = [result.status_code, result.body]
    changed = registry.update_webhook(made.id, status=RegistryWebhookStatus.DISABLED).webhook
    found["status"] = changed.status.value if changed and changed.status else None
    for webhook_id in (made.id, job.id):
        registry.delete_webhook(webhook_id)
    found["left"] = len(list(registry.list_webhooks()))
    return found


if __name__ == "__main__":
    document = {"official": official(), "managed": managed()}
    Path(sys.argv[1]).write_text(json.dumps(document, default=str), encoding="utf-8")
