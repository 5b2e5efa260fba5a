from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest

from millstream.errors import InvalidValue, LimitExceeded, MissingValue
from millstream.tracking import checks


class Tensor:
    """What torch, tensorflow and jax have in common, without their size."""

    def __init__(self, *values: float) -> None:
        self.values = values

    def item(self) -> float:
        if len(self.values) != 1:
            raise RuntimeError(f"a Tensor with {len(self.values)} elements cannot be converted to Scalar")
        return self.values[0]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0), (1.5, 1.5), (True, 1.0), ("6", 6.0), (" 1e3 ", 1000.0), (Decimal("7.5"), 7.5), (Fraction(1, 4), 0.25),
        (np.float32(2.5), 2.5), (np.int64(3), 3.0), (np.bool_(True), 1.0), (np.array(4.0), 4.0), (np.array([5.0]), 5.0),
        (np.array([[6.0]]), 6.0), (pd.Series([7]), 7.0), (Tensor(8.0), 8.0), (float("inf"), math.inf),
    ],
)
def test_whatever_is_one_number_is_taken(value: Any, number: float) -> None:
    assert checks.number(value) == number
    assert type(checks.number(value)) is float


def test_nan_is_a_number_of_its_kind() -> None:
    assert math.isnan(checks.number(float("nan")))
    assert math.isnan(checks.number(np.float64("nan")))


@pytest.mark.parametrize(
    "value", ["x", "", b"x", 1j, [1], {}, np.array([1.0, 2.0]), Tensor(1.0, 2.0), Tensor(), object(), 10**400]
)
def test_what_is_no_number_is_refused_with_the_name_of_the_metric(value: Any) -> None:
    with pytest.raises(InvalidValue, match="loss") as caught:
        checks.number(value, "loss")
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


def test_no_number_at_all_is_missing() -> None:
    with pytest.raises(MissingValue, match="Missing value for required parameter 'value'"):
        checks.number(None)


@pytest.mark.parametrize("key", ["a", "a b", "a/b", "a:b", "a-b_c.d", "é", "日本", "x" * 250])
def test_keys_that_mlflow_takes(key: str) -> None:
    assert checks.metric_key(key) == key
    assert checks.metric_key(key) == key  # the second time from memory
    assert checks.params({key: 1}) == {key: "1"}
    assert checks.tags({key: 1}) == {key: "1"}


@pytest.mark.parametrize("key", ["", ".", "..", "a//b", "../a", "/a", "a/", "a(b", "a\nb", "a\tb", "x" * 251, 5, None])
def test_keys_that_mlflow_refuses(key: Any) -> None:
    for check in (checks.metric_key, lambda key: checks.params({key: 1}), lambda key: checks.tags({key: 1})):
        with pytest.raises(InvalidValue):
            check(key)


def test_a_key_that_is_almost_text_becomes_text() -> None:
    key = np.str_("almost")
    assert type(checks.metric_key(key)) is str
    assert [type(one) for one in [*checks.params({key: 1}), *checks.tags({key: 1})]] == [str, str]


def test_the_memory_of_keys_stays_small() -> None:
    for number in range(25_000):
        checks.metric_key(f"key {number}")
    assert len(checks.sound_keys) <= 10_000


@pytest.mark.parametrize(
    ("step", "whole"),
    [(None, 0), (0, 0), (-1, -1), (1.5, 1), (np.int64(5), 5), (True, 1), (2**63 - 1, 2**63 - 1)],
)
def test_steps(step: Any, whole: int) -> None:
    assert checks.step(step) == whole


@pytest.mark.parametrize("step", ["3", "x", 2**63, -(2**63) - 1, float("nan"), float("inf"), [1], b"1"])
def test_steps_that_are_none(step: Any) -> None:
    with pytest.raises(InvalidValue, match="'step'"):
        checks.step(step)


def test_times_are_not_negative() -> None:
    assert checks.timestamp(0) == 0
    assert checks.timestamp(1.5) == 1
    with pytest.raises(InvalidValue, match="'timestamp'"):
        checks.timestamp(-1)


def test_a_long_value_is_cut_and_said_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    assert checks.params({"p": "x" * 6001}) == {"p": "x" * 6000}
    assert checks.tags({"t": "x" * 8001}) == {"t": "x" * 8000}
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "'p'" in caplog.text
    monkeypatch.setenv("MLFLOW_TRUNCATE_LONG_VALUES", "false")
    with pytest.raises(LimitExceeded, match="6000"):
        checks.params({"p": "x" * 6001})


def test_values_are_kept_as_text() -> None:
    texts = {"a": "None", "b": "[1, 2]", "c": "1.0", "d": "True"}
    assert checks.params({"a": None, "b": [1, 2], "c": 1.0, "d": True}) == texts


@pytest.mark.parametrize("values", [None, [1], "text"])
def test_what_is_no_dictionary_is_refused(values: Any) -> None:
    with pytest.raises(InvalidValue, match="dictionary"):
        checks.params(values)
    with pytest.raises(InvalidValue, match="dictionary"):
        checks.tags(values)


def test_a_run_name_among_the_tags_has_its_own_limit() -> None:
    with pytest.raises(LimitExceeded):
        checks.tags({"mlflow.runName": "n" * 251})
