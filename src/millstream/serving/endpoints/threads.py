"""Calls that wait, for an event loop that does not: in threads that keep nobody from ending."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

R = TypeVar("R")


class Worker:
    """One thread that makes calls one after the other. A call that hangs (a server that is gone) ends with the process,
    unlike one in a pool of :mod:`concurrent.futures`, which the interpreter waits for."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[asyncio.Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def call(self, function: Callable[[], R]) -> asyncio.Future[R]:
        """The future of what ``function`` returns or raises."""
        future: asyncio.Future[R] = self._loop.create_future()
        self._calls.put((future, function))
        return future

    def close(self) -> None:
        """End after the calls that wait."""
        self._calls.put(None)

    def _run(self) -> None:
        while (waiting := self._calls.get()) is not None:
            future, function = waiting
            answer, error = None, None
            try:
                answer = function()
            except BaseException as caught:
                error = caught
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(_settle, future, answer, error)


def _settle(future: asyncio.Future[Any], answer: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(answer)
    else:
        future.set_exception(error)


def in_thread(function: Callable[[], R], name: str) -> asyncio.Future[R]:
    """The future of what ``function`` returns or raises, in a thread of its own."""
    worker = Worker(name)
    future = worker.call(function)
    worker.close()
    return future
