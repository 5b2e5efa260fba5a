"""Orders in SQL, and where a page ends.

Every order is total: what compares equal is ordered by its time, newest first, then by its id. What has no value comes
last in both directions, NaN before what is missing altogether. A page ends at a row, not at a count: the token names
that row by the values it is ordered by, so that rows which come and go elsewhere move nothing in or out of the pages.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from millstream.entities.base import Int64
from millstream.errors import InvalidValue
from millstream.search.sql import FALSE, Clause, every

VALUE, NAN, MISSING = range(3)
# What a row is ordered by under one key: which of the three it is, and the value (0 where there is none).
State: TypeAlias = tuple[int, Any]
States: TypeAlias = tuple[State, ...]
NO_VALUE: State = (MISSING, 0)
NOT_A_NUMBER: State = (NAN, 0)


@dataclass(frozen=True)
class Key:
    """One key of an order.

    ``value`` is NULL for what comes last; where ``present`` is given, a NULL value is NaN if ``present`` is not NULL.
    ``join`` brings in the table that they name.
    """

    value: Clause
    ascending: bool
    text: bool = False
    present: Clause | None = None
    join: Clause = Clause("")

    def descending(self) -> str:
        """The word after a column in ORDER BY."""
        return "" if self.ascending else " DESC"


@dataclass(frozen=True)
class Sorted:
    """Rows in an order: ``SELECT row, values of the keys`` with conditions, the page that begins after ``after``."""

    row: str
    origin: Clause
    conditions: Sequence[Clause]
    keys: Sequence[Key]
    after: States | None
    limit: int

    def statement(self) -> Clause:
        """The whole statement; :func:`read_states` reads its rows."""
        columns, order = [f"{self.row} AS id"], []
        values: list[Any] = []
        for index, key in enumerate(self.keys):
            columns.append(f"{key.value.sql} AS k{index}")
            values += key.value.values
            order += [f"k{index} IS NULL", f"k{index}{key.descending()}"]
            if key.present is not None:
                columns.append(f"{key.present.sql} AS p{index}")
                values += key.present.values
                order.append(f"p{index} IS NULL")
        joins = [key.join for key in self.keys if key.join.sql]
        sql = " ".join([f"SELECT {', '.join(columns)} FROM {self.origin.sql}", *(join.sql for join in joins)])
        values += self.origin.values
        for join in joins:
            values += join.values
        condition = every(self.conditions)
        sql += f" WHERE {condition.sql}"
        values += condition.values
        beyond = self._beyond()
        where = f" WHERE {beyond.sql}" if beyond is not None else ""
        values += beyond.values if beyond is not None else ()
        return Clause(f"SELECT * FROM ({sql}) t{where} ORDER BY {', '.join(order)} LIMIT {self.limit}", tuple(values))

    def _beyond(self) -> Clause | None:
        """The condition that a row comes after the last one of the page before."""
        if self.after is None:
            return None
        sql = FALSE.sql
        values: tuple[Any, ...] = ()
        for index in reversed(range(len(self.keys))):
            key, (kind, value) = self.keys[index], self.after[index]
            column, present = f"k{index}", f"p{index}"
            if kind == VALUE:
                further = f"({column} {'>' if key.ascending else '<'} ? OR {column} IS NULL)"
                same = f"{column} = ?"
                sql = f"({further} OR ({same} AND {sql}))"
                values = (value, value, *values)
            elif kind == NAN:
                sql = f"({column} IS NULL AND ({present} IS NULL OR {sql}))"
            else:
                absent = f" AND {present} IS NULL" if key.present is not None else ""
                sql = f"({column} IS NULL{absent} AND {sql})"
        return Clause(sql, values)


def read_states(row: Sequence[Any], keys: Sequence[Key]) -> States:
    """What a row of :meth:`Sorted.statement` is ordered by; the row's identity is its first column."""
    states: list[State] = []
    columns = iter(row[1:])
    for key in keys:
        value = next(columns)
        present = next(columns) if key.present is not None else None
        states.append((VALUE, value) if value is not None else NOT_A_NUMBER if present is not None else NO_VALUE)
    return tuple(states)


def merge(rows: list[tuple[int, States]], keys: Sequence[Key]) -> list[tuple[int, States]]:
    """Rows of several searches in the one order of ``keys``."""
    for index, key in reversed(list(enumerate(keys))):
        sign = 1 if key.ascending else -1
        rows.sort(key=lambda row: (sign * row[1][index][0], row[1][index][1]), reverse=not key.ascending)
    return rows


class _Token(msgspec.Struct, array_like=True):
    of: bytes
    states: list[tuple[int, Int64 | float | str]]


def fingerprint(*of: object) -> bytes:
    """What a search is, in eight bytes: a token continues the search that it was made by, and no other."""
    return hashlib.blake2b(repr(of).encode(), digest_size=8).digest()


def write_token(of: bytes, states: States) -> str:
    """The token of the page after the row that is ordered by ``states``."""
    packed = msgspec.msgpack.encode(_Token(of, list(states)))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def read_token(token: str | None, of: bytes, keys: Sequence[Key]) -> States | None:
    """Where the page before ended; None without a token. Raises InvalidValue for a token of anything else."""
    if not token:
        return None
    try:
        packed = base64.b64decode(token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        found = msgspec.msgpack.decode(packed, type=_Token)
    except (binascii.Error, UnicodeEncodeError, msgspec.MsgspecError):
        raise InvalidValue(
            "Invalid page token: it was not made by a search", hint="pass the next_page_token of the page before"
        ) from None
    fits = (
        found.of == of
        and len(found.states) == len(keys)
        and all(
            kind in (VALUE, MISSING, NAN)
            and (kind != NAN or key.present is not None)
            and (kind != VALUE or isinstance(value, str) is key.text)
            for (kind, value), key in zip(found.states, keys, strict=False)
        )
    )
    if not fits:
        raise InvalidValue(
            "Invalid page token: it belongs to a search with another filter, order or scope",
            hint="repeat the search without a page token, and keep everything but the token from page to page",
        )
    return tuple(found.states)
