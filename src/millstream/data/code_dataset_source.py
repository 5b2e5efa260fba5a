"""Data that the running code made, or of which nobody said where it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from millstream.data.dataset_source import DatasetSource
from millstream.errors import NotSupported

if TYPE_CHECKING:
    from typing_extensions import Self


class CodeDatasetSource(DatasetSource):
    """The code itself, by the tags that its runs get: file, user, commit."""

    def __init__(self, tags: dict[str, Any]) -> None:
        self._tags = tags

    @classmethod
    def _get_source_type(cls) -> str:
        return "code"

    @classmethod
    def _can_resolve(cls, raw_source: Any) -> bool:
        return False

    @classmethod
    def _resolve(cls, raw_source: Any) -> Self:
        raise NotSupported("no text names the running code", hint="leave the source out")

    @property
    def tags(self) -> dict[str, Any]:
        """The tags of the code."""
        return self._tags

    def load(self, **kwargs: Any) -> Any:
        """Raises NotSupported: only running the code again gives the data."""
        raise NotSupported(
            "this data came from code, not from a place that it could be loaded from",
            hint="say where data comes from when it is described: from_pandas(frame, source=…)",
        )

    def to_dict(self) -> dict[str, Any]:
        """``{"tags": …}``."""
        return {"tags": self._tags}

    @classmethod
    def from_dict(cls, source_dict: dict[str, Any]) -> Self:
        """The source with these tags."""
        return cls(tags=source_dict.get("tags", {}))
