"""Webhooks: who is told of what happens in the registry, and what became of each call."""

from __future__ import annotations

from enum import Enum
from typing import Any

import msgspec

from millstream.entities.base import Entity
from millstream.entities.model_registry import get_canonical_stage
from millstream.entities.shown import moment, page
from millstream.errors import InvalidValue

# Every event there is: what it is about, and what may happen to that.
EVENTS: dict[str, tuple[str, ...]] = {
    "registered_model": ("created", "renamed", "updated", "deleted"),
    "registered_model_tag": ("set", "deleted"),
    "model_version": ("created", "updated", "transitioned", "rolled_back", "deleted"),
    "model_version_tag": ("set", "deleted"),
    "model_version_alias": ("created", "deleted"),
    "comment": ("created", "updated", "deleted"),
    "transition_request": ("created", "endorsed", "approved", "rejected", "deleted", "closed"),
    "model_rule": ("set", "deleted"),
    "endpoint": (
        "created", "updated", "enabled", "disabled", "restarted", "deleted", "replica_ready", "replica_failed",
        "canary_started", "canary_stepped", "canary_promoted", "canary_rolled_back", "canary_stopped",
    ),
    "monitor": ("alert_raised", "alert_cleared"),
}
# Those of a stage can be wanted for one stage only, as in ``model_version.transitioned:Production``.
STAGED = ("model_version.transitioned", "model_version.rolled_back", "transition_request.created")
# Those that MLflow 3.17 knows, of models.
MLFLOW_EVENTS = (
    "registered_model.created", "model_version.created", "model_version_tag.set", "model_version_tag.deleted",
    "model_version_alias.created", "model_version_alias.deleted",
)
ANY = "*"


class _Word(str, Enum):
    def __str__(self) -> str:
        return str(self.value)


class WebhookEntity(_Word):
    """What an event is about."""

    REGISTERED_MODEL = "registered_model"
    REGISTERED_MODEL_TAG = "registered_model_tag"
    MODEL_VERSION = "model_version"
    MODEL_VERSION_TAG = "model_version_tag"
    MODEL_VERSION_ALIAS = "model_version_alias"
    COMMENT = "comment"
    TRANSITION_REQUEST = "transition_request"
    MODEL_RULE = "model_rule"
    ENDPOINT = "endpoint"
    MONITOR = "monitor"
    ANY = "*"


class WebhookAction(_Word):
    """What has happened to it."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    SET = "set"
    RENAMED = "renamed"
    TRANSITIONED = "transitioned"
    ROLLED_BACK = "rolled_back"
    ENDORSED = "endorsed"
    APPROVED = "approved"
    REJECTED = "rejected"
    CLOSED = "closed"
    ENABLED = "enabled"
    DISABLED = "disabled"
    RESTARTED = "restarted"
    REPLICA_READY = "replica_ready"
    REPLICA_FAILED = "replica_failed"
    CANARY_STARTED = "canary_started"
    CANARY_STEPPED = "canary_stepped"
    CANARY_PROMOTED = "canary_promoted"
    CANARY_ROLLED_BACK = "canary_rolled_back"
    CANARY_STOPPED = "canary_stopped"
    ALERT_RAISED = "alert_raised"
    ALERT_CLEARED = "alert_cleared"
    ANY = "*"


class WebhookStatus(_Word):
    """Whether a webhook is told of what happens. In TEST_MODE it is called by tests only."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"
    TEST_MODE = "TEST_MODE"

    def is_active(self) -> bool:
        """Whether it is told."""
        return self is WebhookStatus.ACTIVE


