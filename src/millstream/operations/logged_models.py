"""Operations on logged models."""

from __future__ import annotations

import msgspec

from millstream.entities import LoggedModel, LoggedModelParameter, LoggedModelTag
from millstream.entities.base import Int64
from millstream.operations.table import Answer, Needs, Operation, Permission, Resource, operation

_PATH = "/2.0/mlflow/logged-models"


def _needs(permission: Permission) -> Needs:
    return Needs(permission, Resource.LOGGED_MODEL, "model_id")


class LoggedModelAnswer(Answer, frozen=True):
    """One logged model."""

    model: LoggedModel


class LoggedModelPage(Answer, frozen=True):
    """A page of logged models; ``next_page_token`` is unset on the last."""

    models: list[LoggedModel] = []
    next_page_token: str | None = None


class DatasetFilter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Metrics count only where they were measured on this dataset."""

    dataset_name: str
    dataset_digest: str | None = None


class OrderBy(msgspec.Struct, frozen=True, omit_defaults=True):
    """One key of the order of a search, optionally a metric measured on one dataset."""

    field_name: str
    ascending: bool = True
    dataset_name: str | None = None
    dataset_digest: str | None = None


@operation(
    "POST",
    _PATH,
    Needs(Permission.EDIT, Resource.EXPERIMENT, "experiment_id"),
    answer=LoggedModelAnswer,
    repeatable=False,
)
class CreateLoggedModel(Operation[LoggedModelAnswer], frozen=True):
    """Create a logged model whose files are still to come. Without a name it gets a readable one."""

    experiment_id: str
    name: str | None = None
    model_type: str | None = None
    source_run_id: str | None = None
    params: list[LoggedModelParameter] = []
    tags: list[LoggedModelTag] = []


@operation(
    "POST",
    f"{_PATH}/search",
    Needs(Permission.READ, Resource.EXPERIMENT, "experiment_ids", filtered=True),
    answer=LoggedModelPage,
    writes=False,
)
class SearchLoggedModels(Operation[LoggedModelPage], frozen=True):
    """Find logged models by filter and datasets, in an order, page by page."""

    experiment_ids: list[str] = []
    filter: str | None = None
    datasets: list[DatasetFilter] = []
    max_results: Int64 = 100
    order_by: list[OrderBy] = []
    page_token: str | None = None


@operation("GET", f"{_PATH}/{{model_id}}", _needs(Permission.READ), answer=LoggedModelAnswer)
class GetLoggedModel(Operation[LoggedModelAnswer], frozen=True):
    """Read one logged model that is not deleted."""

    model_id: str


@operation("PATCH", f"{_PATH}/{{model_id}}", _needs(Permission.EDIT), answer=LoggedModelAnswer)
class FinalizeLoggedModel(Operation[LoggedModelAnswer], frozen=True):
    """Say that the files of a logged model are complete, or that they failed."""

    model_id: str
    status: str


@operation("DELETE", f"{_PATH}/{{model_id}}", _needs(Permission.EDIT))
class DeleteLoggedModel(Operation[None], frozen=True):
    """Move a logged model to the trash."""

    model_id: str


@operation("POST", "/v1/logged-models/restore", _needs(Permission.EDIT))
class RestoreLoggedModel(Operation[None], frozen=True):
    """Take a logged model out of the trash."""

    model_id: str


@operation("POST", f"{_PATH}/{{model_id}}/params", _needs(Permission.EDIT))
class LogLoggedModelParams(Operation[None], frozen=True):
    """Log parameters of a logged model."""

    model_id: str
    params: list[LoggedModelParameter] = []


@operation("PATCH", f"{_PATH}/{{model_id}}/tags", _needs(Permission.EDIT))
class SetLoggedModelTags(Operation[None], frozen=True):
    """Set tags of a logged model."""

    model_id: str
    tags: list[LoggedModelTag] = []


@operation("DELETE", f"{_PATH}/{{model_id}}/tags/{{tag_key}}", _needs(Permission.EDIT))
class DeleteLoggedModelTag(Operation[None], frozen=True):
    """Remove a tag of a logged model."""

    model_id: str
    tag_key: str
