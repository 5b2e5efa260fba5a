"""Registered models from elsewhere, in SQL. What is here already is recognised, so that all may be sent again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, insert, select, update

from millstream.entities.model_registry import STAGE_NONE, RegisteredModel, get_canonical_stage
from millstream.errors import InvalidValue, NotFound, RegisteredModelNotFound
from millstream.operations import CreateModelVersion
from millstream.operations.imports import ImportedModelVersion, ImportedRegisteredModel, ImportRegisteredModels
from millstream.stores.sql.driver import fetch, many, marks
from millstream.stores.sql.registry.changes import Change, moment_of_change, record
from millstream.stores.sql.registry.checks import check_alias, check_description, check_model_name, check_tags
from millstream.stores.sql.registry.models import move_alias
from millstream.stores.sql.registry.reading import find_model, version_number
from millstream.stores.sql.registry.settling import settle
from millstream.stores.sql.registry.sources import origin
from millstream.stores.sql.registry.tables import (
    model_versions,
    registered_model_aliases,
    registered_models,
)
from millstream.stores.sql.transaction import Transaction, executes, now_ms

_SAID = "imported"
_TAG = "INSERT INTO {table} ({owner}, key, value) VALUES (?, ?, ?) ON CONFLICT ({owner}, key) DO {what}"
_REPLACE = "UPDATE SET value = excluded.value"


@executes(ImportRegisteredModels)
def import_models(transaction: Transaction, operation: ImportRegisteredModels) -> None:
    for item in operation.models:
        _import(transaction, item, operation.overwrite)


def _import(transaction: Transaction, item: ImportedRegisteredModel, overwrite: bool) -> None:
    sent = item.model
    name, created = check_model_name(sent.name), False
    try:
        model = find_model(transaction, name, change=True)
    except RegisteredModelNotFound:
        model, created = _create(transaction, sent), True
    tags = check_tags(sent.tag_list)
    statement = _TAG.format(table="registered_model_tags", owner="model", what=_REPLACE if overwrite else "NOTHING")
    many(transaction.connection, statement, [(model.id, key, value) for key, value in sorted(tags.items())])
    for one in sorted(item.versions, key=lambda one: version_number(one.version.version)):
        _import_version(transaction, name, one, overwrite)
    for alias in sent.alias_list:
        _import_alias(transaction, name, check_alias(alias.alias), version_number(alias.version), overwrite)
    table = registered_models
    transaction.connection.execute(
        update(table)
        .where(table.c.id == model.id, table.c.last_version < item.last_version)
        .values(last_version=item.last_version)
    )
    if created or overwrite:
        _set_model(transaction, model.id, sent)


def _create(transaction: Transaction, sent: RegisteredModel) -> Row[Any]:
    now = now_ms()
    description = check_description(sent.description)
    transaction.connection.execute(
        insert(registered_models).values(
            name=sent.name,
            creation_timestamp=sent.creation_timestamp or now,
            last_updated_timestamp=sent.last_updated_timestamp or now,
            description=description,
            creator=transaction.principal.name,
        )
    )
    model = find_model(transaction, sent.name, change=True)
    record(transaction, model, Change("registered_model.created", after=description, comment=_SAID, told=None), now)
    return model


def _set_model(transaction: Transaction, model: int, sent: RegisteredModel) -> None:
    """What a model says of itself is the source's word, its times included."""
    values: dict[str, Any] = {"description": check_description(sent.description)}
    if sent.last_updated_timestamp is not None:
        values["last_updated_timestamp"] = sent.last_updated_timestamp
    table = registered_models
    transaction.connection.execute(update(table).where(table.c.id == model).values(**values))


def _import_version(transaction: Transaction, name: str, one: ImportedModelVersion, overwrite: bool) -> None:
    model, sent = find_model(transaction, name), one.version
    number, stage = version_number(sent.version), get_canonical_stage(sent.current_stage or STAGE_NONE)
    if number < 1:
        raise InvalidValue.of("version", sent.version, "numbers of versions begin with 1")
    tags, description = check_tags(sent.tag_list), check_description(sent.description or "")
    table = model_versions
    query = select(table).where(table.c.model == model.id, table.c.version == number)
    row = transaction.connection.execute(query).one_or_none()
    if row is None:
        row_number, before = _insert_version(transaction, model, one, number), STAGE_NONE
        record(
            transaction, model, Change("model_version.created", number, after=sent.source, comment=_SAID, told=None),
            moment_of_change(model), last_version=max(number, model.last_version),
        )
    elif overwrite:
        row_number, before = row.id, row.stage
    else:
        return
    statement = _TAG.format(table="model_version_tags", owner="model_version", what=_REPLACE)
    many(transaction.connection, statement, [(row_number, key, value) for key, value in sorted(tags.items())])
    if stage != before:
        model = find_model(transaction, name)
        change = Change("model_version.transitioned", number, before=before, after=stage, comment=_SAID, told=None)
        record(transaction, model, change, moment_of_change(model))
    values: dict[str, Any] = {"stage": stage, "description": description}
    if sent.last_updated_timestamp is not None:
        values["last_updated_timestamp"] = sent.last_updated_timestamp
    transaction.connection.execute(update(table).where(table.c.id == row_number).values(**values))
    settle(transaction, name)


def _insert_version(transaction: Transaction, model: Row[Any], one: ImportedModelVersion, number: int) -> int:
    sent = one.version
    source = sent.source or one.location or ""
    location, run_id, model_id = one.location or source, sent.run_id or None, sent.model_id
    try:
        made_of = origin(transaction, CreateModelVersion(model.name, source, run_id, model_id=model_id))
        location, run_id, model_id = one.location or made_of.location, made_of.run_id, made_of.model_id
    except NotFound:  # a copy of a version that is not here
        pass
    created = sent.creation_timestamp
    values = {
        "model": model.id, "name": model.name, "version": number, "creation_timestamp": created,
        "last_updated_timestamp": sent.last_updated_timestamp or created, "description": sent.description or "",
        "user_id": sent.user_id, "stage": STAGE_NONE, "source": source, "location": location, "run_id": run_id,
        "run_link": sent.run_link or None, "model_id": model_id,
    }
    statement = f"INSERT INTO model_versions ({', '.join(values)}) VALUES ({marks(len(values))}) RETURNING id"
    ((row_number,),) = fetch(transaction.connection, statement, tuple(values.values()))
    return int(row_number)


def _import_alias(transaction: Transaction, name: str, alias: str, version: int, overwrite: bool) -> None:
    model, table = find_model(transaction, name), registered_model_aliases
    query = select(table.c.version).where(table.c.model == model.id, table.c.alias == alias)
    taken = transaction.connection.execute(query).scalar()
    there = select(model_versions.c.id).where(
        model_versions.c.model == model.id, model_versions.c.version == version
    )
    if (taken is None or overwrite) and transaction.connection.execute(there).scalar() is not None:
        move_alias(transaction, model, alias, version, imported=True)
