"""Python's own values in the type of a column: single ones, lists and dicts of them, and what is missing.

Python's numbers have no width; they take that of the type, if they are in its range.
"""

from __future__ import annotations

import datetime as dates
import decimal
import numbers
from collections.abc import Iterable, Sequence
from typing import Any

from millstream.models.types import (
    AnyType,
    Array,
    ColumnType,
    CompositeType,
    DataType,
    Map,
    Object,
    Property,
    SparkMLVector,
)
from millstream.models.widening import EXACT_BITS, NULLABLE, REAL, WHOLE, Misfit, nanoseconds, of_numpy, remedy

BITS = {DataType.integer: 32, DataType.long: 64}
LARGEST_FLOAT = 3.4028235e38


def from_python(values: Sequence[Any], kind: ColumnType, required: bool = True) -> Any:
    """Python's own values as a column of ``kind``: an array of numbers, else a list. Raises Misfit.

    Whole numbers of which some are missing, in a column where they may be, become pandas' nullable ones.
    """
    if isinstance(kind, AnyType):
        return values
    if isinstance(kind, CompositeType):
        return [optional_cell(value, kind, required) for value in values]
    if (made := _uniform(values, kind)) is not None:
        return made
    missing = [is_missing(value) for value in values]
    gone = any(missing)
    found = {type(value) for value, absent in zip(values, missing, strict=True) if not absent}
    if odd := [python for python in found if not _takes(kind, python)]:
        raise Misfit(f"values of type {odd[0].__name__}", remedy(kind))
    if kind in WHOLE:
        if gone and required:
            raise Misfit("whole numbers of which some are missing", remedy(kind, nullable=True))
        return _whole(values, kind, missing)
    if kind in REAL:
        return _real(values, kind, missing)
    if kind is DataType.datetime:
        return _times(values)
    if kind is DataType.boolean and not gone:
        import numpy

        return numpy.array(values, dtype=bool)
    return values


def _uniform(values: Sequence[Any], kind: ColumnType) -> Any:
    """The same for values of just the type of the column, ten times as fast for many; None for others."""
    import numpy

    found = set(map(type, values))
    if kind is DataType.string and found == {str}:
        return values
    if kind is DataType.boolean and found == {bool}:
        return numpy.array(values, dtype=bool)
    try:
        if kind in WHOLE and found == {int}:
            whole = numpy.array(values, dtype="int64")
            return whole if kind is DataType.long else _if_kept(whole, whole.astype("int32"))
        if kind in REAL and found and found <= {int, float}:
            target = kind.to_numpy()  # type: ignore[union-attr]
            real = numpy.array(values, dtype="float64")
            largest = 1 << EXACT_BITS[target.itemsize] if int in found else LARGEST_FLOAT
            exact = kind is DataType.double and int not in found
            return real.astype(target) if exact or not (numpy.abs(real) > largest).any() else None
    except OverflowError:
        pass
    return None


def _if_kept(given: Any, made: Any) -> Any:
    return made if (given == made).all() else None


def optional_cell(value: Any, kind: CompositeType, required: bool) -> Any:
    """A list, dict or vector as the value of a row, the same object where nothing was converted. Raises Misfit."""
    if is_missing(value):
        if required:
            raise Misfit("missing values", "leave out the rows that lack it: df.dropna(subset=[{}])")
        return value
    return _cell(value, kind)


def _cell(value: Any, kind: ColumnType) -> Any:
    """One value of a type; the same object where nothing had to be converted. Raises Misfit."""
    if isinstance(kind, AnyType) or is_missing(value) or (
        isinstance(kind, SparkMLVector) and hasattr(value, "toArray")
    ):
        return value
    if isinstance(kind, Array):
        return _array_cell(value, kind)
    if isinstance(kind, (Object, Map)):
        return _dict_cell(value, kind)
    if not _takes(kind, type(value)) or (kind in WHOLE and not _in_range(value, kind)):
        raise Misfit(f"{_cut(value)} of type {type(value).__name__} where {kind!r} is expected")
    return value


