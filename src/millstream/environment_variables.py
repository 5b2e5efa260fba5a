"""The settings under the names of MLflow's environment variables: ``MLFLOW_TRACKING_URI.get()``."""

from __future__ import annotations

from typing import Any

from millstream.settings import SETTINGS, Setting

_BY_VARIABLE: dict[str, Setting[Any]] = {one.mlflow: one for one in SETTINGS.values() if one.mlflow}


def __getattr__(name: str) -> Setting[Any]:
    try:
        return _BY_VARIABLE[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted(_BY_VARIABLE)
