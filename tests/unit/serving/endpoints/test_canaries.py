"""When a canary goes on, takes over, or is taken back."""

from __future__ import annotations

import pytest

from millstream.entities.endpoint import Canary, CanaryStep
from millstream.serving.endpoints.canaries import Figures, judge
from millstream.serving.endpoints.meter import Meter, Window, is_failed

STEPS = [CanaryStep(10.0, 60.0), CanaryStep(50.0, 60.0)]


def canary(step: int = 0, **changes: object) -> Canary:
    facts = {"max_error_rate": 0.05, "min_requests": 20, "max_seconds": None, **changes}
    return Canary("2", STEPS, state="RUNNING", step=step, since=1, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("one", "elapsed", "own", "others", "outcome"),
    [
        (canary(), 61.0, Figures(20, 0), Figures(), "STEP"),
        (canary(1), 61.0, Figures(20, 0), Figures(), "PROMOTED"),
        (canary(), 59.0, Figures(2000, 0), Figures(), None),
        (canary(), 3600.0, Figures(19, 0), Figures(), None),
        (canary(), 1.0, Figures(20, 2), Figures(1000, 0), "ROLLED_BACK"),
        (canary(), 1.0, Figures(20, 1), Figures(1000, 0), None),
        (canary(), 1.0, Figures(19, 19), Figures(1000, 0), None),
        (canary(), 1.0, Figures(100, 30), Figures(1000, 260), None),
        (canary(), 61.0, Figures(100, 40), Figures(1000, 300), "ROLLED_BACK"),
        (canary(max_error_rate=1.0), 61.0, Figures(100, 100), Figures(), "STEP"),
        (canary(max_seconds=0.2), 1.0, Figures(20, 0, 0.21), Figures(), "ROLLED_BACK"),
        (canary(max_seconds=0.2), 61.0, Figures(20, 0, 0.19), Figures(), "STEP"),
        (canary(min_requests=0), 61.0, Figures(), Figures(), "STEP"),
    ],
)
def test_verdicts(one: Canary, elapsed: float, own: Figures, others: Figures, outcome: str | None) -> None:
    verdict = judge(one, elapsed, own, others)
    assert (verdict.outcome if verdict else None) == outcome


def test_a_verdict_tells_the_numbers() -> None:
    verdict = judge(canary(), 1.0, Figures(20, 2), Figures(100, 1))
    assert verdict is not None
    assert "2 of its 20 answers failed (10.0%)" in verdict.reason
    assert "1.0%" in verdict.reason


def test_a_window_counts_from_its_beginning() -> None:
    meter = Meter()
    for _ in range(5):
        meter.count("loan", "1", 500, 1.0)
    window = Window(meter, "loan")
    assert window.figures({"1"}).requests == 0
    for number in range(100):
        meter.count("loan", "1", 200, 0.01)
        meter.count("loan", "2", 400 if number < 10 else 200, 0.5 if number < 20 else 0.01)
        meter.count("other", "2", 500, 1.0)
    assert window.versions == {"1", "2"}
    assert window.figures({"1"})[:2] == (100, 0)
    own = window.figures({"2"})
    assert (own.requests, own.failed, own.error_rate) == (100, 10, 0.1)
    assert own.seconds == pytest.approx(0.5, rel=0.03)
    assert window.figures({"1", "2"}).requests == 200


@pytest.mark.parametrize(("status", "failed"), [(200, False), (400, True), (413, False), (429, False), (500, True),
                                                (503, True), (504, True)])
def test_which_answers_count_against_a_version(status: int, failed: bool) -> None:
    assert is_failed(status) is failed


def test_figures_for_prometheus() -> None:
    meter = Meter()
    meter.count("loan", "2", 200, 0.003)
    meter.count("loan", "2", 500, 0.3)
    meter.count_shadow("loan", "3", "answered")
    meter.count_retry("loan")
    text, kind = meter.exposition([("loan", "2", "READY", 1), ("loan", "2", "READY", 2)], 7)
    lines = text.decode().splitlines()
    for line in (
        'millstream_endpoint_requests_total{endpoint="loan",status="500",version="2"} 1.0',
        'millstream_endpoint_errors_total{endpoint="loan",version="2"} 1.0',
        'millstream_endpoint_request_seconds_bucket{endpoint="loan",le="0.005",version="2"} 1.0',
        'millstream_endpoint_request_seconds_count{endpoint="loan",version="2"} 2.0',
        'millstream_endpoint_shadow_requests_total{endpoint="loan",outcome="answered",version="3"} 1.0',
        'millstream_endpoint_retries_total{endpoint="loan"} 1.0',
        'millstream_endpoint_replicas{endpoint="loan",state="READY",version="2"} 2.0',
        'millstream_endpoint_replica_restarts{endpoint="loan",version="2"} 3.0',
        "millstream_endpoint_requests_active 7.0",
    ):
        assert line in lines
    assert kind.startswith(b"text/plain")
