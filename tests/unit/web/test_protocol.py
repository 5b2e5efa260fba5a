"""Connections that do not get as far as a request."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from millstream.web.protocol import HEAD_BYTES, HEAD_SECONDS, LimitedProtocol, close_idle_heads, sent_at_once

Try = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Any], Awaitable[None]]


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answers when the whole body is there."""
    while (await receive()).get("more_body"):
        continue
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def at_once(scope: Any, receive: Any, send: Any) -> None:
    """The same in one write."""
    while (await receive()).get("more_body"):
        continue
    assert sent_at_once(send, 200, [(b"content-length", b"2")], b"ok")


def connected(attempt: Try, application: Any = application) -> None:
    """Run ``attempt`` on a connection to a server of that application."""

    async def run() -> None:
        config = uvicorn.Config(application, http=LimitedProtocol, ws="none", lifespan="off", log_config=None)
        config.load()
        state = ServerState()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: LimitedProtocol(config, state, {}), "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            await attempt(reader, writer, state)
        finally:
            writer.close()
            server.close()

    asyncio.run(asyncio.wait_for(run(), 60))


async def until(ready: Callable[[], bool]) -> None:
    while not ready():
        await asyncio.sleep(0)


def later() -> float:
    return asyncio.get_running_loop().time() + HEAD_SECONDS + 1


def test_half_a_head_is_not_waited_for() -> None:
    async def attempt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Any) -> None:
        writer.write(b"GET / HTTP/1.1\r\nHost: local")
        await until(lambda: any(connection.url for connection in state.connections if hasattr(connection, "url")))
        close_idle_heads(state.connections, later() - HEAD_SECONDS)
        await asyncio.sleep(0)
        assert not reader.at_eof()
        close_idle_heads(state.connections, later())
        assert await reader.read() == b""

    connected(attempt)


def test_silence_is_not_waited_for() -> None:
    async def attempt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Any) -> None:
        await until(lambda: bool(state.connections))
        close_idle_heads(state.connections, later())
        assert await reader.read() == b""

    connected(attempt)


def test_a_request_under_way_is_left_alone() -> None:
    async def attempt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Any) -> None:
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nab")
        await until(lambda: any(connection.head_since is None for connection in state.connections))
        close_idle_heads(state.connections, later())
        writer.write(b"cd")
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        # And the next one on the same connection has its own time.
        close_idle_heads(state.connections, later() - HEAD_SECONDS)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")

    connected(attempt)


def test_a_head_beyond_its_limit_is_refused() -> None:
    async def attempt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Any) -> None:
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Filler: " + b"x" * 20 * HEAD_BYTES)
        # Unless the refusal is overtaken by the end of the connection, as bytes of the head were still on their way.
        with contextlib.suppress(ConnectionResetError, asyncio.IncompleteReadError):
            assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 431")
            assert await reader.read() == b""

    connected(attempt)


def test_a_large_body_is_no_large_head() -> None:
    async def attempt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Any) -> None:
        size = 4 * HEAD_BYTES
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")

    connected(attempt)


REQUESTS = {
    "two in a row": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx" * 2,
    "the last": b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "a head": b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "old": b"GET / HTTP/1.0\r\n\r\n",
    "asks first": b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
}


@pytest.mark.parametrize("asked", REQUESTS.values(), ids=REQUESTS)
def test_an_answer_in_one_write_is_the_same(asked: bytes) -> None:
    told: list[list[bytes]] = []

    async def attempt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: Any) -> None:
        writer.write(asked)
        writer.write_eof()
        answer = await reader.read()
        told.append([line for line in answer.split(b"\r\n") if not line.startswith(b"date:")])
        await until(lambda: not state.connections and not state.tasks)
        assert state.total_requests == asked.count(b"HTTP/1.")

    for way in (application, at_once):
        connected(attempt, way)
    assert told[0] == told[1]
    assert b"".join(told[0]).count(b"HTTP/1.1 200 OK") == asked.count(b"HTTP/1.")


def test_only_connections_of_the_server_are_answered_at_once() -> None:
    async def send(message: Any) -> None:
        raise AssertionError(message)

    assert not sent_at_once(send, 200, [], b"")
