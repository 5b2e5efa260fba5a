"""Deliveries on their way: claimed by one process at a time, sent in order, tried again, kept and forgotten.

A claim is a lease on a lane, so one process sends what it holds, one delivery after the other. Who dies keeps its lanes
until the lease ends; then the delivery that was under way is sent again, by whoever claims it.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, or_, select, update

from millstream import settings
from millstream.entities.webhook import WebhookDelivery, WebhookDeliveryStatus
from millstream.errors import InvalidState, InvalidValue, WebhookDeliveryNotFound
from millstream.operations import (
    GetWebhookDelivery,
    ListWebhookDeliveries,
    ReplayFailedDeliveries,
    ReplayWebhookDelivery,
    WebhookDeliveryAnswer,
    WebhookDeliveryPage,
    WebhookReplay,
)
from millstream.operations.limits import check_page
from millstream.search.sql import Clause
from millstream.stores.sql.database import Database
from millstream.stores.sql.ordering import VALUE, Key, fingerprint, read_token, write_token
from millstream.stores.sql.transaction import Transaction, executes, now_ms
from millstream.stores.sql.webhooks.calls import Outcome, call
from millstream.stores.sql.webhooks.outbox import enqueue
from millstream.stores.sql.webhooks.subscriptions import find_webhook
from millstream.stores.sql.webhooks.tables import webhook_deliveries, webhook_lanes, webhooks

PENDING = WebhookDeliveryStatus.PENDING.value
DELIVERED = WebhookDeliveryStatus.DELIVERED.value
FAILED = WebhookDeliveryStatus.FAILED.value

DELIVERIES_PAGE = 1_000

_DAY = 24 * 3600 * 1000
_FORGOTTEN_AT_ONCE = 1_000
_LANES, _DELIVERIES = webhook_lanes, webhook_deliveries


@dataclass(frozen=True)
class Claim:
    """A delivery that may be sent now: the row of the webhook, and its own. ``holder`` marks this claim."""

    webhook: Row[Any]
    delivery: Row[Any]
    holder: str

    @property
    def webhook_number(self) -> int:
        """Which webhook it is of."""
        return int(self.webhook.id)


class Outbox:
    """What webhooks of a database are to be told, for those who tell them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listener: Callable[[], None] | None = None

    def listen(self, on_publish: Callable[[], None]) -> None:
        """Call ``on_publish`` in the writer's thread after each commit that leaves something to tell."""
        self._listener = on_publish

    def wake(self) -> None:
        """Say that there is something to tell."""
        if self._listener is not None:
            self._listener()

    def due(self) -> bool:
        """Whether there is anything to claim; costs next to nothing."""
        with self._database.reading() as connection:
            return connection.execute(_claimable().limit(1)).first() is not None

    def claim(self, most: int, passed_over: Collection[int] = ()) -> list[Claim]:
        """The next delivery of up to ``most`` lanes, which nobody else has until each is sent or its lease ends.

        Webhooks whose numbers are in ``passed_over`` are left alone.
        """
        with self._database.writing() as connection:
            query = _claimable().order_by(_LANES.c.due_time).limit(most)
            if passed_over:
                query = query.where(_LANES.c.webhook.not_in(passed_over))
            found = connection.execute(query.with_for_update(of=_LANES, skip_locked=True)).all()
            claims = [_take(connection, lane.webhook, lane.lane) for lane in found]
        return [claim for claim in claims if claim is not None]

    def send(self, claim: Claim, more: Callable[[], bool] = lambda: True) -> Claim | None:
        """Send a delivery, keep what came of it, and give its lane back; where ``more`` still holds then, claim the
        next of the lane if that is due."""
        outcome = call(claim.webhook, claim.delivery.delivery_id, claim.delivery.payload)
        with self._database.writing() as connection:
            return _settle(connection, claim, outcome, more=more())

    def forget(self) -> int:
        """Remove deliveries that arrived or were given up long ago; returns how many. 1,000 at a time."""
        before = now_ms() - int(settings.WEBHOOK_RETENTION_DAYS.get() * _DAY)
        with self._database.writing() as connection:
            old = (
                select(_DELIVERIES.c.id)
                .where(_DELIVERIES.c.status != PENDING, _DELIVERIES.c.last_try_time < before)
                .limit(_FORGOTTEN_AT_ONCE)
            )
            return connection.execute(delete(_DELIVERIES).where(_DELIVERIES.c.id.in_(old))).rowcount


