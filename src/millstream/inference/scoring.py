"""Columns of Arrow scored by a model: what engines that hold their data in Arrow (Spark, Ray) call for each batch.

As little is converted as can be. Numbers go from Arrow's memory into the array that an estimator takes, where that is
known to be the same (:mod:`millstream.flavors.arrays`); lists become tensors without a copy; whatever else goes the
way of a table of pandas through the model's signature.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from millstream.errors import FunctionFailed, MillstreamError, SchemaMismatch
from millstream.flavors import arrays
from millstream.inference import results
from millstream.models.schema import Array, ColSpec, Schema, TensorSpec
from millstream.models.types import CompositeType

if TYPE_CHECKING:
    import numpy
    import pyarrow

    from millstream.flavors.pyfunc.model import PyFuncModel

__all__ = ["Scorer", "table_of", "tensors_of"]


class Scorer:
    """A loaded model as a function of Arrow columns, whose result is an array of one Arrow type."""

    def __init__(
        self, model: PyFuncModel, wanted: pyarrow.DataType, params: dict[str, Any] | None = None,
        timezone: str = "UTC",
    ) -> None:
        self._model = model
        self._wanted = wanted
        self._params = params
        self._timezone = timezone
        self._schema = model.metadata.get_input_schema()
        self._on_arrays = None if params else model.on_arrays()
        self._order = arrays.order() if self._on_arrays else "C"

    def __call__(self, columns: Sequence[pyarrow.Array]) -> pyarrow.Array:
        """The results for these columns: one struct with names, or columns in the order of the model's signature.

        Raises SchemaMismatch for columns that do not fit the signature, FunctionFailed for a model that fails or whose
        predictions are none of the type that is asked for.
        """
        import pyarrow

        rows = len(columns[0])
        if not rows:
            return pyarrow.array([], self._wanted)
        try:
            predicted = self._predicted(columns)
        except MillstreamError:
            raise
        except Exception as error:  # of the model's own code, or of a library
            hint = "its traceback tells where"
            if isinstance(error, ModuleNotFoundError):
                hint = "install what its requirements.txt names, or let it run in its own: env_manager='uv'"
            raise FunctionFailed(f"the model did not predict: {type(error).__name__}: {error}", hint=hint) from error
        return results.result(predicted, self._wanted, rows, self._timezone)

    def _predicted(self, columns: Sequence[pyarrow.Array]) -> Any:
        if self._schema is not None and self._schema.is_tensor_spec():
            return self._model.predict(tensors_of(columns, self._schema), self._params)
        names, parts = _named(columns, self._schema)
        if self._on_arrays is not None and (numbers := self._numbers(names, parts)) is not None:
            return self._on_arrays(numbers)
        return self._model.predict(table_of(names, parts), self._params)

    def _numbers(self, names: Sequence[Any], parts: Sequence[pyarrow.Array]) -> numpy.ndarray[Any, Any] | None:
        """The columns of the signature side by side, when all are there and hold doubles; what is missing is NaN."""
        import numpy
        import pyarrow

        assert self._schema is not None
        wanted = self._schema.input_names()
        if list(names) != wanted:
            found = dict(zip(names, parts, strict=True))
            if len(found) != len(names) or not found.keys() >= set(wanted):
                return None
            parts = [found[name] for name in wanted]
        if any(part.type != pyarrow.float64() for part in parts):
            return None
        shape = (len(parts), len(parts[0]))
        numbers = numpy.empty(shape).T if self._order == "F" else numpy.empty(shape[::-1])
        for place, part in enumerate(parts):
            numbers[:, place] = part.to_numpy(zero_copy_only=False)
        return numbers


def _named(columns: Sequence[pyarrow.Array], schema: Schema | None) -> tuple[Sequence[Any], Sequence[pyarrow.Array]]:
    """Names and columns of a table: those of the one struct, or columns with the signature's names in its order.

    Without a signature they are "0", "1", …, with one that has no names 0, 1, …, as MLflow gives them. Raises
    SchemaMismatch for fewer than the model takes.
    """
    import pyarrow

    if len(columns) == 1 and pyarrow.types.is_struct(columns[0].type) and not _is_value(columns[0].type, schema):
        names: list[Any] = [field.name for field in columns[0].type]
        parts = columns[0].flatten()
        if schema is not None and schema.has_input_names():
            known = set(schema.input_names())  # others need not be converted
            kept = [place for place, name in enumerate(names) if name in known]
            if len(kept) < len(names):
                return [names[place] for place in kept], [parts[place] for place in kept]
        return names, parts
    if schema is None:
        return [str(place) for place in range(len(columns))], columns
    names = schema.input_names() if schema.has_input_names() else list(range(len(schema)))
    least = len(schema.required_input_names()) if schema.has_input_names() else len(schema)
    if len(columns) < least:
        raise SchemaMismatch(f"the model takes {least} columns, found {len(columns)}",
                             hint=f"give them in the order of {schema!r}, or one struct with their names")
    return names[:len(columns)], columns[:len(names)]


def _is_value(struct: pyarrow.StructType, schema: Schema | None) -> bool:
    """Whether a struct is the value of the model's one column, which takes objects, and not a table."""
    if schema is None or len(schema) != 1:
        return False
    spec = next(iter(schema))
    if not isinstance(spec, ColSpec) or not isinstance(spec.type, CompositeType) or isinstance(spec.type, Array):
        return False
    return spec.name is None or spec.name not in [field.name for field in struct]


