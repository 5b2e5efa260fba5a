"""Operations on registered models, in SQL."""

from __future__ import annotations

import contextlib
from typing import Any

from sqlalchemy import Executable, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from millstream.entities.model_registry import ALL_STAGES, get_canonical_stage
from millstream.errors import AlreadyExists
from millstream.operations import (
    CreateRegisteredModel,
    DeleteRegisteredModel,
    DeleteRegisteredModelAlias,
    DeleteRegisteredModelTag,
    GetLatestVersions,
    GetModelVersionByAlias,
    GetRegisteredModel,
    ModelVersionAnswer,
    ModelVersionPage,
    RegisteredModelAnswer,
    RenameRegisteredModel,
    SetRegisteredModelAlias,
    SetRegisteredModelTag,
    UpdateRegisteredModel,
)
from millstream.stores.sql.driver import many
from millstream.stores.sql.registry.changes import Change, moment_of_change, record
from millstream.stores.sql.registry.checks import (
    check_alias,
    check_description,
    check_model_name,
    check_tag,
    check_tags,
)
from millstream.stores.sql.registry.gates import Goal, require
from millstream.stores.sql.registry.reading import (
    change_version,
    find_model,
    latest_versions,
    load_models,
    load_versions,
)
from millstream.stores.sql.registry.sources import aliased_version
from millstream.stores.sql.registry.tables import (
    model_versions,
    registered_model_aliases,
    registered_model_tags,
    registered_models,
)
from millstream.stores.sql.transaction import Transaction, executes, now_ms

_UPSERT_TAG = (
    "INSERT INTO registered_model_tags (model, key, value) VALUES (?, ?, ?)"
    " ON CONFLICT (model, key) DO UPDATE SET value = excluded.value"
)
_UPSERT_ALIAS = (
    "INSERT INTO registered_model_aliases (model, alias, version) VALUES (?, ?, ?)"
    " ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version"
)


def _answer(transaction: Transaction, name: str) -> RegisteredModelAnswer:
    return RegisteredModelAnswer(load_models(transaction, [find_model(transaction, name)])[0])


def _take(transaction: Transaction, name: str, statement: Executable) -> None:
    """Give a model a name. Raises AlreadyExists, also when another process takes it at this moment."""
    query = select(registered_models.c.id).where(registered_models.c.name == name)
    if transaction.connection.execute(query).scalar() is None:
        with contextlib.suppress(IntegrityError), transaction.connection.begin_nested():
            transaction.connection.execute(statement)
            return
    raise AlreadyExists(
        f"Registered Model (name={name}) already exists.",
        hint="take another name, or create a version of the model that is there",
    )


@executes(CreateRegisteredModel)
def create(transaction: Transaction, operation: CreateRegisteredModel) -> RegisteredModelAnswer:
    name = check_model_name(operation.name)
    description, tags = check_description(operation.description), check_tags(operation.tags)
    now = now_ms()
    values = {
        "name": name,
        "creation_timestamp": now,
        "last_updated_timestamp": now,
        "description": description,
        "creator": transaction.principal.name,
    }
    _take(transaction, name, insert(registered_models).values(values))
    model = find_model(transaction, name)
    many(transaction.connection, _UPSERT_TAG, [(model.id, key, value) for key, value in tags.items()])
    record(transaction, model, Change("registered_model.created", after=description), now)
    return _answer(transaction, name)


@executes(GetRegisteredModel)
def get(transaction: Transaction, operation: GetRegisteredModel) -> RegisteredModelAnswer:
    return _answer(transaction, operation.name)


@executes(RenameRegisteredModel)
def rename(transaction: Transaction, operation: RenameRegisteredModel) -> RegisteredModelAnswer:
    name = check_model_name(operation.new_name, "new_name")
    model = find_model(transaction, operation.name, change=True)
    if name != model.name:
        table = registered_models
        _take(transaction, name, update(table).where(table.c.id == model.id).values(name=name))
    now = moment_of_change(model)
    change = Change("registered_model.renamed", before=model.name, after=name)
    record(transaction, model, change, now, last_updated_timestamp=now)
    transaction.connection.execute(
        update(model_versions)
        .where(model_versions.c.model == model.id)
        .values(name=name, last_updated_timestamp=now)
    )
    return _answer(transaction, name)


@executes(UpdateRegisteredModel)
def describe(transaction: Transaction, operation: UpdateRegisteredModel) -> RegisteredModelAnswer:
    description = check_description(operation.description)
    model = find_model(transaction, operation.name, change=True)
    now = moment_of_change(model)
    change = Change("registered_model.updated", before=model.description, after=description)
    record(transaction, model, change, now, description=description, last_updated_timestamp=now)
    return _answer(transaction, model.name)


