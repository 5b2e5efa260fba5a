"""The ASGI application: from a request to the operation or route that answers it.

The order of things: the path is looked up (one dict for the paths without fields), the gate checks Host and Origin, the
policy checks the permission that the target declares, the target answers. Whatever goes wrong on the way becomes an
answer in MLflow's form; what is unexpected is logged with the id of the request and told to nobody else.
"""

from __future__ import annotations

import abc
import asyncio
import itertools
import re
import secrets
from pathlib import Path
from time import perf_counter
from typing import Any

from millstream.errors import (
    EndpointNotFound,
    IntegrityError,
    MethodNotAllowed,
    MillstreamError,
    NotSupported,
    StoreUnavailable,
    TooLarge,
    TooManyRequests,
)
from millstream.operations import OPERATIONS, CreateModelVersion, Needs, Operation, Principal, SearchDatasets
from millstream.operations.approvals import GATED_OPERATIONS
from millstream.operations.codec import decode_request, encode_answer
from millstream.server.answers import form_of, read_reply
from millstream.server.artifacts import ARTIFACT_OPERATIONS, PROPOSING_OPERATIONS, Artifacts
from millstream.server.config import ServerConfig
from millstream.server.events import Events
from millstream.server.execution import Execution, ServedStore
from millstream.server.gates import read_signatures
from millstream.server.logs import log_refused, log_request, log_unexpected
from millstream.server.messages import (
    JSON,
    Deadlines,
    Receive,
    Reply,
    Request,
    Scope,
    Send,
    StreamedReply,
    error_reply,
)
from millstream.server.meter import Meter
from millstream.server.policy import Policy, policy_of
from millstream.server.routes import (
    API_PREFIXES,
    ROUTES,
    Fields,
    Handler,
    Pattern,
    Route,
    named_fields,
    without_tracking,
)
from millstream.server.shell import Bundle
from millstream.server.sources import check_source
from millstream.server.sweep import Sweeper
from millstream.server.webhooks import Sender
from millstream.web.gate import Gate
from millstream.web.headers import HeaderList, headers_of, request_id

_ALIASES: dict[str, type[Operation[Any]]] = {
    # A spelling that MLflow's servers have by mistake and some clients by imitation.
    "/2.0mlflow/experiments/search-datasets": SearchDatasets,
}
# Where clients before MLflow 2 look for the registry.
_PREVIEW = re.compile(r"/2\.0/(?=mlflow/(?:registered-models|model-versions)/)")


class _Target(abc.ABC):
    """What answers one path and method."""

    def __init__(self, name: str, slot: int) -> None:
        self.name = name
        self.slot = slot
        self.page = False
        self.any_host = False

    @abc.abstractmethod
    async def answer(self, request: Request) -> Reply | StreamedReply:
        """The answer, once the policy has agreed."""


class _OperationTarget(_Target):
    """An operation of the table."""

    def __init__(self, app: Application, kind: type[Operation[Any]], slot: int) -> None:
        super().__init__(kind.endpoint.name, slot)
        self._app = app
        self._kind = kind
        self._needs = kind.endpoint.needs
        self._limit = kind.endpoint.max_body or app.config.limits.body_bytes
        self._writes = kind.endpoint.writes
        self._on_artifacts = kind in ARTIFACT_OPERATIONS
        self._proposes = kind in PROPOSING_OPERATIONS
        self._gated = kind in GATED_OPERATIONS

    async def answer(self, request: Request) -> Reply:
        body = b""
        if request.has_body:
            body = await request.body(self._limit)
            if body:
                request.require_json()
        operation: Operation[Any] = decode_request(self._kind, query=request.query, body=body, path=request.fields)
        principal = self._app.admit(request, self._needs, operation)
        execution = self._app.execution
        if self._on_artifacts:
            return Reply(encode_answer(await self._app.artifacts.execute(operation, principal)))
        if isinstance(operation, CreateModelVersion):
            await check_source(self._app, operation, principal)
        if self._proposes:
            self._app.artifacts.check_locations(operation)
        if self._gated:
            await read_signatures(self._app, operation, principal)
        if self._writes:
            return Reply(encode_answer(await execution.write(operation, principal)))
        return await execution.in_thread(read_reply, self._app.store, operation, principal, form_of(request))


class _RouteTarget(_Target):
    """A route of the other table."""

    def __init__(self, app: Application, route: Route, slot: int) -> None:
        super().__init__(route.name, slot)
        self._app = app
        self._route = route
        self._handler: Handler | None = None
        self.page = route.page
        self.any_host = route.any_host

    async def answer(self, request: Request) -> Reply | StreamedReply:
        request.fields = named_fields(self._route, request.fields, request.query)
        request.principal = self._app.admit(request, self._route.needs, request.fields)
        if self._handler is None:
            self._handler = self._route.load()
        return await self._handler(request)


