"""Requests to a scoring server as data, in the types of the model's schema."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from millstream.errors import BadRequest
from millstream.models import examples
from millstream.models.enforcement import Enforcer
from millstream.models.inference import infer_schema
from millstream.models.payloads import parse
from millstream.models.schema import Array, ColSpec, Map, Object, Property, Schema, TensorSpec

TIME = datetime.datetime(2020, 1, 1)
SCHEMA = Schema([
    ColSpec("integer", "i"), ColSpec("float", "f"), ColSpec("datetime", "t"), ColSpec("binary", "b"),
    ColSpec("long", "l", required=False),
])
FRAME = pd.DataFrame({
    "i": np.array([1, 2], dtype="int32"), "f": np.array([0.5, np.nan], dtype="float32"),
    "t": np.array(["2020-01-01", "NaT"], dtype="datetime64[ns]"), "b": [b"x", None],
    "l": pd.array([1, None], dtype="Int64"),
})
ROWS: list[dict[str, Any]] = [{"i": 1, "f": 0.5, "t": "2020-01-01T00:00:00", "b": "eA==", "l": 1},
        {"i": 2, "f": None, "t": None, "b": None, "l": None}]
SPLIT = {"columns": list(FRAME), "data": [list(row.values()) for row in ROWS]}


@pytest.mark.parametrize("body", [{"dataframe_split": SPLIT}, {"dataframe_records": ROWS}])
@pytest.mark.parametrize("written", [dict, json.dumps, lambda body: json.dumps(body).encode()])
def test_frames_have_the_types_of_the_schema(body: dict[str, Any], written: Any) -> None:
    data, params = parse(written({**body, "params": {"p": 1}}), SCHEMA)
    pd.testing.assert_frame_equal(data, FRAME)
    assert params == {"p": 1}
    assert Enforcer(SCHEMA)(data) is data


def test_frames_without_a_schema() -> None:
    data, params = parse({"dataframe_split": {"columns": ["a"], "data": [[1]], "index": ["k"]}})
    pd.testing.assert_frame_equal(data, pd.DataFrame({"a": [1]}, index=["k"]))
    assert params is None
    data, _ = parse({"dataframe_split": {"data": [[1, 2.5]]}})
    pd.testing.assert_frame_equal(data, pd.DataFrame([[1, 2.5]]))
    data, _ = parse({"dataframe_split": {"columns": ["a", "b"], "data": []}})
    assert data.columns.tolist() == ["a", "b"]
    data, _ = parse({"dataframe_split": {"columns": [["a", 1]], "data": [[5]]}})
    assert data.columns.tolist() == [("a", 1)]


@pytest.mark.parametrize("labels", [["a", "b"], [1, 2], [True, 1.5], ["a", None], ["a", 1], ["x" * 20_000, "b"],
                                    [["a", 1], ["b", 2]], ["b", "b"]])
def test_columns_are_those_of_a_frame_made_of_them(labels: list[Any]) -> None:
    body = {"dataframe_split": {"columns": labels, "data": [[1, 2]]}}
    expected = pd.DataFrame(columns=[tuple(one) if isinstance(one, list) else one for one in labels]).columns
    for _ in range(2):
        data, _ = parse(body)
        pd.testing.assert_index_equal(data.columns, expected, exact=True)
        data.columns.names = ["changed"] * data.columns.nlevels


@pytest.mark.parametrize("form", ["inputs", "instances"])
def test_values_and_rows(form: str) -> None:
    assert parse({form: [1, 2]}, Schema([ColSpec("long")])) == ([1, 2], None)
    expected = [{"i": 1, "f": 0.5, "t": TIME, "b": b"x", "l": 1}, ROWS[1]]
    data, _ = parse({form: ROWS}, SCHEMA)
    assert data == expected
    pd.testing.assert_frame_equal(Enforcer(SCHEMA)(data), FRAME)
    data, _ = parse({"inputs": {name: [row[name] for row in ROWS] for name in FRAME}}, SCHEMA)
    pd.testing.assert_frame_equal(Enforcer(SCHEMA)(data), FRAME)
    assert parse({form: ["2020-01-01T00:00:00Z"]}, Schema([ColSpec("datetime")]))[0] == [
        TIME.replace(tzinfo=datetime.timezone.utc)
    ]


def test_dates_and_bytes_within_values() -> None:
    schema = Schema([
        ColSpec(Array("datetime"), "times"), ColSpec(Map("binary"), "map"),
        ColSpec(Object([Property("t", "datetime"), Property("s", "string")]), "object"),
    ])
    given = {"times": ["2020-01-01"], "map": {"k": "eA=="}, "object": {"t": "2020-01-01", "s": "2020-01-01", "z": 1}}
    assert parse({"inputs": given}, schema)[0] == {
        "times": [TIME], "map": {"k": b"x"}, "object": {"t": TIME, "s": "2020-01-01", "z": 1}
    }


def test_what_does_not_fit_is_left_as_it_came() -> None:
    schema = Schema([ColSpec("datetime", "t"), ColSpec("binary", "b"), ColSpec("long", "n")])
    data, _ = parse({"dataframe_records": [{"t": "soon", "b": "no base64!", "n": "x", "z": 1}]}, schema)
    assert data.to_dict("records") == [{"t": "soon", "b": "no base64!", "n": "x", "z": 1}]


def test_tensors_and_chats_are_left_alone() -> None:
    schema = Schema([TensorSpec(np.dtype("float32"), (-1, 2))])
    assert parse({"inputs": [[1, 2]]}, schema) == ([[1, 2]], None)
    chat = {"messages": [{"role": "user", "content": "hi"}], "temperature": 1}
    assert parse(chat) == (chat, None)


def test_values_without_a_schema_are_arrays_of_numbers() -> None:
    np.testing.assert_array_equal(parse({"inputs": [[1, 2]]})[0], np.array([[1, 2]]))
    np.testing.assert_array_equal(parse({"instances": ["a"]})[0], np.array(["a"]))
    assert parse({"inputs": ["a"]})[0] == ["a"]
    assert parse({"inputs": "a"})[0] == "a"
    assert parse({"inputs": []})[0] == []
    for body in ({"inputs": {"x": [1, 2]}}, {"instances": [{"x": 1}, {"x": 2}]}):
        (values,) = parse(body)[0].values()
        np.testing.assert_array_equal(values, np.array([1, 2]))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("{", "not JSON"), ("[1]", "a JSON list"), ({}, "has nothing"), ({"inputs": 1, "instances": 2}, "exactly one"),
        ({"inputs": 1, "params": 5}, "params"), ({"dataframe_split": [1]}, "list of rows"),
        ({"instances": 1}, "a list"),
        ({"dataframe_split": {"columns": ["a"], "data": [1]}}, "list of rows"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, "different lengths"),
        ({"dataframe_split": {"data": [[1], [1, 2]]}}, "different lengths"),
        ({"dataframe_records": {"a": 1}}, "list of objects"), ({"dataframe_records": [1]}, "list of objects"),
        ({"instances": [{"x": 1}, {"y": 1}]}, "'x'"),
    ],
)
def test_bodies_that_are_none(body: Any, told: str) -> None:
    with pytest.raises(BadRequest, match=told) as error:
        parse(body)
    assert error.value.hint


@pytest.mark.parametrize(
    "example",
    [
        FRAME, pd.DataFrame([[1, 2.5]]), pd.DataFrame({"a": pd.array([1.5, None], dtype="float64")}),
        np.array([[0.5, 1.5]], dtype="float32"),
        {"x": np.array([1], dtype="int8"), "y": np.zeros((1, 2), dtype="float16")},
        np.array(["2020-01-01"], dtype="datetime64[s]"), {"t": TIME, "b": b"x"}, [{"t": TIME}], TIME, b"x", ["a"],
    ],
)
def test_examples_have_their_types_again(example: Any, tmp_path: Path) -> None:
    schema = infer_schema(example)
    info = examples.prepare(example).save(tmp_path)
    data = examples.load(tmp_path, info, schema)
    if isinstance(example, pd.DataFrame):
        pd.testing.assert_frame_equal(data, example)
    elif isinstance(example, np.ndarray):
        assert data.dtype == example.dtype
        np.testing.assert_array_equal(data, example)
    elif isinstance(example, dict) and "x" in example:
        assert all(data[name].dtype == value.dtype for name, value in example.items())
    else:
        assert data == example
    Enforcer(schema)(data)
