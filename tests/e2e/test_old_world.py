"""The loan project as somebody left it in early 2023: Python 3.9, scikit-learn 1.2.1, hyperopt 0.2.7, and in its
environment the newest official mlflow for that Python, which logs to a server of ours and to an embedded store.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import millstream
from millstream.entities import Run
from millstream.environments.building import Built, built
from millstream.environments.descriptions import describe
from millstream.environments.interpreters import find
from millstream.environments.preparing import prepare
from millstream.errors import PythonNotFound
from millstream.tracking.tags import MLFLOW_PARENT_RUN_ID
from tests.clients.run import client_environment, python_of
from tests.isolation import isolated
from tests.servers.millstream import MillstreamServer


def has_python_39() -> bool:
    """Whether an interpreter of the time is on this machine."""
    try:
        find("3.9")
    except PythonNotFound:
        return False
    return True


pytestmark = [
    pytest.mark.clients, pytest.mark.slow, pytest.mark.timeout(1200),
    pytest.mark.skipif(not has_python_39(), reason="this machine has no Python 3.9"),
]

EXAMPLE = Path(__file__).parents[2] / "examples" / "loan_default"
PINNED = """
python: "3.9"
build_dependencies: [pip, setuptools, wheel]
dependencies:
  - mlflow
  - hyperopt==0.2.7
  - scikit-learn==1.2.1
  - numpy==1.24.2
  - pandas==1.5.3
  - click==8.1.3
"""


def of_2023(folder: Path) -> Path:
    """The project with the packages of then, which import mlflow by its name."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("data", "mlruns", "__pycache__"))
    (folder / "python_env.yaml").write_text(PINNED)
    for script in folder.glob("*.py"):
        text = script.read_text()
        assert text.count("import millstream as mlflow\n") == 1
        script.write_text(text.replace("import millstream as mlflow\n", "import mlflow\n"))
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for what all tests share."""
    folder = tmp_path_factory.mktemp("old")
    with pytest.MonkeyPatch.context() as patches, isolated(folder, patches):
        patches.setenv("MILLSTREAM_ENV_ROOT", str(folder / "envs"))
        yield folder


@pytest.fixture(scope="module")
def environment(place: Path) -> Built:
    """The environment of the project, which runs find there."""
    described = describe(of_2023(place / "described"))
    assert described is not None
    return prepare(described)


def searched(uri: str, place: Path, folder: Path, evaluations: int) -> tuple[Run, list[Run]]:
    """What the search leaves in the store: its run, and its children."""
    done = subprocess.run(
        [sys.executable, "-m", "millstream", "run", str(of_2023(folder)), "-e", "search_params", "--experiment-name",
         "loan", "-P", "model_type=rf", "-P", f"max_evals={evaluations}"],
        cwd=place, capture_output=True, text=True, check=False,
        env={**client_environment(uri, place), "MILLSTREAM_TRACKING_URI": uri, "OMP_NUM_THREADS": "1",
             "MILLSTREAM_ENV_ROOT": str(place / "envs"), "MILLSTREAM_OUTBOX_DIR": str(place / "outbox")},
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    client = millstream.MlflowClient(uri)
    experiment = client.get_experiment_by_name("loan")
    assert experiment is not None
    runs = list(client.search_runs([experiment.experiment_id]))
    (search,) = [run for run in runs if MLFLOW_PARENT_RUN_ID not in run.data.tags]
    children = [run for run in runs if run.data.tags.get(MLFLOW_PARENT_RUN_ID) == search.info.run_id]
    assert len(runs) == 1 + len(children)
    best = max(children, key=lambda one: one.data.metrics["validation_auc"])
    assert search.data.tags["best_run_id"] == best.info.run_id
    (version,) = client.search_model_versions("name = 'loan_default'")
    assert version.run_id == best.info.run_id
    for child in children:
        assert child.data.tags["mlflow.project.entryPoint"] == "train"
        assert child.data.params["model_type"] == "rf"
        assert 0.7 < child.data.metrics["test_auc"] < 0.82
    return search, children


def asked(environment: Built, place: Path, uri: str, program: str) -> subprocess.CompletedProcess[str]:
    """A program in the environment of the project."""
    return subprocess.run([str(environment.python), "-c", program], env=client_environment(uri, place),
                          capture_output=True, text=True, check=False)


def test_it_logs_to_a_server(place: Path, environment: Built) -> None:
    with MillstreamServer(place) as server:
        search, children = searched(server.uri, place, place / "for a server", 10)
    assert [run.info.status for run in [search, *children]] == ["FINISHED"] * 11
    assert [one.key for one in built(place / "envs")] == [environment.key]


def test_it_logs_to_an_embedded_store(place: Path, environment: Built) -> None:
    search, children = searched(f"sqlite:///{place}/embedded.db", place, place / "for a file", 2)
    assert [run.info.status for run in [search, *children]] == ["FINISHED"] * 3
    assert [one.key for one in built(place / "envs")] == [environment.key]


def test_its_environment_is_of_the_time(place: Path, environment: Built) -> None:
    program = (
        "import sys, pkg_resources, sklearn, hyperopt, hyperopt.atpe, mlflow\n"
        "print(sys.version_info[:2], sklearn.__version__, hyperopt.__version__, mlflow.__version__)"
    )
    said = asked(environment, place, str(place), program)
    version, sklearn, tuner, client = said.stdout.strip().rsplit(" ", 3)
    assert (version, sklearn, tuner) == ("(3, 9)", "1.2.1", "0.2.7"), said.stderr
    assert int(client.split(".")[0]) >= 3


def test_its_mlflow_cannot_open_a_database_of_the_newest(place: Path, environment: Built) -> None:
    # What children of the official `mlflow run` do: they open the database of whoever runs them.
    uri = f"sqlite:///{place}/official.db"
    program = "import mlflow; mlflow.search_experiments()"
    made = subprocess.run([str(python_of("3.17.2")), "-c", program], env=client_environment(uri, place),
                          capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-2000:]
    said = asked(environment, place, uri, program)
    assert said.returncode != 0
    assert "revision" in said.stderr
