"""The store contract: where experiments, runs and all that belongs to them are kept."""

from __future__ import annotations

import abc
from typing import Any, TypeVar

from millstream.operations import OWNER, Operation, Principal

A = TypeVar("A")


class Store(abc.ABC):
    """A store executes operations.

    **Atomicity.** An operation happens whole or not at all. When :meth:`execute` raises an error of
    :mod:`millstream.errors` other than Unreachable, nothing was changed; after Unreachable the operation may or may not
    have happened, and may be sent again: all that a run logs is recognised when it comes twice.

    **Durability.** When :meth:`execute` of a write returns, what it wrote survives a crash of this process, of the
    server and, with SQLite's ``synchronous=FULL`` and PostgreSQL's defaults, of the machine.

    **Ordering.** A write that has returned is seen by every read that starts after it, in any process. Writes of one
    thread happen in its order; writes of several threads in some order, the same for all readers.

    **Safety.** A store may be used by any number of threads, and by several processes that opened it themselves. It is
    not carried over a fork: a child opens its own.

    The suite in :mod:`millstream.testing` holds any store to this.
    """

    @property
    @abc.abstractmethod
    def uri(self) -> str:
        """The tracking URI that opens this store."""

    @abc.abstractmethod
    def execute(self, operation: Operation[A], principal: Principal = OWNER) -> A:
        """Carry out ``operation`` for ``principal`` and return its answer.

        Raises the error of :mod:`millstream.errors` that says what is wrong; NotSupported for an operation that this
        kind of store does not have.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Finish what is under way and release files and connections. Closing twice is fine."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