class Application:
    """The server as an ASGI application over one store. It owns the store: the end of its lifespan closes it."""

    def __init__(
        self, config: ServerConfig, store: ServedStore, *, policy: Policy | None = None,
        counters: tuple[Path, int, int] | None = None,
    ) -> None:
        self.config = config
        self.store = store
        self.policy = policy or policy_of(config.user_header)
        self.execution = Execution(store, config.limits.read_threads)
        self.artifacts = Artifacts(config, self.execution)
        self.deadlines = Deadlines()
        self.events = Events(self)
        self.bundle: Bundle | None = None
        self._gate = Gate(config.host, config.allowed_hosts, config.allowed_origins)
        self._fixed: dict[str, dict[str, _Target]] = {}
        self._patterns: list[tuple[Pattern, dict[str, _Target]]] = []
        names: list[str] = []
        self._enter_all(names)
        self.meter = Meter(names, counters)
        self._prefix = config.static_prefix + "/" if config.static_prefix else None
        self.active = 0
        self._id_prefix = secrets.token_hex(4).encode() + b"-"
        self._id_numbers = itertools.count(1)
        self._common: HeaderList = [(b"x-content-type-options", b"nosniff")]
        if config.x_frame_options.upper() != "NONE":
            self._common.append((b"x-frame-options", config.x_frame_options.upper().encode()))
        self._strict = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch: asyncio.Task[None] | None = None
        self._sweeper = Sweeper(store)
        self._sender = None if store.outbox is None else Sender(store.outbox)
        # Places on this machine are nobody's business; the longest first, so that no part of one is left.
        places = {*config.local_roots, *config.store_places, Path.cwd(), Path.home()}
        self._hidden = sorted((str(place) for place in places if place.parent != place), key=len, reverse=True)

    # The tables

    def _enter_all(self, names: list[str]) -> None:
        def slot(name: str) -> int:
            names.append(name)
            return len(names) - 1

        for kind in () if self.config.artifacts_only else OPERATIONS:
            target = _OperationTarget(self, kind, slot(kind.endpoint.name))
            spellings = [path for path, other in _ALIASES.items() if other is kind]
            spellings += [_PREVIEW.sub("/2.0/preview/", kind.endpoint.path)]
            for path in dict.fromkeys((kind.endpoint.path, *spellings)):
                for prefix in API_PREFIXES[1:] if kind.endpoint.ajax_only else API_PREFIXES:
                    self._enter(prefix + path, kind.endpoint.methods, target)
        for route in ROUTES:
            if self.serves(route):
                target_of_route = _RouteTarget(self, route, slot(route.name))
                for path in route.paths:
                    self._enter(path, route.methods, target_of_route)
        self._nowhere = slot("nowhere")

    def _enter(self, path: str, methods: tuple[str, ...], target: _Target) -> None:
        if "{" in path:
            known = next((methods for pattern, methods in self._patterns if pattern.path == path), None)
            if known is None:
                known = {}
                self._patterns.append((Pattern(path), known))
        else:
            known = self._fixed.setdefault(path, {})
        for method in methods:
            if method in known:
                raise ValueError(f"{method} {path} is there twice: {known[method].name} and {target.name}")
            known[method] = target
        if "GET" in methods:
            known.setdefault("HEAD", target)

    def table(self) -> list[tuple[str, tuple[str, ...]]]:
        """Every path that is answered, prefix aside, with its methods."""
        found = [*self._fixed.items(), *((pattern.path, methods) for pattern, methods in self._patterns)]
        return [(path, tuple(methods)) for path, methods in found]

    def serves(self, route: Route) -> bool:
        """Whether the configuration leaves this route in."""
        if route.proxied and not self.config.serve_artifacts:
            return False
        if route.path == "/metrics" and not self.config.expose_metrics:
            return False
        return not self.config.artifacts_only or without_tracking(route)

    def _find(self, scope: Scope) -> tuple[dict[str, _Target], Fields | None]:
        path: str = scope["path"]
        if len(path) + len(scope["query_string"]) > self.config.limits.url_bytes:
            raise TooLarge(f"the address of the request is longer than {self.config.limits.url_bytes} bytes")
        methods = self._fixed.get(path)
        if methods is not None:
            return methods, None
        raw: bytes = scope.get("raw_path") or path.encode()
        if self._prefix is not None and path.startswith(self._prefix):
            path = path[len(self._prefix) - 1:]
            raw = raw[len(self._prefix) - 1:]
            methods = self._fixed.get(path)
            if methods is not None:
                return methods, None
        for pattern, methods in self._patterns:
            fields = pattern.match(raw)
            if fields is not None:
                return methods, fields
        raise EndpointNotFound("no operation or page has this path",
                               hint="the list of all operations is at /docs")

    def admit(self, request: Request, needs: Needs, subject: object) -> Principal:
        """The principal of ``request``, once the policy has let it do what ``needs`` says on ``subject``."""
        principal = self.policy.identify(request.scope["headers"])
        self.policy.check(principal, needs, subject)
        return principal

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
        request = Request(
            self, scope, receive, headers, request_id(headers) or self._id_prefix + b"%x" % next(self._id_numbers)
        )
        self.active += 1
        status = 500
        try:
            reply = await self._answer(request)
            status = reply.status
            await self._send(request, reply, send)
        finally:
            self.active -= 1
            seconds = perf_counter() - started
            self.meter.count(request.slot, status, seconds)
            if self.config.access_log:
                log_request(request, status, seconds)

    async def _answer(self, request: Request) -> Reply | StreamedReply:
        scope = request.scope
        request.slot = self._nowhere
        try:
            if self.active > self.config.limits.concurrent_requests:
                raise TooManyRequests("the server is busy", hint="send the request again in a second")
            methods, fields = self._find(scope)
            target = methods.get(request.method)
            self._pass_gate(request, target)
            if target is None:
                return self._other_method(request, methods)
            if request.headers.get(b"x-mlflow-workspace", b"default") not in (b"default", b""):
                raise NotSupported("this server runs without workspaces", hint="leave MLFLOW_WORKSPACE unset")
            request.slot = target.slot
            if fields is not None:
                request.fields = fields
            return await target.answer(request)
        except MillstreamError as error:
            if error.error_code == "INTERNAL_ERROR":
                return self._unexpected(request, error)
            if isinstance(error, (StoreUnavailable, IntegrityError)):
                log_refused(request, error)
            return error_reply(error, hide=self._hidden)
        except Exception as error:
            return self._unexpected(request, error)

    def _unexpected(self, request: Request, error: BaseException) -> Reply:
        log_unexpected(request, error)
        return error_reply(MillstreamError(
            f"the server met an unexpected problem with request {request.id.decode()}",
            hint="its log tells more under this id",
        ))

    def _pass_gate(self, request: Request, target: _Target | None) -> None:
        headers = request.headers
        host = headers.get(b"host")
        if target is None or not target.any_host:
            server = request.scope.get("server")
            self._gate.check_host(host, server[0] if server else None)
        origin = headers.get(b"origin")
        site = headers.get(b"sec-fetch-site")
        if origin is None and site is None:
            return
        opens_page = (
            target is not None and target.page
            and headers.get(b"sec-fetch-mode") == b"navigate" and headers.get(b"sec-fetch-dest") == b"document"
        )
        if self._gate.check_origin(host or b"", origin, site, navigation=opens_page):
            request.cross_origin = origin

    def _other_method(self, request: Request, methods: dict[str, _Target]) -> Reply:
        allowed = ", ".join(sorted(methods)).encode()
        if request.method == "OPTIONS":
            reply = Reply(b"", 204, headers=[(b"allow", allowed)])
            if request.cross_origin is not None:
                reply.headers += [
                    (b"access-control-allow-methods", allowed),
                    (b"access-control-allow-headers", b"authorization, content-type, range, x-request-id"),
                    (b"access-control-max-age", b"600"),
                ]
            return reply
        reply = error_reply(MethodNotAllowed(f"this path has no method {request.method}",
                                             hint=f"it has {allowed.decode()}"))
        reply.headers.append((b"allow", allowed))
        return reply

    async def _send(self, request: Request, reply: Reply | StreamedReply, send: Send) -> None:
        length = reply.length if isinstance(reply, StreamedReply) else len(reply.body)
        headers = [(b"content-type", reply.content_type), (b"x-request-id", request.id), *self._common, *reply.headers]
        if reply.status not in (204, 304) and length is not None:
            headers.append((b"content-length", b"%d" % length))
        if reply.content_type == JSON:
            headers.append(self._strict)
        headers.append((b"server-timing", b"total;dur=%.1f" % ((perf_counter() - request.started) * 1000)))
        if request.cross_origin is not None:
            headers += [
                (b"access-control-allow-origin", request.cross_origin),
                (b"access-control-expose-headers", b"content-range, etag, retry-after, x-request-id"),
                (b"vary", b"Origin"),
            ]
        if request.body_pending:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if not isinstance(reply, StreamedReply):
            await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else reply.body})
            return
        gone = request.gone = asyncio.ensure_future(request.until_gone())
        try:
            if request.method != "HEAD":
                async for chunk in reply.chunks:
                    if gone.done():
                        return
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except Exception as error:
            # The status is out: all that is left is to end the connection before the promised length.
            log_unexpected(request, error)
        finally:
            gone.cancel()
            await reply.chunks.aclose()

    # Life

    def wind_down(self) -> None:
        """End what would go on for ever: nothing new is accepted, and what is under way is waited for."""
        self.events.end()

    def start(self) -> None:
        """Belong to the running event loop: deadlines are watched from now on."""
        self._loop = asyncio.get_running_loop()
        self.execution.start(self._loop)
        self._watch = self._loop.create_task(self.deadlines.watch())

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.start()
        self._sweeper.start()
        if self._sender is not None:
            self._sender.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            await asyncio.get_running_loop().run_in_executor(None, self.close)
        except Exception as error:
            await send({"type": "lifespan.shutdown.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.shutdown.complete"})

    def close(self) -> None:
        """Finish what is under way and close the store."""
        if self._loop is not None and self._watch is not None:
            self._loop.call_soon_threadsafe(self._watch.cancel)
        self._sweeper.stop()
        if self._sender is not None:
            self._sender.stop()
        self.artifacts.close()
        self.execution.close()
        self.store.close()
