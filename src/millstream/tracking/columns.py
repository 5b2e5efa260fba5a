"""Which columns of runs are asked for: ``metrics.loss``, ``params.*``, ``start_time``."""

from __future__ import annotations

from collections.abc import Iterable

from millstream.errors import InvalidValue

INFO_COLUMNS = ("run_id", "experiment_id", "status", "artifact_uri", "start_time", "end_time")
MORE_INFO_COLUMNS = ("run_name", "user_id", "lifecycle_stage")
KINDS = ("metrics", "params", "tags")

Projection = tuple["list[str] | None", "list[str] | None", "list[str] | None"]


def projection(columns: Iterable[str] | None) -> Projection:
    """The metrics, parameters and tags to read: a list of keys each, empty for none of them, None for all.

    Raises InvalidValue for a column that runs do not have.
    """
    if columns is None:
        return None, None, None
    if isinstance(columns, str):
        raise InvalidValue.of("columns", columns, "a list of columns is expected")
    asked: dict[str, list[str] | None] = {kind: [] for kind in KINDS}
    for column in columns:
        kind, dot, key = column.partition(".")
        if dot and key and kind in asked:
            keys = asked[kind]
            if key == "*":
                asked[kind] = None
            elif keys is not None:
                keys.append(key)
        elif column not in INFO_COLUMNS and column not in MORE_INFO_COLUMNS:
            raise InvalidValue.of(
                "columns", column, "runs have no such column",
                hint="name metrics.<key>, params.<key>, tags.<key>, each with * for all of them, or one of "
                + ", ".join([*INFO_COLUMNS, *MORE_INFO_COLUMNS]),
            )
    return asked["metrics"], asked["params"], asked["tags"]


def frame_columns(columns: Iterable[str] | None) -> list[str]:
    """The facts of a run that a DataFrame shows: those asked for, MLflow's six unless any are."""
    if columns is None:
        return list(INFO_COLUMNS)
    return [column for column in columns if column in INFO_COLUMNS or column in MORE_INFO_COLUMNS]
