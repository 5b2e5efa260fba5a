"""Addresses of artifact stores: which store serves one, how paths are joined to it, and the forms that name a run or
a model instead of a place."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from millstream.artifacts import paths
from millstream.artifacts.contract import ArtifactStore
from millstream.errors import InvalidValue

PLUGINS = "millstream.artifact_store"
MLFLOW_PLUGINS = "mlflow.artifact_repository"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_MODEL_ID = re.compile(r"m-[0-9a-f]{32}")


class RunUri(msgspec.Struct, frozen=True):
    """``runs:/<run id>/<path>``: artifacts of a run; ``path`` is ``""`` for its root. ``authority`` is what stood
    between ``//`` and ``/``, as in ``runs://profile@databricks/…``."""

    run_id: str
    path: str
    authority: str = ""


class ModelUri(msgspec.Struct, frozen=True):
    """``models:/…``: a logged model, or a version of a registered one, and a ``path`` in it (``""`` for all of it).

    Exactly one way to choose is set: ``model_id``, or ``name`` with one of ``version``, ``alias``, ``stage`` (as
    written) and ``latest``.
    """

    path: str = ""
    model_id: str | None = None
    name: str | None = None
    version: str | None = None
    alias: str | None = None
    stage: str | None = None
    latest: bool = False
    authority: str = ""


def scheme(uri: str) -> str:
    """The scheme of an address, in small letters; ``""`` for a plain path."""
    found = _SCHEME.match(uri)
    return found.group(1).lower() if found else ""


def artifact_store(uri: str, *, tracking_uri: str | None = None) -> ArtifactStore:
    """The store whose root is at ``uri``, by its scheme.

    ================================================ ==================================================
    a path, ``file:``                                this machine's disk
    ``s3``, ``r2``, ``b2``                           S3 and compatible (extra ``s3``)
    ``gs``                                           Google Cloud Storage (extra ``gcs``)
    ``wasb``, ``wasbs``, ``abfs``, ``abfss``         Azure (extra ``azure``)
    ``mlflow-artifacts``, ``http``, ``https``        a tracking server that serves artifacts
    a plug-in's scheme                               entry points of :data:`PLUGINS`, then :data:`MLFLOW_PLUGINS`
    any other                                        ``fsspec`` (extra ``fsspec``)
    ================================================ ==================================================

    ``tracking_uri`` is the server that ``mlflow-artifacts:/`` means, TRACKING_URI unless given.

    Raises InvalidValue for an address that no store knows, and for ``runs:`` and ``models:``, which name no place.
    """
    kind = scheme(uri)
    if kind in ("", "file"):
        from millstream.artifacts.local import LocalStore

        return LocalStore(local_folder(uri), uri)
    if kind in ("runs", "models"):
        raise InvalidValue(f"{uri!r} names a {'run' if kind == 'runs' else 'model'}, not a place",
                           hint="resolve it with the tracking store first")
    if kind in ("mlflow-artifacts", "http", "https"):
        from millstream.artifacts.served import served_store

        return served_store(uri, tracking_uri)
    opener = _IN_OBJECT_STORES.get(kind)
    if opener is not None:
        _need_obstore(kind)
        return opener(uri)
    from millstream.artifacts.plugins import plugin_store

    if (plugin := plugin_store(kind, uri)) is not None:
        return plugin
    from millstream.artifacts.filesystems import filesystem_store

    return filesystem_store(uri)


def local_folder(uri: str) -> str:
    """The folder that a path or a ``file:`` address names. Raises InvalidValue for one on another machine."""
    if scheme(uri) != "file":
        return os.path.expanduser(uri)
    parts = urlsplit(uri)
    if parts.netloc not in ("", "localhost"):
        raise InvalidValue(f"{uri!r} names the machine {parts.netloc!r}", hint="write file:///path, with three slashes")
    if parts.query or parts.fragment:
        raise InvalidValue(f"{uri!r} holds a '?' or '#'", hint="write them as %3F and %23 in a file: address")
    return unquote(parts.path)


