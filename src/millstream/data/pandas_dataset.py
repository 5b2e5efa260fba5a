"""A pandas DataFrame as a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from millstream.data.dataset_source import DatasetSource
from millstream.data.dataset_source_registry import source_of
from millstream.data.digests import frame_digest
from millstream.data.frame_dataset import FrameDataset
from millstream.errors import InvalidValue

if TYPE_CHECKING:
    import pandas


class PandasDataset(FrameDataset["pandas.DataFrame"]):
    """A DataFrame, and which of its columns are targets and predictions.

    Raises InvalidValue for a column that is not there, and for something that is no DataFrame.
    """

    @staticmethod
    def _columns(df: Any) -> Any:
        if not hasattr(df, "columns") or not hasattr(df, "iloc"):
            raise InvalidValue(
                f"expected a pandas DataFrame, got {type(df).__name__}", hint="a Series becomes one by its to_frame()"
            )
        return df.columns

    def _compute_digest(self) -> str:
        return frame_digest(self._df)

    @property
    def profile(self) -> dict[str, Any]:
        """``num_rows`` and ``num_elements``."""
        return {"num_rows": len(self._df), "num_elements": int(self._df.size)}


def from_pandas(
    df: pandas.DataFrame, source: str | DatasetSource | None = None, targets: str | None = None,
    name: str | None = None, digest: str | None = None, predictions: str | None = None,
) -> PandasDataset:
    """The data set of a pandas DataFrame.

    ``source`` is where it came from: a path, an address, a DatasetSource; the running code unless given. ``targets``
    and ``predictions`` name columns. ``digest`` is computed unless given. Raises InvalidValue for a column that is not
    there, NotFound for a source that nothing knows.
    """
    return PandasDataset(df, source_of(source), targets, name, digest, predictions)
