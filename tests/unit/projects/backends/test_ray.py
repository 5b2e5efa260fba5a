"""Jobs of Ray: against the recorded protocol of its job server, and a real cluster."""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millstream import projects
from millstream.environments.conda_files import Conda
from millstream.environments.descriptions import Description
from millstream.errors import InvalidValue, MillstreamError, Unauthenticated, Unreachable
from millstream.projects.job import Job
from millstream.projects.submitted import SubmittedRun
from tests.servers.ray import JobServer, cluster
from tests.unit.projects.backends import jobs


@pytest.fixture
def server(tracking: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobServer]:
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    made = JobServer()
    yield made
    made.refuse = lambda method, path: None
    made.end()
    jobs.end()
    made.stop()


def a_job(folder: Path, server: JobServer, *argv: str, **config: Any) -> Job:
    return jobs.job(jobs.project(folder / "p"), argv or ("python", "train.py", "a b", "$HOME", "'; ls"),
                    config={"address": server.address, **config})


def submitted(job: Job) -> SubmittedRun:
    return jobs.submitted("ray", job)


class TestJob:
    def test_what_is_submitted(self, server: JobServer, tracking: Path) -> None:
        job = a_job(tracking, server, entrypoint_num_cpus=2, metadata={"team": 7},
                    runtime_env={"env_vars": {"SEED": 1}, "config": {"setup_timeout_seconds": 60}})
        submitted(job)
        asked = server.job
        assert shlex.split(asked["entrypoint"]) == list(job.command.argv)
        runtime = asked["runtime_env"]
        (package,) = server.packages
        assert runtime["working_dir"] == f"gcs://{package}" and server.files == ["train.py"]
        assert runtime["config"] == {"setup_timeout_seconds": 60} and "pip" not in runtime
        assert runtime["env_vars"]["SEED"] == "1" and runtime["env_vars"]["MLFLOW_RUN_ID"] == job.run_id
        assert runtime["env_vars"]["MLFLOW_TRACKING_URI"].startswith("http://127.0.0.1:")
        assert asked["metadata"] == {"millstream.run_id": job.run_id, "project": "Loan default", "team": "7"}
        assert asked["entrypoint_num_cpus"] == 2
        assert jobs.tags(job)["millstream.project.ray_job"] == asked["submission_id"]
        server.requests.clear()
        submitted(a_job(tracking, server))
        assert not [path for method, path in server.requests if method == "PUT"]

    def test_it_goes_through_its_statuses(self, server: JobServer, tracking: Path) -> None:
        job = a_job(tracking, server)
        run = submitted(job)
        assert run.get_status() == jobs.SCHEDULED
        server.state("RUNNING")
        assert run.get_status() == jobs.RUNNING
        server.written = "one\ntwo\n"
        server.state("SUCCEEDED", driver_exit_code=0)
        assert run.wait(20) and jobs.status(job) == "FINISHED"
        assert jobs.output(job) == "one\ntwo\n" and list(run.logs()) == ["one", "two"]

    def test_it_fails(self, server: JobServer, tracking: Path) -> None:
        job = a_job(tracking, server)
        run = submitted(job)
        server.written = "ValueError: no data\n"
        server.state("FAILED", "Job entrypoint command failed with exit code 7, last available logs:\n…",
                     driver_exit_code=7)
        assert not run.wait(20) and jobs.status(job) == "FAILED"
        assert run.failure() == "its command ended with status 7; its last lines:\nValueError: no data"

    def test_lines_come_whole_as_they_are_written(self, server: JobServer, tracking: Path) -> None:
        run = submitted(a_job(tracking, server))
        server.state("RUNNING")
        server.written = "first\nsec"
        lines = run.logs()
        assert next(lines) == "first"
        server.written = "first\nsecond\nlast"
        assert next(lines) == "second"
        server.state("SUCCEEDED")
        assert list(lines) == ["last"]

    def test_who_waits_sees_them(
        self, server: JobServer, tracking: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def end_it(method: str, path: str) -> None:
            if server.jobs and method == "GET":
                server.written = "one\ntwo\n"
                server.state("SUCCEEDED", driver_exit_code=0)

        server.refuse = end_it
        projects.run(jobs.project(tracking / "p"), "train.py", backend="ray",
                     backend_config={"address": server.address})
        assert capsys.readouterr().out == "one\ntwo\n"

    def test_stopping_one_that_is_still_being_started(self, server: JobServer, tracking: Path) -> None:
        """Ray says that it stopped a job, and starts it all the same: so it is asked again."""
        job = a_job(tracking, server)
        run = submitted(job)
        server.deaf = 1
        run.cancel()
        assert (run.get_status(), jobs.status(job)) == (jobs.KILLED, "KILLED")
        assert [path.endswith("/stop") for _, path in server.requests].count(True) == 2

    def test_whoever_waits_hears_of_a_cancelling(self, server: JobServer, tracking: Path) -> None:
        run = submitted(a_job(tracking, server))
        heard: list[bool] = []
        waiting = threading.Thread(target=lambda: heard.append(run.wait()))
        waiting.start()
        run.cancel()
        waiting.join(20)
        assert heard == [False]

    def test_requirements(self, server: JobServer, tracking: Path) -> None:
        folder = jobs.project(tracking / "p")
        described = Description("requirements", folder / "requirements.txt",
                                requirements=("numpy==2.0", f"beam @ {(folder / 'beam.whl').as_uri()}"))
        given: dict[str, Any] = {"environment": described, "environment_manager": "uv"}
        submitted(jobs.job(folder, config={"address": server.address}, **given))
        assert server.job["runtime_env"]["pip"] == ["numpy==2.0",
                                                    "beam @ ${RAY_RUNTIME_ENV_CREATE_WORKING_DIR}/beam.whl"]
        server.jobs.clear()
        submitted(jobs.job(folder, config={"address": server.address, "runtime_env": {"uv": ["click"]}}, **given))
        assert "pip" not in server.job["runtime_env"]
        elsewhere = Description("requirements", folder / "r.txt", requirements=("a @ file:///other/a.whl",))
        with pytest.raises(InvalidValue, match="the cluster does not have"):
            submitted(jobs.job(folder, config={"address": server.address}, **{**given, "environment": elsewhere}))


    def test_packages_of_conda(self, server: JobServer, tracking: Path) -> None:
        folder = jobs.project(tracking / "p")
        described = Description("conda", folder / "conda.yaml", requirements=("click",),
                                conda=Conda(("python=3.11", "gdal=3.9"), ("conda-forge",)))
        submitted(jobs.job(folder, config={"address": server.address}, environment=described,
                           environment_manager="conda"))
        assert server.job["runtime_env"]["conda"] == {
            "channels": ["conda-forge"], "dependencies": ["python=3.11", "gdal=3.9", {"pip": ["click"]}],
        }


class TestGone:
    def test_a_cluster_that_was_made_anew(self, server: JobServer, tracking: Path) -> None:
        job = a_job(tracking, server)
        run = submitted(job)
        server.jobs.clear()
        assert not run.wait(20)
        assert jobs.status(job) == "FAILED" and "no longer there" in run.failure()

    def test_one_that_comes_back(self, server: JobServer, tracking: Path) -> None:
        job = a_job(tracking, server)
        run = submitted(job)
        server.state("SUCCEEDED")
        answers = iter([503, 502])
        server.refuse = lambda method, path: next(answers, None)
        assert run.wait(20) and jobs.status(job) == "FINISHED"

    def test_one_that_stays_away(self, server: JobServer, tracking: Path) -> None:
        job = a_job(tracking, server, patience=0.3)
        run = submitted(job)
        server.stop()
        with pytest.raises(Unreachable):
            run.get_status()
        assert not run.wait(20)
        assert jobs.status(job) == "FAILED" and "has not answered for 0.3 seconds" in run.failure()


class TestErrors:
    def test_nobody_there(self, server: JobServer, tracking: Path) -> None:
        server.stop()
        with pytest.raises(Unreachable, match="no Ray cluster answers at") as caught:
            submitted(a_job(tracking, server))
        assert "RAY_API_SERVER_ADDRESS" in str(caught.value.hint)

    def test_somebody_else(self, server: JobServer, tracking: Path) -> None:
        server.refuse = lambda method, path: 404
        with pytest.raises(InvalidValue, match="is no job server of Ray"):
            submitted(a_job(tracking, server))

    def test_no_way_in(self, server: JobServer, tracking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "of another server")
        server.refuse = lambda method, path: 401
        with pytest.raises(Unauthenticated, match="does not let us in") as caught:
            submitted(a_job(tracking, server))
        assert "RAY_AUTH_TOKEN" in str(caught.value.hint)
        assert server.headers[0]["authorization"] == "Bearer secret"

    def test_a_cluster_that_has_just_begun(self, server: JobServer, tracking: Path) -> None:
        """It takes jobs when its agents are there."""
        answers = iter([500, 503])
        server.refusal = "RuntimeError: No available agent to submit job, please try again later."
        server.refuse = lambda method, path: next(answers, None) if method == "POST" else None
        submitted(a_job(tracking, server))
        assert len(server.jobs) == 1

    def test_an_answer_that_was_lost(self, server: JobServer, tracking: Path) -> None:
        server.forgets = 1
        submitted(a_job(tracking, server))
        assert [path for method, path in server.requests if method == "POST"] == ["/api/jobs/"] * 2
        assert len(server.jobs) == 1

    def test_what_the_cluster_does_not_take(self, server: JobServer, tracking: Path) -> None:
        server.refusal = "it is refused"
        server.refuse = lambda method, path: 400 if method == "POST" else None
        with pytest.raises(MillstreamError, match="status 400: it is refused"):
            submitted(a_job(tracking, server))

    def test_an_address_that_is_none(self, server: JobServer, tracking: Path) -> None:
        with pytest.raises(InvalidValue, match="no address of Ray's job server"):
            submitted(a_job(tracking, server, address="ray://host:10001"))


@pytest.mark.slow
class TestCluster:
    @pytest.mark.timeout(900)
    def test_a_real_one(self, tracking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with cluster() as (address, token):
            (tracking / "token").write_text(f"{token}\n")
            monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
            monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tracking / "token"))
            folder = jobs.project(tracking / "p", jobs.SCRIPT + "import time\ntime.sleep(float(sys.argv[3]))\n"
                                  "sys.exit(int(sys.argv[4]))\n")
            job = jobs.job(folder, ("python", "train.py", "a b", "'; ls $HOME", "0", "0"), config={"address": address})
            run = submitted(job)
            assert run.wait(250), run.failure()
            (told,) = [line for line in run.logs() if line.startswith("{")]
            assert json.loads(told)["arguments"] == ["a b", "'; ls $HOME", "0", "0"]
            assert json.loads(told)["run"] == job.run_id and json.loads(told)["files"] == ["train.py"]
            assert jobs.status(job) == "FINISHED" and told in jobs.output(job)
            failing = jobs.job(folder, ("python", "train.py", "a", "b", "0", "7"), config={"address": address})
            run = submitted(failing)
            assert not run.wait(250)
            assert jobs.status(failing) == "FAILED" and "ended with status 7" in run.failure()
            stopped = jobs.job(folder, ("python", "train.py", "a", "b", "900", "0"), config={"address": address})
            run = submitted(stopped)
            run.cancel()
            assert (run.get_status(), jobs.status(stopped)) == (jobs.KILLED, "KILLED")
