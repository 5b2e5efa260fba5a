"""The syntax tree of a filter, and the clauses of an order. Every node is frozen, comparable and hashable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias, TypeVar

from msgspec import Struct

T = TypeVar("T")

Kind: TypeAlias = Literal["metric", "param", "tag", "attribute", "dataset"]
Function: TypeAlias = Literal["min", "max", "first", "last", "best_step_max", "best_step_min"]
Operator: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">=", "LIKE", "ILIKE", "NOT LIKE", "NOT ILIKE"]
Value: TypeAlias = str | int | float


class Field(Struct, frozen=True):
    """What is compared: a metric, parameter, tag, attribute or dataset field, by its key.

    Attributes carry their canonical name. ``function`` is asked of a metric's history; without one a metric means
    its last value. ``best_step_max`` is the step at which the metric was largest.
    """

    kind: Kind
    key: str
    function: Function | None = None


class Comparison(Struct, frozen=True):
    """``field op value``. The pattern of LIKE knows ``%`` and ``_`` and no escape."""

    field: Field
    op: Operator
    value: Value


class Between(Struct, frozen=True):
    """``field BETWEEN low AND high``, both ends included."""

    field: Field
    low: Value
    high: Value
    negated: bool = False


class In(Struct, frozen=True):
    """``field IN (values)``; there is at least one value."""

    field: Field
    values: tuple[Value, ...]
    negated: bool = False


class Null(Struct, frozen=True):
    """``field IS NULL``: nothing is there under this key. A metric that is NaN is there."""

    field: Field
    negated: bool = False


class Matches(Struct, frozen=True):
    """``field MATCHES pattern``: the RE2 expression is found somewhere in the text."""

    field: Field
    pattern: str
    negated: bool = False


class Not(Struct, frozen=True):
    """True where the operand is false; unknown stays unknown."""

    operand: Expression


class And(Struct, frozen=True):
    """All of two or more operands."""

    operands: tuple[Expression, ...]


class Or(Struct, frozen=True):
    """Any of two or more operands."""

    operands: tuple[Expression, ...]


Test: TypeAlias = Comparison | Between | In | Null | Matches
Expression: TypeAlias = Test | Not | And | Or


class Order(Struct, frozen=True):
    """One clause of an order. The dataset fields choose among the values a logged model's metric has."""

    field: Field
    ascending: bool = True
    dataset_name: str | None = None
    dataset_digest: str | None = None


def fold(
    expression: Expression,
    test: Callable[[Test, bool], T],
    every: Callable[[list[T]], T],
    either: Callable[[list[T]], T],
) -> T:
    """What ``expression`` becomes when its tests, ANDs and ORs become what the functions make of them.

    NOT is pushed down to the tests first: ``test`` is given a test and whether it is to be true (True) or false
    (False). An expression is true exactly when its tests are so, joined by the ANDs and ORs that are left; three-valued
    logic needs no third value then. Works on its own stack: nesting never meets Python's recursion limit.
    """
    results: list[T] = []
    work: list[tuple[Expression, bool, int]] = [(expression, True, 0)]
    while work:
        node, wanted, operands = work.pop()
        if operands:
            parts = results[-operands:]
            del results[-operands:]
            results.append(every(parts) if isinstance(node, And) is wanted else either(parts))
        elif isinstance(node, (And, Or)):
            work.append((node, wanted, len(node.operands)))
            work.extend((operand, wanted, 0) for operand in reversed(node.operands))
        elif isinstance(node, Not):
            work.append((node.operand, not wanted, 0))
        else:
            results.append(test(node, wanted))
    return results[0]
