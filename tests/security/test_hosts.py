"""Foreign names and foreign pages, against every kind of route."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from tests.security.conftest import Target
from tests.servers.wire import call

API = "/api/2.0/mlflow"
FOREIGN_HOSTS = [
    "evil.example",
    "10.evil.example",
    "192.168.evil.example:5000",
    "172.16.evil.example",
    "172.31.evil.example:80",
    "fc00.evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "localhost@evil.example",
    "evil.example#localhost",
    "10.0.0.1",
    "192.168.1.1:5000",
    "[fc00::1]",
    "[fe80::1]:5000",
    "0x7f.1",
    "2130706433",
    "0",
    "127.0.0.1:5000:80",
    "localhost evil.example",
    "LOCALHOST.EVIL.EXAMPLE",
    "",
]


def requests(target: Target) -> list[tuple[str, str, bytes | None]]:
    """One of every kind: reading and writing operations, files both ways, pages, GraphQL, figures."""
    files = f"/api/2.0/mlflow-artifacts/artifacts/0/{target.run_id}/artifacts/inside/file.txt"
    return [
        ("GET", f"{API}/runs/get?run_id={target.run_id}", None),
        ("GET", f"/ajax-api/2.0/mlflow/runs/get?run_id={target.run_id}", None),
        ("POST", f"{API}/runs/delete", b'{"run_id": "%s"}' % target.run_id.encode()),
        ("DELETE", f"{API}/logged-models/{target.model_id}", None),
        ("PATCH", f"{API}/logged-models/{target.model_id}", b'{"status": "LOGGED_MODEL_READY"}'),
        ("GET", files, None),
        ("PUT", files, b"x"),
        ("DELETE", files, None),
        ("HEAD", files, None),
        ("OPTIONS", files, None),
        ("GET", f"/get-artifact?run_uuid={target.run_id}&path=inside/file.txt", None),
        ("POST", f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={target.run_id}&path=x", b"x"),
        ("POST", "/graphql", b'{"query": "{ mlflowGetRun { apiError { code } } }"}'),
        ("GET", "/graphql?query=x", None),
        ("GET", "/metrics", None),
        ("GET", "/", None),
        ("GET", f"/plain/runs/{target.run_id}", None),
        ("GET", "/openapi.json", None),
        ("GET", "/docs", None),
        ("POST", "/health", b""),
    ]


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_name_is_refused_everywhere(target: Target, host: str) -> None:
    for method, path, body in requests(target):
        answer = call(target.address, method, path, body, {"Content-Type": "application/json"}, host=host)
        assert answer.status == 403, f"{method} {path} answered {answer.status} to {host!r}"
        if method != "HEAD":
            assert answer.json()["error_code"] == "PERMISSION_DENIED"
    untouched(target)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},  # another program's page on this machine
        {"Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "http://evil.example", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    ],
    ids=str,
)
def test_a_foreign_page_is_refused_everywhere(target: Target, headers: dict[str, str]) -> None:
    for method, path, body in [*requests(target), ("GET", "/health", None), ("GET", "/version", None)]:
        answer = call(target.address, method, path, body, {"Content-Type": "application/json", **headers})
        assert answer.status == 403, f"{method} {path} answered {answer.status} to a page of {headers}"
        assert "access-control-allow-origin" not in answer.headers
    untouched(target)


def test_a_form_cannot_speak_json(target: Target) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        for method, path, body in requests(target):
            if body and b'{"' in body:
                assert call(target.address, method, path, body, {"Content-Type": kind}).status == 400
    untouched(target)


@pytest.mark.parametrize(
    "doubled",
    [
        ["Host: localhost", "Host: evil.example"],
        ["Host: evil.example", "Host: localhost"],
        ["Host: localhost", "Host: localhost"],
        ["Host: localhost", "Origin: http://localhost", "Origin: http://evil.example"],
        ["Host: localhost", "Origin: http://evil.example", "Origin: http://localhost"],
        ["Host: localhost", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-origin"],
    ],
    ids=str,
)
def test_a_header_that_says_two_things_is_not_believed(target: Target, doubled: list[str]) -> None:
    head = "\r\n".join([f"GET {API}/runs/get?run_id={target.run_id} HTTP/1.1", *doubled, "", ""])
    assert b" 403 " in raw(target, head.encode()).partition(b"\r\n")[0]


def test_no_name_is_no_request(target: Target) -> None:
    for version in ("1.0", "1.1"):
        head = f"GET {API}/runs/get?run_id={target.run_id} HTTP/{version}\r\nConnection: close\r\n\r\n"
        assert b" 400 " in raw(target, head.encode()).partition(b"\r\n")[0]


def test_a_name_in_the_request_line_does_not_help(target: Target) -> None:
    address = f"http://localhost{API}/runs/get?run_id={target.run_id}"
    head = f"GET {address} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert b" 403 " in raw(target, head.encode()).partition(b"\r\n")[0]


POST = b"POST /api/2.0/mlflow/runs/set-tag HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    "head",
    [
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        POST + b"Content-Length: -5\r\n\r\n",
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello",
    ],
)
def test_what_two_readers_could_read_differently_is_refused(target: Target, head: bytes) -> None:
    assert b" 400 " in raw(target, head).partition(b"\r\n")[0]


def untouched(target: Target) -> None:
    run = call(target.address, "GET", f"{API}/runs/get?run_id={target.run_id}").json()["run"]
    assert run["info"]["lifecycle_stage"] == "active"
    files = f"/api/2.0/mlflow-artifacts/artifacts/0/{target.run_id}/artifacts"
    assert call(target.address, "GET", f"{files}/inside/file.txt").body == b"inside"
    assert call(target.address, "GET", f"{files}/x").status == 404
    model = call(target.address, "GET", f"{API}/logged-models/{target.model_id}").json()["model"]["info"]
    assert model["status"] == "LOGGED_MODEL_PENDING"


def raw(target: Target, sent: bytes) -> bytes:
    """Everything that the server answers to these bytes until it closes the connection, or has answered once."""
    where = urlsplit(target.address)
    with socket.create_connection((where.hostname, where.port or 80), timeout=30) as connection:
        connection.sendall(sent)
        received = b""
        while b"\r\n\r\n" not in received:
            more = connection.recv(65536)
            if not more:
                break
            received += more
    return received
