"""PyTorch: modules with their classes (``torch.save``), scripted modules, and exported programs (``torch.export``).

Each of the three is read in a way that may run code of its maker, so each goes through the gate for pickles.
"""

from __future__ import annotations

import functools
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from millstream import settings
from millstream.errors import BadModel, InvalidValue
from millstream.flavors import loading, logging, saving
from millstream.flavors.contract import Flavor, LogOptions, SaveOptions, Written, spelled_out
from millstream.models import pickles, requirements
from millstream.models.mlmodel import Model

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from millstream.models.info import ModelInfo

FLAVOR = Flavor("pytorch", "mlflow.pytorch", ("torch", "numpy", "pandas", "cloudpickle"))
SERIALIZATION_FORMAT_PICKLE = "pickle"
SERIALIZATION_FORMAT_PT2 = "pt2"
DATA = "data"
PICKLED, EXPORTED, STATE = "model.pth", "model.pt2", "state_dict.pth"
PICKLE_MODULE_FILE = "pickle_module_info.txt"
PICKLE_MODULE = "mlflow.pytorch.pickle_module"  # the reader that MLflow has for what cloudpickle wrote


@spelled_out
def save_model(
    pytorch_model: Any, path: str | os.PathLike[str], conda_env: Mapping[str, Any] | str | None = None,
    mlflow_model: Model | None = None, code_paths: Iterable[str] | None = None,
    pickle_module: ModuleType | None = None, export_model: bool = False,
    serialization_format: Literal["pickle", "pt2"] | None = None, **options: Unpack[SaveOptions],
) -> None:
    """Save a module as the model in the folder ``path``.

    In the format "pickle", the default, its class goes along; "pt2" (or ``export_model``) stores the program that
    ``torch.export`` traces from ``input_example``, without the class. ``pickle_module`` writes the pickle, cloudpickle
    unless given. Raises InvalidValue for what is no module, and for pt2 without an input example.
    """
    import torch

    if not isinstance(pytorch_model, torch.nn.Module):
        raise InvalidValue(f"a torch.nn.Module is expected, not {type(pytorch_model).__name__}",
                           hint="weights alone are saved with save_state_dict(model.state_dict(), path)")
    wanted = serialization_format or (SERIALIZATION_FORMAT_PT2 if export_model else SERIALIZATION_FORMAT_PICKLE)
    if wanted not in (SERIALIZATION_FORMAT_PICKLE, SERIALIZATION_FORMAT_PT2):
        raise InvalidValue.of("serialization_format", wanted, "it is neither 'pickle' nor 'pt2'")
    example = options.get("input_example")

    def write(folder: Path) -> Written:
        data = folder / DATA
        data.mkdir()
        if wanted == SERIALIZATION_FORMAT_PT2:
            modules = _export(pytorch_model, data / EXPORTED, example)
        else:
            modules = _pickle(pytorch_model, data, pickle_module)
        named = pickle_module.__name__ if pickle_module is not None else PICKLE_MODULE
        python_function = {"data": DATA, "pickle_module_name": named, "config": {"device": None}}
        block = {"model_data": DATA, "pytorch_version": str(torch.__version__)}
        return Written(block, python_function, modules, PythonFunction(pytorch_model, None).predict)

    saving.save(FLAVOR, path, write, conda_env=conda_env, code_paths=code_paths, mlflow_model=mlflow_model, **options)


@spelled_out
def log_model(
    pytorch_model: Any, artifact_path: str | None = None, conda_env: Mapping[str, Any] | str | None = None,
    code_paths: Iterable[str] | None = None, pickle_module: ModuleType | None = None, export_model: bool = False,
    serialization_format: Literal["pickle", "pt2"] | None = None, **options: Unpack[LogOptions],
) -> ModelInfo:
    """Save a module, see :func:`save_model`, and log it."""
    save = functools.partial(
        save_model, pytorch_model, conda_env=conda_env, code_paths=code_paths, pickle_module=pickle_module,
        export_model=export_model, serialization_format=serialization_format,
    )
    return logging.log(save, artifact_path, **options)


def load_model(model_uri: str | os.PathLike[str], dst_path: str | None = None, **options: Any) -> Any:
    """The module of the model at ``model_uri``; an exported program comes as the module that runs it.

    ``options`` go to ``torch.load`` (such as ``map_location``). Raises BadModel, CorruptModel, UntrustedModel.
    """
    folder, _, block = loading.open_model(model_uri, FLAVOR.name, dst_path)
    return _read(loading.file_of(folder, block, "model_data", default=DATA), options)


def save_state_dict(state_dict: Mapping[str, Any], path: str | os.PathLike[str], **options: Any) -> None:
    """Save weights (and nothing else) in the folder ``path``; ``options`` go to ``torch.save``."""
    import torch

    if not isinstance(state_dict, Mapping):
        raise InvalidValue(f"a state_dict is a dictionary, not {type(state_dict).__name__}",
                           hint="give model.state_dict()")
    Path(path).mkdir(parents=True, exist_ok=True)
    torch.save(state_dict, Path(path) / STATE, **options)


def log_state_dict(state_dict: Mapping[str, Any], artifact_path: str, **options: Any) -> None:
    """Store weights in the folder ``artifact_path`` of the active run; ``options`` go to ``torch.save``."""
    import tempfile

    from millstream.tracking.artifacts import log_artifacts

    with tempfile.TemporaryDirectory() as scratch:
        save_state_dict(state_dict, scratch, **options)
        log_artifacts(scratch, artifact_path)


