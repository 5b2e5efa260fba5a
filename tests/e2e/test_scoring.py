"""The scoring server as a user starts it, beside MLflow's own for the same requests."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import millstream.pyfunc
import millstream.sklearn
from millstream.models.signature import infer_signature
from tests.servers.mlflow import answers
from tests.servers.processes import wait_until
from tests.servers.scoring import JSON, Answer, Scoring

DATA, TARGET = load_diabetes(return_X_y=True, as_frame=True)
ROWS = DATA[:3]
SPLIT = {"columns": list(ROWS.columns), "data": ROWS.to_numpy().tolist()}
RECORDS = ROWS.to_dict(orient="records")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scoring")


@pytest.fixture(scope="module")
def pipeline(place: Path) -> Path:
    """A scikit-learn pipeline with a signature and an example."""
    fitted = make_pipeline(StandardScaler(), LinearRegression()).fit(DATA, TARGET)
    millstream.sklearn.save_model(
        fitted, place / "diabetes", signature=infer_signature(DATA, fitted.predict(DATA)), input_example=ROWS
    )
    return place / "diabetes"


@pytest.fixture(scope="module")
def server(place: Path, pipeline: Path) -> Iterator[Scoring]:
    with Scoring(place, pipeline) as running:
        yield running


def saved(place: Path, name: str, function: Callable[..., Any]) -> Path:
    """A function as a model. Those within others are pickled with their code, so that the server needs no module."""
    millstream.pyfunc.save_model(place / name, python_model=function, pip_requirements=["pandas"])
    return place / name


@pytest.fixture(scope="module")
def kinds(place: Path) -> Path:
    """A model that answers with the kind of value that it is asked for."""

    def predict(model_input):  # type: ignore[no-untyped-def]  # a hint would be checked
        import datetime

        import numpy
        import pandas

        made = {
            "frame": lambda: pandas.DataFrame({"a": [1, 2], "b": [1.5, None],
                                               "t": pandas.to_datetime(["2020-01-02"] * 2)}),
            "positions": lambda: pandas.DataFrame(numpy.arange(4).reshape(2, 2)),
            "series": lambda: pandas.Series([1, 2]),
            "named": lambda: pandas.Series([1.5, float("nan")], name="q"),
            "array": lambda: numpy.array([[1.5, float("nan")], [1, 2]]),
            "float32": lambda: numpy.array([0.1, 0.2], dtype="float32"),
            "dates": lambda: numpy.array(["2020-01-01", "2020-01-02"], dtype="M8[ns]"),
            "bytes": lambda: [b"abc"],
            "dict": lambda: {"a": numpy.array([1, 2]), "b": [1, 2], "c": numpy.float64(0.5), "n": None},
            "list": lambda: [1, "a", None, numpy.int64(3)],
            "text": lambda: "é", "number": lambda: 3, "none": lambda: None, "tuple": lambda: (1, 2),
            "date": lambda: [datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1, 2, 3)],
            "raises": lambda: 1 / 0,
        }
        return made[model_input["kind"][0]]()  # type: ignore[no-untyped-call]

    return saved(place, "kinds", predict)


KINDS = ("frame", "positions", "series", "named", "array", "float32", "dict", "list", "text", "number", "none", "tuple",
         "date", "raises")
PARQUET = io.BytesIO()
ROWS.to_parquet(PARQUET)
CSV = ROWS.to_csv(index=False)
BROKEN = {"columns": SPLIT["columns"], "data": [["x", *SPLIT["data"][0][1:]]]}
REQUESTS: dict[str, tuple[Any, str | None]] = {
    "split": ({"dataframe_split": SPLIT}, JSON),
    "records": ({"dataframe_records": RECORDS}, JSON),
    "instances": ({"instances": RECORDS}, JSON),
    "inputs": ({"inputs": {name: [row[name] for row in RECORDS] for name in RECORDS[0]}}, JSON),
    "params that the model has not": ({"dataframe_split": SPLIT, "params": {"x": 1}}, JSON),
    "csv": (CSV, "text/csv"),
    "csv in utf-8": (CSV, "text/csv; charset=utf-8"),
    "parquet": (PARQUET.getvalue(), "application/vnd.apache.parquet"),
    "csv in latin1": (CSV, "text/csv; charset=latin1"),
    "an old form": ({"dataframe_split": SPLIT}, "application/json; format=pandas-split"),
    "xml": ("<a/>", "text/xml"),
    "nothing": ("", JSON), "broken": ("{", JSON), "a list": ([], JSON), "no form": ({}, JSON),
    "two forms": ({"inputs": [1], "instances": [1]}, JSON),
    "a text among numbers": ({"dataframe_split": BROKEN}, JSON),
    "one column": ({"dataframe_records": [{"age": 1.0}]}, JSON),
    "missing numbers": ({"dataframe_split": {**SPLIT, "data": [[None] * 10]}}, JSON),
    "broken csv": ('a,b\n1,"2', "text/csv"),
    "broken parquet": (b"PAR1", "application/vnd.apache.parquet"),
}


def without_missing(value: Any) -> Any:
    """MLflow's server writes NaN, which is no JSON; ours null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [without_missing(item) for item in value]
    if isinstance(value, dict):
        return {name: without_missing(item) for name, item in value.items()}
    return value


