"""XGBoost, LightGBM and CatBoost across the border: each side loads what the other saved, and predicts the same."""

from __future__ import annotations

import os
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.datasets import load_iris

import millstream.catboost
import millstream.lightgbm
import millstream.pyfunc
import millstream.xgboost
from millstream.errors import UntrustedModel
from tests.flavors.foreign import Foreign

X, y = load_iris(return_X_y=True, as_frame=True)
DOORS: dict[str, Any] = {
    "xgboost": millstream.xgboost, "lightgbm": millstream.lightgbm, "catboost": millstream.catboost,
}
SAVE = """
    import importlib

    importlib.import_module(f"mlflow.{door}").save_model(model, folder, **options)
"""


def _booster_of_xgboost() -> Any:
    params = {"objective": "multi:softprob", "num_class": 3, "max_depth": 2, "nthread": 1}
    return xgboost.train(params, xgboost.DMatrix(X, label=y), 3)


def _booster_of_lightgbm() -> Any:
    params = {"objective": "multiclass", "num_class": 3, "num_leaves": 4, "verbose": -1, "num_threads": 1}
    return lightgbm.train(params, lightgbm.Dataset(X, y), 3)


SMALL: dict[str, Any] = {"iterations": 3, "depth": 2, "verbose": 0, "allow_writing_files": False, "thread_count": 1}
TREES: dict[str, Any] = {"n_estimators": 3, "num_leaves": 4, "verbose": -1, "n_jobs": 1}
MODELS: dict[str, Callable[[], Any]] = {
    "xgboost booster": _booster_of_xgboost,
    "xgboost classifier": lambda: xgboost.XGBClassifier(n_estimators=3, max_depth=2, n_jobs=1).fit(X, y),
    "xgboost forest": lambda: xgboost.XGBRFRegressor(n_estimators=3, n_jobs=1).fit(X, y),
    "lightgbm booster": _booster_of_lightgbm,
    "lightgbm classifier": lambda: lightgbm.LGBMClassifier(**TREES).fit(X, y),
    "catboost classifier": lambda: catboost.CatBoostClassifier(**SMALL).fit(X, y),
    "catboost model": lambda: catboost.train(params=SMALL, pool=catboost.Pool(X, y)),
}
# A model, and what its save_model is given.
CASES: list[tuple[str, dict[str, Any]]] = [
    ("xgboost booster", {}), ("xgboost booster", {"model_format": "json"}),
    ("xgboost booster", {"model_format": "xgb"}),
    ("xgboost classifier", {}), ("xgboost classifier", {"model_format": "json"}), ("xgboost forest", {}),
    ("lightgbm booster", {}), ("lightgbm classifier", {}),
    ("lightgbm classifier", {"serialization_format": "cloudpickle"}),
    ("lightgbm classifier", {"serialization_format": "pickle"}),
    ("catboost classifier", {}), ("catboost classifier", {"format": "json"}), ("catboost model", {}),
]
each_case = pytest.mark.parametrize(
    ("name", "options"), CASES, ids=[" ".join([name, *options.values()]) for name, options in CASES]
)


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return {name: make() for name, make in MODELS.items()}


def expected(model: Any) -> Any:
    if isinstance(model, xgboost.Booster):
        return model.predict(xgboost.DMatrix(X))
    return model.predict(X)


@each_case
def test_mlflow_predicts_the_same_with_a_model_saved_here(
    name: str, options: dict[str, Any], models: dict[str, Any], tmp_path: Path, foreign: Foreign
) -> None:
    door, kind = name.split()
    DOORS[door].save_model(models[name], str(tmp_path / "model"), input_example=X[:3], **options)
    np.testing.assert_array_equal(foreign.predict(tmp_path / "model", X), expected(models[name]))
    theirs = foreign.run(
        """
        import importlib

        result = type(importlib.import_module(f"mlflow.{door}").load_model(folder)).__name__
        """,
        door=door, folder=str(tmp_path / "model"),
    )
    assert theirs == type(models[name]).__name__


