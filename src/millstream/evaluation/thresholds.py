"""What a model must reach: bounds of its metrics, and how far it must be ahead of a baseline."""

from __future__ import annotations

import logging
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from millstream.errors import InvalidValue, ThresholdsNotMet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from millstream.evaluation.results import EvaluationResult

logger = logging.getLogger("millstream")

# Their names in MLflow.
ModelValidationFailedException = ThresholdsNotMet
MetricThresholdClassException = InvalidValue


class MetricThreshold:
    """What one metric must reach; at least one of the three numbers is given.

    ``threshold`` is the worst value that passes. ``min_absolute_change`` (above 0) and ``min_relative_change`` (above 0
    and up to 1, a share of the baseline's absolute value) say how much better than the baseline is enough.
    ``greater_is_better`` says which way is better. Raises InvalidValue for anything else.
    """

    def __init__(
        self, threshold: float | None = None, min_absolute_change: float | None = None,
        min_relative_change: float | None = None, greater_is_better: bool | None = None,
    ) -> None:
        if not isinstance(greater_is_better, bool):
            raise InvalidValue.of("greater_is_better", greater_is_better, "a threshold has a direction: True or False")
        for name, value in (
            ("threshold", threshold), ("min_absolute_change", min_absolute_change),
            ("min_relative_change", min_relative_change),
        ):
            if value is not None and not _is_number(value):
                raise InvalidValue.of(name, value, "expected a finite number")
        if min_absolute_change is not None and min_absolute_change <= 0:
            raise InvalidValue.of("min_absolute_change", min_absolute_change, "expected a number above 0")
        if min_relative_change is not None and not 0 < min_relative_change <= 1:
            raise InvalidValue.of("min_relative_change", min_relative_change, "expected a share above 0 and up to 1")
        if threshold is None and min_absolute_change is None and min_relative_change is None:
            raise InvalidValue(
                "a threshold needs a number to hold a metric against",
                hint="give threshold, min_absolute_change or min_relative_change",
            )
        self._threshold = threshold
        self._min_absolute_change = min_absolute_change
        self._min_relative_change = min_relative_change
        self._greater_is_better = greater_is_better

    @property
    def threshold(self) -> float | None:
        """The worst value that passes."""
        return self._threshold

    @property
    def min_absolute_change(self) -> float | None:
        """How much better than the baseline, in the metric's own unit."""
        return self._min_absolute_change

    @property
    def min_relative_change(self) -> float | None:
        """How much better than the baseline, as a share of the baseline's absolute value."""
        return self._min_relative_change

    @property
    def greater_is_better(self) -> bool:
        """Whether more is better."""
        return self._greater_is_better

    def __repr__(self) -> str:
        return (
            f"MetricThreshold(threshold={self._threshold}, min_absolute_change={self._min_absolute_change}, "
            f"min_relative_change={self._min_relative_change}, greater_is_better={self._greater_is_better})"
        )

    def failures(self, name: str, candidate: Any, baseline: Any) -> list[str]:
        """One line for each bound that the candidate's value of the metric ``name`` misses; None is no value.

        Numbers are compared as they are written in decimal: 0.3 is 0.1 above 0.2.
        """
        if candidate is None:
            return [f"{name}: the candidate's result does not have it"]
        if math.isnan(candidate):
            return [f"{name}: the candidate's value is not a number"]
        failed = []
        value = _exact(candidate)
        sign = 1 if self._greater_is_better else -1
        bound = "at least" if self._greater_is_better else "at most"
        if self._threshold is not None and sign * (value - _exact(self._threshold)) < 0:
            failed.append(f"{name}: {candidate}, expected {bound} {self._threshold}")
        if self._min_absolute_change is None and self._min_relative_change is None:
            return failed
        if baseline is None or math.isnan(baseline):
            return [*failed, f"{name}: there is no value of the baseline to compare {candidate} with"]
        gain = sign * (value - _exact(baseline))
        ahead = f"{name}: {candidate} against the baseline's {baseline} is {_shown(gain)} better"
        if self._min_absolute_change is not None and gain < _exact(self._min_absolute_change):
            failed.append(f"{ahead}, expected {self._min_absolute_change}")
        if self._min_relative_change is not None:
            if baseline == 0:
                logger.warning("%s of the baseline is 0, of which there is no share: being better is enough", name)
                if gain <= 0:
                    failed.append(f"{ahead}, expected more than 0")
            elif gain / abs(_exact(baseline)) < _exact(self._min_relative_change):
                share = gain / abs(_exact(baseline))
                failed.append(f"{ahead}, which is {_shown(share)} of it, expected {self._min_relative_change}")
        return failed


def validate_evaluation_results(
    validation_thresholds: Mapping[str, MetricThreshold], candidate_result: EvaluationResult,
    baseline_result: EvaluationResult | None = None,
) -> None:
    """Hold the metrics of a result against thresholds by name, and against those of a baseline.

    Raises ThresholdsNotMet, with a line for each bound that is missed, and InvalidValue for thresholds that are none.
    """
    if not isinstance(validation_thresholds, dict) or not all(
        isinstance(name, str) and isinstance(one, MetricThreshold) for name, one in validation_thresholds.items()
    ):
        raise InvalidValue(
            "validation_thresholds maps names of metrics to MetricThreshold objects",
            hint='{"accuracy_score": MetricThreshold(threshold=0.9, greater_is_better=True)}',
        )
    known = baseline_result.metrics if baseline_result is not None else {}
    failed = [
        line
        for name, threshold in validation_thresholds.items()
        for line in threshold.failures(name, candidate_result.metrics.get(name), known.get(name))
    ]
    if failed:
        raise ThresholdsNotMet(
            "the model does not reach its thresholds:\n" + "\n".join(f"  {line}" for line in failed)
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _exact(value: Any) -> Decimal:
    return Decimal(repr(float(value)))


def _shown(value: Decimal) -> str:
    return f"{float(value) + 0.0:.6g}"  # not -0
