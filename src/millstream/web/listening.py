"""Listening: one event loop on a socket, or several processes on one socket, and a clean end.

The first SIGINT or SIGTERM lets requests under way finish; the second ends at once. A worker process that dies is
replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import multiprocessing
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from millstream.errors import InvalidValue, StoreUnavailable
from millstream.web.protocol import LimitedProtocol, close_idle_heads

_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 75
_RESTART_PAUSE_SECONDS = 1.0

# What a worker runs: its socket, what to call when it answers, and the file of figures that all share.
Work = Callable[[Any, socket.socket, Callable[[], None], "tuple[Path, int, int] | None"], None]


class Server(uvicorn.Server):
    """One event loop that accepts on a socket. ``on_ready`` is called when it does.

    ``collect`` says that a look for garbage comes first, which takes a tenth of a second where a library is loaded.
    """

    def __init__(
        self, app: Any, on_ready: Callable[[], None], grace_seconds: int = 30, *, collect: bool = True
    ) -> None:
        super().__init__(uvicorn.Config(
            app, loop="none", http=LimitedProtocol, ws="none", lifespan="on", log_config=None, access_log=False,
            server_header=False, proxy_headers=False, backlog=_BACKLOG, timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=grace_seconds,
        ))
        self._on_ready = on_ready
        self._collect = collect

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept from now on."""
        await super().startup(sockets)
        # What is there now stays: the collector need not look at it again.
        if self._collect:
            gc.collect()
        gc.freeze()
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End; an application that has answers without an end is told to end them first."""
        wind_down = getattr(self.config.app, "wind_down", None)
        if wind_down is not None:
            wind_down()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        if counter % 50 == 0:
            close_idle_heads(self.server_state.connections, asyncio.get_running_loop().time())
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():
            self.should_exit = True
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM end the server with status 0, once it has ended; either of them again ends it at once.

        A worker leaves SIGINT, which a terminal sends to all of its processes, to the process that started it.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        interrupted = signal.SIG_IGN if multiprocessing.parent_process() is not None else self.handle_exit
        before = {
            signal.SIGINT: signal.signal(signal.SIGINT, interrupted),
            signal.SIGTERM: signal.signal(signal.SIGTERM, self.handle_exit),
        }
        try:
            yield
        finally:
            for number, former in before.items():
                signal.signal(number, former)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; at once when asked a second time."""
        self.force_exit = self.should_exit
        self.should_exit = True

    def run_on(self, listening: socket.socket) -> None:
        """Serve on this socket until told to stop."""
        try:
            import uvloop
        except ImportError:  # Windows has none
            asyncio.run(self.serve(sockets=[listening]))
            return
        uvloop.run(self.serve(sockets=[listening]))


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there (``port`` 0: a free one). Raises InvalidValue for an address that cannot be had."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise InvalidValue(
            f"cannot listen on {host} port {port}: {error.strerror or error}",
            hint="if another program uses the port, choose one with --port, or let the system choose with --port 0",
        ) from None
    listening.set_inheritable(True)
    return listening


def address(host: str, listening: socket.socket) -> str:
    """The address of a server on this socket."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"


@dataclass
class _Worker:
    process: Any
    ready: Connection
    started: float


class Workers:
    """Keeps ``number`` processes alive that run ``work`` with ``told`` on one socket, until told to stop."""

    def __init__(
        self, work: Work, told: Any, number: int, listening: socket.socket, on_ready: Callable[[], None],
        logger: logging.Logger,
    ) -> None:
        self._work = work
        self._told = told
        self._number = number
        self._listening = listening
        self._on_ready = on_ready
        self._logger = logger
        self._context = multiprocessing.get_context("spawn")
        self._workers: dict[int, _Worker] = {}
        self._stops = 0

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM. Raises StoreUnavailable when workers cannot start at all."""
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with tempfile.TemporaryDirectory(prefix="millstream-") as folder:
                self._supervise(Path(folder) / "counters")
        finally:
            for number, former in before.items():
                signal.signal(number, former)
            for worker in self._workers.values():
                worker.process.kill()

    def _supervise(self, counters: Path) -> None:
        for number in range(self._number):
            self._start(number, counters)
        for worker in self._workers.values():
            wait([worker.ready, worker.process.sentinel])
            if not worker.ready.poll():
                if self._stops:
                    break
                raise StoreUnavailable("a worker process ended before it was ready", hint="the lines above say why")
        else:
            self._on_ready()
        told = 0
        while self._workers:
            if self._stops > told:
                told = self._stops
                for worker in self._workers.values():
                    worker.process.terminate() if told == 1 else worker.process.kill()
            wait([worker.process.sentinel for worker in self._workers.values()], timeout=0.2)
            for number, worker in list(self._workers.items()):
                if worker.process.exitcode is None:
                    continue
                del self._workers[number]
                if not self._stops:
                    self._logger.error("a worker died", extra={"facts": {"status": worker.process.exitcode}})
                    time.sleep(max(0.0, worker.started + _RESTART_PAUSE_SECONDS - time.monotonic()))
                    self._start(number, counters)

    def _start(self, number: int, counters: Path) -> None:
        ready, said = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_run, args=(self._work, self._told, self._listening, said, (counters, self._number, number)),
            name=f"millstream-worker-{number}",
        )
        process.start()
        said.close()
        self._workers[number] = _Worker(process, ready, time.monotonic())

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stops += 1


def _run(work: Work, told: Any, listening: socket.socket, ready: Connection, counters: tuple[Path, int, int]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with listening:
        work(told, listening, lambda: ready.send(True), counters)
