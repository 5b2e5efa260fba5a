"""One-time runs of Databricks, against the protocol of a workspace on a local server; its cluster really runs them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millstream.environments.conda_files import Conda
from millstream.environments.descriptions import Description
from millstream.errors import EntryPointNotFound, InvalidValue, NotSupported, Unauthenticated, Unreachable
from millstream.projects.backends import find
from millstream.projects.commands import command_of
from millstream.projects.files import ProjectFile, parse
from millstream.projects.job import Job
from millstream.projects.loopback import served
from millstream.projects.native import entry_point_of, project_in
from millstream.projects.submitted import SubmittedRun
from tests.servers.databricks import TOKEN, Workspace
from tests.unit.projects.backends import jobs

CLUSTER = {"spark_version": "15.4.x-scala2.12", "node_type_id": "i3.xlarge", "num_workers": 2}


@pytest.fixture
def workspace(tracking: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    made = Workspace(tracking / "workspace")
    monkeypatch.setenv("DATABRICKS_HOST", made.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tracking / "databrickscfg"))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    yield made
    made.refuse = lambda method, path: None
    made.end()
    jobs.end()
    made.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a tracking server."""
    with served(str(tmp_path_factory.mktemp("store"))) as address:
        yield address


def a_job(folder: Path, server: str, *argv: str, script: str = jobs.SCRIPT, **fields: Any) -> Job:
    return jobs.job(jobs.project(folder / "p", script), argv or ("python", "train.py", "a b", "$HOME"),
                    tracking_uri=server, **{"config": CLUSTER, **fields})


def submitted(job: Job) -> SubmittedRun:
    return jobs.submitted("databricks", job)


