"""Data sets of Ray are predicted by an actor that loads the model once, as this process predicts them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import millstream.pyfunc
from millstream.models import ModelSignature
from millstream.models.schema import ColSpec, ParamSchema, ParamSpec, Schema

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PROGRAM = Path(__file__).with_name("ray_batch.py")


def test_an_actor_predicts_what_this_process_does(tmp_path: Path) -> None:
    loaded = str(tmp_path / "loaded")

    class Scaled(millstream.pyfunc.PythonModel):  # pickled by value, as one of a program
        def load_context(self, context: Any) -> None:
            with open(loaded, "a") as stream:
                stream.write("once\n")

        def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
            return (model_input["x"] * (params or {})["factor"]).to_numpy()

    rows = pd.DataFrame({"id": range(1000), "x": np.random.default_rng(0).normal(size=1000), "other": "text"})
    rows.to_parquet(tmp_path / "rows.parquet")
    signature = ModelSignature(
        Schema([ColSpec("double", "x")]), None, ParamSchema([ParamSpec("factor", "double", 1.0)]))
    millstream.pyfunc.save_model(
        tmp_path / "model", python_model=Scaled(), signature=signature, pip_requirements=[])
    variables = {name: text for name, text in os.environ.items() if not name.startswith(("MLFLOW_", "MILLST", "RAY_"))}
    # The paths of Ray's sockets are short, or it does not start.
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as place:
        done = subprocess.run(
            [sys.executable, str(PROGRAM), str(tmp_path), place], env=variables, cwd=tmp_path, capture_output=True,
            text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    predicted = pd.read_parquet(tmp_path / "predicted.parquet")
    assert list(predicted.columns) == ["id", "prediction"]
    assert predicted["id"].tolist() == rows["id"].tolist()
    assert predicted["prediction"].tolist() == (rows["x"] * 2.0).tolist()
    assert Path(loaded).read_text().split() == ["once"]
