"""Registered models and their versions: what the registry keeps, and what has happened to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from millstream.entities.base import Entity
from millstream.entities.logged_model import LoggedModelParameter
from millstream.entities.metric import Metric, Tag
from millstream.entities.shown import moment, page, pairs
from millstream.errors import InvalidValue

STAGE_NONE, STAGE_STAGING, STAGE_PRODUCTION, STAGE_ARCHIVED = "None", "Staging", "Production", "Archived"
ALL_STAGES = (STAGE_NONE, STAGE_STAGING, STAGE_PRODUCTION, STAGE_ARCHIVED)
ACTIVE_STAGES = (STAGE_STAGING, STAGE_PRODUCTION)
_CANONICAL = {stage.lower(): stage for stage in ALL_STAGES}


def get_canonical_stage(stage: str) -> str:
    """The stage as it is written, whatever the case. Raises InvalidValue for a word that is no stage."""
    found = _CANONICAL.get(str(stage).lower())
    if found is None:
        raise InvalidValue(
            f"Invalid Model Version stage: {stage}. Value must be one of {', '.join(ALL_STAGES)}.",
            hint="for a name of your own, use an alias: set_registered_model_alias(…)",
        )
    return found


class ModelVersionStatus:
    """The states of a version; here every version is READY as soon as it is there."""

    PENDING_REGISTRATION = "PENDING_REGISTRATION"
    FAILED_REGISTRATION = "FAILED_REGISTRATION"
    READY = "READY"

    @staticmethod
    def all_status() -> list[str]:
        """All of them."""
        return [
            ModelVersionStatus.PENDING_REGISTRATION,
            ModelVersionStatus.FAILED_REGISTRATION,
            ModelVersionStatus.READY,
        ]


class RegisteredModelTag(Tag, frozen=True):
    """A tag of a registered model."""


class ModelVersionTag(Tag, frozen=True):
    """A tag of a version of a registered model."""


class RegisteredModelAlias(Entity, frozen=True):
    """A name that stands for one version of a registered model."""

    alias: str
    version: str


class ModelVersion(Entity, frozen=True):
    """A version of a registered model as it stood when it was read. Times are in milliseconds since the epoch.

    ``source`` is what it was registered from, ``run_id`` and ``model_id`` the run and the logged model that made it.
    """

    name: str
    version: str
    creation_timestamp: int
    last_updated_timestamp: int | None = None
    description: str | None = None
    user_id: str | None = None
    current_stage: str | None = None
    source: str | None = None
    run_id: str | None = None
    # Sent even when it is the default, as MLflow's servers do.
    status: str = msgspec.field(default_factory=lambda: ModelVersionStatus.READY)
    status_message: str | None = None
    tag_list: list[ModelVersionTag] = msgspec.field(default_factory=list, name="tags")
    run_link: str | None = None
    aliases: list[str] = []
    model_id: str | None = None
    params: list[LoggedModelParameter] | None = None
    metrics: list[Metric] | None = None

    @property
    def tags(self) -> dict[str, str]:
        """Tag key → text."""
        return {tag.key: tag.value for tag in self.tag_list}

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return _named(self)

    def __repr__(self) -> str:
        return f"<ModelVersion {self.name!r} {self.version}: {self.current_stage}, from {self.source}>"

    def __str__(self) -> str:
        return page(
            f"Version {self.version} of {self.name}",
            [
                ("stage", self.current_stage or ""),
                ("aliases", ", ".join(self.aliases)),
                ("status", self.status),
                ("created", moment(self.creation_timestamp)),
                ("changed", moment(self.last_updated_timestamp)),
                ("source", self.source or ""),
                ("run", self.run_id or ""),
                ("description", self.description or ""),
                ("tags", pairs(self.tags)),
            ],
        )


class RegisteredModel(Entity, frozen=True):
    """A registered model as it stood when it was read: a name, and the latest version of each stage.

    Times are in milliseconds since the epoch.
    """

    name: str
    creation_timestamp: int | None = None
    last_updated_timestamp: int | None = None
    description: str | None = None
    latest_versions: list[ModelVersion] = []
    tag_list: list[RegisteredModelTag] = msgspec.field(default_factory=list, name="tags")
    alias_list: list[RegisteredModelAlias] = msgspec.field(default_factory=list, name="aliases")

    @property
    def tags(self) -> dict[str, str]:
        """Tag key → text."""
        return {tag.key: tag.value for tag in self.tag_list}

    @property
    def aliases(self) -> dict[str, str]:
        """Alias → number of the version it stands for."""
        return {one.alias: one.version for one in self.alias_list}

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return _named(self)

    def __repr__(self) -> str:
        latest = ", ".join(f"{version.current_stage} {version.version}" for version in self.latest_versions)
        return f"<RegisteredModel {self.name!r}: {latest or 'no versions'}>"

    def __str__(self) -> str:
        return page(
            f"Registered model {self.name}",
            [
                ("created", moment(self.creation_timestamp)),
                ("changed", moment(self.last_updated_timestamp)),
                ("latest", pairs({version.current_stage or "": version.version for version in self.latest_versions})),
                ("aliases", pairs(self.aliases)),
                ("description", self.description or ""),
                ("tags", pairs(self.tags)),
            ],
        )


def _named(entity: ModelVersion | RegisteredModel) -> Iterator[tuple[str, Any]]:
    for field in msgspec.structs.fields(entity):
        name = field.encode_name
        yield name, getattr(entity, name)


class RegistryActivity(Entity, frozen=True):
    """One change in a registered model: who changed what, from what, to what, and when.

    ``kind`` is what happened, such as ``model_version.transitioned``; ``sequence`` counts the activities of a model
    from 1. ``before`` and ``after`` are the stage, the version an alias stands for, or the text that was changed;
    ``key`` the tag or alias. ``others`` are the versions that moved along: archived by a transition, put back into the
    stage by a rollback. ``undoes`` is the sequence of the change that a rollback took back, ``comment`` what was said.
    ``hash`` is the SHA-256 of all that and of ``previous_hash``, so that none can be changed or left out afterwards.
    """

    sequence: int
    kind: str
    model: str
    timestamp: int
    user_id: str
    previous_hash: str
    hash: str
    version: str | None = None
    key: str | None = None
    before: str | None = None
    after: str | None = None
    others: list[str] = []
    undoes: int | None = None
    comment: str | None = None
