"""Our own tracking server as a child process, as a user starts it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.servers.mlflow import answers
from tests.servers.processes import Process, free_port, wait_until


class MillstreamServer:
    """A server below ``place``, on SQLite unless ``store_uri`` says otherwise; stopped, killed and started at will.

    ``options`` are more words of its command line, ``environment`` more variables.
    """

    def __init__(
        self,
        place: Path,
        store_uri: str | None = None,
        *,
        options: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.place = place
        self.store_uri = store_uri or f"sqlite:///{place}/millstream.db"
        self.artifacts = place / "artifacts"
        self.log = place / "server.log"
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self._options = options
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "MILLSTREAM_"))},
            **(environment or {}),
        }
        self.process = self.start()

    def start(self) -> Process:
        """Starts it, on the same port as before, and waits until it answers."""
        command = [
            sys.executable,
            "-m",
            "millstream",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--backend-store-uri",
            self.store_uri,
        ]
        if "--artifacts-destination" not in self._options and "--no-serve-artifacts" not in self._options:
            command += ["--artifacts-destination", str(self.artifacts)]
        self.process = Process([*command, *self._options], log=self.log, environment=self._environment, cwd=self.place)
        try:
            wait_until(lambda: answers(f"{self.uri}/health"), 30, "the server", self.process)
        except BaseException:
            self.process.kill()
            raise
        return self.process

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self.process.kill()

    def stop(self) -> int:
        """Asks it to end; returns its status."""
        return self.process.stop()

    def __enter__(self) -> MillstreamServer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
