"""The router of a serving host as an ASGI application: from a request to the scoring process that answers it.

Bodies up to a mebibyte are held, so that a request whose process goes away before it has said anything is sent to
another one, and can be copied to shadow versions and recorded. Larger ones are passed on as they come. A prediction is
taken for something that can be asked twice.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any

import msgspec

from millstream import settings
from millstream._version import VERSION
from millstream.entities.endpoint import ServingEndpoint, canonical_target
from millstream.errors import (
    EndpointNotFound,
    InvalidValue,
    MethodNotAllowed,
    MillstreamError,
    NotInTime,
    NotServing,
    ServingEndpointNotFound,
    TooManyRequests,
)
from millstream.serving.endpoints.afterwards import Afterwards
from millstream.serving.endpoints.bodies import read_body, rest_of_body
from millstream.serving.endpoints.meter import Meter
from millstream.serving.endpoints.requests import CALLS, Job, Scope, Way, head_of, named_headers, way_of
from millstream.serving.endpoints.routing import Table, number_of
from millstream.serving.endpoints.scoring import Scoring
from millstream.serving.endpoints.status import status_of
from millstream.serving.endpoints.supervisor import Supervisor
from millstream.serving.monitoring.recorder import Recorder
from millstream.web.gate import Gate
from millstream.web.headers import HeaderList, headers_of, request_id
from millstream.web.protocol import sent_at_once
from millstream.web.upstream import Broken, UpstreamAnswer

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

logger = logging.getLogger("millstream.serving")

JSON = b"application/json"
SESSION = b"x-millstream-session"
_TRIES = 4
_REQUESTS = 1_000
_DOUBT_SECONDS = 0.5
_REMEMBERED = 1_024
_BUSY = (429, 503)


class Router:
    """The routes of a host. ``recorder`` gets what was asked and answered, if there is one."""

    def __init__(
        self, supervisor: Callable[[], Supervisor], meter: Meter, gate: Gate, *, recorder: Recorder | None = None
    ) -> None:
        self._recorder = recorder
        self.active = 0
        self._make = supervisor
        self._meter = meter
        self._gate = gate
        self._supervisor: Supervisor | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ways: dict[bytes, Way | None] = {}
        self._active_of: dict[str, int] = {}
        self._afterwards: Afterwards
        self._prefix = secrets.token_hex(4).encode() + b"-"
        self._numbers = itertools.count(1)
        self._body_bytes = settings.SCORING_SERVER_MAX_BODY_BYTES.get()
        self._seconds = settings.SCORING_SERVER_REQUEST_TIMEOUT.get()

    # ASGI

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or live through one lifespan."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._live(receive, send)
            else:
                await send({"type": "websocket.close", "code": 1000})
            return
        started = perf_counter()
        headers = headers_of(scope["headers"])
        job = Job(scope, headers, request_id(headers) or self._prefix + b"%x" % next(self._numbers), started)
        self.active += 1
        status = 500
        try:
            status = await self._answer(job, receive, send)
        finally:
            self.active -= 1
            if job.endpoint:
                self._meter.count(job.endpoint, job.version, status, perf_counter() - started)

    async def _answer(self, job: Job, receive: Receive, send: Send) -> int:
        try:
            raw: bytes = job.scope.get("raw_path") or job.scope["path"].encode()
            way = self._way(raw)
            host = job.headers.get(b"host")
            if way is None or way.kind != "ping":  # those who watch over servers ask them by their addresses
                server = job.scope.get("server")
                self._gate.check_host(host, server[0] if server else None)
            self._gate.check_origin(host or b"", job.headers.get(b"origin"), job.headers.get(b"sec-fetch-site"))
            if way is None:
                raise EndpointNotFound(
                    "nothing has this path", hint="predictions are at /endpoints/NAME/invocations and "
                    "/model/NAME/VERSION/invocations; / lists the endpoints",
                )
            if way.rest:
                return await self._invoke(job, way, receive, send)
            return await self._page(job, way, send)
        except MillstreamError as error:
            return await self._refuse(job, error, send)
        except Exception as error:
            return await self._unexpected(job, error, send)

    def _way(self, raw_path: bytes) -> Way | None:
        try:
            return self._ways[raw_path]
        except KeyError:
            if len(self._ways) >= _REMEMBERED:
                self._ways.clear()
            way = self._ways[raw_path] = way_of(raw_path)
            return way

    # Requests for scoring processes

    async def _invoke(self, job: Job, way: Way, receive: Receive, send: Send) -> int:
        supervisor = self._supervisor
        assert supervisor is not None
        assert self._loop is not None
        method = CALLS[way.rest[1:]]
        if job.method != method:
            raise MethodNotAllowed(f"this path has no method {job.method}", hint=f"it has {method}")
        endpoint, table = self._endpoint(way, supervisor)
        limits = endpoint.limits
        job.rest = way.rest
        job.due = self._loop.time() + (limits.seconds or self._seconds)
        job.limit = limits.body_bytes or self._body_bytes
        name = endpoint.name
        active = self._active_of.get(name, 0)
        if active >= (limits.requests or _REQUESTS):
            job.endpoint = name
            raise TooManyRequests(
                f"the endpoint {name} works on {active} requests, which is as many as it may",
                hint="send the request again in a second, or set its limit: `millstream endpoints update`",
            )
        self._active_of[name] = active + 1
        try:
            version = self._version(job, way, table)
            job.endpoint = name
            job.version = version
            await read_body(job, receive)
            return await self._forward(job, way, table, receive, send)
        finally:
            self._active_of[name] -= 1

    def _endpoint(self, way: Way, supervisor: Supervisor) -> tuple[ServingEndpoint, Table]:
        name: str | None = way.name
        if way.kind == "model":
            name = supervisor.endpoint_of_model.get(way.name)
        planned = supervisor.planned.get(name or "")
        table = supervisor.tables.get(name or "")
        if planned is None or table is None:
            if way.kind == "model":
                raise ServingEndpointNotFound(
                    f"the registered model {way.name!r} is not served",
                    hint=f"switch serving on: `millstream endpoints on {way.name}`",
                )
            raise ServingEndpointNotFound(f"no endpoint named {way.name!r} is switched on",
                                          hint="`millstream endpoints list` shows them")
        return planned.endpoint, table

    def _version(self, job: Job, way: Way, table: Table) -> str:
        """The version that answers. Raises NotServing when there is none now."""
        if way.kind == "model":
            return self._named(way.target, table)
        session = job.headers.get(SESSION)
        version = table.draw.version(random.random() if session is None else number_of(session))
        if version is None:
            raise NotServing(f"the endpoint {table.endpoint} has no scoring process that is ready",
                             hint="it may be starting: `millstream endpoints describe` tells; send the request again")
        return version

    def _named(self, target: str, table: Table) -> str:
        if target.isdigit():
            return str(int(target))
        try:
            known = canonical_target(target)
        except InvalidValue as error:
            raise EndpointNotFound(error.message, hint=error.hint) from None
        found = table.targets.get(known)
        if not found:
            raise NotServing(f"no version of {table.model} that answers to {known} is ready",
                             hint="`millstream endpoints describe` tells which versions are")
        return next(iter(found))

    async def _forward(self, job: Job, way: Way, table: Table, receive: Receive, send: Send) -> int:
        """Send the request to a process of its version, to another if that goes away; answer what is answered."""
        supervisor = self._supervisor
        assert supervisor is not None
        supervisor.used(job.endpoint, job.version)
        avoid: Scoring | None = None
        for tried in range(_TRIES):
            replica = supervisor.replica(job.endpoint, job.version, avoid)
            if replica is None:
                replica = await self._another(job, way, supervisor)
            pool = replica.pool
            assert pool is not None
            replica.enter()
            try:
                if job.more:
                    answer = await pool.pass_on(
                        head_of(job, pool.authority, None), rest_of_body(job, receive), job.due,
                        chunked=b"content-length" not in job.headers,
                    )
                else:
                    answer = await pool.ask(head_of(job, pool.authority, len(job.body)) + job.body, job.due)
                return await self._reply(job, answer, send)
            except Broken as error:
                replica.doubted = self._now() + _DOUBT_SECONDS
                if error.answered or job.size > len(job.body) or tried + 1 == _TRIES:
                    raise NotServing(
                        f"version {job.version} of {job.endpoint} went away while it worked on the request",
                        hint="send the request again; `millstream endpoints logs` may tell why",
                    ) from None
                self._meter.count_retry(job.endpoint)
                avoid = replica
            finally:
                replica.leave()
        raise AssertionError("the last try ends the loop")

    async def _another(self, job: Job, way: Way, supervisor: Supervisor) -> Scoring:
        """A process where the version drawn has none that is ready now. Raises NotServing."""
        if supervisor.asleep(job.endpoint, job.version):
            try:
                await asyncio.wait_for(asyncio.shield(supervisor.wake(job.endpoint, job.version)),
                                       job.due - self._now())
            except asyncio.TimeoutError:
                raise NotServing(f"version {job.version} of {job.endpoint} is being started",
                                 hint="send the request again in a few seconds") from None
            found = supervisor.replica(job.endpoint, job.version)
            if found is not None:
                return found
        if way.kind == "endpoint":
            # The table may be older than the death of a process: the others of the rule answer for it.
            for version in supervisor.tables[job.endpoint].draw.versions if job.endpoint in supervisor.tables else ():
                found = supervisor.replica(job.endpoint, version)
                if found is not None:
                    job.version = version
                    return found
        raise NotServing(f"version {job.version} of {job.endpoint} has no scoring process that is ready",
                         hint="it may be starting: `millstream endpoints describe` tells; send the request again")

    def _now(self) -> float:
        assert self._loop is not None
        return self._loop.time()

    async def _reply(self, job: Job, answer: UpstreamAnswer, send: Send) -> int:
        headers: HeaderList = [pair for pair in answer.passed_on() if pair[0] != b"x-request-id"]
        headers += named_headers(job)
        if job.more:
            headers.append((b"connection", b"close"))
        body, length = answer.body, answer.length
        if body is not None:
            headers.append((b"content-length", b"%d" % len(body)))
            await self._sent(job, answer.status, headers, body, send)
            self._afterwards.see(job, answer.status, body)
            return answer.status
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        chunks = answer.chunks()
        try:
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except (Broken, NotInTime) as error:
            # The status is out: the end of the connection before the end of the body says what happened.
            logger.warning("an answer broke off: %s", error, extra={"facts": {"request": job.id.decode()}})
        finally:
            await chunks.aclose()
        self._afterwards.see(job, answer.status, None)
        return answer.status

    # The host's own pages

    async def _page(self, job: Job, way: Way, send: Send) -> int:
        if job.method not in ("GET", "HEAD") and way.kind not in ("ping", "version"):
            raise MethodNotAllowed(f"this path has no method {job.method}", hint="it has GET, HEAD")
        supervisor = self._supervisor
        assert supervisor is not None
        kind = JSON
        if way.kind == "ping":
            body, kind = b"\n", b"text/plain; charset=utf-8"
        elif way.kind == "version":
            body, kind = VERSION.encode(), b"text/plain; charset=utf-8"
        elif way.kind == "metrics":
            replicas = [(one.slot.endpoint, one.slot.version, one.state, one.restarts)
                        for one in supervisor.scorings.values()]
            body, kind = self._meter.exposition(replicas, self.active)
        elif way.kind == "list":
            body = msgspec.json.encode({"endpoints": sorted(supervisor.planned)})
        else:
            body = msgspec.json.encode(status_of(way.name, supervisor, self._meter))
        await self._whole(job, 200, kind, body, send)
        return 200

    async def _whole(
        self, job: Job, status: int, kind: bytes, body: bytes, send: Send, further: HeaderList | None = None
    ) -> None:
        headers = [
            (b"content-type", kind), (b"content-length", b"%d" % len(body)), (b"x-content-type-options", b"nosniff"),
            *named_headers(job), *(further or ()),
        ]
        if job.more:
            headers.append((b"connection", b"close"))
        await self._sent(job, status, headers, body, send)

    @staticmethod
    async def _sent(job: Job, status: int, headers: HeaderList, body: bytes, send: Send) -> None:
        if not sent_at_once(send, status, headers, body, pending=job.more):
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b"" if job.method == "HEAD" else body})

    async def _refuse(self, job: Job, error: MillstreamError, send: Send) -> int:
        if type(error) is MillstreamError:
            return await self._unexpected(job, error, send)
        status = error.get_http_status_code()
        further: HeaderList = [(b"retry-after", b"1")] if status in _BUSY else []
        await self._whole(job, status, JSON, msgspec.json.encode(error.to_wire()), send, further)
        return status

    async def _unexpected(self, job: Job, error: BaseException, send: Send) -> int:
        number = job.id.decode()
        logger.error("unexpected problem", exc_info=error, extra={"facts": {"request": number}})
        told = MillstreamError(f"the serving host met an unexpected problem with request {number}",
                               hint="its log tells more under this id")
        await self._whole(job, 500, JSON, msgspec.json.encode(told.to_wire()), send)
        return 500

    # Life

    def leave(self) -> None:
        """Say to the store that this host takes no more requests, while it answers those that it has."""
        if self._supervisor is not None and self._loop is not None and not self._supervisor.leaving:
            self._loop.call_soon_threadsafe(lambda: asyncio.ensure_future(self._left()))

    async def _left(self) -> None:
        assert self._supervisor is not None
        await self._supervisor.leave()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._loop = asyncio.get_running_loop()
        self._supervisor = self._make()
        self._afterwards = Afterwards(self._supervisor, self._meter, self._recorder)
        self._supervisor.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._afterwards.close()
        await self._supervisor.close()
        await send({"type": "lifespan.shutdown.complete"})


__all__ = ["Router"]
