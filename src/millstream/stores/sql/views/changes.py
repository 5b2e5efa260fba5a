"""The log of changes: each transaction writes down whom it has changed, and whoever watches reads on from a number.

Every process that writes does so, so that a server hears of what others write into the same database. The log holds
the last minutes only; who comes with an older number is told to read everything anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, TypeAlias

from millstream.operations import (
    BeatRun,
    Changed,
    ChangePage,
    ChangeRuns,
    CreateExperiment,
    CreateLoggedModel,
    CreateRegisteredModel,
    CreateRun,
    ListChanges,
    Operation,
    RenameRegisteredModel,
    Resource,
)
from millstream.stores.sql.driver import fetch, many
from millstream.stores.sql.transaction import Transaction, executes, now_ms

Subject: TypeAlias = tuple[str, str]

KEPT_MS = 10 * 60 * 1000
# How many transactions of this process go by between two cuts of the log.
_CUT_EVERY = 2_048
_MOST = 10_000
_INSERT = "INSERT INTO changes (seq, kind, subject, time) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_turns = itertools.count(1)

# What comes into being has its id in the answer; what says nothing new is left out.
_MADE: dict[type[Operation[Any]], Callable[[Any, Any], Iterable[Subject]]] = {
    BeatRun: lambda operation, answer: (),
    ChangeRuns: lambda operation, answer: [("run", run_id) for run_id in answer.run_ids],
    CreateRun: lambda operation, answer: [("run", answer.run.info.run_id)],
    CreateExperiment: lambda operation, answer: [("experiment", answer.experiment_id)],
    CreateLoggedModel: lambda operation, answer: [("logged_model", answer.model.info.model_id)],
    CreateRegisteredModel: lambda operation, answer: [("registered_model", operation.name)],
    RenameRegisteredModel: lambda operation, answer: [
        ("registered_model", operation.name), ("registered_model", operation.new_name)
    ],
}


def note(transaction: Transaction, done: Iterable[tuple[Operation[Any], Any]]) -> None:
    """Write down whom these operations have changed, each with its answer, in their own transaction."""
    subjects: set[Subject] = set()
    for operation, answer in done:
        subjects.update(_subjects(type(operation))(operation, answer))
    note_subjects(transaction, subjects)
    if next(_turns) % _CUT_EVERY == 0:
        cut(transaction)


def note_subjects(transaction: Transaction, subjects: Iterable[Subject]) -> None:
    """Write down that these were changed."""
    rows = sorted(subjects)
    if rows:
        seq, now = _next(transaction), now_ms()
        many(transaction.connection, _INSERT, [(seq, kind, subject, now) for kind, subject in rows])


def last_change(transaction: Transaction) -> int:
    """The number of the last change that everybody can see."""
    if transaction.connection.dialect.name == "sqlite":
        return int(fetch(transaction.connection, "SELECT coalesce(max(seq), 0) FROM changes")[0][0])
    # What is under way has begun at the earliest here, and may still come to stand behind what is there already.
    return int(fetch(transaction.connection, f"SELECT {_XMIN} - 1")[0][0])


def state_of(transaction: Transaction) -> str:
    """What tells whether anything has changed at all: the same text means that the same is to be seen."""
    if transaction.connection.dialect.name == "sqlite":
        return str(last_change(transaction))
    return str(fetch(transaction.connection, "SELECT pg_current_snapshot()::text")[0][0])


_XMIN = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"


def _next(transaction: Transaction) -> int:
    connection = transaction.connection
    if connection.dialect.name == "sqlite":
        return int(fetch(connection, "SELECT coalesce(max(seq), 0) + 1 FROM changes")[0][0])
    return int(fetch(connection, "SELECT pg_current_xact_id()::text::bigint")[0][0])


def cut(transaction: Transaction) -> None:
    """Forget what happened long ago, and remember up to where."""
    connection = transaction.connection
    before = now_ms() - KEPT_MS
    # The newest row stays: on SQLite the next number comes after it.
    last = fetch(
        connection,
        "SELECT max(seq) FROM changes WHERE time < ? AND seq < (SELECT max(seq) FROM changes)", (before,),
    )[0][0]
    if last is None:
        return
    many(connection, "DELETE FROM changes WHERE seq <= ?", [(last,)])
    many(connection, _INSERT, [(last, "", "", now_ms() + KEPT_MS)])


@cache
def _subjects(kind: type[Operation[Any]]) -> Callable[[Any, Any], Iterable[Subject]]:
    known = _MADE.get(kind)
    if known is not None:
        return known
    needs, group = kind.endpoint.needs, kind.endpoint.group
    named = needs.field
    if needs.on is Resource.SERVER or named is None:
        return lambda operation, answer: [(group, str(getattr(operation, "name", "") or ""))]
    what = needs.on.value

    def subjects(operation: Any, answer: Any) -> Iterable[Subject]:
        found = getattr(operation, named)
        if isinstance(found, str):
            return [(what, found)]
        return [(what, one) for one in found or ()]

    return subjects


@executes(ListChanges)
def list_changes(transaction: Transaction, operation: ListChanges) -> ChangePage:
    last = last_change(transaction)
    since = operation.since
    if since is None or since == last:
        return ChangePage(last)
    lost = fetch(transaction.connection, "SELECT coalesce(max(seq), 0) FROM changes WHERE kind = ''")[0][0]
    if since > last or since < lost:
        return ChangePage(last, reset=True)
    rows = fetch(
        transaction.connection,
        "SELECT c.kind, c.subject, r.experiment_id FROM changes c"
        " LEFT JOIN runs r ON c.kind = 'run' AND r.run_id = c.subject"
        " WHERE c.seq > ? AND c.seq <= ? AND c.kind <> '' ORDER BY c.seq LIMIT ?",
        (since, last, _MOST + 1),
    )
    if len(rows) > _MOST:
        return ChangePage(last, reset=True)
    return ChangePage(last, changes=_shown(rows, operation.experiment_ids))


def _shown(rows: Sequence[tuple[str, str, int | None]], experiment_ids: Sequence[str]) -> list[Changed]:
    wanted = set(experiment_ids)
    found: dict[Subject, Changed] = {}
    for kind, subject, experiment in rows:
        of = str(experiment) if experiment is not None else None
        where = subject if kind == "experiment" else of
        if not wanted or where in wanted:
            found[kind, subject] = Changed(kind, subject, of)
    return list(found.values())
