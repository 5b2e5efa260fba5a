"""Schemas: what a model takes and gives, what a data set holds.

A schema is a list of columns (:class:`ColSpec`) or of tensors (:class:`TensorSpec`), either all with names or all
without; parameters have a schema of their own (:class:`ParamSchema`). The JSON form is MLflow's, the one of signatures
in ``MLmodel`` files and of data sets. :func:`millstream.models.inference.infer_schema` makes them from data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from millstream.errors import InvalidValue
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
    column_type,
    type_from_dict,
)

if TYPE_CHECKING:
    import numpy

__all__ = [
    "AnyType", "Array", "ColSpec", "ColumnType", "CompositeType", "DataType", "Map", "Object", "ParamSchema",
    "ParamSpec", "Property", "Schema", "SparkMLVector", "TensorSpec", "column_type", "type_from_dict",
]


class ColSpec:
    """A column: its type, its name (None in a schema without names), and whether a row needs a value for it."""

    def __init__(self, type: ColumnType | str, name: Any = None, required: bool = True) -> None:
        self._type = column_type(type)
        self._name = name
        self._required = required

    @property
    def type(self) -> ColumnType:
        """The type of the values."""
        return self._type

    @property
    def name(self) -> Any:
        """The column's label: a text, or whatever else the frame is labelled with."""
        return self._name

    @property
    def required(self) -> bool:
        """Whether a row needs a value."""
        return self._required

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        named = {} if self.name is None else {"name": self.name}
        return {**self.type.to_dict(), **named, "required": self.required}

    @classmethod
    def from_json_dict(cls, **fields: Any) -> ColSpec:
        """The column with this JSON. Raises InvalidValue. Old files say ``optional``, the opposite of ``required``."""
        required = fields["required"] if "required" in fields else not fields.get("optional", False)
        name = fields.get("name")  # JSON writes the tuples of labels with several levels as lists
        return cls(type_from_dict(fields), tuple(name) if isinstance(name, list) else name, bool(required))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ColSpec) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        named = "" if self.name is None else f"{self.name!r}: "
        return f"{named}{self.type!r} ({'required' if self.required else 'optional'})"


class TensorSpec:
    """A tensor: its NumPy type, its shape (-1 for a length that varies), and its name.

    Raises TypeError for a ``type`` that is no ``numpy.dtype`` or a ``shape`` that is no sequence, InvalidValue for a
    type that carries a length (``<U5``).
    """

    def __init__(self, type: numpy.dtype[Any], shape: tuple[int, ...] | list[int], name: str | None = None) -> None:
        import numpy

        if not isinstance(type, numpy.dtype):
            raise TypeError(f"a tensor's type is a numpy.dtype, got {type!r}")
        if not isinstance(shape, (tuple, list)):
            raise TypeError(f"a tensor's shape is a tuple or a list, got {shape!r}")
        if type.char in ("U", "S") and type.itemsize:
            raise InvalidValue(
                f"the type {type} carries the length of its longest text", hint='use numpy.dtype("str") or ("bytes")'
            )
        self._type = type
        self._shape = tuple(shape)
        self._name = name

    @property
    def type(self) -> numpy.dtype[Any]:
        """The NumPy type of the elements."""
        return self._type

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self._shape

    @property
    def name(self) -> str | None:
        """The tensor's name, None when it is the only one."""
        return self._name

    @property
    def required(self) -> bool:
        """A tensor is never left out."""
        return True

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        spec = {"type": "tensor", "tensor-spec": {"dtype": self.type.name, "shape": list(self.shape)}}
        return spec if self.name is None else {"name": self.name, **spec}

    @classmethod
    def from_json_dict(cls, **fields: Any) -> TensorSpec:
        """The tensor with this JSON. Raises InvalidValue."""
        import numpy

        try:
            spec = fields["tensor-spec"]
            return cls(numpy.dtype(spec["dtype"]), tuple(spec["shape"]), fields.get("name"))
        except (KeyError, TypeError) as error:
            raise InvalidValue.of(
                "tensor-spec", fields.get("tensor-spec"), "expected an object with dtype and shape"
            ) from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorSpec) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        named = "" if self.name is None else f"{self.name!r}: "
        return f"{named}Tensor({self.type.name!r}, {self.shape})"


Spec = ColSpec | TensorSpec


