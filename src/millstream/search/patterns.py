"""Patterns of LIKE and MATCHES, as linear-time expressions. The library is loaded by the first pattern."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

Search = Callable[[str], bool]


def refusal(pattern: str) -> str | None:
    """Why RE2 refuses ``pattern``; None when it is a regular expression."""
    import re2

    try:
        _compiled(pattern)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    return None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


@lru_cache(maxsize=256)
def matcher(pattern: str) -> Search:
    """The test whether the regular expression is found somewhere in a text."""
    search = _compiled(pattern).search
    return lambda text: search(text) is not None


@lru_cache(maxsize=256)
def like(pattern: str, insensitive: bool) -> Search:
    """The test whether a whole text fits a LIKE pattern: ``%`` any characters, ``_`` one, no escape."""
    if insensitive:
        pattern = pattern.lower()
    pattern = re.sub("%+", "%", pattern)
    parts = (".*" if char == "%" else "." if char == "_" else re.escape(char) for char in pattern)
    fits = _compiled("(?s)" + "".join(parts)).fullmatch
    if insensitive:
        return lambda text: fits(text.lower()) is not None
    return lambda text: fits(text) is not None
