"""Rows of the registry found by name, and made into entities."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, select, text, tuple_

from millstream.entities.model_registry import (
    ALL_STAGES,
    ModelVersion,
    ModelVersionTag,
    RegisteredModel,
    RegisteredModelAlias,
    RegisteredModelTag,
)
from millstream.errors import InvalidValue, RegisteredModelNotFound
from millstream.stores.sql.registry.tables import (
    model_version_tags,
    model_versions,
    registered_model_aliases,
    registered_model_tags,
    registered_models,
)
from millstream.stores.sql.transaction import Transaction

_CHUNK = 500
_MODEL = select(registered_models).where(registered_models.c.name == bindparam("name"))
_MODEL_TO_CHANGE = _MODEL.with_for_update()
_STAGES = " UNION ALL ".join(f"SELECT '{stage}' AS stage" for stage in ALL_STAGES)
_OF_STAGE = "(SELECT {function}(x.version) FROM model_versions x WHERE x.model = m.id AND x.stage = s.stage)"
# What a stage holds, in the order in which MLflow lists stages: by the oldest version that is there.
_LATEST = (
    f"SELECT model, newest FROM (SELECT m.id AS model, s.stage AS stage, {_OF_STAGE.format(function='max')} AS newest,"
    f" {_OF_STAGE.format(function='min')} AS oldest FROM registered_models m CROSS JOIN ({_STAGES}) s"
    " WHERE m.id IN ({models}) AND s.stage IN ({stages})) t WHERE newest IS NOT NULL ORDER BY model, oldest"
)


def no_model(name: str) -> RegisteredModelNotFound:
    """The error for a name that no registered model has."""
    return RegisteredModelNotFound(f"Registered Model with name={name} not found")


def no_version(name: str, version: object) -> RegisteredModelNotFound:
    """The error for a version that is not there."""
    return RegisteredModelNotFound(f"Model Version (name={name}, version={version}) not found")


def find_model(transaction: Transaction, name: str, *, change: bool = False) -> Row[Any]:
    """The row of a registered model; one that is about to change waits for others who change it."""
    row = transaction.connection.execute(_MODEL_TO_CHANGE if change else _MODEL, {"name": name}).one_or_none()
    if row is None:
        raise no_model(name)
    return row


def version_number(version: str) -> int:
    """The number of a version. Raises InvalidValue for a text that is none."""
    try:
        number = int(version)
    except ValueError:
        raise InvalidValue(
            f"Parameter 'version' must be an integer, got {version!r}.",
            hint="a stage or an alias is named in another field, or in an address: models:/<name>@<alias>",
        ) from None
    return number if abs(number) < 2**63 else -1


def find_version(transaction: Transaction, name: str, version: str) -> Row[Any]:
    """The row of a version."""
    number = version_number(version)
    row = transaction.connection.execute(
        select(model_versions)
        .join(registered_models, registered_models.c.id == model_versions.c.model)
        .where(registered_models.c.name == name, model_versions.c.version == number)
    ).one_or_none()
    if row is None:
        raise no_version(name, number)
    return row


def change_version(transaction: Transaction, name: str, version: str) -> tuple[Row[Any], Row[Any]]:
    """The rows of a model and of one of its versions, about to change. Raises RegisteredModelNotFound."""
    number = version_number(version)
    try:
        model = find_model(transaction, name, change=True)
    except RegisteredModelNotFound:
        raise no_version(name, number) from None
    row = transaction.connection.execute(
        select(model_versions).where(model_versions.c.model == model.id, model_versions.c.version == number)
    ).one_or_none()
    if row is None:
        raise no_version(name, number)
    return model, row


def load_versions(transaction: Transaction, rows: Sequence[Row[Any]]) -> list[ModelVersion]:
    """The versions of these rows of ``model_versions``, in their order."""
    tags: dict[int, list[ModelVersionTag]] = defaultdict(list)
    aliases: dict[tuple[int, int], list[str]] = defaultdict(list)
    connection, numbers = transaction.connection, [row.id for row in rows]
    for start in range(0, len(numbers), _CHUNK):
        owner = model_version_tags.c.model_version
        of_tags = select(model_version_tags).where(owner.in_(numbers[start : start + _CHUNK]))
        for tag in connection.execute(of_tags):
            tags[tag.model_version].append(ModelVersionTag(tag.key, tag.value))
    models = sorted({row.model for row in rows})
    for start in range(0, len(models), _CHUNK):
        table = registered_model_aliases
        for found in connection.execute(select(table).where(table.c.model.in_(models[start : start + _CHUNK]))):
            aliases[found.model, found.version].append(found.alias)
    return [
        ModelVersion(
            name=row.name,
            version=str(row.version),
            creation_timestamp=row.creation_timestamp,
            last_updated_timestamp=row.last_updated_timestamp,
            description=row.description,
            user_id=row.user_id or None,
            current_stage=row.stage,
            source=row.source,
            run_id=row.run_id or "",
            tag_list=tags.get(row.id, []),
            run_link=row.run_link or "",
            aliases=sorted(aliases.get((row.model, row.version), [])),
            model_id=row.model_id,
        )
        for row in rows
    ]


def latest_versions(
    transaction: Transaction, models: Sequence[int], stages: Sequence[str] = ALL_STAGES
) -> dict[int, list[ModelVersion]]:
    """The latest version of each stage of each of these models."""
    made: dict[int, list[ModelVersion]] = defaultdict(list)
    connection = transaction.connection
    for start in range(0, len(models), _CHUNK):
        chunk = models[start : start + _CHUNK]
        names = {f"s{index}": stage for index, stage in enumerate(stages)}
        query = _LATEST.format(
            models=", ".join(map(str, chunk)), stages=", ".join(f":{name}" for name in names) or "NULL"
        )
        found = [(row.model, row.newest) for row in connection.execute(text(query), names)]
        rows: dict[tuple[int, int], Row[Any]] = {}
        for begin in range(0, len(found), _CHUNK):
            of = tuple_(model_versions.c.model, model_versions.c.version).in_(found[begin : begin + _CHUNK])
            rows.update(
                {(row.model, row.version): row for row in connection.execute(select(model_versions).where(of))}
            )
        for (model, _), version in zip(
            found, load_versions(transaction, [rows[pair] for pair in found]), strict=True
        ):
            made[model].append(version)
    return made


def load_models(transaction: Transaction, rows: Sequence[Row[Any]]) -> list[RegisteredModel]:
    """The registered models of these rows of ``registered_models``, in their order."""
    tags: dict[int, list[RegisteredModelTag]] = defaultdict(list)
    aliases: dict[int, list[RegisteredModelAlias]] = defaultdict(list)
    connection, numbers = transaction.connection, [row.id for row in rows]
    for start in range(0, len(numbers), _CHUNK):
        chunk = numbers[start : start + _CHUNK]
        of_tags = select(registered_model_tags).where(registered_model_tags.c.model.in_(chunk))
        for tag in connection.execute(of_tags):
            tags[tag.model].append(RegisteredModelTag(tag.key, tag.value))
        table = registered_model_aliases
        of_aliases = select(table).where(table.c.model.in_(chunk)).order_by(table.c.model, table.c.alias)
        for found in connection.execute(of_aliases):
            aliases[found.model].append(RegisteredModelAlias(found.alias, str(found.version)))
    latest = latest_versions(transaction, numbers)
    return [
        RegisteredModel(
            name=row.name,
            creation_timestamp=row.creation_timestamp,
            last_updated_timestamp=row.last_updated_timestamp,
            description=row.description or None,
            latest_versions=latest.get(row.id, []),
            tag_list=tags.get(row.id, []),
            alias_list=aliases.get(row.id, []),
        )
        for row in rows
    ]
