"""Files of a run or a model."""

from __future__ import annotations

from millstream.entities.base import Entity


class FileInfo(Entity, frozen=True):
    """A file or a folder: its path relative to the artifact root, and its size in bytes (None for a folder)."""

    path: str
    is_dir: bool
    file_size: int | None = None
