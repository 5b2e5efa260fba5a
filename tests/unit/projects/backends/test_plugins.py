"""Backends of installed distributions: made for us, and made for MLflow; installed by uv, in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millstream import plugins
from millstream.environments.interpreters import uv
from millstream.errors import EnvironmentFailed, InvalidValue, NotInTime
from millstream.projects.backends import find
from millstream.tracking.client import MlflowClient
from tests.unit.projects.backends import jobs

# A distribution as somebody writes one; its backend for MLflow knows nothing of us.
ENTRY_POINTS = """\
[millstream.project_backend]
ours = tests_cluster:Ours
twice = tests_cluster:Ours
broken = tests_cluster:nothing
hollow = tests_cluster:Hollow
[mlflow.project_backend]
theirs = tests_cluster:theirs
twice = tests_cluster:theirs
empty = tests_cluster:Hollow
"""
MODULE = """\
import json, subprocess, sys, threading

from millstream.projects.submitted import SubmittedRun
from millstream.projects.recording import finish


class Hollow:
    pass


class Ours:
    name = "ours"
    on_this_machine = True

    def submit(self, job):
        return OursRun(job)


class OursRun(SubmittedRun):
    def __init__(self, job):
        self.job, self.text, self.lock = job, "", threading.Lock()
        self.process = subprocess.Popen(job.command.argv, cwd=job.folder, stdout=subprocess.PIPE, text=True)

    run_id = property(lambda self: self.job.run_id)

    def wait(self, timeout=None):
        with self.lock:  # it is called from several threads
            if self.process.returncode is None:
                self.text = self.process.communicate(timeout=timeout)[0]
                finish(self.job.tracking_uri, self.run_id, self.get_status())
        return self.process.returncode == 0

    def get_status(self):
        return {None: 1, 0: 3}.get(self.process.poll(), 4)

    def cancel(self):
        self.process.kill()

    def logs(self):
        return iter(self.text.splitlines())


class TheirRun:
    def __init__(self, run_id, params):
        self.run_id = run_id
        self.ended = threading.Event()
        self.status = "RUNNING"
        if "wait" not in params:
            self.end("FAILED" if "fail" in params else "FINISHED")

    def end(self, status):
        self.status = status
        self.ended.set()

    def wait(self):
        self.ended.wait()
        return self.status == "FINISHED"

    def get_status(self):
        return self.status

    def cancel(self):
        self.end("KILLED")


class Theirs:
    def run(self, project_uri, entry_point, params, version, backend_config, tracking_uri, experiment_id):
        self.given = dict(locals())
        if "broken" in params:
            return None
        return TheirRun(backend_config["_mlflow_local_backend_run_id"], params)


made = []


def theirs():
    made.append(Theirs())
    return made[-1]
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the distribution is installed in, as a virtual environment's packages are."""
    folder = tmp_path_factory.mktemp("distribution")
    notes = "tests_cluster-1.0.dist-info"
    files = {
        "tests_cluster.py": MODULE, f"{notes}/entry_points.txt": ENTRY_POINTS,
        f"{notes}/METADATA": "Metadata-Version: 2.1\nName: tests-cluster\nVersion: 1.0\n",
        f"{notes}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{notes}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{notes}/RECORD"])
    wheel, packages = folder / "tests_cluster-1.0-py3-none-any.whl", folder / "packages"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    subprocess.run([uv(), "pip", "install", "--quiet", "--python", sys.executable, "--offline", "--no-deps", "--target",
                    str(packages), str(wheel)], check=True, cwd=folder)
    return packages


