"""The heads of requests, read in one way by every server."""

from __future__ import annotations

import re

HeaderList = list[tuple[bytes, bytes]]

# Who sends these twice wants two readers to see different things: here all see what nobody accepts.
_ONCE = (b"host", b"origin", b"sec-fetch-site", b"content-type", b"content-length", b"content-encoding")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._\-]{1,64}")


def headers_of(raw: HeaderList) -> dict[bytes, bytes]:
    """Name (lower case) → value; of a name that comes twice the last, or what nobody accepts where it could mislead."""
    headers = dict(raw)
    if len(headers) != len(raw):
        for name in _ONCE:
            if sum(1 for other, _ in raw if other == name) > 1:
                headers[name] = b"repeated, twice"
    return headers


def request_id(headers: dict[bytes, bytes]) -> bytes | None:
    """The id that the client gave its request, if it is one."""
    given = headers.get(b"x-request-id")
    return given if given is not None and _REQUEST_ID.fullmatch(given) else None
