"""Plug-ins: what installed distributions offer under our entry-point groups, and MLflow's of the same contract.

The metadata files are read directly: ``importlib.metadata`` costs 30 ms to import, more than all else a run does at its
start. Format: https://packaging.python.org/en/latest/specifications/entry-points/
"""

from __future__ import annotations

import functools
import importlib
import logging
import os
import sys
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plugin:
    """One entry point: ``name = value`` under ``group``, declared by ``distribution`` (its normalised name)."""

    name: str
    value: str
    group: str
    distribution: str

    def load(self) -> Any:
        """The object it names. Raises what its import raises; AttributeError when the module does not have it."""
        module, _, attributes = self.value.partition(":")
        loaded: Any = importlib.import_module(module.strip())
        for attribute in filter(None, attributes.strip().split(".")):
            loaded = getattr(loaded, attribute)
        return loaded


def plugins(*groups: str) -> list[Plugin]:
    """The entry points of these groups, in the order of ``sys.path`` and then of the names of distributions.

    Scanned once for a state of ``sys.path``; :func:`forget` makes the next call look again.
    """
    wanted = set(groups)
    return [plugin for plugin in _scan(tuple(sys.path)) if plugin.group in wanted]


def load_all(*groups: str) -> list[tuple[Plugin, Any]]:
    """Each plug-in of these groups with what it loads to; one that fails to load is logged and left out."""
    loaded = []
    for plugin in plugins(*groups):
        try:
            loaded.append((plugin, plugin.load()))
        except Exception as error:  # a stranger's import must not end the program that found it
            logger.warning("plug-in %s of %s does not load: %s", plugin.value, plugin.distribution, error)
    return loaded


def forget() -> None:
    """Look at the disk again at the next call: for a notebook that has just installed something."""
    _scan.cache_clear()


@functools.lru_cache(maxsize=4)
def _scan(path: tuple[str, ...]) -> tuple[Plugin, ...]:
    found: list[Plugin] = []
    seen: set[str] = set()
    for folder in path:
        try:
            names = sorted(os.listdir(folder or "."))
        except OSError:
            continue
        for entry in names:
            if not entry.endswith((".dist-info", ".egg-info")):
                continue
            distribution = entry.rsplit(".", 1)[0].split("-", 1)[0].replace("_", "-").lower()
            if distribution in seen:  # the first on the path is the one that Python imports
                continue
            seen.add(distribution)
            try:
                with open(os.path.join(folder, entry, "entry_points.txt"), encoding="utf-8") as file:
                    text = file.read()
            except (OSError, UnicodeDecodeError):
                continue
            found.extend(_parse(text, distribution))
    return tuple(found)


def _parse(text: str, distribution: str) -> list[Plugin]:
    found = []
    group = ""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif group and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            # "module:attribute [extra]": the bracket names optional dependencies and is no part of the object.
            found.append(Plugin(name.strip(), value.partition("[")[0].strip(), group, distribution))
    return found
