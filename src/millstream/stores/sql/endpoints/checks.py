"""What the settings of an endpoint may be."""

from __future__ import annotations

import math
from collections.abc import Sequence

from millstream.entities.endpoint import (
    ENV_MANAGERS,
    SERVES_ALL,
    SERVES_TRAFFIC,
    CanaryStep,
    EndpointLimits,
    Share,
    canonical_target,
)
from millstream.errors import InvalidValue

MOST_SHARES = 100
MOST_WORKERS = 64
MOST_STEPS = 100
MOST_BODY = 2 * 1024**3
WEEK = 7 * 24 * 3600.0


def check_traffic(shares: Sequence[Share]) -> list[Share]:
    """Shares as they are kept. Raises InvalidValue for a weight that is none, and a target named twice."""
    made: dict[str, Share] = {}
    _at_most("traffic", len(shares), MOST_SHARES)
    for index, share in enumerate(shares):
        target = canonical_target(share.target)
        if not (math.isfinite(share.weight) and 0 < share.weight <= 1e9):
            raise InvalidValue.of(f"traffic[{index}].weight", share.weight, "a weight is a number above 0",
                                  hint="leave a target without traffic out")
        if target in made:
            raise InvalidValue.of(f"traffic[{index}].target", target, "it is named twice")
        made[target] = Share(target, float(share.weight))
    return list(made.values())


def check_shadow(targets: Sequence[str]) -> list[str]:
    """Targets as they are kept."""
    _at_most("shadow", len(targets), MOST_SHARES)
    return list(dict.fromkeys(canonical_target(target) for target in targets))


def check_serves(serves: str) -> str:
    """Which versions have scoring processes."""
    if serves not in (SERVES_ALL, SERVES_TRAFFIC):
        raise InvalidValue.of("serves", serves, f"it is neither {SERVES_ALL} nor {SERVES_TRAFFIC}")
    return serves


def check_manager(manager: str) -> str:
    """An environment manager."""
    if manager not in ENV_MANAGERS:
        raise InvalidValue.of("env_manager", manager, f"it is none of {', '.join(ENV_MANAGERS)}")
    return manager


def check_count(field: str, number: int) -> int:
    """A number of processes."""
    if not 1 <= number <= MOST_WORKERS:
        raise InvalidValue.of(field, number, f"it must be from 1 to {MOST_WORKERS}",
                              hint="to have none, switch the endpoint off" if number == 0 else None)
    return number


def check_idle(seconds: float) -> float:
    """Seconds without requests, 0 for never."""
    if not 0 <= seconds <= WEEK:
        raise InvalidValue.of("idle_seconds", seconds, f"it must be from 0 (never) to {WEEK:.0f}")
    return float(seconds)


def check_limits(limits: EndpointLimits) -> EndpointLimits:
    """What requests may take."""
    if limits.body_bytes is not None and not 1 <= limits.body_bytes <= MOST_BODY:
        raise InvalidValue.of("limits.body_bytes", limits.body_bytes, f"it must be from 1 to {MOST_BODY}")
    if limits.seconds is not None and not 0 < limits.seconds <= 24 * 3600:
        raise InvalidValue.of("limits.seconds", limits.seconds, "it must be above 0 and at most a day")
    if limits.requests is not None and not 1 <= limits.requests <= 1_000_000:
        raise InvalidValue.of("limits.requests", limits.requests, "it must be from 1 to 1000000")
    return limits


def check_steps(steps: Sequence[CanaryStep]) -> list[CanaryStep]:
    """Steps of a canary: each gives more than the one before."""
    if not steps:
        raise InvalidValue("a canary has at least one step", hint='such as [{"percent": 10, "seconds": 300}]')
    _at_most("steps", len(steps), MOST_STEPS)
    before = 0.0
    for index, step in enumerate(steps):
        if not before < step.percent <= 100:
            raise InvalidValue.of(f"steps[{index}].percent", step.percent,
                                  f"it must be above {before:g}, the percent before it, and at most 100")
        if not 0 <= step.seconds <= WEEK:
            raise InvalidValue.of(f"steps[{index}].seconds", step.seconds, f"it must be from 0 to {WEEK:.0f}")
        before = step.percent
    return [CanaryStep(float(step.percent), float(step.seconds)) for step in steps]


def check_rule(max_error_rate: float, min_requests: int, max_seconds: float | None) -> None:
    """The conditions of a canary."""
    if not 0 <= max_error_rate <= 1:
        raise InvalidValue.of("max_error_rate", max_error_rate, "it must be from 0 to 1",
                              hint="0.05 means five failed answers of a hundred")
    if not 0 <= min_requests <= 1_000_000:
        raise InvalidValue.of("min_requests", min_requests, "it must be from 0 to 1000000")
    if max_seconds is not None and not 0 < max_seconds <= 24 * 3600:
        raise InvalidValue.of("max_seconds", max_seconds, "it must be above 0 and at most a day")


def _at_most(field: str, number: int, most: int) -> None:
    if number > most:
        raise InvalidValue.of(field, number, f"there can be at most {most}")
