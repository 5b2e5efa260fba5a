"""``millstream models predict`` as a user starts it, in the model's own environment, beside MLflow's command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import psutil
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

import millstream.pyfunc
import millstream.sklearn
from millstream.models import ModelSignature
from millstream.models.schema import ColSpec, Schema
from tests.clients.run import client_environment, python_of
from tests.servers.mlflow import VERSION
from tests.servers.processes import wait_until

DATA, TARGET = load_diabetes(return_X_y=True, as_frame=True)
ROWS = DATA[:5]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("predicting")


@pytest.fixture(scope="module")
def regression(place: Path) -> Path:
    model = LinearRegression().fit(DATA, TARGET)
    millstream.sklearn.save_model(model, place / "regression", input_example=ROWS)
    ROWS.to_csv(place / "rows.csv", index=False)
    ROWS.to_parquet(place / "rows.parquet")
    (place / "rows.json").write_text(json.dumps({"dataframe_split": ROWS.to_dict(orient="split")}))
    return place / "regression"


@pytest.fixture(scope="module")
def expected() -> list[float]:
    return [float(value) for value in LinearRegression().fit(DATA, TARGET).predict(ROWS)]


def variables(place: Path) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("MLFLOW_", "MILLST"))}
    return {**kept, "MILLSTREAM_ENV_ROOT": str(place / "envs"), "MILLSTREAM_OUTBOX_DIR": str(place / "outbox")}


def predicted(place: Path, model: Path, *options: str, text: bytes = b"") -> bytes:
    """What is printed; the model runs in its own environment."""
    return subprocess.run(
        [sys.executable, "-m", "millstream", "models", "predict", "-m", str(model), "--env-manager", "uv", *options],
        check=True, input=text, stdout=subprocess.PIPE, env=variables(place), cwd=place,
    ).stdout


def test_files_and_standard_input_go_through_the_models_environment(
    place: Path, regression: Path, expected: list[float]
) -> None:
    for options, text in (
        (["-i", "rows.csv", "-t", "csv"], b""), (["-i", "rows.json"], b""), (["-i", "rows.parquet"], b""),
        (["-t", "csv", "--chunk-rows", "2"], (place / "rows.csv").read_bytes()),
        ([], (place / "rows.json").read_bytes()), (["-t", "parquet"], (place / "rows.parquet").read_bytes()),
    ):
        answer = json.loads(predicted(place, regression, *options, text=text))
        assert answer["predictions"] == pytest.approx(expected, abs=1e-9)
    predicted(place, regression, "-i", "rows.csv", "-o", "out.parquet", "--keep", "age")
    made = pd.read_parquet(place / "out.parquet")
    assert made["prediction"].tolist() == pytest.approx(expected, abs=1e-9)
    assert made["age"].tolist() == ROWS["age"].tolist()


@pytest.mark.parametrize("form", ["csv", "json"])
def test_mlflows_command_takes_the_same_words_and_gives_the_same_answer(
    form: str, place: Path, regression: Path
) -> None:
    python = python_of(VERSION)
    official = subprocess.run(
        [str(python), "-m", "mlflow", "models", "predict", "-m", str(regression), "-i", f"rows.{form}", "-t", form,
         "-o", f"theirs.{form}.json", "--env-manager", "local"],
        check=False, cwd=place, capture_output=True, text=True,
        env=client_environment(f"sqlite:///{place}/mlflow.db", place) | {
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "true", "PYTHONPATH": "",
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        },
    )
    assert official.returncode == 0, official.stderr
    predicted(place, regression, "-i", f"rows.{form}", "-t", form, "-o", f"ours.{form}.json")
    theirs, ours = (json.loads((place / f"{who}.{form}.json").read_text()) for who in ("theirs", "ours"))
    assert list(theirs) == list(ours)
    assert ours["predictions"] == pytest.approx(theirs["predictions"], abs=1e-9)


@pytest.mark.parametrize("killed", ["the command", "the model's process"])
def test_a_process_that_is_killed_takes_the_other_along(killed: str, place: Path) -> None:
    def wait(model_input):  # type: ignore[no-untyped-def]
        import os
        import pathlib
        import threading

        pathlib.Path("process").write_text(str(os.getpid()))
        pathlib.Path("begun").write_text("")
        threading.Event().wait(120)

    work = place / killed
    work.mkdir()
    (work / "rows.csv").write_text("x\n1\n")
    millstream.pyfunc.save_model(work / "model", python_model=wait, pip_requirements=["pandas", "cloudpickle"],
                                 signature=ModelSignature(Schema([ColSpec("double", "x")])))
    process = subprocess.Popen(
        [sys.executable, "-m", "millstream", "models", "predict", "-m", "model", "-i", "rows.csv", "-o", "out.json",
         "--env-manager", "uv"], cwd=work, env=variables(place),
    )
    try:
        wait_until((work / "begun").exists, 120, "the model's process")
        other = int((work / "process").read_text())
        os.kill(process.pid if killed == "the command" else other, signal.SIGKILL)
        assert process.wait(60) == (-signal.SIGKILL if killed == "the command" else 1)
        wait_until(lambda: not psutil.pid_exists(other) or psutil.Process(other).status() == "zombie", 30,
                   "the end of the model's process")
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: sorted(os.listdir(work)) == ["begun", "model", "process", "rows.csv"], 10, "an empty folder")
