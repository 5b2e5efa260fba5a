"""What Spark reads, noted in the active run: paths, versions and formats of its data sources."""

from __future__ import annotations

import functools
import os
import threading
import weakref
from collections.abc import Generator
from typing import Any

from millstream.artifacts.uris import scheme
from millstream.autolog.libraries import LIBRARIES, autologging
from millstream.autolog.patching import Body, Call, Patches
from millstream.operations import GetRun
from millstream.tracking.active import local

TAG = "sparkDatasourceInfo"
# Methods of a reader that are named as the format that they read.
FORMATS = ("csv", "json", "orc", "parquet", "text", "xml")

_lock = threading.Lock()
_formats: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
# What was read while no run was active.
_waiting: list[str] = []


@autologging("spark")
def autolog(disable: bool = False, silent: bool = False) -> None:
    """Note what Spark reads in the active run's tag ``sparkDatasourceInfo``, a line for each source.

    A line is ``path=…,format=…``, of a Delta table ``path=…,version=…,format=delta``. Noted are the calls of
    ``spark.read`` (``load``, ``table``, ``csv``, ``parquet``, …), when they are made; what is read while no run is
    active goes to the next training that ``millstream.pyspark.ml.autolog()`` logs. No JAR is needed for it.
    """


def install(patches: Patches) -> None:
    """Patch the readers of DataFrames."""
    from pyspark.sql import DataFrameReader, SparkSession

    patches.watch(DataFrameReader, "format", _format, own_calls=False)
    patches.watch(DataFrameReader, "load", _load, own_calls=False)
    for name in FORMATS:
        patches.watch(DataFrameReader, name, _read(name), own_calls=False)
    for owner in (DataFrameReader, SparkSession):
        patches.watch(owner, "table", _table, own_calls=False)


def waiting() -> dict[str, str]:
    """The tag of what was read while no run was active, which is then forgotten."""
    if LIBRARIES["spark"].is_off:
        return {}
    with _lock:
        lines, _waiting[:] = list(_waiting), []
    return {TAG: "\n".join(lines)} if lines else {}


def _format(call: Call) -> Generator[None, Any, None]:
    yield
    _formats[call.instance] = str(call.argument("source"))


def _load(call: Call) -> Generator[None, Any, None]:
    frame = yield
    kind = call.argument("format") or _formats.get(call.instance)
    _note(call, frame, call.argument("path"), kind or frame.sparkSession.conf.get("spark.sql.sources.default"))


def _read(kind: str) -> Body:
    def body(call: Call) -> Generator[None, Any, None]:
        frame = yield
        _note(call, frame, call.argument("path", call.argument("paths")), kind)

    return body


def _table(call: Call) -> Generator[None, Any, None]:
    yield
    _keep(call, [f"path={call.argument('tableName')},format=table"])


def _note(call: Call, frame: Any, paths: Any, kind: str) -> None:
    from millstream.data.spark_dataset import delta_version

    lines = []
    for path in _flat(paths):
        version = delta_version(frame.sparkSession, path, None) if kind == "delta" else None
        if not scheme(path) and os.path.exists(path):
            path = f"file:{os.path.abspath(path)}"
        lines.append(f"path={path},{f'version={version},' if version is not None else ''}format={kind}")
    _keep(call, lines)


def _flat(paths: Any) -> list[str]:
    """The paths among the arguments of a call; data in memory (an RDD, a DataFrame of texts) has none."""
    if isinstance(paths, str):
        return [paths]
    return [one for part in paths for one in _flat(part)] if isinstance(paths, (list, tuple)) else []


def _keep(call: Call, lines: list[str]) -> None:
    if not lines:
        return
    with _lock:
        if not local.stack:
            _waiting.extend(line for line in lines if line not in _waiting)
            return
        keeper = local.stack[-1].recorder
        known = _lines_of(keeper)
        new = [line for line in lines if line not in known]
        known.extend(new)
    if new:
        with call.safely(f"the tag {TAG}"):
            keeper.set_tags({TAG: "\n".join(known)}, directly=not keeper.buffered)


@functools.lru_cache(maxsize=64)
def _lines_of(keeper: Any) -> list[str]:
    """The lines that a run has; they are added to here."""
    tags = keeper.store.execute(GetRun(keeper.run_id)).run.data.tags
    return str(tags[TAG]).split("\n") if TAG in tags else []
