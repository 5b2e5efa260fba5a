from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from millstream import outgoing
from millstream.errors import InvalidValue, LimitExceeded, MillstreamError, Unreachable
from millstream.outgoing import AddressRefused, Answer

KILOBYTE = b"x" * 1024


class Pages(http.server.BaseHTTPRequestHandler):
    """What a friendly server and an unfriendly one may answer."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, dict[str, str]]] = []

    def do_GET(self) -> None:
        type(self).seen.append((self.command, self.path, dict(self.headers)))
        port = self.headers["Host"].rpartition(":")[2]
        places = {
            "/again": "/again", "/here": "/data", "/other-host": f"http://localhost:{port}/data",
            "/other-port": "http://127.0.0.1:9/data", "/file": "file:///etc/passwd", "/metadata": "http://169.254.169.254/",
            "/twice": "/here",
        }
        if self.path in places:
            self.send_response(302)
            self.send_header("Location", places[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/cut-off":
            self.send_response(200)
            self.send_header("Content-Length", "5000")
            self.end_headers()
            self.wfile.write(KILOBYTE)
            self.close_connection = True
        elif self.path == "/endless":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"400\r\n" + KILOBYTE + b"\r\n")
            except OSError:
                self.close_connection = True
        elif self.path == "/missing":
            self.send_error(404)
        else:
            self.send_response(200)
            self.send_header("Content-Length", "1024")
            self.end_headers()
            self.wfile.write(KILOBYTE)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).seen.append((self.command, self.path, dict(self.headers)))
        if self.path == "/moved":
            self.send_response(307)
            self.send_header("Location", "/data")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.delenv("MILLSTREAM_ALLOW_PRIVATE_ADDRESSES", raising=False)
    Pages.seen.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


def get(url: str, max_bytes: int = 1 << 20, **options: Any) -> Answer:
    return outgoing.request("GET", url, max_bytes=max_bytes, allow_private=True, **options)


def test_an_answer(server: str) -> None:
    with get(server + "/data?a=b#part", headers={"X-Own": "1"}) as answer:
        assert (answer.status, answer.headers["content-length"]) == (200, "1024")
        assert answer.read() == KILOBYTE
    method, path, headers = Pages.seen[0]
    assert (method, path, headers["X-Own"]) == ("GET", "/data?a=b", "1")
    assert headers["Host"] == server.removeprefix("http://")
    assert headers["User-Agent"].startswith("millstream/")


def test_every_status_is_an_answer(server: str) -> None:
    with get(server + "/missing") as answer:
        assert answer.status == 404


def test_a_body_is_sent_and_not_carried_elsewhere(server: str) -> None:
    with outgoing.request("POST", server + "/hook", body=b'{"a": 1}', max_bytes=100, allow_private=True) as answer:
        assert answer.read() == b'{"a": 1}'
    with outgoing.request("POST", server + "/moved", body=b"x", max_bytes=100, allow_private=True) as answer:
        assert answer.status == 307


@pytest.mark.parametrize(("path", "hops"), [("/here", 2), ("/twice", 3)])
def test_redirects_on_the_same_host_are_followed(server: str, path: str, hops: int) -> None:
    with get(server + path) as answer:
        assert answer.read() == KILOBYTE
        assert answer.url == server + "/data"
    assert len(Pages.seen) == hops


@pytest.mark.parametrize("path", ["/again", "/other-host", "/other-port", "/metadata"])
def test_redirects_that_lead_away_are_not(server: str, path: str) -> None:
    with pytest.raises(AddressRefused):
        get(server + path)


def test_a_redirect_to_something_else_than_a_url_is_not(server: str) -> None:
    with pytest.raises(InvalidValue):
        get(server + "/file")


def test_no_redirect_at_all_when_none_is_wanted(server: str) -> None:
    with pytest.raises(AddressRefused):
        get(server + "/here", redirects=0)


def test_what_is_announced_too_big_is_not_begun(server: str) -> None:
    with pytest.raises(LimitExceeded, match="1024"):
        get(server + "/data", max_bytes=1023)


def test_what_turns_out_too_big_is_broken_off(server: str) -> None:
    with get(server + "/endless", max_bytes=100_000) as answer, pytest.raises(LimitExceeded):
        answer.read()


def test_an_answer_that_ends_early_is_not_taken_for_whole(server: str) -> None:
    with get(server + "/cut-off") as answer, pytest.raises(Unreachable, match="3976 bytes are missing"):
        answer.read()


def test_an_answer_has_a_time_limit(server: str) -> None:
    with get(server + "/endless", max_bytes=1 << 40, total_timeout=0.05) as answer, pytest.raises(Unreachable):
        answer.read()


def test_a_port_where_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable):
            get(f"http://127.0.0.1:{taken.getsockname()[1]}/")


def test_https_is_spoken_and_not_fallen_back_from(server: str) -> None:
    with pytest.raises(Unreachable):
        get(server.replace("http:", "https:"))


@pytest.mark.parametrize(
    "url",
    [
        "", "data.csv", "ftp://example.com/a", "file:///etc/passwd", "http://", "http:///a", "http://example.com:x/",
        "http://exa mple.com/", "http://example.com/\r\nX: y", "http://example.com\\@127.0.0.1/", "http://[::1/",
    ],
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidValue):
        get(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:a00:1::",
    ],
)
def test_addresses_of_this_machine_and_network_are_not_public(address: str) -> None:
    assert not outgoing.is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::8.8.8.8"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert outgoing.is_public(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f000001", "127.1", "0177.0.0.1", "[::ffff:127.0.0.1]"]
)
def test_this_machine_is_refused_however_it_is_written(server: str, host: str) -> None:
    port = server.rpartition(":")[2]
    with pytest.raises((AddressRefused, Unreachable)):
        outgoing.request("GET", f"http://{host}:{port}/data", max_bytes=10)
    assert Pages.seen == []


def test_a_name_with_one_private_address_among_others_is_refused(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(server.rpartition(":")[2])
    stream = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(*stream, ("1.1.1.1", port)), (*stream, ("127.0.0.1", port))]
    )
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.1"):
        outgoing.request("GET", f"http://rebinding.example:{port}/data", max_bytes=10)


def test_the_address_that_was_checked_is_the_one_that_is_called(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A resolver whose second answer differs: what is connected to must be the first.
    port = int(server.rpartition(":")[2])
    answers = iter(["127.0.0.1", "127.0.0.2"])

    def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with get(f"http://rebinding.example:{port}/data") as answer:
        assert answer.read() == KILOBYTE
    assert Pages.seen[0][2]["Host"] == f"rebinding.example:{port}"
    assert next(answers) == "127.0.0.2"  # not asked a second time


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
def test_an_answer_that_drips_in_ends_by_the_deadline(said: bytes) -> None:
    # Each byte comes in time for its own step; all of them together do not.
    ended = threading.Event()

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(1 << 16)
            connection.sendall(said)
            while not ended.wait(0.01):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,))
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        matching = pytest.raises(Unreachable, match="timed out|too long")
        with matching, get(url, timeout=20.0, total_timeout=0.3) as answer:
            answer.read()
        ended.set()
        thread.join(30)


def test_the_setting_opens_the_way(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_ALLOW_PRIVATE_ADDRESSES", "true")
    with outgoing.request("GET", server + "/data", max_bytes=2000) as answer:
        assert answer.read() == KILOBYTE


def test_a_refusal_says_what_to_do(server: str) -> None:
    with pytest.raises(MillstreamError) as caught:
        outgoing.request("GET", server + "/data", max_bytes=10)
    assert caught.value.hint == "set MILLSTREAM_ALLOW_PRIVATE_ADDRESSES=true to reach servers of your own network"


def test_a_host_that_is_not_found() -> None:
    with pytest.raises(Unreachable):
        get("http://no-such-host.invalid/")
