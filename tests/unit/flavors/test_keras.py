"""Keras models as folders: what is written, what comes back, and what runs code only with leave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import millstream.keras
import millstream.pyfunc
from millstream.errors import BadModel, CorruptModel, InvalidValue, UntrustedModel
from millstream.models.mlmodel import Model
from tests.isolation import isolated

COLUMNS = ["a", "b", "c", "d"]
X = np.random.default_rng(0).random((40, 4), dtype=np.float32)


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with isolated(tmp_path, monkeypatch):
        monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "key"))
        yield


@pytest.fixture(scope="module")
def model() -> Any:
    keras.utils.set_random_seed(0)
    made = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    made.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


@pytest.fixture(scope="module")
def two_inputs() -> Any:
    left, right = keras.Input((2,), name="left"), keras.Input((3,), name="right")
    joined = keras.layers.Concatenate()([left, right])
    return keras.Model([left, right], {"one": keras.layers.Dense(2)(joined), "two": keras.layers.Dense(1)(joined)})


def stranger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Somebody else reads from now on, who has another key."""
    monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "key of another"))


def test_a_model_comes_back_as_it_was(model: Any, tmp_path: Path) -> None:
    millstream.keras.save_model(model, "model", metadata={"owner": "me"})
    loaded = millstream.keras.load_model("model")
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))
    assert loaded.loss == "sparse_categorical_crossentropy"
    told = Model.load("model")
    assert told.metadata == {"owner": "me"}
    assert told.flavors["keras"] == {
        "code": None, "data": "data", "keras_backend": keras.backend.backend(), "keras_version": keras.__version__,
        "save_exported_model": False,
    }
    assert told.flavors["python_function"]["loader_module"] == "mlflow.keras"
    requirements = Path("model", "requirements.txt").read_text()
    assert f"keras=={keras.__version__}" in requirements and "tensorflow" in requirements
    assert "cloudpickle" not in requirements


def test_further_arguments_reach_keras(model: Any) -> None:
    millstream.keras.save_model(model, "model", save_model_kwargs={"zipped": True})
    loaded = millstream.keras.load_model("model", load_model_kwargs={"compile": False})
    assert not loaded.compiled and model.compiled


@pytest.mark.parametrize("exported", [False, True])
def test_the_python_function_gives_what_the_model_gives(exported: bool, model: Any) -> None:
    frame = pd.DataFrame(X, columns=COLUMNS, index=range(100, 140))
    expected = model.predict(X, verbose=0)
    millstream.keras.save_model(model, "model", save_exported_model=exported)
    loaded = millstream.pyfunc.load_model("model")
    for rows in (1, 3, 40):  # fewer and more than one batch
        np.testing.assert_allclose(loaded.predict(X[:rows]), expected[:rows], rtol=1e-6)
    np.testing.assert_allclose(loaded.predict(X[:2].tolist()), expected[:2], rtol=1e-6)
    told = loaded.predict(frame)
    assert isinstance(told, pd.DataFrame)
    pd.testing.assert_frame_equal(told, pd.DataFrame(expected, index=frame.index), rtol=1e-6)


def test_a_signature_is_inferred_from_the_example(model: Any) -> None:
    millstream.keras.save_model(model, "model", input_example=X[:2])
    loaded = millstream.pyfunc.load_model("model")
    assert loaded.metadata.signature is not None
    assert loaded.metadata.signature.to_dict()["inputs"] == (
        '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 4]}}]'
    )
    assert loaded.predict(pd.DataFrame(X[:2], columns=COLUMNS)).shape == (2, 3)


def test_parameters_are_those_of_keras(model: Any, capfd: pytest.CaptureFixture[str]) -> None:
    millstream.keras.save_model(model, "model", input_example=(X[:2], {"batch_size": 4, "verbose": 0}))
    loaded = millstream.pyfunc.load_model("model")
    capfd.readouterr()
    quiet = loaded.predict(X)
    assert "step" not in capfd.readouterr().out
    loud = loaded.predict(X, params={"batch_size": 8, "verbose": 1})
    assert "5/5" in capfd.readouterr().out
    np.testing.assert_allclose(quiet, loud, rtol=1e-6)


@pytest.mark.parametrize("exported", [False, True])
def test_several_inputs_and_outputs_have_names(exported: bool, two_inputs: Any) -> None:
    parts = {"left": X[:3, :2], "right": X[:3, :3]}
    expected = two_inputs.predict(parts, verbose=0)
    millstream.keras.save_model(two_inputs, "model", input_example=parts, save_exported_model=exported)
    told = millstream.pyfunc.load_model("model").predict(parts)
    assert set(told) == {"one", "two"}
    for name in told:
        np.testing.assert_allclose(told[name], expected[name], rtol=1e-6)


