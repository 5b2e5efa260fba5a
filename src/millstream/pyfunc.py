"""Python functions: any model as a function of data, and models that are Python code."""

from __future__ import annotations

from millstream.flavors.isolated import build_model_env, get_model_dependencies
from millstream.flavors.pyfunc import (
    FLAVOR,
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
from millstream.inference.spark import spark_udf

load_pyfunc = load_model  # its name before MLflow 1.0, still in use

# The keys of its block in MLmodel
FLAVOR_NAME = FLAVOR.name
MAIN = "loader_module"
CODE = "code"
DATA = "data"
ENV = "env"
MODEL_CONFIG = "config"
MODEL_CODE_PATH = "model_code_path"
PY_VERSION = "python_version"

__all__ = [
    "CODE", "DATA", "ENV", "FLAVOR_NAME", "MAIN", "MODEL_CODE_PATH", "MODEL_CONFIG", "PY_VERSION",
    "PyFuncModel", "PythonModel", "PythonModelContext", "add_to_model", "build_model_env", "get_default_conda_env",
    "get_default_pip_requirements", "get_model_dependencies", "load_model", "load_pyfunc", "log_model", "save_model",
    "spark_udf",
]
# `millstream.pyfunc.model` and others stand for modules elsewhere, which needs the form of a package.
__path__: list[str] = []
