"""Searches of runs: what SQL finds is what the evaluator finds, on both databases, by every way to a page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millstream.entities import ViewType
from millstream.search.evaluate import matches
from millstream.search.text import order_text, to_text
from millstream.search.tree import Expression, Order
from millstream.stores.sql.database import Database
from millstream.stores.sql.planner import Limits
from millstream.stores.sql.search import find_runs
from millstream.stores.sql.transaction import Transaction
from tests.unit.search.trees import leaves, records, trees
from tests.unit.stores.sql.searching import database, distinct, enter, ordered, orders, transaction

# Small enough that a dozen runs take every turn that a million take.
WAYS = (
    Limits(),
    Limits(few=1, first_window=2, largest_window=4),
    Limits(few=2, first_window=2, largest_window=2, patience=1),
    Limits(few=3, first_window=4, largest_window=8, patience=6),
    Limits(few=1, first_window=2, largest_window=2),
)


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with database(f"sqlite:///{tmp_path_factory.mktemp('search')}/store.db") as opened:
        yield opened


@pytest.fixture(scope="module")
def postgres(postgres_uri: str) -> Iterator[Database]:
    with database(postgres_uri) as opened:
        yield opened


def found_by(
    work: Transaction,
    experiments: list[int],
    filter: str | None,
    order_by: list[str],
    *,
    page: int = 1000,
    limits: Limits = WAYS[0],
    view: int = ViewType.ACTIVE_ONLY,
) -> list[str]:
    """The ids of the runs that a search finds, read page by page."""
    found: list[str] = []
    token = None
    while True:
        answer = find_runs(work, map(str, experiments), filter, order_by, view, page, token, limits)
        assert len(answer.rows) <= page
        found += [row.run_id for row in answer.rows]
        token = answer.token
        if token is None:
            return found
        assert len(answer.rows) == page


def check(opened: Database, data: st.DataObject) -> None:
    entered = distinct(data.draw(st.lists(records(), max_size=7), "runs"))
    with transaction(opened) as work:
        experiment, known = enter(work.connection, entered)
        for _ in range(3):
            tree: Expression = data.draw(trees(leaves(), 5), "filter")
            by: list[Order] = data.draw(orders(), "order")
            page, limits = data.draw(st.integers(1, 4), "page"), data.draw(st.sampled_from(WAYS), "limits")
            selected = [record for record in known if matches(tree, record)]
            text, clauses = to_text(tree), [order_text(order) for order in by]
            assert found_by(work, [experiment], text, clauses, page=page, limits=limits) == ordered(selected, by)
            assert found_by(work, [experiment], None, clauses, page=page, limits=limits) == ordered(known, by)


many = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


@many
@given(st.data())
def test_sqlite_agrees_with_the_evaluator(sqlite: Database, data: st.DataObject) -> None:
    check(sqlite, data)


@many
@given(st.data())
def test_postgres_agrees_with_the_evaluator(postgres: Database, data: st.DataObject) -> None:
    check(postgres, data)
