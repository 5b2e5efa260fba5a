"""The client's calls on registered models and their versions."""

from __future__ import annotations

import time
from typing import Any, TypeVar

from millstream import settings
from millstream.entities import PagedList
from millstream.entities.model_registry import (
    ALL_STAGES,
    ModelVersion,
    ModelVersionStatus,
    ModelVersionTag,
    RegisteredModel,
    RegisteredModelTag,
    RegistryActivity,
)
from millstream.errors import AlreadyExists, InvalidState, InvalidValue, NotFound, NotSupported
from millstream.operations import (
    CreateModelVersion,
    CreateRegisteredModel,
    DeleteModelVersion,
    DeleteModelVersionTag,
    DeleteRegisteredModel,
    DeleteRegisteredModelAlias,
    DeleteRegisteredModelTag,
    GetHolders,
    GetLatestVersions,
    GetModelVersion,
    GetModelVersionByAlias,
    GetModelVersionDownloadUri,
    GetRegisteredModel,
    ListRegistryActivities,
    Operation,
    RegistryVerification,
    RenameRegisteredModel,
    RollBack,
    SearchModelVersions,
    SearchRegisteredModels,
    SetModelVersionTag,
    SetRegisteredModelAlias,
    SetRegisteredModelTag,
    TransitionModelVersionStage,
    UpdateModelVersion,
    UpdateRegisteredModel,
    VerifyRegistryActivities,
)
from millstream.stores.contract import Store
from millstream.tracking import gates, stores
from millstream.tracking.client.base import Calls
from millstream.tracking.client.values import listed

A = TypeVar("A")


