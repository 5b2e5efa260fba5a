"""One scoring process as its host sees it: from the model's files to requests, and to a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import re
import signal
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from millstream.entities.endpoint import ReplicaState, ServingEndpoint
from millstream.errors import MillstreamError
from millstream.operations import ReplicaReport
from millstream.serving.config import Limits, ServingConfig
from millstream.serving.endpoints.planner import Slot
from millstream.web.upstream import Pool

logger = logging.getLogger("millstream.serving")

HOST = "127.0.0.1"
LOG_LINES = 200
_LINE_LENGTH = 2_000
_READY = re.compile(rb"The model is served at http://[^/]*:(\d+)/invocations")
_GRACE_SECONDS = 15.0
_numbers = itertools.count(1)


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Launch:
    """How a scoring process is started; ``keep`` holds its environment until it has ended."""

    command: list[str]
    variables: dict[str, str]
    keep: contextlib.ExitStack


def prepare(endpoint: ServingEndpoint, version: str, folder: Path, trusted: bool) -> Launch:
    """How the version in ``folder`` is started, its environment built if need be, which may take minutes.

    Raises EnvironmentFailed, PythonNotFound, UntrustedModel, NotFound for a model that does not say what it needs.
    """
    from millstream.flavors import isolated

    limits = Limits()
    if endpoint.limits.body_bytes is not None:
        limits = replace(limits, body_bytes=endpoint.limits.body_bytes)
    if endpoint.limits.seconds is not None:
        limits = replace(limits, seconds=endpoint.limits.seconds)
    config = ServingConfig(
        folder=str(folder), name=endpoint.model, host=HOST, port=0, workers=endpoint.workers, trusted=trusted,
        limits=limits,
    )
    keep = contextlib.ExitStack()
    python, variables = sys.executable, dict(os.environ)
    if endpoint.env_manager != "local":
        built = isolated.built_for(folder, isolated.environment_of(folder, manager=endpoint.env_manager))
        keep.enter_context(built.in_use())
        python, variables = str(built.python), built.variables()
    variables["PYTHONUNBUFFERED"] = "1"
    command = [python, "-m", "millstream.serving", msgspec.json.encode(config).decode(), "--while-stdin"]
    return Launch(command, variables, keep)


class Scoring:
    """A scoring process. ``on_change`` is called when its state has changed, in the event loop."""

    def __init__(
        self, slot: Slot, form: str, processes: int, restarts: int, launch: Callable[[], Awaitable[Launch]],
        on_change: Callable[[Scoring], None], start_seconds: float,
    ) -> None:
        self.id = next(_numbers)
        self.slot = slot
        self.form = form
        self.processes = processes
        self.restarts = restarts
        self.state = ReplicaState.STARTING
        self.since = now_ms()
        self.pid: int | None = None
        self.port: int | None = None
        self.error: str | None = None
        self.pool: Pool | None = None
        self.in_flight = 0
        self.doubted = 0.0  # until when others are asked first, in the loop's seconds
        self.ready_at = 0.0
        self.log: deque[str] = deque(maxlen=LOG_LINES)
        self.log_changed = False
        self._launch = launch
        self._on_change = on_change
        self._start_seconds = start_seconds
        self._process: asyncio.subprocess.Process | None = None
        self._empty = asyncio.Event()
        self._empty.set()
        self._drained: asyncio.Task[None] | None = None
        self.task = asyncio.get_running_loop().create_task(self._run())

    def report(self) -> ReplicaReport:
        """What the store is told of it."""
        text = "".join(f"{line}\n" for line in self.log) if self.log_changed else None
        return ReplicaReport(
            self.slot.endpoint, self.slot.version, self.slot.number, self.state, self.since, self.restarts, self.pid,
            self.port, self.error, text,
        )

    # Requests

    def enter(self) -> None:
        """One more request is under way."""
        self.in_flight += 1
        self._empty.clear()

    def leave(self) -> None:
        """It is over."""
        self.in_flight -= 1
        if not self.in_flight:
            self._empty.set()

    # Life

    def _become(self, state: str, error: str | None = None) -> None:
        self.state, self.since, self.error = state, now_ms(), error
        self._on_change(self)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle | None = None
        launch: Launch | None = None
        try:
            self._say(f"starting version {self.slot.version}")
            launch = await self._launch()
            if self.state != ReplicaState.STARTING:
                return  # it is not wanted any more
            self._process = await asyncio.create_subprocess_exec(
                *launch.command, env=launch.variables, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT, start_new_session=True, limit=1024 * 1024,
            )
            self.pid = self._process.pid
            self._on_change(self)
            timer = loop.call_later(self._start_seconds, self._too_slow)
            await self._read(timer)
            status = await self._process.wait()
            if self.state in (ReplicaState.STARTING, ReplicaState.READY):
                self._become(ReplicaState.FAILED, self.error or self._last_words(status))
        except MillstreamError as error:
            told = f"{error}" + (f" (hint: {error.hint})" if error.hint else "")
            self._say(f"error: {told}")
            self._become(ReplicaState.FAILED, told)
        except Exception as error:
            logger.error("a scoring process could not be started", exc_info=error)
            self._become(ReplicaState.FAILED, f"{type(error).__name__}: {error}")
        finally:
            if timer is not None:
                timer.cancel()
            if self.pool is not None:
                self.pool.close()
            if self._process is not None and self._process.returncode is None:
                self._kill()
                await self._process.wait()
            if launch is not None:
                launch.keep.close()
            self.pid = None
            if self.state != ReplicaState.FAILED:
                self._become(ReplicaState.STOPPED)

    async def _read(self, timer: asyncio.TimerHandle) -> None:
        """Read what it writes until it ends; one of the first lines says where it listens."""
        assert self._process is not None
        assert self._process.stdout is not None
        while True:
            try:
                line = await self._process.stdout.readline()
            except ValueError:  # a line without end
                continue
            if not line:
                return
            self._say(line.decode("utf-8", "replace").rstrip()[:_LINE_LENGTH])
            found = _READY.search(line) if self.state == ReplicaState.STARTING else None
            if found is not None:
                timer.cancel()
                self.port = int(found[1])
                self.pool = Pool(HOST, self.port)
                self.ready_at = asyncio.get_running_loop().time()
                self._become(ReplicaState.READY)

    def _say(self, line: str) -> None:
        self.log.append(line)
        self.log_changed = True

    def _last_words(self, status: int) -> str:
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        said = next((line for line in reversed(self.log) if line.startswith("error:") or "Error" in line), "")
        return f"the scoring process ended with {how}" + (f": {said.removeprefix('error: ')}" if said else "")

    def _too_slow(self) -> None:
        self.error = f"it was not ready within {self._start_seconds:g} seconds"
        self._kill()

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                # The workers of a scoring process end with the process that looks after them, and are its group.
                os.killpg(self._process.pid, signal.SIGKILL)

    def drain(self, seconds: float) -> asyncio.Task[None]:
        """End it, once it has answered the requests that it has, or after that many seconds."""
        if self._drained is None:
            if self.state in (ReplicaState.STARTING, ReplicaState.READY):
                self._become(ReplicaState.DRAINING)
            self._drained = asyncio.get_running_loop().create_task(self._drain(seconds))
        return self._drained

    async def _drain(self, seconds: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._empty.wait(), seconds)
        process = self._process
        if process is not None and process.returncode is None:
            if self.pool is not None:
                self.pool.close()
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            done, _ = await asyncio.wait([self.task], timeout=_GRACE_SECONDS)
            if not done:
                self._kill()
        await asyncio.wait([self.task])
