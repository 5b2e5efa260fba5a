"""Which installed distribution provides a module, without reading the metadata of all of them.

``importlib.metadata.packages_distributions`` takes a tenth of a second and more, as it reads every file list. Here a
module's own file says which folder it is installed in, the name of the module says which distribution it likely comes
from, and one look into that one's ``RECORD`` says whether it is so
(https://packaging.python.org/en/latest/specifications/recording-installed-packages/). Only when no likely one has it
are the others asked. What was found is remembered until the folder changes.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import re
import sys
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from millstream.tracking.context.git import without_credentials

__all__ = ["Distribution", "distribution_named", "distribution_of", "is_installed", "place_of", "top_of"]

# Modules whose distribution has another name, most frequent first.
_KNOWN: dict[str, tuple[str, ...]] = {
    "PIL": ("pillow",),
    "attr": ("attrs",),
    "bs4": ("beautifulsoup4",),
    "cv2": ("opencv-python", "opencv-python-headless", "opencv-contrib-python"),
    "dateutil": ("python-dateutil",),
    "faiss": ("faiss-cpu", "faiss-gpu"),
    "google.protobuf": ("protobuf",),
    "imblearn": ("imbalanced-learn",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "skimage": ("scikit-image",),
    "sklearn": ("scikit-learn",),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tensorflow-macos"),
    "umap": ("umap-learn",),
    "xgboost": ("xgboost", "xgboost-cpu"),
    "yaml": ("pyyaml",),
}


@dataclass(frozen=True)
class Distribution:
    """An installed distribution: its normalized name, its version and the folder or file of its metadata."""

    name: str
    version: str
    metadata: str

    @property
    def origin(self) -> dict[str, Any] | None:
        """What ``direct_url.json`` (PEP 610) says, or None for one that came from a package index."""
        try:
            with open(os.path.join(self.metadata, "direct_url.json"), "rb") as file:
                found = json.load(file)
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and isinstance(found.get("url"), str) else None

    @property
    def from_folder(self) -> bool:
        """Whether it was installed from a folder of this machine, which no other machine has."""
        origin = self.origin
        return origin is not None and origin["url"].startswith("file:") and "dir_info" in origin

    def pin(self) -> str:
        """Its requirement: ``name==version``, or ``name @ address`` for one from version control or the web.

        The local part of a version (``+cpu``) is left out, as package indexes do not have it.
        """
        origin = self.origin
        if origin is not None and not origin["url"].startswith("file:"):
            url = without_credentials(origin["url"])
            source = origin.get("vcs_info")
            if isinstance(source, dict) and source.get("commit_id"):
                return f"{self.name} @ {source.get('vcs', 'git')}+{url}@{source['commit_id']}"
            if "archive_info" in origin:
                return f"{self.name} @ {url}"
        return f"{self.name}=={self.version.partition('+')[0]}"


@dataclass
class _Site:
    """A folder that distributions are installed in, as it was at one time."""

    folder: str
    changed: int
    installed: dict[str, Distribution]
    owners: dict[str, Distribution | None] = field(default_factory=dict)

    def owner(self, file: str, module: str) -> Distribution | None:
        """The distribution that brought ``file``, a path below this folder."""
        if file not in self.owners:
            self.owners[file] = self._find(file, module)
        return self.owners[file]

    def _find(self, file: str, module: str) -> Distribution | None:
        likely = [name for name in (*_KNOWN.get(module, ()), _normal(module)) if name in self.installed]
        for name in likely:
            if _brought(self.installed[name], file, module):
                return self.installed[name]
        for name, distribution in self.installed.items():
            if name not in likely and _brought(distribution, file, module):
                return distribution
        return None


_sites: dict[str, _Site] = {}


def distribution_of(module: str) -> Distribution | None:
    """The distribution that provides ``module`` (dotted below a namespace package), or None: local, or absent."""
    file = place_of(module)
    if file is None:
        return None
    # `a.b` is installed as a/b.py, or as a/b/__init__.py with one folder more.
    folder = os.path.dirname(file) if os.path.basename(file).startswith("__init__.") else file
    for _ in module.split("."):
        folder = os.path.dirname(folder)
    # A package may have put a part of it (catboost its _catboost) among the modules under a name of its own.
    for place in (folder, *(entry for entry in sys.path if entry != folder and file.startswith(entry + os.sep))):
        site = _site(place)
        owner = site.owner(os.path.relpath(file, place).replace(os.sep, "/"), module) if site else None
        if owner is not None:
            return owner
    return None


def distribution_named(name: str) -> Distribution | None:
    """The installed distribution of this name, however it is spelled; the first on the import path."""
    name = _normal(name)
    for folder in sys.path:
        site = _site(folder)
        if site and name in site.installed:
            return site.installed[name]
    return None


def is_installed(place: str) -> bool:
    """Whether a file or folder lies where distributions are installed, or in Python's own library."""
    path = os.path.realpath(place)
    return any(path.startswith(folder) for folder in _library_folders())


