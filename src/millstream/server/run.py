"""Listening: from a configuration to a server that answers, and to a clean end.

One process by default. With several workers each opens the store itself and all accept on one socket; a worker that
dies is replaced. The first SIGINT or SIGTERM lets requests under way finish and closes the store; the second ends at
once.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import signal
import socket
import sys
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
from millstream.server import logs
from millstream.server.application import Application
from millstream.server.config import ServerConfig
from millstream.server.execution import NoStore, ServedStore
from millstream.stores import open_store
from millstream.web.protocol import LimitedProtocol, close_idle_heads

_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 75
_GRACE_SECONDS = 30
_RESTART_PAUSE_SECONDS = 1.0


class Server(uvicorn.Server):
    """One event loop that accepts on a socket. ``on_ready`` is called when it does."""

    def __init__(self, app: Application, on_ready: Callable[[], None]) -> None:
        super().__init__(uvicorn.Config(
            app, loop="none", http=LimitedProtocol, ws="none", lifespan="on", log_config=None, access_log=False,
            server_header=False, proxy_headers=False, backlog=_BACKLOG, timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        ))
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept from now on."""
        await super().startup(sockets)
        # What is there now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        self._on_ready()

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


def serve(config: ServerConfig, *, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve until told to stop. ``on_ready`` gets the address once requests are answered; by default it is printed.

    Raises InvalidValue for an address that cannot be listened on, and what opening the store raises.
    """
    logs.configure(debug=config.debug)
    announce = on_ready or _announce
    listening = _listen(config)
    address = _address(config, listening)
    with listening:
        if config.workers == 1:
            _serve_one(config, listening, lambda: announce(address))
        else:
            _Workers(config, listening, lambda: announce(address)).run()


def open_served_store(config: ServerConfig) -> ServedStore:
    """The store that ``config`` names, to be served. Raises InvalidValue for one that is itself behind a server."""
    if config.artifacts_only:
        return NoStore()
    store: Any = open_store(config.backend_store_uri, config.artifact_root)
    if not hasattr(store, "submit"):
        store.close()
        raise InvalidValue(f"{config.backend_store_uri} is served by another server already",
                           hint="give this server a folder, sqlite:///… or postgresql://…")
    served: ServedStore = store
    return served


def _serve_one(
    config: ServerConfig, listening: socket.socket, on_ready: Callable[[], None],
    counters: tuple[Path, int, int] | None = None,
) -> None:
    app = Application(config, open_served_store(config), counters=counters)
    server = Server(app, on_ready)
    with _runner() as runner:
        runner(server.serve(sockets=[listening]))


@contextlib.contextmanager
def _runner() -> Iterator[Callable[[Any], Any]]:
    try:
        import uvloop
    except ImportError:  # Windows has none
        yield asyncio.run
        return
    yield uvloop.run


def _listen(config: ServerConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((config.host, config.port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise InvalidValue(
            f"cannot listen on {config.host} port {config.port}: {error.strerror or error}",
            hint="if another program uses the port, choose one with --port, or let the system choose with --port 0",
        ) from None
    listening.set_inheritable(True)
    return listening


def _address(config: ServerConfig, listening: socket.socket) -> str:
    host = f"[{config.host}]" if ":" in config.host else config.host
    return f"http://{host}:{listening.getsockname()[1]}{config.static_prefix}"


def _announce(address: str) -> None:
    print(f"Millstream is listening on {address}", file=sys.stderr, flush=True)


# Several processes


@dataclass
class _Worker:
    process: Any
    ready: Connection
    started: float


class _Workers:
    """Keeps ``config.workers`` processes alive until told to stop."""

    def __init__(self, config: ServerConfig, listening: socket.socket, on_ready: Callable[[], None]) -> None:
        self._config = config
        self._listening = listening
        self._on_ready = on_ready
        self._context = multiprocessing.get_context("spawn")
        self._workers: dict[int, _Worker] = {}
        self._stops = 0

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM. Raises StoreUnavailable when workers cannot start at all."""
        # Migrations happen once, here, and what cannot work is said before any process is started.
        open_served_store(self._config).close()
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
        for number in range(self._config.workers):
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
                    logs.LOGGER.error("a worker died", extra={"facts": {"status": worker.process.exitcode}})
                    time.sleep(max(0.0, worker.started + _RESTART_PAUSE_SECONDS - time.monotonic()))
                    self._start(number, counters)

    def _start(self, number: int, counters: Path) -> None:
        ready, said = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=_work, args=(self._config, self._listening, said, (counters, self._config.workers, number)),
            name=f"millstream-worker-{number}",
        )
        process.start()
        said.close()
        self._workers[number] = _Worker(process, ready, time.monotonic())

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stops += 1


def _work(
    config: ServerConfig, listening: socket.socket, ready: Connection, counters: tuple[Path, int, int]
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logs.configure(debug=config.debug)
    with listening:
        _serve_one(config, listening, lambda: ready.send(True), counters)


__all__ = ["Server", "ServerConfig", "open_served_store", "serve"]
