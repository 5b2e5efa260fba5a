"""Searches whose trials are processes: bounded, gone on with after a kill, ended with their children."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import hyperopt
import optuna
import psutil
import pytest
from hyperopt import hp
from optuna.distributions import CategoricalDistribution, FloatDistribution

import millstream
from millstream import tuning
from millstream.entities import Run
from millstream.errors import FunctionFailed, InvalidValue, NotInTime
from millstream.tracking.tags import MLFLOW_PARENT_RUN_ID
from millstream.tuning.proposals import proposals_for
from tests.servers.processes import wait_until
from tests.unit.tuning.objectives import dies_at_even_numbers, square

pytestmark = pytest.mark.usefixtures("tracking")

ROOT = Path(__file__).parents[3]
FLOATS = {"x": FloatDistribution(-1, 1)}
NESTED = {
    "model": hp.choice("model", [{"kind": "ridge", "alpha": hp.uniform("alpha", 0, 1)}, {"kind": "ols"}]),
    "depth": hp.quniform("depth", 1, 9, 1),
}


def children_of(run_id: str) -> list[Run]:
    """The trials of a search, by number and then by age."""
    found = millstream.MlflowClient().search_runs(["0"], f"tags.{MLFLOW_PARENT_RUN_ID} = '{run_id}'")
    return sorted(found, key=lambda run: (int(run.data.tags["number"]), run.info.start_time))


def test_each_trial_is_a_process_and_a_child() -> None:
    result = tuning.search(square, FLOATS, 3, parallel=2, seed=1, run_name="squares", tags={"why": "test"})
    children = children_of(result.run_id)
    assert [int(run.data.tags["number"]) for run in children] == [0, 1, 2] == [one.number for one in result.trials]
    assert len({run.data.metrics["process"] for run in children} | {os.getpid()}) == 4
    for run, trial in zip(children, result.trials, strict=True):
        x = trial.params["x"]
        assert run.data.params == {"x": str(x)}
        assert (run.data.metrics["inside"], run.data.metrics["value"], trial.value) == (x, x**2, x**2)
        assert (run.info.status, run.data.tags["state"], trial.state) == ("FINISHED", "COMPLETE", "COMPLETE")
        log = Path(millstream.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="logs/trial.log"))
        assert f"trying {x}" in log.read_text()
    assert result.best == min(result.trials, key=lambda one: one.value or 0)
    search = millstream.get_run(result.run_id)
    assert (search.info.status, search.info.run_name) == ("FINISHED", "squares")
    assert search.data.metrics["best_value"] == result.best.value
    assert search.data.tags["best_run_id"] == result.best.run_id
    assert search.data.tags["why"] == "test"
    assert json.loads(search.data.tags["best_params"]) == result.best.params
    assert not millstream.active_run()


def test_hyperopt_proposes_nested_choices_and_higher_may_be_better() -> None:
    def depth(config: dict[str, Any]) -> float:
        return float(config["depth"])

    result = tuning.search(depth, NESTED, 3, direction="maximize", metric="depth", seed=5)
    assert result.best.value == max(one.params["depth"] for one in result.trials)
    for run, trial in zip(children_of(result.run_id), result.trials, strict=True):
        expected = {"depth": trial.params["depth"]}
        expected |= {f"model.{name}": one for name, one in trial.params["model"].items()}
        assert run.data.params == {name: str(one) for name, one in expected.items()}


def test_trials_that_fail_or_die_do_not_end_the_search() -> None:
    result = tuning.search(dies_at_even_numbers, FLOATS, 6, parallel=2, seed=1)
    children = children_of(result.run_id)
    assert [run.info.status for run in children] == ["FAILED", "FINISHED"] * 3
    assert [one.state for one in result.trials] == ["FAIL", "COMPLETE"] * 3
    assert "SIGKILL" in children[0].data.tags["error"]
    assert children[2].data.tags["error"] == "ValueError: no luck with 2"
    assert children[4].data.tags["error"] == "value is not a number"
    assert millstream.get_run(result.run_id).info.status == "FINISHED"


def test_a_search_without_any_success_is_an_error() -> None:
    def never(config: dict[str, Any]) -> str:
        return "no number"

    with pytest.raises(FunctionFailed, match="not one of 2 trials.*'no number'"):
        tuning.search(never, FLOATS, 2, parallel=2)
    found = millstream.MlflowClient().search_runs(["0"])
    assert [run.info.status for run in found] == ["FAILED"] * 3


def test_the_space_may_be_a_function_of_a_trial_and_the_search_the_active_run() -> None:
    def space(trial: optuna.Trial) -> dict[str, Any] | None:
        if trial.suggest_categorical("kind", ["a", "b"]) == "a":
            trial.suggest_int("depth", 1, 5)
        return {"all": dict(trial.params)}

    def count(config: dict[str, Any]) -> int:
        return len(config["all"])

    with millstream.start_run() as run:
        result = tuning.search(count, space, 2, algorithm=optuna.samplers.RandomSampler(seed=2))
        live = millstream.active_run()
        assert live is not None
        assert result.run_id == run.info.run_id == live.info.run_id
    assert all("all.kind" in one.data.params for one in children_of(run.info.run_id))


@pytest.mark.parametrize("space", [FLOATS, {"x": hp.uniform("x", -1, 1)}], ids=["optuna", "hyperopt"])
def test_more_trials_of_a_search_are_those_that_it_would_have_had(space: Any) -> None:
    whole = tuning.search(square, space, 4, seed=3)
    part = tuning.search(square, space, 2, seed=3)
    rest = tuning.search(square, space, 4, run_id=part.run_id)
    assert rest.run_id == part.run_id
    assert [one.run_id for one in rest.trials[:2]] == [one.run_id for one in part.trials]
    assert [one.params for one in rest.trials] == [one.params for one in whole.trials]
    assert len(children_of(part.run_id)) == 4
    assert tuning.search(square, space, 3, run_id=part.run_id).trials == rest.trials


def test_a_search_goes_on_with_its_own_space_only() -> None:
    run_id = tuning.search(square, {"x": hp.uniform("x", -1, 1)}, 1).run_id
    with pytest.raises(InvalidValue, match="another library"):
        tuning.search(square, FLOATS, 2, run_id=run_id)
    with pytest.raises(InvalidValue, match="another space: with x"):
        tuning.search(square, {"y": hp.uniform("y", -1, 1)}, 2, run_id=run_id)
    with pytest.raises(InvalidValue, match="began with minimize"):
        tuning.search(square, {"x": hp.uniform("x", -1, 1)}, 2, run_id=run_id, direction="maximize")


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_trials": 0}, {"parallel": 0}, {"direction": "up"}, {"metric": "a[0]"}, {"space": {}}, {"space": 3},
        {"algorithm": hyperopt.tpe.suggest}, {"space": {"x": hp.uniform("x", 0, 1)}, "algorithm": "tpe"},
    ],
    ids=range(8),
)
def test_wrong_arguments_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        tuning.search(square, **{"space": FLOATS, "n_trials": 1, **wrong})


def test_an_objective_that_cannot_be_sent_is_refused() -> None:
    lock = threading.Lock()
    with pytest.raises(InvalidValue, match="cannot be sent"):
        tuning.search(lambda config: lock.acquire(), FLOATS, 1)
    assert millstream.MlflowClient().search_runs(["0"]) == []


def test_a_configuration_that_no_run_can_keep_is_refused() -> None:
    with pytest.raises(InvalidValue, match="cannot be kept"):
        tuning.search(square, {f"{'long' * 20}{number}": FloatDistribution(0, 1) for number in range(100)}, 1)


def test_runs_that_a_trial_starts_are_where_the_search_is(tracking: Path) -> None:
    def nested(config: dict[str, Any]) -> float:
        with millstream.start_run(nested=True, run_name="inner"):
            millstream.log_metric("inside", config["x"])
        return float(config["x"])

    with millstream.start_run(experiment_id=millstream.create_experiment("elsewhere")) as search:
        result = tuning.search(nested, FLOATS, 1)
    found = millstream.MlflowClient().search_runs([search.info.experiment_id])
    assert {run.info.run_name: run.data.tags.get(MLFLOW_PARENT_RUN_ID) for run in found} == {
        search.info.run_name: None, "trial-0": search.info.run_id, "inner": result.best.run_id,
    }


def test_no_trial_begins_after_the_timeout() -> None:
    with pytest.raises(NotInTime):
        tuning.search(square, FLOATS, 5, timeout=0)
    (search,) = millstream.MlflowClient().search_runs(["0"])
    assert search.info.status == "FAILED"


def test_proposals_depend_on_seed_and_number_and_what_was_told() -> None:
    for space in (FLOATS | {"kind": CategoricalDistribution(["a", "b"])}, NESTED):
        asked = []
        for _ in range(2):
            proposals = proposals_for(space, None, maximize=False, seed=7, parallel=2)
            told = []
            for number in range(25):
                proposal = proposals.ask(number)
                json.dumps(proposal.record)
                told.append(proposal.config)
                proposals.tell(proposal, None if number % 5 == 4 else float(number))
            asked.append(told)
        assert asked[0] == asked[1]
        assert len({json.dumps(one) for one in asked[0]}) > 12


SEARCH = """
import pathlib, sys, time
from optuna.distributions import FloatDistribution
import millstream
from millstream import tuning

