"""The rows of a table of runs in their order: made once a snapshot, kept in memory, cut into windows.

A snapshot is a bound: the greatest row id there was. Runs that come later are not in it, wherever their values would
put them, so its windows fit together while runs arrive. The order itself is kept, a few megabytes at most, so that a
window costs what its cells cost; a server that does not have it (another one, or one that has seen many tables since)
makes it again from the token, within the same bound.
"""

from __future__ import annotations

import base64
import binascii
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from millstream.entities import ViewType
from millstream.errors import InvalidValue
from millstream.search.parser import parse_filter, parse_order
from millstream.search.sql import Compiler, Dialect, every
from millstream.search.text import to_text
from millstream.search.tree import Expression, Field, Order, fold
from millstream.search.vocabulary import RUNS
from millstream.stores.sql.conditions import Conditions, Source
from millstream.stores.sql.driver import fetch
from millstream.stores.sql.grid.values import arranged, chunked, values_of, within
from millstream.stores.sql.keys import Keys
from millstream.stores.sql.ordering import fingerprint
from millstream.stores.sql.planner import Limits, Planner
from millstream.stores.sql.records import find_rows
from millstream.stores.sql.search import run_layout
from millstream.stores.sql.transaction import Transaction
from millstream.stores.sql.views.views import arrangements_of

PARENT = "mlflow.parentRunId"
_STARTED = Field("attribute", "start_time")
_KEPT = 64
_FEW = Limits().few


@dataclass(frozen=True)
class Asked:
    """Which runs, in which order. ``view`` is a number of ViewType."""

    experiments: tuple[int, ...]
    filter: Expression | None
    orders: tuple[Order, ...]
    view: int
    tree: bool = False
    pinned: bool = False

    @classmethod
    def of(
        cls, experiment_ids: Iterable[str], filter: str | None, order_by: Sequence[str], view: str, *,
        tree: bool = False, pinned: bool = False,
    ) -> Asked:
        """Raises SearchSyntaxError for a filter or an order that is none, InvalidValue for another view."""
        numbers = {int(text) for text in experiment_ids if text.isascii() and text.isdigit() and len(text) < 19}
        try:
            shown = ViewType.from_string(view)
        except KeyError:
            raise InvalidValue.of("view_type", view, "it is none of ACTIVE_ONLY, DELETED_ONLY, ALL") from None
        filtered = parse_filter(filter, RUNS)
        orders = tuple(parse_order(order_by, RUNS))
        return cls(tuple(sorted(numbers)), filtered, orders, shown, tree, pinned)

    @property
    def fingerprint(self) -> bytes:
        """What is asked, in eight bytes."""
        text = self.filter and to_text(self.filter)
        return fingerprint("table", self.experiments, text, self.orders, self.view, self.tree, self.pinned)


@dataclass
class Rows:
    """The rows of one snapshot. ``runs`` are the numbers of all runs in their order, ``top`` those that are no child
    of another one, ``children`` the children of those that have some, in the same order."""

    snapshot: str
    runs: array[int]
    top: array[int] | None = None
    children: dict[int, list[int]] = field(default_factory=dict)


class _Snapshot(msgspec.Struct, array_like=True):
    of: bytes
    bound: int
    state: bytes


