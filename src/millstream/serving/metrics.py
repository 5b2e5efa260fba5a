"""Figures of a scoring server for Prometheus, at ``/metrics``.

Counting is a few additions to an array. The array of several worker processes is one file, mapped by all: each adds in
its own row, and any of them tells the sum.
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# Upper bounds of buckets: seconds of requests, and rows of predictions.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
STATUSES = (200, 400, 403, 404, 405, 408, 413, 415, 429, 500, 503, 504)


class Meter:
    """Counts requests by route and status, their duration, and what is predicted together.

    ``counters`` are a file for all workers, their number, and which of them this one is.
    """

    def __init__(self, routes: Sequence[str], counters: tuple[Path, int, int] | None = None) -> None:
        self._routes = tuple(routes)
        self._slots = {name: place for place, name in enumerate(routes)}
        self._statuses = {status: place for place, status in enumerate(STATUSES)}
        self._width = len(STATUSES) + len(SECONDS) + 2
        self._batches = len(routes) * self._width
        self._gauges = self._batches + len(ROWS) + 3  # the buckets, the sum of rows, the requests
        size = self._gauges + 2
        path, workers, worker = counters or (None, 1, 0)
        if path is None:
            self._rows: list[Any] = [[0.0] * size]
        else:
            with open(path, "a+b") as file:
                os.ftruncate(file.fileno(), workers * size * 8)
                self._map = mmap.mmap(file.fileno(), workers * size * 8)
            numbers = memoryview(self._map).cast("d")
            self._rows = [numbers[row * size:(row + 1) * size] for row in range(workers)]
        self._own = self._rows[worker]
        self._own[self._gauges] = self._own[self._gauges + 1] = 0.0

    def count(self, route: str, status: int, seconds: float) -> None:
        """One request was answered."""
        base = self._slots[route] * self._width
        numbers = self._own
        numbers[base + self._statuses.get(status, self._statuses[500])] += 1
        base += len(STATUSES)
        numbers[base + bisect_left(SECONDS, seconds)] += 1
        numbers[base + len(SECONDS) + 1] += seconds

    def count_batch(self, requests: int, rows: int) -> None:
        """One prediction was made for so many requests, of so many rows in all (0: nobody has counted them)."""
        numbers = self._own
        numbers[self._batches + bisect_left(ROWS, rows)] += 1
        numbers[self._batches + len(ROWS) + 1] += rows
        numbers[self._batches + len(ROWS) + 2] += requests

    def show(self, active: int, waiting: int) -> None:
        """How many requests this process works on, and how many of them wait for the model."""
        self._own[self._gauges], self._own[self._gauges + 1] = active, waiting

    def exposition(self) -> tuple[bytes, bytes]:
        """The figures of all workers in Prometheus' text format, and its content type."""
        from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, exposition

        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        registry.register(_Figures(self))
        return exposition.generate_latest(registry), exposition.CONTENT_TYPE_LATEST.encode()

    def families(self) -> Iterator[Any]:
        """The figures as prometheus-client has them."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        numbers = [sum(column) for column in zip(*self._rows, strict=True)]
        requests = CounterMetricFamily("millstream_scoring_requests", "Requests answered", labels=["route", "status"])
        durations = HistogramMetricFamily(
            "millstream_scoring_request_seconds", "Seconds from the request's head to its answer", labels=["route"]
        )
        for place, route in enumerate(self._routes):
            mine = numbers[place * self._width:(place + 1) * self._width]
            for status, number in zip(STATUSES, mine, strict=False):
                if number:
                    requests.add_metric([route, str(status)], number)
            if any(mine):
                durations.add_metric([route], _buckets(SECONDS, mine[len(STATUSES):]), mine[-1])
        yield requests
        yield durations
        batches = HistogramMetricFamily("millstream_scoring_batch_rows", "Rows of predictions made for one or several "
                                        "requests; 0 where nobody has counted them")
        mine = numbers[self._batches:self._gauges]
        batches.add_metric([], _buckets(ROWS, mine), mine[len(ROWS) + 1])
        yield batches
        yield CounterMetricFamily("millstream_scoring_predicted_requests", "Requests that reached the model", mine[-1])
        yield GaugeMetricFamily("millstream_scoring_requests_active", "Requests under way", numbers[self._gauges])
        yield GaugeMetricFamily("millstream_scoring_requests_waiting", "Requests that wait for the model",
                                numbers[self._gauges + 1])


def _buckets(bounds: Sequence[float], numbers: Sequence[float]) -> list[tuple[str, float]]:
    made, sofar = [], 0.0
    for bound, number in zip((*map(str, bounds), "+Inf"), numbers, strict=False):
        sofar += number
        made.append((bound, sofar))
    return made


class _Figures:
    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def collect(self) -> Iterator[Any]:
        return self._meter.families()
