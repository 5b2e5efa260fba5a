"""Searches of runs: what SQL finds is what the evaluator finds, on both databases, by every way to a page."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millstream.errors import SearchSyntaxError
from millstream.search.evaluate import Record, matches
from millstream.search.text import order_text, to_text
from millstream.search.tree import Expression, Order
from millstream.stores.sql.database import Database
from millstream.stores.sql.planner import Limits
from tests.unit.search.trees import leaves, records, trees
from tests.unit.stores.sql.searching import distinct, enter, found_by, ordered, orders, transaction

# Small enough that a dozen runs take every turn that a million take.
WAYS = (
    Limits(),
    Limits(few=1, first_window=2, largest_window=4),
    Limits(few=2, first_window=2, largest_window=2, patience=1),
    Limits(few=3, first_window=4, largest_window=8, patience=6),
    Limits(few=1, first_window=2, largest_window=2),
)


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


def run(name: str, status: str, start_time: int | None, **more: Any) -> Record:
    attributes = {"run_name": name, "status": status, "start_time": start_time, "artifact_uri": f"s3://{name}"}
    return Record(attributes, **more)


THREE = [
    run(
        "one",
        "FINISHED",
        30,
        metrics={"a": 0.25},
        params={"a": "cnn"},
        tags={"x y": "É"},
        datasets=[{"name": "iris", "digest": "1", "context": "train"}],
    ),
    run("two", "FAILED", 20, params={"a": "CNN"}, datasets=[{"name": "iris", "digest": "2", "context": None}]),
    run("three", "RUNNING", None, params={"a": "x" * 200}),
]


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ("run_id LIKE '%:0:%'", ["one"]),
        ("status = 'FAILED'", ["two"]),
        ("status != 'FAILED' AND status NOT IN ('RUNNING')", ["one"]),
        ("status LIKE 'F%'", ["one", "two"]),
        ("status ILIKE 'fin%'", ["one"]),
        ("status = 'NO SUCH'", []),
        ("start_time < 1e30", ["one", "two"]),
        ("start_time > -1e30 AND start_time != 20.5", ["one", "two"]),
        ("start_time >= 19.5 AND start_time <= 20.5", ["two"]),
        ("start_time IN (20, 30.5, 1e999)", ["two"]),
        ("start_time NOT IN (20.5)", ["one", "two"]),
        ("start_time NOT BETWEEN 25 AND 1e999", ["two"]),
        ("start_time IS NULL", ["three"]),
        ("end_time IS NULL", ["one", "two", "three"]),
        ("dataset.name = 'iris' AND dataset.digest = '2'", ["two"]),
        ("dataset.context IS NULL", ["two", "three"]),
        ("NOT dataset.context IS NULL", ["one"]),
        ("NOT dataset.name = 'wine'", ["one", "two"]),
        ("params.a = 'cnn'", ["one"]),
        ("params.a LIKE 'c%'", ["one"]),
        ("params.a ILIKE 'c%'", ["one", "two"]),
        ("tags.`x y` ILIKE 'é'", ["one"]),
        (f"params.a = '{'x' * 200}'", ["three"]),
        (f"params.a = '{'x' * 199}'", []),
        (f"params.a IN ('{'x' * 199}', '{'x' * 200}')", ["three"]),
        (f"params.a LIKE '{'x' * 150}%'", ["three"]),
        (f"params.a BETWEEN '{'x' * 199}' AND '{'x' * 201}'", ["three"]),
        ("params.a MATCHES '(?i)^c[n]+$'", ["one", "two"]),
        ("metrics.a > 0 OR params.nobody = 'x'", ["one"]),
        ("metrics.nobody IS NULL AND params.a IS NOT NULL", ["one", "two", "three"]),
        ("NOT metrics.nobody = 1", []),
        # One side of an AND selects what the other does not.
        ("NOT (params.a != 'CNN' OR metrics.a != 0.25)", []),
        ("params.a = 'CNN' OR (params.a = 'CNN' AND metrics.a = 0.25)", ["two"]),
    ],
)
@pytest.mark.parametrize("limits", WAYS[:2])
def test_examples(either: Database, filter: str, expected: list[str], limits: Limits) -> None:
    with transaction(either) as work:
        experiment, known = enter(work.connection, THREE)
        names = {str(record.attributes["run_id"]): record.attributes["run_name"] for record in known}
        assert [names[run_id] for run_id in found_by(work, [experiment], filter, [], limits=limits)] == expected


def test_run_ids(either: Database) -> None:
    with transaction(either) as work:
        experiment, known = enter(work.connection, THREE)
        ids = [str(record.attributes["run_id"]) for record in known]
        assert found_by(work, [experiment], f"run_id = '{ids[1]}'", [], limits=WAYS[1]) == [ids[1]]
        assert found_by(work, [experiment], f"run_id IN ('{ids[2]}', '{ids[0]}')", [], limits=WAYS[1]) == [
            ids[0],
            ids[2],
        ]
        elsewhere, _ = enter(work.connection, THREE)
        assert found_by(work, [elsewhere], f"run_id = '{ids[1]}'", [], limits=WAYS[1]) == []


def deep(levels: int) -> str:
    """A filter as deep as it may be, in which AND and OR take turns: true where the metric is 0.25."""
    text = "metrics.a = 0.25"
    for level in range(levels):
        text = f"(params.a = 'no' OR {text})" if level % 2 else f"(NOT params.a = 'no' AND {text})"
    return text


def test_the_deepest_filter(either: Database) -> None:
    with transaction(either) as work:
        experiment, known = enter(work.connection, THREE)
        assert found_by(work, [experiment], deep(99), []) == [known[0].attributes["run_id"]]
        assert found_by(work, [experiment], f"NOT {deep(98)}", []) == []
        both = f"({deep(90)} OR {deep(90)}) AND ({deep(90)} OR {deep(90)})"
        assert found_by(work, [experiment], both, []) == [known[0].attributes["run_id"]]


@pytest.mark.parametrize("word", ["AND", "OR"])
def test_the_widest_filter(either: Database, word: str) -> None:
    with transaction(either) as work:
        experiment, known = enter(work.connection, THREE)
        filter = f" {word} ".join(["metrics.a = 0.25", "metrics.a > 0.2", "params.a = 'cnn'", "start_time > 25"] * 500)
        assert found_by(work, [experiment], filter, [], limits=WAYS[1]) == [known[0].attributes["run_id"]]


@pytest.mark.parametrize("field", ["metrics.a", "start_time", "best_step(metrics.a)"])
def test_the_longest_list_of_numbers(either: Database, field: str) -> None:
    with transaction(either) as work:
        experiment, known = enter(work.connection, THREE)
        filter = f"{field} IN ({', '.join(map(str, range(100, 10_096)))}, 0, 0.25, 30, 1e30)"
        assert found_by(work, [experiment], filter, [], limits=WAYS[1]) == [known[0].attributes["run_id"]]


def test_the_longest_list_of_texts(either: Database) -> None:
    with transaction(either) as work:
        experiment, known = enter(work.connection, THREE)
        filter = f"params.a NOT IN ({', '.join(repr(str(number)) for number in range(9_998))}, 'CNN', '{'x' * 200}')"
        assert found_by(work, [experiment], filter, [], limits=WAYS[1]) == [known[0].attributes["run_id"]]


def test_regular_expressions_that_a_database_cannot_search_for(postgres: Database) -> None:
    with transaction(postgres) as work, pytest.raises(SearchSyntaxError, match="PostgreSQL cannot search"):
        experiment, _ = enter(work.connection, THREE)
        found_by(work, [experiment], r"params.a MATCHES '\pL'", [])
