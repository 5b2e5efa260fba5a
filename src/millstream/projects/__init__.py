"""Projects: folders of code that say how they are run and recorded. Names are imported when used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from millstream.projects.reruns.comparing import Comparison
    from millstream.projects.reruns.running import rerun
    from millstream.projects.running import run
    from millstream.projects.submitted import SubmittedRun

_WHERE = {
    "Comparison": "reruns.comparing", "SubmittedRun": "submitted", "rerun": "reruns.running", "run": "running",
}

__all__ = ["Comparison", "SubmittedRun", "rerun", "run"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        found = globals()[name] = getattr(importlib.import_module(f"millstream.projects.{_WHERE[name]}"), name)
        return found
    if name == "submitted_run":  # where MLflow has the class
        return importlib.import_module("millstream.projects.submitted")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