def table_of(names: Sequence[Any], columns: Sequence[pyarrow.Array]) -> Any:
    """A DataFrame of Arrow columns: maps are dictionaries, times are those of their time zone without it."""
    import pyarrow
    from pyarrow import compute

    plain = [
        compute.local_timestamp(column) if pyarrow.types.is_timestamp(column.type) and column.type.tz else column
        for column in columns
    ]
    made = pyarrow.Table.from_arrays(plain, [str(name) for name in names])
    table = made.to_pandas(maps_as_pydicts="lossy")
    if any(not isinstance(name, str) for name in names):
        table.columns = range(len(names))
    return table


def tensors_of(columns: Sequence[pyarrow.Array], schema: Schema) -> Any:
    """The tensors of a schema: one column of lists for each, whose elements are reshaped and cast as it says.

    A struct names them; columns without names are in the order of the schema. Numbers side by side are the rows of a
    schema's one tensor. Raises SchemaMismatch.
    """
    import numpy
    import pyarrow

    specs = [spec for spec in schema if isinstance(spec, TensorSpec)]
    names: list[Any] = [spec.name for spec in specs]
    if len(columns) == 1 and pyarrow.types.is_struct(columns[0].type):
        found = {field.name: part for field, part in zip(columns[0].type, columns[0].flatten(), strict=True)}
        if len(specs) == 1 and (len(found) == 1 or specs[0].name not in found):
            columns = list(found.values())
        elif missing := [name for name in names if name not in found]:
            raise SchemaMismatch(f"the model takes the arrays {names}, and {missing} are missing",
                                 hint="name them in the struct: struct(col(…).alias(…), …)")
        else:
            columns = [found[name] for name in names]
    if len(specs) == 1 and len(columns) > 1:
        side_by_side = numpy.column_stack([column.to_numpy(zero_copy_only=False) for column in columns])
        made = [_shaped(side_by_side, specs[0])]
    elif len(columns) < len(specs):
        raise SchemaMismatch(f"the model takes {len(specs)} arrays, found {len(columns)} columns",
                             hint=f"give a column of lists for each of {names}")
    else:
        made = [_tensor(column, spec) for column, spec in zip(columns[:len(specs)], specs, strict=True)]
    return made[0] if not schema.has_input_names() else dict(zip(names, made, strict=True))


def _tensor(column: pyarrow.Array, spec: TensorSpec) -> Any:
    import pyarrow

    rows = len(column)
    values = column
    while pyarrow.types.is_list(values.type) or pyarrow.types.is_large_list(values.type):
        if values.null_count:
            raise SchemaMismatch(f"{_who(spec)} is missing in {values.null_count} of {rows} rows",
                                 hint="leave such rows out: df.where(col(…).isNotNull())")
        widths = values.value_lengths().unique()
        if len(widths) > 1:
            raise SchemaMismatch(f"{_who(spec)} has rows of {widths[0]} and of {widths[1]} elements",
                                 hint=f"each has those of the shape {spec.shape}")
        values = values.flatten()
    found = values.to_numpy(zero_copy_only=False)
    return _shaped(found.reshape(rows, -1), spec)


def _shaped(found: Any, spec: TensorSpec) -> Any:
    try:
        return found.reshape(len(found), *spec.shape[1:]).astype(spec.type, copy=False)
    except ValueError as error:
        raise SchemaMismatch(f"{_who(spec)} has rows of {found.shape[1]} elements, which is not {spec.shape}: {error}",
                             hint="-1 stands for any length, here of the batch") from None


def _who(spec: TensorSpec) -> str:
    return "the column" if spec.name is None else f"the column {spec.name!r}"
