"""Schemas from data: data frames, series, arrays, dicts, lists and single values, whichever library they come from.

No library is imported that the data does not come from. The rules give what MLflow 3.17 gives: 32-bit and smaller whole
numbers are ``integer``, ``uint32`` and ``int64`` are ``long``, ``uint64`` has no type; a column with missing values is
not required; the types of the elements of a list have to agree.
"""

from __future__ import annotations

import datetime as dates
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from millstream.errors import InvalidValue
from millstream.models.schema import ColSpec, Schema, TensorSpec
from millstream.models.types import AnyType, Array, ColumnType, DataType, Map, Object, Property, SparkMLVector

NUMPY_TYPES = {
    "bool": DataType.boolean,
    **dict.fromkeys(("int8", "int16", "int32", "uint8", "uint16"), DataType.integer),
    **dict.fromkeys(("int64", "uint32"), DataType.long),
    **dict.fromkeys(("float16", "float32"), DataType.float),
    "float64": DataType.double,
}


class UnknownType(InvalidValue):
    """Values of a type that no schema can name."""


def infer_schema(data: Any) -> Schema:
    """The schema of ``data``.

    Named columns from a DataFrame of pandas, polars or Spark, a named Series, a dict of values and a list of dicts; one
    column without a name from a Series, a list and a single value; tensors from an ndarray, a sparse matrix and a
    dict of ndarrays, the first axis left open. Raises InvalidValue for a frame or dict without columns, and for a type
    that schemas do not have; the message names the column.
    """
    if _is(data, "pandas", "DataFrame"):
        return _of_columns(list(data.items()), pandas_column)
    if _is(data, "pandas", "Series"):
        kind, required = pandas_column(data)
        return Schema([ColSpec(kind, data.name, required)])
    if _is(data, "polars", "DataFrame"):
        return _of_columns([(name, data[name]) for name in data.columns], polars_column)
    if _is(data, "pyspark", "DataFrame"):
        columns = data.schema.jsonValue()["fields"]
        return Schema([ColSpec(spark_column(column["type"], column["name"]), column["name"]) for column in columns])
    if _is(data, "numpy", "ndarray") or _is(data, "scipy", "csr_matrix", "csc_matrix", "csr_array", "csc_array"):
        return Schema([tensor_spec(data)])
    if isinstance(data, dict):
        return _of_dict(data)
    if isinstance(data, list):
        return _of_list(data)
    return Schema([ColSpec(value_type(data))])


def tensor_spec(data: Any, name: str | None = None) -> TensorSpec:
    """The tensor that describes an ndarray or a sparse matrix, its first axis open. Raises InvalidValue for no axes."""
    import numpy

    if not data.shape:
        raise InvalidValue("an array without axes is no tensor of a schema", hint="give it an axis: array.reshape(1)")
    dtype = numpy.dtype(data.dtype.type) if data.dtype.char in ("U", "S") else data.dtype
    return TensorSpec(dtype, (-1, *data.shape[1:]), name)


def value_type(value: Any) -> ColumnType:
    """The type of one Python value; AnyType for None, an empty list and an empty dict. Raises InvalidValue."""
    if value is None or _is_missing(value):
        return AnyType()
    if isinstance(value, bool):
        return DataType.boolean
    for python, kind in ((str, DataType.string), (bytes, DataType.binary), (bytearray, DataType.binary)):
        if isinstance(value, python):
            return kind
    if _is(value, "numpy", "ndarray"):
        return _array_type(value)
    if type(value).__module__ == "numpy":
        return numpy_type(value.dtype)
    if isinstance(value, int):
        return DataType.long
    if isinstance(value, float):
        return DataType.double
    if isinstance(value, dates.date):
        return DataType.datetime
    if isinstance(value, list):
        return Array(merged(value)) if value else AnyType()
    if isinstance(value, dict):
        return _dict_type(value)
    raise UnknownType(f"no schema has a type for {type(value).__name__}")


def merged(values: Iterable[Any]) -> ColumnType:
    """The one type that all ``values`` have, None apart. Raises InvalidValue when they differ."""
    kind: ColumnType | None = None
    for value in values:
        found = value_type(value)
        kind = found if kind is None else _merge(kind, found)
    return AnyType() if kind is None else kind


def numpy_type(dtype: Any) -> DataType:
    """The scalar for values of a NumPy type. Raises InvalidValue for one that has none: uint64, timedelta, complex."""
    if dtype.kind == "M":
        return DataType.datetime
    if dtype.kind in "US":
        return DataType.string if dtype.kind == "U" else DataType.binary
    if dtype.name in NUMPY_TYPES:
        return NUMPY_TYPES[dtype.name]
    raise UnknownType(f"no schema has a type for {dtype}")


