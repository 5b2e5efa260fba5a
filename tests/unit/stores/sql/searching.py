"""Runs for the tests of searches: put into a database as they are, and ordered in memory to compare with."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select

from millstream.entities import RunStatus, ViewType
from millstream.operations import OWNER
from millstream.search.evaluate import History, Record
from millstream.search.tree import Field, Order
from millstream.stores.sql.database import Database
from millstream.stores.sql.keys import Keys
from millstream.stores.sql.planner import Limits
from millstream.stores.sql.schema import (
    dataset_inputs,
    datasets,
    experiments,
    keys,
    metadata,
    metrics,
    params,
    run_tags,
    runs,
)
from millstream.stores.sql.search import LIMITS, find_runs
from millstream.stores.sql.transaction import Transaction
from tests.unit.search.trees import FUNCTIONS, KEYS

_numbers = itertools.count(1)


@contextmanager
def database(uri: str) -> Iterator[Database]:
    """A database with tables and the keys that tests use."""
    opened = Database(uri)
    try:
        with opened.writing() as connection:
            metadata.create_all(connection)
            connection.execute(insert(keys), [{"name": name} for name in KEYS])
        yield opened
    finally:
        opened.close()


@contextmanager
def transaction(opened: Database) -> Iterator[Transaction]:
    """A transaction that leaves no trace."""
    with opened.engine.connect() as connection, connection.begin() as begun:
        yield Transaction(connection, Keys(), "", OWNER)
        begun.rollback()


def enter(
    connection: Connection, records: Sequence[Record], *, deleted: Sequence[int] = ()
) -> tuple[int, list[Record]]:
    """Put runs into a new experiment. Returns its number, and the records with the ids that they have now."""
    experiment = next(_numbers)
    connection.execute(
        insert(experiments).values(
            id=experiment, name=f"experiment {experiment}", artifact_location="", creation_time=0, last_update_time=0
        )
    )
    return experiment, add(connection, experiment, records, deleted=deleted)


def add(
    connection: Connection, experiment: int, records: Sequence[Record], *, deleted: Sequence[int] = ()
) -> list[Record]:
    """Put runs into an experiment; returns the records with the ids that they have now."""
    key_of = {row.name: row.id for row in connection.execute(select(keys))}
    entered = []
    for index, record in enumerate(records):
        # Ids are in another order than the runs came in.
        run_id = f"{experiment}:{(index * 7) % 11:02}:{index}:{next(_numbers)}"
        entered.append(replace(record, attributes={**record.attributes, "run_id": run_id}))
        _enter(connection, experiment, entered[-1], key_of, deleted_time=1 if index in deleted else None)
    return entered


def _enter(
    connection: Connection, experiment: int, record: Record, key_of: dict[str, int], deleted_time: int | None
) -> None:
    attributes = dict(record.attributes)
    attributes["status"] = RunStatus.from_string(str(attributes["status"]))
    run = connection.execute(
        insert(runs).values(experiment_id=experiment, deleted_time=deleted_time, **attributes)
    ).inserted_primary_key[0]  # type: ignore[index]
    for name, history in record.metrics.items():
        if not isinstance(history, History):
            assert isinstance(history, float)
            history = History.of([(history, 0, 0)])
        connection.execute(
            insert(metrics).values(
                run=run,
                key=key_of[name],
                experiment_id=experiment,
                value=history.last,
                step=0,
                timestamp=0,
                min_value=history.min,
                min_step=history.best_step_min,
                max_value=history.max,
                max_step=history.best_step_max,
                first_value=history.first,
                first_step=0,
                first_timestamp=0,
            )
        )
    for table, texts in ((params, record.params), (run_tags, record.tags)):
        for name, text in texts.items():
            connection.execute(insert(table).values(run=run, key=key_of[name], experiment_id=experiment, value=text))
    for used in record.datasets:
        identity = {"experiment_id": experiment, "name": used["name"], "digest": used["digest"]}
        found = connection.execute(select(datasets.c.id).filter_by(**identity)).scalar()
        if found is None:
            found = connection.execute(
                insert(datasets).values(source_type="", source="", **identity)
            ).inserted_primary_key[0]  # type: ignore[index]
        connection.execute(insert(dataset_inputs).values(run=run, dataset=found, context=used["context"]))


def found_by(
    work: Transaction,
    experiments: list[int],
    filter: str | None,
    order_by: list[str],
    *,
    page: int = 1000,
    limits: Limits = LIMITS,
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


def distinct(records: list[Record]) -> list[Record]:
    """The same runs, each with a dataset at most once, as the tables keep them."""
    return [
        replace(record, datasets=list({(used["name"], used["digest"]): used for used in record.datasets}.values()))
        for record in records
    ]


def ordered(records: Sequence[Record], orders: Sequence[Order]) -> list[str]:
    """The ids of runs in an order: unknown values last, then the newest, then by id."""
    found = sorted(records, key=lambda record: str(record.attributes["run_id"]))
    by_time = Order(Field("attribute", "start_time"), False)
    for order in [by_time, *reversed(orders)]:
        sign = 1 if order.ascending else -1
        found.sort(key=lambda record: _rank(record, order.field, sign), reverse=not order.ascending)
    return [str(record.attributes["run_id"]) for record in found]


def _rank(record: Record, field: Field, sign: int) -> tuple[int, Any]:
    values = record.values(field)
    if not values:
        return 2 * sign, 0
    return (sign, 0) if values[0] is None else (0, values[0])


def orders() -> st.SearchStrategy[list[Order]]:
    """Up to three clauses, each of another field."""
    field = st.one_of(
        st.builds(Field, st.just("metric"), st.sampled_from((*KEYS, "unheard of")), st.sampled_from(FUNCTIONS)),
        st.builds(Field, st.sampled_from(("param", "tag")), st.sampled_from((*KEYS, "unheard of"))),
        st.builds(
            Field,
            st.just("attribute"),
            st.sampled_from(("run_id", "run_name", "status", "user_id", "artifact_uri", "start_time", "end_time")),
        ),
    )
    return st.lists(st.builds(Order, field, st.booleans()), max_size=3, unique_by=lambda order: order.field)
