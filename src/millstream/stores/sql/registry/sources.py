"""What a version is registered from, and where its files are.

``runs:/…`` and ``models:/…`` are looked up once, when the version is created: a place stays what it is when its run is
renamed away, its logged model deleted, or an alias moved on. What this store does not know (the registry may be kept
apart from the runs) stays as it is written, for whoever loads the model to look up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from sqlalchemy import Row, select

from millstream.entities.model_registry import get_canonical_stage
from millstream.errors import InvalidPath, InvalidValue
from millstream.operations import CreateModelVersion
from millstream.stores.sql.registry.reading import find_model, find_version, no_version
from millstream.stores.sql.registry.tables import model_versions, registered_model_aliases
from millstream.stores.sql.schema import logged_models, runs
from millstream.stores.sql.transaction import Transaction, under

SOURCE_LENGTH = 2_048
_PLAIN = ":@!$&'()*+,=~"
_RUN = re.compile(r"runs:/+(?P<run>[^/]+)(?:/(?P<path>.*))?", re.DOTALL)
_LOGGED = re.compile(r"models:/+(?P<model>m-[0-9a-f]{32})(?:/(?P<path>.*))?", re.DOTALL)
_ALIASED = re.compile(r"models:/+(?P<name>[^/]+)@(?P<alias>[^/@]+)")
_CHOSEN = re.compile(r"models:/+(?P<name>[^/]+)/(?P<chosen>[^/]+)")


@dataclass(frozen=True)
class Origin:
    """``source`` as it is kept, ``location`` of the files, and what made them where that is known.

    A copy has the files of another version.
    """

    source: str
    location: str
    run_id: str | None
    model_id: str | None
    is_copy: bool = False


def origin(transaction: Transaction, operation: CreateModelVersion) -> Origin:
    """Where the version comes from that ``operation`` creates.

    Raises InvalidValue for an address that is none or that contradicts ``run_id`` or ``model_id``, and
    RegisteredModelNotFound for a version that is not there.
    """
    source, run_id, model_id = operation.source, operation.run_id or None, operation.model_id or None
    if len(source) > SOURCE_LENGTH:
        raise InvalidValue.of("source", source[:40] + "…", f"it has more than {SOURCE_LENGTH} characters")
    if source.startswith("runs:"):
        found = _RUN.fullmatch(source)
        if found is None:
            raise InvalidValue.of("source", source, "it is not of the form runs:/<run id>/<path>")
        return _of_run(transaction, source, _same("run_id", run_id, found["run"]), model_id, _parts(found["path"]))
    if source.startswith("models:"):
        logged = _LOGGED.fullmatch(source)
        if logged is not None:
            chosen = _same("model_id", model_id, logged["model"])
            return _of_logged_model(transaction, source, chosen, run_id, _parts(logged["path"]))
        return _of_version(transaction, source, run_id)
    return Origin(source, source, run_id or _run_of_model(transaction, model_id), model_id)


def _same(field: str, given: str | None, named: str) -> str:
    if given is not None and given != named:
        raise InvalidValue.of(field, given, f"the source is of another one, {named}", hint=f"leave {field} out")
    return named


def _parts(path: str | None) -> list[str]:
    """The names of a path. Raises InvalidPath for one that could lead elsewhere."""
    parts = [part for part in (path or "").split("/") if part]
    for part in parts:
        plain = part
        while (decoded := unquote(plain)) != plain:
            plain = decoded
        if plain in (".", "..") or "/" in plain or "\\" in plain:
            raise InvalidPath.of("source", path, "a path in it could lead elsewhere")
    return parts


def place_below(root: str, parts: list[str]) -> str:
    """The place of a path below a root; in an address of the kind ``file:`` it is written as such addresses are."""
    return under(root, *((quote(part, safe=_PLAIN) for part in parts) if root.startswith("file:") else parts))


def _of_run(
    transaction: Transaction, source: str, run_id: str, model_id: str | None, parts: list[str]
) -> Origin:
    run = transaction.connection.execute(select(runs.c.artifact_uri).where(runs.c.run_id == run_id)).one_or_none()
    if run is None:
        return Origin(source, source, run_id, model_id)
    # Since MLflow 3 a model that a run logs lies beside the run: there the name means the logged model.
    logged = _find_logged(transaction, logged_models.c.source_run_id == run_id, logged_models.c.name == parts[0]) \
        if parts else None
    if logged is not None and model_id in (None, logged.model_id):
        return Origin(source, place_below(logged.artifact_uri, parts[1:]), run_id, logged.model_id)
    return Origin(source, place_below(run.artifact_uri, parts), run_id, model_id)


def _of_logged_model(
    transaction: Transaction, source: str, model_id: str, run_id: str | None, parts: list[str]
) -> Origin:
    found = _find_logged(transaction, logged_models.c.model_id == model_id)
    if found is None:
        return Origin(source, source, run_id, model_id)
    return Origin(source, place_below(found.artifact_uri, parts), run_id or found.source_run_id, model_id)


def _find_logged(transaction: Transaction, *conditions: Any) -> Row[Any, Any, Any] | None:
    return transaction.connection.execute(
        select(logged_models.c.model_id, logged_models.c.artifact_uri, logged_models.c.source_run_id)
        .where(logged_models.c.deleted_time.is_(None), *conditions)
        .order_by(logged_models.c.creation_timestamp_ms.desc(), logged_models.c.id.desc())
        .limit(1)
    ).one_or_none()


def _run_of_model(transaction: Transaction, model_id: str | None) -> str | None:
    found = None if model_id is None else _find_logged(transaction, logged_models.c.model_id == model_id)
    return None if found is None else found.source_run_id


def _of_version(transaction: Transaction, source: str, run_id: str | None) -> Origin:
    """A copy of another version: of the one that a stage or an alias means now."""
    aliased, chosen = _ALIASED.fullmatch(source), _CHOSEN.fullmatch(source)
    if aliased is not None:
        row = aliased_version(transaction, aliased["name"], aliased["alias"])
    elif chosen is not None:
        row = _chosen_version(transaction, chosen["name"], chosen["chosen"])
    else:
        raise InvalidValue.of(
            "source", source, "it is not of the form models:/<name>/<version>, models:/<name>@<alias> or models:/<id>"
        )
    return Origin(f"models:/{row.name}/{row.version}", row.location, run_id or row.run_id, row.model_id, True)


def _chosen_version(transaction: Transaction, name: str, chosen: str) -> Row[Any]:
    if chosen.isascii() and chosen.isdigit():
        return find_version(transaction, name, chosen)
    model = find_model(transaction, name)
    query = select(model_versions).where(model_versions.c.model == model.id)
    if chosen.lower() != "latest":
        query = query.where(model_versions.c.stage == get_canonical_stage(chosen))
    row = transaction.connection.execute(query.order_by(model_versions.c.version.desc()).limit(1)).one_or_none()
    if row is None:
        raise no_version(name, chosen)
    return row


def aliased_version(transaction: Transaction, name: str, alias: str) -> Row[Any]:
    """The row of the version that an alias stands for. Raises InvalidValue for an alias that is not there."""
    model = find_model(transaction, name)
    row = transaction.connection.execute(
        select(model_versions)
        .join(
            registered_model_aliases,
            (registered_model_aliases.c.model == model_versions.c.model)
            & (registered_model_aliases.c.version == model_versions.c.version),
        )
        .where(registered_model_aliases.c.model == model.id, registered_model_aliases.c.alias == alias)
    ).one_or_none()
    if row is None:
        raise InvalidValue(
            f"Registered model alias {alias} not found.", hint=f"get_registered_model({name!r}).aliases lists them"
        )
    return row
