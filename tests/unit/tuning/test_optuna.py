"""Studies of the real Optuna: their runs, children, states, threads and best trials."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import optuna
import pytest

import millstream
from millstream.entities import Run
from millstream.errors import InvalidValue
from millstream.tracking.tags import MLFLOW_PARENT_RUN_ID
from millstream.tuning import OptunaCallback, optimize

pytestmark = pytest.mark.usefixtures("tracking", "quiet")


@pytest.fixture(scope="module")
def quiet() -> Iterator[None]:
    """Optuna says nothing of what goes as it should, nor of failures that the tests make."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    yield
    optuna.logging.set_verbosity(before)


def study(**options: Any) -> optuna.Study:
    return optuna.create_study(study_name="parabola", sampler=optuna.samplers.RandomSampler(seed=7), **options)


def parabola(trial: optuna.Trial) -> float:
    x = trial.suggest_float("x", -10, 10)
    trial.suggest_categorical("kind", ["a", None])
    millstream.log_metric("inside", x)
    return (x - 2) ** 2


def runs() -> tuple[Run, list[Run]]:
    """The only run without a parent, and its children by number."""
    found = millstream.MlflowClient().search_runs(["0"])
    children = [run for run in found if MLFLOW_PARENT_RUN_ID in run.data.tags]
    parent, = [run for run in found if run not in children]
    assert {run.data.tags[MLFLOW_PARENT_RUN_ID] for run in children} <= {parent.info.run_id}
    return parent, sorted(children, key=lambda run: int(run.data.tags["number"]))


def test_a_study_is_a_run_with_a_child_for_each_trial() -> None:
    searched = study()
    optimize(searched, parabola, n_trials=5, tags={"why": "test"})
    parent, children = runs()
    assert millstream.active_run() is None
    assert [int(run.data.tags["number"]) for run in children] == [0, 1, 2, 3, 4]
    for run, trial in zip(children, searched.trials, strict=True):
        assert run.data.params == {"x": str(trial.params["x"]), "kind": str(trial.params["kind"])}
        assert run.data.metrics == {"value": trial.value, "inside": trial.params["x"]}
        assert run.data.tags["state"] == "COMPLETE" and run.data.tags["direction"] == "MINIMIZE"
        assert run.data.tags["x_distribution"] == str(trial.distributions["x"])
        assert run.info.status == "FINISHED" and run.info.run_name == f"trial-{trial.number}"
    best = searched.best_trial
    assert parent.info.status == "FINISHED" and parent.info.run_name == "parabola"
    assert parent.data.metrics == {"best_value": best.value}
    assert parent.data.params == {"best_x": str(best.params["x"]), "best_kind": str(best.params["kind"])}
    tags = parent.data.tags
    assert tags["study_name"] == "parabola" and tags["direction"] == "MINIMIZE" and tags["why"] == "test"
    assert tags["sampler"] == "RandomSampler" and tags["pruner"] == "MedianPruner"
    assert tags["best_trial"] == str(best.number) and json.loads(tags["best_params"]) == best.params
    assert tags["best_run_id"] == children[best.number].info.run_id
    history = millstream.MlflowClient().get_metric_history(parent.info.run_id, "best_value")
    values = [trial.value or 0.0 for trial in searched.trials]
    assert [(point.step, point.value) for point in history] == [(n, min(values[: n + 1])) for n in range(5)]


def test_the_active_run_is_the_search_and_stays_active() -> None:
    with millstream.start_run(run_name="mine") as mine:
        optimize(study(direction="maximize"), parabola, n_trials=2, metric_name="score")
        active = millstream.active_run()
        assert active is not None and active.info.run_id == mine.info.run_id
    parent, children = runs()
    assert parent.info.run_id == mine.info.run_id and set(parent.data.metrics) == {"best_score"}
    assert len(children) == 2 and set(children[0].data.metrics) == {"score", "inside"}


def test_threads_log_to_the_run_of_their_own_trial() -> None:
    together = threading.Barrier(2)

    def objective(trial: optuna.Trial) -> float:
        if trial.number < 2:
            together.wait(timeout=30)  # two trials are really under way at once
        millstream.log_metric("number_seen", trial.number)
        return parabola(trial)

    optimize(study(), objective, n_trials=6, n_jobs=2)
    parent, children = runs()
    assert [run.data.metrics["number_seen"] for run in children] == [0, 1, 2, 3, 4, 5]
    assert {run.info.status for run in children} == {"FINISHED"}
    assert len(millstream.MlflowClient().get_metric_history(parent.info.run_id, "best_value")) == 6


def test_pruned_and_failed_trials_say_so_and_reports_are_steps() -> None:
    def objective(trial: optuna.Trial) -> float | None:
        trial.suggest_float("x", 0, 1)
        for step in range(3):
            trial.report(step / 10, step)
        if trial.number == 1:
            raise optuna.TrialPruned
        if trial.number == 2:
            raise ZeroDivisionError
        return None if trial.number == 3 else 1.0

    optimize(study(), objective, n_trials=5, catch=ZeroDivisionError)  # type: ignore[arg-type]
    _, children = runs()
    assert [run.data.tags["state"] for run in children] == ["COMPLETE", "PRUNED", "FAIL", "FAIL", "COMPLETE"]
    assert [run.info.status for run in children] == ["FINISHED", "KILLED", "FAILED", "FAILED", "FINISHED"]
    for run in children:
        assert "x" in run.data.params
        points = millstream.MlflowClient().get_metric_history(run.info.run_id, "intermediate_value")
        assert [(point.step, point.value) for point in points] == [(0, 0.0), (1, 0.1), (2, 0.2)]
    assert [run.data.metrics.get("value") for run in children] == [1.0, None, None, None, 1.0]


