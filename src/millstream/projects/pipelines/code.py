"""The code of a project: its files that count, copied as they were at one moment, with a digest.

In a git checkout these are the files that git tracks, as they lie there now, and new ones that it does not ignore;
elsewhere all files but what tools leave behind (caches, virtual environments, stores of runs).
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import posixpath
import shutil
import stat
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from millstream.errors import BadPipeline, LimitExceeded
from millstream.models.manifest import digest as content_digest
from millstream.tracking.context.git import Checkout

__all__ = ["LARGEST", "Code", "counted_files", "digest_of", "is_counted", "read", "taken"]

# Bytes of code that are copied; what is larger has data among it.
LARGEST = 1 << 30
_LEFT_BEHIND = frozenset({
    ".git", ".hg", ".svn", "__pycache__", ".ipynb_checkpoints", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".tox",
    ".nox", ".venv", "node_modules", "mlruns", "mlartifacts", "mlflow.db", ".DS_Store",
})


@dataclass(frozen=True)
class Code:
    """Files below ``folder``: path → what it is (``-``, ``x`` for a program, ``l`` for a link) and its SHA-256."""

    folder: Path
    files: Mapping[str, str]

    @property
    def digest(self) -> str:
        """One SHA-256 of all of them, with their paths."""
        lines = "".join(f"{self.files[path]}  {path}\n" for path in sorted(self.files))
        return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()

    def only(self, patterns: tuple[str, ...], step: str) -> Code:
        """The files that ``patterns`` name: files, folders, globs whose ``*`` stands for folders too.

        All of them where there are no patterns. Raises BadPipeline for a pattern that names nothing.
        """
        if not patterns:
            return self
        chosen: dict[str, str] = {}
        for pattern in patterns:
            wanted = posixpath.normpath(pattern)
            found = {path: told for path, told in self.files.items()
                     if wanted in (path, ".") or path.startswith(f"{wanted}/") or fnmatch.fnmatchcase(path, wanted)}
            if not found:
                raise BadPipeline(f"the code {pattern!r} of the entry point {step!r} is no file of the project",
                                  hint="name files, folders or patterns such as src/*.py; ignored files do not count")
            chosen |= found
        return Code(self.folder, chosen)

    def without(self, paths: Iterable[str]) -> Code:
        """All files but those at ``paths``."""
        left_out = frozenset(paths)
        return Code(self.folder, {path: told for path, told in self.files.items() if path not in left_out})

    def copy(self, to: Path) -> None:
        """Put the files into the folder ``to``."""
        for path in self.files:
            _copy(self.folder / path, to / path)


def taken(folder: Path, to: Path, exclude: Iterable[str | Path] = ()) -> Code:
    """Copy the files of ``folder`` that count, but for those at or below ``exclude``, into the folder ``to``.

    Their digests are those of the copies: whoever edits the files meanwhile changes neither. Raises LimitExceeded for
    more than :data:`LARGEST` bytes.
    """
    left_out = [str(path) for path in exclude]
    paths = [path for path in counted_files(folder) if not any(_is_at(path, one, folder) for one in left_out)]
    sizes = {path: os.lstat(folder / path).st_size for path in paths}
    if sum(sizes.values()) > LARGEST:
        largest = max(sizes, key=sizes.__getitem__)
        raise LimitExceeded(f"the project has {sum(sizes.values()) / 1e9:.1f} GB in {len(paths):,} files that count as "
                            f"code; the largest is {largest}",
                            hint="let .gitignore name what is no code, and name data as `data:` of the entry points")
    for path in paths:
        _copy(folder / path, to / path)
    return read(to, paths)


def read(folder: Path, paths: Iterable[str] | None = None) -> Code:
    """The files at ``paths`` below a folder, all files unless given, as they lie there."""
    if paths is None:
        paths = _walked(folder)
    return Code(folder, {path: _told(folder / path) for path in paths})


def counted_files(folder: Path) -> list[str]:
    """The paths, relative to ``folder``, of its files that count; sorted."""
    if Checkout.containing(folder.absolute()) is not None:
        listed = _known_to_git(folder)
        if listed:  # none where the whole folder is ignored
            return sorted(path for path in _flat(folder, listed) if is_counted(path))
    return sorted(_walked(folder))


def is_counted(path: str) -> bool:
    """Whether a file that git knows counts: what tools leave behind does not, ignored or not."""
    return not _LEFT_BEHIND.intersection(path.split("/"))


def digest_of(path: Path) -> str:
    """The SHA-256 of a file; of a folder that of the lines ``<SHA-256>  <relative path>``, sorted by path.

    The same as a :class:`millstream.data.FileDataset` has, in full length. Raises OSError.
    """
    if not path.is_dir():
        return content_digest(path)[0]
    files = sorted(Path(folder, name).relative_to(path).as_posix() for folder, _, names in os.walk(path)
                   for name in names)
    lines = "".join(f"{content_digest(path / name)[0]}  {name}\n" for name in files)
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def _known_to_git(folder: Path) -> list[str] | None:
    command = ["git", "-c", "core.fsmonitor=false", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, check=True,
                              env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"})
    except (OSError, subprocess.SubprocessError):  # no git here, or a checkout of somebody else
        return None
    return [os.fsdecode(path) for path in done.stdout.split(b"\0") if path]


def _flat(folder: Path, paths: Iterable[str]) -> Iterator[str]:
    """Those that are there; a submodule by its files."""
    for path in dict.fromkeys(paths):
        place = folder / path
        if place.is_dir() and not place.is_symlink():
            yield from (f"{path.rstrip('/')}/{inside}" for inside in counted_files(place))
        elif os.path.lexists(place):
            yield path


def _walked(folder: Path) -> Iterator[str]:
    for root, folders, names in os.walk(folder):
        there = Path(root)
        links = [name for name in folders if (there / name).is_symlink()]
        folders[:] = [name for name in folders if name not in _LEFT_BEHIND and name not in links
                      and not (there / name / "pyvenv.cfg").exists()]
        for name in (*names, *links):
            if name not in _LEFT_BEHIND and not name.endswith((".pyc", ".pyo")) and _is_regular(there / name):
                yield (there / name).relative_to(folder).as_posix()


def _is_regular(path: Path) -> bool:
    mode = os.lstat(path).st_mode
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def _is_at(path: str, place: str, folder: Path) -> bool:
    if os.path.isabs(place):
        place = os.path.relpath(place, folder.absolute())
    place = posixpath.normpath(place)
    return path == place or path.startswith(f"{place}/")


def _copy(file: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, to, follow_symlinks=False)


def _told(path: Path) -> str:
    if path.is_symlink():
        return f"l {hashlib.sha256(os.fsencode(os.readlink(path))).hexdigest()}"
    program = path.stat().st_mode & stat.S_IXUSR
    return f"{'x' if program else '-'} {content_digest(path)[0]}"
