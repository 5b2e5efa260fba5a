"""Requests and what is answered, over a real socket."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from millstream.errors import PermissionDenied, StoreUnavailable
from millstream.operations import OPERATIONS, OWNER, Needs, Operation, Permission, Principal
from millstream.server.application import Application
from millstream.server.config import Limits, ServerConfig
from millstream.server.policy import Headers, OwnerPolicy
from millstream.server.run import open_served_store
from tests.servers import inside
from tests.servers.wire import Answer, call

API = "/api/2.0/mlflow"


def config(place: Path, **more: Any) -> ServerConfig:
    return ServerConfig(f"sqlite:///{place}/store.db", artifacts_destination=str(place / "artifacts"), **more)


def test_a_run_from_beginning_to_end(address: str) -> None:
    made = call(address, "POST", f"{API}/runs/create", {"experiment_id": "0", "run_name": "first", "start_time": 7})
    run_id = made.json()["run"]["info"]["run_id"]
    point = {"run_id": run_id, "key": "loss", "value": 0.5, "timestamp": 1, "step": 3}
    logged = call(address, "POST", f"{API}/runs/log-metric", point)
    assert (logged.status, logged.body, logged.headers["content-type"]) == (200, b"{}", "application/json")
    call(address, "POST", f"{API}/runs/log-parameter", {"run_id": run_id, "key": "depth", "value": "4"})
    call(address, "POST", f"{API}/runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": 9})
    run = call(address, "GET", f"{API}/runs/get?run_id={run_id}").json()["run"]
    assert run["info"]["status"] == "FINISHED"
    assert run["info"]["artifact_uri"] == f"mlflow-artifacts:/0/{run_id}/artifacts"
    assert [metric["value"] for metric in run["data"]["metrics"]] == [0.5]
    assert run["data"]["params"] == [{"key": "depth", "value": "4"}]


def test_both_prefixes_are_the_same_api(address: str, run_id: str) -> None:
    one = call(address, "GET", f"/api/2.0/mlflow/runs/get?run_id={run_id}")
    other = call(address, "GET", f"/ajax-api/2.0/mlflow/runs/get?run_id={run_id}")
    assert one.status == other.status == 200
    assert one.body == other.body


def test_calls_of_pages_only_exist_for_pages(address: str, run_id: str) -> None:
    query = f"2.0/mlflow/metrics/get-history-bulk?run_id={run_id}&metric_key=loss"
    assert call(address, "GET", f"/ajax-api/{query}").json() == {}
    assert call(address, "GET", f"/api/{query}").status == 404


@pytest.mark.parametrize("path", ["/api/2.0mlflow", "/ajax-api/2.0mlflow", "/ajax-api/2.0/mlflow"])
def test_datasets_are_found_at_every_spelling(address: str, path: str) -> None:
    assert call(address, "POST", f"{path}/experiments/search-datasets", {"experiment_ids": ["0"]}).json() == {}


def test_fields_in_the_path(address: str) -> None:
    made = call(address, "POST", f"{API}/logged-models", {"experiment_id": "0", "name": "model"})
    model_id = made.json()["model"]["info"]["model_id"]
    assert call(address, "GET", f"{API}/logged-models/{model_id}").json()["model"]["info"]["name"] == "model"
    tags = {"tags": [{"key": "a/b c", "value": "x"}]}
    assert call(address, "PATCH", f"{API}/logged-models/{model_id}/tags", tags).status == 200
    assert call(address, "DELETE", f"{API}/logged-models/{model_id}/tags/a%2Fb%20c").status == 200
    assert "tags" not in call(address, "GET", f"{API}/logged-models/{model_id}").json()["model"]["info"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "said"),
    [
        ("GET", f"{API}/runs/get?run_id=nobody", None, 404, "RESOURCE_DOES_NOT_EXIST", "nobody"),
        (
            "GET",
            f"{API}/runs/get",
            None,
            400,
            "INVALID_PARAMETER_VALUE",
            "Missing value for required parameter 'run_id'",
        ),
        (
            "POST",
            f"{API}/runs/log-metric",
            {"run_id": "r", "key": "k", "value": "x", "timestamp": 1},
            400,
            "INVALID_PARAMETER_VALUE",
            "Invalid value .* for parameter 'value' supplied",
        ),
        ("POST", f"{API}/runs/log-metric", b"{", 400, "BAD_REQUEST", "JSON"),
        ("POST", f"{API}/runs/log-metric", b"[]", 400, "BAD_REQUEST", "object"),
        ("POST", f"{API}/runs/log-metric", b"\xff\xfe", 400, "BAD_REQUEST", "JSON"),
        ("GET", f"{API}/runs/nothing", None, 404, "ENDPOINT_NOT_FOUND", "path"),
        ("GET", "/nothing", None, 404, "ENDPOINT_NOT_FOUND", "path"),
        ("GET", f"{API}/experiments/get/", None, 404, "ENDPOINT_NOT_FOUND", "path"),
        ("POST", f"{API}/runs/get", {}, 405, "ENDPOINT_NOT_FOUND", "POST"),
        ("PUT", "/health", b"x", 405, "ENDPOINT_NOT_FOUND", "PUT"),
        ("GET", f"{API}/experiments/get?experiment_id=%ff", None, 400, "BAD_REQUEST", "UTF-8"),
        ("GET", f"{API}/experiments/get?" + "x=1&" * 2000, None, 400, "BAD_REQUEST", "fields"),
    ],
)
def test_what_is_wrong_is_told_in_one_form(
    address: str, method: str, path: str, body: object, status: int, code: str, said: str
) -> None:
    headers = {"Content-Type": "application/json"} if isinstance(body, bytes) else None
    answer = call(address, method, path, body, headers)
    assert (answer.status, answer.json()["error_code"]) == (status, code)
    assert re.search(said, answer.json()["message"]), answer.text
    assert answer.headers["content-type"] == "application/json"


def test_a_wrong_method_says_which_are_right(address: str) -> None:
    assert call(address, "POST", f"{API}/runs/get", {}).headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "application/jsonx"]
)
def test_json_must_be_called_json(address: str, run_id: str, kind: str) -> None:
    answer = call(
        address, "POST", f"{API}/runs/set-tag", {"run_id": run_id, "key": "k", "value": "v"}, {"Content-Type": kind}
    )
    assert (answer.status, answer.json()["error_code"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"]
)
def test_json_by_any_of_its_spellings(address: str, run_id: str, kind: str) -> None:
    answer = call(
        address, "POST", f"{API}/runs/set-tag", {"run_id": run_id, "key": "k", "value": "v"}, {"Content-Type": kind}
    )
    assert answer.status == 200


def test_a_body_may_come_in_chunks(address: str, run_id: str) -> None:
    sent = json.dumps({"run_id": run_id, "key": "k", "value": "in chunks"}).encode()
    chunked = (
        b"".join(b"%x\r\n%s\r\n" % (len(sent[at : at + 7]), sent[at : at + 7]) for at in range(0, len(sent), 7))
        + b"0\r\n\r\n"
    )
    headers = {"Transfer-Encoding": "chunked", "Content-Type": "application/json"}
    assert call(address, "POST", f"{API}/runs/set-tag", chunked, headers).status == 200
    assert "in chunks" in call(address, "GET", f"{API}/runs/get?run_id={run_id}").text


def test_a_compressed_body_is_refused(address: str) -> None:
    answer = call(address, "POST", f"{API}/experiments/search", {}, {"Content-Encoding": "gzip"})
    assert answer.status == 400
    assert "Content-Encoding" in answer.json()["hint"]


def test_head_gives_the_head_of_get(address: str, run_id: str) -> None:
    path = f"{API}/runs/get?run_id={run_id}"
    answer = call(address, "HEAD", path)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == str(len(call(address, "GET", path).body))


def test_every_answer_names_its_request(address: str) -> None:
    assert call(address, "GET", "/health", headers={"X-Request-Id": "mine-7"}).headers["x-request-id"] == "mine-7"
    first, second = (call(address, "GET", "/health").headers["x-request-id"] for _ in range(2))
    assert first != second
    for bad in ("a b", "x" * 65, "<script>"):
        assert call(address, "GET", "/health", headers={"X-Request-Id": bad}).headers["x-request-id"] != bad


def test_what_every_server_has(address: str) -> None:
    assert call(address, "GET", "/health").body == b"OK"
    assert call(address, "GET", "/version").body == b"3.17.2"
    info = call(address, "GET", "/api/3.0/mlflow/server-info").json()
    assert (info["store_type"], info["workspaces_enabled"]) == ("SqlStore", False)
    for method, path in (
        ("GET", "workspaces"),
        ("POST", "workspaces"),
        ("GET", "workspaces/a"),
        ("DELETE", "workspaces/a"),
    ):
        assert call(address, method, f"/api/3.0/mlflow/{path}").json()["error_code"] == "NOT_IMPLEMENTED"


def test_a_request_for_a_workspace_is_not_answered_from_another(address: str) -> None:
    path = f"{API}/experiments/get?experiment_id=0"
    refused = call(address, "GET", path, headers={"X-MLFLOW-WORKSPACE": "team-a"})
    assert (refused.status, refused.json()["error_code"]) == (501, "NOT_IMPLEMENTED")
    assert call(address, "GET", path, headers={"X-MLFLOW-WORKSPACE": "default"}).status == 200


def test_probes_may_call_by_any_name(address: str) -> None:
    assert call(address, "GET", "/health", host="10.1.2.3").status == 200
    assert call(address, "GET", "/version", host="10.1.2.3").status == 200
    assert call(address, "GET", "/api/3.0/mlflow/server-info", host="10.1.2.3").status == 403


def test_a_page_of_an_allowed_origin_may_call(tmp_path: Path) -> None:
    origin = "https://notebooks.example"
    with inside.served(config(tmp_path, allowed_origins=(origin,))) as address:
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        before = call(address, "OPTIONS", f"{API}/experiments/search", headers=asked)
        assert (before.status, before.headers["access-control-allow-origin"]) == (204, origin)
        assert "POST" in before.headers["access-control-allow-methods"]
        assert "content-type" in before.headers["access-control-allow-headers"]
        answer = call(address, "GET", f"{API}/experiments/get?experiment_id=0", headers={"Origin": origin})
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, origin)
        assert answer.headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in answer.headers
        foreign = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        assert call(address, "OPTIONS", f"{API}/experiments/search", headers=foreign).status == 403
        assert call(address, "GET", f"{API}/experiments/get?experiment_id=0", headers=foreign).status == 403


def test_everything_is_found_below_a_prefix_too(tmp_path: Path) -> None:
    with inside.served(config(tmp_path, static_prefix="/deep/mlflow")) as address:
        for path in (
            "/deep/mlflow/health",
            "/health",
            "/deep/mlflow/",
            f"/deep/mlflow{API}/experiments/get?experiment_id=0",
            f"{API}/experiments/get?experiment_id=0",
            "/deep/mlflow/plain/experiments/0",
        ):
            assert call(address, "GET", path).status == 200, path
        assert call(address, "GET", "/deep/mlflowx/health").status == 404
        assert 'href="/deep/mlflow/docs"' in call(address, "GET", "/deep/mlflow/plain").text


def test_a_server_of_artifacts_only(tmp_path: Path) -> None:
    with inside.served(config(tmp_path, artifacts_only=True)) as address:
        assert call(address, "PUT", "/api/2.0/mlflow-artifacts/artifacts/0/a.txt", b"x").status == 200
        assert call(address, "GET", "/health").status == 200
        for path in (
            f"{API}/experiments/get?experiment_id=0",
            "/",
            "/get-artifact?run_uuid=a&path=b",
            "/graphql",
            "/docs",
        ):
            assert call(address, "GET", path).status == 404, path
    assert not (tmp_path / "store.db").exists()


def test_a_server_that_proxies_no_artifacts(tmp_path: Path) -> None:
    served = ServerConfig(
        f"sqlite:///{tmp_path}/store.db", serve_artifacts=False, default_artifact_root=str(tmp_path / "files")
    )
    with inside.served(served) as address:
        assert call(address, "PUT", "/api/2.0/mlflow-artifacts/artifacts/0/a.txt", b"x").status == 404
        made = call(address, "POST", f"{API}/runs/create", {"experiment_id": "0"}).json()
        assert made["run"]["info"]["artifact_uri"].startswith(str(tmp_path / "files"))


def test_metrics_can_be_left_out(tmp_path: Path) -> None:
    with inside.served(config(tmp_path, expose_metrics=False)) as address:
        assert call(address, "GET", "/metrics").status == 404


# What goes wrong inside


class Failing:
    """A store whose answers are errors."""

    uri = "failing"
    outbox = None

    def __init__(self, error: Exception) -> None:
        self.error = error

    def execute(self, operation: Operation[Any], principal: Principal = OWNER) -> Any:
        raise self.error

    def submit(
        self, operation: Operation[Any], principal: Principal, on_done: Callable[[Any, BaseException | None], None]
    ) -> None:
        on_done(None, self.error)

    def sweep(self) -> int:
        return 0

    def listen(self, on_change: Callable[[], None]) -> Callable[[], None]:
        return lambda: None

    def close(self) -> None:
        return None


@pytest.mark.parametrize("path", [f"{API}/runs/get?run_id=a", f"{API}/runs/delete"])
def test_what_nobody_expected_stays_inside(tmp_path: Path, path: str, caplog: pytest.LogCaptureFixture) -> None:
    app = Application(config(tmp_path), Failing(ZeroDivisionError("the secret of line 7")))
    with inside.served_application(app) as address:
        body = None if "get" in path else {"run_id": "a"}
        answer = call(address, "GET" if body is None else "POST", path, body, {"X-Request-Id": "ask-me"})
    told = answer.json()
    assert (answer.status, told["error_code"]) == (500, "INTERNAL_ERROR")
    assert "ask-me" in told["message"]
    assert "secret" not in answer.text and "Traceback" not in answer.text and "ZeroDivision" not in answer.text
    logged = next(record for record in caplog.records if record.message == "unexpected problem")
    assert logged.facts["request"] == "ask-me"  # type: ignore[attr-defined]
    assert logged.exc_info and "secret" in str(logged.exc_info[1])


def test_folders_of_this_machine_are_blotted_out(tmp_path: Path) -> None:
    error = StoreUnavailable(
        f"no space left at {tmp_path}/artifacts/x",
        hint=f"look into {Path.home()}/y, {tmp_path}/store.db, sqlite:////data/x.db and postgresql+psycopg://u:p@h/d",
    )
    with inside.served_application(Application(config(tmp_path), Failing(error))) as address:
        answer = call(address, "GET", f"{API}/runs/get?run_id=a")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert str(tmp_path) not in answer.text and str(Path.home()) not in answer.text
    assert answer.json()["message"] == "no space left at …/x"
    assert answer.json()["hint"] == "look into …/y, …, … and …"


# Permission


class Guest(OwnerPolicy):
    """Lets everybody read, and notes what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Needs, object]] = []

    def identify(self, headers: Headers) -> Principal:
        return Principal("guest")

    def check(self, principal: Principal, needs: Needs, request: object) -> None:
        self.asked.append((needs, request))
        if needs.permission > Permission.READ:
            raise PermissionDenied(f"{principal.name} may only read")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[str, Guest]]:
    policy = Guest()
    settings = config(tmp_path)
    with inside.served_application(Application(settings, open_served_store(settings), policy=policy)) as address:
        yield address, policy


