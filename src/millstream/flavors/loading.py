"""Loading a model: its folder fetched from wherever it is named, checked, and read by a flavor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream import settings
from millstream.errors import ArtifactNotFound, BadModel
from millstream.models import code, manifest, trust
from millstream.models.mlmodel import PYTHON_FUNCTION, Model
from millstream.tracking import stores
from millstream.tracking.files import around, download_artifacts, located

if TYPE_CHECKING:
    from millstream.artifacts.contract import ArtifactStore


def fetch(model_uri: str | os.PathLike[str], dst_path: str | os.PathLike[str] | None = None) -> Path:
    """The folder of the model at ``model_uri``, on this machine and checked against its manifest.

    A local model is used where it lies; another is fetched into ``dst_path``, a new temporary folder unless given. What
    comes from a trusted store may be unpickled from then on. Raises CorruptModel, and whatever looking up the address
    raises (RunNotFound, ArtifactNotFound, …).
    """
    from millstream.artifacts.uris import scheme

    uri = os.fspath(model_uri)
    try:
        folder = Path(download_artifacts(uri, dst_path=None if dst_path is None else os.fspath(dst_path)))
    except ArtifactNotFound:
        raise ArtifactNotFound(
            f"there is no model at {uri}",
            hint="millstream.search_logged_models() lists what was logged, each with its address models:/<model id>",
        ) from None
    manifest.check(folder)
    if scheme(uri) in ("runs", "models", "mlflow-artifacts") and _is_trusted():
        trust.vouch(folder)
    return folder


def store_of(model_uri: str | os.PathLike[str]) -> tuple[ArtifactStore, str]:
    """The artifact store that holds the model at ``model_uri``, and the path of the model in it."""
    tracking_uri = stores.get_tracking_uri()
    return around(located(os.fspath(model_uri), tracking_uri), tracking_uri)


def fetch_file(model_uri: str | os.PathLike[str], name: str) -> Path:
    """One file of a model on this machine. Raises BadModel when the model lacks it."""
    store, inside = store_of(model_uri)
    try:
        return Path(store.download_artifacts(f"{inside}/{name}" if inside else name))
    except ArtifactNotFound:
        raise BadModel(f"there is no model at {os.fspath(model_uri)}: it holds no file named {name}",
                       hint="name what save_model() or log_model() wrote") from None


def fetch_checkpoint(run_id: str, path: str) -> Path:
    """A checkpoint that autologging stored in a run, on this machine; loading it runs its maker's code, like a model.

    Raises ArtifactNotFound, and UntrustedModel where the store is none to trust.
    """
    file = Path(download_artifacts(f"runs:/{run_id}/{path}"))
    if _is_trusted():
        trust.vouch(file)
    trust.check(file)
    return file


def _is_trusted() -> bool:
    """Whether the stores in use are ones to trust: they are, unless a setting lists others."""
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
    named = block.get("code") or (model.flavors.get(PYTHON_FUNCTION) or {}).get("code")
    if named:
        own = file_of(folder, {"code": named}, "code")
        trust.check(own)  # it is imported, and may take the place of any module
        code.use_code(own)
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
