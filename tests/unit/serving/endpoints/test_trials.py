"""What is to become of canaries, by what a host has answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from millstream.entities.endpoint import Canary, CanaryStep, PlannedEndpoint, PlannedVersion
from millstream.operations import EndCanary, StepCanary
from millstream.serving.endpoints.meter import Meter
from millstream.serving.endpoints.trials import Trials
from tests.unit.serving.endpoints.test_planner import endpoint

VERSIONS = [PlannedVersion("1", "Production"), PlannedVersion("2", "None")]


def planned(step: int = 0, state: str = "RUNNING", versions: list[PlannedVersion] = VERSIONS) -> PlannedEndpoint:
    """An endpoint with a canary whose steps end as soon as it has answered twice."""
    canary = Canary("2", [CanaryStep(10.0, 0.0), CanaryStep(50.0, 0.0)], 0.05, 2, state, step, 1)
    return PlannedEndpoint(endpoint(canary=canary, revision=7), versions)


def run(check: Callable[[Trials, Meter], None]) -> None:
    async def main() -> None:
        meter = Meter()
        check(Trials(meter), meter)

    asyncio.run(main())


def test_a_canary_goes_through_its_steps() -> None:
    def check(trials: Trials, meter: Meter) -> None:
        meter.count("loan", "2", 500, 0.1)  # what was before does not count
        assert trials.due(planned(), {"1", "2"}, 0) is None
        assert trials.due(planned(), {"1", "2"}, 0) is None
        for _ in range(2):
            meter.count("loan", "2", 200, 0.1)
        assert trials.due(planned(), {"1", "2"}, 0) == StepCanary("loan", 7, "2 answers at 10 %, 0 failed")
        assert trials.due(planned(1), {"1", "2"}, 0) is None  # the next step counts anew
        for _ in range(2):
            meter.count("loan", "2", 200, 0.1)
        done = trials.due(planned(1), {"1", "2"}, 0)
        assert isinstance(done, EndCanary)
        assert (done.outcome, done.revision) == ("PROMOTED", 7)
        assert trials.due(planned(1, "PROMOTED"), {"2"}, 0) is None

    run(check)


def test_a_canary_that_cannot_answer_is_rolled_back() -> None:
    def check(trials: Trials, meter: Meter) -> None:
        assert trials.due(planned(), {"1"}, 0) is None
        assert trials.due(planned(), {"1"}, 2) is None
        failing = trials.due(planned(), {"1"}, 3)
        gone = trials.due(planned(versions=VERSIONS[:1]), {"1"}, 0)
        for ended, reason in ((failing, "fails again"), (gone, "gone")):
            assert isinstance(ended, EndCanary)
            assert ended.outcome == "ROLLED_BACK"
            assert reason in str(ended.reason)

    run(check)


def test_an_endpoint_without_a_canary_has_nothing_due() -> None:
    run(lambda trials, meter: _nothing(trials.due(PlannedEndpoint(endpoint(), VERSIONS), {"1"}, 5)))


def _nothing(due: object) -> None:
    assert due is None
