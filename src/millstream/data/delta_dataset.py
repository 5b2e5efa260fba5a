"""A version of a Delta table as a data set, with Spark or without."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

from millstream.data.dataset import Dataset, check_column
from millstream.data.delta_dataset_source import DeltaDatasetSource, open_delta_table, session_for
from millstream.data.spark_dataset import SparkDataset, from_spark
from millstream.errors import InvalidValue
from millstream.models.inference import spark_column
from millstream.models.schema import ColSpec, Schema


class DeltaDataset(Dataset):
    """A Delta table at one version, read by the package ``deltalake``.

    Digest, schema and profile come from the table's log; the data is read when it is asked for. Raises InvalidValue for
    a column that is not there.
    """

    def __init__(
        self,
        table: Any,
        source: DeltaDatasetSource,
        targets: str | None = None,
        name: str | None = None,
        digest: str | None = None,
    ) -> None:
        self._table = table
        self._columns: list[dict[str, Any]] = _fields(table)
        check_column([column["name"] for column in self._columns], targets, "targets")
        self._targets = targets
        super().__init__(source, name, digest)

    def _compute_digest(self) -> str:
        # The id was drawn when the table was made, and a version of it never changes.
        described = f"{self._table.metadata().id}:{self._table.version()}"
        return hashlib.sha256(described.encode()).hexdigest()[:8]

    @property
    def table(self) -> Any:
        """The ``deltalake.DeltaTable``; its ``to_pandas()`` or ``to_pyarrow_dataset()`` gives the data."""
        return self._table

    @property
    def targets(self) -> str | None:
        """The name of the column to be learned."""
        return self._targets

    @cached_property
    def _files(self) -> Any:
        return self._table.get_add_actions(flatten=True)

    @cached_property
    def profile(self) -> dict[str, Any]:
        """``num_rows`` (None when a file's writer did not count), ``num_files`` and ``size_bytes``."""
        rows = self._files["num_records"].to_pylist()
        sizes = self._files["size_bytes"].to_pylist()
        return {
            "num_rows": None if None in rows else sum(rows), "num_files": len(sizes), "size_bytes": sum(sizes)
        }

    @cached_property
    def schema(self) -> Schema | None:
        """The columns; one is required when the log counts no missing value in it. None where a type has no name."""
        try:
            return Schema([
                ColSpec(spark_column(column["type"], column["name"]), column["name"], self._is_complete(column))
                for column in self._columns
            ])
        except InvalidValue:
            return None

    def _is_complete(self, column: dict[str, Any]) -> bool:
        counted = f"null_count.{column['name']}"
        if not column["nullable"]:
            return True
        return counted in self._files.column_names and set(self._files[counted].to_pylist()) == {0}


def load_delta(
    path: str | None = None,
    table_name: str | None = None,
    version: str | int | None = None,
    targets: str | None = None,
    name: str | None = None,
    digest: str | None = None,
    **options: Any,
) -> SparkDataset | DeltaDataset:
    """A version (the latest unless given) of the Delta table at ``path``, or of that name in a catalog.

    With an active Spark session that reads Delta tables the data set holds a Spark DataFrame; otherwise the package
    ``deltalake`` reads the table, and ``options`` (``storage_options``) go to it. Raises InvalidValue for neither or
    both of path and name, and for a name without Spark, NotSupported without either reader.
    """
    if (path is None) == (table_name is None):
        raise InvalidValue("a Delta table is given by its path or by its name")
    session = session_for(table_name)
    if session is not None:
        reader = session.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        frame = reader.load(path) if path is not None else reader.table(table_name)
        return from_spark(frame, path, table_name, version, None, targets, name, digest)
    table = open_delta_table(path, table_name, None if version is None else int(version), **options)
    return DeltaDataset(table, DeltaDatasetSource(path, None, table.version()), targets, name, digest)


def _fields(table: Any) -> list[dict[str, Any]]:
    import json

    fields: list[dict[str, Any]] = json.loads(table.schema().to_json())["fields"]
    return fields
