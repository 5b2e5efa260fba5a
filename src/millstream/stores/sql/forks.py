"""What a fork must not carry into the child: transactions under way, and connections.

SQLite remembers in the process which locks it holds. A fork copies that memory but not the locks: a child that inherits
a transaction waits for its end for ever, and one that opens a file beside the connections it inherited relies on locks
that only its parent holds. A socket to PostgreSQL would be shared by both. So a fork waits until nobody is inside a
transaction, and the child lets go of every connection before it does anything else.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Protocol
from weakref import WeakSet

# How long a fork waits for transactions under way. One that waits for another process's lock may take longer.
_PATIENCE_SECONDS = 10.0


class _Heir(Protocol):
    def after_fork(self) -> None:
        """Begin anew in the child."""


class _Gate:
    """Everybody passes at the same time, except while a thread forks."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self._moved = threading.Condition()
        self._inside: dict[int, int] = {}
        self._forking: int | None = None

    def __enter__(self) -> None:
        thread = threading.get_ident()
        with self._moved:
            while self._forking not in (None, thread) and thread not in self._inside:
                self._moved.wait()
            self._inside[thread] = self._inside.get(thread, 0) + 1

    def __exit__(self, *_: object) -> None:
        thread = threading.get_ident()
        with self._moved:
            self._inside[thread] -= 1
            if not self._inside[thread]:
                del self._inside[thread]
                if self._forking is not None:
                    self._moved.notify_all()

    def shut(self) -> None:
        thread, until = threading.get_ident(), time.monotonic() + _PATIENCE_SECONDS
        with self._moved:
            while self._forking not in (None, thread):
                self._moved.wait()
            self._forking = thread
            while self._inside.keys() - {thread} and (left := until - time.monotonic()) > 0:
                self._moved.wait(left)

    def open(self) -> None:
        with self._moved:
            self._forking = None
            self._moved.notify_all()


TRANSACTION = _Gate()
_heirs: WeakSet[_Heir] = WeakSet()


def inherit(heir: _Heir) -> None:
    """Call ``heir.after_fork()`` in every child, before its program goes on."""
    _heirs.add(heir)


def _in_child() -> None:
    TRANSACTION.begin()
    for heir in list(_heirs):
        heir.after_fork()


os.register_at_fork(before=TRANSACTION.shut, after_in_parent=TRANSACTION.open, after_in_child=_in_child)
