"""From ``models:/<name>/…`` to a version of a registered model, and to the place of its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millstream.entities.model_registry import ModelVersion, get_canonical_stage
from millstream.errors import InvalidValue, RegisteredModelNotFound
from millstream.operations import (
    GetLatestVersions,
    GetModelVersion,
    GetModelVersionByAlias,
    GetModelVersionDownloadUri,
)
from millstream.tracking import stores

if TYPE_CHECKING:
    from millstream.artifacts.uris import ModelUri
    from millstream.stores.contract import Store


def chosen_version(model: ModelUri, registry: Store) -> ModelVersion:
    """The version that an address names: by number, stage, alias, or as the latest.

    Raises RegisteredModelNotFound, and InvalidValue for a word that is no stage and an alias that is not there.
    """
    assert model.name is not None
    if model.version is not None:
        return registry.execute(GetModelVersion(model.name, model.version)).model_version
    if model.alias is not None:
        return registry.execute(GetModelVersionByAlias(model.name, model.alias)).model_version
    stages = [] if model.latest else [_stage(model)]
    found = registry.execute(GetLatestVersions(model.name, stages)).model_versions
    if not found:
        what = "has no versions" if model.latest else f"has no version in the stage {stages[0]}"
        raise RegisteredModelNotFound(
            f"the registered model {model.name} {what}",
            hint="move one there: transition_model_version_stage(…); or name a version: models:/<name>/<version>",
        )
    return max(found, key=lambda version: int(version.version))


def _stage(model: ModelUri) -> str:
    try:
        return get_canonical_stage(model.stage or "")
    except InvalidValue as error:
        raise InvalidValue(
            f"models:/{model.name}/{model.stage} names neither a version nor a stage: {error.message}",
            hint=f"for an alias write models:/{model.name}@{model.stage}",
        ) from None


def place_of_version(model: ModelUri, registry_uri: str) -> str:
    """Where the files of a version are: a place, or what else it was registered from."""
    from millstream.artifacts.uris import join_uri, scheme

    registry = stores.store(registry_uri)
    assert model.name is not None
    number = model.version if model.version is not None else chosen_version(model, registry).version
    place = registry.execute(GetModelVersionDownloadUri(model.name, number)).artifact_uri
    if scheme(place) == "mlflow-artifacts" and scheme(registry_uri) in ("http", "https"):
        path = place.partition(":")[2]
        if not path.startswith("//"):
            return join_uri(f"{registry_uri.rstrip('/')}/api/2.0/mlflow-artifacts/artifacts", path.strip("/"))
    return place
