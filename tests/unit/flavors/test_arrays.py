"""Estimators on arrays predict what they predict on tables, to the last bit; whoever may not is left alone."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import threadpoolctl
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, TransformerMixin, is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import all_estimators
from xgboost import XGBClassifier, XGBRegressor

from millstream.flavors import arrays, xgboost

DATA, TARGET = load_diabetes(return_X_y=True, as_frame=True)
CLASSES = (TARGET > 150).astype(int)
NAMES = list(DATA.columns)
METHODS = ("predict", "predict_proba", "transform", "decision_function")


def fitted(estimator: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that do not converge
        return estimator.fit(DATA, CLASSES if is_classifier(estimator) else TARGET)


@pytest.mark.parametrize("name", sorted(arrays._PLAIN - {"QuadraticDiscriminantAnalysis"}))
def test_every_estimator_that_is_known_predicts_the_same(name: str) -> None:
    estimator = fitted(dict(all_estimators())[name]())
    plain = arrays.plain(estimator, NAMES)
    assert plain is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of missing names, above all
        for method in METHODS:
            if hasattr(estimator, method):
                alone = arrays.undivided(getattr(plain, method), plain)
                assert arrays.proven(getattr(estimator, method), alone, NAMES), method
    assert "feature_names_in_" not in vars(plain)
    assert list(estimator.feature_names_in_) == NAMES


MODELS = {
    "pipeline": fitted(make_pipeline(StandardScaler(), LinearRegression())),
    "classifier": fitted(make_pipeline("passthrough", StandardScaler(), LogisticRegression())),
    "forest": fitted(RandomForestRegressor(5, random_state=0)),
    "xgboost": fitted(XGBRegressor(n_estimators=5, n_jobs=1)),
    "classes of xgboost": fitted(XGBClassifier(n_estimators=5)),
    "xgboost at the end": fitted(make_pipeline(StandardScaler(), XGBRegressor(n_estimators=5))),
}
CELLS = st.floats(-2.0**52, 2.0**52, allow_nan=False) | st.integers(-9, 9).map(float)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.lists(CELLS, min_size=10, max_size=10), min_size=1, max_size=9))
def test_rows_of_any_numbers(model: Any, rows: list[list[float]]) -> None:
    plain = arrays.plain(model, NAMES)
    table = pd.DataFrame(np.array(rows), columns=NAMES)
    expected, found = model.predict(table), plain.predict(np.array(rows, order=arrays.order()))
    assert (found.dtype, found.shape, found.tobytes()) == (expected.dtype, expected.shape, expected.tobytes())


class Own(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn says no types
    """Somebody's own."""

    def fit(self, X: Any, y: Any = None) -> Own:
        return self

    def transform(self, X: Any) -> Any:
        return X


class Mine(LinearRegression):  # type: ignore[misc]
    """Somebody's own, of the library's."""


UNKNOWN = {
    "columns by name": make_pipeline(ColumnTransformer([("a", "passthrough", ["age"])]), LinearRegression()),
    "a function": make_pipeline(FunctionTransformer(lambda table: table * 2), LinearRegression()),
    "own step": make_pipeline(Own(), LinearRegression()),
    "own later step": make_pipeline(StandardScaler(), Own(), LinearRegression()),
    "own class": Mine(),
    "own measure": KNeighborsRegressor(metric=lambda one, other: abs(one - other).sum()),
    "tables between": make_pipeline(StandardScaler(), LinearRegression()).set_output(transform="pandas"),
}


@pytest.mark.parametrize("estimator", UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_not_known_gets_its_table(estimator: Any) -> None:
    assert arrays.plain(fitted(estimator), NAMES) is None


def test_other_columns_than_it_was_fitted_on() -> None:
    for model in MODELS.values():
        assert arrays.plain(model, NAMES[::-1]) is None
        assert arrays.plain(model, NAMES[:9]) is None


def test_a_model_that_predicts_something_else_is_found_out() -> None:
    model = MODELS["pipeline"]
    assert not arrays.proven(model.predict, lambda array: np.nextafter(model[-1].predict(array), np.inf), NAMES)
    assert not arrays.proven(model.predict, lambda array: list(array[:, 0]), NAMES)
    assert not arrays.proven(lambda table: table, lambda array: array, NAMES)
    assert not arrays.proven(model.predict, lambda array: 1 / 0, NAMES)


def test_a_booster_and_an_estimator_of_xgboost_stay_as_they_are() -> None:
    estimator = fitted(XGBRegressor(n_estimators=5, n_jobs=2))
    booster = estimator.get_booster()

    def threads(one: Any) -> str:
        return str(json.loads(one.save_config())["learner"]["generic_param"]["nthread"])

    for model in (estimator, booster):
        on_arrays = xgboost.PythonFunction(model).on_arrays(NAMES)
        assert on_arrays is not None
        array = np.array(DATA, order=arrays.order())
        np.testing.assert_array_equal(on_arrays(array), xgboost.PythonFunction(model).predict(DATA))
    assert xgboost.PythonFunction(estimator).on_arrays(NAMES[:9]) is None
    assert xgboost.PythonFunction(booster).on_arrays(NAMES[:9]) is None
    assert threads(arrays.on_one_thread(booster)) == "1"
    assert threads(arrays.on_one_thread(estimator).get_booster()) == "1"
    assert threads(booster) == "2"


def test_work_that_is_divided_is_so_again_afterwards() -> None:
    libraries = threadpoolctl.ThreadpoolController().select(user_api="openmp").lib_controllers
    estimator = fitted(HistGradientBoostingRegressor(max_iter=3))
    seen: list[list[int]] = []

    def predict(array: Any) -> Any:
        seen.append([library.get_num_threads() for library in libraries])
        raise ValueError

    with threadpoolctl.threadpool_limits(3, "openmp"):
        with pytest.raises(ValueError):
            arrays.undivided(predict, make_pipeline(StandardScaler(), estimator))(DATA)
        assert [library.get_num_threads() for library in libraries] == [3] * len(libraries)
    assert libraries and seen == [[1] * len(libraries)]
    assert arrays.undivided(predict, MODELS["pipeline"]) is predict
