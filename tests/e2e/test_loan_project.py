"""The project examples/loan_default as a user runs it, and searched from outside, several trainings at a time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.distributions import FloatDistribution

import millstream
from millstream import tuning
from millstream.entities import Run
from millstream.tracking.tags import MLFLOW_PARENT_RUN_ID
from tests.isolation import isolated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "loan_default"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the project, and beside it the store, the outbox and the environments of this module."""
    folder = tmp_path_factory.mktemp("loan")
    shutil.copytree(EXAMPLE, folder / "project", ignore=shutil.ignore_patterns("data", "mlruns", "__pycache__"))
    with pytest.MonkeyPatch.context() as patches, isolated(folder, patches):
        patches.setenv("MILLSTREAM_ENV_ROOT", str(folder / "envs"))
        patches.setenv("OMP_NUM_THREADS", "1")
        millstream.set_tracking_uri(f"sqlite:///{folder}/runs.db")
        yield folder


def run(place: Path, entry_point: str, *parameters: str) -> Run:
    """Run an entry point by the command line; the newest run of it."""
    words = [word for parameter in parameters for word in ("-P", parameter)]
    done = subprocess.run(
        [sys.executable, "-m", "millstream", "run", ".", "-e", entry_point, "--experiment-name", "loan", *words],
        cwd=place / "project", capture_output=True, text=True, check=False,
        env={**os.environ, "MILLSTREAM_TRACKING_URI": f"sqlite:///{place}/runs.db"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return runs(place, f"tags.mlflow.project.entryPoint = '{entry_point}'")[0]


def runs(place: Path, filter_string: str) -> list[Run]:
    experiment = millstream.get_experiment_by_name("loan")
    assert experiment is not None
    return list(millstream.MlflowClient().search_runs([experiment.experiment_id], filter_string))


def test_the_search_has_ten_children_and_the_best_is_registered(place: Path) -> None:
    search = run(place, "search_params", "model_type=rf")
    assert search.info.status == "FINISHED"
    assert search.data.params["model_type"] == "rf"
    children = runs(place, f"tags.{MLFLOW_PARENT_RUN_ID} = '{search.info.run_id}'")
    assert len(children) == 10
    for child in children:
        assert child.info.status == "FINISHED"
        assert child.data.tags["mlflow.project.entryPoint"] == "train"
        assert child.data.params["model_type"] == "rf"
        assert {"validation_auc", "test_auc", "validation_log_loss"} <= {*child.data.metrics}
    assert len({child.data.params["max_depth"] for child in children}) > 1
    best = max(children, key=lambda one: one.data.metrics["validation_auc"])
    assert search.data.tags["best_run_id"] == best.info.run_id
    (version,) = millstream.MlflowClient().search_model_versions("name = 'loan_default'")
    assert version.run_id == best.info.run_id

    # Nobody predicts better than the risk by which the data was made.
    linear = run(place, "train", "model_type=lr")
    known = run(place, "load").data.metrics["best_possible_auc"]
    auc = best.data.metrics["test_auc"]
    assert linear.data.metrics["test_auc"] < known
    assert 0.75 < auc < known
    assert len(list((place / "envs").glob("py*"))) == 1  # all in the same environment


def test_several_trainings_at_a_time_from_outside(place: Path) -> None:
    if not (place / "project" / "data" / "train.csv").exists():
        run(place, "load")
        run(place, "preprocess")
    objective = tuning.project_objective(
        str(place / "project"), "train", metric="validation_auc", parameters={"model_type": "lr"},
    )
    result = tuning.search(
        objective, {"regularization": FloatDistribution(1e-3, 1e3, log=True)}, 3, parallel=2, direction="maximize",
        seed=1, run_name="from outside",
    )
    children = millstream.MlflowClient().search_runs(["0"], f"tags.{MLFLOW_PARENT_RUN_ID} = '{result.run_id}'")
    assert len(children) == 3
    for trial in result.trials:
        child = millstream.get_run(trial.run_id)
        assert child.info.status == "FINISHED"
        assert child.data.params["regularization"] == str(trial.params["regularization"])
        assert child.data.metrics["validation_auc"] == trial.value
    model = millstream.sklearn.load_model(f"runs:/{result.best.run_id}/model")
    assert model.steps[-1][1].C == pytest.approx(1 / result.best.params["regularization"])
    assert len(list((place / "envs").glob("py*"))) == 1
