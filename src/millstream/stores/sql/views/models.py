"""Registered models at a glance: a few statements for a window of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import select

from millstream.errors import InvalidValue
from millstream.operations import KeyMetric, ModelOverview, ModelSummary, OverviewModels
from millstream.search.parser import parse_filter
from millstream.search.sql import Clause, Compiler, Dialect
from millstream.search.vocabulary import REGISTERED_MODELS
from millstream.stores.sql.driver import fetch
from millstream.stores.sql.grid.values import within
from millstream.stores.sql.registry.reading import load_models
from millstream.stores.sql.registry.search import MODELS_LAYOUT
from millstream.stores.sql.registry.tables import registered_models
from millstream.stores.sql.transaction import Transaction, executes
from millstream.stores.sql.views.overview import check_window, goal_of, telling_metric
from millstream.stores.sql.views.views import arrangements_of

_ORDERS = {
    "name": "lower(r.name)",
    "versions": "(SELECT count(*) FROM model_versions v WHERE v.model = r.id)",
    "last_updated_timestamp": "r.last_updated_timestamp",
    "creation_timestamp": "r.creation_timestamp",
}
_NO_PROMPT = (
    "NOT EXISTS (SELECT 1 FROM registered_model_tags t WHERE t.model = r.id"
    " AND t.key = 'mlflow.prompt.is_prompt' AND t.value = 'true')"
)


class _Made(NamedTuple):
    """A version and the run that made it: its number and that of its experiment, if it is here."""

    version: int
    run: int | None
    experiment: int | None


@executes(OverviewModels)
def overview_of_models(transaction: Transaction, operation: OverviewModels) -> ModelOverview:
    check_window(operation.offset, operation.limit)
    key, _, direction = operation.order_by.strip().partition(" ")
    if key not in _ORDERS or direction.strip().upper() not in ("", "ASC", "DESC"):
        raise InvalidValue.of("order_by", operation.order_by, f"it is one of {', '.join(_ORDERS)}, with ASC or DESC")
    condition = _condition(transaction, operation)
    connection = transaction.connection
    ((total,),) = fetch(
        connection, f"SELECT count(*) FROM registered_models r WHERE {condition.sql}", condition.values
    )
    ids = [
        row[0]
        for row in fetch(
            connection,
            f"SELECT r.id FROM registered_models r WHERE {condition.sql}"
            f" ORDER BY {_ORDERS[key]} {direction}, r.name LIMIT ? OFFSET ?",
            (*condition.values, operation.limit, operation.offset),
        )
    ]
    query = select(registered_models).where(registered_models.c.id.in_(ids))
    found = {row.id: row for row in connection.execute(query)}
    rows = [found[number] for number in ids]
    counts, newest = _versions(transaction, ids)
    metrics = _metrics(transaction, newest)
    return ModelOverview(
        total,
        [
            ModelSummary(
                name=row.name, versions=counts.get(row.id, 0), creation_timestamp=row.creation_timestamp,
                last_updated_timestamp=row.last_updated_timestamp, description=row.description,
                latest=str(newest[row.id][0].version) if row.id in newest else None,
                aliases=model.alias_list, tags=model.tag_list, metric=metrics.get(row.id),
            )
            for row, model in zip(rows, load_models(transaction, rows), strict=True)
        ],
    )


def _condition(transaction: Transaction, operation: OverviewModels) -> Clause:
    dialect: Dialect = "sqlite" if transaction.connection.dialect.name == "sqlite" else "postgresql"
    clauses = [Clause(_NO_PROMPT)]
    tree = parse_filter(operation.filter, REGISTERED_MODELS)
    if tree is not None:
        clauses.append(Compiler(MODELS_LAYOUT, dialect).condition(tree))
    text = (operation.text or "").strip().lower()
    if text:
        for sign in "!%_":
            text = text.replace(sign, "!" + sign)
        name = "lower(r.name)" if dialect == "sqlite" else 'lower(r.name COLLATE "default")'
        clauses.append(Clause(f"{name} LIKE ? ESCAPE '!'", (f"%{text}%",)))
    return Clause(
        " AND ".join(f"({clause.sql})" for clause in clauses),
        tuple(value for clause in clauses for value in clause.values),
    )


def _versions(transaction: Transaction, models: Sequence[int]) -> tuple[dict[int, int], dict[int, list[_Made]]]:
    """How many versions each of these models has, and its two newest, the newest first."""
    if not models:
        return {}, {}
    counts: dict[int, int] = {}
    newest: dict[int, list[_Made]] = {}
    for model, count, version, run, experiment in fetch(
        transaction.connection,
        "SELECT v.model, v.count, v.version, r.id, r.experiment_id FROM (SELECT model, version, run_id,"
        " count(*) OVER (PARTITION BY model) AS count,"
        " row_number() OVER (PARTITION BY model ORDER BY version DESC) AS place FROM model_versions"
        f" WHERE {within('model', models)}) v LEFT JOIN runs r ON r.run_id = v.run_id"
        " WHERE v.place <= 2 ORDER BY v.model, v.place",
    ):
        counts[model] = count
        newest.setdefault(model, []).append(_Made(version, run, experiment))
    return counts, newest


def _metrics(transaction: Transaction, newest: dict[int, list[_Made]]) -> dict[int, KeyMetric]:
    experiments = {made[0].experiment for made in newest.values() if made[0].experiment is not None}
    pinned = arrangements_of(transaction, sorted(experiments))
    found: dict[int, KeyMetric] = {}
    for model, made in newest.items():
        latest = made[0]
        if latest.run is None or latest.experiment is None:
            continue
        chosen = pinned.get(latest.experiment)
        if chosen is not None and chosen.metrics:
            metric, goal = chosen.metrics[0].key, chosen.metrics[0].goal
        else:
            likely = telling_metric(transaction, latest.run)
            if likely is None:
                continue
            metric, goal = likely, goal_of(likely)
        value = _value(transaction, latest.run, metric)
        if value is None:
            continue
        before = _value(transaction, made[1].run, metric) if len(made) > 1 else None
        found[model] = KeyMetric(
            metric, goal, value, str(latest.version), before, str(made[1].version) if before is not None else None
        )
    return found


def _value(transaction: Transaction, run: int | None, metric: str) -> float | None:
    key = transaction.key(metric)
    if run is None or key is None:
        return None
    rows: list[Any] = fetch(transaction.connection, "SELECT value FROM metrics WHERE run = ? AND key = ?", (run, key))
    return rows[0][0] if rows and rows[0][0] is not None and math.isfinite(rows[0][0]) else None
