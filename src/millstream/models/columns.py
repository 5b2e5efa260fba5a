"""Columns in the type that a schema says: which types fit as they are, which are converted, which are refused.

The rule: a column with a type of its own (of NumPy, pandas or Arrow) is widened where every value stays the same, and
refused otherwise, as MLflow does. Python's own numbers have no width; they take that of the schema, if they are in its
range. What is missing stays missing.
"""

from __future__ import annotations

import datetime as dates
import decimal
import functools
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    import numpy

Convert = Callable[[Any], Any]
WHOLE = (DataType.integer, DataType.long)
REAL = (DataType.float, DataType.double)
BITS = {DataType.integer: 32, DataType.long: 64}
# The longest whole number of which a float of that size keeps every bit.
EXACT_BITS = {4: 24, 8: 53, 2: 11}
CASTS: dict[Any, str] = {
    DataType.boolean: "'boolean'", DataType.integer: "'int32'", DataType.long: "'int64'", DataType.float: "'float32'",
    DataType.double: "'float64'", DataType.string: "str",
}
NULLABLE: dict[Any, str] = {DataType.integer: "Int32", DataType.long: "Int64"}
LARGEST_FLOAT = 3.4028235e38


class Misfit(Exception):
    """Values that a type does not take: what was found, and the code that would convert a column named ``{}``."""

    def __init__(self, found: str, remedy: str = "") -> None:
        super().__init__(found)
        self.found = found
        self.remedy = remedy


def conversion(dtype: Any, kind: ColumnType, required: bool = True) -> Convert | None:
    """What brings a column of a pandas type into ``kind``; None when it fits as it is.

    The conversion takes a Series or array and gives one, or raises Misfit; that of a type that never fits always does.
    """
    import numpy

    if isinstance(kind, AnyType):
        return None
    if isinstance(kind, CompositeType):
        return functools.partial(_cells, kind, required)
    if isinstance(dtype, numpy.dtype):
        if dtype.kind == "O" and kind not in (DataType.string, DataType.binary):
            return functools.partial(_objects, kind, required)
        return _of_numpy(dtype, kind)
    return _of_pandas(dtype, kind)


def from_python(values: Sequence[Any], kind: ColumnType, required: bool = True) -> Any:
    """Python's own values as a column of ``kind``: an array of numbers, else a list. Raises Misfit.

    Whole numbers of which some are missing, in a column where they may be, become pandas' nullable ones.
    """
    if isinstance(kind, AnyType):
        return values
    if isinstance(kind, CompositeType):
        return [_optional_cell(value, kind, required) for value in values]
    if (made := _uniform(values, kind)) is not None:
        return made
    missing = [_is_missing(value) for value in values]
    gone = any(missing)
    found = {type(value) for value, absent in zip(values, missing, strict=True) if not absent}
    if odd := [python for python in found if not _takes(kind, python)]:
        raise Misfit(f"values of type {odd[0].__name__}", _remedy(kind))
    if kind in WHOLE:
        if gone and required:
            raise Misfit("whole numbers of which some are missing", _remedy(kind, nullable=True))
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


def _of_numpy(dtype: numpy.dtype[Any], kind: DataType) -> Convert | None:
    import numpy

    target = kind.to_numpy()
    if dtype == target or dtype.kind == "O":
        return None
    widened = numpy.can_cast(dtype, target, "safe")
    if (kind in WHOLE and dtype.kind in "iu" and widened) or (kind in REAL and dtype.kind == "f" and widened):
        return functools.partial(_astype, target)
    if kind in REAL and dtype.kind in "iu":
        return functools.partial(_exact, kind, target)
    if kind is DataType.datetime and dtype.kind == "M":
        return _nanoseconds
    if (kind is DataType.string and dtype.kind == "U") or (kind is DataType.binary and dtype.kind == "S"):
        return None
    return functools.partial(_refuse, kind)


def _of_pandas(dtype: Any, kind: DataType) -> Convert | None:
    import numpy
    import pandas

    if isinstance(dtype, pandas.StringDtype):
        return None if kind in (DataType.string, DataType.binary) else functools.partial(_refuse, kind)
    if isinstance(dtype, pandas.CategoricalDtype):
        # Categories have a type; what models know them by is that they are categories, so they stay.
        inner = conversion(dtype.categories.dtype, kind)
        return functools.partial(_categories, inner) if inner is not None else None
    if isinstance(dtype, pandas.DatetimeTZDtype):
        return None if kind is DataType.datetime else functools.partial(_refuse, kind)
    if isinstance(dtype, pandas.SparseDtype):
        return conversion(dtype.subtype, kind)
    arrow = getattr(dtype, "pyarrow_dtype", None)
    if arrow is not None:
        from millstream.models.inference import UnknownType, arrow_type

        try:
            found = arrow_type(arrow)
        except UnknownType:
            return functools.partial(_refuse, kind)
        if found is kind and kind in (DataType.string, DataType.binary, DataType.datetime):
            return None
        plain = numpy.dtype(arrow.to_pandas_dtype()) if isinstance(found, DataType) else None
    else:
        plain = getattr(dtype, "numpy_dtype", None)
    if plain is None or plain.kind not in "biuf":
        return functools.partial(_refuse, kind)
    return functools.partial(_nullable, plain, kind)


