"""What a host has answered, by endpoint and version: for Prometheus, and to judge canaries by."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from millstream.entities.latency import bucket_of, quantiles
from millstream.serving.endpoints.canaries import Figures
from millstream.serving.metrics import SECONDS

# Answers that say nothing against a version: the client's connection, form and size, and too many requests.
_NO_FAULT = frozenset({404, 405, 408, 413, 415, 429})


def is_failed(status: int) -> bool:
    """Whether an answer counts against its version. A model that raises answers 400, as data that do not fit do: what
    all versions refuse alike says nothing against one of them, as canaries are compared with the others."""
    return status >= 400 and status not in _NO_FAULT


class _Counts:
    __slots__ = ("buckets", "failed", "requests", "seconds", "sketch", "statuses")

    def __init__(self) -> None:
        self.requests = self.failed = 0
        self.seconds = 0.0
        self.statuses: dict[int, int] = {}
        self.buckets = [0] * (len(SECONDS) + 1)
        self.sketch: dict[int, int] = {}

    def copy(self) -> _Counts:
        made = _Counts()
        made.requests, made.failed, made.sketch = self.requests, self.failed, dict(self.sketch)
        return made


class Window:
    """What versions have answered since a moment."""

    def __init__(self, meter: Meter, endpoint: str) -> None:
        self._meter = meter
        self._endpoint = endpoint
        self._before = {version: counts.copy() for version, counts in meter.of(endpoint).items()}

    def figures(self, versions: Collection[str]) -> Figures:
        """Of these versions together."""
        requests = failed = 0
        sketch: dict[int, int] = {}
        for version, counts in self._meter.of(self._endpoint).items():
            if version not in versions:
                continue
            before = self._before.get(version) or _Counts()
            requests += counts.requests - before.requests
            failed += counts.failed - before.failed
            for bucket, number in counts.sketch.items():
                sketch[bucket] = sketch.get(bucket, 0) + number - before.sketch.get(bucket, 0)
        return Figures(requests, failed, quantiles(sketch, (0.95,))[0])

    @property
    def versions(self) -> set[str]:
        """Those that have answered anything, ever."""
        return set(self._meter.of(self._endpoint))


class Meter:
    """Counts answers by endpoint and version; a version without name is one that was not found.

    ``further`` are figures of others that ``/metrics`` tells as well.
    """

    def __init__(self, further: Sequence[Callable[[], Iterator[Any]]] = ()) -> None:
        self._further = further
        self._counts: dict[tuple[str, str], _Counts] = {}
        self._shadows: dict[tuple[str, str, str], int] = {}
        self._retries: dict[str, int] = {}

    def count(self, endpoint: str, version: str, status: int, seconds: float) -> None:
        """One request was answered."""
        counts = self._counts.get((endpoint, version))
        if counts is None:
            counts = self._counts[endpoint, version] = _Counts()
        counts.requests += 1
        counts.failed += is_failed(status)
        counts.seconds += seconds
        counts.statuses[status] = counts.statuses.get(status, 0) + 1
        counts.buckets[bisect_left(SECONDS, seconds)] += 1
        bucket = bucket_of(seconds)
        counts.sketch[bucket] = counts.sketch.get(bucket, 0) + 1

    def count_shadow(self, endpoint: str, version: str, outcome: str) -> None:
        """One copy of a request was answered, failed, or was left out."""
        key = (endpoint, version, outcome)
        self._shadows[key] = self._shadows.get(key, 0) + 1

    def count_retry(self, endpoint: str) -> None:
        """One request was sent to another scoring process, as its first went away."""
        self._retries[endpoint] = self._retries.get(endpoint, 0) + 1

    def of(self, endpoint: str) -> dict[str, _Counts]:
        """Version → counts of an endpoint."""
        return {version: counts for (name, version), counts in self._counts.items() if name == endpoint and version}

    def figures(self, endpoint: str) -> dict[str, dict[str, Any]]:
        """Version → requests, failed answers and quantiles of seconds since the host began."""
        made: dict[str, dict[str, Any]] = {}
        for version, counts in self.of(endpoint).items():
            p50, p99 = quantiles(counts.sketch, (0.5, 0.99))
            made[version] = {"requests": counts.requests, "failed": counts.failed, "p50": p50, "p99": p99}
        return made

    def exposition(self, replicas: Collection[tuple[str, str, str, int]], active: int) -> tuple[bytes, bytes]:
        """The figures in Prometheus' text format, and its content type. ``replicas`` are endpoint, version, state and
        restarts of each."""
        from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, exposition

        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        registry.register(_Figures(lambda: self.families(replicas, active)))
        for families in self._further:
            registry.register(_Figures(families))
        return exposition.generate_latest(registry), exposition.CONTENT_TYPE_LATEST.encode()

    def families(self, replicas: Collection[tuple[str, str, str, int]], active: int) -> Iterator[Any]:
        """The figures as prometheus-client has them."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        by_version = ["endpoint", "version"]
        requests = CounterMetricFamily(
            "millstream_endpoint_requests", "Requests answered", labels=[*by_version, "status"]
        )
        errors = CounterMetricFamily(
            "millstream_endpoint_errors", "Answers that count against their version", labels=by_version
        )
        durations = HistogramMetricFamily(
            "millstream_endpoint_request_seconds", "Seconds from a request's head to its answer", labels=by_version
        )
        for (endpoint, version), counts in self._counts.items():
            labels = [endpoint, version]
            for status, number in counts.statuses.items():
                requests.add_metric([*labels, str(status)], number)
            errors.add_metric(labels, counts.failed)
            sofar, buckets = 0, []
            for bound, number in zip((*map(str, SECONDS), "+Inf"), counts.buckets, strict=True):
                sofar += number
                buckets.append((bound, sofar))
            durations.add_metric(labels, buckets, counts.seconds)
        shadows = CounterMetricFamily(
            "millstream_endpoint_shadow_requests", "Copies of requests", labels=[*by_version, "outcome"]
        )
        for key, number in self._shadows.items():
            shadows.add_metric(list(key), number)
        retries = CounterMetricFamily(
            "millstream_endpoint_retries", "Requests that were sent to another scoring process", labels=["endpoint"]
        )
        for endpoint, number in self._retries.items():
            retries.add_metric([endpoint], number)
        states: dict[tuple[str, str, str], int] = {}
        restarts: dict[tuple[str, str], int] = {}
        for endpoint, version, state, number in replicas:
            states[endpoint, version, state] = states.get((endpoint, version, state), 0) + 1
            restarts[endpoint, version] = restarts.get((endpoint, version), 0) + number
        running = GaugeMetricFamily(
            "millstream_endpoint_replicas", "Scoring processes by state", labels=[*by_version, "state"]
        )
        for state_key, number in states.items():
            running.add_metric(list(state_key), number)
        again = GaugeMetricFamily(
            "millstream_endpoint_replica_restarts", "How often scoring processes had to be started again",
            labels=by_version,
        )
        for version_key, number in restarts.items():
            again.add_metric(list(version_key), number)
        under_way = GaugeMetricFamily("millstream_endpoint_requests_active", "Requests under way", active)
        yield from (requests, errors, durations, shadows, retries, running, again, under_way)


class _Figures:
    def __init__(self, families: Any) -> None:
        self._families = families

    def collect(self) -> Iterator[Any]:
        made: Iterator[Any] = self._families()
        return made
