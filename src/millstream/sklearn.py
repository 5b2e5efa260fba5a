"""scikit-learn models: saved, logged, loaded, and their training logged by itself."""

from __future__ import annotations

from millstream.autolog.sklearn import autolog
from millstream.flavors.sklearn import (
    FLAVOR,
    SERIALIZATION_FORMAT_CLOUDPICKLE,
    SERIALIZATION_FORMAT_PICKLE,
    SERIALIZATION_FORMAT_SKOPS,
    SUPPORTED_SERIALIZATION_FORMATS,
    _load_pyfunc,
    get_default_conda_env,
    get_default_pip_requirements,
    load_model,
    log_model,
    save_model,
)

FLAVOR_NAME = FLAVOR.name

__all__ = [
    "FLAVOR_NAME", "SERIALIZATION_FORMAT_CLOUDPICKLE", "SERIALIZATION_FORMAT_PICKLE", "SERIALIZATION_FORMAT_SKOPS",
    "SUPPORTED_SERIALIZATION_FORMATS", "_load_pyfunc", "autolog", "get_default_conda_env",
    "get_default_pip_requirements", "load_model", "log_model", "save_model",
]
