"""Lines of the server's log."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from millstream.web.lines import JsonLines, Lines


def record(message: str = "answered", error: BaseException | None = None, **facts: Any) -> logging.LogRecord:
    made = logging.LogRecord(
        "millstream.server",
        logging.ERROR,
        __file__,
        1,
        message,
        None,
        (type(error), error, error.__traceback__) if error else None,
    )
    made.facts = facts
    return made


def test_a_line_for_people() -> None:
    line = Lines().format(record(request="r-1", status=200, path="/a b", name='say "x"'))
    assert line.endswith('error   answered request=r-1 status=200 path="/a b" name="say \\"x\\""')
    assert line[:2] == "20" and line[23] == "Z"


@pytest.mark.parametrize("evil", ["/x\nerror fake", "/x\r\n", "/x\x1b[31m", "/x\u2028y", "a=b"])
def test_a_client_cannot_write_lines_of_its_own(evil: str) -> None:
    line = Lines().format(record(path=evil))
    assert len(line.splitlines()) == 1
    assert line.isascii() and line.isprintable()


def test_a_traceback_follows_indented() -> None:
    try:
        raise ZeroDivisionError("inside")
    except ZeroDivisionError as error:
        first, *rest = Lines().format(record("unexpected problem", error, request="r")).splitlines()
    assert first.endswith("unexpected problem request=r")
    assert rest[0].startswith("    Traceback") and rest[-1] == "    ZeroDivisionError: inside"


def test_a_line_for_programs() -> None:
    try:
        raise ZeroDivisionError("inside")
    except ZeroDivisionError as error:
        line = JsonLines().format(record("unexpected problem", error, request="r\n", status=500))
    told = json.loads(line)
    assert "\n" not in line
    assert (told["event"], told["level"], told["request"], told["status"]) == (
        "unexpected problem",
        "error",
        "r\n",
        500,
    )
    assert told["traceback"].endswith("ZeroDivisionError: inside")
