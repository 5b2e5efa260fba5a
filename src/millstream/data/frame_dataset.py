"""What the data sets of pandas, polars and Spark have in common: columns, some of them targets or predictions."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from millstream.data.dataset import Dataset, check_column
from millstream.data.dataset_source import DatasetSource
from millstream.errors import InvalidValue

if TYPE_CHECKING:
    from millstream.models.schema import Schema

logger = logging.getLogger(__name__)

Frame = TypeVar("Frame")


class FrameDataset(Dataset, Generic[Frame]):
    """A frame, and which of its columns are targets and predictions.

    Raises InvalidValue for a column that is not there.
    """

    def __init__(
        self, df: Frame, source: DatasetSource, targets: str | None = None, name: str | None = None,
        digest: str | None = None, predictions: str | None = None,
    ) -> None:
        columns = self._columns(df)
        check_column(columns, targets, "targets")
        check_column(columns, predictions, "predictions")
        self._df = df
        self._targets = targets
        self._predictions = predictions
        super().__init__(source, name, digest)

    @staticmethod
    def _columns(df: Any) -> Any:
        """The names of the columns. Raises InvalidValue for what is no such frame."""
        return df.columns

    @property
    def df(self) -> Frame:
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
