"""Type hints as signatures: what MLflow 3.17.2 makes of them, written down, and data checked against them."""

# ruff: noqa: UP006, UP007, UP035, UP045 (users write hints in the old way and in the new one)

from __future__ import annotations

import dataclasses
import datetime
import typing
from typing import Any, List, Optional, Union

import numpy as np
import pandas as pd
import pytest

from millstream.errors import InvalidValue, SchemaMismatch
from millstream.models import hints
from millstream.models.enforcement import Enforcer
from millstream.models.hints import InvalidHint, TypeFromExample, UnsupportedHint
from millstream.models.inference import infer_schema
from millstream.models.signature import ModelSignature

pydantic = pytest.importorskip("pydantic")


class Point(pydantic.BaseModel):  # type: ignore[misc, name-defined]
    a: int
    b: Optional[str] = None
    c: list[float] = []


class Nested(pydantic.BaseModel):  # type: ignore[misc, name-defined]
    p: Point
    t: datetime.datetime
    d: dict[str, int]
    u: Union[int, str] = 1


class Unset(pydantic.BaseModel):  # type: ignore[misc, name-defined]
    o: Optional[int]


@dataclasses.dataclass
class Row:
    a: int
    b: Optional[str] = None
    items: list[int] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Rows:
    first: Row
    others: list[Row]


POINT = {
    "type": "object",
    "properties": {
        "a": {"type": "long", "required": True}, "b": {"type": "string", "required": False},
        "c": {"type": "array", "items": {"type": "double"}, "required": True},
    },
}


@pytest.mark.parametrize(
    ("hint", "written"),
    [
        (list[str], {"type": "string"}), (List[str], {"type": "string"}), (list[int], {"type": "long"}),
        (list[float], {"type": "double"}), (list[bool], {"type": "boolean"}), (list[bytes], {"type": "binary"}),
        (list[datetime.datetime], {"type": "datetime"}), (list[Any], {"type": "any"}),
        (list[Union[int, str]], {"type": "any"}), (list[int | str], {"type": "any"}),
        (list[list[int]], {"type": "array", "items": {"type": "long"}}),
        (list[dict[str, int]], {"type": "map", "values": {"type": "long"}}),
        (list[dict[str, Any]], {"type": "map", "values": {"type": "any"}}),
        (list[dict[str, list[int]]], {"type": "map", "values": {"type": "array", "items": {"type": "long"}}}),
        (list[Point], POINT),
        (list[Nested], {"type": "object", "properties": {
            "d": {"type": "map", "values": {"type": "long"}, "required": True}, "p": {**POINT, "required": True},
            "t": {"type": "datetime", "required": True}, "u": {"type": "any", "required": True}}}),
    ],
)
def test_hints_that_are_signatures(hint: Any, written: dict[str, Any]) -> None:
    assert hints.schema_of(hint).to_dict() == [{**written, "required": True}]


@pytest.mark.parametrize("hint", [list, List, list[dict], list[list],  # type: ignore[type-arg]
                                  list[dict[int, str]], list[Optional[str]],
                                  list[Unset]])
def test_hints_that_leave_something_out(hint: Any) -> None:
    with pytest.raises(InvalidHint) as told:
        hints.schema_of(hint)
    assert told.value.hint


@pytest.mark.parametrize("hint", [str, dict[str, int], Point, Any, list[datetime.date], list[tuple[int]], list[object],
                                  list[np.ndarray], list[Row], list[typing.Literal["a"]], tuple[int]])
def test_hints_that_are_none(hint: Any) -> None:
    with pytest.raises(UnsupportedHint) as told:
        hints.schema_of(hint)
    assert told.value.hint


def hinted(hint: Any, returned: Any = None) -> Any:
    def predict(self: Any, context: Any, model_input: Any, params: Any = None) -> Any:
        return model_input

    predict.__annotations__ = {"model_input": hint, **({} if returned is None else {"return": returned})}
    return predict


class Model:
    def predict(self, context: Any, model_input: list[str], params: dict[str, Any] | None = None) -> list[int]:
        return [len(text) for text in model_input]


