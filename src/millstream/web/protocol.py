"""uvicorn's HTTP protocol, with limits on what arrives before a request is known.

Once a request is known, the application limits its body. Before that, a stranger could send a head without end, or none
at all: both are bounded here, the second by one look at all connections every few seconds.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from millstream.web.headers import HeaderList

HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 30.0
# How long what a client still sends after a refusal is read and dropped. Closing at once would reset the connection,
# and a client that sends first and reads then would hear of that, and not of the refusal.
LINGER_SECONDS = 30.0
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    b"connection: close\r\n\r\n%s"
)
_TOLD = b'{"error_code":"BAD_REQUEST","message":"the head of the request is larger than 65536 bytes"}'


class LimitedProtocol(HttpToolsProtocol):
    """One connection."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._chunk_bytes = 0
        self._head_bytes = 0
        self._lingers: asyncio.TimerHandle | None = None
        # When the head that we wait for began, in the loop's seconds; None while a request is under way or none is due.
        self.head_since: float | None = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, as long as the head stays small."""
        if self._lingers is not None:
            return
        self._chunk_bytes = len(data)
        super().data_received(data)
        if self.head_since is None:
            return
        self._head_bytes += len(data)
        if self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE % (len(_TOLD), _TOLD))
            self.transport.close()

    def on_message_begin(self) -> None:
        """A head begins: its clock starts."""
        super().on_message_begin()
        self.head_since = self.loop.time()
        # What came before the head in the same chunk is not part of it: counting begins with the next chunk.
        self._head_bytes = -self._chunk_bytes

    def on_headers_complete(self) -> None:
        """The head is whole: the request is the application's matter now."""
        self.head_since = None
        super().on_headers_complete()


    def linger(self) -> None:
        """Say no more, and drop what comes until the client has sent all, or :data:`LINGER_SECONDS` have passed."""
        self._lingers = self.loop.call_later(LINGER_SECONDS, self.transport.close)
        self.transport.write_eof()
        self.flow.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        if self._lingers is not None:
            self._lingers.cancel()
        super().connection_lost(exc)


def sent_at_once(send: Any, status: int, headers: HeaderList, body: bytes, *, pending: bool = False) -> bool:
    """Answer a request whole, with one write in place of ASGI's two; False when ``send`` is not of such a connection.

    A write is a call of the system, and wakes the client: for a short answer it is most of what the answer costs.
    ``headers`` are the server's own, with the content-length of ``body``; nothing looks at them again. ``pending`` says
    that a part of the request's body was not read, and never will be.
    """
    cycle = getattr(send, "__self__", None)
    if type(cycle) is not RequestResponseCycle or cycle.flow.write_paused or cycle.response_started:
        return False
    if cycle.disconnected:
        return True
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    made = [STATUS_LINE[status]]
    for name, value in (*cycle.default_headers, *headers):
        made += (name, b": ", value, b"\r\n")
        if name == b"connection" and value == b"close":
            cycle.keep_alive = False
    # HTTP/1.0, or a client that asked for it: said like by ASGI's way.
    if not cycle.keep_alive and (b"connection", b"close") not in headers:
        made.append(b"connection: close\r\n")
    made += (b"\r\n", b"" if cycle.scope["method"] == "HEAD" else body)
    cycle.transport.write(b"".join(made))
    cycle.message_event.set()
    if pending and isinstance(protocol := cycle.transport.get_protocol(), LimitedProtocol):
        protocol.linger()
    elif not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


def close_idle_heads(connections: set[Any], now: float) -> None:
    """Close the connections whose head has not become whole for :data:`HEAD_SECONDS`."""
    for connection in list(connections):
        since = getattr(connection, "head_since", None)
        if since is not None and now - since > HEAD_SECONDS:
            connection.transport.close()
