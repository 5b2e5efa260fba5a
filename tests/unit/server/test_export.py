"""Whole tables as files."""

from __future__ import annotations

import csv
import io
import json
from urllib.parse import urlencode

import pytest

from millstream.server import export
from tests.servers.wire import Answer, call

API = "/api/2.0/mlflow"


@pytest.fixture
def experiment(address: str, request: pytest.FixtureRequest) -> str:
    made = call(address, "POST", f"{API}/experiments/create", {"name": f"export {request.node.name}"})
    found: str = made.json()["experiment_id"]
    return found


def add(address: str, experiment: str, start: int, params: dict[str, str], loss: object = 0.5) -> str:
    asked = {"experiment_id": experiment, "start_time": start, "run_name": "r"}
    made = call(address, "POST", f"{API}/runs/create", asked)
    run_id: str = made.json()["run"]["info"]["run_id"]
    batch = {
        "run_id": run_id, "metrics": [{"key": "loss", "value": loss, "timestamp": 1, "step": 0}],
        "params": [{"key": key, "value": text} for key, text in params.items()],
    }
    assert call(address, "POST", f"{API}/runs/log-batch", batch).status == 200
    return run_id


def ask(address: str, experiment: str, **fields: object) -> Answer:
    query = urlencode({"experiment_ids": experiment, **fields}, doseq=True)
    return call(address, "GET", f"/ajax-api/v1/runs/export?{query}")


def rows(answer: Answer) -> list[list[str]]:
    assert answer.status == 200, answer.text
    assert answer.headers["content-disposition"].startswith("attachment;")
    return list(csv.reader(io.StringIO(answer.text)))


def test_all_rows_in_their_order_with_these_columns(
    address: str, experiment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_ROWS_AT_ONCE", 2)
    for start in range(1, 6):
        add(address, experiment, start, {"n": str(start)}, loss=start * 10)
    columns = ["params.n", "metrics.loss", "attributes.start_time"]
    found = rows(ask(address, experiment, columns=columns, order_by="metrics.loss DESC", filter="metrics.loss > 10"))
    assert found == [
        columns, *([str(n), f"{n * 10}.0", f"1970-01-01T00:00:00.00{n}Z"] for n in (5, 4, 3, 2))
    ]


def test_without_columns_all_that_there_are(address: str, experiment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_COLUMNS_AT_ONCE", 3)
    run_id = add(address, experiment, 1, {f"p{number}": "x" for number in range(5)})
    head, row = rows(ask(address, experiment))
    assert head[:3] == ["attributes.run_id", "attributes.run_name", "attributes.status"]
    assert {"metrics.loss", *(f"params.p{number}" for number in range(5))} < set(head)
    assert (row[0], row[head.index("params.p4")], row[head.index("metrics.loss")]) == (run_id, "x", "0.5")
    empty = call(address, "POST", f"{API}/experiments/create", {"name": "export nothing"}).json()["experiment_id"]
    assert rows(ask(address, empty)) == [head[:8]]


def test_no_cell_is_a_formula(address: str, experiment: str) -> None:
    texts = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", 'a"b,c\nd', "-0.5", "+1e-5", "plain"]
    add(address, experiment, 1, {f"p{index}": text for index, text in enumerate(texts)}, loss=-0.25)
    columns = ["metrics.loss", *(f"params.p{index}" for index in range(len(texts)))]
    _, row = rows(ask(address, experiment, columns=columns))
    assert row == ["-0.25", *(f"'{text}" for text in texts[:5]), 'a"b,c\nd', "-0.5", "+1e-5", "plain"]


def test_json_lines(address: str, experiment: str) -> None:
    run_id = add(address, experiment, 7, {"p": "=1"}, loss="NaN")
    answer = ask(address, experiment, format="jsonl", columns=["metrics.loss", "params.p", "attributes.start_time"])
    assert [json.loads(line) for line in answer.text.splitlines()] == [
        {"run_id": run_id, "metrics.loss": "NaN", "params.p": "=1", "attributes.start_time": 7}
    ]


@pytest.mark.parametrize(
    "fields", [{"format": "xlsx"}, {"filter": "metrics.loss <"}, {"columns": "nonsense"}, {"view_type": "SOME"}]
)
def test_what_cannot_be_exported(address: str, experiment: str, fields: dict[str, str]) -> None:
    assert ask(address, experiment, **fields).status == 400