class _Kept:
    """What one store's tables have been lately."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.rows: OrderedDict[str, Rows] = OrderedDict()
        self.bases: OrderedDict[tuple[Any, ...], tuple[Any, list[int]]] = OrderedDict()

    def get(self, snapshot: str) -> Rows | None:
        with self.lock:
            found = self.rows.get(snapshot)
            if found is not None:
                self.rows.move_to_end(snapshot)
            return found

    def keep(self, rows: Rows) -> None:
        with self.lock:
            self.rows[rows.snapshot] = rows
            while len(self.rows) > _KEPT:
                self.rows.popitem(last=False)


_KEPT_OF: WeakKeyDictionary[Keys, _Kept] = WeakKeyDictionary()


def rows_of(transaction: Transaction, asked: Asked, snapshot: str | None, state: str) -> Rows:
    """The rows of a table: those of ``snapshot``, or of now.

    ``state`` is that of the store: while it stays the same, so do tables.
    Raises InvalidValue for a snapshot of another table.
    """
    kept = _KEPT_OF.setdefault(transaction.keys, _Kept())
    of = asked.fingerprint
    if snapshot:
        made = _read(snapshot, of)
        return kept.get(snapshot) or _make(transaction, asked, snapshot, made.bound, kept)
    bound = fetch(transaction.connection, "SELECT coalesce(max(id), 0) FROM runs")[0][0]
    token = _write(_Snapshot(of, bound, fingerprint(state)))
    return kept.get(token) or _make(transaction, asked, token, bound, kept)


def bound_of(snapshot: str) -> int:
    """The greatest number of a run that a table of this snapshot has. Raises InvalidValue."""
    return _read(snapshot, None).bound


def _write(snapshot: _Snapshot) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(snapshot)).decode().rstrip("=")


def _read(token: str, of: bytes | None) -> _Snapshot:
    try:
        packed = base64.b64decode(token.encode() + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        found = msgspec.msgpack.decode(packed, type=_Snapshot)
    except (binascii.Error, UnicodeEncodeError, msgspec.MsgspecError):
        raise InvalidValue.of("snapshot", token, "no answer gave it", hint="leave it out to begin anew") from None
    if of is not None and found.of != of:
        raise InvalidValue.of(
            "snapshot", token, "it belongs to a table with another filter, order or scope",
            hint="leave it out when anything of these changes",
        )
    return found


def _make(transaction: Transaction, asked: Asked, token: str, bound: int, kept: _Kept) -> Rows:
    chosen = matching(transaction, asked)
    whole = replace(asked, filter=None)
    # The same table without the filter has its order already.
    twin = _write(msgspec.structs.replace(_read(token, None), of=whole.fingerprint))
    known = kept.get(twin) if chosen is not None else None
    runs: Sequence[int] = known.runs if known is not None else base(transaction, asked, bound, kept.bases)
    if chosen is not None:
        runs = [run for run in runs if run in chosen]
    if known is None:
        runs = _ordered(transaction, asked, runs)
    rows = Rows(token, array("q", runs))
    if asked.tree:
        _nest(transaction, asked, rows)
    kept.keep(rows)
    return rows


def _ordered(transaction: Transaction, asked: Asked, runs: Sequence[int]) -> Sequence[int]:
    """Runs that come the newest first, in the order that is asked for."""
    for at, order in enumerate(reversed(asked.orders)):
        if at == 0 and order.field == _STARTED and not order.ascending:
            continue  # they come so
        runs = arranged(runs, values_of(transaction, asked.experiments, order.field), order.ascending)
    if asked.pinned and (named := arrangements_of(transaction, asked.experiments)):
        ahead = {row.id for row in find_rows(transaction, [run for one in named.values() for run in one.runs])}
        runs = [*(run for run in runs if run in ahead), *(run for run in runs if run not in ahead)]
    return runs


def base(
    transaction: Transaction, asked: Asked, bound: int,
    bases: OrderedDict[tuple[Any, ...], tuple[Any, list[int]]] | None = None,
) -> list[int]:
    """The runs of the experiments and view, the newest first, then by their ids."""
    if not asked.experiments:
        return []
    where = within("experiment_id", asked.experiments)
    connection = transaction.connection
    # What tells whether the runs of an experiment are the same as before: how many, and which, there and in the trash.
    # Counting along the index costs a tenth of reading it.
    present = fetch(connection, f"SELECT count(*), sum(id) FROM runs WHERE {where} AND id <= {bound}")
    trash = {
        run for (run,) in fetch(connection, f"SELECT id FROM runs WHERE {where} AND deleted_time IS NOT NULL")
    }
    state = (present, len(trash), sum(trash))
    known = bases.get((asked.experiments, asked.view)) if bases else None
    if known is not None and known[0] == state:
        return known[1]
    rows = fetch(
        connection, f"SELECT id, start_time FROM runs WHERE {where} AND id <= {bound} ORDER BY start_time DESC, run_id"
    )
    if rows and rows[0][1] is None:  # PostgreSQL puts them first
        rows = [*(row for row in rows if row[1] is not None), *(row for row in rows if row[1] is None)]
    if asked.view == ViewType.ACTIVE_ONLY and trash:
        runs = [run for run, _ in rows if run not in trash]
    elif asked.view == ViewType.DELETED_ONLY:
        runs = [run for run, _ in rows if run in trash]
    else:
        runs = [run for run, _ in rows]
    if bases is not None:
        bases[asked.experiments, asked.view] = (state, runs)
        while len(bases) > _KEPT // 4:
            bases.popitem(last=False)
    return runs


def matching(transaction: Transaction, asked: Asked) -> set[int] | None:
    """The runs that the filter selects, in the trash or not; None where there is no filter."""
    tree = asked.filter
    if tree is None:
        return None
    names: set[str] = set()
    fold(tree, lambda test, _: names.add(test.field.key), lambda _: None, lambda _: None)
    keys = transaction.keys.find(transaction.connection, names)
    dialect: Dialect = "sqlite" if transaction.connection.dialect.name == "sqlite" else "postgresql"
    compiler = Compiler(run_layout(keys.get), dialect)
    found: set[int] = set()
    for experiment in asked.experiments:
        found |= _matching(transaction, Conditions(transaction.connection, experiment, compiler, _FEW), tree)
    return found


def _matching(transaction: Transaction, conditions: Conditions, tree: Expression) -> set[int]:
    """From the indexes that decide a condition alone; what is left is tested run by run, from the smallest source."""
    terms = Planner(conditions, every([]), Limits()).terms(tree)
    chosen: set[int] | None = None
    tested = []
    fewest: Source | None = None
    for term in terms:
        source = term.source
        if source is not None and not source.parts:
            return set()
        if source is not None and source.exact:
            runs = {row[0] for row in conditions.run(source.clause)}
            chosen = runs if chosen is None else chosen & runs
            continue
        tested.append(term)
        if source is not None and (
            fewest is None or conditions.count(source, _FEW) < conditions.count(fewest, _FEW)
        ):
            fewest = source
    if not tested:
        return chosen if chosen is not None else set()
    if chosen is not None and len(chosen) < _FEW:
        return _passing(conditions, tested, sorted(chosen))
    source = fewest or conditions.whole().source
    assert source is not None
    origin = source.clause
    condition = every([term.condition("f.run") for term in tested])
    join = "CROSS JOIN" if conditions.compiler.dialect == "sqlite" else "JOIN"
    statement = condition._replace(
        sql=f"SELECT r.id FROM ({origin.sql}) f {join} runs r ON r.id = f.run"
        f" WHERE r.experiment_id = {conditions.experiment} AND {condition.sql}",
        values=origin.values + condition.values,
    )
    runs = {row[0] for row in conditions.run(statement)}
    return runs if chosen is None else chosen & runs


def _passing(conditions: Conditions, tested: Sequence[Any], runs: Sequence[int]) -> set[int]:
    found: set[int] = set()
    condition = every([term.condition("r.id") for term in tested])
    for chunk in chunked(runs):
        sql = f"SELECT r.id FROM runs r WHERE {within('r.id', chunk)} AND {condition.sql}"
        found |= {row[0] for row in conditions.run(condition._replace(sql=sql))}
    return found


def _nest(transaction: Transaction, asked: Asked, rows: Rows) -> None:
    """Find who is whose child: by the tag that names the parent, where the parent is a row of the table too."""
    named = values_of(transaction, asked.experiments, Field("tag", PARENT))
    rows.top = rows.runs
    if not named:
        return
    number_of: dict[str, int] = {}
    ids = sorted(set(named.values()))
    for start in range(0, len(ids), 500):
        part = ids[start : start + 500]
        number_of.update(
            fetch(
                transaction.connection,
                f"SELECT run_id, id FROM runs WHERE run_id IN ({', '.join('?' * len(part))})", part,
            )
        )
    here = set(rows.runs)
    parent: dict[int, int] = {}
    for run, text in named.items():
        above = number_of.get(text)
        if above is not None and above != run and run in here and above in here:
            parent[run] = above
    for run in list(parent):
        _break_circle(run, parent)
    for run in rows.runs:
        if run in parent:
            rows.children.setdefault(parent[run], []).append(run)
    rows.top = array("q", [run for run in rows.runs if run not in parent])


def _break_circle(run: int, parent: dict[int, int]) -> None:
    """A run that is its own ancestor is nobody's child."""
    seen = {run}
    at = parent.get(run)
    while at is not None and at not in seen:
        seen.add(at)
        at = parent.get(at)
    if at == run:
        del parent[run]


def window_of(
    rows: Rows, offset: int, limit: int, expanded: Callable[[int], bool] | None
) -> tuple[int, list[int], list[int]]:
    """``(rows in all, the runs of a window, how deep each lies)``; ``expanded`` says which parents are open."""
    if rows.top is None or expanded is None or not rows.children:
        whole = rows.runs if rows.top is None else rows.top
        runs = list(whole[offset : offset + limit])
        return len(whole), runs, [0] * len(runs)
    flat: list[int] = []
    depths: list[int] = []
    for top in rows.top:
        work = [(top, 0)]
        while work:
            run, depth = work.pop()
            flat.append(run)
            depths.append(depth)
            if run in rows.children and expanded(run):
                work.extend((child, depth + 1) for child in reversed(rows.children[run]))
    return len(flat), flat[offset : offset + limit], depths[offset : offset + limit]
