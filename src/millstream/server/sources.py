"""What a version may be registered from at a server: what its caller may read, and nothing else on its machine.

A run or logged model is named by its id, or the source is a place below the root that the store issued for it. Other
places are taken under the rules for locations that clients propose (:mod:`millstream.server.artifacts`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from millstream.artifacts.uris import parse_model_uri, parse_run_uri, scheme
from millstream.errors import InvalidValue, NotFound
from millstream.operations import (
    CreateModelVersion,
    GetLoggedModel,
    GetRun,
    Needs,
    Permission,
    Principal,
    Resource,
)

if TYPE_CHECKING:
    from millstream.server.application import Application

_RUN = Needs(Permission.READ, Resource.RUN, "run_id")
_LOGGED_MODEL = Needs(Permission.READ, Resource.LOGGED_MODEL, "model_id")
_REGISTERED_MODEL = Needs(Permission.READ, Resource.REGISTERED_MODEL, "name")


async def check_source(app: Application, operation: CreateModelVersion, principal: Principal) -> None:
    """Return if the source of a new version is one that ``principal`` may register.

    Raises InvalidValue for a source that it may not be, and PermissionDenied for what the principal may not read.
    """
    source, run_id, model_id = operation.source, operation.run_id, operation.model_id
    kind = scheme(source)
    if kind in ("runs", "models"):
        refuse_detours(source)
    if kind == "runs":
        run = parse_run_uri(source)
        if run.authority:
            raise _refused(source, "it names another server")
        run_id = run.run_id
    elif kind == "models":
        model = parse_model_uri(source)
        if model.authority:
            raise _refused(source, "it names another server")
        if model.model_id is None:
            app.policy.check(principal, _REGISTERED_MODEL, {"name": model.name})
        else:
            model_id = model.model_id
    roots: list[str] = []
    # A run that this server does not know may be another's, where the registry is kept apart from the runs: it is
    # taken from whoever names it twice, as MLflow's clients do, and looked up by whoever loads the model.
    if model_id:
        app.policy.check(principal, _LOGGED_MODEL, {"model_id": model_id})
        required = kind == "models" and operation.model_id is None
        roots += await _root(app, GetLoggedModel(model_id), principal, required=required)
    if run_id:
        app.policy.check(principal, _RUN, {"run_id": run_id})
        required = kind == "runs" and operation.run_id is None
        roots += await _root(app, GetRun(run_id), principal, required=required)
    if kind in ("runs", "models"):
        return
    if any(source == root or source.startswith(root.rstrip("/") + "/") for root in roots):
        refuse_detours(source)
        return
    if kind in ("", "file", "mlflow-artifacts"):
        raise _refused(source, "it lies below the files of no run or logged model that run_id or model_id name")
    app.artifacts.check_location(source)


async def _root(
    app: Application, operation: GetRun | GetLoggedModel, principal: Principal, *, required: bool
) -> list[str]:
    try:
        answer = await app.execution.answer(operation, principal)
    except NotFound as error:
        if required:
            raise InvalidValue(error.message, hint="name a run or logged model of this server") from None
        return []
    return [(answer.run if isinstance(operation, GetRun) else answer.model).info.artifact_uri]


def refuse_detours(source: str) -> None:
    """Return if a path can be read in one way only, and leads down. Raises InvalidValue."""
    plain = source
    while (decoded := unquote(plain)) != plain:
        plain = decoded
    path = plain.partition(":")[2] or plain
    if "\\" in plain or any(ord(character) < 32 for character in plain) or any(sign in path for sign in "?#"):
        raise _refused(source, "it holds a backslash, a control character, or one of ? #")
    if any(part in (".", "..") for part in path.split("/")) or "//" in path.lstrip("/"):
        raise _refused(source, "an absolute path must be provided without relative path references")


def _refused(source: str, reason: str) -> InvalidValue:
    return InvalidValue(
        f"Invalid model version source: '{source[:200]}': {reason}",
        hint="register from a run or logged model: runs:/<run id>/<path>, models:/<model id>",
    )
