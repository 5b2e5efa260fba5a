"""Packages in folders of this machine (``-e .``, ``./lib``) as requirements: what of a folder counts, and a copy of it.

An environment is known by its content, so that a folder counts by the files that a package could be built from, and not
by its place; another program text is another environment. Data and results that lie about do not count, which is why
they are not in the copy either.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

__all__ = ["copied", "digest_of", "place_of"]

_ADDRESS = re.compile(r"(?:[^/]*@\s*)?file://(?:localhost)?(?P<path>/[^\[;#\s]*)(?P<extras>\[[\w,.-]*\])?\s*")
_SOURCE = re.compile(
    r".+\.(?:py|pyi|pyx|pxd|pxi|c|cc|cpp|cxx|cu|h|hpp|f|f90|rs|toml|cfg|in|build|cmake)|CMakeLists\.txt|py\.typed|"
    r"PKG-INFO", re.IGNORECASE,
)
# What the description of a package may refer to, in its first folder.
_DESCRIBING = re.compile(
    r"(?:readme|licen[cs]e|copying|notice|authors|version|changes|changelog|history|requirements)[\w.-]*|"
    r".+\.(?:md|rst|txt)", re.IGNORECASE,
)
_PASSED_OVER = frozenset({"__pycache__", "node_modules", "mlruns", "mlartifacts"})
_MADE = frozenset({"build", "dist"})  # by a build, in the first folder


def place_of(line: str) -> tuple[Path, str] | None:
    """The file or folder that a requirement names by its address, and its extras; None for any other."""
    named = _ADDRESS.fullmatch(line)
    if named is None or "\0" in (path := unquote(named["path"])):
        return None
    return Path(path), named["extras"] or ""


def digest_of(folder: Path) -> str:
    """A digest of the files that count, with their names."""
    digest = hashlib.sha256()
    for path in _files(folder):
        with contextlib.suppress(OSError):
            content = hashlib.sha256((folder / path).read_bytes()).hexdigest()
            digest.update(f"{path}\0{content}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def copied(folder: Path, target: Path) -> None:
    """Copy the files that count. The history of a repository is referred to: some take their version from there."""
    target.mkdir(parents=True)
    for path in _files(folder):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            shutil.copyfile(folder / path, target / path)
    if (folder / ".git").is_dir():
        (target / ".git").symlink_to(folder / ".git", target_is_directory=True)


def _files(folder: Path) -> Iterator[str]:
    """The files that a package could be made of, in order: sources, and all that lies in a package of Python."""
    packages: set[str] = set()
    for place, folders, names in os.walk(folder):
        first = place == str(folder)
        inside = not first and (os.path.dirname(place) in packages or "__init__.py" in names)
        if inside:
            packages.add(place)
        folders[:] = sorted(
            name for name in folders
            if not name.startswith(".") and name not in _PASSED_OVER and not name.endswith(".egg-info")
            and not (first and name in _MADE) and not _is_environment(os.path.join(place, name))
        )
        for name in sorted(names):
            counts = _SOURCE.fullmatch(name) or (first and _DESCRIBING.fullmatch(name))
            if counts or (inside and not name.endswith((".pyc", ".pyo"))):
                yield os.path.relpath(os.path.join(place, name), folder)


def _is_environment(place: str) -> bool:
    return os.path.exists(os.path.join(place, "pyvenv.cfg")) or os.path.isdir(os.path.join(place, "conda-meta"))
