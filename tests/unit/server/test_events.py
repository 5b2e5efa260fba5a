"""The stream of changes, heard by a plain HTTP client."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from millstream.operations import CreateRun, LogMetric
from millstream.server import events
from millstream.server.config import ServerConfig
from millstream.stores import open_store
from tests.servers import inside, keeper, postgres
from tests.servers.wire import call

API = "/api/2.0/mlflow"


class Listener:
    """Reads server-sent events, one after the other."""

    def __init__(self, address: str, headers: dict[str, str] | None = None, **fields: Any) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
        self._connection.request("GET", f"/ajax-api/v1/events?{urlencode(fields, doseq=True)}", headers=headers or {})
        self.answer = self._connection.getresponse()
        assert self.answer.status == 200, self.answer.read()
        assert self.answer.headers["content-type"] == "text/event-stream"

    def event(self) -> dict[str, Any]:
        """The next event; comments are passed over."""
        fields: dict[str, str] = {}
        while True:
            line = self.answer.readline().decode().rstrip("\n")
            if line:
                name, _, text = line.partition(": ")
                fields[name] = text
            elif "data" in fields:
                made: dict[str, Any] = json.loads(fields["data"])
                assert fields["id"] == str(made["seq"])
                return made | {"event": fields["event"]}
            else:
                fields = {}

    def close(self) -> None:
        self.answer.close()
        self._connection.close()


def new_run(address: str, experiment: str = "0") -> str:
    made = call(address, "POST", f"{API}/runs/create", {"experiment_id": experiment, "start_time": 1})
    found: str = made.json()["run"]["info"]["run_id"]
    return found


def log(address: str, run_id: str, value: float) -> None:
    body = {"run_id": run_id, "key": "loss", "value": value, "timestamp": 1, "step": 0}
    assert call(address, "POST", f"{API}/runs/log-metric", body).status == 200


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def address(place: Path) -> Iterator[str]:
    config = ServerConfig(f"sqlite:///{place}/store.db", artifacts_destination=str(place / "artifacts"))
    with inside.served(config) as address:
        yield address


def test_who_changes_is_told_with_the_cells_that_are_followed(address: str) -> None:
    with closing(Listener(address, experiment_ids="0", columns=["metrics.loss", "attributes.status"])) as listener:
        assert listener.event()["event"] == "hello"
        run_id = new_run(address)
        first = listener.event()
        assert first["changes"] == [{"kind": "run", "id": run_id, "experiment_id": "0"}]
        log(address, run_id, 0.25)
        second = listener.event()
        assert second["seq"] > first["seq"]
        assert second["cells"] == {"ids": [run_id], "cols": {"metrics.loss": [0.25], "attributes.status": ["RUNNING"]}}


def test_a_stream_goes_on_where_it_broke_off(address: str) -> None:
    run_id = new_run(address)
    with closing(Listener(address)) as listener:
        seq = listener.event()["seq"]
    log(address, run_id, 1.0)
    for headers, fields in (({"Last-Event-ID": str(seq)}, {}), ({}, {"since": seq})):
        with closing(Listener(address, headers, **fields)) as listener:
            assert listener.event()["event"] == "hello"
            assert [change["id"] for change in listener.event()["changes"]] == [run_id]
    with closing(Listener(address, since=10**15)) as listener:
        assert listener.event()["event"] == "hello"
        assert listener.event()["reset"] is True


def test_other_experiments_are_left_out(address: str) -> None:
    other = call(address, "POST", f"{API}/experiments/create", {"name": "other"}).json()["experiment_id"]
    with closing(Listener(address, experiment_ids=[other])) as listener:
        listener.event()
        new_run(address)
        run_id = new_run(address, other)
        assert [change["id"] for change in listener.event()["changes"]] == [run_id]


def test_what_another_process_writes_is_told_too(address: str, place: Path) -> None:
    with closing(Listener(address)) as listener, open_store(f"sqlite:///{place}/store.db") as store:
        listener.event()
        run_id = store.execute(CreateRun("0")).run.info.run_id
        assert [change["id"] for change in listener.event()["changes"]] == [run_id]
        store.execute(LogMetric(run_id, "loss", 1.0, 1))
        assert [change["id"] for change in listener.event()["changes"]] == [run_id]


def test_a_quiet_stream_shows_signs_of_life(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.05)
    with closing(Listener(address)) as listener:
        listener.event()
        lines = [listener.answer.readline() for _ in range(4)]
        assert lines == [b": still here\n", b"\n"] * 2


def test_streams_are_bounded_and_end_with_their_clients(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_STREAMS", 2)
    listeners = [Listener(address) for _ in range(2)]
    refused = call(address, "GET", "/api/v1/events")
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    for listener in listeners:
        listener.close()
    # The server finds out that they are gone when it next looks, which no answer tells of.
    while call(address, "HEAD", "/api/v1/events").status == 429:
        continue
    with closing(Listener(address)) as listener:
        assert listener.event()["event"] == "hello"


@pytest.mark.parametrize("query", ["since=x", "columns=nonsense", "since=-1", "columns=attributes.nothing"])
def test_what_cannot_be_followed(address: str, query: str) -> None:
    assert call(address, "GET", f"/api/v1/events?{query}").status == 400


def test_the_end_of_the_server_ends_the_streams(place: Path) -> None:
    config = ServerConfig(f"sqlite:///{place}/store.db", artifacts_destination=str(place / "artifacts"))
    with inside.served(config) as address:
        listener = Listener(address)
        listener.event()
    assert listener.answer.read() == b""
    listener.close()


def test_servers_of_one_database_hear_of_each_other(place: Path) -> None:
    with postgres.fresh_database(keeper.shared("postgres")["uri"]) as uri:
        config = ServerConfig(uri, artifacts_destination=str(place / "artifacts"))
        with (
            inside.served(config) as first, inside.served(config) as second,
            closing(Listener(first, columns=["metrics.loss"])) as listener,
        ):
            listener.event()
            run_id = new_run(second)
            assert [change["id"] for change in listener.event()["changes"]] == [run_id]
            log(second, run_id, 0.5)
            assert listener.event()["cells"]["cols"] == {"metrics.loss": [0.5]}