@pytest.mark.clients
def test_answers_are_those_of_mlflows_server(place: Path, pipeline: Path, kinds: Path, server: Scoring) -> None:
    with contextlib.ExitStack() as stack:
        theirs = stack.enter_context(Scoring(place, pipeline, official=True, wait=False))
        their_kinds = stack.enter_context(Scoring(place, kinds, official=True, wait=False))
        our_kinds = stack.enter_context(Scoring(place, kinds))
        theirs.wait()
        their_kinds.wait()
        pairs = {name: (server.invoke(*request), theirs.invoke(*request)) for name, request in REQUESTS.items()}
        for kind in KINDS:
            body = {"dataframe_records": [{"kind": kind}]}
            pairs[kind] = our_kinds.invoke(body), their_kinds.invoke(body)
        for path in ("/ping", "/health", "/version"):
            pairs[path] = server.ask("GET", path), theirs.ask("GET", path)
    for name, (our, their) in pairs.items():
        assert our.status == their.status, f"{name}: {our.body!r} {their.body!r}"
        if name.startswith("/"):
            assert our.body == their.body
        elif our.status == 200:
            assert our.json == without_missing(their.json), name
            assert our.headers["content-type"] == their.headers["content-type"]
        elif our.status == 400:
            assert {"error_code", "message"} <= our.json.keys() & their.json.keys()
            assert "hint" in our.json and "Traceback" not in our.body.decode()


def test_where_mlflows_answers_are_no_good_ours_are(place: Path, kinds: Path) -> None:
    with Scoring(place, kinds) as running:
        def predicted(kind: str) -> Any:
            return running.invoke({"dataframe_records": [{"kind": kind}]}).json["predictions"]

        assert predicted("array") == [[1.5, None], [1.0, 2.0]]
        assert predicted("bytes") == ["YWJj"]
        assert [pd.Timestamp(text).day for text in predicted("dates")] == [1, 2]


def test_an_error_names_column_and_type(server: Scoring) -> None:
    told = server.invoke({"dataframe_split": BROKEN})
    assert told.status == 400 and told.json["error_code"] == "INVALID_PARAMETER_VALUE"
    assert "'age'" in told.json["message"] and "double" in told.json["message"]


