"""The distribution in compat/mlflow: programs written for MLflow, run by Millstream under the name mlflow."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.clients.compare import check, expected
from tests.clients.run import client_environment, programs, python_of, run_program
from tests.servers.millstream import MillstreamServer

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]


# A call that both refuse, with a code of their own; None is one that is not an MlflowException in MLflow.
OTHER_CODES = {
    ("runs", "resume what is deleted"): ("INTERNAL_ERROR", "INVALID_STATE"),
    ("runs", "second run without nested"): (None, "INVALID_STATE"),
    ("runs", "wrong status"): (None, "INVALID_PARAMETER_VALUE"),
    ("values", "metric of text"): (None, "INVALID_PARAMETER_VALUE"),
    ("registry", "registered from nowhere"): ("INTERNAL_ERROR", "RESOURCE_DOES_NOT_EXIST"),
    ("logged_models", "tag what is absent"): ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"),
}
# What Millstream notes of a run beyond MLflow, beside its own tags.
MORE_TAGS = ("millstream.", "mlflow.project.entryPoint", "mlflow.source.git.dirty")


def comparable(program: str, document: dict[str, Any]) -> dict[str, Any]:
    """A document without what the two packages call differently: the classes of errors below MlflowException, and the
    tags that Millstream alone sets."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict) and value.keys() == {"error", "error_code"}:
            return {"refused": value["error_code"]}
        if isinstance(value, dict):
            return {name: plain(item) for name, item in value.items() if not name.startswith(MORE_TAGS)}
        if isinstance(value, list):
            return [plain(item) for item in value if not (isinstance(item, str) and item.startswith(MORE_TAGS))]
        return value

    made: dict[str, Any] = plain(document)
    for (where, key), codes in OTHER_CODES.items():
        if where == program:
            assert made[key]["refused"] in codes
            made[key] = "refused"
    if program == "registry":
        # MLflow's Python adds a file of its own to what it fetches from a registry.
        for key in made:
            if key.startswith("files at models:"):
                made[key] = [name for name in made[key] if name != "registered_model_meta"]
    if program == "logged_models":
        # Logged twice at one step: the later one is the last, unless a fast client does both in one millisecond.
        del made["metrics of the run"]["acc"]
    return made


