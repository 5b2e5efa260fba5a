"""A model of Keras becomes one of ONNX. In a file of its own, so that TensorFlow is loaded where it is anyway."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy
import pytest

from millstream import onnx, pyfunc


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # tf2onnx asks NumPy and ONNX for names that are going
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_model_of_keras(tmp_path: Path) -> None:
    data = numpy.random.default_rng(1).random((5, 3), dtype=numpy.float32)
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2, activation="relu")])
    expected = model.predict(data, verbose=0)
    onnx.save_model(onnx.from_keras(model), tmp_path / "model")
    (predicted,) = pyfunc.load_model(str(tmp_path / "model")).predict(data).values()
    numpy.testing.assert_allclose(predicted, expected, atol=1e-5)
