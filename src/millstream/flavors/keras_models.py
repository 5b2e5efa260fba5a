"""Keras models as files and as python functions: what the flavors keras and tensorflow share.

A model lies in the folder ``data`` as ``model.keras`` (or ``model.h5``, the older format). Beside it lie, pickled, the
classes and functions of the program that it is made of: ``custom_objects.cloudpickle`` those that it only uses,
``global_custom_objects.cloudpickle`` those that it registered with Keras. They are read only by models that cannot be
read without them, and only where the gate for pickles allows it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from millstream.errors import BadModel, InvalidValue
from millstream.models import pickles, requirements

DATA = "data"
KERAS_FILE, H5_FILE, EXPORTED = "model.keras", "model.h5", "model"
MODULE_FILE = "keras_module.txt"
CUSTOM_FILE, REGISTERED_FILE = "custom_objects.cloudpickle", "global_custom_objects.cloudpickle"
BACKENDS = ("tensorflow", "torch", "jax")  # each is the name of its module too
BATCH = 32  # rows that Keras predicts at once, unless told otherwise


def import_keras(backend: str | None = None) -> Any:
    """The module keras; where it is not imported yet and nobody chose a backend for it, ``backend``, if installed."""
    chosen = "keras" in sys.modules or "KERAS_BACKEND" in os.environ
    if not chosen and backend in BACKENDS and importlib.util.find_spec(backend) is not None:
        os.environ["KERAS_BACKEND"] = backend
        try:
            return importlib.import_module("keras")
        finally:
            del os.environ["KERAS_BACKEND"]
    return importlib.import_module("keras")


def checked(model: Any) -> Any:
    """``model``. Raises InvalidValue for what is no model of Keras 3."""
    keras = import_keras()
    if not isinstance(model, keras.Model):
        raise InvalidValue(f"a keras.Model is expected, not {type(model).__module__}.{type(model).__name__}",
                           hint="models of Keras 2 (tf_keras) are saved anew with Keras 3 first")
    return model


def write(model: Any, data: Path, custom_objects: Mapping[str, Any] | None = None, h5: bool = False,
          **options: Any) -> set[str]:
    """Write a model into the folder ``data``; ``options`` go to ``model.save``. Gives the modules that it needs."""
    if h5:
        with _h5(model):
            model.save(str(data / H5_FILE), **options)
    else:
        model.save(str(data / KERAS_FILE), **options)
    used, registered = _custom_objects(model)
    modules = {"keras", str(import_keras().backend.backend())}
    for name, found in ((CUSTOM_FILE, {**used, **(custom_objects or {})}), (REGISTERED_FILE, registered)):
        if found:
            pickles.dump(found, data / name)
            modules |= {"cloudpickle", *requirements.modules_of_pickle(data / name)}
    return modules


@contextmanager
def _h5(model: Any) -> Iterator[None]:
    """Whoever asks for the older format need not be told that it is older; and the model shall not lose the optimizer
    that it was compiled with, as it does in Keras 3.15."""
    import absl.logging

    level = absl.logging.get_verbosity()
    compiled = _compiled(model)
    before = dict(compiled)
    absl.logging.set_verbosity(absl.logging.ERROR)
    try:
        yield
    finally:
        absl.logging.set_verbosity(level)
        compiled.update(before)


def _compiled(model: Any) -> dict[str, Any]:
    """What the model's ``compile`` was called with, as it was told; empty for one that is not compiled."""
    config = getattr(getattr(model, "_compile_config", None), "config", None)
    return config if isinstance(config, dict) else {}


