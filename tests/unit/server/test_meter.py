"""Figures for Prometheus."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from millstream.server.meter import BOUNDS, Meter
from tests.servers.wire import call


def test_requests_are_counted_by_what_they_asked_and_how_it_ended(address: str, run_id: str) -> None:
    for query in (run_id, run_id, "nobody"):
        call(address, "GET", f"/api/2.0/mlflow/runs/get?run_id={query}")
    call(address, "GET", "/nowhere")
    answer = call(address, "GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    samples = {
        (
            sample.name,
            sample.labels.get("operation"),
            sample.labels.get("status"),
            sample.labels.get("le"),
        ): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert samples["millstream_http_requests_total", "GetRun", "2xx", None] == 2
    assert samples["millstream_http_requests_total", "GetRun", "4xx", None] == 1
    assert samples["millstream_http_requests_total", "nowhere", "4xx", None] == 1
    assert samples["millstream_http_request_seconds_count", "GetRun", None, None] == 3
    assert samples["millstream_http_request_seconds_bucket", "GetRun", None, "+Inf"] == 3
    assert 0 < samples["millstream_http_request_seconds_sum", "GetRun", None, None] < 60
    assert any(name == "process_resident_memory_bytes" for name, *_ in samples)


def test_buckets_and_classes() -> None:
    meter = Meter(["a", "b", "c"])
    for seconds in (0.0005, 0.001, 0.002, 99.0):
        meter.count(1, 200, seconds)
    meter.count(2, 503, 0.3)
    totals = {name: (classes, buckets, seconds) for name, classes, buckets, seconds in meter.totals()}
    assert set(totals) == {"b", "c"}
    classes, buckets, seconds = totals["b"]
    assert classes == {"2xx": 4, "3xx": 0, "4xx": 0, "5xx": 0}
    assert (buckets[0], buckets[1], buckets[-1], len(buckets)) == (2, 1, 1, len(BOUNDS) + 1)
    assert seconds == pytest.approx(99.0035)
    assert totals["c"][0]["5xx"] == 1


def test_workers_share_their_figures(tmp_path: Path) -> None:
    meters = [Meter(["a", "b"], (tmp_path / "counters", 3, worker)) for worker in range(3)]
    for worker, meter in enumerate(meters):
        for _ in range(worker + 1):
            meter.count(0, 200, 0.01)
    for meter in meters:
        [(name, classes, buckets, seconds)] = meter.totals()
        assert (name, classes["2xx"], sum(buckets)) == ("a", 6, 6)
        assert seconds == pytest.approx(0.06)
