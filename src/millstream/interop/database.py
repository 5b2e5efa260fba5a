"""An MLflow database as a source: SQLite or PostgreSQL, of any schema from MLflow 1.27 on.

Tables and columns that an older MLflow did not have are taken as empty. The database is opened for reading only; a
SQLite file that nobody has open is not even locked.
"""

from __future__ import annotations

import contextlib
import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Row, Text, bindparam, create_engine, inspect, text
from sqlalchemy import exc as sqlalchemy_errors
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

from millstream.entities import (
    Dataset,
    DatasetInput,
    Experiment,
    ExperimentTag,
    InputTag,
    LoggedModel,
    LoggedModelData,
    LoggedModelInfo,
    LoggedModelInput,
    LoggedModelOutput,
    LoggedModelParameter,
    LoggedModelStatus,
    LoggedModelTag,
    Metric,
    Param,
    Run,
    RunData,
    RunInfo,
    RunInputs,
    RunOutputs,
    RunTag,
)
from millstream.errors import InvalidValue, StoreUnavailable
from millstream.interop.database_registry import read_registry
from millstream.interop.source import BATCH, GREATEST, RUN_NAME_TAG, Series, Source, left_behind, settle
from millstream.operations.imports import (
    ImportedExperiment,
    ImportedLoggedModel,
    ImportedRegisteredModel,
    ImportedRun,
)
from millstream.stores.sql.database import database_url
from millstream.stores.sql.imports import rows_in_parts

_NEEDED = {"experiments", "runs", "params", "tags", "metrics"}


