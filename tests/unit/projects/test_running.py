"""Projects run as real processes: what is recorded, how they end, and that nothing of them is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

import millstream
from millstream.entities import Run, RunStatus
from millstream.errors import (
    EntryPointNotFound,
    InvalidState,
    InvalidValue,
    MissingValue,
    NotInTime,
    ParameterChanged,
    ProjectFailed,
    ProjectNotFound,
    PythonNotFound,
)
from millstream.projects import SubmittedRun, run
from millstream.tracking import stores

SHOW = """
import json, os, sys
print(json.dumps({"argv": sys.argv[1:], "cwd": os.getcwd(), "python": sys.executable, "environ": dict(os.environ)}))
"""
# Says that it has begun, starts a child that says so too, and ends when it is made to.
ENDLESS = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
pathlib.Path("begun").write_text(str(child.pid))
print("begun", flush=True)
time.sleep(600)
"""
PROJECT = """
name: example
entry_points:
  main:
    parameters:
      alpha: {type: float, default: 0.5}
      name: string
    command: "python show.py --alpha {alpha} '{name}'"
  fails: python -c 'import sys; print("out"); print("so it is", file=sys.stderr); sys.exit(3)'
  shell: "exit 4 | exit 5"
  killed: "kill -KILL $$"
  endless: python endless.py
  absent: no-such-program --x
  logs: python -c 'import millstream; millstream.log_metric("m", 0.5); millstream.log_param("p", 1)'
  says: python -c 'import millstream; millstream.start_run(); millstream.end_run("FAILED")'
  lies: python -c 'import sys, millstream; millstream.start_run(); millstream.end_run(); sys.exit(1)'
  order: "python -c 'import sys; [print(i, file=[sys.stdout, sys.stderr][i % 2]) for i in range(200)]'"
"""


@pytest.fixture
def project(tracking: Path) -> Path:
    folder = tracking / "project"
    folder.mkdir()
    (folder / "MLproject").write_text(PROJECT)
    (folder / "show.py").write_text(SHOW)
    (folder / "endless.py").write_text(ENDLESS)
    return folder


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def recorded(run_id: str) -> Run:
    return millstream.get_run(run_id)


def log_of(run_id: str) -> str:
    text: str = millstream.artifacts.load_text(f"runs:/{run_id}/logs/project.log")
    return text


