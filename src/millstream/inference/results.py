"""Predictions as one Arrow array of a type that was asked for, as the results of a column function are.

Which part of a prediction becomes the result is what MLflow documents for the result types of ``spark_udf``: a number
is the leftmost column of such numbers, a list is all columns of its elements' type, a text is whatever the leftmost
column holds, a struct takes columns by name. What is not a number (NaN) is missing, as pandas has it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from millstream.errors import FunctionFailed
from millstream.inference import answers

if TYPE_CHECKING:
    import numpy
    import pyarrow

__all__ = ["result"]


def result(predicted: Any, wanted: pyarrow.DataType, rows: int, timezone: str = "UTC") -> pyarrow.Array:
    """What was ``predicted`` for so many rows as an array of the type ``wanted``.

    Times without a zone are in ``timezone``. Raises FunctionFailed for another number of predictions, and for those
    among which nothing is of the type.
    """
    import pyarrow

    plain = _numbers(predicted)
    if plain is not None and plain.shape == (rows,) and pyarrow.types.is_floating(wanted):
        return pyarrow.array(plain, from_pandas=True).cast(wanted, safe=False)  # the most there is of all that is asked
    if not answers.is_by_rows(predicted, rows):
        told = f"{len(predicted)} predictions" if hasattr(predicted, "__len__") else f"a {type(predicted).__name__}"
        raise FunctionFailed(f"the model gave {told} for {rows} rows", hint="its predict() returns one for each row")
    try:
        return _of(predicted if plain is None else plain, wanted, timezone)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, pyarrow.ArrowNotImplementedError) as error:
        raise FunctionFailed(f"the predictions are no {wanted}: {error}", hint=_HINT) from None


_HINT = "ask for result_type='string' to see what there is"


def _numbers(predicted: Any) -> numpy.ndarray[Any, Any] | None:
    """Predictions that are numbers of one type side by side, as an array; None for all others."""
    import numpy

    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(predicted, pandas.Series) and isinstance(predicted.dtype, numpy.dtype):
        predicted = predicted.to_numpy()
    return predicted if isinstance(predicted, numpy.ndarray) and predicted.dtype.kind in "iuf" else None


def _of(predicted: Any, wanted: pyarrow.DataType, timezone: str) -> pyarrow.Array:
    import pyarrow
    from pyarrow import types

    if types.is_struct(wanted):
        return _struct(answers.columns(predicted), wanted, timezone)
    if types.is_list(wanted) or types.is_large_list(wanted):
        return _lists(predicted, wanted, timezone)
    columns = list(_columns(predicted))
    for column in columns:
        found = _fitting(column, wanted, timezone)
        if found is not None:
            return found
    kinds = [_array(column).type for column in columns]
    if types.is_integer(wanted) and (whole := [place for place, kind in enumerate(kinds) if types.is_integer(kind)]):
        return _array(columns[whole[0]]).cast(wanted)  # of a wider type, so that its values decide
    raise pyarrow.ArrowInvalid(f"they are {', '.join(map(str, dict.fromkeys(kinds))) or 'nothing'}")


def _columns(predicted: Any) -> Iterator[Any]:
    """The columns of what was predicted, from the left; a row of lists that are equally long is one of columns."""
    for column in answers.columns(predicted).values():
        if not isinstance(column, list) or not column or not isinstance(column[0], (list, tuple)):
            yield column
            continue
        widths = {len(row) if isinstance(row, (list, tuple)) else -1 for row in column}
        if len(widths) > 1:
            yield column
        else:
            yield from (list(cells) for cells in zip(*column, strict=True))


def _fitting(column: Any, wanted: pyarrow.DataType, timezone: str) -> pyarrow.Array | None:
    """A column as an array of the type, None when it does not fit."""
    import pyarrow
    from pyarrow import types

    if types.is_string(wanted) or types.is_large_string(wanted):
        return pyarrow.array(_texts(column), wanted)
    try:
        found = _array(column)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):  # of values that have no common type
        return None
    if types.is_null(found.type):
        return found.cast(wanted)
    if types.is_integer(wanted):
        # By its type, which is the same for all rows wherever they are predicted, and not by its values.
        wide = not types.is_integer(found.type) or found.type.bit_width + types.is_unsigned_integer(
            found.type) > wanted.bit_width
        return None if wide else found.cast(wanted)
    if types.is_floating(wanted):
        is_number = types.is_integer(found.type) or types.is_floating(found.type) or types.is_decimal(found.type)
        return found.cast(wanted, safe=False) if is_number else None
    if types.is_timestamp(wanted) or types.is_date(wanted):
        return _time(found, wanted, timezone)
    return found.cast(wanted) if types.is_binary(wanted) and types.is_binary(found.type) else (
        found if found.type == wanted else None)


def _time(found: pyarrow.Array, wanted: pyarrow.DataType, timezone: str) -> pyarrow.Array | None:
    from pyarrow import compute, types

    if not types.is_timestamp(found.type) and not types.is_date(found.type):
        return None
    if types.is_timestamp(wanted) and wanted.tz and getattr(found.type, "tz", None) is None:
        found = compute.assume_timezone(found.cast("timestamp[us]", safe=False), timezone)
    return found.cast(wanted, safe=False)


def _array(column: Any) -> pyarrow.Array:
    import pyarrow

    made = pyarrow.array(column, from_pandas=True)
    return made.combine_chunks() if isinstance(made, pyarrow.ChunkedArray) else made


def _texts(column: Any) -> list[str | None]:
    """Every value as Python prints it."""
    values = column.tolist() if hasattr(column, "tolist") else column
    return [value if value is None or isinstance(value, str) else str(value) for value in values]


def _lists(predicted: Any, wanted: pyarrow.DataType, timezone: str) -> pyarrow.Array:
    import numpy
    import pyarrow

    columns = list(answers.columns(predicted).values())
    if isinstance(predicted, numpy.ndarray) and predicted.ndim == 2:
        parts = [predicted[:, place] for place in range(predicted.shape[1])]
    elif len(columns) == 1 and len(columns[0]) and not isinstance(columns[0][0], str) and hasattr(
        columns[0][0], "__len__"
    ):
        inner = [value.tolist() if hasattr(value, "tolist") else value for value in columns[0]]
        if pyarrow.types.is_string(wanted.value_type):
            return pyarrow.array([_texts(row) for row in inner], wanted)
        found = pyarrow.array(inner)
        if pyarrow.types.is_integer(_innermost(wanted)) and pyarrow.types.is_floating(_innermost(found.type)):
            raise pyarrow.ArrowInvalid(f"they are {found.type}")
        return found.cast(wanted)
    else:
        parts = columns
    if pyarrow.types.is_nested(wanted.value_type):
        raise pyarrow.ArrowInvalid(f"it gives {len(parts)} columns without lists")
    fitting = [found for part in parts if (found := _fitting(part, wanted.value_type, timezone)) is not None]
    if not fitting and pyarrow.types.is_integer(wanted.value_type):
        whole = [found for part in parts if pyarrow.types.is_integer((found := _array(part)).type)]
        fitting = [found.cast(wanted.value_type) for found in whole]
    if not fitting:
        raise pyarrow.ArrowInvalid(f"none of its {len(parts)} columns is of {wanted.value_type}")
    rows, width = len(fitting[0]), len(fitting)
    by_rows = numpy.arange(rows * width).reshape(width, rows).T.ravel()
    values = pyarrow.concat_arrays(fitting).take(pyarrow.array(by_rows))
    ends = numpy.arange(0, rows * width + 1, width, dtype=numpy.int32)
    return pyarrow.ListArray.from_arrays(pyarrow.array(ends), values)


def _innermost(kind: pyarrow.DataType) -> pyarrow.DataType:
    from pyarrow import types

    return _innermost(kind.value_type) if types.is_list(kind) or types.is_large_list(kind) else kind


def _struct(columns: dict[str, Any], wanted: pyarrow.StructType, timezone: str) -> pyarrow.Array:
    import pyarrow

    parts = []
    for field in wanted:
        if field.name not in columns:
            raise pyarrow.ArrowInvalid(f"it gives no {field.name!r}, but {', '.join(map(repr, columns))}")
        parts.append(_of(columns[field.name], field.type, timezone))
    return pyarrow.StructArray.from_arrays(parts, fields=list(wanted))
