"""Operations on webhooks: MLflow's, those of the managed registry, and the log of deliveries."""

from __future__ import annotations

import msgspec

from millstream.entities.base import Int64
from millstream.entities.webhook import WebhookDelivery, WebhookTestResult
from millstream.operations.table import Answer, Needs, Operation, Permission, operation

_MLFLOW = "/2.0/mlflow/webhooks"
_MANAGED = "/2.0/mlflow/registry-webhooks"
_OURS = "/v1/webhook-deliveries"
# Who sets up a webhook has this server call an address, and reads what that answers.
_ADMIN = Needs(Permission.ADMIN)


class EventName(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event as MLflow writes it, ``{"entity": "MODEL_VERSION", "action": "CREATED"}``, and maybe its stage."""

    entity: str
    action: str
    stage: str | None = None


class WebhookRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A webhook. ``events`` holds those that MLflow has too, ``event_names`` all of them."""

    webhook_id: str
    name: str
    url: str
    creation_timestamp: int
    last_updated_timestamp: int
    events: list[EventName] = []
    status: str = ""
    description: str | None = None
    event_names: list[str] = []
    model_name: str | None = None
    payload_format: str = ""
    has_secret: bool = False
    has_authorization: bool = False
    # Sent even when it is the default: False is the one to be seen.
    enable_ssl_verification: bool | None = None
    job_id: str | None = None


class WebhookAnswer(Answer, frozen=True):
    """One webhook."""

    webhook: WebhookRecord


class WebhookPage(Answer, frozen=True):
    """A page of webhooks; ``next_page_token`` is unset on the last."""

    webhooks: list[WebhookRecord] = []
    next_page_token: str | None = None


class WebhookTestAnswer(Answer, frozen=True):
    """What came back from a test."""

    result: WebhookTestResult


class HttpUrlSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """A plain call, as the managed registry writes it; ``secret`` and ``authorization`` are never answered."""

    url: str = ""
    enable_ssl_verification: bool | None = None
    secret: str | None = None
    authorization: str | None = None


class JobSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """A job that is started, as the managed registry writes it; ``access_token`` is never answered."""

    job_id: str = ""
    workspace_url: str | None = None
    access_token: str | None = None


class RegistryWebhook(msgspec.Struct, frozen=True, omit_defaults=True):
    """A webhook as the managed registry shows it."""

    id: str
    events: list[str]
    creation_timestamp: int
    last_updated_timestamp: int
    status: str = ""
    description: str | None = None
    model_name: str | None = None
    http_url_spec: HttpUrlSpec | None = None
    job_spec: JobSpec | None = None


class RegistryWebhookAnswer(Answer, frozen=True):
    """One webhook as the managed registry shows it."""

    webhook: RegistryWebhook


class RegistryWebhookPage(Answer, frozen=True):
    """A page of webhooks as the managed registry shows them; ``next_page_token`` is unset on the last."""

    webhooks: list[RegistryWebhook] = []
    next_page_token: str | None = None


class RegistryWebhookTest(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came back from a test: the status of the answer, 0 when there was none, and the beginning of its body."""

    status_code: int | None = None
    body: str | None = None


class RegistryWebhookTestAnswer(Answer, frozen=True):
    """What came back from a test, in both places where clients of the managed registry look for it."""

    webhook: RegistryWebhookTest
    status_code: int | None = None
    body: str | None = None


class WebhookDeliveryAnswer(Answer, frozen=True):
    """One delivery."""

    delivery: WebhookDelivery


class WebhookDeliveryPage(Answer, frozen=True):
    """A page of deliveries; ``next_page_token`` is unset on the last."""

    deliveries: list[WebhookDelivery] = []
    next_page_token: str | None = None


class WebhookReplay(Answer, frozen=True):
    """How many deliveries were written anew."""

    replayed: int


# MLflow's


@operation("POST", _MLFLOW, _ADMIN, answer=WebhookAnswer, repeatable=False)
class CreateWebhook(Operation[WebhookAnswer], frozen=True):
    """Subscribe an address to events of all registered models, or of one.

    Each event is ``{"entity": …, "action": …}`` or a name such as ``model_version.created``, ``comment.*`` or ``*``.
    ``secret`` signs each call, ``authorization`` is sent as the header of that name.
    """

    name: str
    url: str
    events: list[EventName | str] = []
    description: str | None = None
    secret: str | None = None
    status: str | None = None
    model_name: str | None = None
    payload_format: str | None = None
    authorization: str | None = None
    enable_ssl_verification: bool | None = None


@operation("GET", _MLFLOW, _ADMIN, answer=WebhookPage)
class ListWebhooks(Operation[WebhookPage], frozen=True):
    """List webhooks in the order of their creation; unless ``all_events``, those with an event that MLflow has too."""

    max_results: Int64 = 100
    page_token: str | None = None
    all_events: bool = False


@operation("GET", f"{_MLFLOW}/{{webhook_id}}", _ADMIN, answer=WebhookAnswer)
class GetWebhook(Operation[WebhookAnswer], frozen=True):
    """Read a webhook."""

    webhook_id: str


@operation("PATCH", f"{_MLFLOW}/{{webhook_id}}", _ADMIN, answer=WebhookAnswer)
class UpdateWebhook(Operation[WebhookAnswer], frozen=True):
    """Change what is given of a webhook; an empty ``secret`` or ``authorization`` removes it."""

    webhook_id: str
    name: str | None = None
    description: str | None = None
    url: str | None = None
    events: list[EventName | str] = []
    secret: str | None = None
    status: str | None = None
    payload_format: str | None = None
    authorization: str | None = None
    enable_ssl_verification: bool | None = None


@operation("DELETE", f"{_MLFLOW}/{{webhook_id}}", _ADMIN, repeatable=False)
class DeleteWebhook(Operation[None], frozen=True):
    """Remove a webhook with the log of its deliveries; what waits is not sent any more."""

    webhook_id: str


@operation(
    "POST", f"{_MLFLOW}/{{webhook_id}}/test", _ADMIN, answer=WebhookTestAnswer, writes=False, repeatable=False
)
class TestWebhook(Operation[WebhookTestAnswer], frozen=True):
    """Send a webhook a sample of an event now, of its first one unless given, and tell what came back."""

    __test__ = False  # no test of pytest's

    webhook_id: str
    event: EventName | str | None = None


# The managed registry's


@operation("POST", f"{_MANAGED}/create", _ADMIN, answer=RegistryWebhookAnswer, repeatable=False)
class CreateRegistryWebhook(Operation[RegistryWebhookAnswer], frozen=True):
    """Subscribe an address, or a job, to events of one registered model or of all, as the managed registry does."""

    events: list[str]
    model_name: str | None = None
    description: str | None = None
    status: str | None = None
    http_url_spec: HttpUrlSpec | None = None
    job_spec: JobSpec | None = None


@operation("GET", f"{_MANAGED}/list", _ADMIN, answer=RegistryWebhookPage)
class ListRegistryWebhooks(Operation[RegistryWebhookPage], frozen=True):
    """List webhooks as the managed registry shows them: those of a model, and those with any of these events."""

    model_name: str | None = None
    events: list[str] = []
    max_results: Int64 = 100
    page_token: str | None = None


@operation("PATCH", f"{_MANAGED}/update", _ADMIN, answer=RegistryWebhookAnswer)
class UpdateRegistryWebhook(Operation[RegistryWebhookAnswer], frozen=True):
    """Change what is given of a webhook, as the managed registry does."""

    id: str
    description: str | None = None
    events: list[str] = []
    status: str | None = None
    http_url_spec: HttpUrlSpec | None = None
    job_spec: JobSpec | None = None


@operation("DELETE", f"{_MANAGED}/delete", _ADMIN, repeatable=False)
class DeleteRegistryWebhook(Operation[None], frozen=True):
    """Remove a webhook with the log of its deliveries, as the managed registry does."""

    id: str


@operation(
    "POST", f"{_MANAGED}/test", _ADMIN, answer=RegistryWebhookTestAnswer, writes=False, repeatable=False
)
class TestRegistryWebhook(Operation[RegistryWebhookTestAnswer], frozen=True):
    """Send a webhook a sample of an event now and tell what came back, as the managed registry does."""

    __test__ = False  # no test of pytest's

    id: str
    event: str | None = None


# Deliveries


@operation("GET", f"{_OURS}/list", _ADMIN, answer=WebhookDeliveryPage)
class ListWebhookDeliveries(Operation[WebhookDeliveryPage], frozen=True):
    """List what was sent and what waits, the newest first: of a webhook, of a registered model, with a status."""

    webhook_id: str | None = None
    model_name: str | None = None
    status: str | None = None
    max_results: Int64 = 100
    page_token: str | None = None


@operation("GET", f"{_OURS}/get", _ADMIN, answer=WebhookDeliveryAnswer)
class GetWebhookDelivery(Operation[WebhookDeliveryAnswer], frozen=True):
    """Read a delivery with its body."""

    delivery_id: str


@operation("POST", f"{_OURS}/replay", _ADMIN, answer=WebhookDeliveryAnswer, repeatable=False)
class ReplayWebhookDelivery(Operation[WebhookDeliveryAnswer], frozen=True):
    """Send a delivery that has arrived or was given up once more, as a new one behind all that waits."""

    delivery_id: str


@operation("POST", f"{_OURS}/replay-failed", _ADMIN, answer=WebhookReplay, repeatable=False)
class ReplayFailedDeliveries(Operation[WebhookReplay], frozen=True):
    """Send all deliveries of a webhook that were given up once more, in their order; none twice."""

    webhook_id: str
