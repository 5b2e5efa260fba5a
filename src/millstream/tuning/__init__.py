"""Hyper-parameter searches as runs: the search is a run, and each trial a child of it that is active while it is tried.

:func:`search` tries each configuration in a process of its own, several at a time, proposed by either library, and goes
on after a kill; :func:`project_objective` makes an entry point of a project what it tries.

In one process, there are for Optuna :func:`optimize`, in place of ``study.optimize``, and :class:`OptunaCallback` for
programs that call it themselves; for Hyperopt :func:`fmin`, in place of its own, and :func:`hyperopt_objective`.
Searches of scikit-learn are logged by ``millstream.sklearn.autolog()``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from millstream.tuning.across import search
    from millstream.tuning.entry_points import project_objective
    from millstream.tuning.hyperopt import fmin, hyperopt_objective
    from millstream.tuning.optuna import OptunaCallback, optimize
    from millstream.tuning.outcomes import SearchResult, TrialResult

_WHERE = {
    "OptunaCallback": "optuna",
    "SearchResult": "outcomes",
    "TrialResult": "outcomes",
    "fmin": "hyperopt",
    "hyperopt_objective": "hyperopt",
    "optimize": "optuna",
    "project_objective": "entry_points",
    "search": "across",
}

__all__ = [
    "OptunaCallback", "SearchResult", "TrialResult", "fmin", "hyperopt_objective", "optimize", "project_objective",
    "search",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        found = globals()[name] = getattr(importlib.import_module(f"millstream.tuning.{_WHERE[name]}"), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
