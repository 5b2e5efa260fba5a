"""Names and values at their limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import InvalidValue, LimitExceeded
from millstream.operations.limits import check_batch, check_key, check_page, check_run_id, check_text
from millstream.testing.stores import BAD_KEYS, GOOD_KEYS


@pytest.mark.parametrize("key", GOOD_KEYS)
def test_good_keys(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize("key", [*BAD_KEYS, None, 7, "a/", "a\n"])
def test_bad_keys(key: object) -> None:
    with pytest.raises(InvalidValue, match="for parameter 'params\\[0\\].key' supplied"):
        check_key(key, "params[0].key")


@given(st.text(max_size=300))
def test_any_key_is_good_or_refused(key: str) -> None:
    try:
        assert check_key(key) == key
    except InvalidValue as error:
        assert error.error_code == "INVALID_PARAMETER_VALUE"


def test_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_text("x" * 10, 10, "value") == "x" * 10
    assert check_text(7, 10, "value") == "7"
    with pytest.raises(LimitExceeded, match="exceeds the maximum length of 10"):
        check_text("x" * 11, 10, "value")
    assert check_text("x" * 11, 10, "value", cut=True) == "x" * 10
    monkeypatch.setenv("MLFLOW_TRUNCATE_LONG_VALUES", "false")
    with pytest.raises(LimitExceeded):
        check_text("x" * 11, 10, "value", cut=True)


@pytest.mark.parametrize("run_id", ["", "-a", "a/b", "a b", "a" * 257, "a.b"])
def test_run_ids(run_id: str) -> None:
    assert check_run_id("a1_-" * 10) == "a1_-" * 10
    with pytest.raises(InvalidValue):
        check_run_id(run_id)


def test_pages_and_batches() -> None:
    assert check_page(5, 10) == 5
    for size in (0, 11):
        with pytest.raises(InvalidValue, match="max_results"):
            check_page(size, 10)
    check_batch([0] * 800, [0] * 100, [0] * 100)
    with pytest.raises(LimitExceeded, match="1000 metrics, params and tags"):
        check_batch([0] * 801, [0] * 100, [0] * 100)
