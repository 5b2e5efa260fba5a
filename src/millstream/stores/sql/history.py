"""Histories of metrics: read in pages, reduced for charts, and cut back, in SQL."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, delete, func, literal, or_, select, tuple_

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
        raise InvalidValue.of("page_token", token, "it is not a token that this server gave out",
                              hint="start again without a token") from None
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
            points += [MetricWithRunId(operation.metric_key, _value(point), point.timestamp, point.step, row.run_id)
                       for point in found]
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
            points += [MetricWithRunId(operation.metric_key, value, timestamp, step, row.run_id)
                       for step, timestamp, value in sampled]
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


def _sample(transaction: Transaction, run: int, key: int, window: _Window) -> tuple[list[_Sample], bool]:
    """The points of a window in order, and whether any were left out: of each bucket the first, last, min and max."""
    if window.start is not None and window.end is not None and window.start > window.end:
        raise InvalidValue.of("start", window.start, f"it lies behind the end, {window.end}")
    shown = window.buckets * 4
    few = transaction.connection.execute(_within(_of(run, key), window).limit(shown + 1)).all()
    if len(few) <= shown:
        return [(row.step, row.timestamp, _value(row)) for row in few], False
    points = list(_candidates(transaction, run, key, window))
    places = [point[0] for point in points] if window.by == "step" else [point[1] for point in points]
    low, high = min(places), max(places)
    width = (high - low) // window.buckets + 1
    buckets: dict[int, list[_Sample]] = {}
    for place, point in zip(places, points, strict=True):
        buckets.setdefault((place - low) // width, []).append(point)
    kept = {point for bucket in buckets.values() for point in _corners(bucket)}
    return sorted(kept, key=lambda point: point[:2]), True


def _corners(points: list[_Sample]) -> Iterable[_Sample]:
    yield points[0]
    yield points[-1]
    numbers = [point for point in points if not math.isnan(point[2])]
    if numbers:
        yield min(numbers, key=lambda point: point[2])
        yield max(numbers, key=lambda point: point[2])


def _within(query: Select[Any], window: _Window) -> Select[Any]:
    column = _POINT.step if window.by == "step" else _POINT.timestamp
    if window.start is not None:
        query = query.where(column >= window.start)
    if window.end is not None:
        query = query.where(column <= window.end)
    return query


def _candidates(transaction: Transaction, run: int, key: int, window: _Window) -> Iterator[_Sample]:
    """Every point of the window; where it spans many blocks, the corners of each whole block in place of its points."""
    connection = transaction.connection
    query = select(metric_blocks).where(_BLOCK.run == run, _BLOCK.key == key).order_by(_BLOCK.block)
    if window.by == "step":
        if window.start is not None:
            query = query.where(_BLOCK.block * BLOCK_STEPS >= window.start)
        if window.end is not None:
            query = query.where((_BLOCK.block + 1) * BLOCK_STEPS - 1 <= window.end)
    else:
        if window.start is not None:
            query = query.where(_BLOCK.first_timestamp >= window.start)
        if window.end is not None:
            query = query.where(_BLOCK.last_timestamp <= window.end)
    enough = connection.execute(select(func.count()).select_from(query.limit(window.buckets).subquery())).scalar_one()
    raw = _within(_of(run, key), window)
    if enough < max(window.buckets // 2, 1):
        for row in connection.execute(raw):
            yield row.step, row.timestamp, _value(row)
        return
    blocks = connection.execute(query).all()
    covered = {block.block for block in blocks}
    edges = [bound for bound in _gaps(covered)]
    found = [
        (row.step, row.timestamp, _value(row))
        for row in connection.execute(raw.where(or_(*(and_(_POINT.step >= low, _POINT.step <= high)
                                                      for low, high in edges))))
    ]
    for block in blocks:
        for corner in ("first", "last", "min", "max"):
            step = getattr(block, f"{corner}_step")
            if step is not None:
                value = getattr(block, f"{corner}_value")
                found.append((step, getattr(block, f"{corner}_timestamp"), math.nan if value is None else value))
    yield from sorted(found, key=lambda point: point[:2])


def _gaps(covered: set[int]) -> Iterator[tuple[int, int]]:
    """The ranges of steps before, behind and between these blocks."""
    least = -(2**63)
    low = least
    for block in sorted(covered):
        high = block * BLOCK_STEPS - 1
        if low <= high:
            yield low, high
        low = (block + 1) * BLOCK_STEPS
    yield low, 2**63 - 1


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
    kept_on = connection.execute(select(metrics.c.key, metrics.c.model_id, metrics.c.dataset_name,
                                        metrics.c.dataset_digest).where(of_run)).all()
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


def _summarise(transaction: Transaction, run: Row[Any], key: int, cut_at: int | None, measured_on: Sequence[Any]) -> None:
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
    left = [row for query in corners for row in connection.execute(query).all()]
    write_points(connection, [
        Point(run.id, key, run.experiment_id, row.step, row.timestamp, _value(row), *measured_on) for row in left
    ])