class TestRun:
    def test_the_project_runs_there_with_what_it_is_told(
        self, workspace: Workspace, tracking: Path, server: str
    ) -> None:
        job = a_job(tracking, server)
        run = submitted(job)
        assert run.get_status() == jobs.SCHEDULED
        task = workspace.task
        assert task["new_cluster"] == {**CLUSTER, "spark_env_vars": dict(job.variables)}
        assert task["libraries"] == []
        workspace.state("RUNNING")
        assert run.get_status() == jobs.RUNNING
        workspace.go()
        assert run.wait(20)
        told = json.loads(jobs.output(job))
        assert told == {"arguments": ["a b", "$HOME"], "run": job.run_id, "store": server, "files": ["train.py"]}
        assert jobs.status(job) == "FINISHED"
        tags = jobs.tags(job)
        assert tags["mlflow.databricks.runURL"] == f"{workspace.host}/?o=1#job/1/run/100"
        assert tags["mlflow.databricks.jobRunID"] == "100"
        assert tags["mlflow.databricks.webappURL"] == workspace.host

    def test_the_same_content_is_sent_once(self, workspace: Workspace, tracking: Path, server: str) -> None:
        job = a_job(tracking, server)
        (job.folder / "data.bin").write_bytes(bytes(range(256)) * 4096 * 3)
        (job.folder / "noise.bin").write_bytes(b"".join(str(i * i).encode() for i in range(300_000)))
        submitted(job)
        created = workspace.asked("/api/2.0/dbfs/create")
        assert len(created) == 2 and all(one["path"].startswith("/millstream/projects/") for one in created)
        assert len(workspace.asked("/api/2.0/dbfs/add-block")) > 2
        workspace.requests.clear()
        submitted(a_job(tracking, server))
        assert not workspace.asked("/api/2.0/dbfs/create")

    def test_a_broken_upload_is_done_again(self, workspace: Workspace, tracking: Path, server: str) -> None:
        submitted(a_job(tracking, server))
        for path in (tracking / "workspace").rglob("*.tar.gz"):
            path.write_bytes(b"half")
        workspace.requests.clear()
        submitted(a_job(tracking, server))
        workspace.go()
        assert len(workspace.asked("/api/2.0/dbfs/create")) == 1

    def test_files_go_to_a_volume_where_there_is_no_dbfs(
        self, workspace: Workspace, tracking: Path, server: str
    ) -> None:
        job = a_job(tracking, server, config={"existing_cluster_id": "1-a", "folder": "/Volumes/main/ml/files/jobs/"})
        run = submitted(job)
        assert workspace.task["existing_cluster_id"] == "1-a" and "new_cluster" not in workspace.task
        assert workspace.task["spark_python_task"]["python_file"].startswith("/Volumes/main/ml/files/jobs/launch-")
        workspace.go()
        assert run.wait(20) and jobs.status(job) == "FINISHED"
        workspace.requests.clear()
        submitted(a_job(tracking, server, config=job.backend_config))
        assert not [path for method, path, _ in workspace.requests if method == "PUT"]

    def test_a_program_that_fails(self, workspace: Workspace, tracking: Path, server: str) -> None:
        job = a_job(tracking, server, script="print('begun')\nraise ValueError('no data')\n")
        run = submitted(job)
        workspace.go()
        assert not run.wait(20)
        assert jobs.status(job) == "FAILED"
        assert "the command ended with status 1; see http://127" in run.failure()
        assert jobs.output(job).startswith("begun\n") and "ValueError: no data" in jobs.output(job)

    @pytest.mark.parametrize(("cycle", "result", "status"), [
        ("INTERNAL_ERROR", None, "FAILED"), ("SKIPPED", None, "FAILED"), ("TERMINATED", "TIMEDOUT", "FAILED"),
        ("TERMINATED", "CANCELED", "KILLED"),
    ])
    def test_other_ends(
        self, workspace: Workspace, tracking: Path, server: str, cycle: str, result: str | None, status: str
    ) -> None:
        job = a_job(tracking, server)
        run = submitted(job)
        workspace.state(cycle, result, "the cluster could not be started")
        assert not run.wait(20)
        assert jobs.status(job) == status and "the cluster could not be started" in run.failure()

    def test_cancelling(self, workspace: Workspace, tracking: Path, server: str) -> None:
        job = a_job(tracking, server)
        run = submitted(job)
        workspace.state("RUNNING")
        run.cancel()
        assert workspace.asked("/api/2.1/jobs/runs/cancel") == [{"run_id": 100}]
        assert (run.get_status(), jobs.status(job)) == (jobs.KILLED, "KILLED")
        assert list(run.logs()) == ["half way"]

    def test_requirements_become_libraries(self, workspace: Workspace, tracking: Path, server: str) -> None:
        described = Description("requirements", tracking / "r.txt", requirements=("numpy==2.0", "click"))
        wheel = {"whl": "dbfs:/a.whl"}
        fields: dict[str, Any] = {"environment": described, "environment_manager": "uv",
                                  "config": {"new_cluster": CLUSTER, "libraries": [wheel], "timeout_seconds": 60}}
        submitted(a_job(tracking, server, **fields))
        assert workspace.task["libraries"] == [wheel, {"pypi": {"package": "numpy==2.0"}},
                                               {"pypi": {"package": "click"}}]
        assert workspace.asked("/api/2.1/jobs/runs/submit")[0]["timeout_seconds"] == 60
        local = Description("requirements", tracking / "r.txt", requirements=("a @ file:///a.whl",))
        with pytest.raises(InvalidValue, match="cannot install"):
            submitted(a_job(tracking, server, **{**fields, "environment": local}))
        conda = Description("conda", tracking / "c.yaml", conda=Conda(("python=3.11", "gdal=3.9")))
        with pytest.raises(InvalidValue, match="requires gdal=3.9 of conda"):
            submitted(a_job(tracking, server, **{**fields, "environment": conda}))

    def test_an_upload_that_breaks_off_begins_anew(self, workspace: Workspace, tracking: Path, server: str) -> None:
        lost = iter([503])
        workspace.refuse = lambda method, path: next(lost, None) if path.endswith("add-block") else None
        run = submitted(a_job(tracking, server))
        workspace.go()
        assert run.wait(20) and len(workspace.asked("/api/2.0/dbfs/create")) == 3

    @pytest.mark.parametrize("backend", ["databricks", "ray", "spark"])
    def test_a_project_in_an_image(self, workspace: Workspace, tracking: Path, server: str, backend: str) -> None:
        file = jobs.docker()
        job = a_job(tracking, server, file=file, environment=file.docker_env, environment_manager="docker")
        with pytest.raises(NotSupported, match=f"in the image team/base:1, and the backend {backend} in none"):
            find(backend).submit(job)


