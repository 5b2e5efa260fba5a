"""Models of Spark ML: saved, logged, loaded; and what Spark reads noted in the run."""

from __future__ import annotations

from millstream.autolog.spark import autolog
from millstream.flavors.spark import (
    _load_pyfunc,
    get_default_conda_env,
    get_default_pip_requirements,
    load_model,
    log_model,
    save_model,
)

__all__ = [
    "_load_pyfunc", "autolog", "get_default_conda_env", "get_default_pip_requirements", "load_model", "log_model",
    "save_model",
]
