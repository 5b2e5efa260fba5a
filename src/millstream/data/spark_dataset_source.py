"""What a Spark session reads: a path, a table, a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from millstream.data.dataset_source import DatasetSource
from millstream.errors import InvalidValue

if TYPE_CHECKING:
    from typing_extensions import Self


class SparkDatasetSource(DatasetSource):
    """Exactly one of a path, a table and an SQL query. Raises InvalidValue for none and for more."""

    def __init__(self, path: str | None = None, table_name: str | None = None, sql: str | None = None) -> None:
        if (path, table_name, sql).count(None) != 2:
            raise InvalidValue("a Spark source is one of path, table_name and sql")
        self._path = path
        self._table_name = table_name
        self._sql = sql

    @classmethod
    def _get_source_type(cls) -> str:
        return "spark"

    @classmethod
    def _can_resolve(cls, raw_source: Any) -> bool:
        return False  # a text could be any of the three

    @classmethod
    def _resolve(cls, raw_source: Any) -> Self:
        raise InvalidValue.of("source", raw_source, "make a SparkDatasetSource of it")

    def load(self, **kwargs: Any) -> Any:
        """A Spark DataFrame, read by the active session or a new one; ``kwargs`` go to ``read.load`` for a path."""
        session = spark_session()
        if self._path:
            return session.read.load(self._path, **kwargs)
        return session.read.table(self._table_name) if self._table_name else session.sql(self._sql)

    def to_dict(self) -> dict[str, Any]:
        """``{"path": …}``, ``{"table_name": …}`` or ``{"sql": …}``."""
        fields = {"path": self._path, "table_name": self._table_name, "sql": self._sql}
        return {name: value for name, value in fields.items() if value is not None}

    @classmethod
    def from_dict(cls, source_dict: dict[str, Any]) -> Self:
        """The source with this form."""
        return cls(source_dict.get("path"), source_dict.get("table_name"), source_dict.get("sql"))


def spark_session() -> Any:
    """The active Spark session, or a new one."""
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession() or SparkSession.builder.getOrCreate()
