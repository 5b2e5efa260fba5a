"""Requests as clients in other languages write them, and as people with curl do; each sent once, in this order.

Java's client prints protobuf's JSON form: int64 as text, field names with underscores. R's sends every scalar as text
and an absent value as an empty object. Browsers call under /ajax-api.
"""

from __future__ import annotations

import http.client
import json
import math
from typing import Any, NamedTuple
from urllib.parse import quote

JSON = "application/json"


def _shape(value: object) -> object:
    """What of an answer two servers must have in common: names and types, not ids and times."""
    if isinstance(value, dict):
        if "error_code" in value:
            return value["error_code"]
        return {name: _shape(item) for name, item in sorted(value.items())}
    if isinstance(value, list):
        return [_shape(value[0])] if value else []
    return "number" if isinstance(value, float) and math.isfinite(value) else type(value).__name__


class Exchange(NamedTuple):
    """A request as text, and what of its answer two servers must have in common."""

    request: str
    status: int
    shape: Any


def requests(port: int) -> list[Exchange]:
    """Sends all of them to the server on ``port``; returns them in order."""
    exchanges: list[Exchange] = []
    volatile: dict[str, str] = {}

    def call(
        who: str,
        method: str,
        path: str,
        body: object = None,
        kind: str | None = JSON,
        headers: dict[str, str] | None = None,
    ) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        sent = body if isinstance(body, (str, bytes)) or body is None else json.dumps(body)
        connection.putrequest(method, path, skip_accept_encoding=True)
        connection.putheader("X-Mlflow-Test-Client", who)
        if kind and sent is not None:
            connection.putheader("Content-Type", kind)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        data = sent.encode() if isinstance(sent, str) else sent or b""
        if data or method != "GET":
            connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data)
        answer = connection.getresponse()
        received = answer.read()
        connection.close()
        shown = (
            f"{who} {method} {path} {'' if sent is None else repr(sent)} {'' if kind == JSON else kind} {headers or ''}"
        )
        for text, name in volatile.items():
            shown = shown.replace(text, name)
        try:
            shape = _shape(json.loads(received)) if received.startswith(b"{") else "-"
        except ValueError:
            shape = "not JSON"
        exchanges.append(Exchange(shown[:300].strip(), answer.status, shape))
        return received

    api = "/api/2.0/mlflow"
    java = {"User-Agent": "mlflow-java-client/3.17.2"}
    made = call(
        "java",
        "POST",
        f"{api}/experiments/create",
        '{\n  "name": "raw java"\n}',
        "application/json; charset=UTF-8",
        java,
    )
    experiment = json.loads(made)["experiment_id"]
    volatile[f"[{experiment}]"] = "[EXPERIMENT]"
    started = call(
        "java",
        "POST",
        f"{api}/runs/create",
        {
            "experiment_id": experiment,
            "user_id": "someone",
            "start_time": "1600000000000",
            "tags": [{"key": "mlflow.user", "value": "someone"}],
        },
        headers=java,
    )
    run = json.loads(started)["run"]["info"]["run_id"]
    volatile[run] = "RUN"
    metric = {"key": "loss", "value": 0.5, "timestamp": "1600000000000", "step": "3"}
    call("java", "POST", f"{api}/runs/log-metric", {"run_uuid": run, "run_id": run, **metric}, headers=java)
    call("java", "POST", f"{api}/runs/log-metric", {"run_id": run, **metric, "value": "NaN"}, headers=java)
    call("java", "POST", f"{api}/runs/log-batch", {"run_id": run, "metrics": [metric]}, headers=java)
    call(
        "java",
        "POST",
        f"{api}/runs/update",
        {"run_uuid": run, "run_id": run, "status": "FINISHED", "end_time": "1600000000100"},
        headers=java,
    )
    call(
        "java",
        "POST",
        f"{api}/runs/search",
        {"experiment_ids": [experiment], "run_view_type": "ACTIVE_ONLY", "max_results": 1000},
        headers=java,
    )
    call("java", "GET", f"{api}/experiments/get?experiment_id={experiment}", headers=java)
    call("java", "GET", f"{api}/artifacts/list?run_uuid={run}&run_id={run}", headers=java)

    text = {"run_uuid": run, "run_id": run, "key": "r loss", "value": "0.25", "timestamp": "1600000000000", "step": "0"}
    call("r", "POST", f"{api}/runs/log-metric", text)
    call("r", "POST", f"{api}/runs/log-metric", {**text, "value": "Infinity"})
    call(
        "r",
        "POST",
        f"{api}/runs/log-batch",
        {
            "run_id": run,
            "metrics": [{"key": "b", "value": "1", "step": "1", "timestamp": "1"}],
            "params": {},
            "tags": {},
        },
    )
    call(
        "r",
        "POST",
        f"{api}/runs/search",
        {"experiment_ids": [experiment], "filter": {}, "run_view_type": "ALL", "order_by": []},
    )
    call("r", "POST", "/api/2.0/preview/mlflow/runs/search", {"experiment_ids": [experiment]})

    for path in (
        "experiments/search?max_results=500",
        f"experiments/get?experiment_id={experiment}",
        f"runs/get?run_id={run}",
        f"metrics/get-history?run_id={run}&metric_key=loss",
        f"artifacts/list?run_id={run}&path=",
    ):
        call("browser", "GET", f"/ajax-api/2.0/mlflow/{path}")
    call("browser", "POST", "/ajax-api/2.0/mlflow/runs/search", {"experiment_ids": [experiment], "max_results": 5})
    call(
        "browser",
        "GET",
        f"/ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id={run}&run_id={run}&metric_key=loss&max_results=3",
    )
    for prefix in ("api", "ajax-api"):
        call(
            "browser",
            "GET",
            f"/{prefix}/2.0/mlflow/metrics/get-history-bulk-interval?run_ids={run}&run_ids={run}&metric_key=loss&max_results=3",
        )
    call(
        "browser",
        "GET",
        f"/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?run_ids={run}&metric_key=loss&start_step=1&end_step=4&max_results=3",
    )
    call("browser", "POST", "/ajax-api/2.0/mlflow/experiments/search-datasets", {"experiment_ids": [experiment]})
    call("browser", "GET", f"/get-artifact?path=nothing.txt&run_uuid={run}")
    query = "query Q($data: MlflowGetExperimentInput!) { mlflowGetExperiment(input: $data) { experiment { experimentId name } apiError { code message } } }"
    call(
        "browser",
        "POST",
        "/graphql",
        {"operationName": "Q", "query": query, "variables": {"data": {"experimentId": experiment}}},
    )
    for path in ("/health", "/version", "/ajax-api/3.0/mlflow/server-info", "/api/2.0/mlflow/nothing", "/nothing"):
        call("browser", "GET", path)
    call("browser", "GET", f"{api}/runs/search")
    call("browser", "POST", f"{api}/runs/get", {"run_id": run})
    call(
        "browser",
        "POST",
        f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path=up/note.txt",
        b"uploaded",
        "text/plain",
    )
    call("browser", "GET", f"/get-artifact?path=up%2Fnote.txt&run_uuid={run}")
    for how in ("POST", "DELETE"):
        call("browser", how, f"/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run}/artifacts/up/note.txt")
    for step in ("create", "complete", "abort"):
        call(
            "browser",
            "POST",
            f"/api/2.0/mlflow-artifacts/mpu/{step}/{experiment}/{run}/artifacts/up",
            {"path": "up/big.bin", "num_parts": 2},
        )
    call("browser", "GET", f"/api/2.0/mlflow-artifacts/presigned/{experiment}/{run}/artifacts/up/note.txt")
    for what in ("upload", "download"):
        call("browser", "POST", f"{api}/artifacts/presigned-{what}-url", {"run_id": run, "path": "up/note.txt"})

    here = {"run_id": run, "key": "k", "value": 1.0, "timestamp": 1, "step": 0}
    bodies: tuple[object, ...] = (
        {"runId": run, "key": "camel", "value": 1.0, "timestamp": 1},
        {**here, "unknown_field": 5},
        {**here, "step": None},
        {**here, "step": 1.0},
        {**here, "step": 1.5},
        {**here, "step": "1.0"},
        {**here, "step": True},
        {**here, "step": 2**63},
        {**here, "value": "1e3"},
        {**here, "value": "abc"},
        {**here, "value": True},
        {**here, "value": None},
        {**here, "value": "nan"},
        {**here, "value": "-Infinity"},
        {**here, "value": 10**400},
        {**here, "timestamp": -1},
        {**here, "timestamp": "abc"},
        {**here, "key": 5},
        {**here, "key": None},
        {**here, "key": ""},
        {**here, "run_id": 5},
        {**here, "run_id": ""},
        {"key": "k", "value": 1.0, "timestamp": 1},
        {"run_id": run, "value": 1.0, "timestamp": 1},
        {"run_id": run, "key": "k", "timestamp": 1},
        {"run_id": run, "key": "no timestamp", "value": 1.0},
        {},
        [],
        "null",
        '"text"',
        "{",
        "",
        f'{{"run_id": "{run}", "key": "bare", "value": NaN, "timestamp": 1}}',
        f'{{"run_id": "{run}", "key": "twice", "key": "second", "value": 1, "timestamp": 1}}',
        json.dumps(json.dumps(here)),
        "\ufeff" + json.dumps(here),
        b"\xff\xfe",
    )
    for body in bodies:
        call("raw", "POST", f"{api}/runs/log-metric", body)
    for kind in (
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
    ):
        call("raw", "POST", f"{api}/runs/log-metric", here, kind)
    bodies = (
        {"experiment_ids": experiment},
        {"experiment_ids": [int(experiment)]},
        {"experiment_ids": None},
        {"experiment_ids": [experiment], "max_results": "5"},
        {"experiment_ids": [experiment], "max_results": 5.0},
        {"experiment_ids": [experiment], "max_results": -1},
        {"experiment_ids": [experiment], "max_results": 0},
        {"experiment_ids": [experiment], "max_results": None},
        {"experiment_ids": [experiment], "run_view_type": 1},
        {"experiment_ids": [experiment], "run_view_type": "active_only"},
        {"experiment_ids": [experiment], "run_view_type": "NOTHING"},
        {"experiment_ids": [experiment], "order_by": "metrics.loss"},
        {"experiment_ids": [experiment], "filter": None},
        {"experiment_ids": [experiment], "filter": 5},
        {"experiment_ids": [experiment], "page_token": ""},
        {"experiment_ids": ["abc"]},
    )
    for body in bodies:
        call("raw", "POST", f"{api}/runs/search", body)
    for query_string in (
        "",
        "experiment_id=",
        "experiment_id=abc",
        "experimentId=0",
        "experiment_id=0&experiment_id=1",
        "experiment_id=0&unknown=1",
        "experiment_id=%30",
        "experiment_id=-1",
        "experiment_id=0%00",
        "experiment_id=99999999999999999999",
    ):
        call("raw", "GET", f"{api}/experiments/get?{query_string}")
    for query_string in (
        "max_results=500",
        "max_results=",
        "max_results=abc",
        "max_results=500&view_type=ALL",
        "max_results=500&view_type=2",
        "max_results=500&order_by=name&order_by=creation_time%20DESC",
        "max_results=500&filter=" + quote("name LIKE 'raw%'"),
    ):
        call("raw", "GET", f"{api}/experiments/search?{query_string}")
    call("raw", "GET", f"{api}/experiments/get", {"experiment_id": "0"})
    call("raw", "POST", f"{api}/runs/get?run_id={run}")
    call("raw", "POST", f"{api}/runs/update", {"run_id": run, "status": 3})
    call("raw", "POST", f"{api}/runs/update", {"run_id": run, "status": "NOTHING"})
    call("raw", "POST", f"{api}/runs/update", {"run_id": run})
    call("raw", "POST", f"{api}/runs/create", {"experiment_id": int(experiment)})
    call("raw", "POST", f"{api}/runs/create", {})
    call("raw", "POST", f"{api}/experiments/create", {"name": "n" * 501})
    call("raw", "POST", f"{api}/experiments/create", {"name": "  "})
    call("raw", "POST", f"{api}/experiments/create", {"name": 5})
    call("raw", "POST", f"{api}/experiments/create", {})
    call("raw", "POST", f"{api}/experiments/create", {"name": "raw place", "artifact_location": "file:///etc"})
    call("raw", "POST", f"{api}/experiments/create", {"name": "raw place 2", "artifact_location": "s3://b/x#y?z=1"})
    call("raw", "POST", f"{api}/runs/log-parameter", {"run_id": run, "key": "p", "value": 5})
    call("raw", "POST", f"{api}/runs/log-parameter", {"run_id": run, "key": "q"})
    call("raw", "POST", f"{api}/runs/log-parameter", {"run_id": run, "key": "q", "value": None})
    call("raw", "POST", f"{api}/runs/set-tag", {"run_id": run, "key": "t"})
    for query_string in (
        f"run_id={run}&metric_key=loss&max_results=1",
        f"run_id={run}",
        f"run_id={run}&metric_key=loss&max_results=0",
        f"run_id={run}&metric_key=loss&max_results=1&page_token=x",
    ):
        call("raw", "GET", f"{api}/metrics/get-history?{query_string}")
    call("raw", "GET", "/api/2.0/mlflow-artifacts/artifacts?path=nothing%2Fhere")
    call("raw", "OPTIONS", f"{api}/experiments/get?experiment_id=0")
    call("raw", "GET", f"{api}/experiments/get?experiment_id=0", headers={"Origin": "http://evil.example"})
    call("raw", "POST", f"{api}/runs/log-metric", here, headers={"Origin": "http://evil.example"})
    call("raw", "GET", f"{api}/experiments/get/?experiment_id=0")
    return exchanges
