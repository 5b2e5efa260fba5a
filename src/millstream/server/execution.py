"""From the event loop to the store and back.

Writes are queued to the store's writer without a thread hop, and what one commit has made durable comes back to the
event loop in one wake-up. Reads run on a small pool of threads, which also print their answers as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol, TypeVar

from millstream.errors import NotSupported
from millstream.operations import OWNER, Operation, Principal
from millstream.stores.sql.webhooks.deliveries import Outbox

R = TypeVar("R")


class ServedStore(Protocol):
    """What the server needs of a store beyond its contract: writes that do not wait, the sweep, and the outbox."""

    @property
    def uri(self) -> str: ...

    @property
    def outbox(self) -> Outbox | None: ...

    def execute(self, operation: Operation[Any], principal: Principal = ...) -> Any: ...

    def submit(
        self, operation: Operation[Any], principal: Principal, on_done: Callable[[Any, BaseException | None], None]
    ) -> None: ...

    def sweep(self) -> int: ...

    def listen(self, on_change: Callable[[], None]) -> Callable[[], None]: ...

    def close(self) -> None: ...


class NoStore:
    """What a server has that serves artifacts only."""

    uri = ""
    outbox = None

    def execute(self, operation: Operation[Any], principal: Principal = OWNER) -> Any:
        raise NotSupported("this server serves artifacts only", hint="ask the tracking server")

    def submit(
        self, operation: Operation[Any], principal: Principal, on_done: Callable[[Any, BaseException | None], None]
    ) -> None:
        raise NotSupported("this server serves artifacts only", hint="ask the tracking server")

    def sweep(self) -> int:
        """Nothing beats here."""
        return 0

    def listen(self, on_change: Callable[[], None]) -> Callable[[], None]:
        """Nothing changes."""
        return lambda: None

    def close(self) -> None:
        """Nothing was opened."""


class Execution:
    """Carries operations to a store, for one event loop."""

    def __init__(self, store: ServedStore, threads: int) -> None:
        self.store = store
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="millstream-read")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._done: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._woken = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Belong to ``loop`` from now on."""
        self._loop = loop

    def write(self, operation: Operation[Any], principal: Principal) -> asyncio.Future[Any]:
        """Queue a write; the future has its answer, once that is durable, or its error."""
        assert self._loop is not None
        future = self._loop.create_future()
        self.store.submit(operation, principal, partial(self._on_done, future))
        return future

    async def answer(self, operation: Operation[Any], principal: Principal) -> Any:
        """The answer of any operation, as it is."""
        if operation.endpoint.writes:
            return await self.write(operation, principal)
        return await self.in_thread(self.store.execute, operation, principal)

    async def in_thread(self, call: Callable[..., R], *arguments: Any) -> R:
        """The result of a call that may wait, made in a thread."""
        assert self._loop is not None
        return await self._loop.run_in_executor(self._threads, call, *arguments)

    def close(self) -> None:
        """End the threads; what they are at is finished."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    # In the writer's thread, once for each operation of a commit.
    def _on_done(self, future: asyncio.Future[Any], answer: Any, error: BaseException | None) -> None:
        self._done.append((future, answer, error))
        if not self._woken:
            self._woken = True
            assert self._loop is not None
            with contextlib.suppress(RuntimeError):  # the loop has ended, and with it all who wait
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        # Cleared before looking: whatever is appended from here on asks for another wake-up itself.
        self._woken = False
        while self._done:
            future, answer, error = self._done.popleft()
            if future.done():
                continue  # its request was cancelled
            if error is None:
                future.set_result(answer)
            else:
                future.set_exception(error)
