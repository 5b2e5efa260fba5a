"""The registered models in an MLflow database, of any schema from MLflow 1.27 on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from millstream.entities.model_registry import (
    ModelVersion,
    ModelVersionStatus,
    ModelVersionTag,
    RegisteredModel,
    RegisteredModelAlias,
    RegisteredModelTag,
)
from millstream.interop.source import NAMED, is_prompt, left_behind
from millstream.operations.imports import ImportedModelVersion, ImportedRegisteredModel

# The stage in which MLflow keeps the row of a deleted version.
_DELETED = "Deleted_Internal"
_FACTS = (
    "version creation_time last_updated_time description user_id current_stage source run_id status run_link "
    "storage_location"
)

Select = Callable[..., Sequence[Row[Any]]]


def read_registry(
    select: Select, columns: Mapping[str, set[str]], place: Callable[[str], str], notes: list[str]
) -> Iterator[ImportedRegisteredModel]:
    """Every registered model with its versions.

    ``select`` reads columns of a table, ``columns`` names those that there are, ``place`` makes an address absolute;
    ``notes`` is told what is left out.
    """
    rows = select("registered_models", "name creation_time last_updated_time description workspace", "ORDER BY name")
    taken: set[str] = set()
    prompts = 0
    for row in rows:

        def of_model(table: str, wanted: str, row: Row[Any] = row) -> Sequence[Row[Any]]:
            where, values = "WHERE name = :name", {"name": row.name}
            if row.workspace is not None and "workspace" in columns.get(table, ()):
                where, values = f"{where} AND workspace = :workspace", {**values, "workspace": row.workspace}
            return select(table, wanted, where, **values)

        model = _model(row, of_model)
        if is_prompt(model):
            prompts += 1
        elif model.name in taken:
            notes.append(
                f"two workspaces have a registered model {row.name!r}: that of {row.workspace!r} is left out"
            )
        else:
            taken.add(model.name)
            given = max((int(one.version) for one in of_model("model_versions", "version")), default=0)
            yield ImportedRegisteredModel(model, list(_versions(model.name, of_model, place, notes)), given)
    if prompts:
        notes.append(left_behind(prompts, "prompt"))


def _model(row: Row[Any], of_model: Select) -> RegisteredModel:
    return RegisteredModel(
        name=row.name,
        creation_timestamp=row.creation_time,
        last_updated_timestamp=row.last_updated_time,
        description=row.description or None,
        tag_list=[
            RegisteredModelTag(tag.key, tag.value or "") for tag in of_model("registered_model_tags", "key value")
        ],
        alias_list=[
            RegisteredModelAlias(one.alias, str(one.version))
            for one in of_model("registered_model_aliases", "alias version")
        ],
    )


def _versions(
    name: str, of_model: Select, place: Callable[[str], str], notes: list[str]
) -> Iterator[ImportedModelVersion]:
    tags: dict[int, list[ModelVersionTag]] = defaultdict(list)
    for tag in of_model("model_version_tags", "version key value"):
        tags[tag.version].append(ModelVersionTag(tag.key, tag.value or ""))
    for row in sorted(of_model("model_versions", _FACTS), key=lambda row: int(row.version)):
        if row.current_stage == _DELETED:
            continue
        if row.status not in (None, ModelVersionStatus.READY):
            notes.append(f"version {row.version} of the registered model {name!r} is {row.status}: it is left out")
            continue
        version = ModelVersion(
            name=name,
            version=str(row.version),
            creation_timestamp=row.creation_time,
            last_updated_timestamp=row.last_updated_time,
            description=row.description or "",
            user_id=row.user_id or None,
            current_stage=row.current_stage or "None",
            source=row.source,
            run_id=row.run_id or "",
            tag_list=tags[row.version],
            run_link=row.run_link or "",
        )
        where = row.storage_location or row.source or ""
        yield ImportedModelVersion(version, where if where.startswith(NAMED) else place(where))
