"""Quantiles from buckets are those of the durations, to two percent."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.entities.latency import ACCURACY, bucket_of, quantiles

SHARES = (0.0, 0.25, 0.5, 0.95, 0.99, 1.0)


@given(st.lists(st.floats(1e-6, 86_400.0), min_size=1, max_size=200), st.integers(0, 200))
def test_quantiles_are_exact_to_their_share(durations: list[float], cut: int) -> None:
    # Counted by two hosts, and added up.
    counts = Counter(map(bucket_of, durations[:cut])) + Counter(map(bucket_of, durations[cut:]))
    ordered = sorted(durations)
    for share, found in zip(SHARES, quantiles(counts, SHARES), strict=True):
        assert found == pytest.approx(ordered[int(share * (len(ordered) - 1))], rel=ACCURACY * 1.001)


def test_the_shortest_and_the_longest() -> None:
    assert bucket_of(0.0) == bucket_of(-1.0) == bucket_of(1e-9)
    assert bucket_of(1e9) == bucket_of(float("inf"))
    assert quantiles({}, (0.5, 0.9)) == [0.0, 0.0]
