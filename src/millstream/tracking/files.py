"""The files of runs and models by their addresses: found, listed, fetched and read."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

from millstream import settings
from millstream.entities import FileInfo, LoggedModel
from millstream.errors import BadRequest, EndpointNotFound, InvalidValue
from millstream.operations import GetLoggedModel, GetRun, OrderBy, SearchLoggedModels
from millstream.tracking import stores

if TYPE_CHECKING:
    from PIL.Image import Image

    from millstream.artifacts.contract import ArtifactStore


def artifacts_at(uri: str, tracking_uri: str) -> ArtifactStore:
    """The artifact store at ``uri``; one that a tracking server serves is reached through that server."""
    from millstream.artifacts.uris import artifact_store, join_uri, scheme

    if scheme(uri) == "mlflow-artifacts" and scheme(tracking_uri) in ("http", "https"):
        path = uri.partition(":")[2]
        if not path.startswith("//"):
            root = f"{tracking_uri.rstrip('/')}/api/2.0/mlflow-artifacts/artifacts"
            return artifact_store(join_uri(root, path.strip("/")))
    return artifact_store(uri)


def artifacts_of_run(run_id: str, tracking_uri: str) -> ArtifactStore:
    """The files of a run. Raises RunNotFound."""
    return artifacts_at(root_of_run(run_id, tracking_uri), tracking_uri)


@functools.lru_cache(maxsize=4096)
def root_of_run(run_id: str, tracking_uri: str) -> str:
    """Where the files of a run are; that never changes. Raises RunNotFound."""
    return str(stores.store(tracking_uri).execute(GetRun(run_id)).run.info.artifact_uri)


def located(uri: str, tracking_uri: str, registry_uri: str | None = None) -> str:
    """The place that an address names: ``runs:/…`` and ``models:/…`` are looked up, anything else is a place.

    A model that a run has logged lies beside the run: where the run itself has nothing at the path, its logged model of
    that name is meant. Raises RunNotFound, LoggedModelNotFound, RegisteredModelNotFound, and InvalidValue for an
    address that is none.
    """
    from millstream.artifacts.uris import join_uri, parse_model_uri, parse_run_uri, scheme

    if not isinstance(uri, (str, os.PathLike)):
        raise InvalidValue.of("artifact_uri", uri, "an address is text, such as runs:/<run id>/<path>")
    uri = os.fspath(uri)
    if scheme(uri) == "runs":
        run = parse_run_uri(uri)
        return _in_run(run.run_id, run.path, tracking_uri)
    if scheme(uri) == "models":
        model = parse_model_uri(uri)
        if model.model_id is None:
            from millstream.tracking.versions import place_of_version

            registry_uri = registry_uri or settings.REGISTRY_URI.get() or tracking_uri
            place = place_of_version(model, registry_uri)
            if scheme(place) in ("runs", "models"):  # where the registry does not know the runs
                place = located(place, tracking_uri, registry_uri)
            return join_uri(place, model.path)
        found = stores.store(tracking_uri).execute(GetLoggedModel(model.model_id)).model
        return join_uri(found.artifact_location, model.path)
    return uri


def _in_run(run_id: str, path: str, tracking_uri: str) -> str:
    """The place of a path of a run: among its own files, or else of the logged model that has the path's first name."""
    from millstream.artifacts.uris import join_uri

    root = root_of_run(run_id, tracking_uri)
    name, _, inside = path.partition("/")
    if name and not any(found.path == name for found in artifacts_at(root, tracking_uri).list("")):
        logged = logged_in_run(run_id, name, tracking_uri)
        if logged is not None:
            return join_uri(logged.artifact_location, inside)
    return join_uri(root, path)


def list_of_run(run_id: str, path: str, tracking_uri: str) -> list[FileInfo]:
    """The files and folders of a run directly in the folder ``path``; those of its logged models by their names."""
    found = artifacts_of_run(run_id, tracking_uri).list(path)
    name, _, inside = path.strip("/").partition("/")
    logged = None if found else logged_in_run(run_id, name, tracking_uri)
    if logged is None:
        return found
    entries = artifacts_at(logged.artifact_location, tracking_uri).list(inside)
    return [FileInfo(f"{name}/{entry.path}", entry.is_dir, entry.file_size) for entry in entries]


def logged_in_run(run_id: str, name: str, tracking_uri: str) -> LoggedModel | None:
    """The newest logged model of this name that a run has made, None when there is none."""
    if not name or "'" in name:
        return None
    store = stores.store(tracking_uri)
    experiment_id = store.execute(GetRun(run_id)).run.info.experiment_id
    newest = [OrderBy("creation_timestamp", ascending=False)]
    try:
        found = store.execute(SearchLoggedModels(
            [experiment_id], f"name = '{name}' AND source_run_id = '{run_id}'", max_results=1, order_by=newest
        )).models
    except EndpointNotFound:  # servers before MLflow 3
        return None
    return found[0] if found else None


def around(place: str, tracking_uri: str) -> tuple[ArtifactStore, str]:
    """The artifact store around a place and the name of the place in it, ``""`` for one that has nothing around it."""
    from millstream.artifacts.uris import local_folder, scheme

    if scheme(place) in ("", "file"):
        folder, name = os.path.split(os.path.abspath(local_folder(place)))
        return artifacts_at(folder, tracking_uri), name
    cut = min((place.find(mark) for mark in "?#" if mark in place), default=len(place))
    address, tail = place[:cut].rstrip("/"), place[cut:]
    start = address.find("://") + 3 if "://" in address else address.find(":") + 1
    folder, slash, name = address[start:].rpartition("/")
    if not slash:
        return artifacts_at(place, tracking_uri), ""
    return artifacts_at(f"{address[:start]}{folder or '/'}{tail}", tracking_uri), name


