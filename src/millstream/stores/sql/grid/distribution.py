"""How the values of one column are spread over the runs of a table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from millstream.errors import InvalidValue
from millstream.operations import Distribution, QueryDistribution, ValueCount
from millstream.search.tree import Field
from millstream.stores.sql.grid.cells import ColumnOf, column_of
from millstream.stores.sql.grid.ordered import Asked, rows_of
from millstream.stores.sql.grid.values import Values, number_of, values_of
from millstream.stores.sql.transaction import Transaction, executes
from millstream.stores.sql.views.changes import state_of
from millstream.stores.sql.views.recent import recent

MOST_BARS = 200
_SPREAD = frozenset({"run_name", "status", "user_id", "start_time", "end_time", "duration"})


@executes(QueryDistribution)
def query_distribution(transaction: Transaction, operation: QueryDistribution) -> Distribution:
    if not 1 <= operation.bars <= MOST_BARS:
        raise InvalidValue.of("bars", operation.bars, f"it must be from 1 to {MOST_BARS}")
    column = column_of(operation.column)
    if column.function == "mean" or (column.kind == "attribute" and column.key not in _SPREAD):
        raise InvalidValue.of(
            "column", operation.column, "its values are not kept by themselves",
            hint="ask for a metric, its min, max, first or best step, a parameter or a tag",
        )
    asked = Asked.of(operation.experiment_ids, operation.filter, [], operation.view_type)
    return recent(
        transaction, ("distribution", asked.fingerprint, operation.column, operation.bars),
        lambda: _look(transaction, asked, column, operation.bars),
    )


def _look(transaction: Transaction, asked: Asked, column: ColumnOf, bars: int) -> Distribution:
    runs = rows_of(transaction, asked, None, state_of(transaction)).runs
    known = _values(transaction, asked, column)
    values = [value for run in runs if (value := known.get(run)) is not None]
    numbers = [number_of(value) for value in values]
    if any(number is None for number in numbers):
        texts = Counter(str(value) for value in values)
        common = sorted(texts.items(), key=lambda item: (-item[1], item[0]))[:bars]
        return Distribution(
            len(runs), len(values), values=[ValueCount(text, count) for text, count in common], distinct=len(texts)
        )
    finite = [number for number in numbers if number is not None and math.isfinite(number)]
    if not finite:
        return Distribution(len(runs), len(values), not_finite=len(values))
    low, high = min(finite), max(finite)
    return Distribution(
        len(runs), len(values), low, high, _counted(finite, low, high, bars), len(values) - len(finite),
        distinct=len(set(finite)),
    )


def _values(transaction: Transaction, asked: Asked, column: ColumnOf) -> Values:
    if (column.kind, column.key) != ("attribute", "duration"):
        return values_of(transaction, asked.experiments, Field(column.kind, column.key, column.function))  # type: ignore[arg-type]
    starts = values_of(transaction, asked.experiments, Field("attribute", "start_time"))
    ends = values_of(transaction, asked.experiments, Field("attribute", "end_time"))
    return {run: max(end - starts[run], 0) for run, end in ends.items() if run in starts}


def _counted(numbers: Sequence[float], low: float, high: float, bars: int) -> list[int]:
    counts = [0] * bars
    # Halves, as the distance of two numbers may be beyond the greatest number.
    width = (high / 2 - low / 2) / bars
    for number in numbers:
        counts[min(int((number / 2 - low / 2) / width), bars - 1) if width else 0] += 1
    return counts