class RegistryCalls(Calls):
    """Registered models: names under which the versions of a model are kept, moved through stages, and found."""

    @property
    def registry_uri(self) -> str:
        """Where this client's registered models are kept: as given, as set, or with the runs."""
        return self._registry_uri or settings.REGISTRY_URI.get() or self._tracking_uri

    @property
    def _registry(self) -> Store:
        return stores.store(self.registry_uri)

    def _ask(self, operation: Operation[A]) -> A:
        """Carry out ``operation`` as the person behind this process; a server knows by itself who asks."""
        return gates.execute(self._registry, operation, stores.acting())

    # Registered models

    def create_registered_model(
        self, name: str, tags: dict[str, Any] | None = None, description: str | None = None,
        deployment_job_id: str | None = None,
    ) -> RegisteredModel:
        """Create a registered model. Raises AlreadyExists for a name that is taken."""
        _refuse_job(deployment_job_id)
        made = [RegisteredModelTag(key, str(value)) for key, value in (tags or {}).items()]
        return self._ask(CreateRegisteredModel(name, made, description)).registered_model

    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        """Give a registered model, and with it all its versions, another name."""
        return self._ask(RenameRegisteredModel(name, new_name)).registered_model

    def update_registered_model(
        self, name: str, description: str | None = None, deployment_job_id: str | None = None
    ) -> RegisteredModel:
        """Change the description of a registered model; without one it is removed."""
        _refuse_job(deployment_job_id)
        return self._ask(UpdateRegisteredModel(name, description)).registered_model

    def delete_registered_model(self, name: str) -> None:
        """Remove a registered model with all its versions; their files stay with the runs and logged models."""
        self._ask(DeleteRegisteredModel(name))

    def get_registered_model(self, name: str) -> RegisteredModel:
        """The registered model, with the latest version of each stage. Raises RegisteredModelNotFound."""
        return self._ask(GetRegisteredModel(name)).registered_model

    def search_registered_models(
        self, filter_string: str | None = None, max_results: int = 100, order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[RegisteredModel]:
        """One page of the registered models that match, such as ``name LIKE 'loan%' and tags.team = 'risk'``."""
        page = self._ask(
            SearchRegisteredModels(filter_string or None, max_results, listed(order_by, "order_by"), page_token)
        )
        return PagedList(page.registered_models, page.next_page_token)

    def get_latest_versions(self, name: str, stages: list[str] | None = None) -> list[ModelVersion]:
        """The latest version of each of these stages, of every stage unless some are named."""
        return self._ask(GetLatestVersions(name, listed(stages, "stages"))).model_versions

    def set_registered_model_tag(self, name: str, key: str, value: Any) -> None:
        """Set a tag of a registered model."""
        self._ask(SetRegisteredModelTag(name, key, str(value)))

    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """Remove a tag of a registered model, if it is there."""
        self._ask(DeleteRegisteredModelTag(name, key))

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        """Let an alias stand for a version from now on: ``models:/<name>@<alias>`` loads it."""
        self._ask(SetRegisteredModelAlias(name, alias, str(version)))

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Remove an alias, if it is there."""
        self._ask(DeleteRegisteredModelAlias(name, alias))

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """The version that an alias stands for. Raises InvalidValue for an alias that is not there."""
        return self._ask(GetModelVersionByAlias(name, alias)).model_version

    # Versions

    def create_model_version(
        self, name: str, source: str, run_id: str | None = None, tags: dict[str, Any] | None = None,
        run_link: str | None = None, description: str | None = None, await_creation_for: int | None = 300,
        model_id: str | None = None,
    ) -> ModelVersion:
        """Create the next version of a registered model from ``runs:/…``, ``models:/…`` or a place of artifacts.

        A server takes a place only below the files of the run or logged model that is named. Where a registry prepares
        a version first, this waits ``await_creation_for`` seconds at most (0 or None: not at all).
        """
        made = [ModelVersionTag(key, str(value)) for key, value in (tags or {}).items()]
        version = self._ask(
            CreateModelVersion(name, str(source), run_id, made, run_link, description, model_id)
        ).model_version
        return self._awaited(version, await_creation_for or 0)

    def _awaited(self, version: ModelVersion, seconds: float) -> ModelVersion:
        until, pause = time.monotonic() + seconds, 0.1
        while version.status == ModelVersionStatus.PENDING_REGISTRATION and time.monotonic() < until:
            time.sleep(pause)
            pause = min(2 * pause, 3.0)
            version = self.get_model_version(version.name, version.version)
        if version.status == ModelVersionStatus.FAILED_REGISTRATION:
            raise InvalidState(
                f"the registry could not create version {version.version} of {version.name}: "
                f"{version.status_message or 'it does not say why'}"
            )
        return version

    def copy_model_version(self, src_model_uri: str, dst_name: str) -> ModelVersion:
        """Make the version at ``models:/<name>/…`` the next version of another registered model, created if need be."""
        from millstream.artifacts.uris import parse_model_uri
        from millstream.tracking.versions import chosen_version

        model = parse_model_uri(str(src_model_uri))
        if model.name is None or model.path:
            raise InvalidValue.of("src_model_uri", src_model_uri, "it names no version of a registered model",
                                  hint="write models:/<name>/<version> or models:/<name>@<alias>")
        found = chosen_version(model, self._registry)
        source = f"models:/{found.name}/{found.version}"
        self.ensure_registered_model(dst_name)
        return self.create_model_version(
            dst_name, source, found.run_id or None, found.tags, found.run_link or None, found.description
        )

    def ensure_registered_model(self, name: str) -> None:
        """Create a registered model unless there is one of this name. Beyond MLflow."""
        try:
            self.get_registered_model(name)
        except NotFound:
            try:
                self.create_registered_model(name)
            except AlreadyExists:  # another process was first
                return

    def update_model_version(self, name: str, version: str, description: str | None = None) -> ModelVersion:
        """Change the description of a version; without one it is removed."""
        return self._ask(UpdateModelVersion(name, str(version), description)).model_version

    def transition_model_version_stage(
        self, name: str, version: str, stage: str, archive_existing_versions: bool = False
    ) -> ModelVersion:
        """Move a version to None, Staging, Production or Archived, and archive those that are there if asked to."""
        return self._ask(
            TransitionModelVersionStage(name, str(version), stage, archive_existing_versions)
        ).model_version

    def delete_model_version(self, name: str, version: str) -> None:
        """Remove a version and its aliases; its number is not given again, its files stay where they are."""
        self._ask(DeleteModelVersion(name, str(version)))

    def get_model_version(self, name: str, version: str) -> ModelVersion:
        """The version. Raises RegisteredModelNotFound."""
        return self._ask(GetModelVersion(name, str(version))).model_version

    def search_model_versions(
        self, filter_string: str | None = None, max_results: int = 10_000, order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[ModelVersion]:
        """One page of the versions that match, such as ``name = 'loan' and version_number > 3``; changed last first."""
        page = self._ask(
            SearchModelVersions(filter_string or None, max_results, listed(order_by, "order_by"), page_token)
        )
        return PagedList(page.model_versions, page.next_page_token)

    def get_model_version_download_uri(self, name: str, version: str) -> str:
        """Where the files of a version are."""
        return self._ask(GetModelVersionDownloadUri(name, str(version))).artifact_uri

    def get_model_version_stages(self, name: str, version: str) -> list[str]:
        """The stages that a version may have: the same for all."""
        return list(ALL_STAGES)

    def set_model_version_tag(
        self, name: str, version: str | None = None, key: str | None = None, value: Any = None,
        stage: str | None = None,
    ) -> None:
        """Set a tag of a version, or of the latest version of a stage."""
        number = self._one_version(name, version, stage)
        self._ask(SetModelVersionTag(name, number, _key(key), str(value)))

    def delete_model_version_tag(
        self, name: str, version: str | None = None, key: str | None = None, stage: str | None = None
    ) -> None:
        """Remove a tag of a version, or of the latest version of a stage, if it is there."""
        self._ask(DeleteModelVersionTag(name, self._one_version(name, version, stage), _key(key)))

    def _one_version(self, name: str, version: str | int | None, stage: str | None) -> str:
        if (version is None) == (stage is None):
            raise InvalidValue("exactly one of version and stage must be set")
        if version is not None:
            return str(version)
        found = self.get_latest_versions(name, [str(stage)])
        if not found:
            raise InvalidValue(f"Could not find any model version for {stage} stage",
                               hint="name the version, or move one to that stage first")
        return found[0].version

    # What has happened: beyond MLflow

    def list_registry_activities(
        self, name: str, version: str | None = None, max_results: int = 100, page_token: str | None = None
    ) -> PagedList[RegistryActivity]:
        """One page of what has happened to a registered model (or to one version), the newest first.

        Who changed what, from what, to what and when; the name of a deleted model works too.
        """
        page = self._ask(
            ListRegistryActivities(name, None if version is None else str(version), max_results, page_token)
        )
        return PagedList(page.activities, page.next_page_token)

    def verify_registry_activities(self, name: str) -> RegistryVerification:
        """Whether the log of a registered model is as it was written: each entry holds the hash of the one before."""
        return self._ask(VerifyRegistryActivities(name))

    def get_versions_holding(
        self, name: str, stage: str | None = None, alias: str | None = None, timestamp: int | None = None
    ) -> list[str]:
        """The numbers of the versions that held a stage or an alias at a time (in ms since the epoch), or now."""
        return self._ask(GetHolders(name, stage, alias, timestamp)).versions

    def roll_back_registered_model(self, name: str, stage: str | None = None, alias: str | None = None) -> list[str]:
        """Take back the last change of who holds a stage or an alias; done again, the change before that.

        Returns the numbers of the versions that hold it then. Raises InvalidState when there is nothing to take back.
        """
        return self._ask(RollBack(name, stage, alias)).versions


def _key(key: str | None) -> str:
    if not key:
        raise InvalidValue.of("key", key, "a tag has a key")
    return key


def _refuse_job(deployment_job_id: str | None) -> None:
    if deployment_job_id:
        raise NotSupported("deployment jobs are Databricks' own", hint="leave deployment_job_id out")