def load_state_dict(state_dict_uri: str, **options: Any) -> Any:
    """The weights that :func:`log_state_dict` or :func:`save_state_dict` stored; ``options`` go to ``torch.load``.

    Weights are read without running code, wherever they come from. Raises ArtifactNotFound, and BadModel for a file
    that holds more than weights.
    """
    from millstream.tracking.files import download_artifacts

    file = Path(download_artifacts(state_dict_uri)) / STATE
    if not file.is_file():
        raise BadModel(f"{state_dict_uri} holds no file {STATE}", hint="name the folder that log_state_dict() wrote")
    return pickles.load_weights(file, **options)


def get_default_pip_requirements() -> list[str]:
    """The pins of what every PyTorch model needs."""
    return FLAVOR.default_requirements()


def get_default_conda_env() -> dict[str, Any]:
    """The same as the content of a conda.yaml."""
    return FLAVOR.default_conda_env()


def _load_pyfunc(path: str, model_config: dict[str, Any] | None = None) -> PythonFunction:
    """The python function of the module in the folder ``path``, on the device of ``model_config``, else of the setting
    DEFAULT_PREDICTION_DEVICE, else a GPU where there is one."""
    import torch

    device = (model_config or {}).get("device") or settings.DEFAULT_PREDICTION_DEVICE.get()
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return PythonFunction(_read(Path(path), {"map_location": torch.device(device)}), device)


class PythonFunction:
    """A module that predicts: DataFrame in, DataFrame out; arrays in, arrays out."""

    def __init__(self, pytorch_model: Any, device: str | None) -> None:
        self.pytorch_model = pytorch_model
        self.device = device

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """What the module gives for ``data``: a DataFrame of numbers, an array or list of them, or a dictionary of
        arrays, which are its keyword arguments. ``params`` may name a ``device``."""
        import numpy
        import torch

        device = (params or {}).get("device") or self.device
        pandas_input = type(data).__module__.partition(".")[0] == "pandas"
        if pandas_input:
            tensors: Any = torch.from_numpy(data.to_numpy(dtype=numpy.float32).copy())
        elif isinstance(data, dict):
            tensors = {name: torch.as_tensor(numpy.asarray(value)) for name, value in data.items()}
        else:
            tensors = torch.from_numpy(numpy.array(data))
        with evaluating(self.pytorch_model), torch.no_grad():
            if device is not None:
                self.pytorch_model.to(device)
            if isinstance(tensors, dict):
                given = self.pytorch_model(**{name: one.to(device) if device else one for name, one in tensors.items()})
            else:
                given = self.pytorch_model(tensors.to(device) if device else tensors)
        if not isinstance(given, torch.Tensor):
            raise InvalidValue(f"the module gives a {type(given).__name__}, and a python function gives a tensor",
                               hint="wrap the module in one whose forward() returns a tensor, or save a PythonModel")
        predicted = given.detach().cpu().numpy()
        if not pandas_input:
            return predicted
        import pandas

        return pandas.DataFrame(predicted, index=data.index)

    def get_raw_model(self) -> Any:
        """The module."""
        return self.pytorch_model


@contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """The module and all parts of it in evaluation mode, and afterwards as they were."""
    training = [part for part in module.modules() if part.training]
    for part in training:
        part.training = False
    try:
        yield
    finally:
        for part in training:
            part.training = True


def _pickle(module: Any, data: Path, pickle_module: ModuleType | None) -> set[str]:
    import torch

    file = data / PICKLED
    if isinstance(module, torch.jit.ScriptModule):
        torch.jit.save(module, str(file))
    elif pickle_module is not None:
        torch.save(module, file, pickle_module=pickle_module)
    else:
        import cloudpickle

        torch.save(module, file, pickle_module=cloudpickle)
    (data / PICKLE_MODULE_FILE).write_text(pickle_module.__name__ if pickle_module is not None else PICKLE_MODULE)
    return requirements.modules_of_pickle(file)


def _export(module: Any, file: Path, example: Any) -> set[str]:
    import numpy
    import torch

    from millstream.models import examples

    if example is None:
        raise InvalidValue("the format pt2 traces the module on an input, and there is none",
                           hint="give input_example=…")
    if isinstance(module, torch.jit.ScriptModule):
        raise InvalidValue("a scripted module has no pt2 form", hint="use serialization_format='pickle'")
    prepared = examples.prepare(example).data
    values = prepared.to_numpy(dtype=numpy.float32) if hasattr(prepared, "to_numpy") else numpy.asarray(prepared)
    rows = values if len(values) > 1 else numpy.concatenate([values, values])  # one row would be traced as a constant
    with evaluating(module):
        program = torch.export.export(
            module, (torch.from_numpy(rows.copy()),), dynamic_shapes=({0: torch.export.Dim.AUTO},)
        )
    torch.export.save(program, file)
    return set()


def _read(data: Path, options: dict[str, Any]) -> Any:
    """The module in the folder ``data`` of a model, or in the file that it is itself."""
    import torch

    file = data
    if data.is_dir():
        file = next((data / name for name in (PICKLED, EXPORTED) if (data / name).exists()), data)
    if file.is_dir():
        raise BadModel(f"{data} holds neither {PICKLED} nor {EXPORTED}", hint="fetch or save the model again")
    if file.suffix == ".pt2":
        pickles.allow(file)
        module = torch.export.load(file).module()
        return module.to(options["map_location"]) if options.get("map_location") else module
    if _is_scripted(file):
        pickles.allow(file)
        return torch.jit.load(str(file), map_location=options.get("map_location"))  # type: ignore[no-untyped-call]
    return pickles.load_torch(file, **options)


def _is_scripted(file: Path) -> bool:
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
