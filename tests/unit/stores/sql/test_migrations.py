"""Both ways to the tables end in the same tables, and foreign databases are left alone."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from millstream.errors import InvalidState, InvalidValue
from millstream.stores.sql.database import Database
from millstream.stores.sql.migrations import HEAD_REVISION, prepare, upgrade
from tests.servers import keeper, postgres

REVISIONS = Path(prepare.__code__.co_filename).parent / "revisions"


def alembic(database: Database, revision: str = "head") -> None:
    config = Config()
    config.set_main_option("script_location", str(REVISIONS))
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def tables_of(database: Database) -> dict[str, Any]:
    """Every table with its columns and keys, every index as the database writes it."""
    found: dict[str, Any] = {}
    with database.reading() as connection:
        inspector = inspect(connection)
        for table in sorted(set(inspector.get_table_names()) - {"alembic_version"}):
            columns = {
                column["name"]: (str(column["type"]), column["nullable"], str(column["default"]))
                for column in inspector.get_columns(table)
            }
            foreign = sorted(
                (key["constrained_columns"], key["referred_table"], key["options"])
                for key in inspector.get_foreign_keys(table)
            )
            found[table] = (columns, inspector.get_pk_constraint(table)["constrained_columns"], foreign)
        query = (
            "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type = 'index'"
            if database.is_sqlite
            else "SELECT indexname, indexdef FROM pg_indexes"
            " WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        )
        found["indexes"] = {name: re.sub(r"[\s\"]+", " ", sql) for name, sql in connection.execute(text(query))}
        if database.is_sqlite:
            sqls = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
            found["options"] = {
                name: ("WITHOUT ROWID" in sql, "AUTOINCREMENT" in sql)
                for name, sql in sqls
                if name != "alembic_version"
            }
    return found


def test_the_revisions_make_what_the_schema_says_on_sqlite(tmp_path: Path) -> None:
    by_schema, by_revisions = (Database(f"sqlite:///{tmp_path}/{name}.db") for name in ("a", "b"))
    prepare(by_schema, "root")
    alembic(by_revisions)
    assert tables_of(by_revisions) == tables_of(by_schema)
    for database in (by_schema, by_revisions):
        database.close()


def test_the_revisions_make_what_the_schema_says_on_postgresql() -> None:
    server = keeper.shared("postgres")["uri"]
    with postgres.fresh_database(server) as first, postgres.fresh_database(server) as second:
        by_schema, by_revisions = Database(first), Database(second)
        prepare(by_schema, "root")
        alembic(by_revisions)
        assert tables_of(by_revisions) == tables_of(by_schema)
        for database in (by_schema, by_revisions):
            database.close()


def test_a_database_of_the_first_revision_is_upgraded(tmp_path: Path) -> None:
    old, new = (Database(f"sqlite:///{tmp_path}/{name}.db") for name in ("old", "new"))
    prepare(new, "root")
    alembic(old, "0001")
    with pytest.raises(InvalidState, match="revision 0001"):
        prepare(old, "root")
    assert upgrade(old, "root") == "0001"
    assert tables_of(old) == tables_of(new)
    prepare(old, "root")
    for database in (old, new):
        database.close()


def test_a_new_database_is_stamped_with_the_newest_revision() -> None:
    assert ScriptDirectory(str(REVISIONS)).get_current_head() == HEAD_REVISION


def test_upgrading_twice_changes_nothing(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/a.db")
    assert upgrade(database, "root") == ""
    before = tables_of(database)
    assert upgrade(database, "root") == HEAD_REVISION
    assert tables_of(database) == before
    database.close()


def test_a_database_of_another_revision_asks_for_an_upgrade(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/a.db")
    prepare(database, "root")
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InvalidState, match="revision 9999") as caught:
        prepare(database, "root")
    assert "millstream db upgrade" in str(caught.value.hint)
    database.close()


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        ("CREATE TABLE experiments (experiment_id INTEGER); CREATE TABLE latest_metrics (key TEXT);", "made by MLflow"),
        ("CREATE TABLE songs (title TEXT);", "another program"),
    ],
)
def test_foreign_databases_are_left_alone(tmp_path: Path, statements: str, message: str) -> None:
    path = tmp_path / "foreign.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(statements)
    before = path.read_bytes()
    with pytest.raises(InvalidValue, match=message):
        prepare(Database(f"sqlite:///{path}"), "root")
    with sqlite3.connect(path) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert not tables & {"runs", "keys"}
    assert len(before) == path.stat().st_size


@pytest.mark.parametrize("uri", ["mysql://u@h/d", "sqlite", "oracle://x", "nonsense"])
def test_other_databases_are_refused(uri: str) -> None:
    with pytest.raises(InvalidValue):
        Database(uri)
