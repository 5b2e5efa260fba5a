"""Where environments are kept, and what is remembered about this machine for them."""

from __future__ import annotations

import os
from pathlib import Path

from millstream import settings

__all__ = ["EXPORTS", "cache_folder", "environments_folder"]

EXPORTS = ".exports"  # in the folder of environments: what locks of uv say


def environments_folder() -> Path:
    """The folder of all environments: ENV_ROOT, else ``millstream/envs`` in the user's cache folder."""
    named = settings.ENV_ROOT.get()
    return Path(named).expanduser().absolute() if named else cache_folder() / "envs"


def cache_folder() -> Path:
    """The folder ``millstream`` in the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or ""
    return Path(cache if os.path.isabs(cache) else Path.home() / ".cache") / "millstream"
