"""XGBoost models as folders: what is written, what comes back, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.datasets import load_iris

import millstream.pyfunc
import millstream.xgboost
from millstream.errors import BadModel, CorruptModel, InvalidValue, UntrustedModel
from millstream.models.mlmodel import Model
from millstream.models.signature import infer_signature
from tests.isolation import isolated

X, y = load_iris(return_X_y=True, as_frame=True)


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with isolated(tmp_path, monkeypatch):
        monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "key"))
        yield


@pytest.fixture(scope="module")
def booster() -> xgboost.Booster:
    params = {"objective": "multi:softprob", "num_class": 3, "max_depth": 2, "nthread": 1}
    return xgboost.train(params, xgboost.DMatrix(X, label=y), 3)


@pytest.fixture(scope="module")
def classifier() -> xgboost.XGBClassifier:
    return xgboost.XGBClassifier(n_estimators=3, max_depth=2, n_jobs=1).fit(X, y)


class Careful(xgboost.XGBClassifier):  # type: ignore[misc, unused-ignore]
    """An estimator of the program's own."""


@pytest.mark.parametrize("form", ["ubj", "json", "xgb"])
def test_a_booster_comes_back_as_it_was(form: str, booster: xgboost.Booster) -> None:
    millstream.xgboost.save_model(booster, "model", model_format=form, metadata={"owner": "me"})
    loaded = millstream.xgboost.load_model("model")
    assert type(loaded) is xgboost.Booster
    assert loaded.save_raw("json") == booster.save_raw("json")
    told = Model.load("model")
    assert told.metadata == {"owner": "me"}
    assert told.flavors["xgboost"] == {
        "code": None, "data": f"model.{form}", "model_class": "xgboost.core.Booster", "model_format": form,
        "xgb_version": xgboost.__version__,
    }
    assert told.flavors["python_function"]["data"] == f"model.{form}"
    assert told.flavors["python_function"]["loader_module"] == "mlflow.xgboost"


def test_an_estimator_comes_back_as_one(classifier: xgboost.XGBClassifier) -> None:
    millstream.xgboost.save_model(classifier, "model")
    loaded = millstream.xgboost.load_model("model")
    assert type(loaded) is xgboost.XGBClassifier
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))


@pytest.mark.parametrize("kind", [xgboost.XGBRegressor, xgboost.XGBRFClassifier, xgboost.XGBRFRegressor])
def test_every_estimator_is_one(kind: Any) -> None:
    model = kind(n_estimators=2, n_jobs=1).fit(X, y)
    millstream.xgboost.save_model(model, "model")
    loaded = millstream.xgboost.load_model("model")
    assert type(loaded) is kind
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_what_a_booster_needs_is_listed_by_the_name_of_its_distribution(booster: xgboost.Booster) -> None:
    millstream.xgboost.save_model(booster, "model")
    names = [line.partition("==")[0] for line in Path("model/requirements.txt").read_text().splitlines()]
    assert [name for name in names if name.startswith("xgboost")] == [
        line.partition("==")[0] for line in millstream.xgboost.get_default_pip_requirements() if "xgboost" in line
    ]
    assert len(names) == 4 and "scikit-learn" not in names


def test_an_estimator_needs_scikit_learn(classifier: xgboost.XGBClassifier) -> None:
    millstream.xgboost.save_model(classifier, "model")
    assert "scikit-learn==" in Path("model/requirements.txt").read_text()
    (pip,) = [one["pip"] for one in millstream.xgboost.get_default_conda_env()["dependencies"] if isinstance(one, dict)]
    assert any(line.startswith("xgboost") for line in pip)


# The python function.


