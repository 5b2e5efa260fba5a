"""Operations on logged models, in SQL."""

from __future__ import annotations

import math
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from millstream.entities import (
    LoggedModel,
    LoggedModelData,
    LoggedModelInfo,
    LoggedModelParameter,
    LoggedModelStatus,
    LoggedModelTag,
    Metric,
)
from millstream.entities.metric import Param, Tag
from millstream.errors import InvalidValue, LoggedModelNotFound, NotFound, ParameterChanged
from millstream.names import random_name
from millstream.operations import (
    CreateLoggedModel,
    DeleteLoggedModel,
    DeleteLoggedModelTag,
    FinalizeLoggedModel,
    GetLoggedModel,
    LoggedModelAnswer,
    LogLoggedModelParams,
    RestoreLoggedModel,
    SetLoggedModelTags,
)
from millstream.operations.limits import PARAM_LENGTH, TAG_LENGTH, check_key, check_text
from millstream.stores.sql.driver import many
from millstream.stores.sql.schema import (
    logged_model_metrics,
    logged_model_params,
    logged_model_tags,
    logged_models,
)
from millstream.stores.sql.transaction import Transaction, executes, find_experiment, now_ms, under

_NAME_LENGTH = 250
_UNFIT = "/:.%\"'"
_UPSERT = (
    "INSERT INTO {table} (model, key, value) VALUES (?, ?, ?)"
    " ON CONFLICT (model, key) DO UPDATE SET value = excluded.value"
)


def load_models(transaction: Transaction, rows: Sequence[Row[Any]]) -> list[LoggedModel]:
    """The logged models of these rows of ``logged_models``, in their order."""
    of_params: dict[int, list[LoggedModelParameter]] = defaultdict(list)
    of_tags: dict[int, list[LoggedModelTag]] = defaultdict(list)
    of_metrics: dict[int, list[Metric]] = defaultdict(list)
    connection, numbers = transaction.connection, [row.id for row in rows]
    for start in range(0, len(numbers), 500):
        chunk = numbers[start : start + 500]
        for param in connection.execute(select(logged_model_params).where(logged_model_params.c.model.in_(chunk))):
            of_params[param.model].append(LoggedModelParameter(param.key, param.value))
        for tag in connection.execute(select(logged_model_tags).where(logged_model_tags.c.model.in_(chunk))):
            of_tags[tag.model].append(LoggedModelTag(tag.key, tag.value))
        names = {row.id: row.model_id for row in rows}
        for row in connection.execute(select(logged_model_metrics).where(logged_model_metrics.c.model.in_(chunk))):
            of_metrics[row.model].append(
                Metric(
                    row.key,
                    math.nan if row.value is None else row.value,
                    row.timestamp,
                    row.step,
                    names[row.model],
                    row.dataset_name or None,
                    row.dataset_digest or None,
                    row.run_id,
                )
            )
    return [
        LoggedModel(
            LoggedModelInfo(
                model_id=row.model_id,
                experiment_id=str(row.experiment_id),
                name=row.name,
                creation_timestamp_ms=row.creation_timestamp_ms,
                last_updated_timestamp_ms=row.last_updated_timestamp_ms,
                artifact_uri=row.artifact_uri,
                status=LoggedModelStatus(row.status).wire,
                model_type=row.model_type,
                source_run_id=row.source_run_id,
                status_message=row.status_message,
                tags=of_tags.get(row.id, []),
            ),
            LoggedModelData(of_params.get(row.id, []), of_metrics.get(row.id, [])),
        )
        for row in rows
    ]


def no_model(model_id: str) -> LoggedModelNotFound:
    """The error for a model id that names nothing that is there."""
    return LoggedModelNotFound(f"Logged model with ID '{model_id}' not found.")


def find_model(transaction: Transaction, model_id: str, *, deleted: bool = False) -> Row[Any]:
    """The row of a logged model that is not in the trash, or that is with ``deleted``."""
    row = transaction.connection.execute(
        select(logged_models).where(logged_models.c.model_id == model_id)
    ).one_or_none()
    if row is None or (row.deleted_time is not None) != deleted:
        raise no_model(model_id)
    return row


def _answer(transaction: Transaction, model_id: str) -> LoggedModelAnswer:
    return LoggedModelAnswer(load_models(transaction, [find_model(transaction, model_id)])[0])


def _check_name(name: str) -> str:
    unfit = sorted(set(name) & set(_UNFIT))
    if not name or unfit:
        raise InvalidValue.of("name", name, "the name of a logged model may not be empty nor hold " + " ".join(_UNFIT))
    return check_text(name, _NAME_LENGTH, "name")


