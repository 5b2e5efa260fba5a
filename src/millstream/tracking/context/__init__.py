"""What a run records about itself: who started it, from which file, at which commit, in which notebook or container.

Each provider looks at one thing and answers two questions, ``in_context()`` and ``tags()``; plug-ins with the same two
methods come by the entry points ``millstream.run_context`` and ``mlflow.run_context_provider``. What takes longer than
reading a few small files (``git status``, asking a Jupyter server) waits in :func:`collect_late_tags`, which is meant
for a background thread. This package imports nothing else of :mod:`millstream.tracking`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import partial
from typing import Protocol

from millstream import plugins, settings
from millstream.tracking.context.container import Container
from millstream.tracking.context.databricks import Databricks
from millstream.tracking.context.git import Git
from millstream.tracking.context.notebook import Notebook
from millstream.tracking.context.program import Program
from millstream.tracking.context.source import Source

__all__ = ["RunContextProvider", "collect_late_tags", "collect_tags"]

logger = logging.getLogger(__name__)

GROUPS = ("millstream.run_context", "mlflow.run_context_provider")


class RunContextProvider(Protocol):
    """The contract of a plug-in, the same as MLflow's; it is made without arguments."""

    def in_context(self) -> bool:
        """Whether this provider has anything to say in this process."""

    def tags(self) -> dict[str, str]:
        """Tags for a new run; asked only when :meth:`in_context` said yes, at each start of a run."""


def collect_tags() -> dict[str, str]:
    """The tags that a run started now gets by itself, in well under 20 ms.

    A later provider overrides an earlier one; last come the plug-ins, and then the JSON object of ``RUN_CONTEXT``. A
    provider that fails is logged and left out: this never raises.
    """
    collected: dict[str, str] = {}
    kinds: tuple[type[RunContextProvider], ...] = (Source, Program, Git, Notebook, Databricks, Container)
    for kind in (*kinds, *_plugged_in()):
        collected.update(_guarded(kind.__name__, partial(_tags, kind)))
    collected.update(_guarded("RUN_CONTEXT", _declared))
    return collected


def collect_late_tags(timeout: float = 5.0) -> dict[str, str]:
    """Tags that need another process or a server: the dirty state of the checkout, the path of a notebook.

    Each of the two may take up to ``timeout`` seconds; what does not answer by then is left out. Never raises.
    """
    collected: dict[str, str] = {}
    for kind in (Git, Notebook):
        collected.update(_guarded(kind.__name__, partial(_late_tags, kind, timeout)))
    declared = _guarded("RUN_CONTEXT", _declared)
    return {key: value for key, value in collected.items() if key not in declared}


def _plugged_in() -> list[type[RunContextProvider]]:
    return [kind for _, kind in plugins.load_all(*GROUPS)]


def _tags(kind: type[RunContextProvider]) -> dict[str, str]:
    provider = kind()
    return provider.tags() if provider.in_context() else {}


def _late_tags(kind: type[Git] | type[Notebook], timeout: float) -> dict[str, str]:
    provider = kind()
    return provider.late_tags(timeout) if provider.in_context() else {}


def _declared() -> dict[str, str]:
    text = settings.RUN_CONTEXT.get()
    if not text:
        return {}
    declared = json.loads(text)
    if not isinstance(declared, dict):
        raise ValueError(f"{' or '.join(settings.RUN_CONTEXT.variables)} should hold a JSON object of tags")
    return declared


def _guarded(name: str, tags: Callable[[], dict[str, str]]) -> dict[str, str]:
    try:
        return {str(key): str(value) for key, value in tags().items()}
    except Exception as error:  # a tag is never worth a run
        logger.warning("the run context of %s is left out: %s", name, error)
        return {}
