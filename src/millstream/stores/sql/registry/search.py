"""Searches of registered models and versions, in SQL.

Every column that they are ordered by has a value in every row, so that an index gives a page in its order; a page goes
on behind the last row of the one before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Table

from millstream.operations import (
    ModelVersionPage,
    RegisteredModelPage,
    SearchModelVersions,
    SearchRegisteredModels,
)
from millstream.operations.limits import check_page
from millstream.search.parser import parse_filter, parse_order
from millstream.search.sql import TRUE, Clause, Compiler, Dialect, Layout, Side, every
from millstream.search.text import to_text
from millstream.search.tree import And, Comparison, Expression, Field, Null, Or, Order
from millstream.search.vocabulary import MODEL_VERSIONS, REGISTERED_MODELS
from millstream.stores.sql.ordering import VALUE, Key, States, fingerprint, read_token, write_token
from millstream.stores.sql.registry.reading import load_models, load_versions
from millstream.stores.sql.registry.tables import model_versions, registered_models
from millstream.stores.sql.transaction import Transaction, executes

MODELS_PAGE = 1_000
VERSIONS_PAGE = 200_000
_TEXTS = frozenset({"name"})
_COLUMNS = {"version_number": "version"}
_NO_PROMPT = Comparison(Field("tag", "mlflow.prompt.is_prompt"), "!=", "true")
MODELS_LAYOUT = Layout(
    row="r.id",
    attributes={"name": "r.name"},
    integers=frozenset(),
    sides={"tag": Side("registered_model_tags", "model")},
)
_VERSIONS = Layout(
    row="r.id",
    attributes={
        "name": "r.name",
        "version_number": "r.version",
        "run_id": "r.run_id",
        "source_path": "r.source",
    },
    integers=frozenset({"version_number"}),
    sides={"tag": Side("model_version_tags", "model_version")},
)


@executes(SearchRegisteredModels)
def search_models(transaction: Transaction, operation: SearchRegisteredModels) -> RegisteredModelPage:
    """Registered models in the order asked for, then by name."""
    limit = check_page(operation.max_results, MODELS_PAGE)
    tree = parse_filter(operation.filter, REGISTERED_MODELS)
    orders = [*parse_order(operation.order_by, REGISTERED_MODELS), Order(Field("attribute", "name"))]
    rows, token = _page(
        transaction, registered_models, MODELS_LAYOUT, _without_prompts(tree), orders, limit, operation.page_token
    )
    return RegisteredModelPage(load_models(transaction, rows), token)


def _without_prompts(tree: Expression | None) -> Expression | None:
    """MLflow's clients ask each time for models that are no prompts; a model without that tag is none."""
    if isinstance(tree, And):
        return And(tuple(_without_prompts(part) or part for part in tree.operands))
    return Or((Null(_NO_PROMPT.field), _NO_PROMPT)) if tree == _NO_PROMPT else tree


@executes(SearchModelVersions)
def search_versions(transaction: Transaction, operation: SearchModelVersions) -> ModelVersionPage:
    """Versions in the order asked for, then those that changed last, by name, and the newest."""
    limit = check_page(operation.max_results, VERSIONS_PAGE)
    tree = parse_filter(operation.filter, MODEL_VERSIONS)
    orders = [
        *parse_order(operation.order_by, MODEL_VERSIONS),
        Order(Field("attribute", "last_updated_timestamp"), False),
        Order(Field("attribute", "name")),
        Order(Field("attribute", "version_number"), False),
    ]
    rows, token = _page(transaction, model_versions, _VERSIONS, tree, orders, limit, operation.page_token)
    return ModelVersionPage(load_versions(transaction, rows), token)


def _page(
    transaction: Transaction,
    table: Table,
    layout: Layout,
    tree: Expression | None,
    orders: Sequence[Order],
    limit: int,
    page_token: str | None,
) -> tuple[Sequence[Row[Any]], str | None]:
    """The rows of a page in their order, and the token of the next page, None on the last."""
    dialect: Dialect = "sqlite" if transaction.connection.dialect.name == "sqlite" else "postgresql"
    names = list(dict.fromkeys(order.field.key for order in orders))
    upward = {order.field.key: order.ascending for order in reversed(orders)}
    columns = [_COLUMNS.get(name, name) for name in names]
    keys = [
        Key(Clause(f"r.{column}"), upward[name], name in _TEXTS) for name, column in zip(names, columns, strict=True)
    ]
    of = fingerprint(table.name, tree and to_text(tree), names, upward)
    after = read_token(page_token, of, keys)
    condition = every(
        [
            TRUE if tree is None else Compiler(layout, dialect).condition(tree),
            TRUE if after is None else _behind(keys, after),
        ]
    )
    order = ", ".join(f"{key.value.sql}{key.descending()}" for key in keys)
    sql = f"SELECT r.* FROM {table.name} r WHERE {condition.sql} ORDER BY {order} LIMIT {limit + 1}"
    if dialect != "sqlite":
        sql = sql.replace("?", "%s")
    rows = transaction.connection.exec_driver_sql(sql, condition.values).all()
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], write_token(of, tuple((VALUE, getattr(last, column)) for column in columns))


def _behind(keys: Sequence[Key], after: States) -> Clause:
    """The condition that a row comes behind another; its first part is what an index can begin at."""
    sql = "1 = 0"
    values: tuple[Any, ...] = ()
    for key, (_, value) in reversed(list(zip(keys, after, strict=True))):
        column, further = key.value.sql, ">" if key.ascending else "<"
        sql = f"({column} {further}= ? AND ({column} {further} ? OR {sql}))"
        values = (value, value, *values)
    return Clause(sql, values)
