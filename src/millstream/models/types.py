"""The types of columns: eight scalars, and arrays, objects and maps made of them.

Names, numbers and the JSON form are those of MLflow's signatures; a type in JSON is ``{"type": "long"}``,
``{"type": "array", "items": …}``, ``{"type": "object", "properties": {name: {…, "required": true}}}``,
``{"type": "map", "values": …}``, ``{"type": "any"}`` or ``{"type": "sparkml_vector"}``.
"""

from __future__ import annotations

import datetime as dates
from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from millstream.errors import InvalidValue, MissingValue

if TYPE_CHECKING:
    import numpy


class DataType(Enum):
    """A scalar. ``integer`` and ``float`` have 32 bits, ``long`` and ``double`` 64."""

    boolean = 1
    integer = 2
    long = 3
    float = 4
    double = 5
    string = 6
    binary = 7
    datetime = 8

    def __repr__(self) -> str:
        return self.name

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"type": self.name}

    def to_numpy(self) -> numpy.dtype[Any]:
        """The NumPy type that holds it; of strings and bytes the one without a length."""
        import numpy

        return numpy.dtype(_NUMPY[self.name])

    def to_pandas(self) -> Any:
        """The type of a pandas column that holds it: ``object`` for strings and bytes."""
        return object if self in (DataType.string, DataType.binary) else self.to_numpy()

    def to_python(self) -> type:
        """The Python type of one value."""
        return _PYTHON[self.name]

    def to_spark(self) -> Any:
        """The Spark type that holds it."""
        import pyspark.sql.types as spark

        return getattr(spark, _SPARK[self.name])()

    @classmethod
    def all_types(cls) -> list[DataType]:
        """Every scalar, in the order of the numbers."""
        return list(cls)

    @classmethod
    def from_numpy_type(cls, numpy_type: Any) -> DataType | None:
        """The scalar with exactly this NumPy type, None when there is none."""
        return next((scalar for scalar in cls if scalar.to_numpy() == numpy_type), None)


_NUMPY = {
    "boolean": "bool", "integer": "int32", "long": "int64", "float": "float32", "double": "float64", "string": "str",
    "binary": "bytes", "datetime": "datetime64[ns]",
}
_PYTHON: dict[str, type] = {
    "boolean": bool, "integer": int, "long": int, "float": float, "double": float, "string": str, "binary": bytes,
    "datetime": dates.date,
}
_SPARK = {
    "boolean": "BooleanType", "integer": "IntegerType", "long": "LongType", "float": "FloatType",
    "double": "DoubleType", "string": "StringType", "binary": "BinaryType", "datetime": "TimestampType",
}