def python(code: str, place: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs ``code`` where `import mlflow` is Millstream."""
    return subprocess.run(
        [python_of("compat"), "-W", "error", "-c", textwrap.dedent(code)],
        cwd=place, env={**client_environment(str(place / "mlruns"), place), **environment}, capture_output=True,
        text=True, check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("program", [name for name in programs("3.17.2") if name != "big_artifact"])
def test_a_program_sees_what_it_sees_with_the_official_package(
    program: str, millstream_server: MillstreamServer, tmp_path: Path
) -> None:
    theirs = comparable(program, expected(program, "3.17.2"))
    ours = run_program(program, "3.17.2", millstream_server.uri, tmp_path, python=python_of("compat"))
    check(program, "compat", comparable(program, ours), theirs, "Millstream under the name mlflow, on our server")


def test_modules_are_the_same_objects(tmp_path: Path) -> None:
    done = python(
        """
        import mlflow, millstream
        import mlflow.entities, mlflow.tracking.fluent
        from mlflow import MlflowClient
        from mlflow.entities import Metric
        from mlflow.entities.run_info import RunInfo
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient as Same
        import millstream.entities, millstream.exceptions, millstream.tracking

        assert mlflow.entities is millstream.entities
        assert mlflow.tracking.fluent is millstream.tracking.fluent
        assert MlflowClient is Same is millstream.MlflowClient
        assert Metric is millstream.entities.Metric and RunInfo is millstream.entities.RunInfo
        assert MlflowException is millstream.exceptions.MlflowException
        assert millstream.entities.__spec__.name == "millstream.entities"
        assert "log_metric" in dir(mlflow) and mlflow.log_metric is millstream.log_metric
        """,
        tmp_path,
    )
    assert done.returncode == 0, done.stderr


def test_what_is_patched_under_one_name_is_patched_under_the_other(tmp_path: Path) -> None:
    done = python(
        """
        from unittest import mock
        import millstream, mlflow

        before = millstream.log_param
        with mock.patch("mlflow.log_param") as patched:
            assert millstream.log_param is patched
        with mock.patch("millstream.log_param") as patched:
            assert mlflow.log_param is patched
        assert mlflow.log_param is millstream.log_param is before
        with mock.patch("mlflow.tracking.stores.get_tracking_uri", return_value="x"):
            assert millstream.tracking.stores.get_tracking_uri() == "x"
        """,
        tmp_path,
    )
    assert done.returncode == 0, done.stderr


def test_a_program_logs_and_reads(tmp_path: Path) -> None:
    done = python(
        """
        import mlflow
        with mlflow.start_run(run_name="first") as run:
            mlflow.log_param("depth", 3)
            mlflow.log_metric("loss", 0.5, step=1)
        found = mlflow.get_run(run.info.run_id)
        print(found.data.params, found.data.metrics, found.info.status)
        """,
        tmp_path,
    )
    assert done.stdout.splitlines()[-1:] == ["{'depth': '3'} {'loss': 0.5} FINISHED"], done.stderr


def test_versions(tmp_path: Path) -> None:
    done = python(
        """
        import mlflow, millstream
        from mlflow.version import VERSION
        print(mlflow.__version__, VERSION, millstream.__version__ == mlflow.__version__)
        """,
        tmp_path,
    )
    assert (done.stdout, done.returncode) == ("3.17.2 3.17.2 False\n", 0), done.stderr


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import mlflow.gateway", "No module named 'mlflow.gateway': Millstream has no 'millstream.gateway'"),
        ("import mlflow; mlflow.gateway", "module 'mlflow' has no attribute 'gateway': Millstream has none"),
        ("from mlflow import gateway", "ImportError: cannot import name 'gateway' from 'mlflow'"),
    ],
)
def test_what_millstream_has_not_is_an_error_that_says_so(code: str, said: str, tmp_path: Path) -> None:
    done = python(code, tmp_path)
    assert done.returncode == 1
    assert said in done.stderr.splitlines()[-1]


def test_the_command(tmp_path: Path) -> None:
    command = python_of("compat").with_name("mlflow")
    environment = client_environment(str(tmp_path / "mlruns"), tmp_path)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [command, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    assert run("--version").stdout.startswith("mlflow, version 3.17.2 (Millstream ")
    assert run("experiments", "create", "-n", "named").stdout == "Created experiment 'named' with id 1\n"
    assert run("experiments", "--help").stdout.startswith("Usage: mlflow experiments")
    wrong = run("experiment")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.splitlines() == [
        "error: there is no command 'experiment'; did you mean 'experiments'?", "",
        "hint: `mlflow --help` lists what it takes",
    ]


def test_it_refuses_to_lie_in_one_folder_with_the_official_package(tmp_path: Path) -> None:
    """As pip leaves it when both are installed, this one later."""
    site = python_of("compat").parent.parent.joinpath("lib", f"python{sys.version_info.major}.{sys.version_info.minor}")
    ours = site / "site-packages" / "mlflow"
    both = tmp_path / "site"
    (both / "mlflow").mkdir(parents=True)
    for file in ours.glob("*.py"):
        (both / "mlflow" / file.name).write_bytes(file.read_bytes())
    official = python_of("3.17.2").parent.parent.glob("lib/*/site-packages/mlflow-3.17.2.dist-info")
    (both / next(official).name).mkdir()

    done = python("import mlflow", tmp_path, PYTHONPATH=str(both))

    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert said.startswith("ImportError: both the official mlflow and Millstream's millstream-mlflow are installed")
    assert "pip uninstall -y mlflow millstream-mlflow" in said
    assert os.path.exists(ours / "__init__.py")
