"""Statements that are text already, run by the driver itself: the hot path, where SQLAlchemy's share would be most of
the cost. They are written with ``?``, the same for both databases, in the transaction of a connection.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection

from millstream.stores.sql.schema import metadata

Row = tuple[object, ...]

_PLAIN_INSERT = re.compile(r"INSERT INTO (?P<table>\w+) \((?P<columns>[^)]*)\) VALUES \(\?(?:, \?)*\)")


def marks(count: int) -> str:
    """As many places for values, for a list."""
    return ", ".join("?" * count)


def fetch(connection: Connection, statement: str, values: Sequence[object] = ()) -> list[Any]:
    """The rows that a query finds, as the driver makes them."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(_marked(connection, statement), tuple(values))
        return list(cursor.fetchall())
    finally:
        cursor.close()


def many(connection: Connection, statement: str, rows: Sequence[Row]) -> None:
    """Run a statement once a row."""
    if not rows:
        return
    cursor = connection.connection.cursor()
    try:
        if len(rows) == 1:
            cursor.execute(_marked(connection, statement), rows[0])
        elif connection.dialect.name != "sqlite" and (whole := _from_arrays(statement)):
            cursor.execute(whole, tuple(list(column) for column in zip(*rows, strict=True)))
        else:
            cursor.executemany(_marked(connection, statement), rows)
    finally:
        cursor.close()


def _marked(connection: Connection, statement: str) -> str:
    return statement if connection.dialect.name == "sqlite" else statement.replace("?", "%s")


@cache
def _from_arrays(statement: str) -> str | None:
    """A plain INSERT that takes its rows as one array a column: PostgreSQL reads thousands of rows in one round of its
    protocol that way. None for a statement that is not plain."""
    found = _PLAIN_INSERT.match(statement)
    if found is None:
        return None
    from sqlalchemy.dialects.postgresql.base import PGDialect  # costs those nothing who have no PostgreSQL

    dialect, columns = PGDialect(), metadata.tables[found["table"]].c  # type: ignore[no-untyped-call]
    # An array has the type of its elements without their collation, which is the column's own.
    types = [
        columns[name].type.compile(dialect=dialect).partition(" COLLATE ")[0] for name in found["columns"].split(", ")
    ]
    arrays = ", ".join(f"%s::{kind}[]" for kind in types)
    head = statement[: found.end()].partition(" VALUES ")[0]
    return f"{head} SELECT * FROM unnest({arrays}){statement[found.end() :]}"
