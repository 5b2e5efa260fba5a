"""Searches of registered models and versions: what SQL finds is what the evaluator finds, on both databases."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, text

from millstream.errors import InvalidValue
from millstream.operations import SearchModelVersions, SearchRegisteredModels
from millstream.search.evaluate import Record, matches
from millstream.search.text import to_text
from millstream.search.tree import Expression
from millstream.search.vocabulary import MODEL_VERSIONS, REGISTERED_MODELS
from millstream.stores.sql.database import Database
from millstream.stores.sql.registry.search import search_models, search_versions
from millstream.stores.sql.registry.tables import (
    model_version_tags,
    model_versions,
    registered_model_tags,
    registered_models,
)
from millstream.stores.sql.transaction import Transaction
from tests.unit.search.trees import KEYS, TIMES, leaves, texts, trees
from tests.unit.stores.sql.searching import transaction

some = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
tagged = st.dictionaries(st.sampled_from(KEYS), texts(), max_size=3)
times = st.sampled_from(TIMES)
MODEL_ORDERS: tuple[list[str], ...] = (
    [], ["name DESC"], ["timestamp"], ["last_updated_timestamp DESC", "name DESC"], ["creation_timestamp"]
)
VERSION_ORDERS: tuple[list[str], ...] = (
    [], ["version_number"], ["name DESC", "version_number DESC"], ["creation_timestamp DESC", "name"]
)


def enter_model(work: Transaction, name: str, made: int = 0, changed: int = 0) -> int:
    values = {"name": name, "creation_timestamp": made, "last_updated_timestamp": changed}
    number: int = work.connection.execute(insert(registered_models).values(values)).inserted_primary_key[0]  # type: ignore[index]
    return number


def enter_version(work: Transaction, model: int, name: str, number: int, **values: Any) -> int:
    row = {
        "model": model, "name": name, "version": number, "creation_timestamp": 0, "last_updated_timestamp": 0,
        "stage": "None", "source": "", "location": "", **values,
    }
    made: int = work.connection.execute(insert(model_versions).values(row)).inserted_primary_key[0]  # type: ignore[index]
    return made


def models_of(work: Transaction, size: int = 2, **asked: Any) -> list[str]:
    found: list[str] = []
    token = None
    while True:
        page = search_models(work, SearchRegisteredModels(max_results=size, page_token=token, **asked))
        found += [model.name for model in page.registered_models]
        token = page.next_page_token
        if token is None:
            return found


def versions_of(work: Transaction, size: int = 2, **asked: Any) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    token = None
    while True:
        page = search_versions(work, SearchModelVersions(max_results=size, page_token=token, **asked))
        found += [(version.name, int(version.version)) for version in page.model_versions]
        token = page.next_page_token
        if token is None:
            return found


def check_models(opened: Database, data: st.DataObject) -> None:
    with transaction(opened) as work:
        known: list[Record] = []
        for name in data.draw(st.lists(texts(), max_size=5, unique=True)):
            tags = data.draw(tagged)
            model = enter_model(work, name, data.draw(times), data.draw(times))
            for key, value in tags.items():
                work.connection.execute(insert(registered_model_tags).values(model=model, key=key, value=value))
            known.append(Record({"name": name}, tags=tags))
        tree: Expression = data.draw(trees(leaves(REGISTERED_MODELS), 5))
        expected = sorted(str(record.attributes["name"]) for record in known if matches(tree, record))
        for order in MODEL_ORDERS:
            found = models_of(work, filter=to_text(tree), order_by=order)
            assert sorted(found) == expected
            assert found == models_of(work, 100, filter=to_text(tree), order_by=order)


@some
@given(st.data())
def test_models_on_sqlite(sqlite: Database, data: st.DataObject) -> None:
    check_models(sqlite, data)


@some
@given(st.data())
def test_models_on_postgres(postgres: Database, data: st.DataObject) -> None:
    check_models(postgres, data)


def check_versions(opened: Database, data: st.DataObject) -> None:
    with transaction(opened) as work:
        known: list[Record] = []
        for name in data.draw(st.lists(texts(), max_size=3, unique=True)):
            model = enter_model(work, name)
            for number in data.draw(st.lists(st.integers(1, 12), max_size=4, unique=True)):
                values = data.draw(st.fixed_dictionaries(
                    {"source": texts(), "creation_timestamp": times, "last_updated_timestamp": times},
                    optional={"run_id": texts()},
                ))
                tags = data.draw(tagged)
                row = enter_version(work, model, name, number, **values)
                for key, value in tags.items():
                    work.connection.execute(insert(model_version_tags).values(model_version=row, key=key, value=value))
                attributes: dict[str, Any] = {"name": name, "version_number": number, "source_path": values["source"]}
                if "run_id" in values:
                    attributes["run_id"] = values["run_id"]
                known.append(Record(attributes, tags=tags))
        tree: Expression = data.draw(trees(leaves(MODEL_VERSIONS), 5))
        expected = sorted(
            (str(record.attributes["name"]), int(str(record.attributes["version_number"])))
            for record in known
            if matches(tree, record)
        )
        for order in VERSION_ORDERS:
            found = versions_of(work, filter=to_text(tree), order_by=order)
            assert sorted(found) == expected
            assert found == versions_of(work, 100, filter=to_text(tree), order_by=order)


@some
@given(st.data())
def test_versions_on_sqlite(sqlite: Database, data: st.DataObject) -> None:
    check_versions(sqlite, data)


@some
@given(st.data())
def test_versions_on_postgres(postgres: Database, data: st.DataObject) -> None:
    check_versions(postgres, data)


def test_orders(either: Database) -> None:
    with transaction(either) as work:
        for name, changed in (("a", 5), ("b", 7), ("c", 5)):
            model = enter_model(work, name, -changed, changed)
            for number in (1, 2):
                enter_version(work, model, name, number, last_updated_timestamp=changed, creation_timestamp=number)
        assert models_of(work) == ["a", "b", "c"]
        assert models_of(work, order_by=["timestamp DESC"]) == ["b", "a", "c"]
        assert models_of(work, order_by=["creation_timestamp", "name DESC"]) == ["b", "c", "a"]
        assert versions_of(work) == [("b", 2), ("b", 1), ("a", 2), ("a", 1), ("c", 2), ("c", 1)]
        assert versions_of(work, order_by=["creation_timestamp DESC", "name DESC"]) == [
            ("c", 2), ("b", 2), ("a", 2), ("c", 1), ("b", 1), ("a", 1)
        ]


def test_a_token_belongs_to_its_search(either: Database) -> None:
    with transaction(either) as work:
        for name in "abc":
            enter_version(work, enter_model(work, name), name, 1)
        models = search_models(work, SearchRegisteredModels(max_results=1)).next_page_token
        versions = search_versions(work, SearchModelVersions(max_results=1)).next_page_token
        for search in (
            lambda: search_models(work, SearchRegisteredModels(page_token=versions)),
            lambda: search_models(work, SearchRegisteredModels("name = 'a'", page_token=models)),
            lambda: search_versions(work, SearchModelVersions(page_token=models)),
            lambda: search_versions(work, SearchModelVersions(order_by=["name"], page_token=versions)),
        ):
            with pytest.raises(InvalidValue, match="page token"):
                search()


def test_pages_come_from_indexes(sqlite: Database) -> None:
    with transaction(sqlite) as work:
        numbers = itertools.count(1)
        for name in ("a", "b", "c"):
            model = enter_model(work, name)
            for _ in range(50):
                number = next(numbers)
                enter_version(work, model, name, number, last_updated_timestamp=number % 7)
        token = search_versions(work, SearchModelVersions(max_results=5)).next_page_token
        asked = []
        original = work.connection.exec_driver_sql

        def listen(statement: str, parameters: Any = None) -> Any:
            asked.append((statement, parameters))
            return original(statement, parameters)

        work.connection.exec_driver_sql = listen  # type: ignore[method-assign, assignment]
        search_versions(work, SearchModelVersions(max_results=5))
        search_versions(work, SearchModelVersions(max_results=5, page_token=token))
        search_versions(work, SearchModelVersions("name = 'b'", max_results=5))
        search_models(work, SearchRegisteredModels(max_results=5))
        assert len(asked) == 4
        for statement, parameters in asked:
            plan = original(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            assert not any("TEMP B-TREE" in row.detail for row in plan), (statement, plan)
        assert work.connection.execute(text("SELECT count(*) FROM model_versions")).scalar() == 150
