"""Metrics reduced for a chart: of each bucket, about a pixel wide, its smallest, greatest and last value.

A long history is read from its blocks, the summaries of 256 steps each. A block knows where its extremes lie, so each
goes into the bucket that it belongs to: what is a spike of one step stays one at every zoom. Short histories, and the
ends of a window that cuts a block, are read point by point.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection

from millstream.errors import InvalidValue
from millstream.operations import Curve, Curves, QueryCurves
from millstream.stores.sql.driver import fetch
from millstream.stores.sql.grid.cells import shown
from millstream.stores.sql.grid.values import chunked, within
from millstream.stores.sql.records import find_rows
from millstream.stores.sql.schema import BLOCK_STEPS
from millstream.stores.sql.transaction import Transaction, executes

MOST_RUNS = 1_000
MOST_CURVES = 5_000
MOST_PIXELS = 20_000
# How many points are read one by one, over all curves of a request, and of one curve in any case.
_READ = 24_576
_READ_EACH = 1_024
_AXES = ("step", "time", "relative")
_WIDEST = 2.0**62


@dataclass
class _Measured:
    """A metric of a run: from where to where its steps and times go; ``origin`` is where its axis begins."""

    run: int
    run_id: str
    key: int
    steps: tuple[int, int]
    times: tuple[int, int]
    origin: int


@dataclass
class _Window:
    """What is shown of an axis; None is open."""

    axis: str
    x0: float | None
    x1: float | None
    pixels: int
    low: float = 0.0
    width: float = field(default=1.0)

    @property
    def column(self) -> str:
        return "step" if self.axis == "step" else "timestamp"

    def condition(self, column: str, origin: int) -> str:
        """The condition that a point lies in it."""
        parts = []
        if self.x0 is not None:
            parts.append(f" AND {column} >= {_whole(math.ceil(self.x0) + origin)}")
        if self.x1 is not None:
            parts.append(f" AND {column} <= {_whole(math.floor(self.x1) + origin)}")
        return "".join(parts)


def _whole(number: int) -> int:
    return max(min(number, 2**63 - 1), -(2**63))


@executes(QueryCurves)
def query_curves(transaction: Transaction, operation: QueryCurves) -> Curves:
    _check(operation)
    runs = find_rows(transaction, list(dict.fromkeys(operation.run_ids)))
    names = list(dict.fromkeys(operation.metrics))
    keys = transaction.keys.find(transaction.connection, names)
    found = _measured(transaction, runs, list(keys.values()), operation.axis)
    window = _Window(operation.axis, operation.x0, operation.x1, operation.pixels)
    found = [one for one in found if _meets(one, window)]
    if not found:
        return Curves()
    _divide(window, found)
    most = max(_READ // len(found), _READ_EACH)
    name_of = {number: name for name, number in keys.items()}
    made: dict[tuple[int, int], Curve] = {}
    for key in keys.values():
        of_key = [one for one in found if one.key == key]
        short = [one for one in of_key if one.steps[1] - one.steps[0] < most]
        for one, rows in _short(transaction.connection, short, window):
            made[one.run, key] = _of_points(one, name_of[key], rows, window)
        for one in of_key:
            if one.steps[1] - one.steps[0] >= most:
                made[one.run, key] = _long(transaction.connection, one, name_of[key], window, most)
    order = [made[row.id, keys[name]] for name in names if name in keys for row in runs if (row.id, keys[name]) in made]
    curves = [curve for curve in order if curve.x]
    if not curves:
        return Curves()
    return Curves(curves, min(curve.x[0] for curve in curves), max(curve.x[-1] for curve in curves))


def _check(operation: QueryCurves) -> None:
    if operation.axis not in _AXES:
        raise InvalidValue.of("axis", operation.axis, f"it is none of {', '.join(_AXES)}")
    if not 1 <= operation.pixels <= MOST_PIXELS:
        raise InvalidValue.of("pixels", operation.pixels, f"it must be at least 1 and at most {MOST_PIXELS}")
    if not operation.run_ids or not operation.metrics:
        raise InvalidValue.of("run_ids" if not operation.run_ids else "metrics", [], "name at least one")
    if len(operation.run_ids) > MOST_RUNS or len(operation.run_ids) * len(operation.metrics) > MOST_CURVES:
        raise InvalidValue.of(
            "run_ids", f"{len(operation.run_ids)} runs, {len(operation.metrics)} metrics",
            f"at most {MOST_RUNS} runs and {MOST_CURVES} curves may be asked for at once",
        )
    ends = [end for end in (operation.x0, operation.x1) if end is not None]
    if any(not abs(end) < _WIDEST for end in ends) or ends != sorted(ends):
        raise InvalidValue.of("x0", operation.x0, f"a window goes from a number to a greater one, here {operation.x1}")


def _measured(transaction: Transaction, runs: Sequence[Any], keys: Sequence[int], axis: str) -> list[_Measured]:
    made: list[_Measured] = []
    by_number = {row.id: row for row in runs}
    if not keys:
        return made
    listed = ", ".join(map(str, keys))
    for chunk in chunked(list(by_number)):
        rows = fetch(
            transaction.connection,
            "SELECT run, key, first_step, step, first_timestamp, timestamp FROM metrics"
            f" WHERE {within('run', chunk)} AND key IN ({listed})",
        )
        for run, key, first_step, step, first_time, time in rows:
            row = by_number[run]
            begun = row.start_time if row.start_time is not None else first_time
            made.append(
                _Measured(
                    run, row.run_id, key, (first_step, step), (min(first_time, time), max(first_time, time)),
                    begun if axis == "relative" else 0,
                )
            )
    return made


def _ends(one: _Measured, axis: str) -> tuple[int, int]:
    low, high = one.steps if axis == "step" else one.times
    return low - one.origin, high - one.origin


def _meets(one: _Measured, window: _Window) -> bool:
    """Whether any of it can lie in the window. Times may lie beyond those of the first and the last step."""
    if window.axis != "step":
        return True
    low, high = _ends(one, window.axis)
    return (window.x0 is None or high >= window.x0) and (window.x1 is None or low <= window.x1)


def _divide(window: _Window, found: Sequence[_Measured]) -> None:
    """The same buckets for all curves, so that they stand above each other."""
    ends = [_ends(one, window.axis) for one in found]
    low = float(min(end[0] for end in ends)) if window.x0 is None else window.x0
    high = float(max(end[1] for end in ends)) if window.x1 is None else window.x1
    window.low = low
    window.width = max(high - low, 0.0) / window.pixels or 1.0


_Row = tuple[int, float, int]  # where, value, whether it is NaN


def _short(
    connection: Connection, found: Sequence[_Measured], window: _Window
) -> Iterable[tuple[_Measured, list[_Row]]]:
    """The points of several runs, together where they share an axis."""
    if window.axis == "relative" and (window.x0 is not None or window.x1 is not None):
        for one in found:
            yield one, _points(connection, one, window)
        return
    by_run = {one.run: one for one in found}
    for chunk in chunked(list(by_run)):
        rows = fetch(
            connection,
            f"SELECT run, {window.column}, value, is_nan FROM metric_points WHERE {within('run', chunk)}"
            f" AND key = {found[0].key}{window.condition(window.column, 0)} ORDER BY run, step, timestamp, value",
        )
        for run, points in groupby(rows, itemgetter(0)):
            yield by_run[run], [point[1:] for point in points]


def _points(
    connection: Connection, one: _Measured, window: _Window, first: int = -(2**63), last: int = 2**63 - 1
) -> list[_Row]:
    """The points of a window, from one step to another. The steps are told once: of two bounds SQLite follows any."""
    condition = ""
    if window.axis == "step":
        first = first if window.x0 is None else max(first, _whole(math.ceil(window.x0)))
        last = last if window.x1 is None else min(last, _whole(math.floor(window.x1)))
    else:
        condition = window.condition("timestamp", one.origin)
    return fetch(
        connection,
        f"SELECT {window.column}, value, is_nan FROM metric_points WHERE run = {one.run} AND key = {one.key}"
        f" AND step >= {first} AND step <= {last}{condition} ORDER BY step, timestamp, value",
    )


def _of_points(one: _Measured, name: str, rows: list[_Row], window: _Window) -> Curve:
    origin = one.origin
    points = [(x - origin, math.nan if nan else value) for x, value, nan in rows]
    if len(points) > 2 * window.pixels:
        return _reduced(one, name, points, window, len(points))
    if window.axis != "step":
        points.sort(key=itemgetter(0))
    values = [shown(value) for _, value in points]
    return Curve(one.run_id, name, len(points), True, [float(x) for x, _ in points], values, values, values)


def _long(connection: Connection, one: _Measured, name: str, window: _Window, most: int) -> Curve:
    x = window.column
    corners = ", ".join(f"{corner}_{x}, {corner}_value" for corner in ("first", "last", "min", "max"))
    where = f"run = {one.run} AND key = {one.key}"
    if window.axis == "step":
        if window.x0 is not None:
            where += f" AND block >= {_whole(math.ceil(window.x0)) // BLOCK_STEPS}"
        if window.x1 is not None:
            where += f" AND block <= {_whole(math.floor(window.x1)) // BLOCK_STEPS}"
    else:
        where += window.condition("last_timestamp", one.origin).partition(" AND last_timestamp <=")[0]
        if window.x1 is not None:
            where += f" AND first_timestamp <= {_whole(math.floor(window.x1) + one.origin)}"
    blocks = fetch(connection, f"SELECT block, {corners} FROM metric_blocks WHERE {where} ORDER BY block")
    # Steps before the first block have none.
    rows = _points(connection, one, window, last=BLOCK_STEPS - 1)
    if len(blocks) * BLOCK_STEPS <= most:
        if blocks:
            rows += _points(connection, one, window, blocks[0][0] * BLOCK_STEPS, (blocks[-1][0] + 1) * BLOCK_STEPS - 1)
        return _of_points(one, name, rows, window)
    low = -_WIDEST if window.x0 is None else window.x0 + one.origin
    high = _WIDEST if window.x1 is None else window.x1 + one.origin
    whole: list[tuple[float, float]] = []
    put = whole.append
    origin = one.origin
    counted: list[int] = []
    cut: list[int] = []
    for block, x1, first, x2, last, x3, least, x4, greatest in blocks:
        if x1 < low or x2 > high:
            cut.append(block)
            continue
        counted.append(block)
        put((x1 - origin, math.nan if first is None else first))
        if x3 is not None:
            put((x3 - origin, least))
            put((x4 - origin, greatest))
        put((x2 - origin, math.nan if last is None else last))
    for block in cut:
        rows += _points(connection, one, window, block * BLOCK_STEPS, (block + 1) * BLOCK_STEPS - 1)
    whole += [(place - origin, math.nan if nan else value) for place, value, nan in rows]
    points = len(rows) + _estimate(connection, one, counted)
    return _reduced(one, name, whole, window, points)


def _estimate(connection: Connection, one: _Measured, blocks: Sequence[int]) -> int:
    """How many points some blocks have, by the one in the middle."""
    if not blocks:
        return 0
    middle = blocks[len(blocks) // 2] * BLOCK_STEPS
    counted = fetch(
        connection,
        f"SELECT count(*) FROM metric_points WHERE run = {one.run} AND key = {one.key}"
        f" AND step >= {middle} AND step < {middle + BLOCK_STEPS}",
    )
    return int(counted[0][0]) * len(blocks)


def _reduced(
    one: _Measured, name: str, points: Iterable[tuple[float, float]], window: _Window, counted: int
) -> Curve:
    """Points, in any order, by buckets. A bucket is ``[first x, min, max, last x, last]``."""
    buckets: dict[int, list[float]] = {}
    low, width, top = window.low, window.width, window.pixels - 1
    for x, value in points:
        at = int((x - low) / width)
        if at > top:
            at = top
        bucket = buckets.get(at)
        if bucket is None:
            buckets[at] = [x, value, value, x, value]
            continue
        if x < bucket[0]:
            bucket[0] = x
        if x >= bucket[3]:
            bucket[3] = x
            bucket[4] = value
        # Written so that a number takes the place of NaN, and NaN that of nothing.
        if not value >= bucket[1] and value == value:
            bucket[1] = value
        if not value <= bucket[2] and value == value:
            bucket[2] = value
    made = [buckets[at] for at in sorted(buckets)]
    return Curve(
        one.run_id, name, counted, False, [float(bucket[0]) for bucket in made],
        *([shown(bucket[part]) for bucket in made] for part in (1, 2, 4)),
    )
