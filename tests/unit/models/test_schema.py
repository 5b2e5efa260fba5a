from __future__ import annotations

import datetime
import json
from typing import Any

import numpy as np
import pytest

from millstream.errors import InvalidValue
from millstream.models.schema import (
    AnyType,
    Array,
    ColSpec,
    DataType,
    Map,
    Object,
    ParamSchema,
    ParamSpec,
    Property,
    Schema,
    SparkMLVector,
    TensorSpec,
    column_type,
    type_from_dict,
)

NESTED = Object([Property("y", Map(Array("double"))), Property("x", "long", required=False)])


@pytest.mark.parametrize(
    ("kind", "shown", "written"),
    [
        (DataType.long, "long", {"type": "long"}),
        (Array("string"), "Array(string)", {"type": "array", "items": {"type": "string"}}),
        (AnyType(), "Any", {"type": "any"}),
        (SparkMLVector(), "SparkML vector", {"type": "sparkml_vector"}),
        (
            NESTED,
            "{x: long (optional), y: Map(str -> Array(double)) (required)}",
            {
                "type": "object",
                "properties": {
                    "x": {"type": "long", "required": False},
                    "y": {
                        "type": "map",
                        "values": {"type": "array", "items": {"type": "double"}},
                        "required": True,
                    },
                },
            },
        ),
    ],
)
def test_types_are_written_and_read_in_the_form_of_mlflow(kind: Any, shown: str, written: dict[str, Any]) -> None:
    assert repr(kind) == shown
    assert kind.to_dict() == written
    assert type_from_dict(written) == kind
    if not isinstance(kind, DataType):
        assert type(kind).from_json_dict(**written) == kind


def test_numbers_and_library_types_of_the_scalars() -> None:
    # As MLflow 3.17.2 prints them.
    assert [(kind.name, kind.value, str(kind.to_numpy())) for kind in DataType.all_types()] == [
        ("boolean", 1, "bool"), ("integer", 2, "int32"), ("long", 3, "int64"), ("float", 4, "float32"),
        ("double", 5, "float64"), ("string", 6, "<U0"), ("binary", 7, "|S0"), ("datetime", 8, "datetime64[ns]"),
    ]
    assert DataType.string.to_pandas() is object
    assert DataType.double.to_pandas() == np.dtype("float64")
    assert DataType.datetime.to_python() is datetime.date
    assert DataType.from_numpy_type(np.dtype("int32")) is DataType.integer
    assert DataType.from_numpy_type(np.dtype("uint64")) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {}, {"type": "nope"}, {"type": "array"}, {"type": "array", "items": "long"}, {"type": "object"},
        {"type": "object", "properties": {}}, {"type": "object", "properties": {"a": 1}}, {"type": "map"},
    ],
)
def test_json_that_describes_no_type_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        type_from_dict(wrong)


def test_names_that_are_no_type_are_refused() -> None:
    with pytest.raises(InvalidValue, match="boolean, integer, long"):
        column_type("array")
    with pytest.raises(InvalidValue):
        Array(5)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="twice: 'a'"):
        Object([Property("a", "long"), Property("a", "long")])
    with pytest.raises(InvalidValue, match="not Map"):
        Map.from_json_dict(type="array", items={"type": "long"})


def test_a_schema_of_columns() -> None:
    schema = Schema([ColSpec("long", "a"), ColSpec(Array("string"), "b", required=False)])
    text = (
        '[{"type": "long", "name": "a", "required": true}, '
        '{"type": "array", "items": {"type": "string"}, "name": "b", "required": false}]'
    )
    assert schema.to_json() == text
    assert Schema.from_json(text) == schema
    assert repr(schema) == "['a': long (required), 'b': Array(string) (optional)]"
    assert schema.input_names() == ["a", "b"]
    assert schema.required_input_names() == ["a"]
    assert schema.optional_input_names() == ["b"]
    assert schema.input_types_dict() == {"a": DataType.long, "b": Array("string")}
    assert schema.has_input_names()
    assert not schema.is_tensor_spec()
    with pytest.raises(InvalidValue, match="'b'"):
        schema.numpy_types()


def test_a_schema_without_names() -> None:
    schema = Schema([ColSpec("double"), ColSpec("string")])
    assert schema.input_names() == [0, 1]
    assert schema.pandas_types() == [np.dtype("float64"), object]
    assert len(schema) == len(list(schema)) == 2
    with pytest.raises(InvalidValue):
        schema.input_dict()


def test_a_schema_of_tensors() -> None:
    schema = Schema([TensorSpec(np.dtype("float32"), [-1, 3], "x"), TensorSpec(np.dtype("str"), (-1,), "y")])
    text = (
        '[{"name": "x", "type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}}, '
        '{"name": "y", "type": "tensor", "tensor-spec": {"dtype": "str", "shape": [-1]}}]'
    )
    assert schema.to_json() == text
    assert Schema.from_json(text) == schema
    assert repr(schema) == "['x': Tensor('float32', (-1, 3)), 'y': Tensor('str', (-1,))]"
    assert schema.is_tensor_spec()
    assert schema.input_types() == schema.numpy_types() == [np.dtype("float32"), np.dtype("str")]
    with pytest.raises(InvalidValue):
        schema.pandas_types()


