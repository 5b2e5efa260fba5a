"""Operations on registered models and their versions."""

from __future__ import annotations

from millstream.entities.base import Int64
from millstream.entities.model_registry import (
    ModelVersion,
    ModelVersionTag,
    RegisteredModel,
    RegisteredModelTag,
    RegistryActivity,
)
from millstream.operations.artifacts import ArtifactListing
from millstream.operations.table import Answer, Needs, Operation, Permission, Resource, operation

_MODELS = "/2.0/mlflow/registered-models"
_VERSIONS = "/2.0/mlflow/model-versions"
_OURS = "/v1/registered-models"
_SEARCH = Needs(Permission.READ, Resource.REGISTERED_MODEL, filtered=True)


def _needs(permission: Permission) -> Needs:
    return Needs(permission, Resource.REGISTERED_MODEL, "name")


class RegisteredModelAnswer(Answer, frozen=True):
    """One registered model."""

    registered_model: RegisteredModel


class RegisteredModelPage(Answer, frozen=True):
    """A page of registered models; ``next_page_token`` is unset on the last."""

    registered_models: list[RegisteredModel] = []
    next_page_token: str | None = None


class ModelVersionAnswer(Answer, frozen=True):
    """One version."""

    model_version: ModelVersion


class ModelVersionPage(Answer, frozen=True):
    """A page of versions; ``next_page_token`` is unset on the last."""

    model_versions: list[ModelVersion] = []
    next_page_token: str | None = None


class DownloadUri(Answer, frozen=True):
    """Where the files of a version are."""

    artifact_uri: str


class RegistryActivityPage(Answer, frozen=True):
    """A page of activities; ``next_page_token`` is unset on the last."""

    activities: list[RegistryActivity] = []
    next_page_token: str | None = None


class RegistryVerification(Answer, frozen=True):
    """Whether the chain of activities is whole: how many were checked, and what is wrong with the first that is."""

    intact: bool
    checked: int
    reason: str | None = None


class Holders(Answer, frozen=True):
    """The versions that held a stage or an alias, by their numbers."""

    versions: list[str] = []


# Registered models


@operation(
    "POST",
    f"{_MODELS}/create",
    Needs(Permission.EDIT),
    answer=RegisteredModelAnswer,
    repeatable=False,
)
class CreateRegisteredModel(Operation[RegisteredModelAnswer], frozen=True):
    """Create a registered model with a name that no other has."""

    name: str
    tags: list[RegisteredModelTag] = []
    description: str | None = None


@operation("GET", f"{_MODELS}/get", _needs(Permission.READ), answer=RegisteredModelAnswer)
class GetRegisteredModel(Operation[RegisteredModelAnswer], frozen=True):
    """Read a registered model with the latest version of each stage."""

    name: str


@operation("GET", f"{_MODELS}/search", _SEARCH, answer=RegisteredModelPage)
class SearchRegisteredModels(Operation[RegisteredModelPage], frozen=True):
    """Find registered models by filter, in an order, page by page."""

    filter: str | None = None
    max_results: Int64 = 100
    order_by: list[str] = []
    page_token: str | None = None


@operation(
    "POST", f"{_MODELS}/rename", _needs(Permission.MANAGE), answer=RegisteredModelAnswer, repeatable=False
)
class RenameRegisteredModel(Operation[RegisteredModelAnswer], frozen=True):
    """Give a registered model, and with it all its versions, another name."""

    name: str
    new_name: str


@operation("PATCH", f"{_MODELS}/update", _needs(Permission.EDIT), answer=RegisteredModelAnswer)
class UpdateRegisteredModel(Operation[RegisteredModelAnswer], frozen=True):
    """Change the description of a registered model; without one it is removed."""

    name: str
    description: str | None = None


@operation("DELETE", f"{_MODELS}/delete", _needs(Permission.MANAGE), repeatable=False)
class DeleteRegisteredModel(Operation[None], frozen=True):
    """Remove a registered model with all its versions. Their files stay with the runs and logged models."""

    name: str


@operation(
    "POST GET", f"{_MODELS}/get-latest-versions", _needs(Permission.READ), answer=ModelVersionPage, writes=False
)
class GetLatestVersions(Operation[ModelVersionPage], frozen=True):
    """Read the latest version of each of these stages, of every stage unless some are named."""

    name: str
    stages: list[str] = []


@operation("POST", f"{_MODELS}/set-tag", _needs(Permission.EDIT))
class SetRegisteredModelTag(Operation[None], frozen=True):
    """Set a tag of a registered model."""

    name: str
    key: str
    value: str = ""


@operation("DELETE", f"{_MODELS}/delete-tag", _needs(Permission.EDIT))
class DeleteRegisteredModelTag(Operation[None], frozen=True):
    """Remove a tag of a registered model, if it is there."""

    name: str
    key: str


@operation("POST", f"{_MODELS}/alias", _needs(Permission.EDIT))
class SetRegisteredModelAlias(Operation[None], frozen=True):
    """Let an alias stand for a version from now on."""

    name: str
    alias: str
    version: str