class WebhookDeliveryStatus(_Word):
    """What became of a delivery: it waits for its first or next try, has arrived, or is given up."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


def check_event(name: Any) -> str:
    """The name of an event as it is kept: ``model_version.created``, ``model_version.transitioned:Production``,
    ``comment.*`` or ``*``. Raises InvalidValue for one that there is not."""
    text = str(name)
    if text == ANY:
        return text
    kind, colon, stage = text.partition(":")
    entity, _, action = kind.partition(".")
    actions = EVENTS.get(entity)
    if actions is None:
        raise InvalidValue.of("events", text, "no such event", hint=f"use * or one of {', '.join(_all())}")
    if action != ANY and action not in actions:
        raise InvalidValue.of("events", text, f"nothing of the kind happens to a {entity}",
                              hint=f"use one of {', '.join(f'{entity}.{known}' for known in (*actions, ANY))}")
    if not colon:
        return text
    if kind not in STAGED:
        raise InvalidValue.of("events", text, "this event has no stage", hint=f"write {kind}")
    return f"{kind}:{get_canonical_stage(stage)}"


def _all() -> list[str]:
    return [f"{entity}.{action}" for entity, actions in EVENTS.items() for action in actions]


class WebhookEvent(Entity, frozen=True):
    """What a webhook is told of: ``WebhookEvent("model_version", "created")``, for one stage only if that is given."""

    entity: WebhookEntity
    action: WebhookAction
    stage: str | None = None

    def __post_init__(self) -> None:
        name = check_event(_name(str(self.entity), str(self.action), self.stage))
        stage = name.partition(":")[2] or None
        msgspec.structs.force_setattr(self, "entity", WebhookEntity(str(self.entity)))
        msgspec.structs.force_setattr(self, "action", WebhookAction(str(self.action)))
        msgspec.structs.force_setattr(self, "stage", stage)

    @classmethod
    def from_str(cls, event: str) -> WebhookEvent:
        """The event of this name, such as ``model_version.created``. Raises InvalidValue."""
        kind, _, stage = check_event(event).partition(":")
        entity, _, action = kind.partition(".")
        return cls(WebhookEntity(entity), WebhookAction(action or ANY), stage or None)

    def __str__(self) -> str:
        return _name(self.entity.value, self.action.value, self.stage)


def _name(entity: str, action: str, stage: str | None) -> str:
    if entity == ANY:
        return ANY
    return f"{entity}.{action}" + (f":{stage}" if stage else "")


class Webhook(Entity, frozen=True):
    """A subscription. Times are in milliseconds since the epoch.

    ``payload_format`` is whose shape the body has: ``MLFLOW``, or ``DATABRICKS`` for that of the managed registry.
    With ``model_name`` it is told of that registered model only. What it signs with (``secret``) and signs in with is
    never shown: ``secret`` is always None, ``has_secret`` and ``has_authorization`` say what there is.
    """

    webhook_id: str
    name: str
    url: str
    events: list[WebhookEvent]
    creation_timestamp: int
    last_updated_timestamp: int
    description: str | None = None
    status: WebhookStatus = WebhookStatus.ACTIVE
    secret: str | None = None
    model_name: str | None = None
    payload_format: str = "MLFLOW"
    has_secret: bool = False
    has_authorization: bool = False
    enable_ssl_verification: bool = True
    job_id: str | None = None

    def __str__(self) -> str:
        rows = [
            ("id", self.webhook_id), ("url", self.url), ("events", ", ".join(map(str, self.events))),
            ("model", self.model_name or "all"), ("status", str(self.status)), ("format", self.payload_format),
            ("signed", "yes" if self.has_secret else "no"), ("job", self.job_id or ""),
            ("description", self.description or ""), ("created", moment(self.creation_timestamp)),
            ("changed", moment(self.last_updated_timestamp)),
        ]
        return page(f"Webhook {self.name}", rows)


class WebhookTestResult(Entity, frozen=True):
    """What came back from a test: the status of the answer and the beginning of its body, or why there was none."""

    success: bool
    response_status: int | None = None
    response_body: str | None = None
    error_message: str | None = None


class WebhookDelivery(Entity, frozen=True):
    """One event on its way to one webhook. Times are in milliseconds since the epoch.

    ``answer_status`` and ``answer_excerpt`` are of the last try, ``error`` is why that did not succeed. ``replay_of``
    is the delivery that this one sends again. ``payload`` is the body as it is sent.
    """

    delivery_id: str
    webhook_id: str
    event: str
    status: str
    creation_timestamp: int
    tries: int = 0
    model_name: str | None = None
    last_try_time: int | None = None
    next_try_time: int | None = None
    answer_status: int | None = None
    answer_excerpt: str | None = None
    error: str | None = None
    replay_of: str | None = None
    payload: str | None = None