def test_an_error_goes_through_and_ends_the_runs() -> None:
    def objective(trial: optuna.Trial) -> float:
        millstream.start_run(nested=True)  # never ended by the objective
        raise RuntimeError("no data")

    with pytest.raises(RuntimeError, match="no data"):
        optimize(study(), objective, n_trials=3)
    assert millstream.active_run() is None
    statuses = [run.info.status for run in millstream.MlflowClient().search_runs(["0"])]
    assert statuses == ["FAILED"] * 3


def test_several_objectives_have_a_metric_each() -> None:
    def objective(trial: optuna.Trial) -> tuple[float, float]:
        x = trial.suggest_float("x", 0, 1)
        return x, 1 - x

    searched = study(directions=["minimize", "maximize"])
    optimize(searched, objective, n_trials=3, metric_name=["loss", "gain"])
    parent, children = runs()
    assert children[0].data.metrics == dict(zip(["loss", "gain"], searched.trials[0].values, strict=True))
    assert parent.data.tags["direction"] == "MINIMIZE, MAXIMIZE"
    assert json.loads(parent.data.tags["best_trials"]) == [trial.number for trial in searched.best_trials]
    assert parent.data.params == {} and parent.data.metrics == {}
    with pytest.raises(InvalidValue, match="metric_name has 1 names for 2 values"):
        optimize(study(directions=["minimize", "maximize"]), objective, n_trials=1, metric_name=["loss"])


# Optuna's own setter of names warns that it may change.
@pytest.mark.filterwarnings("ignore:optuna.study.study.Study.set_metric_names is:optuna.exceptions.ExperimentalWarning")
def test_names_of_the_study_and_numbers_name_metrics() -> None:
    def objective(trial: optuna.Trial) -> tuple[float, float]:
        return 1.0, 2.0

    searched = study(directions=["minimize", "minimize"])
    optimize(searched, objective, n_trials=1)
    searched.set_metric_names(["flops", "error"])
    optimize(searched, objective, n_trials=1)
    metrics = [run.data.metrics for run in millstream.MlflowClient().search_runs(["0"]) if run.data.metrics]
    assert {frozenset(one) for one in metrics} == {frozenset({"value_0", "value_1"}), frozenset({"flops", "error"})}


def test_a_callback_and_a_decorator_for_programs_that_call_optuna_themselves() -> None:
    searched = study()
    with OptunaCallback("loss") as callback:
        objective = callback.track_in_mlflow()(parabola)
        assert objective.__name__ == "parabola"
        searched.optimize(objective, n_trials=3, callbacks=[callback])
        active = millstream.active_run()
        assert active is not None and active.info.run_id == callback.run_id
    millstream.end_run()
    parent, children = runs()
    assert len(children) == 3 and "inside" in children[0].data.metrics
    assert parent.data.params["best_x"] == str(searched.best_params["x"])


def test_the_callback_alone_enters_trials_that_are_over() -> None:
    def objective(trial: optuna.Trial) -> float:
        trial.set_user_attr("note", "odd")
        trial.report(0.5, 3)
        if trial.number == 1:
            raise optuna.TrialPruned
        return trial.suggest_float("x[0]", 0, 1)

    searched = study()
    searched.set_user_attr("dataset", "toy")
    with millstream.start_run():
        searched.optimize(objective, n_trials=2, callbacks=[OptunaCallback(tag_study_user_attrs=True)])
    parent, (first, second) = runs()
    trial = searched.trials[0]
    assert first.data.metrics == {"value": trial.value, "intermediate_value": 0.5}
    assert first.data.params == {"x_0_": str(trial.value)} and first.data.tags["note"] == "odd"
    assert trial.datetime_start is not None and trial.datetime_complete is not None
    assert first.info.start_time == int(trial.datetime_start.timestamp() * 1000)
    assert first.info.end_time == int(trial.datetime_complete.timestamp() * 1000)
    assert (second.info.status, second.data.tags["state"]) == ("KILLED", "PRUNED")
    assert parent.data.tags["dataset"] == "toy"


def test_a_study_that_goes_on_in_the_same_run(caplog: pytest.LogCaptureFixture) -> None:
    searched = study()
    with millstream.start_run():
        optimize(searched, lambda trial: trial.suggest_float("x", 5, 6), n_trials=1)
        optimize(searched, lambda trial: trial.suggest_float("x", 1, 2), n_trials=1)
    parent, children = runs()
    assert parent.data.tags["best_trial"] == "1" and len(children) == 2
    assert "the best parameters of an earlier search" in caplog.text
    assert json.loads(parent.data.tags["best_params"]) == searched.best_params
