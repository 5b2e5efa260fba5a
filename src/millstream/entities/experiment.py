"""An experiment: a named group of runs."""

from __future__ import annotations

import msgspec

from millstream.entities.base import Entity
from millstream.entities.metric import ExperimentTag
from millstream.entities.shown import moment, page, pairs


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

    def __repr__(self) -> str:
        return f"<Experiment {self.name!r}: id {self.experiment_id}, {self.lifecycle_stage}>"

    def __str__(self) -> str:
        free = {key: text for key, text in self.tags.items() if not key.startswith(("mlflow.", "millstream."))}
        return page(
            f"Experiment {self.name}",
            [
                ("id", self.experiment_id),
                ("stage", self.lifecycle_stage),
                ("created", moment(self.creation_time)),
                ("changed", moment(self.last_update_time)),
                ("note", self.tags.get("mlflow.note.content", "")),
                ("tags", pairs(free)),
                ("artifacts", self.artifact_location),
            ],
        )
