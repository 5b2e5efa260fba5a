"""PyTorch models: saved, logged, loaded, and the training of Lightning logged by itself."""

from __future__ import annotations

from millstream.autolog.pytorch import MlflowModelCheckpointCallback, autolog, load_checkpoint
from millstream.flavors.pytorch import (
    FLAVOR,
    _load_pyfunc,
    get_default_conda_env,
    get_default_pip_requirements,
    load_model,
    load_state_dict,
    log_model,
    log_state_dict,
    save_model,
    save_state_dict,
)

FLAVOR_NAME = FLAVOR.name

__all__ = [
    "FLAVOR_NAME", "MlflowModelCheckpointCallback", "_load_pyfunc", "autolog", "get_default_conda_env",
    "get_default_pip_requirements", "load_checkpoint", "load_model", "load_state_dict", "log_model", "log_state_dict",
    "save_model", "save_state_dict",
]
