"""TensorFlow models across the border: each side loads what the other saved, and predicts the same."""

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
from millstream.errors import UntrustedModel
from tests.flavors.foreign import Foreign

X = np.random.default_rng(0).random((20, 2), dtype=np.float32)
FORMATS: list[dict[str, Any]] = [{}, {"save_format": "h5"}]


@pytest.fixture(scope="module")
def fitted() -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    # MLflow's h5 models are read with this spelling of the loss only.
    model.compile("adam", keras.losses.MeanSquaredError())
    model.fit(X, X[:, [0, 1, 0]], verbose=0)
    return model


class Scaled(tf.Module):  # type: ignore[misc]
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = tf.Variable(by)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])  # type: ignore[untyped-decorator]
    def __call__(self, given: Any) -> Any:
        return self.by * given


@pytest.mark.parametrize("kwargs", FORMATS, ids=["keras", "h5"])
def test_mlflow_predicts_the_same_with_a_model_saved_here(
    kwargs: dict[str, Any], fitted: Any, tmp_path: Path, foreign: Foreign
) -> None:
    millstream.tensorflow.save_model(fitted, str(tmp_path / "model"), keras_model_kwargs=kwargs, input_example=X[:2])
    expected = fitted.predict(X, verbose=0)
    np.testing.assert_allclose(foreign.predict(tmp_path / "model", X), expected, rtol=1e-5)
    own = foreign.predict(tmp_path / "model", X, "mlflow.tensorflow", "predict_on_batch")
    np.testing.assert_allclose(own, expected, rtol=1e-5)


def test_mlflow_calls_a_module_saved_here(tmp_path: Path, foreign: Foreign) -> None:
    millstream.tensorflow.save_model(Scaled(2.0), str(tmp_path / "model"), input_example=X[:2])
    np.testing.assert_array_equal(foreign.predict(tmp_path / "model", X), X * 2)
    np.testing.assert_array_equal(foreign.predict(tmp_path / "model", X, "mlflow.tensorflow", ""), X * 2)


def test_mlflow_finds_the_classes_that_go_along(tmp_path: Path, foreign: Foreign) -> None:
    class Tripled(keras.layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return inputs * 3

    made = keras.Sequential([keras.Input((2,)), Tripled()])
    millstream.tensorflow.save_model(made, str(tmp_path / "model"), pip_requirements=["keras"])
    np.testing.assert_array_equal(foreign.predict(tmp_path / "model", X), X * 3)


SAVE = """
    import mlflow.tensorflow

    mlflow.tensorflow.save_model(model, folder, keras_model_kwargs=kwargs, pip_requirements=["tensorflow"])
"""


@pytest.mark.parametrize("kwargs", FORMATS, ids=["keras", "h5"])
@pytest.mark.usefixtures("trusting")
def test_a_model_saved_by_mlflow_predicts_the_same_here(
    kwargs: dict[str, Any], fitted: Any, tmp_path: Path, foreign: Foreign
) -> None:
    uri, frame = str(tmp_path / "model"), pd.DataFrame(X, index=range(5, 25))
    foreign.run(SAVE, model=fitted, folder=uri, kwargs=kwargs)
    expected = fitted.predict(X, verbose=0)
    np.testing.assert_allclose(millstream.tensorflow.load_model(uri).predict(X, verbose=0), expected, rtol=1e-5)
    loaded = millstream.pyfunc.load_model(uri)
    np.testing.assert_allclose(loaded.predict(X), expected, rtol=1e-5)
    pd.testing.assert_frame_equal(loaded.predict(frame), foreign.predict(uri, frame), rtol=1e-5)


MODULE = """
    import tensorflow as tf
    import mlflow.tensorflow

    class Scaled(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
        def __call__(self, given):
            return 5 * given

    mlflow.tensorflow.save_model(Scaled(), folder, pip_requirements=["tensorflow"])
"""
CUSTOM = """
    import keras
    import mlflow.tensorflow

    class Doubled(keras.layers.Layer):
        def call(self, inputs):
            return inputs * 2

    @keras.saving.register_keras_serializable("foreign")
    class More(keras.layers.Layer):
        def call(self, inputs):
            return inputs * 2.5

    model = keras.Sequential([keras.Input((2,)), Doubled(), More()])
    mlflow.tensorflow.save_model(
        model, folder, custom_objects={"Doubled": Doubled}, pip_requirements=["tensorflow"]
    )
"""


@pytest.mark.parametrize("program", [MODULE, CUSTOM], ids=["module", "classes"])
def test_what_runs_code_of_mlflow_is_loaded_with_leave(
    program: str, tmp_path: Path, foreign: Foreign, tracking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = str(tmp_path / "model")
    foreign.run(program, folder=uri)
    with pytest.raises(UntrustedModel):
        millstream.tensorflow.load_model(uri)
    monkeypatch.setenv("MILLSTREAM_ALLOW_PICKLE_DESERIALIZATION", "true")
    np.testing.assert_allclose(millstream.pyfunc.load_model(uri).predict(X), X * 5)
