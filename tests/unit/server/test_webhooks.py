"""The sender of a server: prompt, fair between webhooks, and ended with nothing half done."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.errors import StoreUnavailable
from millstream.operations import CreateRegisteredModel, CreateWebhook, ListWebhookDeliveries, SetRegisteredModelTag
from millstream.server.webhooks import Sender
from millstream.stores.sql.store import SqlStore
from tests.servers.processes import wait_until
from tests.servers.receiver import SECRET, Call, Receiver


@pytest.fixture(autouse=True)
def friendly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_WEBHOOK_ALLOWED_SCHEMES", "http")
    monkeypatch.setenv("MILLSTREAM_WEBHOOK_ALLOW_PRIVATE_ADDRESSES", "true")
    monkeypatch.setenv("MILLSTREAM_WEBHOOK_POLL_SECONDS", "0.02")
    monkeypatch.setenv("MILLSTREAM_WEBHOOK_DELIVERY_MAX_WORKERS", "4")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with SqlStore(f"sqlite:///{tmp_path}/store.db", str(tmp_path)) as store:
        yield store


@pytest.fixture
def sender(store: SqlStore) -> Iterator[Sender]:
    sender = Sender(store.outbox)
    sender.start()
    yield sender
    sender.stop()


def subscribe(store: SqlStore, receiver: Receiver) -> None:
    store.execute(CreateWebhook("ci", receiver.url, ["*"], secret=SECRET))


def statuses(store: SqlStore) -> list[str]:
    return [one.status for one in store.execute(ListWebhookDeliveries()).deliveries]


def test_what_happens_is_sent_without_being_asked(store: SqlStore, sender: Sender) -> None:
    with Receiver() as receiver:
        subscribe(store, receiver)
        for number in range(3):
            store.execute(CreateRegisteredModel(f"m{number}"))
            wait_until(lambda: len(receiver.arrived) == number + 1, 30, "the delivery")  # noqa: B023
        wait_until(lambda: statuses(store) == ["DELIVERED"] * 3, 30, "the log")
    assert receiver.forged == []


def test_a_receiver_that_keeps_everybody_waiting_does_not_hold_up_the_others(
    store: SqlStore, sender: Sender
) -> None:
    free = threading.Event()

    def wait(call: Call) -> int:
        assert free.wait(60)
        return 200

    with Receiver() as slow, Receiver() as quick:
        slow.answer = wait
        subscribe(store, slow)
        subscribe(store, quick)
        for number in range(8):
            store.execute(CreateRegisteredModel(f"m{number}"))
        wait_until(lambda: len(quick.arrived) == 8, 30, "the quick receiver's deliveries")
        assert slow.calls == []
        free.set()
        wait_until(lambda: len(slow.arrived) == 8, 30, "the slow receiver's deliveries")


def test_the_end_waits_for_the_call_under_way_and_leaves_the_rest(store: SqlStore) -> None:
    sender = Sender(store.outbox)
    begun, free = threading.Event(), threading.Event()

    def wait(call: Call) -> int:
        begun.set()
        assert free.wait(60)
        return 200

    with Receiver() as receiver:
        receiver.answer = wait
        subscribe(store, receiver)
        store.execute(CreateRegisteredModel("m"))
        store.execute(SetRegisteredModelTag("m", "k", "v"))
        sender.start()
        sender.start()
        assert begun.wait(60)
        stopping = threading.Thread(target=sender.stop)
        stopping.start()
        wait_until(sender._stopped.is_set, 30, "the sender to be told")
        free.set()
        stopping.join(60)
        assert not stopping.is_alive()
        assert len(receiver.arrived) == 1
    assert statuses(store) == ["PENDING", "DELIVERED"]
    assert store.outbox.due(), "the next server has it at once"


def test_a_database_that_is_away_is_asked_again(
    store: SqlStore, sender: Sender, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    due, failures = store.outbox.due, 0

    def away() -> bool:
        nonlocal failures
        failures += 1
        if failures < 3:
            raise StoreUnavailable("away")
        return due()

    monkeypatch.setattr(store.outbox, "due", away)
    with Receiver() as receiver:
        subscribe(store, receiver)
        store.execute(CreateRegisteredModel("m"))
        wait_until(lambda: len(receiver.arrived) == 1, 30, "the delivery")
    assert SECRET not in caplog.text