def test_the_policy_is_asked_before_an_operation(guarded: tuple[str, Guest]) -> None:
    address, policy = guarded
    assert call(address, "GET", f"{API}/experiments/get?experiment_id=0").status == 200
    refused = call(address, "POST", f"{API}/experiments/delete", {"experiment_id": "0"})
    assert (refused.status, refused.json()["message"]) == (403, "guest may only read")
    assert (
        call(address, "GET", f"{API}/experiments/get?experiment_id=0").json()["experiment"]["lifecycle_stage"]
        == "active"
    )
    needs, asked = policy.asked[1]
    assert needs.field is not None and getattr(asked, needs.field) == "0"


def test_the_policy_is_asked_before_a_route(guarded: tuple[str, Guest]) -> None:
    address, policy = guarded
    put = call(address, "PUT", "/api/2.0/mlflow-artifacts/artifacts/7/run/artifacts/a.txt", b"x")
    assert put.status == 403
    needs, asked = policy.asked[-1]
    assert needs.field is not None and asked[needs.field] == "7"  # type: ignore[index]
    assert call(address, "GET", "/api/2.0/mlflow-artifacts/artifacts/7/run/artifacts/a.txt").status == 404
    query = {"query": 'mutation { mlflowSearchRuns(input: {experimentIds: ["0"]}) { nextPageToken } }'}
    before = len(policy.asked)
    assert call(address, "POST", "/graphql", query).status == 200
    assert [needs.permission for needs, _ in policy.asked[before:]] == [Permission.SIGNED_IN, Permission.READ]


