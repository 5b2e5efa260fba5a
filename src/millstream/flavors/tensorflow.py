"""TensorFlow: Keras models, and any ``tf.Module`` as a SavedModel."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream.errors import BadModel, InvalidValue
from millstream.flavors import keras_models, loading, logging, saving
from millstream.flavors.contract import Flavor, LogOptions, SaveOptions, Written, spelled_out
from millstream.flavors.keras_models import DATA, MODULE_FILE, ModuleFunction, PythonFunction
from millstream.models import requirements
from millstream.models.mlmodel import Model

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from millstream.models.info import ModelInfo

FLAVOR = Flavor("tensorflow", "mlflow.tensorflow", ("tensorflow", "keras", "numpy"))
KERAS, MODULE = "keras", "tf2-module"
SAVED_MODEL, FORMAT_FILE = "tf2model", "save_format.txt"


@spelled_out
def save_model(
    model: Any, path: str | os.PathLike[str], conda_env: Mapping[str, Any] | str | None = None,
    code_paths: Iterable[str] | None = None, mlflow_model: Model | None = None,
    custom_objects: Mapping[str, Any] | None = None, saved_model_kwargs: Mapping[str, Any] | None = None,
    keras_model_kwargs: Mapping[str, Any] | None = None, **options: Unpack[SaveOptions],
) -> None:
    """Save a ``keras.Model`` or a ``tf.Module`` as the model in the folder ``path``.

    Of Keras models, ``keras_model_kwargs`` go to ``model.save`` (``save_format="h5"`` chooses the older format), and
    ``custom_objects`` are classes and functions to go along, beside those that the model is seen to have. Of others,
    ``saved_model_kwargs`` go to ``tf.saved_model.save``. Raises InvalidValue for anything else.
    """
    import tensorflow as tf

    keras = keras_models.import_keras()

    def write_keras(folder: Path) -> Written:
        kwargs = dict(keras_model_kwargs or {})
        form = str(kwargs.pop("save_format", "tf"))
        data = folder / DATA
        data.mkdir()
        modules = keras_models.write(model, data, custom_objects, h5=form == "h5", **kwargs)
        (data / MODULE_FILE).write_text("tensorflow.keras", encoding="utf-8")
        (data / FORMAT_FILE).write_text(form, encoding="utf-8")
        block = {"data": DATA, "model_type": KERAS, "keras_version": str(tf.__version__), "save_format": form}
        return Written(block, {"data": DATA}, modules, PythonFunction(model).predict)

    def write_module(folder: Path) -> Written:
        tf.saved_model.save(model, str(folder / SAVED_MODEL), **(saved_model_kwargs or {}))
        return Written({"model_type": MODULE, "saved_model_dir": SAVED_MODEL}, {}, set(), ModuleFunction(model).predict)

    if isinstance(model, keras.Model):
        write = write_keras
    elif isinstance(model, tf.Module):
        write = write_module
    else:
        raise InvalidValue(
            f"a keras.Model or tf.Module is expected, not {type(model).__module__}.{type(model).__name__}",
            hint="put what you want to keep into a tf.Module with a __call__ that is a tf.function",
        )
    saving.save(FLAVOR, path, write, conda_env=conda_env, code_paths=code_paths, mlflow_model=mlflow_model, **options)


@spelled_out
def log_model(
    model: Any, artifact_path: str | None = None, custom_objects: Mapping[str, Any] | None = None,
    conda_env: Mapping[str, Any] | str | None = None, code_paths: Iterable[str] | None = None,
    saved_model_kwargs: Mapping[str, Any] | None = None, keras_model_kwargs: Mapping[str, Any] | None = None,
    **options: Unpack[LogOptions],
) -> ModelInfo:
    """Save a Keras model or a ``tf.Module``, see :func:`save_model`, and log it."""
    save = functools.partial(
        save_model, model, conda_env=conda_env, code_paths=code_paths, custom_objects=custom_objects,
        saved_model_kwargs=saved_model_kwargs, keras_model_kwargs=keras_model_kwargs,
    )
    return logging.log(save, artifact_path, **options)


def load_model(
    model_uri: str | os.PathLike[str], dst_path: str | None = None, saved_model_kwargs: Mapping[str, Any] | None = None,
    keras_model_kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """The model at ``model_uri``: a Keras model, or what ``tf.saved_model.load`` makes of a ``tf.Module``.

    The kwargs go to that, and to ``keras.saving.load_model``. Raises BadModel, CorruptModel, UntrustedModel.
    """
    folder, _, block = loading.open_model(model_uri, FLAVOR.name, dst_path)
    return _read(folder, block, saved_model_kwargs, keras_model_kwargs)


def get_default_pip_requirements(include_cloudpickle: bool = False) -> list[str]:
    """The pins of what every TensorFlow model needs."""
    return requirements.infer_requirements([*FLAVOR.modules, *(["cloudpickle"] if include_cloudpickle else [])])


def get_default_conda_env() -> dict[str, Any]:
    """The same as the content of a conda.yaml."""
    return FLAVOR.default_conda_env()


def get_global_custom_objects() -> dict[str, Any]:
    """The classes and functions that are registered with Keras, by name."""
    return dict(keras_models.import_keras().saving.get_custom_objects())


def _load_pyfunc(path: str, model_config: dict[str, Any] | None = None) -> PythonFunction | ModuleFunction:
    """The python function of a model: ``path`` is its folder, or the one of its Keras model inside."""
    folder = Path(path)
    if folder.name == DATA and not (folder / "MLmodel").exists():
        folder = folder.parent
    block = loading.block_of(Model.load(folder), FLAVOR.name, path)
    model = _read(folder, block, None, None)
    return PythonFunction(model) if block.get("model_type") == KERAS else ModuleFunction(model)


def _read(
    folder: Path, block: Mapping[str, Any], saved_model_kwargs: Mapping[str, Any] | None,
    keras_model_kwargs: Mapping[str, Any] | None,
) -> Any:
    kind = block.get("model_type")
    if kind == KERAS:
        data = loading.file_of(folder, dict(block), "data", default=DATA)
        keras_models.import_keras("tensorflow")
        return keras_models.read(keras_models.find(data), **(keras_model_kwargs or {}))
    if kind == MODULE:
        saved = loading.file_of(folder, dict(block), "saved_model_dir", default=SAVED_MODEL)
        return keras_models.read_saved_model(saved, **(saved_model_kwargs or {}))
    raise BadModel(f"the model at {folder} is of the kind {kind!r}, which TensorFlow 2 does not train any more",
                   hint="save it again as a Keras model or a tf.Module")