@operation("DELETE", f"{_MODELS}/alias", _needs(Permission.EDIT))
class DeleteRegisteredModelAlias(Operation[None], frozen=True):
    """Remove an alias, if it is there."""

    name: str
    alias: str


@operation("GET", f"{_MODELS}/alias", _needs(Permission.READ), answer=ModelVersionAnswer)
class GetModelVersionByAlias(Operation[ModelVersionAnswer], frozen=True):
    """Read the version that an alias stands for."""

    name: str
    alias: str


# Versions


@operation("POST", f"{_VERSIONS}/create", _needs(Permission.EDIT), answer=ModelVersionAnswer, repeatable=False)
class CreateModelVersion(Operation[ModelVersionAnswer], frozen=True):
    """Create the next version of a registered model.

    ``source`` is ``runs:/…`` or ``models:/…``, or a place below the artifacts of the run ``run_id`` or of the logged
    model ``model_id``.
    """

    name: str
    source: str
    run_id: str | None = None
    tags: list[ModelVersionTag] = []
    run_link: str | None = None
    description: str | None = None
    model_id: str | None = None


@operation("GET", f"{_VERSIONS}/get", _needs(Permission.READ), answer=ModelVersionAnswer)
class GetModelVersion(Operation[ModelVersionAnswer], frozen=True):
    """Read a version."""

    name: str
    version: str


@operation("GET", f"{_VERSIONS}/search", _SEARCH, answer=ModelVersionPage)
class SearchModelVersions(Operation[ModelVersionPage], frozen=True):
    """Find versions by filter, in an order, page by page."""

    filter: str | None = None
    max_results: Int64 = 10_000
    order_by: list[str] = []
    page_token: str | None = None


@operation("PATCH", f"{_VERSIONS}/update", _needs(Permission.EDIT), answer=ModelVersionAnswer)
class UpdateModelVersion(Operation[ModelVersionAnswer], frozen=True):
    """Change the description of a version; without one it is removed."""

    name: str
    version: str
    description: str | None = None


@operation("POST", f"{_VERSIONS}/transition-stage", _needs(Permission.EDIT), answer=ModelVersionAnswer)
class TransitionModelVersionStage(Operation[ModelVersionAnswer], frozen=True):
    """Move a version to a stage, and archive the versions that are there if asked to."""

    name: str
    version: str
    stage: str
    archive_existing_versions: bool = False


@operation("DELETE", f"{_VERSIONS}/delete", _needs(Permission.MANAGE), repeatable=False)
class DeleteModelVersion(Operation[None], frozen=True):
    """Remove a version and its aliases; its number is not given again. Its files stay where they are."""

    name: str
    version: str


@operation("GET", f"{_VERSIONS}/get-download-uri", _needs(Permission.READ), answer=DownloadUri)
class GetModelVersionDownloadUri(Operation[DownloadUri], frozen=True):
    """Read where the files of a version are."""

    name: str
    version: str


@operation("POST", f"{_VERSIONS}/set-tag", _needs(Permission.EDIT))
class SetModelVersionTag(Operation[None], frozen=True):
    """Set a tag of a version."""

    name: str
    version: str
    key: str
    value: str = ""


@operation("DELETE", f"{_VERSIONS}/delete-tag", _needs(Permission.EDIT))
class DeleteModelVersionTag(Operation[None], frozen=True):
    """Remove a tag of a version, if it is there."""

    name: str
    version: str
    key: str


@operation("GET", "/v1/model-versions/artifacts", _needs(Permission.READ), answer=ArtifactListing)
class ListModelVersionArtifacts(Operation[ArtifactListing], frozen=True):
    """List the files and folders of a version directly under ``path``."""

    name: str
    version: str
    path: str | None = None


# What has happened


@operation("GET", f"{_OURS}/activities", _needs(Permission.READ), answer=RegistryActivityPage)
class ListRegistryActivities(Operation[RegistryActivityPage], frozen=True):
    """List what has happened to a registered model and its versions, the newest first.

    A name that no model has any more means the one that had it last. With ``version``, only what concerns that one.
    """

    name: str
    version: str | None = None
    max_results: Int64 = 100
    page_token: str | None = None


@operation("GET", f"{_OURS}/verify", _needs(Permission.READ), answer=RegistryVerification)
class VerifyRegistryActivities(Operation[RegistryVerification], frozen=True):
    """Check that no activity of a registered model was changed or left out since it was written."""

    name: str


@operation("GET", f"{_OURS}/holders", _needs(Permission.READ), answer=Holders)
class GetHolders(Operation[Holders], frozen=True):
    """Tell which versions held a stage or an alias at a time, now unless given."""

    name: str
    stage: str | None = None
    alias: str | None = None
    timestamp: Int64 | None = None


@operation("POST", f"{_OURS}/rollback", _needs(Permission.EDIT), answer=Holders, repeatable=False)
class RollBack(Operation[Holders], frozen=True):
    """Take back the last change of who holds a stage or an alias; done again, the change before that.

    The answer is who holds it then.
    """

    name: str
    stage: str | None = None
    alias: str | None = None
