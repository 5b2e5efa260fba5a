"""Operations on versions of registered models, in SQL."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row, delete, select, update

from millstream.entities.model_registry import (
    ACTIVE_STAGES,
    STAGE_ARCHIVED,
    STAGE_NONE,
    ModelVersion,
    ModelVersionTag,
    get_canonical_stage,
)
from millstream.errors import InvalidValue
from millstream.operations import (
    CreateModelVersion,
    DeleteModelVersion,
    DeleteModelVersionTag,
    DownloadUri,
    GetModelVersion,
    GetModelVersionDownloadUri,
    ModelVersionAnswer,
    SetModelVersionTag,
    TransitionModelVersionStage,
    UpdateModelVersion,
)
from millstream.operations.limits import check_text
from millstream.stores.sql.driver import fetch, many, marks
from millstream.stores.sql.registry.changes import Change, moment_of_change, record
from millstream.stores.sql.registry.checks import check_description, check_tag, check_tags
from millstream.stores.sql.registry.gates import Goal, require
from millstream.stores.sql.registry.reading import change_version, find_model, find_version, load_versions
from millstream.stores.sql.registry.settling import settle
from millstream.stores.sql.registry.sources import SOURCE_LENGTH, origin
from millstream.stores.sql.registry.tables import model_version_tags, model_versions, registered_model_aliases
from millstream.stores.sql.schema import logged_model_tags, logged_models
from millstream.stores.sql.transaction import Transaction, executes

_LINKS = "mlflow.modelVersions"
_UPSERT_TAG = (
    "INSERT INTO model_version_tags (model_version, key, value) VALUES (?, ?, ?)"
    " ON CONFLICT (model_version, key) DO UPDATE SET value = excluded.value"
)
_UPSERT_LINKS = (
    "INSERT INTO logged_model_tags (model, key, value) VALUES (?, ?, ?)"
    " ON CONFLICT (model, key) DO UPDATE SET value = excluded.value"
)


@executes(CreateModelVersion)
def create(transaction: Transaction, operation: CreateModelVersion) -> ModelVersionAnswer:
    description = check_description(operation.description or "")
    tags = check_tags(operation.tags)
    run_link = check_text(operation.run_link or "", SOURCE_LENGTH, "run_link")
    model = find_model(transaction, operation.name, change=True)
    made_of = origin(transaction, operation)
    now, number = moment_of_change(model), model.last_version + 1
    values = {
        "model": model.id,
        "name": model.name,
        "version": number,
        "creation_timestamp": now,
        "last_updated_timestamp": now,
        "description": description,
        "user_id": transaction.principal.name,
        "stage": STAGE_NONE,
        "source": made_of.source,
        "location": made_of.location,
        "run_id": made_of.run_id,
        "run_link": run_link or None,
        "model_id": made_of.model_id,
    }
    statement = f"INSERT INTO model_versions ({', '.join(values)}) VALUES ({marks(len(values))}) RETURNING id"
    ((row_number,),) = fetch(transaction.connection, statement, tuple(values.values()))
    many(transaction.connection, _UPSERT_TAG, [(row_number, key, value) for key, value in tags.items()])
    change = Change("model_version.created", version=number, after=made_of.source)
    record(transaction, model, change, now, last_version=number, last_updated_timestamp=now)
    if made_of.model_id is not None and not made_of.is_copy:
        _link(transaction, made_of.model_id, model.name, number)
    return ModelVersionAnswer(
        ModelVersion(
            name=model.name,
            version=str(number),
            creation_timestamp=now,
            last_updated_timestamp=now,
            description=description,
            user_id=transaction.principal.name or None,
            current_stage=STAGE_NONE,
            source=made_of.source,
            run_id=made_of.run_id or "",
            tag_list=[ModelVersionTag(key, value) for key, value in tags.items()],
            run_link=run_link,
            model_id=made_of.model_id,
        )
    )


def _link(transaction: Transaction, model_id: str, name: str, number: int) -> None:
    """Tell a logged model of a version that was made of it, in the tag where MLflow keeps that."""
    connection = transaction.connection
    owner = connection.execute(select(logged_models.c.id).where(logged_models.c.model_id == model_id)).scalar()
    if owner is None:
        return
    table = logged_model_tags
    known = connection.execute(
        select(table.c.value).where(table.c.model == owner, table.c.key == _LINKS).with_for_update()
    ).scalar()
    try:
        links = json.loads(known or "[]")
    except ValueError:
        links = []
    links = links if isinstance(links, list) else []
    links.append({"name": name, "version": number})
    many(connection, _UPSERT_LINKS, [(owner, _LINKS, json.dumps(links, ensure_ascii=False))])


@executes(GetModelVersion)
def get(transaction: Transaction, operation: GetModelVersion) -> ModelVersionAnswer:
    return _answer(transaction, find_version(transaction, operation.name, operation.version))


def _answer(transaction: Transaction, row: Row[Any]) -> ModelVersionAnswer:
    return ModelVersionAnswer(load_versions(transaction, [row])[0])


@executes(GetModelVersionDownloadUri)
def download_uri(transaction: Transaction, operation: GetModelVersionDownloadUri) -> DownloadUri:
    return DownloadUri(find_version(transaction, operation.name, operation.version).location)


@executes(UpdateModelVersion)
def describe(transaction: Transaction, operation: UpdateModelVersion) -> ModelVersionAnswer:
    description = check_description(operation.description)
    model, row = change_version(transaction, operation.name, operation.version)
    now = moment_of_change(model)
    _set(transaction, row.id, description=description, last_updated_timestamp=now)
    change = Change("model_version.updated", version=row.version, before=row.description, after=description)
    record(transaction, model, change, now)
    return _answer(transaction, find_version(transaction, operation.name, operation.version))


def _set(transaction: Transaction, row: int, **values: object) -> None:
    transaction.connection.execute(update(model_versions).where(model_versions.c.id == row).values(**values))


@executes(TransitionModelVersionStage)
def transition(transaction: Transaction, operation: TransitionModelVersionStage) -> ModelVersionAnswer:
    stage = get_canonical_stage(operation.stage)
    check_archiving(stage, operation.archive_existing_versions)
    model, row = change_version(transaction, operation.name, operation.version)
    if row.stage != stage:
        require(transaction, model, row, Goal(stage))
    move(transaction, model, row, stage, operation.archive_existing_versions)
    return _answer(transaction, find_version(transaction, operation.name, operation.version))


def check_archiving(stage: str, archive: bool) -> None:
    """Return unless others are to be archived by a move to a stage where that means nothing. Raises InvalidValue."""
    if archive and stage not in ACTIVE_STAGES:
        raise InvalidValue(
            f"a move to the stage {stage} cannot archive the versions that are there",
            hint=f"archive_existing_versions goes with {' and '.join(ACTIVE_STAGES)}",
        )


def move(
    transaction: Transaction, model: Row[Any], row: Row[Any], stage: str, archive: bool, comment: str | None = None
) -> None:
    """Move a version that may go there, and archive those that are there if asked to; nothing where that is so."""
    archived: list[int] = []
    if archive:
        archived = sorted(
            transaction.connection.execute(
                select(model_versions.c.version).where(
                    model_versions.c.model == model.id,
                    model_versions.c.stage == stage,
                    model_versions.c.version != row.version,
                )
            ).scalars()
        )
    if row.stage == stage and not archived:
        return
    now = moment_of_change(model)
    move_stage(transaction, model, archived, STAGE_ARCHIVED, now)
    move_stage(transaction, model, [row.version], stage, now)
    change = Change(
        "model_version.transitioned", row.version, before=row.stage, after=stage, others=tuple(archived),
        comment=comment,
    )
    record(transaction, model, change, now, last_updated_timestamp=now)
    settle(transaction, model.name)


def move_stage(transaction: Transaction, model: Row[Any], versions: list[int], stage: str, now: int) -> None:
    """Put versions into a stage."""
    if versions:
        transaction.connection.execute(
            update(model_versions)
            .where(model_versions.c.model == model.id, model_versions.c.version.in_(versions))
            .values(stage=stage, last_updated_timestamp=now)
        )


@executes(DeleteModelVersion)
def remove(transaction: Transaction, operation: DeleteModelVersion) -> None:
    model, row = change_version(transaction, operation.name, operation.version)
    now = moment_of_change(model)
    table = registered_model_aliases
    gone = (table.c.model == model.id) & (table.c.version == row.version)
    aliases = sorted(transaction.connection.execute(select(table.c.alias).where(gone)).scalars())
    transaction.connection.execute(delete(table).where(gone))
    transaction.connection.execute(delete(model_versions).where(model_versions.c.id == row.id))
    change = Change("model_version.deleted", row.version, key=",".join(aliases) or None, before=row.stage)
    record(transaction, model, change, now, last_updated_timestamp=now)


@executes(SetModelVersionTag)
def set_tag(transaction: Transaction, operation: SetModelVersionTag) -> None:
    key, value = check_tag(operation.key, operation.value)
    model, row = change_version(transaction, operation.name, operation.version)
    before = _tag(transaction, row, key)
    many(transaction.connection, _UPSERT_TAG, [(row.id, key, value)])
    change = Change("model_version_tag.set", row.version, key, before, value)
    record(transaction, model, change, moment_of_change(model))


@executes(DeleteModelVersionTag)
def delete_tag(transaction: Transaction, operation: DeleteModelVersionTag) -> None:
    model, row = change_version(transaction, operation.name, operation.version)
    before = _tag(transaction, row, operation.key)
    if before is None:
        return
    table = model_version_tags
    transaction.connection.execute(
        delete(table).where(table.c.model_version == row.id, table.c.key == operation.key)
    )
    change = Change("model_version_tag.deleted", row.version, operation.key, before)
    record(transaction, model, change, moment_of_change(model))


def _tag(transaction: Transaction, row: Row[Any], key: str) -> str | None:
    table = model_version_tags
    found: str | None = transaction.connection.execute(
        select(table.c.value).where(table.c.model_version == row.id, table.c.key == key)
    ).scalar()
    return found
