"""What a serving host was asked and answered, on its way into the store.

Recording is an entry in a bounded queue. One thread makes records of the entries, counts figures by minute, and sends
both to the store in batches. While the store does not answer, what no longer fits is dropped and counted; the figures
of its minutes are sent when it is back.
"""

from __future__ import annotations

import logging
import math
import os
import secrets
import socket
import threading
import time
import zlib
from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec

from millstream.entities.latency import bucket_of
from millstream.entities.monitoring import LatencyBucket, MinuteFigures, MonitorSettings, RequestRecord
from millstream.errors import MillstreamError, StoreUnavailable, TooManyRequests
from millstream.operations import ListMonitors, PruneRequests, RecordRequests
from millstream.operations.paging import pages
from millstream.serving.monitoring.bodies import rows_of
from millstream.stores.contract import Store

logger = logging.getLogger("millstream.serving")

WAITING = 20_000
HELD_BYTES = 32 * 1024 * 1024
_BATCH_RECORDS, _BATCH_BYTES = 1_000, 8 * 1024 * 1024
_LARGEST_BODY = 4 * 1024 * 1024
_MINUTE = 60_000
# Figures of minutes that long ago do not change any more.
_SETTLED_MS = 5 * _MINUTE
_LONGEST_REST, _PRUNE_SECONDS = 30.0, 3_600.0
# A server that does not answer is asked again by the next batch, not by a request that waits.
_PATIENCE_SECONDS = 1.0
_NAME = 256


class _Entry(msgspec.Struct, gc=False):
    endpoint: str
    model: str
    version: str
    request_id: str
    time: int
    status: int
    seconds: float
    content_type: str
    request: bytes | None
    answer: bytes | None
    # Whether it may be recorded: who was not watched when the request came has no body here, and is counted only.
    watched: bool


class _Minute:
    __slots__ = ("buckets", "counts", "dirty")

    def __init__(self) -> None:
        self.counts: list[float] = [0, 0, 0, 0, 0.0]  # requests, errors, refused, rows, seconds
        self.buckets: dict[int, int] = {}
        self.dirty = True


