"""The bytes of an outbox file: a header, then records, each closed by a checksum of all that stands before it.

Header (little-endian, as everything here)::

    0   8 bytes  magic
    8   u64      offset up to which the store has acknowledged the records
    16  u32      version of this format
    20  u32      offset of the first record
    24  u32      length of the facts
    28  u32      CRC-32 of the facts
    32           the facts, msgpack: whose file this is (:class:`Facts`)

A record begins with a u32 whose low byte says its kind; 0 is where the records end. A point of a metric is 32 bytes:
the number of its key in the upper 24 bits of that word, timestamp (i64), step (i64), value (f64), CRC-32. Any other
record has its payload's length in the upper 24 bits, a msgpack payload, CRC-32.

A process that is killed in the middle of an append leaves a record whose checksum does not match, and nothing behind
it: that is the end of the file. Damage beyond that is a gap, which a reader steps over and reports.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple
from zlib import crc32

import msgspec

MAGIC = b"\x89MSbox\r\n"
VERSION = 1
HEADER = struct.Struct("<8sQIIII")
ACKNOWLEDGED = struct.Struct("<Q")
ACKNOWLEDGED_AT = 8
_ALIGNMENT = 64
_LARGEST_FACTS = 1 << 20

WORD = struct.Struct("<I")
# A point as it is packed (its checksum is added) and as it is read.
POINT_BODY = struct.Struct("<Iqqd")
POINT = struct.Struct("<IqqdI")
POINT_BYTES = POINT.size

METRIC, KEY, PARAMS, TAGS, UPDATE = 1, 2, 3, 4, 5
GAP = 0
LARGEST_PAYLOAD = (1 << 24) - 1


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """Whose file it is. ``log`` is the same in all files that one process wrote for one run, ``sequence`` their order.

    ``started`` is in milliseconds since the epoch; ``locked`` says whether the file system keeps locks, by which a live
    process is known; ``size`` is what was reserved for the file.
    """

    uri: str
    run_id: str
    experiment_id: str | None
    pid: int
    host: str
    started: int
    log: str
    sequence: int
    size: int = 0
    locked: bool = True


class MetricName(NamedTuple):
    """What a key number stands for: everything of a point but its numbers."""

    key: str
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class RunUpdate(msgspec.Struct, frozen=True, array_like=True):
    """A change of a run's status, end time (milliseconds since the epoch) or name."""

    status: str | None = None
    end_time: int | None = None
    run_name: str | None = None


class Mark(NamedTuple):
    """Where something other than a point stands: a record of another kind, or a gap."""

    position: int
    end: int
    kind: int


class _KeyEntry(msgspec.Struct, frozen=True, array_like=True):
    word: int
    key: str
    model_id: str | None
    dataset_name: str | None
    dataset_digest: str | None


_encode = msgspec.msgpack.Encoder().encode
_decode_facts = msgspec.msgpack.Decoder(Facts).decode
_decode_key = msgspec.msgpack.Decoder(_KeyEntry).decode
_decode_texts = msgspec.msgpack.Decoder(dict[str, str]).decode
_decode_update = msgspec.msgpack.Decoder(RunUpdate).decode


