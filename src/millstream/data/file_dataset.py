"""Files as a data set, without reading them into memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from millstream.data.dataset import Dataset
from millstream.data.dataset_source import DatasetSource
from millstream.data.dataset_source_registry import source_of
from millstream.data.filesystem_dataset_source import FileSystemDatasetSource
from millstream.data.frame_dataset import inferred
from millstream.data.http_dataset_source import HTTPDatasetSource
from millstream.errors import InvalidValue
from millstream.models.inference import arrow_type
from millstream.models.schema import ColSpec, Schema

SNIFFED_ROWS = 1_000


class FileDataset(Dataset):
    """A file or a folder, on this machine or at an address.

    The content is read once, for digest and profile. The digest of a file is the beginning of its SHA-256 sum, that of
    a folder the beginning of the sum over the lines ``<SHA-256>  <relative path>``, sorted by path: what ``sha256sum``
    prints. Raises InvalidValue for a source of another kind, and what reading it raises.
    """

    def __init__(self, source: DatasetSource, name: str | None = None, digest: str | None = None) -> None:
        if not isinstance(source, (FileSystemDatasetSource, HTTPDatasetSource)):
            raise InvalidValue.of("source", source.to_json(), "expected a file, a folder or an address of one")
        self._source = source
        self._sums: list[tuple[str, int, str]] | None = None
        super().__init__(source, name, digest)

    def _compute_digest(self) -> str:
        sums = self._read()
        if len(sums) == 1 and not self._is_folder:
            return sums[0][2][:16]
        lines = "".join(f"{checksum}  {path}\n" for path, _, checksum in sums)
        return hashlib.sha256(lines.encode()).hexdigest()[:16]

    @property
    def profile(self) -> dict[str, Any]:
        """``num_files`` and ``size_bytes``."""
        sums = self._read()
        return {"num_files": len(sums), "size_bytes": sum(size for _, size, _ in sums)}

    @cached_property
    def schema(self) -> Schema | None:
        """The columns of one local Parquet or CSV file (by its first rows), where pandas is there; else None."""
        local = self._local_file
        if local is None:
            return None
        try:
            return _file_schema(local)
        except (ImportError, ValueError, OSError):  # no reader for it, or not what its name says
            return None

    @property
    def _local_file(self) -> str | None:
        if not isinstance(self._source, FileSystemDatasetSource) or self._source.source_type != "local":
            return None
        path = self._source.load()
        return path if os.path.isfile(path) else None

    @property
    def _is_folder(self) -> bool:
        return isinstance(self._source, FileSystemDatasetSource) and self._source.is_folder()

    def _read(self) -> list[tuple[str, int, str]]:
        if self._sums is None:
            self._sums = [(path, *_checksum(chunks)) for path, chunks in self._files()]
        return self._sums

    def _files(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        if isinstance(self._source, HTTPDatasetSource):
            yield self._source.file_name, self._source.read()
        elif isinstance(self._source, FileSystemDatasetSource):
            yield from self._source.files()


def from_file(
    path: str | os.PathLike[str] | DatasetSource, name: str | None = None, digest: str | None = None
) -> FileDataset:
    """The data set of a file or folder: a path, an address (``https:``, ``s3:``, …) or a source.

    It is called like the last part of the path unless given a name. The content is read once to compute the digest.
    Raises NotFound (ArtifactNotFound) where nothing is, InvalidValue for what is neither.
    """
    source = source_of(path)
    if name is None and not isinstance(path, DatasetSource):
        name = os.path.basename(os.fspath(path).partition("?")[0].rstrip("/")) or None
    return FileDataset(source, name, digest)


def _checksum(chunks: Iterator[bytes]) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    for chunk in chunks:
        size += len(chunk)
        digest.update(chunk)
    return size, digest.hexdigest()


def _file_schema(path: str) -> Schema | None:
    extension = os.path.splitext(path)[1].lower()
    if extension == ".parquet":
        return _parquet_schema(path)
    if extension in (".csv", ".tsv"):
        import pandas

        return inferred(pandas.read_csv(path, sep="\t" if extension == ".tsv" else ",", nrows=SNIFFED_ROWS))
    return None


def _parquet_schema(path: str) -> Schema:
    from pyarrow import parquet

    file = parquet.read_metadata(path)
    nulls: dict[str, int | None] = {}  # by column, as far as the file's statistics count them
    for group in range(file.num_row_groups):
        for index in range(file.num_columns):
            column = file.row_group(group).column(index)
            counted = column.statistics.null_count if column.is_stats_set and column.statistics.has_null_count else None
            before = nulls.get(column.path_in_schema, 0)
            nulls[column.path_in_schema] = None if before is None or counted is None else before + counted
    return Schema([
        ColSpec(arrow_type(field.type), field.name, not field.nullable or nulls.get(field.name) == 0)
        for field in file.schema.to_arrow_schema()
    ])
