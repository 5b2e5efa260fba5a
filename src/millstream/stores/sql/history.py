"""Histories of metrics: read in pages, reduced for charts, and cut back, in SQL."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, delete, literal, select, tuple_

from millstream.entities import Metric, MetricWithRunId
from millstream.errors import InvalidValue
from millstream.operations import (
    Deleted,
    DeleteMetric,
    GetMetricHistory,
    GetMetricHistoryBulk,
    GetMetricHistoryBulkInterval,
    GetSeries,
    MetricHistories,
    MetricHistory,
    Series,
    SeriesAnswer,
)
from millstream.operations.limits import BULK_RUNS, HISTORY_PAGE, SERIES_RUNS, check_page
from millstream.stores.sql.points import Point, write_points
from millstream.stores.sql.records import find_rows
from millstream.stores.sql.schema import BLOCK_STEPS, metric_blocks, metric_points, metrics
from millstream.stores.sql.transaction import Transaction, executes, find_run, no_run

_POINT = metric_points.c
_BLOCK = metric_blocks.c
_SAMPLED_POINTS = 2_500
_MOST_BUCKETS = 20_000


def _value(row: Row[Any]) -> float:
    return math.nan if row.is_nan else float(row.value)


def _of(run: int, key: int) -> Select[Any]:
    return (
        select(_POINT.step, _POINT.timestamp, _POINT.value, _POINT.is_nan)
        .where(_POINT.run == run, _POINT.key == key)
        .order_by(_POINT.step, _POINT.timestamp, _POINT.value, _POINT.is_nan)
    )


def _token(row: Row[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps([row.step, row.timestamp, row.value, row.is_nan]).encode()).decode()


def _after(token: str) -> ColumnElement[bool]:
    try:
        step, timestamp, value, is_nan = json.loads(base64.urlsafe_b64decode(token.encode()))
        where = (int(step), int(timestamp), float(value), int(is_nan))
    except (ValueError, TypeError):
        raise InvalidValue.of(
            "page_token", token, "it is not a token that this server gave out", hint="start again without a token"
        ) from None
    columns = (_POINT.step, _POINT.timestamp, _POINT.value, _POINT.is_nan)
    return tuple_(*columns) > tuple_(*(literal(item, column.type) for item, column in zip(where, columns, strict=True)))


@executes(GetMetricHistory)
def page(transaction: Transaction, operation: GetMetricHistory) -> MetricHistory:
    run = find_run(transaction, operation.run_id).id
    key = transaction.key(operation.metric_key)
    if key is None:
        return MetricHistory()
    query = _of(run, key)
    if operation.page_token:
        query = query.where(_after(operation.page_token))
    limit = operation.max_results
    if limit is not None:
        query = query.limit(check_page(limit, HISTORY_PAGE) + 1)
    rows = transaction.connection.execute(query).all()
    token = None
    if limit is not None and len(rows) > limit:
        rows = rows[:limit]
        token = _token(rows[-1])
    name = operation.metric_key
    return MetricHistory([Metric(name, _value(row), row.timestamp, row.step) for row in rows], token)


@executes(GetMetricHistoryBulk)
def bulk(transaction: Transaction, operation: GetMetricHistoryBulk) -> MetricHistories:
    wanted = _bounded(operation.run_id, BULK_RUNS, "run_id")
    left = check_page(operation.max_results, HISTORY_PAGE)
    key = transaction.key(operation.metric_key)
    points: list[MetricWithRunId] = []
    if key is not None:
        for row in find_rows(transaction, sorted(wanted)):
            found = transaction.connection.execute(_of(row.id, key).limit(left - len(points)))
            points += [
                MetricWithRunId(operation.metric_key, _value(point), point.timestamp, point.step, row.run_id)
                for point in found
            ]
            if len(points) >= left:
                break
    return MetricHistories(points)


@executes(GetMetricHistoryBulkInterval)
def bulk_interval(transaction: Transaction, operation: GetMetricHistoryBulkInterval) -> MetricHistories:
    wanted = _bounded(operation.run_ids, BULK_RUNS, "run_ids")
    most = check_page(operation.max_results, _SAMPLED_POINTS)
    if (operation.start_step is None) != (operation.end_step is None):
        raise InvalidValue.of("start_step", operation.start_step, "give start_step and end_step together, or neither")
    key = transaction.key(operation.metric_key)
    points: list[MetricWithRunId] = []
    if key is not None:
        window = _Window("step", operation.start_step, operation.end_step, max(most // 4, 1))
        for row in find_rows(transaction, wanted):
            sampled, _ = _sample(transaction, row.id, key, window)
            points += [
                MetricWithRunId(operation.metric_key, value, timestamp, step, row.run_id)
                for step, timestamp, value in sampled
            ]
    return MetricHistories(points)


@executes(GetSeries)
def series(transaction: Transaction, operation: GetSeries) -> SeriesAnswer:
    wanted = _bounded(operation.run_ids, SERIES_RUNS, "run_ids")
    if operation.by not in ("step", "time"):
        raise InvalidValue.of("by", operation.by, "it is neither 'step' nor 'time'")
    if not 1 <= operation.buckets <= _MOST_BUCKETS:
        raise InvalidValue.of("buckets", operation.buckets, f"it must be at least 1 and at most {_MOST_BUCKETS}")
    rows = find_rows(transaction, wanted)
    missing = set(wanted) - {row.run_id for row in rows}
    if missing:
        raise no_run(sorted(missing)[0])
    key = transaction.key(operation.metric_key)
    made: list[Series] = []
    if key is not None:
        window = _Window(operation.by, operation.start, operation.end, operation.buckets)
        for row in rows:
            points, sampled = _sample(transaction, row.id, key, window)
            if points:
                steps, timestamps, values = (list(column) for column in zip(*points, strict=True))
                made.append(Series(row.run_id, steps, timestamps, values, sampled))
    return SeriesAnswer(made)


def _bounded(run_ids: Sequence[str], most: int, field: str) -> list[str]:
    unique = list(dict.fromkeys(run_ids))
    if not unique:
        raise InvalidValue.of(field, [], "name at least one run")
    if len(unique) > most:
        raise InvalidValue.of(field, f"{len(unique)} runs", f"at most {most} runs may be asked for at once")
    return unique


class _Window(NamedTuple):
    """What a chart shows: steps or times from ``start`` to ``end`` (both included, None is open), in ``buckets``."""

    by: str
    start: int | None
    end: int | None
    buckets: int


_Sample = tuple[int, int, float]  # step, timestamp, value
# What a stretch of points amounts to: its first, last, smallest and greatest point; the latter two None if all are NaN.
_Corners = tuple[_Sample, _Sample, "_Sample | None", "_Sample | None"]


def _sample(transaction: Transaction, run: int, key: int, window: _Window) -> tuple[list[_Sample], bool]:
    """The points of a window in order, and whether any were left out: of each bucket the first, last, min and max."""
    if window.start is not None and window.end is not None and window.start > window.end:
        raise InvalidValue.of("start", window.start, f"it lies behind the end, {window.end}")
    shown = window.buckets * 4
    few = transaction.connection.execute(_within(_of(run, key), window).limit(shown + 1)).all()
    if len(few) <= shown:
        return [_point(row) for row in few], False
    stretches = _stretches(transaction, run, key, window)
    by = 0 if window.by == "step" else 1
    places = [int(stretch[0][by]) for stretch in stretches]
    low = min(places)
    width = (max(places) - low) // window.buckets + 1
    buckets: dict[int, _Corners] = {}
    for place, stretch in zip(places, stretches, strict=True):
        bucket = (place - low) // width
        before = buckets.get(bucket)
        buckets[bucket] = stretch if before is None else _joined(before, stretch)
    kept = {point for bucket in buckets.values() for point in bucket if point is not None}
    return sorted(kept, key=lambda point: point[:2]), True


def _joined(before: _Corners, after: _Corners) -> _Corners:
    first, last, least, greatest = before
    _, last, low, high = after
    if least is None or (low is not None and low[2] < least[2]):
        least = low
    if greatest is None or (high is not None and high[2] > greatest[2]):
        greatest = high
    return first, last, least, greatest


def _point(row: Any) -> _Sample:
    step, timestamp, value, is_nan = row
    return step, timestamp, math.nan if is_nan else value


def _corner(step: int | None, timestamp: int | None, value: float | None) -> _Sample | None:
    return None if step is None or timestamp is None else (step, timestamp, math.nan if value is None else value)


def _within(query: Select[Any], window: _Window) -> Select[Any]:
    column = _POINT.step if window.by == "step" else _POINT.timestamp
    if window.start is not None:
        query = query.where(column >= window.start)
    if window.end is not None:
        query = query.where(column <= window.end)
    return query


_CORNER_COLUMNS = [
    _BLOCK[f"{corner}_{part}"] for corner in ("first", "last", "min", "max") for part in ("step", "timestamp", "value")
]


def _stretches(transaction: Transaction, run: int, key: int, window: _Window) -> list[_Corners]:
    """The window in order: each of its points; where it spans many blocks, each whole block in place of its points."""
    connection = transaction.connection
    points = _within(_of(run, key), window)
    query = select(_BLOCK.block, *_CORNER_COLUMNS).where(_BLOCK.run == run, _BLOCK.key == key)
    low, high = (
        (_BLOCK.first_step, _BLOCK.last_step)
        if window.by == "step"
        else (_BLOCK.first_timestamp, _BLOCK.last_timestamp)
    )
    if window.start is not None:
        query = query.where(high >= window.start)
    if window.end is not None:
        query = query.where(low <= window.end)
    blocks = connection.execute(query).all()
    if len(blocks) < max(window.buckets // 2, 1):
        return [(point, point, *_number(point)) for point in map(_point, connection.execute(points))]
    made: list[_Corners] = []
    # Steps before the first block have none; a block that the window cuts is read point by point.
    ranges = [(-(2**63), BLOCK_STEPS - 1)]
    by = 0 if window.by == "step" else 1
    for block, *columns in blocks:
        first, last, least, greatest = (_corner(*columns[start : start + 3]) for start in (0, 3, 6, 9))
        if first is None or last is None:
            continue
        cut = (window.start is not None and first[by] < window.start) or (
            window.end is not None and last[by] > window.end
        )
        if cut:
            ranges.append((block * BLOCK_STEPS, (block + 1) * BLOCK_STEPS - 1))
        else:
            made.append((first, last, least, greatest))
    for start, end in ranges:
        found = connection.execute(points.where(_POINT.step >= start, _POINT.step <= end))
        made += [(point, point, *_number(point)) for point in map(_point, found)]
    return sorted(made, key=lambda corners: corners[0][:2])


def _number(point: _Sample) -> tuple[_Sample | None, _Sample | None]:
    """A point as the smallest and greatest of itself, unless it is NaN."""
    return (None, None) if math.isnan(point[2]) else (point, point)


@executes(DeleteMetric)
def cut(transaction: Transaction, operation: DeleteMetric) -> Deleted:
    run = find_run(transaction, operation.run_id, active=True)
    connection = transaction.connection
    of_run = metrics.c.run == run.id
    if operation.key is not None:
        key = transaction.key(operation.key)
        if key is None:
            return Deleted(0)
        of_run = and_(of_run, metrics.c.key == key)
    kept_on = connection.execute(
        select(metrics.c.key, metrics.c.model_id, metrics.c.dataset_name, metrics.c.dataset_digest).where(of_run)
    ).all()
    gone = 0
    for key, *measured_on in kept_on:
        points = and_(_POINT.run == run.id, _POINT.key == key)
        blocks = and_(_BLOCK.run == run.id, _BLOCK.key == key)
        if operation.from_step is not None:
            points = and_(points, _POINT.step >= operation.from_step)
            blocks = and_(blocks, (_BLOCK.block + 1) * BLOCK_STEPS > operation.from_step)
        removed = connection.execute(delete(metric_points).where(points)).rowcount
        if not removed:
            continue
        gone += removed
        connection.execute(delete(metric_blocks).where(blocks))
        connection.execute(delete(metrics).where(metrics.c.run == run.id, metrics.c.key == key))
        _summarise(transaction, run, key, operation.from_step, measured_on)
    return Deleted(gone)


def _summarise(
    transaction: Transaction, run: Row[Any], key: int, cut_at: int | None, measured_on: Sequence[Any]
) -> None:
    """Make the summary again from the points that are left, and the block that was cut in two."""
    if cut_at is None:
        return
    connection = transaction.connection
    edge = _POINT.step >= (cut_at // BLOCK_STEPS) * BLOCK_STEPS
    of_metric = and_(_POINT.run == run.id, _POINT.key == key)
    numbers = and_(of_metric, _POINT.is_nan == 0)
    ascending = (_POINT.step, _POINT.timestamp, _POINT.value)
    whole = select(_POINT.step, _POINT.timestamp, _POINT.value, _POINT.is_nan)
    corners = [
        whole.where(of_metric).order_by(*ascending).limit(1),
        whole.where(of_metric).order_by(*(column.desc() for column in ascending)).limit(1),
        whole.where(numbers).order_by(_POINT.value, _POINT.step, _POINT.timestamp).limit(1),
        whole.where(numbers).order_by(_POINT.value.desc(), _POINT.step, _POINT.timestamp).limit(1),
        whole.where(of_metric, edge),
    ]
    left = [_point(row) for query in corners for row in connection.execute(query)]
    write_points(connection, [Point(run.id, key, run.experiment_id, *point, *measured_on) for point in left])
