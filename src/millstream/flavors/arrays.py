"""Estimators on arrays, where they would only make an array of a table.

An estimator that was fitted on a table checks the names and types of a table's columns for each prediction, and makes
an array of it: for a single row three quarters of its time. A server that has checked the columns itself can give it
the array: the very numbers that the estimator would make of the table, in the same order in memory (:func:`order`), so
that what follows is the same to the last bit.

It holds for estimators of which we know that they do nothing else with a table. :func:`proven` looks whether it does.

A few rows are predicted on one thread: waking others takes longer than their part of the work, and where the machine
has something else to do, waiting for them takes a hundred times as long.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Sequence
from typing import Any, Literal

Predict = Callable[[Any], Any]

# Estimators whose first look at their input makes an array of it, whatever it was.
_SCALERS = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "Normalizer", "PolynomialFeatures",
            "PowerTransformer", "QuantileTransformer", "PCA", "TruncatedSVD", "SimpleImputer", "VarianceThreshold",
            "SelectKBest")
_LINEAR = ("LinearRegression", "Ridge", "RidgeCV", "RidgeClassifier", "Lasso", "LassoCV", "ElasticNet", "ElasticNetCV",
           "LogisticRegression", "LogisticRegressionCV", "SGDClassifier", "SGDRegressor", "BayesianRidge",
           "HuberRegressor", "Perceptron", "PoissonRegressor", "GammaRegressor", "TweedieRegressor",
           "LinearDiscriminantAnalysis", "QuadraticDiscriminantAnalysis", "GaussianNB")
_OTHERS = ("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor",
           "RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor",
           "GradientBoostingClassifier", "GradientBoostingRegressor", "HistGradientBoostingClassifier",
           "HistGradientBoostingRegressor", "SVC", "SVR", "LinearSVC", "LinearSVR", "NuSVC", "NuSVR",
           "KNeighborsClassifier", "KNeighborsRegressor", "MLPClassifier", "MLPRegressor", "KMeans",
           "MiniBatchKMeans", "IsolationForest")
_PLAIN = frozenset({*_SCALERS, *_LINEAR, *_OTHERS})
_BOOSTED = frozenset({"XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor", "XGBRanker"})
# Those that divide even one row's work among threads of OpenMP.
_DIVIDED = frozenset({"HistGradientBoostingClassifier", "HistGradientBoostingRegressor", "KMeans", "MiniBatchKMeans",
                      "KNeighborsClassifier", "KNeighborsRegressor"})
_LARGE = 64 * 1024 * 1024  # bytes of a boosted model that is not kept twice
_LIBRARIES = ("sklearn", "xgboost")
_SIZES = (1, 2, 7, 32)  # rows of the tables that prove it


def plain(estimator: Any, names: Sequence[str]) -> Any:
    """``estimator`` for arrays with a column for each of ``names``, sharing all it has learned; None where a table may
    mean more to it than its numbers."""
    kind = _library(estimator)
    if kind == "Pipeline":
        steps = [step for step in estimator.steps if step[1] not in (None, "passthrough")]
        if not steps or not all(_known(step) for _, step in steps) or _dresses(estimator):
            return None
        first = plain(steps[0][1], names)
        if first is None:
            return None
        made = copy.copy(estimator)
        made.steps = [(steps[0][0], first), *((name, on_one_thread(step)) for name, step in steps[1:])]
        return made
    if not _known(estimator) or getattr(estimator, "n_features_in_", None) != len(names):
        return None
    if _library(estimator) in _BOOSTED:
        return on_one_thread(estimator) if estimator.get_booster().feature_names in (None, list(names)) else None
    made = copy.copy(estimator)
    fitted = made.__dict__.pop("feature_names_in_", None)
    return made if fitted is None or list(fitted) == list(names) else None


def on_one_thread(estimator: Any) -> Any:
    """A model of XGBoost, an estimator or a booster, that predicts on the thread that asks; others as they are."""
    kind = _library(estimator)
    if kind not in _BOOSTED and kind != "Booster":
        return estimator
    booster = estimator if kind == "Booster" else estimator.get_booster()
    if len(booster.save_raw()) > _LARGE:
        return estimator
    alone = booster.copy()
    alone.set_param({"nthread": 1})
    if kind == "Booster":
        return alone
    made = copy.copy(estimator)
    made._Booster = alone
    return made


def undivided(predict: Predict, estimator: Any) -> Predict:
    """``predict`` of the ``estimator``, on the thread that asks where it divides its work by OpenMP."""
    steps = [step for _, step in estimator.steps] if _library(estimator) == "Pipeline" else [estimator]
    if _DIVIDED.isdisjoint(map(_library, steps)):
        return predict
    import threadpoolctl  # comes with scikit-learn

    libraries = threadpoolctl.ThreadpoolController().select(user_api="openmp").lib_controllers

    def alone(array: Any) -> Any:
        before = [library.get_num_threads() for library in libraries]
        for library in libraries:
            library.set_num_threads(1)  # of this thread only
        try:
            return predict(array)
        finally:
            for library, number in zip(libraries, before, strict=True):
                library.set_num_threads(number)

    return alone


def order() -> Literal["C", "F"]:
    """In which order the numbers of a table lie that was made of an array: sums of products depend on it."""
    import numpy
    import pandas

    return "C" if numpy.asarray(pandas.DataFrame(numpy.zeros((2, 2)))).flags.c_contiguous else "F"


def proven(on_tables: Predict, on_arrays: Predict, names: Sequence[str]) -> bool:
    """Whether both predict the same for tables of doubles with columns of these ``names``, to the last bit."""
    import numpy
    import pandas

    numbers = numpy.random.default_rng(0)
    for rows in _SIZES:
        cells = numbers.normal(size=(rows, len(names)))
        table, array = pandas.DataFrame(cells, columns=list(names)), numpy.array(cells, order=order())
        try:
            expected, found = on_tables(table), on_arrays(array)
        except Exception:  # of the model, whatever it does not like: then nobody knows
            return False
        for one in (expected, found):
            if type(one) is not numpy.ndarray or one.dtype.kind not in "biuf":
                return False
        if (expected.dtype, expected.shape, expected.tobytes()) != (found.dtype, found.shape, found.tobytes()):
            return False
    return True


def _library(estimator: Any) -> str:
    """The name of the estimator's class, empty when it is not one of scikit-learn's or XGBoost's own."""
    kind = type(estimator)
    return kind.__name__ if kind.__module__.partition(".")[0] in _LIBRARIES else ""


def _known(estimator: Any) -> bool:
    return _library(estimator) in _PLAIN | _BOOSTED and not _dresses(estimator)


def _dresses(estimator: Any) -> bool:
    """Whether the estimator makes tables of arrays again, with names, or has a function of somebody else's."""
    sklearn = sys.modules.get("sklearn")
    default = sklearn is None or sklearn.get_config().get("transform_output", "default") == "default"
    own = vars(estimator)
    return not default or "_sklearn_output_config" in own or any(map(_foreign, own.values()))


def _foreign(value: Any) -> bool:
    """Whether ``value`` is code that is not the library's."""
    return callable(value) and str(getattr(value, "__module__", "")).partition(".")[0] not in _LIBRARIES
