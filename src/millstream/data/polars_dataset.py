"""A polars DataFrame as a data set."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from millstream.data.dataset import Dataset, check_column
from millstream.data.dataset_source import DatasetSource
from millstream.data.dataset_source_registry import source_of
from millstream.data.pandas_dataset import inferred
from millstream.errors import InvalidValue

if TYPE_CHECKING:
    import polars

    from millstream.models.schema import Schema


class PolarsDataset(Dataset):
    """A DataFrame, and which of its columns are targets and predictions.

    The digest is the sum of polars' hashes of the rows: whatever order they have, it is the same. Raises InvalidValue
    for a column that is not there, and for something that is no DataFrame.
    """

    def __init__(
        self,
        df: polars.DataFrame,
        source: DatasetSource,
        targets: str | None = None,
        name: str | None = None,
        digest: str | None = None,
        predictions: str | None = None,
    ) -> None:
        if not hasattr(df, "hash_rows"):
            raise InvalidValue(
                f"expected a polars DataFrame, got {type(df).__name__}", hint="a LazyFrame becomes one by its collect()"
            )
        check_column(df.columns, targets, "targets")
        check_column(df.columns, predictions, "predictions")
        self._df = df
        self._targets = targets
        self._predictions = predictions
        super().__init__(source, name, digest)

    def _compute_digest(self) -> str:
        return str(self._df.hash_rows().sum())

    @property
    def df(self) -> polars.DataFrame:
        """The frame."""
        return self._df

    @property
    def targets(self) -> str | None:
        """The name of the column to be learned."""
        return self._targets

    @property
    def predictions(self) -> str | None:
        """The name of the column that a model predicted."""
        return self._predictions

    @property
    def profile(self) -> dict[str, Any]:
        """``num_rows`` and ``num_elements``."""
        return {"num_rows": self._df.height, "num_elements": self._df.height * self._df.width}

    @cached_property
    def schema(self) -> Schema | None:
        """The columns; None for a frame whose columns a schema cannot describe."""
        return inferred(self._df)


def from_polars(
    df: polars.DataFrame,
    source: str | DatasetSource | None = None,
    targets: str | None = None,
    name: str | None = None,
    digest: str | None = None,
    predictions: str | None = None,
) -> PolarsDataset:
    """The data set of a polars DataFrame; arguments and errors as in
    :func:`~millstream.data.pandas_dataset.from_pandas`."""
    return PolarsDataset(df, source_of(source), targets, name, digest, predictions)
