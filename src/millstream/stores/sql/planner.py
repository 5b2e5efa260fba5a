"""How a search of runs is carried out: which side drives, and how far it is followed.

Three ways lead to a page, and which is cheap depends on how many runs pass which condition:

- *from a source*: all runs that one condition selects, found by its own index; the other conditions are tested, and
  what is left is sorted. Cheap when the condition selects few. The whole experiment is a source, too.
- *along an index*: in the order that is asked for, each run tested, until the page is full. Cheap when many runs pass.
- *by groups*: where many runs have one value in the order, the value becomes a condition and the next key the order.

Bounded counts of the conditions choose; a walk along an index is given up when a source promises to cost less.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from millstream.search.sql import TRUE, Clause, conjuncts
from millstream.search.tree import Comparison, Expression, Field, Null
from millstream.stores.sql.conditions import MOST_COUNTED, Conditions, Source, Term
from millstream.stores.sql.ordering import MISSING, NAN, NO_VALUE, NOT_A_NUMBER, VALUE, Key, Sorted, States, read_states
from millstream.stores.sql.schema import HEAD

# Microseconds to test a run along an index, and to fetch, test and sort one from a source, on a warm SQLite of 1.4 GB.
WALK_COST = 2.5
DRIVE_COST = 5.0
# From so many runs on, joining whole tables costs PostgreSQL less than looking up each.
WORTH_JOINING = 50_000

Row: TypeAlias = tuple[int, States]


@dataclass(frozen=True)
class Walk:
    """An index in the order of a key: the rows of ``table`` that ``where`` selects, by ``index``.

    ``value`` is the whole value where the index holds only its beginning.
    """

    table: str
    where: Clause
    run: str
    index: str
    value: str


@dataclass(frozen=True)
class SortKey:
    """A key of the order, and the index that is in its order, where there is one.

    No run has a value of an ``unused`` key, and no two have the same of a ``unique`` one.
    """

    field: Field
    key: Key
    walk: Walk | None = None
    unique: bool = False
    unused: bool = False


@dataclass(frozen=True)
class Limits:
    """Where one way is left for another, in numbers of runs.

    A source of fewer than ``few`` is followed without further thought: it costs some 20 ms at most. ``patience`` is how
    many are tested along an index before it is asked whether a source would cost less; they are read in windows that
    grow from the ``first_window`` to the ``largest_window``.
    """

    few: int = 4_000
    patience: int = 10_000
    first_window: int = 256
    largest_window: int = 16_384


class _Cheaper(Exception):
    """A source promises to cost less than to walk on."""

    def __init__(self, source: Source) -> None:
        self.source = source


@dataclass
class _Budget:
    """How many runs may be tested along indexes, and have been.

    How far it still is to a full page nobody knows, but what a source costs can be counted. So when a walk has used up
    what it may, it may go some times as far, unless a ``source`` costs less than that.
    """

    most: int
    source: Callable[[int], Source | None]
    tested: int = 0

    def spend(self, tested: int) -> None:
        self.tested += tested
        while self.tested > self.most:
            self.most *= 4
            cheaper = self.source(self.most)
            if cheaper is not None:
                raise _Cheaper(cheaper)


class Planner:
    """Searches the runs of one experiment; ``shown`` is the condition of the view, over the run ``r``."""

    def __init__(self, conditions: Conditions, shown: Clause, limits: Limits) -> None:
        self._conditions = conditions
        self._limits = limits
        self._shown = [Clause("r.experiment_id = ?", (conditions.experiment,)), shown]
        # For SQLite CROSS JOIN is a word about the order of the loops; PostgreSQL finds it by itself.
        self._join = "CROSS JOIN" if conditions.compiler.dialect == "sqlite" else "JOIN"

    def page(self, terms: Sequence[Term], keys: Sequence[SortKey], after: States | None, limit: int) -> list[Row]:
        """The first ``limit`` runs after ``after`` that all terms select, in the order of ``keys``."""
        terms = [*terms, self._conditions.whole()]
        budget = _Budget(
            max(self._limits.patience, 4 * limit),
            lambda most: self._smallest(terms, int(most * WALK_COST / DRIVE_COST)),
        )
        try:
            return self._find(terms, keys, after, limit, budget)
        except _Cheaper as cheaper:
            return self._from(cheaper.source, terms, keys, after, limit)

    def terms(self, expression: Expression | None) -> list[Term]:
        """The filter as terms that have to hold together."""
        terms = [self._conditions.of(part) for part in conjuncts(expression)]
        # Counting costs something, too: a filter of very many conditions is driven by one of the first.
        return [*terms[:MOST_COUNTED], *(replace(term, source=None) for term in terms[MOST_COUNTED:])]

    def _smallest(self, terms: Sequence[Term], most: int) -> Source | None:
        """The source of the fewest runs, if those are fewer than ``most``."""
        up_to = min(self._limits.few, most)
        sources = [term.source for term in terms if term.source is not None]
        while True:
            counts = [self._conditions.count(source, up_to) for source in sources]
            fewest = min(counts)
            if fewest < up_to:
                return sources[counts.index(fewest)]
            if up_to >= most:
                return None
            up_to = min(4 * up_to, most)

    def _find(
        self, terms: Sequence[Term], keys: Sequence[SortKey], after: States | None, limit: int, budget: _Budget
    ) -> list[Row]:
        few = self._smallest(terms, self._limits.few)
        if few is not None:
            return self._from(few, terms, keys, after, limit)
        if keys[0].unused:
            found = self._find(terms, keys[1:], after[1:] if after else None, limit, budget)
            return [(run, (NO_VALUE, *states)) for run, states in found]
        walk = keys[0].walk
        if walk is None:
            source = self._smallest(terms, 1 << 62)
            assert source is not None  # the whole experiment is finite
            return self._from(source, terms, keys, after, limit)
        return self._along(walk, terms, keys, after, limit, budget)

    def _from(
        self, source: Source, terms: Sequence[Term], keys: Sequence[SortKey], after: States | None, limit: int
    ) -> list[Row]:
        """From a source: test all it has, and sort."""
        if not source.parts:
            return []
        found = source.clause
        # PostgreSQL knows the values of all keys together, and little of those of one key. It is told how many there
        # are, so that it looks up the rest for each instead of joining whole tables; rounded, so that statements recur.
        told = self._join == "JOIN" and source.counted < WORTH_JOINING
        most = f" LIMIT {1 << source.counted.bit_length()}" if told else ""
        origin = Clause(f"({found.sql}{most}) f {self._join} runs r ON r.id = f.run", found.values)
        tests = [term.condition("f.run") for term in terms if term.source is not source or not source.exact]
        return self._sorted(origin, tests, [sort.key for sort in keys], after, limit)

    def _sorted(
        self, origin: Clause, tests: Sequence[Clause], keys: Sequence[Key], after: States | None, limit: int
    ) -> list[Row]:
        conditions = [test for test in (*tests, *self._shown) if test is not TRUE]
        statement = Sorted("r.id", origin, conditions, keys, after, limit).statement()
        return [(row[0], read_states(row, keys)) for row in self._conditions.run(statement)]

    def _along(
        self,
        walk: Walk,
        terms: Sequence[Term],
        keys: Sequence[SortKey],
        after: States | None,
        limit: int,
        budget: _Budget,
    ) -> list[Row]:
        """Along the index of the first key: its values in windows, then NaN, then what has no value."""
        sort, rest = keys[0], keys[1:]
        rows: list[Row] = []
        state = after[0] if after else None
        begin = TRUE
        if state is not None and state[0] == VALUE:
            at = state[1][:HEAD] if sort.key.text and not sort.unique else state[1]
            if not sort.unique:
                rows = self._group(at, terms, keys, after, limit, budget)
            begin = Clause(f"{walk.index} {'>' if sort.key.ascending else '<'} ?", (at,))
        if state is None or state[0] == VALUE:
            rows += self._windows(walk, begin, terms, keys, limit - len(rows), budget)
        if len(rows) < limit and sort.key.present is not None and (state is None or state[0] in (VALUE, NAN)):
            term = self._conditions.unknown(sort.field)
            further = after[1:] if after and after[0][0] == NAN else None
            found = self._find([term, *terms], rest, further, limit - len(rows), budget)
            rows += [(run, (NOT_A_NUMBER, *states)) for run, states in found]
        if len(rows) < limit and not sort.unique:
            term = self._conditions.of(Null(sort.field))
            further = after[1:] if after and after[0][0] == MISSING else None
            found = self._find([term, *terms], _anchored(sort, None, rest), further, limit - len(rows), budget)
            rows += [(run, (NO_VALUE, *states)) for run, states in found]
        return rows

    def _windows(
        self, walk: Walk, begin: Clause, terms: Sequence[Term], keys: Sequence[SortKey], limit: int, budget: _Budget
    ) -> list[Row]:
        """The values of the index from ``begin`` on, so many at a time, each window of whole groups of one value."""
        key = keys[0].key
        size = self._limits.first_window
        while size < 2 * limit:
            size *= 2
        rows: list[Row] = []
        further, back = (">", "<") if key.ascending else ("<", ">")
        while len(rows) < limit:
            first, last = self._ends(walk, begin, key, size)
            if first is None:
                break
            budget.spend(size)
            wanted = limit - len(rows)
            if first == last:
                found = self._group(first, terms, keys, None, wanted, budget)
                begin = Clause(f"{walk.index} {further} ?", (first,))
            else:
                end = TRUE if last is None else Clause(f"{walk.index} {back} ?", (last,))
                found = self._window(walk, [begin, end], terms, keys, wanted, size)
                begin = Clause(f"{walk.index} {further}= ?", (last,))
            rows += found
            if last is None:
                break
            size = min(4 * size, max(size, self._limits.largest_window))
        return rows

    def _ends(self, walk: Walk, begin: Clause, key: Key, size: int) -> tuple[Any, Any]:
        """The first value of a window, and the first value beyond it: None where the index ends."""
        bound = f" AND {begin.sql}" if begin is not TRUE else ""
        select = (
            f"(SELECT {walk.index} FROM {walk.table} WHERE {walk.where.sql} AND {walk.index} IS NOT NULL{bound}"
            f" ORDER BY {walk.index}{key.descending()} LIMIT 1"
        )
        values = walk.where.values + begin.values
        ends = Clause(f"SELECT {select}) AS begins, {select} OFFSET {size - 1}) AS ends", values + values)
        row = self._conditions.run(ends)[0]
        return row.begins, row.ends

    def _window(
        self,
        walk: Walk,
        bounds: Sequence[Clause],
        terms: Sequence[Term],
        keys: Sequence[SortKey],
        limit: int,
        size: int,
    ) -> list[Row]:
        first = keys[0].key
        where = [walk.where, Clause(f"{walk.index} IS NOT NULL"), *(bound for bound in bounds if bound is not TRUE)]
        window = Clause(
            f"(SELECT {walk.run} AS run, {walk.value} AS value FROM {walk.table}"
            f" WHERE {' AND '.join(clause.sql for clause in where)}"
            f" ORDER BY {walk.index}{first.descending()} LIMIT {size})",
            tuple(value for clause in where for value in clause.values),
        )
        origin = Clause(f"{window.sql} w {self._join} runs r ON r.id = w.run", window.values)
        known = replace(first, value=Clause("w.value"), join=Clause(""), present=Clause("1") if first.present else None)
        tests = [term.condition("w.run") for term in terms]
        return self._sorted(origin, tests, [known, *(sort.key for sort in keys[1:])], None, limit)

    def _group(
        self, at: Any, terms: Sequence[Term], keys: Sequence[SortKey], after: States | None, limit: int, budget: _Budget
    ) -> list[Row]:
        """All runs with one value of the first key, in the order of the other keys."""
        sort, rest = keys[0], keys[1:]
        if sort.key.text and len(at) == HEAD:
            # Texts that are the same as far as the index holds them still have an order of their own.
            term = self._conditions.beginning(sort.field, at)
            return self._find([term, *terms], [replace(sort, walk=None), *rest], after, limit, budget)
        term = self._conditions.of(Comparison(sort.field, "=", at))
        found = self._find([term, *terms], _anchored(sort, at, rest), after[1:] if after else None, limit, budget)
        return [(run, ((VALUE, at), *states)) for run, states in found]


def _anchored(sort: SortKey, at: Any, rest: Sequence[SortKey]) -> Sequence[SortKey]:
    """The other keys of a group. Where all of it has one start time, the index of times is in the order of ids."""
    walk = sort.walk
    if walk is None or walk.index != "x.start_time":
        return rest
    where = Clause(f"{walk.where.sql} AND x.start_time IS NULL", walk.where.values)
    if at is not None:
        where = Clause(f"{walk.where.sql} AND x.start_time = ?", (*walk.where.values, at))
    ids = replace(walk, where=where, index="x.run_id", value="x.run_id")
    return [replace(other, walk=ids) if other.unique else other for other in rest]
