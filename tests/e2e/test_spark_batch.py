"""A million rows on two executors are what they are here; a stream that is killed gives each row once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingRegressor

import millstream.pyfunc
import millstream.sklearn
from millstream.inference import delta
from millstream.models import ModelSignature
from millstream.models.schema import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
from tests.servers.processes import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.timeout(600)]

PROGRAM = Path(__file__).with_name("spark_batch.py")
NAMES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spark")


@pytest.fixture(scope="module")
def regression(place: Path) -> Any:
    """Trees, whose predictions do not depend on which rows are predicted together."""
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 3)), columns=NAMES)
    fitted = GradientBoostingRegressor(n_estimators=5).fit(rows, rows["a"] * 2 - rows["b"])
    millstream.sklearn.save_model(fitted, place / "regression", input_example=rows[:3])
    return fitted


def started(place: Path, what: str) -> subprocess.Popen[str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("MLFLOW_", "MILLST"))}
    variables = {**kept, "MILLSTREAM_OUTBOX_DIR": str(place / "outbox"), "OMP_NUM_THREADS": "1",
                 "MILLSTREAM_TRACKING_URI": str(place / "runs"), "PYTHONPATH": str(Path(__file__).parents[2])}
    with open(place / f"{what}.log", "a") as log:
        return subprocess.Popen([sys.executable, str(PROGRAM), what, str(place)], env=variables, cwd=place, text=True,
                                stdout=subprocess.PIPE, stderr=log, start_new_session=True)


def ended(process: subprocess.Popen[str], place: Path, what: str) -> Any:
    try:
        said, _ = process.communicate()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    assert process.returncode == 0, (place / f"{what}.log").read_text()[-3000:]
    return json.loads(said.splitlines()[-1])


def test_two_executors_predict_a_million_rows_as_this_process_does(place: Path, regression: Any) -> None:
    loaded = str(place / "loaded")

    class Asked(millstream.pyfunc.PythonModel):  # pickled by value, as one of a program
        def load_context(self, context: Any) -> None:
            import os

            with open(loaded, "a") as stream:
                stream.write(f"{os.getpid()}\n")

        def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
            return model_input["a"] * (params or {})["factor"] + model_input["c"]

    def halves(model_input):  # type: ignore[no-untyped-def]
        return model_input / 2

    columns = Schema([ColSpec("double", name) for name in NAMES])
    millstream.pyfunc.save_model(
        place / "asked", python_model=Asked(), pip_requirements=[],
        signature=ModelSignature(columns, None, ParamSchema([ParamSpec("factor", "double", 1.0)])))
    millstream.pyfunc.save_model(
        place / "tensors", python_model=halves, pip_requirements=[],
        signature=ModelSignature(Schema([TensorSpec(np.dtype("float32"), (-1, 3))])))
    found = ended(started(place, "cluster"), place, "cluster")
    assert found["rows"] == found["ids"] == 1_000_000
    assert found["regression"] and found["asked"] and found["tensors"]
    # Each process of an executor loaded the model once, whatever the number of its batches; one more is this program's.
    executors = set(found["loaded"])
    assert len(executors) == len(found["loaded"]) and 2 <= len(executors) <= 5


def test_a_stream_that_is_killed_and_resumed_gives_each_row_once(place: Path, regression: Any) -> None:
    (place / "input").mkdir()
    files, size = 5, 50
    for number in range(files):
        rows = pd.DataFrame(np.random.default_rng(number).normal(size=(size, 3)), columns=NAMES)
        rows.insert(0, "id", range(number * size, number * size + size))
        rows.to_parquet(place / "input" / f"{number:02}.parquet")
    process = started(place, "stream")
    try:
        wait_until(lambda: len(list((place / "table" / "_delta_log").glob("*.json"))) > 1, 250, "the stream")
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert len(delta.read_table(place / "table").to_pandas()) < files * size
    found = ended(started(place, "stream"), place, "stream")
    table = delta.read_table(place / "table")
    rows = table.to_pandas().sort_values("id")
    assert rows["id"].tolist() == list(range(files * size))
    assert rows["prediction"].tolist() == regression.predict(rows[NAMES]).tolist()
    millstream.set_tracking_uri(str(place / "runs"))
    try:
        tags = millstream.get_run(found["run_id"]).data.tags
    finally:
        millstream.set_tracking_uri(None)
    assert tags["millstream.output.version"] == str(table.version()) == str(files - 1)
