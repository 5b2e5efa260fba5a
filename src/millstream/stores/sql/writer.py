"""Group commit: one thread writes, and commits whatever has queued while the last commit was under way.

A commit costs a flush of the disk whatever it holds, so under load the cost of durability is shared by all who wait.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from millstream.errors import MillstreamError, StoreUnavailable
from millstream.operations import Operation, Principal
from millstream.stores.sql.forks import inherit

Done = Callable[[Any, "BaseException | None"], None]
# How many operations one transaction takes at most: bounds the wait of the first of them.
GROUP = 512


class Queued(NamedTuple):
    """An operation that waits for its transaction, and whom to tell."""

    operation: Operation[Any]
    principal: Principal
    on_done: Done


class Outcome(NamedTuple):
    """What became of an operation."""

    answer: Any
    error: BaseException | None


class Writer:
    """The queue and its thread. ``commit`` takes a group and says what became of each, once it is durable."""

    def __init__(self, commit: Callable[[list[Queued]], list[Outcome]]) -> None:
        self._commit = commit
        self._closed = False
        self.after_fork()
        inherit(self)

    def after_fork(self) -> None:
        """A child has no thread, and what has queued is the parent's to write."""
        self._queue: deque[Queued] = deque()
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None

    def submit(self, operation: Operation[Any], principal: Principal, on_done: Done) -> None:
        """Queue a write; ``on_done(answer, error)`` is called in the writer's thread after the commit.

        Raises StoreUnavailable when the store is closed.
        """
        with self._wake:
            if self._closed:
                raise StoreUnavailable("the store is closed", hint="open it again")
            self._queue.append(Queued(operation, principal, on_done))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="millstream-writer", daemon=True)
                self._thread.start()
            self._wake.notify()

    def execute(self, operation: Operation[Any], principal: Principal) -> Any:
        """Queue a write and wait for it; returns its answer or raises its error."""
        finished = threading.Event()
        outcome: list[Outcome] = []

        def on_done(answer: Any, error: BaseException | None) -> None:
            outcome.append(Outcome(answer, error))
            finished.set()

        self.submit(operation, principal, on_done)
        finished.wait()
        if outcome[0].error is not None:
            raise outcome[0].error
        return outcome[0].answer

    def close(self) -> None:
        """Write what has queued, then end the thread."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._closed:
                    self._wake.wait()
                group = [self._queue.popleft() for _ in range(min(len(self._queue), GROUP))]
            if not group:
                return
            try:
                outcomes = self._commit(group)
            except BaseException as error:  # the waiting callers must hear of it, whatever it is
                problem = error if isinstance(error, MillstreamError) else MillstreamError(f"unexpected: {error!r}")
                problem.__cause__ = None if problem is error else error
                outcomes = [Outcome(None, problem)] * len(group)
            for queued, outcome in zip(group, outcomes, strict=True):
                queued.on_done(outcome.answer, outcome.error)
