"""Logged models from the running program: created, filled, found, and made the active one."""

from __future__ import annotations

import logging
import os
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from millstream import settings
from millstream.entities import LoggedModel, LoggedModelStatus
from millstream.errors import ArtifactNotFound, InvalidValue
from millstream.tracking import context, stores
from millstream.tracking.active import active_model_id, local
from millstream.tracking.client import MlflowClient
from millstream.tracking.client.values import listed
from millstream.tracking.experiments import experiment_of_new_runs
from millstream.tracking.extras import pandas
from millstream.tracking.tags import MLFLOW_MODEL_IS_EXTERNAL

if TYPE_CHECKING:
    from pandas import DataFrame

logger = logging.getLogger("millstream")


def initialize_logged_model(
    name: str | None = None, source_run_id: str | None = None, tags: dict[str, str] | None = None,
    params: dict[str, str] | None = None, model_type: str | None = None, experiment_id: str | None = None,
) -> LoggedModel:
    """Create a logged model (PENDING) whose files are to follow, made by the active run unless another is named.

    Without a name it gets a readable one; without an experiment it belongs to that of the active run, or of new runs.
    """
    client, run_id, experiment = _place(source_run_id, experiment_id)
    made = client.create_logged_model(
        experiment, name, run_id, {**_origin(), **(tags or {})}, params, model_type
    )
    local.last_model_id = made.model_id
    return made


def _origin() -> dict[str, str]:
    """Where a model comes from, in MLflow's tags; what we know beyond them its run has."""
    return {key: text for key, text in context.collect_tags().items() if key.startswith("mlflow.")}


def create_external_model(
    name: str | None = None, source_run_id: str | None = None, tags: dict[str, str] | None = None,
    params: dict[str, str] | None = None, model_type: str | None = None, experiment_id: str | None = None,
) -> LoggedModel:
    """Create a logged model (READY) whose files are kept elsewhere: there is nothing to load, only facts to log."""
    tags = {**(tags or {}), MLFLOW_MODEL_IS_EXTERNAL: "true"}
    made = initialize_logged_model(name, source_run_id, tags, params, model_type, experiment_id)
    return finalize_logged_model(made.model_id, LoggedModelStatus.READY)


def import_checkpoints(
    checkpoint_path: str, source_run_id: str | None = None, model_prefix: str | None = None,
    overwrite_checkpoints: bool = False,
) -> list[LoggedModel]:
    """Create a logged model (READY) for each file and folder directly in ``checkpoint_path``, which stays where it is.

    ``checkpoint_path`` is a local folder or an address. Each model is called as its checkpoint, after
    ``model_prefix``, and has the tag ``original_artifact_path``; it belongs to ``source_run_id``, the active run unless
    given. A model that the experiment has under the name is left and returned, or, with ``overwrite_checkpoints``,
    replaced. Raises ArtifactNotFound for a folder with nothing in it.
    """
    from millstream.artifacts.uris import join_uri, scheme
    from millstream.tracking.files import list_artifacts

    place = os.path.abspath(checkpoint_path) if scheme(checkpoint_path) == "" else checkpoint_path
    found = list_artifacts(place)
    if not found:
        raise ArtifactNotFound(f"there are no checkpoints in {checkpoint_path}", hint="name the folder that holds them")
    client, run_id, experiment_id = _place(source_run_id, None)
    models: list[LoggedModel] = []
    for one in found:
        file = os.path.basename(one.path.rstrip("/"))
        name = f"{model_prefix or ''}{file}".replace(".", "_")  # no model's name has a dot
        before = _latest(name, [experiment_id]) if "'" not in name else None
        if before is not None and not overwrite_checkpoints:
            models.append(before)
            continue
        if before is not None:
            client.delete_logged_model(before.model_id)
        tags = {"original_artifact_path": join_uri(place, file)}
        models.append(create_external_model(name, run_id, tags, experiment_id=experiment_id))
    return models


def _place(source_run_id: str | None, experiment_id: str | None) -> tuple[MlflowClient, str | None, str]:
    """The store, the run and the experiment that a new model belongs to."""
    if local.stack:
        keeper = local.stack[-1].recorder
        client = MlflowClient(keeper.uri)
        if source_run_id is None or source_run_id == keeper.run_id:
            return client, keeper.run_id, str(experiment_id or keeper.experiment_id)
    else:
        client = MlflowClient()
    if experiment_id is None and source_run_id is not None:
        experiment_id = client.get_run(source_run_id).info.experiment_id
    return client, source_run_id, str(experiment_id or experiment_of_new_runs(client.tracking_uri))


def finalize_logged_model(model_id: str, status: Literal["READY", "FAILED"] | LoggedModelStatus) -> LoggedModel:
    """Say that the files of a logged model are complete (READY), or that they could not be written (FAILED)."""
    return MlflowClient().finalize_logged_model(model_id, status)


def get_logged_model(model_id: str) -> LoggedModel:
    """The logged model. Raises LoggedModelNotFound."""
    return MlflowClient().get_logged_model(model_id)


