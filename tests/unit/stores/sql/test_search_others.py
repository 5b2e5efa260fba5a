"""Searches of experiments and logged models: what SQL finds is what the evaluator finds, on both databases."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Table, insert, select, text

from millstream.errors import InvalidValue
from millstream.operations import SearchExperiments, SearchLoggedModels
from millstream.operations.logged_models import DatasetFilter, OrderBy
from millstream.search.evaluate import Record, matches
from millstream.search.parser import parse_filter
from millstream.search.sql import Clause, Compiler, Layout, Side
from millstream.search.text import to_text
from millstream.search.tree import Expression
from millstream.search.vocabulary import EXPERIMENTS, LOGGED_MODELS, REGISTERED_MODELS
from millstream.stores.sql.database import Database
from millstream.stores.sql.schema import (
    experiment_tags,
    experiments,
    logged_model_metrics,
    logged_model_params,
    logged_model_tags,
    logged_models,
)
from millstream.stores.sql.search import search_experiments, search_logged_models
from millstream.stores.sql.transaction import Transaction
from tests.unit.search.trees import KEYS, NUMBERS, TIMES, leaves, texts, trees
from tests.unit.stores.sql.searching import transaction

_numbers = itertools.count(1)

some = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
tagged = st.dictionaries(st.sampled_from(KEYS), texts(), max_size=3)
times = st.sampled_from(TIMES)


def enter(connection: Connection, table: Table, side: dict[Table, dict[str, str]], **values: Any) -> int:
    number: int = connection.execute(insert(table).values(**values)).inserted_primary_key[0]  # type: ignore[index]
    for other, of_keys in side.items():
        owner = next(iter(other.columns)).name
        for key, value in of_keys.items():
            connection.execute(insert(other).values({owner: number, "key": key, "value": value}))
    return number


def experiments_of(work: Transaction, **asked: Any) -> list[str]:
    found: list[str] = []
    token = None
    while True:
        page = search_experiments(work, SearchExperiments(max_results=2, page_token=token, **asked))
        found += [experiment.name for experiment in page.experiments]
        token = page.next_page_token
        if token is None:
            return found


def check_experiments(opened: Database, data: st.DataObject) -> None:
    names = data.draw(st.lists(texts(), max_size=5, unique=True))
    with transaction(opened) as work:
        known: list[Record] = []
        for name in names:
            tags, made, changed = data.draw(tagged), data.draw(times), data.draw(times)
            number = enter(
                work.connection,
                experiments,
                {experiment_tags: tags},
                name=name,
                artifact_location="",
                creation_time=made,
                last_update_time=changed,
            )
            known.append(
                Record(
                    {"name": name, "experiment_id": str(number), "creation_time": made, "last_update_time": changed},
                    tags=tags,
                )
            )
        tree: Expression = data.draw(trees(leaves(EXPERIMENTS), 5))
        expected = {record.attributes["name"] for record in known if matches(tree, record)}
        for order in ([], ["name"], ["creation_time", "name DESC"], ["last_update_time DESC"], ["experiment_id DESC"]):
            found = experiments_of(work, filter=to_text(tree), order_by=order)
            assert len(found) == len(expected)
            assert set(found) == expected
        assert experiments_of(work, order_by=["name DESC"]) == sorted(names, reverse=True)


@some
@given(st.data())
def test_experiments_on_sqlite(sqlite: Database, data: st.DataObject) -> None:
    check_experiments(sqlite, data)


@some
@given(st.data())
def test_experiments_on_postgres(postgres: Database, data: st.DataObject) -> None:
    check_experiments(postgres, data)


def test_the_order_of_experiments(either: Database) -> None:
    with transaction(either) as work:
        for name, made in (("a", 5), ("b", 7), ("c", 5)):
            enter(
                work.connection,
                experiments,
                {},
                name=name,
                artifact_location="",
                creation_time=made,
                last_update_time=made,
            )
        assert experiments_of(work) == ["b", "a", "c"]
        assert experiments_of(work, order_by=["creation_time"]) == ["c", "a", "b"]
        assert experiments_of(work, order_by=["creation_time", "creation_time DESC"]) == ["c", "a", "b"]


def models_of(work: Transaction, experiment: int, **asked: Any) -> list[str]:
    found: list[str] = []
    token = None
    while True:
        page = search_logged_models(
            work, SearchLoggedModels([str(experiment)], max_results=2, page_token=token, **asked)
        )
        found += [model.name for model in page.models]
        token = page.next_page_token
        if token is None:
            return found


def enter_model(
    work: Transaction,
    experiment: int,
    name: str,
    points: list[tuple[str, str, float, int, int]] | None = None,
    **values: Any,
) -> int:
    """A logged model; the points are ``(key, dataset, value, timestamp, step)``."""
    return _with_points(
        work,
        enter(
            work.connection,
            logged_models,
            {},
            **{
                "model_id": f"m-{next(_numbers)}",
                "experiment_id": experiment,
                "name": name,
                "status": "READY",
                "artifact_uri": "",
                "creation_timestamp_ms": 0,
                "last_updated_timestamp_ms": 0,
                **values,
            },
        ),
        points or [],
    )


def _with_points(work: Transaction, model: int, points: list[tuple[str, str, float, int, int]]) -> int:
    for index, (key, dataset, value, timestamp, step) in enumerate(points):
        work.connection.execute(
            insert(logged_model_metrics).values(
                model=model,
                key=key,
                dataset_name=dataset,
                dataset_digest=dataset * 2,
                run_id=f"run {index}",
                value=None if math.isnan(value) else value,
                timestamp=timestamp,
                step=step,
            )
        )
    return model


def experiment_for_models(work: Transaction) -> int:
    return enter(
        work.connection,
        experiments,
        {},
        name=f"e{next(_numbers)}",
        artifact_location="",
        creation_time=0,
        last_update_time=0,
    )


points = st.lists(
    st.tuples(
        st.sampled_from(KEYS),
        st.sampled_from(("", "d", "e")),
        st.sampled_from([*NUMBERS, math.nan]),
        st.integers(0, 2),
        st.integers(0, 3),
    ),
    max_size=4,
)


def check_models(opened: Database, data: st.DataObject) -> None:
    with transaction(opened) as work:
        experiment = experiment_for_models(work)
        dataset = data.draw(st.sampled_from((None, "d")))
        known: dict[str, Record] = {}
        for number in range(data.draw(st.integers(0, 5))):
            values: dict[str, Any] = data.draw(
                st.fixed_dictionaries(
                    {
                        "status": st.sampled_from(("READY", "FAILED")),
                        "creation_timestamp": times,
                        "last_updated_timestamp": times,
                    },
                    optional={"model_type": texts(), "source_run_id": texts()},
                )
            )
            measured, params, tags = data.draw(points), data.draw(tagged), data.draw(tagged)
            name, model_id = f"model {number}", f"m-{next(_numbers)}"
            columns = {key + "_ms" * key.endswith("timestamp"): value for key, value in values.items()}
            model = enter_model(work, experiment, name, measured, model_id=model_id, **columns)
            for table, of_keys in ((logged_model_params, params), (logged_model_tags, tags)):
                for key, value in of_keys.items():
                    work.connection.execute(insert(table).values(model=model, key=key, value=value))
            here = [point for point in measured if dataset in (None, point[1])]
            metrics = {
                key: [(value, at, step) for of, _, value, at, step in here if of == key]
                for key in {point[0] for point in here}
            }
            if dataset is None or here:
                known[name] = Record({**values, "name": name, "model_id": model_id}, metrics, params, tags)
        tree: Expression = data.draw(trees(leaves(LOGGED_MODELS), 5))
        expected = sorted(name for name, record in known.items() if matches(tree, record))
        asked = {"datasets": [DatasetFilter(dataset)] if dataset else []}
        order = data.draw(
            st.lists(
                st.sampled_from(
                    (
                        "creation_time",
                        "status",
                        "metrics.a",
                        "max(metrics.a)",
                        "best_step(metrics.a, min)",
                        "model_type",
                    )
                ),
                max_size=3,
            )
        )
        by = [OrderBy(name, data.draw(st.booleans()), data.draw(st.sampled_from((None, "d")))) for name in order]
        assert sorted(models_of(work, experiment, filter=to_text(tree), order_by=by, **asked)) == expected
        assert models_of(work, experiment, filter=to_text(tree), order_by=[OrderBy("name")], **asked) == expected


@some
@given(st.data())
def test_logged_models_on_sqlite(sqlite: Database, data: st.DataObject) -> None:
    check_models(sqlite, data)


@some
@given(st.data())
def test_logged_models_on_postgres(postgres: Database, data: st.DataObject) -> None:
    check_models(postgres, data)


def test_the_order_of_logged_models(either: Database) -> None:
    with transaction(either) as work:
        experiment = experiment_for_models(work)
        enter_model(work, experiment, "one", [("a", "d", 1.0, 0, 0), ("a", "e", 5.0, 1, 0)], creation_timestamp_ms=1)
        enter_model(work, experiment, "two", [("a", "d", 2.0, 0, 0), ("a", "d", 3.0, 1, 0)], creation_timestamp_ms=2)
        enter_model(work, experiment, "nan", [("a", "d", math.nan, 0, 0)], creation_timestamp_ms=3)
        enter_model(work, experiment, "none", creation_timestamp_ms=4)
        enter_model(work, experiment, "gone", deleted_time=1)
        for order, expected in (
            ([], "none nan two one"),
            ([OrderBy("creation_timestamp")], "one two nan none"),
            ([OrderBy("metrics.a")], "two one nan none"),
            ([OrderBy("metrics.a", False)], "one two nan none"),
            ([OrderBy("metrics.a", True, "d")], "one two nan none"),
            ([OrderBy("metrics.a", True, "d", "dd")], "one two nan none"),
            ([OrderBy("metrics.a", False, "e")], "one none nan two"),
            ([OrderBy("min(metrics.a)", False)], "two one nan none"),
            ([OrderBy("status"), OrderBy("name", False)], "two one none nan"),
        ):
            assert models_of(work, experiment, order_by=order) == expected.split()
        assert models_of(work, experiment, datasets=[DatasetFilter("d", "dd")], order_by=[OrderBy("name")]) == [
            "nan",
            "one",
            "two",
        ]
        assert models_of(work, experiment, datasets=[DatasetFilter("d", "x"), DatasetFilter("e")]) == ["one"]
        assert search_logged_models(work, SearchLoggedModels([])).models == []
        with pytest.raises(InvalidValue, match="`dataset_name` in the `datasets` clause must be specified"):
            models_of(work, experiment, datasets=[DatasetFilter("")])


def test_a_condition_serves_any_statement_of_sqlalchemy(either: Database) -> None:
    """What other tables, such as those of the model registry, need to be searched."""
    tree = parse_filter(
        "name LIKE 'e%' AND (tags.kind IN ('a', 'b') OR NOT tags.kind MATCHES '^[ab]')", REGISTERED_MODELS
    )
    assert tree is not None
    layout = Layout(
        "experiments.id", {"name": "experiments.name"}, frozenset(), {"tag": Side("experiment_tags", "experiment_id")}
    )
    with transaction(either) as work:
        for name, kind in (("e1", "a"), ("e2", "c"), ("x", "a")):
            enter(
                work.connection,
                experiments,
                {experiment_tags: {"kind": kind}},
                name=name,
                artifact_location="",
                creation_time=0,
                last_update_time=0,
            )
        enter(work.connection, experiments, {}, name="e3", artifact_location="", creation_time=0, last_update_time=0)
        condition = Compiler(layout, "sqlite" if either.is_sqlite else "postgresql").condition(tree)
        query = select(experiments.c.name).where(condition.text()).order_by(experiments.c.name)
        assert list(work.connection.execute(query).scalars()) == ["e1", "e2"]
        assert work.connection.execute(select(text("1")).where(Clause("1 = ?", (1,)).text())).scalar() == 1
