"""Searches in SQL: filter, order and page of runs, experiments and logged models.

A page goes on where the one before ended (see :mod:`millstream.stores.sql.ordering`): rows that nobody changes between
the pages are in exactly one of them, whatever others write meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Table

from millstream.entities import RunStatus, ViewType
from millstream.errors import InvalidValue
from millstream.operations import (
    ExperimentPage,
    LoggedModelPage,
    RunPage,
    SearchExperiments,
    SearchLoggedModels,
    SearchRuns,
)
from millstream.operations.limits import (
    SEARCH_EXPERIMENTS_PAGE,
    SEARCH_MODELS_PAGE,
    SEARCH_RUNS_PAGE,
    check_page,
)
from millstream.search.parser import order_of_logged_models, parse_filter, parse_order
from millstream.search.sql import TRUE, Clause, Compiler, Dialect, Layout, Side, every, reduced
from millstream.search.text import to_text
from millstream.search.tree import Expression, Field, Order, fold
from millstream.search.vocabulary import EXPERIMENTS, LOGGED_MODELS, RUNS
from millstream.stores.sql.conditions import Conditions
from millstream.stores.sql.experiments import load_experiments
from millstream.stores.sql.logged_models import load_models
from millstream.stores.sql.ordering import (
    Key,
    Sorted,
    States,
    fingerprint,
    merge,
    read_states,
    read_token,
    write_token,
)
from millstream.stores.sql.planner import Limits, Planner, SortKey, Walk
from millstream.stores.sql.records import load_runs
from millstream.stores.sql.schema import HEAD, experiments, logged_models, runs
from millstream.stores.sql.transaction import Transaction, executes

_CHUNK = 500
LIMITS = Limits()
_STATUS = (
    "CASE r.status "
    + " ".join(f"WHEN {number} THEN '{RunStatus.to_string(number)}'" for number in RunStatus.all_status())
    + " END"
)
# The columns of ``metrics`` that hold the functions of a metric's history; None is the metric itself.
FUNCTION_COLUMNS: dict[str | None, str] = {
    None: "value",
    "last": "value",
    "first": "first_value",
    "min": "min_value",
    "max": "max_value",
    "best_step_min": "min_step",
    "best_step_max": "max_step",
}
_SIDES = {"metric": "metrics", "param": "params", "tag": "run_tags"}


@dataclass(frozen=True)
class Page:
    """The rows of one page in their order, and the token of the next page, None on the last."""

    rows: Sequence[Row[Any]]
    token: str | None


def find_runs(
    transaction: Transaction,
    experiment_ids: Iterable[str],
    filter: str | None,
    order_by: Sequence[str],
    view: int,
    limit: int,
    page_token: str | None,
    limits: Limits = LIMITS,
) -> Page:
    """The rows of ``runs`` of the experiments that the filter selects; ``view`` is a number of ViewType.

    Raises SearchSyntaxError for a filter or an order that is none, InvalidValue for a token of another search.
    """
    tree, orders = parse_filter(filter, RUNS), parse_order(order_by, RUNS)
    numbers = sorted({number for number in map(_number, experiment_ids) if number is not None})
    keys_of = _remembered(transaction, tree, orders)
    compiler = Compiler(run_layout(keys_of), _dialect(transaction))
    shown = _in_view(view, "r.deleted_time")
    of = fingerprint("runs", numbers, tree and to_text(tree), orders, view)
    keys = [sort.key for sort in _run_keys(orders, keys_of, 0)]
    after = read_token(page_token, of, keys)
    found: list[tuple[int, States]] = []
    for number in numbers:
        conditions = Conditions(transaction.connection, number, compiler, limits.few)
        planner = Planner(conditions, shown, limits)
        terms = planner.terms(tree)
        if view == ViewType.DELETED_ONLY:
            terms.append(conditions.whole(deleted=True))
        found += planner.page(terms, _run_keys(orders, keys_of, number), after, limit + 1)
    if len(numbers) > 1:
        merge(found, keys)
    return _page(transaction, runs, found, limit, of)


@executes(SearchRuns)
def search_runs(transaction: Transaction, operation: SearchRuns) -> RunPage:
    page = find_runs(
        transaction,
        operation.experiment_ids,
        operation.filter,
        operation.order_by,
        _view(operation.run_view_type),
        check_page(operation.max_results, SEARCH_RUNS_PAGE),
        operation.page_token,
    )
    found = load_runs(
        transaction, page.rows, metric_keys=operation.metrics, param_keys=operation.params, tag_keys=operation.tags
    )
    return RunPage(found, page.token)


@executes(SearchExperiments)
def search_experiments(transaction: Transaction, operation: SearchExperiments) -> ExperimentPage:
    """Experiments in the order asked for; unless asked, the newest first."""
    limit = check_page(operation.max_results, SEARCH_EXPERIMENTS_PAGE)
    tree, orders = parse_filter(operation.filter, EXPERIMENTS), parse_order(operation.order_by, EXPERIMENTS)
    view = _view(operation.view_type)
    layout = experiment_layout()
    keys = [
        Key(Clause(f"r.{_EXPERIMENT_ORDER[order.field.key]}"), order.ascending, order.field.key == "name")
        for order in orders
    ]
    if not keys:
        keys = [Key(Clause("r.creation_time"), False), Key(Clause("r.id"), True)]
    elif not any(order.field.key == "experiment_id" for order in orders):
        keys.append(Key(Clause("r.id"), False))
    conditions = [_condition(transaction, layout, tree), _in_view(view, "r.deleted_time")]
    of = fingerprint("experiments", tree and to_text(tree), orders, view)
    page = _sorted_page(transaction, experiments, conditions, keys, limit, of, operation.page_token)
    return ExperimentPage(load_experiments(transaction, page.rows), page.token)


def experiment_layout() -> Layout:
    """Where the fields of experiments are."""
    return Layout(
        row="r.id",
        attributes={
            "name": "r.name",
            "experiment_id": "CAST(r.id AS TEXT)",
            "creation_time": "r.creation_time",
            "last_update_time": "r.last_update_time",
        },
        integers=frozenset({"creation_time", "last_update_time"}),
        sides={"tag": Side("experiment_tags", "experiment_id")},
    )


_EXPERIMENT_ORDER = {
    "name": "name",
    "experiment_id": "id",
    "creation_time": "creation_time",
    "last_update_time": "last_update_time",
}


@executes(SearchLoggedModels)
def search_logged_models(transaction: Transaction, operation: SearchLoggedModels) -> LoggedModelPage:
    """Logged models in the order asked for; unless asked, the newest first.

    With ``datasets``, a metric means its values on those, and models that were measured on none are left out.
    """
    limit = check_page(operation.max_results, SEARCH_MODELS_PAGE)
    tree, orders = parse_filter(operation.filter, LOGGED_MODELS), order_of_logged_models(operation.order_by)
    numbers = sorted({number for number in map(_number, operation.experiment_ids) if number is not None})
    if not numbers:
        return LoggedModelPage([], None)
    measured = _on_datasets([(used.dataset_name, used.dataset_digest) for used in operation.datasets])
    layout = Layout(
        row="r.id",
        attributes={**{name: f"r.{name}" for name in _MODEL_TEXT}, **_MODEL_TIME},
        integers=frozenset(_MODEL_TIME),
        sides={
            "metric": Side("logged_model_metrics", "model", within=measured, single=False),
            "param": Side("logged_model_params", "model"),
            "tag": Side("logged_model_tags", "model"),
        },
    )
    keys = [_model_key(order) for order in orders]
    if not any(order.field == Field("attribute", "creation_timestamp") for order in orders):
        keys.append(Key(Clause(_MODEL_TIME["creation_timestamp"]), False))
    keys.append(Key(Clause("r.model_id"), True, True))
    conditions = [
        Clause(f"r.experiment_id IN ({', '.join('?' * len(numbers))})", tuple(numbers)),
        Clause("r.deleted_time IS NULL"),
        _condition(transaction, layout, tree),
    ]
    if operation.datasets:
        sql = f"EXISTS (SELECT 1 FROM logged_model_metrics x WHERE x.model = r.id AND {measured.sql})"
        conditions.append(Clause(sql, measured.values))
    of = fingerprint("logged models", numbers, tree and to_text(tree), orders, operation.datasets)
    page = _sorted_page(transaction, logged_models, conditions, keys, limit, of, operation.page_token)
    return LoggedModelPage(load_models(transaction, page.rows), page.token)


_MODEL_TEXT = ("name", "model_id", "model_type", "status", "source_run_id")
_MODEL_TIME = {
    "creation_timestamp": "r.creation_timestamp_ms",
    "last_updated_timestamp": "r.last_updated_timestamp_ms",
}


def _on_datasets(used: Sequence[tuple[str, str | None]]) -> Clause:
    if not used:
        return TRUE
    sql, values = [], []
    for name, digest in used:
        if not name:
            raise InvalidValue(
                "`dataset_name` in the `datasets` clause must be specified",
                hint="name the dataset; its digest alone is not enough",
            )
        sql.append("x.dataset_name = ?" if digest is None else "(x.dataset_name = ? AND x.dataset_digest = ?)")
        values += [name] if digest is None else [name, digest]
    return Clause(f"({' OR '.join(sql)})", tuple(values))


def _model_key(order: Order) -> Key:
    of = order.field
    if of.kind == "attribute":
        return Key(Clause(_MODEL_TIME.get(of.key, f"r.{of.key}")), order.ascending, of.key not in _MODEL_TIME)
    sql, values = "FROM logged_model_metrics x WHERE x.model = r.id AND x.key = ?", [of.key]
    if order.dataset_name is not None:
        sql += " AND x.dataset_name = ?"
        values.append(order.dataset_name)
    if order.dataset_digest is not None:
        sql += " AND x.dataset_digest = ?"
        values.append(order.dataset_digest)
    rows = Clause(sql, tuple(values))
    present = Clause(f"(SELECT 1 {sql} LIMIT 1)", rows.values)
    return Key(reduced(of.function or "last", rows), order.ascending, present=present)


def _dialect(transaction: Transaction) -> Dialect:
    return "sqlite" if transaction.connection.dialect.name == "sqlite" else "postgresql"


def _view(name: str) -> int:
    try:
        return ViewType.from_string(name)
    except KeyError:
        raise InvalidValue.of("view_type", name, "it is none of ACTIVE_ONLY, DELETED_ONLY, ALL") from None


def _in_view(view: int, deleted_time: str) -> Clause:
    if view == ViewType.ALL:
        return TRUE
    return Clause(f"{deleted_time} IS {'NOT ' if view == ViewType.DELETED_ONLY else ''}NULL")


def _number(experiment_id: str) -> int | None:
    """The number of an experiment; None for a text that can name none, which a search passes over."""
    if experiment_id.isascii() and experiment_id.isdigit() and len(experiment_id) < 19:
        return int(experiment_id)
    return None


def _remembered(
    transaction: Transaction, tree: Expression | None, orders: Sequence[Order]
) -> Callable[[str], int | None]:
    """The numbers of all keys that a search names, asked for at once."""
    names = {order.field.key for order in orders if order.field.kind in _SIDES}
    if tree is not None:
        fold(tree, lambda test, _: names.add(test.field.key), lambda _: None, lambda _: None)
    return transaction.keys.find(transaction.connection, names).get


def run_layout(key_of: Callable[[str], int | None]) -> Layout:
    """Where the fields of runs are; ``key_of`` gives the number of a key's text."""
    return Layout(
        row="r.id",
        attributes={
            "run_id": "r.run_id",
            "run_name": "r.run_name",
            "status": _STATUS,
            "user_id": "r.user_id",
            "artifact_uri": "r.artifact_uri",
            "start_time": "r.start_time",
            "end_time": "r.end_time",
        },
        integers=frozenset({"start_time", "end_time"}),
        sides={
            "metric": Side("metrics", "run", FUNCTION_COLUMNS),
            "param": Side("params", "run"),
            "tag": Side("run_tags", "run"),
            "dataset": Side(
                "dataset_inputs",
                "run",
                {"name": "d.name", "digest": "d.digest", "context": "x.context"},
                key=None,
                joined="dataset_inputs x JOIN datasets d ON d.id = x.dataset",
                single=False,
            ),
        },
        key_of=key_of,
    )


