"""Datasets and models as inputs and outputs of runs."""

from __future__ import annotations

from millstream.entities.base import Entity, Int64
from millstream.entities.metric import InputTag


class Dataset(Entity, frozen=True):
    """What a run has read: a name and a digest of the content, where it came from, and its shape.

    ``source``, ``schema`` and ``profile`` are JSON texts, as MLflow stores them.
    """

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None


class DatasetSummary(Entity, frozen=True):
    """A dataset of an experiment, as lists show it."""

    experiment_id: str
    name: str
    digest: str
    context: str | None = None


class DatasetInput(Entity, frozen=True):
    """A dataset with the tags that say how the run used it."""

    dataset: Dataset
    tags: list[InputTag] = []


class LoggedModelInput(Entity, frozen=True):
    """A logged model that a run has read."""

    model_id: str


class LoggedModelOutput(Entity, frozen=True):
    """A logged model that a run has made, at a step."""

    model_id: str
    step: Int64


class RunInputs(Entity, frozen=True):
    """Everything a run has read."""

    dataset_inputs: list[DatasetInput] = []
    model_inputs: list[LoggedModelInput] = []


class RunOutputs(Entity, frozen=True):
    """Everything a run has made, files apart."""

    model_outputs: list[LoggedModelOutput] = []
