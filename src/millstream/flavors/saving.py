"""Saving a model: what is the same for every flavor.

A model folder holds what the flavor wrote, the MLmodel file, the input example, the files that say what the model
needs, the code that goes along, and a manifest of them all. It appears whole or not at all.
"""

from __future__ import annotations

import logging
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream.errors import AlreadyExists, InvalidValue
from millstream.flavors import profiles
from millstream.flavors.contract import Flavor, Written
from millstream.models import code, environment_files, examples, manifest, mlmodel, requirements
from millstream.models.mlmodel import Model

if TYPE_CHECKING:
    from millstream.models.signature import ModelSignature

logger = logging.getLogger("millstream")


def save(
    flavor: Flavor, path: str | os.PathLike[str], write: Callable[[Path], Written], *,
    conda_env: Mapping[str, Any] | str | None = None, code_paths: Iterable[str] | None = None,
    mlflow_model: Model | None = None, signature: ModelSignature | bool | None = None, input_example: Any = None,
    pip_requirements: Iterable[str] | str | None = None, extra_pip_requirements: Iterable[str] | str | None = None,
    metadata: Mapping[str, Any] | None = None, extra_files: Iterable[str] | None = None, training_profile: Any = None,
) -> Model:
    """Save a model as the folder ``path``, whose flavor ``write``\\ s its own files into a folder that it is given.

    Returns what the MLmodel file says. Raises AlreadyExists when something is at ``path`` (an empty folder apart), and
    InvalidValue for options that do not fit together; then nothing is left behind.
    """
    if signature not in (None, False) and not hasattr(signature, "to_dict"):
        raise InvalidValue.of("signature", signature, "it is no ModelSignature",
                              hint="make one with millstream.models.infer_signature(inputs, outputs)")
    target = Path(path)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise AlreadyExists(f"there is something at {target} already", hint="name a new folder, or remove that one")
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        model = mlflow_model if mlflow_model is not None else Model()
        code_folder = code.copy_code(code_paths, folder) if code_paths else None
        written = write(folder)
        _describe(model, flavor, written, code_folder)
        if metadata is not None:
            model.metadata = dict(metadata)
        if extra_files:
            _bring(extra_files, folder / "extra_files")
        if input_example is not None:
            example = examples.prepare(input_example)
            model.saved_input_example_info = example.save(folder)
            if signature is None and model.signature is None and written.predict is not None:
                model.signature = _inferred(example, written.predict)
            elif signature and signature is not True and signature.type_hint_from_example and not signature.outputs:
                shown = _inferred(example, written.predict) if written.predict is not None else None
                signature.outputs = shown.outputs if shown is not None else None
        if signature is not None and signature is not False:
            model.signature = signature  # type: ignore[assignment]
        if training_profile is not None:
            predict = written.predict
            made = profiles.of(training_profile, None if predict is None else lambda data: predict(data, None))
            profiles.write(made, folder, model)

        pins: list[str] = []
        if conda_env is None and pip_requirements is None:
            pins = _pins({*flavor.modules, *written.modules}, folder / code_folder if code_folder else None)
        environment_files.resolve(conda_env, pip_requirements, extra_pip_requirements, pins).write(folder)
        model.model_size_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        model.save(folder / mlmodel.FILE)
        manifest.write(folder)
        _put(folder, target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return model


def _describe(model: Model, flavor: Flavor, written: Written, code_folder: str | None) -> None:
    """The blocks of the flavor and of the python function."""
    if written.python_function is not None:
        model.add_flavor(mlmodel.PYTHON_FUNCTION, **{
            "loader_module": flavor.loader, "python_version": platform.python_version(),
            "env": environment_files.REFERENCES,
            **({"code": code_folder} if code_folder else {}), **written.python_function,
        })
    if flavor.name != mlmodel.PYTHON_FUNCTION:
        model.add_flavor(flavor.name, **{"code": code_folder, **written.block})


def _pins(used: set[str], code_folder: Path | None) -> list[str]:
    """What the modules that the model uses, and its own code imports, are installed from."""
    brought: set[str] = set()
    if code_folder is not None:
        used |= requirements.modules_of_code(code_folder)
        brought = {path.stem for path in code_folder.iterdir()}
    return requirements.infer_requirements(used, provided=brought)


def _inferred(example: Any, predict: Callable[[Any, dict[str, Any] | None], Any]) -> ModelSignature | None:
    """The signature that the example and the prediction on it show; None, with a line in the log, where none does."""
    from millstream.models.signature import infer_signature

    try:
        return infer_signature(example.data, _as_columns(predict(example.data, example.params), example.data),
                               example.params)
    except Exception as error:  # whatever a library raises about an example of its user
        logger.warning("the model is saved without a signature: its input example does not predict: %s: %s",
                       type(error).__name__, error)
        return None


def _as_columns(predicted: Any, data: Any) -> Any:
    """A prediction for a DataFrame that gives one value a row is a column, whatever array it comes as."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(data, pandas.DataFrame) or getattr(predicted, "ndim", 0) != 1:
        return predicted
    return pandas.Series(predicted) if type(predicted).__module__ == "numpy" else predicted


def _bring(uris: Iterable[str], folder: Path) -> None:
    from millstream.tracking.files import download_artifacts

    if isinstance(uris, str) or not all(isinstance(uri, str) for uri in uris):
        raise InvalidValue.of("extra_files", uris, "a list of addresses of files is expected")
    folder.mkdir()
    for uri in uris:
        found = Path(download_artifacts(uri))
        (shutil.copytree if found.is_dir() else shutil.copy2)(found, folder / found.name)


def _put(folder: Path, target: Path) -> None:
    """Move a finished folder to its place, with the permissions that a new folder gets."""
    umask = os.umask(0)
    os.umask(umask)
    folder.chmod(0o777 & ~umask)
    if target.exists():
        target.rmdir()  # empty
    folder.rename(target)