def _run_keys(orders: Sequence[Order], key_of: Callable[[str], int | None], experiment: int) -> list[SortKey]:
    """The keys of an order of runs: as asked, then the newest, then the id."""
    keys: list[SortKey] = []
    newest = Order(Field("attribute", "start_time"), False)
    by_id = Order(Field("attribute", "run_id"))
    for index, order in enumerate([*orders, newest, by_id]):
        if any(order.field == other.field for other in keys):
            continue
        if order.field.kind == "attribute":
            keys.append(_attribute_key(order, experiment))
        else:
            keys.append(_side_key(order, key_of(order.field.key), f"o{index}", experiment))
        if keys and keys[-1].unique:
            break
    return keys


def _attribute_key(order: Order, experiment: int) -> SortKey:
    name = order.field.key
    column = _STATUS if name == "status" else f"r.{name}"
    key = Key(Clause(column), order.ascending, text=name not in ("start_time", "end_time"))
    walk = None
    if name == "start_time":
        where = Clause("x.experiment_id = ?", (experiment,))
        walk = Walk("runs x", where, "x.id", "x.start_time", "x.start_time")
    return SortKey(order.field, key, walk, unique=name == "run_id")


def _unused_key(order: Order) -> Key:
    """The key for what nobody has logged yet; somebody may have before the next page is asked for."""
    if order.field.kind == "metric":
        return Key(Clause("CAST(NULL AS DOUBLE PRECISION)"), order.ascending, present=Clause("NULL"))
    return Key(Clause("CAST(NULL AS TEXT)"), order.ascending, text=True)


