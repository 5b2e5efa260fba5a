"""Widening: which types of NumPy become the type of a column without changing a value.

The rule: values with a type of their own (of NumPy, pandas or Arrow) are widened where every value stays the same, and
refused otherwise, as MLflow does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from millstream.models.types import ColumnType, DataType

if TYPE_CHECKING:
    import numpy

Convert = Callable[[Any], Any]
WHOLE = (DataType.integer, DataType.long)
REAL = (DataType.float, DataType.double)
# The longest whole number of which a float of that size keeps every bit.
EXACT_BITS = {4: 24, 8: 53, 2: 11}
CASTS: dict[Any, str] = {
    DataType.boolean: "'boolean'", DataType.integer: "'int32'", DataType.long: "'int64'", DataType.float: "'float32'",
    DataType.double: "'float64'", DataType.string: "str",
}
NULLABLE: dict[Any, str] = {DataType.integer: "Int32", DataType.long: "Int64"}


class Misfit(Exception):
    """Values that a type does not take: what was found, and the code that would convert a column named ``{}``."""

    def __init__(self, found: str, remedy: str = "") -> None:
        super().__init__(found)
        self.found = found
        self.remedy = remedy


def of_numpy(dtype: numpy.dtype[Any], kind: DataType) -> Convert | None:
    """What brings an array or a Series of a NumPy type into ``kind``; None when it fits, or is of Python objects."""
    import numpy

    target = kind.to_numpy()
    if dtype == target or dtype.kind == "O":
        return None
    widened = numpy.can_cast(dtype, target, "safe")
    if (kind in WHOLE and dtype.kind in "iu" and widened) or (kind in REAL and dtype.kind == "f" and widened):
        return functools.partial(astype, target)
    if kind in REAL and dtype.kind in "iu":
        return functools.partial(exact, kind, target)
    if kind is DataType.datetime and dtype.kind == "M":
        return nanoseconds
    if (kind is DataType.string and dtype.kind == "U") or (kind is DataType.binary and dtype.kind == "S"):
        return None
    return functools.partial(refuse, kind)


def astype(target: numpy.dtype[Any], column: Any) -> Any:
    """Values of a type that holds them all."""
    return column.astype(target)


def exact(kind: DataType, target: numpy.dtype[Any], column: Any) -> Any:
    """Whole numbers as floats, if the floats are as exact."""
    limit = 1 << EXACT_BITS[target.itemsize]
    if column.size and not (-limit <= column.min() and column.max() <= limit):
        raise Misfit(f"{column.dtype} with numbers beyond ±2^{EXACT_BITS[target.itemsize]}", remedy(kind))
    return column.astype(target)


def nanoseconds(column: Any) -> Any:
    """Dates and times to the nanosecond, as MLflow gives them to models; those that it does not reach stay."""
    import pandas

    try:
        return column.astype("datetime64[ns]")
    except pandas.errors.OutOfBoundsDatetime:  # before 1677 or after 2262, which nanoseconds do not reach
        return column


def refuse(kind: ColumnType, column: Any) -> Any:
    """Raises Misfit, which says what the values are."""
    import pandas

    missing = bool(pandas.isna(column).any())
    whole = kind in WHOLE and column.dtype.kind == "f" and missing
    raise Misfit(f"{column.dtype}{' with missing values' if missing else ''}", remedy(kind, whole))


def remedy(kind: ColumnType, nullable: bool = False) -> str:
    """The line of code that casts a column, whose name stands for ``{}``."""
    if nullable:
        return f"df[{{}}] = df[{{}}].astype('{NULLABLE[kind]}')"
    if kind is DataType.datetime:
        return "df[{}] = pandas.to_datetime(df[{}])"
    if kind in CASTS:
        return f"df[{{}}] = df[{{}}].astype({CASTS[kind]})"
    return ""
