"""The loan pipeline of the guide: from runs to a served model, by our client and by MLflow's, against our server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.clients.run import CLIENTS, client_environment, python_of
from tests.servers.millstream import MillstreamServer
from tests.servers.mlflow import answers
from tests.servers.processes import Process, free_port, wait_until

pytestmark = [pytest.mark.clients, pytest.mark.slow, pytest.mark.timeout(600)]

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "loan-pipeline.md"
ROWS = {"columns": ["income", "debt", "years", "late"], "data": [[52.0, 8.5, 6, 0], [31.0, 40.0, 1, 3]]}
# What the program found, for the test.
TOLD = """
import json
versions = client.search_model_versions("name = 'loan_model'")
json.dump({
    "runs": [[name, kind, round(auc, 9)] for name, kind, auc in zip(
        runs["tags.mlflow.runName"], runs["params.kind"], runs["metrics.auc"])],
    "versions": [[one.version, one.current_stage, one.run_id == runs.run_id[0]] for one in versions],
    "probabilities": [[round(float(value), 9) for value in row] for row in probabilities],
    "rows": [[round(float(value), 9) for value in row] for row in production.predict(pd.DataFrame(
        [[52.0, 8.5, 6.0, 0.0], [31.0, 40.0, 1.0, 3.0]], columns=["income", "debt", "years", "late"]))],
}, open("told.json", "w"))
"""


def program(package: str) -> str:
    """The guide's program, with the one line that names the package."""
    text = "\n\n".join(re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE))
    line = "import millstream as mlflow\n"
    assert text.count(line) == 1
    return text.replace(line, line if package == "millstream" else "import mlflow\n") + TOLD


def interpreter(package: str) -> Path:
    return Path(sys.executable) if package == "millstream" else python_of(CLIENTS[-1])


def variables(package: str, uri: str, place: Path) -> dict[str, str]:
    python = interpreter(package)
    return client_environment(uri, place) | {
        "PYTHONPATH": "", "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "MILLSTREAM_OUTBOX_DIR": str(place / "outbox"), "MILLSTREAM_ENV_ROOT": str(place / "envs"),
    }


def pipeline(package: str, uri: str, place: Path) -> dict[str, Any]:
    """What the program of this package tells, run against the server at ``uri``."""
    place.mkdir()
    (place / "pipeline.py").write_text(program(package))
    done = subprocess.run([str(interpreter(package)), "pipeline.py"], cwd=place, env=variables(package, uri, place),
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    told: dict[str, Any] = json.loads((place / "told.json").read_text())
    return told


def served(package: str, uri: str, place: Path, manager: str = "local") -> list[list[float]]:
    """What the scoring server of this package answers for the model in production."""
    port = free_port()
    process = Process(
        [str(interpreter(package)), "-m", package, "models", "serve", "-m", "models:/loan_model/Production", "-p",
         str(port), "--env-manager", manager], place / f"serve-{port}.log", variables(package, uri, place), place,
    )
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/ping"), 180, "the scoring server", process)
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations", json.dumps({"dataframe_split": ROWS}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            rows = json.load(answer)["predictions"]
    finally:
        process.stop()
    return [[round(float(value), 9) for value in row] for row in rows]


def test_runs_are_searched_the_best_is_promoted_and_served_by_either_client(tmp_path: Path) -> None:
    told, answered = {}, {}
    for package in ("millstream", "mlflow"):
        (tmp_path / f"server of {package}").mkdir()
        with MillstreamServer(tmp_path / f"server of {package}") as server:
            told[package] = pipeline(package, server.uri, tmp_path / package)
            answered[package] = served(package, server.uri, tmp_path / package)
            # What either has registered, the other side's server serves; ours also in the model's own environment.
            if package == "mlflow":
                assert served("millstream", server.uri, tmp_path / package) == answered[package]
            else:
                assert served("millstream", server.uri, tmp_path / package, "uv") == answered[package]
    ours = told["millstream"]
    assert ours == told["mlflow"]
    assert answered["millstream"] == answered["mlflow"] == ours["rows"]
    assert sorted(name for name, _, _ in ours["runs"]) == ["plain", "strict", "trees"]
    scores = [auc for _, _, auc in ours["runs"]]
    assert scores == sorted(scores, reverse=True) and scores[0] > 0.9
    assert ours["versions"] in ([[1, "Production", True]], [["1", "Production", True]])
    for row in (*ours["probabilities"], *ours["rows"]):
        assert sum(row) == pytest.approx(1.0)
    assert ours["rows"][0][1] > 0.9 > 0.1 > ours["rows"][1][1]
