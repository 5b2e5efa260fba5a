"""The option ``--params`` of commands that predict."""

from __future__ import annotations

import json
from typing import Any

import click


def params_of(text: str | None) -> dict[str, Any] | None:
    """The parameters in a JSON object, None for none. Raises click.BadParameter for anything else."""
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"it is not JSON: {error}", param_hint="--params") from None
    if not isinstance(found, dict):
        raise click.BadParameter("it is no JSON object", param_hint="--params")
    return found
