"""Records what the official clients send and what MLflow's own server answers, into corpus/wire.json.

    .venv/bin/python -m tests.clients.record

A proxy on loopback stands between each program of programs/ and an MLflow 3.17 server. Of each kind of call (client
version, method, path, fields sent, status) one example is kept, with ids, times and names made the same in each
recording. The unit tests of the codec read the corpus; nothing else does.
"""

from __future__ import annotations

import http.client
import json
import re
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.clients import raw
from tests.clients.run import CLIENTS, programs, run_program
from tests.servers.mlflow import MlflowServer

CORPUS = Path(__file__).parent / "corpus" / "wire.json"
KEPT_HEADERS = ("accept", "content-type", "content-encoding", "content-disposition", "x-content-type-options")
LONGEST = 3000  # characters of a body; longer lists show their style in their first items
_ID = re.compile(r"(?<![0-9a-z])(?:m-)?[0-9a-f]{32}(?![0-9a-z])")
# What clients look for in a message; the rest of MLflow's wording is its own.
_TOLD = re.compile(
    r"Invalid value .{0,80} for parameter '[^']*'|Missing value for required parameter '[^']*'", re.DOTALL
)


class Recording:
    """The examples so far, one a kind of call."""

    def __init__(self) -> None:
        self.examples: dict[str, dict[str, Any]] = {}
        self.lock = threading.Lock()

    def add(self, client: str, example: dict[str, Any], *, every: bool = False) -> None:
        path = _ID.sub("ID", example["path"])
        if "/mlflow-artifacts/artifacts/" in path:
            path = path.split("/artifacts/")[0] + "/artifacts/PATH"
        path = re.sub(r"(/tags)/[^/]+$", r"\1/KEY", path)
        body = example["request"]
        sent = {name: _shape(value) for name, value in body.items()} if isinstance(body, dict) else bool(body)
        fields = sorted({key for key, _ in parse_qsl(example["query"], keep_blank_values=True)})
        kind = json.dumps([client, example["method"], path, fields, sent, example["status"]], sort_keys=True)
        with self.lock:
            if every:
                kind = f"{client} {len(self.examples):04}"
            self.examples.setdefault(kind, {"client": client, **example})


def _shape(value: object) -> object:
    """What of a value makes another kind of call: its type, and a number that JSON has no form for."""
    if isinstance(value, list):
        return sorted({json.dumps(_shape(item), sort_keys=True) for item in value})
    if isinstance(value, dict):
        return {key: _shape(item) for key, item in value.items()}
    return str(value) if value in ("NaN", "Infinity", "-Infinity") else type(value).__name__


def _constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _document(data: bytes, kind: str) -> Any:
    """A body as it is kept: JSON as an object, its numbers in the style they came in; other text; bytes counted."""
    if not data:
        return None
    if "json" in kind:
        try:
            return json.loads(data, parse_constant=_constant)
        except ValueError:
            return {"not JSON": data[:300].decode(errors="replace")}
    if kind.startswith("text/html") and data.startswith(b"<!doctype"):
        return "<an HTML page>"
    if kind.startswith("text/") and len(data) < 500:
        return data.decode(errors="replace")
    return f"<{len(data)} bytes>"


def _told(answer: Any) -> Any:
    """An error as it is kept: its code, and of its message what clients recognise."""
    if isinstance(answer, dict) and "error_code" in answer:
        found = _TOLD.search(str(answer.get("message", "")))
        return {"error_code": answer["error_code"], "message": f"{found[0]} …" if found else "…"}
    return answer


def _shortened(value: Any) -> Any:
    if isinstance(value, list):
        return [_shortened(item) for item in value[:2]]
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in list(value.items())[:25]}
    if isinstance(value, str) and len(value) > 600:
        return value[:600]
    return value