def _claimable() -> Select[Any]:
    now = now_ms()
    return (
        select(_LANES.c.webhook, _LANES.c.lane)
        .join(webhooks, webhooks.c.id == _LANES.c.webhook)
        .where(
            _LANES.c.due_time <= now,
            or_(_LANES.c.lease_until.is_(None), _LANES.c.lease_until < now),
            webhooks.c.status == "ACTIVE",
        )
    )


def _take(connection: Connection, webhook: int, lane: str) -> Claim | None:
    """Lease a lane that is locked, and give its first delivery; a lane without one has nothing due."""
    here = and_(_LANES.c.webhook == webhook, _LANES.c.lane == lane)
    first = _first(connection, webhook, lane)
    if first is None:
        connection.execute(update(_LANES).where(here).values(due_time=None, lease_until=None, holder=None))
        return None
    holder = uuid.uuid4().hex
    until = now_ms() + int(1000 * (2 * settings.WEBHOOK_REQUEST_TIMEOUT.get() + 5))
    connection.execute(update(_LANES).where(here).values(lease_until=until, holder=holder))
    return Claim(connection.execute(select(webhooks).where(webhooks.c.id == webhook)).one(), first, holder)


def _first(connection: Connection, webhook: int, lane: str) -> Row[Any] | None:
    return connection.execute(
        select(_DELIVERIES)
        .where(_DELIVERIES.c.webhook == webhook, _DELIVERIES.c.lane == lane, _DELIVERIES.c.status == PENDING)
        .order_by(_DELIVERIES.c.id)
        .limit(1)
    ).one_or_none()


def _settle(connection: Connection, claim: Claim, outcome: Outcome, *, more: bool) -> Claim | None:
    webhook, lane = claim.webhook.id, claim.delivery.lane
    here = and_(_LANES.c.webhook == webhook, _LANES.c.lane == lane)
    held = connection.execute(select(_LANES.c.holder).where(here).with_for_update()).scalar()
    if held != claim.holder:
        # The lease ran out and another sends this delivery, or the webhook is gone: its word counts, not ours.
        return None
    _keep(connection, claim.delivery, outcome)
    following = _first(connection, webhook, lane)
    status = connection.execute(select(webhooks.c.status).where(webhooks.c.id == webhook)).scalar()
    due = None if following is None else following.next_try_time
    if more and due is not None and due <= now_ms() and status == "ACTIVE":
        return _take(connection, webhook, lane)
    connection.execute(update(_LANES).where(here).values(due_time=due, lease_until=None, holder=None))
    return None


def _keep(connection: Connection, delivery: Row[Any], outcome: Outcome) -> None:
    now, tries = now_ms(), delivery.tries + 1
    values: dict[str, Any] = {
        "tries": tries, "last_try_time": now, "next_try_time": None, "answer_status": outcome.status,
        "answer_excerpt": outcome.excerpt, "error": outcome.error,
    }
    if outcome.arrived:
        values["status"] = DELIVERED
    elif outcome.again and tries <= settings.WEBHOOK_REQUEST_MAX_RETRIES.get():
        values["next_try_time"] = now + int(1000 * pause(tries, outcome.wait))
    else:
        values["status"] = FAILED
    connection.execute(update(_DELIVERIES).where(_DELIVERIES.c.id == delivery.id).values(values))


def pause(tries: int, asked: float | None) -> float:
    """Seconds until the next try: twice as long each time, by chance up to a half less, so that those who failed
    together do not come back together; as long as the receiver asked for if that is longer, within the limit."""
    most = settings.WEBHOOK_BACKOFF_MAX_SECONDS.get()
    doubled = settings.WEBHOOK_BACKOFF_SECONDS.get() * 2 ** min(tries - 1, 60)
    return float(min(most, max(min(most, doubled) * random.uniform(0.5, 1.0), asked or 0.0)))


# The log


