"""Runs of plain scripts, done again: from their commit, or from the file that still is what it was."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import millstream
from millstream.environments.building import Environment, build
from millstream.errors import CannotRerun, InvalidValue, RunNotFound
from millstream.projects import rerun
from millstream.tracking.context.program import PROGRAM
from millstream.tracking.stores import get_tracking_uri

SCRIPT = """
import sys
import helper
import millstream

with millstream.start_run():
    millstream.log_param("depth", sys.argv[1])
    for step in range(3):
        millstream.log_metric("loss", helper.loss(int(sys.argv[1]), step), step=step)
    millstream.log_text("result", "result.txt")
"""
HELPER = "def loss(depth, step):\n    return depth / (step + 1)\n"


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-c", "user.name=Z", "-c", "user.email=z@example.com", *words], cwd=folder,
                          check=True, capture_output=True, text=True).stdout.strip()


def start(folder: Path, *words: str, python: str = sys.executable, **variables: str) -> str:
    """Starts a program that tracks to this test's store, and returns the id of its only new run."""
    before = {run.info.run_id for run in millstream.MlflowClient().search_runs(["0"])}
    subprocess.run([python, *words], cwd=folder, check=True,
                   env={**os.environ, "MILLSTREAM_TRACKING_URI": get_tracking_uri(), **variables})
    made, = {run.info.run_id for run in millstream.MlflowClient().search_runs(["0"])} - before
    return made


@pytest.fixture
def repository(tracking: Path) -> Path:
    folder = tracking / "repository"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "train.py").write_text(SCRIPT)
    (folder / "src" / "helper.py").write_text(HELPER)
    (folder / "src" / "main.py").write_text(SCRIPT.replace("import helper", "from src import helper"))
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


@pytest.mark.parametrize("words", [["src/train.py", "4"], ["-m", "src.main", "4"]], ids=["script", "module"])
def test_a_program_of_a_commit_runs_again_whatever_the_working_tree_holds_now(
    repository: Path, words: list[str]
) -> None:
    old = start(repository, *words)
    (repository / "src" / "helper.py").write_text(HELPER.replace("step + 1", "step + 2"))
    git(repository, "commit", "-qam", "second")
    (repository / "src" / "train.py").unlink()
    found = rerun(old)
    assert found.equal, found.differences
    new = millstream.get_run(found.new_run_id)
    assert new.info.experiment_id == millstream.get_run(old).info.experiment_id
    assert new.data.params == {"depth": "4"}
    assert new.data.tags["millstream.rerun.of"] == old
    assert new.data.tags["millstream.rerun.equal"] == "true"
    kept = millstream.MlflowClient().download_artifacts(found.new_run_id, "rerun/comparison.json")
    assert json.loads(Path(kept).read_text())["equal"] is True
    if words[0] == "src/train.py":
        assert new.data.tags["mlflow.source.name"] == "src/train.py"
        assert rerun(found.new_run_id).equal  # the new one can be repeated like the old one


def test_what_differs_is_told(tracking: Path) -> None:
    (tracking / "noise.py").write_text(
        "import os, millstream\nwith millstream.start_run():\n    millstream.log_metric('pid', os.getpid())\n")
    old = start(tracking, "noise.py")
    found = rerun(old)
    assert [(row.kind, row.name) for row in found.differences] == [("metric", "pid")]
    assert not found.equal
    assert millstream.get_run(found.new_run_id).data.tags["millstream.rerun.equal"] == "false"


def recorded(file: Path, *, repository: Path | None = None, arguments: Sequence[str | None] = ("4",),
             **tags: str) -> str:
    """A run that says it was logged by a script, in a process that this test is spared."""
    program = {
        "path": str(file), "sha256": hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else "0",
        "module": None, "arguments": list(arguments), "folder": str(file.parent),
        "repository": str(repository) if repository else None,
    }
    if repository is not None:
        program["folder"] = str(repository)
        tags.setdefault("dirty", "false")
        if "commit" not in tags:
            tags["commit"] = git(repository, "rev-parse", "HEAD")
    named = {f"mlflow.source.git.{name}": text for name, text in tags.items()}
    with millstream.start_run(tags={PROGRAM: json.dumps(program), **named}) as run:
        return run.info.run_id


