"""A logged model: files of a model with their own parameters, tags and metrics, beside the run that made them."""

from __future__ import annotations

import msgspec

from millstream.entities.base import Entity
from millstream.entities.enums import LoggedModelStatus
from millstream.entities.metric import Metric, Param, Tag


class LoggedModelParameter(Param, frozen=True):
    """A parameter of a logged model."""


class LoggedModelTag(Tag, frozen=True):
    """A tag of a logged model."""


class LoggedModelInfo(Entity, frozen=True):
    """The facts of a logged model. Times are in milliseconds since the epoch; ``status`` is the word of the wire."""

    model_id: str
    experiment_id: str
    name: str
    creation_timestamp_ms: int
    last_updated_timestamp_ms: int
    artifact_uri: str
    status: str
    creator_id: int | None = None
    model_type: str | None = None
    source_run_id: str | None = None
    status_message: str | None = None
    tags: list[LoggedModelTag] = []


class LoggedModelData(Entity, frozen=True):
    """What was logged for the model itself."""

    params: list[LoggedModelParameter] = []
    metrics: list[Metric] = []


class LoggedModel(Entity, frozen=True):
    """A logged model as it stood when it was read; on the wire ``{"info": …, "data": …}``."""

    info: LoggedModelInfo
    data: LoggedModelData = LoggedModelData()

    @property
    def model_id(self) -> str:
        """``m-`` and 32 hexadecimal digits."""
        return self.info.model_id

    @property
    def model_uri(self) -> str:
        """The address for loading it."""
        return f"models:/{self.info.model_id}"

    @property
    def experiment_id(self) -> str:
        """The experiment it belongs to."""
        return self.info.experiment_id

    @property
    def name(self) -> str:
        """Its name, not unique."""
        return self.info.name

    @property
    def artifact_location(self) -> str:
        """The root of its files."""
        return self.info.artifact_uri

    @property
    def creation_timestamp(self) -> int:
        """Milliseconds since the epoch."""
        return self.info.creation_timestamp_ms

    @property
    def last_updated_timestamp(self) -> int:
        """Milliseconds since the epoch."""
        return self.info.last_updated_timestamp_ms

    @property
    def model_type(self) -> str | None:
        """What the user called its kind."""
        return self.info.model_type

    @property
    def source_run_id(self) -> str | None:
        """The run that made it."""
        return self.info.source_run_id

    @property
    def status(self) -> LoggedModelStatus:
        """Whether its files are complete."""
        return LoggedModelStatus.from_wire(self.info.status)

    @property
    def status_message(self) -> str | None:
        """Why it failed, if it did."""
        return self.info.status_message

    @property
    def tags(self) -> dict[str, str]:
        """Tag key → text."""
        return {tag.key: tag.value for tag in self.info.tags}

    @property
    def params(self) -> dict[str, str]:
        """Parameter key → text."""
        return {param.key: param.value for param in self.data.params}

    @property
    def metrics(self) -> list[Metric]:
        """The last point of each metric and dataset."""
        return self.data.metrics

    def to_dictionary(self) -> dict[str, object]:
        """Plain dictionaries, in the shape MLflow's users know."""
        named = (
            "model_id",
            "experiment_id",
            "name",
            "artifact_location",
            "creation_timestamp",
            "last_updated_timestamp",
            "model_type",
            "source_run_id",
            "status",
            "status_message",
            "tags",
            "params",
        )
        made: dict[str, object] = {name: getattr(self, name) for name in named}
        made["metrics"] = [msgspec.to_builtins(metric) for metric in self.metrics]
        return made
