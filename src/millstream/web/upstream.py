"""Passing requests on to another server of ours: raw connections, kept open and used again.

A connection carries one request at a time. An answer is gathered and handed over whole; a large one, or one without a
length, is handed over when its head is there and read piece by piece, and its sender waits when the reader is slow.
A connection that ends before the first byte of an answer says so (:attr:`Broken.answered`), so that the request can be
sent to somebody else.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httptools

from millstream.errors import NotInTime
from millstream.web.headers import HeaderList

# An answer up to this size is handed over whole.
WHOLE_BYTES = 1024 * 1024
_HELD_BYTES = 256 * 1024
_IDLE_SECONDS = 30.0  # the other side keeps connections open for 75
_IDLE_CONNECTIONS = 256
_CONNECT_SECONDS = 5.0
# Headers that are about one connection, or that are made anew.
HOP_BY_HOP = frozenset({
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer", b"upgrade",
    b"transfer-encoding", b"content-length", b"date", b"server",
})


class Broken(Exception):
    """The connection ended before the answer was whole; ``answered`` if some of the answer had come."""

    def __init__(self, reason: str, *, answered: bool = False) -> None:
        super().__init__(reason)
        self.answered = answered


class UpstreamAnswer:
    """An answer: its status and headers, and ``body`` when it came whole, else None: then :meth:`chunks` has it."""

    __slots__ = ("_connection", "body", "headers", "status")

    def __init__(self, status: int, headers: HeaderList, body: bytes | None, connection: Connection) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self._connection = connection

    def passed_on(self) -> HeaderList:
        """The headers that whoever passes the answer on may repeat."""
        return [pair for pair in self.headers if pair[0] not in HOP_BY_HOP]

    @property
    def length(self) -> int | None:
        """The announced length of the body, if there is one."""
        found = dict(self.headers).get(b"content-length")
        return int(found) if found is not None and found.isdigit() else None

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it comes; the connection is given back at its end. Raises Broken."""
        if self.body is not None:
            yield self.body
            return
        connection = self._connection
        try:
            while True:
                chunk = await connection.next_chunk()
                if not chunk:
                    break
                yield chunk
        finally:
            connection.give_back()


class Connection(asyncio.Protocol):
    """One connection of a pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._loop = pool.loop
        self.idle_since = 0.0
        self.closed = False
        self.fresh = True
        self._transport: Any = None
        self._parser: Any = None
        self._answer: asyncio.Future[UpstreamAnswer] | None = None
        self._chunk: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reset()

    def _reset(self) -> None:
        self._headers: HeaderList = []
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self._paused = self._complete = self._streamed = self._any = self._keep = False
        self._error: Exception | None = None

    # asyncio

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(high=_HELD_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._pool.forget(self)
        self._fail(Broken(f"the connection ended: {exc or 'closed'}", answered=self._any))
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._complete:
            self.close()  # nobody has asked
            return
        self._any = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(Broken(f"the answer is no HTTP: {error}", answered=True))
            self.close()

    def pause_writing(self) -> None:
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._room = None

    # httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header of the answer."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is whole: what has no length is read as it comes."""
        if self._parser.get_status_code() >= 200 and not any(name == b"content-length" for name, _ in self._headers):
            self._stream()

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        self._chunks.append(data)
        self._held += len(data)
        if not self._streamed:
            if self._held > WHOLE_BYTES:
                self._stream()
        else:
            self._wake()
        if self._streamed and self._held > _HELD_BYTES and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The answer is whole."""
        if self._parser.get_status_code() < 200:
            self._headers = []  # an interim answer
            return
        self._complete = True
        self._keep = self._parser.should_keep_alive()
        if self._timer is not None:
            self._timer.cancel()
        if self._streamed:
            self._wake()
            return
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        assert self._answer is not None
        if not self._answer.done():
            self._answer.set_result(UpstreamAnswer(self._parser.get_status_code(), self._headers, body, self))

    def _stream(self) -> None:
        self._streamed = True
        assert self._answer is not None
        if not self._answer.done():
            self._answer.set_result(UpstreamAnswer(self._parser.get_status_code(), self._headers, None, self))

    def _wake(self) -> None:
        if self._chunk is not None and not self._chunk.done():
            self._chunk.set_result(None)

    def _fail(self, error: Exception) -> None:
        if self._complete:
            return
        self._error = error
        if self._timer is not None:
            self._timer.cancel()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
        self._wake()

    # For who asks

    def begin(self, head: bytes, due: float) -> asyncio.Future[UpstreamAnswer]:
        """Send the head of a request, with or without its body; the future has the answer, Broken or NotInTime.

        ``due`` is the moment of the loop's clock at which the answer is given up.
        """
        self._reset()
        self._parser = httptools.HttpResponseParser(self)
        answer: asyncio.Future[UpstreamAnswer] = self._loop.create_future()
        self._answer = answer
        if self.closed:
            self._fail(Broken("the connection was closed"))
            return answer
        self._timer = self._loop.call_at(due, self._expire)
        self._transport.write(head)
        return answer

    async def write(self, data: bytes) -> None:
        """Send more of the request's body; waits while the other side is slow. Raises Broken."""
        if self.closed:
            raise Broken("the connection was closed", answered=self._any)
        self._transport.write(data)
        room = self._room
        if room is not None:
            await room

    async def next_chunk(self) -> bytes:
        """The next part of a streamed body, nothing at its end."""
        while not self._chunks:
            if self._complete:
                return b""
            if self._error is not None:
                raise self._error
            self._chunk = self._loop.create_future()
            await self._chunk
        chunk = b"".join(self._chunks)
        self._chunks.clear()
        self._held = 0
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return chunk

    def give_back(self) -> None:
        """The exchange is over: the connection is kept for another one if it can be."""
        if self._timer is not None:
            self._timer.cancel()
        if self._complete and self._keep and not self.closed and not self._paused:
            self._answer = None
            self.fresh = False
            self._pool.keep(self)
        else:
            self.close()

    def close(self) -> None:
        """End the connection."""
        if not self.closed:
            self.closed = True
            self._transport.close()

    def _expire(self) -> None:
        self._fail(NotInTime("the prediction was not there in time", hint="send fewer rows, or give the endpoint more "
                                                                         "seconds: `millstream endpoints update`"))
        self.close()


