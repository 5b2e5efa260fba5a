"""Bringing in what was made elsewhere, in SQL. Everything here may be done twice: what is there is recognised."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Executable, Row, insert, select, text, update

from millstream.entities import DatasetInput, LoggedModelStatus, RunStatus
from millstream.errors import InvalidValue
from millstream.operations.imports import (
    DigestSeries,
    ImportedExperiment,
    ImportedLoggedModel,
    ImportedRun,
    ImportedSeries,
    ImportExperiments,
    ImportLoggedModels,
    ImportMetrics,
    ImportRuns,
    Placed,
    PlacedAnswer,
    ReadStored,
    SeriesDigest,
    SeriesDigests,
    StoredAnswer,
    StoredModel,
    StoredRun,
    series_digest,
)
from millstream.operations.limits import check_run_id
from millstream.stores.sql.driver import many
from millstream.stores.sql.experiments import check_name
from millstream.stores.sql.logged_models import load_models
from millstream.stores.sql.points import Point, write_summed
from millstream.stores.sql.records import find_rows, load_runs
from millstream.stores.sql.schema import (
    BLOCK_STEPS,
    dataset_inputs,
    datasets,
    experiments,
    logged_models,
    metric_points,
    runs,
)
from millstream.stores.sql.transaction import (
    Transaction,
    executes,
    experiment_number,
    find_experiment,
    no_run,
    now_ms,
    under,
)

_CHUNK = 500
_ROWS = 50_000
_CONTEXT = "mlflow.data.context"


def _insert(table: str, columns: str, key: str, value: str = "") -> str:
    """An insert that leaves what is there, or, given the name of a column, gives it the new value."""
    otherwise = f"UPDATE SET {value} = excluded.{value}" if value else "NOTHING"
    marks = ", ".join("?" * len(columns.split(",")))
    return f"INSERT INTO {table} ({columns}) VALUES ({marks}) ON CONFLICT ({key}) DO {otherwise}"


_RUN_TEXTS = {table: (table, "run, key, experiment_id, value", "run, key") for table in ("params", "run_tags")}
_MODEL_TEXTS = {
    table: (table, "model, key, value", "model, key") for table in ("logged_model_params", "logged_model_tags")
}
_EXPERIMENT_TAG = _insert("experiment_tags", "experiment_id, key, value", "experiment_id, key")
_RUN = _insert("runs", "run_id, experiment_id, run_name, user_id, status, start_time, end_time, artifact_uri,"
               " deleted_time, deleted_with_experiment", "run_id")
_DATASET = _insert("datasets", "experiment_id, name, digest, source_type, source, schema, profile",
                   "experiment_id, name, digest")
_DATASET_INPUT = _insert("dataset_inputs", "run, dataset, context", "run, dataset")
_DATASET_INPUT_TAG = _insert("dataset_input_tags", "input, key, value", "input, key")
_LINK = _insert("model_links", "run, direction, model_id, step", "run, direction, model_id, step")
_MODEL = _insert("logged_models", "model_id, experiment_id, name, model_type, status, status_message, source_run_id,"
                 " artifact_uri, creation_timestamp_ms, last_updated_timestamp_ms, deleted_time", "model_id")
_MODEL_METRIC = (
    _insert("logged_model_metrics", "model, key, dataset_name, dataset_digest, run_id, value, step, timestamp",
            "model, key, dataset_name, dataset_digest, run_id", "value")
    + ", step = excluded.step, timestamp = excluded.timestamp"
    " WHERE (excluded.step, excluded.timestamp) >= (logged_model_metrics.step, logged_model_metrics.timestamp)"
)


@executes(ImportExperiments)
def import_experiments(transaction: Transaction, operation: ImportExperiments) -> PlacedAnswer:
    # Those that keep their ids come first, so that none of the others is given one of these.
    placed: dict[int, Placed] = {}
    for may_move in (False, True):
        for index, item in enumerate(operation.experiments):
            if index not in placed and (found := _place(transaction, item, may_move=may_move)):
                placed[index] = found
    if transaction.connection.dialect.name == "postgresql":
        # Ids given by hand do not move the sequence that gives the next one.
        transaction.connection.execute(text(
            "SELECT setval(pg_get_serial_sequence('experiments', 'id'), greatest((SELECT max(id) FROM experiments), 1))"
        ))
    return PlacedAnswer([placed[index] for index in range(len(operation.experiments))])


def _place(transaction: Transaction, item: ImportedExperiment, *, may_move: bool) -> Placed | None:
    """Bring one experiment in; None when its id is taken by another and it may not move to a new one."""
    sent, connection = item.experiment, transaction.connection
    name = check_name(sent.name)
    there = connection.execute(select(experiments).where(experiments.c.name == name)).one_or_none()
    if there is not None:
        many(connection, _EXPERIMENT_TAG, [(there.id, tag.key, tag.value) for tag in sent.tag_list])
        return Placed(sent.experiment_id, str(there.id), there.artifact_location, created=False)
    taken = select(experiments.c.id).where(experiments.c.id == experiment_number(sent.experiment_id))
    created = sent.creation_time or 0
    values: dict[str, Any] = {
        "name": name, "artifact_location": sent.artifact_location, "creation_time": created,
        "last_update_time": sent.last_update_time or created, "creator": transaction.principal.name,
        "deleted_time": _deleted(sent.lifecycle_stage, item.deleted_time, sent.last_update_time),
    }
    if connection.execute(taken).one_or_none() is None:
        values["id"] = experiment_number(sent.experiment_id)
    elif not may_move:
        return None
    number = connection.execute(insert(experiments).values(**values)).inserted_primary_key[0]  # type: ignore[index]
    location = sent.artifact_location
    if not location:
        location = under(transaction.artifact_root, str(number))
        connection.execute(update(experiments).where(experiments.c.id == number).values(artifact_location=location))
    many(connection, _EXPERIMENT_TAG, [(number, tag.key, tag.value) for tag in sent.tag_list])
    return Placed(sent.experiment_id, str(number), location, created=True)


def _deleted(stage: str, deleted_time: int | None, otherwise: int | None) -> int | None:
    if stage != "deleted":
        return None
    return deleted_time if deleted_time is not None else otherwise if otherwise is not None else now_ms()


@executes(ImportRuns)
def import_runs(transaction: Transaction, operation: ImportRuns) -> PlacedAnswer:
    sent = {check_run_id(item.run.info.run_id): item for item in operation.runs}
    before = {row.run_id: row for row in find_rows(transaction, list(sent))}
    homes = {
        experiment_id: find_experiment(transaction, experiment_id)
        for experiment_id in {item.run.info.experiment_id for item in sent.values()}
    }
    rows = []
    for run_id, item in sent.items():
        info = item.run.info
        home = homes[info.experiment_id]
        root = info.artifact_uri or under(home.artifact_location, run_id, "artifacts")
        if run_id not in before:
            rows.append((run_id, home.id, *_facts(item, home)[:5], root, *_facts(item, home)[5:]))
        elif operation.overwrite or not RunStatus.is_terminated(before[run_id].status):
            names = ("run_name", "user_id", "status", "start_time", "end_time", "deleted_time",
                     "deleted_with_experiment")
            facts = dict(zip(names, _facts(item, home), strict=True))
            transaction.connection.execute(update(runs).where(runs.c.run_id == run_id).values(**facts))
    many(transaction.connection, _RUN, rows)
    after = {row.run_id: row for row in find_rows(transaction, list(sent))}
    _write_texts(transaction, operation, before, after)
    _write_dataset_inputs(transaction, operation.runs, after)
    links = {
        (after[item.run.info.run_id].id, "input", used.model_id, 0)
        for item in operation.runs for used in item.run.inputs.model_inputs
    } | {
        (after[item.run.info.run_id].id, "output", made.model_id, made.step)
        for item in operation.runs for made in item.run.outputs.model_outputs
    }
    many(transaction.connection, _LINK, sorted(links))
    return PlacedAnswer([
        Placed(run_id, run_id, after[run_id].artifact_uri, created=run_id not in before) for run_id in sent
    ])


def _facts(item: ImportedRun, home: Row[Any]) -> tuple[Any, ...]:
    info = item.run.info
    try:
        status = RunStatus.from_string(info.status)
    except KeyError:
        raise InvalidValue.of("status", info.status, "it is no status of a run") from None
    deleted = _deleted(info.lifecycle_stage, item.deleted_time, home.deleted_time)
    together = deleted is not None and home.deleted_time is not None and deleted >= home.deleted_time
    return info.run_name, info.user_id or "", status, info.start_time, info.end_time, deleted, together


def _write_texts(
    transaction: Transaction, operation: ImportRuns, before: dict[str, Row[Any]], after: dict[str, Row[Any]]
) -> None:
    numbers = transaction.enter_keys(
        key for sent in operation.runs for key in (*sent.run.data.params, *sent.run.data.tags)
    )
    for table in ("params", "run_tags"):
        add: list[tuple[object, ...]] = []
        replace: list[tuple[object, ...]] = []
        for sent in operation.runs:
            data, row = sent.run.data, after[sent.run.info.run_id]
            known = before.get(row.run_id)
            open_still = known is not None and table == "run_tags" and not RunStatus.is_terminated(known.status)
            rows = replace if operation.overwrite or open_still else add
            texts = data.params if table == "params" else data.tags
            rows += [(row.id, numbers[key], row.experiment_id, value) for key, value in texts.items()]
        many(transaction.connection, _insert(*_RUN_TEXTS[table]), sorted(add))
        many(transaction.connection, _insert(*_RUN_TEXTS[table], "value"), sorted(replace))


def _write_dataset_inputs(
    transaction: Transaction, sent: Sequence[ImportedRun], after: dict[str, Row[Any]]
) -> None:
    connection = transaction.connection
    uses: list[tuple[Row[Any], DatasetInput]] = [
        (after[item.run.info.run_id], used) for item in sent for used in item.run.inputs.dataset_inputs
    ]
    if not uses:
        return
    new = {}
    for row, used in uses:
        dataset = used.dataset
        new[row.experiment_id, dataset.name, dataset.digest] = (
            dataset.source_type, dataset.source, dataset.schema, dataset.profile
        )
    many(connection, _DATASET, [(*identity, *new[identity]) for identity in sorted(new)])
    known: dict[tuple[int, str, str], int] = {}
    names = sorted({name for _, name, _ in new})
    for start in range(0, len(names), _CHUNK):
        found = select(datasets.c.id, datasets.c.experiment_id, datasets.c.name, datasets.c.digest).where(
            datasets.c.experiment_id.in_({experiment for experiment, _, _ in new}),
            datasets.c.name.in_(names[start:start + _CHUNK]),
        )
        known.update({(row[1], row[2], row[3]): row[0] for row in connection.execute(found)})
    wanted = {}
    for row, used in uses:
        tags = {tag.key: tag.value for tag in used.tags}
        wanted[row.id, known[row.experiment_id, used.dataset.name, used.dataset.digest]] = tags
    many(connection, _DATASET_INPUT, [(*pair, wanted[pair].get(_CONTEXT)) for pair in sorted(wanted)])
    numbers = sorted({run for run, _ in wanted})
    inputs: dict[tuple[int, int], int] = {}
    for start in range(0, len(numbers), _CHUNK):
        query = select(dataset_inputs.c.run, dataset_inputs.c.dataset, dataset_inputs.c.id).where(
            dataset_inputs.c.run.in_(numbers[start:start + _CHUNK])
        )
        inputs.update({(row[0], row[1]): row[2] for row in connection.execute(query)})
    many(connection, _DATASET_INPUT_TAG, sorted(
        (inputs[pair], key, value) for pair, tags in wanted.items() for key, value in tags.items()
    ))


@executes(ImportMetrics)
def import_metrics(transaction: Transaction, operation: ImportMetrics) -> None:
    found = {row.run_id: row for row in find_rows(transaction, sorted({one.run_id for one in operation.series}))}
    numbers = transaction.enter_keys({one.key for one in operation.series})
    rows: list[tuple[object, ...]] = []
    of_metrics: list[list[Point]] = []
    of_blocks: list[list[Point]] = []
    for one in sorted(operation.series, key=lambda one: (one.run_id, one.key)):
        if one.run_id not in found:
            raise no_run(one.run_id)
        if not len(one.steps) == len(one.timestamps) == len(one.values):
            raise InvalidValue.of("series", one.key, "its steps, timestamps and values are not of one length")
        if one.steps:
            run = found[one.run_id]
            _Columns(one, run.id, numbers[one.key], run.experiment_id).summed(rows, of_metrics, of_blocks)
    write_summed(transaction.connection, rows, of_metrics, of_blocks)


class _Columns:
    """A series in order, as parallel lists; a million points are summed without a million objects."""

    def __init__(self, sent: ImportedSeries, run: int, key: int, experiment: int) -> None:
        self.place = (run, key, experiment)
        # A zero has no sign in the store: SQLite drops it, PostgreSQL would keep two points that are equal.
        values = [value + 0.0 for value in sent.values]
        # NaN stands before the numbers of its step and time, so that the last point is a number where there is one.
        order = sorted(zip(sent.steps, sent.timestamps, [value == value for value in values], values, strict=True))
        self.steps, self.timestamps, numbers, self.values = zip(*order, strict=True)
        self.nans = [not number for number in numbers]

    def summed(
        self, rows: list[tuple[object, ...]], of_metrics: list[list[Point]], of_blocks: list[list[Point]]
    ) -> None:
        run, key, _ = self.place
        rows += [
            (run, key, step, timestamp, 0.0, 1) if nan else (run, key, step, timestamp, value, 0)
            for step, timestamp, nan, value in zip(self.steps, self.timestamps, self.nans, self.values, strict=True)
        ]
        of_metrics.append(self.deciding(0, len(self.steps)))
        start = bisect_left(self.steps, BLOCK_STEPS)
        while start < len(self.steps):
            after = bisect_left(self.steps, (self.steps[start] // BLOCK_STEPS + 1) * BLOCK_STEPS, start)
            of_blocks.append(self.deciding(start, after))
            start = after

    def deciding(self, start: int, stop: int) -> list[Point]:
        """The points of a stretch that its summary is made of: first, last, smallest, greatest."""
        chosen = {start, stop - 1}
        stretch = self.values[start:stop]
        numbers = stretch if not any(self.nans[start:stop]) else [value for value in stretch if value == value]
        if numbers:
            chosen |= {start + stretch.index(min(numbers)), start + stretch.index(max(numbers))}
        return [Point(*self.place, self.steps[index], self.timestamps[index], self.values[index])
                for index in sorted(chosen)]


@executes(ImportLoggedModels)
def import_logged_models(transaction: Transaction, operation: ImportLoggedModels) -> PlacedAnswer:
    connection = transaction.connection
    sent = {item.model.model_id: item for item in operation.models}
    before = _find_models(transaction, list(sent))
    rows = []
    for model_id, item in sent.items():
        home = find_experiment(transaction, item.model.experiment_id)
        facts = _model_facts(item)
        if model_id not in before:
            root = item.model.info.artifact_uri or under(home.artifact_location, "models", model_id, "artifacts")
            rows.append((model_id, home.id, *list(facts.values())[:5], root, *list(facts.values())[5:]))
        elif operation.overwrite or before[model_id].status == LoggedModelStatus.PENDING:
            connection.execute(update(logged_models).where(logged_models.c.model_id == model_id).values(**facts))
    many(connection, _MODEL, rows)
    after = _find_models(transaction, list(sent))
    for table in _MODEL_TEXTS:
        texts = sorted(
            (after[model_id].id, text.key, text.value) for model_id, item in sent.items()
            for text in (item.model.data.params if table == "logged_model_params" else item.model.info.tags)
        )
        many(connection, _insert(*_MODEL_TEXTS[table], "value" if operation.overwrite else ""), texts)
    measured = [
        (after[model_id].id, metric.key, metric.dataset_name or "", metric.dataset_digest or "", metric.run_id or "",
         None if math.isnan(metric.value) else metric.value + 0.0, metric.step, metric.timestamp)
        for model_id, item in sent.items() for metric in item.model.data.metrics
    ]
    many(connection, _MODEL_METRIC, sorted(measured, key=lambda row: (row[:5], row[6:])))
    return PlacedAnswer([
        Placed(model_id, model_id, after[model_id].artifact_uri, created=model_id not in before) for model_id in sent
    ])


def _model_facts(item: ImportedLoggedModel) -> dict[str, Any]:
    info = item.model.info
    return {
        "name": info.name, "model_type": info.model_type, "status": str(item.model.status),
        "status_message": info.status_message, "source_run_id": info.source_run_id,
        "creation_timestamp_ms": info.creation_timestamp_ms,
        "last_updated_timestamp_ms": info.last_updated_timestamp_ms, "deleted_time": item.deleted_time,
    }


def _find_models(transaction: Transaction, model_ids: Sequence[str]) -> dict[str, Row[Any]]:
    found: dict[str, Row[Any]] = {}
    for start in range(0, len(model_ids), _CHUNK):
        query = select(logged_models).where(logged_models.c.model_id.in_(model_ids[start:start + _CHUNK]))
        found.update({row.model_id: row for row in transaction.connection.execute(query)})
    return found


@executes(ReadStored)
def read_stored(transaction: Transaction, operation: ReadStored) -> StoredAnswer:
    rows = find_rows(transaction, operation.run_ids)
    models = list(_find_models(transaction, operation.model_ids).values())
    return StoredAnswer(
        [StoredRun(run, row.deleted_time) for run, row in zip(load_runs(transaction, rows), rows, strict=True)],
        [StoredModel(model, row.deleted_time)
         for model, row in zip(load_models(transaction, models), models, strict=True)],
    )


@executes(DigestSeries)
def digest_series(transaction: Transaction, operation: DigestSeries) -> SeriesDigests:
    found = {row.id: row.run_id for row in find_rows(transaction, operation.run_ids)}
    made = []
    for run, key, steps, timestamps, values in _histories(transaction, sorted(found)):
        made.append((run, key, len(steps), series_digest(steps, timestamps, values)))
    names = transaction.keys.names(transaction.connection, {key for _, key, _, _ in made})
    return SeriesDigests([SeriesDigest(found[run], names[key], points, digest) for run, key, points, digest in made])


def rows_in_parts(connection: Connection, statement: Executable, **values: Any) -> Iterator[Sequence[Sequence[Any]]]:
    """The rows of a query some at a time. SQLite's come as the driver makes them: wrapping them takes as long again."""
    if connection.dialect.name == "sqlite":
        cursor = connection.execute(statement, values).cursor
        assert cursor is not None
        while rows := cursor.fetchmany(_ROWS):
            yield rows
    else:
        yield from connection.execution_options(stream_results=True).execute(statement, values).partitions(_ROWS)


_History = tuple[int, int, "array[int]", "array[int]", "array[float]"]


def _histories(transaction: Transaction, numbers: list[int]) -> Iterator[_History]:
    """Run, key, steps, timestamps and values of every metric of some runs, a million points in three arrays."""
    points = metric_points.c
    for start in range(0, len(numbers), _CHUNK):
        query = select(points.run, points.key, points.step, points.timestamp, points.value, points.is_nan).where(
            points.run.in_(numbers[start:start + _CHUNK])
        ).order_by(points.run, points.key, points.step, points.timestamp, points.is_nan.desc(), points.value)
        current: _History | None = None
        for part in rows_in_parts(transaction.connection, query):
            for (run, key), rows in groupby(part, itemgetter(0, 1)):
                if current is None or current[:2] != (run, key):
                    if current is not None:
                        yield current
                    current = (run, key, array("q"), array("q"), array("d"))
                _, _, steps, timestamps, values, nans = zip(*rows, strict=True)
                current[2].extend(steps)
                current[3].extend(timestamps)
                current[4].extend([math.nan if nan else value + 0.0 for value, nan in zip(values, nans, strict=True)])
        if current is not None:
            yield current
