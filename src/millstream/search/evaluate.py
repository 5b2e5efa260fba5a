"""What a filter means, in memory: the reference that the SQL is tested against, and the search of what is no table.

A field has no value, one, or several (a run has several datasets; a logged model's metric has one value a dataset). A
test is true when it holds for any value; false when there are values and it holds for none; otherwise unknown. NaN and
None are no values, except that a metric that is NaN is there for IS NULL. ``NOT x`` is true only where x is false, so a
filter never selects by what is missing, unless it says IS NULL.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias, cast

from msgspec import Struct

from millstream.search.patterns import like, matcher
from millstream.search.tree import Between, Comparison, Expression, Field, In, Matches, Null, Test, Value, fold

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


Point: TypeAlias = tuple[float, int, int]  # value, timestamp, step


class History(Struct, frozen=True):
    """What the history of a metric amounts to. None stands for NaN, and for what a history of only NaN lacks."""

    last: float | None
    first: float | None
    min: float | None
    max: float | None
    best_step_min: int | None
    best_step_max: int | None

    @classmethod
    def of(cls, points: Iterable[Point]) -> History:
        """The history of one or more points, in any order.

        The last point is the one with the greatest step, then timestamp, then value; NaN counts as the smallest value.
        The first is the one with the smallest step, then timestamp. Extremes leave NaN out; their step is the first at
        which they were reached.
        """
        ordered = sorted(
            (step, timestamp, value == value, value if value == value else 0.0, value)
            for value, timestamp, step in points
        )
        known = [(value, step) for step, _, _, _, value in ordered if value == value]
        low = min(known, default=None)
        high = min(known, key=lambda point: (-point[0], point[1]), default=None)
        return cls(
            last=_known(ordered[-1][-1]),
            first=_known(ordered[0][-1]),
            min=low[0] if low else None,
            max=high[0] if high else None,
            best_step_min=low[1] if low else None,
            best_step_max=high[1] if high else None,
        )


def _known(value: float) -> float | None:
    return value if value == value else None


@dataclass(frozen=True)
class Record:
    """Something that is searched.

    A metric is a number, a History, or several points (value, timestamp, step), such as those that a logged model has
    on several datasets: a test of the metric is then one of any of them, a function one of all of them.
    """

    attributes: Mapping[str, Value | None] = field(default_factory=dict)
    metrics: Mapping[str, float | History | Sequence[Point]] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    datasets: Sequence[Mapping[str, str | None]] = ()

    def values(self, of: Field) -> list[Value | None]:
        """The values of a field; None is one that is there and unknown."""
        if of.kind == "metric":
            found = self.metrics.get(of.key, ())
            if isinstance(found, (int, float)):
                found = ((found, 0, 0),)
            if not isinstance(found, History):
                if of.function is None or not found:
                    return [_known(value) for value, _, _ in found]
                found = History.of(found)
            return [getattr(found, of.function or "last")]
        if of.kind == "dataset":
            return [used[of.key] for used in self.datasets if used.get(of.key) is not None]
        if of.kind == "attribute":
            value = self.attributes.get(of.key)
        else:
            value = (self.params if of.kind == "param" else self.tags).get(of.key)
        return [] if value is None else [value]


def matches(expression: Expression | None, record: Record) -> bool:
    """Whether the filter selects the record. No filter selects everything."""
    if expression is None:
        return True
    return fold(expression, lambda test, wanted: _holds(test, record, wanted), all, any)


def _holds(test: Test, record: Record, wanted: bool) -> bool:
    """Whether ``test`` is true (``wanted``) or false (not ``wanted``) of the record; unknown is neither."""
    values = record.values(test.field)
    if isinstance(test, Null):
        return bool(values) is (test.negated is wanted)
    known = [value for value in values if value is not None]
    if not known:
        return False
    return any(map(_tester(test), known)) is wanted


@lru_cache(maxsize=1024)
def _tester(test: Comparison | Between | In | Matches) -> Callable[[Any], bool]:
    """Whether one value passes a test."""
    if isinstance(test, Comparison):
        if test.op in _COMPARE:
            compare, operand = _COMPARE[test.op], test.value
            return lambda value: compare(value, operand)
        found = like(str(test.value), test.op.endswith("ILIKE"))
        negated = test.op.startswith("NOT")
    elif isinstance(test, Matches):
        found, negated = matcher(test.pattern), test.negated
    elif isinstance(test, In):
        found, negated = frozenset(test.values).__contains__, test.negated
    else:
        low, high, negated = cast(Any, test.low), cast(Any, test.high), test.negated

        def found(value: Any) -> bool:
            return bool(low <= value <= high)

    return (lambda value: not found(value)) if negated else found
