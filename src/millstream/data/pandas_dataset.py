"""A pandas DataFrame as a data set."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any

from millstream.data.dataset import Dataset, check_column
from millstream.data.dataset_source import DatasetSource
from millstream.data.dataset_source_registry import source_of
from millstream.data.digests import frame_digest
from millstream.errors import InvalidValue

if TYPE_CHECKING:
    import pandas

    from millstream.models.schema import Schema

logger = logging.getLogger(__name__)


class PandasDataset(Dataset):
    """A DataFrame, and which of its columns are targets and predictions.

    Raises InvalidValue for a column that is not there, and for something that is no DataFrame.
    """

    def __init__(
        self,
        df: pandas.DataFrame,
        source: DatasetSource,
        targets: str | None = None,
        name: str | None = None,
        digest: str | None = None,
        predictions: str | None = None,
    ) -> None:
        if not hasattr(df, "columns") or not hasattr(df, "iloc"):
            raise InvalidValue(
                f"expected a pandas DataFrame, got {type(df).__name__}", hint="a Series becomes one by its to_frame()"
            )
        check_column(df.columns, targets, "targets")
        check_column(df.columns, predictions, "predictions")
        self._df = df
        self._targets = targets
        self._predictions = predictions
        super().__init__(source, name, digest)

    def _compute_digest(self) -> str:
        return frame_digest(self._df)

    @property
    def df(self) -> pandas.DataFrame:
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
        return {"num_rows": len(self._df), "num_elements": int(self._df.size)}

    @cached_property
    def schema(self) -> Schema | None:
        """The columns; None for a frame whose columns a schema cannot describe."""
        return inferred(self._df)


def inferred(data: Any) -> Schema | None:
    """The schema of ``data``, None (and a debug message) when it has none."""
    from millstream.models.inference import infer_schema

    try:
        return infer_schema(data)
    except InvalidValue as error:
        logger.debug("the data set gets no schema: %s", error)
        return None


def from_pandas(
    df: pandas.DataFrame,
    source: str | DatasetSource | None = None,
    targets: str | None = None,
    name: str | None = None,
    digest: str | None = None,
    predictions: str | None = None,
) -> PandasDataset:
    """The data set of a pandas DataFrame.

    ``source`` is where it came from: a path, an address, a DatasetSource; the running code unless given. ``targets``
    and ``predictions`` name columns. ``digest`` is computed unless given. Raises InvalidValue for a column that is not
    there, NotFound for a source that nothing knows.
    """
    return PandasDataset(df, source_of(source), targets, name, digest, predictions)
