"""Registering a model: from wherever it was logged to the next version of a registered model."""

from __future__ import annotations

import logging
import os
from typing import Any

from millstream.entities.model_registry import ModelVersion
from millstream.errors import ArtifactNotFound, InvalidValue, NotFound
from millstream.operations import GetLoggedModel
from millstream.tracking import recorder, stores
from millstream.tracking.client import MlflowClient
from millstream.tracking.files import artifacts_at, logged_in_run, root_of_run

logger = logging.getLogger("millstream")

MODEL_FILE = "MLmodel"


def register(model_uri: str, name: str, await_registration_for: int | None, client: MlflowClient) -> int:
    """Register a model that was just logged; the number of its version."""
    return int(register_version(model_uri, name, await_registration_for, client).version)


def register_version(
    model_uri: str | os.PathLike[str], name: str, await_registration_for: int | None, client: MlflowClient,
    tags: dict[str, Any] | None = None,
) -> ModelVersion:
    """Make the model at ``model_uri`` the next version of ``name``, which is created if need be.

    Raises RunNotFound, LoggedModelNotFound, RegisteredModelNotFound, ArtifactNotFound for a run without a model at that
    path, and what the registry has against the source.
    """
    source, run_id, model_id = _source(os.fspath(model_uri), client)

    def create() -> ModelVersion:
        return client.create_model_version(
            name, source, run_id, tags, await_creation_for=await_registration_for, model_id=model_id
        )

    try:
        version = create()
    except NotFound:
        client.ensure_registered_model(name)
        version = create()
    logger.info("version %s of the registered model %s is %s", version.version, name, source)
    return version


def _source(uri: str, client: MlflowClient) -> tuple[str, str | None, str | None]:
    """What a version is registered from, with the run and the logged model that it comes from."""
    from millstream.artifacts.uris import join_uri, parse_model_uri, parse_run_uri, scheme
    from millstream.tracking.versions import chosen_version

    tracking_uri = client.tracking_uri
    kind = scheme(uri)
    if kind == "runs":
        run = parse_run_uri(uri)
        recorder.flush(tracking_uri, run.run_id)
        root = root_of_run(run.run_id, tracking_uri)
        files = artifacts_at(root, tracking_uri).list(run.path)
        if any(found.path.rpartition("/")[2] == MODEL_FILE for found in files):
            return join_uri(root, run.path), run.run_id, None
        logged = logged_in_run(run.run_id, run.path, tracking_uri)
        if logged is None:
            raise ArtifactNotFound(
                f"there is no model at {uri}: the run has no {MODEL_FILE} there and made no logged model of that name",
                hint="log the model first: log_model(…, name=…); or name what it returned: models:/<model id>",
            )
        return f"models:/{logged.model_id}", run.run_id, logged.model_id
    if kind == "models":
        model = parse_model_uri(uri)
        if model.path:
            raise InvalidValue.of("model_uri", uri, "it names a path in a model, not the model")
        if model.model_id is None:
            found = chosen_version(model, stores.store(client.registry_uri))
            return f"models:/{found.name}/{found.version}", found.run_id or None, None
        logged_model = stores.store(tracking_uri).execute(GetLoggedModel(model.model_id)).model
        return uri, logged_model.source_run_id, model.model_id
    return (os.path.abspath(os.path.expanduser(uri)) if kind == "" else uri), None, None
