"""Operations that bring experiments, runs and models in from elsewhere, as they were there.

Unlike those that a program logs with, these keep ids, times, life-cycle stages and whole histories, and take many
things at once. All of them may be sent again: what is there already is recognised, and is left as it is where it says
something else, unless ``overwrite`` asks for the new word.
"""

from __future__ import annotations

import hashlib
import sys
from array import array

import msgspec

from millstream.entities import Experiment, LoggedModel, Run
from millstream.entities.base import Int64
from millstream.entities.model_registry import ModelVersion, RegisteredModel
from millstream.operations.table import Answer, Needs, Operation, Permission, operation

_ADMIN = Needs(Permission.ADMIN)


class ImportedExperiment(msgspec.Struct, frozen=True, omit_defaults=True):
    """An experiment as it was; an empty ``artifact_location`` asks for one of this store.

    ``deleted_time`` is in milliseconds since the epoch, and counts where the life-cycle stage is ``deleted``.
    """

    experiment: Experiment
    deleted_time: Int64 | None = None


class ImportedRun(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run as it was: facts, parameters, tags, inputs and outputs; its metrics come as series.

    ``experiment_id`` is the one it has in this store. Without an ``artifact_uri`` it gets a root of this store.
    """

    run: Run
    deleted_time: Int64 | None = None


class ImportedSeries(msgspec.Struct, frozen=True, omit_defaults=True):
    """Points of one metric of one run as parallel lists; times in milliseconds since the epoch."""

    run_id: str
    key: str
    steps: list[Int64]
    timestamps: list[Int64]
    values: list[float]


class ImportedLoggedModel(msgspec.Struct, frozen=True, omit_defaults=True):
    """A logged model as it was; an empty ``artifact_uri`` asks for a root of this store."""

    model: LoggedModel
    deleted_time: Int64 | None = None


class ImportedModelVersion(msgspec.Struct, frozen=True, omit_defaults=True):
    """A version as it was. ``location`` is where its files are now; unless given, what its source means here."""

    version: ModelVersion
    location: str | None = None


class ImportedRegisteredModel(msgspec.Struct, frozen=True, omit_defaults=True):
    """A registered model as it was, with some of its versions; what it says of its latest versions does not count.

    ``last_version`` is the greatest number that a version of it has had, so that none is given again.
    """

    model: RegisteredModel
    versions: list[ImportedModelVersion] = []
    last_version: Int64 = 0


class Placed(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where something that was sent now is: the id it came with, the id it has, the root of its files."""

    sent_id: str
    id: str
    artifact_uri: str
    created: bool


class PlacedAnswer(Answer, frozen=True):
    """One entry for each thing sent, in its order."""

    placed: list[Placed] = []


class SeriesDigest(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the history of a metric amounts to; see :func:`series_digest`."""

    run_id: str
    key: str
    points: int
    digest: str


class SeriesDigests(Answer, frozen=True):
    """The digests of every metric of some runs."""

    series: list[SeriesDigest] = []


class StoredRun(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run that is there."""

    run: Run
    deleted_time: int | None = None


class StoredModel(msgspec.Struct, frozen=True, omit_defaults=True):
    """A logged model that is there, in the trash or not."""

    model: LoggedModel
    deleted_time: int | None = None


class StoredAnswer(Answer, frozen=True):
    """Those of the things asked for that are there."""

    runs: list[StoredRun] = []
    models: list[StoredModel] = []


@operation("POST", "/v1/import/experiments", _ADMIN, answer=PlacedAnswer)
class ImportExperiments(Operation[PlacedAnswer], frozen=True):
    """Bring in experiments with their ids, times, tags and life-cycle stages; all or nothing.

    An experiment whose name is taken becomes part of the one that has it, whose own words stay. One whose id is
    taken by another name gets a new id.
    """

    experiments: list[ImportedExperiment] = []


@operation("POST", "/v1/import/runs", _ADMIN, answer=PlacedAnswer)
class ImportRuns(Operation[PlacedAnswer], frozen=True):
    """Bring in runs with their ids, times, life-cycle stages, parameters, tags, inputs and outputs; all or nothing.

    A run that is there and not over takes the facts that are sent; of one that is over, what is missing is added.
    ``overwrite`` replaces facts, parameters and tags that differ.
    """

    runs: list[ImportedRun] = []
    overwrite: bool = False


@operation("POST", "/v1/import/metrics", _ADMIN)
class ImportMetrics(Operation[None], frozen=True):
    """Bring in points of metrics of runs that are there, deleted or not; all or nothing."""

    series: list[ImportedSeries] = []


@operation("POST", "/v1/import/logged-models", _ADMIN, answer=PlacedAnswer)
class ImportLoggedModels(Operation[PlacedAnswer], frozen=True):
    """Bring in logged models with their ids, times, status, parameters, tags and metrics; all or nothing."""

    models: list[ImportedLoggedModel] = []
    overwrite: bool = False


@operation("POST", "/v1/import/registered-models", _ADMIN)
class ImportRegisteredModels(Operation[None], frozen=True):
    """Bring in registered models with their versions, stages, aliases, tags and times; all or nothing.

    Numbers of versions stay. Rules are not asked: what is here after an import is what was there. A version that is
    here stays as it is; with ``overwrite`` it takes the stage, the description and the tags that are sent.
    """

    models: list[ImportedRegisteredModel] = []
    overwrite: bool = False


@operation("POST", "/v1/import/stored", _ADMIN, answer=StoredAnswer, writes=False)
class ReadStored(Operation[StoredAnswer], frozen=True):
    """Read runs and logged models by id, in the trash or not; unknown ids are left out."""

    run_ids: list[str] = []
    model_ids: list[str] = []


@operation("POST", "/v1/import/digests", _ADMIN, answer=SeriesDigests, writes=False)
class DigestSeries(Operation[SeriesDigests], frozen=True):
    """Count and digest the whole history of every metric of some runs, so that two stores can be compared."""

    run_ids: list[str] = []


def series_digest(steps: array[int], timestamps: array[int], values: array[float]) -> str:
    """A digest of a history: arrays of types ``q``, ``q`` and ``d``, in the order of step, timestamp, value, NaN
    before the numbers of its step and time. Zero has no sign, and NaN is Python's own.
    """
    made = hashlib.blake2b(digest_size=16)
    for column in (steps, timestamps, values):
        if sys.byteorder != "little":
            column = column[:]
            column.byteswap()
        made.update(column)
    return made.hexdigest()
