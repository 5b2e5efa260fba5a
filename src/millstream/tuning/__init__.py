"""Hyper-parameter searches as runs: the search is a run, and each trial a child of it that is active while it is tried.

For Optuna there are :func:`optimize`, in place of ``study.optimize``, and :class:`OptunaCallback` for programs that
call it themselves; for Hyperopt :func:`fmin`, in place of its own, and :func:`hyperopt_objective`. Searches of
scikit-learn are logged by ``millstream.sklearn.autolog()``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from millstream.tuning.hyperopt import fmin, hyperopt_objective
    from millstream.tuning.optuna import OptunaCallback, optimize

_WHERE = {
    "OptunaCallback": "optuna",
    "fmin": "hyperopt",
    "hyperopt_objective": "hyperopt",
    "optimize": "optuna",
}

__all__ = ["OptunaCallback", "fmin", "hyperopt_objective", "optimize"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        found = globals()[name] = getattr(importlib.import_module(f"millstream.tuning.{_WHERE[name]}"), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
