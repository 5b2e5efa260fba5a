"""`millstream run` as it is typed: sources, environments, signals, words for people; beside MLflow's own command."""

from __future__ import annotations

import functools
import http.server
import json
import signal
import subprocess
import sys
import threading
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import millstream
from millstream.entities import Run
from tests.clients.run import client_environment, python_of
from tests.isolation import isolated
from tests.servers.millstream import MillstreamServer
from tests.servers.processes import wait_until

CLIENT = "3.17.2"
PROJECT = """
name: example
entry_points:
  main:
    parameters:
      alpha: {type: float, default: 0.5}
      flag: {type: bool, default: true}
      name: {type: string, default: plain}
    command: "python show.py --alpha {alpha} --flag {flag} --name {name}"
  fails:
    command: python -c 'import sys; print("the reason"); sys.exit(7)'
  official:
    parameters: {python: string}
    command: "{python} train.py"
  endless:
    command: python -c 'import time; print("begun", flush=True); time.sleep(600)'
"""
SHOW = "import json, sys\nprint(json.dumps(sys.argv[1:]))\n"
TRAIN = """
import mlflow
with mlflow.start_run():
    mlflow.log_param("depth", 3)
    mlflow.log_metric("loss", 0.25)
    mlflow.log_text("a report", "report.txt")
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with isolated(tmp_path, monkeypatch):
        folder = tmp_path / "project"
        folder.mkdir()
        (folder / "MLproject").write_text(PROJECT)
        (folder / "show.py").write_text(SHOW)
        (folder / "train.py").write_text(TRAIN)
        yield folder


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "millstream", "run", *arguments], capture_output=True, text=True,
                          check=False)


def newest() -> Run:
    found: Run = millstream.search_runs(search_all_experiments=True, output_format="list")[0]
    return found


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), "-c", "user.email=a@b", "-c", "user.name=n", *arguments],
                          check=True, capture_output=True, text=True)
    return done.stdout.strip()


def committed(project: Path) -> str:
    git(project.parent, "init", "-q", "-b", "main")
    (project.parent / ".gitignore").write_text("*\n!project\n!project/**\n")
    git(project.parent, "add", "-A")
    git(project.parent, "commit", "-q", "-m", "one")
    return git(project.parent, "rev-parse", "HEAD")


def test_every_flag_of_a_local_run(project: Path) -> None:
    storage = project.parent / "storage"
    done = command(str(project), "-e", "main", "-P", "alpha=0.7", "-P", "name=a=b c", "-P", "more=1",
                   "--run-name", "it", "--experiment-name", "loan", "-b", "local", "-c", "{}",
                   "--env-manager", "local", "--storage-dir", str(storage))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["--alpha", "0.7", "--flag", "True", "--name", "a=b c", "--more", "1"]
    run = newest()
    assert done.stderr == f"run {run.info.run_id} finished\n"
    assert (run.info.run_name, run.data.params["name"]) == ("it", "a=b c")
    again = command(str(project), "--run-id", run.info.run_id, "-P", "alpha=0.7", "-P", "name=a=b c", "-P", "more=1",
                    "--parent-run-id", run.info.run_id)
    assert again.returncode == 0, again.stderr
    by_id = command(str(project), "--experiment-id", run.info.experiment_id)
    assert by_id.returncode == 0, by_id.stderr
    assert newest().info.experiment_id == run.info.experiment_id


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (["-e", "nope"], "has no entry point 'nope'; there are main, fails, official, endless", "with -e"),
        (["-e", "official"], "no value for the parameter python", "give -P python=VALUE"),
        (["-P", "alpha"], "-P 'alpha' is not of the form NAME=VALUE", "alpha=0.5"),
        (["-P", "a=1", "-P", "a=2"], "gives 'a' twice", "leave one"),
        (["-c", "{"], "is no JSON", ".json"),
        (["-b", "moon"], "there is no project backend 'moon'", "install"),
        (["-v", "v1"], "a version ('v1') can only be had of a repository", "leave the version out"),
        (["-e", "fails"], "failed: it ended with status 7; its last lines:\n    the reason", "logs/project.log"),
    ],
)
def test_errors_say_what_is_wrong_and_the_next_step(project: Path, arguments: list[str], error: str, hint: str) -> None:
    done = command(str(project), *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert error in done.stderr
    assert hint in done.stderr.partition("\nhint: ")[2]
    assert "Traceback" not in done.stderr


def test_a_tag_of_a_repository_with_a_folder(project: Path) -> None:
    first = committed(project)
    git(project.parent, "tag", "v1")
    (project / "show.py").write_text("print('of later')")
    git(project.parent, "commit", "-qam", "two")
    bare = project.parent / "bare.git"
    git(project.parent, "clone", "-q", "--bare", ".", str(bare))
    done = command(f"{bare.as_uri()}#project", "-v", "v1", "-P", "alpha=1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[:2] == ["--alpha", "1"]
    tags = newest().data.tags
    assert tags["mlflow.source.name"] == f"{bare.as_uri()}#project"
    assert tags["mlflow.source.git.commit"] == first
    assert tags["mlflow.source.git.repoURL"] == tags["mlflow.gitRepoURL"] == bare.as_uri()
    later = command(f"{bare.as_uri()}#project", "-v", "main")
    assert later.stdout == "of later\n"
    assert newest().data.tags["mlflow.source.git.branch"] == newest().data.tags["mlflow.gitBranch"] == "main"
    unknown = command(f"{bare.as_uri()}#project", "-v", "v2")
    assert "has no branch, tag or commit 'v2'; there are main, v1" in unknown.stderr
    unknown = command(f"{bare.as_uri()}#projects")
    assert "has no folder 'projects'; at its top there are project" in unknown.stderr


def test_a_checkout_tells_its_commit_and_whether_it_was_changed(project: Path) -> None:
    commit = committed(project)
    command(str(project))
    tags = newest().data.tags
    assert (tags["mlflow.source.git.commit"], tags["mlflow.source.git.dirty"]) == (commit, "false")
    assert tags["mlflow.source.git.branch"] == "main"
    (project / "show.py").write_text("print('changed')")
    command(str(project))
    assert newest().data.tags["mlflow.source.git.dirty"] == "true"


def test_a_zip_of_an_http_server(project: Path) -> None:
    with zipfile.ZipFile(project.parent / "example.zip", "w") as archive:
        for path in project.iterdir():
            archive.write(path, f"example-main/{path.name}")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    files = functools.partial(Quiet, directory=str(project.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), files) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        done = command(f"{address}/example.zip")
        gone = command(f"{address}/gone.zip")
        server.shutdown()
        thread.join()
    assert done.returncode == 0, done.stderr
    assert newest().data.tags["mlflow.source.name"] == f"{address}/example.zip"
    assert "the server answered 404" in gone.stderr


def test_an_environment_is_built_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_ENV_ROOT", str(project.parent / "envs"))
    (project / "python_env.yaml").write_text('python: "3.11"\ndependencies: [six==1.17.0]\n')
    (project / "where.py").write_text("import pip, pkg_resources, six, sys, wheel\n"
                                      "print(sys.prefix, six.__version__)\n")
    first, second = command(str(project), "-e", "where.py"), command(str(project), "-e", "where.py")
    assert first.returncode == 0, first.stderr
    assert "Building an environment" not in second.stderr
    assert first.stdout == second.stdout
    folder, version = first.stdout.splitlines()[-1].split()
    assert (Path(folder).parent, version) == (project.parent / "envs", "1.17.0")
    assert newest().data.tags["mlflow.project.env"] == "uv"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_and_the_run_as_killed(project: Path, number: signal.Signals) -> None:
    typed = [sys.executable, "-m", "millstream", "run", str(project), "-e", "endless"]
    with subprocess.Popen(typed, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    wait_until(lambda: not any(one.is_running() for one in family), 30, "the end of all processes")
    run = newest()
    assert (run.info.status, run.info.end_time is not None) == ("KILLED", True)
    assert millstream.artifacts.load_text(f"runs:/{run.info.run_id}/logs/project.log") == "begun\n"


@pytest.mark.parametrize(("client", "store"), [("1.27.0", "folder"), ("3.17.2", "sqlite")])
def test_official_clients_log_into_an_embedded_store(project: Path, client: str, store: str) -> None:
    if store == "sqlite":
        millstream.set_tracking_uri(f"sqlite:///{project.parent}/runs.db")
    done = command(str(project), "-e", "official", "-P", f"python={python_of(client)}")
    assert done.returncode == 0, done.stderr
    run = newest()
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"loss": 0.25})
    assert run.data.params == {"depth": "3", "python": str(python_of(client))}
    assert millstream.artifacts.load_text(f"runs:/{run.info.run_id}/report.txt") == "a report"


@pytest.mark.slow
def test_what_is_recorded_is_what_mlflow_records(project: Path, tmp_path: Path) -> None:
    """The same project run by both commands against one server. What differs: MLflow records values with the quotes of
    the shell around them, and neither the branch of a checkout nor whether it was changed; the rest is of ours."""
    committed(project)
    git(tmp_path, "remote", "add", "origin", "https://example.com/loan.git")
    arguments = [str(project), "-P", "alpha=0.7", "-P", "more=a b", "--experiment-name", "loan", "--run-name", "it"]
    with MillstreamServer(_place(tmp_path)) as server:
        official = subprocess.run(
            [python_of(CLIENT), "-m", "mlflow", "run", *arguments, "--env-manager", "local"], check=False,
            env=client_environment(server.uri, tmp_path) | {"PYTHONPATH": ""}, capture_output=True, text=True,
        )
        assert official.returncode == 0, official.stderr
        millstream.set_tracking_uri(server.uri)
        ours = command(*arguments)
        assert ours.returncode == 0, ours.stderr
        assert ours.stdout.strip() in official.stdout
        mine, theirs = millstream.search_runs(experiment_names=["loan"], output_format="list")
        assert theirs.data.params == {**mine.data.params, "more": "'a b'"}
        assert (mine.info.status, mine.info.run_name) == (theirs.info.status, theirs.info.run_name)
        beyond = {"mlflow.source.git.branch", "mlflow.source.git.dirty"}
        kept = {key: text for key, text in mine.data.tags.items()
                if key not in beyond and not key.startswith("millstream.")}
        assert kept == {**theirs.data.tags, "mlflow.source.name": project.as_uri()}
        assert theirs.data.tags["mlflow.source.name"] in (project.as_uri(), tmp_path.as_uri(),
                                                          f"{tmp_path.as_uri()}#project")


@pytest.mark.slow
def test_a_run_at_the_server_of_mlflow(project: Path, mlflow_server: str) -> None:
    """Which knows neither leases nor anything else of ours."""
    millstream.set_tracking_uri(mlflow_server)
    name = f"loan {uuid.uuid4().hex[:8]}"
    done = command(str(project), "-e", "official", "-P", f"python={python_of(CLIENT)}", "--experiment-name", name)
    assert done.returncode == 0, done.stderr
    failed = command(str(project), "-e", "fails", "--experiment-name", name)
    assert "it ended with status 7" in failed.stderr
    bad, good = millstream.search_runs(experiment_names=[name], output_format="list")
    assert (bad.info.status, good.info.status) == ("FAILED", "FINISHED")
    assert (good.data.metrics, good.data.params["depth"]) == ({"loss": 0.25}, "3")
    assert millstream.artifacts.load_text(f"runs:/{bad.info.run_id}/logs/project.log") == "the reason\n"


def _place(folder: Path) -> Path:
    place = folder / "server"
    place.mkdir()
    return place
