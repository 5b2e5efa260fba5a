"""ONNX: models of any library in one format, without code, run by onnxruntime; and how others become one."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream.errors import CorruptModel, InvalidValue
from millstream.flavors import loading, logging, saving
from millstream.flavors.contract import Flavor, LogOptions, SaveOptions, Written, spelled_out
from millstream.flavors.pytorch import evaluating

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from millstream.models.info import ModelInfo
    from millstream.models.mlmodel import Model

FLAVOR = Flavor("onnx", "mlflow.onnx", ("onnx", "onnxruntime", "numpy", "pandas"))
FILE = "model.onnx"
# Those that this machine does not have are left out when the model is loaded.
PROVIDERS = ["CUDAExecutionProvider", "CPUExecutionProvider"]


@spelled_out
def save_model(
    onnx_model: Any, path: str | os.PathLike[str], conda_env: Mapping[str, Any] | str | None = None,
    code_paths: Iterable[str] | None = None, mlflow_model: Model | None = None,
    onnx_execution_providers: list[str] | None = None, onnx_session_options: Mapping[str, Any] | None = None,
    save_as_external_data: bool = True, **options: Unpack[SaveOptions],
) -> None:
    """Save a ``ModelProto`` as the model in the folder ``path``.

    ``onnx_session_options`` are those of onnxruntime's SessionOptions, which the python function runs with, on the
    first of ``onnx_execution_providers`` that is there. With ``save_as_external_data`` the weights lie in a file of
    their own, without which a model holds 2 GB at most. Raises InvalidValue for a model that ONNX's checker refuses.
    """
    import onnx

    if not isinstance(onnx_model, onnx.ModelProto):
        raise InvalidValue(f"an onnx.ModelProto is expected, not {type(onnx_model).__name__}",
                           hint="convert it: millstream.onnx.from_sklearn(…), from_keras(…), from_torch(…)")
    try:
        onnx.checker.check_model(onnx_model)
    except onnx.checker.ValidationError as error:
        raise InvalidValue(f"the model is not valid ONNX: {error}") from None
    chosen = {"providers": list(onnx_execution_providers or PROVIDERS),
              "onnx_session_options": dict(onnx_session_options) if onnx_session_options else None}

    def write(folder: Path) -> Written:
        copy = onnx.ModelProto()
        copy.CopyFrom(onnx_model)  # saving moves the weights out of the one that is saved
        onnx.save_model(copy, str(folder / FILE), save_as_external_data=save_as_external_data, location=f"{FILE}.data")
        block = {"onnx_version": onnx.__version__, "data": FILE, **chosen}

        def predict(data: Any, params: dict[str, Any] | None) -> Any:
            return PythonFunction(folder / FILE, block).predict(data, params)

        return Written(block, {"data": FILE}, set(), predict)

    saving.save(FLAVOR, path, write, conda_env=conda_env, code_paths=code_paths, mlflow_model=mlflow_model, **options)


@spelled_out
def log_model(
    onnx_model: Any, artifact_path: str | None = None, conda_env: Mapping[str, Any] | str | None = None,
    code_paths: Iterable[str] | None = None, onnx_execution_providers: list[str] | None = None,
    onnx_session_options: Mapping[str, Any] | None = None, save_as_external_data: bool = True,
    **options: Unpack[LogOptions],
) -> ModelInfo:
    """Save a ``ModelProto``, see :func:`save_model`, and log it."""
    save = functools.partial(
        save_model, onnx_model, conda_env=conda_env, code_paths=code_paths,
        onnx_execution_providers=onnx_execution_providers, onnx_session_options=onnx_session_options,
        save_as_external_data=save_as_external_data,
    )
    return logging.log(save, artifact_path, **options)


def load_model(model_uri: str | os.PathLike[str], dst_path: str | None = None) -> Any:
    """The ``ModelProto`` of the model at ``model_uri``. Raises BadModel and CorruptModel."""
    import onnx
    from google.protobuf.message import DecodeError

    folder, _, block = loading.open_model(model_uri, FLAVOR.name, dst_path)
    file = loading.file_of(folder, block, "data", default=FILE)
    try:
        return onnx.load(str(file))
    except DecodeError as error:
        raise CorruptModel(f"{file} is no ONNX model: {error}", hint="fetch or save the model again") from None


def from_sklearn(sk_model: Any, example: Any, *, probabilities_as_array: bool = True, **options: Any) -> Any:
    """A fitted estimator of scikit-learn as a ``ModelProto``, by skl2onnx.

    ``example`` shows the input: an array, or a DataFrame, whose columns are inputs of their own where the estimator
    tells them apart (a ColumnTransformer) and else one array. Probabilities of a classifier are one array, unless asked
    to be dictionaries. ``options`` go to ``skl2onnx.to_onnx``.
    """
    import skl2onnx
    from skl2onnx.common.utils import InvalidInputLengthException

    settings = options.pop("options", None)
    if settings is None and probabilities_as_array and hasattr(sk_model, "predict_proba"):
        settings = {id(sk_model): {"zipmap": False}}
    try:
        return skl2onnx.to_onnx(sk_model, example[:1], options=settings, **options)
    except InvalidInputLengthException:
        if not hasattr(example, "to_numpy"):
            raise
        return skl2onnx.to_onnx(sk_model, example[:1].to_numpy(), options=settings, **options)


def from_keras(model: Any, **options: Any) -> Any:
    """A model of Keras as a ``ModelProto``, by Keras' own export, whose ``options`` they are.

    The backend TensorFlow needs tf2onnx for it, and PyTorch needs onnxscript.
    """
    import onnx

    with tempfile.TemporaryDirectory() as scratch:
        file = os.path.join(scratch, FILE)
        model.export(file, format="onnx", verbose=False, **options)
        return onnx.load(file)


def from_torch(module: Any, *example: Any, **options: Any) -> Any:
    """A module of PyTorch as a ``ModelProto``, traced on the tensors of ``example``, the first axis left open.

    ``options`` go to ``torch.onnx.export``, which needs onnxscript.
    """
    import onnx
    import torch

    with tempfile.TemporaryDirectory() as scratch:
        file = os.path.join(scratch, FILE)
        shapes = tuple({0: torch.export.Dim.DYNAMIC} for _ in example)
        with evaluating(module):
            torch.onnx.export(
                module, example, file, **{"dynamo": True, "dynamic_shapes": shapes, "verbose": False, **options}
            )
        return onnx.load(file)


def get_default_pip_requirements() -> list[str]:
    """The pins of what every ONNX model needs."""
    return FLAVOR.default_requirements()


def get_default_conda_env() -> dict[str, Any]:
    """The same as the content of a conda.yaml."""
    return FLAVOR.default_conda_env()


def _load_pyfunc(path: str, model_config: dict[str, Any] | None = None) -> PythonFunction:
    """The python function of the model in the file ``path``, whose folder's MLmodel says how to run it."""
    from millstream.models.mlmodel import Model

    file = Path(path)
    return PythonFunction(file, {**Model.load(file.parent).flavors.get(FLAVOR.name, {}), **(model_config or {})})


