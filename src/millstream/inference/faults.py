"""Where in a file a chunk's data do not fit the model."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any, NamedTuple

from millstream.models.schema import ColSpec, DataType, Schema

if TYPE_CHECKING:
    import pandas

__all__ = ["Misplaced", "first_misfit"]

_WHOLE = (DataType.integer, DataType.long)
_NUMBERS = (*_WHOLE, DataType.float, DataType.double)


class Misplaced(NamedTuple):
    """The first cell that does not fit: its row in the chunk from 0, its column, what is there and what should be."""

    row: int
    column: str
    found: Any
    wanted: DataType


def first_misfit(table: pandas.DataFrame, schema: Schema | None, *, texts: bool) -> Misplaced | None:
    """The first cell that is no number, or missing, where the model has to have one; None when there is none such.

    ``texts`` says that cells come from texts, so that ``"1.5"`` stands for a number.
    """
    found = [
        misplaced for spec in schema or () if isinstance(spec, ColSpec) and spec.type in _NUMBERS
        and spec.name in table.columns and (misplaced := _in_column(table[spec.name], spec, texts)) is not None
    ]
    return min(found, key=lambda one: one.row, default=None)


def _in_column(column: Any, spec: ColSpec, texts: bool) -> Misplaced | None:
    import pandas

    missing = column.isna().to_numpy()
    if pandas.api.types.is_numeric_dtype(column.dtype):
        bad = missing if spec.required and spec.type in _WHOLE else missing & False
        if spec.type in _WHOLE and column.dtype.kind == "f":
            bad = bad | (~missing & (column.to_numpy() % 1 != 0))
    elif texts:
        bad = pandas.to_numeric(column, errors="coerce").isna().to_numpy() & ~missing
    else:
        bad = ~missing & [not isinstance(value, numbers.Real) or isinstance(value, bool) for value in column]
    if not bad.any():
        return None
    row = int(bad.argmax())
    value = column.iloc[row]
    assert isinstance(spec.type, DataType)
    return Misplaced(row, str(spec.name), "nothing" if missing[row] else repr(value), spec.type)
