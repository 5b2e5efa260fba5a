"""Artifact stores that other distributions bring.

An entry point of the group ``millstream.artifact_store`` is named like its scheme and loads to a callable that takes
the address of a root and returns an :class:`~millstream.artifacts.contract.ArtifactStore`. One of MLflow's group
``mlflow.artifact_repository`` loads to a repository class; what it offers (``list_artifacts``, ``log_artifact``,
``download_artifacts``, ``delete_artifacts``) is whole local files, so such a store spools what it streams.
"""

from __future__ import annotations

import os
import posixpath
import tempfile
from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from millstream.artifacts import paths
from millstream.artifacts.contract import (
    CHUNK_BYTES,
    Advance,
    ArtifactStore,
    Content,
    FileInfos,
    FileStat,
    check_range,
    local_size,
    not_found,
    verified,
)
from millstream.artifacts.uris import MLFLOW_PLUGINS, PLUGINS
from millstream.entities import FileInfo
from millstream.errors import InvalidValue, NotSupported


def plugin_store(scheme: str, uri: str) -> ArtifactStore | None:
    """The store that a plug-in has for this address; None when no plug-in knows the scheme."""
    for group in (PLUGINS, MLFLOW_PLUGINS):
        for point in entry_points(group=group, name=scheme):
            try:
                made = point.load()(uri)
            except ImportError as error:
                raise InvalidValue(f"the plug-in for '{scheme}:' addresses does not load: {error}",
                                   hint=f"install what {point.value} needs, or remove that plug-in") from error
            return made if isinstance(made, ArtifactStore) else RepositoryStore(uri, made)
    return None


class RepositoryStore(ArtifactStore):
    """A repository written for MLflow, as an artifact store. Atomic and safe for threads as far as it is."""

    def __init__(self, uri: str, repository: Any) -> None:
        self._uri = uri
        self._repository = repository

    @property
    def uri(self) -> str:
        return self._uri

    def list(self, path: str = "") -> FileInfos:
        path = paths.check_folder(path)
        found = self._repository.list_artifacts(path or None)
        return sorted((FileInfo(f.path, f.is_dir, None if f.is_dir else f.file_size) for f in found or ()),
                      key=lambda info: info.path)

    def stat(self, path: str) -> FileStat:
        path = paths.check_folder(path)
        if not path:
            return FileStat(path, True)
        for entry in self.list(posixpath.dirname(path)):
            if entry.path == path:
                return FileStat(path, entry.is_dir, entry.file_size)
        raise not_found(path, self._uri)

    def open(self, path: str, offset: int = 0, length: int | None = None, *, etag: str | None = None) -> Content:
        check_range(offset, length)
        if self.stat(paths.check(path)).is_dir:
            raise not_found(path, self._uri)
        folder = tempfile.TemporaryDirectory(prefix="millstream-")
        local = self._repository.download_artifacts(path, folder.name)
        size = os.path.getsize(local)
        end = size if length is None else min(size, offset + length)
        return Content(_read(local, offset, end), file_size=size, release=folder.cleanup)

    def write(
        self, path: str, chunks: Iterable[bytes], size: int | None = None, *, sha256: str | None = None
    ) -> FileStat:
        path = paths.check(path)
        with tempfile.TemporaryDirectory(prefix="millstream-") as folder:
            local = os.path.join(folder, posixpath.basename(path))
            with open(local, "wb") as file:
                for chunk in verified(chunks, size, sha256):
                    file.write(chunk)
            self._repository.log_artifact(local, posixpath.dirname(path) or None)
            return FileStat(path, False, os.path.getsize(local))

    def upload(self, local_file: str | Path, path: str, *, advance: Advance | None = None) -> None:
        path, size = paths.check(path), local_size(local_file)
        if os.path.basename(local_file) != posixpath.basename(path):
            return super().upload(local_file, path, advance=advance)
        self._repository.log_artifact(str(local_file), posixpath.dirname(path) or None)
        if advance:
            advance(size)

    def remove(self, path: str) -> None:
        self.stat(paths.check(path))
        if not hasattr(self._repository, "delete_artifacts"):
            raise NotSupported(f"the plug-in for {self._uri} cannot remove files")
        self._repository.delete_artifacts(path)


def _read(local: str, offset: int, end: int) -> Iterator[bytes]:
    with open(local, "rb") as file:
        file.seek(offset)
        while offset < end and (chunk := file.read(min(CHUNK_BYTES, end - offset))):
            offset += len(chunk)
            yield chunk
