"""Keras models: saved, logged, loaded, and their training logged by itself."""

from __future__ import annotations

from millstream.autolog.keras import autolog
from millstream.flavors.keras import (
    _load_pyfunc,
    get_default_conda_env,
    get_default_pip_requirements,
    load_model,
    log_model,
    save_model,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    MlflowCallback: Any
    MLflowCallback: Any

__all__ = [
    "MLflowCallback", "MlflowCallback", "_load_pyfunc", "autolog", "get_default_conda_env",
    "get_default_pip_requirements", "load_model", "log_model", "save_model",
]


def __getattr__(name: str) -> Any:
    if name in ("MlflowCallback", "MLflowCallback"):  # a class of Keras, which is not imported before it is asked for
        from millstream.autolog.epochs import callback_class

        return callback_class("optimizer_")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
