"""Pipelines of real projects: order, cache, failures, kills, and what stands on their runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import millstream
from millstream.entities import Run, RunStatus
from millstream.errors import BadPipeline, InvalidValue, MissingValue, NotSupported, ProjectFailed
from millstream.projects.pipelines import Options
from millstream.projects.pipelines.outputs import KEY, MADE, MADE_BY, STEP
from millstream.projects.running import run
from millstream.tracking.stores import get_tracking_uri
from tests.servers.processes import wait_until

pytestmark = pytest.mark.usefixtures("tracking")

# Each step writes down that it ran: what counts is how many processes a start costs.
PROJECT = """
name: counted
entry_points:
  load:
    parameters: {rows: {type: int, default: 3}}
    command: "sh step.sh load && seq {rows} > {load.raw}"
    makes: {raw: data/raw.txt}
  left:
    needs: [load]
    command: "sh step.sh left && mkdir {left.folder} && cp {load.raw} {left.folder}/copy && touch {left.folder}/empty"
    makes: {folder: left}
  right:
    needs: [load.raw]
    data: [extra.txt]
    command: "sh step.sh right && cat {load.raw} extra.txt > {right.sum}"
    makes: {sum: right.txt}
  train:
    needs: [left, right]
    parameters: {input: {type: path, default: "{right.sum}"}, scale: {type: float, default: 1}}
    command: "sh step.sh train && cat {left.folder}/copy {input} > made.txt && echo {scale} >> made.txt"
    makes: {model: made.txt}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "MLproject").write_text(PROJECT)
    (folder / "extra.txt").write_text("extra\n")
    (folder / "step.sh").write_text(f"echo $1 >> {tmp_path}/ran\n")
    return folder


def ran(project: Path) -> list[str]:
    """The steps that have run since the last look, in the order of their names."""
    file = project.parent / "ran"
    steps = sorted(file.read_text().split()) if file.exists() else []
    file.unlink(missing_ok=True)
    return steps


def go(
    project: Path, target: str = "train", options: Options | None = None, given: dict[str, Any] | None = None,
    **parameters: Any,
) -> str:
    parameters |= given or {}
    return run(str(project), target, parameters=parameters, env_manager="local", pipeline=options).run_id


def steps(run_id: str) -> dict[str, Run]:
    found = millstream.MlflowClient().search_runs(["0"], f"tags.mlflow.parentRunId = '{run_id}'")
    return {made.data.tags[STEP]: made for made in found}


def content(made: Run, path: str) -> str:
    return Path(millstream.MlflowClient().download_artifacts(made.info.run_id, path)).read_text()


def test_steps_are_runs_under_the_pipeline_and_hand_on_what_they_make(project: Path) -> None:
    run_id = go(project, scale=2)
    assert ran(project) == ["left", "load", "right", "train"]
    pipeline, made = millstream.get_run(run_id), steps(run_id)
    assert pipeline.info.status == "FINISHED"
    assert pipeline.data.tags["millstream.pipeline"] == "load, left, right, train"
    assert pipeline.data.params == {"input": "right.txt", "scale": "2"}
    assert {one.info.status for one in made.values()} == {"FINISHED"}
    assert {name: one.data.params for name, one in made.items()} == {
        "load": {"rows": "3"}, "left": {}, "right": {}, "train": {"input": "right.txt", "scale": "2"}}
    assert content(made["train"], "outputs/model/made.txt") == "1\n2\n3\n1\n2\n3\nextra\n2\n"
    assert content(made["left"], "outputs/folder/left/copy") == "1\n2\n3\n"
    assert content(made["left"], "outputs/folder/left/empty") == ""
    for one in made.values():
        assert one.data.tags[KEY] == one.data.tags[MADE]
        assert one.data.tags["mlflow.source.name"].endswith(str(project))
        assert one.data.tags["mlflow.project.entryPoint"] == one.data.tags[STEP]
    read = {used.dataset.name: used.dataset for used in made["right"].inputs.dataset_inputs}
    assert set(read) == {"load.raw", "extra.txt"}
    assert json.loads(read["load.raw"].source)["run_id"] == made["load"].info.run_id
    assert not list(project.glob("data")) + list(project.glob("*.txt.*"))  # nothing is left in the project
    assert sorted(path.name for path in project.iterdir()) == ["MLproject", "extra.txt", "step.sh"]


def test_a_second_start_costs_no_process_and_says_who_made_it(project: Path) -> None:
    first = steps(go(project))
    ran(project)
    second = steps(go(project))
    assert ran(project) == []
    for name, one in second.items():
        assert one.info.status == "FINISHED"
        assert one.data.tags[MADE_BY] == first[name].info.run_id
        assert one.data.tags[KEY] == first[name].data.tags[KEY]
        assert MADE not in one.data.tags
        assert one.data.params == first[name].data.params


