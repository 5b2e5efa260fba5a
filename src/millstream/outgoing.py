"""Calls to addresses that somebody else chose: the URL of a data set, of a webhook.

Such a call never reaches what only this machine can reach. The host is resolved once, every address that comes back is
checked, and the connection goes to the address that was checked, so a name that changes its address in between gains
nothing. Redirects are followed only to the same host, and each is checked again. ``ALLOW_PRIVATE_ADDRESSES`` is for
networks whose servers have private addresses. Proxies of the environment are not used: nothing could be checked behind
them.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import socket
import time
from collections.abc import Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from millstream import settings
from millstream._version import VERSION
from millstream.errors import InvalidValue, LimitExceeded, PermissionDenied, Unreachable

__all__ = ["AddressRefused", "Answer", "request"]

CHUNK = 1 << 16
REDIRECTS = 3

_PORTS = {"http": 80, "https": 443}
_FOLLOWED = frozenset({301, 302, 303, 307, 308})


class AddressRefused(PermissionDenied):
    """The URL leads to an address that calls like this one may not reach."""


class Answer:
    """What a server answered: ``status``, ``headers`` (lower-case names), the final ``url``, and the body once."""

    def __init__(
        self, url: str, connection: http.client.HTTPConnection, response: http.client.HTTPResponse, max_bytes: int,
        deadline: float,
    ) -> None:
        self.url = url
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self._connection = connection
        self._response = response
        self._max_bytes = max_bytes
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        """The body in pieces. Raises LimitExceeded beyond ``max_bytes``, Unreachable when the server stops sending."""
        left = self._max_bytes
        while True:
            if time.monotonic() > self._deadline:
                raise Unreachable(f"{self.url} took too long to send its answer")
            try:
                chunk = self._response.read1(CHUNK)
            except (OSError, http.client.HTTPException) as error:
                raise Unreachable(f"{self.url} broke off: {error}") from None
            if not chunk:
                missing = self._response.length
                if missing:  # read1 takes the end of a connection for the end of the body
                    raise Unreachable(f"{self.url} broke off: {missing} bytes are missing")
                return
            left -= len(chunk)
            if left < 0:
                raise LimitExceeded(f"{self.url} holds more than {self._max_bytes} bytes")
            yield chunk

    def read(self) -> bytes:
        """The whole body."""
        return b"".join(self)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def request(
    method: str,
    url: str,
    *,
    max_bytes: int,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 30.0,
    total_timeout: float = 3600.0,
    allow_private: bool | None = None,
    redirects: int = REDIRECTS,
    verify_tls: bool = True,
) -> Answer:
    """Send one request and give the answer, whatever its status; close it, or use it as a context manager.

    ``timeout`` is seconds for each step of the connection, ``total_timeout`` for all of it. At most ``redirects``
    answers that lead elsewhere on the same host are followed, none of them from https to http, and none for a request
    with a body. ``allow_private`` is the setting ``ALLOW_PRIVATE_ADDRESSES`` unless given; without ``verify_tls`` any
    certificate will do. Raises InvalidValue for what is no http or https URL, AddressRefused for one that leads to a
    private address or another host, LimitExceeded for an answer that announces more than ``max_bytes``, and Unreachable
    when no server answers.
    """
    deadline = time.monotonic() + total_timeout
    private = settings.ALLOW_PRIVATE_ADDRESSES.get() if allow_private is None else allow_private
    followed = 0
    while True:
        parts = _parse(url)
        answer = _send(method, url, parts, body, headers or {}, timeout, deadline, max_bytes, private, verify_tls)
        target = answer.headers.get("location")
        if answer.status not in _FOLLOWED or target is None or body is not None:
            break
        answer.close()
        next_url = urljoin(url, target)
        _check_redirect(parts, next_url)
        followed += 1
        if followed > redirects:
            raise AddressRefused(f"{url} redirects again, which is followed {redirects} times at most")
        url = next_url
    announced = answer.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > max_bytes:
        answer.close()
        raise LimitExceeded(f"{url} holds {announced} bytes, more than {max_bytes}")
    return answer


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, also where one of version 6 stands for one of version 4."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in ipaddress.ip_network("64:ff9b::/96"):  # NAT64: the last four bytes are the address behind it
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _parse(url: str) -> SplitResult:
    if not url.isprintable() or " " in url or "\\" in url:
        raise InvalidValue.of("url", url, "a URL has no spaces, backslashes or control characters")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 (raises for one that is no number)
    except ValueError as error:
        raise InvalidValue.of("url", url, str(error)) from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise InvalidValue.of("url", url, "expected http:// or https:// and a host")
    return parts


def _check_redirect(parts: SplitResult, url: str) -> None:
    target = _parse(url)
    if target.hostname != parts.hostname:
        raise AddressRefused(
            f"{parts.hostname} redirects to the host {target.hostname}, which is not followed",
            hint=f"if you trust it, use {url} itself",
        )
    here, there = (p.port or _PORTS[p.scheme] for p in (parts, target))
    upgraded = (here, there) == (80, 443)
    if here != there and not upgraded:
        raise AddressRefused(f"{parts.hostname} redirects to its port {there}, which is not followed")
    if parts.scheme == "https" and target.scheme == "http":
        raise AddressRefused(f"{parts.hostname} redirects from https to http, which is not followed")


def _send(
    method: str, url: str, parts: SplitResult, body: bytes | None, headers: Mapping[str, str], timeout: float,
    deadline: float, max_bytes: int, private: bool, verify_tls: bool,
) -> Answer:
    host = str(parts.hostname)
    port = parts.port or _PORTS[parts.scheme]
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.sock = _connect(host, port, timeout, private)
        if parts.scheme == "https":
            import ssl

            context = ssl.create_default_context()
            if not verify_tls:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection.sock = context.wrap_socket(connection.sock, server_hostname=host)
        connection.response_class = partial(  # type: ignore[assignment]
            _response, timeout=timeout, deadline=deadline
        )
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, {
            "Host": parts.netloc.rpartition("@")[2], "User-Agent": f"millstream/{VERSION}",
            "Accept-Encoding": "identity", **headers,
        })
        response = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise Unreachable(f"{url} does not answer: {error}") from None
    except BaseException:
        connection.close()
        raise
    return Answer(url, connection, response, max_bytes, deadline)


class _Hurried(io.RawIOBase):
    """What a socket receives, every read ended by the deadline: an answer that drips in byte by byte does not last."""

    def __init__(self, received: io.RawIOBase, connected: socket.socket, timeout: float, deadline: float) -> None:
        self._received, self._socket, self._timeout, self._deadline = received, connected, timeout, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._socket.settimeout(min(self._timeout, left))
        return self._received.readinto(buffer)

    def close(self) -> None:
        super().close()
        self._received.close()


def _response(
    connected: socket.socket, timeout: float, deadline: float, **options: Any
) -> http.client.HTTPResponse:
    made = http.client.HTTPResponse(connected, **options)
    made.fp = io.BufferedReader(_Hurried(made.fp.detach(), connected, timeout, deadline))
    return made


def _connect(host: str, port: int, timeout: float, private: bool) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"the host {host!r} is not found: {error}") from None
    for *_, address in found:
        if not private and not is_public(str(address[0])):
            raise AddressRefused(
                f"the host {host!r} has the address {address[0]}, which is not one of the public internet",
                hint=f"set {settings.ALLOW_PRIVATE_ADDRESSES.variables[0]}=true to reach servers of your own network",
            )
    failure: OSError | None = None
    for family, kind, protocol, _, address in found:
        connected = socket.socket(family, kind, protocol)
        try:
            connected.settimeout(timeout)
            connected.connect(address)
            return connected
        except OSError as error:
            connected.close()
            failure = error
    raise failure or OSError(f"the host {host!r} has no address")