def _begin(length: int) -> int:
    return -(-(HEADER.size + length) // _ALIGNMENT) * _ALIGNMENT


def header(facts: Facts) -> bytes:
    """The header of a new file, nothing acknowledged."""
    encoded = _encode(facts)
    begin = _begin(len(encoded))
    made = HEADER.pack(MAGIC, begin, VERSION, begin, len(encoded), crc32(encoded)) + encoded
    return made.ljust(begin, b"\0")


class Heading(NamedTuple):
    """A header, read: ``acknowledged`` and ``begin`` are offsets."""

    facts: Facts
    acknowledged: int
    begin: int


def read_header(data: bytes) -> Heading | None:
    """The header that a file begins with; None when it is not one of ours, or its header is damaged."""
    if len(data) < HEADER.size:
        return None
    magic, acknowledged, version, begin, length, check = HEADER.unpack_from(data)
    if magic != MAGIC or version != VERSION or length > _LARGEST_FACTS or begin != _begin(length):
        return None
    encoded = data[HEADER.size:HEADER.size + length]
    if len(encoded) != length or crc32(encoded) != check:
        return None
    try:
        facts = _decode_facts(encoded)
    except msgspec.MsgspecError:
        return None
    # An offset out of range cannot be right; sending everything again is, because the store recognises it.
    return Heading(facts, acknowledged if acknowledged >= begin else begin, begin)


def metric_word(number: int) -> int:
    """The first word of points with this key number."""
    return METRIC | number << 8


def encode_point(word: int, timestamp: int, step: int, value: float) -> bytes:
    """A point. RunLog has these two lines inline; this is for everybody who is not in a hurry."""
    body = POINT_BODY.pack(word, timestamp, step, value)
    return body + WORD.pack(crc32(body))


def _encode_record(kind: int, payload: bytes) -> bytes:
    body = WORD.pack(kind | len(payload) << 8) + payload
    return body + WORD.pack(crc32(body))


def encode_key(word: int, name: MetricName) -> bytes:
    """What points that begin with ``word`` are points of."""
    return _encode_record(KEY, _encode((word, *name)))


def encode_texts(kind: int, texts: dict[str, str]) -> bytes:
    """Parameters or tags. Raises ValueError beyond 16 MiB."""
    payload = _encode(texts)
    if len(payload) > LARGEST_PAYLOAD:
        raise ValueError(f"{len(payload)} bytes do not fit into one record")
    return _encode_record(kind, payload)


def encode_update(update: RunUpdate) -> bytes:
    """A change of the run itself."""
    return _encode_record(UPDATE, _encode(update))


def decode_key(record: bytes) -> tuple[int, MetricName]:
    """``(first word of its points, name)`` of a KEY record."""
    entry = _decode_key(record[4:-4])
    return entry.word, MetricName(entry.key, entry.model_id, entry.dataset_name, entry.dataset_digest)


def decode_texts(record: bytes) -> dict[str, str]:
    """The parameters or tags of a record."""
    return _decode_texts(record[4:-4])


def decode_update(record: bytes) -> RunUpdate:
    """The change that an UPDATE record holds."""
    return _decode_update(record[4:-4])


class Contents(NamedTuple):
    """What a file that nobody writes to holds.

    Sound records and gaps end at ``end``; ``marks`` are the records other than points and the gaps, in order; ``names``
    says what the first words of points stand for.
    """

    end: int
    marks: list[Mark]
    names: dict[int, MetricName]

    @property
    def unreadable(self) -> int:
        """How many bytes are damaged."""
        return sum(mark.end - mark.position for mark in self.marks if mark.kind == GAP)

    def is_boundary(self, position: int, begin: int) -> bool:
        """Whether a record begins or ends at ``position``."""
        for mark in self.marks:
            if position < mark.end:
                return position <= mark.position and (position - begin) % POINT_BYTES == 0
            begin = mark.end
        return position <= self.end and (position - begin) % POINT_BYTES == 0


def _record_end(data: bytes, position: int) -> int | None:
    """Where the sound record at ``position`` ends, None when there is none."""
    if position + 8 > len(data):
        return None
    (word,) = WORD.unpack_from(data, position)
    kind = word & 0xFF
    if kind == METRIC:
        end = position + POINT_BYTES
    elif KEY <= kind <= UPDATE:
        end = position + 8 + (word >> 8)
    else:
        return None
    if end > len(data) or WORD.unpack_from(data, end - 4)[0] != crc32(data[position:end - 4]):
        return None
    return end


_FIRST_BYTE = re.compile(b"[\x01-\x05]")


def _cut_short(data: bytes, position: int, end: int) -> bool:
    """Whether no more than one record was begun between ``position`` and ``end``: an append that was interrupted."""
    if end - position <= WORD.size:
        return True
    (word,) = WORD.unpack_from(data, position)
    if word == 0:
        return True  # memory is not always copied from its beginning
    kind = word & 0xFF
    return end - position <= (POINT_BYTES if kind == METRIC else 8 + (word >> 8) if KEY <= kind <= UPDATE else 0)


def _next_sound(data: bytes, position: int) -> int | None:
    for found in _FIRST_BYTE.finditer(data, position):
        if _record_end(data, found.start()) is not None:
            return found.start()
    return None


def read(data: bytes, begin: int) -> Contents:
    """Read a whole file, whatever its state."""
    marks: list[Mark] = []
    names: dict[int, MetricName] = {}
    position = begin
    while True:
        end = _record_end(data, position)
        if end is None:
            onward = _next_sound(data, position + 1)
            if onward is None:
                rest = position + len(data[position:].rstrip(b"\0"))
                if not _cut_short(data, position, rest):
                    marks.append(Mark(position, rest, GAP))
                    position = rest
                return Contents(position, marks, names)
            marks.append(Mark(position, onward, GAP))
            position = onward
            continue
        kind = data[position]
        if kind == METRIC:
            position = _points_end(data, position, names, marks)
            continue
        try:
            if kind == KEY:
                word, name = decode_key(data[position:end])
                names[word] = name
            elif kind == UPDATE:
                decode_update(data[position:end])
            else:
                decode_texts(data[position:end])
            marks.append(Mark(position, end, kind))
        except msgspec.MsgspecError:
            marks.append(Mark(position, end, GAP))
        position = end


def _points_end(data: bytes, position: int, names: dict[int, MetricName], marks: list[Mark]) -> int:
    """The end of the points that stand at ``position``; those whose key is lost in a gap are gaps themselves."""
    view = memoryview(data)
    whole = position + (len(data) - position) // POINT_BYTES * POINT_BYTES
    for word, _, _, _, check in POINT.iter_unpack(view[position:whole]):
        if word & 0xFF != METRIC or crc32(view[position:position + POINT_BYTES - 4]) != check:
            return position
        if word not in names:
            marks.append(Mark(position, position + POINT_BYTES, GAP))
        position += POINT_BYTES
    return position
