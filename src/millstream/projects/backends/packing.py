"""The files of a project as one file, the same bytes for the same content: what is sent to where it runs."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from millstream.errors import InvalidValue

__all__ = ["copy_to", "digest_of", "files_of", "tarball", "zipped"]

# What versions, tools and stores keep beside a project's own files.
_LEFT_OUT = frozenset({
    ".git", ".hg", ".svn", "__pycache__", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox",
    "node_modules", ".venv",
})
_STORES = frozenset({"mlruns", "mlartifacts"})
_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip can tell
_TIME_SECONDS = 315532800


def files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files of a project with their paths in it (``/`` between names), in one order on every machine.

    Folders of version control, caches, virtual environments and local stores are left out. Raises InvalidValue for a
    link that leads out of the folder: whoever wrote the project does not choose what else of this machine is sent.
    """
    root = folder.resolve()
    for here, folders, names in os.walk(root):
        top = Path(here) == root
        folders[:] = sorted(
            name for name in folders
            if name not in _LEFT_OUT and not (top and name in _STORES) and not Path(here, name, "pyvenv.cfg").is_file()
        )
        for name in sorted([*names, *(name for name in folders if Path(here, name).is_symlink())]):
            path = Path(here, name)
            shown = path.relative_to(root).as_posix()
            if path.is_symlink():
                target = path.resolve()
                if not target.is_relative_to(root):
                    raise InvalidValue(f"{shown} is a link that leads out of the project, to {target}",
                                       hint="copy what it points at into the project, or give its place as a parameter")
                if target.is_dir():
                    raise InvalidValue(f"{shown} is a link to a folder", hint="put the files there themselves")
            if path.is_file():
                yield shown, path


def tarball(folder: Path, top: str = "") -> bytes:
    """A ``.tar.gz`` of the project, below the folder ``top`` in it."""
    made = io.BytesIO()
    with gzip.GzipFile(fileobj=made, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for shown, path in files_of(folder):
            content = path.read_bytes()
            entry = tarfile.TarInfo(f"{top}/{shown}" if top else shown)
            entry.size, entry.mtime, entry.mode = len(content), _TIME_SECONDS, _mode(path)
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def zipped(folder: Path) -> bytes:
    """A ``.zip`` of the project."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for shown, path in files_of(folder):
            entry = zipfile.ZipInfo(shown, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100000 | _mode(path)) << 16
            archive.writestr(entry, path.read_bytes())
    return made.getvalue()


def copy_to(folder: Path, target: Path) -> None:
    """Copy the project's files into a new folder, readable for everybody."""
    target.mkdir(parents=True)
    target.chmod(0o755)
    for shown, path in files_of(folder):
        copied = target / shown
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)
        copied.chmod(_mode(path))


def digest_of(content: bytes) -> str:
    """SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _mode(path: Path) -> int:
    return 0o755 if os.access(path, os.X_OK) else 0o644
