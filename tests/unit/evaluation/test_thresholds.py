from __future__ import annotations

import math
from typing import Any

import pytest

import millstream
from millstream.errors import InvalidValue, ThresholdsNotMet
from millstream.models import EvaluationResult, MetricThreshold


def result(**metrics: float) -> EvaluationResult:
    return EvaluationResult(metrics, {})


def check(threshold: MetricThreshold, candidate: float, baseline: float | None = None) -> str:
    """The lines of what is missed; empty when nothing is."""
    compared = None if baseline is None else result(m=baseline)
    try:
        millstream.validate_evaluation_results({"m": threshold}, result(m=candidate), compared)
    except ThresholdsNotMet as error:
        return error.message.partition("\n")[2]
    return ""


def at_least(**bounds: float) -> MetricThreshold:
    return MetricThreshold(**bounds, greater_is_better=True)


def at_most(**bounds: float) -> MetricThreshold:
    return MetricThreshold(**bounds, greater_is_better=False)


@pytest.mark.parametrize(("threshold", "candidate", "baseline", "missed"), [
    (at_least(threshold=0.9), 0.9, None, ""),
    (at_least(threshold=0.9), 0.89, None, "m: 0.89, expected at least 0.9"),
    (at_most(threshold=10), 10, None, ""),
    (at_most(threshold=10), 10.5, None, "m: 10.5, expected at most 10"),
    # In decimals, where 0.3 - 0.2 is 0.1.
    (at_least(min_absolute_change=0.1), 0.3, 0.2, ""),
    (at_least(min_absolute_change=0.1), 0.29, 0.2, "m: 0.29 against the baseline's 0.2 is 0.09 better, expected 0.1"),
    (at_most(min_absolute_change=1), 9, 10, ""),
    (at_most(min_absolute_change=1), 9.5, 10, "m: 9.5 against the baseline's 10 is 0.5 better, expected 1"),
    (at_least(min_relative_change=0.1), 0.22, 0.2, ""),
    (at_least(min_relative_change=0.1), 0.21, 0.2,
     "m: 0.21 against the baseline's 0.2 is 0.01 better, which is 0.05 of it, expected 0.1"),
    (at_least(min_relative_change=0.1), -0.9, -1, ""),
    (at_least(min_relative_change=0.1), -0.95, -1,
     "m: -0.95 against the baseline's -1 is 0.05 better, which is 0.05 of it, expected 0.1"),
    (at_most(min_relative_change=0.5), 5, 5,
     "m: 5 against the baseline's 5 is 0 better, which is 0 of it, expected 0.5"),
    (at_least(min_relative_change=0.1), 0.001, 0, ""),
    (at_least(min_relative_change=0.1), 0, 0, "m: 0 against the baseline's 0 is 0 better, expected more than 0"),
    (at_least(threshold=0.5), math.nan, None, "m: the candidate's value is not a number"),
    (at_least(threshold=0.5), math.inf, None, ""),
    (at_least(min_absolute_change=1), 1, math.nan, "m: there is no value of the baseline to compare 1 with"),
    (at_least(min_absolute_change=1), 1, None, "m: there is no value of the baseline to compare 1 with"),
])
def test_what_reaches_a_threshold(
    threshold: MetricThreshold, candidate: float, baseline: float | None, missed: str
) -> None:
    assert check(threshold, candidate, baseline).strip() == missed


def test_every_bound_that_is_missed_is_listed() -> None:
    with pytest.raises(ThresholdsNotMet) as caught:
        millstream.validate_evaluation_results(
            {
                "accuracy": at_least(threshold=0.9, min_absolute_change=0.05),
                "loss": at_most(threshold=1),
                "f1": at_least(threshold=0.5),
                "fine": at_least(threshold=0),
            },
            result(accuracy=0.8, loss=2, fine=1), result(accuracy=0.79),
        )
    assert caught.value.error_code == "BAD_REQUEST"
    assert caught.value.message.splitlines() == [
        "the model does not reach its thresholds:",
        "  accuracy: 0.8, expected at least 0.9",
        "  accuracy: 0.8 against the baseline's 0.79 is 0.01 better, expected 0.05",
        "  loss: 2, expected at most 1",
        "  f1: the candidate's result does not have it",
    ]


@pytest.mark.parametrize(("bounds", "said"), [
    ({"threshold": 1}, "greater_is_better"),
    ({"threshold": 1, "greater_is_better": "yes"}, "greater_is_better"),
    ({"greater_is_better": True}, "a number to hold a metric against"),
    ({"threshold": "0.9", "greater_is_better": True}, "'threshold'"),
    ({"threshold": math.nan, "greater_is_better": True}, "'threshold'"),
    ({"min_absolute_change": 0, "greater_is_better": True}, "'min_absolute_change'"),
    ({"min_relative_change": 1.5, "greater_is_better": True}, "'min_relative_change'"),
    ({"min_relative_change": -0.1, "greater_is_better": True}, "'min_relative_change'"),
])
def test_thresholds_that_say_nothing(bounds: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidValue, match=said):
        MetricThreshold(**bounds)


def test_thresholds_that_are_none() -> None:
    with pytest.raises(InvalidValue, match="maps names of metrics"):
        millstream.validate_evaluation_results({"m": 0.9}, result(m=1))  # type: ignore[dict-item]
    assert repr(at_most(threshold=3)).startswith("MetricThreshold(threshold=3, min_absolute_change=None")


def test_the_names_that_mlflows_users_import() -> None:
    from millstream.models.evaluation.validation import (  # type: ignore[import-untyped]
        MetricThresholdClassException,
        ModelValidationFailedException,
    )

    assert (ModelValidationFailedException, MetricThresholdClassException) == (ThresholdsNotMet, InvalidValue)
