"""The SQL store: operations on SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from millstream.errors import MillstreamError, NotSupported
from millstream.operations import OWNER, CreateRun, Operation, Principal
from millstream.stores.contract import Store
from millstream.stores.sql import experiments, garbage, history, imports, inputs, leases, logged_models, runs, search
from millstream.stores.sql.database import Database, explain, is_deadlock
from millstream.stores.sql.endpoints import canaries, desired, observed
from millstream.stores.sql.grid import changing, columns, curves, distribution, query
from millstream.stores.sql.keys import Keys
from millstream.stores.sql.logging import LOGGING, log
from millstream.stores.sql.migrations import prepare
from millstream.stores.sql.monitoring import findings as monitor_findings
from millstream.stores.sql.monitoring import monitors
from millstream.stores.sql.monitoring import requests as monitor_requests
from millstream.stores.sql.registry import comments as registry_comments
from millstream.stores.sql.registry import history as registry_history
from millstream.stores.sql.registry import imports as registry_imports
from millstream.stores.sql.registry import models as registered_models
from millstream.stores.sql.registry import requests as approval_requests
from millstream.stores.sql.registry import rules as model_rules
from millstream.stores.sql.registry import search as registry_search
from millstream.stores.sql.registry import versions as model_versions
from millstream.stores.sql.transaction import EXECUTORS, Transaction
from millstream.stores.sql.views import changes, models, overview, views
from millstream.stores.sql.webhooks import deliveries as webhook_deliveries
from millstream.stores.sql.webhooks import managed as registry_webhooks
from millstream.stores.sql.webhooks import subscriptions
from millstream.stores.sql.webhooks.calls import OUTSIDE
from millstream.stores.sql.webhooks.deliveries import Outbox
from millstream.stores.sql.writer import Done, Outcome, Queued, Writer

A = TypeVar("A")

# How often an operation is tried again that PostgreSQL broke off because it and another waited for each other.
_TRIES = 10

# Importing a module enters what it executes into the table.
_DOMAINS = (
    approval_requests, model_rules, registry_comments, registry_imports,
    experiments, garbage, history, imports, inputs, leases, logged_models, model_versions, monitor_findings,
    monitor_requests, monitors, registered_models, registry_history, registry_search, runs, search,
    canaries, desired, observed,
    changes, changing, columns, curves, distribution, models, overview, query, views,
    registry_webhooks, subscriptions, webhook_deliveries,
)

# Kinds of operations of which many are carried out at once: each answers, or returns the error it is answered with.
_BULK: dict[type[Operation[Any]], Callable[[Transaction, Any], Sequence[Any]]] = {
    CreateRun: runs.create_many,
    **dict.fromkeys(LOGGING, log),
}


class SqlStore(Store):
    """Experiments, runs and all that belongs to them in one database.

    ``uri`` is ``sqlite:///path`` or ``postgresql://…``; ``artifact_root`` is where new experiments keep their files;
    ``known_as`` is the tracking URI when it is another, as for a folder.
    Reads run in the calling thread, each in a transaction of its own that sees one state. Writes queue for one thread,
    which commits whatever has queued together (see :mod:`millstream.stores.sql.writer`).
    """

    def __init__(self, uri: str, artifact_root: str, *, known_as: str | None = None) -> None:
        self._uri = known_as or uri
        self._artifact_root = artifact_root
        self._database = Database(uri)
        self._keys = Keys()
        prepare(self._database, artifact_root)
        self._writer = Writer(self._commit)
        self._listeners: list[Callable[[], None]] = []
        self._outbox = Outbox(self._database)

    @property
    def uri(self) -> str:
        return self._uri

    @property
    def artifact_root(self) -> str:
        """Where new experiments keep their files."""
        return self._artifact_root

    @property
    def outbox(self) -> Outbox:
        """What webhooks are to be told."""
        return self._outbox

    def execute(self, operation: Operation[A], principal: Principal = OWNER) -> A:
        if (outside := OUTSIDE.get(type(operation))) is not None:
            return outside(self._database, operation)  # type: ignore[no-any-return]
        if operation.endpoint.writes:
            answer: A = self._writer.execute(self._known(operation), principal)
            return answer
        with self._database.reading() as connection:
            return EXECUTORS[type(self._known(operation))](self._transaction(connection, principal), operation)  # type: ignore[no-any-return]

    def submit(self, operation: Operation[Any], principal: Principal, on_done: Done) -> None:
        """Queue a write; ``on_done(answer, error)`` is called in the writer's thread once it is durable, or refused."""
        self._writer.submit(self._known(operation), principal, on_done)

    def sweep(self) -> int:
        """Mark runs whose lease ran out as failed; returns how many. Any number of processes may sweep.

        The log of webhooks forgets what is old.
        """
        self._outbox.forget()
        with self._database.writing() as connection:
            transaction = self._transaction(connection, OWNER)
            swept = leases.sweep(transaction)
            changes.note_subjects(transaction, [("run", run_id) for run_id in swept])
        self._keys.remember(transaction.entered)
        self._tell()
        return len(swept)

    def listen(self, on_change: Callable[[], None]) -> Callable[[], None]:
        """Call ``on_change`` after each commit of this process, in the writer's thread; returns what ends that."""
        self._listeners.append(on_change)
        return lambda: self._listeners.remove(on_change)

    def _tell(self) -> None:
        for on_change in tuple(self._listeners):
            on_change()

    def close(self) -> None:
        self._writer.close()
        self._database.close()

    def _known(self, operation: Operation[A]) -> Operation[A]:
        if type(operation) not in EXECUTORS:
            raise NotSupported(
                f"a database does not execute {type(operation).__name__}",
                hint="files are reached through an artifact store, or through a tracking server",
            )
        return operation

    def _transaction(self, connection: Connection, principal: Principal) -> Transaction:
        return Transaction(connection, self._keys, self._artifact_root, principal)

    def _commit(self, group: Sequence[Queued], tries: int = _TRIES) -> list[Outcome]:
        """Execute a group in one transaction. When that fails as a whole, each gets one of its own, so that an
        operation answers for nobody's trouble but its own; one that met another process's group in a deadlock is tried
        again."""
        try:
            with self._database.writing() as connection:
                transaction = self._transaction(connection, group[0].principal)
                outcomes = self._perform(transaction, group)
                done = zip(group, outcomes, strict=True)
                changes.note(transaction, [(one.operation, made.answer) for one, made in done if made.error is None])
        except Exception as error:
            if len(group) == 1:
                if tries and is_deadlock(error):
                    return self._commit(group, tries - 1)
                known = error if isinstance(error, MillstreamError) else _unexpected(error)
                return [Outcome(None, known)]
            return [self._commit([queued])[0] for queued in group]
        self._keys.remember(transaction.entered)
        self._tell()
        if transaction.published:
            self._outbox.wake()
        return outcomes

    def _perform(self, transaction: Transaction, group: Sequence[Queued]) -> list[Outcome]:
        """Execute a group in its order, neighbours of the kinds that are written in bulk together."""
        outcomes: list[Outcome] = []
        start = 0
        while start < len(group):
            execute_all = _BULK.get(type(group[start].operation))
            if execute_all is None:
                outcomes.append(self._perform_one(transaction, group[start]))
                start += 1
                continue
            end = start + 1
            while end < len(group) and _BULK.get(type(group[end].operation)) is execute_all:
                end += 1
            for made in execute_all(transaction, [queued.operation for queued in group[start:end]]):
                outcomes.append(Outcome(None, made) if isinstance(made, MillstreamError) else Outcome(made, None))
            start = end
        return outcomes

    def _perform_one(self, transaction: Transaction, queued: Queued) -> Outcome:
        """Execute one operation behind a savepoint: what it refuses half-way leaves no trace."""
        before = dict(transaction.entered)
        transaction.principal = queued.principal
        try:
            with transaction.connection.begin_nested():
                return Outcome(EXECUTORS[type(queued.operation)](transaction, queued.operation), None)
        except (DBAPIError, self._database.driver.Error) as error:
            if is_deadlock(error):
                raise  # what others of the group hold is let go of too
            transaction.entered = before
            return Outcome(None, explain(error, self._database))
        except MillstreamError as error:
            transaction.entered = before
            return Outcome(None, error)


def _unexpected(error: Exception) -> MillstreamError:
    made = MillstreamError(f"unexpected {type(error).__name__} while writing")
    made.__cause__ = error
    return made
