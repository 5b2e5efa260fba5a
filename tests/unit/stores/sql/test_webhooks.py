"""Deliveries from the outbox to a receiver: in order, tried again, kept, replayed; and secrets at rest."""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select, update

from millstream.entities.webhook import EVENTS, STAGED, WebhookAction, WebhookDelivery, WebhookEntity, WebhookEvent
from millstream.errors import InvalidState, InvalidValue
from millstream.operations import (
    CreateModelVersion,
    CreateRegisteredModel,
    CreateRegistryWebhook,
    CreateWebhook,
    DeleteWebhook,
    GetWebhook,
    GetWebhookDelivery,
    HttpUrlSpec,
    JobSpec,
    ListWebhookDeliveries,
    ReplayFailedDeliveries,
    ReplayWebhookDelivery,
    SetRegisteredModelTag,
    TestRegistryWebhook,
    TestWebhook,
    TransitionModelVersionStage,
    UpdateWebhook,
)
from millstream.server.webhooks import deliver_due
from millstream.stores.sql.store import SqlStore
from millstream.stores.sql.webhooks import calls
from millstream.stores.sql.webhooks.deliveries import pause
from millstream.stores.sql.webhooks.payloads import event_of_managed, managed_name
from millstream.stores.sql.webhooks.tables import webhook_deliveries, webhook_lanes, webhooks
from millstream.webhooks import sign_body
from tests.servers import keeper, postgres
from tests.servers.processes import wait_until
from tests.servers.receiver import SECRET, Call, Receiver

SOURCES = Path(calls.__file__).parents[3]


@pytest.fixture(autouse=True)
def friendly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_WEBHOOK_ALLOWED_SCHEMES", "http,https")
    monkeypatch.setenv("MILLSTREAM_WEBHOOK_ALLOW_PRIVATE_ADDRESSES", "true")
    monkeypatch.setenv("MILLSTREAM_WEBHOOK_BACKOFF_SECONDS", "0.01")
    monkeypatch.setenv("MILLSTREAM_WEBHOOK_REQUEST_TIMEOUT", "10")
    monkeypatch.delenv("MILLSTREAM_WEBHOOK_SECRET_ENCRYPTION_KEY", raising=False)


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    """A store on SQLite, or on PostgreSQL for tests that are of both."""
    if getattr(request, "param", "sqlite") == "sqlite":
        with SqlStore(f"sqlite:///{tmp_path}/store.db", str(tmp_path)) as store:
            yield store
    else:
        with (
            postgres.fresh_database(keeper.shared("postgres")["uri"]) as uri,
            SqlStore(uri, str(tmp_path)) as store,
        ):
            yield store


