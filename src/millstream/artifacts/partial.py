"""A download on its way: the bytes that arrived, and a record at their end of which parts those are.

The file is as long as the whole, plus one byte a part (1: arrived), plus a line that says of what it is a part and
since which start of the machine. Nothing is flushed, as the system keeps what a killed process wrote; after a power cut
a mark may be there without its bytes, so marks of before the last start do not count. Finishing cuts the record off and
renames.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import msgspec

from millstream.artifacts.contract import CHUNK_BYTES


class _Header(msgspec.Struct):
    etag: str
    size: int
    part_size: int
    boot: str


class Partial:
    """The partial file of one download, locked by it. Threads may write and keep different parts at the same time."""

    def __init__(self, file: int, place: Path, target: Path, header: _Header, marks: bytes) -> None:
        self._file, self._place, self._target, self._header = file, place, target, header
        self.arrived = [number for number, mark in enumerate(marks) if mark]
        self.missing = [number for number, mark in enumerate(marks) if not mark]

    @classmethod
    @contextlib.contextmanager
    def beside(cls, target: Path, identity: str, size: int, part_size: int, etag: str) -> Iterator[Partial]:
        """The partial file of ``target``, continued if an earlier one is of the same file and nobody writes it."""
        header = _Header(etag, size, part_size, _boot())
        name = hashlib.sha256(f"{identity}\n{target.name}".encode()).hexdigest()[:32]
        place = target.with_name(f".millstream-{name}.part")
        file = _claim(place)
        ours = file is not None
        if file is None:
            place = target.with_name(f".millstream-{secrets.token_hex(16)}.part")
            file = os.open(place, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            partial = cls(file, place, target, header, _marks(file, header) or _begin(file, header))
            yield partial
        except BaseException:
            if not ours:
                place.unlink(missing_ok=True)
            raise
        finally:
            os.close(file)

    def length(self, number: int) -> int:
        """The size of a part (counted from 0), in bytes."""
        return min(self._header.part_size, self._header.size - number * self._header.part_size)

    def write(self, data: bytes, offset: int) -> None:
        """Put bytes in their place."""
        view = memoryview(data)
        while view:
            done = os.pwrite(self._file, view, offset)
            offset += done
            view = view[done:]

    def keep(self, number: int) -> None:
        """Mark a part as arrived."""
        os.pwrite(self._file, b"\1", self._header.size + number)

    def sha256(self) -> str:
        """The SHA-256 of the whole, once everything has arrived."""
        digest, offset = hashlib.sha256(), 0
        while chunk := os.pread(self._file, min(CHUNK_BYTES, self._header.size - offset), offset):
            digest.update(chunk)
            offset += len(chunk)
        return digest.hexdigest()

    def finish(self) -> None:
        """Make it the target."""
        os.ftruncate(self._file, self._header.size)
        os.replace(self._place, self._target)

    def discard(self) -> None:
        """Forget what arrived: it is not of one file, or damaged."""
        self._place.unlink(missing_ok=True)


def _claim(place: Path) -> int | None:
    """The partial file at this place, made if need be and locked; None when another process works on it."""
    while True:
        file = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its former owner may have renamed or removed it between our opening and our lock.
            if os.path.samestat(os.fstat(file), os.stat(place)):
                return file
        except BlockingIOError:
            os.close(file)
            return None
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _marks(file: int, header: _Header) -> bytes | None:
    """The marks that the file holds, if its header says the same as ours."""
    count, end = _count(header), os.fstat(file).st_size
    encoded = msgspec.json.encode(header)
    if end != header.size + count + len(encoded):
        return None
    record = os.pread(file, end - header.size, header.size)
    return record[:count] if record[count:] == encoded else None


def _begin(file: int, header: _Header) -> bytes:
    encoded, marks = msgspec.json.encode(header), bytes(_count(header))
    os.ftruncate(file, 0)
    os.pwrite(file, marks + encoded, header.size)
    return marks


def _count(header: _Header) -> int:
    return -(-header.size // header.part_size)


def _boot() -> str:
    """What tells this start of the machine from any other."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        import psutil

        return str(int(psutil.boot_time()))
