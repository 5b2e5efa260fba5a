"""Projects in containers: the words that an engine is called with, the images, the end."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from millstream.cli import main
from millstream.errors import EnvironmentFailed, InvalidValue
from millstream.projects.backends import find, images, packing
from millstream.projects.backends.docker import command_of
from millstream.projects.files import parse
from millstream.projects.job import Job
from millstream.projects.submitted import SubmittedRun
from millstream.tracking import stores
from tests.servers.processes import wait_until
from tests.unit.projects.backends import jobs
from tests.unit.projects.backends.engines import Engine, engine_program

FILE = parse("""
name: Loan default
docker_env:
  image: team/base:1
  volumes: ["/data:/data:ro"]
  environment: [["SEED", "7 $HOME"], HOST_REGION, {MODE: fast}]
""")


@pytest.fixture
def engine(tracking: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    return engine_program(tracking, monkeypatch)


def submitted(job: Job) -> SubmittedRun:
    return find("docker").submit(job)


def words(job: Job) -> list[str]:
    return command_of(job, "/usr/bin/docker", "team/base:1", "name-1")


def pairs(found: list[str], option: str) -> list[str]:
    """The values of an option."""
    return [found[place + 1] for place, word in enumerate(found) if word == option]


class TestCommand:
    def test_a_value_is_one_word_whatever_is_in_it(self, tracking: Path) -> None:
        value = "a b; $(touch x) 'q\" \n"
        job = jobs.job(jobs.project(tracking / "p"), ("python", "train.py", value), file=FILE)
        found = words(job)
        assert found[:7] == ["/usr/bin/docker", "run", "--rm", "--name", "name-1", "--init", "--volume"]
        assert found[-4:] == ["team/base:1", "python", "train.py", value]

    def test_what_the_run_is_told_goes_by_name(self, tracking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "hush")
        job = jobs.job(jobs.project(tracking / "p"), file=FILE, variables={
            "MLFLOW_TRACKING_URI": "http://me:hush@127.0.0.1:5001", "MLFLOW_RUN_ID": "r",
        })
        found = words(job)
        assert pairs(found, "--env") == ["MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_TRACKING_TOKEN",
                                         "SEED=7 $HOME", "HOST_REGION", "MODE=fast"]
        assert "hush" not in " ".join(found)
        assert pairs(found, "--network") == ["host"]

    def test_a_store_on_this_machine_is_mounted_where_it_is(self, tracking: Path) -> None:
        folder = words(jobs.job(jobs.project(tracking / "p"), file=FILE))
        runs = tracking / "runs"
        assert pairs(folder, "--volume") == [f"{runs}:{runs}", "/data:/data:ro"]
        assert "--network" not in folder
        uri = f"sqlite:///{tracking}/db/store.db"
        (tracking / "db").mkdir()
        database = words(jobs.job(jobs.project(tracking / "p"), file=FILE, tracking_uri=uri))
        assert f"{tracking}/db:{tracking}/db" in pairs(database, "--volume")
        assert f"{tracking}/mlruns/0:{tracking}/mlruns/0" in pairs(database, "--volume")
        stores.close_stores()

    def test_what_parameters_name_is_there_to_be_read(self, tracking: Path) -> None:
        paths = (str(tracking / "in.csv"), "/data", str(tracking / "runs" / "0" / "x"))
        found = words(jobs.job(jobs.project(tracking / "p"), file=FILE, paths=paths))
        runs = tracking / "runs"
        assert pairs(found, "--volume") == [f"{runs}:{runs}", f"{paths[0]}:{paths[0]}:ro", "/data:/data:ro"]

    def test_options_of_the_user_come_last(self, tracking: Path) -> None:
        job = jobs.job(jobs.project(tracking / "p"), file=FILE, docker_args={
            "gpus": "all", "t": True, "cap-add": ["A", "B"], "rm": False, "network": "team", "shm-size": 8,
        }, variables={"MLFLOW_TRACKING_URI": "http://127.0.0.1:5001"})
        found = words(job)
        at = found.index("team/base:1")
        assert found[:at][-11:] == ["--gpus", "all", "-t", "--cap-add", "A", "--cap-add", "B", "--network", "team",
                                    "--shm-size", "8"]
        assert pairs(found, "--network") == ["team"]

    @pytest.mark.parametrize("image", ["-v", "--privileged", "a b", "", "Team/Base", "a@sha256:12"])
    def test_what_is_no_image_is_no_option_either(self, tracking: Path, image: str) -> None:
        job = jobs.job(jobs.project(tracking / "p"), file=FILE)
        with pytest.raises(InvalidValue, match="no name of an image"):
            command_of(job, "/usr/bin/docker", image, "name-1")

    @pytest.mark.parametrize("name", ["--privileged", "v=/:/host", "a b", ""])
    def test_what_is_no_option_is_refused(self, tracking: Path, name: str) -> None:
        job = jobs.job(jobs.project(tracking / "p"), file=FILE, docker_args={name: "x"})
        with pytest.raises(InvalidValue, match="no option"):
            words(job)

    def test_keys_of_a_cloud_go_along_with_its_files(self, tracking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
        monkeypatch.setenv("MILLSTREAM_ARTIFACT_ROOT", "s3://bucket/runs")
        uri = f"sqlite:///{tracking}/store.db"
        found = words(jobs.job(jobs.project(tracking / "p"), file=FILE, tracking_uri=uri))
        assert "AWS_SECRET_ACCESS_KEY" in pairs(found, "--env") and "hush" not in " ".join(found)
        here = words(jobs.job(jobs.project(tracking / "p"), file=FILE))
        assert "AWS_SECRET_ACCESS_KEY" not in pairs(here, "--env")
        stores.close_stores()


class TestRuns:
    def test_the_engine_is_called_and_its_output_kept(
        self, engine: Engine, tracking: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOST_REGION", "north")
        job = jobs.job(jobs.project(tracking / "p"), file=FILE)
        run = submitted(job)
        assert run.wait(30) and run.get_status() == jobs.FINISHED
        (call,) = engine.calls
        assert call.words[-4:] == ["team/base:1", "python", "train.py", "0.5"]
        assert call.variables["MLFLOW_RUN_ID"] == job.run_id and call.variables["HOST_REGION"] == "north"
        assert jobs.status(job) == "FINISHED"
        assert jobs.output(job) == "in the container\n"
        assert list(run.logs()) == ["in the container"]
        assert jobs.tags(job)["mlflow.docker.image.uri"] == "team/base:1"

    def test_its_failure_is_the_run_s(self, engine: Engine, tracking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENGINE_FAILS", "run")
        job = jobs.job(jobs.project(tracking / "p"), file=FILE)
        run = submitted(job)
        assert not run.wait(30)
        assert jobs.status(job) == "FAILED" and "the engine is out of order" in run.failure()

    def test_cancelling_stops_the_container_itself(
        self, engine: Engine, tracking: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ENGINE_RUNS_UNTIL", str(tracking / "stopped"))
        job = jobs.job(jobs.project(tracking / "p"), file=FILE)
        run = submitted(job)
        wait_until(lambda: bool(engine.calls), 20, "the engine")
        run.cancel()
        start, stop = engine.calls
        assert stop.words == ["stop", "--time", "10", start.words[start.words.index("--name") + 1]]
        assert (run.get_status(), jobs.status(job)) == (jobs.KILLED, "KILLED")

    def test_an_image_with_the_project_in_it(self, engine: Engine, tracking: Path) -> None:
        folder = jobs.project(tracking / "p")
        (folder / "mlruns").mkdir()
        (folder / "mlruns" / "big").write_text("x")
        (folder / ".git").mkdir()
        (folder / ".git" / "config").write_text("secret")
        job = jobs.job(folder, file=FILE, build_image=True)
        assert submitted(job).wait(30)
        build, _, run = engine.calls
        assert build.words[:2] == ["build", "--tag"] and build.words[-1] == "."
        assert build.files == {
            "Dockerfile": "FROM team/base:1\nCOPY project/ /mlflow/projects/code/\nWORKDIR /mlflow/projects/code/\n",
            "project/train.py": jobs.SCRIPT,
        }
        name = build.words[2]
        assert name.startswith("loan-default:") and name in run.words
        assert jobs.tags(job)["mlflow.docker.image.uri"] == name
        assert jobs.tags(job)["mlflow.docker.image.id"] == "sha256:" + "1" * 64

    def test_podman_where_it_is_named(self, tracking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        engine = engine_program(tracking, monkeypatch, "podman")
        job = jobs.job(jobs.project(tracking / "p"), file=FILE, config={"engine": "podman"})
        assert submitted(job).wait(30)
        assert "--init" not in engine.calls[0].words

    def test_no_engine(self, tracking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tracking))
        with pytest.raises(EnvironmentFailed, match="there is no docker or podman") as caught:
            submitted(jobs.job(jobs.project(tracking / "p"), file=FILE))
        assert "--env-manager local" in str(caught.value.hint)

    def test_an_engine_that_fails_to_build(
        self, engine: Engine, tracking: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ENGINE_FAILS", "build")
        with pytest.raises(EnvironmentFailed, match="no image was built: docker build .*out of order"):
            submitted(jobs.job(jobs.project(tracking / "p"), file=FILE, build_image=True))

    def test_a_project_without_docker_env_or_name(self, engine: Engine, tracking: Path) -> None:
        with pytest.raises(InvalidValue, match="no docker_env"):
            submitted(jobs.job(jobs.project(tracking / "p")))
        nameless = parse("docker_env: {image: a}")
        with pytest.raises(InvalidValue, match="no name"):
            submitted(jobs.job(jobs.project(tracking / "p"), file=nameless, build_image=True))


def test_a_project_in_a_container_from_the_command_line(engine: Engine, tracking: Path) -> None:
    """Fetched paths are mounted, and the store in a folder is served to the container."""
    folder = jobs.project(tracking / "p")
    (folder / "MLproject").write_text(
        "name: loan\ndocker_env: {image: team/base:1}\n"
        "entry_points: {main: {parameters: {data: path}, command: 'python train.py {data}'}}\n"
    )
    (tracking / "in put.csv").write_text("x")
    assert main(["run", str(folder), "-P", "data=in put.csv", "-A", "gpus=all", "-A", "t"]) == 0
    (call,) = engine.calls
    path = str(tracking / "in put.csv")
    assert call.words[-6:] == ["all", "-t", "team/base:1", "python", "train.py", path]
    assert f"{path}:{path}:ro" in call.words and pairs(call.words, "--network") == ["host"]
    assert call.variables["MLFLOW_TRACKING_URI"].startswith("http://127.0.0.1:")


class TestPacking:
    def test_the_same_files_are_the_same_bytes(self, tracking: Path) -> None:
        first = jobs.project(tracking / "a")
        (first / "data").mkdir()
        (first / "data" / "x.csv").write_text("1")
        (first / "run.sh").write_text("#!/bin/sh\n")
        (first / "run.sh").chmod(0o700)
        second = shutil.copytree(first, tracking / "b")
        os.utime(second / "train.py", (1, 1))
        (second / "__pycache__").mkdir()
        (second / "__pycache__" / "x.pyc").write_bytes(b"x")
        (second / "env").mkdir()
        (second / "env" / "pyvenv.cfg").write_text("")
        assert packing.tarball(first, "top") == packing.tarball(second, "top")
        assert packing.zipped(first) == packing.zipped(second)
        assert [name for name, _ in packing.files_of(second)] == ["run.sh", "train.py", "data/x.csv"]

    def test_a_link_out_of_the_project_is_not_followed(self, tracking: Path) -> None:
        folder = jobs.project(tracking / "a")
        (tracking / "secret").write_text("hush")
        (folder / "inside").symlink_to("train.py")
        assert len(list(packing.files_of(folder))) == 2
        (folder / "key").symlink_to(tracking / "secret")
        with pytest.raises(InvalidValue, match="key is a link that leads out of the project"):
            packing.tarball(folder)

    def test_the_tag_of_an_image_is_the_commit(self, tracking: Path) -> None:
        folder = jobs.project(tracking / "a")
        job = jobs.job(folder, file=FILE)
        assert images.name_of(job) == images.name_of(job) != "loan-default:"
        assert images.name_of(job, "host:5000/loan:7") == "host:5000/loan:7"
        assert images.name_of(job, "host:5000/loan").startswith("host:5000/loan:")
