"""Tables of Arrow get a model's predictions as further columns; a predictor of Ray is made of a model's files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import millstream.pyfunc
from millstream.errors import FunctionFailed, InvalidValue
from millstream.inference import ray
from millstream.inference.batches import with_predictions
from millstream.models import ModelSignature
from millstream.models.schema import ColSpec, Schema, TensorSpec

TABLE = pa.table({"id": ["a", "b"], "x": [1.0, 2.0], "y": [3.0, 4.0]})
COLUMNS = ModelSignature(Schema([ColSpec("double", "y"), ColSpec("double", "x")]))


def saved(folder: Path, function: object, signature: ModelSignature | None = COLUMNS) -> Path:
    millstream.pyfunc.save_model(folder, python_model=function, signature=signature, pip_requirements=[])
    return folder


def test_predictions_stand_beside_the_columns(tmp_path: Path) -> None:
    def both(model_input):  # type: ignore[no-untyped-def]
        return model_input[["y", "x"]].rename(columns={"y": "second", "x": "first"}) * 2

    model = millstream.pyfunc.load_model(str(saved(tmp_path / "model", both)))
    found = with_predictions(model, TABLE, keep=["id"])
    assert found.to_pydict() == {"id": ["a", "b"], "second": [6.0, 8.0], "first": [2.0, 4.0]}
    assert with_predictions(model, TABLE).column_names == ["id", "x", "y", "second", "first"]
    taken = TABLE.append_column("first", pa.array([0, 0]))
    with pytest.raises(InvalidValue, match="'first'"):
        with_predictions(model, taken)


def test_lists_tensors_and_predictions_that_are_no_rows(tmp_path: Path) -> None:
    def twice(model_input):  # type: ignore[no-untyped-def]
        return model_input * 2

    tensors = ModelSignature(Schema([TensorSpec(np.dtype("float64"), (-1, 2))]))
    model = millstream.pyfunc.load_model(str(saved(tmp_path / "tensors", twice, tensors)))
    lists = pa.table({"a": [[1.0, 2.0], [3.0, 4.0]]})
    assert with_predictions(model, lists, keep=[]).to_pydict() == {
        "prediction_0": [2.0, 6.0], "prediction_1": [4.0, 8.0]}

    def ragged(model_input):  # type: ignore[no-untyped-def]
        return [[1.0], [1.0, 2.0]]

    model = millstream.pyfunc.load_model(str(saved(tmp_path / "lists", ragged)))
    assert with_predictions(model, TABLE, keep=[]).to_pydict() == {"prediction": [[1.0], [1.0, 2.0]]}
    with pytest.raises(FunctionFailed, match="list that is not one for each of 1 rows"):
        with_predictions(model, TABLE[:1])


def test_a_predictor_of_ray_is_made_of_files(tmp_path: Path) -> None:
    def total(model_input):  # type: ignore[no-untyped-def]
        return (model_input["x"] + model_input["y"]).to_numpy()

    content = ray._packed(saved(tmp_path / "model", total))
    predictor = ray.Predictor(content, True, None, None, ["id"])
    assert predictor(TABLE).to_pandas().equals(pd.DataFrame({"id": ["a", "b"], "prediction": [4.0, 6.0]}))