@pytest.fixture
def offered(tracking: Path, installed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(installed)
    plugins.forget()
    yield
    plugins.forget()
    sys.modules.pop("tests_cluster", None)


def given() -> dict[str, Any]:
    """What the backend made for MLflow was called with last."""
    import tests_cluster  # type: ignore[import-not-found]

    found: dict[str, Any] = tests_cluster.made[-1].given
    return found


class TestOurs:
    def test_it_runs_the_job(self, offered: None, tracking: Path) -> None:
        job = jobs.job(jobs.project(tracking / "p", "import sys\nprint(sys.argv)\n"), (sys.executable, "train.py", "x"))
        run = find("ours").submit(job)
        assert run.wait() and jobs.status(job) == "FINISHED"
        assert list(run.logs()) == ["['train.py', 'x']"]

    def test_ours_comes_before_theirs(self, offered: None) -> None:
        assert type(find("twice")).__name__ == "Ours"


class TestTheirs:
    def test_it_gets_what_mlflow_gives(self, offered: None, tracking: Path) -> None:
        job = jobs.job(jobs.project(tracking / "p"), config={"queue": "fast"}, docker_args={"gpus": "all"})
        run = find("theirs").submit(job)
        told = given()
        assert told["project_uri"] == str(tracking / "p") and told["entry_point"] == "main"
        assert told["params"] == {"rate": "0.5"} and told["version"] is None
        assert told["tracking_uri"] == job.tracking_uri and told["experiment_id"] == "0"
        assert told["backend_config"] == {
            "queue": "fast", "_mlflow_local_backend_run_id": job.run_id, "DOCKER_ARGS": {"gpus": "all"},
            "ENV_MANAGER": "local", "STORAGE_DIR": None, "SYNCHRONOUS": False, "build_image": False,
            "docker_auth": None,
        }
        assert run.run_id == job.run_id and run.wait()
        assert (run.get_status(), jobs.status(job)) == (jobs.FINISHED, "FINISHED")
        assert list(run.logs()) == []

    def test_its_failure_is_the_run_s(self, offered: None, tracking: Path) -> None:
        job = jobs.job(jobs.project(tracking / "p"), parameters={"fail": "1"})
        run = find("theirs").submit(job)
        assert not run.wait() and jobs.status(job) == "FAILED" and run.failure() == "it failed"

    def test_waiting_has_a_timeout_though_theirs_has_none(self, offered: None, tracking: Path) -> None:
        job = jobs.job(jobs.project(tracking / "p"), parameters={"wait": "1"})
        run = find("theirs").submit(job)
        with pytest.raises(NotInTime):
            run.wait(0.05)
        run.cancel()
        assert not run.wait()
        assert (run.get_status(), jobs.status(job)) == (jobs.KILLED, "KILLED")

    def test_one_that_gives_no_handle(self, offered: None, tracking: Path) -> None:
        with pytest.raises(InvalidValue, match=r"'theirs' of tests-cluster gave None, which has no 'run_id'"):
            find("theirs").submit(jobs.job(jobs.project(tracking / "p"), parameters={"broken": "1"}))


class TestErrors:
    def test_the_names_of_all_are_told(self, offered: None) -> None:
        with pytest.raises(InvalidValue, match=r"no project backend 'yarn'; there are .*kubernetes.*ours.*theirs"):
            find("yarn")

    def test_one_that_does_not_load(self, offered: None) -> None:
        with pytest.raises(EnvironmentFailed, match="'broken' of tests-cluster does not load: Attribute") as caught:
            find("broken")
        assert "tests-cluster" in str(caught.value.hint)

    @pytest.mark.parametrize(("name", "attribute"), [("hollow", "name"), ("empty", "run")])
    def test_one_that_is_no_backend(self, offered: None, name: str, attribute: str) -> None:
        with pytest.raises(InvalidValue, match=f"has no '{attribute}'"):
            find(name)


def test_projects_run_on_both_from_the_command_line(tracking: Path, installed: Path) -> None:
    """In a process of its own, whose environment has the distribution."""
    folder = jobs.project(tracking / "p", "print('done')\n")
    program = ("import sys, json\nfrom millstream import projects\n"
               "runs = [projects.run(sys.argv[1], 'train.py', backend=name) for name in ('ours', 'theirs')]\n"
               "print(json.dumps([run.run_id for run in runs]))\n")
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONPATH": str(installed),
                               "MLFLOW_TRACKING_URI": str(tracking / "runs")})
    assert done.returncode == 0, done.stderr
    for run_id, name in zip(json.loads(done.stdout.splitlines()[-1]), ("ours", "theirs"), strict=True):
        run = MlflowClient().get_run(run_id)
        assert run.info.status == "FINISHED" and run.data.tags["mlflow.project.backend"] == name