def local_uri(folder: str | Path) -> str:
    """The ``file:`` address of a folder."""
    return Path(folder).absolute().as_uri()


def join_uri(root: str, path: str) -> str:
    """The address of ``path`` below the address ``root``; a query and fragment of the root stay at the end.

    A ``path`` of ``""`` gives the root. Raises InvalidPath as :func:`millstream.artifacts.paths.check` does.
    """
    path = paths.check_folder(path)
    if not path:
        return root
    kind = scheme(root)
    if not kind:
        return f"{root.rstrip('/')}/{path}"
    if kind == "file":
        from urllib.parse import quote

        path = quote(path, safe="/:@!$&'()*+,=~")
    place, tail = root, ""
    for mark in "#?":
        place, found, rest = place.partition(mark)
        tail = f"{found}{rest}{tail}"
    return f"{place.rstrip('/')}/{path}{tail}"


def parse_run_uri(uri: str) -> RunUri:
    """The parts of a ``runs:`` address. Raises InvalidValue for anything else, InvalidPath for its path."""
    authority, names = _names(uri, "runs", "runs:/<run id>/<path>")
    return RunUri(names[0], paths.check_folder("/".join(names[1:])), authority)


def parse_model_uri(uri: str) -> ModelUri:
    """The parts of a ``models:`` address. Raises InvalidValue for anything else, InvalidPath for its path."""
    expected = "models:/<name>/<version>, models:/<name>/<stage>, models:/<name>/latest, models:/<name>@<alias> or " \
               "models:/<model id>"
    authority, (first, *rest) = _names(uri, "models", expected)
    name, at, alias = first.rpartition("@")
    if at:
        if not name or not alias:
            raise InvalidValue(f"{uri!r} is not a model address", hint=f"write {expected}")
        return ModelUri(_path(rest), name=name, alias=alias, authority=authority)
    if _MODEL_ID.fullmatch(first) or not rest:
        return ModelUri(_path(rest), model_id=first, authority=authority)
    chosen, *rest = rest
    if chosen.lower() == "latest":
        return ModelUri(_path(rest), name=first, latest=True, authority=authority)
    if chosen.isascii() and chosen.isdigit():
        return ModelUri(_path(rest), name=first, version=chosen, authority=authority)
    return ModelUri(_path(rest), name=first, stage=chosen, authority=authority)


def _names(uri: str, kind: str, expected: str) -> tuple[str, list[str]]:
    authority, rest = "", uri[len(kind) + 1:]
    if scheme(uri) == kind and rest.startswith("//"):
        authority, _, rest = rest[2:].partition("/")
        rest = f"/{rest}"
    names = rest.strip("/").split("/")
    if scheme(uri) != kind or not rest.startswith("/") or not all(names):
        raise InvalidValue(f"{uri!r} is not a {kind[:-1]} address", hint=f"write {expected}")
    return authority, names


def _path(names: list[str]) -> str:
    return paths.check_folder("/".join(names))


def _need_obstore(kind: str) -> None:
    import importlib.util

    if importlib.util.find_spec("obstore") is None:
        raise InvalidValue(f"'{kind}:' addresses need obstore", hint="pip install 'millstream[s3]'")


def _s3(uri: str) -> ArtifactStore:
    from millstream.artifacts.s3 import s3_store

    return s3_store(uri)


def _google(uri: str) -> ArtifactStore:
    from millstream.artifacts.services import google_store

    return google_store(uri)


def _azure(uri: str) -> ArtifactStore:
    from millstream.artifacts.azure import azure_store

    return azure_store(uri)


_IN_OBJECT_STORES: dict[str, Callable[[str], ArtifactStore]] = {
    "s3": _s3, "r2": _s3, "b2": _s3, "gs": _google, "wasb": _azure, "wasbs": _azure, "abfs": _azure, "abfss": _azure,
}
