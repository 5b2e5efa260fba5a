"""Requests passed on over raw connections, to servers that behave well and badly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from millstream.errors import NotInTime
from millstream.web.upstream import WHOLE_BYTES, Broken, Pool

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


@asynccontextmanager
async def served(serve: Serve) -> AsyncIterator[Pool]:
    """A pool of connections to a server that treats each connection so."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    pool = Pool("127.0.0.1", server.sockets[0].getsockname()[1])
    try:
        yield pool
    finally:
        pool.close()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def due(seconds: float = 30.0) -> float:
    return asyncio.get_running_loop().time() + seconds


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await main()

    asyncio.run(whole())


def test_connections_are_used_again() -> None:
    connections = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        while True:
            await head(reader)
            writer.write(b"HTTP/1.1 201 Created\r\nX-A: b\r\ncontent-length: 2\r\n\r\nok")

    async def main() -> None:
        async with served(serve) as pool:
            for _ in range(3):
                answer = await pool.ask(GET, due())
                assert (answer.status, answer.body, answer.length) == (201, b"ok", 2)
                assert answer.passed_on() == [(b"x-a", b"b")]
            await asyncio.gather(*(pool.ask(GET, due()) for _ in range(4)))
        assert len(connections) == 4

    run(main)


def test_a_kept_connection_that_was_closed_is_replaced() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await head(reader)  # and hang up on the second

    async def main() -> None:
        async with served(serve) as pool:
            for _ in range(3):
                assert (await pool.ask(GET, due())).body == b"ok"

    run(main)


@pytest.mark.parametrize(
    ("said", "answered"),
    [(b"", False), (b"HTTP/1.1 200 OK\r\n", True), (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", True),
     (b"what?\r\n\r\n", True)],
)
def test_a_connection_that_breaks_off_says_whether_anything_came(said: bytes, answered: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(said)

    async def main() -> None:
        async with served(serve) as pool:
            with pytest.raises(Broken) as caught:
                await pool.ask(GET, due())
            assert caught.value.answered is answered

    run(main)


def test_nobody_listens() -> None:
    async def main() -> None:
        async with served(lambda reader, writer: asyncio.sleep(0)) as pool:
            port = pool.port
        with pytest.raises(Broken, match="no connection"):
            await Pool("127.0.0.1", port).ask(GET, due())

    run(main)


def test_an_answer_that_does_not_come_is_given_up() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        await reader.read()

    async def main() -> None:
        async with served(serve) as pool:
            with pytest.raises(NotInTime):
                await pool.ask(GET, due(0.05))

    run(main)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_large_answer_is_read_as_it_comes(chunked: bool) -> None:
    size = 3 * WHOLE_BYTES
    sent: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        kind = b"transfer-encoding: chunked" if chunked else b"content-length: %d" % size
        writer.write(b"HTTP/1.1 200 OK\r\n" + kind + b"\r\n\r\n")
        for _ in range(size // 65536):
            part = b"x" * 65536
            writer.write(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
            await writer.drain()
            sent.append(len(part))
        if chunked:
            writer.write(b"0\r\n\r\n")
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async def main() -> None:
        async with served(serve) as pool:
            answer = await pool.ask(GET, due())
            assert answer.body is None
            assert answer.length == (None if chunked else size)
            received = 0
            async for chunk in answer.chunks():
                received += len(chunk)
            assert received == size
            # The connection was read to its end, and is used again.
            assert (await pool.ask(GET, due())).body == b"ok"

    run(main)


def test_a_body_is_passed_on_as_it_comes() -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"y" * 40_000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int((await head(reader)).rpartition(b": ")[2])
        received = await reader.readexactly(length)
        said = b"%d" % received.count(b"y")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(said), said))

    async def main() -> None:
        async with served(serve) as pool:
            start = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2000000\r\n\r\n"
            answer = await pool.pass_on(start, body(), due(), chunked=False)
            assert answer.body == b"2000000"

    run(main)


def test_who_answers_before_the_end_of_a_body_is_heard() -> None:
    sent = []

    async def body() -> AsyncIterator[bytes]:
        while True:
            sent.append(1)
            yield b"y" * 100_000
            await asyncio.sleep(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno")
        await writer.drain()
        await reader.read()

    async def main() -> None:
        async with served(serve) as pool:
            start = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
            answer = await pool.pass_on(start, body(), due(), chunked=True)
            assert (answer.status, answer.body) == (413, b"no")

    run(main)


def test_a_body_that_fails_ends_the_request() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"y"
        raise ValueError("the client went away")

    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        ended.set()

    async def main() -> None:
        async with served(serve) as pool:
            start = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
            with pytest.raises(ValueError, match="went away"):
                await pool.pass_on(start, body(), due(), chunked=True)
            await asyncio.wait_for(ended.wait(), 30)

    run(main)