def test_many_clients_get_each_their_own_answer(server: Scoring) -> None:
    expected = server.invoke({"dataframe_records": DATA[:64].to_dict(orient="records")}).json["predictions"]

    def one(place: int) -> tuple[int, Any]:
        body: dict[str, Any] = {"dataframe_records": DATA[place:place + 1].to_dict(orient="records")}
        if place % 8 == 7:
            body["dataframe_records"][0]["bmi"] = "x"
        answer = server.invoke(body)
        return answer.status, answer.json.get("predictions")

    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(one, range(64)))
    for place, (status, predicted) in enumerate(found):
        if place % 8 == 7:
            assert (status, predicted) == (400, None)
        else:
            assert status == 200 and predicted == pytest.approx([expected[place]], rel=1e-9)
    figures = server.ask("GET", "/metrics").body.decode()
    lines = dict(line.rsplit(" ", 1) for line in figures.splitlines() if not line.startswith("#"))
    assert float(lines['millstream_scoring_requests_total{route="invocations",status="400"}']) >= 8
    requests = float(lines["millstream_scoring_predicted_requests_total"])
    assert float(lines["millstream_scoring_batch_rows_count"]) < requests, "some were predicted together"


def test_the_open_inference_protocol(server: Scoring) -> None:
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/diabetes/ready"):
        assert server.ask("GET", path).status == 200
    about = server.ask("GET", "/v2/models/diabetes").json
    assert [one["name"] for one in about["inputs"]] == SPLIT["columns"]
    assert about["outputs"] == [{"name": "predictions", "datatype": "FP64", "shape": [-1]}]
    expected = server.invoke({"dataframe_split": SPLIT}).json["predictions"]
    columns = [{"name": name, "shape": [3, 1], "datatype": "FP64", "data": ROWS[name].tolist()} for name in ROWS]
    table = [{"name": "input", "shape": [3, 10], "datatype": "FP64", "data": SPLIT["data"]}]
    for inputs in (columns, table):
        told = server.ask("POST", "/v2/models/diabetes/infer", {"id": "7", "inputs": inputs}).json
        assert (told["id"], told["model_name"]) == ("7", "diabetes")
        (output,) = told["outputs"]
        assert (output["name"], output["datatype"], output["shape"]) == ("predictions", "FP64", [3])
        assert output["data"] == pytest.approx(expected)
    bad = server.ask("POST", "/v2/models/diabetes/infer", {"inputs": [{**table[0], "shape": [3, 9]}]})
    assert bad.status == 400 and "shape" in bad.json["message"]
    assert server.ask("GET", "/v2/models/other").status == 404


