"""How the answer of a read goes out: as JSON, compressed for browsers, or as the bytes of curves.

Programs get JSON as it is: on the way to one on the same machine or network compression costs more than it saves. Who
calls under ``/ajax-api``, or says that it is a browser, is a page, and gets it compressed beyond a kilobyte.
"""

from __future__ import annotations

import sys
import zlib
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from millstream.operations import Curves, Operation, Principal, QueryCurves
from millstream.operations.codec import encode_answer
from millstream.server.messages import Reply, Request
from millstream.web.headers import HeaderList

OCTETS = b"application/octet-stream"
_WORTH_BYTES = 1024
_MAGIC = b"MSC1"


class Executes(Protocol):
    """What carries out an operation."""

    def execute(self, operation: Operation[Any], principal: Principal = ...) -> Any: ...


@dataclass(frozen=True)
class Form:
    """What the client takes."""

    gzip: bool
    octets: bool


def form_of(request: Request) -> Form:
    """What a request says its client takes."""
    accepted = request.headers.get(b"accept", b"")
    return Form(takes_gzip(request), OCTETS in accepted)


def takes_gzip(request: Request) -> bool:
    """Whether the answer is worth compressing: for a page, that says it takes gzip."""
    headers = request.headers
    if b"gzip" not in headers.get(b"accept-encoding", b""):
        return False
    return b"sec-fetch-site" in headers or b"referer" in headers or "/ajax-api/" in request.path


def read_reply(store: Executes, operation: Operation[Any], principal: Principal, form: Form) -> Reply:
    """Carry out a read, and print its answer in the form that the client takes. Waits for the store."""
    answer = store.execute(operation, principal)
    printed = _OCTETS.get(type(operation))
    if printed is not None and form.octets:
        return compressed(Reply(printed(answer), content_type=OCTETS), form.gzip)
    return compressed(Reply(encode_answer(answer)), form.gzip)


def compressed(reply: Reply, gzip: bool) -> Reply:
    """The same answer in fewer bytes, where that is taken and worth it."""
    if gzip and len(reply.body) > _WORTH_BYTES:
        packer = zlib.compressobj(1, wbits=31)
        reply.body = packer.compress(reply.body) + packer.flush()
        reply.headers += _GZIPPED
    return reply


_GZIPPED: HeaderList = [(b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding")]


def print_curves(answer: Curves) -> bytes:
    """Curves as bytes, little-endian: ``MSC1``, the length of the header (4 bytes), the header as JSON, filled up with
    spaces to a multiple of 8 bytes; then of each curve its x, min, max and last values, 8 bytes each.

    The header has ``x0``, ``x1`` and ``curves``: the fields of each but its lists, and their ``count``.
    """
    head: list[dict[str, Any]] = []
    numbers = array("d")
    for curve in answer.curves:
        head.append(
            {
                "run_id": curve.run_id, "metric": curve.metric, "points": curve.points, "exact": curve.exact,
                "count": len(curve.x),
            }
        )
        numbers.extend(curve.x)
        for column in (curve.min, curve.max, curve.last):
            numbers.extend(map(float, column))
    if sys.byteorder == "big":
        numbers.byteswap()
    header = msgspec.json.encode({"x0": answer.x0, "x1": answer.x1, "curves": head})
    header += b" " * (-len(header) % 8)
    return _MAGIC + len(header).to_bytes(4, "little") + header + numbers.tobytes()


_OCTETS: dict[type[Operation[Any]], Callable[[Any], bytes]] = {QueryCurves: print_curves}
