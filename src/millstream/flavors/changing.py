"""What is asked of models and changed in them after they were saved."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from millstream.artifacts.uris import parse_model_uri, scheme
from millstream.entities import LoggedModel
from millstream.errors import BadModel, InvalidValue, LoggedModelNotFound
from millstream.flavors import loading
from millstream.models import manifest, mlmodel, payloads, requirements
from millstream.models.info import ModelInfo
from millstream.models.mlmodel import Model
from millstream.models.signature import ModelSignature
from millstream.tracking.client import MlflowClient


def get_model_info(model_uri: str | os.PathLike[str]) -> ModelInfo:
    """The facts of the model at ``model_uri``, with those of the logged model that it is. Only MLmodel is fetched."""
    model = Model.load(loading.fetch_file(model_uri, mlmodel.FILE))
    return ModelInfo.of(model, logged_model_of(model), uri=str(model_uri))


def logged_model_of(model: Model) -> LoggedModel | None:
    """The logged model that a description belongs to, None where the tracking store does not know it."""
    if model.model_id is None:
        return None
    try:
        return MlflowClient().get_logged_model(model.model_id)
    except LoggedModelNotFound:  # a copy from elsewhere
        return None


def set_signature(model_uri: str | os.PathLike[str], signature: ModelSignature) -> None:
    """Give the model at ``model_uri`` another signature; nothing else of it changes.

    Raises InvalidValue for what is no signature, and for a registered version, whose files do not change.
    """
    if not isinstance(signature, ModelSignature):
        raise InvalidValue.of("signature", signature, "it is no ModelSignature",
                              hint="make one with infer_signature(inputs, outputs)")
    model = Model.load(loading.fetch_file(model_uri, mlmodel.FILE))
    model.signature = signature
    rewrite(model_uri, {mlmodel.FILE: model.to_yaml()})


def rewrite(model_uri: str | os.PathLike[str], texts: dict[str, str]) -> None:
    """Replace files of the model at ``model_uri`` by texts, and tell its manifest. Raises InvalidValue for a version of
    a registered model: what was registered stays as it was."""
    uri = os.fspath(model_uri)
    if scheme(uri) == "models" and (registered := parse_model_uri(uri).name) is not None:
        raise InvalidValue(
            f"{model_uri} is a version of the registered model {registered}, whose files do not change",
            hint="change the logged model (models:/<model id>, runs:/…) before you register it, or log it again",
        )
    store, inside = loading.store_of(model_uri)
    with tempfile.TemporaryDirectory(prefix="millstream-model-") as scratch:
        folder = Path(scratch)
        changed = [folder / name for name in texts]
        for path, text in zip(changed, texts.values(), strict=True):
            path.write_text(text, encoding="utf-8")
        if manifest.FILE in {os.path.basename(one.path) for one in store.list(inside)}:
            before = Path(store.download_artifacts(f"{inside}/{manifest.FILE}".lstrip("/"), scratch))
            manifest.change(before, changed)
            changed = [*changed, before]
        for path in changed:
            store.log_artifact(str(path), inside or None)


def infer_pip_requirements(
    model_uri: str, flavor: str, fallback: list[str] | None = None, **others: Any
) -> list[str]:
    """The pins that a saved model needs, seen from its files; ``fallback`` when its files show nothing.

    ``flavor`` names the block of the model; further arguments of MLflow's function (a timeout, environment variables)
    have no meaning here, as no process is started. Raises BadModel.
    """
    folder = loading.fetch(model_uri)
    model = Model.load(folder)
    loading.block_of(model, flavor, model_uri)
    modules: set[str] = set()
    for file in sorted(folder.rglob("*")):
        if file.suffix == ".pkl":
            modules |= requirements.modules_of_pickle(file)
    code = folder / "code"
    if code.is_dir():
        modules |= requirements.modules_of_code(code)
    return requirements.infer_requirements(modules) or list(fallback or [])


def validate_serving_input(model_uri: str | os.PathLike[str], serving_input: str | dict[str, Any]) -> Any:
    """What the model predicts for a request body of a scoring server. Raises as reading the body or predicting does."""
    from millstream.flavors.pyfunc.loading import load_model

    model = load_model(model_uri)
    data, params = payloads.parse(serving_input, model.metadata.get_input_schema())
    return model.predict(data, params)


def seal(path: str) -> None:
    """Say that the files of the model in a local folder are as they should be, and that this user trusts them.

    Raises BadModel for a folder that holds no model.
    """
    folder = Path(path)
    if not (folder / mlmodel.FILE).is_file():
        raise BadModel(f"there is no model at {folder}", hint=f"name a folder that holds a file {mlmodel.FILE}")
    manifest.write(folder)
