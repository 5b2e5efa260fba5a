from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import millstream
from millstream.entities import Run
from millstream.errors import ExperimentNotFound, InvalidState, InvalidValue, RunNotFound

pytestmark = pytest.mark.usefixtures("tracking")


def stored(run: Run) -> Run:
    return millstream.get_run(run.info.run_id)


def test_a_run_begins_and_ends() -> None:
    before = time.time_ns() // 1_000_000
    with millstream.start_run() as run:
        assert isinstance(run, Run)
        active = millstream.active_run()
        assert active is not None
        assert active.info.run_id == run.info.run_id
        assert stored(run).info.status == "RUNNING"
    assert millstream.active_run() is None
    ended = stored(run).info
    assert ended.status == "FINISHED"
    assert ended.start_time is not None
    assert ended.end_time is not None
    assert before <= ended.start_time <= ended.end_time <= time.time_ns() // 1_000_000
    assert ended.experiment_id == "0"
    assert ended.lifecycle_stage == "active"
    assert ended.run_name and ended.run_name.count("-") == 2
    assert ended.artifact_uri == str(Path.cwd() / "runs" / "0" / run.info.run_id / "artifacts")


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError(), "FAILED"), (KeyboardInterrupt(), "KILLED"), (SystemExit(0), "FINISHED"), (SystemExit(), "FINISHED"),
     (SystemExit(1), "FAILED"), (SystemExit("no"), "FAILED")],
)
def test_the_error_that_leaves_the_block_is_the_status(error: BaseException, status: str) -> None:
    with pytest.raises(type(error)), millstream.start_run() as run:
        raise error
    assert stored(run).info.status == status


def test_a_second_run_needs_to_be_nested() -> None:
    with millstream.start_run() as outer:
        with pytest.raises(InvalidState, match=outer.info.run_id) as caught:
            millstream.start_run()
        assert "nested=True" in str(caught.value.hint)
        with millstream.start_run(nested=True) as inner:
            assert inner.data.tags["mlflow.parentRunId"] == outer.info.run_id
            parent = millstream.get_parent_run(inner.info.run_id)
            assert parent is not None
            assert parent.info.run_id == outer.info.run_id
        active = millstream.active_run()
        assert active is not None
        assert active.info.run_id == outer.info.run_id
    assert millstream.get_parent_run(outer.info.run_id) is None


def test_the_end_of_a_run_ends_those_left_open_inside() -> None:
    with millstream.start_run() as outer:
        inner = millstream.start_run(nested=True)
    assert millstream.active_run() is None
    assert [stored(run).info.status for run in (outer, inner)] == ["FINISHED", "FINISHED"]


def test_a_run_that_was_ended_in_its_block_keeps_its_status() -> None:
    with millstream.start_run() as run:
        millstream.end_run("KILLED")
        other = millstream.start_run()
    assert stored(run).info.status == "KILLED"
    active = millstream.active_run()
    assert active is not None
    assert active.info.run_id == other.info.run_id


def test_a_parent_may_be_named() -> None:
    with millstream.start_run() as parent:
        pass
    with millstream.start_run(parent_run_id=parent.info.run_id) as child:
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        with pytest.raises(InvalidState, match="parent_run_id"):
            millstream.start_run(parent_run_id=parent.info.run_id, nested=True)
        with millstream.start_run(parent_run_id=child.info.run_id, nested=True) as grandchild:
            assert grandchild.data.tags["mlflow.parentRunId"] == child.info.run_id
    with pytest.raises(RunNotFound):
        millstream.start_run(parent_run_id="nobody")
    millstream.delete_run(parent.info.run_id)
    with pytest.raises(InvalidState, match="deleted"):
        millstream.start_run(parent_run_id=parent.info.run_id)


def test_a_run_says_where_it_comes_from() -> None:
    with millstream.start_run(run_name="one", tags={"a": 5}, description="a note") as run:
        pass
    tags = stored(run).data.tags
    assert tags["a"] == "5"
    assert tags["mlflow.note.content"] == "a note"
    assert tags["mlflow.runName"] == stored(run).info.run_name == "one"
    assert tags["mlflow.user"] == stored(run).info.user_id
    assert tags["mlflow.source.type"] == "LOCAL"
    assert "mlflow.source.name" in tags


def test_what_the_user_says_wins_over_what_is_found_out() -> None:
    with millstream.start_run(tags={"mlflow.source.name": "mine", "mlflow.user": "me"}) as run:
        assert run.data.tags["mlflow.source.name"] == "mine"
        assert run.info.user_id == "me"


def test_names_come_from_the_argument_or_from_the_tag() -> None:
    with millstream.start_run(run_name="x", tags={"mlflow.runName": "y"}) as run:
        assert run.info.run_name == run.data.tags["mlflow.runName"] == "x"
    with millstream.start_run(tags={"mlflow.runName": "y"}) as run:
        assert run.info.run_name == "y"
    with millstream.start_run(run_name="") as run:
        assert run.info.run_name and run.info.run_name.count("-") == 2


