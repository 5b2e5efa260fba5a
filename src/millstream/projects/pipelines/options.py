"""How a pipeline is run."""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """How a pipeline is run.

    At most ``jobs`` steps run at the same time, as many as there are processors for None. Without ``cache`` every step
    runs; those that ``force`` names do in any case. The folders of steps lie in ``storage_dir``, else where temporary
    files do.
    """

    jobs: int | None = None
    cache: bool = True
    force: tuple[str, ...] = ()
    storage_dir: str | os.PathLike[str] | None = None
