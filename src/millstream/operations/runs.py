"""Operations on runs: their life, what they log, and how they are found."""

from __future__ import annotations

import msgspec

from millstream.entities import DatasetInput, LoggedModelInput, LoggedModelOutput, Metric, Param, Run, RunInfo, RunTag
from millstream.entities.base import Int64
from millstream.operations.table import Answer, Needs, Operation, Permission, Resource, operation

# A batch of metrics is small text; MLflow's servers refuse bodies beyond this many bytes, and so do we.
BATCH_BYTES = 1_000_000


def _needs(permission: Permission) -> Needs:
    return Needs(permission, Resource.RUN, "run_id")


class RunAnswer(Answer, frozen=True):
    """One run."""

    run: Run


class RunInfoAnswer(Answer, frozen=True):
    """The facts of one run."""

    run_info: RunInfo


class RunPage(Answer, frozen=True):
    """A page of runs; ``next_page_token`` is unset on the last."""

    runs: list[Run] = []
    next_page_token: str | None = None


class Moved(Answer, frozen=True):
    """How many runs were moved."""

    moved: int


@operation(
    "POST",
    "/2.0/mlflow/runs/create",
    Needs(Permission.EDIT, Resource.EXPERIMENT, "experiment_id"),
    answer=RunAnswer,
    repeatable=False,
)
class CreateRun(Operation[RunAnswer], frozen=True):
    """Start a run in an active experiment. ``start_time`` is in milliseconds since the epoch."""

    # Made by a function, so that it is sent: MLflow's servers have no default here.
    experiment_id: str = msgspec.field(default_factory=lambda: "0")
    user_id: str | None = None
    run_name: str | None = None
    start_time: Int64 | None = None
    tags: list[RunTag] = []


@operation("POST", "/2.0/mlflow/runs/update", _needs(Permission.EDIT), answer=RunInfoAnswer)
class UpdateRun(Operation[RunInfoAnswer], frozen=True):
    """Change the status, end time (milliseconds since the epoch) or name of an active run."""

    run_id: str
    status: str | None = None
    end_time: Int64 | None = None
    run_name: str | None = None


@operation("POST", "/2.0/mlflow/runs/delete", _needs(Permission.EDIT))
class DeleteRun(Operation[None], frozen=True):
    """Move a run to the trash."""

    run_id: str


@operation("POST", "/2.0/mlflow/runs/restore", _needs(Permission.EDIT))
class RestoreRun(Operation[None], frozen=True):
    """Take a run out of the trash."""

    run_id: str


@operation("GET", "/2.0/mlflow/runs/get", _needs(Permission.READ), answer=RunAnswer)
class GetRun(Operation[RunAnswer], frozen=True):
    """Read one run, deleted or not."""

    run_id: str


@operation(
    "POST",
    "/2.0/mlflow/runs/search",
    Needs(Permission.READ, Resource.EXPERIMENT, "experiment_ids", filtered=True),
    answer=RunPage,
    writes=False,
)
class SearchRuns(Operation[RunPage], frozen=True):
    """Find runs by filter, in an order, page by page.

    ``metrics``, ``params`` and ``tags`` limit what is read of each run to these keys (ours; unset means everything,
    an empty list nothing).
    """

    experiment_ids: list[str] = []
    filter: str | None = None
    run_view_type: str = "ACTIVE_ONLY"
    max_results: Int64 = 1000
    order_by: list[str] = []
    page_token: str | None = None
    metrics: list[str] | None = None
    params: list[str] | None = None
    tags: list[str] | None = None


@operation("POST", "/2.0/mlflow/runs/log-metric", _needs(Permission.EDIT))
class LogMetric(Operation[None], frozen=True):
    """Log one point of a metric. ``timestamp`` is in milliseconds since the epoch."""

    run_id: str
    key: str
    value: float
    timestamp: Int64
    step: Int64 = 0
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


@operation("POST", "/2.0/mlflow/runs/log-parameter", _needs(Permission.EDIT))
class LogParam(Operation[None], frozen=True):
    """Log a parameter; once logged it keeps its value."""

    run_id: str
    key: str
    value: str = ""


@operation("POST", "/2.0/mlflow/runs/set-tag", _needs(Permission.EDIT))
class SetTag(Operation[None], frozen=True):
    """Set a tag of a run."""

    run_id: str
    key: str
    value: str = ""


@operation("POST", "/2.0/mlflow/runs/delete-tag", _needs(Permission.EDIT))
class DeleteTag(Operation[None], frozen=True):
    """Remove a tag of a run."""

    run_id: str
    key: str


@operation("POST", "/2.0/mlflow/runs/log-batch", _needs(Permission.EDIT), max_body=BATCH_BYTES)
class LogBatch(Operation[None], frozen=True):
    """Log metrics, parameters and tags of one run, all or nothing."""

    run_id: str
    metrics: list[Metric] = []
    params: list[Param] = []
    tags: list[RunTag] = []


@operation("POST", "/2.0/mlflow/runs/log-model", _needs(Permission.EDIT), repeatable=False)
class LogModel(Operation[None], frozen=True):
    """Note a model written by a client older than MLflow 3: ``model_json`` is its MLmodel as JSON text."""

    run_id: str
    model_json: str


@operation("POST", "/2.0/mlflow/runs/log-inputs", _needs(Permission.EDIT))
class LogInputs(Operation[None], frozen=True):
    """Note the datasets and models that a run has read."""

    run_id: str
    datasets: list[DatasetInput] = []
    models: list[LoggedModelInput] = []


@operation("POST", "/2.0/mlflow/runs/outputs", _needs(Permission.EDIT))
class LogOutputs(Operation[None], frozen=True):
    """Note the models that a run has made."""

    run_id: str
    models: list[LoggedModelOutput] = []


@operation("POST", "/v1/runs/beat", _needs(Permission.EDIT))
class BeatRun(Operation[None], frozen=True):
    """Say that the process of a run is alive; without a new beat within ``seconds`` the run counts as died.

    ``seconds`` 0 ends the lease without ending the run.
    """

    run_id: str
    seconds: float


@operation("POST", "/v1/runs/move", Needs(Permission.EDIT, Resource.RUN, "run_ids"), answer=Moved)
class MoveRuns(Operation[Moved], frozen=True):
    """Move runs, with all they hold, to another active experiment; all or nothing. Artifacts stay where they lie."""

    run_ids: list[str]
    experiment_id: str
