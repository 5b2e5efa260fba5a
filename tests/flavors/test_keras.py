"""Keras models across the border: each side loads what the other saved, and predicts the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import millstream
import millstream.keras
import millstream.pyfunc
from millstream.errors import UntrustedModel
from tests.flavors.foreign import Foreign, ForeignError

X = np.random.default_rng(0).random((40, 4), dtype=np.float32)
PARTS = {"left": X[:, :2], "right": X[:, 1:]}


@pytest.fixture(scope="module")
def fitted() -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, activation="relu"), keras.layers.Dense(3)])
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(X, X[:, :3], epochs=1, verbose=0)
    return model


@pytest.fixture(scope="module")
def two_inputs() -> Any:
    keras.utils.set_random_seed(0)
    left, right = keras.Input((2,), name="left"), keras.Input((3,), name="right")
    return keras.Model([left, right], keras.layers.Dense(2)(keras.layers.Concatenate()([left, right])))


# Saved here, loaded there.


@pytest.mark.parametrize("exported", [False, True])
def test_mlflow_predicts_the_same_with_a_model_saved_here(
    exported: bool, fitted: Any, tmp_path: Path, foreign: Foreign
) -> None:
    expected = fitted.predict(X, verbose=0)
    millstream.keras.save_model(fitted, str(tmp_path / "model"), save_exported_model=exported, input_example=X[:2])
    np.testing.assert_allclose(foreign.predict(tmp_path / "model", X), expected, rtol=1e-5)
    own = foreign.predict(tmp_path / "model", X, "mlflow.keras", "serve" if exported else "predict_on_batch")
    np.testing.assert_allclose(own, expected, rtol=1e-5)


def test_mlflow_trains_on_with_a_model_saved_here(fitted: Any, tmp_path: Path, foreign: Foreign) -> None:
    millstream.keras.save_model(fitted, str(tmp_path / "model"))
    program = """
        import mlflow.keras

        model = mlflow.keras.load_model(folder)
        history = model.fit(X, X[:, :3], epochs=1, shuffle=False, verbose=0).history
        result = int(model.optimizer.iterations), sorted(history)
    """
    batches, metrics = foreign.run(program, folder=str(tmp_path / "model"), X=X)
    assert batches == int(fitted.optimizer.iterations) + 2 and metrics == ["loss", "mae"]


def test_mlflow_predicts_with_several_inputs(two_inputs: Any, tmp_path: Path, foreign: Foreign) -> None:
    millstream.keras.save_model(two_inputs, str(tmp_path / "model"), input_example=PARTS)
    expected = two_inputs.predict(PARTS, verbose=0)
    np.testing.assert_allclose(foreign.predict(tmp_path / "model", PARTS), expected, rtol=1e-5)


def test_mlflow_loads_a_model_logged_here_from_our_server(fitted: Any, served: str, foreign: Foreign) -> None:
    with millstream.start_run():
        info = millstream.keras.log_model(fitted, name="model", input_example=X[:2])
    program = """
        import mlflow

        mlflow.set_tracking_uri(server)
        result = mlflow.pyfunc.load_model(uri).predict(data)
        mlflow.set_tracking_uri(None)
    """
    told = foreign.run(program, server=served, uri=info.model_uri, data=X)
    np.testing.assert_allclose(told, fitted.predict(X, verbose=0), rtol=1e-5)


# Saved there, loaded here.


SAVE = """
    import mlflow
    import mlflow.keras

    if data is not None:
        signature = mlflow.models.infer_signature(data, model.predict(data, verbose=0))
        options = {**options, "signature": signature}
    mlflow.keras.save_model(model, folder, pip_requirements=["keras"], **options)
"""


@pytest.mark.parametrize("exported", [False, True])
@pytest.mark.usefixtures("trusting")
def test_a_model_saved_by_mlflow_predicts_the_same_here(
    exported: bool, fitted: Any, tmp_path: Path, foreign: Foreign
) -> None:
    uri = str(tmp_path / "model")
    foreign.run(SAVE, model=fitted, folder=uri, data=X, options={"save_exported_model": exported})
    expected = fitted.predict(X, verbose=0)
    loaded = millstream.pyfunc.load_model(uri)
    np.testing.assert_allclose(loaded.predict(X), expected, rtol=1e-5)
    np.testing.assert_allclose(loaded.predict(pd.DataFrame(X)), expected, rtol=1e-5)
    own = millstream.keras.load_model(uri)
    np.testing.assert_allclose(own.serve(X) if exported else own.predict(X, verbose=0), expected, rtol=1e-5)


@pytest.mark.usefixtures("trusting")
def test_a_model_of_several_inputs_saved_by_mlflow(two_inputs: Any, tmp_path: Path, foreign: Foreign) -> None:
    uri = str(tmp_path / "model")
    foreign.run(SAVE, model=two_inputs, folder=uri, data=PARTS, options={})
    told = millstream.pyfunc.load_model(uri).predict(PARTS)
    np.testing.assert_allclose(told, two_inputs.predict(PARTS, verbose=0), rtol=1e-5)


@pytest.mark.usefixtures("trusting")
def test_a_table_in_is_a_table_out_on_both_sides(fitted: Any, tmp_path: Path, foreign: Foreign) -> None:
    uri, frame = str(tmp_path / "model"), pd.DataFrame(X[:3], columns=list("abcd"), index=[5, 6, 7])
    foreign.run(SAVE, model=fitted, folder=uri, data=None, options={})
    pd.testing.assert_frame_equal(
        millstream.pyfunc.load_model(uri).predict(frame), foreign.predict(uri, frame), rtol=1e-5
    )


def test_a_lambda_of_mlflow_runs_only_with_leave(
    tmp_path: Path, foreign: Foreign, tracking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = """
        import keras
        import mlflow.keras

        model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda inputs: inputs * 2)])
        mlflow.keras.save_model(model, folder, pip_requirements=["keras"])
    """
    uri = str(tmp_path / "model")
    foreign.run(program, folder=uri)
    with pytest.raises(UntrustedModel, match=r"model\.keras"):
        millstream.keras.load_model(uri)
    monkeypatch.setenv("MILLSTREAM_ALLOW_PICKLE_DESERIALIZATION", "true")
    np.testing.assert_array_equal(millstream.pyfunc.load_model(uri).predict(X), X * 2)
    with pytest.raises(ForeignError, match="Lambda"):
        foreign.predict(uri, X)  # there is no way to allow it there
