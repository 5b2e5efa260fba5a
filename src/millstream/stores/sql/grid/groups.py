"""Runs that agree in some columns as one row, with what the others amount to over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from millstream.errors import InvalidValue
from millstream.operations import RunTable
from millstream.search.text import to_text
from millstream.search.tree import And, Comparison, Expression, Field, Null, Order
from millstream.stores.sql.grid.cells import ColumnOf, column_of, shown
from millstream.stores.sql.grid.ordered import Asked, Rows
from millstream.stores.sql.grid.values import Values, arranged, number_of, values_of
from millstream.stores.sql.transaction import Transaction

MOST_GROUPED = 4
_NAN = "NaN"  # Python's is not equal to itself, so runs would not come together by it


@dataclass
class _Group:
    key: tuple[Any, ...]
    runs: list[int]


def grouped(
    transaction: Transaction, asked: Asked, rows: Rows, group_by: Sequence[str], columns: Sequence[ColumnOf],
    offset: int, limit: int,
) -> RunTable:
    """A window of the groups: in the order of the first clause that is asked for, else the largest first."""
    if len(group_by) > MOST_GROUPED:
        raise InvalidValue.of("group_by", len(group_by), f"runs are grouped by at most {MOST_GROUPED} columns")
    by = [column_of(text) for text in group_by]
    fields = [_field(column) for column in by]
    for column in columns:
        if column.text not in group_by and (column.function not in ("mean", "min", "max") or column.points):
            raise InvalidValue.of(
                "columns", column.text, "groups have the columns they are grouped by, and mean(…), min(…), max(…)"
            )
    values = [values_of(transaction, asked.experiments, field) for field in fields]
    groups: dict[tuple[Any, ...], _Group] = {}
    for run in rows.runs:
        key = tuple(_part(of.get(run)) for of in values)
        group = groups.get(key)
        if group is None:
            groups[key] = _Group(key, [run])
        else:
            group.runs.append(run)
    made = _in_order(transaction, asked, list(groups.values()), fields)
    window = made[offset : offset + limit]
    cols: dict[str, list[Any]] = {}
    for column in columns:
        if column.text in group_by:
            index = group_by.index(column.text)
            cols[column.text] = [_cell(group.key[index]) for group in window]
        else:
            field = Field(column.kind, column.key)
            cols[column.text] = _reduced(values_of(transaction, asked.experiments, field), window, column.function)
    return RunTable(
        total=len(made), matched=len(rows.runs), snapshot=rows.snapshot, cols=cols,
        counts=[len(group.runs) for group in window], filters=[_filter(fields, group.key) for group in window],
    )


def _field(column: ColumnOf) -> Field:
    if column.function not in (None, "last", "first", "min", "max") or column.points is not None:
        raise InvalidValue.of("group_by", column.text, "runs are grouped by attributes, params, tags and metrics")
    return Field(column.kind, column.key, column.function)  # type: ignore[arg-type]


def _part(value: Any) -> Any:
    return _NAN if value is not None and value != value else value


def _cell(value: Any) -> Any:
    return shown(value) if isinstance(value, float) else value


def _in_order(
    transaction: Transaction, asked: Asked, groups: list[_Group], fields: Sequence[Field]
) -> list[_Group]:
    groups.sort(key=lambda group: -len(group.runs))
    if not asked.orders:
        return groups
    order: Order = asked.orders[0]
    if order.field in fields:
        index = fields.index(order.field)
        keys: dict[int, Any] = {place: group.key[index] for place, group in enumerate(groups)}
    else:
        means = _means(values_of(transaction, asked.experiments, order.field), groups)
        keys = dict(enumerate(means))
    known = {place: key for place, key in keys.items() if key is not None}
    return [groups[place] for place in arranged(range(len(groups)), known, order.ascending)]


def _means(values: Values, groups: Sequence[_Group]) -> list[float | None]:
    return [_reduce(values, group.runs, "mean") for group in groups]


def _reduced(values: Values, groups: Sequence[_Group], function: str | None) -> list[Any]:
    made = [_reduce(values, group.runs, function) for group in groups]
    return [None if value is None else shown(value) for value in made]


def _reduce(values: Values, runs: Sequence[int], function: str | None) -> float | None:
    """Over the numbers of some runs; None where there are none. NaN counts as nothing, unless there is nothing else."""
    numbers: list[float] = []
    nan = False
    for run in runs:
        value = values.get(run)
        number = value if value is None or not isinstance(value, str) else number_of(value)
        if number is None:
            continue
        if number != number:
            nan = True
        else:
            numbers.append(number)
    if not numbers:
        return math.nan if nan else None
    if function == "min":
        return min(numbers)
    if function == "max":
        return max(numbers)
    try:
        return math.fsum(numbers) / len(numbers)
    except (OverflowError, ValueError):  # infinities of both signs, or a sum beyond the greatest number
        return sum(numbers) / len(numbers)


def _filter(fields: Sequence[Field], key: tuple[Any, ...]) -> str:
    """The filter that selects a group; empty where no filter can, as for metrics that are NaN."""
    tests: list[Expression] = []
    for field, value in zip(fields, key, strict=True):
        if value is None:
            tests.append(Null(field))
        elif field.kind == "metric" and (value == _NAN or math.isinf(value)):
            return ""
        else:
            tests.append(Comparison(field, "=", value))
    return to_text(tests[0] if len(tests) == 1 else And(tuple(tests)))
