"""An experiment: a named group of runs."""

from __future__ import annotations

import msgspec

from millstream.entities.base import Entity
from millstream.entities.metric import ExperimentTag


class Experiment(Entity, frozen=True):
    """An experiment as it stood when it was read. Times are in milliseconds since the epoch."""

    DEFAULT_EXPERIMENT_NAME = "Default"

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    tag_list: list[ExperimentTag] = msgspec.field(default_factory=list, name="tags")
    creation_time: int | None = None
    last_update_time: int | None = None

    @property
    def tags(self) -> dict[str, str]:
        """Tag key → text."""
        return {tag.key: tag.value for tag in self.tag_list}
