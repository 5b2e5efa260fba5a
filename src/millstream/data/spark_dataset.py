"""A Spark DataFrame as a data set."""

from __future__ import annotations

import logging
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

from millstream.artifacts.uris import local_folder, scheme
from millstream.data.dataset_source import DatasetSource
from millstream.data.dataset_source_registry import source_of
from millstream.data.delta_dataset_source import DeltaDatasetSource
from millstream.data.digests import sum_digest
from millstream.data.frame_dataset import FrameDataset
from millstream.data.spark_dataset_source import SparkDatasetSource
from millstream.errors import InvalidValue

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

logger = logging.getLogger(__name__)

COUNT_MILLISECONDS = 5_000


class SparkDataset(FrameDataset["DataFrame"]):
    """A DataFrame, and which of its columns are targets and predictions.

    The digest is one of the plan that makes the data (Spark's ``semanticHash``); the data is not read for it. Raises
    InvalidValue for a column that is not there.
    """

    def _compute_digest(self) -> str:
        return sum_digest(self._df.semanticHash())

    @cached_property
    def profile(self) -> dict[str, Any]:
        """``approx_count``: the rows that Spark counts in five seconds, ``unknown`` where it cannot be asked."""
        try:
            # By way of the JVM: counting from Python would bring every row over here.
            partial = self._df._jdf.javaRDD().countApprox(COUNT_MILLISECONDS, 0.9)
            return {"approx_count": round(partial.initialValue().mean())}
        except Exception as error:  # Spark Connect has no JVM here; a plan that fails does so in the user's own code
            logger.debug("the rows of a Spark DataFrame are not counted: %s", error)
            return {"approx_count": "unknown"}


def from_spark(
    df: DataFrame,
    path: str | None = None,
    table_name: str | None = None,
    version: str | int | None = None,
    sql: str | None = None,
    targets: str | None = None,
    name: str | None = None,
    digest: str | None = None,
    predictions: str | None = None,
) -> SparkDataset:
    """The data set of a Spark DataFrame.

    One of ``path``, ``table_name`` and ``sql`` says what was read; the running code unless given. Of a Delta table the
    version is recorded: ``version``, or the latest. Raises InvalidValue for more than one of them, for a version of
    what is no Delta table, and for a column that is not there.
    """
    if sum(given is not None for given in (path, table_name, sql)) > 1:
        raise InvalidValue("a Spark DataFrame comes from one of path, table_name and sql")
    return SparkDataset(df, _source(df, path, table_name, version, sql), targets, name, digest, predictions)


def _source(
    df: DataFrame, path: str | None, table_name: str | None, version: str | int | None, sql: str | None
) -> DatasetSource:
    latest = delta_version(df.sparkSession, path, table_name)
    if latest is not None:
        return DeltaDatasetSource(path, table_name, latest if version is None else int(version))
    if version is not None:
        raise InvalidValue(
            f"version {version!r} is given, but {path or table_name or 'the data'} is no Delta table",
            hint="leave the version out, or name the table by path or table_name",
        )
    if path is None and table_name is None and sql is None:
        return source_of(None)
    return SparkDatasetSource(path, table_name, sql)


def delta_version(session: Any, path: str | None, table_name: str | None) -> int | None:
    """The latest version of a Delta table, None for what is none, or what this session cannot tell."""
    if path is not None and scheme(path) in ("", "file"):
        try:
            log = os.listdir(os.path.join(local_folder(path), "_delta_log"))
        except OSError:
            return None
        versions = [int(file.partition(".")[0]) for file in log if file.partition(".")[0].isdigit()]
        return max(versions, default=None)
    if path is None and table_name is None:
        return None
    # Without the extension Spark takes these statements for queries of a table, and logs an error.
    if "delta" not in session.conf.get("spark.sql.extensions", "").lower():
        return None
    table = f"delta.`{path}`" if path is not None else table_name
    try:
        if session.sql(f"DESCRIBE DETAIL {table}").first()["format"] != "delta":
            return None
        return int(session.sql(f"DESCRIBE HISTORY {table} LIMIT 1").first()["version"])
    except Exception as error:
        logger.debug("%s is not taken for a Delta table: %s", table, error)
        return None