@keras.saving.register_keras_serializable("tests")
class Doubled(keras.layers.Layer):  # type: ignore[misc]
    def call(self, inputs: Any) -> Any:
        return inputs * 2


class Halved(keras.layers.Layer):  # type: ignore[misc]
    def call(self, inputs: Any) -> Any:
        return inputs / 2


def distance(expected: Any, predicted: Any) -> Any:
    return keras.ops.mean(keras.ops.abs(expected - predicted))


@pytest.fixture
def own_classes() -> Any:
    made = keras.Sequential([keras.Input((4,)), Doubled(), Halved(), keras.layers.Dense(2)])
    made.compile("sgd", distance, metrics=["mae", distance])
    return made


def test_classes_of_the_program_go_along(
    own_classes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    millstream.keras.save_model(own_classes, "model")
    monkeypatch.delitem(keras.saving.get_custom_objects(), "tests>Doubled")
    loaded = millstream.keras.load_model("model")
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), own_classes.predict(X, verbose=0))
    stranger(monkeypatch, tmp_path)
    with pytest.raises(UntrustedModel, match=r"custom_objects\.cloudpickle"):
        millstream.keras.load_model("model")
    given = {"tests>Doubled": Doubled, "Halved": Halved, "distance": distance}
    assert millstream.keras.load_model("model", custom_objects=given).count_params() == own_classes.count_params()


def test_a_lambda_runs_only_with_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda inputs: inputs * 3)])
    millstream.keras.save_model(made, "model")
    np.testing.assert_array_equal(millstream.pyfunc.load_model("model").predict(X), X * 3)
    with pytest.raises(BadModel, match="safe_mode"):
        millstream.keras.load_model("model", load_model_kwargs={"safe_mode": True})
    stranger(monkeypatch, tmp_path)
    for options in ({}, {"safe_mode": False}):
        with pytest.raises(UntrustedModel, match=r"model\.keras"):
            millstream.keras.load_model("model", load_model_kwargs=options)


def test_an_exported_model_is_a_program(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    millstream.keras.save_model(model, "model", save_exported_model=True)
    assert millstream.keras.load_model("model").serve(X).shape == (40, 3)
    stranger(monkeypatch, tmp_path)
    with pytest.raises(UntrustedModel):
        millstream.keras.load_model("model")


@pytest.mark.skipif(tuple(map(int, keras.__version__.split(".")[:2])) < (3, 14), reason="its safe mode is none")
def test_a_plain_model_of_a_stranger_loads(model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    millstream.keras.save_model(model, "model")
    stranger(monkeypatch, tmp_path)
    assert millstream.keras.load_model("model").count_params() == model.count_params()


def test_an_older_keras_reads_nothing_of_a_stranger(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    millstream.keras.save_model(model, "model")
    monkeypatch.setattr(keras, "__version__", "3.13.1")
    assert millstream.keras.load_model("model").count_params() == model.count_params()
    stranger(monkeypatch, tmp_path)
    with pytest.raises(UntrustedModel, match=r"model\.keras"):
        millstream.keras.load_model("model")


def test_a_class_that_is_nowhere_is_told(own_classes: Any) -> None:
    millstream.keras.save_model(own_classes, "model")
    for name in ("data/custom_objects.cloudpickle", "data/global_custom_objects.cloudpickle", "manifest.json"):
        Path("model", name).unlink()
    with pytest.raises(BadModel, match=r"Could not locate class 'Halved'") as told:
        millstream.keras.load_model("model")
    assert "custom_objects=" in str(told.value.hint)


def test_a_changed_byte_is_refused(model: Any) -> None:
    millstream.keras.save_model(model, "model")
    file = Path("model", "data", "model.keras")
    content = bytearray(file.read_bytes())
    content[-30] ^= 1
    file.write_bytes(content)
    with pytest.raises(CorruptModel, match=r"data/model\.keras"):
        millstream.keras.load_model("model")


def test_what_is_no_keras_model_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"builtins\.dict"):
        millstream.keras.save_model({}, "model")
    assert not Path("model").exists()


def test_a_logged_model_is_found_by_its_address(model: Any) -> None:
    with millstream.start_run() as run:
        info = millstream.keras.log_model(model, name="classifier", input_example=X[:2])
    expected = model.predict(X, verbose=0)
    for uri in (info.model_uri, f"runs:/{run.info.run_id}/classifier"):
        np.testing.assert_array_equal(millstream.keras.load_model(uri).predict(X, verbose=0), expected)


def test_the_default_requirements_name_keras() -> None:
    assert f"keras=={keras.__version__}" in millstream.keras.get_default_pip_requirements()
    assert any("keras" in str(one) for one in millstream.keras.get_default_conda_env()["dependencies"])
