"""The metrics of regressors, as scikit-learn computes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from millstream.evaluation.options import Options

if TYPE_CHECKING:
    from millstream.evaluation.predicting import Array


def regressor_metrics(labels: Array, predictions: Array, options: Options) -> dict[str, Any]:
    """Numbers by name, in the unit of the labels or its square; weighted by the sample weights, if there are any.

    ``sum_on_target`` and ``mean_on_target`` are MLflow's: the weighted labels summed, and that sum divided by the
    number of rows. Raises ValueError, from scikit-learn, for labels or predictions that are no finite numbers.
    """
    from sklearn import metrics

    weights = options.sample_weights
    square = metrics.mean_squared_error(labels, predictions, sample_weight=weights)
    total = labels.sum() if weights is None else (labels * weights).sum()
    return {
        "example_count": len(labels),
        "mean_absolute_error": metrics.mean_absolute_error(labels, predictions, sample_weight=weights),
        "mean_squared_error": square,
        "root_mean_squared_error": square**0.5,
        "sum_on_target": total,
        "mean_on_target": total / len(labels),
        "r2_score": metrics.r2_score(labels, predictions, sample_weight=weights),
        "max_error": metrics.max_error(labels, predictions),
        "mean_absolute_percentage_error": metrics.mean_absolute_percentage_error(
            labels, predictions, sample_weight=weights
        ),
    }
