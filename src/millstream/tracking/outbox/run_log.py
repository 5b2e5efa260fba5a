"""What one process logs to one run: appended here in microseconds, shipped by the process's :class:`Shipper`."""

from __future__ import annotations

import contextlib
import logging
import os
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from zlib import crc32

import msgspec

from millstream.errors import InvalidValue, LimitExceeded, MillstreamError
from millstream.operations import UpdateRun
from millstream.operations.limits import BATCH_PARAMS, BATCH_TAGS
from millstream.operations.runs import BATCH_BYTES
from millstream.tracking.outbox.batches import Batch, text_bytes
from millstream.tracking.outbox.delivery import Refusal
from millstream.tracking.outbox.place import absolute
from millstream.tracking.outbox.records import (
    PARAMS,
    POINT_BODY,
    POINT_BYTES,
    TAGS,
    UPDATE,
    WORD,
    Facts,
    MetricName,
    RunUpdate,
    encode_key,
    encode_texts,
    encode_update,
)
from millstream.tracking.outbox.segment import FIRST_BYTES, LAST_BYTES, Segment

if TYPE_CHECKING:
    from millstream.stores.contract import Store
    from millstream.tracking.outbox.shipper import Shipper

ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})
_REFUSALS_REMEMBERED = 10_000
_TEXTS_BYTES = BATCH_BYTES // 2

_logger = logging.getLogger("millstream.outbox")
_pack_point = POINT_BODY.pack
_pack_word = WORD.pack