def _handler(recording: Recording, client: str, port: int) -> type[BaseHTTPRequestHandler]:
    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            if self.headers.get("transfer-encoding", "").lower() == "chunked":
                pieces = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    pieces.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                sent = b"".join(pieces)
            else:
                sent = self.rfile.read(int(self.headers.get("content-length") or 0))
            upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            headers = {
                k: v
                for k, v in self.headers.items()
                if k.lower() not in ("transfer-encoding", "connection", "accept-encoding")
            }
            headers["Host"] = f"127.0.0.1:{port}"
            upstream.request(self.command, self.path, sent or None, headers)
            answer = upstream.getresponse()
            received = answer.read()
            split = urlsplit(self.path)
            who = self.headers.get("x-mlflow-test-client")
            recording.add(
                who or client,
                {
                    "method": self.command,
                    "path": split.path,
                    "query": split.query,
                    "headers": {
                        name.lower(): value
                        for name, value in self.headers.items()
                        if name.lower() in KEPT_HEADERS or name.lower() in ("user-agent", "origin")
                    },
                    "chunked": self.headers.get("transfer-encoding", "").lower() == "chunked",
                    "request": _document(sent, self.headers.get("content-type", "")),
                    "status": answer.status,
                    "response headers": {k.lower(): v for k, v in answer.getheaders() if k.lower() in KEPT_HEADERS},
                    "response": _told(_document(received, answer.headers.get("content-type", ""))),
                },
                every=who is not None,
            )
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(received)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(received)
            upstream.close()

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _pass

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Proxy


class _Same:
    """Makes ids, times and places the same in each recording."""

    def __init__(self, places: list[str]) -> None:
        self.places = places
        self.ids: dict[str, str] = {}
        self.tokens: dict[str, str] = {}

    def text(self, text: str) -> str:
        def renamed(match: re.Match[str]) -> str:
            found = match[0]
            prefix = "m-" if found.startswith("m-") else ""
            return self.ids.setdefault(found, f"{prefix}{len(self.ids) + 1:032x}")

        text = _ID.sub(renamed, text)
        text = re.sub(r"\b[0-9a-f]{12}(?= |%20|\+|\b)", "token0000000", text)
        for place in self.places:
            text = text.replace(place, "/place")
        text = re.sub(r"/[^\s\"']*?/(site-packages|tests)/", r"/place/\1/", text)
        text = re.sub(r"/tmp\w+", "/tmp", text)
        text = re.sub(r"(?<=python-requests/)[\d.]+|(?<=werkzeug/)[\d.]+", "0", text)
        text = re.sub(r"\b(20\d\d-\d\d-\d\dT[\d:.]+)", "2026-01-01T00:00:00", text)
        return re.sub(r"\b1[789]\d{11}\b", "1750000000000", text)

    def value(self, value: Any) -> Any:
        if isinstance(value, dict):
            if str(value.get("key", "")).startswith("mlflow.") and "value" in value and "Name" not in value["key"]:
                if value["key"] in ("mlflow.user", "mlflow.source.name") or "git" in value["key"]:
                    return {**value, "value": "someone"}
            return {
                self.text(key): "someone" if key == "user_id" and item else self.value(item)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int) and not isinstance(value, bool) and 1_710_000_000_000 < value < 2_000_000_000_000:
            return 1_750_000_000_000
        return value


def main() -> None:
    recording = Recording()
    with tempfile.TemporaryDirectory() as place, MlflowServer(Path(place)) as server:
        for client in CLIENTS:
            proxy = ThreadingHTTPServer(("127.0.0.1", 0), _handler(recording, client, server.port))
            threading.Thread(target=proxy.serve_forever, daemon=True).start()
            if client == CLIENTS[0]:
                raw.requests(proxy.server_port)
            for program in programs(client):
                if program == "big_artifact":
                    continue
                run_program(program, client, f"http://127.0.0.1:{proxy.server_port}", Path(place))
                print(f"{client} {program}: {len(recording.examples)} examples", file=sys.stderr)
            proxy.shutdown()
            proxy.server_close()
        same = _Same([place])
        examples = []
        for kind in sorted(recording.examples):
            example = recording.examples[kind]
            for part in ("request", "response"):
                if len(json.dumps(example[part])) > LONGEST:
                    example[part] = _shortened(example[part])
            examples.append(same.value(example))
    CORPUS.parent.mkdir(exist_ok=True)
    lines = ",\n".join(json.dumps(example, ensure_ascii=False) for example in examples)
    CORPUS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"{len(examples)} examples in {CORPUS.name}", file=sys.stderr)


if __name__ == "__main__":
    main()