def test_what_is_recorded(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = run(str(project), parameters={"name": "it's", "more": 1}, experiment_name="loan", run_name="first")
    told = json.loads(log_of(made.run_id))
    assert told["argv"] == ["--alpha", "0.5", "it's", "--more", "1"]
    assert told["cwd"] == str(project)
    assert json.loads(capfd.readouterr().out) == told
    found = recorded(made.run_id)
    assert (found.info.status, found.info.run_name) == ("FINISHED", "first")
    assert found.data.params == {"alpha": "0.5", "name": "it's", "more": "1"}
    tags = {key: value for key, value in found.data.tags.items() if not key.startswith("millstream.")}
    assert tags.pop("mlflow.user")
    assert found.data.tags["millstream.project.code"]  # in no repository: it is kept with the run
    assert json.loads(found.data.tags["millstream.project.parameters"]) == found.data.params
    assert tags == {
        "mlflow.runName": "first", "mlflow.source.name": str(project), "mlflow.source.type": "PROJECT",
        "mlflow.project.entryPoint": "main", "mlflow.project.backend": "local",
    }
    assert found.data.tags["millstream.project.command"] == """python show.py --alpha 0.5 'it'"'"'s' --more 1"""
    experiment = millstream.get_experiment_by_name("loan")
    assert experiment is not None
    assert found.info.experiment_id == experiment.experiment_id
    environment = told["environ"]
    for prefix in ("MLFLOW", "MILLSTREAM"):
        assert environment[f"{prefix}_RUN_ID"] == made.run_id
        assert environment[f"{prefix}_EXPERIMENT_ID"] == experiment.experiment_id
        assert environment[f"{prefix}_TRACKING_URI"].startswith("http://127.0.0.1:")
    assert isinstance(made, SubmittedRun)
    assert made.wait()
    assert made.get_status() == RunStatus.FINISHED
    assert list(made.logs()) == log_of(made.run_id).splitlines()
    made.cancel()  # nothing to do any more
    assert recorded(made.run_id).info.status == "FINISHED"


def test_children_log_into_an_embedded_store(project: Path) -> None:
    made = run(str(project), "logs")
    found = recorded(made.run_id)
    assert (found.data.metrics, found.data.params, found.info.status) == ({"m": 0.5}, {"p": "1"}, "FINISHED")
    children = psutil.Process().children()
    assert not [child for child in children if child.is_running() and "embedded" in " ".join(child.cmdline())]


def test_the_experiment_of_this_program_is_not_that_of_the_command(project: Path) -> None:
    millstream.set_experiment("mine")
    made = run(str(project), parameters={"name": "x"}, experiment_name="other")
    environment = json.loads(log_of(made.run_id))["environ"]
    assert environment["MLFLOW_EXPERIMENT_ID"] == recorded(made.run_id).info.experiment_id
    assert not {"MLFLOW_EXPERIMENT_NAME", "MILLSTREAM_EXPERIMENT_NAME"} & set(environment)
    assert recorded(run(str(project), parameters={"name": "x"}).run_id).info.experiment_id != (
        environment["MLFLOW_EXPERIMENT_ID"])


@pytest.mark.parametrize(
    ("entry_point", "said", "status"),
    [("fails", "failed: it ended with status 3; its last lines:\n    out\n    so it is", "FAILED"),
     ("shell", "failed: it ended with status 5", "FAILED"),
     ("killed", "was ended: it was ended by SIGKILL", "KILLED"),
     ("says", "failed", "FAILED"),
     ("lies", "failed: it ended with status 1", "FAILED")],
)
def test_a_step_that_fails(project: Path, entry_point: str, said: str, status: str) -> None:
    with pytest.raises(ProjectFailed) as caught:
        run(str(project), entry_point)
    assert said in caught.value.message
    assert "logs/project.log" in str(caught.value.hint)
    newest = millstream.search_runs(output_format="list")[0]
    assert newest.info.status == status
    assert newest.info.run_id in caught.value.message
    assert newest.info.end_time is not None
    assert "millstream" not in psutil.Process().name()


def test_output_is_kept_in_its_order(project: Path) -> None:
    assert log_of(run(str(project), "order").run_id) == "".join(f"{number}\n" for number in range(200))


def test_what_cannot_be_started(project: Path) -> None:
    with pytest.raises(EntryPointNotFound, match="no entry point 'nope'; there are main, fails"):
        run(str(project), "nope")
    with pytest.raises(MissingValue, match="no value for the parameter name"):
        run(str(project))
    with pytest.raises(ProjectNotFound):
        run(str(project / "gone"))
    with pytest.raises(InvalidValue, match="there is no project backend 'nowhere'"):
        run(str(project), "fails", backend="nowhere")
    with pytest.raises(InvalidValue, match="by its name or by its id, not by both"):
        run(str(project), "fails", experiment_name="a", experiment_id="0")
    with pytest.raises(InvalidValue, match="it is none of"):
        run(str(project), "fails", env_manager="poetry")
    assert millstream.search_runs(output_format="list") == []
    with pytest.raises(InvalidValue, match="the program 'no-such-program' of the entry point 'absent' is not there"):
        run(str(project), "absent")
    assert [one.info.status for one in millstream.search_runs(output_format="list")] == ["FAILED"]


def test_an_interpreter_that_is_absent(project: Path) -> None:
    (project / "python_env.yaml").write_text("python: '2.7'\n")
    with pytest.raises(PythonNotFound):
        run(str(project), "fails")
    assert [one.info.status for one in millstream.search_runs(output_format="list")] == ["FAILED"]
    with pytest.raises(ProjectFailed):
        run(str(project), "fails", env_manager="local")


def test_a_run_that_is_there_already(project: Path) -> None:
    client = millstream.MlflowClient()
    there = client.create_run("0", run_name="kept", tags={"mine": "1"})
    run(str(project), parameters={"name": "x"}, run_id=there.info.run_id)
    found = recorded(there.info.run_id)
    assert (found.info.status, found.info.run_name) == ("FINISHED", "kept")
    assert found.data.params == {"alpha": "0.5", "name": "x"}
    assert (found.data.tags["mine"], found.data.tags["mlflow.project.entryPoint"]) == ("1", "main")
    with pytest.raises(ParameterChanged):
        run(str(project), parameters={"name": "y"}, run_id=there.info.run_id)
    assert recorded(there.info.run_id).info.status == "FAILED"
    client.delete_run(there.info.run_id)
    with pytest.raises(InvalidState, match="is deleted"):
        run(str(project), parameters={"name": "x"}, run_id=there.info.run_id)


def test_children_of_the_active_run_and_of_a_named_one(project: Path) -> None:
    with millstream.start_run() as parent:
        first = run(str(project), parameters={"name": "x"})
    second = run(str(project), parameters={"name": "x"}, parent_run_id=parent.info.run_id)
    alone = run(str(project), parameters={"name": "x"})
    for made, expected in ((first, parent.info.run_id), (second, parent.info.run_id), (alone, None)):
        assert recorded(made.run_id).data.tags.get("mlflow.parentRunId") == expected


def test_a_step_that_runs_another_as_its_child(project: Path) -> None:
    (project / "search.py").write_text(
        "import millstream as mlflow\n"
        "with mlflow.start_run():\n"
        "    made = mlflow.projects.run('.', parameters={'name': 'x'}, synchronous=False)\n"
        "    assert made.wait()\n"
        "    print(made.run_id)\n"
    )
    parent = run(str(project), "search.py")
    (child,) = millstream.search_runs(filter_string=f"tags.mlflow.parentRunId = '{parent.run_id}'",
                                      output_format="list")
    assert child.info.status == "FINISHED"
    assert log_of(parent.run_id).splitlines()[-1] == child.info.run_id
    # One server for both: what serves the parent serves the child.
    assert json.loads(log_of(child.info.run_id))["environ"]["MLFLOW_TRACKING_URI"].startswith("http://127.0.0.1:")


def child_with(pid: int, word: str) -> psutil.Process | None:
    return next((child for child in psutil.Process(pid).children() if word in child.cmdline()), None)


def begun(project: Path) -> tuple[SubmittedRun, psutil.Process]:
    made = run(str(project), "endless", synchronous=False)
    until(lambda: (project / "begun").exists() and (project / "begun").read_text())
    return made, psutil.Process(int((project / "begun").read_text()))


def test_cancelling_ends_the_whole_tree(project: Path) -> None:
    made, grandchild = begun(project)
    assert made.get_status() == RunStatus.RUNNING
    with pytest.raises(NotInTime, match="goes on after"):
        made.wait(0.01)
    lines = made.logs()
    assert next(lines) == "begun"
    made.cancel()
    until(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE)
    assert not made.wait()
    assert made.get_status() == RunStatus.KILLED
    assert recorded(made.run_id).info.status == "KILLED"
    assert made.failure().startswith("it was cancelled")
    assert list(lines) == []


def test_runs_below_a_run_that_was_killed_are_ended(project: Path) -> None:
    made, _ = begun(project)
    client = millstream.MlflowClient()
    child = client.create_run("0", tags={"mlflow.parentRunId": made.run_id})
    below = client.create_run("0", tags={"mlflow.parentRunId": child.info.run_id})
    made.cancel()
    assert [recorded(one.info.run_id).info.status for one in (child, below)] == ["KILLED", "KILLED"]


def test_several_at_the_same_time(project: Path) -> None:
    made = [run(str(project), parameters={"name": str(number)}, synchronous=False) for number in range(4)]
    assert all(one.wait(120) for one in made)
    assert [json.loads(log_of(one.run_id))["argv"][-1] for one in made] == ["0", "1", "2", "3"]


def test_what_goes_on_in_the_background_does_not_hold_the_end_up(project: Path) -> None:
    (project / "leaves.sh").write_text("sleep 600 & echo $! > left; echo done")
    made = run(str(project), "leaves.sh")
    assert log_of(made.run_id) == "done\n"
    os.kill(int((project / "left").read_text()), signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_death_of_the_parent_ends_the_child(project: Path, number: signal.Signals) -> None:
    program = f"import millstream; millstream.projects.run({str(project)!r}, 'endless')"
    variables = {**os.environ, "MILLSTREAM_TRACKING_URI": str(project.parent / "runs"), "MILLSTREAM_LEASE_SECONDS": "1"}
    with subprocess.Popen([sys.executable, "-c", program], env=variables, stdout=subprocess.DEVNULL) as parent:
        until(lambda: (project / "begun").exists() and (project / "begun").read_text())
        until(lambda: child_with(parent.pid, "millstream.cli.embedded"))
        leader, server = child_with(parent.pid, "endless.py"), child_with(parent.pid, "millstream.cli.embedded")
        assert leader and server
        parent.send_signal(number)
    until(lambda: not leader.is_running())
    until(lambda: not server.is_running())

    def swept() -> bool:
        stores.close_stores()
        return [one.info.status for one in millstream.search_runs(output_format="list")] == ["FAILED"]

    until(swept)  # its lease has run out: who opens the store next sees it
    os.kill(int((project / "begun").read_text()), signal.SIGKILL)


def test_a_reader_that_comes_late_and_one_that_waits_read_the_same(project: Path) -> None:
    made = run(str(project), "order", synchronous=False)
    read: list[list[str]] = []
    threads = [threading.Thread(target=lambda: read.append(list(made.logs()))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [[str(number) for number in range(200)]] * 2
    assert made.wait()