def test_a_description_is_given_once() -> None:
    with pytest.raises(InvalidValue, match="twice"):
        millstream.start_run(description="a", tags={"mlflow.note.content": "b"})
    assert millstream.active_run() is None


def test_a_bad_tag_starts_no_run() -> None:
    with pytest.raises(InvalidValue):
        millstream.start_run(tags={"a//b": 1})
    assert millstream.search_runs(output_format="list") == []


def test_a_run_goes_on() -> None:
    with millstream.start_run(run_name="first") as run:
        millstream.log_param("p", 1)
    resumed = millstream.start_run(run_id=run.info.run_id, tags={"b": 2}, description="again")
    assert resumed.info.run_id == run.info.run_id
    assert stored(run).info.status == "RUNNING"
    assert resumed.data.tags["b"] == "2"
    assert resumed.data.tags["mlflow.note.content"] == "again"
    assert resumed.info.run_name == "first"
    with pytest.raises(ValueError, match="over"), resumed:
        raise ValueError("over")
    assert stored(run).info.status == "FAILED"
    with millstream.start_run(run_id=run.info.run_id, run_name="second"):
        pass
    assert stored(run).info.run_name == "second"
    assert stored(run).info.status == "FINISHED"


def test_a_run_goes_on_wherever_it_is() -> None:
    with millstream.start_run() as run:
        pass
    millstream.set_experiment("another")
    with millstream.start_run(run_id=run.info.run_id) as resumed:
        assert resumed.info.experiment_id == "0"


def test_a_run_goes_on_from_a_checkpoint() -> None:
    with millstream.start_run() as run:
        for step in range(10):
            millstream.log_metrics({"loss": 1 / (step + 1), "accuracy": step}, step=step)
    with millstream.start_run(run_id=run.info.run_id, resume_from_step=6) as resumed:
        assert resumed.data.metrics["accuracy"] == 5
        millstream.log_metric("loss", 0.5, step=6)
    history = millstream.MlflowClient().get_metric_history(run.info.run_id, "loss")
    assert [point.step for point in history] == list(range(7))
    assert history[-1].value == 0.5
    assert len(millstream.MlflowClient().get_metric_history(run.info.run_id, "accuracy")) == 6
    with pytest.raises(InvalidValue, match="resume_from_step"):
        millstream.start_run(resume_from_step=3)


def test_what_cannot_go_on() -> None:
    with pytest.raises(RunNotFound):
        millstream.start_run(run_id="nobody")
    with pytest.raises(InvalidValue):
        millstream.start_run(run_id="../etc")
    with millstream.start_run() as run:
        pass
    millstream.delete_run(run.info.run_id)
    with pytest.raises(InvalidState, match="deleted"):
        millstream.start_run(run_id=run.info.run_id)
    assert millstream.active_run() is None
    millstream.restore_run(run.info.run_id)
    with millstream.start_run(run_id=run.info.run_id):
        pass


def test_the_environment_names_a_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with millstream.start_run() as run:
        pass
    monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
    with millstream.start_run() as first:
        assert first.info.run_id == run.info.run_id
    with millstream.start_run() as second:
        assert second.info.run_id != run.info.run_id
    assert "MLFLOW_RUN_ID" not in os.environ


def test_an_experiment_may_be_named_by_id() -> None:
    experiment = millstream.create_experiment("other")
    with millstream.start_run(experiment_id=experiment) as run:
        assert run.info.experiment_id == experiment
    wrong: Any = int(experiment)
    with millstream.start_run(experiment_id=wrong) as run:
        assert run.info.experiment_id == experiment
    with pytest.raises(ExperimentNotFound):
        millstream.start_run(experiment_id="12345")
    millstream.delete_experiment(experiment)
    with pytest.raises(InvalidValue, match="deleted"):
        millstream.start_run(experiment_id=experiment)


def test_ending_without_a_run_does_nothing() -> None:
    millstream.end_run()
    assert millstream.last_active_run() is None


def test_a_status_that_is_none_ends_nothing() -> None:
    with millstream.start_run() as run:
        with pytest.raises(InvalidValue, match="FINISHED"):
            millstream.end_run("DONE")
        active = millstream.active_run()
        assert active is not None
        assert active.info.run_id == run.info.run_id


def test_the_last_run_is_remembered() -> None:
    with millstream.start_run() as run:
        millstream.log_metric("loss", 0.5)
        last = millstream.last_active_run()
        assert last is not None
        assert (last.info.status, last.data.metrics) == ("RUNNING", {"loss": 0.5})
    last = millstream.last_active_run()
    assert last is not None
    assert (last.info.run_id, last.info.status) == (run.info.run_id, "FINISHED")


def test_threads_have_runs_of_their_own() -> None:
    seen: list[Any] = []

    def work() -> None:
        seen.append((millstream.active_run(), millstream.last_active_run()))
        with millstream.start_run() as run:
            millstream.log_metric("inside", 1.0)
            seen.append(run.info.run_id)

    with millstream.start_run() as outer:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        active = millstream.active_run()
        assert active is not None
        assert active.info.run_id == outer.info.run_id
    assert seen[0] == (None, None)
    inner = millstream.get_run(seen[1])
    assert inner.info.status == "FINISHED"
    assert inner.data.metrics == {"inside": 1.0}
    assert "mlflow.parentRunId" not in inner.data.tags


