"""Where this process keeps its runs: the tracking URI, the registry URI, and the stores that are open."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from pathlib import Path

from millstream import settings
from millstream.errors import InvalidValue, MillstreamError
from millstream.operations import OWNER, Principal
from millstream.stores.contract import Store
from millstream.tracking.context.source import user

DEFAULT_FOLDER = "mlruns"

_tracking_uri: str | None = None
_registry_uri: str | None = None


def set_tracking_uri(uri: str | os.PathLike[str] | None) -> None:
    """Keep runs at ``uri`` from now on: a folder, ``file:``, ``sqlite:///``, ``postgresql://``, ``http(s)://`` or
    ``databricks``. An empty one takes the choice back. Child processes inherit it.

    A run that is active stays in the store where it began. Raises InvalidValue for what is no text and no path.
    """
    global _tracking_uri
    _tracking_uri = _text(uri, "tracking")
    if _tracking_uri:
        settings.TRACKING_URI.set(_tracking_uri)
    else:
        settings.TRACKING_URI.unset()


def get_tracking_uri() -> str:
    """The tracking URI: as set, or of the environment, or the folder ``mlruns`` of the working directory."""
    return _tracking_uri or settings.TRACKING_URI.get() or (Path.cwd() / DEFAULT_FOLDER).as_uri()


def is_tracking_uri_set() -> bool:
    """Whether the program or the environment chose a tracking URI."""
    return bool(_tracking_uri or settings.TRACKING_URI.get())


def set_registry_uri(uri: str) -> None:
    """Keep registered models at ``uri`` from now on; an empty one takes the choice back."""
    global _registry_uri
    _registry_uri = _text(uri, "registry")
    if _registry_uri:
        settings.REGISTRY_URI.set(_registry_uri)
    else:
        settings.REGISTRY_URI.unset()


def get_registry_uri() -> str:
    """Where registered models are kept: as set, or of the environment, or with the runs."""
    return _registry_uri or settings.REGISTRY_URI.get() or get_tracking_uri()


def _text(uri: str | os.PathLike[str] | None, kind: str) -> str | None:
    if isinstance(uri, os.PathLike):
        return Path(uri).absolute().as_uri()
    if uri is not None and not isinstance(uri, str):
        raise InvalidValue(f"a {kind} URI is text or a path, not {type(uri).__name__}")
    return uri or None


def acting() -> Principal:
    """Who acts in this process, as a store on this machine notes it down."""
    return Principal(user() or OWNER.name)


class _Open:
    """The stores that this process has open, one a URI. A child process opens its own."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.lock = threading.Lock()
        self.stores: dict[str, Store] = {}

    def close(self) -> None:
        with self.lock:
            stores, self.stores = self.stores, {}
        for store in stores.values():
            store.close()


_open = _Open()
atexit.register(_open.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open.begin)


def store(uri: str | None = None) -> Store:
    """The store that ``uri`` names (the current tracking URI unless given), opened once a process.

    Raises InvalidValue for a URI that names no store, and what opening the store raises.
    """
    uri = uri or get_tracking_uri()
    found = _open.stores.get(uri)
    if found is None:
        with _open.lock:
            found = _open.stores.get(uri)
            if found is None:
                from millstream.stores import open_store

                found = open_store(uri)
                _sweep(found)
                _open.stores[uri] = found
    return found


def _sweep(opened: Store) -> None:
    """End the runs whose processes died. A server does that by itself; a database without one is swept when opened."""
    sweep = getattr(opened, "sweep", None)
    if sweep is not None:
        with contextlib.suppress(MillstreamError):  # a database that is read-only is read as it is
            sweep()


def close_stores() -> None:
    """Close every store that this process has open; the next call opens them again."""
    _open.close()
