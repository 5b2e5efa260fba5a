"""TensorFlow models as folders: Keras models in MLflow's other form, and modules as SavedModels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import millstream.pyfunc
import millstream.tensorflow
from millstream.errors import BadModel, InvalidValue, UntrustedModel
from millstream.models.mlmodel import Model
from tests.isolation import isolated

X = np.random.default_rng(0).random((5, 2), dtype=np.float32)


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with isolated(tmp_path, monkeypatch):
        monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "key"))
        yield


@pytest.fixture(scope="module")
def model() -> Any:
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    made.compile("sgd", "mean_squared_error")
    return made


class Scaled(tf.Module):  # type: ignore[misc]
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = tf.Variable(by)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])  # type: ignore[untyped-decorator]
    def __call__(self, given: Any) -> Any:
        return self.by * given


class Named(tf.Module):  # type: ignore[misc]
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)] * 2)  # type: ignore[untyped-decorator]
    def run(self, left: Any, right: Any) -> Any:
        return {"sum": left + right, "product": left * right}


@pytest.mark.parametrize(("form", "file"), [(None, "model.keras"), ("keras", "model.keras"), ("h5", "model.h5")])
def test_a_keras_model_comes_back_as_it_was(form: str | None, file: str, model: Any) -> None:
    kwargs = {"save_format": form} if form else {}
    millstream.tensorflow.save_model(model, "model", keras_model_kwargs=kwargs)
    assert Path("model", "data", file).is_file()
    assert Path("model", "data", "keras_module.txt").read_text() == "tensorflow.keras"
    assert Path("model", "data", "save_format.txt").read_text() == (form or "tf")
    told = Model.load("model").flavors
    assert told["tensorflow"] == {
        "code": None, "data": "data", "keras_version": tf.__version__, "model_type": "keras",
        "save_format": form or "tf",
    }
    assert told["python_function"]["data"] == "data"
    expected = model.predict(X, verbose=0)
    loaded = millstream.tensorflow.load_model("model")
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), expected)
    assert type(loaded.optimizer).__name__ == "SGD"
    np.testing.assert_allclose(millstream.pyfunc.load_model("model").predict(X), expected, rtol=1e-6)


def test_custom_objects_go_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Tripled(keras.layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return inputs * 3

    made = keras.Sequential([keras.Input((2,)), Tripled()])
    millstream.tensorflow.save_model(made, "model", custom_objects={"Tripled": Tripled})
    np.testing.assert_array_equal(millstream.pyfunc.load_model("model").predict(X), X * 3)
    monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "key of another"))
    with pytest.raises(UntrustedModel):
        millstream.tensorflow.load_model("model")
    given = {"custom_objects": {"Tripled": Tripled}}
    assert millstream.tensorflow.load_model("model", keras_model_kwargs=given).count_params() == 0


def test_a_module_is_called_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    millstream.tensorflow.save_model(Scaled(2.0), "model", input_example=X)
    told = Model.load("model")
    assert told.flavors["tensorflow"] == {"code": None, "model_type": "tf2-module", "saved_model_dir": "tf2model"}
    assert told.signature is not None
    np.testing.assert_array_equal(millstream.tensorflow.load_model("model")(X).numpy(), X * 2)
    loaded = millstream.pyfunc.load_model("model")
    np.testing.assert_array_equal(loaded.predict(X), X * 2)
    np.testing.assert_array_equal(loaded.predict(pd.DataFrame(X)), X * 2)
    monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "key of another"))
    with pytest.raises(UntrustedModel, match="tf2model"):
        millstream.tensorflow.load_model("model")


def test_a_module_without_a_call_predicts_by_its_signature() -> None:
    module = Named()
    millstream.tensorflow.save_model(module, "model", saved_model_kwargs={"signatures": module.run})
    loaded = millstream.pyfunc.load_model("model")
    told = loaded.predict({"left": np.array([1.0, 2.0]), "right": np.array([3.0, 4.0])})
    assert {name: value.tolist() for name, value in told.items()} == {"sum": [4, 6], "product": [3, 8]}
    frame = pd.DataFrame({"right": [3.0, 4.0], "other": [0, 0], "left": [1.0, 2.0]}, index=[7, 8])
    pd.testing.assert_frame_equal(
        loaded.predict(frame)[["sum", "product"]],
        pd.DataFrame({"sum": [4, 6], "product": [3, 8]}, index=[7, 8], dtype="float32"),
    )
    with pytest.raises(InvalidValue, match="left, right"):
        loaded.predict({"left": np.array([1.0])})


def test_a_module_that_cannot_be_called_is_told() -> None:
    millstream.tensorflow.save_model(tf.Module(), "model")
    with pytest.raises(BadModel, match="no signature"):
        millstream.pyfunc.load_model("model").predict(X)


def test_other_objects_are_refused() -> None:
    with pytest.raises(InvalidValue, match="ResourceVariable"):
        millstream.tensorflow.save_model(tf.Variable(1.0), "model")
    assert not Path("model").exists()


def test_a_kind_of_model_that_tensorflow_2_has_not_is_told(model: Any) -> None:
    millstream.tensorflow.save_model(model, "model")
    described = Path("model", "MLmodel")
    described.write_text(described.read_text().replace("model_type: keras", "model_type: tf1-estimator"))
    Path("model", "manifest.json").unlink()
    with pytest.raises(BadModel, match="tf1-estimator"):
        millstream.tensorflow.load_model("model")


def test_a_logged_model_is_found_by_its_address(model: Any) -> None:
    with millstream.start_run() as run:
        info = millstream.tensorflow.log_model(model, name="network", custom_objects={"abs": abs})
    expected = model.predict(X, verbose=0)
    for uri in (info.model_uri, f"runs:/{run.info.run_id}/network"):
        np.testing.assert_array_equal(millstream.tensorflow.load_model(uri).predict(X, verbose=0), expected)


def test_the_default_requirements_name_tensorflow() -> None:
    assert any(one.startswith("tensorflow") for one in millstream.tensorflow.get_default_pip_requirements())
    assert any(one.startswith("cloudpickle") for one in millstream.tensorflow.get_default_pip_requirements(True))
    assert "dependencies" in millstream.tensorflow.get_default_conda_env()
    assert isinstance(millstream.tensorflow.get_global_custom_objects(), dict)
