"""The runs that are active: a stack for each thread, the innermost run on top."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from millstream import settings
from millstream.entities import Run
from millstream.tracking import late, recorder
from millstream.tracking.recorder import Recorder

if TYPE_CHECKING:
    from millstream.tracking.system_metrics import SystemMetricsSampler


class ActiveRun(Run, frozen=True):
    """A run that this thread logs to, as it stood when it became active.

    As a context manager it ends the run: FINISHED, or FAILED when an exception leaves the block (KILLED for
    KeyboardInterrupt; leaving by ``sys.exit()`` with success is no failure).
    """

    def __enter__(self) -> ActiveRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A run that was ended inside the block, and one that was ended and resumed there, is looked up by its id.
        if any(live.run.info.run_id == self.info.run_id for live in local.stack):
            end_through(self.info.run_id, status_after(error))


def status_after(error: BaseException | None) -> str:
    """The status of a run that ``error`` ends."""
    if isinstance(error, KeyboardInterrupt):
        return "KILLED"
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return "FINISHED"
    return "FAILED"


class Live:
    """An active run with what belongs to it in this process."""

    __slots__ = ("pid", "recorder", "run", "sampler")

    def __init__(self, run: ActiveRun, keeper: Recorder) -> None:
        self.run = run
        self.recorder = keeper
        self.sampler: SystemMetricsSampler | None = None
        self.pid = os.getpid()


class _Local(threading.local):
    """What each thread has of its own. ``plain`` is the recorder that plain points go to, None if there is none."""

    def __init__(self) -> None:
        self.stack: list[Live] = []
        self.last: tuple[str, str] | None = None
        self.plain: Recorder | None = None
        self.model_id: str | None = None
        self.model_is_chosen = False
        self.last_model_id: str | None = None

    def refresh(self) -> None:
        """Find the recorder of plain points anew: the innermost run or the active model is another now."""
        top = self.stack[-1].recorder if self.stack else None
        self.plain = top if top is not None and top.buffered and active_model_id() is None else None


local = _Local()

# Every live run of this process, oldest first, for its end.
_everywhere: dict[int, tuple[Live, list[Live]]] = {}


def active_model_id() -> str | None:
    """The logged model that metrics of this thread are attached to: the chosen one, or that of the environment."""
    return local.model_id if local.model_is_chosen else settings.ACTIVE_MODEL_ID.get()


def push(run: Run, uri: str, *, sample: bool, first_sample: int = 0, is_known: bool = False) -> ActiveRun:
    """Make ``run`` the innermost run of this thread, beat for it, and find out what is not known of it yet.

    ``sample`` says whether to log system metrics, at the steps from ``first_sample`` on.
    """
    made = ActiveRun(run.info, run.data, run.inputs, run.outputs)
    keeper = recorder.begin(uri, run)
    keeper.log.start_beat()
    live = Live(made, keeper)
    if not _everywhere:
        # Here, so that at the exit runs end first, then the outbox empties, then the stores close.
        atexit.unregister(end_everywhere)
        atexit.register(end_everywhere)
    _everywhere[id(live)] = (live, local.stack)
    local.stack.append(live)
    local.refresh()
    if not is_known:
        late.find_out(keeper)
    if sample:
        try:
            live.sampler = _start_sampler(keeper, first_sample)
        except BaseException:
            end_top("FAILED")
            raise
    return made


def end_top(status: str, timeout: float | None = None) -> Live | None:
    """End the innermost run of this thread; None when there is none."""
    if not local.stack:
        return None
    live = local.stack.pop()
    local.last = (live.recorder.uri, live.recorder.run_id)
    local.refresh()
    _end(live, status, timeout)
    return live


def end_through(run_id: str, status: str) -> None:
    """End the runs of this thread from the innermost to ``run_id``."""
    while local.stack:
        live = end_top(status)
        if live is None or live.run.info.run_id == run_id:
            return


def _end(live: Live, status: str, timeout: float | None = None) -> None:
    _everywhere.pop(id(live), None)
    if live.pid != os.getpid():  # a child process that inherited the run by a fork does not end it
        return
    if live.sampler is not None:
        live.sampler.stop()
    live.recorder.end(status, time.time_ns() // 1_000_000)
    recorder.finish(live.recorder)
    live.recorder.close(timeout)
    _print_address(live)


def end_everywhere() -> None:
    """End every run of every thread, innermost first: the process ends."""
    until = time.monotonic() + settings.EXIT_FLUSH_SECONDS.get()
    status = status_after(_last_error())
    while _everywhere:
        live, stack = _everywhere[next(reversed(_everywhere))]
        if live in stack:
            stack.remove(live)
        _end(live, status, max(0.0, until - time.monotonic()))
    late.wait()


def _last_error() -> BaseException | None:
    """The exception that ends this program; none at a prompt, where an error ends nothing."""
    if hasattr(sys, "ps1"):
        return None
    return getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)


def _start_sampler(keeper: Recorder, first_step: int) -> SystemMetricsSampler:
    from millstream.tracking.system_metrics import SystemMetricsSampler

    def log(values: dict[str, float], step: int, timestamp: int) -> None:
        keeper.log_metrics(values, step, timestamp, directly=not keeper.buffered)

    sampler = SystemMetricsSampler(log, first_step=first_step)
    sampler.start()
    return sampler


def _print_address(live: Live) -> None:
    address = run_address(live.recorder.uri, live.run)
    if address is None or settings.SUPPRESS_PRINTING_URL_TO_STDOUT.get():
        return
    try:
        print(f"Run {live.run.info.run_name}: {address}", flush=True)
    except (OSError, ValueError):  # a closed stdout is no reason to fail
        pass


def run_address(uri: str, run: Any) -> str | None:
    """The page of a run on its server, without the credentials that the URI may hold; None without a server."""
    from urllib.parse import urlsplit, urlunsplit

    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https"):
        return None
    root = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
    return f"{root}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