def pandas_column(column: Any) -> tuple[ColumnType, bool]:
    """The type of a pandas Series, and whether none of its values is missing. Raises InvalidValue."""
    import numpy
    import pandas

    dtype = column.dtype
    if isinstance(dtype, numpy.dtype) and dtype.kind in "biufc":  # fast, for frames of very many columns
        return numpy_type(dtype), dtype.kind not in "fc" or not numpy.isnan(column.to_numpy()).any()
    missing = column.isna()
    required = not missing.any()
    if isinstance(dtype, pandas.CategoricalDtype):
        kind, _ = pandas_column(column.cat.categories.to_series())
        return kind, required
    if pandas.api.types.is_datetime64_any_dtype(dtype):
        return DataType.datetime, required
    if isinstance(dtype, pandas.StringDtype):
        return DataType.string, required
    if isinstance(dtype, pandas.SparseDtype):
        return numpy_type(dtype.subtype), required
    if pandas.api.types.is_extension_array_dtype(dtype):
        arrow = getattr(dtype, "pyarrow_dtype", None)
        if arrow is not None:
            return arrow_type(arrow), required
        if not hasattr(dtype, "numpy_dtype"):  # periods, intervals: types of pandas alone
            raise UnknownType(f"no schema has a type for {dtype}")
        return numpy_type(dtype.numpy_dtype), required
    if dtype.kind != "O":
        return numpy_type(dtype), required
    better = column.infer_objects()
    if better.dtype.kind == "O":
        better = column[~missing].infer_objects()
    if len(better) and better.dtype.kind != "O":
        return pandas_column(better)[0], required
    if not len(column):  # an empty column of objects: what a frame made of no rows has for texts
        return DataType.string, True
    return merged(None if gone else value for gone, value in zip(missing, column, strict=True)), required


def polars_column(column: Any) -> tuple[ColumnType, bool]:
    """The type of a polars Series, and whether none of its values is missing. Raises InvalidValue."""
    return polars_type(column.dtype), column.null_count() == 0


def polars_type(dtype: Any) -> ColumnType:
    """The type for values of a polars type. Raises InvalidValue for one that has none."""
    import polars

    simple = {
        polars.Boolean: DataType.boolean, polars.Int8: DataType.integer, polars.Int16: DataType.integer,
        polars.Int32: DataType.integer, polars.UInt8: DataType.integer, polars.UInt16: DataType.integer,
        polars.UInt32: DataType.long, polars.Int64: DataType.long, polars.Float32: DataType.float,
        polars.Float64: DataType.double, polars.String: DataType.string, polars.Categorical: DataType.string,
        polars.Enum: DataType.string, polars.Binary: DataType.binary, polars.Date: DataType.datetime,
        polars.Datetime: DataType.datetime,
    }
    kind = simple.get(dtype.base_type())
    if kind is not None:
        return kind
    if isinstance(dtype, (polars.List, polars.Array)):
        return Array(polars_type(dtype.inner))
    if isinstance(dtype, polars.Struct):
        return Object([Property(field.name, polars_type(field.dtype)) for field in dtype.fields])
    raise UnknownType(f"no schema has a type for {dtype}")


def arrow_type(dtype: Any) -> ColumnType:
    """The type for values of an Arrow type. Raises InvalidValue for one that has none."""
    from pyarrow import types

    if types.is_dictionary(dtype):
        return arrow_type(dtype.value_type)
    if types.is_string(dtype) or types.is_large_string(dtype) or types.is_string_view(dtype):
        return DataType.string
    if types.is_binary(dtype) or types.is_large_binary(dtype) or types.is_fixed_size_binary(dtype):
        return DataType.binary
    if types.is_date(dtype) or types.is_timestamp(dtype):
        return DataType.datetime
    if types.is_list(dtype) or types.is_large_list(dtype) or types.is_fixed_size_list(dtype):
        return Array(arrow_type(dtype.value_type))
    if types.is_struct(dtype):
        return Object([Property(part.name, arrow_type(part.type), not part.nullable) for part in dtype])
    if types.is_boolean(dtype) or types.is_integer(dtype) or types.is_floating(dtype):
        import numpy

        return numpy_type(numpy.dtype(dtype.to_pandas_dtype()))
    raise UnknownType(f"no schema has a type for {dtype}")


def spark_column(described: Any, name: str) -> ColumnType:
    """The type for values of a Spark or Delta type, given as in the JSON form of their schemas.

    Raises InvalidValue, which names the column, for one that has none.
    """
    simple = {
        "byte": DataType.integer, "short": DataType.integer, "integer": DataType.integer, "long": DataType.long,
        "float": DataType.float, "double": DataType.double, "string": DataType.string, "binary": DataType.binary,
        "boolean": DataType.boolean, "date": DataType.datetime, "timestamp": DataType.datetime,
        "timestamp_ntz": DataType.datetime,
    }
    if isinstance(described, str):
        if described in simple:
            return simple[described]
    elif described["type"] == "array":
        return Array(spark_column(described["elementType"], name))
    elif described["type"] == "struct":
        return Object([
            Property(part["name"], spark_column(part["type"], f"{name}.{part['name']}"), not part["nullable"])
            for part in described["fields"]
        ])
    elif described["type"] == "map" and described["keyType"] == "string":
        return Map(spark_column(described["valueType"], name))
    elif described["type"] == "udt" and str(described.get("class", "")).endswith(".VectorUDT"):
        return SparkMLVector()
    raise UnknownType(f"no schema has a type for the column {name!r} of Spark's {described}")


