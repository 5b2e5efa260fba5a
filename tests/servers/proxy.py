"""A proxy that signs users in, as teams put one in front: Basic credentials become the header that names the user."""

from __future__ import annotations

import base64
import contextlib
import http.client
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HEADER = "X-Forwarded-User"
_OWN = {"host", "authorization", "connection", "content-length", HEADER.lower()}


@contextlib.contextmanager
def signing_in(upstream: str, passwords: Mapping[str, str]) -> Iterator[str]:
    """The ``host:port`` of a proxy in front of ``upstream``; who has no password is refused with 401."""
    target = urlsplit(upstream).netloc

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            user = self.user()
            if user is None:
                self.send_response(401)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            sent = {name: text for name, text in self.headers.items() if name.lower() not in _OWN}
            connection = http.client.HTTPConnection(target, timeout=30)
            try:
                connection.request(self.command, self.path, body or None, {**sent, HEADER: user})
                answer = connection.getresponse()
                content = answer.read()
            finally:
                connection.close()
            self.send_response(answer.status)
            for name, text in answer.getheaders():
                if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                    self.send_header(name, text)
            self.send_header("Content-Length", answer.headers.get("Content-Length") or str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def user(self) -> str | None:
            kind, _, text = self.headers.get("Authorization", "").partition(" ")
            name, _, password = base64.b64decode(text).decode().partition(":") if kind == "Basic" else ("", "", "")
            return name if passwords.get(name) == password and password else None

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: tests are quiet."""

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = pass_on

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)
