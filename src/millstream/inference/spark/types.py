"""The type of a model function's results: as Spark's types, as text, or as the model's signature says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from millstream.errors import InvalidValue
from millstream.models.schema import ColSpec, Schema, TensorSpec, spark_type
from millstream.models.types import DataType

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql.types import DataType as SparkType

__all__ = ["arrow_type", "result_type"]

_SIMPLE = ("ByteType", "ShortType", "IntegerType", "LongType", "FloatType", "DoubleType", "StringType", "BooleanType",
           "BinaryType", "DateType", "TimestampType", "TimestampNTZType")
_EXPECTED = ("it is a number, text, boolean, binary, date or timestamp, an array of those, or a struct of them: "
             "'double', 'array<float>', 'label string, score double'")


def result_type(given: Any, outputs: Schema | None) -> SparkType:
    """The type of Spark that ``given`` (a type of Spark or its text) means; None means what the model's outputs are.

    Raises InvalidValue for text that is no type, and for a type that predictions cannot have.
    """
    from pyspark.sql.types import DoubleType

    if given is None:
        inferred = _of_outputs(outputs)
        return DoubleType() if inferred is None else inferred
    made: SparkType = _parsed(given) if isinstance(given, str) else given
    if not _fits(made):
        raise InvalidValue.of("result_type", getattr(made, "simpleString", lambda: made)(), _EXPECTED)
    return made


def _parsed(text: str) -> Any:
    from pyspark.sql.types import _parse_datatype_string

    try:
        return _parse_datatype_string(re.sub(r"\bbool\b", "boolean", text))
    except Exception as error:  # Spark has one for each thing that may be wrong
        said = str(error).strip().partition("\n")[0]
        raise InvalidValue.of("result_type", text, f"Spark does not read it: {said}", hint=_EXPECTED) from None


def _fits(kind: Any, structs: bool = True) -> bool:
    name = type(kind).__name__
    if name == "ArrayType":
        return _fits(kind.elementType, structs)
    if name == "StructType":
        return structs and bool(kind.fields) and all(_fits(part.dataType, False) for part in kind.fields)
    return name in _SIMPLE


def _of_outputs(outputs: Schema | None) -> Any:
    """The type of outputs: that of the one, or a struct with the names of several; None where they tell none."""
    from pyspark.sql.types import StructField, StructType

    specs = list(outputs or ())
    kinds = [_of_spec(spec) for spec in specs]
    if not kinds or not all(kind is not None and _fits(kind, False) for kind in kinds):
        return None
    if len(kinds) == 1:
        return kinds[0]
    if any(spec.name is None for spec in specs):
        return None
    return StructType([StructField(str(spec.name), kind) for spec, kind in zip(specs, kinds, strict=True)])


def _of_spec(spec: ColSpec | TensorSpec) -> Any:
    from pyspark.sql.types import ArrayType

    if isinstance(spec, ColSpec):
        try:
            return spark_type(spec.type)
        except InvalidValue:
            return None
    kind = DataType.from_numpy_type(spec.type)
    if kind is None:
        return None
    made = kind.to_spark()
    for _ in spec.shape[1:] or (1,):  # MLflow has a list of one for a vector of predictions
        made = ArrayType(made)
    return made


def arrow_type(kind: SparkType) -> pyarrow.DataType:
    """The same type in Arrow, as Spark takes results."""
    from pyspark.sql.pandas.types import to_arrow_type

    try:
        return to_arrow_type(kind, timezone="UTC")
    except TypeError:  # of a Spark before 4, which does not ask for the time zone
        return to_arrow_type(kind)
