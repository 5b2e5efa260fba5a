"""Predictions written to Delta tables by delta-rs, each batch once, and the version that they made kept on the run.

A commit carries the name of who writes and the number of its batch, as Delta's protocol has it for that
(https://github.com/delta-io/delta/blob/master/PROTOCOL.md#transaction-identifiers): a batch that is written again after
a crash is found in the table's log, and nothing is written.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from millstream.data.delta_dataset import DeltaDataset
from millstream.data.delta_dataset_source import DeltaDatasetSource
from millstream.errors import Conflict, InvalidValue, NotSupported
from millstream.tracking.client import MlflowClient
from millstream.tracking.logging import log_input, set_tags
from millstream.tracking.runs import active_run

if TYPE_CHECKING:
    from deltalake import DeltaTable

__all__ = ["OUTPUT_ROWS", "OUTPUT_URI", "OUTPUT_VERSION", "each_batch", "read_table", "record_output", "write_table"]

# Tags of the run that wrote predictions.
OUTPUT_URI = "millstream.output.uri"
OUTPUT_VERSION = "millstream.output.version"
OUTPUT_ROWS = "millstream.output.rows"
_MODES = ("append", "overwrite", "error")
_TRIES = 5


def write_table(
    data: Any, table_uri: str | os.PathLike[str], *, mode: str = "append", app_id: str | None = None,
    batch_id: int | None = None, partition_by: list[str] | None = None,
    storage_options: Mapping[str, str] | None = None, record: bool = True,
) -> int:
    """Write a table to the Delta table at ``table_uri``, which is made if it is not there; returns its version then.

    ``data`` are a pandas or Spark DataFrame or whatever hands out a stream of Arrow (a table, a reader of batches). A
    Spark DataFrame comes through this process. ``mode`` is "append", "overwrite" or "error" for a table that is there.
    With ``app_id`` and ``batch_id`` the batch is written once, however often this is called with both: numbers of one
    ``app_id`` rise, and one that is no higher than the last is known to be written. The version, and the table as a
    data set with the context "output", go onto the active run if there is one, unless ``record`` is false.

    Raises InvalidValue, NotSupported without deltalake, and Conflict for a table that others change again and again.
    """
    if mode not in _MODES:
        raise InvalidValue.of("mode", mode, f"it is none of {', '.join(_MODES)}")
    if (app_id is None) != (batch_id is None):
        raise InvalidValue("app_id and batch_id belong together", hint="app_id names who writes, batch_id counts")
    library = _library()
    uri, options = os.fspath(table_uri), dict(storage_options or {})
    done = None if app_id is None else _written(library, uri, options, app_id, batch_id)
    version = done if done is not None else _commit(
        library, uri, options, _arrow(data), mode, partition_by, app_id, batch_id)
    if record and active_run() is not None:
        record_output(uri, version, options)
    return version


def _library() -> Any:
    try:
        import deltalake
    except ImportError:
        raise NotSupported("Delta tables are not written here, as there is no deltalake",
                           hint="pip install millstream[batch]") from None
    return deltalake


def _written(library: Any, uri: str, options: dict[str, str], app_id: str, batch_id: int | None) -> int | None:
    """The version that has this batch; None when there is none yet."""
    if not library.DeltaTable.is_deltatable(uri, options):
        return None
    table = library.DeltaTable(uri, storage_options=options)
    last = table.transaction_version(app_id)
    return None if last is None or batch_id is None or last < batch_id else int(table.version())


def _commit(
    library: Any, uri: str, options: dict[str, str], data: Any, mode: str, partition_by: list[str] | None,
    app_id: str | None, batch_id: int | None,
) -> int:
    """Write, and return the version that has it."""
    transactions = [library.Transaction(app_id, batch_id)] if app_id is not None else None
    again = not hasattr(data, "read_next_batch")  # what is read once cannot be written again
    for attempt in range(_TRIES):
        try:
            library.write_deltalake(
                uri, data, mode=mode, partition_by=partition_by, storage_options=options,
                schema_mode="overwrite" if mode == "overwrite" else None,
                commit_properties=library.CommitProperties(app_transactions=transactions),
            )
            return int(library.DeltaTable(uri, storage_options=options).version())
        except library.exceptions.CommitFailedError as error:
            if app_id is not None and (done := _written(library, uri, options, app_id, batch_id)) is not None:
                return done  # somebody else did the same meanwhile
            if not again or attempt == _TRIES - 1:
                raise Conflict(f"the Delta table {uri} was changed by others meanwhile: {error}",
                               hint="write again") from None
    raise AssertionError("the loop ends in it")


def _arrow(data: Any) -> Any:
    """What delta-rs takes: a stream of Arrow."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        import pyarrow

        return pyarrow.Table.from_pandas(data, preserve_index=False)
    if type(data).__module__.partition(".")[0] == "pyspark":
        return _of_spark(data)
    if hasattr(data, "__arrow_c_stream__"):
        return data
    raise InvalidValue(f"a {type(data).__name__} is no table", hint="give a DataFrame or a table of Arrow")


def _of_spark(frame: Any) -> Any:
    import pyarrow

    if hasattr(frame, "toArrow"):  # since Spark 4
        return frame.toArrow()
    return pyarrow.Table.from_batches(frame._collect_as_arrow())


def record_output(table_uri: str, version: int, storage_options: Mapping[str, str] | None = None) -> None:
    """Note on the active run that it wrote this version of a Delta table: as tags, and as a data set "output"."""
    table = read_table(table_uri, version, storage_options)
    set_tags({OUTPUT_URI: table_uri, OUTPUT_VERSION: str(version)})
    log_input(DeltaDataset(table, DeltaDatasetSource(table_uri, None, version)), context="output")


def read_table(
    table_uri: str | os.PathLike[str], version: int | None = None, storage_options: Mapping[str, str] | None = None
) -> DeltaTable:
    """The Delta table as it was at a version (the latest unless given); ``to_pandas()`` gives its rows."""
    table: DeltaTable = _library().DeltaTable(
        os.fspath(table_uri), version=version, storage_options=dict(storage_options or {}))
    return table


def each_batch(
    table_uri: str | os.PathLike[str], app_id: str, *, partition_by: list[str] | None = None,
    storage_options: Mapping[str, str] | None = None,
) -> Callable[[Any, int], None]:
    """A function for ``foreachBatch`` of a stream, which appends each of its batches to a Delta table once.

    ``app_id`` names the stream and stays the same as long as its checkpoint does: what the checkpoint does not know to
    be written after a crash, the table does. A stream with a new checkpoint counts from 0 and needs another name. The
    version goes onto the run that is active where this is called.
    """
    run = active_run()
    client, run_id = (MlflowClient(), run.info.run_id) if run is not None else (None, "")

    def write(batch: Any, batch_id: int) -> None:
        version = write_table(batch, table_uri, app_id=app_id, batch_id=batch_id, partition_by=partition_by,
                              storage_options=storage_options, record=False)
        if client is not None:
            for key, value in ((OUTPUT_URI, os.fspath(table_uri)), (OUTPUT_VERSION, str(version))):
                client.set_tag(run_id, key, value)

    return write
