"""A file in a volume of Databricks' Unity Catalog."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from millstream.data.dataset_source import DatasetSource
from millstream.errors import NotSupported

if TYPE_CHECKING:
    from typing_extensions import Self


class UCVolumeDatasetSource(DatasetSource):
    """A path that begins with ``/Volumes/``; a cluster of Databricks has it on its disk."""

    def __init__(self, path: str) -> None:
        self.path = path

    @classmethod
    def _get_source_type(cls) -> str:
        return "uc_volume"

    @classmethod
    def _can_resolve(cls, raw_source: Any) -> bool:
        return False  # a path is one of this machine until the program says otherwise

    @classmethod
    def _resolve(cls, raw_source: Any) -> Self:
        return cls(raw_source)

    def load(self) -> str:
        """The path, where the volume is mounted. Raises NotSupported elsewhere."""
        if os.path.exists(self.path):
            return self.path
        raise NotSupported(f"the volume of {self.path} is not mounted here", hint="load it on a Databricks cluster")

    def to_dict(self) -> dict[str, Any]:
        """``{"path": …}``."""
        return {"path": self.path}

    @classmethod
    def from_dict(cls, source_dict: dict[str, Any]) -> Self:
        """The source with this path."""
        return cls(source_dict["path"])
