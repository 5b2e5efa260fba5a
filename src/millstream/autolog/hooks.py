"""Noticing that a library is imported, without importing it.

A finder at the front of ``sys.meta_path`` lets the others find a module and tells those who asked once it has been
executed. The module, its spec and its loader are left as they would be without it.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

logger = logging.getLogger("millstream")

Told = Callable[[ModuleType], None]

_lock = threading.RLock()
_exact: dict[str, list[Told]] = {}
_below: dict[str, list[Told]] = {}


def when_imported(name: str, told: Told) -> None:
    """Call ``told`` with the module ``name`` once it is imported; at once when it has been."""
    with _lock:
        _exact.setdefault(name, []).append(told)
        _begin()
    module = sys.modules.get(name)
    if module is not None and _is_complete(module):
        told(module)


def when_imported_below(package: str, told: Told) -> None:
    """Call ``told`` with the package and every module below it, those that are imported first."""
    with _lock:
        _below.setdefault(package, []).append(told)
        _begin()
    for name, module in list(sys.modules.items()):
        if (name == package or name.startswith(f"{package}.")) and _is_complete(module):
            told(module)


def forget(told: Told) -> None:
    """Tell ``told`` of nothing any more."""
    with _lock:
        for waiting in (_exact, _below):
            for name in [name for name, tellers in waiting.items() if told in tellers]:
                waiting[name].remove(told)
                if not waiting[name]:
                    del waiting[name]
        if not _exact and not _below and _finder in sys.meta_path:
            sys.meta_path.remove(_finder)


def _begin() -> None:
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def _is_complete(module: ModuleType | None) -> bool:
    """Whether a module is not just being executed (one that is will be told of then), and not blocked by a None."""
    if module is None:
        return False
    return not getattr(getattr(module, "__spec__", None), "_initializing", False)


def _asked(name: str) -> list[Told]:
    with _lock:
        return [*_exact.get(name, ()), *_below.get(name.partition(".")[0], ())]


class _Finder:
    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _exact and fullname.partition(".")[0] not in _below:
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: ModuleSpec | None = find(fullname, path, target)
            if spec is not None:
                if spec.loader is not None and hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader)
                return spec
        return None


class _Loader(Loader):
    """Stands in for a module's loader until the module is executed."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        create = getattr(self.loader, "create_module", None)
        spec.loader = self.loader
        try:
            made: ModuleType | None = create(spec) if create is not None else None
        finally:
            spec.loader = self
        return made

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        module.__loader__ = self.loader
        self.loader.exec_module(module)
        # A module may put another in its place (a lazy one, say), and that is what the program gets.
        module = sys.modules.get(module.__name__, module)
        for told in _asked(module.__name__):
            try:
                told(module)
            except Exception as error:  # the import itself has worked
                logger.warning("autologging of %s is not set up: %r", module.__name__, error)

    def __getattr__(self, name: str) -> Any:  # is_package, get_source, …, for whoever asks the spec before that
        return getattr(self.loader, name)


_finder: Any = _Finder()
