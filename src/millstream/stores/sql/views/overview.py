"""Experiments at a glance, what a name finds, and the trash: a few statements each, whatever the number of runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from millstream.entities import ExperimentTag, ViewType
from millstream.errors import InvalidValue
from millstream.operations import (
    BestRun,
    Discarded,
    ExperimentOverview,
    ExperimentSummary,
    FindByName,
    Found,
    FoundAnswer,
    ListTrash,
    OverviewExperiments,
    Trash,
)
from millstream.search.parser import parse_filter
from millstream.search.sql import Clause, Compiler, Dialect
from millstream.search.vocabulary import EXPERIMENTS
from millstream.stores.sql.driver import fetch
from millstream.stores.sql.grid.values import within
from millstream.stores.sql.schema import experiment_tags
from millstream.stores.sql.search import experiment_layout
from millstream.stores.sql.transaction import Transaction, executes, now_ms
from millstream.stores.sql.views.recent import recent
from millstream.stores.sql.views.views import arrangements_of

DAYS = 30
MOST = 5_000
_DAY = 24 * 3600 * 1000
_OWNER_TAG = "mlflow.user"
_ORDERS = ("last_activity", "name", "runs", "running", "creation_time")
# How many of the best values are looked at for one whose run is not in the trash.
_BEST = 50
# What people look at first, when nobody has said.
_TELLING = (
    "val_accuracy", "val_acc", "test_accuracy", "accuracy", "val_auc", "auc", "roc_auc", "val_f1", "f1_score", "f1",
    "r2_score", "val_loss", "test_loss", "eval_loss", "rmse", "val_rmse", "mae", "loss", "train_loss",
)
_SMALL_IS_GOOD = ("loss", "err", "rmse", "mse", "mae", "perplexity", "wer", "cer", "deviance", "seconds", "latency")
# How far back runs are searched for a name.
_SEARCHED_RUNS = 200_000


@executes(OverviewExperiments)
def overview(transaction: Transaction, operation: OverviewExperiments) -> ExperimentOverview:
    check_window(operation.offset, operation.limit)
    key, _, direction = operation.order_by.strip().partition(" ")
    if key not in _ORDERS or direction.strip().upper() not in ("", "ASC", "DESC"):
        raise InvalidValue.of("order_by", operation.order_by, f"it is one of {', '.join(_ORDERS)}, with ASC or DESC")
    rows = _experiments(transaction, operation)
    today = now_ms() // _DAY
    counted = recent(transaction, ("started", today), lambda: _counted(transaction, today))
    running = dict(
        fetch(
            transaction.connection,
            "SELECT experiment_id, count(*) FROM runs WHERE status = 1 AND deleted_time IS NULL GROUP BY experiment_id",
        )
    )
    nothing = (0, 0, [0] * DAYS)
    facts = []
    for row in rows:
        number, created, changed = row[0], row[2], row[3]
        runs, latest, started = counted.get(number, nothing)
        activity = max(latest or 0, created or 0, changed or 0)
        facts.append((row, runs, running.get(number, 0), activity, started))
    index = {"runs": 1, "running": 2, "last_activity": 3}.get(key)
    reverse = direction.strip().upper() == "DESC"
    facts.sort(key=lambda fact: fact[0][0], reverse=True)  # of equals the newest first
    if index is not None:
        facts.sort(key=lambda fact: fact[index], reverse=reverse)
    elif key == "name":
        facts.sort(key=lambda fact: (fact[0][1].lower(), fact[0][1]), reverse=reverse)
    else:
        facts.sort(key=lambda fact: fact[0][2], reverse=reverse)
    window = facts[operation.offset : operation.offset + operation.limit]
    numbers = [fact[0][0] for fact in window]
    tags = _tags(transaction, numbers)
    best = _best_runs(transaction, numbers)
    return ExperimentOverview(
        len(facts),
        [
            ExperimentSummary(
                experiment_id=str(row[0]), name=row[1], lifecycle_stage="active" if row[4] is None else "deleted",
                runs=runs, running=live, last_activity=activity, creation_time=row[2], last_update_time=row[3],
                owner=row[5] or tags.get(row[0], {}).get(_OWNER_TAG), best=best.get(row[0]), started=started,
                tags=[ExperimentTag(name, text) for name, text in sorted(tags.get(row[0], {}).items())],
            )
            for row, runs, live, activity, started in window
        ],
    )


def _experiments(transaction: Transaction, operation: OverviewExperiments) -> list[Any]:
    try:
        view = ViewType.from_string(operation.view_type)
    except KeyError:
        raise InvalidValue.of(
            "view_type", operation.view_type, "it is none of ACTIVE_ONLY, DELETED_ONLY, ALL"
        ) from None
    clauses = []
    if view != ViewType.ALL:
        clauses.append(Clause(f"r.deleted_time IS {'NOT ' if view == ViewType.DELETED_ONLY else ''}NULL"))
    tree = parse_filter(operation.filter, EXPERIMENTS)
    if tree is not None:
        dialect: Dialect = "sqlite" if transaction.connection.dialect.name == "sqlite" else "postgresql"
        clauses.append(Compiler(experiment_layout(), dialect).condition(tree))
    where = " AND ".join(clause.sql for clause in clauses) or "1 = 1"
    rows = fetch(
        transaction.connection,
        "SELECT r.id, r.name, r.creation_time, r.last_update_time, r.deleted_time, r.creator FROM experiments r"
        f" WHERE {where}",
        tuple(value for clause in clauses for value in clause.values),
    )
    text = (operation.text or "").strip().lower()
    if not text:
        return rows
    tags = fetch(transaction.connection, "SELECT experiment_id, key, value FROM experiment_tags")
    tagged = {
        number
        for number, name, value in tags
        if text in name.lower() or text in value.lower()
    }
    return [row for row in rows if text in row[1].lower() or str(row[0]) == text or row[0] in tagged]


def _counted(transaction: Transaction, today: int) -> dict[int, tuple[int, int, list[int]]]:
    """``(runs, when the last began, how many began on each day)`` by experiment, without those in the trash."""
    connection = transaction.connection
    begin = (today - DAYS + 1) * _DAY
    day = f"CASE WHEN start_time >= {begin} THEN (start_time - {begin}) / {_DAY} ELSE -1 END"
    made: dict[int, tuple[int, int, list[int]]] = {}
    for sign, more in ((1, ""), (-1, " WHERE deleted_time IS NOT NULL")):
        rows = fetch(
            connection,
            f"SELECT experiment_id, {day} AS day, count(*), max(start_time) FROM runs{more}"
            " GROUP BY experiment_id, day",
        )
        for experiment, at, count, latest in rows:
            runs, newest, started = made.get(experiment) or (0, 0, [0] * DAYS)
            if 0 <= at < DAYS:
                started[at] += sign * count
            made[experiment] = (runs + sign * count, max(newest, latest or 0) if sign > 0 else newest, started)
    return made


def _tags(transaction: Transaction, numbers: Sequence[int]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    query = select(experiment_tags).where(experiment_tags.c.experiment_id.in_(numbers))
    for row in transaction.connection.execute(query):
        found.setdefault(row.experiment_id, {})[row.key] = row.value
    return found


def goal_of(metric: str) -> str:
    """Whether small or large values of a metric are good, by its name."""
    return "min" if any(word in metric.lower() for word in _SMALL_IS_GOOD) else "max"


def _best_runs(transaction: Transaction, numbers: Sequence[int]) -> dict[int, BestRun]:
    pinned = arrangements_of(transaction, numbers)
    made: dict[int, BestRun] = {}
    for number in numbers:
        chosen = pinned.get(number)
        if chosen is not None and chosen.metrics:
            metric, goal = chosen.metrics[0].key, chosen.metrics[0].goal
        else:
            likely = _likely(transaction, number)
            if likely is None:
                continue
            metric, goal = likely, goal_of(likely)
        key = transaction.key(metric)
        if key is None:
            continue
        rows = fetch(
            transaction.connection,
            "SELECT b.value, r.run_id FROM (SELECT run, value FROM metrics WHERE experiment_id = ? AND key = ?"
            f" AND value IS NOT NULL ORDER BY value {'DESC' if goal == 'max' else 'ASC'} LIMIT {_BEST}) b"
            " JOIN runs r ON r.id = b.run WHERE r.deleted_time IS NULL"
            f" ORDER BY b.value {'DESC' if goal == 'max' else 'ASC'} LIMIT 1",
            (number, key),
        )
        if rows and abs(rows[0][0]) != float("inf"):
            made[number] = BestRun(metric, goal, rows[0][0], rows[0][1], bool(chosen and chosen.metrics))
    return made


def _likely(transaction: Transaction, experiment: int) -> str | None:
    """The metric of the newest run that people would look at first."""
    newest = fetch(
        transaction.connection,
        "SELECT id FROM runs WHERE experiment_id = ? AND start_time IS NOT NULL"
        " ORDER BY start_time DESC, run_id LIMIT 3",
        (experiment,),
    )
    return next((name for name in (telling_metric(transaction, run) for (run,) in newest) if name), None)


def telling_metric(transaction: Transaction, run: int) -> str | None:
    """The metric of a run (its number) that people would look at first."""
    rows = fetch(transaction.connection, "SELECT key FROM metrics WHERE run = ? LIMIT 500", (run,))
    keys = [row[0] for row in rows]
    known = transaction.keys.names(transaction.connection, keys)
    names = sorted(name for name in (known[key] for key in keys) if not name.startswith("system/"))
    return next((name for name in _TELLING if name in names), names[0]) if names else None


@executes(FindByName)
def find_by_name(transaction: Transaction, operation: FindByName) -> FoundAnswer:
    text = operation.text.strip()
    if not 1 <= operation.limit <= 100:
        raise InvalidValue.of("limit", operation.limit, "it must be from 1 to 100")
    if not text or len(text) > 250:
        raise InvalidValue.of("text", operation.text, "it must have from 1 to 250 characters")
    lower = "lower({})" if transaction.connection.dialect.name == "sqlite" else 'lower({} COLLATE "default")'
    pattern = f"%{_escaped(text.lower())}%"
    found: list[Found] = []
    rows = fetch(
        transaction.connection,
        "SELECT id, name, last_update_time FROM experiments WHERE deleted_time IS NULL"
        f" AND ({lower.format('name')} LIKE ? ESCAPE '!' OR CAST(id AS TEXT) = ?)"
        " ORDER BY last_update_time DESC LIMIT ?",
        (pattern, text, operation.limit),
    )
    found += [Found("experiment", str(number), name, str(number), changed) for number, name, changed in rows]
    rows = fetch(
        transaction.connection,
        "SELECT name, last_updated_timestamp FROM registered_models"
        f" WHERE {lower.format('name')} LIKE ? ESCAPE '!' ORDER BY last_updated_timestamp DESC LIMIT ?",
        (pattern, operation.limit),
    )
    found += [Found("registered_model", name, name, time=changed) for name, changed in rows]
    return FoundAnswer([*found, *_found_runs(transaction, text, pattern, lower, operation.limit)])


def _found_runs(transaction: Transaction, text: str, pattern: str, lower: str, limit: int) -> list[Found]:
    columns = "run_id, run_name, experiment_id, start_time"
    by_id = fetch(
        transaction.connection,
        f"SELECT {columns} FROM runs WHERE run_id >= ? AND run_id < ? AND deleted_time IS NULL ORDER BY run_id LIMIT ?",
        (text, text + "\U0010ffff", limit),
    )
    by_name = fetch(
        transaction.connection,
        f"SELECT {columns} FROM (SELECT * FROM runs ORDER BY id DESC LIMIT {_SEARCHED_RUNS}) r"
        f" WHERE deleted_time IS NULL AND {lower.format('run_name')} LIKE ? ESCAPE '!' LIMIT ?",
        (pattern, limit),
    )
    rows = {row[0]: row for row in [*by_id, *by_name]}
    return [
        Found("run", run_id, name or "", str(experiment), start)
        for run_id, name, experiment, start in list(rows.values())[:limit]
    ]


def _escaped(text: str) -> str:
    for sign in "!%_":
        text = text.replace(sign, "!" + sign)
    return text


@executes(ListTrash)
def list_trash(transaction: Transaction, operation: ListTrash) -> Trash:
    check_window(operation.offset, operation.limit)
    if operation.kind not in (None, "experiment", "run"):
        raise InvalidValue.of("kind", operation.kind, "it is neither experiment nor run")
    connection = transaction.connection
    text = (operation.text or "").strip().lower()
    experiments = [
        Discarded("experiment", str(number), name, when, str(number), name)
        for number, name, when in fetch(
            connection, "SELECT id, name, deleted_time FROM experiments WHERE deleted_time IS NOT NULL"
        )
        if text in name.lower()
    ]
    runs = [
        Discarded("run", run_id, name or "", when, str(number), experiment)
        for run_id, name, when, number, experiment in fetch(
            connection,
            "SELECT r.run_id, r.run_name, r.deleted_time, e.id, e.name FROM runs r JOIN experiments e"
            " ON e.id = r.experiment_id WHERE r.deleted_time IS NOT NULL AND NOT r.deleted_with_experiment",
        )
        if text in (name or "").lower() or text in run_id
    ]
    items = sorted(
        [*(experiments if operation.kind != "run" else ()), *(runs if operation.kind != "experiment" else ())],
        key=lambda item: (-item.deleted_time, item.kind, item.id),
    )[operation.offset : operation.offset + operation.limit]
    inside = [int(item.id) for item in items if item.kind == "experiment"]
    counted: dict[int, int] = {}
    if inside:
        counted = dict(
            fetch(
                connection,
                f"SELECT experiment_id, count(*) FROM runs WHERE {within('experiment_id', inside)}"
                " AND deleted_time IS NOT NULL GROUP BY experiment_id",
            )
        )
    shown = [
        item if item.kind == "run" else
        Discarded(
            item.kind, item.id, item.name, item.deleted_time, item.experiment_id, item.experiment_name,
            counted.get(int(item.id), 0),
        )
        for item in items
    ]
    return Trash(len(experiments), len(runs), shown)


def check_window(offset: int, limit: int) -> None:
    """Raises InvalidValue for a window that is too large or begins before the first row."""
    if offset < 0 or not 0 <= limit <= MOST:
        raise InvalidValue.of("limit", limit, f"a window has at most {MOST} rows, from row 0 on")
