"""Hatchling's hook: the web UI is built before a wheel, an sdist or an editable install is made."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent / "tools"))

import ui


class UiHook(BuildHookInterface):  # type: ignore[type-arg] # hatchling does not say of what
    """Builds the UI unless it is built; MILLSTREAM_BUILD_UI=0 leaves it out, for work on the server alone."""

    @property
    def _wanted(self) -> bool:
        return os.environ.get("MILLSTREAM_BUILD_UI", "1") != "0" and not ui.is_built()

    def dependencies(self) -> list[str]:
        """Node from a wheel, where the machine has none that is new enough."""
        return [f"{ui.WHEEL}>=22"] if self._wanted and ui.system_node() is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before anything is packed."""
        if not self._wanted:
            return
        try:
            ui.build()
        except ui.UiError as error:
            raise SystemExit(f"error: {error}\nhint: {error.hint}") from None
