"""One call of a webhook: signed, sent through the one client for addresses that others chose, and what came of it."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from millstream import outgoing, settings
from millstream.entities.webhook import WebhookTestResult
from millstream.errors import MillstreamError, Unreachable
from millstream.operations import (
    RegistryWebhookTest,
    RegistryWebhookTestAnswer,
    TestRegistryWebhook,
    TestWebhook,
    WebhookTestAnswer,
)
from millstream.stores.sql.database import Database
from millstream.stores.sql.transaction import now_ms
from millstream.stores.sql.webhooks.checks import allows_private, check_events, check_url
from millstream.stores.sql.webhooks.payloads import event_of_managed
from millstream.stores.sql.webhooks.samples import sample
from millstream.stores.sql.webhooks.sealing import unseal
from millstream.stores.sql.webhooks.subscriptions import no_webhook
from millstream.stores.sql.webhooks.tables import webhooks
from millstream.webhooks import (
    DATABRICKS_SIGNATURE_HEADER,
    WEBHOOK_DELIVERY_ID_HEADER,
    WEBHOOK_SIGNATURE_HEADER,
    WEBHOOK_TIMESTAMP_HEADER,
    sign,
    sign_body,
)

EXCERPT = 1_000
_HIDDEN = "[hidden]"


@dataclass(frozen=True)
class Outcome:
    """What came of a call. ``again`` says that a later try may succeed, ``wait`` how many seconds that should take."""

    arrived: bool
    again: bool = False
    status: int | None = None
    excerpt: str | None = None
    error: str | None = None
    wait: float | None = None


def call(webhook: Row[Any], delivery_id: str, payload: str) -> Outcome:
    """Send a body to a webhook, ``webhook`` being its row. Whatever goes wrong is in the outcome; nothing is raised."""
    try:
        # What the settings allow now counts, not what they allowed when the webhook was made.
        check_url(webhook.url)
        try:
            secret, authorization = unseal(webhook.secret), unseal(webhook.authorization)
        except MillstreamError as error:  # a server that was started without its key gets it back
            return Outcome(False, again=True, error=error.message)
        secrets = [text for text in (secret, authorization, *(authorization or "").split()[1:]) if text]
        url, body, headers = _request(webhook, delivery_id, payload, secret)
        if authorization:
            headers["Authorization"] = authorization
        timeout = settings.WEBHOOK_REQUEST_TIMEOUT.get()
        with outgoing.request(
            "POST", url, max_bytes=2**63, body=body, headers=headers, timeout=timeout, total_timeout=timeout,
            allow_private=allows_private(), verify_tls=webhook.verify_tls,
        ) as answer:
            return _judge(answer, secrets)
    except Unreachable as error:
        return Outcome(False, again=True, error=error.message)
    except MillstreamError as error:
        return Outcome(False, error=error.message)
    except Exception as error:  # a delivery must not stay claimed by a thread that has died
        return Outcome(False, error=f"unexpected {type(error).__name__}")


def _request(
    webhook: Row[Any], delivery_id: str, payload: str, secret: str | None
) -> tuple[str, bytes, dict[str, str]]:
    headers = {"Content-Type": "application/json", WEBHOOK_DELIVERY_ID_HEADER: delivery_id}
    if webhook.job_id is not None:
        # One token starts one run, however often it is sent.
        run = {
            "job_id": int(webhook.job_id), "idempotency_token": delivery_id,
            "notebook_params": {"event_message": payload},
        }
        return f"{webhook.url}/api/2.1/jobs/run-now", json.dumps(run, ensure_ascii=False).encode(), headers
    body = payload.encode()
    if webhook.payload_format == "DATABRICKS":
        if secret:
            headers[DATABRICKS_SIGNATURE_HEADER] = sign_body(secret, body)
        return webhook.url, body, headers
    timestamp = str(int(time.time()))
    headers[WEBHOOK_TIMESTAMP_HEADER] = timestamp
    if secret:
        headers[WEBHOOK_SIGNATURE_HEADER] = sign(secret, delivery_id, timestamp, body)
    return webhook.url, body, headers


def _judge(answer: outgoing.Answer, secrets: list[str]) -> Outcome:
    status = answer.status
    try:
        excerpt: str | None = _excerpt(answer, secrets)
    except MillstreamError:  # the status has come, which is what counts
        excerpt = None
    if 200 <= status < 300:
        return Outcome(True, status=status, excerpt=excerpt)
    again = status == 429 or status >= 500
    wait = _wait(answer.headers.get("retry-after")) if again else None
    return Outcome(False, again, status, excerpt, f"the receiver answered with status {status}", wait)


def _excerpt(answer: outgoing.Answer, secrets: list[str]) -> str | None:
    found = b""
    for chunk in answer:
        found += chunk
        if len(found) >= outgoing.CHUNK:
            # A receiver may send back what it was sent; no part of that is to be left at the end.
            found = found[: -max(map(len, secrets), default=0) or None]
            break
    return _without(secrets, found.decode("utf-8", "replace").replace("\x00", "\ufffd"))[:EXCERPT] or None


def _without(secrets: list[str], text: str) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return text


def _wait(retry_after: str | None) -> float | None:
    """The seconds that a Retry-After asks for, a number or a date."""
    if not retry_after:
        return None
    if retry_after.isascii() and retry_after.strip().isdigit():
        return float(retry_after)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


# Tests: no transaction is open while the receiver is waited for.


def try_out(database: Database, operation: TestWebhook) -> WebhookTestAnswer:
    """Send a sample and tell what came back."""
    event = operation.event
    outcome = _send_sample(database, operation.webhook_id, None if event is None else check_events([event])[0])
    return WebhookTestAnswer(
        WebhookTestResult(outcome.arrived, outcome.status, outcome.excerpt, outcome.error)
    )


def try_out_managed(database: Database, operation: TestRegistryWebhook) -> RegistryWebhookTestAnswer:
    """Send a sample and tell what came back, as the managed registry does."""
    event = operation.event
    outcome = _send_sample(database, operation.id, None if event is None else event_of_managed(event))
    body = outcome.excerpt or outcome.error or ""
    return RegistryWebhookTestAnswer(RegistryWebhookTest(outcome.status, body), outcome.status, body)


def _send_sample(database: Database, webhook_id: str, event: str | None) -> Outcome:
    with database.reading() as connection:
        row = connection.execute(select(webhooks).where(webhooks.c.webhook_id == webhook_id)).one_or_none()
    if row is None:
        raise no_webhook(webhook_id)
    body = sample(row, event or row.events.split(",")[0], now_ms(), row.creator or "")
    return call(row, f"test-{webhook_id}-{now_ms()}", body)


# Operations that call elsewhere, and what carries them out.
OUTSIDE: dict[type, Callable[[Database, Any], Any]] = {TestWebhook: try_out, TestRegistryWebhook: try_out_managed}
