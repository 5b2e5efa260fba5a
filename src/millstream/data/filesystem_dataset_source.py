"""Files and folders, on this machine and in object stores, by their address."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from millstream.artifacts.contract import ArtifactStore
from millstream.artifacts.uris import artifact_store, scheme
from millstream.data.dataset_source import DatasetSource

if TYPE_CHECKING:
    from typing_extensions import Self


class FileSystemDatasetSource(DatasetSource):
    """A file or folder that an artifact store reaches; a subclass says its type, and the schemes that it knows."""

    source_type: ClassVar[str]
    schemes: ClassVar[tuple[str, ...]]

    def __init__(self, uri: str) -> None:
        self._uri = uri

    @classmethod
    def _get_source_type(cls) -> str:
        return cls.source_type

    @classmethod
    def _can_resolve(cls, raw_source: Any) -> bool:
        return isinstance(raw_source, str) and scheme(raw_source) in cls.schemes

    @classmethod
    def _resolve(cls, raw_source: Any) -> Self:
        return cls(os.fspath(raw_source))

    @property
    def uri(self) -> str:
        """The address, as given."""
        return self._uri

    def load(self, dst_path: str | os.PathLike[str] | None = None) -> str:
        """Fetch the file or folder and return where it is: in the folder ``dst_path``, or in a new one of its own.

        Raises what the artifact store of the address raises: ArtifactNotFound where nothing is.
        """
        store, name = self._place()
        return store.download_artifacts(name, None if dst_path is None else Path(dst_path))

    def is_folder(self) -> bool:
        """Whether this is a folder, not a file. Raises as :meth:`load` does."""
        store, name = self._place()
        return store.stat(name).is_dir

    def files(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Path (in the folder, or the file's name) and content of each file, sorted. Raises as :meth:`load` does."""
        store, name = self._place()
        if not store.stat(name).is_dir:
            yield name, store.open(name)
            return
        for file in sorted(store.walk(name), key=lambda file: file.path):
            yield file.path[len(name) + 1 :], store.open(file.path)

    def _place(self) -> tuple[ArtifactStore, str]:
        """The store of the folder that the file or folder lies in, and its name there."""
        root, _, name = self._uri.rstrip("/").rpartition("/")
        return artifact_store(root), name

    def to_dict(self) -> dict[str, Any]:
        """``{"uri": …}``."""
        return {"uri": self._uri}

    @classmethod
    def from_dict(cls, source_dict: dict[str, Any]) -> Self:
        """The source with this address."""
        return cls(source_dict["uri"])
