"""Libraries that are installed apart from Millstream, imported when they are first needed."""

from __future__ import annotations

import importlib
from typing import Any

from millstream.errors import MillstreamError


class MissingLibrary(MillstreamError, ImportError):
    """A library that this call needs is not installed."""


def pandas(purpose: str, *, hint: str | None = None) -> Any:
    """The module pandas. Raises MissingLibrary, saying what for."""
    return require("pandas", purpose, hint=hint)


def require(module: str, purpose: str, *, hint: str | None = None) -> Any:
    """The module of this name. Raises MissingLibrary, saying what for and how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if error.name is not None and error.name != module.partition(".")[0]:
            raise
        distribution = {"PIL": "pillow", "yaml": "pyyaml"}.get(module.partition(".")[0], module.partition(".")[0])
        advice = f"install it: pip install {distribution}" + (f"; {hint}" if hint else "")
        raise MissingLibrary(f"{purpose} needs {distribution}, which is not installed", hint=advice) from None
