"""The server of an embedded store, for the processes that a project starts: a child that ends with its parent.

Not a command: ``python -m millstream.cli.embedded DESCRIPTOR STORE ROOT`` accepts on a socket that listens already,
until its standard input ends.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading


def main(arguments: list[str]) -> None:
    """Serve until standard input ends."""
    descriptor, uri, root = arguments
    # A terminal's Ctrl-C is for the parent, which ends this process when it has ended what uses it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="millstream-parent", daemon=True).start()

    from millstream.server import logs
    from millstream.server.application import Application
    from millstream.server.config import ServerConfig
    from millstream.server.run import Server, open_served_store

    listening = socket.socket(fileno=int(descriptor))
    config = ServerConfig(uri, port=listening.getsockname()[1], serve_artifacts=False, default_artifact_root=root,
                          expose_metrics=False)
    logs.configure(debug=False)
    Server(Application(config, open_served_store(config)), lambda: None, 2, collect=False).run_on(listening)


def _end_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1:])
