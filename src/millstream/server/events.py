"""The stream of changes: server-sent events that tell a page who has changed, as soon as it is durable.

One task a process reads the store's log of changes: when this process has committed something, and once a second for
what others have. Each stream gets what belongs to its experiments. A stream that does not keep up is told to read
everything anew; so is one that comes back with a number that is too old.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from millstream.errors import InvalidValue, TooManyRequests
from millstream.operations import Changed, ChangePage, ListChanges, Principal, QueryRuns, RunTable
from millstream.server.logs import LOGGER
from millstream.server.messages import Request, StreamedReply
from millstream.web.headers import HeaderList

if TYPE_CHECKING:
    from millstream.server.application import Application

MOST_STREAMS = 128
HEARTBEAT_SECONDS = 15.0
# How often the log is read: at most, while this process writes; at least, for what others write.
_SOONEST_SECONDS = 0.2
_LATEST_SECONDS = 1.0
_MOST_COLUMNS = 100
_MOST_RUNS = 200
_WAITING = 64
_HEADERS: HeaderList = [
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # a proxy in between passes each event on at once
]


class _Event(msgspec.Struct, omit_defaults=True):
    seq: int
    reset: bool = False
    changes: list[Changed] = []
    cells: dict[str, Any] | None = None


@dataclass(eq=False)
class _Stream:
    """Somebody who listens: to all experiments where none is named."""

    principal: Principal
    experiments: frozenset[str]
    columns: list[str]
    pages: asyncio.Queue[ChangePage] = field(default_factory=lambda: asyncio.Queue(_WAITING))

    def put(self, page: ChangePage) -> None:
        """Hand over what has changed; who has too much to read is told to read everything."""
        changes = [change for change in page.changes if self._wants(change)]
        if not changes and not page.reset:
            return
        if self.pages.full():
            while not self.pages.empty():
                self.pages.get_nowait()
            self.pages.put_nowait(ChangePage(page.seq, reset=True))
        else:
            self.pages.put_nowait(ChangePage(page.seq, page.reset, changes))

    def _wants(self, change: Changed) -> bool:
        if not self.experiments or change.kind not in ("run", "experiment"):
            return True
        return (change.id if change.kind == "experiment" else change.experiment_id) in self.experiments


class Events:
    """The streams of one process."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._streams: set[_Stream] = set()
        self._reader: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._ended = asyncio.Event()

    async def open(self, request: Request) -> StreamedReply:
        """A stream for this request. Raises TooManyRequests beyond :data:`MOST_STREAMS`."""
        if len(self._streams) >= MOST_STREAMS or self._ended.is_set():
            raise TooManyRequests("this server has no stream of events left", hint="ask /api/v1/changes now and then")
        fields = request.lists()
        columns = list(dict.fromkeys(fields.get("columns", [])))
        if len(columns) > _MOST_COLUMNS:
            raise InvalidValue.of("columns", f"{len(columns)} columns", f"at most {_MOST_COLUMNS} are followed")
        since = request.headers.get(b"last-event-id", b"").decode("latin-1") or (fields.get("since") or [""])[0]
        if since and not (since.isascii() and since.isdigit() and len(since) < 19):
            raise InvalidValue.of("since", since, "it is no number that an event had")
        stream = _Stream(request.principal, frozenset(fields.get("experiment_ids", [])), columns)
        if columns:
            await self._cells(stream, [])  # says what is wrong with them before the stream begins
        asked = ListChanges(int(since) if since else None, sorted(stream.experiments))
        return StreamedReply(self._tell(request, stream, asked), None, b"text/event-stream", headers=list(_HEADERS))

    async def _tell(self, request: Request, stream: _Stream, asked: ListChanges) -> AsyncGenerator[bytes, None]:
        # It listens before it looks at what was, and may hear of a change twice, but never misses one.
        self._streams.add(stream)
        try:
            first = await self._app.execution.answer(asked, stream.principal)
            if self._reader is None or self._reader.done():
                self._reader = asyncio.ensure_future(self._read(first.seq))
            yield b"retry: 2000\n" + _printed("hello", _Event(first.seq))
            if first.changes or first.reset:
                yield await self._event(stream, first)
            while not self._ended.is_set():
                page = await self._next(request, stream)
                if self._ended.is_set() or (request.gone is not None and request.gone.done()):
                    return
                yield b": still here\n\n" if page is None else await self._event(stream, page)
        finally:
            self._streams.discard(stream)

    async def _next(self, request: Request, stream: _Stream) -> ChangePage | None:
        """The next page, or None when it is time for a sign of life, or the client is gone, or the server ends."""
        coming = asyncio.ensure_future(stream.pages.get())
        ended = asyncio.ensure_future(self._ended.wait())
        waiting: set[asyncio.Future[Any]] = {coming, ended}
        if request.gone is not None:
            waiting.add(request.gone)
        try:
            await asyncio.wait(waiting, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            return coming.result() if coming.done() else None
        finally:
            coming.cancel()
            ended.cancel()

    async def _event(self, stream: _Stream, page: ChangePage) -> bytes:
        event = _Event(page.seq, page.reset, page.changes)
        runs = [change.id for change in page.changes if change.kind == "run"]
        if stream.columns and 0 < len(runs) <= _MOST_RUNS:
            table = await self._cells(stream, runs)
            event.cells = {"ids": table.ids, "cols": table.cols}
        return _printed("changes", event)

    async def _cells(self, stream: _Stream, runs: list[str]) -> RunTable:
        asked = QueryRuns(sorted(stream.experiments), columns=stream.columns, run_ids=runs, limit=len(runs))
        made: RunTable = await self._app.execution.answer(asked, stream.principal)
        return made

    async def _read(self, seq: int) -> None:
        """Runs while there is a stream."""
        loop = asyncio.get_running_loop()

        def wake() -> None:  # in the writer's thread
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._woken.set)

        stop = self._app.store.listen(wake)
        try:
            while self._streams and not self._ended.is_set():
                self._woken.clear()
                try:
                    page = await self._app.execution.answer(ListChanges(seq), Principal("events", "system"))
                except Exception as error:
                    LOGGER.error("the log of changes cannot be read", exc_info=error)
                else:
                    seq = page.seq
                    for stream in tuple(self._streams):
                        stream.put(page)
                await asyncio.sleep(_SOONEST_SECONDS)
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), _LATEST_SECONDS - _SOONEST_SECONDS)
        finally:
            stop()

    def end(self) -> None:
        """End all streams: the server is about to."""
        self._ended.set()
        self._woken.set()


def _printed(name: str, event: _Event) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.seq, name.encode(), msgspec.json.encode(event))


async def stream(request: Request) -> StreamedReply:
    """``GET /v1/events``: who has changed, as it happens, as server-sent events."""
    return await request.app.events.open(request)
