"""The scoring server as an ASGI application over one loaded model.

A request passes the gate (the names that this server answers to, pages of other origins), is read within its limits,
and waits for the model (:mod:`millstream.serving.batching`). Whatever goes wrong becomes ``{"error_code", "message",
"hint"}``; a traceback goes to the log, under the id of the request, and to nobody else.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from millstream._version import VERSION
from millstream.errors import (
    BadRequest,
    EndpointNotFound,
    MethodNotAllowed,
    MillstreamError,
    TooLarge,
    TooManyRequests,
    TooSlow,
)
from millstream.flavors import arrays
from millstream.flavors.pyfunc.model import PyFuncModel
from millstream.models.mlmodel import COMPATIBLE_VERSION
from millstream.serving import openapi
from millstream.serving.batching import Predictions
from millstream.serving.config import ServingConfig
from millstream.serving.forms import Reader, content_kind
from millstream.serving.metrics import Meter
from millstream.serving.tensors import InferRequest, described
from millstream.web.gate import Gate
from millstream.web.headers import HeaderList, headers_of, request_id
from millstream.web.protocol import sent_at_once

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

logger = logging.getLogger("millstream.serving")

JSON = b"application/json"
HTML = b"text/html; charset=utf-8"


class _Reply:
    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(
        self, body: bytes, status: int = 200, content_type: bytes = JSON, headers: HeaderList | None = None
    ) -> None:
        self.body = body
        self.status = status
        self.content_type = content_type
        self.headers = headers or []


class _Request:
    __slots__ = ("due", "headers", "id", "pending", "receive", "scope")

    def __init__(self, scope: Scope, receive: Receive, headers: dict[bytes, bytes], id: bytes, due: float) -> None:
        self.scope = scope
        self.receive = receive
        self.headers = headers
        self.id = id
        self.due = due
        self.pending = False  # whether a part of the body is left unread


Handler = Callable[[_Request], "Awaitable[_Reply]"]


class Application:
    """One model behind HTTP. ``counters`` share the figures of several workers, see :class:`Meter`."""

    def __init__(
        self, model: PyFuncModel, config: ServingConfig, counters: tuple[Path, int, int] | None = None
    ) -> None:
        self.model = model
        self.config = config
        self._on_arrays = model.on_arrays()
        self.predictions = Predictions(self._predict, config.limits, self._on_batch)
        self.active = 0
        self._held = 0
        self._schema = model.metadata.get_input_schema()
        self._order = None if self._on_arrays is None else arrays.order()
        self._reader = Reader(self._schema, self._order)
        self._gate = Gate(config.host, config.allowed_hosts)
        self._routes = self._table()
        names = ["nowhere", *dict.fromkeys(name for name, _, _ in self._routes.values())]
        self.meter = Meter(names, counters)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._prefix = secrets.token_hex(4).encode() + b"-"
        self._numbers = itertools.count(1)

    def _table(self) -> dict[str, tuple[str, tuple[str, ...], Handler]]:
        name = self.config.name
        looks = ("GET", "HEAD")
        ping: Any = ("ping", ("GET", "HEAD", "POST"), self._ping)
        return {
            "/invocations": ("invocations", ("POST",), self._invocations),
            "/ping": ping, "/health": ping,
            "/version": ("version", ("GET", "HEAD", "POST"), self._version),
            "/metrics": ("metrics", looks, self._metrics),
            "/openapi.json": ("openapi", looks, self._openapi),
            "/": ("page", looks, self._page),
            "/v2": ("v2", looks, self._server),
            "/v2/health/live": ("v2 health", looks, self._live_or_ready),
            "/v2/health/ready": ("v2 health", looks, self._live_or_ready),
            f"/v2/models/{name}": ("v2 model", looks, self._described),
            f"/v2/models/{name}/ready": ("v2 health", looks, self._live_or_ready),
            f"/v2/models/{name}/infer": ("infer", ("POST",), self._infer),
        }

    # ASGI

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or live through one lifespan."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._live(receive, send)
            else:
                await send({"type": "websocket.close", "code": 1000})
            return
        if self._loop is None:
            self.start()
        started = perf_counter()
        headers = headers_of(scope["headers"])
        number = request_id(headers) or self._prefix + b"%x" % next(self._numbers)
        assert self._loop is not None
        due = self._loop.time() + self.config.limits.seconds
        request = _Request(scope, receive, headers, number, due)
        route, status = "nowhere", 500
        self.active += 1
        try:
            route, reply = await self._answer(request)
            status = reply.status
            await self._send(request, reply, send)
        finally:
            self.active -= 1
            self.meter.count(route, status, perf_counter() - started)

    async def _answer(self, request: _Request) -> tuple[str, _Reply]:
        route = "nowhere"
        try:
            method, headers = request.scope["method"], request.headers
            known = self._routes.get(request.scope["path"])
            host = headers.get(b"host")
            if known is None or known[0] != "ping":  # those who watch over servers ask them by their addresses
                server = request.scope.get("server")
                self._gate.check_host(host, server[0] if server else None)
            self._gate.check_origin(
                host or b"", headers.get(b"origin"), headers.get(b"sec-fetch-site"),
                navigation=known is not None and known[0] == "page" and headers.get(b"sec-fetch-mode") == b"navigate",
            )
            if known is None:
                raise EndpointNotFound("nothing has this path", hint="predictions are at /invocations; all calls of "
                                       "this server are at /openapi.json")
            route, methods, handler = known
            if method not in methods:
                raise MethodNotAllowed(f"this path has no method {method}", hint=f"it has {', '.join(methods)}")
            return route, await handler(request)
        except MillstreamError as error:
            if type(error) is MillstreamError:
                return route, self._unexpected(request, error)
            return route, _refusal(error)
        except Exception as error:
            return route, self._unexpected(request, error)

    def _unexpected(self, request: _Request, error: BaseException) -> _Reply:
        number = request.id.decode()
        logger.error("unexpected problem", exc_info=error, extra={"facts": {"request": number}})
        return _refusal(MillstreamError(f"the server met an unexpected problem with request {number}",
                                        hint="its log tells more under this id"))

    async def _send(self, request: _Request, reply: _Reply, send: Send) -> None:
        headers = [
            (b"content-type", reply.content_type), (b"content-length", b"%d" % len(reply.body)),
            (b"x-request-id", request.id), (b"x-content-type-options", b"nosniff"), *reply.headers,
        ]
        if request.pending:
            headers.append((b"connection", b"close"))
        if sent_at_once(send, reply.status, headers, reply.body, pending=request.pending):
            return
        body = b"" if request.scope["method"] == "HEAD" else reply.body
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def start(self) -> None:
        """Belong to the running event loop."""
        self._loop = asyncio.get_running_loop()
        self.predictions.start(self._loop)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.predictions.close()
        await send({"type": "lifespan.shutdown.complete"})

    # Bodies

    async def _body(self, request: _Request) -> bytes:
        """The whole body. Raises TooLarge, TooManyRequests, TooSlow, and BadRequest when the client goes away."""
        assert self._loop is not None
        limit, headers = self.config.limits.body_bytes, request.headers
        request.pending = True
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise BadRequest("a compressed request body is not read", hint="send it without Content-Encoding")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit():
            raise BadRequest("the Content-Length is not a number")
        if int(length) > limit:
            raise self._too_large()
        task = asyncio.current_task()
        assert task is not None
        late: list[bool] = []
        chunks: list[bytes] = []
        size, more = 0, True
        held = self._hold(int(length))

        def too_slow() -> None:
            late.append(True)
            task.cancel()

        timer = self._loop.call_at(request.due, too_slow)
        try:
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise BadRequest("the client went away before the end of the body")
                chunk: bytes = message.get("body", b"")
                more = message.get("more_body", False)
                size += len(chunk)
                if size > limit:
                    raise self._too_large()
                chunks.append(chunk)
                if size > held:
                    held += self._hold(size - held)
            request.pending = False
        except asyncio.CancelledError:
            if not late:
                raise
            if hasattr(task, "uncancel"):
                task.uncancel()
            raise TooSlow(f"the request body did not arrive within {self.config.limits.seconds:g} seconds") from None
        finally:
            timer.cancel()
            self._held -= held
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _hold(self, size: int) -> int:
        """Count ``size`` bytes as held. Raises TooManyRequests when that is more than this process shall hold."""
        if self._held and self._held + size > self.config.limits.held_bytes:
            raise TooManyRequests("the requests under way hold all the memory that they may",
                                  hint="send the request again in a second")
        self._held += size
        return size

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the request body is larger than {self.config.limits.body_bytes} bytes, the limit of this "
                        "server", hint="send the rows in several requests, or set "
                        "MILLSTREAM_SCORING_SERVER_MAX_BODY_BYTES for the server")

    # Predictions

    async def _invocations(self, request: _Request) -> _Reply:
        kind = content_kind(request.headers.get(b"content-type"))
        body = await self._body(request)
        asked = self._reader.read(kind, body, alone=not self.predictions.batched)
        future = self.predictions.ask(asked, request.due, id=request.id.decode())
        return await self._predicted(request, len(body), future)

    async def _infer(self, request: _Request) -> _Reply:
        if b"inference-header-content-length" in request.headers:
            raise BadRequest("binary tensors are not read here", hint="send the data of the inputs as JSON")
        body = await self._body(request)
        alone = not (self.predictions.batched and self._reader.merges)
        asked = InferRequest(body, self._schema, self._order, alone=alone)
        future = self.predictions.ask(
            asked, request.due, lambda made: asked.answer(made, self.config.name), request.id.decode()
        )
        return await self._predicted(request, len(body), future)

    async def _predicted(self, request: _Request, size: int, future: asyncio.Future[bytes]) -> _Reply:
        self._held += size
        try:
            return _Reply(await future)
        finally:
            self._held -= size
            self.predictions.forget(future)

    def _predict(self, data: Any, params: dict[str, Any] | None) -> Any:
        if self._on_arrays is not None and type(data).__name__ == "ndarray":  # such as the reader makes only then
            return self._on_arrays(data)
        return self.model.predict(data, params)

    def _on_batch(self, requests: int, rows: int) -> None:
        self.meter.count_batch(requests, rows)
        self.meter.show(self.active, self.predictions.waiting)  # for the other workers, which may be asked

    # The rest

    async def _ping(self, request: _Request) -> _Reply:
        return _Reply(b"\n")

    async def _version(self, request: _Request) -> _Reply:
        return _Reply(COMPATIBLE_VERSION.encode(), headers=[(b"x-millstream-version", VERSION.encode())])

    async def _metrics(self, request: _Request) -> _Reply:
        self.meter.show(self.active, self.predictions.waiting)
        body, kind = self.meter.exposition()
        return _Reply(body, content_type=kind)

    async def _openapi(self, request: _Request) -> _Reply:
        return _json(openapi.document(self.config.name, self.model.metadata, self._example()))

    async def _page(self, request: _Request) -> _Reply:
        address = f"{request.scope.get('scheme', 'http')}://{request.headers.get(b'host', b'').decode('latin-1')}"
        body = openapi.page(self.config.name, self.model.metadata, self._example(), address)
        return _Reply(body, content_type=HTML, headers=[(b"content-security-policy", openapi.POLICY.encode())])

    def _example(self) -> Any:
        text = self.model.metadata.get_serving_input()
        return None if text is None else msgspec.json.decode(text)

    async def _server(self, request: _Request) -> _Reply:
        return _json({"name": "millstream", "version": VERSION, "extensions": []})

    async def _live_or_ready(self, request: _Request) -> _Reply:
        path: str = request.scope["path"]
        told: dict[str, Any] = {"live": True} if path.endswith("/live") else {"ready": True}
        if path.startswith("/v2/models/"):
            told["name"] = self.config.name
        return _json(told)

    async def _described(self, request: _Request) -> _Reply:
        return _json(described(self.config.name, self.model.metadata.signature))


def _json(told: Any) -> _Reply:
    return _Reply(msgspec.json.encode(told))


def _refusal(error: MillstreamError) -> _Reply:
    """The answer that tells a client of an error, in MLflow's form."""
    reply = _Reply(msgspec.json.encode(error.to_wire()), error.get_http_status_code())
    if reply.status in (429, 503):
        reply.headers.append((b"retry-after", b"1"))
    return reply


__all__ = ["Application"]
