"""Which threads are inside a call that is being logged: what such a call calls in turn is a part of it, and not logged
again. A process that was forked inside one, a worker of the training, logs nothing at all."""

from __future__ import annotations

import os
import threading
from types import TracebackType


class _State:
    def __init__(self) -> None:
        # By the ident of a thread, not in a threading.local: the threads of a pool look at those who made them.
        self.depth: dict[int, int] = {}
        self.is_worker = False

    def forked(self) -> None:
        self.is_worker = self.is_worker or bool(self.depth)
        self.depth.clear()


_state = _State()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_state.forked)


def is_inside() -> bool:
    """Whether this thread works for a call that is being logged."""
    depth = _state.depth
    if not depth:
        return _state.is_worker
    if threading.get_ident() in depth:
        return True
    # The thread of a multiprocessing.pool.ThreadPool (joblib's "threading" backend) knows the thread that made it.
    parent = getattr(threading.current_thread(), "_parent", None)
    return _state.is_worker or (isinstance(parent, threading.Thread) and parent.ident in depth)


class Inside:
    """A block in which nothing that this thread calls is logged by itself."""

    __slots__ = ()

    def __enter__(self) -> None:
        ident = threading.get_ident()
        _state.depth[ident] = _state.depth.get(ident, 0) + 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ident = threading.get_ident()
        left = _state.depth[ident] - 1
        if left:
            _state.depth[ident] = left
        else:
            del _state.depth[ident]


inside = Inside()