class DatabaseSource(Source):
    """The database at ``uri`` (``sqlite:///…`` or ``postgresql://…``).

    ``artifacts_destination`` is where its server kept the artifacts that it proxied (``mlflow-artifacts:/…``); unless
    given, the folder ``mlartifacts`` beside a SQLite file. Raises InvalidValue for a database that is not MLflow's.
    """

    def __init__(self, uri: str, artifacts_destination: str | None = None) -> None:
        super().__init__()
        self._url = database_url(uri)
        self._folder = Path.cwd()
        self._engine = self._open()
        self._destination = artifacts_destination
        if self._destination is None and (self._folder / "mlartifacts").is_dir():
            self._destination = str(self._folder / "mlartifacts")
        with self._explained():
            found = inspect(self._engine)
            self._columns = {
                table: {str(column["name"]) for column in found.get_columns(table)} for table in found.get_table_names()
            }
        missing = _NEEDED - self._columns.keys()
        if missing:
            if {"keys", "metric_points"} <= self._columns.keys():
                raise InvalidValue(f"{self.title} is a store of Millstream already", hint="open it as it is")
            raise InvalidValue(
                f"{self.title} is not a database of MLflow: it has no table {sorted(missing)[0]!r}",
                hint="name the file or address that MLflow's --backend-store-uri had",
            )
        self._note_left_out()

    @property
    def title(self) -> str:
        return self._url.render_as_string(hide_password=True)

    def close(self) -> None:
        self._engine.dispose()

    def _open(self) -> Engine:
        if self._url.get_backend_name() != "sqlite":
            return create_engine(
                self._url, poolclass=NullPool,
                connect_args={"connect_timeout": 10, "options": "-c default_transaction_read_only=on -c timezone=UTC"},
            )
        path = Path(str(self._url.database)).absolute()
        if not path.is_file():
            raise InvalidValue(f"there is no file {str(path)!r}", hint="name the file of MLflow's database")
        self._folder = path.parent
        return create_engine("sqlite://", creator=lambda: _connect_read_only(path), poolclass=NullPool)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlalchemy_errors.DBAPIError as error:
            said = str(error.orig).strip().split("\n")[0]
            raise StoreUnavailable(
                f"the database {self.title} cannot be read: {said}",
                hint="check its address, and that it lets this user in; a stopped import goes on when it is run again",
            ) from error

    def _rows(self, statement: str, **values: Any) -> Sequence[Row[Any]]:
        lists = [name for name, value in values.items() if isinstance(value, list)]
        bound = text(statement).bindparams(*(bindparam(name, type_=Text(), expanding=True) for name in lists))
        with self._explained(), self._engine.connect() as connection:
            return connection.execute(bound, values).all()

    def _select(self, table: str, columns: str, where: str = "", **values: Any) -> Sequence[Row[Any]]:
        """Rows of a table; a table or column that this version of MLflow has not gives nothing or NULL."""
        if table not in self._columns:
            return []
        has = self._columns[table]
        named = [column if column in has else f"NULL AS {column}" for column in columns.split()]
        quoted = ", ".join('"key"' if column == "key" else column for column in named)
        return self._rows(f"SELECT {quoted} FROM {table} {where}", **values)

    def _note_left_out(self) -> None:
        if "trace_info" in self._columns:
            count = self._rows("SELECT count(*) FROM trace_info")[0][0]
            if count:
                self.notes.append(left_behind(count, "trace"))

    # Experiments

    def experiments(self) -> list[ImportedExperiment]:
        tags = defaultdict(list)
        for row in self._select("experiment_tags", "experiment_id key value"):
            tags[row.experiment_id].append(ExperimentTag(row.key, row.value or ""))
        first_runs = self._rows("SELECT experiment_id, min(start_time) AS start_time FROM runs GROUP BY experiment_id")
        begun = {row.experiment_id: row.start_time for row in first_runs}
        rows = self._select("experiments", "experiment_id name artifact_location lifecycle_stage creation_time "
                            "last_update_time workspace", "ORDER BY experiment_id")
        names: set[str] = set()
        made = []
        for row in rows:
            name = row.name
            if name in names:
                name = f"{row.name} ({row.workspace})"
                self.notes.append(f"two workspaces have an experiment {row.name!r}: the second one is called {name!r}")
            names.add(name)
            experiment = Experiment(
                experiment_id=str(row.experiment_id), name=name, artifact_location=self._place(row.artifact_location),
                lifecycle_stage=row.lifecycle_stage or "active", tag_list=tags[row.experiment_id],
                creation_time=row.creation_time or begun.get(row.experiment_id), last_update_time=row.last_update_time,
            )
            deleted = row.last_update_time if experiment.lifecycle_stage == "deleted" else None
            made.append(ImportedExperiment(experiment, deleted))
        return made

    def _place(self, uri: str | None) -> str:
        """An address of artifacts, absolute, with what a server proxied put back to where it lies."""
        if not uri:
            return ""
        if self._destination and uri.startswith("mlflow-artifacts:"):
            path = uri.removeprefix("mlflow-artifacts:").lstrip("/")
            return f"{self._destination.rstrip('/')}/{path}"
        if "://" in uri or uri.startswith(("/", "file:", "mlflow-artifacts:", "dbfs:")):
            return uri
        return str((self._folder / uri).absolute())

    # Runs

    def count_runs(self) -> int:
        return int(self._rows("SELECT count(*) FROM runs")[0][0])

    def batches(self, experiment: ImportedExperiment) -> Iterator[list[ImportedRun]]:
        number = int(experiment.experiment.experiment_id)
        last = ""
        while True:
            rows = self._select(
                "runs", "run_uuid name user_id status start_time end_time lifecycle_stage artifact_uri deleted_time",
                f"WHERE experiment_id = :experiment AND run_uuid > :last ORDER BY run_uuid LIMIT {BATCH}",
                experiment=number, last=last,
            )
            if not rows:
                return
            last = rows[-1].run_uuid
            yield self._runs(rows, experiment)

    def _runs(self, rows: Sequence[Row[Any]], experiment: ImportedExperiment) -> list[ImportedRun]:
        ids = [row.run_uuid for row in rows]
        params, tags = defaultdict(list), defaultdict(list)
        for row in self._select("params", "run_uuid key value", "WHERE run_uuid IN :ids", ids=ids):
            params[row.run_uuid].append(Param(row.key, row.value))
        for row in self._select("tags", "run_uuid key value", "WHERE run_uuid IN :ids", ids=ids):
            tags[row.run_uuid].append(RunTag(row.key, row.value or ""))
        used = self._dataset_inputs(ids)
        read, made = defaultdict(list), defaultdict(list)
        for row in self._select("inputs", "source_type source_id destination_id step",
                                "WHERE source_type IN ('RUN_INPUT', 'RUN_OUTPUT') AND source_id IN :ids", ids=ids):
            if row.source_type == "RUN_INPUT":
                read[row.source_id].append(LoggedModelInput(row.destination_id))
            else:
                made[row.source_id].append(LoggedModelOutput(row.destination_id, row.step or 0))
        runs = []
        for row in rows:
            run_id = row.run_uuid
            named = next((tag.value for tag in tags[run_id] if tag.key == RUN_NAME_TAG), None)
            info = RunInfo(
                run_id=run_id, experiment_id=experiment.experiment.experiment_id, user_id=row.user_id or "",
                status=row.status or "RUNNING", start_time=row.start_time, end_time=row.end_time,
                lifecycle_stage=row.lifecycle_stage or "active", artifact_uri=self._place(row.artifact_uri),
                run_name=row.name or named,
            )
            run = Run(info, RunData([], params[run_id], tags[run_id]), RunInputs(used[run_id], read[run_id]),
                      RunOutputs(made[run_id]))
            runs.append(settle(ImportedRun(run, row.deleted_time), experiment))
        return runs

    def _dataset_inputs(self, run_ids: list[str]) -> dict[str, list[DatasetInput]]:
        found: dict[str, list[DatasetInput]] = defaultdict(list)
        if not {"inputs", "input_tags", "datasets"} <= self._columns.keys():
            return found
        rows = self._rows(
            "SELECT i.input_uuid, i.destination_id, d.name, d.digest, d.dataset_source_type AS source_type,"
            " d.dataset_source AS source, d.dataset_schema AS shape, d.dataset_profile AS profile"
            " FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id"
            " WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id IN :ids"
            " ORDER BY d.name, d.digest", ids=run_ids,
        )
        tags = defaultdict(list)
        for row in self._select("input_tags", "input_uuid name value", "WHERE input_uuid IN :ids",
                                ids=[row.input_uuid for row in rows]):
            tags[row.input_uuid].append(InputTag(row.name, row.value))
        for row in rows:
            dataset = Dataset(row.name, row.digest, row.source_type, row.source, row.shape, row.profile)
            found[row.destination_id].append(DatasetInput(dataset, tags[row.input_uuid]))
        return found

    # Metrics

    def series(self, runs: Sequence[ImportedRun]) -> Iterator[Series]:
        statement = text(
            'SELECT run_uuid, "key", step, timestamp, value, is_nan FROM metrics WHERE run_uuid IN :ids'
            ' ORDER BY run_uuid, "key", step, timestamp, is_nan DESC, value'
        ).bindparams(bindparam("ids", expanding=True))
        with self._explained(), self._engine.connect() as connection:
            yield from _series(connection, statement, [run.run.info.run_id for run in runs])

    # Logged models

    def logged_models(self, experiment: ImportedExperiment) -> list[ImportedLoggedModel]:
        rows = self._select(
            "logged_models", "model_id name artifact_location creation_timestamp_ms last_updated_timestamp_ms status "
            "lifecycle_stage model_type source_run_id status_message",
            "WHERE experiment_id = :experiment ORDER BY model_id", experiment=int(experiment.experiment.experiment_id),
        )
        made = []
        for start in range(0, len(rows), BATCH):
            made += self._models(rows[start:start + BATCH], experiment.experiment.experiment_id)
        return made

    def _models(self, rows: Sequence[Row[Any]], experiment_id: str) -> list[ImportedLoggedModel]:
        ids = [row.model_id for row in rows]
        params, tags = defaultdict(list), defaultdict(list)
        named = "WHERE model_id IN :ids"
        for row in self._select("logged_model_params", "model_id param_key param_value", named, ids=ids):
            params[row.model_id].append(LoggedModelParameter(row.param_key, row.param_value))
        for row in self._select("logged_model_tags", "model_id tag_key tag_value", named, ids=ids):
            tags[row.model_id].append(LoggedModelTag(row.tag_key, row.tag_value))
        metrics = self._model_metrics(ids)
        made = []
        for row in rows:
            info = LoggedModelInfo(
                model_id=row.model_id, experiment_id=experiment_id, name=row.name,
                creation_timestamp_ms=row.creation_timestamp_ms,
                last_updated_timestamp_ms=row.last_updated_timestamp_ms,
                artifact_uri=self._place(row.artifact_location),
                status=LoggedModelStatus.from_wire(str(row.status)).wire, model_type=row.model_type,
                source_run_id=row.source_run_id, status_message=row.status_message, tags=tags[row.model_id],
            )
            model = LoggedModel(info, LoggedModelData(params[row.model_id], metrics[row.model_id]))
            deleted = row.last_updated_timestamp_ms if row.lifecycle_stage == "deleted" else None
            made.append(ImportedLoggedModel(model, deleted))
        return made

    def _model_metrics(self, model_ids: list[str]) -> dict[str, list[Metric]]:
        """The last point of each metric, dataset and run of some models."""
        if not model_ids or "logged_model_metrics" not in self._columns:
            return defaultdict(list)
        # MLflow writes a NaN of a model as 0; the point of the run beside it says what it was.
        rows = self._rows(
            "SELECT m.model_id, m.metric_name, m.metric_value, m.metric_timestamp_ms, m.metric_step, m.dataset_name,"
            " m.dataset_digest, m.run_id, EXISTS (SELECT 1 FROM metrics p WHERE p.run_uuid = m.run_id"
            ' AND p."key" = m.metric_name AND p.step = m.metric_step AND p.timestamp = m.metric_timestamp_ms'
            " AND p.is_nan = :yes AND m.metric_value = 0) AS was_nan FROM logged_model_metrics m"
            " WHERE m.model_id IN :ids ORDER BY m.metric_step, m.metric_timestamp_ms",
            ids=model_ids, yes=True,
        )
        last: dict[tuple[Any, ...], Metric] = {}
        for row in rows:
            value = math.nan if row.was_nan or row.metric_value is None else _number(row.metric_value)
            identity = (row.model_id, row.metric_name, row.dataset_name, row.dataset_digest, row.run_id)
            last[identity] = Metric(
                row.metric_name, value, row.metric_timestamp_ms, row.metric_step, row.model_id, row.dataset_name,
                row.dataset_digest, row.run_id,
            )
        found: dict[str, list[Metric]] = defaultdict(list)
        for (model_id, *_), metric in last.items():
            found[model_id].append(metric)
        return found

    # Registered models

    def registered_models(self) -> Iterator[ImportedRegisteredModel]:
        return read_registry(self._select, self._columns, self._place, self.notes)

    def root_of_run(self, run_id: str) -> str | None:
        rows = self._select("runs", "artifact_uri", "WHERE run_uuid = :id", id=run_id)
        return self._place(rows[0].artifact_uri) if rows else None

    def root_of_model(self, model_id: str) -> str | None:
        rows = self._select("logged_models", "artifact_location", "WHERE model_id = :id", id=model_id)
        return self._place(rows[0].artifact_location) if rows else None


