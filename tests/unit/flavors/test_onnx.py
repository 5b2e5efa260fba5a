"""ONNX models, and those of scikit-learn and PyTorch that become one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import onnx as library
import pandas
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from millstream import onnx, pyfunc
from millstream.errors import CorruptModel, InvalidValue
from millstream.models import manifest

X, Y = load_iris(return_X_y=True)
X = X.astype("float32")


@pytest.fixture(scope="module")
def classifier() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)


def test_a_classifier_of_scikit_learn(classifier: Any, tmp_path: Path) -> None:
    onnx.save_model(onnx.from_sklearn(classifier, X), tmp_path / "model", input_example=X[:2])
    predicted = pyfunc.load_model(str(tmp_path / "model")).predict(X)
    assert predicted["label"].tolist() == classifier.predict(X).tolist()
    numpy.testing.assert_allclose(predicted["probabilities"], classifier.predict_proba(X), atol=1e-5)
    loaded = onnx.load_model(str(tmp_path / "model"))
    assert isinstance(loaded, library.ModelProto)


def test_a_regression_on_a_frame_has_a_column(tmp_path: Path) -> None:
    frame = pandas.DataFrame(X[:, :3], columns=list("abc"), index=range(5, 155))
    model = LinearRegression().fit(frame, X[:, 3])
    onnx.save_model(onnx.from_sklearn(model, frame), tmp_path / "model")
    predicted = pyfunc.load_model(str(tmp_path / "model")).predict(frame.astype("float64"))
    assert predicted.index.tolist() == frame.index.tolist()
    numpy.testing.assert_allclose(predicted["variable"], model.predict(frame), atol=1e-5)


def test_options_of_the_session(classifier: Any, tmp_path: Path) -> None:
    options = {"graph_optimization_level": 99, "execution_mode": "sequential", "intra_op_num_threads": 1,
               "extra_session_config": {"session.set_denormal_as_zero": "1"}}
    model = onnx.from_sklearn(classifier, X)
    onnx.save_model(model, tmp_path / "model", onnx_session_options=options)
    session = pyfunc.load_model(str(tmp_path / "model")).get_raw_model()
    assert session.get_session_options().intra_op_num_threads == 1
    with pytest.raises(InvalidValue, match="no such option"):
        onnx.save_model(model, tmp_path / "other", onnx_session_options={"speed": 9}, input_example=X[:1])
        pyfunc.load_model(str(tmp_path / "other"))


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match=r"onnx\.ModelProto is expected, not int"):
        onnx.save_model(3, tmp_path / "model")
    with pytest.raises(InvalidValue, match="not valid ONNX"):
        onnx.save_model(library.ModelProto(), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_broken_file(classifier: Any, tmp_path: Path) -> None:
    onnx.save_model(onnx.from_sklearn(classifier, X), tmp_path / "model")
    (tmp_path / "model" / "model.onnx").write_bytes(b"broken")
    with pytest.raises(CorruptModel, match=r"model\.onnx"):
        onnx.load_model(str(tmp_path / "model"))
    (tmp_path / "model" / manifest.FILE).unlink()
    with pytest.raises(CorruptModel, match="onnxruntime does not take"):
        pyfunc.load_model(str(tmp_path / "model"))


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    frame = pandas.DataFrame(X, columns=list("abcd"))
    columns = make_column_transformer((StandardScaler(), ["a", "b"]), ("passthrough", ["c", "d"]))
    fitted = make_pipeline(columns, LinearRegression()).fit(frame, Y)
    onnx.save_model(onnx.from_sklearn(fitted, frame), tmp_path / "model")
    model = pyfunc.load_model(str(tmp_path / "model"))
    numpy.testing.assert_allclose(model.predict(frame)["variable"], fitted.predict(frame), atol=1e-5)
    with pytest.raises(InvalidValue, match="'d'"):
        model.predict({name: X[:, :1] for name in "abc"})


# onnxscript takes names from onnx that are going, and torch advises on a library that nobody asked for.
@pytest.mark.filterwarnings("ignore::DeprecationWarning:onnxscript")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
def test_a_module_of_pytorch(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.ReLU())
    onnx.save_model(onnx.from_torch(net, torch.from_numpy(X[:2])), tmp_path / "model")
    (predicted,) = pyfunc.load_model(str(tmp_path / "model")).predict(X).values()
    numpy.testing.assert_allclose(predicted, net(torch.from_numpy(X)).detach().numpy(), atol=1e-5)
