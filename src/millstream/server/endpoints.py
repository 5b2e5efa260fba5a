"""Requests for predictions, passed on to a serving host that lives. The server itself runs no model."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote, urlsplit
from weakref import WeakKeyDictionary

from millstream.entities.endpoint import ServingHost
from millstream.errors import NotServing
from millstream.operations import OWNER, ListServingHosts
from millstream.server.application import Application
from millstream.server.messages import JSON, Reply, Request, StreamedReply
from millstream.web.headers import HeaderList
from millstream.web.upstream import Broken, Pool, UpstreamAnswer

# How long what was read of the hosts is believed.
_BELIEVED_SECONDS = 1.0
# A body up to this size is held, and sent to another host if the first goes away; a larger one is passed on as it is.
_HELD_BYTES = 1024 * 1024
# The host has deadlines of its own; this one is for a host that says nothing at all.
_LONGEST_SECONDS = 3_600.0
_PASSED_ON = (b"content-type", b"content-encoding", b"accept", b"traceparent", b"tracestate", b"x-millstream-session")
_OURS = frozenset({b"content-type", b"x-request-id", b"x-content-type-options"})


class _Hosts:
    """The hosts that live, as the store says, and connections to them."""

    def __init__(self, app: Application) -> None:
        self._execution = app.execution
        self._loop = asyncio.get_running_loop()
        self._pools: dict[str, Pool] = {}
        self._alive: list[ServingHost] = []
        self._read_at = -_BELIEVED_SECONDS
        self._reading: asyncio.Task[None] | None = None
        self._turn = 0

    async def pools(self) -> list[Pool]:
        """A pool for each host that lives, another one first each time."""
        if self._loop.time() - self._read_at > _BELIEVED_SECONDS:
            if self._reading is None:
                self._reading = self._loop.create_task(self._read())
                self._reading.add_done_callback(self._has_read)
            await asyncio.shield(self._reading)
        self._turn += 1
        alive = self._alive
        return [self._pool(alive[(self._turn + number) % len(alive)].address) for number in range(len(alive))]

    async def _read(self) -> None:
        answer: Any = await self._execution.answer(ListServingHosts(), OWNER)
        self._alive = [host for host in answer.hosts if host.alive]
        self._read_at = self._loop.time()
        known = {host.address for host in self._alive}
        for address in self._pools.keys() - known:
            self._pools.pop(address).close()

    def _has_read(self, task: asyncio.Task[None]) -> None:
        self._reading = None

    def _pool(self, address: str) -> Pool:
        found = self._pools.get(address)
        if found is None:
            split = urlsplit(address)
            found = self._pools[address] = Pool(split.hostname or "", split.port or 80)
        return found

    def forget(self) -> None:
        """Read again at the next request."""
        self._read_at = -_BELIEVED_SECONDS


_HOSTS: WeakKeyDictionary[Application, _Hosts] = WeakKeyDictionary()


async def ask_endpoint(request: Request) -> Reply | StreamedReply:
    """``/endpoints/{name}/{call}``: by the traffic rule of an endpoint."""
    return await _pass_on(request, f"/endpoints/{_segment(request, 'name')}/{_call(request)}")


async def ask_version(request: Request) -> Reply | StreamedReply:
    """``/model/{name}/{version}/{call}``: a version, stage or alias of a registered model."""
    return await _pass_on(
        request, f"/model/{_segment(request, 'name')}/{_segment(request, 'version')}/{_call(request)}"
    )


def _segment(request: Request, field: str) -> str:
    return quote(request.fields[field], safe="")


def _call(request: Request) -> str:
    return request.path.rpartition("/")[2]


async def _pass_on(request: Request, path: str) -> Reply | StreamedReply:
    app = request.app
    hosts = _HOSTS.get(app)
    if hosts is None:
        hosts = _HOSTS[app] = _Hosts(app)
    loop = asyncio.get_running_loop()
    due = loop.time() + _LONGEST_SECONDS
    length = request.headers.get(b"content-length")
    held = b""
    whole = not request.has_body or (length is not None and request.announced_bytes <= _HELD_BYTES)
    if whole and request.has_body:
        held = await request.body(_HELD_BYTES)
    for pool in await hosts.pools():
        try:
            if whole:
                return _reply(await pool.ask(_head(request, pool, path, b"content-length: %d" % len(held)) + held, due))
            size = b"transfer-encoding: chunked" if length is None else b"content-length: " + length
            answer = await pool.pass_on(_head(request, pool, path, size), request.stream(), due, chunked=length is None)
            return _reply(answer)
        except Broken as error:
            hosts.forget()
            if error.answered or (not whole and not str(error).startswith("no connection")):
                raise NotServing("the serving host went away while it worked on the request",
                                 hint="send the request again") from None
    raise NotServing(
        "no serving host lives that could answer",
        hint="start one: `millstream endpoints host`, or this server with --serve-models",
    )


def _head(request: Request, pool: Pool, path: str, size: bytes) -> bytes:
    headers = request.headers
    passed = b"".join(b"%s: %s\r\n" % (name, headers[name]) for name in _PASSED_ON if name in headers)
    return b"%s %s HTTP/1.1\r\nhost: %s\r\nx-request-id: %s\r\n%s%s\r\n\r\n" % (
        request.method.replace("HEAD", "GET").encode(), path.encode(), pool.authority, request.id, passed, size
    )


def _reply(answer: UpstreamAnswer) -> Reply | StreamedReply:
    kind = dict(answer.headers).get(b"content-type", JSON)
    headers: HeaderList = [pair for pair in answer.passed_on() if pair[0] not in _OURS]
    if answer.body is not None:
        return Reply(answer.body, answer.status, kind, headers)
    return StreamedReply(answer.chunks(), answer.length, kind, answer.status, headers)
