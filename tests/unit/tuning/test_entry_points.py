"""Entry points of a project as objectives: of searches across processes, and of those in one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import hyperopt
import psutil
import pytest
from hyperopt import hp
from optuna.distributions import FloatDistribution, IntDistribution

import millstream
from millstream import tuning
from millstream.entities import Run
from millstream.errors import EntryPointNotFound, FunctionFailed
from millstream.tracking.tags import MLFLOW_PARENT_RUN_ID
from tests.servers.processes import wait_until

pytestmark = pytest.mark.usefixtures("tracking")

ROOT = Path(__file__).parents[3]
MLPROJECT = """
entry_points:
  main:
    parameters:
      x: float
      fail_at: {type: float, default: 99}
      place: {type: string, default: ""}
    command: "python main.py {x} {fail_at} '{place}'"
"""
MAIN = """
import pathlib, sys, time
import millstream
x, fail_at, place = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
if x == fail_at:
    sys.exit(f"{x} is where it fails")
with millstream.start_run() as run:
    if place:
        (pathlib.Path(place) / str(x)).touch()
        while x >= 2 and not (pathlib.Path(place) / "go").exists():
            time.sleep(0.02)
    if x != 98:
        millstream.log_metric("score", x ** 2)
"""


@pytest.fixture
def project(tracking: Path) -> str:
    folder = tracking / "project"
    folder.mkdir()
    (folder / "MLproject").write_text(MLPROJECT)
    (folder / "main.py").write_text(MAIN)
    return str(folder)


def children_of(run_id: str) -> list[Run]:
    found = millstream.MlflowClient().search_runs(["0"], f"tags.{MLFLOW_PARENT_RUN_ID} = '{run_id}'")
    return sorted(found, key=lambda run: (int(run.data.tags["number"]), run.info.start_time))


def test_each_trial_is_a_run_of_the_project_and_one_that_fails_does_not_end_the_search(project: str) -> None:
    objective = tuning.project_objective(project, metric="score", parameters={"fail_at": 3})
    result = tuning.search(objective, {"x": hp.uniformint("x", 3, 4)}, 5, parallel=2, seed=4, direction="maximize")
    children = children_of(result.run_id)
    assert {run.data.params["x"] for run in children} == {"3", "4"}
    for run, trial in zip(children, result.trials, strict=True):
        x = trial.params["x"]
        assert run.data.params == {"x": str(x), "fail_at": "3", "place": ""}
        assert run.data.tags["mlflow.project.entryPoint"] == "main"
        assert run.info.status == ("FAILED" if x == 3 else "FINISHED")
        assert trial.value == (None if x == 3 else x**2)
        if x == 3:
            assert "3 is where it fails" in run.data.tags["error"]
    assert result.best.value == 16
    assert millstream.get_run(result.run_id).data.metrics["best_score"] == 16


def test_what_cannot_be_started_ends_the_search(project: str) -> None:
    with pytest.raises(EntryPointNotFound, match="tune"):
        tuning.search(tuning.project_objective(project, "tune"), {"x": IntDistribution(1, 4)}, 3, parallel=2)
    assert {run.info.status for run in millstream.MlflowClient().search_runs(["0"])} <= {"FAILED", "KILLED"}


def test_it_may_be_called_by_a_search_in_one_process(project: str) -> None:
    objective = tuning.project_objective(project, metric="score")

    def loss(config: dict[str, Any]) -> float:
        return objective(config)

    tuning.fmin(
        loss, {"x": hp.uniformint("x", 1, 3)}, algo=hyperopt.rand.suggest, max_evals=1, show_progressbar=False,
        verbose=False, run_name="search",
    )
    search = millstream.last_active_run()
    assert search is not None
    (child,) = children_of(search.info.run_id)
    assert child.info.status == "FINISHED"
    assert child.data.metrics["score"] == int(child.data.params["x"]) ** 2 == child.data.metrics["loss"]
    with pytest.raises(FunctionFailed, match="no metric score"):
        objective({"x": 98})


PROGRAM = """
import sys
from optuna.distributions import IntDistribution
from millstream import tuning
objective = tuning.project_objective(sys.argv[1], metric="score", parameters={"place": sys.argv[2]})
def space(trial):
    trial.suggest_float("unused", 0, 1)
    return {"x": trial.number}
print(tuning.search(objective, space, 4, parallel=2, seed=1, run_id=RUN).run_id)
"""


def test_a_killed_search_of_a_project_goes_on(project: str, tracking: Path) -> None:
    place = tracking / "place"
    place.mkdir()
    program = tracking / "search.py"

    def started(run_id: str | None) -> subprocess.Popen[str]:
        program.write_text(PROGRAM.replace("RUN", repr(run_id)))
        return subprocess.Popen([sys.executable, str(program), project, str(place)], stdout=subprocess.PIPE, text=True,
                                cwd=ROOT, env=dict(os.environ))

    first = started(None)
    wait_until(lambda: (place / "2").exists() and (place / "3").exists(), 120, "the third and fourth trial")
    trials = psutil.Process(first.pid).children(recursive=True)
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=60)
    psutil.wait_procs(trials, 30)
    assert not [one for one in trials if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    runs = millstream.MlflowClient().search_runs(["0"])
    (search,) = [run for run in runs if MLFLOW_PARENT_RUN_ID not in run.data.tags]
    (place / "go").touch()
    for name in "0123":
        (place / name).unlink()
    second = started(search.info.run_id)
    out, _ = second.communicate(timeout=120)
    assert second.returncode == 0
    assert search.info.run_id in out
    assert sorted(one.name for one in place.iterdir() if one.name.isdigit()) == ["2", "3"]
    assert [(run.data.tags["number"], run.info.status) for run in children_of(search.info.run_id)] == [
        ("0", "FINISHED"), ("1", "FINISHED"), ("2", "KILLED"), ("2", "FINISHED"), ("3", "KILLED"), ("3", "FINISHED"),
    ]


def test_floats_reach_the_command_as_they_are(project: str) -> None:
    objective = tuning.project_objective(project, metric="score", parameters={"x": 2})
    result = tuning.search(objective, {"rate": FloatDistribution(0.1, 0.2)}, 1, seed=1)
    (child,) = children_of(result.run_id)
    assert child.data.params["rate"] == str(result.best.params["rate"])
    assert f"--rate {result.best.params['rate']}" in child.data.tags["millstream.project.command"]
