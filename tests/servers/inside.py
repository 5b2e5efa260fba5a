"""Our server inside the test's own process: the real application on a real socket, without a process to start."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

from millstream.server.application import Application
from millstream.server.config import ServerConfig
from millstream.server.run import Server, open_served_store


def served(config: ServerConfig) -> contextlib.AbstractContextManager[str]:
    """The address of a server with this configuration (its port aside), stopped at the end."""
    return served_application(Application(config, open_served_store(config)))


@contextlib.contextmanager
def served_application(app: Application) -> Iterator[str]:
    """The address of a server of this application, stopped at the end."""
    ready = threading.Event()
    server = Server(app, ready.set)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])), daemon=True)
        thread.start()
        try:
            assert ready.wait(30), "the server did not start"
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)
