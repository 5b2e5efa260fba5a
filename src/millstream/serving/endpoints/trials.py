"""The canaries of a host: what each has answered since its step began, and what is to become of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass

from millstream.entities.endpoint import CanaryState, PlannedEndpoint, target_version
from millstream.operations import EndCanary, StepCanary
from millstream.serving.endpoints import canaries
from millstream.serving.endpoints.meter import Meter, Window

logger = logging.getLogger("millstream.serving")

_TRIES = 3


@dataclass
class _Trial:
    """A step under way."""

    key: tuple[int, int]
    window: Window
    began: float


class Trials:
    """Judges canaries by what this host has answered."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._loop = asyncio.get_running_loop()
        self._trials: dict[str, _Trial] = {}

    def due(
        self, planned: PlannedEndpoint, answering: Collection[str], failures: int
    ) -> StepCanary | EndCanary | None:
        """What is to happen to the canary of an endpoint now; None when nothing is, or when it has none.

        ``answering`` are the versions that get traffic, ``failures`` how often in a row the canary's process failed.
        A step's time begins when the canary is among those that answer.
        """
        endpoint = planned.endpoint
        name, canary, revision = endpoint.name, endpoint.canary, endpoint.revision
        if canary is None or canary.state != CanaryState.RUNNING:
            self._trials.pop(name, None)
            return None
        if target_version(canary.version, planned.versions) is None:
            return self._ended(name, CanaryState.ROLLED_BACK, "its version is gone", revision)
        if failures >= _TRIES:
            reason = "its scoring process fails again and again"
            return self._ended(name, CanaryState.ROLLED_BACK, reason, revision)
        if canary.version not in answering:
            return None
        key, trial = (canary.since, canary.step), self._trials.get(name)
        if trial is None or trial.key != key:
            self._trials[name] = _Trial(key, Window(self._meter, name), self._loop.time())
            return None
        window = trial.window
        verdict = canaries.judge(
            canary, self._loop.time() - trial.began, window.figures({canary.version}),
            window.figures(window.versions - {canary.version}),
        )
        if verdict is None:
            return None
        if verdict.outcome == canaries.STEP:
            return StepCanary(name, revision, verdict.reason)
        return self._ended(name, verdict.outcome, verdict.reason, revision)

    @staticmethod
    def _ended(name: str, outcome: str, reason: str, revision: int) -> EndCanary:
        logger.info("canary", extra={"facts": {"endpoint": name, "outcome": outcome, "reason": reason}})
        return EndCanary(name, outcome, reason, revision)
