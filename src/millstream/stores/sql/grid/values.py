"""One field of all runs of some experiments at once: run → value, read from the index of the field.

An order over a hundred thousand runs is made in memory, of such dictionaries: the indexes of values hold what is
needed, and reading one from end to end costs less than to look up each run.
"""

from __future__ import annotations

import math
import operator
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
    if len(heads) > _DISTINCT or any(len(head) >= HEAD for head, _ in heads):
        found = fetch(
            transaction.connection,
            f"SELECT run, value FROM {table} WHERE experiment_id = ? AND key = ?", (experiment, key),
        )
        return dict(found)
    made: dict[int, str] = {}
    if transaction.connection.dialect.name == "sqlite":
        # Where a statement names the text, SQLite looks up the row of each entry of the index. This one does not: it
        # gives the runs value by value, and the first run of each value tells where it begins.
        rows = fetch(
            transaction.connection,
            f"SELECT run FROM {table} INDEXED BY ix_{table}_value WHERE experiment_id = ? AND key = ?",
            (experiment, key),
        )
        runs = [run for (run,) in rows]
        start = 0
        for at, (head, _) in enumerate(heads, 1):
            end = runs.index(heads[at][1], start) if at < len(heads) else len(runs)
            made.update(dict.fromkeys(runs[start:end], head))
            start = end
        return made
    statement = (
        f"SELECT run FROM {table} WHERE experiment_id = ? AND key = ? AND substr(value, 1, {HEAD}) = ?"
    )
    for head, _ in heads:
        for (run,) in fetch(transaction.connection, statement, (experiment, key, head)):
            made[run] = head
    return made


def distinct_heads(
    transaction: Transaction, table: str, experiment: int, key: int, most: int
) -> list[tuple[str, int]]:
    """The first ``most`` values of a text column in their order, as far as the index holds them, each with the lowest
    number of a run that has it."""
    head = f"substr(value, 1, {HEAD})"
    begins = f"SELECT {head}, run FROM {table} WHERE experiment_id = ? AND key = ?"
    order = f"ORDER BY {head}, run LIMIT 1"
    first = fetch(transaction.connection, f"{begins} {order}", (experiment, key))
    heads: list[tuple[str, int]] = []
    while first and len(heads) < most:
        heads.append((first[0][0], first[0][1]))
        first = fetch(transaction.connection, f"{begins} AND {head} > ? {order}", (experiment, key, heads[-1][0]))
    return heads


def number_of(text: Any) -> float | None:
    """The number that a text is, None for any other text. ``1_000`` is a text: nobody means it as a number."""
    if not isinstance(text, str):
        return float(text)
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def arranged(runs: Sequence[int], values: Values, ascending: bool) -> list[int]:
    """Runs in the order of their values: numbers, then texts, then NaN, then those without a value.

    Texts that are numbers are ordered as numbers. Runs of equal value stay in the order they came in.
    """
    # Marks at the numbers of runs are quicker than a set of them: a fortieth of the memory, so that they stay near.
    marks = bytearray(1 + max(max(runs, default=0), max(values, default=0)))
    for run in values:
        marks[run] = 1
    there = [run for run in runs if marks[run]]
    missing = [run for run in runs if not marks[run]] if len(there) < len(runs) else []
    texts: list[int] = []
    if str in set(map(type, values.values())):
        known = {value: number_of(value) for value in set(values.values())}
        texts = [run for run in there if known[values[run]] is None]
        there = [run for run in there if known[values[run]] is not None]
        texts.sort(key=values.__getitem__, reverse=not ascending)
        values = {run: known[values[run]] for run in there}
    nan: list[int] = []
    total = sum(values.values())
    if total != total:  # so is the sum of infinities of both signs
        for run, value in values.items():
            if value != value:
                marks[run] = 0
        nan = [run for run in there if not marks[run]]
        there = [run for run in there if marks[run]]
    return [*_by_number(there, values, ascending), *texts, *nan, *missing]


def _by_number(runs: Sequence[int], values: Values, ascending: bool) -> list[int]:
    """Runs that all have a number. What an index gave is in order: only runs of equal value are sorted then."""
    marks = bytearray(1 + max(values, default=0))
    for run in runs:
        marks[run] = 1
    pairs = [(run, value) for run, value in values.items() if marks[run]]
    found = [run for run, _ in pairs]
    ordered = [value for _, value in pairs]
    after = ordered[1:]
    if not all(map(operator.le, ordered, after)):
        return sorted(runs, key=values.__getitem__, reverse=not ascending)
    equal = [at for at, same in enumerate(map(operator.eq, ordered, after)) if same]
    place = {run: at for at, run in enumerate(runs)} if equal else {}
    at = 0
    while at < len(equal):
        start = equal[at]
        while at + 1 < len(equal) and equal[at + 1] == equal[at] + 1:
            at += 1
        end = equal[at] + 2
        found[start:end] = sorted(found[start:end], key=place.__getitem__, reverse=not ascending)
        at += 1
    return found if ascending else found[::-1]


def chunked(numbers: Sequence[int], size: int = 500) -> Iterable[Sequence[int]]:
    """Runs as many at a time as one statement names."""
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]

