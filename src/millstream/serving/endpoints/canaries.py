"""Judging a canary by what it has answered, beside the other versions in the same time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from millstream.entities.endpoint import Canary


class Figures(NamedTuple):
    """What a version has answered: how many requests, how many of them failed, and the seconds that 95 % stay below."""

    requests: int = 0
    failed: int = 0
    seconds: float = 0.0

    @property
    def error_rate(self) -> float:
        """The share of failed answers, 0 without any."""
        return self.failed / self.requests if self.requests else 0.0


@dataclass(frozen=True)
class Verdict:
    """What is to happen to a canary: STEP, PROMOTED or ROLLED_BACK, and why."""

    outcome: str
    reason: str


STEP = "STEP"


def judge(canary: Canary, elapsed: float, own: Figures, others: Figures) -> Verdict | None:
    """What is to happen ``elapsed`` seconds after the step began; None when it goes on as it is."""
    if own.requests >= max(canary.min_requests, 1):
        most = others.error_rate + canary.max_error_rate
        if own.error_rate > most:
            return Verdict("ROLLED_BACK", (
                f"{own.failed} of its {own.requests} answers failed ({own.error_rate:.1%}), of the others' "
                f"{others.error_rate:.1%}; at most {canary.max_error_rate:.1%} more are allowed"
            ))
        if canary.max_seconds is not None and own.seconds > canary.max_seconds:
            return Verdict("ROLLED_BACK", (
                f"95 % of its {own.requests} answers took up to {own.seconds:g} s, allowed are {canary.max_seconds:g} s"
            ))
    if elapsed < canary.steps[canary.step].seconds or own.requests < canary.min_requests:
        return None
    told = f"{own.requests} answers at {canary.percent:g} %, {own.failed} failed"
    return Verdict(STEP if canary.step + 1 < len(canary.steps) else "PROMOTED", told)
