"""Requests and replies, thin over ASGI: what routes are written with."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from millstream.errors import BadRequest, MillstreamError, TooLarge, TooSlow
from millstream.operations import Principal
from millstream.server.policy import STRANGER
from millstream.web.headers import HeaderList

if TYPE_CHECKING:
    from millstream.server.application import Application

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = b"application/json"
HTML = b"text/html; charset=utf-8"
TEXT = b"text/plain; charset=utf-8"
MAX_FIELDS = 1000
_encode = msgspec.json.Encoder().encode
# How much of a refused body is read and dropped, so that the client hears the refusal on a connection that stays.
_DRAINED = 8 * 1024 * 1024
_SHORT = 64 * 1024
_DATABASE = re.compile(r"\b(?:sqlite|postgres(?:ql)?)(?:\+\w+)?://\S*")


@dataclass
class Reply:
    """A whole answer. ``headers`` come beside those of the content and of safety."""

    body: bytes = b""
    status: int = 200
    content_type: bytes = JSON
    headers: HeaderList = field(default_factory=list)


@dataclass
class StreamedReply:
    """An answer whose body comes in chunks, ``length`` bytes in all if that is known; the generator is closed in any
    case."""

    chunks: AsyncGenerator[bytes, None]
    length: int | None
    content_type: bytes
    status: int = 200
    headers: HeaderList = field(default_factory=list)


class Request:
    """One request on its way. ``fields`` are those of the path, decoded once."""

    __slots__ = (
        "_body_read", "app", "cross_origin", "fields", "gone", "headers", "id", "method", "path", "principal",
        "receive", "scope", "slot", "started",
    )

    def __init__(
        self, app: Application, scope: Scope, receive: Receive, headers: dict[bytes, bytes], request_id: bytes
    ) -> None:
        self.app = app
        self.scope = scope
        self.receive = receive
        self.headers = headers
        self.id = request_id
        self.principal: Principal = STRANGER
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.fields: dict[str, str] = {}
        self.cross_origin: bytes | None = None
        self.slot = 0
        self.started = perf_counter()
        # While an answer is streamed: done when the client has gone away.
        self.gone: asyncio.Future[None] | None = None
        self._body_read = False

    @property
    def has_body(self) -> bool:
        """Whether the client announced a body."""
        length = self.headers.get(b"content-length")
        return b"transfer-encoding" in self.headers if length is None else length != b"0"

    @property
    def announced_bytes(self) -> int:
        """The length of the body as the client announced it; 0 when it did not."""
        length = self.headers.get(b"content-length", b"0")
        if not length.isdigit():
            raise BadRequest("the Content-Length is not a number")
        return int(length)

    @property
    def query(self) -> list[tuple[str, str]]:
        """The pairs of the query, decoded once. Raises BadRequest when it is not UTF-8 or absurdly long."""
        raw: bytes = self.scope["query_string"]
        if not raw:
            return []
        try:
            return parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
        except ValueError:
            raise BadRequest(f"the query is not UTF-8, or holds more than {MAX_FIELDS} fields") from None

    def lists(self) -> dict[str, list[str]]:
        """The fields of the query, each with all of its values."""
        made: dict[str, list[str]] = {}
        for name, text in self.query:
            made.setdefault(name, []).append(text)
        return made

    async def body(self, limit: int) -> bytes:
        """The whole body. Raises TooLarge beyond ``limit`` bytes, BadRequest when the client went away, TooSlow."""
        self._check_encoding()
        if self.announced_bytes > limit + _DRAINED:
            raise self._too_large(limit)
        chunks: list[bytes] = []
        size, more = 0, True
        with self.app.deadlines.within(self.app.config.limits.request_seconds):
            while more:
                message = await self.receive()
                if message["type"] == "http.disconnect":
                    raise BadRequest("the client went away before the end of the body")
                chunk: bytes = message.get("body", b"")
                more = message.get("more_body", False)
                size += len(chunk)
                if size <= limit:
                    chunks.append(chunk)
                elif size <= limit + _DRAINED:
                    chunks.clear()
                else:
                    raise self._too_large(limit)
        self._body_read = True
        if size > limit:
            raise self._too_large(limit)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def stream(self, limit: int = 0) -> AsyncIterator[bytes]:
        """The body as it comes; the client may pause for ``request_seconds`` between chunks.

        Raises TooLarge beyond ``limit`` bytes (0: no limit), BadRequest when the client goes away before the end.
        """
        self._check_encoding()
        if limit and self.announced_bytes > limit:
            raise self._too_large(limit)
        size = 0
        more = True
        while more:
            with self.app.deadlines.within(self.app.config.limits.request_seconds):
                message = await self.receive()
            if message["type"] == "http.disconnect":
                raise BadRequest("the client went away before the end of the body")
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if limit and size > limit:
                raise self._too_large(limit)
            more = message.get("more_body", False)
            if chunk:
                yield chunk
        self._body_read = True

    async def until_gone(self) -> None:
        """Return when the client has gone away, whatever else it sends before."""
        while (await self.receive())["type"] != "http.disconnect":
            continue

    @property
    def body_pending(self) -> bool:
        """Whether much of the body may still be on its way; then the connection is closed after the answer."""
        if self._body_read or not self.has_body:
            return False
        length = self.headers.get(b"content-length", b"")
        return not length.isdigit() or int(length) > _SHORT

    def require_json(self) -> None:
        """Raise BadRequest unless the content type is JSON: a form of a foreign page cannot send that."""
        kind = self.headers.get(b"content-type", b"")
        if kind != JSON and kind.split(b";")[0].strip().lower() != JSON:
            raise BadRequest(
                "the request's Content-Type is not 'application/json'",
                hint="send the header 'Content-Type: application/json'",
            )

    def _check_encoding(self) -> None:
        encoding = self.headers.get(b"content-encoding")
        if encoding is not None and encoding.lower() != b"identity":
            raise BadRequest("a compressed request body is not accepted", hint="send it without Content-Encoding")

    def _too_large(self, limit: int) -> TooLarge:
        return TooLarge(f"the request body is larger than {limit} bytes, the limit of this call",
                        hint="send it in several requests")


class Deadlines:
    """Ends what takes too long, by one look a second at everything under way instead of a timer for each."""

    def __init__(self) -> None:
        self._due: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()

    def within(self, seconds: float) -> _Deadline:
        """A context that raises BadRequest in its task when it lasts longer than ``seconds``."""
        return _Deadline(self, seconds)

    async def watch(self) -> None:
        """Runs as long as the server does."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1.0)
            now = loop.time()
            for task in [task for task, due in self._due.items() if due < now]:
                self._overdue.add(task)
                task.cancel()


