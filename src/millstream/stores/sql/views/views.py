"""Saved views, and what is pinned in an experiment, in SQL."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, or_, select, update

from millstream.errors import InvalidValue, LimitExceeded, PermissionDenied, ViewNotFound
from millstream.operations import (
    Arrangement,
    DeleteView,
    GetArrangement,
    GetView,
    ListViews,
    PinnedMetric,
    RunColour,
    SaveView,
    SetArrangement,
    View,
    ViewAnswer,
    Views,
)
from millstream.operations.limits import check_key, check_text
from millstream.stores.sql.transaction import Transaction, executes, find_experiment, now_ms
from millstream.stores.sql.views.tables import arrangements, saved_view_experiments, saved_views

STATE_LENGTH = 65_536
NAME_LENGTH = 250
_PAGES = frozenset({"runs", "compare", "run", "experiments", "models"})
_PINNED_METRICS = 100
_PINNED_RUNS = 1_000
_COLOURED_RUNS = 1_000
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # none that is taken for another
_VIEW = saved_views.c


@executes(SaveView)
def save(transaction: Transaction, operation: SaveView) -> ViewAnswer:
    if operation.page not in _PAGES:
        raise InvalidValue.of("page", operation.page, f"views are of one of {', '.join(sorted(_PAGES))}")
    check_text(operation.state, STATE_LENGTH, "state")
    check_text(operation.name, NAME_LENGTH, "name")
    experiments = [find_experiment(transaction, text).id for text in dict.fromkeys(operation.experiment_ids)]
    now = now_ms()
    values = {
        "page": operation.page, "name": operation.name, "state": operation.state, "shared": operation.shared,
        "last_update_time": now,
    }
    connection = transaction.connection
    if operation.view_id:
        row = _find(transaction, operation.view_id)
        _check_owner(transaction, row)
        connection.execute(update(saved_views).where(_VIEW.id == row.id).values(values))
        connection.execute(delete(saved_view_experiments).where(saved_view_experiments.c.view == row.id))
        number, view_id = row.id, row.view_id
    else:
        view_id = "".join(secrets.choice(_LETTERS) for _ in range(8))
        made = insert(saved_views).values(
            view_id=view_id, owner=transaction.principal.name, creation_time=now, **values
        )
        number = connection.execute(made.returning(_VIEW.id)).scalar_one()
    for experiment in experiments:
        connection.execute(insert(saved_view_experiments).values(view=number, experiment_id=experiment))
    return ViewAnswer(_views(transaction, [_find(transaction, view_id)])[0])


@executes(GetView)
def get(transaction: Transaction, operation: GetView) -> ViewAnswer:
    row = _find(transaction, operation.view_id)
    if row.name and not row.shared and row.owner != transaction.principal.name:
        raise _no_view(operation.view_id)
    return ViewAnswer(_views(transaction, [row])[0])


@executes(ListViews)
def list_views(transaction: Transaction, operation: ListViews) -> Views:
    experiment = find_experiment(transaction, operation.experiment_id)
    query = (
        select(saved_views)
        .join(saved_view_experiments, saved_view_experiments.c.view == _VIEW.id)
        .where(saved_view_experiments.c.experiment_id == experiment.id, _VIEW.name != "")
        .where(or_(_VIEW.shared, _VIEW.owner == transaction.principal.name))
        .order_by(_VIEW.name, _VIEW.id)
    )
    found = _views(transaction, transaction.connection.execute(query).all())
    default = arrangement_of(transaction, experiment.id).default_view_id
    return Views(found, default)


@executes(DeleteView)
def remove(transaction: Transaction, operation: DeleteView) -> None:
    row = _find(transaction, operation.view_id)
    _check_owner(transaction, row)
    connection = transaction.connection
    connection.execute(delete(saved_views).where(_VIEW.id == row.id))
    connection.execute(
        update(arrangements).where(arrangements.c.default_view_id == row.view_id).values(default_view_id=None)
    )


@executes(GetArrangement)
def get_arrangement(transaction: Transaction, operation: GetArrangement) -> Arrangement:
    return arrangement_of(transaction, find_experiment(transaction, operation.experiment_id).id)


@executes(SetArrangement)
def set_arrangement(transaction: Transaction, operation: SetArrangement) -> Arrangement:
    experiment = find_experiment(transaction, operation.experiment_id)
    values: dict[str, Any] = {}
    if operation.metrics is not None:
        for metric in operation.metrics:
            check_key(metric.key, "metrics")
            if metric.goal not in ("min", "max"):
                raise InvalidValue.of("goal", metric.goal, "a metric is best at its min or its max")
        unique = {metric.key: metric for metric in _few(operation.metrics, _PINNED_METRICS, "metrics")}
        values["metrics"] = json.dumps([[metric.key, metric.goal] for metric in unique.values()])
    if operation.runs is not None:
        values["runs"] = json.dumps(list(dict.fromkeys(_few(operation.runs, _PINNED_RUNS, "runs"))))
    if operation.colours is not None:
        coloured = {colour.run_id: colour.colour for colour in _few(operation.colours, _COLOURED_RUNS, "colours")}
        values["colours"] = json.dumps(list(coloured.items()))
    if operation.default_view_id is not None:
        if operation.default_view_id:
            view = _find(transaction, operation.default_view_id)
            if not view.shared:
                raise InvalidValue.of(
                    "default_view_id", view.view_id, "others cannot see it", hint="share the view first"
                )
        values["default_view_id"] = operation.default_view_id or None
    if values:
        connection = transaction.connection
        of = arrangements.c.experiment_id == experiment.id
        if not connection.execute(update(arrangements).where(of).values(values)).rowcount:
            connection.execute(insert(arrangements).values(experiment_id=experiment.id, **values))
    return arrangement_of(transaction, experiment.id)


def arrangement_of(transaction: Transaction, experiment: int) -> Arrangement:
    """What is pinned in an experiment, by its number."""
    return arrangements_of(transaction, [experiment]).get(experiment, Arrangement())


def arrangements_of(transaction: Transaction, experiments: Sequence[int]) -> dict[int, Arrangement]:
    """What is pinned in those of these experiments in which something is."""
    rows = transaction.connection.execute(select(arrangements).where(arrangements.c.experiment_id.in_(experiments)))
    return {
        row.experiment_id: Arrangement(
            [PinnedMetric(key, goal) for key, goal in json.loads(row.metrics)], json.loads(row.runs),
            [RunColour(run_id, colour) for run_id, colour in json.loads(row.colours)], row.default_view_id,
        )
        for row in rows
    }


def _few(given: Sequence[Any], most: int, field: str) -> Sequence[Any]:
    if len(given) > most:
        raise LimitExceeded.of(field, f"{len(given)} of them", f"at most {most} are kept")
    return given


def _no_view(view_id: str) -> ViewNotFound:
    return ViewNotFound(f"no view has the id {view_id!r}", hint="it may have been deleted, or be somebody else's")


def _find(transaction: Transaction, view_id: str) -> Row[Any]:
    row = transaction.connection.execute(select(saved_views).where(_VIEW.view_id == view_id)).one_or_none()
    if row is None:
        raise _no_view(view_id)
    return row


def _check_owner(transaction: Transaction, row: Row[Any]) -> None:
    if row.owner != transaction.principal.name:
        if not row.shared:
            raise _no_view(row.view_id)
        raise PermissionDenied(
            f"the view {row.name!r} belongs to {row.owner}", hint="save it under another name, as one of your own"
        )


def _views(transaction: Transaction, rows: Iterable[Row[Any]]) -> list[View]:
    found = list(rows)
    of: dict[int, list[str]] = {row.id: [] for row in found}
    query = (
        select(saved_view_experiments)
        .where(saved_view_experiments.c.view.in_(of))
        .order_by(saved_view_experiments.c.experiment_id)
    )
    for link in transaction.connection.execute(query):
        of[link.view].append(str(link.experiment_id))
    return [
        View(
            row.view_id, row.page, row.name, row.state, row.owner, row.shared, row.creation_time, row.last_update_time,
            of[row.id],
        )
        for row in found
    ]