def test_the_page_and_its_document_tell_what_the_model_takes(server: Scoring) -> None:
    told = server.ask("GET", "/openapi.json").json
    example = told["paths"]["/invocations"]["post"]["requestBody"]["content"][JSON]["example"]
    assert server.invoke(example).status == 200
    forms = told["components"]["schemas"]["Request"]["oneOf"]
    assert forms[1]["properties"]["dataframe_records"]["items"]["properties"]["bmi"]["type"] == "number"
    page = server.ask("GET", "/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "bmi" in page.body.decode() and "curl http://127.0.0.1" in page.body.decode()


def test_foreign_names_and_pages_are_refused(server: Scoring) -> None:
    assert server.ask("POST", "/invocations", {}, Host="10.evil.example").status == 403
    assert server.ask("POST", "/invocations", {}, Origin="http://evil.example").status == 403
    assert server.ask("GET", "/ping", Host="10.evil.example").status == 200


def test_a_body_beyond_the_limit_is_refused(place: Path, pipeline: Path) -> None:
    with Scoring(place, pipeline, MILLSTREAM_SCORING_SERVER_MAX_BODY_BYTES="100000") as running:
        told = running.invoke(b" " * 200_000)
        assert told.status == 413 and "100000 bytes" in told.json["message"]
        assert running.invoke({"dataframe_split": SPLIT}).status == 200
        with socket.create_connection(("127.0.0.1", running.port), timeout=30) as raw:
            raw.sendall(b"POST /invocations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                        b"Content-Length: 99999999999\r\n\r\n")
            assert b" 413 " in raw.recv(1000), "told before it is sent"


@pytest.fixture
def gated(tmp_path: Path) -> tuple[Path, Path]:
    """A model that waits, at a row of 1, until somebody opens its pipe for writing; and that pipe."""
    pipe = tmp_path / "gate"
    os.mkfifo(pipe)
    where, begun = str(pipe), str(tmp_path / "begun")

    def predict(model_input):  # type: ignore[no-untyped-def]  # a hint would be checked
        values = list(model_input["x"])
        if 1 in values:
            open(begun, "w").close()
            with open(where) as gate:
                gate.read()
        return values

    return saved(tmp_path, "gated", predict), pipe


def in_thread(work: Callable[[], Answer]) -> Callable[[], Answer]:
    """Start ``work``; what is returned waits for its answer."""
    found: list[Answer] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()

    def wait() -> Answer:
        thread.join(60)
        return found[0]

    return wait


def test_what_runs_is_finished_when_the_server_ends(tmp_path: Path, gated: tuple[Path, Path]) -> None:
    model, pipe = gated
    with Scoring(tmp_path, model) as running:
        under_way = in_thread(lambda: running.invoke({"dataframe_records": [{"x": 1}]}))
        wait_until((tmp_path / "begun").exists, 30, "the prediction", running.process)
        running.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not answers(f"http://127.0.0.1:{running.port}/ping"), 30, "the end")
        pipe.write_text("go")
        assert under_way().json == {"predictions": [1]}
        assert running.process.stop() == 0


def test_deadlines_and_a_full_queue(tmp_path: Path, gated: tuple[Path, Path]) -> None:
    model, pipe = gated
    with Scoring(tmp_path, model, "-t", "2", MILLSTREAM_SCORING_SERVER_QUEUE="1") as running:
        under_way = in_thread(lambda: running.invoke({"dataframe_records": [{"x": 1}]}))
        wait_until((tmp_path / "begun").exists, 30, "the prediction", running.process)
        with ThreadPoolExecutor(8) as threads:
            others = list(threads.map(lambda _: running.invoke({"dataframe_records": [{"x": 2}]}), range(8)))
        assert under_way().status == 504
        refused = [one for one in others if one.status == 429]
        assert refused and all(one.headers["retry-after"] == "1" for one in refused)
        assert {one.status for one in others} <= {200, 429, 504}
        after = running.invoke({"dataframe_records": [{"x": 3}]})
        assert after.json == {"predictions": [3]}, "a prediction that does not end holds nobody up"
        pipe.write_text("go")


def test_several_workers_share_a_port_and_their_figures(place: Path, pipeline: Path) -> None:
    with Scoring(place, pipeline, "-w", "2") as running:
        for _ in range(10):
            assert running.invoke({"dataframe_split": SPLIT}).status == 200
        told = running.ask("GET", "/metrics").body.decode()
        assert 'millstream_scoring_requests_total{route="invocations",status="200"} 10.0' in told
        assert running.process.stop() == 0


def test_the_process_in_a_models_environment_ends_with_the_one_that_started_it(place: Path, pipeline: Path) -> None:
    config = json.dumps({"folder": str(pipeline), "port": 0})
    command = [sys.executable, "-m", "millstream.serving", config, "--while-stdin"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=place) as process:
        assert process.stdin is not None and process.stderr is not None
        assert b"The model is served at" in process.stderr.readline()
        process.stdin.close()
        assert process.wait(30) == 0


def test_other_machines_are_let_in_only_knowingly(place: Path, pipeline: Path) -> None:
    running = Scoring(place, pipeline, "-h", "0.0.0.0", wait=False)
    wait_until(lambda: running.process.returncode() is not None, 30, "the refusal")
    assert running.process.stop() == 1
    assert "--no-sign-in" in running.process.log_tail()