def test_the_signature_of_a_predict_method() -> None:
    for function in (Model().predict, Model.predict):
        signature = hints.signature_from(function)
        assert signature is not None
        assert signature.to_dict() == {
            "inputs": '[{"type": "string", "required": true}]', "outputs": '[{"type": "long", "required": true}]',
            "params": None,
        }
        assert signature.is_from_type_hint
        assert not signature.type_hint_from_example


def test_of_a_function_without_a_context() -> None:
    def predict(model_input: list[int]):  # type: ignore[no-untyped-def]
        return model_input

    signature = hints.signature_from(predict, ([1], {"scale": 2}))
    assert signature is not None
    assert signature.to_dict() == {
        "inputs": '[{"type": "long", "required": true}]', "outputs": '[{"type": "any", "required": true}]',
        "params": '[{"name": "scale", "default": 2, "shape": null, "type": "long"}]',
    }


@pytest.mark.parametrize(
    ("returned", "kind"), [(str, "string"), (list[str], "string"), (pd.DataFrame, "any"), (list[object], "any")]
)
def test_what_it_returns(returned: Any, kind: str) -> None:
    signature = hints.signature_from(hinted(list[str], returned))
    assert signature is not None
    assert signature.outputs is not None
    assert signature.outputs.to_dict() == [{"type": kind, "required": True}]


@pytest.mark.parametrize("hint", [None, pd.DataFrame, np.ndarray, pd.Series, type(None)])
def test_no_hint_and_no_signature(hint: Any) -> None:
    function = hinted(hint)
    assert hints.signature_from(function) is None
    assert hints.converter(function) is None


def test_a_hint_of_another_kind_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    assert hints.signature_from(hinted(str)) is None
    assert hints.converter(hinted(str)) is None
    (line,) = caplog.messages
    assert "str" in line
    with pytest.raises(InvalidHint):
        hints.signature_from(hinted(list))


def test_names_that_only_type_checkers_know() -> None:
    function = hinted("list[Unknown]")
    assert hints.signature_from(function) is None
    assert hints.signature_from(len) is None


@pytest.mark.parametrize(
    ("example", "flag"), [(pd.DataFrame({"a": [1]}), True), (["a"], True), (np.zeros(2), False), ({"a": 1}, False)]
)
def test_the_type_of_the_example(example: Any, flag: bool) -> None:
    function = hinted(TypeFromExample)
    signature = hints.signature_from(function, (example, {"p": 1}))
    assert signature is not None
    assert signature.type_hint_from_example is flag
    assert not signature.is_from_type_hint
    assert signature.inputs is not None
    assert signature.params is not None
    assert hints.converter(function) is None


def test_the_type_of_an_example_that_is_missing(caplog: pytest.LogCaptureFixture) -> None:
    assert hints.signature_from(hinted(TypeFromExample)) is None
    assert "example" in caplog.text


TIME = datetime.datetime(2020, 1, 1)
CONVERTED: list[tuple[Any, Any, Any]] = [
    (list[str], ["a"], ["a"]), (list[str], [], []), (list[str], pd.DataFrame({"q": ["a", "b"]}), ["a", "b"]),
    (list[str], pd.Series(["a"]), ["a"]), (list[str], np.array(["a"]), ["a"]),
    (list[int], [np.int64(1), True], [1, True]), (list[int], np.array([1]), [1]),
    (list[float], [1, 1.5, np.float32(0.5)], [1, 1.5, 0.5]), (list[bytes], [b"a"], [b"a"]),
    (list[datetime.datetime], [TIME], [TIME]), (list[Any], [1, "a", None], [1, "a", None]),
    (list[Union[int, str]], [1.5], [1.5]), (list[list[int]], [[1, 2]], [[1, 2]]),
    (list[list[int]], pd.DataFrame({"q": [[1, 2]]}), [[1, 2]]),
    (list[dict[str, int]], [{"a": 1}], [{"a": 1}]), (list[dict[str, int]], pd.DataFrame({"a": [1]}), [{"a": 1}]),
    (list[Point], [{"a": 1}], [Point(a=1)]), (list[Point], [Point(a=1)], [Point(a=1)]),
    (list[Point], pd.DataFrame({"a": [1, 2], "b": ["x", None]}), [Point(a=1, b="x"), Point(a=2)]),
    (list[Point], [{"a": 1, "extra": 5}], [Point(a=1)]),
    (list[Nested], [{"p": {"a": 1}, "t": "2020-01-01T00:00:00", "d": {"x": 1}}],
     [Nested(p=Point(a=1), t=TIME, d={"x": 1})]),
]


