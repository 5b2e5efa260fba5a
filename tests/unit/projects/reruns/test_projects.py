"""Runs of projects, of steps and of pipelines, done again; and the command that does it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import millstream
from millstream.cli import main
from millstream.errors import CannotRerun
from millstream.projects import rerun, run
from millstream.projects.pipelines.outputs import MADE, MADE_BY, STEP
from millstream.tracking.stores import get_tracking_uri

pytestmark = pytest.mark.usefixtures("tracking")

PROJECT = """
name: repeated
entry_points:
  main:
    parameters: {depth: {type: int, default: 2}}
    command: "python train.py {depth}"
  load:
    parameters: {rows: {type: int, default: 3}}
    data: [extra.txt]
    command: "seq {rows} > {load.raw} && cat extra.txt >> {load.raw}"
    makes: {raw: raw.txt}
  count:
    needs: [load]
    command: "wc -l < {load.raw} > {count.lines}"
    makes: {lines: lines.txt}
"""
# Quick, and by the protocol that every client speaks.
TRAIN = """
import json, os, sys, urllib.request
def post(path, **fields):
    request = urllib.request.Request(os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/runs/" + path,
                                     json.dumps({"run_id": os.environ["MLFLOW_RUN_ID"], **fields}).encode(),
                                     {"Content-Type": "application/json"})
    urllib.request.urlopen(request).read()