def _number(value: float) -> float:
    """A value as it was logged; see GREATEST."""
    return value if -GREATEST < value < GREATEST else math.copysign(math.inf, value)


def _series(connection: Connection, statement: Any, run_ids: list[str]) -> Iterator[Series]:
    current: Series | None = None
    for part in rows_in_parts(connection, statement, ids=run_ids):
        for (run_id, key), rows in groupby(part, itemgetter(0, 1)):
            if current is None or (current.run_id, current.key) != (run_id, key):
                if current is not None:
                    yield current
                current = Series(run_id, key)
            _, _, steps, timestamps, values, nans = zip(*rows, strict=True)
            current.extend(steps, timestamps, [
                math.nan if nan else value + 0.0 if -GREATEST < value < GREATEST else math.copysign(math.inf, value)
                for value, nan in zip(values, nans, strict=True)
            ])
    if current is not None:
        yield current


def _connect_read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write.

    In WAL mode even a reader makes files beside the database. Where none are, nobody has it open, and it may be read
    as a file that does not change.
    """
    log = path.with_name(path.name + "-wal")
    with path.open("rb") as file:
        in_wal_mode = file.read(20)[18:20] == b"\x02\x02"
    mode = "immutable=1" if in_wal_mode and not log.exists() else "mode=ro"
    connection = sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True, timeout=60, check_same_thread=False)
    connection.execute("PRAGMA query_only=ON")
    return connection
