"""Zips of projects, taken out member by member: no member leads out of the folder, and there is an end to them."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
import zlib
from pathlib import Path

from millstream.errors import InvalidValue, LimitExceeded

__all__ = ["extract"]

_MOST_MEMBERS = 100_000
_MOST_BYTES = 4 * 2**30


def extract(archive: Path, target: Path, *, most_members: int = _MOST_MEMBERS, most_bytes: int = _MOST_BYTES) -> None:
    """Take the files of a zip out into a new folder.

    Raises InvalidValue for what is no zip and for a member that is a link or leads elsewhere, LimitExceeded for too
    many members or bytes; bytes are counted as they come, whatever the archive says of itself.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            if len(members) > most_members:
                raise LimitExceeded(f"{archive.name} has {len(members):,} members, more than {most_members:,}",
                                    hint="give the project's folder")
            target.mkdir(parents=True)
            places = [_place(member, target, archive) for member in members]
            left = most_bytes
            for member, place in zip(members, places, strict=True):
                left -= _take_out(opened, member, place, left, archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InvalidValue(f"{archive.name} cannot be read as a zip: {error}", hint="make it again") from None


def _place(member: zipfile.ZipInfo, target: Path, archive: Path) -> Path:
    name = member.filename
    parts = name.rstrip("/").split("/")
    if not parts[0] or "\\" in name or ":" in parts[0] or any(part in ("", ".", "..") for part in parts):
        raise InvalidValue(f"{archive.name} has the member {name!r}, which leads out of its folder",
                           hint="do not use archives of people whom you do not trust")
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InvalidValue(f"{archive.name} has the member {name!r}, which is a link or a device",
                           hint="put files and folders only into the archive")
    return target.joinpath(*parts)


def _take_out(opened: zipfile.ZipFile, member: zipfile.ZipInfo, place: Path, left: int, archive: Path) -> int:
    """Write one member; the bytes that it has."""
    if member.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        return 0
    place.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with opened.open(member) as source, place.open("xb") as file:
        while part := source.read(1 << 20):
            written += len(part)
            if written > left:
                shutil.rmtree(place.parent, ignore_errors=True)
                raise LimitExceeded(f"{archive.name} holds more bytes than projects may have ({_MOST_BYTES:,})",
                                    hint="give the project's folder")
            file.write(part)
    if (member.external_attr >> 16) & 0o100:
        os.chmod(place, 0o755)
    return written
