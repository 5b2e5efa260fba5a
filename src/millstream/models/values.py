"""Values in the type of a column: converted where nothing is lost, refused where something would be."""

from __future__ import annotations

import datetime as dates
from typing import Any

from millstream.errors import InvalidValue
from millstream.models.types import AnyType, Array, ColumnType, DataType, Map, Object

INTEGER_BITS = {DataType.integer: 32, DataType.long: 64}


def fit(value: Any, kind: ColumnType, name: str) -> Any:
    """``value`` as a Python value of ``kind``. Raises InvalidValue, which names ``name`` and both types."""
    value = _unwrapped(value)
    if isinstance(kind, AnyType):
        return value
    if isinstance(kind, Array):
        if not isinstance(value, (list, tuple)):
            raise _mismatch(value, kind, name)
        return [fit(item, kind.dtype, f"{name}[{position}]") for position, item in enumerate(value)]
    if isinstance(kind, (Object, Map)):
        return _fit_dict(value, kind, name)
    if kind is DataType.boolean:
        if isinstance(value, bool):
            return value
    elif kind is DataType.integer or kind is DataType.long:
        whole = not isinstance(value, bool) and (
            isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        )
        limit = 1 << (INTEGER_BITS[kind] - 1)
        if whole and -limit <= value < limit:
            return int(value)
    elif kind in (DataType.float, DataType.double):
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    elif kind is DataType.datetime:
        return _fit_datetime(value, kind, name)
    elif isinstance(kind, DataType) and isinstance(value, kind.to_python()):
        return value
    raise _mismatch(value, kind, name)


def plain(value: Any) -> Any:
    """``value`` as JSON has it: dates and times in ISO form."""
    if isinstance(value, dates.date):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def _unwrapped(value: Any) -> Any:
    # NumPy's and pandas' scalars know the Python value that they stand for.
    if hasattr(value, "to_pydatetime"):
        return value.to_pydatetime()
    if type(value).__module__ == "numpy":
        return value.tolist()
    return value


def _fit_dict(value: Any, kind: Object | Map, name: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _mismatch(value, kind, name)
    if isinstance(kind, Map):
        return {key: fit(item, kind.value_type, f"{name}.{key}") for key, item in value.items()}
    known = {part.name: part for part in kind.properties}
    if missing := [part.name for part in kind.properties if part.required and part.name not in value]:
        raise InvalidValue(f"{name!r} lacks {', '.join(map(repr, missing))}, which {kind!r} requires")
    if unknown := sorted(value.keys() - known.keys()):
        raise InvalidValue(f"{name!r} has {', '.join(map(repr, unknown))}, which {kind!r} does not name")
    return {
        key: None if item is None and not known[key].required else fit(item, known[key].dtype, f"{name}.{key}")
        for key, item in value.items()
    }


def _fit_datetime(value: Any, kind: ColumnType, name: str) -> dates.datetime:
    if isinstance(value, dates.datetime):
        return value
    if isinstance(value, dates.date):
        return dates.datetime(value.year, value.month, value.day)
    if isinstance(value, str):
        try:
            return dates.datetime.fromisoformat(value[:-1] + "+00:00" if value.endswith("Z") else value)
        except ValueError:
            pass
    raise _mismatch(value, kind, name)


def _mismatch(value: Any, kind: ColumnType, name: str) -> InvalidValue:
    shown = repr(value)
    shown = shown if len(shown) <= 100 else shown[:100] + "…"
    return InvalidValue(f"{name!r} should be {kind!r}, got {shown} of type {type(value).__name__}")