class TestSparkJobs:
    FILE = "name: spark\ndatabricks_spark_job:\n  python_libraries: [numpy]\n"

    def test_a_script_runs_in_the_process_of_the_session(
        self, workspace: Workspace, tracking: Path, server: str
    ) -> None:
        script = "import os, sys\nprint(os.getpid() == int(os.environ['HERE']) or os.getppid(), sys.argv)\n"
        job = a_job(tracking, server, "python", "train.py", "x", script=script, file=parse(self.FILE))
        run = submitted(job)
        told = json.loads(workspace.task["spark_python_task"]["parameters"][0])
        assert told["in_process"] and told["command"] == ["train.py", "x"]
        assert workspace.task["libraries"] == [{"pypi": {"package": "numpy"}}]
        workspace.go(HERE="0")
        assert run.wait(20)
        assert jobs.output(job).rstrip().endswith("['train.py', 'x']")

    @pytest.mark.parametrize(("code", "well"), [("", True), ("0", True), ("3", False), ("'no data'", False)])
    def test_its_exit_counts(
        self, workspace: Workspace, tracking: Path, server: str, code: str, well: bool
    ) -> None:
        job = a_job(tracking, server, "python", "train.py", script=f"import sys\nsys.exit({code})\n",
                    file=parse(self.FILE))
        run = submitted(job)
        workspace.go()
        assert run.wait(20) is well

    def test_either_a_file_or_entry_points(self, workspace: Workspace, tracking: Path, server: str) -> None:
        both = parse("entry_points: {main: {command: python a.py}}\ndatabricks_spark_job: {python_file: a.py}\n")
        with pytest.raises(InvalidValue, match="both entry points and"):
            submitted(a_job(tracking, server, file=both))

    def test_what_is_no_script(self, workspace: Workspace, tracking: Path, server: str) -> None:
        with pytest.raises(InvalidValue, match="is no Python script"):
            submitted(a_job(tracking, server, "bash", "-c", "ls | cat", file=parse(self.FILE)))


class TestGone:
    def test_a_run_that_the_workspace_forgot(self, workspace: Workspace, tracking: Path, server: str) -> None:
        job = a_job(tracking, server)
        run = submitted(job)
        workspace.runs.clear()
        assert not run.wait(20)
        assert jobs.status(job) == "FAILED" and "no longer there" in run.failure()

    def test_a_workspace_that_stays_away(self, workspace: Workspace, tracking: Path, server: str) -> None:
        job = a_job(tracking, server, config={**CLUSTER, "patience": 0.3})
        run = submitted(job)
        workspace.refuse = lambda method, path: 503
        assert not run.wait(20)
        assert jobs.status(job) == "FAILED" and "has not answered for 0.3 seconds" in run.failure()


class TestErrors:
    def test_no_credentials(self, tracking: Path, workspace: Workspace, server: str,
                            monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DATABRICKS_TOKEN")
        with pytest.raises(Unauthenticated, match="no credentials") as caught:
            submitted(a_job(tracking, server))
        assert "DATABRICKS_TOKEN" in str(caught.value.hint)

    def test_a_profile(self, tracking: Path, workspace: Workspace, server: str) -> None:
        (tracking / "databrickscfg").write_text(f"[team]\nhost = {workspace.host}\ntoken = {TOKEN}\n")
        submitted(a_job(tracking, server, config={**CLUSTER, "profile": "team"}))
        with pytest.raises(Unauthenticated, match="profile 'other'"):
            submitted(a_job(tracking, server, config={**CLUSTER, "profile": "other"}))

    def test_a_wrong_token(self, tracking: Path, workspace: Workspace, server: str,
                           monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABRICKS_TOKEN", "wrong")
        with pytest.raises(Unauthenticated, match="Invalid access token"):
            submitted(a_job(tracking, server))

    @pytest.mark.parametrize("config", [{}, {"existing_cluster_id": "a", "new_cluster": CLUSTER}, {"num_workers": 1}])
    def test_no_cluster(self, tracking: Path, workspace: Workspace, server: str, config: dict[str, Any]) -> None:
        with pytest.raises(InvalidValue, match="needs a cluster") as caught:
            submitted(a_job(tracking, server, config=config))
        assert "existing_cluster_id" in str(caught.value.hint)

    @pytest.mark.parametrize("folder", ["/tmp", "dbfs:/a/../../b", "s3://b"])
    def test_a_folder_that_is_none(self, tracking: Path, workspace: Workspace, server: str, folder: str) -> None:
        with pytest.raises(InvalidValue, match="no folder of DBFS"):
            submitted(a_job(tracking, server, config={**CLUSTER, "folder": folder}))

    def test_a_store_of_this_machine(self, tracking: Path, workspace: Workspace) -> None:
        with pytest.raises(InvalidValue, match="is on this machine"):
            submitted(jobs.job(jobs.project(tracking / "p"), config=CLUSTER, file=ProjectFile("x")))

    def test_a_workspace_that_is_not_there(self, tracking: Path, workspace: Workspace, server: str) -> None:
        workspace.stop()
        with pytest.raises(Unreachable):
            submitted(a_job(tracking, server))


def test_the_file_of_a_spark_job_is_the_entry_point_main(tracking: Path) -> None:
    (tracking / "MLproject").write_text("databricks_spark_job:\n  python_file: train it.py\n  parameters: ['{x}', 2]\n")
    found = entry_point_of(project_in(tracking), "main", tracking)
    assert command_of(found.command, {}).argv == ("python", "train it.py", "{x}", "2")
    with pytest.raises(EntryPointNotFound):
        entry_point_of(project_in(tracking), "other", tracking)
