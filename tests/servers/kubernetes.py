"""The part of Kubernetes' API that jobs need, over HTTP: jobs of batch/v1 with watches, pods, logs.

No machine of ours holds a cluster. Paths, objects and statuses are those of the API's reference
(https://kubernetes.io/docs/reference/kubernetes-api/); the official client is what speaks to it. The test plays the
cluster's controllers: :meth:`Cluster.start`, :meth:`Cluster.write`, :meth:`Cluster.end`.
"""

from __future__ import annotations

import copy
import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

_JOBS = re.compile(r"/apis/batch/v1/namespaces/(?P<namespace>[^/]+)/jobs(?:/(?P<name>[^/]+))?")
_PODS = re.compile(r"/api/v1/namespaces/(?P<namespace>[^/]+)/pods(?:/(?P<name>[^/]+)/log)?")


class Cluster:
    """Listens on a port of loopback. ``refuse`` maps a method and a path to a status to answer with, or None."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.pods: dict[str, dict[str, Any]] = {}
        self.written: dict[str, list[str]] = {}
        self.requests: list[tuple[str, str, Any]] = []
        self.events: list[tuple[int, str, dict[str, Any]]] = []
        self.forgets = False  # whether jobs are made, and the answer is lost
        self.refuse: Callable[[str, str], int | None] = lambda method, path: None
        self.changed = threading.Condition()
        self._version = 100
        self._is_open = True
        cluster = self

        class Requests(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                cluster.answer(self)

            do_POST = do_DELETE = do_GET

            def log_message(self, format: str, *arguments: Any) -> None:
                """Says nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Requests)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """No longer listen, nor answer those who are connected."""
        self._is_open = False
        self._server.shutdown()
        self._server.server_close()

    def kubeconfig(self, path: Path, context: str = "tests") -> Path:
        """Write a kubeconfig with one context that leads here."""
        path.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": context,
            "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{self._server.server_port}"}}],
            "users": [{"name": "me", "user": {"token": "a-token"}}],
            "contexts": [{"name": context, "context": {"cluster": "here", "user": "me"}}],
        }))
        return path

    # What controllers and kubelets do

    @property
    def job(self) -> dict[str, Any]:
        """The only job."""
        (found,) = self.jobs.values()
        return found

    def start(self, waiting: tuple[str, str] | None = None) -> None:
        """Make the pod of the job: running, or waiting for a reason, with a message."""
        with self.changed:
            name = f"{self.job['metadata']['name']}-x1y2z"
            container = self.job["spec"]["template"]["spec"]["containers"][0]["name"]
            state = {"waiting": {"reason": waiting[0], "message": waiting[1]}} if waiting else {"running": {}}
            self.pods[name] = {
                "metadata": {"name": name, "labels": {"job-name": self.job["metadata"]["name"]},
                             "creationTimestamp": "2026-11-21T17:00:00Z"},
                "status": {"phase": "Pending" if waiting else "Running",
                           "containerStatuses": [{"name": container, "ready": not waiting, "state": state}]},
            }
            self.written.setdefault(name, [])
            self._change(active=1, ready=0 if waiting else 1)

    def write(self, *lines: str) -> None:
        """Let the pod write lines."""
        with self.changed:
            for written in self.written.values():
                written += lines
            self.changed.notify_all()

    def end(self, code: int = 0, reason: str = "Error") -> None:
        """End the pod and, with it, the job."""
        with self.changed:
            for pod in self.pods.values():
                pod["status"]["phase"] = "Failed" if code else "Succeeded"
                pod["status"]["containerStatuses"][0]["state"] = {
                    "terminated": {"exitCode": code, "reason": reason if code else "Completed"}
                }
            if code:
                failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
                          "message": "Job has reached the specified backoff limit"}
                self._change(failed=1, ready=0, conditions=[{**failed, "type": "FailureTarget"}, failed])
            else:
                self._change(succeeded=1, ready=0, conditions=[{"type": "SuccessCriteriaMet", "status": "True"},
                                                               {"type": "Complete", "status": "True"}])

    def delete(self, name: str | None = None) -> None:
        """Remove the job with its pods, as whoever deletes it or its time to live does."""
        with self.changed:
            job = self.jobs.pop(name or self.job["metadata"]["name"])
            self.pods.clear()
            self._publish("DELETED", job)

    def _change(self, **status: Any) -> None:
        self.job["status"] = {key: value for key, value in {**self.job["status"], **status}.items()
                              if key != "active" or "conditions" not in status}
        self._publish("MODIFIED", self.job)

    def _publish(self, kind: str, job: dict[str, Any]) -> None:
        self._version += 1
        job["metadata"]["resourceVersion"] = str(self._version)
        self.events.append((self._version, kind, copy.deepcopy(job)))
        self.changed.notify_all()

    # The API

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        if not self._is_open:
            request.close_connection = True
            return
        parts = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        length = int(request.headers.get("Content-Length") or 0)
        body = json.loads(request.rfile.read(length)) if length else None
        self.requests.append((request.command, request.path, body))
        status = self.refuse(request.command, parts.path)
        jobs, pods = _JOBS.fullmatch(parts.path), _PODS.fullmatch(parts.path)
        if request.headers.get("Authorization") != "Bearer a-token":
            status = 401
        if status is not None:
            _told(request, status, _status(status, "it is refused"))
        elif jobs and query.get("watch", "").lower() == "true":
            _streamed(request, self._watch(query))
        elif jobs and body and request.command == "POST":
            self._create(request, body, jobs["namespace"])
        elif jobs and jobs["name"]:
            self._one(request, jobs["name"], jobs["namespace"])
        elif pods and pods["name"]:
            self._log(request, pods["name"], query)
        elif pods:
            name = query["labelSelector"].removeprefix("job-name=")
            with self.changed:
                found = [pod for pod in self.pods.values() if pod["metadata"]["labels"]["job-name"] == name]
                _told(request, 200, {"kind": "PodList", "apiVersion": "v1", "items": copy.deepcopy(found)})
        else:
            _told(request, 404, _status(404, "the server could not find the requested resource"))

    def _create(self, request: http.server.BaseHTTPRequestHandler, body: dict[str, Any], namespace: str) -> None:
        with self.changed:
            job = {**body, "status": {}}
            job["metadata"] = {**body["metadata"], "namespace": namespace, "uid": "4711"}
            self.jobs[job["metadata"]["name"]] = job
            self._publish("ADDED", job)
            if self.forgets:
                request.close_connection = True
            else:
                _told(request, 201, job)

    def _one(self, request: http.server.BaseHTTPRequestHandler, name: str, namespace: str) -> None:
        with self.changed:
            job = copy.deepcopy(self.jobs.get(name))
        if job is None or job["metadata"]["namespace"] != namespace:
            _told(request, 404, _status(404, f'jobs.batch "{name}" not found'))
            return
        if request.command == "DELETE":
            threading.Timer(0.05, self.delete, [name]).start()  # in the foreground: pods first, then it
        _told(request, 200, job)

    def _watch(self, query: dict[str, str]) -> Iterator[str]:
        name = query["fieldSelector"].removeprefix("metadata.name=")
        seen = int(query["resourceVersion"])
        with self.changed:
            for _ in range(100):
                news = [event for event in self.events if event[0] > seen and event[2]["metadata"]["name"] == name]
                for version, kind, job in news:
                    seen = version
                    yield json.dumps({"type": kind, "object": job}) + "\n"
                if not self.changed.wait(int(query["timeoutSeconds"])):
                    return

    def _log(self, request: http.server.BaseHTTPRequestHandler, name: str, query: dict[str, str]) -> None:
        pod = self.pods.get(name)
        if pod is None:
            _told(request, 404, _status(404, f'pods "{name}" not found'))
        elif "waiting" in pod["status"]["containerStatuses"][0]["state"]:
            _told(request, 400, _status(400, f'container "{query["container"]}" in pod "{name}" is waiting to start'))
        else:
            _streamed(request, self._lines(name, query.get("follow", "").lower() == "true"))

    def _lines(self, name: str, follow: bool) -> Iterator[str]:
        given = 0
        while True:
            with self.changed:
                pod = self.pods.get(name)
                is_open = follow and pod is not None and pod["status"]["phase"] == "Running"
                news = self.written[name][given:]
                if is_open and not news:
                    self.changed.wait(5)
                    continue
            for line in news:
                yield f"{line}\n"
            given += len(news)
            if not is_open:
                return


def _status(code: int, message: str) -> dict[str, Any]:
    reasons = {401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 400: "BadRequest", 503: "ServiceUnavailable"}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
            "reason": reasons.get(code, "Unknown"), "code": code}


def _told(request: http.server.BaseHTTPRequestHandler, status: int, content: Any) -> None:
    body = json.dumps(content).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def _streamed(request: http.server.BaseHTTPRequestHandler, pieces: Iterator[str]) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "application/json")
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    try:
        for piece in pieces:
            body = piece.encode()
            request.wfile.write(f"{len(body):x}\r\n".encode() + body + b"\r\n")
            request.wfile.flush()
        request.wfile.write(b"0\r\n\r\n")
    except OSError:  # whoever listened has gone
        request.close_connection = True