of_both = pytest.mark.parametrize("store", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def subscribe(store: SqlStore, receiver: Receiver, *events: str, **fields: Any) -> str:
    made = CreateWebhook("ci", receiver.url, list(events or ("*",)), **{"secret": SECRET, **fields})
    return store.execute(made).webhook.webhook_id


def log(store: SqlStore, webhook_id: str) -> list[WebhookDelivery]:
    """The deliveries of a webhook, the oldest first."""
    return store.execute(ListWebhookDeliveries(webhook_id)).deliveries[::-1]


def tag(store: SqlStore, name: str, *values: str) -> None:
    for value in values:
        store.execute(SetRegisteredModelTag(name, "step", value))


def values(found: list[Call], name: str) -> list[str]:
    """What the receiver was told of a model's tag, in the order in which that came."""
    told = [call.data["data"] for call in found]
    return [data["value"] for data in told if data["name"] == name and "key" in data]


def deliver_all(store: SqlStore) -> None:
    """Deliver until nothing waits."""
    def nothing_waits() -> bool:
        deliver_due(store.outbox)
        return not store.execute(ListWebhookDeliveries(status="PENDING")).deliveries

    wait_until(nothing_waits, 30, "the outbox to be empty")


@of_both
def test_deliveries_arrive_signed_and_are_logged(store: SqlStore, receiver: Receiver) -> None:
    webhook_id = subscribe(store, receiver, authorization="Bearer ci-token")
    store.execute(CreateRegisteredModel("loan"))
    tag(store, "loan", "1", "2")
    assert deliver_due(store.outbox) == 3
    assert deliver_due(store.outbox) == 0
    assert [call.data["entity"] for call in receiver.arrived] == ["registered_model", *["registered_model_tag"] * 2]
    assert receiver.forged == []
    first = receiver.calls[0]
    assert first.path == "/hook"
    assert (first.headers["content-type"], first.headers["authorization"]) == ("application/json", "Bearer ci-token")
    assert abs(int(first.headers["x-mlflow-timestamp"]) - time.time()) < 60
    for delivery, call in zip(log(store, webhook_id), receiver.calls, strict=True):
        assert delivery.delivery_id == call.delivery_id
        assert (delivery.status, delivery.tries, delivery.answer_status) == ("DELIVERED", 1, 200)
        assert (delivery.answer_excerpt, delivery.error, delivery.next_try_time) == ("taken", None, None)
        assert store.execute(GetWebhookDelivery(delivery.delivery_id)).delivery.payload == call.body.decode()


@of_both
def test_what_fails_is_sent_again_in_order_and_holds_up_its_own_model_only(
    store: SqlStore, receiver: Receiver
) -> None:
    webhook_id = subscribe(store, receiver)
    store.execute(CreateRegisteredModel("loan"))
    store.execute(CreateRegisteredModel("churn"))
    tag(store, "loan", "1", "2", "3")
    tag(store, "churn", "1", "2", "3")

    def busy_for_loan(call: Call) -> int:
        return 503 if call.data["data"]["name"] == "loan" else 200

    receiver.answer = busy_for_loan
    deliver_due(store.outbox)
    assert values(receiver.arrived, "churn") == ["1", "2", "3"]
    waiting = [one for one in log(store, webhook_id) if one.status == "PENDING"]
    assert [one.tries >= 1 for one in waiting] == [True, False, False, False], "only the first of its lane is tried"
    assert (waiting[0].answer_status, waiting[0].error) == (503, "the receiver answered with status 503")
    assert waiting[0].next_try_time is not None and waiting[0].last_try_time is not None
    receiver.answer = lambda call: 200
    deliver_all(store)
    assert values(receiver.arrived, "loan") == ["1", "2", "3"]
    tries = [call.delivery_id for call in receiver.calls if call.data["data"]["name"] == "loan"]
    assert len(set(tries)) == 4 and tries == sorted(tries, key=tries.index), "each has one id at all its tries"
    assert receiver.forged == []


@of_both
def test_other_refusals_are_kept_and_can_be_sent_again(store: SqlStore, receiver: Receiver) -> None:
    webhook_id = subscribe(store, receiver, "registered_model_tag.set")
    store.execute(CreateRegisteredModel("loan"))
    tag(store, "loan", "1", "2", "3")
    receiver.answer = lambda call: 404 if call.data["data"]["value"] != "3" else 200
    deliver_all(store)
    one, two, three = log(store, webhook_id)
    assert [(d.status, d.tries, d.answer_status) for d in (one, two, three)] == [
        ("FAILED", 1, 404), ("FAILED", 1, 404), ("DELIVERED", 1, 200)
    ]
    receiver.answer = lambda call: 200
    again = store.execute(ReplayWebhookDelivery(one.delivery_id)).delivery
    assert (again.replay_of, again.status) == (one.delivery_id, "PENDING")
    with pytest.raises(InvalidState, match="waits for its first try"):
        store.execute(ReplayWebhookDelivery(again.delivery_id))
    assert store.execute(ReplayFailedDeliveries(webhook_id)).replayed == 1, "one of the two is under way already"
    deliver_all(store)
    assert values(receiver.arrived, "loan") == ["3", "1", "2"]
    assert store.execute(ReplayFailedDeliveries(webhook_id)).replayed == 0
    assert len({call.delivery_id for call in receiver.calls}) == 5


def test_who_never_answers_is_given_up(
    store: SqlStore, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES", "2")
    webhook_id = subscribe(store, receiver)
    receiver.stop()
    store.execute(CreateRegisteredModel("loan"))
    tag(store, "loan", "1")
    deliver_all(store)
    found = log(store, webhook_id)
    assert [(one.status, one.tries, one.answer_status) for one in found] == [("FAILED", 3, None)] * 2
    assert all("does not answer" in (one.error or "") for one in found)


def test_a_receiver_says_when_to_come_back(store: SqlStore, receiver: Receiver) -> None:
    webhook_id = subscribe(store, receiver, "registered_model.created")
    date = email.utils.formatdate(time.time() + 1_000, usegmt=True)
    answers = iter([{"Retry-After": "700"}, {"Retry-After": date}])
    receiver.answer = lambda call: (429, next(answers), b"later")
    for name, seconds in (("a", 700), ("b", 1_000)):
        store.execute(CreateRegisteredModel(name))
        deliver_due(store.outbox)
        last = log(store, webhook_id)[-1]
        assert last.next_try_time is not None and last.last_try_time is not None
        assert seconds - 60 < (last.next_try_time - last.last_try_time) / 1000 <= seconds + 1
    assert not store.outbox.due()


def test_pauses_grow_to_their_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_WEBHOOK_BACKOFF_SECONDS", "2")
    monkeypatch.setenv("MILLSTREAM_WEBHOOK_BACKOFF_MAX_SECONDS", "60")
    for tries, longest in ((1, 2), (2, 4), (4, 16), (6, 60), (500, 60)):
        found = [pause(tries, None) for _ in range(200)]
        assert longest / 2 <= min(found) < max(found) <= longest
    assert pause(1, 30.0) == 30.0
    assert pause(1, 86_400.0) == 60.0


def test_a_redirect_is_not_followed(store: SqlStore, receiver: Receiver) -> None:
    webhook_id = subscribe(store, receiver)
    with Receiver() as other:
        receiver.answer = lambda call: (307, {"Location": other.url}, b"")
        store.execute(CreateRegisteredModel("loan"))
        deliver_all(store)
        assert other.calls == []
    assert [(one.status, one.answer_status) for one in log(store, webhook_id)] == [("FAILED", 307)]


def test_addresses_are_judged_when_they_are_called(
    store: SqlStore, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook_id = subscribe(store, receiver)
    monkeypatch.delenv("MILLSTREAM_WEBHOOK_ALLOW_PRIVATE_ADDRESSES")
    store.execute(CreateRegisteredModel("loan"))
    deliver_all(store)
    (refused,) = log(store, webhook_id)
    assert refused.status == "FAILED" and "public internet" in (refused.error or "")
    assert receiver.calls == []
    monkeypatch.setenv("MILLSTREAM_ALLOW_PRIVATE_ADDRESSES", "true")
    monkeypatch.setenv("MILLSTREAM_WEBHOOK_ALLOWED_SCHEMES", "https")
    store.execute(ReplayWebhookDelivery(refused.delivery_id))
    deliver_all(store)
    assert "https" in (log(store, webhook_id)[-1].error or "")
    assert receiver.calls == []


def test_what_a_receiver_says_is_bounded_and_secrets_in_it_are_hidden(store: SqlStore, receiver: Receiver) -> None:
    webhook_id = subscribe(store, receiver, authorization="Bearer very-secret-token")
    said = f"Bearer very-secret-token {SECRET} ".encode() + b"\xff\x00" * 900_000
    receiver.answer = lambda call: (200, {}, said)
    store.execute(CreateRegisteredModel("loan"))
    deliver_all(store)
    (found,) = log(store, webhook_id)
    assert found.status == "DELIVERED" and found.answer_excerpt is not None
    assert found.answer_excerpt.startswith("[hidden] [hidden] \ufffd") and len(found.answer_excerpt) == calls.EXCERPT
    result = store.execute(TestWebhook(webhook_id)).result
    assert (result.success, (result.response_body or "")[:18]) == (True, "[hidden] [hidden] ")


def test_an_answer_that_drips_in_is_broken_off(
    store: SqlStore, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLSTREAM_WEBHOOK_REQUEST_TIMEOUT", "0.3")
    webhook_id = subscribe(store, receiver, "registered_model.created")
    done: list[bool] = []

    def drip(request: Any, call: Call) -> None:
        try:
            for _ in range(2_000):
                request.wfile.write(b"H")
                request.wfile.flush()
                time.sleep(0.005)
        except OSError:
            done.append(True)

    monkeypatch.setattr(receiver, "take", drip)
    store.execute(CreateRegisteredModel("loan"))
    deliver_due(store.outbox)
    (found,) = log(store, webhook_id)
    assert found.tries >= 1 and found.answer_status is None and "does not answer" in (found.error or "")
    wait_until(lambda: bool(done), 30, "the receiver to notice")


@of_both
def test_a_webhook_that_sleeps_keeps_what_waits(store: SqlStore, receiver: Receiver) -> None:
    webhook_id = subscribe(store, receiver)
    store.execute(CreateRegisteredModel("loan"))
    store.execute(UpdateWebhook(webhook_id, status="DISABLED"))
    tag(store, "loan", "unheard")
    assert deliver_due(store.outbox) == 0
    store.execute(UpdateWebhook(webhook_id, status="ACTIVE"))
    tag(store, "loan", "heard")
    deliver_all(store)
    assert [call.data["action"] for call in receiver.arrived] == ["created", "set"]
    assert values(receiver.arrived, "loan") == ["heard"]


@of_both
def test_what_is_deleted_meanwhile_is_forgotten(store: SqlStore, receiver: Receiver) -> None:
    webhook_id = subscribe(store, receiver)
    store.execute(CreateRegisteredModel("loan"))
    (claim,) = store.outbox.claim(10)
    store.execute(DeleteWebhook(webhook_id))
    assert store.outbox.send(claim) is None
    assert not store.outbox.due()
    assert store.execute(ListWebhookDeliveries()).deliveries == []


@of_both
def test_a_lane_has_one_holder_until_its_lease_ends(store: SqlStore, receiver: Receiver) -> None:
    webhook_id = subscribe(store, receiver)
    store.execute(CreateRegisteredModel("loan"))
    store.execute(CreateRegisteredModel("churn"))
    tag(store, "loan", "1")
    (first,) = store.outbox.claim(1)
    (second,) = store.outbox.claim(10)
    assert first.delivery.lane != second.delivery.lane
    assert store.outbox.claim(10) == [] and not store.outbox.due()
    with store._database.writing() as connection:
        connection.execute(update(webhook_lanes).where(webhook_lanes.c.holder == first.holder).values(lease_until=1))
    (taken,) = store.outbox.claim(10)
    assert taken.delivery.id == first.delivery.id
    assert store.outbox.send(first) is None
    assert [one.tries for one in log(store, webhook_id)] == [0, 0, 0], "the word of who lost its lease does not count"
    following = store.outbox.send(taken)
    assert following is not None and json.loads(following.delivery.payload)["action"] == "set"
    assert store.outbox.send(following) is None
    assert store.outbox.send(second, lambda: False) is None
    assert {one.status for one in log(store, webhook_id)} == {"DELIVERED"}


@of_both
def test_one_slow_webhook_can_be_passed_over(store: SqlStore, receiver: Receiver) -> None:
    subscribe(store, receiver)
    subscribe(store, receiver)
    store.execute(CreateRegisteredModel("loan"))
    (slow,) = store.outbox.claim(1)
    store.execute(CreateRegisteredModel("churn"))
    found = store.outbox.claim(10, {slow.webhook_number})
    assert {claim.webhook_number for claim in found} == {3 - slow.webhook_number} and len(found) == 2


@of_both
def test_the_log_forgets_what_is_old(store: SqlStore, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    webhook_id = subscribe(store, receiver)
    store.execute(CreateRegisteredModel("loan"))
    deliver_all(store)
    tag(store, "loan", "1")
    with store._database.writing() as connection:
        table = webhook_deliveries
        connection.execute(update(table).values(last_try_time=table.c.creation_timestamp - 3 * 24 * 3_600_000))
    assert store.outbox.forget() == 0
    monkeypatch.setenv("MILLSTREAM_WEBHOOK_RETENTION_DAYS", "2")
    store.sweep()
    assert [one.status for one in log(store, webhook_id)] == ["PENDING"]


def test_secrets_rest_encrypted(store: SqlStore, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    def kept() -> str:
        with store._database.reading() as connection:
            return " ".join(map(str, connection.execute(select(webhooks.c.secret, webhooks.c.authorization)).one()))

    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    webhook_id = subscribe(store, receiver, authorization="Bearer token")
    assert SECRET in kept()
    monkeypatch.setenv("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", old)
    store.execute(UpdateWebhook(webhook_id, secret=SECRET, authorization="Bearer token"))
    assert SECRET not in kept() and "token" not in kept()
    store.execute(CreateRegisteredModel("a"))
    deliver_all(store)
    monkeypatch.setenv("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", f"{new},{old}")
    store.execute(CreateRegisteredModel("b"))
    deliver_all(store)
    assert len(receiver.arrived) == 2 and receiver.forged == []
    monkeypatch.setenv("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", new)
    store.execute(CreateRegisteredModel("c"))
    deliver_due(store.outbox)
    waiting = log(store, webhook_id)[-1]
    assert waiting.status == "PENDING" and "another key" in (waiting.error or "")
    monkeypatch.setenv("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY", "no key")
    with pytest.raises(InvalidValue, match="no Fernet key"):
        subscribe(store, receiver)


def test_the_managed_registrys_call(store: SqlStore, receiver: Receiver) -> None:
    spec = HttpUrlSpec(receiver.url, secret=SECRET, authorization="Basic abc")
    made = store.execute(CreateRegistryWebhook(["REGISTERED_MODEL_CREATED"], http_url_spec=spec)).webhook
    store.execute(CreateRegisteredModel("loan"))
    deliver_all(store)
    (call,) = receiver.arrived
    assert call.headers["x-databricks-signature"] == sign_body(SECRET, call.body)
    assert call.headers["authorization"] == "Basic abc" and "x-mlflow-signature" not in call.headers
    assert (call.data["event"], call.data["model_name"]) == ("REGISTERED_MODEL_CREATED", "loan")
    answer = store.execute(TestRegistryWebhook(made.id, "MODEL_VERSION_TRANSITIONED_TO_PRODUCTION"))
    assert (answer.status_code, answer.body) == (200, "taken")
    sample = receiver.calls[-1].data
    assert (sample["event"], sample["to_stage"]) == ("MODEL_VERSION_TRANSITIONED_STAGE", "Production")
    assert receiver.forged == []


def test_a_job_is_started_once_however_often_it_is_asked_for(store: SqlStore) -> None:
    with Receiver(secret=None) as receiver:
        receiver.answer = lambda call: 200 if len(receiver.calls) else 500
        job = JobSpec("17", receiver.url.removesuffix("/hook"), "workspace-token")
        store.execute(CreateRegistryWebhook(["MODEL_VERSION_TRANSITIONED_STAGE"], job_spec=job))
        store.execute(CreateRegisteredModel("loan"))
        store.execute(CreateModelVersion("loan", "s3://bucket/model"))
        store.execute(TransitionModelVersionStage("loan", "1", "Production"))
        deliver_all(store)
        first, second = receiver.calls
        assert first.path == "/api/2.1/jobs/run-now" and first.headers["authorization"] == "Bearer workspace-token"
        assert first.body == second.body, "the token is the same, so the workspace starts one run"
        assert first.data["job_id"] == 17 and first.data["idempotency_token"] == first.delivery_id
        message = json.loads(first.data["notebook_params"]["event_message"])
        assert (message["event"], message["to_stage"]) == ("MODEL_VERSION_TRANSITIONED_STAGE", "Production")


@pytest.mark.parametrize("event", [
    *(f"{entity}.{action}" for entity, actions in EVENTS.items() for action in actions),
    *(f"{event}:Staging" for event in STAGED), "*", "comment.*",
])
@pytest.mark.parametrize("payload_format", ["MLFLOW", "DATABRICKS"])
def test_every_event_has_a_sample(
    store: SqlStore, receiver: Receiver, event: str, payload_format: str
) -> None:
    webhook_id = subscribe(store, receiver, event, payload_format=payload_format, status="TEST_MODE")
    assert store.execute(TestWebhook(webhook_id)).result.success
    (call,) = receiver.calls
    if payload_format == "MLFLOW":
        assert set(call.data) == {"entity", "action", "timestamp", "data"}
        kind = f"{call.data['entity']}.{call.data['action']}"
        assert event in ("*", "comment.*") or event.partition(":")[0] == kind
    else:
        assert {"event", "webhook_id", "event_timestamp", "text"} <= set(call.data)
        assert call.data["webhook_id"] == webhook_id
    assert receiver.forged == []
    assert store.execute(GetWebhook(webhook_id)).webhook.event_names == [event]


def test_names_of_events() -> None:
    for entity, actions in EVENTS.items():
        for action in actions:
            event = WebhookEvent(WebhookEntity(entity), WebhookAction(action))
            assert WebhookEvent.from_str(str(event)) == event
            assert event_of_managed(managed_name(str(event))) == str(event)
    assert str(WebhookEvent.from_str("model_version.transitioned:archived")) == "model_version.transitioned:Archived"
    assert managed_name("transition_request.created:Production") == "TRANSITION_REQUEST_TO_PRODUCTION_CREATED"
    assert event_of_managed("*") == "*"
    with pytest.raises(InvalidValue, match="no such event"):
        event_of_managed("MODEL_VERSION_EXPLODED")


def test_every_kind_of_change_is_an_event_that_can_be_wanted() -> None:
    known = {f"{entity}.{action}" for entity, actions in EVENTS.items() for action in actions}
    written: set[str] = set()
    for entity in EVENTS:
        pattern = re.compile(rf'"({entity}\.[a-z_]+)"')
        for path in (SOURCES / "stores" / "sql").rglob("*.py"):
            if "webhooks" not in path.parts:
                written.update(pattern.findall(path.read_text()))
    assert written, "the sources are not where they were"
    assert written <= known
