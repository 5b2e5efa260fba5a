"""`millstream gc`: removed is what lies in the trash and what nothing refers to; bytes are told before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from millstream.artifacts.roots import open_root
from millstream.entities import LoggedModelInput, LoggedModelTag
from millstream.errors import ExperimentNotFound, RunNotFound
from millstream.operations import (
    CreateExperiment,
    CreateLoggedModel,
    CreateRun,
    DeleteExperiment,
    DeleteLoggedModel,
    DeleteRun,
    GetExperiment,
    GetLoggedModel,
    GetRun,
    LogInputs,
    MoveRuns,
)
from millstream.stores import Store, open_store
from tests.servers.millstream import MillstreamServer


class Place:
    """A store and what the test has put into it."""

    def __init__(self, folder: Path, uri: str) -> None:
        self.folder = folder
        self.uri = uri
        self.store: Store = open_store(uri)
        self.said: list[str] = []

    def run(self, experiment_id: str, *files: str) -> str:
        info = self.store.execute(CreateRun(experiment_id)).run.info
        self._write(str(info.artifact_uri), files)
        return info.run_id

    def model(self, experiment_id: str, run_id: str | None, *files: str) -> str:
        tags = [LoggedModelTag("a", "b")]
        model = self.store.execute(CreateLoggedModel(experiment_id, source_run_id=run_id, tags=tags)).model
        self._write(model.artifact_location, files)
        return model.model_id

    def _write(self, root: str, files: tuple[str, ...]) -> None:
        with open_root(root, self.store.uri) as artifacts:
            for name in files:
                artifacts.write(name, [b"12345"])

    def files(self, uri: str) -> list[str]:
        with open_root(uri, self.store.uri) as artifacts:
            return [file.path for file in artifacts.walk()]

    def files_of(self, run_id: str) -> list[str]:
        return self.files(str(self.store.execute(GetRun(run_id)).run.info.artifact_uri))

    def gc(self, *words: str, status: int = 0) -> dict[str, Any]:
        """What `millstream gc --json` says."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "MILLSTREAM_"))}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "millstream", "gc", "--json", "--tracking-uri", self.uri, *words],
            cwd=self.folder, env=clean, capture_output=True, text=True, check=False,
        )
        assert done.returncode == status, done.stderr
        self.said = done.stderr.splitlines()
        report: dict[str, Any] = json.loads(done.stdout)
        return report


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, str(tmp_path / "mlruns"))


def test_a_dry_run_tells_bytes_and_removes_nothing(place: Place) -> None:
    gone, kept = place.run("0", "a", "b/c"), place.run("0", "a")
    place.store.execute(DeleteRun(gone))
    report = place.gc("--dry-run")
    assert (report["files"], report["bytes"]) == (2, 10)
    assert report["removed"] == {"experiment": 0, "run": 1, "logged_model": 0}
    assert [(item["kind"], item["id"], item["bytes"]) for item in report["items"]] == [("run", gone, 10)]
    assert place.said == ["would remove 0 experiments, 1 run, 0 logged models; 2 files, 10 B"]
    assert place.files_of(gone) == ["a", "b/c"]

    assert place.gc()["bytes"] == 10
    assert place.said == ["removed 0 experiments, 1 run, 0 logged models; 2 files, 10 B"]
    with pytest.raises(RunNotFound):
        place.store.execute(GetRun(gone))
    assert [path for path in (place.folder / "mlruns" / "0" / gone).rglob("*") if path.is_file()] == []
    assert place.files_of(kept) == ["a"]
    assert place.gc()["items"] == []


def test_an_experiment_goes_with_all_that_is_in_it(place: Place) -> None:
    experiment = place.store.execute(CreateExperiment("gone")).experiment_id
    run = place.run(experiment, "a")
    model = place.model(experiment, run, "weights")
    moved = place.run(experiment, "kept")
    place.store.execute(MoveRuns([moved], "0"))
    place.store.execute(DeleteLoggedModel(model))
    place.store.execute(DeleteExperiment(experiment))
    report = place.gc("--experiment-ids", experiment)
    assert report["removed"] == {"experiment": 1, "run": 1, "logged_model": 1}
    assert report["bytes"] == 10
    with pytest.raises(ExperimentNotFound):
        place.store.execute(GetExperiment(experiment))
    with pytest.raises(RunNotFound):
        place.store.execute(GetRun(run))
    # A run that was moved away keeps its files where they lie: in the folder of the experiment that is gone.
    assert place.files_of(moved) == ["kept"]


