"""The trash: what lies in it, what still refers to it, and its removal for good, in SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Table, delete, select

from millstream.errors import InvalidState, NotFound
from millstream.operations import FindGarbage, Garbage, GarbageAnswer, Purged, PurgeGarbage
from millstream.stores.sql.logged_models import no_model
from millstream.stores.sql.registry.pins import pinned
from millstream.stores.sql.registry.tables import model_versions
from millstream.stores.sql.schema import datasets, experiments, logged_models, model_links, runs
from millstream.stores.sql.transaction import Transaction, executes, experiment_number, no_experiment, no_run


@executes(FindGarbage)
def find(transaction: Transaction, operation: FindGarbage) -> GarbageAnswer:
    named = operation.run_ids or operation.experiment_ids or operation.logged_model_ids
    items: list[Garbage] = []
    if operation.logged_model_ids or not named:
        items += _find(transaction, logged_models, "model_id", "logged_model", operation.logged_model_ids, operation)
    if operation.run_ids or not named:
        items += _find(transaction, runs, "run_id", "run", operation.run_ids, operation)
    if operation.experiment_ids or not named:
        numbers = [experiment_number(experiment_id) for experiment_id in operation.experiment_ids]
        whole = _find(transaction, experiments, "id", "experiment", numbers, operation)
        inside = [experiment_number(item.id) for item in whole]
        known = {(item.kind, item.id) for item in items}
        for table, id_column, kind in ((logged_models, "model_id", "logged_model"), (runs, "run_id", "run")):
            found = _find(transaction, table, id_column, kind, [], FindGarbage(), inside)
            items += [item for item in found if (kind, item.id) not in known]
        items += whole
    return GarbageAnswer(items)


def _find(
    transaction: Transaction,
    table: Table,
    id_column: str,
    kind: str,
    ids: Sequence[Any],
    operation: FindGarbage,
    inside: Sequence[int] | None = None,
) -> list[Garbage]:
    home = table.c.id if kind == "experiment" else table.c.experiment_id
    root = table.c.artifact_location if kind == "experiment" else table.c.artifact_uri
    query = (
        select(
            table.c.id, table.c[id_column].label("name"), root.label("root"), table.c.deleted_time, home.label("home")
        )
        .where(table.c.deleted_time.is_not(None))
        .order_by(table.c.id)
    )
    if inside is not None:
        query = query.where(home.in_(inside))
    if ids:
        query = query.where(table.c[id_column].in_(ids))
    if operation.deleted_before is not None:
        query = query.where(table.c.deleted_time < operation.deleted_before)
    reasons = {"run": _kept_run, "experiment": _kept_experiment, "logged_model": _kept_model}
    return [
        Garbage(kind, str(row.name), row.root, row.deleted_time, str(row.home), reasons[kind](transaction, row))
        for row in transaction.connection.execute(query).all()
    ]


def _kept_run(transaction: Transaction, row: Any) -> str | None:
    """A deleted run keeps its files while a model that it made is in use."""
    living = transaction.connection.execute(
        select(logged_models.c.model_id)
        .where(logged_models.c.source_run_id == row.name, logged_models.c.deleted_time.is_(None))
        .limit(1)
    ).scalar()
    if living:
        return f"logged model {living} was made by it"
    return pinned(transaction, model_versions.c.run_id == row.name, row.root)


def _kept_experiment(transaction: Transaction, row: Any) -> str | None:
    for table, id_column, word in ((runs, "run_id", "run"), (logged_models, "model_id", "logged model")):
        living = transaction.connection.execute(
            select(table.c[id_column]).where(table.c.experiment_id == row.id, table.c.deleted_time.is_(None)).limit(1)
        ).scalar()
        if living:
            return f"{word} {living} in it is not deleted"
    inside = model_versions.c.run_id.in_(select(runs.c.run_id).where(runs.c.experiment_id == row.id))
    models = select(logged_models.c.model_id).where(logged_models.c.experiment_id == row.id)
    return pinned(transaction, inside | model_versions.c.model_id.in_(models), row.root)


def _kept_model(transaction: Transaction, row: Any) -> str | None:
    user = transaction.connection.execute(
        select(runs.c.run_id)
        .join(model_links, model_links.c.run == runs.c.id)
        .where(model_links.c.model_id == row.name, model_links.c.direction == "input", runs.c.deleted_time.is_(None))
        .limit(1)
    ).scalar()
    if user:
        return f"run {user} reads it"
    return pinned(transaction, model_versions.c.model_id == row.name, row.root)


@executes(PurgeGarbage)
def purge(transaction: Transaction, operation: PurgeGarbage) -> Purged:
    models = [
        _deleted(transaction, logged_models, "model_id", model_id, _kept_model)
        for model_id in operation.logged_model_ids
    ]
    of_runs = [_deleted(transaction, runs, "run_id", run_id, _kept_run) for run_id in operation.run_ids]
    numbers = [experiment_number(experiment_id) for experiment_id in operation.experiment_ids]
    of_experiments = [_deleted(transaction, experiments, "id", number, _kept_experiment) for number in numbers]
    connection = transaction.connection
    inside = logged_models.c.experiment_id.in_(of_experiments)
    gone_models = connection.execute(delete(logged_models).where(logged_models.c.id.in_(models) | inside)).rowcount
    gone_runs = connection.execute(
        delete(runs).where(runs.c.id.in_(of_runs) | runs.c.experiment_id.in_(of_experiments))
    ).rowcount
    connection.execute(delete(datasets).where(datasets.c.experiment_id.in_(of_experiments)))
    gone = connection.execute(delete(experiments).where(experiments.c.id.in_(of_experiments))).rowcount
    return Purged(gone, gone_runs, gone_models)


_NOT_FOUND: dict[str, Callable[[str], NotFound]] = {
    "runs": no_run,
    "experiments": no_experiment,
    "logged_models": no_model,
}


def _deleted(transaction: Transaction, table: Table, id_column: str, name: Any, kept: Any) -> int:
    root = table.c.artifact_location if table is experiments else table.c.artifact_uri
    row = transaction.connection.execute(
        select(table.c.id, table.c[id_column].label("name"), table.c.deleted_time, root.label("root")).where(
            table.c[id_column] == name
        )
    ).one_or_none()
    if row is None:
        raise _NOT_FOUND[table.name](str(name))
    if row.deleted_time is None:
        raise InvalidState(
            f"{table.name.removesuffix('s').replace('_', ' ')} {name} is not deleted",
            hint="delete it first; then it can be removed for good",
        )
    reason = kept(transaction, row)
    if reason:
        raise InvalidState(f"{name} must stay: {reason}", hint="delete what refers to it first")
    return int(row.id)
