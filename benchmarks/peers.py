"""The two systems that are measured, as programs to start: neither is imported here."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

ROOT = Path(__file__).resolve().parent.parent
MLFLOW = "3.17.2"


@dataclass(frozen=True)
class Peer:
    """A system under measurement: its name, its interpreter, the module that programs import."""

    name: str
    python: Path
    module: str

    @property
    def command(self) -> list[str]:
        """What its command line is started by."""
        return [str(self.python.parent / self.module)]

    def environment(self) -> dict[str, str]:
        """A quiet environment without settings of the caller."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MLFLOW_", "MILLSTREAM_", "PYTHON"))
        }
        return kept | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "GIT_PYTHON_REFRESH": "quiet"}


OURS = Peer("Millstream", Path(sys.executable), "millstream")
THEIRS = Peer(f"MLflow {MLFLOW}", ROOT / ".envs" / f"mlflow-{MLFLOW}" / "bin" / "python", "mlflow")
PEERS = (OURS, THEIRS)


@dataclass
class Served:
    """A server that answers: where, how long it took, and its processes."""

    address: str
    ready_seconds: float
    process: psutil.Process

    def memory(self) -> tuple[float, int]:
        """Resident memory of the whole tree in MB, and the number of processes."""
        tree = [self.process, *self.process.children(recursive=True)]
        return sum(one.memory_info().rss for one in tree) / 1e6, len(tree)


@contextmanager
def served(peer: Peer, place: Path, database: Path | None = None) -> Iterator[Served]:
    """A server of ``peer`` with its defaults, on SQLite, in ``place``; stopped with all its processes at the end."""
    words = [
        "server",
        "--host",
        "127.0.0.1",
        "--backend-store-uri",
        f"sqlite:///{database or place / 'store.db'}",
        "--artifacts-destination",
        str(place / "artifacts"),
    ]
    with _running(peer, place, words) as found:
        yield found


@contextmanager
def scoring(peer: Peer, place: Path, model: Path) -> Iterator[Served]:
    """A scoring server of ``peer`` for the model in a folder, with its defaults and one worker, in its environment."""
    with _running(peer, place, ["models", "serve", "-m", str(model), "--env-manager", "local"]) as found:
        yield found


@contextmanager
def echoing(place: Path) -> Iterator[Served]:
    """A bare server that sends back what it gets."""
    port = free_port()
    with _answering(OURS, place, [str(OURS.python), str(ROOT / "benchmarks" / "echo.py"), str(port)], port) as found:
        yield found


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(peer: Peer, place: Path, words: list[str]) -> Iterator[Served]:
    """A command of ``peer`` that serves on a port until it is ended."""
    port = free_port()
    with _answering(peer, place, [*peer.command, *words, "--port", str(port)], port) as found:
        yield found


@contextmanager
def _answering(peer: Peer, place: Path, command: list[str], port: int) -> Iterator[Served]:
    place.mkdir(parents=True, exist_ok=True)
    # MLflow starts its scoring server by the name of a program that its environment has.
    environment = peer.environment()
    environment["PATH"] = f"{peer.python.parent}{os.pathsep}{environment['PATH']}"
    began = time.perf_counter()
    with (place / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=place, env=environment, stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"{peer.name} ended: {(place / 'server.log').read_text()[-2000:]}")
            try:
                with urlopen(f"{address}/health", timeout=2):
                    break
            except (URLError, OSError):
                time.sleep(0.01)
        yield Served(address, time.perf_counter() - began, psutil.Process(process.pid))
    finally:
        tree = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        for one in tree:
            if one.is_running():
                one.kill()


def run_client(
    peer: Peer, place: Path, *arguments: str, uri: str | None = None, program: str = "client.py"
) -> str:
    """The last line that ``program`` prints under the peer's interpreter."""
    environment = peer.environment()
    if uri:
        environment["MLFLOW_TRACKING_URI"] = uri
    environment["MILLSTREAM_OUTBOX_DIR"] = str(place / "outbox")
    done = subprocess.run(
        [str(peer.python), str(ROOT / "benchmarks" / program), peer.module, *arguments],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{peer.name} {arguments}: {done.stderr[-2000:]}")
    return done.stdout.strip().splitlines()[-1]
