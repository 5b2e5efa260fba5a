"""A receiver of webhooks: keeps what it is sent, checks each signature, and answers as it is told."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from millstream.webhooks import WEBHOOK_DELIVERY_ID_HEADER, verify

SECRET = "a secret of eighteen"


class Call(NamedTuple):
    """One call as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def data(self) -> dict[str, Any]:
        """The body."""
        made: dict[str, Any] = json.loads(self.body)
        return made

    @property
    def delivery_id(self) -> str:
        """Which delivery it is of."""
        return self.headers[WEBHOOK_DELIVERY_ID_HEADER.lower()]


class Receiver:
    """Listens on a port of loopback, the same when it is started again. ``answer`` maps a call to its status, or to
    status, headers and body."""

    def __init__(self, port: int = 0, secret: str | None = SECRET) -> None:
        self.calls: list[Call] = []
        self.forged: list[str] = []
        self.answer: Callable[[Call], int | tuple[int, dict[str, str], bytes]] = lambda call: 200
        self._secret = secret
        self._port = port
        self._server: http.server.ThreadingHTTPServer | None = None
        self.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}/hook"

    @property
    def arrived(self) -> list[Call]:
        """What it has taken, in the order in which that came."""
        return [call for call in self.calls if 200 <= call.status < 300]

    def start(self) -> None:
        """Listen."""
        receiver = self

        class Requests(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.take(self, Call(self.path, headers, body, 0))

            def log_message(self, format: str, *arguments: Any) -> None:
                """Says nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self._port), Requests)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def take(self, request: http.server.BaseHTTPRequestHandler, call: Call) -> None:
        """Keep a call and answer it."""
        if self._secret is not None:
            try:
                verify(call.body, call.headers, self._secret)
            except Exception as error:
                self.forged.append(str(error))
        told = self.answer(call)
        status, headers, body = told if isinstance(told, tuple) else (told, {}, b"taken")
        self.calls.append(call._replace(status=status))
        request.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    def stop(self) -> None:
        """Nothing listens any more: who calls is refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
