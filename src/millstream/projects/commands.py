"""From a command's template and values to what is executed."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Command"]


@dataclass(frozen=True)
class Command:
    """A program with its arguments, as it is executed: no value is read by a shell."""

    argv: tuple[str, ...]