class Schema:
    """Columns or tensors, in order.

    Raises InvalidValue for an empty list, for columns mixed with tensors, for names on some and not on others, for
    several tensors without names, and for a column that has no name and is not required.
    """

    def __init__(self, inputs: Any) -> None:
        if not isinstance(inputs, list) or not all(isinstance(spec, (ColSpec, TensorSpec)) for spec in inputs):
            raise InvalidValue.of("inputs", inputs, "a schema is a list of ColSpec, or of TensorSpec")
        if not inputs:
            raise InvalidValue("a schema needs at least one column or tensor")
        if len({type(spec) for spec in inputs}) > 1:
            raise InvalidValue("a schema holds columns or tensors, not both")
        names = [spec.name for spec in inputs]
        unnamed = sum(name is None for name in names)
        if unnamed and unnamed < len(names):
            raise InvalidValue(f"either all columns have a name or none has, got {names}")
        if unnamed > 1 and isinstance(inputs[0], TensorSpec):
            raise InvalidValue("several tensors need names", hint="a dict of arrays names them")
        if unnamed and not all(spec.required for spec in inputs):
            raise InvalidValue("a column without a name cannot be optional", hint="name it, or make it required")
        self._inputs: list[Spec] = inputs

    @property
    def inputs(self) -> list[Spec]:
        """The columns or tensors."""
        return self._inputs

    def __iter__(self) -> Iterator[Spec]:
        return iter(self._inputs)

    def __len__(self) -> int:
        return len(self._inputs)

    def is_tensor_spec(self) -> bool:
        """Whether this describes tensors."""
        return isinstance(self._inputs[0], TensorSpec)

    def has_input_names(self) -> bool:
        """Whether the columns or tensors have names."""
        return self._inputs[0].name is not None

    def input_names(self) -> list[Any]:
        """The names, or the positions from 0 where there are none."""
        return [position if spec.name is None else spec.name for position, spec in enumerate(self._inputs)]

    def required_input_names(self) -> list[Any]:
        """The names (or positions) of what every row has."""
        return [name for name, spec in zip(self.input_names(), self._inputs, strict=True) if spec.required]

    def optional_input_names(self) -> list[Any]:
        """The names of what a row may lack."""
        return [name for name, spec in zip(self.input_names(), self._inputs, strict=True) if not spec.required]

    def input_types(self) -> list[Any]:
        """The types: :class:`DataType` and its like, or NumPy types for tensors."""
        return [spec.type for spec in self._inputs]

    def input_types_dict(self) -> dict[Any, Any]:
        """Name to type. Raises InvalidValue without names."""
        return {name: spec.type for name, spec in self.input_dict().items()}

    def input_dict(self) -> dict[Any, Spec]:
        """Name to column or tensor. Raises InvalidValue without names."""
        if not self.has_input_names():
            raise InvalidValue("this schema has no names", hint="use inputs, a list in the same order")
        return {spec.name: spec for spec in self._inputs}

    def numpy_types(self) -> list[Any]:
        """The NumPy types. Raises InvalidValue for a column of arrays, objects or maps."""
        return [spec.type if isinstance(spec, TensorSpec) else _scalar(spec).to_numpy() for spec in self._inputs]

    def pandas_types(self) -> list[Any]:
        """The types of pandas columns. Raises InvalidValue for tensors, and for columns that are no scalars."""
        if self.is_tensor_spec():
            raise InvalidValue("tensors have no pandas types", hint="use numpy_types()")
        return [_scalar(spec).to_pandas() for spec in self._inputs]

    def as_spark_schema(self) -> Any:
        """The Spark type of a row, or of the value when there is one column without a name. Raises InvalidValue."""
        from pyspark.sql.types import StructField, StructType

        if len(self) == 1 and not self.has_input_names():
            return spark_type(self._inputs[0].type)
        return StructType([
            StructField(str(name), spark_type(spec.type), not spec.required)
            for name, spec in zip(self.input_names(), self._inputs, strict=True)
        ])

    def to_dict(self) -> list[dict[str, Any]]:
        """The JSON form, as a list of dicts."""
        return [spec.to_dict() for spec in self._inputs]

    def to_json(self) -> str:
        """The JSON form, as text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, specs: Any) -> Schema:
        """The schema with this JSON. Raises InvalidValue."""
        if not isinstance(specs, list) or not all(isinstance(spec, Mapping) for spec in specs):
            raise InvalidValue.of("schema", specs, "expected a JSON array of columns or tensors")
        return cls([
            TensorSpec.from_json_dict(**spec) if spec.get("type") == "tensor" else ColSpec.from_json_dict(**spec)
            for spec in specs
        ])

    @classmethod
    def from_json(cls, json_str: str) -> Schema:
        """The schema with this JSON text. Raises InvalidValue."""
        return cls.from_dict(_parse(json_str))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self._inputs == other._inputs

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._inputs)


class ParamSpec:
    """A parameter of prediction: name, type, default, and shape (None for one value, ``(-1,)`` for a list).

    The default is converted to the type where nothing is lost. Raises InvalidValue when it does not fit, for the type
    ``binary``, and for another shape.
    """

    def __init__(
        self, name: str, dtype: DataType | Object | str, default: Any, shape: tuple[int, ...] | None = None
    ) -> None:
        kind = column_type(dtype)
        if kind is DataType.binary or not isinstance(kind, (DataType, Object)):
            raise InvalidValue(f"parameter {name!r} cannot have the type {kind!r}", hint="use a scalar or an Object")
        if shape is not None and tuple(shape) != (-1,):
            raise InvalidValue(
                f"parameter {name!r} cannot have the shape {shape!r}", hint="use None, or (-1,) for a list"
            )
        self._name = name
        self._dtype = kind
        self._shape = None if shape is None else tuple(shape)
        self._default = self.validate(default)

    @property
    def name(self) -> str:
        """The parameter's name."""
        return self._name

    @property
    def dtype(self) -> DataType | Object:
        """The type of its value, or of each value of its list."""
        return self._dtype

    @property
    def default(self) -> Any:
        """What is taken when the caller gives none."""
        return self._default

    @property
    def shape(self) -> tuple[int, ...] | None:
        """None for one value, ``(-1,)`` for a list."""
        return self._shape

    def validate(self, value: Any) -> Any:
        """``value`` in the type of this parameter. Raises InvalidValue when it does not fit."""
        from millstream.models.values import fit

        if value is None:
            return None
        if self._shape is None:
            return fit(value, self._dtype, self._name)
        if not isinstance(value, (list, tuple)) and getattr(value, "ndim", 0) != 1:
            raise InvalidValue(f"parameter {self._name!r} takes a list, got {value!r}")
        return [fit(item, self._dtype, self._name) for item in value]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form; a date and time is written in ISO form."""
        from millstream.models.values import plain

        default = [plain(v) for v in self.default] if isinstance(self.default, list) else plain(self.default)
        return {"name": self.name, "default": default, "shape": self.shape, **self.dtype.to_dict()}

    @classmethod
    def from_json_dict(cls, **fields: Any) -> ParamSpec:
        """The parameter with this JSON. Raises InvalidValue. Old files say ``dtype`` where new ones say ``type``."""
        described = {**fields, "type": fields.get("type", fields.get("dtype"))}
        if "name" not in fields or "default" not in fields:
            raise InvalidValue.of("params", fields, "a parameter needs name, type and default")
        dtype = type_from_dict(described)
        return cls(fields["name"], dtype, fields["default"], fields.get("shape"))  # type: ignore[arg-type]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParamSpec) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shaped = "" if self.shape is None else f" (shape: {self.shape})"
        return f"{self.name!r}: {self.dtype!r} (default: {self.default}){shaped}"


class ParamSchema:
    """The parameters of prediction. Raises InvalidValue when a name comes twice."""

    def __init__(self, params: list[ParamSpec]) -> None:
        names = [param.name for param in params]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InvalidValue(f"parameters need names of their own, found twice: {twice}")
        self._params = params

    @property
    def params(self) -> list[ParamSpec]:
        """The parameters, in order."""
        return self._params

    def __iter__(self) -> Iterator[ParamSpec]:
        return iter(self._params)

    def __len__(self) -> int:
        return len(self._params)

    def to_dict(self) -> list[dict[str, Any]]:
        """The JSON form, as a list of dicts."""
        return [param.to_dict() for param in self._params]

    def to_json(self) -> str:
        """The JSON form, as text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, json_str: str) -> ParamSchema:
        """The parameters with this JSON text. Raises InvalidValue."""
        return cls([ParamSpec.from_json_dict(**param) for param in _parse(json_str)])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParamSchema) and self._params == other._params

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._params)


def spark_type(kind: Any) -> Any:
    """The Spark type that holds values of ``kind``. Raises InvalidValue for a type that Spark does not have."""
    import pyspark.sql.types as spark

    if isinstance(kind, DataType):
        return kind.to_spark()
    if isinstance(kind, SparkMLVector):
        from pyspark.ml.linalg import VectorUDT

        return VectorUDT()
    if isinstance(kind, Array):
        return spark.ArrayType(spark_type(kind.dtype))
    if isinstance(kind, Map):
        return spark.MapType(spark.StringType(), spark_type(kind.value_type))
    if isinstance(kind, Object):
        return spark.StructType([
            spark.StructField(part.name, spark_type(part.dtype), not part.required) for part in kind.properties
        ])
    raise InvalidValue(f"Spark has no type for {kind!r}")


def _scalar(spec: Spec) -> DataType:
    if isinstance(spec.type, DataType):
        return spec.type
    raise InvalidValue(f"the column {spec.name!r} holds {spec.type!r}, which is no scalar")


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidValue(f"a schema is JSON text: {error}") from None


# `millstream.types` and what lies in it stand for modules here, which needs the form of a package.
__path__: list[str] = []
