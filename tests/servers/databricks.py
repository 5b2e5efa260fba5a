"""The part of a Databricks workspace that projects need, over HTTP: DBFS, volumes, one-time runs of the jobs API.

Paths, fields and errors are those of its public reference (https://docs.databricks.com/api/workspace/). A run that is
let go (:meth:`Workspace.go`) really starts its Python file with its parameters, as a cluster does; the rest the test
says: :meth:`Workspace.state`.
"""

from __future__ import annotations

import base64
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "dapi-a-token"


class Workspace:
    """Listens on a port of loopback, its files below ``folder``. ``refuse`` maps a method and a path to a status."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[tuple[str, str, Any]] = []
        self.runs: dict[int, dict[str, Any]] = {}
        self.refuse: Callable[[str, str], int | None] = lambda method, path: None
        self._handles: dict[int, tuple[Path, bytes]] = {}
        self._output: dict[int, dict[str, Any]] = {}
        self._is_open = True
        workspace = self

        class Requests(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                workspace.answer(self)

            do_POST = do_PUT = do_HEAD = do_GET

            def log_message(self, format: str, *arguments: Any) -> None:
                """Says nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Requests)
        self._server.daemon_threads = True
        self.host = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """No longer listen, nor answer those who are connected."""
        self._is_open = False
        self._server.shutdown()
        self._server.server_close()

    def asked(self, path: str) -> list[Any]:
        """What was sent to a path, in order."""
        return [body for _, asked, body in self.requests if asked.partition("?")[0] == path]

    @property
    def task(self) -> dict[str, Any]:
        """The task of the only run."""
        (submitted,) = self.asked("/api/2.1/jobs/runs/submit")
        (task,) = submitted["tasks"]
        assert isinstance(task, dict)
        return task

    # What the workspace does

    def state(self, cycle: str, result: str | None = None, message: str = "", **output: Any) -> None:
        """Say how the last run stands, and what its output is."""
        number = max(self.runs)
        self.runs[number]["state"] = {"life_cycle_state": cycle, "state_message": message,
                                      **({"result_state": result} if result else {})}
        self._output[number + 1] = output

    def go(self, **variables: str) -> None:
        """Start the Python file of the last run with its parameters, and end the run as that ends."""
        self.state("RUNNING")
        task = self.task["spark_python_task"]
        script = self._place(task["python_file"].removeprefix("dbfs:"))
        parameters = [text.replace('"/dbfs/', f'"{self.folder}/').replace('"/Volumes/', f'"{self.folder}/Volumes/')
                      for text in task["parameters"]]
        done = subprocess.run([sys.executable, str(script), *parameters], capture_output=True, text=True, check=False,
                              env={**os.environ, **variables})
        if done.returncode:
            self.state("TERMINATED", "FAILED", "Workload failed, see run output for details", logs=done.stdout,
                       error=done.stderr.strip().splitlines()[-1], error_trace=done.stderr)
        else:
            self.state("TERMINATED", "SUCCESS", logs=done.stdout, logs_truncated=False)

    def end(self) -> None:
        """End all runs."""
        for run in self.runs.values():
            run["state"] = {"life_cycle_state": "TERMINATED", "result_state": "CANCELED", "state_message": ""}

    # The API

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        if not self._is_open:
            request.close_connection = True
            return
        parts = urlsplit(request.path)
        content = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        is_file = parts.path.startswith("/api/2.0/fs/files/")
        body = json.loads(content) if content and not is_file else content
        self.requests.append((request.command, request.path, body))
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        status = self.refuse(request.command, parts.path)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            _told(request, 401, {"error_code": "UNAUTHENTICATED", "message": "Invalid access token."})
        elif status is not None:
            _told(request, status, {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "the workspace is restarting"})
        elif parts.path.startswith("/api/2.0/fs/"):
            self._volumes(request, unquote(parts.path), content)
        elif parts.path.startswith("/api/2.0/dbfs/"):
            self._dbfs(request, parts.path.rpartition("/")[2], body, query)
        else:
            self._jobs(request, parts.path.rpartition("/")[2], body, query)

    def _place(self, path: str) -> Path:
        return self.folder / path.lstrip("/")

    def _dbfs(self, request: http.server.BaseHTTPRequestHandler, verb: str, body: Any, query: dict[str, str]) -> None:
        if verb == "get-status":
            path = self._place(query["path"])
            if path.exists():
                _told(request, 200, {"path": query["path"], "is_dir": path.is_dir(), "file_size": path.stat().st_size})
            else:
                _told(request, 404, {"error_code": "RESOURCE_DOES_NOT_EXIST",
                                     "message": f"No file or directory exists on path {query['path']}."})
        elif verb == "create":
            handle = len(self._handles) + 1
            self._handles[handle] = (self._place(body["path"]), b"")
            _told(request, 200, {"handle": handle})
        elif verb == "add-block":
            path, before = self._handles[body["handle"]]
            block = base64.b64decode(body["data"], validate=True)
            assert len(block) <= 1 << 20
            self._handles[body["handle"]] = (path, before + block)
            _told(request, 200, {})
        elif verb == "close":
            path, whole = self._handles[body["handle"]]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(whole)
            _told(request, 200, {})

    def _volumes(self, request: http.server.BaseHTTPRequestHandler, path: str, content: bytes) -> None:
        kind, _, inside = path.removeprefix("/api/2.0/fs/").partition("/")
        place = self._place(inside)
        if kind == "directories":
            place.mkdir(parents=True, exist_ok=True)
            _told(request, 204, None)
        elif request.command == "PUT":
            place.write_bytes(content)
            _told(request, 204, None)
        else:
            _told(request, 200 if place.exists() else 404, None,
                  {"Content-Length": str(place.stat().st_size)} if place.exists() else {})

    def _jobs(self, request: http.server.BaseHTTPRequestHandler, verb: str, body: Any, query: dict[str, str]) -> None:
        if verb == "submit":
            number = 100 + 10 * len(self.runs)
            self.runs[number] = {
                "run_id": number, "run_page_url": f"{self.host}/?o=1#job/1/run/{number}",
                "state": {"life_cycle_state": "PENDING", "state_message": ""},
                "tasks": [{"run_id": number + 1, "task_key": body["tasks"][0]["task_key"]}],
            }
            _told(request, 200, {"run_id": number})
            return
        number = int(body["run_id"] if body else query["run_id"])
        if number not in self.runs and number not in self._output:
            _told(request, 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": f"Run {number} does not exist."})
        elif verb == "cancel":
            self.state("TERMINATED", "CANCELED", "Run cancelled.", logs="half way\n")
            _told(request, 200, {})
        elif verb == "get-output":
            _told(request, 200, {"metadata": {"run_id": number}, **self._output.get(number, {})})
        else:
            _told(request, 200, self.runs[number])


def _told(
    request: http.server.BaseHTTPRequestHandler, status: int, content: Any, headers: dict[str, str] | None = None
) -> None:
    body = b"" if content is None else json.dumps(content).encode()
    request.send_response(status)
    told = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}
    for name, value in told.items():
        request.send_header(name, value)
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)
