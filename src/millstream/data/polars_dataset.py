"""A polars DataFrame as a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from millstream.data.dataset_source import DatasetSource
from millstream.data.dataset_source_registry import source_of
from millstream.data.frame_dataset import FrameDataset
from millstream.errors import InvalidValue

if TYPE_CHECKING:
    import polars


class PolarsDataset(FrameDataset["polars.DataFrame"]):
    """A DataFrame, and which of its columns are targets and predictions.

    The digest is the sum of polars' hashes of the rows: whatever order they have, it is the same. Raises InvalidValue
    for a column that is not there, and for something that is no DataFrame.
    """

    @staticmethod
    def _columns(df: Any) -> Any:
        if not hasattr(df, "hash_rows"):
            raise InvalidValue(
                f"expected a polars DataFrame, got {type(df).__name__}", hint="a LazyFrame becomes one by its collect()"
            )
        return df.columns

    def _compute_digest(self) -> str:
        return str(self._df.hash_rows().sum())

    @property
    def profile(self) -> dict[str, Any]:
        """``num_rows`` and ``num_elements``."""
        return {"num_rows": self._df.height, "num_elements": self._df.height * self._df.width}


def from_polars(
    df: polars.DataFrame, source: str | DatasetSource | None = None, targets: str | None = None,
    name: str | None = None, digest: str | None = None, predictions: str | None = None,
) -> PolarsDataset:
    """The data set of a polars DataFrame; arguments and errors as in
    :func:`~millstream.data.pandas_dataset.from_pandas`."""
    return PolarsDataset(df, source_of(source), targets, name, digest, predictions)