def together(plan: Sequence[Convert | None]) -> Convert | None:
    """The one conversion of all columns of a frame at once, when they are all widened to one type."""
    first = plan[0] if plan else None
    if isinstance(first, functools.partial) and first.func is _astype and all(
        isinstance(one, functools.partial) and one.func is _astype and one.args == first.args for one in plan
    ):
        return first
    return None


def _astype(target: numpy.dtype[Any], column: Any) -> Any:
    return column.astype(target)


def _exact(kind: DataType, target: numpy.dtype[Any], column: Any) -> Any:
    """Whole numbers as floats, if the floats are as exact."""
    limit = 1 << EXACT_BITS[target.itemsize]
    if len(column) and not (-limit <= column.min() and column.max() <= limit):
        raise Misfit(f"{column.dtype} with numbers beyond ±2^{EXACT_BITS[target.itemsize]}", _remedy(kind))
    return column.astype(target)


def _nanoseconds(column: Any) -> Any:
    import pandas

    try:
        return column.astype("datetime64[ns]")
    except pandas.errors.OutOfBoundsDatetime:  # before 1677 or after 2262, which nanoseconds do not reach
        return column


def _nullable(plain: numpy.dtype[Any], kind: DataType, column: Any) -> Any:
    """A column whose type marks what is missing: as a NumPy column if nothing is, else as it is."""
    rule = _of_numpy(plain, kind)
    if isinstance(rule, functools.partial) and rule.func is _refuse:
        return _refuse(kind, column)
    if kind in REAL:
        if plain.kind in "iu":
            _exact(kind, kind.to_numpy(), column.dropna())
        return column.to_numpy(kind.to_numpy(), na_value=float("nan"))
    if column.isna().any():
        return column if rule is None else column.astype(NULLABLE[kind])
    return column.astype(kind.to_numpy())


def _categories(inner: Convert, column: Any) -> Any:
    inner(column.cat.categories.to_series())
    return column


def _refuse(kind: ColumnType, column: Any) -> Any:
    import pandas

    missing = bool(pandas.isna(column).any())
    whole = kind in WHOLE and column.dtype.kind == "f" and missing
    raise Misfit(f"{column.dtype}{' with missing values' if missing else ''}", _remedy(kind, whole))


def _objects(kind: DataType, required: bool, column: Any) -> Any:
    values = list(column)
    made = from_python(values, kind, required)
    return column if made is values else made


def _cells(kind: CompositeType, required: bool, column: Any) -> Any:
    values = list(column)
    made = [_optional_cell(value, kind, required) for value in values]
    if all(one is other for one, other in zip(made, values, strict=True)):
        return column
    import pandas

    return pandas.Series(made, index=column.index, dtype=object)


def _optional_cell(value: Any, kind: CompositeType, required: bool) -> Any:
    if _is_missing(value):
        if required:
            raise Misfit("missing values", "leave out the rows that lack it: df.dropna(subset=[{}])")
        return value
    return _cell(value, kind)


def _cell(value: Any, kind: ColumnType) -> Any:
    """One value of a type; the same object where nothing had to be converted. Raises Misfit."""
    if isinstance(kind, AnyType) or _is_missing(value) or (
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
        leaf = leaf.dtype if isinstance(leaf, Array) else leaf
    if value.dtype.kind == "O" or not isinstance(leaf, DataType):
        made = [_cell(item, kind.dtype) for item in value]
        return value if _same(made, list(value)) else made
    rule = _of_numpy(value.dtype, leaf)
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
    return part.name not in value or (_is_missing(value[part.name]) and not isinstance(part.dtype, AnyType))


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
        return _nanoseconds(pandas.Series(pandas.to_datetime(pandas.Series(values, dtype=object)))).array
    except (ValueError, TypeError):  # several time zones, or times that nanoseconds do not reach
        return values


def _in_range(value: Any, kind: ColumnType) -> bool:
    limit = 1 << (BITS[kind] - 1)  # type: ignore[index]
    return -limit <= int(value) < limit


def _is_missing(value: Any) -> bool:
    if value is None or (isinstance(value, float) and value != value):
        return True
    kind = type(value)
    if kind.__name__ in ("NAType", "NaTType"):
        return kind.__module__.partition(".")[0] == "pandas"
    return kind.__name__ == "datetime64" and bool(value != value)


def _same(made: Iterable[Any], given: Iterable[Any]) -> bool:
    return all(one is other for one, other in zip(made, given, strict=True))


def _remedy(kind: ColumnType, nullable: bool = False) -> str:
    if nullable:
        return f"df[{{}}] = df[{{}}].astype('{NULLABLE[kind]}')"
    if kind is DataType.datetime:
        return "df[{}] = pandas.to_datetime(df[{}])"
    if kind in CASTS:
        return f"df[{{}}] = df[{{}}].astype({CASTS[kind]})"
    return ""


def _cut(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:80] + "…"