# Limits


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    limits = Limits(body_bytes=1000, artifact_bytes=5000, request_seconds=1.0, concurrent_requests=4)
    with inside.served(config(tmp_path_factory.mktemp("narrow"), limits=limits)) as address:
        yield address


def test_a_long_address_is_refused(narrow: str) -> None:
    answer = call(narrow, "GET", f"{API}/runs/get?run_id={'x' * 40_000}")
    assert (answer.status, answer.json()["error_class"]) == (413, "TooLarge")


def test_a_large_body_is_refused(narrow: str) -> None:
    assert call(narrow, "POST", f"{API}/runs/set-tag", {"run_id": "a", "key": "k", "value": "v" * 2000}).status == 413
    assert call(narrow, "POST", f"{API}/runs/set-tag", {"run_id": "a", "key": "k", "value": "v" * 500}).status == 404


def test_an_announced_flood_is_refused_unread(narrow: str) -> None:
    answer = started(
        narrow,
        b"POST %s/runs/set-tag HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 999999999999\r\n\r\n{" % API.encode(),
    )
    assert (answer.status, answer.headers["connection"]) == (413, "close")


def test_a_large_artifact_is_refused(narrow: str) -> None:
    at = "/api/2.0/mlflow-artifacts/artifacts/0/big.bin"
    assert call(narrow, "PUT", at, b"x" * 6000).status == 413
    chunked = b"".join(b"3e8\r\n%s\r\n" % (b"x" * 1000) for _ in range(6)) + b"0\r\n\r\n"
    assert call(narrow, "PUT", at, chunked, {"Transfer-Encoding": "chunked"}).status == 413
    assert call(narrow, "GET", at).status == 404
    assert call(narrow, "PUT", at, b"x" * 4000).status == 200


