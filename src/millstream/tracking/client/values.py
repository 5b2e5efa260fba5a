"""From what users write to what operations carry."""

from __future__ import annotations

from typing import Any

from millstream.entities import RunStatus, ViewType
from millstream.errors import InvalidValue


def view_name(view_type: int | str) -> str:
    """The name of a view on the wire; takes the name itself too. Raises InvalidValue."""
    try:
        if isinstance(view_type, str):
            view_type = ViewType.from_string(view_type)
        return ViewType.to_string(view_type)
    except KeyError:
        raise InvalidValue.of(
            "view_type", view_type, "it is none of ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY and ViewType.ALL"
        ) from None


def status_name(status: str | int) -> str:
    """The name of a run's status; takes its number too. Raises InvalidValue."""
    try:
        return RunStatus.to_string(status) if isinstance(status, int) else RunStatus.to_string(
            RunStatus.from_string(status)
        )
    except KeyError:
        names = ", ".join(RunStatus.to_string(number) for number in RunStatus.all_status())
        raise InvalidValue.of("status", status, f"it is none of {names}") from None


def listed(given: Any, field: str) -> list[str]:
    """A list of ids or clauses as text; takes a single one too."""
    if given is None:
        return []
    if isinstance(given, (str, int)):
        return [str(given)]
    try:
        return [str(one) for one in given]
    except TypeError:
        raise InvalidValue.of(field, given, "a list is expected") from None
