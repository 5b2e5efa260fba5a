"""The open inference protocol: tensors in and out, and what is wrong with them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from millstream.errors import BadRequest, FunctionFailed, InvalidValue
from millstream.models.schema import ColSpec, Schema, TensorSpec
from millstream.serving.batching import Predictions
from millstream.serving.config import Limits, ServingConfig
from millstream.serving.run import name_of
from millstream.serving.tensors import InferRequest


def tensor(data: Any, datatype: str = "FP64", shape: list[int] | None = None, name: str = "x") -> dict[str, Any]:
    return {"name": name, "shape": [len(data)] if shape is None else shape, "datatype": datatype, "data": data}


def read(*inputs: dict[str, Any], schema: Schema | None = None, **more: Any) -> tuple[Any, Any]:
    return InferRequest(json.dumps({"inputs": list(inputs), **more}).encode(), schema).read()


def test_one_tensor_is_an_array_and_several_are_named() -> None:
    data, params = read(tensor([1, 2, 3, 4], "INT32", [2, 2]), parameters={"p": 1})
    np.testing.assert_array_equal(data, np.array([[1, 2], [3, 4]], dtype="int32"))
    assert data.dtype == np.int32 and params == {"p": 1}
    data, params = read(tensor([1.5, None]), tensor(["a", "b"], "BYTES", name="y"))
    assert list(data) == ["x", "y"] and np.isnan(data["x"][1]) and data["y"].tolist() == ["a", "b"] and params is None
    named = Schema([TensorSpec(np.dtype("float64"), (-1,), "x")])
    assert list(read(tensor([1.5]), schema=named)[0]) == ["x"]


def test_a_model_with_columns_gets_a_table() -> None:
    schema = Schema([ColSpec("double", "a"), ColSpec("double", "b")])
    expected = pd.DataFrame({"a": [1.0, 3.0], "b": [2.0, 4.0]})
    pd.testing.assert_frame_equal(read(tensor([[1, 2], [3, 4]], shape=[2, 2]), schema=schema)[0], expected)
    columns = tensor([1, 3], name="a"), tensor([[2], [4]], shape=[2, 1], name="b")
    pd.testing.assert_frame_equal(read(*columns, schema=schema)[0], expected)
    with pytest.raises(BadRequest, match="different numbers of rows"):
        read(tensor([1, 3], name="a"), tensor([2], name="b"), schema=schema)


@pytest.mark.parametrize(("inputs", "told"), [
    ([tensor([1, 2], shape=[3])], "holds 3"), ([tensor([1], "FP128")], "datatype"), ([tensor([1.5], "INT8")], "INT8"),
    ([tensor([1000], "INT8")], "INT8"), ([tensor([1], "BOOL")], "BOOL"), ([tensor(["a"])], "FP64"),
    ([tensor([1], shape=[-1])], "shape"), ([tensor([1]), tensor([2])], "same name"), ([{"name": "x"}], "a shape"),
    ([], "no inputs"),
])
def test_what_is_wrong_is_told(inputs: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        read(*inputs)


def test_answers_are_tensors() -> None:
    request = InferRequest(json.dumps({"id": "1", "inputs": [tensor([1])], "outputs": [{"name": "b"}]}).encode(), None)
    request.read()
    frame = pd.DataFrame({"a": [1, 2], "b": [1.5, float("nan")], "c": ["x", None]})
    assert json.loads(request.answer(frame, "net")) == {
        "model_name": "net", "id": "1",
        "outputs": [{"name": "b", "datatype": "FP64", "shape": [2], "data": [1.5, None]}],
    }
    with pytest.raises(BadRequest, match="no output 'b'"):
        request.answer([1, 2], "net")
    every = InferRequest(b"", None)
    assert json.loads(every.answer(["a", "b"], "net"))["outputs"] == [
        {"name": "predictions", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]}]
    with pytest.raises(FunctionFailed, match="different lengths"):
        every.answer([[1], [1, 2]], "net")


DOUBLES = Schema([ColSpec("double", "a"), ColSpec("double", "b")])
PAIR = [tensor([1, None], name="a"), tensor([[3], [4]], shape=[2, 1], name="b")]
TABLE = [tensor([[1, 3], [None, 4]], shape=[2, 2])]


def several(*inputs: dict[str, Any], schema: Schema | None = None, arrays: Any = None, **more: Any) -> InferRequest:
    return InferRequest(json.dumps({"inputs": list(inputs), **more}).encode(), schema, arrays, alone=False)


@pytest.mark.parametrize("arrays", [None, "C", "F"])
@pytest.mark.parametrize("inputs", [PAIR, TABLE], ids=["columns", "table"])
def test_alike_requests_are_merged(inputs: list[dict[str, Any]], arrays: Any) -> None:
    one, other = (several(*inputs, schema=DOUBLES, arrays=arrays, id=number) for number in "12")
    assert one.key == other.key and one.rows == 2 and one.is_array == (arrays is not None)
    data, params = one.merged([other])
    expected = np.array([[1, 3], [np.nan, 4]] * 2)
    np.testing.assert_array_equal(np.asarray(data), expected)
    assert isinstance(data, np.ndarray if arrays else pd.DataFrame) and params is None
    if arrays:
        flags: Any = data.flags
        assert flags["F_CONTIGUOUS" if inputs is PAIR else f"{arrays}_CONTIGUOUS"]
    np.testing.assert_array_equal(np.asarray(one.read()[0]), expected[:2])
    assert (one.id, other.id) == ("1", "2")


@pytest.mark.parametrize("other", [
    [tensor([1, 2], name="b"), tensor([1, 2], name="a")], [tensor([1, 2], name="a")],
    [tensor([1, 2], "INT32", name="a"), PAIR[1]], [tensor([[1, 2, 3]] * 2, shape=[2, 3])],
])
def test_other_tensors_are_not_merged_and_the_model_gets_their_table(other: list[dict[str, Any]]) -> None:
    made = several(*other, schema=DOUBLES, arrays="C")
    assert made.key != several(*PAIR, schema=DOUBLES, arrays="C").key and not made.is_array


def test_requests_that_have_no_rows_in_common_go_alone() -> None:
    for inputs in ([tensor([1, 2], name="a"), tensor([1], name="b")], [tensor([], name="a")], [tensor([1], shape=[])]):
        assert several(*inputs).key is None
    assert several(*PAIR, parameters={"p": 1}).key != several(*PAIR).key
    assert not several(*PAIR, schema=DOUBLES, arrays="C", parameters={"p": 1}).is_array
    assert several(tensor([1.5] * 9000)).key is not None and several(tensor([1.5] * 90_000)).key is None


def test_merged_requests_hear_each_their_own() -> None:
    async def work() -> list[Any]:
        loop = asyncio.get_running_loop()
        sizes: list[int] = []

        def predict(data: Any, params: Any) -> Any:
            sizes.append(len(data))
            return pd.DataFrame({"twice": data["a"] * 2, "text": data["a"].astype(str)})

        predictions = Predictions(predict, Limits())
        predictions.start(loop)

        def ask(*numbers: float, **more: Any) -> Any:
            asked = several(tensor(list(numbers), name="a"), tensor(list(numbers), name="b"), schema=DOUBLES, **more)
            return predictions.ask(asked, loop.time() + 60, lambda made: asked.answer(made, "net"))

        try:
            found = await asyncio.gather(ask(1.0), ask(2.0, 3.0, id="7"), ask(4.0, outputs=[{"name": "other"}]),
                                         ask(5.0, outputs=[{"name": "text"}]), return_exceptions=True)
        finally:
            predictions.close()
        assert sizes == [5]
        return list(found)

    first, second, third, fourth = asyncio.run(work())
    assert [one["data"] for one in json.loads(first)["outputs"]] == [[2.0], ["1.0"]]
    assert json.loads(second)["id"] == "7" and json.loads(second)["outputs"][0]["data"] == [4.0, 6.0]
    assert isinstance(third, BadRequest) and "no output 'other'" in str(third)
    assert json.loads(fourth)["outputs"] == [{"name": "text", "datatype": "BYTES", "shape": [1], "data": ["5.0"]}]


@pytest.mark.parametrize(("uri", "name"), [
    ("models:/loan/Production", "loan"), ("models:/loan@challenger", "loan"), ("runs:/abc/net", "net"),
    ("/tmp/a/model", "model"), ("folder", "folder"), ("s3://bucket/x/net/", "net"), ("/", "model"),
])
def test_a_model_is_called_by_its_address(uri: str, name: str) -> None:
    assert name_of(uri) == name


def test_a_configuration_that_can_never_work_is_refused() -> None:
    for wrong in ({"port": 70000}, {"workers": 0}, {"host": "0.0.0.0"}):
        with pytest.raises(InvalidValue):
            ServingConfig(folder="x", **wrong)
    for limit in ({"seconds": 0.0}, {"seconds": float("nan")}, {"queue": 0}, {"batch_rows": 0}):
        with pytest.raises(InvalidValue):
            Limits(**limit)
    assert ServingConfig(folder="x", host="0.0.0.0", no_sign_in=True).port == 5000
