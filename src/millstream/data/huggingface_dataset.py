"""A data set of the Hugging Face library ``datasets`` as a data set."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from millstream.data.dataset import Dataset, check_column
from millstream.data.dataset_source import DatasetSource
from millstream.data.dataset_source_registry import source_of
from millstream.data.digests import MAX_ROWS, frame_digest
from millstream.data.frame_dataset import inferred
from millstream.data.huggingface_dataset_source import HuggingFaceDatasetSource
from millstream.errors import InvalidValue

if TYPE_CHECKING:
    from millstream.models.schema import Schema


class HuggingFaceDataset(Dataset):
    """A ``datasets.Dataset``, and which of its columns are targets.

    Raises InvalidValue for a column that is not there, and for something else, such as a ``DatasetDict`` of several.
    """

    def __init__(
        self,
        ds: Any,
        source: DatasetSource,
        targets: str | None = None,
        name: str | None = None,
        digest: str | None = None,
    ) -> None:
        if not hasattr(ds, "column_names") or isinstance(ds, dict) or not hasattr(ds, "to_pandas"):
            raise InvalidValue(f"expected a datasets.Dataset, got {type(ds).__name__}", hint="choose one split of it")
        if targets is not None:
            check_column(ds.column_names, targets, "targets")
        self._ds = ds
        self._targets = targets
        super().__init__(source, name, digest)

    @cached_property
    def _head(self) -> Any:
        return next(iter(self._ds.to_pandas(batch_size=MAX_ROWS, batched=True)))

    def _compute_digest(self) -> str:
        return frame_digest(self._head)

    @property
    def ds(self) -> Any:
        """The ``datasets.Dataset``."""
        return self._ds

    @property
    def targets(self) -> str | None:
        """The name of the column to be learned."""
        return self._targets

    @property
    def profile(self) -> dict[str, Any]:
        """``num_rows``, and in bytes ``dataset_size`` and ``size_in_bytes`` (with the download)."""
        return {
            "num_rows": self._ds.num_rows,
            "dataset_size": self._ds.dataset_size,
            "size_in_bytes": self._ds.size_in_bytes,
        }

    @cached_property
    def schema(self) -> Schema | None:
        """The columns, by the first rows; None for what a schema cannot describe."""
        return inferred(self._head)


def from_huggingface(
    ds: Any,
    path: str | None = None,
    targets: str | None = None,
    data_dir: str | None = None,
    data_files: Any = None,
    revision: Any = None,
    name: str | None = None,
    digest: str | None = None,
    trust_remote_code: bool | None = None,
    source: str | DatasetSource | None = None,
) -> HuggingFaceDataset:
    """The data set of a ``datasets.Dataset``.

    ``path``, ``data_dir``, ``data_files`` and ``revision`` are what ``load_dataset`` was called with; configuration and
    split are read from ``ds``. ``source`` is for data that came from elsewhere; with neither it is the running code.
    Raises InvalidValue for a column that is not there and for both, path and source.
    """
    if path is not None and source is not None:
        raise InvalidValue("data comes from a path of the hub or from a source, not from both")
    if path is None:
        where = source_of(source)
    else:
        where = HuggingFaceDatasetSource(
            path, ds.config_name, data_dir, data_files, ds.split, revision, trust_remote_code
        )
    return HuggingFaceDataset(ds, where, targets, name, digest)
