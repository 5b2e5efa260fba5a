"""The time of points that are logged without a time.

Points of one step are in the order of their times, and the last of them is the metric's value. A program that logs
without steps, or twice at a step, relies on that, and may do it many times within a millisecond. So the next point of a
metric at the same step is at least a millisecond later than the one before it: its place matters more than when exactly
it was logged.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from time import time_ns

_RUNS_REMEMBERED = 1_000

# Metric key → step and time of its last point.
Times = dict[str, tuple[int, int]]

_runs: OrderedDict[str, Times] = OrderedDict()


def times_of(run_id: str) -> Times:
    """The last points of a run's metrics, as this process knows them."""
    times = _runs.get(run_id)
    if times is None:
        times = _runs[run_id] = {}
        if len(_runs) > _RUNS_REMEMBERED:
            _runs.popitem(last=False)
    return times


def next_time(times: Times, keys: Iterable[str], step: int) -> int:
    """The time for a new point at ``step`` of each of these metrics, in milliseconds since the epoch."""
    now = time_ns() // 1_000_000
    for key in keys:
        last = times.get(key)
        if last is not None and last[0] == step and now <= last[1]:
            now = last[1] + 1
    point = (step, now)
    for key in keys:
        times[key] = point
    return now
