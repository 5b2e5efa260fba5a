"""Prophet models: saved, logged, loaded."""

from __future__ import annotations

from millstream.flavors.prophet import (
    _load_pyfunc,
    get_default_conda_env,
    get_default_pip_requirements,
    load_model,
    log_model,
    save_model,
)

__all__ = [
    "_load_pyfunc", "get_default_conda_env", "get_default_pip_requirements", "load_model", "log_model", "save_model",
]
