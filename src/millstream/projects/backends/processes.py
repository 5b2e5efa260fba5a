"""A command as processes of this machine: started in a group of its own, read, and ended whole."""

from __future__ import annotations

import atexit
import codecs
import contextlib
import logging
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from millstream.entities import RunStatus
from millstream.errors import MillstreamError, NotInTime
from millstream.projects.job import Job
from millstream.projects.recording import LOG_FILE, finish, finish_children
from millstream.projects.submitted import SubmittedRun

if TYPE_CHECKING:
    import psutil

__all__ = ["LocalRun"]

logger = logging.getLogger("millstream")

_GRACE_SECONDS = 10.0  # between asking processes to end and ending them
_TAIL_LINES = 10
_TAIL_BYTES = 16 * 1024
_READ_BYTES = 1 << 16
# After the end of the command: how long its output is waited for that processes which it left behind hold open.
_LEFT_OPEN_SECONDS = 0.5
_LOOK_SECONDS = 0.5
# Ended from outside, and not by a fault of its own.
_KILLS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP})
# Ends the group when this process is gone, however it went: then its end of the pipe closes without a word.
_WATCH = """read -r group || exit
read -r _ && exit
kill -s TERM -- "-$group" || exit
n=0; while [ $n -lt 50 ] && kill -s 0 -- "-$group"; do sleep 0.1; n=$((n + 1)); done
kill -s KILL -- "-$group"
"""