@executes(DeleteRegisteredModel)
def remove(transaction: Transaction, operation: DeleteRegisteredModel) -> None:
    model = find_model(transaction, operation.name, change=True)
    record(transaction, model, Change("registered_model.deleted"), moment_of_change(model))
    transaction.connection.execute(delete(registered_models).where(registered_models.c.id == model.id))


@executes(GetLatestVersions)
def latest(transaction: Transaction, operation: GetLatestVersions) -> ModelVersionPage:
    stages = list(dict.fromkeys(map(get_canonical_stage, operation.stages))) or ALL_STAGES
    model = find_model(transaction, operation.name)
    return ModelVersionPage(latest_versions(transaction, [model.id], stages).get(model.id, []))


@executes(SetRegisteredModelTag)
def set_tag(transaction: Transaction, operation: SetRegisteredModelTag) -> None:
    key, value = check_tag(operation.key, operation.value)
    model = find_model(transaction, operation.name, change=True)
    before = _tag(transaction, model, key)
    many(transaction.connection, _UPSERT_TAG, [(model.id, key, value)])
    change = Change("registered_model_tag.set", key=key, before=before, after=value)
    record(transaction, model, change, moment_of_change(model))


@executes(DeleteRegisteredModelTag)
def delete_tag(transaction: Transaction, operation: DeleteRegisteredModelTag) -> None:
    model = find_model(transaction, operation.name, change=True)
    before = _tag(transaction, model, operation.key)
    if before is None:
        return
    table = registered_model_tags
    transaction.connection.execute(
        delete(table).where(table.c.model == model.id, table.c.key == operation.key)
    )
    change = Change("registered_model_tag.deleted", key=operation.key, before=before)
    record(transaction, model, change, moment_of_change(model))


def _tag(transaction: Transaction, model: Row[Any], key: str) -> str | None:
    table = registered_model_tags
    found: str | None = transaction.connection.execute(
        select(table.c.value).where(table.c.model == model.id, table.c.key == key)
    ).scalar()
    return found


@executes(SetRegisteredModelAlias)
def set_alias(transaction: Transaction, operation: SetRegisteredModelAlias) -> None:
    alias = check_alias(operation.alias)
    model, row = change_version(transaction, operation.name, operation.version)
    if not stands_for(transaction, model, alias, row.version):
        require(transaction, model, row, Goal(alias=alias))
    move_alias(transaction, model, alias, row.version)


@executes(DeleteRegisteredModelAlias)
def delete_alias(transaction: Transaction, operation: DeleteRegisteredModelAlias) -> None:
    model = find_model(transaction, operation.name, change=True)
    move_alias(transaction, model, operation.alias, None)


def stands_for(transaction: Transaction, model: Row[Any], alias: str, version: int) -> bool:
    """Whether an alias stands for a version already."""
    table = registered_model_aliases
    query = select(table.c.version).where(table.c.model == model.id, table.c.alias == alias)
    return bool(transaction.connection.execute(query).scalar() == version)


def move_alias(
    transaction: Transaction, model: Row[Any], alias: str, version: int | None, undoes: int | None = None,
    *, imported: bool = False,
) -> None:
    """Let an alias stand for a version, or for none; nothing is done where that is so already.

    Of what was ``imported`` nobody is told: it happened elsewhere.
    """
    table = registered_model_aliases
    here = (table.c.model == model.id) & (table.c.alias == alias)
    before = transaction.connection.execute(select(table.c.version).where(here)).scalar()
    if before == version:
        return
    if version is None:
        transaction.connection.execute(delete(table).where(here))
        kind = "model_version_alias.deleted"
    else:
        many(transaction.connection, _UPSERT_ALIAS, [(model.id, alias, version)])
        kind = "model_version_alias.created"
    change = Change(
        kind,
        version=before if version is None else version,
        key=alias,
        before=None if before is None else str(before),
        after=None if version is None else str(version),
        undoes=undoes,
        told=None if imported else {},
    )
    record(transaction, model, change, moment_of_change(model))


@executes(GetModelVersionByAlias)
def by_alias(transaction: Transaction, operation: GetModelVersionByAlias) -> ModelVersionAnswer:
    row = aliased_version(transaction, operation.name, operation.alias)
    return ModelVersionAnswer(load_versions(transaction, [row])[0])
