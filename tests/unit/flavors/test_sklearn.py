"""Every estimator of scikit-learn is saved in the default format without a question, and loaded as it was."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils import all_estimators

import millstream.sklearn
from millstream.flavors.sklearn import PREDICT_FUNCTIONS
from tests.isolation import isolated

ROWS, COLUMNS = 24, 4
# Small ones, where the default is slow or too large for a few rows.
SMALL = {"n_estimators": 3, "n_neighbors": 3, "cv": 2, "n_splits": 2, "perplexity": 3, "n_init": 1, "random_state": 0}
OWN = {"RandomizedSearchCV": {"n_iter": 2}, "RANSACRegressor": {"min_samples": 5},
       "GaussianRandomProjection": {"n_components": 2}, "SparseRandomProjection": {"n_components": 2}}
# What takes something else than rows of numbers.
WORDS = ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer")


@pytest.fixture(autouse=True)
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with isolated(tmp_path, monkeypatch):
        yield tmp_path


def made(name: str, kind: Any) -> Any:
    """An estimator with what it cannot do without."""
    single = Ridge() if "Regress" in name else LogisticRegression()
    if name == "FrozenEstimator":
        return kind(single.fit([[1, 2, 3, 4], [4, 3, 2, 1]], [0, 1]))
    needed = {
        "estimator": single, "estimators": [("first", single), ("second", single)], "param_grid": {"C": [1, 10]},
        "param_distributions": {"C": [1, 10]}, "steps": [("scale", MinMaxScaler()), ("classify", LogisticRegression())],
        "transformers": [("scale", MinMaxScaler(), [0, 1])], "transformer_list": [("scale", MinMaxScaler())],
        "dictionary": np.eye(COLUMNS),
    }
    known = inspect.signature(kind).parameters
    estimator = kind(**{key: value for key, value in needed.items() if key in known})
    small = {key: value for key, value in SMALL.items() if key in known}
    return estimator.set_params(**small, **OWN.get(name, {}))


def data_for(name: str, estimator: Any) -> tuple[Any, Any]:
    """Rows and targets that the estimator says it takes."""
    random = np.random.default_rng(3)
    rows = random.uniform(0.1, 1, (ROWS, COLUMNS))
    labels, numbers = (rows[:, 0] > 0.5).astype(int), rows.sum(axis=1)
    special: dict[str, Any] = {
        **dict.fromkeys(WORDS, ["red green blue", "green blue black", "red red black"] * 8),
        **dict.fromkeys(("DictVectorizer", "FeatureHasher"), [{"a": 1.0, "b": 2.0}, {"a": 3.0}]),
        "PatchExtractor": random.uniform(size=(2, 12, 12)), "LabelBinarizer": labels, "LabelEncoder": labels,
        "IsotonicRegression": rows[:, 0], "MultiLabelBinarizer": [["a"], ["a", "b"]], "KernelCenterer": rows @ rows.T,
    }
    if name in ("MultiOutputClassifier", "ClassifierChain"):
        return rows, np.stack([labels, labels[::-1]], axis=1)
    if name.startswith(("MultiOutput", "RegressorChain", "MultiTask", "CCA", "PLS")):
        return rows, np.stack([numbers, -rows[:, 0]], axis=1)
    kind = estimator.__sklearn_tags__().estimator_type
    return special.get(name, rows), numbers if kind == "regressor" else labels


def fitted(name: str, kind: Any) -> tuple[Any, Any]:
    """An estimator that has been fitted, and rows for it."""
    estimator = made(name, kind)
    rows, targets = data_for(name, estimator)
    alone = len(inspect.signature(estimator.fit).parameters) == 1
    return estimator.fit(rows) if alone else estimator.fit(rows, targets), rows


def shown(estimator: Any, rows: Any) -> dict[str, Any]:
    """What an estimator gives for rows, and of what it has learned all that can be compared."""
    found = {}
    for name, value in vars(estimator).items():
        if isinstance(value, (float, int, str)) or (isinstance(value, np.ndarray) and value.dtype != object):
            found[name] = value
    for name in PREDICT_FUNCTIONS:
        method = getattr(estimator, name, None)
        if method is not None:
            value = method(rows)
            found[f"{name}()"] = value.toarray() if hasattr(value, "toarray") else value
    return found


# Loading makes an object of the class, which the library wants to lose.
@pytest.mark.filterwarnings("ignore:Class PassiveAggressive:FutureWarning")
@pytest.mark.parametrize(("name", "kind"), all_estimators(), ids=[name for name, _ in all_estimators()])
def test_it_is_saved_without_a_question_and_loaded_as_it_was(name: str, kind: Any, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the library says of few rows, of convergence, of what it is to lose
        estimator, rows = fitted(name, kind)
        before = shown(estimator, rows)
    millstream.sklearn.save_model(estimator, tmp_path / "model", pip_requirements=["scikit-learn"])
    loaded = millstream.sklearn.load_model(str(tmp_path / "model"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        after = shown(loaded, rows)
    assert type(loaded) is type(estimator)
    for key, value in before.items():
        if np.asarray(value).dtype.kind == "f":  # a product of other arrays is not the same in its last bit
            np.testing.assert_allclose(after[key], value, rtol=1e-12, err_msg=key)
        else:
            np.testing.assert_equal(after[key], value, err_msg=key)