def _delivery(row: Row[Any], *, whole: bool = False) -> WebhookDelivery:
    return WebhookDelivery(
        delivery_id=row.delivery_id,
        webhook_id=row.webhook_id,
        event=row.event,
        status=row.status,
        creation_timestamp=row.creation_timestamp,
        tries=row.tries,
        model_name=row.model,
        last_try_time=row.last_try_time,
        next_try_time=row.next_try_time,
        answer_status=row.answer_status,
        answer_excerpt=row.answer_excerpt,
        error=row.error,
        replay_of=row.replay_of,
        payload=row.payload if whole else None,
    )


def _select() -> Select[Any]:
    return select(_DELIVERIES, webhooks.c.webhook_id).join(webhooks, webhooks.c.id == _DELIVERIES.c.webhook)


def _find(transaction: Transaction, delivery_id: str) -> Row[Any]:
    row = transaction.connection.execute(_select().where(_DELIVERIES.c.delivery_id == delivery_id)).one_or_none()
    if row is None:
        raise WebhookDeliveryNotFound(
            f"Webhook delivery with id={delivery_id} not found", hint="`millstream webhooks deliveries` shows them"
        )
    return row


@executes(ListWebhookDeliveries)
def list_deliveries(transaction: Transaction, operation: ListWebhookDeliveries) -> WebhookDeliveryPage:
    limit = check_page(operation.max_results, DELIVERIES_PAGE)
    status = None if operation.status is None else operation.status.upper()
    query = _select()
    if operation.webhook_id is not None:
        query = query.where(_DELIVERIES.c.webhook == find_webhook(transaction, operation.webhook_id).id)
    if operation.model_name is not None:
        query = query.where(_DELIVERIES.c.model == operation.model_name)
    if status is not None:
        if status not in (PENDING, DELIVERED, FAILED):
            raise InvalidValue.of("status", operation.status, f"it is none of {PENDING}, {DELIVERED}, {FAILED}")
        query = query.where(_DELIVERIES.c.status == status)
    of = fingerprint("deliveries", operation.webhook_id, operation.model_name, status)
    after = read_token(operation.page_token, of, [Key(Clause("id"), False)])
    if after is not None:
        query = query.where(_DELIVERIES.c.id < after[0][1])
    rows = transaction.connection.execute(query.order_by(_DELIVERIES.c.id.desc()).limit(limit + 1)).all()
    token = write_token(of, ((VALUE, rows[limit - 1].id),)) if len(rows) > limit else None
    return WebhookDeliveryPage([_delivery(row) for row in rows[:limit]], token)


@executes(GetWebhookDelivery)
def get_delivery(transaction: Transaction, operation: GetWebhookDelivery) -> WebhookDeliveryAnswer:
    return WebhookDeliveryAnswer(_delivery(_find(transaction, operation.delivery_id), whole=True))


@executes(ReplayWebhookDelivery)
def replay(transaction: Transaction, operation: ReplayWebhookDelivery) -> WebhookDeliveryAnswer:
    row = _find(transaction, operation.delivery_id)
    if row.status == PENDING:
        raise InvalidState(
            f"the delivery {row.delivery_id} waits for its {'next' if row.tries else 'first'} try",
            hint="only what has arrived or was given up can be sent once more",
        )
    return WebhookDeliveryAnswer(_delivery(_find(transaction, _again(transaction, row)), whole=True))


@executes(ReplayFailedDeliveries)
def replay_failed(transaction: Transaction, operation: ReplayFailedDeliveries) -> WebhookReplay:
    webhook = find_webhook(transaction, operation.webhook_id)
    replayed = select(_DELIVERIES.c.replay_of).where(
        _DELIVERIES.c.webhook == webhook.id, _DELIVERIES.c.replay_of.is_not(None)
    )
    rows = transaction.connection.execute(
        select(_DELIVERIES)
        .where(
            _DELIVERIES.c.webhook == webhook.id, _DELIVERIES.c.status == FAILED,
            _DELIVERIES.c.delivery_id.not_in(replayed),
        )
        .order_by(_DELIVERIES.c.id)
    ).all()
    for row in rows:
        _again(transaction, row)
    return WebhookReplay(len(rows))


def _again(transaction: Transaction, row: Row[Any]) -> str:
    (made,) = enqueue(
        transaction, [(row.webhook, row.payload)], row.event, row.model, row.lane, replay_of=row.delivery_id
    )
    return made
