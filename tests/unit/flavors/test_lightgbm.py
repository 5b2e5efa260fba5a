"""LightGBM models as folders: what is written, what comes back, and what runs code only with leave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
from sklearn.datasets import load_iris

import millstream.lightgbm
import millstream.pyfunc
from millstream.errors import BadModel, CorruptModel, InvalidValue, UntrustedModel
from millstream.models.mlmodel import Model
from tests.isolation import isolated

X, y = load_iris(return_X_y=True, as_frame=True)
SMALL: dict[str, Any] = {"n_estimators": 3, "num_leaves": 4, "verbose": -1, "n_jobs": 1}


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with isolated(tmp_path, monkeypatch):
        monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "key"))
        yield


@pytest.fixture(scope="module")
def booster() -> lightgbm.Booster:
    params = {"objective": "multiclass", "num_class": 3, "num_leaves": 4, "verbose": -1, "num_threads": 1}
    return lightgbm.train(params, lightgbm.Dataset(X, y), 3)


@pytest.fixture(scope="module")
def classifier() -> lightgbm.LGBMClassifier:
    return lightgbm.LGBMClassifier(**SMALL).fit(X, y)


class Careful(lightgbm.LGBMClassifier):
    """An estimator of the program's own."""


def of_a_stranger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Somebody else reads from now on, who has another key."""
    monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "key of another"))


def test_a_booster_is_text_and_comes_back_as_it_was(booster: lightgbm.Booster) -> None:
    millstream.lightgbm.save_model(booster, "model")
    loaded = millstream.lightgbm.load_model("model")
    np.testing.assert_array_equal(loaded.predict(X), booster.predict(X))
    assert Path("model/model.lgb").read_text().startswith("tree\n")
    told = Model.load("model").flavors["lightgbm"]
    assert (told["data"], told["model_class"]) == ("model.lgb", "lightgbm.basic.Booster")
    assert told["lgb_version"] == lightgbm.__version__
    assert Model.load("model").flavors["python_function"]["data"] == "model.lgb"


@pytest.mark.parametrize(
    ("asked", "written", "name"),
    [(None, "skops", "model.skops"), ("skops", "skops", "model.skops"), ("cloudpickle", "cloudpickle", "model.pkl"),
     ("pickle", "pickle", "model.pkl")],
)
def test_an_estimator_comes_back_from_each_format(
    asked: str | None, written: str, name: str, classifier: lightgbm.LGBMClassifier
) -> None:
    millstream.lightgbm.save_model(classifier, "model", serialization_format=asked)
    loaded = millstream.lightgbm.load_model("model")
    assert type(loaded) is lightgbm.LGBMClassifier
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    told = Model.load("model").flavors["lightgbm"]
    assert (told["serialization_format"], told["data"]) == (written, name)
    assert told["model_class"] == "lightgbm.sklearn.LGBMClassifier"
    requirements = Path("model/requirements.txt").read_text()
    assert ("cloudpickle==" in requirements) == (written == "cloudpickle")
    assert ("skops==" in requirements) == (written == "skops")
    assert "lightgbm==" in requirements and "scikit-learn==" in requirements


def test_the_default_format_of_a_stranger_needs_no_leave(
    classifier: lightgbm.LGBMClassifier, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    millstream.lightgbm.save_model(classifier, "model")
    of_a_stranger(monkeypatch, tmp_path)
    np.testing.assert_array_equal(millstream.pyfunc.load_model("model").predict(X), classifier.predict(X))


def test_a_pickle_of_a_stranger_is_refused(
    classifier: lightgbm.LGBMClassifier, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    millstream.lightgbm.save_model(classifier, "model", serialization_format="cloudpickle")
    of_a_stranger(monkeypatch, tmp_path)
    for load in (millstream.lightgbm.load_model, millstream.pyfunc.load_model):
        with pytest.raises(UntrustedModel, match=r"model\.pkl runs code"):
            load("model")


@pytest.mark.parametrize(
    "model",
    [
        Careful(**SMALL),
        lightgbm.LGBMRegressor(objective=lambda truth, guess: (guess - truth, np.ones_like(guess)), **SMALL),
    ],
    ids=["class", "objective"],
)
def test_an_estimator_with_code_of_the_program_is_saved_without_a_question(model: Any) -> None:
    model.fit(X, y)
    millstream.lightgbm.save_model(model, "model")
    loaded = millstream.lightgbm.load_model("model")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert Model.load("model").flavors["lightgbm"]["serialization_format"] == "cloudpickle"


def test_types_beyond_lightgbm_are_named_for_skops(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    model = Careful(**SMALL).fit(X, y)
    named = f"{Careful.__module__}.Careful"
    with pytest.raises(UntrustedModel, match="Careful"):
        millstream.lightgbm.save_model(model, "model", serialization_format="skops")
    assert not Path("model").exists()
    millstream.lightgbm.save_model(model, "model", serialization_format="skops", skops_trusted_types=[named])
    assert named in Model.load("model").flavors["lightgbm"]["skops_trusted_types"]
    assert type(millstream.lightgbm.load_model("model")) is Careful
    of_a_stranger(monkeypatch, tmp_path)
    with pytest.raises(UntrustedModel, match=r"model\.skops"):
        millstream.lightgbm.load_model("model")
    monkeypatch.setenv("MILLSTREAM_SKOPS_TRUSTED_TYPES", f"a.b, {named}")
    assert type(millstream.lightgbm.load_model("model")) is Careful


def test_the_python_function_has_a_signature(booster: lightgbm.Booster) -> None:
    millstream.lightgbm.save_model(booster, "model", input_example=X[:3])
    loaded = millstream.pyfunc.load_model("model")
    np.testing.assert_array_equal(loaded.predict(X), booster.predict(X))
    schema: Any = loaded.metadata.get_input_schema()
    assert schema.input_names() == list(X.columns)
    assert isinstance(loaded.get_raw_model(), lightgbm.Booster)


def test_what_is_refused(booster: lightgbm.Booster) -> None:
    with pytest.raises(InvalidValue, match="a Booster or an estimator of LightGBM is expected, not list"):
        millstream.lightgbm.save_model([], "model")
    with pytest.raises(InvalidValue, match="serialization_format"):
        millstream.lightgbm.save_model(booster, "model", serialization_format="joblib")
    millstream.lightgbm.save_model(booster, "model")
    Path("model/manifest.json").unlink()
    Path("model/model.lgb").write_text("no trees")
    with pytest.raises(CorruptModel, match=r"LightGBM does not read .*model\.lgb"):
        millstream.lightgbm.load_model("model")


def test_a_format_of_the_future_is_named(classifier: lightgbm.LGBMClassifier) -> None:
    millstream.lightgbm.save_model(classifier, "model")
    told = Model.load("model")
    told.flavors["lightgbm"]["serialization_format"] = "marble"
    told.save("model/MLmodel")
    Path("model/manifest.json").unlink()
    with pytest.raises(BadModel, match="marble"):
        millstream.lightgbm.load_model("model")


def test_requirements_by_format() -> None:
    def names(**options: bool) -> set[str]:
        return {line.partition("==")[0] for line in millstream.lightgbm.get_default_pip_requirements(**options)}

    assert names(include_cloudpickle=True) - names() == {"cloudpickle"}
    assert names(include_skops=True) - names() == {"skops"}
    assert millstream.lightgbm.get_default_conda_env(include_skops=True)["name"] == "mlflow-env"


def test_a_model_is_logged(classifier: lightgbm.LGBMClassifier) -> None:
    with millstream.start_run() as run:
        info = millstream.lightgbm.log_model(classifier, name="trees", serialization_format="pickle")
    assert (info.name, info.run_id) == ("trees", run.info.run_id)
    assert info.flavors["lightgbm"]["serialization_format"] == "pickle"
    np.testing.assert_array_equal(millstream.lightgbm.load_model(info.model_uri).predict(X), classifier.predict(X))