@each_case
def test_a_model_saved_by_mlflow_predicts_the_same_here(
    name: str, options: dict[str, Any], models: dict[str, Any], tmp_path: Path, foreign: Foreign, trusting: None
) -> None:
    door, kind = name.split()
    # Their own look for requirements takes seconds.
    given = {**options, "input_example": X[:3], "pip_requirements": [door]}
    folder = str(tmp_path / "model")
    foreign.run(SAVE, door=door, model=models[name], folder=folder, options=given)
    loaded = millstream.pyfunc.load_model(folder)
    np.testing.assert_array_equal(loaded.predict(X), expected(models[name]))
    pd.testing.assert_frame_equal(loaded.input_example, X[:3])
    assert type(DOORS[door].load_model(folder)) is type(models[name])


@pytest.mark.parametrize("name", ["xgboost booster", "lightgbm booster", "catboost classifier"])
def test_both_describe_a_model_alike(
    name: str, models: dict[str, Any], tmp_path: Path, foreign: Foreign, trusting: None
) -> None:
    door, kind = name.split()
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    DOORS[door].save_model(models[name], str(ours), input_example=X[:3])
    given = {"input_example": X[:3], "pip_requirements": [door]}
    foreign.run(SAVE, door=door, model=models[name], folder=str(theirs), options=given)
    told = foreign.run(
        """
        from mlflow.models import Model

        result = [(model.flavors, model.signature.to_dict()) for model in map(Model.load, folders)]
        """,
        folders=[str(ours), str(theirs)],
    )
    for flavors, _ in told:
        if door == "lightgbm":  # a list in no order, ours of more estimators
            flavors[door]["skops_trusted_types"] = set(flavors[door]["skops_trusted_types"]) & {
                "lightgbm.basic.Booster", "lightgbm.sklearn.LGBMClassifier",
            }
    assert told[0] == told[1]


def test_params_of_a_prediction_mean_the_same_there(models: dict[str, Any], tmp_path: Path, foreign: Foreign) -> None:
    signature = millstream.models.infer_signature(X, params={"output_margin": False})
    millstream.xgboost.save_model(models["xgboost booster"], str(tmp_path / "model"), signature=signature)
    program = """
        import mlflow

        result = mlflow.pyfunc.load_model(folder).predict(data, params={"output_margin": True})
    """
    theirs = foreign.run(program, folder=str(tmp_path / "model"), data=X)
    ours = millstream.pyfunc.load_model(str(tmp_path / "model")).predict(X, params={"output_margin": True})
    np.testing.assert_array_equal(theirs, ours)
    assert not np.array_equal(ours, expected(models["xgboost booster"]))


def test_only_a_pickle_of_mlflow_needs_leave(
    models: dict[str, Any], tmp_path: Path, foreign: Foreign, tracking: Path
) -> None:
    model = models["lightgbm classifier"]
    for form in ("skops", "cloudpickle"):
        options = {"serialization_format": form, "pip_requirements": ["lightgbm"]}
        foreign.run(SAVE, door="lightgbm", model=model, folder=str(tmp_path / form), options=options)
    np.testing.assert_array_equal(millstream.lightgbm.load_model(str(tmp_path / "skops")).predict(X), model.predict(X))
    with pytest.raises(UntrustedModel, match=r"model\.pkl"):
        millstream.lightgbm.load_model(str(tmp_path / "cloudpickle"))


# Neither MLflow nor this environment.


PREDICT_ELSEWHERE = """
import pickle, sys
import millstream.pyfunc, pandas

folder, given, result = sys.argv[1:]
data = pandas.DataFrame(pickle.load(open(given, "rb")))
pickle.dump(millstream.pyfunc.load_model(folder).predict(data), open(result, "wb"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["xgboost booster", "lightgbm classifier"])
def test_its_own_requirements_are_all_that_a_model_needs(
    name: str, models: dict[str, Any], tmp_path: Path, environment_of: Callable[[Path], Path]
) -> None:
    folder, given, result = tmp_path / "model", tmp_path / "data.pickle", tmp_path / "result.pickle"
    DOORS[name.split()[0]].save_model(models[name], str(folder))
    given.write_bytes(pickle.dumps(X.to_dict("list")))  # a frame of ours may need pyarrow
    subprocess.run(
        [environment_of(folder), "-c", PREDICT_ELSEWHERE, folder, given, result], cwd=tmp_path, check=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    elsewhere = pickle.loads(result.read_bytes())  # noqa: S301 - written by the lines above
    np.testing.assert_array_equal(elsewhere, expected(models[name]))
