"""Statistics against what scipy says, against simulation, and at their edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.errors import InvalidValue
from millstream.models.profile import profile
from millstream.monitoring import Report, compare, outlying
from millstream.serving.monitoring.statistics import beta_binomial_limit, neighbours_joined, rare_joined, share

RNG = np.random.default_rng(7)
NORMAL = RNG.normal(size=400)


def values_of(report: Report, column: str = "x") -> dict[str, float]:
    return {one.statistic: one.value for one in report.findings if one.column == column}


def test_the_index_of_stability_by_hand() -> None:
    reference = profile({"x": np.repeat([0, 1], [60, 40])})
    found = values_of(compare(reference, {"x": np.repeat([0, 1], [30, 70])}))
    before, now = np.array([60.5, 40.5]) / 101, np.array([30.5, 70.5]) / 101
    assert found["psi"] == pytest.approx(float(((now - before) * np.log(now / before)).sum()))
    middle = (before + now) / 2
    divergence = (scipy.stats.entropy(before, middle, 2) + scipy.stats.entropy(now, middle, 2)) / 2
    assert found["js"] == pytest.approx(math.sqrt(divergence))


def test_an_empty_bin_is_large_and_finite() -> None:
    found = values_of(compare({"x": NORMAL}, {"x": NORMAL + 100}))
    assert 3 < found["psi"] < 50
    assert found["ks"] == 1.0


def test_kolmogorov_smirnov_is_that_of_scipy() -> None:
    other = RNG.normal(0.2, 1, 300)
    (finding,) = [one for one in compare({"x": NORMAL}, {"x": other}).findings if one.statistic == "ks"]
    expected = scipy.stats.ks_2samp(NORMAL, other, method="asymp")
    assert finding.value == pytest.approx(expected.statistic)
    assert finding.p_value == pytest.approx(expected.pvalue, rel=0.2)  # by the limit of many rows


def test_chi_squared_is_that_of_scipy_as_an_effect() -> None:
    before, now = ["a"] * 50 + ["b"] * 30 + ["c"] * 20, ["a"] * 20 + ["b"] * 30 + ["c"] * 50
    (finding,) = [one for one in compare({"x": before}, {"x": now}).findings if one.statistic == "chi2"]
    expected = scipy.stats.chi2_contingency([[50, 30, 20], [20, 30, 50]], correction=False)
    assert finding.p_value == pytest.approx(expected.pvalue)
    assert finding.value == pytest.approx(math.sqrt(expected.statistic * (1 / 100 + 1 / 100)))
    assert finding.state == "exceeded"


def test_missing_values_and_categories_never_seen() -> None:
    reference = profile({"x": ["a", "b"] * 100, "y": np.arange(200.0)})
    report = compare(reference, {"x": ["a"] * 80 + ["z"] * 20, "y": [None] * 30 + [5.0] * 70})
    assert values_of(report)["unseen"] == pytest.approx(0.2)
    assert values_of(report, "y")["missing"] == pytest.approx(0.3)
    assert {("unseen", "x"), ("missing", "y")} <= {(one.statistic, one.column) for one in report.exceeded}


def test_a_column_that_is_not_there_is_missing() -> None:
    report = compare({"x": NORMAL, "y": NORMAL}, {"x": NORMAL})
    assert report.drifted == ["y"]
    assert values_of(report, "y") == {"missing": 1.0}


def test_columns_without_a_common_name_go_by_their_order() -> None:
    reference = profile(np.column_stack([NORMAL, NORMAL + 5]), np.column_stack([NORMAL, NORMAL + 5]))
    frame = {"a": NORMAL, "b": NORMAL + 5}
    assert compare(reference, frame, predictions=frame).exceeded == []
    assert compare(reference, {"a": NORMAL + 5, "b": NORMAL}).drifted == ["0", "1"]
    assert compare(reference, {"a": NORMAL}).drifted == ["0", "1"]  # it is another table


def test_times_go_on_and_are_no_drift() -> None:
    before = np.datetime64("2024-01-01") + np.arange(200).astype("timedelta64[D]")
    report = compare({"t": before}, {"t": before + np.timedelta64(2_000, "D")})
    assert report.exceeded == []


def test_numbers_that_json_has_written_otherwise_are_the_same_categories() -> None:
    reference = profile({"x": [True, False] * 50}, np.arange(100) % 2)
    report = compare(reference, {"x": [1, 0] * 50}, predictions=[1.0, 0.0] * 50)
    assert report.exceeded == []
    assert report.value("unseen", "prediction") == 0.0


def test_long_tails_of_categories_are_joined() -> None:
    words = [f"w{number}" for number in range(300)]
    reference = profile({"x": (RNG.choice(words, 3_000)).astype(object)})
    assert reference.columns[0].kind == "category"
    assert compare(reference, {"x": RNG.choice(words, 500).astype(object)}).exceeded == []


def test_a_limit_is_what_matters_or_what_chance_reaches() -> None:
    big, small = RNG.normal(size=20_000), RNG.normal(size=100)
    reference = profile({"x": big})
    by = {one.statistic: one.limit for one in compare(reference, {"x": RNG.normal(size=9_000)}).findings}
    assert by["psi"] == 0.1
    by = {one.statistic: one.limit for one in compare(reference, {"x": small}, false_alarm_rate=0.0001).findings}
    assert by["psi"] is not None
    assert by["psi"] > 0.2
    by = {one.statistic: one.limit for one in compare(reference, {"x": small}, thresholds={"psi": 3.0}).findings}
    assert by["psi"] == 3.0


@given(st.integers(1, 400), st.integers(0, 200), st.floats(1e-6, 0.4))
@settings(max_examples=60, deadline=None)
def test_the_limit_of_a_share_is_the_quantile(rows: int, hits: int, alpha: float) -> None:
    upper, lower = beta_binomial_limit(rows, hits, 200, alpha), beta_binomial_limit(rows, hits, 200, alpha, upper=False)
    law = scipy.stats.betabinom(rows, hits + 0.5, 200 - hits + 0.5)
    assert law.sf(upper) <= alpha + 1e-9
    assert law.cdf(lower - 1) <= alpha + 1e-9
    assert 0 <= lower <= upper <= rows


def test_a_share_may_fall_as_well() -> None:
    fallen = share("missing", "x", (100, 200), (0, 200)).found(0.05, 0.001)
    assert (fallen.value, fallen.state) == (0.5, "exceeded")
    assert share("missing", "x", (0, 0), (5, 10)).found(0.05, 0.001).limit is not None


def test_bins_with_too_little_are_joined() -> None:
    before, now = neighbours_joined(np.array([50, 1, 0, 49, 0]), np.array([40, 2, 1, 57, 0]))
    assert (before.tolist(), now.tolist()) == ([50.0, 50.0], [40.0, 60.0])
    before, now = rare_joined(np.array([50, 3, 2, 45]), np.array([50, 4, 4, 42]))
    assert (before.tolist(), now.tolist()) == ([50, 45, 5], [50, 42, 8])


@given(st.lists(st.integers(0, 30), min_size=1, max_size=12), st.data())
@settings(max_examples=60, deadline=None)
def test_joining_keeps_every_count(before: list[int], data: st.DataObject) -> None:
    now = data.draw(st.lists(st.integers(0, 30), min_size=len(before), max_size=len(before)))
    if sum(before) and sum(now):
        for joined in (neighbours_joined, rare_joined):
            first, second = joined(np.array(before), np.array(now))
            assert (first.sum(), second.sum()) == (sum(before), sum(now))


def test_outliers() -> None:
    rows = RNG.normal(size=(500, 3))
    reference = profile(rows)
    many = RNG.normal(size=(200, 3))
    assert compare(reference, many).exceeded == []
    many[:40, 1] = 50.0
    assert ("outliers", "") in {(one.statistic, one.column) for one in compare(reference, many).exceeded}
    assert outlying(reference, {"0": [0.0, 99.0], "1": [-99.0, 0.0], "2": [0.0, None]}) == [["1"], ["0"]]


def test_a_report_tells() -> None:
    report = compare({"x": NORMAL, "y": NORMAL}, {"x": NORMAL + 3, "y": NORMAL}, statistics=["psi", "ks"])
    assert report.drifted == ["x"]
    assert "x: psi" in str(report)
    assert "2 of 4 statistics" in str(report)
    assert list(report.to_frame().columns) == ["column", "statistic", "value", "limit", "p_value", "state"]
    assert "nothing is beyond its limit" in str(compare({"x": NORMAL}, {"x": NORMAL}))
    with pytest.raises(InvalidValue, match="luck"):
        report.value("luck", "x")
    assert compare({"x": NORMAL, "y": NORMAL}, {"x": NORMAL + 3, "y": NORMAL}, ignored_columns=["x"]).drifted == []


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InvalidValue, match="luck"):
        compare({"x": NORMAL}, {"x": NORMAL}, statistics=["luck"])
    with pytest.raises(InvalidValue, match="false_alarm_rate"):
        compare({"x": NORMAL}, {"x": NORMAL}, false_alarm_rate=0.0)
