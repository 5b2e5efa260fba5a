"""Ray: the protocol of its job server, recorded from Ray 2.60, and a real cluster of one node."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import re
import secrets
import signal
import sys
import tempfile
import threading
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import psutil

from tests.servers.processes import Process, free_port, wait_until

_NOT_STARTED = "Job has not started yet. It may be waiting for the runtime environment to be set up."


class JobServer:
    """Answers as the job server of a cluster does; the test says how jobs go. ``refuse`` maps a method and a path to a
    status to answer with, or None."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.packages: dict[str, bytes] = {}
        self.written = ""
        self.requests: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.deaf = 0  # so many calls to stop are answered and not heard, as while a job is being started
        self.forgets = 0  # so many jobs are taken, and the answer is lost
        self.refusal = "the cluster is restarting"
        self.refuse: Callable[[str, str], int | None] = lambda method, path: None
        self._is_open = True
        server = self

        class Requests(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.answer(self)

            do_POST = do_PUT = do_GET

            def log_message(self, format: str, *arguments: Any) -> None:
                """Says nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Requests)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """No longer listen, nor answer those who are connected."""
        self._is_open = False
        self._server.shutdown()
        self._server.server_close()

    @property
    def job(self) -> dict[str, Any]:
        """The only job."""
        (found,) = self.jobs.values()
        return found

    @property
    def files(self) -> list[str]:
        """The names of the files in the only package."""
        (content,) = self.packages.values()
        return zipfile.ZipFile(BytesIO(content)).namelist()

    def state(self, status: str, message: str = "", **fields: Any) -> None:
        """Say how the job stands."""
        self.job.update(status=status, message=message, **fields)

    def end(self) -> None:
        """End all jobs."""
        for job in self.jobs.values():
            job["status"] = "STOPPED"

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        if not self._is_open:
            request.close_connection = True
            return
        content = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        method, path = request.command, request.path
        self.requests.append((method, path))
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        status = self.refuse(method, path)
        if status is not None:
            self._told(request, status, self.refusal)
        elif path == "/api/version":
            self._told(request, 200, {"version": "4", "ray_version": "2.60.0", "ray_commit": "b7f4259e"})
        elif path.startswith("/api/packages/gcs/"):
            name = path.rpartition("/")[2]
            if method == "PUT":
                self.packages[name] = content
            there = name in self.packages
            self._told(request, 200 if there else 404, "" if there else f"Package gcs://{name} does not exist")
        elif path == "/api/jobs/":
            self._submit(request, json.loads(content))
        else:
            self._one(request, *re.findall(r"/api/jobs/([^/]+)/?(\w*)", path)[0])

    def _submit(self, request: http.server.BaseHTTPRequestHandler, asked: dict[str, Any]) -> None:
        name = asked["submission_id"]
        if name in self.jobs:
            said = f"ValueError: Job with submission_id {name} already exists. Please use a different submission_id."
            self._told(request, 500, f"Traceback (most recent call last):\n{said}\n.\n")
            return
        self.jobs[name] = {
            "type": "SUBMISSION", "job_id": None, "submission_id": name, "status": "PENDING", "message": _NOT_STARTED,
            "error_type": None, "end_time": None, "driver_exit_code": None, **asked,
        }
        self.forgets -= 1
        if self.forgets >= 0:
            request.close_connection = True
            return
        self._told(request, 200, {"job_id": name, "submission_id": name})

    def _one(self, request: http.server.BaseHTTPRequestHandler, name: str, verb: str) -> None:
        job = self.jobs.get(name)
        if job is None:
            self._told(request, 404, f"Job {name} does not exist")
        elif verb == "logs":
            self._told(request, 200, {"logs": self.written})
        elif verb == "stop":
            self.deaf -= 1
            if self.deaf < 0:
                job.update(status="STOPPED", message="Job was intentionally stopped.")
            self._told(request, 200, {"stopped": True})
        else:
            self._told(request, 200, job)

    @staticmethod
    def _told(request: http.server.BaseHTTPRequestHandler, status: int, content: Any) -> None:
        body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


@contextlib.contextmanager
def cluster() -> Iterator[tuple[str, str]]:
    """A real cluster of one node on loopback; the address of its job server, and the token that it wants.

    Ray gives itself 30 seconds for a step that takes longer where others use the processors, so it is started again.
    """
    token = secrets.token_hex(32)
    for left in (2, 1, 0):
        # The paths of its sockets are short, or it does not start.
        with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
            ports = [free_port() for _ in range(3)]
            with _head(Path(folder), ports, token) as process:
                try:
                    # Its pages are there before it is.
                    wait_until(lambda: "Ray runtime started" in process.log_tail(100_000)
                               and _answers(ports[1], token), 200, "the job server of Ray", process)  # noqa: B023
                except AssertionError:
                    if not left:
                        raise
                    continue
                yield f"http://127.0.0.1:{ports[1]}", token
                return


@contextlib.contextmanager
def _head(folder: Path, ports: list[int], token: str) -> Iterator[Process]:
    programs = Path(sys.executable).parent
    command = [
        str(programs / "ray"), "start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={ports[0]}",
        "--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={ports[1]}",
        f"--dashboard-agent-listen-port={ports[2]}", "--num-cpus=1", "--object-store-memory=80000000",
        f"--temp-dir={folder}", "--disable-usage-stats", "--include-log-monitor=false",
    ]
    variables = {
        **os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token,
        "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "150", "RAY_DASHBOARD_SUBPROCESS_MODULE_WAIT_READY_TIMEOUT": "100",
        "RAY_agent_register_timeout_ms": "150000", "RAY_USAGE_STATS_ENABLED": "0",
    }
    with Process(command, folder / "output", variables, stop_signal=signal.SIGINT) as process:
        started = psutil.Process(process.pid)
        try:
            yield process
        finally:
            below = started.children(recursive=True) if process.returncode() is None else []
            process.stop()
            for one in below:  # those that made sessions of their own
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()


def _answers(port: int, token: str) -> bool:
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/api/jobs/", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(asked, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
