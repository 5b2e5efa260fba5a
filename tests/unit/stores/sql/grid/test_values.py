"""Orders made in memory, against the definition of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from millstream.stores.sql.grid.values import arranged, number_of

NUMBERS = st.sampled_from([1, 2.5, -3.0, 0.0, math.inf, -math.inf, math.nan])
TEXTS = st.sampled_from(["adam", "sgd", "10", "9", "nan", "1_000", "-inf"])


def defined(runs: Sequence[int], values: Mapping[int, Any], ascending: bool) -> list[int]:
    """Numbers, texts, NaN, nothing; each run's place among its equals is that in ``runs``."""
    numbers: list[tuple[float, int]] = []
    texts: list[tuple[str, int]] = []
    nan, missing = [], []
    for run in runs:
        number = None if run not in values else number_of(values[run])
        if run not in values:
            missing.append(run)
        elif number is None:
            texts.append((values[run], run))
        elif math.isnan(number):
            nan.append(run)
        else:
            numbers.append((number, run))
    numbers.sort(key=lambda pair: pair[0], reverse=not ascending)
    texts.sort(key=lambda pair: pair[0], reverse=not ascending)
    return [run for _, run in numbers] + [run for _, run in texts] + nan + missing


@given(
    st.permutations(range(12)),
    st.dictionaries(st.integers(0, 14), NUMBERS) | st.dictionaries(st.integers(0, 14), TEXTS),
    st.booleans(), st.booleans(),
)
def test_an_order_is_as_it_is_defined(
    runs: list[int], values: dict[int, Any], from_an_index: bool, ascending: bool
) -> None:
    if from_an_index and not any(isinstance(value, str) for value in values.values()):
        # NaN is null in the store, which its indexes have first.
        values = dict(sorted(values.items(), key=lambda pair: (pair[1] == pair[1], pair[1], pair[0])))
    assert arranged(runs[:10], values, ascending) == defined(runs[:10], values, ascending)


def test_runs_of_equal_value_keep_their_order_when_an_index_gave_them_in_another() -> None:
    values = {1: 0.5, 2: 0.5, 3: 0.5, 4: 0.7, 5: 0.9, 6: 0.9}
    assert arranged([6, 4, 3, 2, 1, 5], values, True) == [3, 2, 1, 4, 6, 5]
    assert arranged([6, 4, 3, 2, 1, 5], values, False) == [6, 5, 4, 3, 2, 1]


def test_nothing_is_in_order() -> None:
    assert arranged([], {}, True) == []
    assert arranged([2, 1], {}, False) == [2, 1]