class _Deadline:
    __slots__ = ("_deadlines", "_seconds", "_task")

    def __init__(self, deadlines: Deadlines, seconds: float) -> None:
        self._deadlines = deadlines
        self._seconds = seconds

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        self._task = task
        self._deadlines._due[task] = loop.time() + self._seconds

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        due = self._deadlines
        due._due.pop(self._task, None)
        if kind is asyncio.CancelledError and self._task in due._overdue:
            due._overdue.discard(self._task)
            if hasattr(self._task, "uncancel"):
                self._task.uncancel()
            raise TooSlow(f"the request body did not arrive within {self._seconds:g} seconds") from None


def error_reply(error: MillstreamError, *, hide: Sequence[str] = ()) -> Reply:
    """The answer that tells a client of an error, in MLflow's form.

    Addresses of databases and the texts of ``hide`` are blotted out of it.
    """
    told = error.to_wire()
    for name in ("message", "hint"):
        if name in told:
            told[name] = _DATABASE.sub("…", told[name])
            for text in hide:
                told[name] = told[name].replace(text, "…")
    reply = Reply(_encode(told), error.get_http_status_code())
    if reply.status in (429, 503):
        reply.headers.append((b"retry-after", b"1"))
    return reply


def json_reply(value: object) -> Reply:
    """An answer of JSON."""
    return Reply(_encode(value))
