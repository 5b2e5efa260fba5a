"""YAML that others wrote, read as plain values and without harm.

libyaml's loader, the quick one, calls itself for each level of a text, and a text with very many of them brings the
process down. The levels are counted first, where there is room for so many.
"""

from __future__ import annotations

from typing import Any

from millstream.errors import InvalidValue

__all__ = ["DEEPEST", "read"]

# What nobody writes by hand or by program.
DEEPEST = 100
# A shorter text has not levels enough to do harm, however it is written.
_SHORT = 2_048


def read(text: str | bytes) -> Any:
    """The values of a text. Raises InvalidValue, with the place, for one that is no YAML or has too many levels."""
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if len(text) > _SHORT:
            _count_levels(yaml, text, loader)
        return yaml.load(text, loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, InvalidValue):
            raise
        raise InvalidValue(f"it is not YAML: {' '.join(str(error).split())[:200]}") from None


def _count_levels(yaml: Any, text: str | bytes, loader: Any) -> None:
    depth = 0
    for event in yaml.parse(text, loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise InvalidValue(f"it has more than {DEEPEST} levels")
