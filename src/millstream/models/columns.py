"""Columns of data frames in the type that a schema says: which fit as they are, which are converted, which are refused.

What is missing stays missing, and what marks it (pandas' own types, categories, time zones) stays where it can.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from millstream.models.cells import from_python, optional_cell
from millstream.models.types import AnyType, Array, ColumnType, CompositeType, DataType, Map, Object
from millstream.models.widening import NULLABLE, REAL, WHOLE, Convert, astype, exact, of_numpy, refuse

if TYPE_CHECKING:
    import numpy


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
        return of_numpy(dtype, kind)
    return _of_pandas(dtype, kind)


def together(plan: Sequence[Convert | None]) -> Convert | None:
    """The one conversion of all columns of a frame at once, when they are all widened to one type."""
    first = plan[0] if plan else None
    if isinstance(first, functools.partial) and first.func is astype and all(
        isinstance(one, functools.partial) and one.func is astype and one.args == first.args for one in plan
    ):
        return first
    return None


def spark_fits(described: Any, kind: ColumnType, name: str) -> bool:
    """Whether a column of Spark holds values of ``kind``; its type is given as in the JSON form of Spark's schemas."""
    from millstream.models.inference import UnknownType, spark_column

    if isinstance(described, str) and described.startswith("decimal"):
        return kind in REAL or isinstance(kind, AnyType)
    try:
        found = spark_column(described, name)
    except UnknownType:
        return isinstance(kind, AnyType)
    return _fits(found, kind)


def _fits(found: ColumnType, kind: ColumnType) -> bool:
    if found == kind or isinstance(kind, AnyType):
        return True
    if isinstance(found, Array) and isinstance(kind, Array):
        return _fits(found.dtype, kind.dtype)
    if isinstance(found, Map) and isinstance(kind, Map):
        return _fits(found.value_type, kind.value_type)
    if isinstance(found, Object) and isinstance(kind, Object):
        here = {part.name: part for part in found.properties}
        return all(_fits(here[part.name].dtype, part.dtype) if part.name in here else not part.required
                   for part in kind.properties) and here.keys() <= {part.name for part in kind.properties}
    return (found in WHOLE and kind in (DataType.long, *REAL)) or (found in REAL and kind is DataType.double)


def _of_pandas(dtype: Any, kind: DataType) -> Convert | None:
    import numpy
    import pandas

    if isinstance(dtype, pandas.StringDtype):
        return None if kind in (DataType.string, DataType.binary) else functools.partial(refuse, kind)
    if isinstance(dtype, pandas.CategoricalDtype):
        # Categories have a type; what models know them by is that they are categories, so they stay.
        inner = conversion(dtype.categories.dtype, kind)
        return functools.partial(_categories, inner) if inner is not None else None
    if isinstance(dtype, pandas.DatetimeTZDtype):
        return None if kind is DataType.datetime else functools.partial(refuse, kind)
    if isinstance(dtype, pandas.SparseDtype):
        return conversion(dtype.subtype, kind)
    arrow = getattr(dtype, "pyarrow_dtype", None)
    if arrow is not None:
        from millstream.models.inference import UnknownType, arrow_type

        try:
            found = arrow_type(arrow)
        except UnknownType:
            return functools.partial(refuse, kind)
        if found is kind and kind in (DataType.string, DataType.binary, DataType.datetime):
            return None
        plain = numpy.dtype(arrow.to_pandas_dtype()) if isinstance(found, DataType) else None
    else:
        plain = getattr(dtype, "numpy_dtype", None)
    if plain is None or plain.kind not in "biuf":
        return functools.partial(refuse, kind)
    return functools.partial(_nullable, plain, kind)


def _nullable(plain: numpy.dtype[Any], kind: DataType, column: Any) -> Any:
    """A column whose type marks what is missing: as a NumPy column if nothing is, else as it is."""
    rule = of_numpy(plain, kind)
    if isinstance(rule, functools.partial) and rule.func is refuse:
        return refuse(kind, column)
    if kind in REAL:
        if plain.kind in "iu":
            exact(kind, kind.to_numpy(), column.dropna())
        return column.to_numpy(kind.to_numpy(), na_value=float("nan"))
    if column.isna().any():
        return column if rule is None else column.astype(NULLABLE[kind])
    return column.astype(kind.to_numpy())


def _categories(inner: Convert, column: Any) -> Any:
    inner(column.cat.categories.to_series())
    return column


def _objects(kind: DataType, required: bool, column: Any) -> Any:
    values = list(column)
    made = from_python(values, kind, required)
    return column if made is values else made


def _cells(kind: CompositeType, required: bool, column: Any) -> Any:
    values = list(column)
    made = [optional_cell(value, kind, required) for value in values]
    if all(one is other for one, other in zip(made, values, strict=True)):
        return column
    import pandas

    return pandas.Series(made, index=column.index, dtype=object)