def test_labels_that_are_no_text_are_kept() -> None:
    assert Schema([ColSpec("long", 0)]).to_json() == '[{"type": "long", "name": 0, "required": true}]'
    assert Schema([ColSpec("long", ("a", 1))]).to_json() == '[{"type": "long", "name": ["a", 1], "required": true}]'


def test_columns_of_older_files() -> None:
    schema = Schema.from_json('[{"name": "a", "type": "long"}, {"name": "b", "type": "long", "optional": true}]')
    assert schema == Schema([ColSpec("long", "a"), ColSpec("long", "b", required=False)])


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        "x",
        [1],
        [ColSpec("long", "a"), ColSpec("long")],
        [ColSpec("long", None, required=False)],
        [ColSpec("long", "a"), TensorSpec(np.dtype("float32"), (-1,), "b")],
        [TensorSpec(np.dtype("float32"), (-1,)), TensorSpec(np.dtype("float32"), (-1,))],
    ],
)
def test_schemas_that_make_no_sense_are_refused(inputs: Any) -> None:
    with pytest.raises(InvalidValue):
        Schema(inputs)


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', '["a"]', '[{"type": "tensor"}]', '[{"name": "a"}]',
                                  '[{"type": "tensor", "tensor-spec": {"dtype": "nope", "shape": [-1]}}]'])
def test_text_that_is_no_schema_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        Schema.from_json(text)


def test_a_tensor_needs_a_numpy_type_without_a_length() -> None:
    with pytest.raises(TypeError):
        TensorSpec("float32", (-1,))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        TensorSpec(np.dtype("float32"), 5)  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="length"):
        TensorSpec(np.dtype("<U5"), (-1,))


@pytest.mark.parametrize(
    ("spec", "written"),
    [
        # As MLflow 3.17.2 writes them; the shape is a tuple in the dict and an array in the text.
        (ParamSpec("t", "double", 5), {"name": "t", "default": 5.0, "shape": None, "type": "double"}),
        (ParamSpec("t", "long", np.int64(3)), {"name": "t", "default": 3, "shape": None, "type": "long"}),
        (ParamSpec("t", "string", ["a"], (-1,)), {"name": "t", "default": ["a"], "shape": (-1,), "type": "string"}),
        (ParamSpec("t", "boolean", None), {"name": "t", "default": None, "shape": None, "type": "boolean"}),
        (
            ParamSpec("t", "datetime", np.datetime64("2020-01-01T00:00:00")),
            {"name": "t", "default": "2020-01-01T00:00:00", "shape": None, "type": "datetime"},
        ),
        (
            ParamSpec("t", Object([Property("x", "long")]), {"x": 1}),
            {
                "name": "t", "default": {"x": 1}, "shape": None, "type": "object",
                "properties": {"x": {"type": "long", "required": True}},
            },
        ),
    ],
)
def test_parameters_are_written_and_read(spec: ParamSpec, written: dict[str, Any]) -> None:
    assert spec.to_dict() == written
    schema = ParamSchema([spec])
    assert json.loads(schema.to_json()) == json.loads(json.dumps([written]))
    assert ParamSchema.from_json(schema.to_json()) == schema
    assert ParamSpec.from_json_dict(**json.loads(schema.to_json())[0]).default == spec.default


def test_parameters_show_what_they_are() -> None:
    schema = ParamSchema([ParamSpec("t", "double", 0.5), ParamSpec("u", "string", ["a"], (-1,))])
    assert repr(schema) == "['t': double (default: 0.5), 'u': string (default: ['a']) (shape: (-1,))]"
    assert [param.name for param in schema] == ["t", "u"]
    assert len(ParamSchema([])) == 0


@pytest.mark.parametrize(
    ("dtype", "default", "shape"),
    [
        ("binary", b"x", None), ("nope", 1, None), ("long", 5.5, None), ("long", True, None), ("boolean", 1, None),
        ("long", "3", None), ("string", 5, None), ("long", [1, 2], None), ("long", 1, (-1,)), ("long", [1, "x"], (-1,)),
        ("string", ["a"], (1,)), ("integer", 2**31, None), ("datetime", "yesterday", None),
        (Object([Property("x", "long")]), {"x": "s"}, None), (Object([Property("x", "long")]), {}, None),
        (Object([Property("x", "long")]), {"x": 1, "z": 1}, None),
    ],
)
def test_defaults_that_do_not_fit_are_refused(dtype: Any, default: Any, shape: Any) -> None:
    with pytest.raises(InvalidValue):
        ParamSpec("t", dtype, default, shape)


def test_a_default_that_does_not_fit_is_named() -> None:
    with pytest.raises(InvalidValue) as caught:
        ParamSpec("size", Object([Property("x", Array("long"))]), {"x": [1, "two"]})
    assert caught.value.message == "'size.x[1]' should be long, got 'two' of type str"


def test_a_parameter_comes_once() -> None:
    with pytest.raises(InvalidValue, match="'t'"):
        ParamSchema([ParamSpec("t", "double", 0.5), ParamSpec("t", "double", 0.5)])
