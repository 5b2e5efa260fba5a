"""Requests over real sockets: what is tried again, what is not, and who gets the credentials."""

from __future__ import annotations

import base64
import contextlib
import http.server
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from millstream import errors
from millstream.stores.http.transport import Transport, quoted
from tests.servers.processes import free_port

Script = Callable[["Peer"], None]


class Peer(http.server.BaseHTTPRequestHandler):
    """One connection to :class:`Scripted`; a script answers by its methods."""

    protocol_version = "HTTP/1.1"
    server: Scripted

    def handle_any(self) -> None:
        length = self.headers.get("Content-Length")
        if self.headers.get("Transfer-Encoding") == "chunked":
            self.body = b""
            while size := int(self.rfile.readline(), 16):
                self.body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            self.body = self.rfile.read(int(length)) if length else b""
        self.server.seen.append(self)
        scripts = self.server.scripts
        (scripts.pop(0) if len(scripts) > 1 else scripts[0])(self)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_CONNECT = handle_any

    def answer(self, status: int, body: bytes = b"{}", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        """End the connection without an answer, as a server does that is killed."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def log_message(self, *arguments: Any) -> None:
        pass


class Scripted(http.server.ThreadingHTTPServer):
    """A server that answers by scripts, one a request, the last one for ever."""

    daemon_threads = True

    def __init__(self, *scripts: Script, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Peer)
        self.scripts = list(scripts)
        self.seen: list[Peer] = []
        self.uri = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *arguments: Any) -> None:
        pass

    def __enter__(self) -> Scripted:
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()


def ok(peer: Peer) -> None:
    peer.answer(200, b'{"ok": true}')


def status(code: int, body: bytes = b"", **headers: str) -> Script:
    return lambda peer: peer.answer(code, body, **headers)


def hang_up(peer: Peer) -> None:
    peer.hang_up()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY",
                 "no_proxy", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


# What is sent


def test_a_request_and_its_answer() -> None:
    with Scripted(ok) as server, Transport(f"{server.uri}/some/prefix/") as http:
        answer = http.request("POST", f"/api/{quoted('a b/ü%&?#.txt')}",
                              query={"x": "1 2&", "none": None, "many": ["a", "b"]}, json={"k": "v"})
        assert (answer.status, answer.json()) == (200, {"ok": True})
        (seen,) = server.seen
        assert seen.path == "/some/prefix/api/a%20b/%C3%BC%25&%3F%23.txt?x=1%202%26&many=a&many=b"
        assert seen.body == b'{"k":"v"}'
        assert seen.headers["Content-Type"] == "application/json"
        assert seen.headers["User-Agent"].startswith("millstream/")


@pytest.mark.parametrize(
    "address", ["", "host", "ftp://host", "http://", "http://host:99999", "http://host:port", "file:///x"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(errors.InvalidValue):
        Transport(address)


def test_connections_are_kept(tmp_path: Path) -> None:
    with Scripted(ok) as server, Transport(server.uri) as http:
        for _ in range(5):
            assert http.request("GET", "/").data == b'{"ok": true}'
        assert b"".join(http.request("GET", "/", stream=True).chunks()) == b'{"ok": true}'
        http.request("GET", "/")
        assert len({seen.client_address for seen in server.seen}) == 1


def test_a_connection_with_an_answer_half_read_is_not_used_again() -> None:
    with Scripted(status(200, bytes(1 << 20)), ok) as server, Transport(server.uri) as http:
        answer = http.request("GET", "/", stream=True)
        chunks = answer.chunks(1000)
        assert len(next(chunks)) == 1000
        chunks.close()  # type: ignore[attr-defined]
        assert http.request("GET", "/").json() == {"ok": True}
        assert len({seen.client_address for seen in server.seen}) == 2


def test_threads_share_a_transport() -> None:
    with Scripted(ok) as server, Transport(server.uri) as http:
        done: list[Any] = []
        threads = [threading.Thread(target=lambda: done.extend(http.request("GET", "/").json() for _ in range(20)))
                   for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert done == [{"ok": True}] * 160


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own() -> None:
    with Scripted(ok) as server, Transport(server.uri) as http:
        http.request("GET", "/parent")
        child = os.fork()
        if child == 0:
            fine = False
            with contextlib.suppress(BaseException):
                fine = all(http.request("GET", "/child").json() == {"ok": True} for _ in range(3))
            os._exit(0 if fine else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        http.request("GET", "/parent")
        clients = {name: {seen.client_address for seen in server.seen if seen.path == name}
                   for name in ("/parent", "/child")}
        assert len(clients["/parent"]) == 1
        assert not clients["/parent"] & clients["/child"]


# What is tried again


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("code", [429, 503])
def test_what_the_server_refuses_for_now_is_sent_again(method: str, code: int) -> None:
    with Scripted(status(code, Retry_After="0"), status(code), ok) as server, Transport(server.uri) as http:
        assert http.request(method, "/").json() == {"ok": True}
        assert len(server.seen) == 3


@pytest.mark.parametrize("lost", [hang_up, status(502), status(504), status(408)])
@pytest.mark.parametrize(("method", "retry", "again"), [
    ("GET", None, True), ("PUT", None, True), ("DELETE", None, True), ("POST", None, False), ("PATCH", None, False),
    ("POST", True, True), ("GET", False, False), ("POST", False, False),
])
def test_a_lost_answer_is_asked_again_only_when_that_is_safe(
    lost: Script, method: str, retry: bool | None, again: bool
) -> None:
    with Scripted(lost, ok) as server, Transport(server.uri) as http:
        if again:
            assert http.request(method, "/", retry=retry).json() == {"ok": True}
        else:
            with pytest.raises(errors.StoreUnavailable):
                http.request(method, "/", retry=retry)
        assert len(server.seen) == (2 if again else 1)


def test_errors_that_stay_are_not_tried_again() -> None:
    for code in (400, 401, 403, 404, 405, 409, 413, 500, 501):
        with Scripted(status(code)) as server, Transport(server.uri) as http:
            with pytest.raises(errors.MillstreamError):
                http.request("GET", "/")
            assert len(server.seen) == 1


def test_patience_ends() -> None:
    with Scripted(status(503, b'{"error_code": "TEMPORARILY_UNAVAILABLE", "message": "the disk is full"}')) as server:
        with Transport(server.uri) as http, pytest.raises(errors.StoreUnavailable, match="the disk is full"):
            http.request("POST", "/")
        assert len(server.seen) == 4


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_server_that_is_not_there(method: str, caplog: pytest.LogCaptureFixture) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    with Transport(address) as http, pytest.raises(errors.Unreachable) as caught:
        http.request(method, "/", json={})
    assert address in caught.value.message
    assert "connection refused" in caught.value.message
    assert "tried 4 times" in caught.value.message
    assert caught.value.hint
    assert "MLFLOW_TRACKING_URI" in caught.value.hint or "tracking URI" in caught.value.hint
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with Transport("http://no-such-host.invalid") as http, pytest.raises(errors.Unreachable, match="name is not known"):
        http.request("GET", "/")


def test_a_server_that_says_nothing_is_given_up() -> None:
    release = threading.Event()

    def say_nothing(peer: Peer) -> None:
        release.wait(30)

    with Scripted(say_nothing) as server, Transport(server.uri) as http:
        with pytest.raises(errors.Unreachable, match="no answer in time"):
            http.request("GET", "/", timeout=0.05, retry=False)
        release.set()


def test_a_server_that_comes_back_gets_the_request() -> None:
    port = free_port()
    tries: list[float] = []
    with contextlib.ExitStack() as stack:
        http = stack.enter_context(Transport(f"http://127.0.0.1:{port}"))

        def start_after_the_first_try(seconds: float) -> None:
            if not tries:
                stack.enter_context(Scripted(ok, port=port))
            tries.append(seconds)

        monkeypatch = stack.enter_context(pytest.MonkeyPatch.context())
        monkeypatch.setattr("millstream.stores.http.transport.time.sleep", start_after_the_first_try)
        assert http.request("POST", "/", json={}).json() == {"ok": True}
        assert len(tries) == 1


# Bodies


class Again:
    """A body that can be read again and again."""

    def __init__(self) -> None:
        self.times = 0

    def __iter__(self) -> Iterator[bytes]:
        self.times += 1
        yield b"ab"
        yield b"cd"


def test_a_body_that_can_be_read_again_is_sent_again() -> None:
    body = Again()
    with Scripted(status(503), hang_up, ok) as server, Transport(server.uri) as http:
        http.request("PUT", "/", body=body, headers={"Content-Length": "4"})
        assert [seen.body for seen in server.seen] == [b"abcd"] * 3
        assert body.times == 3


def test_a_body_that_can_be_read_once_is_sent_once() -> None:
    with Scripted(status(503), ok) as server, Transport(server.uri) as http:
        with pytest.raises(errors.StoreUnavailable):
            http.request("PUT", "/", body=iter([b"ab", b"cd"]), headers={"Content-Length": "4"})
        assert len(server.seen) == 1


def test_a_body_of_unknown_length_goes_in_chunks() -> None:
    with Scripted(ok) as server, Transport(server.uri) as http:
        http.request("PUT", "/", body=iter([b"ab", b"cd"]))
        assert server.seen[0].body == b"abcd"


def test_what_a_body_raises_is_raised() -> None:
    def broken() -> Iterator[bytes]:
        yield b"ab"
        raise RuntimeError("the source broke")

    with Scripted(ok) as server, Transport(server.uri) as http:
        with pytest.raises(RuntimeError, match="the source broke"):
            http.request("PUT", "/", body=broken(), headers={"Content-Length": "4"})
        assert http.request("GET", "/").json() == {"ok": True}


def test_an_answer_that_breaks_off_is_noticed() -> None:
    def half(peer: Peer) -> None:
        peer.send_response(200)
        peer.send_header("Content-Length", "1000")
        peer.end_headers()
        peer.wfile.write(bytes(100))
        peer.close_connection = True

    with Scripted(half) as server, Transport(server.uri) as http:
        with pytest.raises(errors.Unreachable, match="broke off"):
            list(http.request("GET", "/", stream=True).chunks())
        with pytest.raises(errors.Unreachable):
            http.request("GET", "/")
        assert len(server.seen) == 5


# Answers that are errors


def test_an_error_crosses_the_wire_as_itself() -> None:
    raised = errors.RunNotFound("Run with id=7 not found", hint="look again")
    body = b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "Run with id=7 not found", "hint": "look again", ' \
           b'"error_class": "RunNotFound"}'
    with Scripted(status(404, body)) as server, Transport(server.uri) as http:
        for stream in (False, True):
            with pytest.raises(errors.RunNotFound) as caught:
                http.request("GET", "/", stream=stream)
            assert (caught.value.message, caught.value.hint) == (raised.message, raised.hint)


@pytest.mark.parametrize(("code", "kind"), [
    (400, errors.BadRequest), (401, errors.Unauthenticated), (403, errors.PermissionDenied),
    (404, errors.EndpointNotFound), (405, errors.MethodNotAllowed), (409, errors.Conflict), (412, errors.Conflict),
    (413, errors.TooLarge), (418, errors.BadRequest), (500, errors.MillstreamError), (501, errors.NotSupported),
    (502, errors.StoreUnavailable), (504, errors.StoreUnavailable), (507, errors.MillstreamError),
])
def test_a_page_of_something_else_becomes_an_error_too(code: int, kind: type[errors.MillstreamError]) -> None:
    page = b"<html>\n  <h1>No</h1>" + b"x" * 5000
    with Scripted(status(code, page)) as server, Transport(server.uri) as http:
        with pytest.raises(kind) as caught:
            http.request("POST", "/")
        assert type(caught.value) is kind
        assert f"status {code}" in caught.value.message
        assert server.uri in caught.value.message
        assert len(caught.value.message) < 500


def test_an_answer_that_is_no_json_is_explained() -> None:
    with Scripted(status(200, b"<html>")) as server, Transport(server.uri) as http:
        answer = http.request("GET", "/")
        with pytest.raises(errors.MillstreamError) as caught:
            answer.json()
        assert caught.value.hint


# Credentials


def test_credentials_and_which_of_them_win(monkeypatch: pytest.MonkeyPatch) -> None:
    def sent(uri: str, **options: Any) -> str | None:
        with Transport(uri, **options) as http:
            http.request("GET", "/")
        value: str | None = server.seen[-1].headers["Authorization"]
        return value

    def basic(user: str) -> str:
        return "Basic " + base64.b64encode(user.encode()).decode()

    with Scripted(ok) as server:
        in_uri = server.uri.replace("//", "//uri%40user:p%3Aw@")
        assert sent(server.uri) is None
        assert sent(in_uri) == basic("uri@user:p:w")
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "user")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "pässword")
        assert sent(in_uri) == basic("user:pässword")
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "token")
        assert sent(in_uri) == "Bearer token"
        assert sent(in_uri, token="given") == "Bearer given"
        assert sent(in_uri, sign_in=False) is None
        monkeypatch.setenv("MLFLOW_WORKSPACE", "team")
        sent(server.uri)
        assert server.seen[-1].headers["X-MLFLOW-WORKSPACE"] == "team"
        sent(server.uri, sign_in=False)
        assert server.seen[-1].headers["X-MLFLOW-WORKSPACE"] is None
    assert "p%3Aw" not in Transport(in_uri).base_uri


def test_a_redirect_is_told_and_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    with Scripted(ok) as elsewhere, Scripted(status(302, Location=f"{elsewhere.uri}/login")) as server:
        with Transport(server.uri) as http, pytest.raises(errors.BadRequest, match="redirect to") as caught:
            http.request("GET", "/")
        assert f"{elsewhere.uri}/login" in caught.value.message
        assert elsewhere.seen == []


# Proxies


def test_a_proxy_is_used_unless_it_is_ruled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with Scripted(ok) as proxy, Scripted(ok) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.uri.replace("//", "//me:secret@"))
        with Transport("http://tracking.example:5000/prefix") as http:
            http.request("GET", "/api?x=1")
        (seen,) = proxy.seen
        assert seen.path == "http://tracking.example:5000/prefix/api?x=1"
        assert seen.headers["Host"] == "tracking.example:5000"
        assert seen.headers["Proxy-Authorization"] == "Basic " + base64.b64encode(b"me:secret").decode()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,.example")
        with Transport(server.uri) as http:
            http.request("GET", "/")
        assert (len(proxy.seen), len(server.seen)) == (1, 1)


def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("http_proxy", proxy)
    with Transport("http://tracking.example") as http, pytest.raises(errors.Unreachable) as caught:
        http.request("GET", "/")
    assert proxy in caught.value.message


# Certificates


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that nobody trusts, with its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("making a certificate needs openssl")
    place = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key", "-out", "certificate"],
        cwd=place, check=True, capture_output=True,
    )
    both = place / "both.pem"
    both.write_bytes((place / "certificate").read_bytes() + (place / "key").read_bytes())
    return both


def test_certificates(certificate: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Scripted(ok) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        address = server.uri.replace("http:", "https:")

        def request() -> Any:
            with Transport(address) as http:
                return http.request("GET", "/").json()

        with pytest.raises(errors.Unreachable, match="not trusted") as caught:
            request()
        assert "tried" not in caught.value.message  # it will not be trusted the next time either
        assert caught.value.hint
        assert "MLFLOW_TRACKING_SERVER_CERT_PATH" in caught.value.hint
        monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")
        assert request() == {"ok": True}
        monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "false")
        monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate))
        assert request() == {"ok": True}
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificate)
        with pytest.raises(errors.Unreachable):
            request()
        monkeypatch.setenv("MLFLOW_TRACKING_CLIENT_CERT_PATH", str(certificate))
        assert request() == {"ok": True}
        for name in ("MLFLOW_TRACKING_CLIENT_CERT_PATH", "MLFLOW_TRACKING_SERVER_CERT_PATH"):
            monkeypatch.setenv(name, str(tmp_path / "missing"))
            with pytest.raises(errors.InvalidValue, match="missing"):
                request()
            monkeypatch.setenv(name, str(certificate))
