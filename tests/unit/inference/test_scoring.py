"""Columns of Arrow reach a model in its own form, by the shortest way, and the same in another process."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression

import millstream.pyfunc
import millstream.sklearn
from millstream.errors import EnvironmentFailed, FunctionFailed, SchemaMismatch, UntrustedModel
from millstream.inference.scoring import Scorer
from millstream.inference.scoring_process import Order, ScoringProcess, type_from, type_text
from millstream.models import ModelSignature
from millstream.models.schema import (
    Array,
    ColSpec,
    Map,
    Object,
    ParamSchema,
    ParamSpec,
    Property,
    Schema,
    TensorSpec,
)
from tests.unit.inference.showing import showing

X, Y = pa.array([1.0, None, 3.0]), pa.array([4.0, 5.0, 6.0])
ASKING = ModelSignature(None, None, ParamSchema([ParamSpec("show", "string", "nothing")]))
DOUBLES = Schema([ColSpec("double", "x"), ColSpec("double", "y")])


def scorer(folder: Path, signature: ModelSignature | None = None, **options: Any) -> Scorer:
    """Of a model that answers with what it was given."""
    model = millstream.pyfunc.save_model(folder, python_model=showing(), signature=signature, pip_requirements=[])
    assert model is None
    return Scorer(millstream.pyfunc.load_model(str(folder)), pa.string(), **options)


@pytest.mark.parametrize(("inputs", "columns", "shown"), [
    (None, [X, Y], "frame 0: float64, 1: float64"),
    (None, [pa.StructArray.from_arrays([Y, X], ["y", "x"])], "frame y: float64, x: float64"),
    (DOUBLES, [Y, X], "frame x: float64, y: float64"),
    (DOUBLES, [Y, X, Y], "frame x: float64, y: float64"),
    (DOUBLES, [pa.StructArray.from_arrays([Y, Y, X], ["y", "z", "x"])], "frame x: float64, y: float64"),
    (Schema([ColSpec("double"), ColSpec("double")]), [X, Y], "frame 0: float64, 1: float64"),
    (Schema([ColSpec("long", "n"), ColSpec("boolean", "b"), ColSpec("datetime", "t"), ColSpec("binary", "z")]),
     [pa.array([1, 2, 3]), pa.array([True] * 3), pa.array([0] * 3, pa.timestamp("us", "UTC")), pa.array([b"a"] * 3)],
     "frame n: int64, b: bool, t: datetime64[ns], z: object"),
    (Schema([ColSpec(Array("double"), "a")]), [pa.array([[1.0], [2.0], []])], "frame a: object"),
    (Schema([ColSpec(Map("long"), "m")]), [pa.array([[("k", 1)]] * 3, pa.map_(pa.string(), pa.int64()))],
     "frame m: object"),
    (Schema([ColSpec(Object([Property("p", "long")]), "o")]), [pa.array([{"p": 1}] * 3)], "frame o: object"),
    (Schema([TensorSpec(np.dtype("float32"), (-1, 2, 1))]), [pa.array([[1.0, 2.0]] * 3)], "array float32 (3, 2, 1)"),
    (Schema([TensorSpec(np.dtype("float64"), (-1, 2))]), [Y, Y], "array float64 (3, 2)"),
    (Schema([TensorSpec(np.dtype("int64"), (-1,))]), [pa.array([1, 2, 3])], "array int64 (3,)"),
    (Schema([TensorSpec(np.dtype("float64"), (-1, 1, 2))]), [pa.array([[[1.0, 2.0]]] * 3)], "array float64 (3, 1, 2)"),
    (Schema([TensorSpec(np.dtype("float64"), (-1, 2), "a"), TensorSpec(np.dtype("int64"), (-1,), "b")]),
     [pa.StructArray.from_arrays([pa.array([1, 2, 3]), pa.array([[1.0, 2.0]] * 3)], ["b", "a"])],
     "a: array float64 (3, 2), b: array int64 (3,)"),
    (Schema([TensorSpec(np.dtype("float64"), (-1, 2), "a"), TensorSpec(np.dtype("int64"), (-1,), "b")]),
     [pa.array([[1.0, 2.0]] * 3), pa.array([1, 2, 3])], "a: array float64 (3, 2), b: array int64 (3,)"),
])
def test_columns_in_the_form_that_the_model_takes(
    inputs: Schema | None, columns: list[pa.Array], shown: str, tmp_path: Path
) -> None:
    score = scorer(tmp_path / "model", None if inputs is None else ModelSignature(inputs))
    assert score(columns).to_pylist() == [shown] * 3


@pytest.mark.parametrize(("inputs", "columns", "said"), [
    (DOUBLES, [X], "takes 2 columns, found 1"),
    (DOUBLES, [pa.StructArray.from_arrays([Y], ["y"])], "'x'"),
    (DOUBLES, [X, pa.array(["a"] * 3)], "'y' should be double"),
    (Schema([TensorSpec(np.dtype("float64"), (-1, 2))]), [pa.array([[1.0]] * 3)], "rows of 1 elements"),
    (Schema([TensorSpec(np.dtype("float64"), (-1, 2))]), [pa.array([[1.0, 2.0], [1.0], []])], "rows of 2 and of 1"),
    (Schema([TensorSpec(np.dtype("float64"), (-1, 2))]), [pa.array([[1.0, 2.0], None, None])], "missing in 2 of 3"),
    (Schema([TensorSpec(np.dtype("float64"), (-1, 2), "a"), TensorSpec(np.dtype("int64"), (-1,), "b")]),
     [pa.array([[1.0, 2.0]] * 3)], "takes 2 arrays, found 1"),
    (Schema([TensorSpec(np.dtype("float64"), (-1, 2), "a"), TensorSpec(np.dtype("int64"), (-1,), "b")]),
     [pa.StructArray.from_arrays([Y], ["b"])], "['a'] are missing"),
])
def test_columns_that_do_not_fit(inputs: Schema, columns: list[pa.Array], said: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaMismatch) as caught:
        scorer(tmp_path / "model", ModelSignature(inputs))(columns)
    assert said in caught.value.message


def test_times_are_those_of_their_zone(tmp_path: Path) -> None:
    score = scorer(tmp_path / "model", ASKING, params={"show": "values"})
    times = pa.array([0], pa.timestamp("us", "Asia/Tokyo"))
    assert score([times]).to_pylist() == ["1970-01-01 09:00:00"]


def test_params_go_along_and_no_rows_are_no_call(tmp_path: Path) -> None:
    assert scorer(tmp_path / "a", ASKING)([Y]).to_pylist() == ["nothing"] * 3
    assert scorer(tmp_path / "b", ASKING, params={"show": "q"})([Y]).to_pylist() == ["q"] * 3
    assert scorer(tmp_path / "c", ASKING, params={"show": "fail"})([Y[:0]]).to_pylist() == []


@pytest.fixture
def regression(tmp_path: Path) -> tuple[Any, Path]:
    table = pd.DataFrame({"x": [1.0, 2.0, 4.0], "y": [3.0, 1.0, 2.0]})
    fitted = LinearRegression().fit(table, [1.0, 2.0, 3.0])
    millstream.sklearn.save_model(fitted, tmp_path / "regression", input_example=table)
    return fitted, tmp_path / "regression"


def test_numbers_reach_an_estimator_without_a_table(
    regression: tuple[Any, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted, folder = regression
    model = millstream.pyfunc.load_model(str(folder))
    score = Scorer(model, pa.float64())
    monkeypatch.setattr(model, "predict", lambda *given: pytest.fail("it was given a table"))
    table = pd.DataFrame({"x": [1.0, 7.0, 3.0], "y": Y.to_numpy()})
    for columns in (
        [pa.array(table["x"]), Y], [pa.StructArray.from_arrays([Y, pa.array(table["x"]), X], ["y", "x", "z"])],
    ):
        assert score(columns).to_pylist() == fitted.predict(table).tolist()
    monkeypatch.undo()
    whole = pa.array([1, 7, 3], pa.int32())  # which the signature widens
    assert score([whole, Y]).to_pylist() == fitted.predict(table).tolist()


@pytest.fixture
def variables() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith("COV")}


def test_another_process_scores_the_same(regression: tuple[Any, Path], variables: dict[str, str]) -> None:
    fitted, folder = regression
    process = ScoringProcess(
        Path(sys.executable), Order(folder=str(folder), result=type_text(pa.list_(pa.float32()))), variables)
    try:
        for rows in (3, 100_000):
            table = pd.DataFrame(np.random.default_rng(0).normal(size=(rows, 2)), columns=["x", "y"])
            found = process([pa.array(table["x"]), pa.array(table["y"])])
            assert found.type == pa.list_(pa.float32())
            assert np.allclose(found.flatten().to_numpy(), fitted.predict(table), rtol=1e-6)
        with pytest.raises(SchemaMismatch, match="takes 2 columns"):
            process([X])
        one = pd.DataFrame({"x": [1.0], "y": [4.0]})
        assert process([X[:1], Y[:1]]).to_pylist() == [pytest.approx(fitted.predict(one).tolist())]
    finally:
        process.close()
    assert not process.is_running


def test_a_process_that_dies_or_may_not_load(tmp_path: Path, variables: dict[str, str]) -> None:
    millstream.pyfunc.save_model(
        tmp_path / "model", python_model=showing(), signature=ASKING, pip_requirements=[])
    order = Order(folder=str(tmp_path / "model"), result=type_text(pa.string()), params={"show": "die"}, trusted=True)
    process = ScoringProcess(Path(sys.executable), order, variables)
    with pytest.raises(EnvironmentFailed, match="status 3"):
        process([X])
    failing = ScoringProcess(
        Path(sys.executable), msgspec.structs.replace(order, params={"show": "fail"}), variables)
    with pytest.raises(FunctionFailed, match="ZeroDivisionError: as asked"):
        failing([X])
    failing.close()
    stranger = {**variables, "MILLSTREAM_KEY_FILE": str(tmp_path / "key")}
    with pytest.raises(UntrustedModel):
        ScoringProcess(Path(sys.executable), msgspec.structs.replace(order, trusted=False), stranger)


def test_types_go_over_as_text() -> None:
    for kind in (pa.float64(), pa.list_(pa.string()), pa.struct([("a", pa.list_(pa.int32())), ("b", pa.bool_())]),
                 pa.timestamp("us", "UTC")):
        assert type_from(type_text(kind)) == kind