def test_a_run_stays_in_the_store_where_it_began(tracking: Path) -> None:
    with millstream.start_run() as run:
        millstream.set_tracking_uri(str(tracking / "elsewhere"))
        millstream.log_metric("loss", 1.0)
    with pytest.raises(RunNotFound):
        millstream.get_run(run.info.run_id)
    millstream.set_tracking_uri(str(tracking / "runs"))
    assert stored(run).data.metrics == {"loss": 1.0}
    assert stored(run).info.status == "FINISHED"


def test_runs_move_to_another_experiment() -> None:
    with millstream.start_run() as run:
        millstream.log_metric("loss", 1.0)
    target = millstream.create_experiment("target")
    assert millstream.move_runs([run.info.run_id], target) == 1
    assert stored(run).info.experiment_id == target
    assert stored(run).data.metrics == {"loss": 1.0}
    with pytest.raises(RunNotFound):
        millstream.move_runs([run.info.run_id, "nobody"], "0")


def program(tracking: Path, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, cwd=tracking, timeout=60,
        env={**os.environ, "MILLSTREAM_TRACKING_URI": str(tracking / "runs"), **environment},
    )


@pytest.mark.parametrize(
    ("ending", "status"),
    [("", "FINISHED"), ("raise ValueError", "FAILED"), ("raise KeyboardInterrupt", "KILLED"),
     ("import sys; sys.exit()", "FINISHED")],
)
def test_the_end_of_the_program_ends_its_runs(tracking: Path, ending: str, status: str) -> None:
    ended = program(tracking, (
        "import millstream, threading\n"
        "outer = millstream.start_run(run_name='outer'); millstream.start_run(run_name='inner', nested=True)\n"
        "millstream.log_metric('loss', 0.5, step=3)\n"
        "thread = threading.Thread(target=lambda: millstream.start_run(run_name='thread'))\n"
        "thread.start(); thread.join()\n"
        + ending
    ))
    runs = millstream.search_runs(output_format="list")
    statuses = {run.info.run_name: run.info.status for run in runs}
    assert statuses == dict.fromkeys(("outer", "inner", "thread"), status), ended
    assert {run.info.run_name: run.data.metrics for run in runs}["inner"] == {"loss": 0.5}
    assert all(run.info.end_time is not None for run in runs)


def test_a_forked_child_logs_to_the_run_and_leaves_it_open(tracking: Path) -> None:
    ended = program(tracking, (
        "import millstream, os, sys, warnings\n"
        "warnings.simplefilter('ignore')\n"
        "run = millstream.start_run()\n"
        "millstream.log_metric('who', 1.0, step=0)\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    millstream.log_metric('who', 2.0, step=1)\n"
        "    sys.exit()\n"
        "os.waitpid(child, 0)\n"
        "print(millstream.get_run(run.info.run_id).info.status)\n"
        "millstream.log_metric('who', 3.0, step=2)\n"
    ))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "RUNNING"
    [run] = millstream.search_runs(output_format="list")
    history = millstream.MlflowClient().get_metric_history(run.info.run_id, "who")
    assert [(point.step, point.value) for point in history] == [(0, 1.0), (1, 2.0), (2, 3.0)]
    assert run.info.status == "FINISHED"


def test_a_child_process_inherits_store_and_experiment(tracking: Path) -> None:
    millstream.set_experiment("shared")
    text = "import millstream\nwith millstream.start_run(run_name='child'): pass\n"
    assert subprocess.run([sys.executable, "-c", text], cwd=tracking, timeout=60).returncode == 0
    [run] = millstream.search_runs(experiment_names=["shared"], output_format="list")
    assert run.info.run_name == "child"


def test_a_live_run_beats(tracking: Path) -> None:
    from millstream.tracking.active import local

    with millstream.start_run():
        log = local.stack[-1].recorder.log
        assert log.beating
    assert not log.beating


def test_system_metrics_begin_and_end_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "60")
    with millstream.start_run(log_system_metrics=True) as run:
        pass
    metrics = stored(run).data.metrics
    assert "system/cpu_utilization_percentage" in metrics
    with millstream.start_run(run_id=run.info.run_id, log_system_metrics=True):
        pass
    history = millstream.MlflowClient().get_metric_history(run.info.run_id, "system/cpu_utilization_percentage")
    assert [point.step for point in history] == [0, 1]
    millstream.enable_system_metrics_logging()
    with millstream.start_run() as run:
        pass
    assert stored(run).data.metrics
    millstream.disable_system_metrics_logging()
    with millstream.start_run() as run:
        pass
    assert not stored(run).data.metrics


def test_a_run_that_cannot_sample_is_not_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0")
    with pytest.raises(InvalidValue, match="interval"):
        millstream.start_run(log_system_metrics=True)
    assert millstream.active_run() is None
    [run] = millstream.search_runs(output_format="list")
    assert run.info.status == "FAILED"