class LocalRun(SubmittedRun):
    """A command that runs on this machine.

    Its output is shown, and kept in the file ``output``, which becomes an artifact at the end; ``until_end`` is closed
    then. Raises OSError when the program cannot be started.
    """

    def __init__(
        self, job: Job, variables: Mapping[str, str], output: Path, until_end: contextlib.ExitStack
    ) -> None:
        self._job = job
        self._output = output
        self._tail = b""
        self._status = int(RunStatus.RUNNING)
        self._cancelled = False
        self._failure = ""
        self._written = 0
        self._all_written = False
        self._at_end: list[Callable[[], object]] = []
        self._changed = threading.Condition()
        self._show = _Screen()
        with until_end:
            # Read through this as long as there is the handle, also when the file has no name any more.
            self._file = os.open(output, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
            weakref.finalize(self, os.close, self._file)
            # First, so that no command runs for a moment without one.
            self._watch = subprocess.Popen(
                ["/bin/sh", "-c", _WATCH], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True, bufsize=0,
            )
            assert self._watch.stdin is not None
            try:
                self._process = subprocess.Popen(
                    job.command.argv, cwd=job.folder, env=dict(variables), stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                )
            except BaseException:
                self._watch.communicate()
                raise
            self._watch.stdin.write(b"%d\n" % self._process.pid)
            self._until_end = until_end.pop_all()
        self._thread = threading.Thread(target=self._supervise, name=f"millstream-run-{job.run_id[:8]}", daemon=True)
        _live.add(self)
        self._thread.start()

    @property
    def run_id(self) -> str:
        """The run that it is recorded in."""
        return self._job.run_id

    @property
    def pid(self) -> int:
        """The process that was started, which leads a group of its own."""
        return self._process.pid

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end; whether the command ended well. Raises NotInTime."""
        with self._changed:
            if not self._changed.wait_for(self._ended, timeout):
                raise NotInTime(f"the run {self.run_id} goes on after {timeout or 0:g} s",
                                hint="wait longer, or cancel() it")
        return self._status == RunStatus.FINISHED

    def get_status(self) -> int:
        """RUNNING until all is recorded, then FINISHED, FAILED or KILLED."""
        return self._status

    def cancel(self) -> None:
        """Ask all processes of the command to end; those that have not after ten seconds are ended."""
        with self._changed:
            is_first = not (self._ended() or self._cancelled or self._process.poll() is not None)
            self._cancelled = self._cancelled or is_first
        if is_first:
            _end_all(self._process)
        self.wait()

    def logs(self) -> Iterator[str]:
        """The lines of the output, as they come."""
        place, rest = 0, b""
        while True:
            with self._changed:
                while self._written <= place and not self._all_written:
                    self._changed.wait()
                ended = self._all_written and self._written <= place
            if ended:
                break
            part = os.pread(self._file, _READ_BYTES, place)
            place += len(part)
            *lines, rest = (rest + part).split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in lines)
        if rest:
            yield rest.decode("utf-8", "replace")

    def failure(self) -> str:
        """How it ended, and the last lines of its output."""
        return self._failure or "it has not failed"

    def when_ended(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` at the end, before :meth:`wait` returns; at once when that has come."""
        with self._changed:
            if not self._all_written:
                self._at_end.append(callback)
                return
        callback()

    # The thread

    def _ended(self) -> bool:
        return RunStatus.is_terminated(self._status)

    def _supervise(self) -> None:
        try:
            self._read()
        except Exception as error:  # a full disk, say: the command is not to run on unseen
            logger.error("the output of the run %s cannot be kept: %s", self.run_id, error)
            _end_all(self._process)
        code = self._process.wait()
        # A word: the end was seen here.
        with contextlib.suppress(OSError):
            self._watch.communicate(b"\n")
        status = self._status_of(code)
        try:
            status = self._record(status)
        except MillstreamError as error:
            logger.error("the end of the run %s cannot be recorded: %s", self.run_id, error)
        finally:
            with self._changed:
                self._all_written = True
                self._changed.notify_all()
                callbacks, self._at_end = self._at_end, []
            for callback in [*callbacks, self._until_end.close]:
                try:
                    callback()
                except Exception as error:
                    logger.warning("after the run %s: %s", self.run_id, error)
            with self._changed:
                self._status = status
                self._changed.notify_all()
            _live.discard(self)

    def _read(self) -> None:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        ended_at: float | None = None
        is_open = True
        with self._process.stdout, selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while ended_at is None or (is_open and time.monotonic() < ended_at + _LEFT_OPEN_SECONDS):
                if is_open and selector.select(_LOOK_SECONDS if ended_at is None else _LEFT_OPEN_SECONDS / 10):
                    part = os.read(descriptor, _READ_BYTES)
                    if part:
                        self._keep(part)
                        continue
                    is_open = False
                if not is_open:
                    self._process.wait()
                if ended_at is None and self._process.poll() is not None:
                    ended_at = time.monotonic()

    def _keep(self, part: bytes) -> None:
        left = memoryview(part)
        while left:
            left = left[os.write(self._file, left):]
        self._show.write(part)
        self._tail = (self._tail + part)[-_TAIL_BYTES:]
        with self._changed:
            self._written += len(part)
            self._changed.notify_all()

    def _status_of(self, code: int) -> int:
        shell = self._job.command.argv[0].rpartition("/")[2] in ("bash", "sh")
        number = -code if code < 0 else code - 128 if shell and 128 < code < 160 else 0
        if self._cancelled or number in _KILLS:
            self._failure = "it was cancelled" if self._cancelled else f"it was ended by {_signal_name(number)}"
            return RunStatus.KILLED
        if code == 0:
            return RunStatus.FINISHED
        self._failure = f"it ended by {_signal_name(number)}" if code < 0 else f"it ended with status {code}"
        return RunStatus.FAILED

    def _record(self, status: int) -> int:
        uri = self._job.tracking_uri
        lines = self._tail.decode("utf-8", "replace").rstrip().splitlines()[-_TAIL_LINES:]
        if self._failure and lines:
            self._failure += "; its last lines:" + "".join(f"\n    {line}" for line in lines)
        self._upload(uri)
        if status != RunStatus.FINISHED:
            finish_children(uri, self.run_id, RunStatus.KILLED)
        said = finish(uri, self.run_id, status)
        # What the program says of its run is in the store; how the command ended is what waits here.
        return status if status != RunStatus.FINISHED else said

    def _upload(self, uri: str) -> None:
        from millstream.tracking.client import MlflowClient

        try:
            MlflowClient(uri).log_artifact(self.run_id, self._output, LOG_FILE.rpartition("/")[0])
        except Exception as error:  # the run's own end is to be recorded in any case
            logger.warning("the output of the run %s cannot be kept as %s: %s", self.run_id, LOG_FILE, error)


class _Screen:
    """Where output is shown: on ``sys.stdout``, until nobody reads it any more."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._is_open = True

    def write(self, part: bytes) -> None:
        if not self._is_open:
            return
        try:
            binary = getattr(sys.stdout, "buffer", None)
            if binary is not None:
                sys.stdout.flush()
                binary.write(part)
                binary.flush()
            else:  # a notebook's
                sys.stdout.write(self._decoder.decode(part))
        except (OSError, ValueError, AttributeError):
            self._is_open = False


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _end_all(process: subprocess.Popen[bytes]) -> None:
    """End a process, its group and all that descend from it, wherever they went."""
    from psutil import NoSuchProcess, Process, wait_procs

    family: list[psutil.Process] = []
    with contextlib.suppress(NoSuchProcess):
        leader = Process(process.pid)
        family = [leader, *leader.children(recursive=True)]
    _signal(process, family, signal.SIGTERM)
    _, alive = wait_procs(family, _GRACE_SECONDS)
    _signal(process, alive, signal.SIGKILL)


def _signal(process: subprocess.Popen[bytes], family: list[psutil.Process], number: signal.Signals) -> None:
    from psutil import AccessDenied, NoSuchProcess

    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
    for one in family:
        with contextlib.suppress(NoSuchProcess, AccessDenied, ProcessLookupError):
            if one.pid != process.pid and os.getpgid(one.pid) != process.pid:
                one.send_signal(number)


_live: set[LocalRun] = set()


def _wait_for_all() -> None:
    """Runs that nobody has waited for are waited for before this process ends; Ctrl-C cancels them."""
    for run in list(_live):
        if run._thread.is_alive():
            try:
                run.wait()
            except KeyboardInterrupt:
                run.cancel()


atexit.register(_wait_for_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_live.clear)
