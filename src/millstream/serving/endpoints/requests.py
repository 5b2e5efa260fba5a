"""Requests to a serving host: what their paths ask for, and the heads of what is sent on for them."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import unquote_to_bytes

from millstream.web.headers import HeaderList

Scope = MutableMapping[str, Any]

# What is passed on of a request's head, beside its id.
_PASSED_ON = (b"content-type", b"content-encoding", b"accept", b"traceparent", b"tracestate",
              b"inference-header-content-length")


class Way:
    """What a path asks for."""

    __slots__ = ("kind", "name", "rest", "target")

    def __init__(self, kind: str, name: str = "", target: str = "", rest: bytes = b"") -> None:
        self.kind = kind  # a page of the host, or "endpoint", or "model"
        self.name = name
        self.target = target
        self.rest = rest  # the path at the scoring process


_PAGES = {b"/ping": "ping", b"/health": "ping", b"/metrics": "metrics", b"/version": "version", b"/": "list"}
# What is asked of scoring processes, and how.
CALLS = {b"invocations": "POST", b"openapi.json": "GET"}


def way_of(raw_path: bytes) -> Way | None:
    """What a raw path asks for; None for one that is none of ours."""
    page = _PAGES.get(raw_path)
    if page is not None:
        return Way(page)
    parts = raw_path.split(b"/")
    if len(parts) < 3 or parts[0]:
        return None
    try:
        name = unquote_to_bytes(parts[2]).decode()
        if parts[1] == b"endpoints" and len(parts) == 3 and name:
            return Way("status", name)
        if parts[1] == b"endpoints" and len(parts) == 4 and parts[3] in CALLS:
            return Way("endpoint", name, "", b"/" + parts[3])
        if parts[1] == b"model" and len(parts) == 5 and parts[4] in CALLS:
            return Way("model", name, unquote_to_bytes(parts[3]).decode(), b"/" + parts[4])
    except UnicodeDecodeError:
        pass
    return None


class Job:
    """One request under way."""

    __slots__ = (
        "body", "due", "endpoint", "headers", "id", "limit", "method", "more", "rest", "scope", "size", "started",
        "version",
    )

    def __init__(self, scope: Scope, headers: dict[bytes, bytes], id: bytes, started: float) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.headers = headers
        self.id = id
        self.started = started
        self.due = 0.0
        self.limit = 0
        self.endpoint = ""
        self.version = ""
        self.rest = b""
        self.body = b""
        self.size = 0
        self.more = False  # whether a part of the body is still to come


def head_of(job: Job, authority: bytes, length: int | None) -> bytes:
    """The head of the request to a scoring process; ``length`` None passes on that of the client."""
    headers = job.headers
    if length is None:
        announced = headers.get(b"content-length")
        size = b"content-length: " + announced if announced is not None else b"transfer-encoding: chunked"
    else:
        size = b"content-length: %d" % length
    passed = b"".join(b"%s: %s\r\n" % (name, headers[name]) for name in _PASSED_ON if name in headers)
    return b"%s %s HTTP/1.1\r\nhost: %s\r\nx-request-id: %s\r\n%s%s\r\n\r\n" % (
        job.method.encode(), job.rest, authority, job.id, passed, size
    )


def named_headers(job: Job) -> HeaderList:
    """The headers that say who answered which request."""
    named = [(b"x-request-id", job.id)]
    if job.endpoint:
        # A header holds Latin-1 at most, and a name may hold anything.
        named.append((b"x-millstream-endpoint", job.endpoint.encode("ascii", "backslashreplace")))
    if job.version:
        named.append((b"x-millstream-model-version", job.version.encode()))
    return named
