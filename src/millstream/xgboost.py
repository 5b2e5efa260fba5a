"""XGBoost models: saved, logged, loaded, and their training logged by itself."""

from __future__ import annotations

from millstream.autolog.xgboost import autolog
from millstream.flavors.xgboost import (
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
