"""One file of the outbox, as the process that logs sees it: memory-mapped, its room reserved, locked while it lives.

Appending is an assignment to mapped memory: the pages belong to the file from that moment on, so they survive the end
of the process, however it comes, and unlike a system call the assignment keeps the interpreter's lock, which a training
thread would wait up to 5 ms for if another thread is busy.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import mmap
import os
import re
from collections import deque

import msgspec

from millstream.tracking.outbox.batches import Reader
from millstream.tracking.outbox.records import (
    ACKNOWLEDGED,
    ACKNOWLEDGED_AT,
    KEY,
    Facts,
    Mark,
    MetricName,
    encode_key,
    header,
    metric_word,
)

SUFFIX = ".outbox"
# Files double from the first size to the last: a short run costs little, a busy one changes files seldom.
FIRST_BYTES = 64 * 1024
LAST_BYTES = 16 * 1024 * 1024
_HEADER_SLACK = 128  # by which a header may grow when its file's size is entered

_NOT_OFFERED = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_NO_LOCKS = _NOT_OFFERED | {errno.ENOLCK}
_ODD = re.compile(r"[^\w-]", re.ASCII)


def plain(run_id: str) -> str:
    """The part of a run's id that stands in file names."""
    return _ODD.sub("_", run_id)[:64]


def lock(fd: int) -> bool:
    """Take the lock of a file that nobody else has yet; False where the file system keeps no locks."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    return True


def _reserve(fd: int, size: int) -> None:
    """Give a file ``size`` bytes of its own. Without this a full disk would show as SIGBUS in the training loop."""
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(fd, 0, size)
            return
        except OSError as error:  # some C libraries leave it to the file system, and some of those cannot
            if error.errno not in _NOT_OFFERED:
                raise
    zeros = bytes(1 << 16)
    for position in range(0, size, len(zeros)):
        piece = zeros[:size - position]
        if os.pwrite(fd, piece, position) != len(piece):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Segment:
    """A stretch of one run's records, in a file or, where no file can be had, in memory only (``path`` None).

    ``end`` is where the next record goes, ``size`` where the room ends, ``words`` the first word of the points of each
    key known so far (by the key alone where nothing else belongs to it), ``acknowledged`` what the store has answered.
    """

    __slots__ = ("_names", "acknowledged", "end", "map", "marks", "path", "reader", "size", "words")

    def __init__(self, mapped: mmap.mmap, path: str | None, run_id: str, begin: int) -> None:
        self.map = mapped
        self.path = path
        self.size = len(mapped)
        self.end = self.acknowledged = begin
        self.words: dict[str | tuple[str | None, ...], int] = {}
        self.marks: deque[Mark] = deque()
        self._names: dict[int, MetricName] = {}
        self.reader = Reader(mapped, run_id, begin, self._names, self.marks)

    @classmethod
    def create(cls, directory: str, facts: Facts, size: int, needed: int) -> Segment:
        """A new file of ``size`` bytes, more when ``needed`` do not fit. Raises OSError, for no room or no right."""
        if not os.path.isdir(directory):
            os.makedirs(directory, mode=0o700, exist_ok=True)
        path = os.path.join(directory, f"{plain(facts.run_id)}-{facts.log}-{facts.sequence:06d}{SUFFIX}")
        unfinished = f"{path}.new"
        fd = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            facts = msgspec.structs.replace(facts, locked=lock(fd))
            size = max(size, len(header(facts)) + _HEADER_SLACK + needed)
            head = header(msgspec.structs.replace(facts, size=size))
            _reserve(fd, size)
            mapped = mmap.mmap(fd, size)
            mapped[:len(head)] = head
            # From here on others may see it: complete and locked. The map keeps the file, and so its lock, open.
            os.rename(unfinished, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(unfinished)
            raise
        finally:
            os.close(fd)
        return cls(mapped, path, facts.run_id, len(head))

    @classmethod
    def in_memory(cls, run_id: str, size: int) -> Segment:
        """A segment that dies with the process. Raises OSError where there is no memory."""
        return cls(mmap.mmap(-1, size), None, run_id, 0)

    def append(self, record: bytes, kind: int) -> None:
        """Add a record other than a point; there must be room."""
        start, end = self.end, self.end + len(record)
        self.map[start:end] = record
        self.marks.append(Mark(start, end, kind))
        self.end = end

    def define(self, name: MetricName) -> int:
        """Number a key; returns the first word of its points."""
        word = metric_word(len(self.words) + 1)
        self._names[word] = name
        self.append(encode_key(word, name), KEY)
        self.words[name if name[1:] != (None, None, None) else name.key] = word
        return word

    def acknowledge(self, end: int) -> None:
        """Note in the file that the store has answered for everything before ``end``."""
        if self.path is not None:
            ACKNOWLEDGED.pack_into(self.map, ACKNOWLEDGED_AT, end)
        self.acknowledged = end

    @property
    def settled(self) -> bool:
        """Whether nothing waits in it."""
        return self.acknowledged >= self.end

    def retire(self) -> None:
        """Remove the file; everything in it is acknowledged."""
        if self.path is not None:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        self.abandon()

    def abandon(self) -> None:
        """Let go of the file and leave it where it lies, for the process it belongs to or for ``millstream sync``."""
        self.size = 0
        with contextlib.suppress(BufferError):
            self.map.close()
