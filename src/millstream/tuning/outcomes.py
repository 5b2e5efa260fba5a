"""What the search in one process and a trial in another say to each other, and what a search answers."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

COMPLETE = "COMPLETE"
FAIL = "FAIL"


@dataclass(frozen=True)
class Outcome:
    """How a trial ended: ``metrics`` by name, or an ``error`` in one line."""

    metrics: dict[str, float] = field(default_factory=dict)
    error: str | None = None

    def to_json(self) -> str:
        """Its JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def of_json(cls, text: str) -> Outcome:
        """The outcome of this text."""
        return cls(**json.loads(text))


class Attempt(Protocol):
    """A trial that is under way in processes of its own."""

    def wait(self) -> Outcome:
        """How it ended, when it has."""

    def cancel(self) -> None:
        """End its processes. From any thread, also when they have ended."""


class Objective(Protocol):
    """What is tried, each time in processes of its own. ``metric`` is the name of what is best.

    With ``logs_params`` the trial's run gets the parameters by what runs in it.
    """

    metric: str
    logs_params: bool

    def start(self, config: Mapping[str, Any], run_id: str, experiment_id: str) -> Attempt:
        """Try ``config`` in the run ``run_id``, which is there."""


@dataclass(frozen=True)
class TrialResult:
    """A trial that is over: its number and run, what the objective was called with, how it ended and its value.

    ``state`` is ``COMPLETE`` or ``FAIL``; a trial that failed has no value.
    """

    number: int
    run_id: str
    params: dict[str, Any]
    state: str
    value: float | None = None


@dataclass(frozen=True)
class SearchResult:
    """A search that is over: its run, its trials by number, those of earlier processes included, and the best."""

    run_id: str
    trials: list[TrialResult]
    best: TrialResult


def measured(result: Any, metric: str) -> Outcome:
    """The outcome of an objective that returned ``result``: a number, or a dictionary with one under ``metric``."""
    values = result if isinstance(result, Mapping) else {metric: result}
    metrics = {
        str(name): float(value) for name, value in values.items()
        if isinstance(value, numbers.Real) and not isinstance(value, bool)
    }
    if metric not in metrics:
        what = f"a dictionary without a number under {metric!r}" if values is result else repr(result)[:200]
        return Outcome(metrics, f"the objective returned {what}")
    if values is result and values.get("status") == "fail":
        return Outcome(metrics, "the objective returned the status fail")
    if math.isnan(metrics[metric]):
        return Outcome(metrics, f"{metric} is not a number")
    return Outcome(metrics)
