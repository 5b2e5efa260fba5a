"""Making, checking and upgrading the tables of a database.

A new database is made from :mod:`millstream.stores.sql.schema` at once and stamped with the newest revision; an old one
goes through the Alembic scripts under ``revisions/``. A test asserts that both ways end in the same tables.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, insert, inspect, text

from millstream.errors import InvalidState, InvalidValue
from millstream.stores.sql.database import Database
from millstream.stores.sql.endpoints import tables as endpoint_tables
from millstream.stores.sql.monitoring import tables as monitoring_tables
from millstream.stores.sql.registry import tables as registry_tables
from millstream.stores.sql.schema import experiments, metadata
from millstream.stores.sql.views import tables as view_tables
from millstream.stores.sql.webhooks import tables as webhook_tables

HEAD_REVISION = "0007"
# Importing a module of tables enters them into the metadata.
_TABLES = (monitoring_tables, registry_tables, webhook_tables, endpoint_tables, view_tables)
_SCRIPTS = Path(__file__).parent / "revisions"


def prepare(database: Database, artifact_root: str) -> None:
    """Make the tables of a new database; check those of an old one.

    Raises InvalidState when the database needs an upgrade or is newer than this program, InvalidValue when it is
    MLflow's or somebody else's.
    """
    if _revision_is_current(database):
        return
    with _one_at_a_time(database), database.writing() as connection:
        names = set(inspect(connection).get_table_names())
        if not names:
            metadata.create_all(connection)
            _stamp(connection)
            now = int(time.time() * 1000)
            connection.execute(
                insert(experiments).values(
                    id=0,
                    name="Default",
                    artifact_location=f"{artifact_root.rstrip('/')}/0",
                    creation_time=now,
                    last_update_time=now,
                )
            )
            return
        shown = database.url.render_as_string(hide_password=True)
        if "keys" not in names or "metric_points" not in names:
            if "experiments" in names and "latest_metrics" in names:
                raise InvalidValue(
                    f"{shown} was made by MLflow",
                    hint=f"it stays as it is; copy it into a store of ours: `millstream import mlflow {shown}`",
                )
            raise InvalidValue(f"{shown} holds tables of another program", hint="name an empty database")
        found = _revision(connection)
        if found != HEAD_REVISION:
            raise InvalidState(
                f"{shown} has the tables of revision {found}, this version of Millstream needs {HEAD_REVISION}",
                hint=f"back it up, then run `millstream db upgrade {shown}`",
            )


def upgrade(database: Database, artifact_root: str) -> str:
    """Bring the tables to the newest revision, whatever they are; returns the revision it had ("" for a new one)."""
    from alembic import command
    from alembic.config import Config

    with database.reading() as connection:
        names = set(inspect(connection).get_table_names())
        before = _revision(connection) if "alembic_version" in names else ""
    if not before:
        prepare(database, artifact_root)
        return ""
    if before != HEAD_REVISION:
        config = Config()
        config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
        with _one_at_a_time(database), database.writing() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    return before


def _revision_is_current(database: Database) -> bool:
    if database.is_sqlite and not database.in_memory and not database.path.exists():
        return False
    with database.reading() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        return _revision(connection) == HEAD_REVISION and inspect(connection).has_table("metric_points")


def _revision(connection: Connection) -> str:
    if not inspect(connection).has_table("alembic_version"):
        return "unknown"
    return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or "unknown")


def _stamp(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": HEAD_REVISION})


@contextmanager
def _one_at_a_time(database: Database) -> Iterator[None]:
    """Several processes that open a new database at once: one makes the tables, the others wait and find them."""
    if database.in_memory:
        yield
    elif database.is_sqlite:
        import fcntl

        database.path.parent.mkdir(parents=True, exist_ok=True)
        with open(database.path.with_name(database.path.name + ".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    else:
        with database.engine.connect() as connection, connection.begin():
            connection.execute(text("SELECT pg_advisory_xact_lock(7317262)"))
            yield
