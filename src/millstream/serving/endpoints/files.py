"""The files of the versions that a host serves, fetched once."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Collection
from pathlib import Path
from urllib.parse import quote

_PREFIX = "millstream-host-"


class Files:
    """Folders of versions below a temporary one of this process; what is on this machine is used where it lies."""

    def __init__(self) -> None:
        _sweep()
        self._root = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        self._found: dict[tuple[str, str], tuple[Path, bool]] = {}
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
                place = None
                if store.local_path(inside) is None:
                    place = self._place(key)
                    place.mkdir(parents=True, exist_ok=True)
                folder = loading.fetch(uri, place).resolve()
                found = self._found[key] = (folder, trust.knows(folder))
        return found

    def keep(self, versions: Collection[tuple[str, str]]) -> None:
        """Remove what was fetched for other (model, version)."""
        for key in self._found.keys() - set(versions):
            del self._found[key]
            shutil.rmtree(self._place(key), ignore_errors=True)

    def close(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self._root, ignore_errors=True)

    def _place(self, key: tuple[str, str]) -> Path:
        return self._root / quote(key[0], safe=" ") / key[1]


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