def download_artifacts(
    artifact_uri: str | None = None, run_id: str | None = None, artifact_path: str | None = None,
    dst_path: str | None = None, tracking_uri: str | None = None, registry_uri: str | None = None,
) -> str:
    """Fetch a file or folder, named by an address or by run and path, into the folder ``dst_path``.

    Returns where it is then. Without a ``dst_path``, artifacts on this machine are answered with the place where they
    are kept, which is not to be changed; others go to a new temporary folder. Raises ArtifactNotFound, RunNotFound,
    LoggedModelNotFound, and InvalidValue unless exactly one of ``artifact_uri`` and ``run_id`` is given.
    """
    _one_of(artifact_uri, run_id)
    if artifact_uri is not None and artifact_path is not None:
        raise InvalidValue("`artifact_path` cannot be specified if `artifact_uri` is specified")
    tracking_uri = tracking_uri or stores.get_tracking_uri()
    if run_id is not None:
        return fetch_of_run(run_id, artifact_path, dst_path, tracking_uri)
    assert artifact_uri is not None
    return _fetch(located(artifact_uri, tracking_uri, registry_uri), dst_path, tracking_uri)


def _download_artifact_from_uri(artifact_uri: str, output_path: str | None = None) -> str:
    """:func:`download_artifacts` under a name that has none in MLflow, and that programs use."""
    return download_artifacts(artifact_uri, dst_path=output_path)


def fetch_of_run(run_id: str, path: str | None, dst_path: str | None, tracking_uri: str) -> str:
    """Fetch ``path`` of a run, or everything."""
    if not path:
        return artifacts_of_run(run_id, tracking_uri).download_artifacts("", _folder(dst_path))
    return _fetch(_in_run(run_id, os.fspath(path).rstrip("/"), tracking_uri), dst_path, tracking_uri)


def _fetch(place: str, dst_path: str | None, tracking_uri: str) -> str:
    from millstream.artifacts.contract import not_found
    from millstream.artifacts.uris import scheme

    store, name = around(place, tracking_uri)
    if not name and scheme(place) in ("", "file"):  # the root of a disk
        raise not_found(place, store.uri)
    return os.path.abspath(store.download_artifacts(name, _folder(dst_path)))


def _folder(dst_path: str | None) -> str | None:
    return None if dst_path is None else os.path.abspath(dst_path)


def list_artifacts(
    artifact_uri: str | None = None, run_id: str | None = None, artifact_path: str | None = None,
    tracking_uri: str | None = None,
) -> list[FileInfo]:
    """The files and folders directly in a folder, named by an address or by run and path; empty for what is not there.

    Raises RunNotFound, LoggedModelNotFound, and InvalidValue unless exactly one of ``artifact_uri`` and ``run_id`` is
    given.
    """
    from millstream.artifacts.uris import parse_model_uri, parse_run_uri, scheme

    _one_of(artifact_uri, run_id)
    if artifact_uri is not None and artifact_path is not None:
        raise InvalidValue("`artifact_path` cannot be specified if `artifact_uri` is specified")
    tracking_uri = tracking_uri or stores.get_tracking_uri()
    if run_id is not None:
        return list_of_run(run_id, artifact_path or "", tracking_uri)
    assert artifact_uri is not None
    if scheme(str(artifact_uri)) == "runs" and "/" not in (run := parse_run_uri(artifact_uri)).path:
        return list_of_run(run.run_id, run.path, tracking_uri)
    if scheme(str(artifact_uri)) == "models":  # paths are those in the model
        path = parse_model_uri(artifact_uri).path
        model = artifact_uri.rstrip("/").removesuffix(path)
        return artifacts_at(located(model, tracking_uri), tracking_uri).list(path)
    store, name = around(located(artifact_uri, tracking_uri), tracking_uri)
    return store.list(name)


def _one_of(artifact_uri: str | None, run_id: str | None) -> None:
    if (artifact_uri is None) == (run_id is None):
        raise InvalidValue("Exactly one of `run_id` or `artifact_uri` must be specified")


def _content(artifact_uri: str) -> bytes:
    tracking_uri = stores.get_tracking_uri()
    store, name = around(located(artifact_uri, tracking_uri), tracking_uri)
    return store.open(name).read()


def load_text(artifact_uri: str) -> str:
    """The content of a text file (UTF-8). Raises ArtifactNotFound, and BadRequest for what is no such text."""
    try:
        return _content(artifact_uri).decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"{artifact_uri} is not text in UTF-8: {error.reason} at byte {error.start}",
                         hint="fetch it with download_artifacts(…) and open it with its own encoding") from None


def load_dict(artifact_uri: str) -> dict[str, Any]:
    """The content of a JSON file. Raises ArtifactNotFound, and BadRequest for what is no JSON."""
    import json

    try:
        return json.loads(_content(artifact_uri))  # type: ignore[no-any-return]
    except ValueError as error:
        raise BadRequest(f"{artifact_uri} is not JSON: {error}", hint="read another format with load_text(…)") from None


def load_image(artifact_uri: str) -> Image:
    """The content of an image file, as an image of Pillow. Raises ArtifactNotFound, and BadRequest for what is none."""
    import io

    from millstream.tracking.extras import require

    pillow = require("PIL.Image", "load_image()")
    content = _content(artifact_uri)
    try:
        image: Image = pillow.open(io.BytesIO(content))
        image.load()
    except (OSError, SyntaxError, ValueError) as error:
        raise BadRequest(f"{artifact_uri} is not an image: {error}") from None
    return image
