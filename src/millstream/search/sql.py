"""A tree as a condition in SQL, for SQLite and PostgreSQL.

The condition is text with ``?`` marks and the values for them, so that its cost is that of joining strings. NOT is gone
before SQL sees it (:func:`millstream.search.tree.fold`): each test becomes a condition that is true exactly where the
test is true, or exactly where it is false, and NULL never has to be negated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, NamedTuple, TypeAlias

from sqlalchemy import TextClause, bindparam, text

from millstream.search.postgres_regex import postgres_pattern
from millstream.search.tree import (
    And,
    Between,
    Comparison,
    Expression,
    Field,
    In,
    Kind,
    Matches,
    Null,
    Operator,
    Test,
    Value,
    fold,
)

Dialect: TypeAlias = Literal["sqlite", "postgresql"]

_INT64 = range(-(2**63), 2**63)
_COMPLEMENT: dict[Operator, Operator] = {
    "=": "!=",
    "!=": "=",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
    "LIKE": "NOT LIKE",
    "NOT LIKE": "LIKE",
    "ILIKE": "NOT ILIKE",
    "NOT ILIKE": "ILIKE",
}
# From this nesting on, a condition becomes a flat CASE: SQLite's parser has a stack of a hundred symbols.
_FLAT_FROM = 6
# How many operands one chain of ANDs holds: SQLite sees it as a tree that leans to one side, of limited depth.
_CHAIN = 16


class Clause(NamedTuple):
    """A piece of SQL, with a ``?`` for each of the values."""

    sql: str
    values: tuple[Any, ...] = ()

    def text(self) -> TextClause:
        """The same as a condition of SQLAlchemy."""
        parts = self.sql.split("?")
        named = "".join(f"{part}:v{index} " for index, part in enumerate(parts[:-1])) + parts[-1]
        return text(named).bindparams(*(bindparam(f"v{index}", value) for index, value in enumerate(self.values)))


TRUE = Clause("1 = 1")
FALSE = Clause("1 = 0")


@dataclass(frozen=True)
class Side:
    """A table beside the searched one, with the values of one kind of field.

    ``owner`` is the column that refers to the searched row. ``columns`` are the values by a metric's function (None
    for the value itself). ``joined`` is what stands in FROM, when it is more than the table; ``within`` holds in any
    row that counts. Where an owner may have several rows of a key, ``single`` is False, and a function is one of all of
    them.
    """

    table: str
    owner: str
    columns: Mapping[str | None, str] = field(default_factory=lambda: {None: "value"})
    key: str | None = "key"
    joined: str = ""
    within: Clause = TRUE
    single: bool = True


@dataclass(frozen=True)
class Layout:
    """Where the fields of an entity are.

    ``row`` is the identity of the searched row, ``attributes`` are expressions over it, those in ``integers`` of
    64-bit integers. ``key_of`` gives what stands in a key column for the text of a key, None for a key that nobody
    has used.
    """

    row: str
    attributes: Mapping[str, str]
    integers: frozenset[str]
    sides: Mapping[Kind, Side]
    key_of: Callable[[str], Any] = str


def assertion(test: Test, wanted: bool) -> Test:
    """For a field with at most one value: the test that is true exactly where ``test`` is what is wanted."""
    if wanted:
        return test
    if isinstance(test, Comparison):
        return Comparison(test.field, _COMPLEMENT[test.op], test.value)
    if isinstance(test, Between):
        return Between(test.field, test.low, test.high, not test.negated)
    if isinstance(test, In):
        return In(test.field, test.values, not test.negated)
    if isinstance(test, Matches):
        return Matches(test.field, test.pattern, not test.negated)
    return Null(test.field, not test.negated)


class Compiler:
    """Makes conditions for one entity and dialect."""

    def __init__(self, layout: Layout, dialect: Dialect) -> None:
        self.layout = layout
        self.dialect = dialect

    def condition(self, expression: Expression, row: str | None = None) -> Clause:
        """The condition that is true for the rows that the filter selects.

        ``row`` names the identity of the searched row where it is known before the row itself is read.
        """
        at = row or self.layout.row
        node = fold(
            expression,
            lambda test, wanted: _Node(self.test(test, wanted, at)),
            lambda parts: _join(parts, "AND"),
            lambda parts: _join(parts, "OR"),
        )
        return node.clause()

    def test(self, test: Test, wanted: bool, row: str) -> Clause:
        """The condition that one test is true (``wanted``), or false (not ``wanted``)."""
        of = test.field
        if of.kind == "attribute":
            return self.predicate(
                self.layout.attributes[of.key], assertion(test, wanted), of.key in self.layout.integers
            )
        side = self.layout.sides[of.kind]
        if not side.single and (of.function is None or isinstance(test, Null)):
            return self._several(side, test, wanted, row)
        test = assertion(test, wanted)
        if isinstance(test, Null):
            return self._exists(side, of, row, TRUE, wanted=test.negated)
        integer = of.function in ("best_step_min", "best_step_max")
        if side.single:
            return self._exists(side, of, row, self.predicate(f"x.{side.columns[of.function]}", test, integer))
        return self._of_all(side, test, row, integer)

    def predicate(self, value: str, test: Test, integer: bool = False) -> Clause:
        """The condition that an SQL expression passes a test. NULL passes none but IS NULL."""
        if isinstance(test, Null):
            return Clause(f"{value} IS {'NOT ' if test.negated else ''}NULL")
        no = "NOT " if isinstance(test, (In, Between, Matches)) and test.negated else ""
        if isinstance(test, Matches):
            return self._regexp(value, test.pattern, no)
        if isinstance(test, Comparison) and test.op.endswith("LIKE"):
            return self._like(value, str(test.value), test.op)
        if integer:
            return _integers(value, test)
        if isinstance(test, Comparison):
            return Clause(f"{value} {'<>' if test.op == '!=' else test.op} ?", (test.value,))
        if isinstance(test, Between):
            return Clause(f"{value} {no}BETWEEN ? AND ?", (test.low, test.high))
        return _one_of(value, test.values, no)

    def _exists(self, side: Side, of: Field, row: str, predicate: Clause, *, wanted: bool = True) -> Clause:
        found = self._rows(side, of, row)
        if found is None:
            return FALSE if wanted else TRUE
        no = "" if wanted else "NOT "
        condition = "" if predicate is TRUE else f" AND {predicate.sql}"
        # PostgreSQL would make a join of it (and take minutes to plan a filter of very many conditions), or collect all
        # that pass beforehand; OFFSET has it look up each row, which is what the planner of searches counts on.
        fence = " OFFSET 0" if self.dialect == "postgresql" else ""
        sql = f"{no}EXISTS (SELECT 1 {found.sql}{condition}{fence})"
        return Clause(sql, found.values + predicate.values)

    def _rows(self, side: Side, of: Field, row: str) -> Clause | None:
        """FROM and WHERE for the rows of a field; None when there can be none."""
        sql = f"FROM {side.joined or side.table + ' x'} WHERE x.{side.owner} = {row}"
        values: tuple[Any, ...] = ()
        if side.key is not None:
            key = self.layout.key_of(of.key)
            if key is None:
                return None
            sql += f" AND x.{side.key} = ?"
            values = (key,)
        if side.within is not TRUE:
            sql += f" AND {side.within.sql}"
            values += side.within.values
        return Clause(sql, values)

    def _several(self, side: Side, test: Test, wanted: bool, row: str) -> Clause:
        """A test of a field with several values: true when any passes, false when there are some and none passes."""
        of = test.field
        value = side.columns[of.key] if side.key is None else f"x.{side.columns[None]}"
        present = TRUE if side.key is not None else Clause(f"{value} IS NOT NULL")
        if isinstance(test, Null):
            return self._exists(side, of, row, present, wanted=test.negated is wanted)
        passes = self._exists(side, of, row, self.predicate(value, test))
        if wanted or passes is FALSE:
            return passes
        known = self._exists(side, of, row, Clause(f"{value} IS NOT NULL"))
        return Clause(f"({known.sql} AND NOT {passes.sql})", known.values + passes.values)

    def _of_all(self, side: Side, test: Test, row: str, integer: bool) -> Clause:
        """A test of a function of several rows, such as the greatest of a logged model's values of a metric."""
        rows = self._rows(side, test.field, row)
        if rows is None:
            return FALSE
        value = reduced(test.field.function or "last", rows)
        predicate = self.predicate(value.sql, test, integer)
        # Wherever the predicate names the value, the values of its subquery come in between.
        values: list[Any] = []
        rest = iter(predicate.values)
        for index, part in enumerate(predicate.sql.split(value.sql)):
            values += value.values if index else ()
            values += islice(rest, part.count("?"))
        return Clause(predicate.sql, tuple(values))

    def _like(self, value: str, pattern: str, op: str) -> Clause:
        # PostgreSQL gives the backslash a meaning in patterns unless told otherwise; SQLite gives it none.
        escape = " ESCAPE ''" if self.dialect == "postgresql" else ""
        if op.endswith("ILIKE"):
            return Clause(f"{self._lower(value)} {op.replace('ILIKE', 'LIKE')} lower(?){escape}", (pattern,))
        return Clause(f"{value} {op} ?{escape}", (pattern,))

    def _lower(self, value: str) -> str:
        # Texts are kept with the collation "C", which knows the letters of ASCII only.
        return f'lower({value} COLLATE "default")' if self.dialect == "postgresql" else f"lower({value})"

    def _regexp(self, value: str, pattern: str, no: str) -> Clause:
        if self.dialect == "postgresql":
            return Clause(f'{value} COLLATE "default" {"!" if no else ""}~ ?', (postgres_pattern(pattern),))
        return Clause(f"{value} {no}REGEXP ?", (pattern,))


