"""From a configuration to a server that answers, and to a clean end.

One process by default. With several workers each opens the store itself and all accept on one socket.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from millstream.errors import InvalidValue
from millstream.server import logs
from millstream.server.application import Application
from millstream.server.config import ServerConfig
from millstream.server.execution import NoStore, ServedStore
from millstream.stores import open_store
from millstream.web.listening import Server, Workers, address, listen


def serve(config: ServerConfig, *, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve until told to stop. ``on_ready`` gets the address once requests are answered; by default it is printed.

    Raises InvalidValue for an address that cannot be listened on, and what opening the store raises.
    """
    logs.configure(debug=config.debug)
    announce = on_ready or _announce
    with listen(config.host, config.port) as listening:
        where = address(config.host, listening) + config.static_prefix
        if config.workers == 1:
            _work(config, listening, lambda: announce(where), None)
            return
        # Migrations happen once, here, and what cannot work is said before any process is started.
        open_served_store(config).close()
        Workers(_work, config, config.workers, listening, lambda: announce(where), logs.LOGGER).run()


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


def _work(
    config: ServerConfig, listening: socket.socket, on_ready: Callable[[], None],
    counters: tuple[Path, int, int] | None,
) -> None:
    logs.configure(debug=config.debug)
    app = Application(config, open_served_store(config), counters=counters)
    Server(app, on_ready).run_on(listening)


def _announce(address: str) -> None:
    print(f"Millstream is listening on {address}", file=sys.stderr, flush=True)


__all__ = ["Server", "ServerConfig", "open_served_store", "serve"]
