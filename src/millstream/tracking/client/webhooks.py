"""The client's calls on webhooks and the log of their deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from millstream.entities import PagedList
from millstream.entities.webhook import (
    Webhook,
    WebhookDelivery,
    WebhookEvent,
    WebhookStatus,
    WebhookTestResult,
)
from millstream.errors import InvalidValue
from millstream.operations import (
    CreateWebhook,
    DeleteWebhook,
    EventName,
    GetWebhook,
    GetWebhookDelivery,
    ListWebhookDeliveries,
    ListWebhooks,
    ReplayFailedDeliveries,
    ReplayWebhookDelivery,
    TestWebhook,
    UpdateWebhook,
    WebhookRecord,
)
from millstream.tracking.client.registry import RegistryCalls


class WebhookCalls(RegistryCalls):
    """Webhooks: addresses that are told of what happens in the registry, and what became of each call."""

    def create_webhook(
        self, name: str, url: str, events: Sequence[WebhookEvent | str], description: str | None = None,
        secret: str | None = None, status: str | WebhookStatus | None = None, *, model_name: str | None = None,
        payload_format: str | None = None, authorization: str | None = None,
        enable_ssl_verification: bool | None = None,
    ) -> Webhook:
        """Subscribe an address to events, such as ``model_version.created``, ``comment.*``, ``*``, or
        ``model_version.transitioned:Production``.

        ``secret`` signs each call (:func:`millstream.webhooks.verify` checks it), ``authorization`` is sent as the
        header of that name, such as ``Bearer …`` for a CI service; neither is ever shown. With ``model_name`` only
        events of that registered model are sent. ``payload_format`` is MLFLOW or DATABRICKS.
        """
        made = CreateWebhook(
            name, url, event_names(events), description, secret, None if status is None else str(status), model_name,
            payload_format, authorization, enable_ssl_verification,
        )
        return webhook_of(self._ask(made).webhook)

    def get_webhook(self, webhook_id: str) -> Webhook:
        """The webhook. Raises WebhookNotFound."""
        return webhook_of(self._ask(GetWebhook(webhook_id)).webhook)

    def list_webhooks(self, max_results: int | None = None, page_token: str | None = None) -> PagedList[Webhook]:
        """One page of the webhooks, in the order of their creation."""
        page = self._ask(ListWebhooks(100 if max_results is None else max_results, page_token, all_events=True))
        return PagedList([webhook_of(record) for record in page.webhooks], page.next_page_token)

    def update_webhook(
        self, webhook_id: str, name: str | None = None, description: str | None = None, url: str | None = None,
        events: Sequence[WebhookEvent | str] | None = None, secret: str | None = None,
        status: str | WebhookStatus | None = None, *, payload_format: str | None = None,
        authorization: str | None = None, enable_ssl_verification: bool | None = None,
    ) -> Webhook:
        """Change what is given of a webhook; an empty ``secret`` or ``authorization`` removes it.

        A disabled webhook is told of nothing that happens meanwhile; what waited then is sent when it is active again.
        """
        if events is not None and not events:
            raise InvalidValue.of("events", events, "a webhook is told of one event at least",
                                  hint="to stop it, pass status='DISABLED'")
        made = UpdateWebhook(
            webhook_id, name, description, url, event_names(events or ()), secret,
            None if status is None else str(status), payload_format, authorization, enable_ssl_verification,
        )
        return webhook_of(self._ask(made).webhook)

    def delete_webhook(self, webhook_id: str) -> None:
        """Remove a webhook with the log of its deliveries; what waits is not sent any more."""
        self._ask(DeleteWebhook(webhook_id))

    def test_webhook(self, webhook_id: str, event: WebhookEvent | str | None = None) -> WebhookTestResult:
        """Send a sample of an event now, of the first of the webhook unless given; returns what came back."""
        return self._ask(TestWebhook(webhook_id, None if event is None else event_names([event])[0])).result

    def list_webhook_deliveries(
        self, webhook_id: str | None = None, model_name: str | None = None, status: str | None = None,
        max_results: int = 100, page_token: str | None = None,
    ) -> PagedList[WebhookDelivery]:
        """One page of what was sent and what waits, the newest first: of a webhook, of a registered model, with a
        status (PENDING, DELIVERED or FAILED)."""
        page = self._ask(
            ListWebhookDeliveries(webhook_id, model_name, None if status is None else str(status), max_results,
                                  page_token)
        )
        return PagedList(page.deliveries, page.next_page_token)

    def get_webhook_delivery(self, delivery_id: str) -> WebhookDelivery:
        """A delivery with its body. Raises WebhookDeliveryNotFound."""
        return self._ask(GetWebhookDelivery(delivery_id)).delivery

    def replay_webhook_delivery(self, delivery_id: str) -> WebhookDelivery:
        """Send a delivery that has arrived or was given up once more; returns the new one, which waits for its turn."""
        return self._ask(ReplayWebhookDelivery(delivery_id)).delivery

    def replay_failed_webhook_deliveries(self, webhook_id: str) -> int:
        """Send all deliveries of a webhook that were given up once more, in their order; returns how many."""
        return self._ask(ReplayFailedDeliveries(webhook_id)).replayed


def event_names(events: Sequence[WebhookEvent | str]) -> list[EventName | str]:
    """Events as MLflow's servers understand them too."""
    if isinstance(events, str):
        raise InvalidValue.of("events", events, "expected a list", hint=f"pass [{events!r}]")
    found = [event if isinstance(event, WebhookEvent) else WebhookEvent.from_str(str(event)) for event in events]
    return [EventName(event.entity.value.upper(), event.action.value.upper(), event.stage) for event in found]


def webhook_of(record: WebhookRecord) -> Webhook:
    """The webhook that a store has answered, as users see it."""
    names = record.event_names or [f"{event.entity}.{event.action}".lower() for event in record.events]
    facts: dict[str, Any] = {
        "events": [WebhookEvent.from_str(name) for name in names],
        "status": WebhookStatus(record.status or "ACTIVE"),
        "description": record.description or None,
        "model_name": record.model_name,
        "has_secret": record.has_secret,
        "has_authorization": record.has_authorization,
        "payload_format": record.payload_format or "MLFLOW",
        "enable_ssl_verification": record.enable_ssl_verification is not False,
        "job_id": record.job_id,
    }
    return Webhook(
        webhook_id=record.webhook_id, name=record.name, url=record.url,
        creation_timestamp=record.creation_timestamp, last_updated_timestamp=record.last_updated_timestamp, **facts,
    )
