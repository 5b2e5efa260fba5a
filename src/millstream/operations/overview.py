"""What the pages of the web UI ask to find their way: experiments at a glance, search everywhere, trash, changes."""

from __future__ import annotations

import msgspec

from millstream.entities import ExperimentTag
from millstream.entities.base import Int64
from millstream.entities.model_registry import RegisteredModelAlias, RegisteredModelTag
from millstream.operations.table import Answer, Needs, Operation, Permission, Resource, operation

_FILTERED = Needs(Permission.READ, Resource.EXPERIMENT, filtered=True)
_MODELS = Needs(Permission.READ, Resource.REGISTERED_MODEL, filtered=True)


class BestRun(msgspec.Struct, frozen=True, omit_defaults=True):
    """The best last value of a metric among the runs of an experiment; ``goal`` is min or max.

    ``pinned`` says that somebody chose this metric, otherwise it is the likeliest of the newest run.
    """

    metric: str
    goal: str
    value: float
    run_id: str
    pinned: bool = False


class ExperimentSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """An experiment at a glance. ``started`` counts the runs started on each of the last 30 days (UTC), today last.

    Times are in milliseconds since the epoch. Runs in the trash do not count.
    """

    experiment_id: str
    name: str
    lifecycle_stage: str
    runs: int
    running: int
    last_activity: int
    creation_time: int
    last_update_time: int
    owner: str | None = None
    best: BestRun | None = None
    started: list[int] = []
    tags: list[ExperimentTag] = []


class ExperimentOverview(Answer, frozen=True):
    """A window of the table of experiments, of ``total``."""

    total: int
    experiments: list[ExperimentSummary] = []


class KeyMetric(msgspec.Struct, frozen=True, omit_defaults=True):
    """The last value of a metric of the run that made ``version``, and of the run of the version before it.

    It is the first pinned in the run's experiment, or else the likeliest of the run; ``goal`` is min or max.
    """

    metric: str
    goal: str
    value: float
    version: str
    before: float | None = None
    version_before: str | None = None


class ModelSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """A registered model at a glance; ``latest`` is its newest version. Times are in milliseconds since the epoch."""

    name: str
    versions: int
    creation_timestamp: int
    last_updated_timestamp: int
    description: str | None = None
    latest: str | None = None
    aliases: list[RegisteredModelAlias] = []
    tags: list[RegisteredModelTag] = []
    metric: KeyMetric | None = None


class ModelOverview(Answer, frozen=True):
    """A window of the table of registered models, of ``total``."""

    total: int
    models: list[ModelSummary] = []


class Found(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something whose name or id fits: ``kind`` is experiment, run or registered_model."""

    kind: str
    id: str
    name: str
    experiment_id: str | None = None
    time: int | None = None


class FoundAnswer(Answer, frozen=True):
    """What fits best first, of each kind."""

    found: list[Found] = []


class Discarded(msgspec.Struct, frozen=True, omit_defaults=True):
    """An experiment or a run in the trash. ``runs`` is how many of an experiment lie there with it."""

    kind: str
    id: str
    name: str
    deleted_time: int
    experiment_id: str
    experiment_name: str
    runs: int = 0


class Trash(Answer, frozen=True):
    """A window of the trash, what was deleted last first, and how much there is in all."""

    experiments: int
    runs: int
    items: list[Discarded] = []


class Changed(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something has changed: ``kind`` is experiment, run, registered_model, …; ``id`` its id or name."""

    kind: str
    id: str
    experiment_id: str | None = None


class ChangePage(Answer, frozen=True):
    """What has changed after ``since``, each once. ``reset`` says that this is too long ago to tell: read all anew."""

    seq: int
    reset: bool = False
    changes: list[Changed] = []


@operation("POST GET", "/v1/experiments/overview", _FILTERED, answer=ExperimentOverview, writes=False)
class OverviewExperiments(Operation[ExperimentOverview], frozen=True):
    """Read experiments at a glance.

    ``order_by`` is one of last_activity, name, runs, running, creation_time, with ASC or DESC behind it; ``text`` is
    looked for in names, ids and tags; ``filter`` is in the language of searches.
    """

    text: str | None = None
    filter: str | None = None
    view_type: str = "ACTIVE_ONLY"
    order_by: str = "last_activity DESC"
    offset: Int64 = 0
    limit: Int64 = 200


@operation("POST GET", "/v1/registered-models/overview", _MODELS, answer=ModelOverview, writes=False)
class OverviewModels(Operation[ModelOverview], frozen=True):
    """Read registered models at a glance; prompts are none.

    ``order_by`` is one of name, versions, last_updated_timestamp, creation_timestamp, with ASC or DESC behind it;
    ``text`` is looked for in names, ``filter`` is in the language of searches.
    """

    text: str | None = None
    filter: str | None = None
    order_by: str = "last_updated_timestamp DESC"
    offset: Int64 = 0
    limit: Int64 = 200


@operation("GET", "/v1/find", _FILTERED, answer=FoundAnswer)
class FindByName(Operation[FoundAnswer], frozen=True):
    """Find experiments, runs and registered models whose name holds a text, or whose id begins with it."""

    text: str
    limit: Int64 = 10


@operation("GET", "/v1/trash", _FILTERED, answer=Trash)
class ListTrash(Operation[Trash], frozen=True):
    """List deleted experiments and runs; runs that were deleted with their experiment are counted with it.

    ``kind`` is experiment or run for one of them.
    """

    kind: str | None = None
    text: str | None = None
    offset: Int64 = 0
    limit: Int64 = 200


@operation("GET", "/v1/changes", _FILTERED, answer=ChangePage)
class ListChanges(Operation[ChangePage], frozen=True):
    """List what has changed after ``since``, a number that an answer gave; without it, only the present number.

    ``experiment_ids`` limits the answer to runs of these experiments and these experiments themselves.
    """

    since: Int64 | None = None
    experiment_ids: list[str] = []
