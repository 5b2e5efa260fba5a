"""The python function: the form in which every model predicts, and the flavor of models that are Python code."""

from __future__ import annotations

from typing import Any

from millstream.flavors.contract import Flavor
from millstream.flavors.pyfunc.loading import PYTHON_MODEL_LOADER, load_model
from millstream.flavors.pyfunc.model import PyFuncModel
from millstream.flavors.pyfunc.python_model import PythonModel, PythonModelContext
from millstream.flavors.pyfunc.saving import add_to_model, log_model, save_model
from millstream.models.mlmodel import PYTHON_FUNCTION

FLAVOR = Flavor(PYTHON_FUNCTION, PYTHON_MODEL_LOADER, ("cloudpickle",))


def get_default_pip_requirements() -> list[str]:
    """The pins of what every model of Python code needs."""
    return FLAVOR.default_requirements()


def get_default_conda_env() -> dict[str, Any]:
    """The same as the content of a conda.yaml."""
    return FLAVOR.default_conda_env()


__all__ = [
    "FLAVOR", "PyFuncModel", "PythonModel", "PythonModelContext", "add_to_model", "get_default_conda_env",
    "get_default_pip_requirements", "load_model", "log_model", "save_model",
]
