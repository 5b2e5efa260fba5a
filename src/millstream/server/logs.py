"""What the server writes to its log: one line an event, with the id of the request.

Lines are ``time level event key=value …`` for people, or JSON objects for programs (``MILLSTREAM_LOG_FORMAT=json``).
Requests that went well are not logged unless asked for: figures of them are at ``/metrics``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from millstream.web import lines

if TYPE_CHECKING:
    from millstream.server.messages import Request

LOGGER = logging.getLogger("millstream.server")


def configure(*, debug: bool = False) -> None:
    """Send the log of this process to stderr, ours and that of the libraries below."""
    lines.configure(LOGGER, debug=debug)


def log_request(request: Request, status: int, seconds: float) -> None:
    """A request that was answered."""
    LOGGER.info("answered", extra={"facts": {**_of(request), "status": status, "ms": round(seconds * 1000, 2)}})


def log_refused(request: Request, error: BaseException) -> None:
    """A request that the server understood and could not carry out."""
    LOGGER.error("request failed", extra={"facts": {**_of(request), "error": type(error).__name__, "why": str(error)}})


def log_unexpected(request: Request, error: BaseException) -> None:
    """A request that met what nobody expected; the one place where a traceback goes."""
    LOGGER.error("unexpected problem", exc_info=error, extra={"facts": _of(request)})


def _of(request: Request) -> dict[str, Any]:
    return {"request": request.id.decode(), "method": request.method, "path": request.path}