def last_logged_model() -> LoggedModel | None:
    """The model that this thread created last, as it stands now; None when there is none."""
    return None if local.last_model_id is None else get_logged_model(local.last_model_id)


def restore_logged_model(model_id: str) -> None:
    """Take a logged model out of the trash. Beyond MLflow."""
    MlflowClient().restore_logged_model(model_id)


def search_logged_models(
    experiment_ids: list[str] | None = None, filter_string: str | None = None,
    datasets: list[dict[str, str]] | None = None, max_results: int | None = None,
    order_by: list[dict[str, Any]] | None = None, output_format: Literal["pandas", "list"] = "pandas",
) -> list[LoggedModel] | DataFrame:
    """The logged models that match, of the experiment that new runs go to unless others are named.

    ``datasets`` and ``order_by`` are lists of dictionaries, see :meth:`MlflowClient.search_logged_models`. The
    DataFrame has a column for each fact of a model; ``metrics``, ``params`` and ``tags`` hold lists and dictionaries.
    """
    if output_format not in ("pandas", "list"):
        raise InvalidValue.of("output_format", output_format, "it is neither 'pandas' nor 'list'")
    pd = None
    if output_format == "pandas":
        pd = pandas("search_logged_models() as a DataFrame",
                    hint="or ask for a list: search_logged_models(output_format='list')")
    client = MlflowClient()
    where = listed(experiment_ids, "experiment_ids") or [experiment_of_new_runs(client.tracking_uri)]
    found: list[LoggedModel] = []
    token = None
    while max_results is None or len(found) < max_results:
        size = 100 if max_results is None else min(100, max_results - len(found))
        page = client.search_logged_models(where, filter_string, datasets, size, order_by, token)
        found += page
        token = page.token
        if not token:
            break
    if pd is None:
        return found
    return pd.DataFrame([model.to_dictionary() for model in found])


def log_model_params(params: dict[str, str], model_id: str | None = None) -> None:
    """Log parameters of a logged model, the active one unless named; once logged they keep their value."""
    model_id = model_id or active_model_id()
    if not model_id:
        raise InvalidValue("there is no model to log parameters of",
                           hint="name it: model_id='m-…', or make it the active one: set_active_model(…)")
    MlflowClient().log_model_params(model_id, params)


def set_logged_model_tags(model_id: str, tags: dict[str, Any]) -> None:
    """Set tags of a logged model. Raises LoggedModelNotFound."""
    MlflowClient().set_logged_model_tags(model_id, tags)


def delete_logged_model_tag(model_id: str, key: str) -> None:
    """Remove a tag of a logged model. Raises NotFound when it has none of this key."""
    MlflowClient().delete_logged_model_tag(model_id, key)


class ActiveModel(LoggedModel, frozen=True):
    """The logged model that metrics of this thread are attached to. As a context manager it gives way at the end to the
    one before it."""

    chosen_before: bool = False
    before: str | None = None

    def __enter__(self) -> ActiveModel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _choose(self.before, self.chosen_before)


def set_active_model(*, name: str | None = None, model_id: str | None = None) -> ActiveModel:
    """Attach the metrics of this thread to a logged model from now on: named by id, or the latest of this name in the
    experiment that new runs go to (created as an external model when there is none).

    Raises LoggedModelNotFound, and InvalidValue when neither is given or the two do not agree.
    """
    if name is None and model_id is None:
        raise InvalidValue("Either name or model_id must be provided")
    if model_id is not None:
        model = get_logged_model(model_id)
        if name is not None and model.name != name:
            raise InvalidValue(f"the logged model {model_id} is called {model.name!r}, not {name!r}",
                               hint="give one of model_id and name")
    else:
        assert name is not None
        model = _latest(name) or create_external_model(name)
    made = ActiveModel(model.info, model.data, chosen_before=local.model_is_chosen, before=local.model_id)
    _choose(model.model_id, True)
    return made


def _latest(name: str, experiment_ids: list[str] | None = None) -> LoggedModel | None:
    if "'" in name:  # no model is called so; creating one will say why
        return None
    found = MlflowClient().search_logged_models(
        experiment_ids or [experiment_of_new_runs(stores.get_tracking_uri())], f"name = '{name}'", max_results=1,
        order_by=[{"field_name": "creation_timestamp", "ascending": False}],
    )
    return found[0] if found else None


def _choose(model_id: str | None, is_chosen: bool) -> None:
    local.model_id, local.model_is_chosen = model_id, is_chosen
    local.refresh()


def get_active_model_id() -> str | None:
    """The id of the model that metrics of this thread are attached to: as set, or of ``MLFLOW_ACTIVE_MODEL_ID``."""
    return active_model_id()


def clear_active_model() -> None:
    """Attach metrics to no model any more; a model of the environment is forgotten too."""
    settings.ACTIVE_MODEL_ID.unset()
    _choose(None, False)
