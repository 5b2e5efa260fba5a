"""ONNX models across the border: each side loads what the other saved, and predicts the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from millstream import onnx, pyfunc
from tests.flavors.foreign import Foreign

X, Y = load_iris(return_X_y=True)
X = X.astype("float32")


def test_mlflow_predicts_the_same_with_a_model_saved_here(tmp_path: Path, foreign: Foreign) -> None:
    fitted = LogisticRegression(max_iter=500).fit(X, Y)
    onnx.save_model(onnx.from_sklearn(fitted, X), tmp_path / "model", input_example=X[:2],
                    onnx_session_options={"intra_op_num_threads": 1})
    theirs, here = foreign.predict(tmp_path / "model", X), pyfunc.load_model(str(tmp_path / "model")).predict(X)
    assert theirs.keys() == here.keys()
    for name in theirs:
        np.testing.assert_array_equal(theirs[name], here[name])
    assert here["label"].tolist() == fitted.predict(X).tolist()


def test_a_model_saved_by_mlflow_predicts_the_same_here(tmp_path: Path, foreign: Foreign) -> None:
    theirs = foreign.run(
        """
        import mlflow.onnx
        from skl2onnx import to_onnx
        from sklearn.linear_model import LogisticRegression

        fitted = LogisticRegression(max_iter=500).fit(X, Y)
        model = to_onnx(fitted, X[:1], options={"zipmap": False})
        mlflow.onnx.save_model(model, folder, input_example=X[:2], pip_requirements=["onnxruntime"])
        result = mlflow.pyfunc.load_model(folder).predict(X)
        """,
        folder=str(tmp_path / "model"), X=X, Y=Y,
    )
    here = pyfunc.load_model(str(tmp_path / "model")).predict(X)
    for name in theirs:
        np.testing.assert_array_equal(theirs[name], here[name])
