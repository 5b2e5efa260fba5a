"""Keras 3: models as ``.keras`` files, or exported as SavedModels that predict without the code of their layers."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream.flavors import keras_models, loading, logging, saving
from millstream.flavors.contract import Flavor, LogOptions, SaveOptions, Written, spelled_out
from millstream.flavors.keras_models import DATA, EXPORTED, MODULE_FILE, ModuleFunction, PythonFunction
from millstream.models.mlmodel import Model

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from millstream.models.info import ModelInfo

FLAVOR = Flavor("keras", "mlflow.keras", ("keras", "numpy"))


@spelled_out
def save_model(
    model: Any, path: str | os.PathLike[str], save_exported_model: bool = False,
    conda_env: Mapping[str, Any] | str | None = None, mlflow_model: Model | None = None,
    save_model_kwargs: Mapping[str, Any] | None = None, **options: Unpack[SaveOptions],
) -> None:
    """Save a ``keras.Model`` as the model in the folder ``path``.

    ``save_exported_model`` stores what ``model.export`` gives, a SavedModel of TensorFlow, which predicts but is not
    trained on. ``save_model_kwargs`` go to ``model.save``, or to ``model.export``. Layers, losses and metrics that the
    program defines go along. Raises InvalidValue for what is no model of Keras 3.
    """
    keras_models.checked(model)
    keras = keras_models.import_keras()
    kwargs = dict(save_model_kwargs or {})

    def write(folder: Path) -> Written:
        data = folder / DATA
        data.mkdir()
        if save_exported_model:
            model.export(str(data / EXPORTED), **{"verbose": False, **kwargs})
            modules = {"keras", "tensorflow"}
        else:
            modules = keras_models.write(model, data, **kwargs)
        (data / MODULE_FILE).write_text("keras", encoding="utf-8")
        block = {
            "data": DATA, "keras_backend": keras.backend.backend(), "keras_version": str(keras.__version__),
            "save_exported_model": save_exported_model,
        }
        return Written(block, {}, modules, PythonFunction(model).predict)

    saving.save(FLAVOR, path, write, conda_env=conda_env, mlflow_model=mlflow_model, **options)


@spelled_out
def log_model(
    model: Any, artifact_path: str | None = None, save_exported_model: bool = False,
    conda_env: Mapping[str, Any] | str | None = None, save_model_kwargs: Mapping[str, Any] | None = None,
    **options: Unpack[LogOptions],
) -> ModelInfo:
    """Save a Keras model, see :func:`save_model`, and log it."""
    save = functools.partial(
        save_model, model, save_exported_model=save_exported_model, conda_env=conda_env,
        save_model_kwargs=save_model_kwargs,
    )
    return logging.log(save, artifact_path, **options)


def load_model(
    model_uri: str | os.PathLike[str], dst_path: str | None = None, custom_objects: Mapping[str, Any] | None = None,
    load_model_kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """The Keras model at ``model_uri``; an exported one comes as what TensorFlow reads, with a function ``serve``.

    ``load_model_kwargs`` go to ``keras.saving.load_model``, or to ``tf.saved_model.load``. Raises BadModel,
    CorruptModel, UntrustedModel.
    """
    folder, _, block = loading.open_model(model_uri, FLAVOR.name, dst_path)
    return _read(folder, block, custom_objects, load_model_kwargs)


def get_default_pip_requirements() -> list[str]:
    """The pins of what every Keras model needs."""
    return FLAVOR.default_requirements()


def get_default_conda_env() -> dict[str, Any]:
    """The same as the content of a conda.yaml."""
    return FLAVOR.default_conda_env()


def _load_pyfunc(path: str, model_config: dict[str, Any] | None = None) -> PythonFunction | ModuleFunction:
    """The python function of the model in the folder ``path``."""
    folder = Path(path)
    block = loading.block_of(Model.load(folder), FLAVOR.name, path)
    model = _read(folder, block, None, None)
    return ModuleFunction(model) if block.get("save_exported_model") else PythonFunction(model)


def _read(
    folder: Path, block: Mapping[str, Any], custom_objects: Mapping[str, Any] | None, kwargs: Mapping[str, Any] | None
) -> Any:
    data = loading.file_of(folder, dict(block), "data", default=DATA)
    if block.get("save_exported_model"):
        return keras_models.read_saved_model(data / EXPORTED, **(kwargs or {}))
    keras_models.import_keras(block.get("keras_backend"))
    return keras_models.read(keras_models.find(data), custom_objects, **(kwargs or {}))
