"""Folders of MLflow's file store as they are found: damaged, moved, old."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from millstream.errors import InvalidValue
from millstream.interop.mlruns import FolderSource, holds_file_store, wants_import
from millstream.interop.source import Series
from millstream.operations import GetModelVersionDownloadUri
from millstream.operations.imports import ImportedRun
from millstream.stores import open_store

RUN = "a" * 32


def experiment(folder: Path, experiment_id: str = "1", name: str = "one", **more: object) -> Path:
    home = folder / experiment_id
    home.mkdir(parents=True)
    facts = {"experiment_id": f"'{experiment_id}'", "name": name, "lifecycle_stage": "active", **more}
    (home / "meta.yaml").write_text("".join(f"{key}: {value}\n" for key, value in facts.items()))
    return home


def run(home: Path, run_id: str = RUN, **more: object) -> Path:
    place = home / run_id
    place.mkdir()
    facts = {"run_id": run_id, "status": 3, "lifecycle_stage": "active", "start_time": 5, **more}
    (place / "meta.yaml").write_text("".join(f"{key}: {value}\n" for key, value in facts.items()))
    return place


def write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def read(folder: Path) -> tuple[list[ImportedRun], list[Series], list[str]]:
    with FolderSource(folder) as source:
        runs: list[ImportedRun] = []
        series: list[Series] = []
        for found in source.experiments():
            for batch in source.batches(found):
                runs += batch
                series += source.series(batch)
        return runs, series, source.notes


def test_a_run_with_the_least_that_mlflow_has_written(tmp_path: Path) -> None:
    run(experiment(tmp_path))
    (found,), series, notes = read(tmp_path)
    info = found.run.info
    assert (info.run_id, info.experiment_id, info.status) == (RUN, "1", "FINISHED")
    assert (info.start_time, info.end_time) == (5, None)
    assert (info.user_id, info.run_name, info.lifecycle_stage) == ("", None, "active")
    assert info.artifact_uri == str(tmp_path / "1" / RUN / "artifacts")
    assert (series, notes) == ([], [])


def test_texts_are_taken_byte_by_byte(tmp_path: Path) -> None:
    place = run(experiment(tmp_path))
    write(place / "params" / "a" / "b", b"line\r\nnext\n")
    write(place / "params" / "empty", b"")
    write(place / "tags" / "\u00e4", "\u20ac".encode())
    write(place / "tags" / "broken", b"\xff")
    (found,), _, _ = read(tmp_path)
    assert found.run.data.params == {"a/b": "line\r\nnext\n", "empty": ""}
    assert found.run.data.tags == {"ä": "€", "broken": "\ufffd"}


def test_points(tmp_path: Path) -> None:
    place = run(experiment(tmp_path))
    lines = ["10 nan 2", "10 inf 2", "10 -inf 1", "9 -0.0 1", "10 nan 2", "11 5.0 1 iris abc", "12 7"]
    write(place / "metrics" / "a" / "b", "\n".join(lines).encode())
    _, (series,), notes = read(tmp_path)
    assert series.key == "a/b"
    # NaN stands before the numbers of its step and time; a point without a step is of MLflow before 1.0.
    assert list(series.steps) == [0, 1, 1, 1, 2, 2]
    assert list(series.timestamps) == [12, 9, 10, 11, 10, 10]
    assert [repr(value) for value in series.values] == ["7.0", "0.0", "-inf", "5.0", "nan", "inf"]
    assert notes == []


def test_what_cannot_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    home = experiment(tmp_path)
    place = run(home)
    write(place / "metrics" / "m", b"1 2.0 3\nwhat is this\n1 x 3\n")
    (home / ("b" * 32)).mkdir()
    write(home / ("c" * 32) / "meta.yaml", b"run_id: [")
    write(home / ("d" * 32) / "meta.yaml", b"")
    run(home, "e" * 32).rename(home / ("f" * 32))
    experiment(tmp_path, "2", name="one")
    experiment(tmp_path / ".trash", "1", name="gone")
    runs, (series,), notes = read(tmp_path)
    assert [found.run.info.run_id for found in runs] == [RUN]
    assert series.points() == [(3, 1, 2.0)]
    assert [note.replace(str(tmp_path), "") for note in notes] == [
        "two experiments have one name: that of id 2 is called 'one (2)'",
        "/.trash/1 is left out: /1 has the same experiment id",
        f"/1/{'b' * 32} is left out: it has no meta.yaml",
        f"/1/{'c' * 32} is left out: its meta.yaml cannot be read (it is not YAML: while parsing a flow node "
        'did not find expected node content in "<byte string>", line 2, column 1)',
        f"/1/{'d' * 32} is left out: its meta.yaml is empty",
        f"/1/{'f' * 32} is left out: its meta.yaml names another run, {'e' * 32}",
        f"/1/{RUN}/metrics/m, line 2 is left out: 'what is this' is no point of a metric",
        f"/1/{RUN}/metrics/m, line 3 is left out: '1 x 3' is no point of a metric",
    ]


@pytest.mark.parametrize("recorded", ["", "/nowhere/1/artifacts", "file:///nowhere/a%20b", "./mlruns/1/artifacts"])
def test_files_of_a_moved_folder_are_found_in_it(recorded: str, tmp_path: Path) -> None:
    run(experiment(tmp_path), artifact_uri=f"'{recorded}'")
    (found,), _, _ = read(tmp_path)
    assert found.run.info.artifact_uri == str(tmp_path / "1" / RUN / "artifacts")


@pytest.mark.parametrize("recorded", ["s3://bucket/1/artifacts", "mlflow-artifacts:/1/artifacts"])
def test_files_elsewhere_stay_there(recorded: str, tmp_path: Path) -> None:
    run(experiment(tmp_path), artifact_uri=recorded)
    (found,), _, _ = read(tmp_path)
    assert found.run.info.artifact_uri == recorded


def test_a_recorded_place_that_exists_is_meant(tmp_path: Path) -> None:
    place = tmp_path / "with space"
    place.mkdir()
    run(experiment(tmp_path / "mlruns"), artifact_uri=place.as_uri())
    (found,), _, _ = read(tmp_path / "mlruns")
    assert found.run.info.artifact_uri == str(place)


def test_runs_of_a_deleted_experiment_are_deleted_with_it(tmp_path: Path) -> None:
    home = experiment(tmp_path / ".trash", last_update_time=77, lifecycle_stage="deleted")
    run(home)
    run(home, "b" * 32, lifecycle_stage="deleted", deleted_time=66)
    runs, _, _ = read(tmp_path)
    assert [found.run.info.lifecycle_stage for found in runs] == ["deleted", "deleted"]
    assert [found.deleted_time for found in runs] == [77, 66]


def test_registered_models_with_their_versions(tmp_path: Path) -> None:
    home = experiment(tmp_path)
    run(home)
    registry = tmp_path / "models"
    write(registry / "churn" / "meta.yaml", b"name: churn\ncreation_timestamp: 5\ndescription: null\n")
    write(registry / "churn" / "tags" / "team" / "own", b"risk")
    write(registry / "churn" / "aliases" / "champion", b"2\n")
    for number, more in (
        (1, f"current_stage: Production\nsource: file://{home}/{RUN}/artifacts/m\nrun_id: {RUN}\n"),
        (2, f"current_stage: None\nsource: runs:/{RUN}/m\ndescription: d\n"),
        (3, "status: FAILED_REGISTRATION\n"), (10, "current_stage: Deleted_Internal\n"),
    ):
        write(registry / "churn" / f"version-{number}" / "meta.yaml", f"creation_timestamp: {number}\n{more}".encode())
    write(registry / "churn" / "version-2" / "tags" / "k", b"v")
    write(registry / "churn" / "version-x" / "meta.yaml", b"")
    write(registry / "hello" / "meta.yaml", b"name: hello\n")
    write(registry / "hello" / "tags" / "mlflow.prompt.is_prompt", b"true")
    write(registry / ("m-" + "0" * 32) / "meta.yaml", ("name: m-" + "0" * 32).encode())
    with FolderSource(tmp_path) as source:
        source.experiments()
        (item,) = source.registered_models()
        assert source.root_of_run(RUN) == str(home / RUN / "artifacts")
        assert (source.root_of_run("b" * 32), source.root_of_model("m")) == (None, None)
        assert [note.partition(":")[0] for note in source.notes] == [
            "version 3 of the registered model 'churn' is FAILED_REGISTRATION",
            f"the registered model 'm-{'0' * 32}' is left out", "not imported, as an import does not carry them",
        ]
    assert (item.model.tags, item.model.aliases, item.last_version) == ({"team/own": "risk"}, {"champion": "2"}, 10)
    found = [(one.version.version, one.version.current_stage, one.version.tags, one.location) for one in item.versions]
    assert found == [
        ("1", "Production", {}, str(home / RUN / "artifacts" / "m")),
        ("2", "None", {"k": "v"}, f"runs:/{RUN}/m"),
    ]


def test_a_folder_that_is_opened_has_its_registered_models(tmp_path: Path) -> None:
    home = experiment(tmp_path)
    run(home)
    write(tmp_path / "models" / "churn" / "meta.yaml", b"name: churn\n")
    write(tmp_path / "models" / "churn" / "version-1" / "meta.yaml", f"source: runs:/{RUN}/m\n".encode())
    with open_store(str(tmp_path)) as store:
        assert store.execute(GetModelVersionDownloadUri("churn", "1")).artifact_uri == (
            str(home / RUN / "artifacts" / "m")
        )


def test_which_folders_hold_a_file_store(tmp_path: Path) -> None:
    assert not holds_file_store(tmp_path / "nothing")
    assert not holds_file_store(tmp_path)
    write(tmp_path / "models" / "churn" / "meta.yaml", b"name: churn\n")
    assert not holds_file_store(tmp_path)
    with pytest.raises(InvalidValue, match="holds no file store"):
        FolderSource(tmp_path)
    experiment(tmp_path / ".trash")
    assert holds_file_store(tmp_path) and wants_import(tmp_path)
    (tmp_path / ".millstream-imported").touch()
    assert not wants_import(tmp_path)


def test_equal_histories_have_equal_digests_whatever_the_order_they_came_in() -> None:
    points = [(1, 5, math.nan), (1, 5, 2.0), (0, 9, -0.0), (1, 4, math.inf)]
    first = Series.of(RUN, "m", points)
    second = Series.of(RUN, "m", [*reversed(points), (1, 5, float("nan")), (0, 9, 0.0)])
    assert len(first) == len(second) == 4
    assert first.digest == second.digest
    assert first.digest != Series.of(RUN, "m", points[1:]).digest
