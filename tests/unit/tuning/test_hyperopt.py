"""Searches of the real Hyperopt: their runs, children, results and best evaluations."""

from __future__ import annotations

import json
from typing import Any

import hyperopt
import numpy as np
import pytest
from hyperopt import hp

import millstream
from millstream.entities import Run
from millstream.errors import NotSupported
from millstream.tracking.tags import MLFLOW_PARENT_RUN_ID
from millstream.tuning import fmin, hyperopt_objective

pytestmark = pytest.mark.usefixtures("tracking")

SPACE = {
    "model": hp.choice("model", [{"kind": "ridge", "alpha": hp.uniform("alpha", 0, 1)}, {"kind": "ols"}]),
    "depth": hp.quniform("depth", 1, 9, 1),
}


def options(evaluations: int) -> dict[str, Any]:
    return {
        "algo": hyperopt.rand.suggest, "max_evals": evaluations, "rstate": np.random.default_rng(3),
        "show_progressbar": False, "verbose": False,
    }


def runs() -> tuple[Run, list[Run]]:
    """The only run without a parent, and its children by number."""
    found = millstream.MlflowClient().search_runs(["0"])
    children = [run for run in found if MLFLOW_PARENT_RUN_ID in run.data.tags]
    parent, = [run for run in found if run not in children]
    assert {run.data.tags[MLFLOW_PARENT_RUN_ID] for run in children} <= {parent.info.run_id}
    return parent, sorted(children, key=lambda run: int(run.data.tags["number"]))


def test_a_search_is_a_run_with_a_child_for_each_evaluation() -> None:
    seen = []

    def objective(config: dict[str, Any]) -> dict[str, Any]:
        seen.append(config)
        millstream.log_metric("inside", config["depth"])
        return {"loss": config["depth"] / 10, "status": hyperopt.STATUS_OK, "accuracy": 0.5, "names": ["x"]}

    trials = hyperopt.Trials()
    answer = fmin(objective, SPACE, trials=trials, run_name="search", tags={"why": "test"}, **options(6))
    assert set(answer) <= {"model", "alpha", "depth"}
    parent, children = runs()
    assert len(children) == 6 and {config["model"]["kind"] for config in seen} == {"ridge", "ols"}
    for run, config in zip(children, seen, strict=True):
        expected = {"depth": config["depth"], **{f"model.{name}": one for name, one in config["model"].items()}}
        assert run.data.params == {name: str(value) for name, value in expected.items()}
        assert run.data.metrics == {"loss": config["depth"] / 10, "accuracy": 0.5, "inside": config["depth"]}
        assert (run.info.status, run.data.tags["state"]) == ("FINISHED", "ok")
    losses = trials.losses()
    best = int(np.argmin(losses))
    resolved = hyperopt.space_eval(SPACE, answer)
    assert parent.info.run_name == "search" and parent.data.tags["why"] == "test"
    assert parent.data.metrics == {"best_loss": min(losses)}
    assert parent.data.params["best_depth"] == str(resolved["depth"])
    assert parent.data.params["best_model.kind"] == resolved["model"]["kind"]
    assert parent.data.tags["best_run_id"] == children[best].info.run_id
    assert json.loads(parent.data.tags["best_params"])["depth"] == resolved["depth"]


def test_failures_of_each_kind() -> None:
    def objective(x: float) -> Any:
        objective.calls += 1  # type: ignore[attr-defined]
        if objective.calls == 1:  # type: ignore[attr-defined]
            return {"status": hyperopt.STATUS_FAIL}
        if objective.calls == 4:  # type: ignore[attr-defined]
            raise ZeroDivisionError("no")
        return x

    objective.calls = 0  # type: ignore[attr-defined]
    with pytest.raises(ZeroDivisionError):
        fmin(objective, hp.uniform("label", 0, 1), **options(9))
    parent, children = runs()
    assert [run.info.status for run in children] == ["FAILED", "FINISHED", "FINISHED", "FAILED"]
    assert [run.data.tags["state"] for run in children] == ["fail", "ok", "ok", "fail"]
    assert all(set(run.data.params) == {"x"} for run in children)
    assert parent.info.status == "FAILED" and parent.data.tags["best_trial"] in ("1", "2")


def test_a_search_goes_on_with_its_trials() -> None:
    trials = hyperopt.Trials()
    with millstream.start_run():
        fmin(lambda x: {"loss": x, "status": "ok"}, hp.uniform("x", 0, 1), trials=trials, **options(2))
        fmin(lambda x: {"loss": -x, "status": "ok"}, hp.uniform("x", 0, 1), trials=trials, **options(4))
    _, children = runs()
    assert [run.data.tags["number"] for run in children] == ["0", "1", "2", "3"]


def test_an_objective_for_programs_that_call_hyperopt_themselves() -> None:
    def objective(config: dict[str, Any]) -> float:
        return float(config["depth"])

    with millstream.start_run() as run:
        tracked = hyperopt_objective(objective, metric_name="rmse")
        hyperopt.fmin(tracked, SPACE, **options(3))
    parent, children = runs()
    assert parent.info.run_id == run.info.run_id and len(children) == 3
    assert set(children[0].data.metrics) == {"rmse"} and set(parent.data.metrics) == {"best_rmse"}


def test_what_cannot_be_tracked_in_this_process_is_refused() -> None:
    class Elsewhere:
        asynchronous = True

    with pytest.raises(NotSupported, match="Elsewhere evaluates in other processes"):
        fmin(lambda x: x, hp.uniform("x", 0, 1), trials=Elsewhere(), **options(1))
    with pytest.raises(NotSupported, match="takes expressions"):
        fmin(lambda x: x, hp.uniform("x", 0, 1), pass_expr_memo_ctrl=True, **options(1))