def _array_cell(value: Any, kind: Array) -> Any:
    import numpy

    if isinstance(value, list):
        made = [_cell(item, kind.dtype) for item in value]
        return value if _same(made, value) else made
    if not isinstance(value, numpy.ndarray) or not value.ndim:
        raise Misfit(f"{_cut(value)} of type {type(value).__name__} where a list is expected")
    leaf: ColumnType = kind
    for _ in value.shape:
        if not isinstance(leaf, Array):
            raise Misfit(f"an array with {value.ndim} axes where {kind!r} is expected")
        leaf = leaf.dtype
    if value.dtype.kind == "O" or not isinstance(leaf, DataType):
        made = [_cell(item, kind.dtype) for item in value]
        return value if _same(made, list(value)) else made
    rule = of_numpy(value.dtype, leaf)
    return value if rule is None else rule(value)


def _dict_cell(value: Any, kind: Object | Map) -> Any:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise Misfit(f"{_cut(value)} of type {type(value).__name__} where a dict with texts as keys is expected")
    if isinstance(kind, Map):
        made = {key: _cell(item, kind.value_type) for key, item in value.items()}
    else:
        known = {part.name: part for part in kind.properties}
        if lacking := [part.name for part in kind.properties if part.required and _lacks(value, part)]:
            raise Misfit(f"a dict that lacks {', '.join(map(repr, lacking))}")
        if unknown := [key for key in value if key not in known]:
            raise Misfit(f"a dict with {', '.join(map(repr, unknown))}, which the type does not name")
        made = {key: _cell(item, known[key].dtype) for key, item in value.items()}
    return value if _same(made.values(), value.values()) else made


def _lacks(value: dict[str, Any], part: Property) -> bool:
    return part.name not in value or (is_missing(value[part.name]) and not isinstance(part.dtype, AnyType))


def _takes(kind: ColumnType, python: type) -> bool:
    """Whether values of a Python type are values of ``kind``, their range aside."""
    import numpy

    if kind is DataType.boolean:
        return issubclass(python, (bool, numpy.bool_))
    if kind in WHOLE:
        return issubclass(python, (int, numpy.integer)) and not issubclass(python, bool)
    if kind in REAL:
        return issubclass(python, (numbers.Real, decimal.Decimal)) and not issubclass(python, bool)
    if kind is DataType.datetime:
        return issubclass(python, (dates.date, numpy.datetime64))
    if kind is DataType.binary:
        return issubclass(python, (bytes, bytearray, str))  # a text stands for bytes in base64
    return issubclass(python, str)


def _whole(values: Iterable[Any], kind: DataType, missing: list[bool]) -> Any:
    import numpy

    for value, absent in zip(values, missing, strict=True):
        if not absent and not _in_range(value, kind):
            raise Misfit(f"{value}, which is beyond {BITS[kind]} bits")
    if any(missing):
        import pandas

        filled = [None if absent else value for value, absent in zip(values, missing, strict=True)]
        return pandas.array(filled, dtype=NULLABLE[kind])
    return numpy.array(values, dtype=kind.to_numpy())


def _real(values: Iterable[Any], kind: DataType, missing: list[bool]) -> Any:
    import numpy

    target = kind.to_numpy()
    limit = 1 << EXACT_BITS[target.itemsize]
    filled = [float("nan") if absent else value for value, absent in zip(values, missing, strict=True)]
    for value in filled:
        if isinstance(value, (int, numpy.integer)) and not -limit <= value <= limit:
            raise Misfit(f"{value}, of which a {kind!r} does not keep every digit")
        if kind is DataType.float and LARGEST_FLOAT < abs(value) < float("inf"):
            raise Misfit(f"{value}, which is beyond 32 bits")
    return numpy.array(filled, dtype=target)


def _times(values: Sequence[Any]) -> Any:
    import pandas

    try:
        return nanoseconds(pandas.Series(pandas.to_datetime(pandas.Series(values, dtype=object)))).array
    except (ValueError, TypeError):  # several time zones, or times that nanoseconds do not reach
        return values


def _in_range(value: Any, kind: ColumnType) -> bool:
    limit = 1 << (BITS[kind] - 1)  # type: ignore[index]
    return -limit <= int(value) < limit


def is_missing(value: Any) -> bool:
    """Whether ``value`` stands for none: None, not a number, NaT, pandas' NA."""
    if value is None or (isinstance(value, float) and value != value):
        return True
    kind = type(value)
    if kind.__name__ in ("NAType", "NaTType"):
        return kind.__module__.partition(".")[0] == "pandas"
    return kind.__name__ == "datetime64" and bool(value != value)


def _same(made: Iterable[Any], given: Iterable[Any]) -> bool:
    return all(one is other for one, other in zip(made, given, strict=True))


def _cut(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:80] + "…"