def _custom_objects(model: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The classes and functions of a model that are not of Keras, by Keras's name for them: others, registered ones."""
    keras = import_keras()
    parts = [model, *model._flatten_layers(include_self=False), getattr(model, "optimizer", None)]
    for name in ("loss", "metrics", "weighted_metrics"):
        parts += _leaves(_compiled(model).get(name))
    used: dict[str, Any] = {}
    registered: dict[str, Any] = {}
    for part in parts:
        found = part if _is_function(part) else type(part)
        if found.__module__.partition(".")[0] in ("keras", "builtins") or found.__name__ == "<lambda>":
            continue
        name = keras.saving.get_registered_name(found)
        (registered if keras.saving.get_registered_object(name) is found else used)[name] = found
    return used, registered


def _leaves(told: Any) -> list[Any]:
    if isinstance(told, Mapping):
        told = list(told.values())
    if isinstance(told, (list, tuple)):
        return [leaf for one in told for leaf in _leaves(one)]
    return [] if told is None or isinstance(told, str) else [told]


def _is_function(part: Any) -> bool:
    return callable(part) and hasattr(part, "__name__") and hasattr(part, "__module__")


def find(data: Path) -> Path:
    """The file of the model in the folder ``data``. Raises BadModel."""
    for name in (KERAS_FILE, H5_FILE):
        if (data / name).is_file():
            return data / name
    told = "was written by Keras 2" if (data / EXPORTED).is_dir() else f"holds neither {KERAS_FILE} nor {H5_FILE}"
    raise BadModel(f"{data} {told}", hint="save the model again with Keras 3")


def read(file: Path, custom_objects: Mapping[str, Any] | None = None, **options: Any) -> Any:
    """The model in a file; ``options`` go to ``keras.saving.load_model``.

    Keras reads it in its safe mode. Where that is not enough, for lambdas and for classes that are not in this program,
    and for files of the older format h5, the gate is asked. Raises UntrustedModel, and BadModel for what is not read.
    """
    keras = import_keras()
    if file.suffix == ".h5" or options.get("safe_mode") is False or not _is_mode_safe(str(keras.__version__)):
        pickles.allow(file)
    given = dict(custom_objects or {})
    saved = [path for name in (REGISTERED_FILE, CUSTOM_FILE) if (path := file.parent / name).is_file()]
    while True:
        try:
            return keras.saving.load_model(str(file), custom_objects=given or None, **options)
        except (TypeError, ValueError) as error:
            if saved:
                given = {**{name: one for path in saved for name, one in pickles.load(path).items()}, **given}
                saved = []
            elif "safe_mode" in str(error) and "safe_mode" not in options:
                pickles.allow(file)
                options["safe_mode"] = False
            else:
                raise BadModel(
                    f"Keras does not read {file}: {_first(error)}",
                    hint="give classes of your own, whose __init__ takes **kwargs, with custom_objects={name: class}",
                ) from error


def _is_mode_safe(version: str) -> bool:
    """Whether the safe mode of this Keras is one: earlier ones run code that a file names (CVE-2025-8747,
    CVE-2025-9906, CVE-2026-1462) and read files of the machine (CVE-2025-12058)."""
    return tuple(int(part) for part in version.split(".")[:2]) >= (3, 14)


def _first(error: Exception) -> str:
    """What was the matter, of a text of Keras that repeats the whole model."""
    text = str(error).rpartition("Exception encountered: ")[2].partition("Full object config")[0]
    return " ".join(text.split())[:300]


def read_saved_model(folder: Path, **options: Any) -> Any:
    """What TensorFlow makes of a SavedModel; ``options`` go to ``tf.saved_model.load``.

    A SavedModel is a program, which may read and write files: the gate is asked.
    """
    pickles.allow(folder)
    import tensorflow as tf

    return tf.saved_model.load(str(folder), **options)


class PythonFunction:
    """A Keras model that predicts: DataFrame in, DataFrame out; arrays in, arrays out."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """What the model gives for ``data``: a DataFrame, an array, nested lists, or for several inputs a dictionary or
        list of arrays. ``params`` are further arguments of ``keras.Model.predict``, such as batch_size.

        A DataFrame's predictions of one or two axes are a DataFrame with its index.
        """
        given = arrays_of(data, len(getattr(self.model, "inputs", None) or ()))
        if not params and _is_small(given):
            predicted = self.model.predict_on_batch(given)  # the same function, without a loop around it
        else:
            predicted = self.model.predict(given, **{"verbose": 0, **(params or {})})
        return like(data, predicted)

    def get_raw_model(self) -> Any:
        """The Keras model."""
        return self.model


class ModuleFunction:
    """What TensorFlow read from a SavedModel, predicting: called by itself, or by one of its signatures."""

    def __init__(self, model: Any) -> None:
        self.model = model
        signatures = getattr(model, "signatures", None) or {}
        self._signature: Any = signatures.get("serving_default") or next(iter(signatures.values()), None)
        # What keras.Model.export wrote is called by ``serve``, a tf.Module by itself.
        self._call: Any = getattr(model, "serve", None) or (model if callable(model) else None)

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """What the model gives for ``data``: a DataFrame, an array, nested lists or a dictionary of arrays. ``params``
        are further arguments.

        A model that cannot be called predicts by its signature, whose arguments are the columns or the items of the
        dictionary by name. Raises BadModel for a model that has none.
        """
        import tensorflow as tf

        given = arrays_of(data, 0)
        if self._call is not None and not isinstance(given, dict):
            made = self._of_one(tf.convert_to_tensor(given), params or {})
        elif self._signature is not None:
            made = self._signature(**self._named(data, given), **(params or {}))
            if self._call is not None and len(made) == 1:  # signatures name every output, also a single one
                made = next(iter(made.values()))
        elif self._call is not None:
            made = self._call({name: tf.convert_to_tensor(value) for name, value in given.items()}, **(params or {}))
        else:
            raise BadModel("this SavedModel cannot be called and has no signature",
                           hint="give your tf.Module a __call__ that is a tf.function, or save it with signatures=…")
        return like(data, tf.nest.map_structure(_array, made))

    def _of_one(self, given: Any, params: Mapping[str, Any]) -> Any:
        """What the model gives for one tensor; doubles, which lists and tables hold, become floats if it takes none."""
        import tensorflow as tf

        try:
            return self._call(given, **params)
        except (TypeError, ValueError):
            if given.dtype != tf.float64:
                raise
        return self._call(tf.cast(given, tf.float32), **params)

    def _named(self, data: Any, given: Any) -> dict[str, Any]:
        """The arguments of the signature, in its types."""
        import tensorflow as tf

        specs = dict(self._signature.structured_input_signature[1])
        if hasattr(data, "columns") and set(specs) <= set(data.columns):
            given = {name: data[name].to_numpy() for name in specs}
        elif not isinstance(given, dict) and len(specs) == 1:
            given = {next(iter(specs)): given}
        elif not isinstance(given, dict) or set(given) != set(specs):
            raise InvalidValue(f"the signature of the model takes {', '.join(sorted(specs))}",
                               hint="give a dictionary of arrays, or a DataFrame with columns of these names")
        return {name: tf.cast(tf.convert_to_tensor(value), specs[name].dtype) for name, value in given.items()}

    def get_raw_model(self) -> Any:
        """What TensorFlow read."""
        return self.model


def _array(value: Any) -> Any:
    return value.numpy() if hasattr(value, "numpy") else value


def arrays_of(data: Any, inputs: int) -> Any:
    """``data`` as Keras takes it: tables and lists as an array, but a list of arrays for a model of several inputs."""
    import numpy

    if isinstance(data, Mapping):
        return {name: numpy.asarray(value) for name, value in data.items()}
    if hasattr(data, "to_numpy"):
        return data.to_numpy()
    if hasattr(data, "toarray"):
        return data.toarray()
    if isinstance(data, (list, tuple)):
        return [numpy.asarray(one) for one in data] if inputs > 1 and len(data) == inputs else numpy.asarray(data)
    return data


def _is_small(given: Any) -> bool:
    """Whether these are arrays of numbers that make one batch."""
    parts = list(given.values()) if isinstance(given, dict) else given if isinstance(given, list) else [given]
    return bool(parts) and all(
        getattr(getattr(part, "dtype", None), "kind", "") in "fiub" and part.ndim > 0 and 0 < len(part) <= BATCH
        for part in parts
    )


def like(data: Any, predicted: Any) -> Any:
    """Predictions for a DataFrame as a DataFrame with its index; others, and those of more axes, as they are."""
    if not (hasattr(data, "index") and hasattr(data, "columns")):
        return predicted
    import pandas

    if isinstance(predicted, dict):
        flat = {name: value.ravel() for name, value in predicted.items() if value.size == len(data)}
        return pandas.DataFrame(flat, index=data.index) if len(flat) == len(predicted) else predicted
    if getattr(predicted, "ndim", 3) > 2 or len(predicted) != len(data):
        return predicted
    return pandas.DataFrame(predicted, index=data.index)
