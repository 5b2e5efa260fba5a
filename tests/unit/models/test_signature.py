"""Signatures: what MLflow 3.17.2 infers and writes, written down, and the errors."""

from __future__ import annotations

import datetime
import decimal
import json
import logging
from typing import Any

import numpy as np
import pandas as pd
import pytest

from millstream.errors import InvalidValue
from millstream.models.schema import AnyType, ColSpec, DataType, ParamSchema, ParamSpec, Schema
from millstream.models.signature import ModelSignature, infer_signature

FRAME = pd.DataFrame({"age": [1, 2], "name": ["a", None]})


def test_a_signature_is_written_as_mlflow_writes_it() -> None:
    signature = infer_signature(FRAME, np.zeros(3), {"p": 1})
    assert signature.to_dict() == {
        "inputs": '[{"type": "long", "name": "age", "required": true}, '
        '{"type": "string", "name": "name", "required": false}]',
        "outputs": '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]',
        "params": '[{"name": "p", "default": 1, "shape": null, "type": "long"}]',
    }
    assert ModelSignature.from_dict(signature.to_dict()) == signature
    assert (signature.is_from_type_hint, signature.type_hint_from_example) == (False, False)


def test_parts_may_be_absent() -> None:
    signature = infer_signature(params={"p": "x"})
    assert signature.to_dict()["inputs"] is None
    assert ModelSignature.from_dict({"params": signature.to_dict()["params"]}) == signature
    assert infer_signature("a text", 2).to_dict() == {
        "inputs": '[{"type": "string", "required": true}]', "outputs": '[{"type": "long", "required": true}]',
        "params": None,
    }


@pytest.mark.parametrize("make", [infer_signature, ModelSignature, lambda: ModelSignature.from_dict({})])
def test_a_signature_describes_something(make: Any) -> None:
    with pytest.raises(InvalidValue, match="none was given"):
        make()


@pytest.mark.parametrize("part", ["inputs", "outputs", "params"])
def test_parts_are_schemas(part: str) -> None:
    with pytest.raises(TypeError, match=f"{part} is a .* got int"):
        ModelSignature(**{part: 5})  # type: ignore[arg-type]


def test_equality_and_text() -> None:
    one = ModelSignature(Schema([ColSpec("long", "a")]))
    assert one == ModelSignature(inputs=Schema([ColSpec("long", "a")]))
    assert one != ModelSignature(outputs=Schema([ColSpec("long", "a")]))
    assert one != ModelSignature(Schema([ColSpec("long", "a")]), params=ParamSchema([ParamSpec("p", "long", 1)]))
    assert one != "a signature"
    assert repr(one) == "inputs: \n  ['a': long (required)]\noutputs: \n  None\nparams: \n  None\n"


@pytest.mark.parametrize(
    ("value", "kind", "shape", "default"),
    [
        (1, "long", None, 1), (1.5, "double", None, 1.5), ("x", "string", None, "x"), (True, "boolean", None, True),
        (np.int32(3), "integer", None, 3), (np.int64(3), "long", None, 3), (np.float32(1), "float", None, 1.0),
        (np.float64(1), "double", None, 1.0), (np.bool_(True), "boolean", None, True),
        (np.str_("x"), "string", None, "x"),
        (datetime.datetime(2020, 1, 2, 3), "datetime", None, "2020-01-02T03:00:00"),
        (pd.Timestamp("2020"), "datetime", None, "2020-01-01T00:00:00"),
        ([1, 2], "long", [-1], [1, 2]), ([1.0, 2], "double", [-1], [1.0, 2.0]), (["a"], "string", [-1], ["a"]),
        (np.array([1, 2]), "long", [-1], [1, 2]), (np.array([1.5], dtype="float32"), "float", [-1], [1.5]),
        ([], "datetime", [-1], []),
    ],
)
def test_parameters_have_types_shapes_and_defaults(value: Any, kind: str, shape: Any, default: Any) -> None:
    signature = infer_signature(params={"p": value})
    written = json.loads(signature.to_dict()["params"])
    assert written == [{"name": "p", "default": default, "shape": shape, "type": kind}]
    assert ModelSignature.from_dict(signature.to_dict()) == signature


def test_a_dict_is_a_parameter_with_parts() -> None:
    (written,) = json.loads(infer_signature(params={"p": {"a": {"b": [1]}}}).to_dict()["params"])
    assert written["type"] == "object"
    assert written["properties"]["a"]["properties"]["b"] == {
        "type": "array", "items": {"type": "long"}, "required": True
    }


@pytest.mark.parametrize("value", [b"x", None, [[1]], {1}, [1, "a"], np.zeros((2, 2)), decimal.Decimal(1)])
def test_a_parameter_without_a_type_is_named(value: Any) -> None:
    with pytest.raises(InvalidValue, match="'odd one'") as told:
        infer_signature(params={"fine": 1, "odd one": value})
    assert told.value.hint


def test_parameters_are_a_dict() -> None:
    with pytest.raises(InvalidValue, match="got int"):
        infer_signature(params=5)  # type: ignore[arg-type]


def test_pandas_own_types_keep_their_signature() -> None:
    frame = pd.DataFrame({
        "i": pd.array([1, None], dtype="Int64"), "b": pd.array([True, None], dtype="boolean"),
        "s": pd.array(["a", None], dtype="string"), "f": pd.array([1.5, None], dtype="Float64"),
    })
    signature = infer_signature(frame, frame["i"].dropna())
    assert signature.inputs is not None
    assert signature.inputs.input_types_dict() == {
        "i": DataType.long, "b": DataType.boolean, "s": DataType.string, "f": DataType.double
    }
    assert signature.inputs.required_input_names() == []


def test_one_line_tells_of_whole_numbers_that_may_be_missing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "millstream"):
        infer_signature(FRAME)
        infer_signature(pd.DataFrame({"a": pd.array([1], dtype="Int64"), "b": [1.5]}))
    (line,) = caplog.messages
    assert "'age'" in line
    assert "Int64" in line


def test_what_no_schema_describes_is_of_any_type(caplog: pytest.LogCaptureFixture) -> None:
    signature = infer_signature(pd.DataFrame({"price": [decimal.Decimal(1)]}))
    assert signature.inputs == Schema([ColSpec(AnyType())])
    (line,) = caplog.messages
    assert "'price'" in line
    assert "Decimal" in line