def _site(folder: str) -> _Site | None:
    try:
        changed = os.stat(folder or ".").st_mtime_ns
        known = _sites.get(folder)
        if known and known.changed == changed:
            return known
        entries = sorted(os.listdir(folder or "."))
    except OSError:  # a zip file, or no folder at all
        return None
    installed: dict[str, Distribution] = {}
    for entry in entries:
        stem, _, kind = entry.rpartition(".")
        if kind not in ("dist-info", "egg-info"):
            continue
        if kind == "egg-info":
            stem = re.sub(r"-py\d+(\.\d+)?$", "", stem)
        name, dash, version = stem.rpartition("-")
        if dash:
            installed[_normal(name)] = Distribution(_normal(name), version, os.path.join(folder, entry))
    found = _sites[folder] = _Site(folder, changed, installed)
    return found


def _brought(distribution: Distribution, file: str, module: str) -> bool:
    for listing in ("RECORD", "installed-files.txt"):
        try:
            with open(os.path.join(distribution.metadata, listing), "rb") as record:
                text = b"\n" + record.read()
        except OSError:
            continue
        name = file.encode()
        return any(mark + name + end in text for mark in (b"\n", b'\n"', b"\n../") for end in (b",", b'"', b"\n"))
    try:
        return module.partition(".")[0] in Path(distribution.metadata, "top_level.txt").read_text().split()
    except OSError:
        return _normal(module) == distribution.name


def place_of(module: str) -> str | None:
    """The file that ``module`` is loaded from, without importing it; None for namespaces and absent modules."""
    loaded = sys.modules.get(module)
    if loaded is not None:
        file = getattr(loaded, "__file__", None)
        if isinstance(file, str):
            return os.path.abspath(file)
    spec = _spec(module)
    return os.path.abspath(spec.origin) if spec and spec.has_location and spec.origin else None


def top_of(dotted: str) -> str:
    """The name that a distribution is known by: the first part, or as many as lie below a namespace package."""
    parts = dotted.split(".")
    for count in range(1, len(parts)):
        if not _is_namespace(".".join(parts[:count])):
            return ".".join(parts[:count])
    return dotted


def _is_namespace(module: str) -> bool:
    if module in sys.stdlib_module_names:
        return False
    loaded = sys.modules.get(module)
    if loaded is not None:
        return getattr(loaded, "__file__", None) is None and hasattr(loaded, "__path__")
    spec = _spec(module)
    return spec is not None and not spec.has_location and spec.submodule_search_locations is not None


def _spec(module: str) -> Any:
    top, _, rest = module.partition(".")
    try:
        spec = importlib.util.find_spec(top)
        for count in range(rest.count(".") + 1 if rest else 0):
            if spec is None:
                return None
            name = ".".join(module.split(".")[: count + 2])
            # importlib.util.find_spec would import the packages above; the path finder does not.
            spec = PathFinder.find_spec(name, list(spec.submodule_search_locations or ()))
    except (ImportError, ValueError, AttributeError):
        return None
    return spec


@functools.cache
def _library_folders() -> tuple[str, ...]:
    import sysconfig

    paths = sysconfig.get_paths()
    kinds = {os.path.realpath(paths[kind]) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    kinds |= {os.path.realpath(folder) for folder in sys.path if folder.endswith(("site-packages", "dist-packages"))}
    return tuple(folder + os.sep for folder in sorted(kinds))


@functools.lru_cache(4096)
def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
