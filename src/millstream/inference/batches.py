"""Tables of Arrow with a model's predictions beside their columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from millstream.errors import FunctionFailed, InvalidValue
from millstream.inference import answers
from millstream.inference.scoring import table_of, tensors_of
from millstream.models.schema import Schema

if TYPE_CHECKING:
    import pyarrow

    from millstream.flavors.pyfunc.model import PyFuncModel

__all__ = ["with_predictions"]


def with_predictions(
    model: PyFuncModel, table: pyarrow.Table, *, params: dict[str, Any] | None = None,
    keep: Sequence[str] | None = None,
) -> pyarrow.Table:
    """The columns ``keep`` of a table (None: all) and the model's predictions for its rows, as further columns.

    The model gets the columns that its signature names, all without a signature. Predictions without names are called
    ``prediction``, or ``prediction_0``, …. Raises SchemaMismatch, FunctionFailed for predictions that are not one a
    row, and InvalidValue for a prediction and a column of one name.
    """
    import numpy
    import pyarrow

    schema = model.metadata.get_input_schema()
    predicted = model.predict(_given(table, schema), params)
    if not answers.is_by_rows(predicted, table.num_rows):
        raise FunctionFailed(f"the model gave a {type(predicted).__name__} that is not one for each of "
                             f"{table.num_rows} rows", hint="its predict() returns one for each row")
    made = table if keep is None else table.select(list(keep))
    for name, column in answers.columns(predicted).items():
        if name in made.column_names:
            raise InvalidValue(f"the model gives a column {name!r} itself, so that the one of the input cannot be kept",
                               hint="keep only other columns: keep=[…]")
        nested = not isinstance(column, numpy.ndarray) and any(isinstance(one, numpy.ndarray) for one in column)
        values = [one.tolist() for one in column] if nested else column
        made = made.append_column(name, pyarrow.array(values, from_pandas=True))
    return made


def _given(table: pyarrow.Table, schema: Schema | None) -> Any:
    """What the model takes of a table."""
    names = table.column_names
    if schema is not None and schema.has_input_names():
        names = [name for name in schema.input_names() if name in table.column_names]
    columns = [table.column(name).combine_chunks() for name in names]
    if schema is not None and schema.is_tensor_spec():
        named = schema.has_input_names()
        return tensors_of([_struct(names, columns)] if named else columns, schema)
    return table_of(names, columns)


def _struct(names: Sequence[str], columns: Sequence[pyarrow.Array]) -> pyarrow.StructArray:
    import pyarrow

    return pyarrow.StructArray.from_arrays(list(columns), list(names))