def _texts(items: Iterable[Param | Tag], limit: int, where: str) -> list[tuple[str, str]]:
    return [
        (
            check_key(item.key, f"{where}[{index}].key"),
            check_text(item.value, limit, f"{where}[{index}].value", cut=True),
        )
        for index, item in enumerate(items)
    ]


def _write(transaction: Transaction, table: str, model: int, texts: list[tuple[str, str]]) -> None:
    many(transaction.connection, _UPSERT.format(table=table), [(model, key, value) for key, value in sorted(texts)])


@executes(CreateLoggedModel)
def create(transaction: Transaction, operation: CreateLoggedModel) -> LoggedModelAnswer:
    experiment = find_experiment(transaction, operation.experiment_id, active=True)
    name = random_name() if operation.name is None else _check_name(operation.name)
    texts = _texts(operation.params, PARAM_LENGTH, "params")
    tags = _texts(operation.tags, TAG_LENGTH, "tags")
    model_id, now = f"m-{uuid.uuid4().hex}", now_ms()
    number = transaction.connection.execute(
        insert(logged_models).values(
            model_id=model_id,
            experiment_id=experiment.id,
            name=name,
            model_type=operation.model_type or None,
            status="PENDING",
            source_run_id=operation.source_run_id or None,
            creation_timestamp_ms=now,
            last_updated_timestamp_ms=now,
            artifact_uri=under(experiment.artifact_location, "models", model_id, "artifacts"),
        )
    ).inserted_primary_key[0]  # type: ignore[index]
    _write(transaction, "logged_model_params", number, texts)
    _write(transaction, "logged_model_tags", number, tags)
    return _answer(transaction, model_id)


@executes(GetLoggedModel)
def get(transaction: Transaction, operation: GetLoggedModel) -> LoggedModelAnswer:
    return _answer(transaction, operation.model_id)


def _touch(transaction: Transaction, number: int, **values: object) -> None:
    transaction.connection.execute(
        update(logged_models).where(logged_models.c.id == number).values(last_updated_timestamp_ms=now_ms(), **values)
    )


@executes(FinalizeLoggedModel)
def finalize(transaction: Transaction, operation: FinalizeLoggedModel) -> LoggedModelAnswer:
    number = find_model(transaction, operation.model_id).id
    try:
        status = LoggedModelStatus.from_wire(operation.status)
    except KeyError:
        raise InvalidValue.of(
            "status",
            operation.status,
            "it is none of LOGGED_MODEL_PENDING, LOGGED_MODEL_READY, LOGGED_MODEL_UPLOAD_FAILED",
        ) from None
    _touch(transaction, number, status=str(status))
    return _answer(transaction, operation.model_id)


@executes(DeleteLoggedModel)
def remove(transaction: Transaction, operation: DeleteLoggedModel) -> None:
    number = find_model(transaction, operation.model_id).id
    _touch(transaction, number, deleted_time=now_ms())


@executes(RestoreLoggedModel)
def restore(transaction: Transaction, operation: RestoreLoggedModel) -> None:
    row = find_model(transaction, operation.model_id, deleted=True)
    find_experiment(transaction, str(row.experiment_id), active=True)
    _touch(transaction, row.id, deleted_time=None)


@executes(LogLoggedModelParams)
def log_params(transaction: Transaction, operation: LogLoggedModelParams) -> None:
    number = find_model(transaction, operation.model_id).id
    texts = _texts(operation.params, PARAM_LENGTH, "params")
    columns = logged_model_params.c
    known = transaction.connection.execute(
        select(columns.key, columns.value).where(columns.model == number, columns.key.in_([key for key, _ in texts]))
    )
    old = {row.key: row.value for row in known}
    for key, value in texts:
        if old.get(key, value) != value:
            raise ParameterChanged(
                f"the parameter '{key}' of model {operation.model_id} is '{old[key]}' and cannot become '{value}'",
                hint="log the new value under another key, or make another model",
            )
    _write(transaction, "logged_model_params", number, texts)
    _touch(transaction, number)


@executes(SetLoggedModelTags)
def set_tags(transaction: Transaction, operation: SetLoggedModelTags) -> None:
    number = find_model(transaction, operation.model_id).id
    _write(transaction, "logged_model_tags", number, _texts(operation.tags, TAG_LENGTH, "tags"))
    _touch(transaction, number)


@executes(DeleteLoggedModelTag)
def delete_tag(transaction: Transaction, operation: DeleteLoggedModelTag) -> None:
    number = find_model(transaction, operation.model_id).id
    gone = transaction.connection.execute(
        delete(logged_model_tags).where(
            logged_model_tags.c.model == number, logged_model_tags.c.key == operation.tag_key
        )
    )
    if not gone.rowcount:
        raise NotFound(f"No tag with key '{operation.tag_key}' found for model with ID '{operation.model_id}'.")
    _touch(transaction, number)
