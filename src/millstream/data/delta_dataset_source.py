"""A version of a Delta table."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from millstream.data.dataset_source import DatasetSource
from millstream.errors import InvalidValue, NotSupported

if TYPE_CHECKING:
    from typing_extensions import Self

# Catalogs whose tables are not kept by Unity Catalog.
_PLAIN_CATALOGS = frozenset({"hive_metastore", "spark_catalog"})


class DeltaDatasetSource(DatasetSource):
    """A Delta table by path or by name, and the version that was read. Raises InvalidValue for neither and for both."""

    def __init__(
        self,
        path: str | None = None,
        delta_table_name: str | None = None,
        delta_table_version: int | None = None,
        delta_table_id: str | None = None,
    ) -> None:
        if (path is None) == (delta_table_name is None):
            raise InvalidValue("a Delta table is given by its path or by its name")
        self._path = path
        self._name = delta_table_name
        self._version = delta_table_version
        self._id = delta_table_id

    @classmethod
    def _get_source_type(cls) -> str:
        return "delta_table"

    @classmethod
    def _can_resolve(cls, raw_source: Any) -> bool:
        return False  # a path could hold anything

    @classmethod
    def _resolve(cls, raw_source: Any) -> Self:
        raise InvalidValue.of("source", raw_source, "make a DeltaDatasetSource of it")

    @property
    def path(self) -> str | None:
        """The path or address, None for a table that has a name."""
        return self._path

    @property
    def delta_table_name(self) -> str | None:
        """The name in a catalog, None for a table that has a path."""
        return self._name

    @property
    def delta_table_version(self) -> int | None:
        """The version, None when it is not known."""
        return self._version

    @property
    def delta_table_id(self) -> str | None:
        """The id that a catalog gave to the table."""
        return self._id

    def load(self, **kwargs: Any) -> Any:
        """The table at its version: a Spark DataFrame where a Spark session that reads Delta tables is active, else a
        ``deltalake.DeltaTable``.

        ``kwargs`` are options of the reader, or of ``DeltaTable`` (``storage_options``). Without a session, raises
        InvalidValue for a table of a catalog, and NotSupported when ``deltalake`` is not installed.
        """
        session = session_for(self._name)
        if session is not None:
            reader = session.read.format("delta").options(**kwargs)
            if self._version is not None:
                reader = reader.option("versionAsOf", self._version)
            return reader.load(self._path) if self._path else reader.table(self._name)
        return open_delta_table(self._path, self._name, self._version, **kwargs)

    def to_dict(self) -> dict[str, Any]:
        """The fields that are known, under the names that MLflow records."""
        fields: dict[str, Any] = {
            "path": self._path, "delta_table_name": self._name, "delta_table_version": self._version
        }
        if self._name is not None and self._in_unity_catalog(self._name):
            fields["is_databricks_uc_table"] = True
        fields["delta_table_id"] = self._id
        return {name: value for name, value in fields.items() if value is not None}

    @classmethod
    def from_dict(cls, source_dict: dict[str, Any]) -> Self:
        """The source with this form."""
        names = ("path", "delta_table_name", "delta_table_version", "delta_table_id")
        return cls(**{name: source_dict.get(name) for name in names})

    @staticmethod
    def _in_unity_catalog(name: str) -> bool:
        catalog, dot, _ = name.replace("`", "").partition(".")
        return bool(dot) and catalog not in _PLAIN_CATALOGS


def session_for(table_name: str | None) -> Any:
    """The active session of a pyspark that the program has imported, if it can read the table: any by its name, one
    with the extension for Delta tables by its path. None when there is none."""
    if "pyspark.sql" not in sys.modules:
        return None
    from pyspark.sql import SparkSession

    session: Any = SparkSession.getActiveSession()
    if session is None or table_name is not None:
        return session
    return session if "delta" in session.conf.get("spark.sql.extensions", "").lower() else None


def open_delta_table(path: str | None, name: str | None, version: int | None, **options: Any) -> Any:
    """A ``deltalake.DeltaTable``. Raises InvalidValue for a table that has only a name, which takes a Spark session,
    NotSupported when ``deltalake`` is not installed."""
    if path is None:
        raise InvalidValue(f"the table {name!r} is in a catalog", hint="start a Spark session, or give its path")
    try:
        from deltalake import DeltaTable
    except ImportError:
        raise NotSupported(
            "reading a Delta table without a Spark session needs the package deltalake", hint="pip install deltalake"
        ) from None
    return DeltaTable(path, version=version, **options)