def _is(data: Any, package: str, *names: str) -> bool:
    """Whether ``data`` is of one of these classes of a package, which is not imported to find out."""
    return any(kind.__name__ in names and kind.__module__.partition(".")[0] == package for kind in type(data).__mro__)


def _is_missing(value: Any) -> bool:
    if isinstance(value, float):
        return value != value
    pandas = sys.modules.get("pandas")
    return pandas is not None and (value is pandas.NA or value is pandas.NaT)


def _of_columns(columns: list[tuple[Any, Any]], infer: Any) -> Schema:
    names = [name for name, _ in columns]
    if len(set(names)) < len(names):
        raise InvalidValue(f"the columns need names of their own, found twice: {names}")
    specs = []
    for name, column in columns:
        try:
            kind, required = infer(column)
        except InvalidValue as error:
            raise type(error)(f"column {name!r}: {error.message}", hint=error.hint) from None
        specs.append(ColSpec(kind, name, required))
    return Schema(specs)


def _of_dict(data: dict[Any, Any]) -> Schema:
    if not data or not all(isinstance(name, str) for name in data):
        raise InvalidValue.of("data", data, "a schema needs a dict whose keys are the names of its columns")
    if all(_is(value, "numpy", "ndarray") for value in data.values()):
        return Schema([tensor_spec(value, name) for name, value in data.items()])

    def infer(value: Any) -> tuple[ColumnType, bool]:
        # A list under a name is the values of a column; one that is missing there makes the column optional.
        missing = value is None or (isinstance(value, list) and any(item is None for item in value))
        return value_type(value), not missing

    return _of_columns(list(data.items()), infer)


def _of_list(data: list[Any]) -> Schema:
    if not data:
        return Schema([ColSpec(DataType.string)])
    if all(isinstance(item, dict) for item in data) and isinstance(rows := merged(data), Object):
        parts = {part.name: part for part in rows.properties}
        names = dict.fromkeys(name for item in data for name in item)

        def always(name: str) -> bool:
            open_ = isinstance(parts[name].dtype, AnyType)
            return all(item.get(name) is not None for item in data) if open_ else parts[name].required

        return Schema([ColSpec(parts[name].dtype, name, always(name)) for name in names])
    return Schema([ColSpec(merged(data))])


def _array_type(values: Any) -> ColumnType:
    if values.dtype.kind == "O":
        return value_type(values.tolist())
    if not values.shape:
        return numpy_type(values.dtype)
    kind: ColumnType = numpy_type(values.dtype)
    for _ in values.shape:
        kind = Array(kind)
    return kind


def _dict_type(value: dict[Any, Any]) -> ColumnType:
    if not all(isinstance(key, str) for key in value):
        raise UnknownType(f"no schema has a type for a dict with other keys than texts: {value!r}")
    parts = []
    for name, item in value.items():
        kind = value_type(item)
        parts.append(Property(name, kind, required=not isinstance(kind, AnyType)))
    return Object(parts) if parts else AnyType()


def _merge(one: ColumnType, other: ColumnType) -> ColumnType:
    if isinstance(one, AnyType) or isinstance(other, AnyType):
        kind = other if isinstance(one, AnyType) else one
        # Where an object may be missing, each of its parts may.
        return Object([Property(p.name, p.dtype, False) for p in kind.properties]) if isinstance(kind, Object) else kind
    if isinstance(one, Array) and isinstance(other, Array):
        return Array(_merge(one.dtype, other.dtype))
    if isinstance(one, Object) and isinstance(other, Object):
        return Object(list(_merge_properties(one, other)))
    if one == other:
        return one
    raise UnknownType(f"the values have different types: {one!r} and {other!r}")


def _merge_properties(one: Object, other: Object) -> Iterable[Property]:
    left: Mapping[str, Property] = {part.name: part for part in one.properties}
    right: Mapping[str, Property] = {part.name: part for part in other.properties}
    for name in left.keys() | right.keys():
        if name in left and name in right:
            a, b = left[name], right[name]
            known = isinstance(a.dtype, AnyType) == isinstance(b.dtype, AnyType)
            yield Property(name, _merge(a.dtype, b.dtype), a.required and b.required and known)
        else:
            alone = left.get(name) or right[name]
            yield Property(name, alone.dtype, required=False)
