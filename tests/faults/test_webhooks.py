"""Every event arrives, in order, though the receiver is down and servers are killed: at least once, twice only then."""

from __future__ import annotations

import itertools
import json
import random
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from millstream.errors import MillstreamError
from millstream.operations import (
    CreateRegisteredModel,
    CreateWebhook,
    ListWebhookDeliveries,
    SetRegisteredModelTag,
)
from millstream.stores import open_store
from millstream.stores.contract import Store
from millstream.stores.http.store import HttpStore
from tests.clients.run import run_program
from tests.servers.millstream import MillstreamServer
from tests.servers.processes import wait_until
from tests.servers.receiver import SECRET, Call, Receiver

MODELS = ("loan", "churn", "fraud", "price")
QUICK = {
    "MILLSTREAM_WEBHOOK_ALLOWED_SCHEMES": "http",
    "MILLSTREAM_WEBHOOK_ALLOW_PRIVATE_ADDRESSES": "true",
    "MILLSTREAM_WEBHOOK_BACKOFF_SECONDS": "0.05",
    "MILLSTREAM_WEBHOOK_BACKOFF_MAX_SECONDS": "0.5",
    "MILLSTREAM_WEBHOOK_REQUEST_MAX_RETRIES": "10000",
    "MILLSTREAM_WEBHOOK_REQUEST_TIMEOUT": "1",
    "MILLSTREAM_WEBHOOK_POLL_SECONDS": "0.05",
}


class Changes:
    """Tags that are set, one number after the other, a thread a model; what was acknowledged is kept."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, list[int]] = {name: [] for name in MODELS}
        self._numbers = {name: itertools.count() for name in MODELS}

    def make(self, store: Store, name: str, count: int) -> None:
        """Set a model's tag so many times, or until the server is gone."""
        for number in itertools.islice(self._numbers[name], count):
            try:
                store.execute(SetRegisteredModelTag(name, "number", str(number)))
            except MillstreamError:
                return
            self.acknowledged[name].append(number)

    def start(self, uris: Sequence[str], count: int) -> list[threading.Thread]:
        """A thread for each model, at these servers by turns."""
        def work(name: str, uri: str) -> None:
            with HttpStore(uri) as store:
                self.make(store, name, count)

        threads = [
            threading.Thread(target=work, args=(name, uri)) for name, uri in zip(MODELS, itertools.cycle(uris))
        ]
        for thread in threads:
            thread.start()
        return threads


def numbers(calls: Sequence[Call], name: str) -> list[int]:
    """What came of a model, each delivery once, in the order of the first time that it was taken."""
    seen: dict[str, int] = {}
    for call in calls:
        data = call.data["data"]
        if data["name"] == name and "value" in data:
            seen.setdefault(call.delivery_id, int(data["value"]))
    return list(seen.values())


def prepare(uri: str, receiver: Receiver) -> None:
    with open_store(uri) as store:
        for name in MODELS:
            store.execute(CreateRegisteredModel(name))
        store.execute(CreateWebhook("ci", receiver.url, ["registered_model_tag.set"], secret=SECRET))


def nothing_waits(store: Store) -> bool:
    return not store.execute(ListWebhookDeliveries(status="PENDING", max_results=1)).deliveries


def check(calls: Sequence[Call], changes: Changes) -> None:
    """All that was acknowledged has come, in order; what was not may have happened too, or not."""
    for name in MODELS:
        came = numbers(calls, name)
        assert came == sorted(set(came)), f"{name} is out of order"
        assert set(changes.acknowledged[name]) <= set(came), f"events of {name} are lost"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_nothing_is_lost_when_receiver_and_server_go_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    chance, changes = random.Random(7), Changes()
    with Receiver() as receiver, MillstreamServer(tmp_path, environment=QUICK) as server:
        prepare(server.uri, receiver)
        # The receiver is down. The server dies between what it has committed and what it would have sent.
        receiver.stop()
        for thread in changes.start([server.uri], 15):
            thread.join(60)
        server.kill()
        assert receiver.calls == []
        # The receiver is back and refuses every third call; the server dies while it sends and is written to.
        receiver.answer = lambda call: 503 if chance.random() < 0.3 else 200
        receiver.start()
        server.start()
        threads = changes.start([server.uri], 300)
        wait_until(lambda: len(receiver.arrived) >= 20, 60, "some deliveries", server.process)
        server.kill()
        for thread in threads:
            thread.join(60)
        # Both are back.
        server.start()
        for thread in changes.start([server.uri], 5):
            thread.join(60)
        with open_store(server.uri) as store:
            wait_until(lambda: nothing_waits(store), 120, "all deliveries", server.process)
        found = receiver.arrived
    assert receiver.forged == []
    check(found, changes)
    assert min(len(numbers(found, name)) for name in MODELS) >= 15
    twice = [count for count in Counter(call.delivery_id for call in found).values() if count > 1]
    assert len(twice) <= len(MODELS), "only what was under way at the kill comes twice"


@pytest.mark.clients
@pytest.mark.slow
def test_the_official_client_signs_as_we_do(tmp_path: Path) -> None:
    changes = Changes()
    with Receiver() as receiver, MillstreamServer(tmp_path, environment=QUICK) as server:
        prepare(server.uri, receiver)
        for thread in changes.start([server.uri], 3):
            thread.join(60)
        wait_until(lambda: len(receiver.arrived) >= 12, 60, "the deliveries", server.process)
        uri = server.uri
    recorded = tmp_path / "calls.json"
    recorded.write_text(json.dumps([{"headers": call.headers, "body": call.body.decode()} for call in receiver.calls]))
    signed = run_program(
        "signatures", "3.17.2", uri, tmp_path, RECEIVER_SECRET=SECRET, RECEIVER_CALLS=str(recorded)
    )
    assert signed["signatures"] == [call.headers[signed["header"]] for call in receiver.calls]
    assert len(set(signed["signatures"])) == len(receiver.calls)


@pytest.mark.timeout(240)
def test_two_servers_on_one_database_share_the_work(
    postgres_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    changes = Changes()
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    with (
        Receiver() as receiver,
        MillstreamServer(folders[0], postgres_uri, environment=QUICK) as first,
        MillstreamServer(folders[1], postgres_uri, environment=QUICK) as second,
    ):
        prepare(first.uri, receiver)
        for thread in changes.start([first.uri, second.uri], 40):
            thread.join(90)
        with open_store(second.uri) as store:
            wait_until(lambda: nothing_waits(store), 90, "all deliveries", second.process)
            check(receiver.arrived, changes)
            assert [numbers(receiver.arrived, name) for name in MODELS] == [list(range(40))] * len(MODELS)
            assert len(receiver.arrived) == 40 * len(MODELS), "none came twice"
            # One dies while both send: the other takes over what it held.
            threads = changes.start([second.uri], 60)
            wait_until(lambda: len(receiver.arrived) > 40 * len(MODELS) + 20, 60, "more deliveries", first.process)
            first.kill()
            for thread in threads:
                thread.join(90)
            wait_until(lambda: nothing_waits(store), 90, "what the dead server held", second.process)
        found = receiver.arrived
    assert receiver.forged == []
    check(found, changes)
    assert [numbers(found, name) for name in MODELS] == [list(range(100))] * len(MODELS)
    twice = [count for count in Counter(call.delivery_id for call in found).values() if count > 1]
    assert len(twice) <= len(MODELS)
