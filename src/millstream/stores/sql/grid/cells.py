"""The cells of a window: what some runs have in some columns, read by the runs' rows."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from millstream.entities import RunStatus
from millstream.errors import InvalidValue
from millstream.search.tree import Kind
from millstream.stores.sql.driver import fetch
from millstream.stores.sql.grid.progress import progress_of
from millstream.stores.sql.grid.values import TEXT_TABLES, chunked, within
from millstream.stores.sql.search import FUNCTION_COLUMNS
from millstream.stores.sql.transaction import Transaction, now_ms

# How far the mean of last points may look back.
MEAN_POINTS = 100
ATTRIBUTES = (
    "run_id", "run_name", "status", "user_id", "start_time", "end_time", "duration", "experiment_id",
    "lifecycle_stage", "artifact_uri", "datasets", "models", "progress",
)
_KINDS: Mapping[str, Kind] = {"attributes": "attribute", "metrics": "metric", "params": "param", "tags": "tag"}
_COLUMN = re.compile(r"(?P<kind>attributes|metrics|params|tags)\.(?P<key>.+)", re.DOTALL)
_FUNCTION = re.compile(
    r"(?P<name>min|max|first|last|best_step|mean)\((?P<of>(?:metrics|params)\..+?)(?:,\s*(?P<more>min|max|\d{1,3}))?\)",
    re.DOTALL,
)


@dataclass(frozen=True)
class ColumnOf:
    """A column as it is asked for: what ``text`` means. ``points`` is how many a mean is of."""

    text: str
    kind: Kind
    key: str
    function: str | None = None
    points: int | None = None


def column_of(text: str) -> ColumnOf:
    """Read a column. Raises InvalidValue."""
    found = _FUNCTION.fullmatch(text)
    name, of, more = (found["name"], found["of"], found["more"]) if found else (None, text, None)
    plain = _COLUMN.fullmatch(of)
    if plain is None:
        raise InvalidValue.of(
            "columns", text, "it is no column",
            hint="write attributes.NAME, metrics.KEY, params.KEY, or min(metrics.KEY)",
        )
    kind, key = _KINDS[plain["kind"]], plain["key"]
    if kind == "attribute" and key not in ATTRIBUTES:
        raise InvalidValue.of("columns", text, f"the attributes are {', '.join(ATTRIBUTES)}")
    if name == "best_step":
        if more not in ("min", "max"):
            raise InvalidValue.of("columns", text, "best_step needs to know which is best: best_step(metrics.KEY, max)")
        return ColumnOf(text, kind, key, f"best_step_{more}")
    if name == "mean" and more is not None:
        if not more.isdigit() or not 1 <= int(more) <= MEAN_POINTS:
            raise InvalidValue.of("columns", text, f"a mean is of 1 to {MEAN_POINTS} points")
        return ColumnOf(text, kind, key, name, int(more))
    if more is not None:
        raise InvalidValue.of("columns", text, f"{name} takes one column")
    return ColumnOf(text, kind, key, name)


def shown(value: Any) -> Any:
    """A number of a metric as it stands in an answer: what JSON has no number for is its text."""
    if value is None or value != value:
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def read_cells(
    transaction: Transaction, runs: Sequence[int], columns: Sequence[ColumnOf]
) -> tuple[list[str], dict[str, list[Any]]]:
    """``(run ids, cells by column)`` of runs in their order. What was purged meanwhile has an empty id, no cells."""
    place = {run: index for index, run in enumerate(runs)}
    cols: dict[str, list[Any]] = {column.text: [None] * len(runs) for column in columns}
    ids = [""] * len(runs)
    for column in columns:
        if column.kind in TEXT_TABLES and column.function is not None:
            raise InvalidValue.of("columns", column.text, "the function of a parameter is one of a group of runs")
        if column.function == "mean" and column.points is None:
            raise InvalidValue.of("columns", column.text, "say of how many points: mean(metrics.KEY, 10)")
    attributes = [column for column in columns if column.kind == "attribute"]
    metrics = [column for column in columns if column.kind == "metric"]
    for chunk in chunked(runs):
        _attributes(transaction, chunk, attributes, place, ids, cols)
        _metrics(transaction, chunk, metrics, place, cols)
        for kind, table in TEXT_TABLES.items():
            _texts(transaction, chunk, table, [column for column in columns if column.kind == kind], place, cols)
    return ids, cols


def _attributes(
    transaction: Transaction, runs: Sequence[int], columns: Sequence[ColumnOf], place: Mapping[int, int],
    ids: list[str], cols: dict[str, list[Any]],
) -> None:
    rows = fetch(
        transaction.connection,
        "SELECT id, run_id, run_name, status, user_id, start_time, end_time, experiment_id, deleted_time, artifact_uri"
        f" FROM runs WHERE {within('id', runs)}",
    )
    now = now_ms()
    wanted = [(column.key, cols[column.text]) for column in columns]
    for run, run_id, name, status, user, start, end, experiment, deleted, uri in rows:
        at = place[run]
        ids[at] = run_id
        for key, cells in wanted:
            if key == "run_name":
                cells[at] = name
            elif key == "status":
                cells[at] = RunStatus.to_string(status)
            elif key == "start_time":
                cells[at] = start
            elif key == "end_time":
                cells[at] = end
            elif key == "duration":
                until = end if end is not None else now if status == 1 else None
                cells[at] = None if start is None or until is None else max(until - start, 0)
            elif key == "user_id":
                cells[at] = user
            elif key == "run_id":
                cells[at] = run_id
            elif key == "experiment_id":
                cells[at] = str(experiment)
            elif key == "lifecycle_stage":
                cells[at] = "active" if deleted is None else "deleted"
            elif key == "artifact_uri":
                cells[at] = uri
    for column in columns:
        if column.key == "progress":
            going = [run for run, _, _, status, *_ in rows if status == 1]
            for run, share in progress_of(transaction, going).items():
                cols[column.text][place[run]] = share
    for key, statement in _LISTS.items():
        for column in columns:
            if column.key == key:
                cells = cols[column.text]
                for run, text in fetch(transaction.connection, statement.format(runs=within("r.id", runs))):
                    at = place[run]
                    cells[at] = [*(cells[at] or ()), text]


_LISTS = {
    "datasets": (
        "SELECT r.id, d.name || ' (' || d.digest || ')' FROM runs r JOIN dataset_inputs i ON i.run = r.id"
        " JOIN datasets d ON d.id = i.dataset WHERE {runs} ORDER BY i.id"
    ),
    "models": (
        "SELECT r.id, v.name || '/' || CAST(v.version AS TEXT) FROM runs r JOIN model_versions v ON v.run_id = r.run_id"
        " WHERE {runs} ORDER BY v.name, v.version"
    ),
}


def _metrics(
    transaction: Transaction, runs: Sequence[int], columns: Sequence[ColumnOf], place: Mapping[int, int],
    cols: dict[str, list[Any]],
) -> None:
    numbers = transaction.keys.find(transaction.connection, {column.key for column in columns})
    plain = [column for column in columns if column.points is None and column.key in numbers]
    if plain:
        names = sorted({FUNCTION_COLUMNS[column.function] for column in plain})
        into: dict[int, list[tuple[int, bool, list[Any]]]] = {}
        for column in plain:
            name = FUNCTION_COLUMNS[column.function]
            into.setdefault(numbers[column.key], []).append(
                (names.index(name) + 2, name.endswith("_step"), cols[column.text])
            )
        keys = ", ".join(map(str, into))
        rows = fetch(
            transaction.connection,
            f"SELECT run, key, {', '.join(names)} FROM metrics WHERE {within('run', runs)} AND key IN ({keys})",
        )
        for row in rows:
            at = place[row[0]]
            for index, whole, cells in into[row[1]]:
                value = row[index]
                cells[at] = value if whole or (value is not None and -math.inf < value < math.inf) else shown(value)
    for column in columns:
        if column.points is not None and column.key in numbers:
            _means(transaction, runs, numbers[column.key], column.points, place, cols[column.text])


def _means(
    transaction: Transaction, runs: Sequence[int], key: int, points: int, place: Mapping[int, int], cells: list[Any]
) -> None:
    """The mean of the last points, NaN left out."""
    rows = fetch(
        transaction.connection,
        "SELECT m.run, (SELECT avg(CASE WHEN l.is_nan = 0 THEN l.value END) FROM (SELECT p.value, p.is_nan"
        " FROM metric_points p WHERE p.run = m.run AND p.key = m.key"
        f" ORDER BY p.step DESC, p.timestamp DESC LIMIT {points}) l) FROM metrics m WHERE {within('m.run', runs)}"
        f" AND m.key = {key}",
    )
    for run, value in rows:
        cells[place[run]] = shown(value)


def _texts(
    transaction: Transaction, runs: Sequence[int], table: str, columns: Sequence[ColumnOf], place: Mapping[int, int],
    cols: dict[str, list[Any]],
) -> None:
    numbers = transaction.keys.find(transaction.connection, {column.key for column in columns})
    into = {numbers[column.key]: cols[column.text] for column in columns if column.key in numbers}
    if not into:
        return
    keys = ", ".join(map(str, into))
    rows = fetch(
        transaction.connection,
        f"SELECT run, key, value FROM {table} WHERE {within('run', runs)} AND key IN ({keys})",
    )
    for run, key, value in rows:
        into[key][place[run]] = value
