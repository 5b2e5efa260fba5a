"""Evaluating models and predictions: the metrics, plots and tables of regressors and classifiers, and thresholds.

``evaluate`` logs what it measures on a run and returns it as an ``EvaluationResult``; ``validate_evaluation_results``
holds that against thresholds and against the result of a baseline. scikit-learn computes the metrics.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from millstream.evaluation.contents import EvaluationArtifact
    from millstream.evaluation.evaluating import evaluate
    from millstream.evaluation.evaluators import ModelEvaluator, list_evaluators
    from millstream.evaluation.inputs import EvaluationDataset
    from millstream.evaluation.metrics import EvaluationMetric, MetricValue, make_metric
    from millstream.evaluation.results import EvaluationResult
    from millstream.evaluation.thresholds import (
        MetricThreshold,
        MetricThresholdClassException,
        ModelValidationFailedException,
        validate_evaluation_results,
    )

_WHERE = {
    "EvaluationArtifact": "contents",
    "EvaluationDataset": "inputs",
    "EvaluationMetric": "metrics",
    "EvaluationResult": "results",
    "MetricThreshold": "thresholds",
    "MetricThresholdClassException": "thresholds",
    "MetricValue": "metrics",
    "ModelEvaluator": "evaluators",
    "ModelValidationFailedException": "thresholds",
    "evaluate": "evaluating",
    "list_evaluators": "evaluators",
    "make_metric": "metrics",
    "validate_evaluation_results": "thresholds",
}

__all__ = [
    "EvaluationArtifact", "EvaluationDataset", "EvaluationMetric", "EvaluationResult", "MetricThreshold",
    "MetricThresholdClassException", "MetricValue", "ModelEvaluator", "ModelValidationFailedException", "evaluate",
    "list_evaluators", "make_metric", "validate_evaluation_results",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        found = globals()[name] = getattr(importlib.import_module(f"millstream.evaluation.{_WHERE[name]}"), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
