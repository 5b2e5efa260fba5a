"""In which form answers go out: compressed for pages, curves as bytes, and with how long they took."""

from __future__ import annotations

import gzip
import json
import math
import re
import struct
from typing import Any
from urllib.parse import urlencode

import pytest

from millstream.operations import Curve, Curves
from millstream.server.answers import print_curves
from tests.servers.wire import call

API = "/api/2.0/mlflow"


def read(printed: bytes) -> tuple[dict[str, Any], list[list[float]]]:
    """The header, and the columns of all curves, as the documentation says that they lie."""
    assert printed[:4] == b"MSC1"
    (length,) = struct.unpack_from("<I", printed, 4)
    header = json.loads(printed[8 : 8 + length])
    at = 8 + length
    assert at % 8 == 0
    columns = []
    for curve in header["curves"]:
        for _ in range(4):
            columns.append(list(struct.unpack_from(f"<{curve['count']}d", printed, at)))
            at += 8 * curve["count"]
    assert at == len(printed)
    return header, columns


@pytest.mark.parametrize("name", ["r", "ro", "run", "runs with ü"])
def test_curves_as_bytes(name: str) -> None:
    made = Curves(
        [
            Curve(name, "loss", 7, False, [0.0, 2.0], [1.0, "NaN"], [2.5, "Infinity"], [2.0, "-Infinity"]),
            Curve(name, "acc", 1, True, [5.0], [0.1], [0.1], [0.1]),
        ],
        0.0, 5.0,
    )
    header, columns = read(print_curves(made))
    assert (header["x0"], header["x1"]) == (0, 5)
    assert [(curve["run_id"], curve["metric"], curve["points"], curve["exact"]) for curve in header["curves"]] == [
        (name, "loss", 7, False), (name, "acc", 1, True)
    ]
    assert columns[0] == [0, 2]
    assert columns[1][0] == 1 and math.isnan(columns[1][1])
    assert columns[2:4] == [[2.5, math.inf], [2.0, -math.inf]]
    assert columns[4:] == [[5.0], [0.1], [0.1], [0.1]]
    assert read(print_curves(Curves())) == ({"x0": None, "x1": None, "curves": []}, [])


def test_a_client_that_takes_bytes_gets_them(address: str, run_id: str) -> None:
    batch = {"run_id": run_id, "metrics": [{"key": "loss", "value": 1 / 3, "timestamp": 1, "step": step}
                                           for step in range(100)]}
    assert call(address, "POST", f"{API}/runs/log-batch", batch).status == 200
    asked = {"run_ids": [run_id], "metrics": ["loss"]}
    path = "/ajax-api/v1/runs/curves"
    octets = call(address, "POST", path, asked, headers={"Accept": "application/octet-stream"})
    assert octets.headers["content-type"] == "application/octet-stream"
    header, columns = read(octets.body)
    assert (header["curves"][0]["count"], columns[0], columns[3]) == (100, list(map(float, range(100))), [1 / 3] * 100)
    packed = call(
        address, "POST", path, asked, headers={"Accept": "application/octet-stream", "Accept-Encoding": "gzip"}
    )
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == octets.body
    assert call(address, "POST", path, asked).json()["curves"][0]["last"] == [1 / 3] * 100


def test_answers_say_how_long_they_took(address: str) -> None:
    for path in ("/health", "/", f"{API}/experiments/get?experiment_id=0", "/nowhere"):
        answer = call(address, "GET", path)
        assert re.fullmatch(r"total;dur=\d+\.\d", answer.headers["server-timing"])


def test_a_window_may_be_asked_for_by_an_address(address: str, run_id: str) -> None:
    fields = {"experiment_ids": ["0"], "columns": ["attributes.run_id"], "limit": 1, "tree": "true"}
    query = urlencode(fields, doseq=True)
    answer = call(address, "GET", f"/ajax-api/v1/runs/query?{query}")
    assert answer.json()["cols"]["attributes.run_id"] == answer.json()["ids"] != []


def test_programs_get_answers_as_they_are_and_writes_are_never_compressed(address: str) -> None:
    accepted = {"Accept-Encoding": "gzip, br"}
    note = "n" * 5_000
    asked = {"experiment_id": "0", "tags": [{"key": "mlflow.note.content", "value": note}]}
    made = call(address, "POST", "/ajax-api/2.0/mlflow/runs/create", asked, headers=accepted)
    assert "content-encoding" not in made.headers
    run_id = made.json()["run"]["info"]["run_id"]
    plain = call(address, "GET", f"/api/2.0/mlflow/runs/get?run_id={run_id}", headers=accepted)
    assert "content-encoding" not in plain.headers and note in plain.text
    packed = call(address, "GET", f"/ajax-api/2.0/mlflow/runs/get?run_id={run_id}", headers=accepted)
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(packed.body) == plain.body
    small = call(address, "GET", "/ajax-api/2.0/mlflow/experiments/get?experiment_id=0", headers=accepted)
    assert "content-encoding" not in small.headers
