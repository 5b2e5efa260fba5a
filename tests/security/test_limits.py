"""Much of everything: bodies, addresses, depth, numbers, connections. The answer is a refusal, never a collapse."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psutil
import pytest

from millstream.operations import OPERATIONS, Operation
from tests.security.conftest import Target
from tests.servers.millstream import MillstreamServer
from tests.servers.wire import call

API = "/api/2.0/mlflow"
MEGABYTE = 1 << 20


@pytest.mark.parametrize(
    "kind", [kind for kind in OPERATIONS if kind.endpoint.max_body], ids=lambda kind: kind.__name__
)
def test_a_body_beyond_the_limit_of_its_operation(target: Target, kind: type[Operation[Any]]) -> None:
    limit = kind.endpoint.max_body
    assert limit is not None
    body = b'{"run_id": "' + target.run_id.encode() + b'", "filler": "' + b"x" * limit + b'"}'
    answer = call(
        target.address, kind.endpoint.method, f"/api{kind.endpoint.path}", body, {"Content-Type": "application/json"}
    )
    assert (answer.status, answer.json()["error_code"]) == (413, "INVALID_PARAMETER_VALUE")
    # The connection is still good for what comes after: nothing of the body was taken for a request.
    assert call(target.address, "GET", "/health").status == 200


def test_a_body_beyond_the_limit_of_the_server(target: Target) -> None:
    body = b'{"filler": "' + b"x" * (33 * MEGABYTE) + b'"}'
    answer = call(target.address, "POST", f"{API}/runs/search", body, {"Content-Type": "application/json"})
    assert (answer.status, answer.json()["error_class"]) == (413, "TooLarge")


NESTED = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


@pytest.mark.parametrize(
    "body",
    [
        NESTED,
        b"[" * 500_000,
        b'{"run_id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"filter": "' + b"\\u0000" * 1000 + b'"}',
        b'{"max_results": 1' + b"0" * 5000 + b"}",
        b'{"max_results": 1e400}',
        b'{"max_results": 9223372036854775808}',
        b'{"experiment_ids": ["0"], "max_results": -1}',
        b'{"experiment_ids": ["0"], "max_results": 2000000000}',
        b'{"experiment_ids": ["' + b"9" * 5000 + b'"]}',
        b'{"experiment_ids": ["0"], "page_token": "' + b"A" * 100_000 + b'"}',
    ],
    ids=[
        "nested objects",
        "open lists",
        "nested lists",
        "NUL",
        "long number",
        "infinite",
        "65 bits",
        "negative page",
        "huge page",
        "huge id",
        "huge token",
    ],
)
def test_bodies_that_cost_more_than_they_say(target: Target, body: bytes) -> None:
    answer = call(target.address, "POST", f"{API}/runs/search", body, {"Content-Type": "application/json"})
    assert answer.status in (200, 400), answer.text[:300]
    assert len(answer.body) < 100_000


def test_depth_is_refused_wherever_json_is_read(target: Target) -> None:
    for path in (
        "/graphql",
        "/api/2.0/mlflow-artifacts/mpu/create/0/x",
        f"{API}/runs/log-batch",
        "/api/v1/import/runs",
    ):
        answer = call(target.address, "POST", path, b'{"a": ' + NESTED + b"}", {"Content-Type": "application/json"})
        assert answer.status == 400, f"{path}: {answer.text[:300]}"
    deep = quote("[" * 20_000)
    assert call(target.address, "GET", f"/graphql?query=x&variables={deep}").status in (400, 413)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 50_000 + "metrics.a > 1" + ")" * 50_000,
        "NOT " * 50_000 + "metrics.a > 1",
        " AND ".join(["metrics.a > 1"] * 50_000),
        " OR ".join(f"metrics.a{number} > 1" for number in range(20_000)),
        "attributes.run_id IN (" + ", ".join(["'a'"] * 100_000) + ")",
        "params.a LIKE '" + "%a" * 50_000 + "'",
        "params.a RLIKE '" + "(a+)+" * 5_000 + "$'",
        "params.a RLIKE '" + "a{1000}" * 50 + "{1000}'",
        "params.`" + "a" * 100_000 + "` = 'x'",
        "'" * 100_001,
        "metrics.a > " + "9" * 100_000,
        "\u00a0" * 100_000,
    ],
    ids=[
        "parentheses",
        "NOT",
        "AND",
        "OR",
        "IN",
        "LIKE",
        "regular expression",
        "counted expression",
        "key",
        "quotes",
        "number",
        "blanks",
    ],
)
def test_filters_that_go_deep(target: Target, text: str) -> None:
    answer = call(target.address, "POST", f"{API}/runs/search", {"experiment_ids": ["0"], "filter": text})
    assert answer.status in (200, 400), answer.text[:300]
    assert "Traceback" not in answer.text
    assert len(answer.body) < 1_000_000


@pytest.mark.parametrize(
    "path",
    [
        f"{API}/runs/get?run_id={'x' * 100_000}",
        "/" + "x" * 100_000,
        "/api/2.0/mlflow-artifacts/artifacts/" + "a/" * 30_000,
        f"{API}/experiments/get?" + "&".join(f"a{number}=b" for number in range(3000)),
    ],
    ids=["query", "path", "folders", "fields"],
)
def test_addresses_that_go_on(target: Target, path: str) -> None:
    try:
        answer = call(target.address, "GET", path)
    except (http.client.BadStatusLine, ConnectionError):
        pass  # cut off before it was a request
    else:
        assert answer.status in (400, 413, 431)
    assert call(target.address, "GET", "/health").status == 200


def test_names_that_are_too_long(target: Target) -> None:
    for path, body in (
        ("experiments/create", {"name": "x" * 10_000}),
        ("experiments/create", {"name": "y", "artifact_location": "mlflow-artifacts:/" + "x" * 10_000}),
        ("runs/set-tag", {"run_id": target.run_id, "key": "k" * 1000, "value": "v"}),
        ("runs/log-metric", {"run_id": target.run_id, "key": "k" * 1000, "value": 1, "timestamp": 1}),
        ("logged-models", {"experiment_id": "0", "name": "x" * 10_000}),
    ):
        answer = call(target.address, "POST", f"{API}/{path}", body)
        assert answer.status == 400, f"{path}: {answer.text[:200]}"
        assert len(answer.body) < 5000, "an error does not send back all that it was sent"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MillstreamServer, Path]]:
    place = tmp_path_factory.mktemp("measured")
    (place / "temporary").mkdir()
    with MillstreamServer(place, environment={"TMPDIR": str(place / "temporary")}) as server:
        yield server, place / "temporary"


def memory(server: MillstreamServer) -> int:
    """What the server holds now, in bytes, its children included."""
    process = psutil.Process(server.process.pid)
    found: int = sum(one.memory_info().rss for one in [process, *process.children(recursive=True)])
    return found


def test_files_go_through_without_being_held(measured: tuple[MillstreamServer, Path]) -> None:
    server, temporary = measured
    before, most = memory(server), 0
    target = urlsplit(server.uri)
    assert target.hostname is not None
    connection = http.client.HTTPConnection(target.hostname, target.port, timeout=120)
    path, size = "/api/2.0/mlflow-artifacts/artifacts/0/big.bin", 300
    connection.putrequest("PUT", path)
    connection.putheader("Content-Length", str(size * MEGABYTE))
    connection.endheaders()
    block = bytes(range(256)) * (MEGABYTE // 256)
    for _ in range(size):
        connection.send(block)
        most = max(most, memory(server))
        assert not list(temporary.iterdir()), "the file must not wait in a temporary folder"
    assert connection.getresponse().read() == b""
    connection.request("GET", path)
    answer = connection.getresponse()
    received = 0
    while chunk := answer.read(MEGABYTE):
        received += len(chunk)
        most = max(most, memory(server))
    connection.close()
    assert received == size * MEGABYTE
    assert most - before < 60 * MEGABYTE, f"the server grew by {(most - before) // MEGABYTE} MB"


def test_refused_bodies_are_not_held(measured: tuple[MillstreamServer, Path]) -> None:
    server, _ = measured
    body = b'{"run_id": "x", "filler": "' + b"x" * (8 * MEGABYTE) + b'"}'
    call(server.uri, "POST", f"{API}/runs/log-batch", body, {"Content-Type": "application/json"})
    before = memory(server)
    for _ in range(20):
        answer = call(server.uri, "POST", f"{API}/runs/log-batch", body, {"Content-Type": "application/json"})
        assert answer.status == 413
    assert memory(server) - before < 40 * MEGABYTE


@pytest.mark.parametrize(
    "path",
    [
        "/%3Cscript%3Ealert(1)%3C/script%3E",
        f"{API}/runs/get?run_id=%3Cscript%3Ealert(1)%3C/script%3E",
        f"{API}/experiments/get-by-name?experiment_name=%3Csvg%20onload=alert(1)%3E",
        f"/get-artifact?run_uuid={quote('<img src=x>')}&path=x",
    ],
)
def test_what_is_sent_back_is_never_a_page(target: Target, path: str) -> None:
    answer = call(target.address, "GET", path, headers={"Accept": "text/html"})
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    json.loads(answer.body)


@pytest.mark.parametrize(
    "name",
    [
        "X-Request-Id",
        "Content-Type",
        "Range",
        "If-None-Match",
        "If-Match",
        "If-Range",
        "Repr-Digest",
        "Accept",
        "Content-Digest",
        "Origin",
        "X-Forwarded-Host",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
    ],
)
@pytest.mark.parametrize(
    "value", ["\x7f", "é", "x" * 8000, "<script>", "'; DROP TABLE runs; --", "%0d%0aX-Evil: 1", "bytes=0-", "null"]
)
def test_headers_are_not_believed(target: Target, name: str, value: str) -> None:
    files = f"/api/2.0/mlflow-artifacts/artifacts/0/{target.run_id}/artifacts/inside/file.txt"
    for path in (files, f"{API}/runs/get?run_id={target.run_id}"):
        answer = call(target.address, "GET", path, headers={name: value})
        assert answer.status < 500
        assert "x-evil" not in answer.headers
