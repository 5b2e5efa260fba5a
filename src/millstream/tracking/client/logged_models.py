"""The client's calls on logged models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from millstream.entities import (
    FileInfo,
    LoggedModel,
    LoggedModelParameter,
    LoggedModelStatus,
    LoggedModelTag,
    PagedList,
)
from millstream.errors import InvalidValue
from millstream.operations import (
    CreateLoggedModel,
    DatasetFilter,
    DeleteLoggedModel,
    DeleteLoggedModelTag,
    FinalizeLoggedModel,
    GetLoggedModel,
    LogLoggedModelParams,
    OrderBy,
    RestoreLoggedModel,
    SearchLoggedModels,
    SetLoggedModelTags,
)
from millstream.tracking.client.base import Calls
from millstream.tracking.client.values import listed

if TYPE_CHECKING:
    import os

    from millstream.artifacts.contract import ArtifactStore


class LoggedModelCalls(Calls):
    """Logged models: the files of a model with parameters, tags and metrics of their own."""

    def create_logged_model(
        self, experiment_id: str, name: str | None = None, source_run_id: str | None = None,
        tags: dict[str, str] | None = None, params: dict[str, str] | None = None, model_type: str | None = None,
    ) -> LoggedModel:
        """Create a logged model whose files are still to come; without a name it gets a readable one."""
        return self._execute(CreateLoggedModel(
            str(experiment_id), name, model_type, source_run_id,
            [LoggedModelParameter(key, str(value)) for key, value in (params or {}).items()],
            [LoggedModelTag(key, str(value)) for key, value in (tags or {}).items()],
        )).model

    def finalize_logged_model(
        self, model_id: str, status: Literal["READY", "FAILED"] | LoggedModelStatus
    ) -> LoggedModel:
        """Say that the files of a logged model are complete (READY), or that they could not be written (FAILED)."""
        try:
            word = LoggedModelStatus.from_wire(str(status))
        except KeyError:
            raise InvalidValue.of("status", str(status), "it is neither READY nor FAILED") from None
        return self._execute(FinalizeLoggedModel(model_id, word.wire)).model

    def get_logged_model(self, model_id: str) -> LoggedModel:
        """The logged model. Raises LoggedModelNotFound, also for a deleted one."""
        return self._execute(GetLoggedModel(_checked_id(model_id))).model

    def delete_logged_model(self, model_id: str) -> None:
        """Move a logged model to the trash."""
        self._execute(DeleteLoggedModel(_checked_id(model_id)))

    def restore_logged_model(self, model_id: str) -> None:
        """Take a logged model out of the trash. Beyond MLflow."""
        self._execute(RestoreLoggedModel(_checked_id(model_id)))

    def search_logged_models(
        self, experiment_ids: list[str], filter_string: str | None = None, datasets: list[dict[str, Any]] | None = None,
        max_results: int | None = None, order_by: list[dict[str, Any]] | None = None, page_token: str | None = None,
    ) -> PagedList[LoggedModel]:
        """A page of the logged models that match; its ``token`` asks for the next.

        ``datasets`` limits metrics to those measured on ``{"dataset_name": …, "dataset_digest": …}``; ``order_by`` is a
        list of ``{"field_name": …, "ascending": …, "dataset_name": …, "dataset_digest": …}``.
        """
        page = self._execute(SearchLoggedModels(
            listed(experiment_ids, "experiment_ids"), filter_string or None,
            [_struct(DatasetFilter, one, "datasets", "dataset_name") for one in datasets or ()],
            100 if max_results is None else max_results,
            [_struct(OrderBy, one, "order_by", "field_name") for one in order_by or ()], page_token,
        ))
        return PagedList(page.models, page.next_page_token)

    def log_model_params(self, model_id: str, params: dict[str, str]) -> None:
        """Log parameters of a logged model; once logged they keep their value."""
        self._execute(LogLoggedModelParams(
            _checked_id(model_id), [LoggedModelParameter(key, str(value)) for key, value in params.items()]
        ))

    def set_logged_model_tags(self, model_id: str, tags: dict[str, Any]) -> None:
        """Set tags of a logged model."""
        self._execute(SetLoggedModelTags(
            _checked_id(model_id), [LoggedModelTag(key, str(value)) for key, value in tags.items()]
        ))

    def delete_logged_model_tag(self, model_id: str, key: str) -> None:
        """Remove a tag of a logged model. Raises NotFound when it has none of this key."""
        self._execute(DeleteLoggedModelTag(_checked_id(model_id), key))

    def log_model_artifact(
        self, model_id: str, local_path: str | os.PathLike[str], artifact_path: str | None = None
    ) -> None:
        """Store a local file (or folder) under its own name in the folder ``artifact_path`` of a logged model."""
        self._model_artifacts(model_id).log_artifact(str(local_path), artifact_path)

    def log_model_artifacts(
        self, model_id: str, local_dir: str | os.PathLike[str], artifact_path: str | None = None
    ) -> None:
        """Store everything below a local folder in the folder ``artifact_path`` of a logged model."""
        self._model_artifacts(model_id).log_artifacts(str(local_dir), artifact_path)

    def list_logged_model_artifacts(self, model_id: str, path: str | None = None) -> list[FileInfo]:
        """The files and folders of a logged model directly under ``path``."""
        return self._model_artifacts(model_id).list(path or "")

    def _model_artifacts(self, model_id: str) -> ArtifactStore:
        from millstream.tracking.files import artifacts_at

        return artifacts_at(self.get_logged_model(model_id).artifact_location, self._tracking_uri)


def _checked_id(model_id: Any) -> str:
    if not isinstance(model_id, str) or not model_id:
        raise InvalidValue.of("model_id", model_id, "the id of a logged model is text, such as m-0123…")
    return model_id


def _struct(kind: Any, given: Any, field: str, required: str) -> Any:
    """One of ``datasets`` or ``order_by``, from the dictionary that users write."""
    if isinstance(given, kind):
        return given
    if not isinstance(given, dict):
        raise InvalidValue.of(field, given, f"a list of dictionaries with {required!r} is expected")
    if not given.get(required):
        raise InvalidValue.of(field, given, f"`{required}` must be specified in each of them")
    unknown = set(given) - set(kind.__struct_fields__)
    if unknown:
        raise InvalidValue.of(field, given, f"{', '.join(sorted(unknown))} is not known here",
                              hint="known are " + ", ".join(kind.__struct_fields__))
    return kind(**given)