def test_a_booster_predicts_frames(booster: xgboost.Booster) -> None:
    millstream.xgboost.save_model(booster, "model", input_example=X[:3])
    loaded = millstream.pyfunc.load_model("model")
    np.testing.assert_array_equal(loaded.predict(X), booster.predict(xgboost.DMatrix(X)))
    schema: Any = loaded.metadata.get_output_schema()
    assert schema.to_dict() == [
        {"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}}
    ]
    assert isinstance(loaded.get_raw_model(), xgboost.Booster)


def test_a_booster_predicts_categories() -> None:
    frame = pd.DataFrame({"colour": pd.Categorical(["red", "blue"] * 20), "size": np.arange(40.0)})
    labels = (frame["colour"] == "red").astype(int)
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(frame, label=labels, enable_categorical=True), 3)
    millstream.xgboost.save_model(booster, "model")
    expected = booster.predict(xgboost.DMatrix(frame, enable_categorical=True))
    np.testing.assert_array_equal(millstream.pyfunc.load_model("model").predict(frame), expected)


@pytest.mark.parametrize("kind", ["booster", "classifier"])
def test_params_are_arguments_of_predict(kind: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(kind)
    signature = infer_signature(X, params={"output_margin": False, "of_another_time": 1})
    millstream.xgboost.save_model(model, "model", signature=signature)
    margins = millstream.pyfunc.load_model("model").predict(X[:5], params={"output_margin": True})
    data = X[:5] if kind == "classifier" else xgboost.DMatrix(X[:5])
    np.testing.assert_array_equal(margins, model.predict(data, output_margin=True))


# What is refused.


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(InvalidValue, match="a Booster or an estimator of XGBoost is expected, not dict"):
        millstream.xgboost.save_model({}, "model")
    assert not Path("model").exists()


def test_a_format_that_is_no_ending_is_refused(booster: xgboost.Booster) -> None:
    with pytest.raises(InvalidValue, match="model_format"):
        millstream.xgboost.save_model(booster, "model", model_format="../x")


def test_a_file_that_is_cut_is_corrupt(booster: xgboost.Booster) -> None:
    millstream.xgboost.save_model(booster, "model")
    Path("model/manifest.json").unlink()
    file = Path("model/model.ubj")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(CorruptModel, match=r"XGBoost does not read .*model\.ubj"):
        millstream.xgboost.load_model("model")


def rewritten(**changes: str) -> None:
    """The saved model, whose maker says something else of it."""
    told = Model.load("model")
    told.flavors["xgboost"].update(changes)
    told.save("model/MLmodel")
    Path("model/manifest.json").unlink()


def test_a_class_of_another_library_is_not_made_of_a_strangers_word(booster: xgboost.Booster) -> None:
    millstream.xgboost.save_model(booster, "model")
    rewritten(model_class="subprocess.Popen")
    with pytest.raises(UntrustedModel):
        millstream.xgboost.load_model("model")


@pytest.mark.parametrize(
    ("named", "said"),
    [("xgboost.core.DMatrix", "no class of models"), ("xgboost.core.Nothing", "cannot be imported")],
)
def test_a_class_that_is_no_model_is_refused(named: str, said: str, booster: xgboost.Booster) -> None:
    millstream.xgboost.save_model(booster, "model")
    rewritten(model_class=named)
    with pytest.raises(BadModel, match=said):
        millstream.xgboost.load_model("model")


def test_a_class_of_the_programs_own_is_made_for_who_saved_it() -> None:
    model = Careful(n_estimators=2, n_jobs=1).fit(X, y)
    millstream.xgboost.save_model(model, "model")
    loaded = millstream.xgboost.load_model("model")
    assert type(loaded) is Careful
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_a_model_is_logged(booster: xgboost.Booster) -> None:
    with millstream.start_run() as run:
        info = millstream.xgboost.log_model(booster, name="trees", model_format="json", input_example=X[:2])
    assert (info.name, info.run_id) == ("trees", run.info.run_id)
    assert info.flavors["xgboost"]["model_format"] == "json"
    assert millstream.xgboost.load_model(info.model_uri).save_raw("json") == booster.save_raw("json")
