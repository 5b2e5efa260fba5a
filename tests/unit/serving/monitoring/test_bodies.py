"""Columns from bodies of every form, and how many rows a request has."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.serving.monitoring.bodies import predicted, requested, rows_of, values_of

NAMES = ["a", "b"]
TENSOR = {"name": "a", "shape": [2, 1], "datatype": "FP64", "data": [1, 3]}
FORMS: dict[str, tuple[Any, dict[str, list[Any]]]] = {
    "split": ({"dataframe_split": {"columns": ["b", "a"], "data": [[1, 2], [3, 4]]}}, {"a": [2, 4], "b": [1, 3]}),
    "split without names": ({"dataframe_split": {"data": [[1, 2], [3, 4]]}}, {"a": [1, 3], "b": [2, 4]}),
    "records": ({"dataframe_records": [{"a": 1}, {"b": 2}]}, {"a": [1, None], "b": [None, 2]}),
    "instances": ({"instances": [{"a": 1, "b": 2}]}, {"a": [1], "b": [2]}),
    "rows": ({"inputs": [[1, 2], [3, 4]]}, {"a": [1, 3], "b": [2, 4]}),
    "rows of another width": ({"inputs": [[1, 2, 3]]}, {"0": [1], "1": [2], "2": [3]}),
    "columns": ({"inputs": {"a": [1, 2], "b": [3, 4]}}, {"a": [1, 2], "b": [3, 4]}),
    "one row of columns": ({"inputs": {"a": 1, "b": 2}}, {"a": [1], "b": [2]}),
    "tensors": ({"inputs": [TENSOR, {**TENSOR, "name": "b", "shape": [2]}]}, {"a": [1, 3], "b": [1, 3]}),
    "one tensor": ({"inputs": [{**TENSOR, "name": "x", "shape": [2, 2], "data": [1, 2, 3, 4]}]},
                   {"a": [1, 3], "b": [2, 4]}),
    "nested tensor": ({"inputs": [{**TENSOR, "name": "x", "shape": [2, 2], "data": [[1, 2], [3, 4]]}]},
                      {"a": [1, 3], "b": [2, 4]}),
}
NOTHING = ["", "{", "[]", "3", "null", '{"inputs": [[1], [1, 2]]}', '{"dataframe_split": 1}', '{"messages": []}',
           '{"inputs": []}', '{"inputs": {"a": {}}}']


@pytest.mark.parametrize("form", FORMS)
def test_every_form_becomes_columns(form: str) -> None:
    body, columns = FORMS[form]
    text = json.dumps(body)
    assert requested([(text, "application/json")], NAMES) == columns
    assert rows_of(text.encode(), "application/json; charset=utf-8") == len(next(iter(columns.values())))


def test_csv_becomes_columns() -> None:
    text = "a,b\n1,x\n2,\n"
    assert requested([(text, "text/csv")], NAMES) == {"a": ["1", "2"], "b": ["x", ""]}
    assert rows_of(text.encode(), "text/csv") == 2


@pytest.mark.parametrize("text", NOTHING)
def test_what_says_nothing_has_no_rows(text: str) -> None:
    rows_of(text.encode(), "application/json")
    for values in requested([(text, None)], NAMES).values():
        assert isinstance(values, list)


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(), lambda inner: st.lists(
    inner, max_size=4) | st.dictionaries(st.sampled_from(["inputs", "instances", "dataframe_split", "data", "columns",
                                                          "datatype", "shape", "predictions", "outputs", "a"]), inner),
    max_leaves=12))
def test_no_body_breaks_the_reader(content: Any) -> None:
    text = json.dumps(content)
    for columns in (requested([(text, "application/json")], NAMES), predicted([text])):
        assert len({len(values) for values in columns.values()}) <= 1
    assert rows_of(text.encode(), "") >= 0


def test_requests_follow_each_other() -> None:
    bodies = [(json.dumps({"inputs": {"a": [1, 2]}}), None), (json.dumps({"inputs": {"b": [3]}}), None)]
    assert requested(bodies, NAMES) == {"a": [1, 2, None], "b": [None, None, 3]}


@pytest.mark.parametrize(("answer", "columns"), [
    ({"predictions": [1, 2]}, {"prediction": [1, 2]}),
    ({"predictions": [{"0": 1}, {"0": 2}]}, {"prediction": [1, 2]}),
    ({"predictions": [[0.1, 0.9]]}, {"prediction.0": [0.1], "prediction.1": [0.9]}),
    ({"predictions": [{"label": "a", "score": 0.5}]}, {"prediction.label": ["a"], "prediction.score": [0.5]}),
    ({"predictions": {"x": [1], "y": [2]}}, {"prediction.x": [1], "prediction.y": [2]}),
    ({"outputs": [{"name": "predictions", "shape": [2], "datatype": "INT64", "data": [1, 0]}]}, {"prediction": [1, 0]}),
    ({"error_code": "BAD_REQUEST"}, {}),
])
def test_predictions_become_columns(answer: Any, columns: dict[str, list[Any]]) -> None:
    assert predicted([json.dumps(answer)]) == columns
    assert values_of(json.dumps(answer)) == columns.get("prediction")
