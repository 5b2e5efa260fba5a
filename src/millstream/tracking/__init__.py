"""Tracking from a running program: the functions on the active run, and the client. Names are imported when used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from millstream.tracking.client import MlflowClient
    from millstream.tracking.stores import (
        get_registry_uri,
        get_tracking_uri,
        is_tracking_uri_set,
        set_registry_uri,
        set_tracking_uri,
    )

__all__ = [
    "MlflowClient", "get_registry_uri", "get_tracking_uri", "is_tracking_uri_set", "set_registry_uri",
    "set_tracking_uri",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        module = "client" if name == "MlflowClient" else "stores"
        found = globals()[name] = getattr(importlib.import_module(f"millstream.tracking.{module}"), name)
        return found
    if name in ("client", "context", "fluent"):
        return importlib.import_module(f"millstream.tracking.{name}")
    raise AttributeError(f"module 'millstream.tracking' has no attribute {name!r}")