def _side_key(order: Order, number: int | None, alias: str, experiment: int) -> SortKey:
    of = order.field
    if number is None:
        return SortKey(of, _unused_key(order), unused=True)
    table = _SIDES[of.kind]
    join = Clause(f"LEFT JOIN {table} {alias} ON {alias}.run = r.id AND {alias}.key = ?", (number,))
    where = Clause("x.experiment_id = ? AND x.key = ?", (experiment, number))
    if of.kind == "metric":
        column = FUNCTION_COLUMNS[of.function]
        key = Key(Clause(f"{alias}.{column}"), order.ascending, present=Clause(f"{alias}.run"), join=join)
        walk = Walk(f"{table} x", where, "x.run", "x.value", "x.value") if column == "value" else None
    else:
        key = Key(Clause(f"{alias}.value"), order.ascending, text=True, join=join)
        walk = Walk(f"{table} x", where, "x.run", f"substr(x.value, 1, {HEAD})", "x.value")
    return SortKey(of, key, walk)


def _condition(transaction: Transaction, layout: Layout, tree: Expression | None) -> Clause:
    return TRUE if tree is None else Compiler(layout, _dialect(transaction)).condition(tree)


def _sorted_page(
    transaction: Transaction,
    table: Table,
    conditions: Sequence[Clause],
    keys: Sequence[Key],
    limit: int,
    of: bytes,
    page_token: str | None,
) -> Page:
    """A page of a table that is small enough to be tested and sorted as a whole."""
    after = read_token(page_token, of, keys)
    statement = Sorted("r.id", Clause(f"{table.name} r"), [every(conditions)], keys, after, limit + 1).statement()
    found = [(row[0], read_states(row, keys)) for row in _run(transaction, statement)]
    return _page(transaction, table, found, limit, of)


def _run(transaction: Transaction, clause: Clause) -> Sequence[Row[Any]]:
    sql = clause.sql if _dialect(transaction) == "sqlite" else clause.sql.replace("?", "%s")
    return transaction.connection.exec_driver_sql(sql, clause.values).all()


def _page(transaction: Transaction, table: Table, found: Sequence[tuple[int, States]], limit: int, of: bytes) -> Page:
    numbers = [number for number, _ in found[:limit]]
    rows: dict[int, Row[Any]] = {}
    for start in range(0, len(numbers), _CHUNK):
        chunk = numbers[start : start + _CHUNK]
        whole = Clause(f"SELECT * FROM {table.name} WHERE id IN ({', '.join('?' * len(chunk))})", tuple(chunk))
        rows.update({row.id: row for row in _run(transaction, whole)})
    token = write_token(of, found[limit - 1][1]) if len(found) > limit else None
    return Page([rows[number] for number in numbers], token)
