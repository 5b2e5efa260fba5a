"""Files of runs and models: the stores that keep them, and the functions that users call to read them.

The functions look up runs and models, which a tracking store knows, so they live in :mod:`millstream.tracking.files`
and are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["download_artifacts", "list_artifacts", "load_dict", "load_image", "load_text"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module("millstream.tracking.files"), name)
    raise AttributeError(f"module 'millstream.artifacts' has no attribute {name!r}")
