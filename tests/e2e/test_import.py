"""`millstream import mlflow`: what MLflow has stored arrives whole, judged by MLflow's own clients."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.import_sources import KINDS, POINTS, as_imported, dump, fill, made
from tests.servers.millstream import MillstreamServer
from tests.servers.mlflow import MlflowServer
from tests.servers.processes import wait_until

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]

RICH = {
    "experiments": 4, "params": 6, "points": POINTS + 18, "artifacts": 6, "checksums": 6, "bytes": 2 * (256 * 4096 + 4),
    "registered models": 0, "model versions": 0,
}


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "MILLSTREAM_"))}


def command(*words: str) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "millstream", *words]


def millstream(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*words), cwd=cwd, env=environment(), capture_output=True, text=True, check=False)


def imported(source: str, destination: str, *options: str, cwd: Path, status: int = 0) -> dict[str, Any]:
    """The report of an import by the real command."""
    done = millstream("import", "mlflow", source, "--json", "--tracking-uri", destination, *options, cwd=cwd)
    assert done.returncode == status, done.stderr + done.stdout
    assert done.stderr == ""
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def counts(report: dict[str, Any], side: str = "here") -> dict[str, int]:
    return {kind: line[side] for kind, line in report["counts"].items()}


def contents(folder: Path) -> dict[str, tuple[int, str]]:
    """Every file below a folder: when it was changed, and the SHA-256 of its bytes."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.rglob("*")) if path.is_file()
    }