# A logged model keeps one point of a metric for each dataset and run; these are functions of all of them.
_REDUCED = {
    "min": "SELECT min(x.value) {rows}",
    "max": "SELECT max(x.value) {rows}",
    "first": "SELECT x.value {rows} ORDER BY x.step, x.timestamp, x.value LIMIT 1",
    "last": "SELECT x.value {rows} ORDER BY x.step DESC, x.timestamp DESC, x.value IS NULL, x.value DESC LIMIT 1",
    "best_step_min": "SELECT x.step {rows} AND x.value IS NOT NULL ORDER BY x.value, x.step LIMIT 1",
    "best_step_max": "SELECT x.step {rows} AND x.value IS NOT NULL ORDER BY x.value DESC, x.step LIMIT 1",
}


def reduced(function: str, rows: Clause) -> Clause:
    """A function of several rows as a scalar subquery; ``rows`` is their FROM and WHERE."""
    return Clause(f"({_REDUCED[function].format(rows=rows.sql)})", rows.values)


def _one_of(value: str, members: Iterable[Value], no: str) -> Clause:
    distinct = tuple(dict.fromkeys(members))
    return Clause(f"{value} {no}IN ({', '.join('?' * len(distinct))})", distinct)


def _integers(value: str, test: Comparison | Between | In) -> Clause:
    """A test of a column of 64-bit integers. No other number reaches the database, which would compare by rounding."""
    known = Clause(f"{value} IS NOT NULL")
    if isinstance(test, In):
        whole = [number for number in map(_whole, test.values) if number is not None]
        if whole:
            return _one_of(value, whole, "NOT " if test.negated else "")
        return known if test.negated else FALSE
    if isinstance(test, Between):
        ends = (Comparison(test.field, ">=", test.low), Comparison(test.field, "<=", test.high))
        if test.negated:
            ends = (Comparison(test.field, "<", test.low), Comparison(test.field, ">", test.high))
        first, second = (_integers(value, end) for end in ends)
        return Clause(f"({first.sql} {'OR' if test.negated else 'AND'} {second.sql})", first.values + second.values)
    number = _whole(test.value)
    if number is not None:
        return Clause(f"{value} {'<>' if test.op == '!=' else test.op} ?", (number,))
    if test.op in ("=", "!="):
        return FALSE if test.op == "=" else known
    bound = float(test.value)
    if not -(2.0**63) <= bound < 2.0**63:
        return known if (bound > 0) is test.op.startswith("<") else FALSE
    if test.op.startswith("<"):
        return Clause(f"{value} < ?", (math.ceil(bound),))
    return Clause(f"{value} > ?", (math.floor(bound),))


