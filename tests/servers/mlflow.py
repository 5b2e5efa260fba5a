"""MLflow's own tracking server, the peer that programs written for MLflow are compared on."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

from tests.clients.run import client_environment, python_of
from tests.servers.processes import Process, free_port, wait_until

VERSION = "3.17.2"


def answers(url: str) -> bool:
    """Whether a GET of ``url`` succeeds."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class MlflowServer:
    """A server on SQLite with proxied artifacts, below ``place``."""

    def __init__(self, place: Path, store_uri: str | None = None) -> None:
        self.place = place
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.store_uri = store_uri or f"sqlite:///{place}/mlflow.db"
        self.process = Process(
            [
                python_of(VERSION),
                "-m",
                "mlflow",
                "server",
                "--host",
                "127.0.0.1",
                "--port",
                str(self.port),
                "--workers",
                "1",
                "--backend-store-uri",
                self.store_uri,
                "--artifacts-destination",
                str(place / "artifacts"),
            ],
            log=place / "mlflow-server.log",
            environment=client_environment(self.uri, place),
            cwd=place,
        )
        try:
            wait_until(lambda: answers(f"{self.uri}/health"), 120, "MLflow's server", self.process)
        except BaseException:
            self.process.stop()
            raise

    def __enter__(self) -> MlflowServer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.stop()
