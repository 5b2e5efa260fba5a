"""Our own serving host as a child process, and many requests at once to whatever serves endpoints."""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.servers.mlflow import answers
from tests.servers.processes import Process, free_port, wait_until

ROW = json.dumps({"inputs": [1.0]})


class Answered(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def version(self) -> str:
        return self.headers.get("x-millstream-model-version", "")


class Asker:
    """One client on one connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, path: str, body: Any = ROW, method: str = "POST", **headers: str) -> Answered:
        named = {"Content-Type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
        self._connection.request(method, path, body if method == "POST" else None, named)
        answer = self._connection.getresponse()
        return Answered(answer.status, {name.lower(): text for name, text in answer.getheaders()}, answer.read())

    def close(self) -> None:
        self._connection.close()


class Load:
    """Clients that ask again and again, ``each`` times a second, until the end of the block; see ``answers``."""

    def __init__(self, port: int, path: str, clients: int, each: float) -> None:
        self._port, self._path, self._pause = port, path, 1 / each
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.answers: list[Answered] = []
        self.errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def _run(self) -> None:
        asker = Asker(self._port)
        try:
            while not self._over.wait(self._pause):
                answer = asker.ask(self._path)
                with self._lock:
                    self.answers.append(answer)
        except BaseException as error:
            self.errors.append(error)
        finally:
            asker.close()

    @property
    def versions(self) -> Counter[str]:
        """How many answers each version has given."""
        with self._lock:
            return Counter(answer.version for answer in self.answers)

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


class Host:
    """``millstream endpoints host`` for a store, on one port for all of its lives."""

    def __init__(self, place: Path, tracking_uri: str, *options: str, environment: Mapping[str, str] | None = None):
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.log = place / f"host-{self.port}.log"
        self._place, self._store, self._options = place, tracking_uri, options
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "MILLSTREAM_"))},
            "OMP_NUM_THREADS": "1", **(environment or {}),
        }
        self.process = self.start()

    def start(self) -> Process:
        """Starts it and waits until it answers."""
        command = [sys.executable, "-m", "millstream", "endpoints", "host", "--port", str(self.port),
                   "--tracking-uri", self._store, *self._options]
        self.process = Process(command, log=self.log, environment=self._environment, cwd=self._place)
        try:
            wait_until(lambda: answers(f"{self.uri}/ping"), 60, "the serving host", self.process)
        except BaseException:
            self.process.kill()
            raise
        return self.process

    def ask(self, path: str, body: Any = ROW, method: str = "POST", **headers: str) -> Answered:
        """The answer to one request on a connection of its own."""
        asker = Asker(self.port)
        try:
            return asker.ask(path, body, method, **headers)
        finally:
            asker.close()

    def status(self, endpoint: str) -> dict[str, Any]:
        """What the host says of an endpoint; nothing of one that is off."""
        answer = self.ask(f"/endpoints/{endpoint}", method="GET")
        found: dict[str, Any] = answer.json if answer.status == 200 else {}
        return found

    def replicas(self, endpoint: str, version: str, state: str = "READY") -> list[dict[str, Any]]:
        """The scoring processes of a version in a state."""
        return [one for one in self.status(endpoint).get("replicas", ())
                if one["version"] == version and one["state"] == state]

    def wait(self, endpoint: str, *versions: str, seconds: float = 60) -> None:
        """Return when these versions are ready, and traffic goes to some version."""

        def ready() -> bool:
            told = self.status(endpoint)
            found = {one["version"] for one in told.get("replicas", ()) if one["state"] == "READY"}
            return bool(told.get("traffic")) and found.issuperset(versions)

        self.until(ready, f"the versions {', '.join(versions)} of {endpoint}", seconds)

    def until(self, true: Any, what: str, seconds: float = 60) -> None:
        """Return when something is true."""
        wait_until(true, seconds, what, self.process)

    def pids(self, endpoint: str) -> list[int]:
        """The processes of an endpoint."""
        return [one["pid"] for one in self.status(endpoint).get("replicas", ()) if one["pid"]]


def runs(pid: int) -> bool:
    """Whether a process is there, and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
