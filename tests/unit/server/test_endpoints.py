"""Requests for predictions on their way through the tracking server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import urllib3

from millstream.operations import BeatServingHost, EndServingHost
from millstream.server.config import ServerConfig
from millstream.stores import Store, open_store
from tests.servers import inside
from tests.servers.processes import free_port

JSON = {"Content-Type": "application/json"}


class Answering(BaseHTTPRequestHandler):
    """Answers with its path and the number of bytes that it got, ``x`` for each of a ``/large/`` one."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            length = 0
            while size := int(self.rfile.readline(), 16):
                length += len(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
        else:
            length = int(self.headers["Content-Length"])
            self.rfile.read(length)
        body = b"x" * 3_000_000 if "large" in self.path else f"{self.path} {length}".encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Millstream-Model-Version", "7")
        self.send_header("X-Session", self.headers.get("X-Millstream-Session", ""))
        self.send_header("X-Seen", ",".join(sorted(name.lower() for name in self.headers)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing is told."""


@pytest.fixture
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with inside.served(ServerConfig(f"sqlite:///{tmp_path}/store.db")) as address:
        yield address


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    with open_store(address) as store:
        yield store


def ask(url: str, body: object = b"{}", **headers: str) -> urllib3.BaseHTTPResponse:
    with urllib3.PoolManager() as pool:
        given = {name.replace("_", "-"): text for name, text in headers.items()}
        return pool.request("POST", url, body=body, headers={**JSON, **given}, retries=False)  # type: ignore[arg-type]


def beat(store: Store, host: str, address: str) -> None:
    store.execute(BeatServingHost(host, address, "node", 1, 1))


def test_without_a_host_it_says_what_to_do(address: str) -> None:
    told = ask(f"{address}/endpoints/loan/invocations")
    assert told.status == 503
    assert told.json()["error_class"] == "NotServing"
    assert "--serve-models" in told.json()["hint"]
    assert told.headers["Retry-After"] == "1"


def test_requests_are_passed_on(address: str, store: Store, host: str) -> None:
    beat(store, "a", host)
    told = ask(f"{address}/endpoints/my%20loan/invocations", b"[1]", X_Millstream_Session="me", Cookie="secret=1")
    assert (told.status, told.data) == (201, b"/endpoints/my%20loan/invocations 3")
    assert (told.headers["X-Millstream-Model-Version"], told.headers["X-Session"]) == ("7", "me")
    assert "cookie" not in told.headers["X-Seen"].split(",")
    named = ask(f"{address}/model/loan/@best/invocations")
    assert named.data == b"/model/loan/%40best/invocations 2"


def test_large_bodies_go_both_ways(address: str, store: Store, host: str) -> None:
    beat(store, "a", host)
    told = ask(f"{address}/endpoints/large/invocations", b"y" * 5_000_000)
    assert told.data == b"x" * 3_000_000
    parts = (b"y" * 100_000 for _ in range(30))
    assert ask(f"{address}/endpoints/loan/invocations", parts).data == b"/endpoints/loan/invocations 3000000"


def test_a_host_that_has_gone_is_passed_over(address: str, store: Store, host: str) -> None:
    beat(store, "gone", f"http://127.0.0.1:{free_port()}")
    beat(store, "alive", host)
    for _ in range(4):
        assert ask(f"{address}/endpoints/loan/invocations").status == 201
    store.execute(EndServingHost("alive"))
    store.execute(EndServingHost("gone"))


def test_pages_of_other_origins_are_kept_out(address: str, store: Store, host: str) -> None:
    beat(store, "a", host)
    assert ask(f"{address}/endpoints/loan/invocations", Origin="http://evil.example").status == 403
    assert ask(f"{address}/endpoints/loan/invocations", Host="evil.example").status == 403
