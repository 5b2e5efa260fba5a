"""How entities look when they are printed: a line in a list, a small page by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone

_SHOWN = 12
_WIDTH = 60


def moment(milliseconds: int | None) -> str:
    """A time in UTC, to the second."""
    if milliseconds is None:
        return "unknown"
    try:
        return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):  # beyond the years that a calendar has
        return f"{milliseconds} ms"


def duration(milliseconds: int) -> str:
    """A span of time, in the unit that suits it."""
    seconds = milliseconds / 1000
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"


def count(number: int, noun: str) -> str:
    """``3 metrics``, ``1 metric``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def pairs(values: Mapping[str, object]) -> str:
    """The first keys with their values, shortened, in one line."""
    shown = [f"{key} {_short(value)}" for key, value in list(values.items())[:_SHOWN]]
    more = len(values) - _SHOWN
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _short(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def page(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """A title and rows of name and text; rows without a text are left out."""
    kept = [(name, text) for name, text in rows if text]
    width = max((len(name) for name, _ in kept), default=0)
    return "\n".join([title, *(f"  {name:<{width}}  {text}" for name, text in kept)])
