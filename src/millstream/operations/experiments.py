"""Operations on experiments."""

from __future__ import annotations

import msgspec

from millstream.entities import DatasetSummary, Experiment, ExperimentTag
from millstream.entities.base import Int64
from millstream.operations.table import Answer, Needs, Operation, Permission, Resource, operation

_CREATE = Needs(Permission.EDIT)
_SEARCH = Needs(Permission.READ, Resource.EXPERIMENT, filtered=True)


def _needs(permission: Permission) -> Needs:
    return Needs(permission, Resource.EXPERIMENT, "experiment_id")


class ExperimentCreated(Answer, frozen=True):
    """The id of the new experiment."""

    experiment_id: str


class ExperimentAnswer(Answer, frozen=True):
    """One experiment."""

    experiment: Experiment


class ExperimentPage(Answer, frozen=True):
    """A page of experiments; ``next_page_token`` is unset on the last."""

    experiments: list[Experiment] = []
    next_page_token: str | None = None


class DatasetSummaries(Answer, frozen=True):
    """The datasets that the runs of some experiments have used."""

    dataset_summaries: list[DatasetSummary] = []


@operation("POST", "/2.0/mlflow/experiments/create", _CREATE, answer=ExperimentCreated, repeatable=False)
class CreateExperiment(Operation[ExperimentCreated], frozen=True):
    """Create an experiment with a name that no other has, deleted ones included."""

    name: str
    artifact_location: str | None = None
    tags: list[ExperimentTag] = []


@operation("POST GET", "/2.0/mlflow/experiments/search", _SEARCH, answer=ExperimentPage, writes=False)
class SearchExperiments(Operation[ExperimentPage], frozen=True):
    """Find experiments by filter, in an order, page by page."""

    # MLflow's servers ask for it, so it is sent even when it is the default.
    max_results: Int64 = msgspec.field(default_factory=lambda: 1000)
    page_token: str | None = None
    filter: str | None = None
    order_by: list[str] = []
    view_type: str = "ACTIVE_ONLY"


@operation("GET", "/2.0/mlflow/experiments/get", _needs(Permission.READ), answer=ExperimentAnswer)
class GetExperiment(Operation[ExperimentAnswer], frozen=True):
    """Read one experiment, deleted or not, by id."""

    experiment_id: str


@operation(
    "GET",
    "/2.0/mlflow/experiments/get-by-name",
    Needs(Permission.READ, Resource.EXPERIMENT, "experiment_name"),
    answer=ExperimentAnswer,
)
class GetExperimentByName(Operation[ExperimentAnswer], frozen=True):
    """Read one experiment, deleted or not, by name."""

    experiment_name: str


@operation("POST", "/2.0/mlflow/experiments/delete", _needs(Permission.MANAGE))
class DeleteExperiment(Operation[None], frozen=True):
    """Move an experiment and its runs to the trash."""

    experiment_id: str


@operation("POST", "/2.0/mlflow/experiments/restore", _needs(Permission.MANAGE))
class RestoreExperiment(Operation[None], frozen=True):
    """Take an experiment, and the runs deleted with it, out of the trash."""

    experiment_id: str


@operation("POST", "/2.0/mlflow/experiments/update", _needs(Permission.EDIT))
class UpdateExperiment(Operation[None], frozen=True):
    """Rename an active experiment."""

    experiment_id: str
    new_name: str | None = None


@operation("POST", "/2.0/mlflow/experiments/set-experiment-tag", _needs(Permission.EDIT))
class SetExperimentTag(Operation[None], frozen=True):
    """Set a tag of an experiment."""

    experiment_id: str
    key: str
    value: str = ""


@operation("POST", "/2.0/mlflow/experiments/delete-experiment-tag", _needs(Permission.EDIT))
class DeleteExperimentTag(Operation[None], frozen=True):
    """Remove a tag of an experiment."""

    experiment_id: str
    key: str


@operation(
    "POST",
    "/2.0/mlflow/experiments/search-datasets",
    Needs(Permission.READ, Resource.EXPERIMENT, "experiment_ids"),
    answer=DatasetSummaries,
    writes=False,
)
class SearchDatasets(Operation[DatasetSummaries], frozen=True):
    """List the datasets that the runs of some experiments have used, newest first, at most 1,000."""

    experiment_ids: list[str]