class Recorder:
    """Records requests into ``store``. Every method may be called from any thread.

    ``waiting`` entries with ``held_bytes`` of bodies wait at most; ``every`` is the seconds between two batches, and
    ``refresh`` those between two looks at which endpoints have monitors: requests are logged for those, and counted for
    all. ``recorded`` and ``dropped`` are how many requests came into the store's log, and how many could not.
    """

    def __init__(
        self, store: Store, *, waiting: int = WAITING, held_bytes: int = HELD_BYTES, every: float = 1.0,
        refresh: float = 5.0,
    ) -> None:
        self.store = store
        self.host = f"{socket.gethostname()[:100]}-{os.getpid()}-{secrets.token_hex(4)}"
        self.recorded = 0
        self.dropped = 0
        self._waiting, self._held_bytes = waiting, held_bytes
        self._every, self._refresh = every, refresh
        self._queue: deque[_Entry] = deque()
        self._held = 0
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._wake, self._closed = threading.Event(), False
        self._thread: threading.Thread | None = None
        self._monitors: dict[str, MonitorSettings] | None = None
        self._monitors_until = 0.0
        self._minutes: dict[tuple[str, int, str, str], _Minute] = {}
        self._records: deque[tuple[RequestRecord, int]] = deque()
        self._pruned = time.monotonic()

    def record(
        self, endpoint: str, version: str, request_id: str, request_body: bytes | None, content_type: str | None,
        answer_body: bytes | None, status: int, seconds: float, *, model: str | None = None,
    ) -> None:
        """Note one request to ``version`` of the registered model ``model`` (named like the endpoint unless given), and
        its answer after ``seconds``. Takes microseconds; never waits, never raises."""
        try:
            settings = None if self._monitors is None else self._monitors.get(endpoint)
            request = answer = None
            watched = self._monitors is None or (settings is not None and _wants(settings, request_id))
            if watched:
                most = _LARGEST_BODY if settings is None else settings.body_bytes if settings.keep_bodies else -1
                request = request_body if request_body is not None and len(request_body) <= most else None
                answer = answer_body if answer_body is not None and len(answer_body) <= most else None
            size = (len(request) if request else 0) + (len(answer) if answer else 0)
            entry = _Entry(endpoint, endpoint if model is None else model, version, request_id,
                           time.time_ns() // 1_000_000, status, seconds, content_type or "", request, answer,
                           watched)
            with self._lock:
                if len(self._queue) >= self._waiting or self._held + size > self._held_bytes or self._closed:
                    self.dropped += 1
                    return
                self._held += size
                self._queue.append(entry)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="millstream-recorder", daemon=True)
                    self._thread.start()
        except Exception:  # a request that was answered well is not to fail for its record
            self.dropped += 1
            logger.warning("a request is not recorded", exc_info=True)

    def monitors(self) -> dict[str, MonitorSettings]:
        """The settings of the endpoints that are watched, as they were found last."""
        return dict(self._monitors or {})

    def flush(self) -> bool:
        """Send what waits, now; whether all of it is in the store."""
        with self._sending:
            try:
                self._look_for_monitors()
                self._take()
                self._send()
                self._prune()
            except (StoreUnavailable, TooManyRequests):
                return False
        return True

    def close(self, timeout: float = 5.0) -> None:
        """Send what waits, and take nothing more. Gives up after ``timeout`` seconds."""
        with self._lock:
            self._closed = True
            thread = self._thread
        self._wake.set()
        if thread is not None:
            thread.join(timeout)

    def families(self) -> Iterator[Any]:
        """Figures for Prometheus, as prometheus-client has them."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        yield CounterMetricFamily("millstream_monitoring_recorded_requests", "Requests written to the log",
                                  self.recorded)
        yield CounterMetricFamily("millstream_monitoring_dropped_requests", "Requests that could not be recorded",
                                  self.dropped)
        yield GaugeMetricFamily("millstream_monitoring_waiting_requests", "Requests that wait to be recorded",
                                len(self._queue) + len(self._records))

    # The thread

    def _run(self) -> None:
        from millstream.stores.http import PATIENCE

        PATIENCE.set(_PATIENCE_SECONDS)
        rest = self._every
        while True:
            self._wake.wait(rest)
            rest = self._every if self._flush_in_peace() else min(2 * rest, max(_LONGEST_REST, self._every))
            if self._closed:
                return

    def _flush_in_peace(self) -> bool:
        try:
            return self.flush()
        except Exception:  # the thread lives as long as the recorder does
            logger.exception("requests wait to be recorded: an unexpected problem")
            return False

    def _look_for_monitors(self) -> None:
        now = time.monotonic()
        if self._monitors is not None and now < self._monitors_until:
            return
        found = [one for page in pages(self.store.execute, ListMonitors()) for one in page.monitors]
        self._monitors = {one.endpoint: one.settings for one in found if one.settings.enabled}
        self._monitors_until = now + self._refresh

    def _take(self) -> None:
        """Make records and figures of what is in the queue."""
        assert self._monitors is not None
        for _ in range(len(self._queue)):
            with self._lock:
                entry = self._queue.popleft()
                size = len(entry.request or b"") + len(entry.answer or b"")
                self._held -= size
            try:
                self._enter(entry, size, self._monitors.get(entry.endpoint))
            except Exception:  # one odd entry is no reason to lose the others
                self.dropped += 1
                logger.warning("a request is not recorded", exc_info=True)

    def _enter(self, entry: _Entry, size: int, settings: MonitorSettings | None) -> None:
        """Make a record of one entry, if it is in the sample, and count it."""
        record = None
        if entry.watched and settings is not None and _wants(settings, entry.request_id):
            if len(self._records) < self._waiting:
                record = _record(entry, settings)
                self._records.append((record, size))
            else:
                self.dropped += 1
        self._count(entry, record.rows if record else 0)

    def _count(self, entry: _Entry, rows: int) -> None:
        key = (entry.endpoint[:_NAME], entry.time // _MINUTE * _MINUTE, entry.model[:_NAME], entry.version[:_NAME])
        minute = self._minutes.get(key)
        if minute is None:
            minute = self._minutes[key] = _Minute()
        seconds = entry.seconds if math.isfinite(entry.seconds) else 0.0
        added = (1, entry.status >= 500, 400 <= entry.status < 500, rows, seconds)
        minute.counts = [one + more for one, more in zip(minute.counts, added, strict=True)]
        bucket = bucket_of(seconds)
        minute.buckets[bucket] = minute.buckets.get(bucket, 0) + 1
        minute.dirty = True

    def _send(self) -> None:
        dirty = [key for key, minute in self._minutes.items() if minute.dirty]
        while self._records or dirty:
            batch: list[RequestRecord] = []
            size = 0
            while len(batch) < min(len(self._records), _BATCH_RECORDS) and size < _BATCH_BYTES:
                record, weight = self._records[len(batch)]
                batch.append(record)
                size += weight
            chosen, dirty = dirty[:_BATCH_RECORDS], dirty[_BATCH_RECORDS:]
            try:
                self.store.execute(RecordRequests(batch, [self._figures(key) for key in chosen]))
                self.recorded += len(batch)
            except (StoreUnavailable, TooManyRequests):
                raise  # they are sent again
            except MillstreamError as error:
                self.dropped += len(batch)
                logger.warning("%d requests are not recorded: the store refuses them: %s", len(batch), error)
            for key in chosen:
                self._minutes[key].dirty = False
            for _ in batch:
                self._records.popleft()
        settled = time.time() * 1000 - _SETTLED_MS
        for key in [key for key, minute in self._minutes.items() if key[1] < settled and not minute.dirty]:
            del self._minutes[key]

    def _prune(self) -> None:
        """Let the store forget old figures of endpoints that nothing watches; monitors look after the others."""
        now = time.monotonic()
        if now - self._pruned < _PRUNE_SECONDS:
            return
        self._pruned = now
        for endpoint in {key[0] for key in self._minutes} - (self._monitors or {}).keys():
            self.store.execute(PruneRequests(endpoint))

    def _figures(self, key: tuple[str, int, str, str]) -> MinuteFigures:
        endpoint, at, model, version = key
        minute = self._minutes[key]
        requests, errors, refused, rows, seconds = minute.counts
        return MinuteFigures(endpoint, at, self.host, model, version, int(requests), int(errors), int(refused),
                             int(rows), seconds, [LatencyBucket(*pair) for pair in sorted(minute.buckets.items())])


def _wants(settings: MonitorSettings, request_id: str) -> bool:
    """Whether a request is in the sample: by its id, so that every host says the same of it."""
    if settings.sample_rate >= 1.0:
        return True
    return zlib.crc32(request_id.encode("utf-8", "replace")) < settings.sample_rate * 2**32


def _record(entry: _Entry, settings: MonitorSettings) -> RequestRecord:
    request, answer = (_text(body, settings) for body in (entry.request, entry.answer))
    seconds = entry.seconds if math.isfinite(entry.seconds) else 0.0
    return RequestRecord(
        endpoint=entry.endpoint[:_NAME], request_id=_clean(entry.request_id) or secrets.token_hex(8), time=entry.time,
        model=entry.model[:_NAME], version=entry.version[:_NAME], status_code=entry.status, seconds=seconds,
        rows=rows_of(entry.request, entry.content_type), content_type=_clean(entry.content_type) or None,
        request=request, answer=answer,
    )


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\x00", "")[:_NAME].strip()


def _text(body: bytes | None, settings: MonitorSettings) -> str | None:
    """A body as text; None for one that is none, or too large, or not to be kept."""
    if body is None or not settings.keep_bodies or len(body) > settings.body_bytes:
        return None
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text
