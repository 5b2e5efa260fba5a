"""Autologged models of each library carry the profile of their training data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import millstream
from millstream.monitoring import get_profile
from tests.isolation import isolated

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(80, 3)), columns=["a", "b", "c"])
Y = (X["a"] > 0).astype(int)


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with isolated(tmp_path, monkeypatch):
        yield


def xgboost_estimator() -> None:
    import xgboost

    xgboost.XGBClassifier(n_estimators=2, n_jobs=1).fit(X, Y)


def xgboost_train() -> None:
    import xgboost

    xgboost.train({"nthread": 1, "objective": "binary:logistic"}, xgboost.DMatrix(X, Y), 2)


def lightgbm_estimator() -> None:
    import lightgbm

    lightgbm.LGBMClassifier(n_estimators=2, n_jobs=1, verbose=-1).fit(X, Y)


def lightgbm_train() -> None:
    import lightgbm

    lightgbm.train({"objective": "binary", "num_threads": 1, "verbose": -1}, lightgbm.Dataset(X, Y), 2)


def catboost_pool() -> None:
    import catboost

    catboost.CatBoostClassifier(iterations=2, thread_count=1, verbose=False, allow_writing_files=False).fit(
        catboost.Pool(X, Y)
    )


def sklearn_search() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(X, Y)


def sklearn_arrays() -> None:
    from sklearn.linear_model import LogisticRegression

    LogisticRegression().fit(X.to_numpy(), Y)


TRAININGS: dict[str, Callable[[], Any]] = {
    "xgboost estimator": xgboost_estimator, "xgboost train": xgboost_train, "lightgbm estimator": lightgbm_estimator,
    "lightgbm train": lightgbm_train, "catboost pool": catboost_pool, "sklearn search": sklearn_search,
    "sklearn arrays": sklearn_arrays,
}


@pytest.mark.parametrize("training", TRAININGS)
def test_the_model_of_a_training_carries_a_profile(training: str) -> None:
    library = training.split()[0]
    getattr(millstream, library).autolog(silent=True)
    try:
        TRAININGS[training]()
    finally:
        getattr(millstream, library).autolog(disable=True)
    logged = millstream.last_logged_model()
    assert logged is not None
    found = get_profile(logged.model_uri)
    assert found is not None, training
    names = ["0", "1", "2"] if training == "sklearn arrays" else ["a", "b", "c"]
    assert ([column.name for column in found.columns], found.rows) == (names, 80)