place = pathlib.Path(sys.argv[1])

def objective(config):
    number = int(millstream.last_active_run().data.tags["number"])
    (place / str(number)).touch()
    while number in (2, 3) and not (place / "go").exists():
        time.sleep(0.02)
    return config["x"]

print(tuning.search(objective, {"x": FloatDistribution(0, 1)}, 5, parallel=2, seed=11, run_id=RUN).run_id)
"""


def searching(place: Path, run_id: str | None) -> subprocess.Popen[str]:
    program = place / "search.py"
    program.write_text(SEARCH.replace("RUN", repr(run_id)))
    return subprocess.Popen(
        [sys.executable, str(program), str(place)], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=dict(os.environ)
    )


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda one: one.name)
def test_an_ended_search_ends_its_trials_and_goes_on_where_it_was(by: signal.Signals, tracking: Path) -> None:
    place = tracking / "place"
    place.mkdir()
    first = searching(place, None)
    wait_until(lambda: (place / "2").exists() and (place / "3").exists(), 120, "the third and fourth trial")
    trials = psutil.Process(first.pid).children(recursive=True)
    assert len(trials) >= 2
    first.send_signal(by)
    first.communicate(timeout=60)
    assert first.returncode != 0
    psutil.wait_procs(trials, 30)
    assert not [one for one in trials if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    runs = millstream.MlflowClient().search_runs(["0"])
    (search,) = [run for run in runs if MLFLOW_PARENT_RUN_ID not in run.data.tags]
    before = children_of(search.info.run_id)
    assert [run.info.status for run in before[:2]] == ["FINISHED"] * 2
    if by != signal.SIGKILL:
        assert [run.info.status for run in [search, *before[2:]]] == ["KILLED"] * 3
    (place / "go").touch()
    for name in "0123":
        (place / name).unlink()
    second = searching(place, search.info.run_id)
    out, _ = second.communicate(timeout=120)
    assert (second.returncode, out.strip().splitlines()[-1]) == (0, search.info.run_id)
    # The two that were over were not run again, those that were interrupted were, with what had been proposed.
    assert sorted(one.name for one in place.iterdir() if one.name.isdigit()) == ["2", "3", "4"]
    after = children_of(search.info.run_id)
    assert [int(run.data.tags["number"]) for run in after] == [0, 1, 2, 2, 3, 3, 4]
    assert [run.info.status for run in after] == [
        "FINISHED", "FINISHED", "KILLED", "FINISHED", "KILLED", "FINISHED", "FINISHED"
    ]
    assert after[2].data.params == after[3].data.params
    assert after[4].data.params == after[5].data.params
    assert millstream.get_run(search.info.run_id).info.status == "FINISHED"


def test_no_more_trials_than_asked_for_run_at_a_time(tracking: Path) -> None:
    place = str(tracking)

    def alone(config: dict[str, Any]) -> int:
        run = millstream.last_active_run()
        assert run is not None
        mine = Path(place, f"live-{run.info.run_id}")
        mine.touch()
        most = len(list(Path(place).glob("live-*")))
        while int(run.data.tags["number"]) < 2 and most < 2:  # the first two wait for each other
            most = len(list(Path(place).glob("live-*")))
        Path(place, f"was-{run.info.run_id}").touch()
        while len(list(Path(place).glob("was-*"))) < 2:
            time.sleep(0.01)
        mine.unlink()
        return most

    result = tuning.search(alone, FLOATS, 5, parallel=2, direction="maximize")
    assert result.best.value == 2