@pytest.mark.parametrize("path", [f"{API}/runs/set-tag", "/api/2.0/mlflow-artifacts/artifacts/0/slow.bin"])
def test_a_body_that_does_not_come_is_not_waited_for(narrow: str, path: str) -> None:
    method = "POST" if "runs" in path else "PUT"
    answer = started(
        narrow,
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 100\r\n\r\n{".encode(),
    )
    assert (answer.status, answer.json()["error_class"]) == (408, "TooSlow")


def test_a_head_without_end_is_cut_off(narrow: str) -> None:
    with connected(narrow) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
        with pytest.raises((ConnectionError, BrokenPipeError)):
            for _ in range(1000):
                connection.sendall(b"X-Filler: " + b"x" * 1000 + b"\r\n")
            while connection.recv(65536):
                continue
            raise ConnectionError("closed")


def test_too_many_at_once_are_asked_to_come_back(narrow: str) -> None:
    head = (
        b"POST %s/runs/set-tag HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    )
    waiting = [connected(narrow) for _ in range(4)]
    try:
        for connection in waiting:
            connection.sendall(head % API.encode())
        answer = call(narrow, "GET", "/version")
        assert (answer.status, answer.headers.get("retry-after")) == (429, "1")
        assert answer.json()["error_code"] == "REQUEST_LIMIT_EXCEEDED"
    finally:
        for connection in waiting:
            connection.close()


def connected(address: str) -> socket.socket:
    target = urlsplit(address)
    return socket.create_connection((target.hostname, target.port or 80), timeout=30)


def started(address: str, sent: bytes) -> Answer:
    """The answer to a request that was sent no further than this."""
    with connected(address) as connection:
        connection.sendall(sent)
        received = b""
        while b"\r\n\r\n" not in received or not received.endswith(b"}"):
            more = connection.recv(65536)
            if not more:
                break
            received += more
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    return Answer(int(lines[0].split()[1]), headers, body)


# The way to the store and back


def test_many_writers_get_each_their_own_answer(address: str) -> None:
    made: dict[str, str] = {}

    def create(name: str) -> None:
        answer = call(address, "POST", f"{API}/runs/create", {"experiment_id": "0", "run_name": name})
        made[name] = answer.json()["run"]["info"]["run_name"]

    threads = [threading.Thread(target=create, args=(f"run {number}",)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == {f"run {number}": f"run {number}" for number in range(24)}


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
def test_every_operation_is_reachable(address: str, kind: type[Operation[Any]]) -> None:
    path = re.sub(r"\{[a-z_]+\}", "x", kind.endpoint.path)
    for method in kind.endpoint.methods:
        answer = call(
            address,
            method,
            ("/ajax-api" if kind.endpoint.ajax_only else "/api") + path,
            None if method in ("GET", "DELETE") else {},
        )
        assert answer.status < 500
        assert answer.status == 200 or answer.json()["error_code"] != "ENDPOINT_NOT_FOUND"