class RunLog:
    """The outbox of one run in this process. :func:`millstream.tracking.outbox.run_log` gives it.

    Every append returns when the entry is in the file, before anything is sent: it survives the end of the process, by
    kill -9 too. The store receives entries in the order of the calls. Any number of threads, signal handlers and
    destructors may append; after a fork the child goes on with a file of its own.

    Appending raises InvalidValue for what cannot be written down, and StoreUnavailable when there is no room left for
    it: neither on disk nor within the memory that stands in for it. It never raises because of the network.
    """

    __slots__ = (
        "__weakref__", "_batch", "_beating", "_busy", "_experiment_id", "_late", "_lock", "_log", "_refused",
        "_segment", "_segments", "_sequence", "_settling", "_shipper", "_started", "_store", "closing", "next_beat",
        "run_id", "seen", "seen_at", "store_uri", "uri", "urgent",
    )

    def __init__(self, shipper: Shipper, store: Store, run_id: str, experiment_id: str | None) -> None:
        self._shipper = shipper
        self._store: Store | None = store
        self.store_uri = store.uri
        self.uri = absolute(store.uri)
        self.run_id = run_id
        self._experiment_id = experiment_id
        self._beating = False
        self._refused: deque[Refusal] = deque(maxlen=_REFUSALS_REMEMBERED)
        self._begin()

    def _begin(self) -> None:
        """The state of a process that has logged nothing to this run yet."""
        # A signal handler or a destructor may log in the middle of an append of its own thread: the lock lets it in,
        # `_busy` tells, and its entry follows when the append is done.
        self._lock = threading.RLock()
        self._busy = False
        self._late: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._settling = threading.Condition()
        self._segment = NOTHING
        self._segments: deque[Segment] = deque()
        self._batch: Batch | None = None
        self._sequence = 0
        self._log = ""
        self._started = 0
        # What the shipper notes here, for itself.
        self.urgent = False
        self.closing = False
        self.next_beat = 0.0
        self.seen: tuple[Segment, int] = (NOTHING, 0)
        self.seen_at = 0.0

    # Appending

    def metric(
        self, key: str, value: float, timestamp_ms: int, step: int, model_id: str | None = None,
        dataset_name: str | None = None, dataset_digest: str | None = None,
    ) -> None:
        """Log one point. ``timestamp_ms`` is in milliseconds since the epoch; it and ``step`` have 64 bits.

        The key is not checked here.
        """
        with self._lock:
            if self._busy:
                self._late.append(
                    (self.metric, (key, value, timestamp_ms, step, model_id, dataset_name, dataset_digest))
                )
                return
            self._busy = True
            try:
                segment = self._segment
                if model_id is None and dataset_name is None and dataset_digest is None:
                    word = segment.words.get(key)
                else:
                    word = segment.words.get((key, model_id, dataset_name, dataset_digest))
                start = segment.end
                end = start + POINT_BYTES
                if word is None or end > segment.size:
                    segment, word = self._room_for(MetricName(key, model_id, dataset_name, dataset_digest))
                    start = segment.end
                    end = start + POINT_BYTES
                body = _pack_point(word, timestamp_ms, step, value)
                segment.map[start:end] = body + _pack_word(crc32(body))
                segment.end = end
            except struct.error:
                raise _unfit(value, timestamp_ms, step) from None
            finally:
                self._busy = False
                if self._late:
                    self._catch_up()

    def metrics(
        self, values: Mapping[str, float], timestamp_ms: int, step: int, model_id: str | None = None,
        dataset_name: str | None = None, dataset_digest: str | None = None,
    ) -> None:
        """Log a point of each metric in ``values``, at one time and step."""
        for key, value in values.items():
            self.metric(key, value, timestamp_ms, step, model_id, dataset_name, dataset_digest)

    def params(self, values: Mapping[str, str]) -> None:
        """Log parameters. That one was logged before with another value is the store's to say, see ``refused``."""
        self._texts(PARAMS, values, BATCH_PARAMS)

    def tags(self, values: Mapping[str, str]) -> None:
        """Set tags."""
        self._texts(TAGS, values, BATCH_TAGS)

    def update(self, status: str | None = None, end_time: int | None = None, run_name: str | None = None) -> None:
        """Change the run's status, end time (milliseconds since the epoch) or name, after what was logged before."""
        try:
            change = msgspec.convert((status, end_time, run_name), RunUpdate)
        except msgspec.ValidationError as error:
            raise InvalidValue(f"a run cannot be updated to {(status, end_time, run_name)!r}: {error}") from None
        self._append(UPDATE, encode_update(change))

    # What became of it

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until the store has answered for all that this process logged before the call.

        ``timeout`` is in seconds. False when it ran out; what is left is sent later. True also for what was refused.
        """
        segment = self._segment
        end = segment.end
        if self._settled(segment, end):
            return True
        until = None if timeout is None else time.monotonic() + timeout
        self._shipper.hurry(self)
        with self._settling:
            while not self._settled(segment, end):
                left = None if until is None else until - time.monotonic()
                if left is not None and left <= 0:
                    return False
                if not self._shipper.works():
                    break
                # The shipper tells; the limit is for a thread that the end of the interpreter has stopped.
                self._settling.wait(1.0 if left is None else min(left, 1.0))
        while not self._settled(segment, end):
            if until is not None and time.monotonic() >= until:
                return False
            self._shipper.work_here()
        return True

    def _settled(self, segment: Segment, end: int) -> bool:
        """Whether all that stood before ``end`` of ``segment``, and in the segments before it, is answered for."""
        if self._segments and self._segments[0] is segment:
            return segment.acknowledged >= end
        return segment not in self._segments

    def close(self, timeout: float | None = None) -> bool:
        """Flush, stop beating and let go of the file. What could not be sent stays in it, and is sent when it can be.

        Logging again opens a new file.
        """
        self.stop_beat()
        if not self.flush(timeout):
            return False
        self._shipper.let_go(self)
        return True

    @property
    def refused(self) -> list[Refusal]:
        """What the store has refused so far, of what this process logged; the last 10,000."""
        return list(self._refused)

    def start_beat(self) -> None:
        """Beat from now on (at once, then every third of LEASE_SECONDS), until the run's end is sent."""
        self._beating = True
        self.next_beat = 0.0
        with self._lock:
            self._shipper.activate(self)

    def stop_beat(self) -> None:
        """Leave the run without a beat."""
        self._beating = False

    @property
    def beating(self) -> bool:
        """Whether this process says that the run is alive."""
        return self._beating

    # For the shipper

    def store(self) -> Store:
        """The store that this log is sent to; a child process opens its own by the URI."""
        if self._store is None:
            from millstream.stores import open_store

            self._store = open_store(self.uri)
        return self._store

    def use(self, store: Store) -> None:
        """Send through this store from now on: the caller's newest handle."""
        self._store = store

    def next_batch(self) -> Batch | None:
        """What is to be sent next; the same again until it is settled. None when nothing waits."""
        while self._batch is None and self._segments:
            segment = self._segments[0]
            # In this order: once another segment has taken its place, its end stands still.
            sealed = segment is not self._segment
            self._batch = segment.reader.next(segment.end)
            if self._batch is None:
                if segment.acknowledged < segment.reader.position:
                    self._acknowledge(segment, segment.reader.position)
                if not sealed:
                    return None
                self._segments.popleft()
                self._shipper.retire(segment)
        return self._batch

    def settle(self, refused: list[Refusal]) -> None:
        """The store has answered for the batch."""
        batch = self._batch
        assert batch is not None
        self._refused.extend(refused)
        if isinstance(batch.operation, UpdateRun) and batch.operation.status in ENDED:
            self._beating = False
        self._batch = None
        self._acknowledge(self._segments[0], batch.end)

    def _acknowledge(self, segment: Segment, end: int) -> None:
        with self._settling:
            segment.acknowledge(end)
            self._settling.notify_all()

    def release(self) -> bool:
        """Let go of the file if everything in it is settled; returns whether nothing is left."""
        with self._lock:
            if self._busy or self._batch is not None or len(self._segments) > 1:
                return False
            if self._segments:
                segment = self._segments[0]
                if not segment.settled:
                    return False
                self._segment = NOTHING
                self._segments.clear()
                self._shipper.retire(segment)
            if not self._beating:
                self._shipper.forget(self)
            return True

    @property
    def position(self) -> tuple[Segment, int]:
        """Where the next record goes."""
        segment = self._segment
        return segment, segment.end

    def reached(self, position: tuple[Segment, int]) -> bool:
        """Whether all before ``position`` is settled."""
        return self._settled(*position)

    def waiting(self) -> tuple[int, int]:
        """How many entries the store has not answered for, and how many of them are in memory only."""
        total = lost = 0
        for segment in list(self._segments):
            entries = segment.reader.waiting(segment.end)
            if self._batch is not None and segment is self._segments[0]:
                entries += self._batch.entries
            total += entries
            lost += 0 if segment.path else entries
        return total, lost

    def forked(self) -> None:
        """Begin anew in a child process. The parent's files are the parent's."""
        for segment in self._segments:
            segment.abandon()
        self._store = None
        self._beating = False
        self._refused.clear()
        self._begin()

    # Inside

    def _texts(self, kind: int, values: Mapping[str, str], most: int) -> None:
        measured = [(key, value, text_bytes(key, value)) for key, value in _plain_texts(values)]
        for key, value, length in measured:
            if length > _TEXTS_BYTES:
                raise LimitExceeded.of(key, value[:20] + "…", f"it takes {length} bytes, more than fit into a request",
                                       hint="log long texts as an artifact: log_text(…) or log_dict(…)")
        group: dict[str, str] = {}
        size = 0
        for key, value, length in measured:
            if len(group) == most or size + length > _TEXTS_BYTES:
                self._append(kind, encode_texts(kind, group))
                group, size = {}, 0
            group[key] = value
            size += length
        if group:
            self._append(kind, encode_texts(kind, group))

    def _append(self, kind: int, record: bytes) -> None:
        with self._lock:
            if self._busy:
                self._late.append((self._append, (kind, record)))
                return
            self._busy = True
            try:
                segment = self._segment
                if segment.end + len(record) > segment.size:
                    segment = self._grow(len(record))
                segment.append(record, kind)
            finally:
                self._busy = False
                if self._late:
                    self._catch_up()

    def _catch_up(self) -> None:
        late, self._late = self._late, []
        for append, arguments in late:
            try:
                append(*arguments)
            except MillstreamError as error:  # whoever logged it is gone, and the caller at hand has not
                _logger.error("an entry of run %s could not be logged: %s", self.run_id, error)

    def _room_for(self, name: MetricName) -> tuple[Segment, int]:
        """A segment with room for a point of this key, and the point's first word."""
        name = MetricName(str(name.key), *(None if text is None else str(text) for text in name[1:]))
        segment = self._segment
        word = segment.words.get(name if name[1:] != (None, None, None) else name.key)
        needed = POINT_BYTES + (len(encode_key(0, name)) + 8 if word is None else 0)
        if segment.end + needed > segment.size:
            segment, word = self._grow(needed), None
        return segment, segment.define(name) if word is None else word

    def _grow(self, needed: int) -> Segment:
        if not self._log:
            self._log, self._started = os.urandom(4).hex(), time.time_ns() // 1_000_000
        if not self._segments:
            self._shipper.make_way()
        facts = Facts(self.uri, self.run_id, self._experiment_id, os.getpid(), os.uname().nodename, self._started,
                      self._log, self._sequence)
        size = min(FIRST_BYTES << self._sequence, LAST_BYTES)
        segment = self._shipper.make_segment(facts, size, needed)
        self._sequence += 1
        self._segments.append(segment)
        self._segment = segment
        self._shipper.activate(self)
        return segment


def _plain_texts(values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Keys and values as plain text: what is not (a NumPy string, a surrogate) could not be read again."""
    for key, value in values.items():
        texts = str(key), str(value)
        for text in texts:
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise InvalidValue.of(texts[0], text, f"it is no text that can be written: {error.reason}") from None
        yield texts


def _unfit(value: object, timestamp: object, step: object) -> InvalidValue:
    for field, given, unit in (("timestamp", timestamp, "milliseconds since the epoch"), ("step", step, "a count")):
        with contextlib.suppress(struct.error):
            struct.pack("<q", given)
            continue
        return InvalidValue.of(field, given, f"it must be a whole number of 64 bits: {unit}")
    return InvalidValue.of("value", value, "a metric is a number")


def _nothing() -> Segment:
    empty = Segment.in_memory("", 1)
    empty.size = 0
    return empty


NOTHING = _nothing()  # what a log without a segment writes to: no room, so the first entry opens one
