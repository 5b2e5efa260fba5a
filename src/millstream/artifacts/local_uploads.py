"""Uploads in parts on a local disk.

An upload is a folder beside the file it will become: ``data``, as long as the whole, into which each part is written
at its place; ``about``, what the upload is; and for each part that has arrived a small record with its checksum,
written after the part's bytes were flushed. Completing is a rename of ``data``, whatever the size.

Locks keep two requests apart: writers hold a shared lock on ``about`` and an exclusive one on their part's record,
completing and aborting need ``about`` for themselves. Nobody waits for a lock; who does not get it is told to come
back, which HTTP clients do by themselves.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from millstream.artifacts.contract import Part, Upload
from millstream.artifacts.paths import PARTIAL
from millstream.errors import ArtifactNotFound, InvalidValue, StoreUnavailable

T = TypeVar("T")

_ID = re.compile(r"[0-9a-f]{32}")
_ABOUT = "about"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_INNER = os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_PARTS = 10_000

_flush = getattr(os, "fdatasync", os.fsync)


class _About(msgspec.Struct):
    name: str
    size: int
    part_size: int
    sha256: str | None = None

    @property
    def count(self) -> int:
        return max(1, -(-self.size // self.part_size))


class PartedUpload:
    """One upload, opened and locked. ``folder`` is the descriptor of its folder, ``name`` that folder's name."""

    DATA = "data"

    def __init__(self, name: str, folder: int, about: _About) -> None:
        self.name = name
        self.folder = folder
        self._about = about
        self._digest = hashlib.sha256()
        self._data = self._record = -1

    @staticmethod
    def start(folder: int, name: str, size: int, part_size: int, sha256: str | None) -> str:
        """Make an upload of ``name`` in the folder with this descriptor, and return its id."""
        if size < 0 or part_size <= 0 or -(-size // part_size) > _MAX_PARTS:
            raise InvalidValue(
                f"{size} bytes in parts of {part_size} are not between 1 and {_MAX_PARTS} parts",
                hint="choose a larger part size",
            )
        upload_id = secrets.token_hex(16)
        inner_name = f".millstream-{upload_id}.part"
        os.mkdir(inner_name, 0o700, dir_fd=folder)
        inner = os.open(inner_name, _FOLDER, dir_fd=folder)
        try:
            data = os.open(PartedUpload.DATA, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _INNER, 0o666, dir_fd=inner)
            try:
                os.ftruncate(data, size)
            finally:
                os.close(data)
            about = os.open(_ABOUT, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _INNER, 0o600, dir_fd=inner)
            try:
                os.write(about, msgspec.json.encode(_About(name, size, part_size, sha256)))
            finally:
                os.close(about)
        finally:
            os.close(inner)
        return upload_id

    @staticmethod
    def find(folder: int, name: str) -> list[Upload]:
        """The uploads of ``name`` in the folder with this descriptor, newest first."""
        found: list[tuple[float, Upload]] = []
        for entry in os.listdir(folder):
            upload_id = entry.removeprefix(".millstream-").removesuffix(".part")
            if not PARTIAL.fullmatch(entry) or not _ID.fullmatch(upload_id):
                continue
            try:
                inner = os.open(entry, _FOLDER, dir_fd=folder)
            except OSError:
                continue
            try:
                about = _about(inner)
                if about is not None and about.name == name:
                    parts = [part for n in range(1, about.count + 1) if (part := _arrived(inner, n)) is not None]
                    found.append((os.fstat(inner).st_mtime, Upload(upload_id, about.part_size, parts)))
            finally:
                os.close(inner)
        return [upload for _, upload in sorted(found, key=lambda pair: pair[0], reverse=True)]

    @staticmethod
    @contextlib.contextmanager
    def resume(folder: int, name: str, upload_id: str, *, alone: bool = False) -> Iterator[PartedUpload]:
        """The upload with this id, locked: shared among writers, or ``alone``."""
        inner_name = f".millstream-{upload_id}.part"
        with contextlib.ExitStack() as stack:
            try:
                if not _ID.fullmatch(upload_id):
                    raise FileNotFoundError
                inner = os.open(inner_name, _FOLDER, dir_fd=folder)
                stack.callback(os.close, inner)
                lock = os.open(_ABOUT, os.O_RDONLY | _INNER, dir_fd=inner)
                stack.callback(os.close, lock)
            except (FileNotFoundError, NotADirectoryError):
                raise _gone(name, upload_id) from None
            _lock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH, "a part of this upload is being written")
            about = _about(inner)
            if about is None or about.name != name:
                raise _gone(name, upload_id)
            yield PartedUpload(inner_name, inner, about)

    def check_part(self, number: int, size: int) -> None:
        """Raises InvalidValue for a part that this upload does not have, or of another size."""
        about = self._about
        if not 1 <= number <= about.count:
            raise InvalidValue.of("part_number", number, f"this upload has parts 1 to {about.count}")
        expected = about.part_size if number < about.count else about.size - (about.count - 1) * about.part_size
        if size != expected:
            raise InvalidValue(f"part {number} of this upload has {expected} bytes, not {size}")

    @contextlib.contextmanager
    def part(self, number: int) -> Iterator[Callable[[bytes], None]]:
        """A function that writes the next bytes of a part; keep_part() makes them count."""
        offset = (number - 1) * self._about.part_size

        def write(chunk: bytes) -> None:
            nonlocal offset
            self._digest.update(chunk)
            view = memoryview(chunk)
            while view:
                done = os.pwrite(self._data, view, offset)
                offset += done
                view = view[done:]

        with contextlib.ExitStack() as stack:
            try:
                self._data = os.open(self.DATA, os.O_WRONLY | _INNER, dir_fd=self.folder)
                stack.callback(os.close, self._data)
                self._record = os.open(_record(number), os.O_RDWR | os.O_CREAT | _INNER, 0o600, dir_fd=self.folder)
                stack.callback(os.close, self._record)
            except FileNotFoundError:
                raise _gone(self._about.name, self.name) from None
            _lock(self._record, fcntl.LOCK_EX, "this part is being written by another request")
            os.ftruncate(self._record, 0)
            self._digest = hashlib.sha256()
            yield write

    def keep_part(self, number: int) -> Part:
        """Flush what was written of the part, and record that it is there."""
        _flush(self._data)
        digest = self._digest.hexdigest()
        size = min(self._about.part_size, self._about.size - (number - 1) * self._about.part_size)
        part = Part(number, digest, size, digest)
        os.pwrite(self._record, msgspec.json.encode(part), 0)
        return part

    @contextlib.contextmanager
    def whole(self, parts: list[Part]) -> Iterator[tuple[int, str | None]]:
        """The descriptor of the finished data and its SHA-256, if that was said. Raises InvalidValue when ``parts``
        are not all its parts as they arrived."""
        named = {part.number: part.etag for part in parts}
        if sorted(named) != list(range(1, self._about.count + 1)):
            raise InvalidValue(f"this upload has parts 1 to {self._about.count}, named were {sorted(named)}"[:300])
        for number, etag in named.items():
            arrived = _arrived(self.folder, number)
            if arrived is None or arrived.etag != etag.strip('"'):
                raise InvalidValue(f"part {number} has not arrived as it was named", hint="send it again")
        data = os.open(self.DATA, os.O_RDWR | _INNER, dir_fd=self.folder)
        try:
            yield data, self._about.sha256
        finally:
            os.close(data)


def _record(number: int) -> str:
    return f"{number:05d}"


def _about(inner: int) -> _About | None:
    return _read(inner, _ABOUT, _About)


def _arrived(inner: int, number: int) -> Part | None:
    return _read(inner, _record(number), Part)


def _read(inner: int, name: str, kind: type[T]) -> T | None:
    try:
        file = os.open(name, os.O_RDONLY | _INNER, dir_fd=inner)
    except FileNotFoundError:
        return None
    try:
        # A record that is just being written does not parse: its part has not arrived yet.
        return msgspec.json.decode(os.read(file, 1 << 16), type=kind)
    except msgspec.DecodeError:
        return None
    finally:
        os.close(file)


def _lock(file: int, how: int, why_not: str) -> None:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StoreUnavailable(why_not, hint="try again in a moment") from None


def _gone(name: str, upload_id: str) -> ArtifactNotFound:
    return ArtifactNotFound(f"no upload '{upload_id}' of '{name}' is open", hint="begin a new one")