def tables(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of a database, by table; the log of who changed what goes on whatever is written."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
        kept = [name for name in names if name != "changes"]
        return {name: sorted(connection.execute(f'SELECT * FROM "{name}"'), key=repr) for name in kept}


@pytest.mark.parametrize("kind", KINDS)
def test_everything_arrives(kind: str, tmp_path: Path) -> None:
    source = made(kind, tmp_path)
    before = contents(source.place)
    with MillstreamServer(tmp_path, f"sqlite:///{tmp_path}/ours.db") as server:
        report = imported(source.uri, server.uri, cwd=tmp_path)
        there = dump(source.client, server.uri, tmp_path)

    assert contents(source.place) == before
    assert report["differences"] == []
    assert counts(report, "source") == counts(report, "here")
    modern = source.client != "1.27.0"
    latest = source.client == "3.17.2"
    assert counts(report) == RICH | {
        "runs": 8 if modern else 7, "tags": counts(report)["tags"], "metrics": 10 if latest else 9,
        "points": RICH["points"] + (3 if latest else 0), "datasets": 2 if modern else 0,
        "inputs": 4 if latest else 3 if modern else 0, "outputs": 1 if latest else 0,
        "logged models": 3 if latest else 0, "artifacts": 8 if latest else 6, "checksums": 8 if latest else 6,
        "bytes": RICH["bytes"] + (2_012 if latest else 0),
    }
    theirs = as_imported(dump(source.client, source.uri, source.place))
    ours = as_imported(there)
    for name, experiment in theirs.items():
        if experiment["times"] is None:
            ours[name]["times"] = None
    # "Default" was here before: it keeps its own times.
    theirs["Default"]["times"] = ours["Default"]["times"]
    assert ours == theirs


def test_ids_times_and_deletion_are_kept(tmp_path: Path) -> None:
    source = made("database of 3.17", tmp_path)
    imported(source.uri, "ours", cwd=tmp_path)
    theirs, ours = (sqlite3.connect(path) for path in (source.place / "mlflow.db", tmp_path / "ours" / "millstream.db"))
    both = [
        ("SELECT experiment_id, name, creation_time, last_update_time, lifecycle_stage = 'deleted' FROM experiments "
         "WHERE experiment_id > 0",
         "SELECT id, name, creation_time, last_update_time, deleted_time IS NOT NULL FROM experiments WHERE id > 0"),
        ("SELECT run_uuid, experiment_id, name, user_id, start_time, end_time, deleted_time FROM runs",
         "SELECT run_id, experiment_id, run_name, user_id, start_time, end_time, deleted_time FROM runs"),
        ("SELECT model_id, experiment_id, name, creation_timestamp_ms, last_updated_timestamp_ms FROM logged_models",
         "SELECT model_id, experiment_id, name, creation_timestamp_ms, last_updated_timestamp_ms FROM logged_models"),
    ]
    for asked_there, asked_here in both:
        assert sorted(ours.execute(asked_here)) == sorted(theirs.execute(asked_there))
    ours.close()
    theirs.close()


def test_restoring_an_imported_experiment_brings_its_runs_back(tmp_path: Path) -> None:
    source = made("folder of 3.17", tmp_path)
    imported(source.uri, "ours", cwd=tmp_path)
    done = millstream("experiments", "restore", "-x", source.ids["gone"], "--tracking-uri", "ours", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(tmp_path / "ours" / "millstream.db") as ours:
        deleted = dict(ours.execute("SELECT run_id, deleted_time FROM runs"))
    assert deleted[source.ids["run of gone"]] is None
    assert deleted[source.ids["deleted before gone"]] is not None


def test_a_repeated_import_changes_nothing(tmp_path: Path) -> None:
    source = made("database of 3.17", tmp_path)
    first = imported(source.uri, "ours", cwd=tmp_path)
    before, files = tables(tmp_path / "ours" / "millstream.db"), contents(tmp_path / "ours" / "1")
    second = imported(source.uri, "ours", cwd=tmp_path)
    assert (second["counts"], second["notes"]) == (first["counts"], first["notes"])
    assert tables(tmp_path / "ours" / "millstream.db") == before
    assert contents(tmp_path / "ours" / "1") == files


def grown(database: Path, runs: int, points: int) -> list[str]:
    """Add runs with long histories to MLflow's database, each in an experiment of its own; returns their ids."""
    ids = [uuid.uuid4().hex for _ in range(runs)]
    with sqlite3.connect(database) as connection:
        for number, run_id in enumerate(ids, 100):
            connection.execute(
                "INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (?, ?, 'active')",
                (number, f"long {number}"),
            )
            connection.execute(
                "INSERT INTO runs (run_uuid, name, status, start_time, lifecycle_stage, artifact_uri, experiment_id)"
                " VALUES (?, 'long', 'FINISHED', 1, 'active', '', ?)", (run_id, number),
            )
            connection.executemany(
                "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES ('m', ?, ?, ?, ?, 0)",
                ((step / 7, step, run_id, step) for step in range(points)),
            )
    connection.close()
    return ids


def test_a_killed_import_goes_on(tmp_path: Path) -> None:
    source = made("database of 3.17", tmp_path)
    long = grown(source.place / "mlflow.db", runs=8, points=60_000)
    database = tmp_path / "ours" / "millstream.db"

    def arrived() -> int:
        if not database.exists():
            return 0
        try:
            with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as ours:
                return int(ours.execute("SELECT count(*) FROM metrics").fetchone()[0])
        except sqlite3.OperationalError:  # its tables are being made
            return 0

    with subprocess.Popen(
        command("import", "mlflow", source.uri, "--tracking-uri", "ours"), cwd=tmp_path, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:
        wait_until(lambda: arrived() > 10, 60, "the first long history")
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert 10 < arrived() < 10 + len(long)

    report = imported(source.uri, "ours", cwd=tmp_path)
    assert counts(report, "source") == counts(report)
    assert counts(report)["points"] == POINTS + 21 + len(long) * 60_000
    with sqlite3.connect(database) as ours:
        assert ours.execute("SELECT count(*) FROM metric_points").fetchone() == (counts(report)["points"],)


def test_what_was_logged_since_comes_with_the_next_import(tmp_path: Path) -> None:
    source = made("database of 3.17", tmp_path)
    imported(source.uri, "ours", cwd=tmp_path)
    running = source.ids["running"]
    with sqlite3.connect(source.place / "mlflow.db") as theirs:
        theirs.execute("UPDATE runs SET status = 'FINISHED', end_time = 1600000099000 WHERE run_uuid = ?", (running,))
        theirs.execute("INSERT INTO tags (key, value, run_uuid) VALUES ('new', 'tag', ?)", (running,))
        theirs.execute(
            "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES ('n', 1, 2, ?, 3, 0)",
            (running,),
        )
    theirs.close()
    report = imported(source.uri, "ours", cwd=tmp_path)
    assert counts(report)["points"] == POINTS + 22
    done = millstream("runs", "describe", "--run-id", running, "--tracking-uri", "ours", cwd=tmp_path)
    shown = json.loads(done.stdout)
    assert (shown["info"]["status"], shown["info"]["end_time"]) == ("FINISHED", 1600000099000)
    assert (shown["data"]["tags"]["new"], shown["data"]["metrics"]) == ("tag", {"n": 1.0})


def test_what_differs_is_named_and_kept_unless_told_otherwise(tmp_path: Path) -> None:
    source = made("database of 3.17", tmp_path)
    files = counts(imported(source.uri, "ours", cwd=tmp_path))["artifacts"]
    rich = source.ids["rich"]
    with sqlite3.connect(tmp_path / "ours" / "millstream.db") as ours:
        ours.execute("UPDATE runs SET user_id = 'ours' WHERE run_id = ?", (rich,))
        ours.execute(
            "UPDATE run_tags SET value = 'ours' WHERE key = (SELECT id FROM keys WHERE name = 'batch')"
            " AND run = (SELECT id FROM runs WHERE run_id = ?)", (rich,),
        )
    ours.close()
    next((tmp_path / "ours").rglob("weights.bin")).write_bytes(b"damaged")

    report = imported(source.uri, "ours", cwd=tmp_path, status=1)
    assert report["differences"] == [
        f"run {rich}: its user_id is 'zoë' in the source and 'ours' here",
        f"run {rich}: the tag 'batch' is 'tag 🚀' in the source and 'ours' here",
    ]
    assert counts(report)["runs"] == counts(report, "source")["runs"] - 1
    assert counts(report)["checksums"] == files, "the damaged file was fetched again"

    shown = millstream("import", "mlflow", source.uri, "--tracking-uri", "ours", cwd=tmp_path)
    assert shown.returncode == 1
    assert f"differs: run {rich}: its user_id is 'zoë' in the source and 'ours' here" in shown.stderr
    assert shown.stderr.rstrip().splitlines()[-1].startswith("hint: run the import again")
    assert [line.split() for line in shown.stdout.splitlines()][1] == ["experiments", "4", "4"]

    assert imported(source.uri, "ours", "--overwrite", cwd=tmp_path)["differences"] == []
    assert imported(source.uri, "ours", cwd=tmp_path)["differences"] == []


def test_taken_ids_and_names(tmp_path: Path) -> None:
    source = made("database of 3.17", tmp_path)
    for name in ("other", "second"):  # ids 1 and 2
        assert millstream("experiments", "create", "-n", name, "--tracking-uri", "ours", cwd=tmp_path).returncode == 0
    report = imported(source.uri, "ours", cwd=tmp_path)
    found = millstream("experiments", "search", "-v", "all", "--json", "--tracking-uri", "ours", cwd=tmp_path)
    ids = {experiment["name"]: experiment["experiment_id"] for experiment in json.loads(found.stdout)}
    assert ids == {"Default": "0", "other": "1", "second": "2", "gone": "3", "first ä €": ids["first ä €"]}
    assert report["notes"] == [f"experiment 'first ä €' has the id {ids['first ä €']} here, not 1: that id is taken"]
    again = imported(source.uri, "ours", cwd=tmp_path)
    assert (again["counts"], again["differences"]) == (report["counts"], [])


def test_files_may_be_left_where_they_lie_or_left_out(tmp_path: Path) -> None:
    source = made("database of 3.17", tmp_path)
    for how in ("link", "none"):
        report = imported(source.uri, how, "--artifacts", how, cwd=tmp_path)
        assert counts(report)["checksums"] == 0
        assert counts(report)["artifacts"] == (counts(report, "source")["artifacts"] if how == "link" else 0)
        with sqlite3.connect(tmp_path / how / "millstream.db") as ours:
            roots = dict(ours.execute("SELECT run_id, artifact_uri FROM runs"))
            places = [row[0] for row in ours.execute("SELECT artifact_location FROM experiments")]
        assert all(place.startswith(str(tmp_path / how)) for place in places)
        done = millstream("artifacts", "list", "-r", source.ids["rich"], "--tracking-uri", how, cwd=tmp_path)
        listed = json.loads(done.stdout)
        if how == "link":
            assert [entry["path"] for entry in listed] == ["again", "deep", "empty.txt"]
            assert roots[source.ids["rich"]].endswith(f"mlruns/1/{source.ids['rich']}/artifacts")
        else:
            assert listed == []


def test_a_folder_is_imported_when_it_is_first_opened(tmp_path: Path) -> None:
    source = made("folder of 2.14", tmp_path)
    folder = source.place / "mlruns"
    before = contents(folder)
    opened = [
        subprocess.Popen(
            command("runs", "list", "-x", source.ids["first"], "--json", "--tracking-uri", str(folder)), cwd=tmp_path,
            env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]
    answers = [process.communicate() for process in opened]
    assert [process.returncode for process in opened] == [0, 0, 0], answers
    for shown, said in answers:
        assert {run["info"]["run_id"] for run in json.loads(shown)} == {
            source.ids["rich"], source.ids["child"], source.ids["grandchild"]
        }
        assert said == ""
    assert {name: file for name, file in contents(folder).items() if name in before} == before
    added = {name.split("/")[0] for name in contents(folder)} - {name.split("/")[0] for name in before}
    assert all(name.startswith(("millstream.db", ".millstream-import")) for name in added), added
    listed = millstream("artifacts", "list", "-r", source.ids["rich"], "--tracking-uri", str(folder), cwd=tmp_path)
    assert len(json.loads(listed.stdout)) == 3
    with sqlite3.connect(folder / "millstream.db") as ours:
        assert ours.execute("SELECT count(*) FROM metric_points").fetchone() == (RICH["points"],)


@pytest.mark.slow
def test_a_server_as_source_and_a_server_as_destination(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    with MlflowServer(theirs) as mlflow, MillstreamServer(ours) as server:
        ids = fill("3.17.2", mlflow.uri, theirs)
        report = imported(mlflow.uri, server.uri, cwd=tmp_path)
        assert report["differences"] == []
        assert counts(report, "source") == counts(report)
        assert counts(report) == RICH | {
            "runs": 8, "tags": counts(report)["tags"], "metrics": 10, "points": RICH["points"] + 3, "datasets": 2,
            "inputs": 4, "outputs": 1, "logged models": 2, "artifacts": 8, "checksums": 8,
            "bytes": RICH["bytes"] + 2_012,
        }
        here = as_imported(dump("3.17.2", server.uri, tmp_path))
        there = as_imported(dump("3.17.2", mlflow.uri, tmp_path))
        there["Default"]["times"] = here["Default"]["times"]
        assert here == there
        assert imported(mlflow.uri, server.uri, cwd=tmp_path)["counts"] == report["counts"]
        linked = imported(mlflow.uri, "linked", "--artifacts", "link", cwd=tmp_path)
        assert linked["differences"] == []
        fetched = millstream("artifacts", "download", "-r", ids["rich"], "-a", "deep/er/still/data.bin",
                             "--tracking-uri", "linked", "-d", "fetched", cwd=tmp_path)
        assert Path(fetched.stdout.strip()).read_bytes() == bytes(range(256)) * 4096, fetched.stderr


@pytest.fixture
def two_databases(postgres_uri: str) -> Iterator[tuple[str, str]]:
    from tests.servers.postgres import fresh_database

    with fresh_database(postgres_uri) as second:
        yield postgres_uri, second


def test_postgresql_as_source_and_as_destination(two_databases: tuple[str, str], tmp_path: Path) -> None:
    theirs, ours = two_databases
    fill("3.17.2", theirs.replace("postgresql://", "postgresql+psycopg://"), tmp_path)
    report = imported(theirs, "sqlite-side", cwd=tmp_path)
    assert counts(report, "source") == counts(report)
    assert counts(report)["points"] == POINTS + 21
    onward = imported(theirs, ours, cwd=tmp_path)
    # MLflow keeps its files in ./mlruns, where a database of ours keeps them too: they are there already.
    report["counts"]["checksums"] = {"source": 0, "here": 0}
    assert (onward["counts"], onward["differences"]) == (report["counts"], [])
    # A new experiment gets an id of its own behind the imported ones.
    done = millstream("experiments", "create", "-n", "new", "--json", "--tracking-uri", ours, cwd=tmp_path)
    assert json.loads(done.stdout)["experiment_id"] == "4", done.stderr
    again = imported(theirs, ours, cwd=tmp_path)
    assert (again["counts"], again["differences"]) == (report["counts"], [])


@pytest.mark.parametrize(
    ("source", "said", "hint"),
    [
        ("nothing", "'{cwd}/nothing' holds no file store of MLflow", "name the folder that holds"),
        ("around", "'{cwd}/around' is no store of MLflow", "did you mean '{cwd}/around/mlruns'?"),
        ("sqlite:///nothing.db", "there is no file '{cwd}/nothing.db'", "name the file of MLflow's database"),
        ("sqlite:///other.db", "sqlite:///other.db is not a database of MLflow: it has no table 'experiments'",
         "name the file or address"),
        ("ours/millstream.db", "sqlite:///{cwd}/ours/millstream.db is a store of Millstream already",
         "open it as it is"),
        ("mysql://host/db", "'mysql://host/db' names no source that can be imported", "name sqlite:///mlflow.db"),
    ],
)
def test_a_wrong_source_is_an_error_with_the_next_step(source: str, said: str, hint: str, tmp_path: Path) -> None:
    (tmp_path / "around" / "mlruns" / "0").mkdir(parents=True)
    (tmp_path / "around" / "mlruns" / "0" / "meta.yaml").write_text("experiment_id: '0'\nname: Default\n")
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE t (a)").connection.close()
    millstream("experiments", "search", "--tracking-uri", "ours", cwd=tmp_path)
    done = millstream("import", "mlflow", source, "--tracking-uri", "destination", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    error, blank, told = done.stderr.splitlines()
    assert (error, blank) == ("error: " + said.format(cwd=tmp_path), "")
    assert told.startswith("hint: " + hint.format(cwd=tmp_path))
    assert not (tmp_path / "destination").exists()
