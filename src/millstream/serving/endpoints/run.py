"""From a configuration to a serving host, and to its clean end."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from urllib.parse import urlsplit

from millstream.errors import InvalidValue
from millstream.serving.endpoints.meter import Meter
from millstream.serving.endpoints.router import Router
from millstream.serving.endpoints.supervisor import Supervisor
from millstream.serving.monitoring.monitor import Monitoring
from millstream.serving.monitoring.recorder import Recorder
from millstream.stores.contract import Store
from millstream.tracking import stores
from millstream.web import lines
from millstream.web.gate import Gate, is_loopback
from millstream.web.listening import Server, address, listen

logger = logging.getLogger("millstream.serving")

_GRACE_SECONDS = 65


@dataclass(frozen=True)
class HostConfig:
    """One serving host: where it listens (``port`` 0: any free one), and ``address``, by which others reach it.

    ``workers_max`` bounds the scoring processes that it runs at a time; ``start_seconds`` is the time that a model may
    take to load. With ``while_stdin`` it ends with the process that started it. Raises InvalidValue with a hint.
    """

    host: str = "127.0.0.1"
    port: int = 5002
    workers_max: int | None = None
    address: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    no_sign_in: bool = False
    start_seconds: float = 600.0
    while_stdin: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise InvalidValue.of("port", self.port, "expected a number from 0 to 65535")
        if self.workers_max is not None and self.workers_max < 1:
            raise InvalidValue.of("workers_max", self.workers_max, "expected at least 1")
        if not self.start_seconds > 0:
            raise InvalidValue.of("start_seconds", self.start_seconds, "expected a number of seconds above 0")
        named = urlsplit(self.address or "http://localhost")
        if named.scheme != "http" or not named.hostname:
            raise InvalidValue.of("address", self.address, "it is no http address",
                                  hint="write it like http://scoring.example.com:5002")
        if not is_loopback(self.host) and not self.no_sign_in:
            raise InvalidValue(
                f"listening on {self.host} would let everybody who reaches this machine use the models: "
                "this server does not ask who they are",
                hint="listen on 127.0.0.1 and let a tracking server or a proxy with sign-in stand in front, or accept "
                     "it with --no-sign-in",
            )
        if self.host in ("0.0.0.0", "::") and self.address is None:
            raise InvalidValue(f"{self.host} is no address by which others reach this host",
                               hint="say which one is with --address http://NAME:PORT")


class _Host(Server):
    """A server that tells the store when it begins to end."""

    def __init__(self, router: Router, on_ready: Callable[[], None]) -> None:
        super().__init__(router, on_ready, grace_seconds=_GRACE_SECONDS)
        self._router = router

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._router.leave()


def serve_endpoints(config: HostConfig, *, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve the endpoints of the store that the tracking URI names, until told to stop.

    ``on_ready`` gets the address; by default it is printed. Raises InvalidValue for an address that cannot be listened
    on, and what opening the store raises.
    """
    lines.configure(logger)
    announce = on_ready or _announce
    if config.while_stdin:
        threading.Thread(target=_end_with_stdin, name="millstream-stdin", daemon=True).start()
    store = stores.store(stores.get_registry_uri())
    recorder, monitoring = Recorder(store), Monitoring(store)
    with listen(config.host, config.port) as listening:
        own = config.address or address(config.host, listening)
        router = made(store, config, own, recorder, monitoring)
        monitoring.start()
        try:
            _Host(router, lambda: announce(own)).run_on(listening)
        finally:
            recorder.close()
            monitoring.close()


def made(
    store: Store, config: HostConfig, own: str, recorder: Recorder | None = None, monitoring: Monitoring | None = None
) -> Router:
    """The router of a host that is known as ``own``, with a supervisor from the start of its loop."""
    meter = Meter([one.families for one in (recorder, monitoring) if one is not None])
    gate = Gate(config.host, (*config.allowed_hosts, urlsplit(own).hostname or ""))

    def supervisor() -> Supervisor:
        return Supervisor(
            store, own, meter, most_processes=config.workers_max, start_seconds=config.start_seconds
        )

    return Router(supervisor, meter, gate, recorder=recorder)


def _end_with_stdin() -> None:
    while os.read(0, 4096):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


def _announce(where: str) -> None:
    print(f"Endpoints are served at {where}/endpoints/NAME/invocations", file=sys.stderr, flush=True)


__all__ = ["HostConfig", "serve_endpoints"]
