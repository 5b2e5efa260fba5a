"""Which columns a table of runs may have: every key of its experiments, and what its values are like.

Nothing is kept beside the runs for this. One statement jumps through the index of values from key to key: at each it
looks at both ends, at a bounded number of distinct values, and counts up to a bound, so that its cost grows with the
number of keys, not with that of runs. How many runs have a key beyond the bound is estimated from a sample of runs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from millstream.errors import InvalidValue
from millstream.operations import ListColumns, RunColumn, RunColumns
from millstream.search.patterns import matcher, refusal
from millstream.stores.sql.driver import fetch
from millstream.stores.sql.grid.values import number_of, within
from millstream.stores.sql.schema import HEAD
from millstream.stores.sql.transaction import Transaction, executes
from millstream.stores.sql.views.recent import recent

DISTINCT = 12
# Of a metric it is enough to know whether it varies, and whether its values are whole.
_DISTINCT_NUMBERS = 3
_COUNTED = 512
_SAMPLE = 128
_KEPT = 64
_TABLES = {"metric": "metrics", "param": "params", "tag": "run_tags"}
_BOOLEANS = frozenset({"true", "false"})


@dataclass
class _Key:
    """What is known of one key of one kind, over all experiments that were looked at."""

    kind: str
    number: int
    count: int
    exact: bool
    values: set[Any]
    least: float | None = None
    greatest: float | None = None
    nan: bool = False


@executes(ListColumns)
def list_columns(transaction: Transaction, operation: ListColumns) -> RunColumns:
    for kind in operation.kinds:
        if kind not in _TABLES:
            raise InvalidValue.of("kinds", kind, f"it is none of {', '.join(_TABLES)}")
    if operation.limit < 0:
        raise InvalidValue.of("limit", operation.limit, "it may not be negative")
    if operation.match and (reason := refusal(operation.match)):
        raise InvalidValue.of("match", operation.match, f"it is no regular expression: {reason}")
    numbers = {int(text) for text in operation.experiment_ids if text.isascii() and text.isdigit() and len(text) < 19}
    experiments = tuple(sorted(numbers))
    runs, columns = recent(transaction, ("columns", experiments), lambda: _look(transaction, experiments))
    if operation.kinds:
        columns = [column for column in columns if column.kind in operation.kinds]
    if operation.match:
        fits = matcher(operation.match)
        columns = [column for column in columns if fits(column.key)]
    return RunColumns(runs, len(columns), columns[: operation.limit])


def _look(transaction: Transaction, experiments: Sequence[int]) -> tuple[int, list[RunColumn]]:
    if not experiments:
        return 0, []
    connection = transaction.connection
    where = within("experiment_id", experiments)
    runs = fetch(connection, f"SELECT count(*) FROM runs WHERE {where}")[0][0]
    runs -= fetch(connection, f"SELECT count(*) FROM runs WHERE {where} AND deleted_time IS NOT NULL")[0][0]
    found: dict[tuple[str, int], _Key] = {}
    for experiment in experiments:
        sampled: dict[str, Counter[int]] = {}
        total = 0
        for kind in _TABLES:
            for one in _keys(transaction, experiment, kind):
                if not one.exact:
                    if not sampled:
                        total, sampled = _sample(transaction, experiment)
                    share = sampled[kind][one.number] / max(sum(sampled["runs"].values()), 1)
                    one.count = max(one.count, round(share * total))
                _merge(found, one)
    names = transaction.keys.names(connection, {number for _, number in found})
    made = [_shown(one, names[one.number], runs) for one in found.values()]
    order = list(_TABLES)
    made.sort(key=lambda column: (order.index(column.kind), -column.count, not column.varies, column.key))
    return runs, made


def _keys(transaction: Transaction, experiment: int, kind: str) -> list[_Key]:
    """One jump through the index a key: its ends, its first distinct values, and how many rows up to a bound."""
    metric = kind == "metric"
    table, value = _TABLES[kind], "value" if metric else f"substr(value, 1, {HEAD})"
    of = f"FROM {table} x WHERE x.experiment_id = {experiment} AND x.key = k.key"
    known = f"{of} AND x.value IS NOT NULL"
    at = f"x.{value}" if metric else f"substr(x.value, 1, {HEAD})"
    most = _DISTINCT_NUMBERS if metric else DISTINCT
    sqlite = transaction.connection.dialect.name == "sqlite"
    texts = "json_group_array(v)" if sqlite else "json_agg(v)"
    step = f"(SELECT {at} {known} AND {at} > w.v ORDER BY {at} LIMIT 1)"
    distinct = (
        f"(WITH RECURSIVE w(v, n) AS (SELECT (SELECT {at} {known} ORDER BY {at} LIMIT 1), 1"
        f" UNION ALL SELECT {step}, w.n + 1 FROM w WHERE w.v IS NOT NULL AND w.n < {most})"
        f" SELECT {texts} FROM w WHERE v IS NOT NULL)"
    )
    ends = (
        f"(SELECT {at} {known} ORDER BY {at} LIMIT 1), (SELECT {at} {known} ORDER BY {at} DESC LIMIT 1),"
        f" (SELECT count(*) FROM (SELECT 1 {of} AND x.value IS NULL LIMIT 1) n)"
        if metric else "NULL, NULL, 0"
    )
    following = (
        f"SELECT key FROM {table} WHERE experiment_id = {experiment} AND key > {{after}} ORDER BY key LIMIT 1"
    )
    rows = fetch(
        transaction.connection,
        f"WITH RECURSIVE k(key) AS (SELECT ({following.format(after=-1)})"
        f" UNION ALL SELECT ({following.format(after='k.key')}) FROM k WHERE k.key IS NOT NULL)"
        f" SELECT k.key, (SELECT count(*) FROM (SELECT 1 {of} LIMIT {_COUNTED}) c), {ends}, {distinct}"
        " FROM k WHERE k.key IS NOT NULL",
    )
    made = []
    for key, count, least, greatest, nan, values in rows:
        listed = json.loads(values or "[]") if isinstance(values, (str, type(None))) else values
        made.append(_Key(kind, key, count, count < _COUNTED, set(listed), least, greatest, bool(nan)))
    return made


def _sample(transaction: Transaction, experiment: int) -> tuple[int, dict[str, Counter[int]]]:
    """``(runs of the experiment, how many of a sample have each key)``; the sample is spread over the whole."""
    connection = transaction.connection
    total, low, high = fetch(
        connection, f"SELECT count(*), min(id), max(id) FROM runs WHERE experiment_id = {experiment}"
    )[0]
    counted: dict[str, Counter[int]] = {"runs": Counter(), **{kind: Counter() for kind in _TABLES}}
    if not total:
        return 0, counted
    wide = max((high - low) // _SAMPLE, 1)
    runs: set[int] = set()
    for start in range(low, high + 1, wide):
        found = fetch(
            connection,
            f"SELECT id FROM runs WHERE id >= {start} AND id < {start + wide} AND experiment_id = {experiment} LIMIT 1",
        )
        runs.update(row[0] for row in found)
    counted["runs"].update(runs)
    if runs:
        for kind, table in _TABLES.items():
            rows = fetch(connection, f"SELECT key FROM {table} WHERE {within('run', sorted(runs))}")
            counted[kind].update(row[0] for row in rows)
    return total, counted


def _merge(found: dict[tuple[str, int], _Key], one: _Key) -> None:
    before = found.get((one.kind, one.number))
    if before is None:
        found[one.kind, one.number] = one
        return
    before.count += one.count
    before.exact = before.exact and one.exact
    before.values |= one.values
    before.nan = before.nan or one.nan
    least = [value for value in (before.least, one.least) if value is not None]
    greatest = [value for value in (before.greatest, one.greatest) if value is not None]
    before.least, before.greatest = min(least, default=None), max(greatest, default=None)


def _shown(one: _Key, name: str, runs: int) -> RunColumn:
    numbers = [number_of(value) for value in one.values]
    known = [number for number in numbers if number is not None and abs(number) != float("inf") and number == number]
    least, greatest = one.least, one.greatest
    if one.kind != "metric" and known and None not in numbers:
        least, greatest = min(known), max(known)
    varies = len(one.values) + one.nan > 1 or (one.count < runs and one.exact) or one.count < 0.95 * runs
    return RunColumn(
        name, one.kind, _type(one, numbers), one.count, min(len(one.values), DISTINCT) + one.nan, varies, one.exact,
        _finite(least), _finite(greatest),
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and abs(value) != float("inf") else None


def _type(one: _Key, numbers: Sequence[float | None]) -> str:
    if one.kind == "metric":
        ends = [value for value in (one.least, one.greatest, *one.values) if value is not None]
        return "int" if ends and all(float(value).is_integer() for value in ends) else "float"
    if not one.values:
        return "text"
    if {str(value).lower() for value in one.values} <= _BOOLEANS:
        return "bool"
    if any(number is None for number in numbers):
        return "text"
    return "int" if all(str(value).lstrip("+-").isdigit() for value in one.values) else "float"
