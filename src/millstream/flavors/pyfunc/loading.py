"""Loading any model as a python function."""

from __future__ import annotations

import importlib
import logging
import os
import re
from pathlib import Path
from typing import Any

from millstream import yaml_texts
from millstream.errors import BadModel, CorruptModel, InvalidValue, MillstreamError
from millstream.flavors import loading
from millstream.flavors.pyfunc.model import PyFuncModel
from millstream.flavors.pyfunc.python_model import Calling, FunctionModel, PythonModelContext
from millstream.flavors.pyfunc.scripts import run_saved
from millstream.models import environment_files, pickles
from millstream.models.distributions import distribution_named
from millstream.models.mlmodel import PYTHON_FUNCTION

logger = logging.getLogger("millstream")

PYTHON_MODEL_LOADER = "mlflow.pyfunc.model"
_PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;,]+)")
_OURSELVES = frozenset({"mlflow", "mlflow-skinny", "millstream"})  # whose place this package takes
SCRIPT_LOADER = "mlflow.pyfunc.loaders.code_model"


def load_model(
    model_uri: str | os.PathLike[str], suppress_warnings: bool = False,
    dst_path: str | os.PathLike[str] | None = None, model_config: str | os.PathLike[str] | dict[str, Any] | None = None,
) -> PyFuncModel:
    """The model at ``model_uri`` as a python function.

    ``model_config`` (a dictionary, or the path of a YAML file) replaces what the model was saved with. Where installed
    packages differ from those that the model names, one line in the log says so, unless ``suppress_warnings``. Raises
    BadModel, CorruptModel, UntrustedModel, and what looking up the address raises.
    """
    folder, model, block = loading.open_model(model_uri, PYTHON_FUNCTION, dst_path)
    if not suppress_warnings:
        _warn_of_mismatches(folder, block.get("env"))
    configured = read_config(model_config) if model_config is not None else None
    if configured is None and block.get("config"):
        configured = dict(block["config"])
    loader = str(block.get("loader_module"))
    if loader in (PYTHON_MODEL_LOADER, SCRIPT_LOADER):
        impl = _python_model(folder, block, configured)
    else:
        impl = _library_model(folder, block, loader, configured)
    return PyFuncModel(model, impl, model_config=configured)


def _warn_of_mismatches(folder: Path, references: object) -> None:
    """Tell in one line which packages are installed in another version than the model was saved with."""
    try:
        lines = environment_files.read_environment(folder, references).requirements
    except MillstreamError:  # a model without such files says nothing of what it needs
        return
    differ = []
    for line in lines:
        pinned = _PIN.fullmatch(line)
        if pinned is None or pinned[1] in _OURSELVES:
            continue
        installed = distribution_named(pinned[1])
        if installed is None or installed.version.partition("+")[0] != pinned[2]:
            differ.append(f"{pinned[1]} {pinned[2]} (here {installed.version if installed else 'none'})")
    if differ:
        logger.warning("the model in %s was saved with other packages than this environment has: %s; it may predict in "
                       "its own: millstream.models.predict(…, env_manager='uv')", folder, ", ".join(differ))


def read_config(given: str | os.PathLike[str] | dict[str, Any]) -> dict[str, Any]:
    """A configuration as a dictionary. Raises InvalidValue for a file that is not there or holds none."""
    if isinstance(given, dict):
        return given
    try:
        found = yaml_texts.read(Path(given).read_text(encoding="utf-8"))
    except (OSError, InvalidValue) as error:
        raise InvalidValue(f"the configuration {os.fspath(given)} cannot be read: {error}",
                           hint="give a dictionary, or the path of a YAML file") from None
    if not isinstance(found, dict):
        raise InvalidValue.of("model_config", os.fspath(given), "the file holds no mapping")
    return found


def _library_model(folder: Path, block: dict[str, Any], loader: str, configured: dict[str, Any] | None) -> Any:
    """What the loader module makes of the model's files: ours for a library that we know, else the user's own."""
    module = None
    if loader.startswith("mlflow."):
        try:
            module = importlib.import_module(f"millstream.flavors.{loader.removeprefix('mlflow.')}")
        except ModuleNotFoundError as error:
            if not str(error.name).startswith("millstream."):
                raise
    if module is None:
        try:
            module = importlib.import_module(loader)
        except ModuleNotFoundError as error:
            raise BadModel(f"the model's loader {loader} cannot be imported: there is no module {error.name!r}",
                           hint="install its requirements.txt, or save the model with its code: code_paths=[…]"
                           ) from None
    where = folder
    key = next((key for key in ("model_path", "data") if block.get(key)), None)
    if key is not None:
        where = loading.file_of(folder, block, key)
    if not hasattr(module, "_load_pyfunc"):
        raise BadModel(f"the model's loader {loader} has no function _load_pyfunc(path)",
                       hint="define it: it returns an object with predict(data)")
    if module.__name__.startswith("millstream."):
        return module._load_pyfunc(str(where), model_config=configured)
    pickles.allow(where)  # the user's own code loads it, in whatever way
    return module._load_pyfunc(str(where), **({"model_config": configured} if configured else {}))


def _python_model(folder: Path, block: dict[str, Any], configured: dict[str, Any] | None) -> Calling:
    """A model written in Python, with its context loaded."""
    artifacts = {
        name: str(loading.file_of(folder, dict(one), "path")) for name, one in (block.get("artifacts") or {}).items()
    }
    context = PythonModelContext(artifacts, configured or {})
    if block.get("model_code_path"):
        script = loading.file_of(folder, {"model_code_path": Path(block["model_code_path"]).name}, "model_code_path")
        made = run_saved(script, configured)
    else:
        made = pickles.load(
            loading.file_of(folder, block, "python_model"), compression=block.get("python_model_compression")
        )
    python_model = made if hasattr(made, "predict") else FunctionModel(made)
    if not hasattr(python_model, "predict"):
        raise CorruptModel(f"{folder} holds a {type(made).__name__}, which is no python model", hint="save it again")
    if hasattr(python_model, "load_context"):
        python_model.load_context(context)
    return Calling(python_model, context)
