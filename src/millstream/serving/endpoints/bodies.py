"""The bodies of requests, read within their limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from typing import Any

from millstream.errors import BadRequest, TooLarge, TooSlow
from millstream.serving.endpoints.requests import Job

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

# A body up to this size is held, a larger one passed on as it comes.
HELD_BYTES = 1024 * 1024


async def read_body(job: Job, receive: Receive) -> None:
    """Read the body, or the first mebibyte of a larger one. Raises TooLarge, TooSlow, BadRequest."""
    length = job.headers.get(b"content-length", b"0")
    if not length.isdigit():
        raise BadRequest("the Content-Length is not a number")
    job.more = job.method == "POST"
    if int(length) > job.limit:
        raise _too_large(job)
    if not job.more:
        return
    message = await _next(job, receive)
    job.body, job.more = message.get("body", b""), message.get("more_body", False)
    if job.more:
        parts = [job.body]
        held = len(job.body)
        while job.more and held <= HELD_BYTES:
            message = await _next(job, receive)
            part: bytes = message.get("body", b"")
            parts.append(part)
            held += len(part)
            job.more = message.get("more_body", False)
        job.body = b"".join(parts)
    job.size = len(job.body)
    if job.size > job.limit:
        raise _too_large(job)


async def _next(job: Job, receive: Receive) -> MutableMapping[str, Any]:
    """The next part of the body. Raises TooSlow, and BadRequest when the client goes away."""
    task = asyncio.current_task()
    assert task is not None
    late: list[bool] = []

    def too_slow() -> None:
        late.append(True)
        task.cancel()

    timer = asyncio.get_running_loop().call_at(job.due, too_slow)
    try:
        message = await receive()
    except asyncio.CancelledError:
        if not late:
            raise
        if hasattr(task, "uncancel"):
            task.uncancel()
        raise TooSlow("the request body did not arrive in time") from None
    finally:
        timer.cancel()
    if message["type"] == "http.disconnect":
        raise BadRequest("the client went away before the end of the body")
    return message


def _too_large(job: Job) -> TooLarge:
    return TooLarge(f"the request body is larger than {job.limit} bytes, the limit of this endpoint",
                    hint="send the rows in several requests, or set its limit: `millstream endpoints update`")


async def rest_of_body(job: Job, receive: Receive) -> AsyncGenerator[bytes, None]:
    """The body from its beginning, as it comes."""
    first, job.body = job.body, b""
    yield first
    while job.more:
        message = await _next(job, receive)
        part: bytes = message.get("body", b"")
        job.more = message.get("more_body", False)
        job.size += len(part)
        if job.size > job.limit:
            raise _too_large(job)
        if part:
            yield part
