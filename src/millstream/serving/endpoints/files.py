"""The files of the versions that a host serves, fetched once."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Collection
from pathlib import Path

_PREFIX = "millstream-host-"


class Files:
    """Folders of versions below a temporary one of this process; what is on this machine is used where it lies.

    Its methods may be called from any thread.
    """

    def __init__(self) -> None:
        _sweep()
        self._root = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        # Where a version is, whether it is trusted, and what was made for it here.
        self._found: dict[tuple[str, str], tuple[Path, bool, Path | None]] = {}
        self._locks: dict[tuple[str, str], threading.Lock] = {}
        self._lock = threading.Lock()

    def fetch(self, model: str, version: str) -> tuple[Path, bool]:
        """The folder of a version, and whether it comes from a trusted store. Raises as looking it up does."""
        from millstream.flavors import loading
        from millstream.models import trust

        key = (model, version)
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            found = self._found.get(key)
            if found is None or not found[0].is_dir():
                uri = f"models:/{model}/{version}"
                store, inside = loading.store_of(uri)
                place = Path(tempfile.mkdtemp(dir=self._root)) if store.local_path(inside) is None else None
                folder = loading.fetch(uri, place).resolve()
                found = (folder, trust.knows(folder), place)
                with self._lock:
                    self._found[key] = found
        return found[:2]

    def keep(self, versions: Collection[tuple[str, str]]) -> None:
        """Remove what was fetched for other (model, version), in a thread: there may be much of it."""
        with self._lock:
            gone = [self._found.pop(key)[2] for key in self._found.keys() - set(versions)]
        places = [place for place in gone if place is not None]
        if places:
            threading.Thread(target=_remove, args=(places,), name="millstream-host-files", daemon=True).start()

    def close(self) -> None:
        """Remove all of it."""
        _remove([self._root])


def _remove(places: list[Path]) -> None:
    for place in places:
        shutil.rmtree(place, ignore_errors=True)


def _sweep() -> None:
    """Remove what hosts that were killed have left."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdigit() and not _runs(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
