"""The thread that carries what was logged to its store: one a process, for all its runs and stores.

It looks every POLL_SECONDS, so that a chart is live, and then sends all that has gathered: the faster a process logs,
the larger the batches and the smaller the share of time that the interpreter's lock is away from the training loop.
"""

from __future__ import annotations

import atexit
import errno
import logging
import os
import random
import sys
import threading
import time
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary, finalize

from millstream.errors import (
    EndpointNotFound,
    InvalidValue,
    MethodNotAllowed,
    MillstreamError,
    NotFound,
    NotSupported,
    StoreUnavailable,
)
from millstream.operations import BeatRun
from millstream.settings import EXIT_FLUSH_SECONDS, LEASE_SECONDS
from millstream.tracking.outbox.delivery import Refusal, deliver, keep, once, refusal
from millstream.tracking.outbox.place import outbox_directory, shown
from millstream.tracking.outbox.records import Facts
from millstream.tracking.outbox.run_log import RunLog
from millstream.tracking.outbox.segment import FIRST_BYTES, Segment

if TYPE_CHECKING:
    from millstream.stores.contract import Store

POLL_SECONDS = 0.2
# What one log may send before the next has its turn.
_BATCHES_A_TURN = 16
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 30.0
# A file that nobody has written to for so long is let go of; with many files open, as soon as it is settled.
_IDLE_SECONDS = 30.0
_FILES_AT_EASE = 64
_FILES_AT_MOST = 256
_WAY_SECONDS = 1.0
# Room in memory that stands in for files that cannot be made: two million points.
MEMORY_BYTES = 64 * 1024 * 1024
_MEMORY_SEGMENT_BYTES = 1024 * 1024
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_logger = logging.getLogger("millstream.outbox")


class _Outage:
    """A store that does not take what is sent, since when, and when it is tried next."""

    def __init__(self) -> None:
        self.tries = 0
        self.next_try = 0.0
        self.reason = ""
        self.told = False


