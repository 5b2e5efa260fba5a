"""Logging a model: saved, stored as a logged model, and noted as what the run has made."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from millstream.entities import LoggedModel, LoggedModelOutput
from millstream.errors import InvalidValue, MillstreamError
from millstream.flavors import profiles
from millstream.flavors.contract import SaveOptions
from millstream.models.info import ModelInfo
from millstream.models.mlmodel import Model
from millstream.operations import GetRun
from millstream.tracking import recorder, stores
from millstream.tracking.active import local
from millstream.tracking.recorder import Recorder

if TYPE_CHECKING:
    from millstream.tracking.client import MlflowClient

logger = logging.getLogger("millstream")


class Save(Protocol):
    """A flavor's ``save_model`` with all of its own arguments given."""

    def __call__(self, *, path: str, mlflow_model: Model, **options: Any) -> None: ...


def log(
    save: Save, artifact_path: str | None = None, *, name: str | None = None, registered_model_name: str | None = None,
    await_registration_for: int | None = 300, params: Mapping[str, Any] | None = None,
    tags: Mapping[str, Any] | None = None, model_type: str | None = None, step: int | None = 0,
    model_id: str | None = None, run_id: str | None = None, **options: Any,
) -> ModelInfo:
    """Save a model with ``save`` and keep it as a logged model: of the active run, of ``run_id``, or of no run.

    The logged model is READY when this returns, and FAILED when saving or storing raises; the parameters of the run are
    its own too. Returns what was logged, with its address ``models:/<model id>``.
    """
    from millstream.tracking.client import MlflowClient  # a server that only loads models needs none

    if name is not None and artifact_path is not None and name != artifact_path:
        raise InvalidValue(f"the model is named twice: name={name!r} and artifact_path={artifact_path!r}",
                           hint="give name alone; artifact_path is its older word")
    unknown = options.keys() - SaveOptions.__annotations__.keys()
    if unknown:
        raise TypeError(f"log_model() got an unexpected keyword argument {min(unknown)!r}")
    keeper = _recorder(run_id)
    if options.get("training_profile") is None and keeper is not None:
        found = profiles.of_run(keeper.run_id, options.get("signature"))
        options = options if found is None else {**options, "training_profile": found}
    client = MlflowClient(keeper.uri if keeper is not None else None)
    logged = _logged_model(client, keeper, name or artifact_path, model_id, params, tags, model_type)
    model = Model(logged.artifact_location, keeper.run_id if keeper is not None else None,
                  model_uuid=logged.model_id, model_id=logged.model_id)
    try:
        with tempfile.TemporaryDirectory(prefix="millstream-model-") as scratch:
            folder = Path(scratch) / "model"
            save(path=str(folder), mlflow_model=model, **options)
            client.log_model_artifacts(logged.model_id, folder)
        if keeper is not None:
            keeper.log_outputs([LoggedModelOutput(logged.model_id, step or 0)])
        logged = client.finalize_logged_model(logged.model_id, "READY")
    except BaseException as error:
        _fail(client, logged, error)
        raise
    version = None
    if registered_model_name is not None:
        from millstream.tracking.registering import register

        version = register(logged.model_uri, registered_model_name, await_registration_for, client)
    return ModelInfo.of(model, logged, version)


def _recorder(run_id: str | None) -> Recorder | None:
    if run_id is not None:
        return recorder.of(local.stack[-1].recorder.uri if local.stack else stores.get_tracking_uri(), run_id)
    return local.stack[-1].recorder if local.stack else None


def _logged_model(
    client: MlflowClient, keeper: Recorder | None, name: str | None, model_id: str | None,
    params: Mapping[str, Any] | None, tags: Mapping[str, Any] | None, model_type: str | None,
) -> LoggedModel:
    """The logged model to fill: the one that was named, or a new one."""
    from millstream.tracking.models import initialize_logged_model

    own = {key: str(value) for key, value in (params or {}).items()}
    if model_id is not None:
        if tags:
            client.set_logged_model_tags(model_id, dict(tags))
        if own:
            client.log_model_params(model_id, own)
        return client.get_logged_model(model_id)
    run_id = None
    if keeper is not None:
        run_id = keeper.run_id
        keeper.flush()
        own = {**keeper.store.execute(GetRun(run_id)).run.data.params, **own}
    texts = {key: str(value) for key, value in (tags or {}).items()}
    return initialize_logged_model(name, run_id, texts, own, model_type)


def _fail(client: MlflowClient, logged: LoggedModel, error: BaseException) -> None:
    try:
        client.finalize_logged_model(logged.model_id, "FAILED")
    except MillstreamError as second:  # the first error is the one to tell
        logger.warning("the logged model %s stays PENDING: %s (after %r)", logged.model_id, second, error)
