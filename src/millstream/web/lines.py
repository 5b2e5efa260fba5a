"""How a server writes its log: ``time level event key=value …`` for people, JSON objects for programs."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from typing import Any

from millstream import settings


class Lines(logging.Formatter):
    """One line an event; a traceback, if there is one, follows it indented."""

    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{name}={_quoted(value)}" for name, value in _facts(record).items())
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = f"{stamp}.{int(record.msecs):03d}Z {record.levelname.lower():<7} {record.getMessage()}"
        line = f"{line} {facts}" if facts else line
        if record.exc_info and record.exc_info[1] is not None:
            line += "\n" + "".join(f"    {text}\n" for text in _trace(record).splitlines()).rstrip("\n")
        return line


class JsonLines(logging.Formatter):
    """One JSON object an event."""

    def format(self, record: logging.LogRecord) -> str:
        made: dict[str, Any] = {
            "time": record.created, "level": record.levelname.lower(), "logger": record.name,
            "event": record.getMessage(), **_facts(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            made["traceback"] = _trace(record)
        return json.dumps(made, default=str, ensure_ascii=False)


def configure(logger: logging.Logger, *, debug: bool = False) -> None:
    """Send the log of this process to stderr: that of ``logger`` at the level of the settings, warnings of others."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if settings.LOG_FORMAT.get() == "json" else Lines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logger.setLevel(logging.DEBUG if debug else settings.LOGGING_LEVEL.get().upper())


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    facts: dict[str, Any] = getattr(record, "facts", {})
    return facts


def _quoted(value: object) -> str:
    text = str(value)
    # A client chooses its path: what it writes stays inside one value of one line.
    return text if text.isascii() and text.isprintable() and not set(text) & set(' "=') else json.dumps(text)


def _trace(record: logging.LogRecord) -> str:
    assert record.exc_info is not None
    return "".join(traceback.format_exception(*record.exc_info)).rstrip()