class CompositeType(ABC):
    """A type that is not a scalar. Two are equal when their JSON is."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CompositeType) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]


ColumnType = DataType | CompositeType
Composite = TypeVar("Composite", bound=CompositeType)


class Array(CompositeType):
    """A list whose items all have the type ``dtype``."""

    def __init__(self, dtype: ColumnType | str) -> None:
        self._dtype = column_type(dtype)

    @property
    def dtype(self) -> ColumnType:
        """The type of the items."""
        return self._dtype

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"type": "array", "items": self.dtype.to_dict()}

    @classmethod
    def from_json_dict(cls, **fields: Any) -> Array:
        """The array with this JSON. Raises InvalidValue when it is none."""
        return _expect(cls, fields)

    def __repr__(self) -> str:
        return f"Array({self.dtype!r})"


class SparkMLVector(Array):
    """A vector of Spark ML: doubles, dense or sparse."""

    def __init__(self) -> None:
        super().__init__(DataType.double)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"type": "sparkml_vector"}

    @classmethod
    def from_json_dict(cls, **fields: Any) -> SparkMLVector:
        """The vector type. Raises InvalidValue for the JSON of another type."""
        return _expect(cls, fields)

    def __repr__(self) -> str:
        return "SparkML vector"


class Property:
    """A named part of an object; one that is not ``required`` may be absent."""

    def __init__(self, name: str, dtype: ColumnType | str, required: bool = True) -> None:
        self._name = name
        self._dtype = column_type(dtype)
        self._required = required

    @property
    def name(self) -> str:
        """The key."""
        return self._name

    @property
    def dtype(self) -> ColumnType:
        """The type of the value."""
        return self._dtype

    @property
    def required(self) -> bool:
        """Whether each object has it."""
        return self._required

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: one item, the name and what it stands for."""
        return {self.name: {**self.dtype.to_dict(), "required": self.required}}

    @classmethod
    def from_json_dict(cls, **fields: Any) -> Property:
        """The property with this JSON: one keyword, its name. Raises InvalidValue when it is none."""
        if len(fields) != 1:
            raise InvalidValue(f"a property is written as one name and its type, got {sorted(fields)}")
        ((name, value),) = fields.items()
        if not isinstance(value, Mapping):
            raise InvalidValue.of(name, value, "expected the JSON object of a type")
        return cls(name, type_from_dict(value), bool(value.get("required", True)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Property) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{self.name}: {self.dtype!r} ({'required' if self.required else 'optional'})"


class Object(CompositeType):
    """A dict with known keys. Raises InvalidValue for no properties, or two of one name."""

    def __init__(self, properties: list[Property]) -> None:
        names = [made.name for made in properties]
        if not names:
            raise InvalidValue("an Object needs at least one property")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InvalidValue(f"an Object names each property once, found twice: {', '.join(map(repr, twice))}")
        self._properties = sorted(properties, key=lambda made: made.name)

    @property
    def properties(self) -> list[Property]:
        """The properties, sorted by name."""
        return self._properties

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"type": "object", "properties": {k: v for made in self.properties for k, v in made.to_dict().items()}}

    @classmethod
    def from_json_dict(cls, **fields: Any) -> Object:
        """The object type with this JSON. Raises InvalidValue when it is none."""
        return _expect(cls, fields)

    def __repr__(self) -> str:
        return "{" + ", ".join(map(repr, self.properties)) + "}"


class Map(CompositeType):
    """A dict with any string keys, whose values all have the type ``value_type``."""

    def __init__(self, value_type: ColumnType | str) -> None:
        self._value_type = column_type(value_type)

    @property
    def value_type(self) -> ColumnType:
        """The type of the values."""
        return self._value_type

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"type": "map", "values": self.value_type.to_dict()}

    @classmethod
    def from_json_dict(cls, **fields: Any) -> Map:
        """The map with this JSON. Raises InvalidValue when it is none."""
        return _expect(cls, fields)

    def __repr__(self) -> str:
        return f"Map(str -> {self.value_type!r})"


class AnyType(CompositeType):
    """Values that nothing is known about, or whose type is left open."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"type": "any"}

    @classmethod
    def from_json_dict(cls, **fields: Any) -> AnyType:
        """The open type. Raises InvalidValue for the JSON of another type."""
        return _expect(cls, fields)

    def __repr__(self) -> str:
        return "Any"


def column_type(named: ColumnType | str) -> ColumnType:
    """``named`` itself, or the scalar of that name. Raises InvalidValue for anything else."""
    if isinstance(named, (DataType, CompositeType)):
        return named
    if named in DataType.__members__:
        return DataType[named]
    raise InvalidValue.of(
        "type", named, f"expected a type, or the name of a scalar: {', '.join(DataType.__members__)}",
        hint="other types are made with Array(…), Object([Property(…)]), Map(…) or AnyType()",
    )


def type_from_dict(fields: Mapping[str, Any]) -> ColumnType:
    """The type with this JSON form; keys that do not belong to types are not looked at. Raises InvalidValue."""
    kind = fields.get("type")
    if kind is None:
        raise MissingValue.named("type")
    if kind == "array":
        return Array(type_from_dict(_part(fields, "items")))
    if kind == "object":
        properties = _part(fields, "properties")
        return Object([Property.from_json_dict(**{name: value}) for name, value in properties.items()])
    if kind == "map":
        return Map(type_from_dict(_part(fields, "values")))
    if kind == "any":
        return AnyType()
    if kind == "sparkml_vector":
        return SparkMLVector()
    return column_type(kind)


def _part(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = fields.get(name)
    if not isinstance(part, Mapping):
        raise InvalidValue(f"the JSON of a type {fields.get('type')!r} needs an object under {name!r}")
    return part


def _expect(kind: type[Composite], fields: dict[str, Any]) -> Composite:
    made = type_from_dict(fields)
    if not isinstance(made, kind):
        raise InvalidValue(f"the JSON describes the type {made!r}, not {kind.__name__}")
    return made
