"""MLflow databases as sources: opened without a trace, whatever their age."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import pytest

from millstream.errors import InvalidValue, StoreUnavailable
from millstream.interop.database import DatabaseSource

# The least that MLflow 1.27 has: no times of experiments or deletion, no datasets, no models.
OLD = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name TEXT, artifact_location TEXT, lifecycle_stage TEXT);
CREATE TABLE experiment_tags (key TEXT, value TEXT, experiment_id INTEGER);
CREATE TABLE runs (run_uuid TEXT PRIMARY KEY, name TEXT, user_id TEXT, status TEXT, start_time BIGINT, end_time BIGINT,
    lifecycle_stage TEXT, artifact_uri TEXT, experiment_id INTEGER);
CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE metrics (key TEXT, value FLOAT, timestamp BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN);
INSERT INTO experiments VALUES (0, 'Default', './mlruns/0', 'active');
INSERT INTO runs VALUES ('r1', '', NULL, 'FINISHED', 7, NULL, 'active', './mlruns/0/r1/artifacts', 0);
INSERT INTO runs VALUES ('r2', 'own', 'me', 'RUNNING', 3, NULL, 'active', 'mlflow-artifacts:/0/r2/artifacts', 0);
INSERT INTO tags VALUES ('mlflow.runName', 'from the tag', 'r1'), ('nothing', NULL, 'r1');
INSERT INTO metrics VALUES ('m', 0, 1, 'r1', 0, 1), ('m', 1.7976931348623157e308, 1, 'r1', 1, 0),
    ('m', -1.7976931348623157e308, 1, 'r1', 2, 0), ('m', 1.7976931348623155e308, 1, 'r1', 3, 0);
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return made(tmp_path / "old.db")


def made(path: Path, *more: str) -> Path:
    connection = sqlite3.connect(path)
    for statement in more:
        connection.execute(statement)
    connection.executescript(OLD)
    connection.close()
    return path


def test_tables_and_columns_of_newer_versions_may_be_missing(old: Path) -> None:
    with DatabaseSource(f"sqlite:///{old}") as source:
        (experiment,) = source.experiments()
        (batch,) = source.batches(experiment)
        (series,) = source.series(batch)
        assert source.logged_models(experiment) == []
        assert source.count_runs() == 2
    assert experiment.experiment.creation_time == 3, "MLflow 1 kept no times: the first run tells"
    first, second = (item.run for item in batch)
    assert (first.info.run_name, first.info.user_id, first.data.tags["nothing"]) == ("from the tag", "", "")
    assert (second.info.run_name, second.info.user_id) == ("own", "me")
    assert [repr(value) for value in series.values] == ["nan", "inf", "-inf", "1.7976931348623155e+308"]
    assert math.isnan(series.values[0])


def test_where_files_lie(old: Path) -> None:
    def roots(destination: str | None = None) -> list[str | None]:
        with DatabaseSource(f"sqlite:///{old}", destination) as source:
            return [item.run.info.artifact_uri for batch in source.batches(source.experiments()[0]) for item in batch]

    # Relative places are taken from the folder of the database.
    here = str(old.parent / "mlruns/0/r1/artifacts")
    assert roots() == [here, "mlflow-artifacts:/0/r2/artifacts"]
    assert roots("s3://bucket/root/") == [here, "s3://bucket/root/0/r2/artifacts"]
    (old.parent / "mlartifacts").mkdir()
    assert roots() == [here, str(old.parent / "mlartifacts/0/r2/artifacts")]


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_reading_leaves_no_trace(mode: str, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    path = made(place / "mlflow.db", f"PRAGMA journal_mode={mode}")
    before = path.read_bytes()
    assert [entry.name for entry in place.iterdir()] == ["mlflow.db"]
    with DatabaseSource(f"sqlite:///{path}") as source:
        assert source.count_runs() == 2
        assert [entry.name for entry in place.iterdir()] == ["mlflow.db"]
        assert len(list(source.batches(source.experiments()[0]))) == 1
    assert [entry.name for entry in place.iterdir()] == ["mlflow.db"]
    assert path.read_bytes() == before


def test_what_a_program_writes_meanwhile_is_seen(tmp_path: Path) -> None:
    """A database in WAL mode that somebody has open keeps its newest rows in another file."""
    path = made(tmp_path / "mlflow.db", "PRAGMA journal_mode=wal")
    writer = sqlite3.connect(path)
    writer.execute("INSERT INTO runs (run_uuid, experiment_id, status) VALUES ('r3', 0, 'RUNNING')")
    writer.commit()
    with DatabaseSource(f"sqlite:///{path}") as source:
        assert source.count_runs() == 3
    writer.close()


def test_it_cannot_write(old: Path) -> None:
    with DatabaseSource(f"sqlite:///{old}") as source, pytest.raises(StoreUnavailable, match="readonly"):
        source._rows("DELETE FROM runs RETURNING 1")


def test_two_workspaces_may_use_one_name(tmp_path: Path) -> None:
    path = made(tmp_path / "mlflow.db")
    connection = sqlite3.connect(path)
    connection.executescript(
        "ALTER TABLE experiments ADD COLUMN workspace TEXT;"
        "INSERT INTO experiments VALUES (5, 'Default', '', 'active', 'b')"
    )
    connection.close()
    with DatabaseSource(f"sqlite:///{path}") as source:
        assert [item.experiment.name for item in source.experiments()] == ["Default", "Default (b)"]
        assert source.notes == ["two workspaces have an experiment 'Default': the second one is called 'Default (b)'"]


def test_what_it_does_not_carry_is_counted(tmp_path: Path) -> None:
    path = made(tmp_path / "mlflow.db", "CREATE TABLE trace_info (id TEXT)", "INSERT INTO trace_info VALUES ('t')")
    with DatabaseSource(f"sqlite:///{path}") as source:
        assert source.notes == ["not imported, as an import does not carry them: 1 trace"]


def test_registered_models_of_workspaces_and_versions_that_are_not_ready(tmp_path: Path) -> None:
    path = made(
        tmp_path / "mlflow.db",
        "CREATE TABLE registered_models (name TEXT, creation_time BIGINT, workspace TEXT)",
        "INSERT INTO registered_models VALUES ('churn', 5, 'a'), ('churn', 6, 'b'), ('empty', 7, 'a')",
        "CREATE TABLE model_versions (name TEXT, version INTEGER, creation_time BIGINT, current_stage TEXT,"
        " source TEXT, status TEXT, workspace TEXT)",
        "INSERT INTO model_versions VALUES ('churn', 1, 1, 'Staging', 'mlruns/0/r1/artifacts/m', 'READY', 'a'),"
        " ('churn', 2, 2, 'None', 'x', 'FAILED_REGISTRATION', 'a'),"
        " ('churn', 3, 3, 'Deleted_Internal', 'x', 'READY', 'a'),"
        " ('churn', 9, 4, 'None', 'x', 'READY', 'b')",
    )
    with DatabaseSource(f"sqlite:///{path}") as source:
        first, second = source.registered_models()
        assert (first.model.name, first.model.creation_timestamp, first.last_version) == ("churn", 5, 3)
        assert [(one.version.version, one.version.current_stage, one.location) for one in first.versions] == [
            ("1", "Staging", str(tmp_path / "mlruns/0/r1/artifacts/m"))
        ]
        assert (second.model.name, second.versions) == ("empty", [])
        assert source.notes == [
            "version 2 of the registered model 'churn' is FAILED_REGISTRATION: it is left out",
            "two workspaces have a registered model 'churn': that of 'b' is left out",
        ]
        assert source.root_of_run("r1") == str(tmp_path / "mlruns/0/r1/artifacts")
        assert (source.root_of_run("no"), source.root_of_model("no")) == (None, None)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("not a database, whatever its name says" * 50)
    with pytest.raises(StoreUnavailable, match="file is not a database"):
        DatabaseSource(f"sqlite:///{path}")
    with pytest.raises(InvalidValue, match="there is no file"):
        DatabaseSource(f"sqlite:///{tmp_path}/none.db")
