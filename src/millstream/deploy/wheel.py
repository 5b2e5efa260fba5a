"""The running Millstream as a wheel, for machines that no package index gives it to."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from millstream._version import VERSION
from millstream.environments.ourselves import ourselves
from millstream.errors import EnvironmentFailed

__all__ = ["requirement", "write"]

_TAG = "py3-none-any"
_TIME = (2020, 1, 1, 0, 0, 0)  # the same content is the same wheel


def requirement() -> str | None:
    """The requirement that installs the running Millstream from a package index; None when none has it."""
    us = ourselves()
    return us.requirements[0] if us.source is None else None


def write(folder: Path) -> Path:
    """Write the running Millstream into ``folder`` as a wheel, and return its path.

    The format is https://packaging.python.org/en/latest/specifications/binary-distribution-format/. Raises
    EnvironmentFailed for one that is not installed, and so does not say what it needs.
    """
    try:
        distribution = metadata.distribution("millstream")
    except metadata.PackageNotFoundError:
        raise EnvironmentFailed("Millstream is only on the import path here, and does not say what it needs",
                                hint="install it: pip install .") from None
    path = folder / f"millstream-{VERSION}-{_TAG}.whl"
    notes = f"millstream-{VERSION}.dist-info"
    record = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (*_modules(), *_notes(distribution, notes)):
            _add(archive, name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(content)}\n")
        _add(archive, f"{notes}/RECORD", "".join([*record, f"{notes}/RECORD,,\n"]).encode())
    return path


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)


def _modules() -> Iterator[tuple[str, bytes]]:
    package = Path(__file__).parents[1]
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"millstream/{path.relative_to(package).as_posix()}", path.read_bytes()


def _notes(distribution: metadata.Distribution, folder: str) -> Iterator[tuple[str, bytes]]:
    described = distribution.read_text("METADATA") or ""
    head, _, text = described.partition("\n\n")
    lines = [f"Version: {VERSION}" if line.startswith("Version:") else line for line in head.splitlines()]
    yield f"{folder}/METADATA", "\n".join([*lines, "", text]).encode()
    yield f"{folder}/WHEEL", f"Wheel-Version: 1.0\nGenerator: millstream\nRoot-Is-Purelib: true\nTag: {_TAG}\n".encode()
    yield f"{folder}/entry_points.txt", (distribution.read_text("entry_points.txt") or "").encode()
