"""CatBoost models as folders: what is written, what comes back, and what is for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris

import millstream.catboost
import millstream.pyfunc
from millstream.errors import BadModel, CorruptModel, InvalidValue, NotSupported
from millstream.models.mlmodel import Model
from tests.isolation import isolated

X, y = load_iris(return_X_y=True, as_frame=True)
SMALL: dict[str, Any] = {
    "iterations": 3, "depth": 2, "verbose": 0, "allow_writing_files": False, "thread_count": 1,
}


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with isolated(tmp_path, monkeypatch):
        yield


@pytest.fixture(scope="module")
def classifier() -> catboost.CatBoostClassifier:
    return catboost.CatBoostClassifier(**SMALL).fit(X, y)


@pytest.fixture(scope="module")
def regressor() -> catboost.CatBoostRegressor:
    return catboost.CatBoostRegressor(**SMALL).fit(X.to_numpy(), y)


def test_a_model_comes_back_as_it_was(classifier: catboost.CatBoostClassifier) -> None:
    millstream.catboost.save_model(classifier, "model", metadata={"owner": "me"})
    loaded = millstream.catboost.load_model("model")
    assert type(loaded) is catboost.CatBoostClassifier
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    told = Model.load("model")
    assert told.metadata == {"owner": "me"}
    assert told.flavors["catboost"] == {
        "code": None, "data": "model.cb", "model_type": "CatBoostClassifier", "save_format": "cbm",
        "catboost_version": catboost.__version__,
    }
    assert told.flavors["python_function"]["data"] == "model.cb"
    requirements = Path("model/requirements.txt").read_text()
    assert "catboost==" in requirements


@pytest.mark.parametrize("form", ["cbm", "json", "onnx"])
def test_formats_that_load_again(form: str, regressor: catboost.CatBoostRegressor) -> None:
    millstream.catboost.save_model(regressor, "model", format=form)
    loaded = millstream.pyfunc.load_model("model").predict(X.to_numpy())
    np.testing.assert_allclose(loaded, regressor.predict(X.to_numpy()), atol=1e-6)


@pytest.mark.parametrize("form", ["cpp", "python", "pmml"])
def test_formats_for_other_programs_are_kept_and_not_loaded(
    form: str, regressor: catboost.CatBoostRegressor
) -> None:
    millstream.catboost.save_model(regressor, "model", format=form)
    assert Path("model/model.cb").stat().st_size > 100
    assert list(Model.load("model").flavors) == ["catboost"]
    with pytest.raises(NotSupported, match=f"CatBoost's format {form}"):
        millstream.catboost.load_model("model")
    with pytest.raises(BadModel, match="python_function"):
        millstream.pyfunc.load_model("model")


def test_columns_of_categories_go_along() -> None:
    frame = pd.DataFrame({"colour": ["red", "blue"] * 20, "size": np.arange(40.0)})
    model = catboost.CatBoostClassifier(cat_features=["colour"], **SMALL).fit(frame, frame["colour"] == "red")
    millstream.catboost.save_model(model, "model", input_example=frame[:3])
    loaded = millstream.pyfunc.load_model("model")
    np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))
    schema: Any = loaded.metadata.get_input_schema()
    assert [column["type"] for column in schema.to_dict()] == ["string", "double"]
    assert isinstance(loaded.get_raw_model(), catboost.CatBoostClassifier)


def test_a_class_derived_from_one_of_catboosts_is_read_as_that_one() -> None:
    class Mine(catboost.CatBoostRegressor):  # type: ignore[misc, unused-ignore]
        pass

    millstream.catboost.save_model(Mine(**SMALL).fit(X, y), "model")
    assert type(millstream.catboost.load_model("model")) is catboost.CatBoostRegressor


def test_what_is_refused(classifier: catboost.CatBoostClassifier) -> None:
    with pytest.raises(InvalidValue, match="a model of CatBoost is expected, not dict"):
        millstream.catboost.save_model({}, "model")
    with pytest.raises(InvalidValue, match="format"):
        millstream.catboost.save_model(classifier, "model", format="stone")
    assert not Path("model").exists()
    millstream.catboost.save_model(classifier, "model")
    Path("model/manifest.json").unlink()
    Path("model/model.cb").write_bytes(b"no trees")
    with pytest.raises(CorruptModel, match=r"CatBoost does not read .*model\.cb"):
        millstream.catboost.load_model("model")
    told = Model.load("model")
    told.flavors["catboost"]["model_type"] = "Popen"
    told.save("model/MLmodel")
    with pytest.raises(BadModel, match="Popen, which is no class of models of CatBoost"):
        millstream.catboost.load_model("model")


def test_a_model_is_logged(classifier: catboost.CatBoostClassifier) -> None:
    with millstream.start_run() as run:
        info = millstream.catboost.log_model(classifier, name="trees", format="json", input_example=X[:2])
    assert (info.name, info.run_id) == ("trees", run.info.run_id)
    assert info.flavors["catboost"]["save_format"] == "json"
    loaded = millstream.catboost.load_model(info.model_uri)
    np.testing.assert_array_equal(loaded.predict(X), classifier.predict(X))
    assert millstream.catboost.get_default_conda_env()["name"] == "mlflow-env"
