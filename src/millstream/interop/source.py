"""The source contract: what an import reads, wherever it lies."""

from __future__ import annotations

import abc
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from msgspec.structs import replace

from millstream.artifacts.contract import ArtifactStore
from millstream.entities.model_registry import RegisteredModel
from millstream.operations.imports import (
    ImportedExperiment,
    ImportedLoggedModel,
    ImportedRegisteredModel,
    ImportedRun,
    series_digest,
)

# MLflow's databases keep an infinity as the greatest number of its sign, as not every database has infinities.
GREATEST = 1.7976931348623157e308
# Addresses that name a run or a model, and no place.
NAMED = ("runs:", "models:")
RUN_NAME_TAG = "mlflow.runName"
BATCH = 200

Point = tuple[int, int, float]  # step, timestamp, value


@dataclass
class Series:
    """The whole history of one metric of one run, in order (see :func:`series_digest`), each point once."""

    run_id: str
    key: str
    steps: array[int] = field(default_factory=lambda: array("q"))
    timestamps: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def digest(self) -> str:
        """What the destination answers for the same history."""
        return series_digest(self.steps, self.timestamps, self.values)

    @classmethod
    def of(cls, run_id: str, key: str, points: Iterable[Point]) -> Series:
        """The history that these points make, in any order, some of them twice."""
        # NaN differs from itself: as (False, 0.0) two of one step and time are one point, and stand before numbers.
        unique = {(step, timestamp, value == value, value + 0.0 if value == value else 0.0)
                  for step, timestamp, value in points}
        made = cls(run_id, key)
        if unique:
            steps, timestamps, numbers, values = zip(*sorted(unique), strict=True)
            made.extend(steps, timestamps, [
                value if number else math.nan for number, value in zip(numbers, values, strict=True)
            ])
        return made

    def extend(self, steps: Iterable[int], timestamps: Iterable[int], values: Iterable[float]) -> None:
        """Add points that come after those that are there."""
        self.steps.extend(steps)
        self.timestamps.extend(timestamps)
        self.values.extend(values)

    def points(self) -> list[Point]:
        """The points, one by one."""
        return list(zip(self.steps, self.timestamps, self.values, strict=True))


S = TypeVar("S", bound="Source")


class Source(abc.ABC):
    """What an import reads. Reading leaves the source as it is, and may go on while others write to it.

    Entities carry the ids of the source; addresses of artifacts are absolute, as far as the source can tell.
    ``notes`` tells in a line each what was left out, and why.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []

    @property
    @abc.abstractmethod
    def title(self) -> str:
        """What to call it before people: no passwords."""

    @abc.abstractmethod
    def experiments(self) -> list[ImportedExperiment]:
        """Every experiment, deleted ones included."""

    @abc.abstractmethod
    def count_runs(self) -> int | None:
        """How many runs there are; None where that costs as much as reading them."""

    @abc.abstractmethod
    def batches(self, experiment: ImportedExperiment) -> Iterator[list[ImportedRun]]:
        """The runs of an experiment, deleted ones included, some at a time, in the same order at each call."""

    @abc.abstractmethod
    def series(self, runs: Sequence[ImportedRun]) -> Iterator[Series]:
        """The metrics of some runs of one batch, whole, the metrics of a run one after the other."""

    @abc.abstractmethod
    def logged_models(self, experiment: ImportedExperiment) -> list[ImportedLoggedModel]:
        """The logged models of an experiment, as far as the source shows them."""

    def registered_models(self) -> Iterator[ImportedRegisteredModel]:
        """The registered models with their versions, as far as the source shows them; ``location`` is the place there.

        A model that comes more than once brings further versions each time.
        """
        yield from ()

    def root_of_run(self, run_id: str) -> str | None:
        """Where the files of a run are; None for a run that is not there."""
        return None

    def root_of_model(self, model_id: str) -> str | None:
        """Where the files of a logged model are; None for one that is not there."""
        return None

    def open_root(self, uri: str) -> ArtifactStore:
        """The files of a run or logged model, by the address that the source gives for them."""
        from millstream.artifacts.uris import artifact_store

        return artifact_store(uri)

    @abc.abstractmethod
    def close(self) -> None:
        """Release what was opened."""

    def __enter__(self: S) -> S:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_prompt(model: RegisteredModel) -> bool:
    """Whether it is a text for language models, which MLflow keeps among the registered models."""
    return model.tags.get("mlflow.prompt.is_prompt", "").lower() == "true"


def left_behind(count: int, what: str) -> str:
    """The note that so many things of the source are of a kind that an import does not carry."""
    return f"not imported, as an import does not carry them: {count:,} {what}{'' if count == 1 else 's'}"


def settle(run: ImportedRun, experiment: ImportedExperiment) -> ImportedRun:
    """The run as its experiment's stage demands: MLflow 1 leaves the runs of a deleted experiment active."""
    if experiment.experiment.lifecycle_stage != "deleted" or run.run.info.lifecycle_stage == "deleted":
        return run
    info = replace(run.run.info, lifecycle_stage="deleted")
    return ImportedRun(replace(run.run, info=info), experiment.deleted_time)