def _seen(future: asyncio.Future[UpstreamAnswer]) -> None:
    """An error that nobody waits for any more is no news."""
    if not future.cancelled():
        future.exception()


class Pool:
    """Connections to one server on ``host`` and ``port``."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.loop = asyncio.get_running_loop()
        self.authority = f"{f'[{host}]' if ':' in host else host}:{port}".encode()
        self._idle: deque[Connection] = deque()
        self._ended = False

    async def connection(self, *, fresh: bool = False) -> Connection:
        """A connection that is free, an open one unless it is to be ``fresh``. Raises Broken."""
        oldest = self.loop.time() - _IDLE_SECONDS
        while self._idle and self._idle[0].idle_since < oldest:
            self._idle.popleft().close()
        while self._idle and not fresh:
            found = self._idle.pop()
            if not found.closed:
                return found
        try:
            _, made = await asyncio.wait_for(
                self.loop.create_connection(lambda: Connection(self), self.host, self.port), _CONNECT_SECONDS
            )
        except (OSError, asyncio.TimeoutError) as error:
            raise Broken(f"no connection: {error}") from None
        return made

    async def ask(self, head: bytes, due: float) -> UpstreamAnswer:
        """The answer to a request that is whole. A connection that had been kept and turns out to be closed is
        replaced by another. Raises Broken, NotInTime."""
        while True:
            connection = await self.connection()
            was_fresh = connection.fresh
            try:
                answer = await connection.begin(head, due)
            except Broken as error:
                connection.give_back()
                if was_fresh or error.answered:
                    raise
                continue
            except BaseException:
                connection.close()
                raise
            if answer.body is not None:
                connection.give_back()
            return answer

    async def pass_on(self, head: bytes, body: AsyncIterator[bytes], due: float, *, chunked: bool) -> UpstreamAnswer:
        """The answer to a request whose body is sent as it comes, ``chunked`` when its length is not known.

        Raises Broken, NotInTime, and what the body raises.
        """
        connection = await self.connection(fresh=True)
        try:
            future = connection.begin(head, due)
            future.add_done_callback(_seen)
            with contextlib.suppress(Broken):  # the answer says why
                async for part in body:
                    if future.done():
                        break  # it has answered before the end, or is gone
                    await connection.write(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
                else:
                    if chunked and not future.done():
                        await connection.write(b"0\r\n\r\n")
            answer = await future
        except BaseException:
            connection.close()
            raise
        if answer.body is not None:
            connection.close()  # nobody knows how much of the body it has read
        return answer

    def keep(self, connection: Connection) -> None:
        """Keep a connection that is free."""
        if self._ended or len(self._idle) >= _IDLE_CONNECTIONS:
            connection.close()
            return
        connection.idle_since = self.loop.time()
        self._idle.append(connection)

    def forget(self, connection: Connection) -> None:
        """Drop a connection that has ended."""
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)

    def close(self) -> None:
        """End the connections that are free; those in use end with their answers."""
        self._ended = True
        while self._idle:
            self._idle.pop().close()


__all__ = ["HOP_BY_HOP", "WHOLE_BYTES", "Broken", "Connection", "Pool", "UpstreamAnswer"]