@pytest.mark.parametrize(("change", "again"), [
    (lambda folder: {"rows": 4}, ["left", "load", "right", "train"]),
    (lambda folder: {"scale": 2}, ["train"]),
    (lambda folder: (folder / "extra.txt").write_text("other\n") and {}, ["right", "train"]),
    (lambda folder: (folder / "new.py").write_text("x") and {}, ["left", "load", "right", "train"]),
    (lambda folder: (folder / "MLproject").write_text(PROJECT.replace("cat {load.raw}", "cat  {load.raw}")) and {},
     ["right"]),  # whose output is the same: who needs it was made before
    (lambda folder: {"options": Options(force=("left",))}, ["left"]),
    (lambda folder: {"options": Options(cache=False, jobs=1)}, ["left", "load", "right", "train"]),
], ids=["parameter", "last parameter", "data", "code", "command", "force", "no cache"])
def test_a_step_runs_again_when_what_counts_for_it_has_changed(
    project: Path, change: Callable[[Path], Any], again: list[str]
) -> None:
    go(project)
    ran(project)
    go(project, **(change(project) or {}))
    assert ran(project) == again


def test_code_may_be_narrowed(project: Path) -> None:
    text = PROJECT.replace("  load:\n", "  load:\n    code: [step.sh]\n")
    (project / "MLproject").write_text(text)
    go(project, "load")
    assert ran(project) == ["load"]
    (project / "other.py").write_text("x")
    go(project, "load")
    assert ran(project) == []
    (project / "step.sh").write_text((project / "step.sh").read_text() + "# more\n")
    go(project, "load")
    assert ran(project) == ["load"]
    (project / "MLproject").write_text(text.replace("step.sh]", "nothing.sh]"))
    with pytest.raises(BadPipeline, match=r"'nothing\.sh' of the entry point 'load' is no file"):
        go(project, "load")


def test_outputs_that_were_removed_are_made_again(project: Path) -> None:
    first = steps(go(project))
    ran(project)
    millstream.MlflowClient().delete_artifact(first["right"].info.run_id, "outputs/sum/right.txt")
    millstream.MlflowClient().delete_run(first["left"].info.run_id)
    go(project)
    assert ran(project) == ["left", "right"]


def test_an_output_that_was_tampered_with_is_not_used(project: Path) -> None:
    first = steps(go(project))
    ran(project)
    kept = Path(millstream.MlflowClient().download_artifacts(first["load"].info.run_id, "outputs/raw/raw.txt"))
    kept.write_text("9\n9\n9\n")
    with pytest.raises(ProjectFailed, match="is not what the run has made"):
        go(project, options=Options(force=("left",)))
    go(project, options=Options(force=("load", "left")))
    assert ran(project) == ["left", "load"]


