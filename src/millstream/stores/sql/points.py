"""Points of metrics go in: every point, and what the points amount to (last, first, min, max, blocks).

Everything written here is idempotent: a point sent twice leaves the tables as a point sent once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection

from millstream.stores.sql.driver import Row, many
from millstream.stores.sql.schema import BLOCK_STEPS

# A summary's NULL value stands for NaN; beside a point of the same step and time it counts as the smallest.
_LEAST = "-1.7976931348623157e308"


class Point(NamedTuple):
    """One point on its way in, keys and runs already numbers."""

    run: int
    key: int
    experiment_id: int
    step: int
    timestamp: int
    value: float
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


def _newer(table: str) -> str:
    return (
        f"(excluded.step, excluded.timestamp, coalesce(excluded.value, {_LEAST}))"
        f" >= ({table}.step, {table}.timestamp, coalesce({table}.value, {_LEAST}))"
    )


def _case(table: str, condition: str, columns: Iterable[str]) -> str:
    return ", ".join(
        f"{column} = CASE WHEN {condition} THEN excluded.{column} ELSE {table}.{column} END" for column in columns
    )


def _moment(table: str, prefix: str) -> str:
    """What orders points, so that a summary is the same in whatever order they came."""
    return f"({table}.{prefix}_step, {table}.{prefix}_timestamp, coalesce({table}.{prefix}_value, {_LEAST}))"


def _least(table: str, prefix: str, *ties: str) -> str:
    ours, theirs = (", ".join(f"{side}.{tie}" for tie in ties) for side in ("excluded", table))
    return (
        f"{table}.{prefix}_value IS NULL OR excluded.{prefix}_value < {table}.{prefix}_value"
        f" OR (excluded.{prefix}_value = {table}.{prefix}_value AND ({ours}) < ({theirs}))"
    )


def _greatest(table: str, prefix: str, *ties: str) -> str:
    return _least(table, prefix, *ties).replace(
        f"excluded.{prefix}_value < {table}.{prefix}_value", f"excluded.{prefix}_value > {table}.{prefix}_value"
    )


_INSERT_POINT = (
    "INSERT INTO metric_points (run, key, step, timestamp, value, is_nan) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)

_SUMMARY = (
    "run",
    "key",
    "experiment_id",
    "value",
    "step",
    "timestamp",
    "min_value",
    "min_step",
    "max_value",
    "max_step",
    "first_value",
    "first_step",
    "first_timestamp",
    "model_id",
    "dataset_name",
    "dataset_digest",
)
_UPSERT_SUMMARY = (
    f"INSERT INTO metrics ({', '.join(_SUMMARY)}) VALUES ({', '.join('?' * len(_SUMMARY))})"
    " ON CONFLICT (run, key) DO UPDATE SET "
    + _case("metrics", _newer("metrics"), ("value", "step", "timestamp", "model_id", "dataset_name", "dataset_digest"))
    + ", "
    + _case("metrics", _least("metrics", "min", "min_step"), ("min_value", "min_step"))
    + ", "
    + _case("metrics", _greatest("metrics", "max", "max_step"), ("max_value", "max_step"))
    + ", "
    + _case(
        "metrics",
        f"{_moment('excluded', 'first')} < {_moment('metrics', 'first')}",
        ("first_value", "first_step", "first_timestamp"),
    )
)

_BLOCK = (
    "run",
    "key",
    "block",
    "first_step",
    "first_timestamp",
    "first_value",
    "last_step",
    "last_timestamp",
    "last_value",
    "min_step",
    "min_timestamp",
    "min_value",
    "max_step",
    "max_timestamp",
    "max_value",
)
_UPSERT_BLOCK = (
    f"INSERT INTO metric_blocks ({', '.join(_BLOCK)}) VALUES ({', '.join('?' * len(_BLOCK))})"
    " ON CONFLICT (run, key, block) DO UPDATE SET "
    + _case(
        "metric_blocks",
        f"{_moment('excluded', 'first')} < {_moment('metric_blocks', 'first')}",
        ("first_step", "first_timestamp", "first_value"),
    )
    + ", "
    + _case(
        "metric_blocks",
        f"{_moment('excluded', 'last')} >= {_moment('metric_blocks', 'last')}",
        ("last_step", "last_timestamp", "last_value"),
    )
    + ", "
    + _case(
        "metric_blocks",
        _least("metric_blocks", "min", "min_step", "min_timestamp"),
        ("min_step", "min_timestamp", "min_value"),
    )
    + ", "
    + _case(
        "metric_blocks",
        _greatest("metric_blocks", "max", "max_step", "max_timestamp"),
        ("max_step", "max_timestamp", "max_value"),
    )
)


def _stored(value: float) -> float | None:
    return None if math.isnan(value) else value


def _order(point: Point) -> tuple[int, int, float]:
    return (point.step, point.timestamp, -math.inf if math.isnan(point.value) else point.value)


def _extremes(points: list[Point]) -> tuple[Point | None, Point | None]:
    """The smallest and the greatest point, the earliest step of equals; None where all are NaN."""
    numbers = [point for point in points if not math.isnan(point.value)]
    if not numbers:
        return None, None
    return (
        min(numbers, key=lambda point: (point.value, point.step, point.timestamp)),
        min(numbers, key=lambda point: (-point.value, point.step, point.timestamp)),
    )


def _summary(points: list[Point]) -> Row:
    last = points[0] if len(points) == 1 else max(points, key=_order)
    first = points[0] if len(points) == 1 else min(points, key=_order)
    least, greatest = _extremes(points)
    return (
        last.run,
        last.key,
        last.experiment_id,
        _stored(last.value),
        last.step,
        last.timestamp,
        least and least.value,
        least and least.step,
        greatest and greatest.value,
        greatest and greatest.step,
        _stored(first.value),
        first.step,
        first.timestamp,
        last.model_id,
        last.dataset_name,
        last.dataset_digest,
    )


def _block(points: list[Point]) -> Row:
    first, last = min(points, key=_order), max(points, key=_order)
    least, greatest = _extremes(points)
    return (
        first.run,
        first.key,
        first.step // BLOCK_STEPS,
        first.step,
        first.timestamp,
        _stored(first.value),
        last.step,
        last.timestamp,
        _stored(last.value),
        least and least.step,
        least and least.timestamp,
        least and least.value,
        greatest and greatest.step,
        greatest and greatest.timestamp,
        greatest and greatest.value,
    )


def write_points(connection: Connection, points: list[Point]) -> None:
    """Write points of any runs and metrics. Rows are written in the order of their keys, so that writers on
    PostgreSQL that touch the same rows wait for each other and never deadlock."""
    by_metric: dict[tuple[int, int], list[Point]] = {}
    by_block: dict[tuple[int, int, int], list[Point]] = {}
    for point in points:
        by_metric.setdefault((point.run, point.key), []).append(point)
        if point.step >= BLOCK_STEPS:
            by_block.setdefault((point.run, point.key, point.step // BLOCK_STEPS), []).append(point)
    rows: list[Row] = [
        (run, key, step, timestamp, 0.0, 1) if value != value else (run, key, step, timestamp, value, 0)
        for run, key, _, step, timestamp, value, *_ in sorted(points, key=lambda point: point[:2])
    ]
    write_summed(
        connection,
        rows,
        [by_metric[metric] for metric in sorted(by_metric)],
        [by_block[block] for block in sorted(by_block)],
    )


def write_summed(
    connection: Connection, rows: list[Row], of_metrics: list[list[Point]], of_blocks: list[list[Point]]
) -> None:
    """Write points as rows of ``metric_points``, and the summaries of their metrics and blocks.

    Each list of points decides one summary: it need only hold the first, last, smallest and greatest of its rows.
    """
    many(connection, _INSERT_POINT, rows)
    many(connection, _UPSERT_SUMMARY, [_summary(points) for points in of_metrics])
    many(connection, _UPSERT_BLOCK, [_block(points) for points in of_blocks])
