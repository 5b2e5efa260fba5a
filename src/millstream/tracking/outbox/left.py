"""What dead processes and outages left in the outbox: what there is, and sending it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Callable
from typing import Any

import msgspec

from millstream.errors import MillstreamError
from millstream.operations import LogBatch
from millstream.stores.contract import Store
from millstream.tracking.outbox.batches import Batch, Reader
from millstream.tracking.outbox.delivery import REFUSED_SUFFIX, Refusal, deliver, keep, kept, refusal
from millstream.tracking.outbox.place import absolute, outbox_directory, shown
from millstream.tracking.outbox.records import (
    ACKNOWLEDGED,
    ACKNOWLEDGED_AT,
    Contents,
    Facts,
    Heading,
    read,
    read_header,
)
from millstream.tracking.outbox.segment import SUFFIX

DAMAGED_SUFFIX = ".damaged"
_HEADER_BYTES = 1 << 20
_UNFINISHED_SECONDS = 60.0

Progress = Callable[[str, int, int], None]


class Waiting(msgspec.Struct, frozen=True):
    """A file of the outbox that holds something. ``entries`` wait in it; it is ``live`` while its process runs.

    ``uri`` is shown without its password; ``started`` is in milliseconds since the epoch; ``unreadable`` counts bytes
    that are damaged.
    """

    path: str
    uri: str
    run_id: str
    experiment_id: str | None
    pid: int
    host: str
    started: int
    entries: int
    unreadable: int
    live: bool


class Sent(msgspec.Struct):
    """What was sent of one run."""

    uri: str
    run_id: str
    metrics: int = 0
    params: int = 0
    tags: int = 0
    updates: int = 0

    @property
    def entries(self) -> int:
        """All of it."""
        return self.metrics + self.params + self.tags + self.updates

    def count(self, batch: Batch) -> None:
        """Add a batch."""
        if isinstance(batch.operation, LogBatch):
            self.metrics += len(batch.operation.metrics)
            self.params += len(batch.operation.params)
            self.tags += len(batch.operation.tags)
        else:
            self.updates += 1

    def discount(self, part: Any) -> None:
        """Take off what was refused of a batch."""
        if isinstance(part, LogBatch):
            self.metrics -= len(part.metrics)
            self.params -= len(part.params)
            self.tags -= len(part.tags)
        else:
            self.updates -= 1


class Kept(msgspec.Struct, frozen=True):
    """A file that could not be sent, and why; it stays where it is."""

    path: str
    uri: str
    run_id: str
    entries: int
    reason: str
    hint: str | None = None


class Damaged(msgspec.Struct, frozen=True):
    """A file with bytes that cannot be read. What could be read was sent; the file stays, under the name ``path``."""

    path: str
    run_id: str
    unreadable: int


class SyncReport(msgspec.Struct):
    """What :func:`sync` did.

    ``refused`` has what a store refused this time and before; ``live`` counts files of processes that still run;
    ``foreign`` names files in the folder that are not the outbox's.
    """

    directory: str
    sent: list[Sent] = []
    refused: list[Refusal] = []
    kept: list[Kept] = []
    damaged: list[Damaged] = []
    foreign: list[str] = []
    live: int = 0

    @property
    def entries(self) -> int:
        """How many entries were sent."""
        return sum(sent.entries for sent in self.sent)

    def of(self, uri: str, run_id: str) -> Sent:
        """The count of a run, entered at zero where there is none."""
        for sent in self.sent:
            if (sent.uri, sent.run_id) == (uri, run_id):
                return sent
        self.sent.append(Sent(uri, run_id))
        return self.sent[-1]


class _File:
    """A file of the outbox, open. ``live`` means that its process runs, or that another sync has it; ``missing`` counts
    the bytes by which it has become shorter, once its contents were read."""

    def __init__(self, path: str, fd: int, heading: Heading, live: bool) -> None:
        self.path = path
        self.heading = heading
        self.live = live
        self.missing = 0
        self._fd = fd

    @property
    def facts(self) -> Facts:
        """Whose it is."""
        return self.heading.facts

    def contents(self) -> tuple[Contents, Reader]:
        """What it holds, and a reader at the first entry that is not acknowledged."""
        data = _bytes(self._fd)
        self.missing = max(0, self.facts.size - len(data))
        contents = read(data, self.heading.begin)
        position = min(self.heading.acknowledged, contents.end)
        if not contents.is_boundary(position, self.heading.begin):
            position = self.heading.begin  # it cannot be right; what is sent again is recognised
        return contents, Reader(data, self.facts.run_id, position, contents.names, contents.marks)

    def acknowledge(self, end: int) -> None:
        """Note that the store has answered for everything before ``end``."""
        os.pwrite(self._fd, ACKNOWLEDGED.pack(end), ACKNOWLEDGED_AT)

    def close(self) -> None:
        """Let go of it, and of its lock."""
        os.close(self._fd)


def _bytes(fd: int) -> bytes:
    pieces = []
    position = 0
    while piece := os.pread(fd, 1 << 24, position):
        pieces.append(piece)
        position += len(piece)
    return b"".join(pieces)


def _open(path: str, mode: int | None) -> _File | None:
    """The file at ``path`` with a lock of this ``mode`` if nobody has it; None when it is gone or not ours.

    Only files that belong to this user are read: another's could name a server of his choice as the one that our
    credentials are sent to.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        live = False
        try:
            if mode is not None:
                fcntl.flock(fd, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            live = True
        except OSError:  # a file system without locks: the process id decides, below
            pass
        status = os.fstat(fd)
        heading = None
        if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and _is_at(path, status):
            heading = read_header(os.pread(fd, _HEADER_BYTES, 0))
        if heading is None:
            os.close(fd)
            return None
        return _File(path, fd, heading, live or (not heading.facts.locked and _runs(heading.facts)))
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(fd)
        raise


def _is_at(path: str, status: os.stat_result) -> bool:
    """Whether the open file still stands at ``path``: whoever had the lock before may have removed it."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), status)
    except OSError:
        return False


def _runs(facts: Facts) -> bool:
    if facts.host != os.uname().nodename:
        return True  # nobody here can tell
    try:
        os.kill(facts.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []


def pending(directory: str | None = None) -> list[Waiting]:
    """What lies in the outbox, files of live processes too; in the order in which it was begun."""
    directory = directory or outbox_directory()
    found = []
    for name in _names(directory):
        file = _open(os.path.join(directory, name), fcntl.LOCK_SH) if name.endswith(SUFFIX) else None
        if file is None:
            continue
        try:
            contents, reader = file.contents()
            facts = file.facts
            found.append(Waiting(
                file.path, shown(facts.uri), facts.run_id, facts.experiment_id, facts.pid, facts.host, facts.started,
                reader.waiting(contents.end), contents.unreadable + file.missing, file.live,
            ))
        finally:
            file.close()
    return sorted(found, key=lambda waiting: (waiting.started, waiting.path))


def sync(
    tracking_uri: str | None = None, directory: str | None = None, progress: Progress | None = None, *,
    discard_refused: bool = False,
) -> SyncReport:
    """Send what dead processes and outages left, of one tracking URI or of all; each entry ends up in its store once.

    ``progress(run_id, sent, waiting)`` is called after each batch, with the numbers of the file at hand. Files of live
    processes are left alone. May run any number of times, and twice at once. A store that does not answer keeps its
    files where they are. What a store has refused is reported each time, until ``discard_refused`` removes it.
    """
    directory = os.path.abspath(directory or outbox_directory())
    report = SyncReport(directory)
    wanted = None if tracking_uri is None else absolute(tracking_uri).rstrip("/")
    stores = _Stores()
    try:
        for group in _groups(directory, report, wanted):
            _send_group(group, directory, stores, report, progress)
    finally:
        stores.close()
    for name in _names(directory):
        if name.endswith(REFUSED_SUFFIX):
            _report_refused(os.path.join(directory, name), report, wanted, discard=discard_refused)
    return report


class _Stores:
    """Each store opened once; one that failed is not asked again."""

    def __init__(self) -> None:
        self._open: dict[str, Store] = {}
        self.failed: dict[str, Exception] = {}

    def get(self, uri: str) -> Store:
        """The store of a tracking URI. Raises whatever opening it raises."""
        if uri not in self._open:
            from millstream.stores import open_store

            self._open[uri] = open_store(uri)
        return self._open[uri]

    def close(self) -> None:
        """Close them."""
        for store in self._open.values():
            store.close()


def _groups(directory: str, report: SyncReport, wanted: str | None) -> list[list[str]]:
    """Paths of the files of each log, in their order, the logs in the order in which they were begun."""
    groups: dict[tuple[int, str], list[tuple[int, str]]] = {}
    for name in _names(directory):
        path = os.path.join(directory, name)
        if name.endswith(SUFFIX + ".new"):
            _remove_unfinished(path)
        elif name.endswith(SUFFIX):
            file = _open(path, None)
            if file is None:
                if os.path.lexists(path):
                    report.foreign.append(path)
                continue
            file.close()
            if wanted in (None, file.facts.uri.rstrip("/")):
                groups.setdefault((file.facts.started, file.facts.log), []).append((file.facts.sequence, path))
        elif not name.endswith((REFUSED_SUFFIX, DAMAGED_SUFFIX)):
            report.foreign.append(path)
    return [[path for _, path in sorted(groups[log])] for log in sorted(groups)]


def _remove_unfinished(path: str) -> None:
    """Remove a file whose process was killed while it made it."""
    with contextlib.suppress(OSError):
        if time.time() - os.stat(path, follow_symlinks=False).st_mtime > _UNFINISHED_SECONDS:
            os.unlink(path)


def _send_group(
    paths: list[str], directory: str, stores: _Stores, report: SyncReport, progress: Progress | None
) -> None:
    for done, path in enumerate(paths):
        file = _open(path, fcntl.LOCK_EX)
        if file is None:
            continue  # another sync was here
        try:
            if file.live:
                report.live += len(paths) - done
                return
            if not _send_file(file, directory, stores, report, progress):
                return
        finally:
            file.close()


def _send_file(file: _File, directory: str, stores: _Stores, report: SyncReport, progress: Progress | None) -> bool:
    """Send a file and remove it; False when its store does not take it now."""
    facts = file.facts
    contents, reader = file.contents()
    waiting = left = reader.waiting(contents.end)
    while batch := reader.next(contents.end):
        try:
            if facts.uri in stores.failed:
                raise stores.failed[facts.uri]
            store = stores.get(facts.uri)
            refused = deliver(store.execute, batch.operation)
        except Exception as error:
            stores.failed[facts.uri] = error
            reason, hint = (error.message, error.hint) if isinstance(error, MillstreamError) else (repr(error), None)
            report.kept.append(Kept(file.path, shown(facts.uri), facts.run_id, left, reason, hint))
            return False
        sent = report.of(shown(facts.uri), facts.run_id)
        sent.count(batch)
        for part, fault in refused:
            keep(directory, refusal(facts.uri, part, fault))
            sent.discount(part)
        file.acknowledge(batch.end)
        left -= batch.entries
        if progress is not None:
            progress(facts.run_id, waiting - left, waiting)
    try:
        if unreadable := contents.unreadable + file.missing:
            os.rename(file.path, file.path + DAMAGED_SUFFIX)
            report.damaged.append(Damaged(file.path + DAMAGED_SUFFIX, facts.run_id, unreadable))
        else:
            os.unlink(file.path)
    except OSError as error:
        reason = f"everything in it is sent, but it cannot be removed: {error.strerror}"
        hint = "remove it, or make its folder yours"
        report.kept.append(Kept(file.path, shown(facts.uri), facts.run_id, 0, reason, hint))
    return True


def _report_refused(path: str, report: SyncReport, wanted: str | None, *, discard: bool) -> None:
    notes = kept(path)
    mine = [note for note in notes if wanted in (None, note.uri.rstrip("/"))]
    report.refused += mine
    if discard and len(mine) == len(notes):
        os.unlink(path)
