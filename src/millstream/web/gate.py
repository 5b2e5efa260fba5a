"""The gate: whose name the server answers to, and whose pages may call it.

A browser sends requests for any page that it shows. Two checks keep foreign pages out, on every method:

- the ``Host`` header must name this server (else a foreign name that points here, DNS rebinding, would pass);
- ``Origin`` and ``Sec-Fetch-Site``, which browsers add and pages cannot forge, must say that the page is our own, or
  one of the allowed origins. Following a link from elsewhere is fine where the route is a page to look at.

Names are compared whole and addresses as addresses: ``10.evil.example`` is no address, whatever it begins with.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from millstream.errors import BadRequest, InvalidValue, PermissionDenied

_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]{1,253}))(?::(?P<port>[0-9]{1,5}))?")
_NETWORK = ipaddress.IPv4Network | ipaddress.IPv6Network
_REMEMBERED = 256


def is_loopback(host: str) -> bool:
    """Whether ``host``, a name or an address, can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Gate:
    """Checks the headers of requests. ``allowed_hosts`` holds names, ``*.name``, addresses with or without a port,
    and networks."""

    def __init__(self, host: str, allowed_hosts: Iterable[str] = (), allowed_origins: Iterable[str] = ()) -> None:
        self._bound = host
        self._wildcard_bind = host in ("0.0.0.0", "::", "")
        self._names: set[tuple[str, str | None]] = set()
        self._suffixes: set[tuple[str, str | None]] = set()
        self._networks: list[tuple[_NETWORK, str | None]] = []
        self._any_host = False
        self._origins = frozenset(origin.encode() for origin in allowed_origins)
        self._any_origin = b"*" in self._origins
        # Verdicts on Host headers seen: the same few come again and again.
        self._seen: dict[tuple[bytes, str | None], bool] = {}
        for entry in (host, *allowed_hosts):
            if entry and not (entry is host and self._wildcard_bind):
                self._allow(entry)

    def _allow(self, entry: str) -> None:
        if entry == "*":
            self._any_host = True
            return
        try:
            network = ipaddress.ip_network(entry.strip("[]") if entry.startswith("[") else entry)
        except ValueError:
            pass
        else:
            self._networks.append((network, None))
            return
        suffix = entry.startswith("*.")
        found = _HOST.fullmatch(entry[2:] if suffix else entry)
        if found is None:
            raise InvalidValue.of(
                "allowed_hosts", entry, "it is neither a host name, an address nor a network",
                hint="write it like mlflow.example.com, *.example.com, 10.0.0.5:5000 or 10.0.0.0/8",
            )
        name, port = (found["six"] or found["name"]).lower(), found["port"]
        try:
            self._networks.append((ipaddress.ip_network(name), port))
        except ValueError:
            (self._suffixes if suffix else self._names).add((name, port))

    def check_host(self, host: bytes | None, local_address: str | None) -> None:
        """Return if ``host``, the value of a Host header, names this server.

        ``local_address`` is the address that the connection came in on. Raises BadRequest for no or a broken header,
        PermissionDenied for a foreign name.
        """
        if host is None:
            raise BadRequest("the request has no Host header")
        key = (host, local_address)
        verdict = self._seen.get(key)
        if verdict is None:
            verdict = self._judge(host, local_address)
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            self._seen[key] = verdict
        if not verdict:
            raise PermissionDenied(
                "this server does not answer to the name in the Host header",
                hint="start it with --allowed-hosts and the name that you use for it",
            )

    def _judge(self, host: bytes, local_address: str | None) -> bool:
        if self._any_host:
            return True
        found = _HOST.fullmatch(host.decode("latin-1"))
        if found is None or (found["port"] and int(found["port"]) > 65535):
            return False
        name, port = (found["six"] or found["name"]).lower(), found["port"]
        if is_loopback(name):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            name = name.removesuffix(".")
            if name == "localhost" or (name, None) in self._names or (name, port) in self._names:
                return True
            return any(
                name.endswith("." + suffix) and wanted in (None, port) for suffix, wanted in self._suffixes
            )
        if self._wildcard_bind and local_address is not None and name == local_address:
            return True  # the very address of this machine that the client has connected to
        return any(address in network and wanted in (None, port) for network, wanted in self._networks)

    def check_origin(
        self, host: bytes, origin: bytes | None, fetch_site: bytes | None, *, navigation: bool = False
    ) -> bool:
        """Return if the request comes from no browser, from our own page, or (then True) from an allowed origin.

        ``navigation`` says that the request opens a page in the browser's window, and that this is one to open.
        Raises PermissionDenied for every other page.
        """
        if origin is not None:
            if origin in self._origins or self._any_origin:
                return True
            scheme, separator, authority = origin.partition(b"://")
            if separator and scheme in (b"http", b"https") and authority.lower() == host.lower():
                return False
        elif fetch_site is None or fetch_site in (b"same-origin", b"none") or navigation:
            return False
        raise PermissionDenied(
            "a page of another origin may not call this server",
            hint="start the server with --cors-allowed-origins and the origin of that page",
        )