def test_files_given_as_parameters_count_by_content(project: Path, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1\n")
    (tmp_path / "two").write_text("1\n")
    run_id = go(project, input=str(tmp_path / "one"))
    ran(project)
    assert content(steps(run_id)["train"], "outputs/model/made.txt") == "1\n2\n3\n1\n1\n"
    go(project, input=str(tmp_path / "two"))
    assert ran(project) == []
    (tmp_path / "two").write_text("2\n")
    go(project, input=str(tmp_path / "two"))
    assert ran(project) == ["train"]


def test_parameters_go_where_they_are_declared_or_to_one_step(project: Path) -> None:
    run_id = go(project, given={"load.rows": 1, "scale": 5, "extra": "x y"})
    made = steps(run_id)
    assert made["load"].data.params == {"rows": "1"}
    assert made["train"].data.params == {"input": "right.txt", "scale": "5", "extra": "x y"}
    with pytest.raises(InvalidValue, match="'load' declares no parameter 'scale'"):
        go(project, given={"load.scale": 1})


def test_what_can_be_wrong_is_said_before_anything_runs(project: Path) -> None:
    def with_text(old: str, new: str) -> None:
        (project / "MLproject").write_text(PROJECT.replace(old, new))

    with_text("needs: [load]", "needs: [train]")
    with pytest.raises(BadPipeline, match="in a circle"):
        go(project)
    with_text("rows: {type: int, default: 3}", "rows: int")
    with pytest.raises(MissingValue, match="rows of the entry point 'load'"):
        go(project)
    with_text("cat {load.raw} extra", "cat {load.raw} {unknown} extra")
    with pytest.raises(InvalidValue, match="names {unknown}"):
        go(project)
    with_text("extra.txt]", "nowhere.txt]")
    with pytest.raises(BadPipeline, match=r"'nowhere\.txt' of the entry point 'right' is not there"):
        go(project)
    with_text("extra.txt]", "data/raw.txt]")
    with pytest.raises(BadPipeline, match=r"'data/raw\.txt' of .* 'right' is what the output load\.raw is"):
        go(project)
    with_text("", "")
    with pytest.raises(BadPipeline, match="'other' is to run in any case"):
        go(project, options=Options(force=("other",)))
    with pytest.raises(InvalidValue, match="at least one step"):
        go(project, options=Options(jobs=0))
    with pytest.raises(NotSupported, match="backend 'ray'"):
        run(str(project), "train", backend="ray", env_manager="local")
    assert ran(project) == []
    assert millstream.MlflowClient().search_runs(["0"]) == []


def test_a_failed_step_stops_those_that_need_it_and_the_next_start_goes_on_from_there(project: Path) -> None:
    (project / "MLproject").write_text(PROJECT.replace("sh step.sh right &&", "sh step.sh right && cat missing.txt &&"))
    with pytest.raises(ProjectFailed) as caught:
        go(project)
    assert "the step 'right' failed" in caught.value.message
    assert "missing.txt" in caught.value.message
    assert "not run: train" in caught.value.message
    assert ran(project) == ["left", "load", "right"]
    pipeline, = millstream.MlflowClient().search_runs(["0"], "tags.millstream.pipeline != ''")
    assert pipeline.info.status == "FAILED"
    made = steps(pipeline.info.run_id)
    assert {name: one.info.status for name, one in made.items()} == {
        "load": "FINISHED", "left": "FINISHED", "right": "FAILED"}
    (project / "MLproject").write_text(PROJECT)
    go(project)
    assert ran(project) == ["right", "train"]


def test_a_step_that_does_not_make_what_it_says_has_failed(project: Path) -> None:
    (project / "MLproject").write_text(PROJECT.replace("> {load.raw}", "> elsewhere.txt"))
    (project / "data").mkdir()
    (project / "data" / "raw.txt").write_text("stale")  # of a run by hand: it does not count
    with pytest.raises(ProjectFailed, match=r"without its output 'raw': nothing lies at data/raw\.txt"):
        go(project)
    failed, = millstream.MlflowClient().search_runs(["0"], f"tags.`{STEP}` = 'load'")
    assert failed.info.status == "FAILED"
    assert MADE not in failed.data.tags


def test_independent_steps_run_at_the_same_time_up_to_the_bound(project: Path, tmp_path: Path) -> None:
    # Each of the two waits for the other one: they end only if they run at the same time.
    meet = "touch {mine} && n=0 && until [ -e {other} ]; do n=$((n+1)); [ $n -lt 400 ] || exit 7; sleep 0.05; done"
    text = "name: both\nentry_points:\n"
    for mine, other in (("a", "b"), ("b", "a")):
        script = meet.replace("{mine}", f"{tmp_path}/{mine}").replace("{other}", f"{tmp_path}/{other}")
        (project / f"{mine}.sh").write_text(script)
        text += f"  {mine}: {{command: 'sh {mine}.sh', code: [{mine}.sh]}}\n"
    (project / "MLproject").write_text(text + "  both: {command: 'true', needs: [a, b]}\n")
    assert run(str(project), "both", env_manager="local", pipeline=Options(jobs=2)).wait()
    for name in ("a", "b"):
        (tmp_path / name).unlink()
        (project / f"{name}.sh").write_text(f"[ ! -e {tmp_path}/alone ] || exit 8; touch {tmp_path}/alone; sleep 0.2; "
                                            f"rm {tmp_path}/alone")
    assert run(str(project), "both", env_manager="local", pipeline=Options(jobs=1)).wait()


def test_a_pipeline_that_is_cancelled_ends_its_steps(project: Path, tmp_path: Path) -> None:
    (project / "step.sh").write_text(f"echo $1 >> {tmp_path}/ran; [ $1 != left ] || sleep 600\n")
    submitted = run(str(project), "train", synchronous=False, env_manager="local")
    assert submitted.get_status() == RunStatus.RUNNING
    wait_until(lambda: (tmp_path / "ran").exists() and "left" in (tmp_path / "ran").read_text(), 60, "the step")
    submitted.cancel()
    assert submitted.get_status() == RunStatus.KILLED
    assert millstream.get_run(submitted.run_id).info.status == "KILLED"
    made = steps(submitted.run_id)
    assert made["left"].info.status == "KILLED"
    assert "train" not in made
    assert "it was cancelled" in submitted.failure()
    assert any(line.startswith("load: made by") for line in submitted.logs())


def is_alive(number: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_pipeline_that_nobody_waits_for_is_waited_for_at_the_end_of_the_program(project: Path) -> None:
    (project.parent / "start.py").write_text(
        "from millstream.projects import run\n"
        f"run({str(project)!r}, 'train', synchronous=False, env_manager='local')\n")
    subprocess.run([sys.executable, "-W", "error", "start.py"], cwd=project.parent, check=True,
                   env={**os.environ, "MILLSTREAM_TRACKING_URI": get_tracking_uri()})
    assert ran(project) == ["left", "load", "right", "train"]
    assert {one.info.status for one in millstream.MlflowClient().search_runs(["0"])} == {"FINISHED"}


@pytest.mark.parametrize("victim", ["pipeline", "step"])
def test_nothing_half_made_counts_after_a_kill(project: Path, tmp_path: Path, victim: str) -> None:
    text = PROJECT.replace("&& seq {rows} > {load.raw}", "&& echo half > {load.raw} && echo $$ > PID && sleep 600")
    (project / "MLproject").write_text(text.replace("PID", str(tmp_path / "pid")))
    store = get_tracking_uri()

    def number() -> str:
        return (tmp_path / "pid").read_text().strip() if (tmp_path / "pid").exists() else ""

    process = subprocess.Popen(
        [sys.executable, "-m", "millstream", "run", str(project), "-e", "load", "--env-manager", "local",
         "--tracking-uri", store], env={**os.environ, "MILLSTREAM_LEASE_SECONDS": "2", "TMPDIR": str(tmp_path)},
    )
    wait_until(lambda: bool(number()), 60, "the step")
    step = int(number())
    os.kill(process.pid if victim == "pipeline" else step, signal.SIGKILL)
    process.wait(60)
    wait_until(lambda: not is_alive(step), 60, "the end of the step")
    (project / "MLproject").write_text(PROJECT)
    before = {one.info.run_id for one in millstream.MlflowClient().search_runs(["0"])}
    assert len(before) == 2
    ran(project)
    made = steps(go(project, "load"))
    assert ran(project) == ["load"]
    assert content(made["load"], "outputs/raw/raw.txt") == "1\n2\n3\n"

    def ended() -> bool:
        millstream.tracking.stores.store(store).sweep()  # type: ignore[attr-defined]
        return {millstream.get_run(run_id).info.status for run_id in before} <= {"FAILED", "KILLED"}

    wait_until(ended, 30, "the runs of the killed pipeline")
    # Its folder goes with the next pipeline that looks there.
    run(str(project), "load", env_manager="local", storage_dir=str(tmp_path))
    assert not list(tmp_path.glob("millstream-pipeline-*"))


def test_code_that_no_commit_has_is_kept_with_the_pipeline(project: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=Z", "-c", "user.email=z@example.com", *words], cwd=project, check=True,
                       capture_output=True)

    def kept(run_id: str) -> tuple[str | None, bool]:
        tags = millstream.get_run(run_id).data.tags
        return tags.get("mlflow.source.git.dirty"), "millstream.project.code" in tags

    assert kept(go(project, "load")) == (None, True)
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    assert kept(go(project, "load")) == ("false", False)
    (project / "fresh.py").write_text("x")
    assert kept(go(project, "load")) == ("true", True)
    assert millstream.MlflowClient().list_artifacts(go(project, "load"), "project")


def test_a_folder_may_be_empty_and_names_may_hold_what_file_names_cannot(project: Path) -> None:
    (project / "MLproject").write_text("""
entry_points:
  a/b c:
    command: "mkdir -p {a/b c.out}/deep"
    makes: {out: some/folder}
  last:
    needs: [a/b c.out]
    command: "test -d some/folder && sh step.sh last"
""")
    go(project, "last")
    assert ran(project) == ["last"]
    go(project, "last", options=Options(force=("last",)))
    assert ran(project) == ["last"]


def test_environments_of_the_project_are_part_of_the_key(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLSTREAM_ENV_ROOT", str(tmp_path / "envs"))
    (project / "MLproject").write_text(
        "python_env: env.yaml\nentry_points:\n  main: {command: 'sh step.sh main && python -c \"import six\"', "
        "makes: {}, code: [step.sh]}\n")
    for version in ("1.16.0", "1.17.0"):
        (project / "env.yaml").write_text(f"dependencies: [six=={version}]\n")
        for again in (["main"], []):
            run(str(project), "main")
            assert ran(project) == again