post("log-metric", key="loss", value=1 / int(sys.argv[1]), timestamp=1, step=0)
post("log-parameter", key="logged", value="by the program")
"""


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=Z", "-c", "user.email=z@example.com", *words], cwd=folder, check=True,
                   capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "MLproject").write_text(PROJECT)
    (folder / "train.py").write_text(TRAIN)
    (folder / "extra.txt").write_text("extra\n")
    (folder / ".gitignore").write_text("extra.txt\n")
    return folder


@pytest.fixture
def repository(project: Path) -> Path:
    git(project, "init", "-q", "-b", "main")
    git(project, "add", ".")
    git(project, "commit", "-qm", "first")
    return project


def started(project: Path, entry_point: str = "main", **options: Any) -> str:
    return run(str(project), entry_point, env_manager="local", **options).run_id


def steps(run_id: str) -> dict[str, str]:
    found = millstream.MlflowClient().search_runs(["0"], f"tags.mlflow.parentRunId = '{run_id}'")
    return {made.data.tags[STEP]: made.info.run_id for made in found}


def spoil(project: Path) -> None:
    """Changes all that a run could pick up by mistake."""
    (project / "train.py").write_text("raise SystemExit('this is not the code of the run')")
    (project / "MLproject").write_text(PROJECT.replace("seq", "seq 5").replace("wc -l", "wc -c"))


def test_a_run_of_a_commit(repository: Path) -> None:
    old = started(repository, parameters={"depth": 4}, run_name="first")
    spoil(repository)
    git(repository, "commit", "-qam", "second")
    found = rerun(old)
    assert found.equal, found.differences
    new = millstream.get_run(found.new_run_id)
    assert new.data.metrics == {"loss": 0.25}
    assert new.data.params == {"depth": "4", "logged": "by the program"}
    assert (new.info.run_name, new.info.experiment_id) == ("first", "0")
    assert new.data.tags["millstream.rerun.of"] == old
    assert new.data.tags["mlflow.source.git.commit"] == millstream.get_run(old).data.tags["mlflow.source.git.commit"]
    shutil.rmtree(repository)
    with pytest.raises(CannotRerun, match="cannot be had: nothing is at"):
        rerun(old)


def test_a_run_of_code_that_no_commit_has(project: Path) -> None:
    old = started(project)
    spoil(project)
    assert rerun(old).equal
    shutil.rmtree(project)
    found = rerun(old)
    assert found.equal
    assert rerun(found.new_run_id).equal


def test_a_run_with_changes_beside_its_commit(repository: Path) -> None:
    (repository / "train.py").write_text(TRAIN + "post('log-metric', key='more', value=1, timestamp=1, step=0)\n")
    old = started(repository)
    git(repository, "checkout", "-q", ".")
    found = rerun(old)
    assert found.equal
    assert millstream.get_run(found.new_run_id).data.metrics == {"loss": 0.5, "more": 1}


def test_a_run_of_a_repository_at_a_tag_in_a_folder(repository: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    (repository / "sub").mkdir()
    git(repository, "mv", "MLproject", "train.py", "sub")
    git(repository, "commit", "-qam", "moved")
    git(repository, "tag", "v1")
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(bare))
    old = run(f"file://{bare}#sub", version="v1", env_manager="local").run_id
    shutil.rmtree(repository)
    found = rerun(old)
    assert found.equal, found.differences
    assert rerun(found.new_run_id).equal


def test_a_failed_run_differs_from_none_that_fails_alike(project: Path) -> None:
    (project / "train.py").write_text("raise SystemExit(3)")
    submitted = run(str(project), synchronous=False, env_manager="local")
    assert not submitted.wait()
    found = rerun(submitted.run_id)
    assert found.equal
    assert found.rows[0].after == "FAILED"


def test_a_pipeline_with_its_steps(repository: Path) -> None:
    old = started(repository, "count", parameters={"load.rows": 7})
    spoil(repository)
    found = rerun(old)
    assert found.equal, [step.differences for step in found.steps]
    assert [step.name for step in found.steps] == ["load", "count"]
    made = steps(found.new_run_id)
    assert set(made) == {"load", "count"}
    assert all(MADE in millstream.get_run(run_id).data.tags for run_id in made.values())  # nothing came from a cache
    assert millstream.get_run(made["load"]).data.params == {"rows": "7"}
    (repository / "extra.txt").write_text("other\n")
    with pytest.raises(CannotRerun, match=r"the data set extra\.txt has changed"):
        rerun(old)


def test_one_step_from_what_it_had_read(repository: Path) -> None:
    pipeline = started(repository, "count")
    old = steps(pipeline)["count"]
    found = rerun(old)
    assert found.equal, found.differences
    new = millstream.get_run(found.new_run_id)
    assert new.data.tags[STEP] == "count"
    assert "mlflow.parentRunId" not in new.data.tags
    git(repository, "checkout", "-q", ".")
    again = steps(started(repository, "count"))["load"]
    assert MADE_BY in millstream.get_run(again).data.tags
    with pytest.raises(CannotRerun, match="ran nothing: its step was made before"):
        rerun(again)


def test_what_is_missing_is_said(project: Path) -> None:
    client = millstream.MlflowClient()
    old = started(project)
    client.delete_artifact(old, "project/code.tar.gz")
    assert rerun(old).equal  # the folder still has that code
    spoil(project)
    with pytest.raises(CannotRerun, match="has changed since the run, and its code was too large"):
        rerun(old)
    shutil.rmtree(project)
    with pytest.raises(CannotRerun, match="is gone, and its code was too large"):
        rerun(old)
    client.delete_tag(old, "millstream.project.code")
    with pytest.raises(CannotRerun, match="is in no commit, and was not kept"):
        rerun(old)
    client.set_tag(old, "mlflow.source.git.commit", "0" * 40)
    client.set_tag(old, "mlflow.source.git.dirty", "true")
    with pytest.raises(CannotRerun, match="had changes that the commit 000000000000 has not"):
        rerun(old)


def test_the_command_says_it_by_its_status(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def command(*words: str, status: int) -> tuple[str, str]:
        capsys.readouterr()
        try:
            ended = main(["rerun", *words, "--tracking-uri", get_tracking_uri()])
        except SystemExit as end:
            ended = end.code if isinstance(end.code, int) else 1
        printed = capsys.readouterr()
        assert ended == status, printed
        return printed.out, printed.err

    (project / "train.py").write_text(
        TRAIN + "post('log-metric', key='pid', value=os.getpid(), timestamp=1, step=0)\nprint('said by the program')\n")
    old = started(project)
    out, said = command(old, status=3)
    assert "metric pid" in out
    assert "metric loss" not in out
    assert "different: 1 of" in said
    out, said = command(old, "--ignore", "pid", "--json", status=0)
    told = json.loads(out)
    assert (told["equal"], told["run_id"]) == (True, old)
    assert "said by the program" in said
    millstream.MlflowClient().delete_tag(old, "millstream.project.code")
    _, said = command(old, status=1)
    assert said.startswith("error: the code of the run")
    assert "\nhint: " in said
