"""Requests exactly as a test writes them: no client library repairs a path or adds a header."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """What a server answered; header names in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def call(
    address: str,
    method: str,
    path: str,
    body: object = None,
    headers: dict[str, str] | None = None,
    *,
    host: str | None = None,
) -> Answer:
    """Send one request on a connection of its own. A ``body`` that is not bytes is sent as JSON."""
    target = urlsplit(address)
    assert target.hostname is not None
    connection = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
    try:
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        given = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            given = {**JSON, **given}
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host if host is not None else target.netloc)
        for name, value in given.items():
            connection.putheader(name, value)
        if sent is not None and "Content-Length" not in given and "Transfer-Encoding" not in given:
            connection.putheader("Content-Length", str(len(sent)))
        connection.endheaders(sent)
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()
