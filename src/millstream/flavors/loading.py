"""Loading a model: its folder fetched from wherever it is named, checked, and read by a flavor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from millstream import settings
from millstream.errors import BadModel
from millstream.models import code, manifest, trust
from millstream.models.mlmodel import PYTHON_FUNCTION, Model
from millstream.tracking import stores
from millstream.tracking.files import download_artifacts


def fetch(model_uri: str | os.PathLike[str], dst_path: str | os.PathLike[str] | None = None) -> Path:
    """The folder of the model at ``model_uri``, on this machine and checked against its manifest.

    A local model is used where it lies; another is fetched into ``dst_path``, a new temporary folder unless given. What
    comes from a trusted store may be unpickled from then on. Raises CorruptModel, and whatever looking up the address
    raises (RunNotFound, ArtifactNotFound, …).
    """
    from millstream.artifacts.uris import scheme

    uri = os.fspath(model_uri)
    folder = Path(download_artifacts(uri, dst_path=None if dst_path is None else os.fspath(dst_path)))
    manifest.check(folder)
    if scheme(uri) in ("runs", "models") and _is_trusted():
        trust.vouch(folder)
    return folder


def _is_trusted() -> bool:
    """Whether the store that addresses are looked up in is one to trust: the one in use is, unless a list says which."""
    named = settings.TRUSTED_STORES.get()
    if named is None:
        return True
    trusted = {uri.strip().rstrip("/") for uri in named.split(",")}
    return {stores.get_tracking_uri().rstrip("/"), stores.get_registry_uri().rstrip("/")} <= trusted


def open_model(
    model_uri: str | os.PathLike[str], flavor: str, dst_path: str | os.PathLike[str] | None = None
) -> tuple[Path, Model, dict[str, Any]]:
    """Folder, description and the block of ``flavor`` of the model at ``model_uri``, its own code ready to be imported.

    Raises BadModel when the model has no such flavor, and as :func:`fetch` does.
    """
    folder = fetch(model_uri, dst_path)
    model = Model.load(folder)
    block = block_of(model, flavor, str(model_uri))
    code.use_code(folder, block.get("code") or (model.flavors.get(PYTHON_FUNCTION) or {}).get("code"))
    return folder, model, block


def block_of(model: Model, flavor: str, uri: str) -> dict[str, Any]:
    """The block of a flavor. Raises BadModel, which names those that the model has."""
    block = model.flavors.get(flavor)
    if block is None:
        known = ", ".join(sorted(model.flavors)) or "none"
        raise BadModel(f"the model at {uri} has no flavor {flavor!r}; it has {known}",
                       hint="load it as one of those: millstream.<flavor>.load_model(…), pyfunc for python_function")
    return block


def file_of(folder: Path, block: dict[str, Any], *keys: str, default: str | None = None) -> Path:
    """The file or folder of the model that a block names under the first of these keys that it has.

    Raises BadModel for a block that names none, one outside of the model, and one that is not there.
    """
    name = next((block[key] for key in keys if block.get(key)), default)
    if name is None:
        raise BadModel(f"the model at {folder} does not say where its {keys[0]} is", hint="save the model again")
    path = folder / str(name)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BadModel(f"the model at {folder} names {name!r} as its {keys[0]}, which lies outside of it",
                       hint="a model like this was not made by save_model(); do not trust it")
    if not path.exists():
        raise BadModel(f"the model at {folder} lacks {name}, its {keys[0]}", hint="fetch or save the model again")
    return path
