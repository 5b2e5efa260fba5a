"""The time of points that are logged without a time.

Points of one step are in the order of their times, and the last of them is the metric's value. A program that logs
without steps relies on that, and logs many points within a millisecond. So the next point of a metric without a step is
at least a millisecond later than the one before it: its place matters more than when exactly it was logged.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from time import time_ns

_RUNS_REMEMBERED = 1_000

_runs: OrderedDict[str, dict[str, int]] = OrderedDict()


def times_of(run_id: str) -> dict[str, int]:
    """Metric key → time of its last point without a step, as this process knows them of a run."""
    times = _runs.get(run_id)
    if times is None:
        times = _runs[run_id] = {}
        if len(_runs) > _RUNS_REMEMBERED:
            _runs.popitem(last=False)
    return times


def next_time(times: dict[str, int], keys: Iterable[str]) -> int:
    """The time for a new point of each of these metrics, in milliseconds since the epoch."""
    now = time_ns() // 1_000_000
    for key in keys:
        if now <= times.get(key, 0):
            now = times[key] + 1
    for key in keys:
        times[key] = now
    return now
