"""Connections to SQLite and PostgreSQL, and what each needs to keep its promises.

SQLite runs in WAL mode: readers never wait, writers begin with BEGIN IMMEDIATE and wait for each other at the door, so
a transaction that has begun is never refused as locked.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import QueuePool, StaticPool

from millstream import settings
from millstream.errors import Conflict, InvalidValue, MillstreamError, StoreUnavailable
from millstream.search.patterns import matcher
from millstream.stores.sql.forks import TRANSACTION, inherit

# How long a SQLite connection waits for another process's transaction before it gives up.
BUSY_SECONDS = 120.0

_DEADLOCK = "40P01"  # PostgreSQL's code
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


def database_url(uri: str) -> URL:
    """The SQLAlchemy URL of a tracking URI. Raises InvalidValue for what is neither SQLite nor PostgreSQL."""
    scheme, separator, rest = uri.partition(":")
    uri = _DRIVERS.get(scheme, scheme) + separator + rest
    try:
        url = make_url(uri)
    except sqlalchemy_errors.ArgumentError:
        raise InvalidValue(
            f"{uri!r} is not the address of a database", hint="write sqlite:///path/to/file.db or postgresql://user@host/db"
        ) from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise InvalidValue(
            f"databases of the kind {url.get_backend_name()!r} are not supported",
            hint="use sqlite:/// or postgresql://; `millstream import mlflow` reads an MLflow database of either kind",
        )
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    return url


def _regexp(pattern: str, text: str | None) -> bool | None:
    return None if text is None else matcher(pattern)(text)


def _lower(text: str | None) -> str | None:
    """SQLite's own knows the letters of ASCII only."""
    return None if text is None else str(text).lower()


class Database:
    """One database, opened. Reading connections come from a pool; see :meth:`reading` and :meth:`writing`."""

    def __init__(self, uri: str) -> None:
        self.url = database_url(uri)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.in_memory = self.is_sqlite and self.url.database in (None, "", ":memory:")
        options: dict[str, Any] = {"echo": settings.DATABASE_ECHO.get()}
        if self.is_sqlite:
            if self.in_memory:
                options["poolclass"] = StaticPool
            else:
                self.path = Path(str(self.url.database))
                options |= {"poolclass": QueuePool, "pool_size": 8, "max_overflow": 32}
            options["connect_args"] = {"check_same_thread": False, "timeout": BUSY_SECONDS, "isolation_level": None}
        else:
            options |= {
                "pool_size": settings.DATABASE_POOL_SIZE.get(),
                "max_overflow": settings.DATABASE_MAX_OVERFLOW.get(),
                "pool_pre_ping": True,
                "connect_args": {"connect_timeout": 10, "options": "-c timezone=UTC"},
            }
        try:
            self.engine = create_engine(self.url, **options)
        except ModuleNotFoundError as error:
            raise InvalidValue(
                f"{uri.partition(':')[0]} needs the package {error.name}", hint="pip install 'millstream[postgres]'"
            ) from None
        # The driver's module, for the errors that it raises by itself.
        self.driver: Any = self.engine.dialect.loaded_dbapi
        if self.is_sqlite:
            event.listen(self.engine, "connect", self._prepare_sqlite)
            event.listen(self.engine, "begin", self._begin_sqlite)
        inherit(self)

    def _prepare_sqlite(self, connection: sqlite3.Connection, _record: object) -> None:
        run = connection.execute
        if not self.in_memory and run("PRAGMA journal_mode").fetchone() != ("wal",):
            run("PRAGMA journal_mode=WAL")
        run(f"PRAGMA synchronous={settings.SQLITE_SYNCHRONOUS.get()}")
        run("PRAGMA foreign_keys=ON")
        run("PRAGMA case_sensitive_like=ON")
        run("PRAGMA temp_store=MEMORY")
        run("PRAGMA cache_size=-32768")
        run("PRAGMA mmap_size=1073741824")
        connection.create_function("regexp", 2, _regexp, deterministic=True)
        connection.create_function("lower", 1, _lower, deterministic=True)

    @staticmethod
    def _begin_sqlite(connection: Connection) -> None:
        writes = connection.get_execution_options().get("millstream_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the database. Raises StoreUnavailable when there is none to be had."""
        with _explained(self), TRANSACTION, self.engine.connect() as connection, connection.begin():
            if not self.is_sqlite:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is durable when the block ends, and never was when it raises."""
        with _explained(self), TRANSACTION, self.engine.connect() as connection:
            connection = connection.execution_options(millstream_writes=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Release every connection; SQLite's log is folded into the file when the last process leaves."""
        with TRANSACTION:
            self.engine.dispose()

    def after_fork(self) -> None:
        """Let go of the parent's connections: SQLite's are closed here, sockets to PostgreSQL are the parent's."""
        if not self.in_memory:
            self.engine.dispose(close=self.is_sqlite)


@contextlib.contextmanager
def _explained(database: Database) -> Iterator[None]:
    """Turn what a driver raises into the tree of errors."""
    try:
        yield
    except MillstreamError:
        raise
    except (sqlalchemy_errors.DBAPIError, database.driver.Error) as error:
        raise explain(error, database) from error
    except sqlalchemy_errors.TimeoutError as error:
        raise StoreUnavailable(
            "every connection to the database is busy", hint="raise MILLSTREAM_DATABASE_POOL_SIZE, or ask less at once"
        ) from error


def is_deadlock(error: BaseException | None) -> bool:
    """Whether PostgreSQL broke a transaction off because it and another waited for each other."""
    while error is not None:
        cause = error.orig if isinstance(error, sqlalchemy_errors.DBAPIError) else error
        if getattr(cause, "sqlstate", None) == _DEADLOCK:
            return True
        error = error.__cause__
    return False


def explain(error: Exception, database: Database) -> MillstreamError:
    """What a driver says (or SQLAlchemy on its behalf), as an error of ours with the next step."""
    cause = error.orig if isinstance(error, sqlalchemy_errors.DBAPIError) else error
    said = str(cause).strip().split("\n")[0]
    name = database.url.render_as_string(hide_password=True)
    if isinstance(cause, database.driver.DataError):
        return InvalidValue(f"the database cannot keep a value of this request: {said}")
    if isinstance(cause, database.driver.IntegrityError):
        return Conflict(f"another change came first: {said}", hint="read again, then try again")
    hints = {
        "full": "free some space on its disk; what was logged waits in the outbox, `millstream sync` ships it",
        "readonly": "make the file and its folder writable for this user",
        "read-only": "make the file and its folder writable for this user",
        "unable to open": "check that the folder exists and that this user may write into it",
        "locked": "another process holds the database for too long; find it with `fuser` and stop it",
        "malformed": "restore the file from a backup, or recover it with `sqlite3 FILE .recover`",
        "not a database": "the file is something else; name another one",
    }
    for word, hint in hints.items():
        if word in said.lower():
            return StoreUnavailable(f"the database {name} cannot be used: {said}", hint=hint)
    if isinstance(cause, (database.driver.OperationalError, database.driver.InterfaceError)):
        return StoreUnavailable(f"the database {name} cannot be used: {said}", hint="check that it runs and lets us in")
    return MillstreamError(f"the database refused a statement: {said}")
