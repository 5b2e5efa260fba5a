"""ONNX models: saved, logged and loaded, and how the models of other libraries become one."""

from __future__ import annotations

from millstream.flavors.onnx import (
    FLAVOR,
    _load_pyfunc,
    from_keras,
    from_sklearn,
    from_torch,
    get_default_conda_env,
    get_default_pip_requirements,
    load_model,
    log_model,
    save_model,
)

FLAVOR_NAME = FLAVOR.name

__all__ = [
    "FLAVOR_NAME", "_load_pyfunc", "from_keras", "from_sklearn", "from_torch", "get_default_conda_env",
    "get_default_pip_requirements", "load_model", "log_model", "save_model",
]
