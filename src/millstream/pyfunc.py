"""Python functions: any model as a function of data, and models that are Python code."""

from __future__ import annotations

from millstream.flavors.isolated import build_model_env, get_model_dependencies
from millstream.flavors.pyfunc import (
    PyFuncModel,
    PythonModel,
    PythonModelContext,
    add_to_model,
    get_default_conda_env,
    get_default_pip_requirements,
    load_model,
    log_model,
    save_model,
)

load_pyfunc = load_model  # its name before MLflow 1.0, still in use

__all__ = [
    "PyFuncModel", "PythonModel", "PythonModelContext", "add_to_model", "build_model_env", "get_default_conda_env",
    "get_default_pip_requirements", "get_model_dependencies", "load_model", "load_pyfunc", "log_model", "save_model",
]
# `millstream.pyfunc.model` and others stand for modules elsewhere, which needs the form of a package.
__path__: list[str] = []
