"""The table of runs: what SQL and its indexes give is what a plain evaluator gives, window by window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millstream.operations import QueryRuns
from millstream.search.evaluate import Record, matches
from millstream.search.text import order_text, to_text
from millstream.search.tree import Expression, Field, Order
from millstream.stores.sql.database import Database
from millstream.stores.sql.grid import ordered as ordered_rows
from millstream.stores.sql.grid import values as values_of_fields
from millstream.stores.sql.grid.query import query_runs
from millstream.stores.sql.transaction import Transaction
from tests.unit.search.trees import leaves, records, trees
from tests.unit.stores.sql.searching import add, distinct, enter, orders, transaction

many = settings(
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


def ordered(known: Sequence[Record], by: Sequence[Order]) -> list[str]:
    """The ids of runs in the order of a table: numbers, texts, NaN, nothing; then the newest, then by id."""
    found = sorted(known, key=lambda record: str(record.attributes["run_id"]))
    for order in [Order(Field("attribute", "start_time"), False), *reversed(by)]:
        ranked: dict[int, list[tuple[Any, Record]]] = {0: [], 1: [], 2: [], 3: []}
        for record in found:
            rank, value = _rank(record, order.field)
            ranked[rank].append((value, record))
        for rank in (0, 1):
            ranked[rank].sort(key=lambda pair: pair[0], reverse=not order.ascending)
        found = [record for rank in range(4) for _, record in ranked[rank]]
    return [str(record.attributes["run_id"]) for record in found]


def _rank(record: Record, field: Field) -> tuple[int, Any]:
    values = record.values(field)
    if not values:
        return 3, 0
    value = values[0]
    if value is None:
        return 2, 0
    if isinstance(value, str):
        try:
            value = float(value) if "_" not in value else value
        except ValueError:
            return 1, value
        if isinstance(value, str):
            return 1, value
    return (2, 0) if math.isnan(value) else (0, value)


def windows(work: Transaction, asked: QueryRuns, size: int, *, forget: bool = False) -> list[str]:
    """The ids of a whole table, read window by window of one snapshot."""
    first = query_runs(work, asked)
    found: list[str] = []
    while len(found) < first.total:
        if forget:
            ordered_rows._KEPT_OF.clear()
        window = QueryRuns(
            asked.experiment_ids, filter=asked.filter, order_by=asked.order_by, view_type=asked.view_type,
            offset=len(found), limit=size, snapshot=first.snapshot,
        )
        table = query_runs(work, window)
        assert (table.total, table.snapshot) == (first.total, first.snapshot)
        assert table.ids
        found += table.ids
    return found


def numbers(text: str) -> st.SearchStrategy[str]:
    """A text, or one that is a number."""
    return st.sampled_from([text, "7", "1e-3", "-2", "nan", "inf"])


def check(opened: Database, data: st.DataObject) -> None:
    # Numbers among the texts, as parameters have them.
    entered = [
        replace(record, params={key: data.draw(numbers(text)) for key, text in record.params.items()})
        for record in distinct(data.draw(st.lists(records(), max_size=7), "runs"))
    ]
    with transaction(opened) as work:
        experiment, known = enter(work.connection, entered)
        other, more = enter(work.connection, entered[:2])
        for _ in range(3):
            tree: Expression = data.draw(trees(leaves(), 5), "filter")
            by: list[Order] = data.draw(orders(), "order")
            clauses = [order_text(order) for order in by]
            size = data.draw(st.integers(1, 4), "size")
            both = data.draw(st.booleans(), "both")
            among = [*known, *more] if both else known
            selected = [record for record in among if matches(tree, record)]
            of = [str(experiment), str(other)] if both else [str(experiment)]
            asked = QueryRuns(of, filter=to_text(tree), order_by=clauses)
            if data.draw(st.booleans(), "whole first"):  # whose order then serves the filtered table
                query_runs(work, QueryRuns(of, order_by=clauses))
            assert windows(work, asked, size) == ordered(selected, by)
            # Runs that come later are not in a snapshot, even where its order has been forgotten.
            first = query_runs(work, asked)
            late = add(work.connection, experiment, entered[:2])
            again = QueryRuns(of, filter=to_text(tree), order_by=clauses, snapshot=first.snapshot, limit=100)
            ordered_rows._KEPT_OF.clear()
            assert query_runs(work, again).ids == first.ids
            known = [*known, *late]


@pytest.fixture(params=[1, 4_000], ids=["sources", "tests"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to the runs that a filter selects: from what is known of them, and from a source."""
    monkeypatch.setattr(ordered_rows, "_FEW", request.param)


@many
@given(st.data())
def test_sqlite_agrees_with_the_evaluator(sqlite: Database, few: None, data: st.DataObject) -> None:
    check(sqlite, data)


@many
@given(st.data())
def test_postgres_agrees_with_the_evaluator(postgres: Database, few: None, data: st.DataObject) -> None:
    check(postgres, data)


def test_a_column_of_many_texts_is_read_whole(either: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values_of_fields, "_DISTINCT", 3)
    texts = ["b", "a", "10", "9", "c" * 200, "c" * 199 + "d"]
    facts: dict[str, Any] = {"status": "FINISHED", "start_time": 1, "artifact_uri": "s3://x"}
    runs = [Record({"run_name": text[:5], **facts}, params={"a": text}) for text in texts]
    with transaction(either) as work:
        for part in (runs, runs[:2]):  # too many to jump from one to the next, and few enough
            experiment, known = enter(work.connection, part)
            table = query_runs(work, QueryRuns([str(experiment)], order_by=["params.a"], columns=["params.a"]))
            assert table.ids == ordered(known, [Order(Field("param", "a"))])
        assert table.cols == {"params.a": ["a", "b"]}


def test_runs_without_a_time_come_last(either: Database) -> None:
    with transaction(either) as work:
        facts: dict[str, Any] = {"status": "FINISHED", "artifact_uri": "s3://x"}
        experiment, known = enter(
            work.connection,
            [Record({"run_name": str(time), "start_time": time, **facts}) for time in (5, None, 7, None, 6)],
            deleted=[0],
        )
        table = query_runs(work, QueryRuns([str(experiment)], columns=["attributes.start_time"]))
        assert table.cols == {"attributes.start_time": [7, 6, None, None]}
        asked = QueryRuns([str(experiment)], view_type="ALL", limit=2, offset=1)
        assert query_runs(work, asked).ids == ordered(known, [])[1:3]
