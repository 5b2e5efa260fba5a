"""The store behind a server, over HTTP."""

from __future__ import annotations

from contextvars import ContextVar

# How many seconds of silence, new tries included, this context gives a server before it is Unreachable; None: as long
# as the settings say. Set around what a program can do without, such as the automatic log of a training.
PATIENCE: ContextVar[float | None] = ContextVar("millstream_patience", default=None)
