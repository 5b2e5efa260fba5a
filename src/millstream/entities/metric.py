"""Metrics, parameters and tags: the small facts of a run."""

from __future__ import annotations

from millstream.entities.base import Entity, Int64


class Metric(Entity, frozen=True):
    """One point of a metric. ``timestamp`` is in milliseconds since the epoch; ``value`` may be NaN or infinite."""

    key: str
    value: float
    timestamp: Int64
    step: Int64
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None
    run_id: str | None = None


class MetricWithRunId(Entity, frozen=True):
    """A point of a metric with the run it belongs to, as histories of several runs hold it."""

    key: str
    value: float
    timestamp: Int64
    step: Int64
    run_id: str


class Param(Entity, frozen=True):
    """A parameter of a run: text, written once."""

    key: str
    value: str


class Tag(Entity, frozen=True):
    """A tag: text that may be changed and removed."""

    key: str
    value: str


class RunTag(Tag, frozen=True):
    """A tag of a run."""


class ExperimentTag(Tag, frozen=True):
    """A tag of an experiment."""


class InputTag(Tag, frozen=True):
    """A tag of a dataset used by a run, such as its context ("training")."""