class Shipper:
    """The logs of this process, and the thread that empties them."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[tuple[str, str], RunLog] = WeakValueDictionary()
        self._begin()

    def _begin(self) -> None:
        self._knowing = threading.RLock()
        self._wake = threading.Condition()
        self._asked = False
        self._working = threading.RLock()
        self._thread: threading.Thread | None = None
        self._active: dict[RunLog, None] = {}
        self._outages: dict[str, _Outage] = {}
        self._leaseless: set[str] = set()
        self._memory = 0
        self._no_files = ""
        self._told: set[tuple[str, str]] = set()

    # For those who log

    def log_of(self, store: Store, run_id: str, experiment_id: str | None) -> RunLog:
        """The one log of this process for a run of a store."""
        key = (store.uri, run_id)
        with self._knowing:
            log = self._known.get(key)
            if log is None:
                log = self._known[key] = RunLog(self, store, run_id, experiment_id)
            else:
                log.use(store)
            return log

    def logs(self, store_uri: str | None = None) -> list[RunLog]:
        """The logs that have something to do, of one store or all."""
        return [log for log in list(self._active) if store_uri is None or log.store_uri == store_uri]

    def make_segment(self, facts: Facts, size: int, needed: int) -> Segment:
        """Room for records of a log. Raises StoreUnavailable when there is none, neither on disk nor in memory."""
        directory = outbox_directory()
        try:
            try:
                segment = Segment.create(directory, facts, size, needed)
            except OSError as error:
                if error.errno not in _NO_ROOM or size <= FIRST_BYTES:
                    raise
                segment = Segment.create(directory, facts, FIRST_BYTES, needed)
        except OSError as error:
            return self._stand_in(facts, size, needed, directory, error)
        if self._no_files:
            self._no_files = ""
            _logger.warning("what is logged is kept in %s again", directory)
        return segment

    def _stand_in(self, facts: Facts, size: int, needed: int, directory: str, error: OSError) -> Segment:
        reason = error.strerror or str(error)
        size = max(min(size, _MEMORY_SEGMENT_BYTES, MEMORY_BYTES - self._memory), needed)
        hint = "free space, or name a folder that can be written to in MILLSTREAM_OUTBOX_DIR"
        full = StoreUnavailable(
            f"nothing more can be logged: {directory} cannot be written to ({reason}), and the "
            f"{MEMORY_BYTES >> 20} MiB of memory that stand in for it are full of what {shown(facts.uri)} did not take",
            hint=hint,
        )
        if self._memory + size > MEMORY_BYTES:
            raise full from error
        try:
            segment = Segment.in_memory(facts.run_id, size)
        except (OSError, MemoryError):
            raise full from error
        with self._knowing:
            self._memory += size
        if self._no_files != reason:
            self._no_files = reason
            _logger.warning(
                "the outbox cannot be kept in %s (%s): what is logged waits in memory until it is sent, and would be "
                "lost if this process were killed; hint: %s", directory, reason, hint,
            )
        return segment

    def make_way(self) -> None:
        """Before another run's file is opened: a program that logs to thousands of runs must not use up the files
        that it may have open."""
        if len(self._active) >= _FILES_AT_MOST:
            self.flush(None, _WAY_SECONDS)

    def retire(self, segment: Segment) -> None:
        """Remove a segment that is settled."""
        if segment.path is None:
            with self._knowing:
                self._memory -= segment.size
        segment.retire()

    def activate(self, log: RunLog) -> None:
        """Look after ``log`` from now on. Called under its lock."""
        if log in self._active and self.works():
            return
        self._active[log] = None
        with self._wake:
            self._asked = True
            self._wake.notify()
            if not self.works():
                self._start()

    def forget(self, log: RunLog) -> None:
        """There is nothing left to do for ``log``. Called under its lock."""
        self._active.pop(log, None)

    def hurry(self, log: RunLog) -> None:
        """Send what ``log`` has at once, also where the store has been away."""
        log.urgent = True
        with self._wake:
            self._asked = True
            self._wake.notify()

    def let_go(self, log: RunLog) -> None:
        """Close the file of a log that is flushed: here, or in the thread where that is busy."""
        if self._working.acquire(timeout=POLL_SECONDS):
            try:
                log.release()
            finally:
                self._working.release()
        else:
            log.closing = True

    # The thread

    def works(self) -> bool:
        """Whether the thread lives."""
        return self._thread is not None and self._thread.is_alive()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="millstream-outbox", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is ending: flush() does the work in its own thread
            return
        self._thread = thread
        # A forked child of multiprocessing ends without atexit; it has finalizers of its own.
        process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
        if process is not None and util is not None and process.parent_process() is not None:
            util.Finalize(None, self.finish, exitpriority=0)

    def _run(self) -> None:
        delay: float | None = 0.0
        while True:
            with self._wake:
                if not self._asked and delay != 0.0:
                    self._wake.wait(delay)
                self._asked = False
            try:
                delay = self._round()
            except Exception:
                _logger.exception("the outbox met an error that it does not know; what was logged is kept")
                delay = _LONGEST_WAIT

    def work_here(self) -> None:
        """One round in the calling thread."""
        delay = self._round()
        if delay:
            time.sleep(min(delay, POLL_SECONDS))

    def _round(self) -> float | None:
        """Send what waits; returns the seconds until the next round, None when there is nothing to look after."""
        with self._working:
            more = False
            for log in list(self._active):
                urgent, log.urgent = log.urgent, False
                outage = self._outages.get(log.uri)
                if outage is not None and not urgent and time.monotonic() < outage.next_try:
                    continue
                more |= self._ship(log)
                self._beat(log)
                self._let_idle_go(log)
            return 0.0 if more else POLL_SECONDS if self._active else None

    def _ship(self, log: RunLog) -> bool:
        """Send what waited when it was called; returns whether more of that is left."""
        goal = log.position
        for _ in range(_BATCHES_A_TURN):
            try:
                batch = log.next_batch()
                if batch is None:
                    return False
                refused = deliver(once(log.store()), batch.operation)
            except Exception as error:
                self._not_taken(log, error)
                return False
            self._taken(log)
            notes = [self._put_aside(refusal(log.uri, operation, error)) for operation, error in refused]
            log.settle(notes)
            if log.reached(goal):
                return False
        return True

    def _taken(self, log: RunLog) -> None:
        outage = self._outages.pop(log.uri, None)
        if outage is not None and outage.told:
            _logger.warning("%s takes what is logged again; what has waited is being sent", shown(log.uri))

    def _not_taken(self, log: RunLog, error: Exception) -> None:
        outage = self._outages.setdefault(log.uri, _Outage())
        outage.tries += 1
        wait = min(_FIRST_WAIT * 2.0 ** min(outage.tries - 1, 16), _LONGEST_WAIT)
        outage.next_try = time.monotonic() + wait * random.uniform(0.5, 1.0)
        outage.reason = error.message if isinstance(error, MillstreamError) else repr(error)
        # One failure is a blip.
        if outage.tries >= 2 and not outage.told:
            outage.told = True
            _logger.warning(
                "%s does not take what is logged now: %s; nothing is lost, it is kept and sent when it is taken again",
                shown(log.uri), outage.reason,
                exc_info=None if isinstance(error, MillstreamError) else error,
            )

    def _put_aside(self, note: Refusal) -> Refusal:
        note = keep(outbox_directory(), note)
        said = (note.run_id, note.reason)
        if said not in self._told and len(self._told) < 1000:
            self._told.add(said)
            _logger.warning(
                "run %s: %s refused %d entries (%s) for good: %s; they are kept in %s", note.run_id, shown(note.uri),
                note.entries, ", ".join(note.keys) or note.operation, note.reason, note.kept_in or "memory",
            )
        return note

    def _beat(self, log: RunLog) -> None:
        if not log.beating or time.monotonic() < log.next_beat:
            return
        seconds = LEASE_SECONDS.get()
        log.next_beat = time.monotonic() + max(seconds / 3, POLL_SECONDS)
        if seconds <= 0 or log.uri in self._leaseless or log.uri in self._outages:
            return
        try:
            once(log.store())(BeatRun(log.run_id, seconds))
        except (EndpointNotFound, MethodNotAllowed, NotSupported):
            self._leaseless.add(log.uri)
        except (NotFound, InvalidValue):
            log.stop_beat()
        except Exception as error:
            _logger.debug("run %s could not beat: %r", log.run_id, error)
            log.next_beat = time.monotonic() + min(seconds / 3, 5.0)

    def _let_idle_go(self, log: RunLog) -> None:
        now = time.monotonic()
        if log.seen != log.position:
            log.seen, log.seen_at = log.position, now
        idle = now - log.seen_at > _IDLE_SECONDS or len(self._active) > _FILES_AT_EASE
        if (idle or log.closing) and log.release():
            log.closing = False

    # Beginnings and ends

    def after_fork_in_child(self) -> None:
        """The child has no thread, and locks that nobody will ever open: all begins anew."""
        known = list(self._known.values())
        self._begin()
        for log in known:
            log.forked()

    def flush(self, store_uri: str | None, timeout: float | None) -> bool:
        """Flush the logs of a store, or all, within ``timeout`` seconds together."""
        until = None if timeout is None else time.monotonic() + timeout
        logs = self.logs(store_uri)
        for log in logs:
            self.hurry(log)
        done = [log.flush(None if until is None else max(0.0, until - time.monotonic())) for log in logs]
        return all(done)

    def finish(self) -> None:
        """At the end of the process: send what waits, within EXIT_FLUSH_SECONDS; then say what is left, and where."""
        try:
            self.flush(None, EXIT_FLUSH_SECONDS.get())
        except KeyboardInterrupt:
            pass
        waiting: dict[str, list[int]] = {}
        for log in self.logs():
            log.stop_beat()
            self.let_go(log)
            entries, lost = log.waiting()
            if entries:
                sums = waiting.setdefault(log.uri, [0, 0, 0])
                sums[0] += 1
                sums[1] += entries
                sums[2] += lost
        for uri, (runs, entries, lost) in waiting.items():
            outage = self._outages.get(uri)
            _logger.warning(
                "%d entries of %d %s have not reached %s%s. %s",
                entries, runs, "run" if runs == 1 else "runs", shown(uri), f" ({outage.reason})" if outage else "",
                f"Run `millstream sync` to send them: they are kept in {outbox_directory()}." if not lost else
                f"{lost} of them were in memory only and are lost; run `millstream sync` to send the others.",
            )


SHIPPER = Shipper()
os.register_at_fork(after_in_child=SHIPPER.after_fork_in_child)
# What is registered last ends first, and the first finalizer of the process registers the end of all of them. Were that
# one of a connection that the thread above opens, they would be looked through while the thread still makes some.
finalize(SHIPPER, int).atexit = False
atexit.register(SHIPPER.finish)
