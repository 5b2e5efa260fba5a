"""A model is served in an environment of its own, prepared beforehand, that has what this one has not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

import millstream.pyfunc
from millstream import models
from tests.servers.mlflow import answers
from tests.servers.processes import Process, free_port, wait_until
from tests.unit.environments.wheels import wheel


def test_a_prepared_environment_serves(tmp_path: Path) -> None:
    assert find_spec("beam") is None, "the module is to be in the model's environment only"

    def total(model_input):  # type: ignore[no-untyped-def]
        import beam  # type: ignore[import-not-found]

        return [f"{value} {beam.version}" for value in model_input["x"]]

    wheel(tmp_path / "shelf", "beam", "1.0")
    example = pd.DataFrame({"x": [1.5]})
    millstream.pyfunc.save_model(
        tmp_path / "model", python_model=total, signature=models.infer_signature(example, ["1.5 1.0"]),
        pip_requirements=["cloudpickle", f"--find-links {tmp_path / 'shelf'}", "beam"],
    )
    variables = {name: text for name, text in os.environ.items() if not name.startswith(("MLFLOW_", "MILLST"))} | {
        "MILLSTREAM_ENV_ROOT": str(tmp_path / "envs"), "MLFLOW_MODELS_WORKERS": "2",
    }
    command = [sys.executable, "-m", "millstream", "models"]
    for said in ("built now", "there already"):
        prepared = subprocess.run([*command, "prepare-env", "-m", str(tmp_path / "model")], env=variables, check=True,
                                  capture_output=True, text=True)
        assert said in prepared.stderr
    folder = Path(prepared.stdout.strip())
    assert (folder / "bin" / "beam").is_file() and list((tmp_path / "envs").glob("py*")) == [folder]

    port = free_port()
    process = Process([*command, "serve", "-m", str(tmp_path / "model"), "-p", str(port), "--env-manager", "uv"],
                      tmp_path / "serve.log", variables, tmp_path)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/ping"), 120, "the scoring server", process)
        request = urllib.request.Request(f"http://127.0.0.1:{port}/invocations",
                                         json.dumps({"dataframe_records": [{"x": 2.5}]}).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert json.load(answer) == {"predictions": ["2.5 1.0"]}
        assert process.stop() == 0
    finally:
        process.stop()
    assert list((tmp_path / "envs").glob("py*")) == [folder]