def test_what_something_refers_to_stays(place: Place) -> None:
    maker, reader = place.run("0", "log"), place.run("0")
    model, read = place.model("0", maker, "weights"), place.model("0", None, "weights")
    place.store.execute(LogInputs(reader, models=[LoggedModelInput(read)]))
    place.store.execute(DeleteRun(maker))
    place.store.execute(DeleteLoggedModel(read))
    report = place.gc()
    assert {item["id"]: item["kept_because"] for item in report["items"]} == {
        maker: f"logged model {model} was made by it", read: f"run {reader} reads it",
    }
    assert report["removed"] == {"experiment": 0, "run": 0, "logged_model": 0}
    assert place.files_of(maker) == ["log"]
    assert place.store.execute(GetLoggedModel(model)).model.model_id == model

    place.store.execute(DeleteRun(reader))
    place.store.execute(DeleteLoggedModel(model))
    assert place.gc()["removed"] == {"experiment": 0, "run": 2, "logged_model": 2}


def test_ids_and_age_limit_what_goes(place: Place) -> None:
    first, second, alive = place.run("0", "a"), place.run("0", "a"), place.run("0")
    for run in (first, second):
        place.store.execute(DeleteRun(run))
    assert place.gc("--older-than", "1d2h3m4.5s")["items"] == []
    report = place.gc("--run-ids", f"{first}, {alive}", status=1)
    assert [item["id"] for item in report["items"]] == [first]
    assert place.said[-1] == f"{alive} is not in the trash"
    assert place.files_of(second) == ["a"]
    assert place.gc("--older-than", "0s")["removed"]["run"] == 1


def test_files_that_are_not_the_store_s_own_are_left_alone(place: Place) -> None:
    from millstream.entities import Run, RunInfo
    from millstream.operations import ImportedRun, ImportRuns

    elsewhere = place.folder / "theirs" / "artifacts"
    elsewhere.mkdir(parents=True)
    (elsewhere / "model.bin").write_text("theirs")
    info = RunInfo("a" * 32, "0", status="FINISHED", artifact_uri=str(elsewhere))
    place.store.execute(ImportRuns([ImportedRun(Run(info))]))
    place.store.execute(DeleteRun("a" * 32))
    report = place.gc()
    assert report["items"][0]["files_stay_because"] == f"they lie outside of this store, at {elsewhere}"
    assert report["removed"]["run"] == 1
    assert (elsewhere / "model.bin").read_text() == "theirs"


def test_files_may_be_kept(place: Place) -> None:
    run = place.run("0", "a")
    place.store.execute(DeleteRun(run))
    root = str(place.store.execute(GetRun(run)).run.info.artifact_uri)
    assert place.gc("--keep-files")["removed"]["run"] == 1
    assert place.files(root) == ["a"]


def test_through_a_server(tmp_path: Path) -> None:
    with MillstreamServer(tmp_path) as server:
        place = Place(tmp_path, server.uri)
        gone, kept = place.run("0", "a", "b"), place.run("0", "a")
        place.store.execute(DeleteRun(gone))
        report = place.gc()
        assert (report["removed"]["run"], report["bytes"]) == (1, 10)
        assert place.files_of(kept) == ["a"]
        assert [path.name for path in (tmp_path / "artifacts").rglob("*") if path.is_file()] == ["a"]
        place.store.close()


def test_the_server_s_database_with_the_folder_that_it_proxies(tmp_path: Path) -> None:
    with MillstreamServer(tmp_path) as server:
        place = Place(tmp_path, server.uri)
        gone = place.run("0", "a")
        place.store.execute(DeleteRun(gone))
        place.store.close()
    place.uri = server.store_uri
    report = place.gc(status=1)
    assert "its files cannot be removed" in report["items"][0]["kept_because"]
    assert place.gc("--artifacts-destination", str(server.artifacts))["bytes"] == 5
    assert [path for path in server.artifacts.rglob("*") if path.is_file()] == []
