"""Conditions on the runs of one experiment, each with the index that finds the runs it holds for, if there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, Row

from millstream.search.sql import FALSE, TRUE, Clause, Compiler, Side, assertion
from millstream.search.tree import Between, Comparison, Expression, Field, In, Null, Test, fold
from millstream.stores.sql.schema import HEAD

# How many tests of one filter are counted, and how many alternatives of an OR are followed together.
MOST_COUNTED = 16
MOST_PARTS = 8


@dataclass
class Source:
    """The runs that a condition selects, and maybe others, found by index: the union of ``SELECT … AS run``.

    ``counted`` runs were found when counting stopped at ``up_to``. An ``exact`` source selects no others.
    """

    parts: Sequence[Clause]
    exact: bool = False
    counted: int = 0
    up_to: int = 0

    @property
    def clause(self) -> Clause:
        """All parts as one SELECT, each run once."""
        values = tuple(value for part in self.parts for value in part.values)
        return Clause(" UNION ".join(part.sql for part in self.parts), values)


@dataclass(frozen=True)
class Term:
    """A condition that holds by itself: ``condition(row)`` tests the run whose number is ``row``."""

    condition: Callable[[str], Clause]
    source: Source | None = None


@dataclass
class Conditions:
    """Makes the terms of one search in one experiment."""

    connection: Connection
    experiment: int
    compiler: Compiler
    few: int
    _counted: int = field(default=0)

    def run(self, clause: Clause) -> Sequence[Row[Any]]:
        """The rows of a statement."""
        sql = clause.sql if self.compiler.dialect == "sqlite" else clause.sql.replace("?", "%s")
        return self.connection.exec_driver_sql(sql, clause.values).all()

    def count(self, source: Source, up_to: int) -> int:
        """How many runs a source has; ``up_to`` stands for that many or more. What was counted is remembered."""
        if source.up_to < up_to and source.counted == source.up_to:
            found = 0
            for part in source.parts:
                if found < up_to:
                    counting = f"SELECT count(*) FROM ({part.sql} LIMIT {up_to - found}) c"
                    found += self.run(Clause(counting, part.values))[0][0]
            source.counted, source.up_to = found, up_to
        return min(source.counted, up_to)

    def whole(self, *, deleted: bool = False) -> Term:
        """The term of every run of the experiment, or of those that lie in the trash."""
        sql = "SELECT x.id AS run FROM runs x WHERE x.experiment_id = ?"
        if deleted:
            sql += " AND x.deleted_time IS NOT NULL"
        return Term(lambda row: TRUE, Source([Clause(sql, (self.experiment,))]))

    def of(self, expression: Expression) -> Term:
        """The term of a part of the filter."""
        source = fold(expression, self._of_test, self._fewest, _any_of)
        return Term(lambda row: self.compiler.condition(expression, row), source)

    def unknown(self, of: Field) -> Term:
        """The term for the runs whose last value of a metric is NaN."""
        return self._values_of(of, "x.value IS NULL", ())

    def beginning(self, of: Field, head: str) -> Term:
        """The term for the runs whose text begins with the whole length of ``head`` that the index holds."""
        return self._values_of(of, f"{_head('x.value')} = ?", (head,))

    def _values_of(self, of: Field, sql: str, values: tuple[object, ...]) -> Term:
        side = self.compiler.layout.sides[of.kind]
        key = self.compiler.layout.key_of(of.key)
        source = self._by_value(side, of, Clause(sql, values))
        return Term(
            lambda row: Clause(
                f"EXISTS (SELECT 1 FROM {side.table} x WHERE x.run = {row} AND x.key = ? AND {sql})", (key, *values)
            ),
            source,
        )

    def _fewest(self, sources: Sequence[Source | None]) -> Source | None:
        """The operand of an AND that selects the fewest runs."""
        best: Source | None = None
        for source in sources:
            if source is None:
                continue
            if best is None or not source.parts:
                best = source
            elif best.parts and self._counted < MOST_COUNTED:
                self._counted += 1
                if self.count(source, self.few) < self.count(best, self.few):
                    best = source
        # What one operand selects exactly is more than all of them select together.
        return best and replace(best, exact=False)

    def _of_test(self, test: Test, wanted: bool) -> Source | None:
        of = test.field
        if of.kind == "dataset":
            return self._by_dataset(test, wanted)
        test = assertion(test, wanted)
        if of.kind == "attribute":
            return self._by_attribute(test)
        if isinstance(test, Null) and not test.negated:
            return None
        side = self.compiler.layout.sides[of.kind]
        if of.kind != "metric":
            return self._by_value(side, of, _of_heads(test), exact=_is_in_heads(test))
        if of.function in (None, "last") and not _is_wide(test):
            return self._by_value(side, of, self.compiler.predicate("x.value", test), exact=True)
        return self._by_value(side, of, TRUE)

    def _by_value(self, side: Side, of: Field, predicate: Clause, *, exact: bool = False) -> Source:
        key = self.compiler.layout.key_of(of.key)
        if key is None or predicate is FALSE:
            return Source([])
        sql = f"SELECT x.run AS run FROM {side.table} x WHERE x.experiment_id = ? AND x.key = ?"
        values = (self.experiment, key)
        if predicate is TRUE:
            return Source([Clause(sql, values)])
        return Source([Clause(f"{sql} AND {predicate.sql}", (*values, *predicate.values))], exact)

    def _by_attribute(self, test: Test) -> Source | None:
        name = test.field.key
        if name == "run_id" and not _is_wide(test) and (isinstance(test, In) or _op(test) == "="):
            found = self.compiler.predicate("x.run_id", test)
            return Source([Clause(f"SELECT x.id AS run FROM runs x WHERE {found.sql}", found.values)], exact=True)
        if name == "start_time" and not _is_wide(test) and test != Null(test.field, True):
            found = self.compiler.predicate("x.start_time", test, integer=True)
            if found is FALSE:
                return Source([])
            sql = f"SELECT x.id AS run FROM runs x WHERE x.experiment_id = ? AND {found.sql}"
            return Source([Clause(sql, (self.experiment, *found.values))], exact=True)
        return None

    def _by_dataset(self, test: Test, wanted: bool) -> Source | None:
        if isinstance(test, Null):
            if test.negated is not wanted:
                return None
            predicate = TRUE
        else:
            column = self.compiler.layout.sides["dataset"].columns[test.field.key]
            predicate = self.compiler.predicate(column, test) if wanted else TRUE
        sql = (
            "SELECT DISTINCT x.run AS run FROM datasets d JOIN dataset_inputs x ON x.dataset = d.id"
            f" WHERE d.experiment_id = ? AND {predicate.sql}"
        )
        return Source([Clause(sql, (self.experiment, *predicate.values))])


def _any_of(sources: Sequence[Source | None]) -> Source | None:
    parts: list[Clause] = []
    for source in sources:
        if source is None:
            return None
        parts += source.parts
    return Source(parts) if len(parts) <= MOST_PARTS else None


def _op(test: Test) -> str:
    return test.op if isinstance(test, Comparison) else ""


def _is_wide(test: Test) -> bool:
    """Whether a test holds for nearly all values there are, so that its index is of no help."""
    return test.op == "!=" if isinstance(test, Comparison) else test.negated


def _is_in_heads(test: Test) -> bool:
    """Whether the beginnings of texts decide a test: they are whole texts where they are shorter than they may be."""
    if isinstance(test, In):
        return not test.negated and all(len(str(value)) < HEAD for value in test.values)
    return _op(test) == "=" and len(str(getattr(test, "value", ""))) < HEAD


def _head(value: str) -> str:
    return f"substr({value}, 1, {HEAD})"


def _of_heads(test: Test) -> Clause:
    """What a test of a text says of the indexed beginning of the text; TRUE when that is nothing.

    Only the beginning is named: SQLite would put the known text in its place and leave the index aside.
    """
    head = _head("x.value")
    if _is_wide(test) or isinstance(test, Null):
        return TRUE
    if isinstance(test, In):
        return _heads_in(head, map(str, test.values))
    if isinstance(test, Between):
        return Clause(f"{head} BETWEEN ? AND ?", (str(test.low)[:HEAD], str(test.high)[:HEAD]))
    if not isinstance(test, Comparison):
        return TRUE
    if test.op == "=":
        return Clause(f"{head} = ?", (str(test.value)[:HEAD],))
    if test.op != "LIKE":
        return TRUE
    prefix = str(test.value).partition("%")[0].partition("_")[0][:HEAD]
    after = _next_text(prefix)
    if not prefix:
        return TRUE
    if after is None:
        return Clause(f"{head} >= ?", (prefix,))
    return Clause(f"({head} >= ? AND {head} < ?)", (prefix, after))


def _heads_in(head: str, texts: Iterable[str]) -> Clause:
    heads = tuple(dict.fromkeys(text[:HEAD] for text in texts))
    return Clause(f"{head} IN ({', '.join('?' * len(heads))})", heads)


def _next_text(prefix: str) -> str | None:
    """The first text after all that begin with ``prefix``, in the order of code points."""
    while prefix:
        code = ord(prefix[-1]) + 1
        if code <= 0x10FFFF:
            return prefix[:-1] + chr(0xE000 if code == 0xD800 else code)
        prefix = prefix[:-1]
    return None
