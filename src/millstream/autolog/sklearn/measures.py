"""How an estimator does on the data it was trained on."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from typing import Any

from millstream.autolog.training import Training


class Seen:
    """An estimator and the data it was trained on, with its predictions for them, made once.

    ``pos_label`` is the class that precision, recall and f1 are of; None averages over the classes, weighted by size.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, weights: Any, pos_label: Any = None) -> None:
        from sklearn.base import is_classifier, is_regressor

        self.estimator = estimator
        self.X = X
        self.y = y
        self.weights = weights
        self.pos_label = pos_label
        can_predict = hasattr(estimator, "predict")
        self.is_classifier = can_predict and is_classifier(estimator)
        self.is_regressor = can_predict and is_regressor(estimator)

    @functools.cached_property
    def predicted(self) -> Any:
        """The predictions."""
        return self.estimator.predict(self.X)

    @functools.cached_property
    def probabilities(self) -> Any:
        """The probability of each class, None of an estimator that gives none."""
        return self.estimator.predict_proba(self.X) if hasattr(self.estimator, "predict_proba") else None

    @functools.cached_property
    def certainties(self) -> Any:
        """For two classes, one number a sample that is the higher the surer the second is; None without any."""
        if _is_matrix(self.probabilities):
            return self.probabilities[:, 1]
        return self.estimator.decision_function(self.X) if hasattr(self.estimator, "decision_function") else None

    @property
    def classes(self) -> Any:
        """The classes, in the order of the probabilities; None for what has none."""
        return getattr(self.estimator, "classes_", None)

    def metrics(self, training: Training) -> dict[str, float]:
        """Each metric as ``training_<name>``; one that cannot be computed is left out, with a warning."""
        made: dict[str, float] = {}
        for name, compute in self._named():
            with training.safely(f"the metric training_{name}"):
                value = compute()
                if value is not None:
                    made[f"training_{name}"] = float(value)
        return made

    def _named(self) -> list[tuple[str, Callable[[], Any]]]:
        named: list[tuple[str, Callable[[], Any]]] = []
        if self.is_classifier and self._has_classes():
            named = [
                *((name, functools.partial(self._average, name))
                  for name in ("precision_score", "recall_score", "f1_score")),
                ("accuracy_score", functools.partial(self._simple, "accuracy_score")),
                ("log_loss", self._log_loss),
                ("roc_auc", self._roc_auc),
            ]
        elif self.is_regressor:
            named = [
                (name, functools.partial(self._simple, name))
                for name in ("mean_squared_error", "mean_absolute_error", "r2_score")
            ]
            named.append(("root_mean_squared_error", self._root_mean_squared_error))
        return [*named, ("score", self._score)]

    def _has_classes(self) -> bool:
        """Whether each sample has one class, or a yes or no for each: more than that has no such metrics."""
        from sklearn.utils.multiclass import type_of_target

        return type_of_target(self.y) in ("binary", "multiclass", "multilabel-indicator")

    def _simple(self, name: str) -> Any:
        from sklearn import metrics

        return getattr(metrics, name)(self.y, self.predicted, sample_weight=self.weights)

    def _average(self, name: str) -> Any:
        from sklearn import metrics

        how = {"average": "weighted"} if self.pos_label is None else {"average": "binary", "pos_label": self.pos_label}
        return getattr(metrics, name)(self.y, self.predicted, sample_weight=self.weights, zero_division=0, **how)

    def _root_mean_squared_error(self) -> Any:
        """The root of the mean squared error, of several targets taken together, as MLflow has it."""
        return math.sqrt(self._simple("mean_squared_error"))

    def _log_loss(self) -> Any:
        from sklearn import metrics

        if not _is_matrix(self.probabilities):
            return None
        return metrics.log_loss(self.y, self.probabilities, sample_weight=self.weights)

    def _roc_auc(self) -> Any:
        from sklearn import metrics

        if not _is_matrix(self.probabilities) or self.probabilities.shape[1] < 2:
            return None
        if getattr(self.y, "ndim", 1) == 2:  # several labels a sample
            return metrics.roc_auc_score(
                self.y, self.probabilities, average="weighted", sample_weight=self.weights
            )
        if self.probabilities.shape[1] == 2:
            return metrics.roc_auc_score(
                self.y, self.probabilities[:, 1], average="weighted", sample_weight=self.weights
            )
        if self.weights is not None:  # scikit-learn weighs no samples between pairs of classes
            return None
        return metrics.roc_auc_score(self.y, self.probabilities, average="weighted", multi_class="ovo")

    def _score(self) -> Any:
        score = getattr(self.estimator, "score", None)
        if score is None:
            return None
        if self.weights is not None and "sample_weight" in inspect.signature(score).parameters:
            return score(self.X, self.y, sample_weight=self.weights)
        return score(self.X, self.y)


def _is_matrix(probabilities: Any) -> bool:
    """Whether there is one row of probabilities for each sample: of several targets, there is a list of such."""
    return getattr(probabilities, "ndim", None) == 2