@pytest.mark.parametrize(("hint", "data", "expected"), CONVERTED)
def test_data_become_what_the_hint_says(hint: Any, data: Any, expected: Any) -> None:
    convert = hints.converter(hinted(hint))
    assert convert is not None
    assert convert(data) == expected


@pytest.mark.parametrize(
    ("hint", "data", "told"),
    [
        (list[str], "a", "takes a list of str, found a value of type str"), (list[str], [1, "b"], r"\[0\] .* str"),
        (list[str], [None], "NoneType"), (list[str], ("a",), "tuple"),
        (list[str], pd.DataFrame({"q": ["a"], "w": ["b"]}), "2 columns"), (list[int], [1.0], "float"),
        (list[float], ["1.5"], "str"), (list[bool], [1], "int"), (list[bytes], ["YQ=="], "str"),
        (list[datetime.datetime], ["2020-01-01"], "str"), (list[list[int]], [[1, 1.5]], r"\[0\]\[1\]"),
        (list[dict[str, int]], [{"a": "x"}], r"\[0\]\['a'\]"), (list[dict[str, int]], [{1: 1}], "dict"),
        (list[Point], [{"a": "1"}], r"\[0\] is no Point: a: .*integer"), (list[Point], [{"z": 1}], "a: Field required"),
    ],
)
def test_data_that_do_not_fit(hint: Any, data: Any, told: str) -> None:
    with pytest.raises(SchemaMismatch, match=told) as error:
        hints.convert(data, hint)
    assert error.value.hint


def test_several_faults_are_told_together() -> None:
    with pytest.raises(SchemaMismatch, match=r"\[0\].*; \[1\].*; \[2\].*; and more"):
        hints.convert(["a"] * 1000, list[int])


def test_a_dataclass_is_a_schema() -> None:
    expected = [
        {"type": "long", "name": "a", "required": True}, {"type": "string", "name": "b", "required": False},
        {"type": "array", "items": {"type": "long"}, "name": "items", "required": True},
    ]
    for given in (Row, Row(1)):
        signature = ModelSignature(inputs=given)
        assert signature.inputs is not None
        assert signature.inputs.to_dict() == expected
    nested = ModelSignature(outputs=Rows).outputs
    assert nested is not None
    first, others = nested.to_dict()
    assert first["properties"]["a"] == {"type": "long", "required": True}
    assert others["items"]["type"] == "object"


def test_a_dataclass_with_a_field_of_no_type() -> None:
    @dataclasses.dataclass
    class Odd:
        when: object

    with pytest.raises(InvalidValue, match="object"):
        ModelSignature(inputs=Odd)


@pytest.mark.parametrize(
    ("example", "data", "expected"),
    [
        (["a"], pd.DataFrame({"q": ["b", "c"]}), ["b", "c"]), (["a"], "b", ["b"]), (["a"], pd.Series(["b"]), ["b"]),
        ([1, 2], [3], [3]), ([{"a": 1}], [{"a": 5}], [{"a": 5}]), ([{"a": 1}], {"a": 5, "z": 1}, [{"a": 5}]),
        ([{"a": 1, "b": "x"}], pd.DataFrame({"b": ["y"], "a": [5]}), [{"a": 5, "b": "y"}]),
        ([{"a": 1}, {"a": 2, "b": "x"}], [{"a": 5}, {"a": 6, "b": "y"}], [{"a": 5, "b": None}, {"a": 6, "b": "y"}]),
    ],
)
def test_data_in_the_form_of_the_example(example: Any, data: Any, expected: Any) -> None:
    check = hints.in_form_of(example, Enforcer(infer_schema(example)))
    assert check(data) == expected
    with pytest.raises(SchemaMismatch):
        check([object()])


def test_a_frame_as_example_takes_frames() -> None:
    frame = pd.DataFrame({"a": [1]})
    enforce = Enforcer(infer_schema(frame))
    assert hints.in_form_of(frame, enforce) is enforce
    assert hints.in_form_of([object()], lambda data: data)(5) == 5