def test_what_is_missing_is_said_with_the_next_step(repository: Path, tracking: Path) -> None:
    def refused(run_id: str, **options: Any) -> str:
        before = len(millstream.MlflowClient().search_runs(["0"]))
        with pytest.raises(CannotRerun) as caught:
            rerun(run_id, **options)
        assert caught.value.hint
        assert len(millstream.MlflowClient().search_runs(["0"])) == before
        return caught.value.message

    train = repository / "src" / "train.py"
    assert "the working tree had changes" in refused(recorded(train, repository=repository, dirty="true"))
    assert "is not part of the commit" in refused(recorded(repository / "src" / "new.py", repository=repository))
    assert "cannot be had" in refused(recorded(train, repository=repository, commit="0123456789" * 4))
    secret = recorded(train, repository=repository, arguments=["4", "--api-key", None])
    assert "1 of the arguments of the program were not recorded" in refused(secret)
    elsewhere = repository / "gone" / "train.py"
    assert "the commit 1234567890ab cannot be had" in refused(
        recorded(elsewhere, repository=repository / "gone", commit="1234567890ab" * 3 + "1234"))

    plain = tracking / "plain.py"
    plain.write_text("print(1)\n")
    run_id = recorded(plain)
    plain.write_text("print(2)\n")
    assert "has changed since the run" in refused(run_id)
    plain.unlink()
    assert "the program is gone" in refused(run_id)
    with millstream.start_run(tags={PROGRAM: "no JSON"}) as bare:
        assert "has not ended" in refused(bare.info.run_id)
    assert "does not say how its program was started" in refused(bare.info.run_id)
    with pytest.raises(RunNotFound):
        rerun("0" * 32)
    with pytest.raises(InvalidValue, match="tolerance"):
        rerun(run_id, tolerance=-1)


def test_data_is_checked_and_found_where_no_commit_has_it(repository: Path) -> None:
    (repository / ".gitignore").write_text("data.csv\n")
    (repository / "tracked.csv").write_text("a\n")
    (repository / "read.py").write_text(
        "import millstream\nwith millstream.start_run():\n"
        "    for name in ('data.csv', 'tracked.csv'):\n"
        "        millstream.log_input(millstream.data.from_file(name))\n"
        "    millstream.log_metric('size', len(open('data.csv').read()))\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "data")
    (repository / "data.csv").write_text("a\n1\n")
    old = start(repository, "read.py")
    (repository / "tracked.csv").write_text("what the commit has is not looked for here\n")
    assert rerun(old).equal
    (repository / "data.csv").write_text("a\n2\n")
    with pytest.raises(CannotRerun, match=r"the data set data\.csv has changed: its digest was"):
        rerun(old)
    (repository / "data.csv").unlink()
    with pytest.raises(CannotRerun, match=r"the data set data\.csv is gone"):
        rerun(old)


def test_a_program_that_fails_now_makes_a_run_that_differs(tracking: Path) -> None:
    (tracking / "train.py").write_text(
        "import millstream, os\nwith millstream.start_run():\n    millstream.log_metric('m', 1)\n"
        "    assert os.path.exists('here')\n")
    (tracking / "here").touch()
    old = start(tracking, "train.py")
    (tracking / "here").unlink()
    found = rerun(old)
    assert [(row.name, row.after) for row in found.differences] == [("status", "FAILED")]
    (tracking / "none.py").write_text("import sys\nsys.exit(9)\n")
    with pytest.raises(CannotRerun, match="ended with status 9 and logged no run"):
        rerun(recorded(tracking / "none.py"))


def test_of_several_runs_of_a_program_the_one_alike_is_compared(tracking: Path) -> None:
    (tracking / "several.py").write_text(
        "import millstream\nfor depth in (1, 2, 3):\n    with millstream.start_run():\n"
        "        millstream.log_param('depth', depth)\n        millstream.log_metric('m', depth)\n")
    subprocess.run([sys.executable, "several.py"], cwd=tracking, check=True,
                   env={**os.environ, "MILLSTREAM_TRACKING_URI": get_tracking_uri()})
    old, = millstream.MlflowClient().search_runs(["0"], "params.depth = '2'")
    assert rerun(old.info.run_id).equal


def test_recorded_packages_are_installed_again_where_this_environment_has_others(
    tracking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLSTREAM_ENV_ROOT", str(tracking / "envs"))
    (tracking / "train.py").write_text(
        "import importlib.metadata, six, millstream\nwith millstream.start_run():\n"
        "    millstream.log_param('six', importlib.metadata.version('six'))\n")
    there = build(Environment(requirements=("six==1.16.0",), millstream=True))
    old = start(tracking, "train.py", python=str(there.python))
    assert millstream.get_run(old).data.params == {"six": "1.16.0"}
    found = rerun(old)
    assert found.equal, found.differences
    assert not found.notes
    notes = rerun(old, env_manager="local").notes
    assert any(note.startswith("six 1.16.0 → ") for note in notes)
