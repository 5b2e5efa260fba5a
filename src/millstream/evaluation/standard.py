"""Metrics ready for ``extra_metrics``, computed by scikit-learn; the names are those of MLflow's module ``metrics``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from millstream.evaluation.metrics import EvaluationMetric, MetricValue, make_metric

__all__ = [
    "EvaluationMetric", "MetricValue", "f1_score", "mae", "make_metric", "mape", "max_error", "mse", "precision_score",
    "r2_score", "recall_score", "rmse",
]


def mae() -> EvaluationMetric:
    """Mean absolute error, in the unit of the targets."""
    return _of_sklearn("mean_absolute_error", greater_is_better=False)


def mse() -> EvaluationMetric:
    """Mean squared error, in the squared unit of the targets."""
    return _of_sklearn("mean_squared_error", greater_is_better=False)


def rmse() -> EvaluationMetric:
    """The root of the mean squared error, in the unit of the targets."""
    return _of_sklearn("root_mean_squared_error", greater_is_better=False)


def r2_score() -> EvaluationMetric:
    """The share of the targets' variance that is explained."""
    return _of_sklearn("r2_score", greater_is_better=True)


def max_error() -> EvaluationMetric:
    """The greatest absolute error, in the unit of the targets."""
    return _of_sklearn("max_error", greater_is_better=False)


def mape() -> EvaluationMetric:
    """Mean absolute error as a share of the targets."""
    return _of_sklearn("mean_absolute_percentage_error", greater_is_better=False)


def recall_score() -> EvaluationMetric:
    """Of the rows with the label 1, the share that was found."""
    return _of_sklearn("recall_score", greater_is_better=True)


def precision_score() -> EvaluationMetric:
    """Of the rows that were given the label 1, the share that has it."""
    return _of_sklearn("precision_score", greater_is_better=True)


def f1_score() -> EvaluationMetric:
    """The harmonic mean of precision and recall."""
    return _of_sklearn("f1_score", greater_is_better=True)


def _of_sklearn(name: str, *, greater_is_better: bool) -> EvaluationMetric:
    def eval_fn(predictions: Any, targets: Any) -> float:
        from sklearn import metrics

        if name == "root_mean_squared_error":  # a function of its own only since scikit-learn 1.4
            return float(metrics.mean_squared_error(targets, predictions) ** 0.5)
        function: Callable[..., float] = getattr(metrics, name)
        return float(function(targets, predictions))

    return make_metric(eval_fn=eval_fn, greater_is_better=greater_is_better, name=name)