class PythonFunction:
    """A session of onnxruntime that predicts: arrays or dictionaries of them, or a DataFrame."""

    def __init__(self, file: Path, block: Mapping[str, Any]) -> None:
        import onnxruntime

        there = onnxruntime.get_available_providers()
        providers = [name for name in block.get("providers") or PROVIDERS if name in there]
        session_options = onnxruntime.SessionOptions()
        for name, value in (block.get("onnx_session_options") or {}).items():
            _set_option(session_options, name, value)
        try:
            self.session = onnxruntime.InferenceSession(str(file), session_options, providers or there)
        except Exception as error:  # onnxruntime's errors have no class in common
            raise CorruptModel(f"onnxruntime does not take {file}: {error}",
                               hint="fetch or save the model again, or update onnxruntime") from error
        self.inputs = {one.name: (one.type, one.shape) for one in self.session.get_inputs()}
        self.outputs = [one.name for one in self.session.get_outputs()]

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """The outputs by their names: a dictionary of arrays, or for a DataFrame a DataFrame, when each output has one
        value a row."""
        import numpy

        is_frame = type(data).__module__.partition(".")[0] == "pandas"
        if isinstance(data, dict):
            fed = {name: self._array(name, value) for name, value in data.items() if name in self.inputs}
        elif is_frame and len(self.inputs) > 1:
            fed = {name: self._array(name, data[name].to_numpy().reshape(-1, 1)) for name in self.inputs}
        else:
            (name,) = list(self.inputs)[:1]
            fed = {name: self._array(name, data.to_numpy() if is_frame else numpy.asarray(data))}
        missing = [name for name in self.inputs if name not in fed]
        if missing:
            raise InvalidValue(f"the model takes {', '.join(map(repr, missing))} too",
                               hint="give a dictionary with an array for each of its inputs")
        given = dict(zip(self.outputs, self.session.run(self.outputs, fed), strict=True))
        if not is_frame or not all(_is_column(value, len(data)) for value in given.values()):
            return given
        import pandas

        return pandas.DataFrame({name: value.reshape(-1) for name, value in given.items()}, index=data.index)

    def _array(self, name: str, value: Any) -> Any:
        """``value`` in the type of an input; numbers of Python and pandas are wider than what most models take."""
        import numpy

        kind = _NUMPY.get(self.inputs[name][0])
        array = numpy.asarray(value)
        return array if kind is None or array.dtype == kind else array.astype(kind)

    def get_raw_model(self) -> Any:
        """The session of onnxruntime."""
        return self.session


_NUMPY = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16", "tensor(int64)": "int64",
    "tensor(int32)": "int32", "tensor(int8)": "int8", "tensor(uint8)": "uint8", "tensor(bool)": "bool",
    "tensor(string)": "object",
}


def _is_column(value: Any, rows: int) -> bool:
    return getattr(value, "size", -1) == rows and value.shape[:1] == (rows,)


def _set_option(session_options: Any, name: str, value: Any) -> None:
    """Set one option of a session; those that are enumerations are written as their numbers or names."""
    import onnxruntime

    if name == "extra_session_config":
        for key, text in value.items():
            session_options.add_session_config_entry(key, text)
        return
    if not hasattr(session_options, name):
        raise InvalidValue.of("onnx_session_options", name, "onnxruntime's SessionOptions has no such option")
    kind = {"graph_optimization_level": onnxruntime.GraphOptimizationLevel,
            "execution_mode": onnxruntime.ExecutionMode}.get(name)
    if kind is not None:
        value = next((one for label, one in kind.__members__.items()
                      if label == value or label == f"ORT_{str(value).upper()}"), None) or kind(int(value))
    setattr(session_options, name, value)
