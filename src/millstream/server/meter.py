"""Figures of the server for Prometheus, at ``/metrics``.

Counting happens on every request, so it is a few additions to an array; names and texts are made when somebody asks.
The array of several worker processes is one file, mapped by all: each adds in its own row, and any of them can tell
the sum.
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from millstream.server.messages import Reply, Request

# Upper bounds of the buckets of the duration of requests, in seconds.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_CLASSES = ("2xx", "3xx", "4xx", "5xx")
_BUCKETS = len(_CLASSES)
_SUM = _BUCKETS + len(BOUNDS) + 1
_WIDTH = _SUM + 1


class Counters:
    """Numbers of ``workers`` processes in one file; ``worker`` is the row of this one."""

    def __init__(self, path: Path, workers: int, worker: int, width: int) -> None:
        size = workers * width * 8
        with open(path, "a+b") as file:
            os.ftruncate(file.fileno(), size)
            self._map = mmap.mmap(file.fileno(), size)
        self.all = memoryview(self._map).cast("d")
        self.rows = [slice(row * width, (row + 1) * width) for row in range(workers)]
        self.own = self.all[self.rows[worker]]


class Meter:
    """Counts requests by target, outcome and duration. ``names`` are those of the slots."""

    def __init__(self, names: Sequence[str], counters: tuple[Path, int, int] | None = None) -> None:
        self.names = tuple(names)
        width = len(names) * _WIDTH
        self._shared = Counters(*counters, width) if counters else None
        self._numbers: Any = self._shared.own if self._shared else [0.0] * width

    def count(self, slot: int, status: int, seconds: float) -> None:
        """One request was answered."""
        numbers = self._numbers
        base = slot * _WIDTH
        numbers[base + status // 100 - 2] += 1
        numbers[base + _BUCKETS + bisect_left(BOUNDS, seconds)] += 1
        numbers[base + _SUM] += seconds

    def totals(self) -> Iterator[tuple[str, dict[str, float], list[float], float]]:
        """``(name, requests by class, requests by bucket, seconds)`` of every target asked so far, over all workers."""
        rows = [self._shared.all[row] for row in self._shared.rows] if self._shared else [self._numbers]
        for slot, name in enumerate(self.names):
            base = slot * _WIDTH
            mine = [sum(row[base + place] for row in rows) for place in range(_WIDTH)]
            if any(mine[:_BUCKETS]):
                yield name, dict(zip(_CLASSES, mine, strict=False)), mine[_BUCKETS:_SUM], mine[_SUM]


async def exposition(request: Request) -> Reply:
    """The figures, in Prometheus' text format."""
    from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, exposition

    from millstream._version import VERSION

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_Requests(request.app.meter, VERSION, request.app.active))
    return Reply(exposition.generate_latest(registry), content_type=exposition.CONTENT_TYPE_LATEST.encode())


class _Requests:
    """A collector in the sense of prometheus-client."""

    def __init__(self, meter: Meter, version: str, active: int) -> None:
        self._meter = meter
        self._version = version
        self._active = active

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        about = GaugeMetricFamily("millstream_info", "The version of this server", labels=["version"])
        about.add_metric([self._version], 1)
        yield about
        yield GaugeMetricFamily(
            "millstream_http_requests_active", "Requests this process works on, this one included", self._active
        )
        requests = CounterMetricFamily(
            "millstream_http_requests", "Requests answered, by operation or route and class of status",
            labels=["operation", "status"],
        )
        durations = HistogramMetricFamily(
            "millstream_http_request_seconds", "Seconds from the request's head to the end of its answer",
            labels=["operation"],
        )
        for name, classes, buckets, seconds in self._meter.totals():
            for status, number in classes.items():
                if number:
                    requests.add_metric([name, status], number)
            sofar = 0.0
            bounded = []
            for bound, number in zip((*map(str, BOUNDS), "+Inf"), buckets, strict=True):
                sofar += number
                bounded.append((bound, sofar))
            durations.add_metric([name], bounded, seconds)
        yield requests
        yield durations
