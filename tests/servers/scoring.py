"""A scoring server for one model as a child process, ours or MLflow's, and what it answers."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.clients.run import client_environment, python_of
from tests.servers.mlflow import VERSION, answers
from tests.servers.processes import Process, free_port, wait_until

JSON = "application/json"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Scoring:
    """A scoring server for one model, ours or (``official``) MLflow's."""

    def __init__(
        self, place: Path, model: Path, *options: str, official: bool = False, wait: bool = True, **environment: str
    ) -> None:
        self.port = free_port()
        words = ["-m", str(model), "-p", str(self.port), "--env-manager", "local", *options]
        if official:
            python = python_of(VERSION)
            variables = client_environment(f"sqlite:///{place}/mlflow.db", place) | {
                "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "true", "PYTHONPATH": "",
                "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            }
            command = [str(python), "-m", "mlflow", "models", "serve", *words]
        else:
            variables = {name: text for name, text in os.environ.items() if not name.startswith(("MLFLOW_", "MILLST"))}
            command = [sys.executable, "-m", "millstream", "models", "serve", *words]
        self.process = Process(command, place / f"scoring-{self.port}.log", {**variables, **environment}, place)
        if wait:
            self.wait()

    def wait(self) -> None:
        """Return when it answers."""
        try:
            wait_until(lambda: answers(f"http://127.0.0.1:{self.port}/ping"), 90, "the scoring server", self.process)
        except BaseException:
            self.process.stop()
            raise

    def ask(
        self, method: str, path: str, body: Any = None, kind: str | None = JSON, **headers: str
    ) -> Answer:
        """The answer to one request; a body that is no text is sent as JSON."""
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers | ({"Content-Type": kind} if kind else {}))
            answer = connection.getresponse()
            found = {name.lower(): text for name, text in answer.getheaders()}
            return Answer(answer.status, found, answer.read())

    def invoke(self, body: Any, kind: str | None = JSON) -> Answer:
        return self.ask("POST", "/invocations", body, kind)

    def __enter__(self) -> Scoring:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.stop()
