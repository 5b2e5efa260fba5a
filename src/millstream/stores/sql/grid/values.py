"""One field of all runs of some experiments at once: run → value, read from the index of the field.

An order over a hundred thousand runs is made in memory, of such dictionaries: the indexes of values hold what is
needed, and reading one from end to end costs less than to look up each run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from millstream.entities import RunStatus
from millstream.errors import InvalidValue
from millstream.search.tree import Field
from millstream.stores.sql.driver import fetch
from millstream.stores.sql.schema import HEAD
from millstream.stores.sql.search import FUNCTION_COLUMNS
from millstream.stores.sql.transaction import Transaction

# Value of a run: a number, NaN included, or a text. Runs without a value are not in the dictionary.
Values: TypeAlias = Mapping[int, Any]

TEXT_TABLES = {"param": "params", "tag": "run_tags"}
_ATTRIBUTES = frozenset({"run_id", "run_name", "status", "user_id", "artifact_uri", "start_time", "end_time"})
# A text column with more values than this is read row by row.
_DISTINCT = 2_000


def within(column: str, numbers: Sequence[int]) -> str:
    """The condition that ``column`` is one of our own numbers, which may stand in the text."""
    return f"{column} = {numbers[0]}" if len(numbers) == 1 else f"{column} IN ({', '.join(map(str, numbers))})"


def values_of(transaction: Transaction, experiments: Sequence[int], of: Field) -> Values:
    """Run → value of a field, over all runs of these experiments."""
    if of.kind == "attribute":
        return _of_attribute(transaction, experiments, of.key)
    key = transaction.key(of.key)
    if key is None:
        return {}
    if of.kind == "metric":
        return _of_metric(transaction, experiments, key, FUNCTION_COLUMNS[of.function])
    if of.kind in TEXT_TABLES:
        made: dict[int, str] = {}
        for experiment in experiments:
            made.update(_of_texts(transaction, TEXT_TABLES[of.kind], experiment, key))
        return made
    raise InvalidValue.of("field", f"{of.kind}s.{of.key}", "runs have no such values to order or group by")


def _of_attribute(transaction: Transaction, experiments: Sequence[int], name: str) -> Values:
    if name not in _ATTRIBUTES:
        raise InvalidValue.of("field", name, f"runs are ordered and grouped by one of {', '.join(sorted(_ATTRIBUTES))}")
    rows = fetch(
        transaction.connection,
        f"SELECT id, {name} FROM runs WHERE {within('experiment_id', experiments)} AND {name} IS NOT NULL",
    )
    if name == "status":
        return {run: RunStatus.to_string(number) for run, number in rows}
    return dict(rows)


def _of_metric(transaction: Transaction, experiments: Sequence[int], key: int, column: str) -> Values:
    made: dict[int, Any] = {}
    for experiment in experiments:
        rows = fetch(
            transaction.connection,
            f"SELECT run, {column} FROM metrics WHERE experiment_id = ? AND key = ?", (experiment, key),
        )
        made.update(rows)
    for run in [run for run, value in made.items() if value is None]:
        made[run] = math.nan
    return made


def _of_texts(transaction: Transaction, table: str, experiment: int, key: int) -> Values:
    """Few distinct values are found one after the other in the index, which then names the runs of each; the texts
    themselves are read once each."""
    heads = distinct_heads(transaction, table, experiment, key, _DISTINCT + 1)
    if len(heads) > _DISTINCT or any(len(head) >= HEAD for head in heads):
        found = fetch(
            transaction.connection,
            f"SELECT run, value FROM {table} WHERE experiment_id = ? AND key = ?", (experiment, key),
        )
        return dict(found)
    made: dict[int, str] = {}
    statement = (
        f"SELECT run FROM {table} WHERE experiment_id = ? AND key = ? AND substr(value, 1, {HEAD}) = ?"
    )
    for head in heads:
        for (run,) in fetch(transaction.connection, statement, (experiment, key, head)):
            made[run] = head
    return made


def distinct_heads(transaction: Transaction, table: str, experiment: int, key: int, most: int) -> list[str]:
    """The first ``most`` values of a text column in their order, as far as the index holds them."""
    head = f"substr(value, 1, {HEAD})"
    begins = f"SELECT {head} FROM {table} WHERE experiment_id = ? AND key = ?"
    first = fetch(transaction.connection, f"{begins} ORDER BY {head} LIMIT 1", (experiment, key))
    heads: list[str] = []
    while first and len(heads) < most:
        heads.append(first[0][0])
        first = fetch(
            transaction.connection, f"{begins} AND {head} > ? ORDER BY {head} LIMIT 1", (experiment, key, heads[-1])
        )
    return heads


def number_of(text: Any) -> float | None:
    """The number that a text is, None for any other text. ``1_000`` is a text: nobody means it as a number."""
    if not isinstance(text, str):
        return float(text)
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def arranged(runs: Iterable[int], values: Values, ascending: bool) -> list[int]:
    """Runs in the order of their values: numbers, then texts, then NaN, then those without a value.

    Texts that are numbers are ordered as numbers. Runs of equal value stay in the order they came in.
    """
    numbers: list[tuple[float, int]] = []
    texts: list[tuple[str, int]] = []
    nan: list[int] = []
    missing: list[int] = []
    known: dict[str, float | None] = {}
    for run in runs:
        value = values.get(run)
        if value is None:
            missing.append(run)
            continue
        if isinstance(value, str):
            try:
                number = known[value]
            except KeyError:
                number = known[value] = number_of(value)
            if number is None:
                texts.append((value, run))
                continue
        else:
            number = value
        if number != number:
            nan.append(run)
        else:
            numbers.append((number, run))
    numbers.sort(key=_first, reverse=not ascending)
    texts.sort(key=_first, reverse=not ascending)
    return [*(run for _, run in numbers), *(run for _, run in texts), *nan, *missing]


def _first(pair: tuple[Any, int]) -> Any:
    return pair[0]


def chunked(numbers: Sequence[int], size: int = 500) -> Iterable[Sequence[int]]:
    """Runs as many at a time as one statement names."""
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]