def _whole(value: Value) -> int | None:
    if isinstance(value, float):
        return int(value) if value.is_integer() and int(value) in _INT64 else None
    return int(value)


class _Node:
    """A condition in the making.

    A deeply nested one is kept flat: ``cases`` are conditions that decide it, each with what it decides, in the order
    in which they are asked; the clause decides when none of them did.
    """

    __slots__ = ("cases", "height", "last")

    def __init__(self, last: Clause, height: int = 0, cases: tuple[tuple[Clause, bool], ...] = ()) -> None:
        self.last = last
        self.height = height
        self.cases = cases

    def clause(self) -> Clause:
        if not self.cases:
            return self.last
        decided = "".join(
            f"WHEN {clause.sql} THEN 1 = 1 " if true else f"WHEN ({clause.sql}) IS NOT TRUE THEN 1 = 0 "
            for clause, true in self.cases
        )
        values = tuple(value for clause, _ in self.cases for value in clause.values) + self.last.values
        return Clause(f"(CASE {decided}ELSE {self.last.sql} END)", values)


def _join(parts: list[_Node], word: Literal["AND", "OR"]) -> _Node:
    deepest = max(parts, key=lambda part: part.height)
    if deepest.height < _FLAT_FROM:
        return _Node(_chained([part.clause() for part in parts], word), deepest.height + 1)
    # The deepest operand goes on flat, the others are decided before it. Of two operands as deep as each other one is
    # nested, so the nesting grows with the logarithm of their number at most.
    others = [part for part in parts if part is not deepest]
    cases = tuple((part.clause(), word == "OR") for part in others) + deepest.cases
    height = max([deepest.height, *(part.height + 1 for part in others)])
    return _Node(deepest.last, height, cases)


def _chained(clauses: list[Clause], word: str) -> Clause:
    while len(clauses) > _CHAIN:
        clauses = [_chained(clauses[start : start + _CHAIN], word) for start in range(0, len(clauses), _CHAIN)]
    if len(clauses) == 1:
        return clauses[0]
    joined = f" {word} ".join(clause.sql for clause in clauses)
    return Clause(f"({joined})", tuple(value for clause in clauses for value in clause.values))


def every(clauses: Iterable[Clause]) -> Clause:
    """All of the conditions; TRUE when there are none."""
    known = [clause for clause in clauses if clause is not TRUE]
    return _chained(known, "AND") if known else TRUE


def conjuncts(expression: Expression | None) -> list[Expression]:
    """The expressions that have to be true together for ``expression`` to be true."""
    found: list[Expression] = []
    work = [] if expression is None else [expression]
    while work:
        node = work.pop()
        if isinstance(node, And):
            work.extend(reversed(node.operands))
        else:
            found.append(node)
    return found
