"""Traffic rules and how tables follow them."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.entities.endpoint import (
    Canary,
    CanaryState,
    CanaryStep,
    PlannedEndpoint,
    PlannedVersion,
    Share,
    canonical_target,
    shadows,
    target_version,
    wanted_versions,
    weights,
)
from millstream.errors import InvalidValue
from millstream.serving.endpoints.routing import Draw, follow, number_of, settle
from tests.unit.serving.endpoints.test_planner import endpoint

VERSIONS = [
    PlannedVersion("1", "Archived"), PlannedVersion("2", "Production"), PlannedVersion("3", "Staging", ["champion"]),
    PlannedVersion("10", "Staging"), PlannedVersion("11", "Archived"),
]


@pytest.mark.parametrize(
    ("target", "version"),
    [("1", "1"), ("4", None), ("Production", "2"), ("staging", "10"), ("None", None), ("@champion", "3"),
     ("@other", None), ("latest", "10"), ("Archived", "11")],
)
def test_targets(target: str, version: str | None) -> None:
    assert target_version(target, VERSIONS) == version


@pytest.mark.parametrize(
    ("written", "kept"), [("production", "Production"), ("LATEST", "latest"), ("12", "12"), ("@A b", "@A b")]
)
def test_targets_have_one_spelling(written: str, kept: str) -> None:
    assert canonical_target(written) == kept


@pytest.mark.parametrize("written", ["", "@", "0", "-1", "v1", "Prod", "1.0", "٣"])
def test_what_is_no_target(written: str) -> None:
    with pytest.raises(InvalidValue, match="target"):
        canonical_target(written)


def test_shares_are_percents() -> None:
    rule = endpoint(traffic=[Share("2", 9.0), Share("@champion", 1.0), Share("4", 90.0)])
    assert weights(rule, VERSIONS) == pytest.approx({"2": 90.0, "3": 10.0})
    same = endpoint(traffic=[Share("2", 1.0), Share("Production", 1.0), Share("3", 2.0)])
    assert weights(same, VERSIONS) == pytest.approx({"2": 50.0, "3": 50.0})
    assert weights(endpoint(traffic=[Share("4", 1.0)]), VERSIONS) == {"2": 100.0}
    assert weights(endpoint(), VERSIONS[:1]) == {}


def canary(version: str, percent: float, state: str = CanaryState.RUNNING) -> Canary:
    return Canary(version, [CanaryStep(percent, 1.0)], 0.05, 20, state, 0, 1)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (canary("3", 20.0), {"2": 60.0, "10": 20.0, "3": 20.0}),
        (canary("3", 100.0), {"3": 100.0}),
        (canary("2", 50.0), {"2": 50.0, "10": 50.0}),
        (canary("4", 50.0), {"2": 75.0, "10": 25.0}),
        (canary("3", 20.0, CanaryState.ROLLED_BACK), {"2": 75.0, "10": 25.0}),
    ],
)
def test_a_canary_takes_its_part_of_all(one: Canary, expected: dict[str, float]) -> None:
    rule = endpoint(traffic=[Share("2", 3.0), Share("latest", 1.0)], canary=one)
    assert weights(rule, VERSIONS) == pytest.approx(expected)


def test_what_is_served() -> None:
    assert wanted_versions(endpoint(), VERSIONS) == ["2", "3", "10"]
    assert wanted_versions(endpoint(traffic=[Share("1", 1.0)]), VERSIONS) == ["1", "2", "3", "10"]
    assert wanted_versions(endpoint(serves="traffic", shadow=["@champion", "3", "@x"]), VERSIONS) == ["2", "3"]
    assert shadows(endpoint(shadow=["@champion", "3"]), VERSIONS) == ["3"]


def test_ninety_to_ten_over_ten_thousand_draws() -> None:
    draw, source = Draw({"1": 90.0, "2": 10.0}), random.Random(7)
    second = sum(draw.version(source.random()) == "2" for _ in range(10_000))
    assert 850 <= second <= 1150
    sessions = sum(draw.version(number_of(b"user-%d" % number)) == "2" for number in range(10_000))
    assert 850 <= sessions <= 1150
    assert Draw({}).version(0.5) is None


WEIGHTS = st.dictionaries(st.sampled_from("12345"), st.floats(0.001, 1000.0), max_size=5)
SETS = st.sets(st.sampled_from("12345"))


@given(WEIGHTS.filter(bool), st.floats(0, 1, exclude_max=True))
def test_draws_are_of_the_table(table: dict[str, float], number: float) -> None:
    assert Draw(table).version(number) in table


@given(WEIGHTS.filter(lambda table: len(table) > 1))
def test_each_is_drawn_as_often_as_it_weighs(table: dict[str, float]) -> None:
    draw, total = Draw(table), sum(table.values())
    drawn = [draw.version((number + 0.5) / 2_000) for number in range(2_000)]
    for version, weight in table.items():
        assert abs(drawn.count(version) - 2_000 * weight / total) <= 1.001
    assert sum(one != other for one, other in pairwise(drawn)) < len(table)


@given(WEIGHTS, SETS, WEIGHTS)
def test_a_table_holds_what_answers(desired: dict[str, float], ready: set[str], before: dict[str, float]) -> None:
    table = settle(desired, ready, before)
    assert set(table) <= ready & (set(desired) | set(before))
    if not desired:
        assert table == {}
    elif set(desired) <= ready:
        assert table == desired
    elif before and set(before) <= ready:
        assert table == before
    else:
        # Something answers as long as anything that may does.
        assert bool(table) == bool(ready & (set(desired) | set(before)))
        assert not table or sum(table.values()) == pytest.approx(100.0)


def test_a_table_follows_when_the_new_is_ready() -> None:
    both = [PlannedVersion("1", "Archived"), PlannedVersion("2", "Production")]
    first = follow(PlannedEndpoint(endpoint(), [PlannedVersion("1", "Production")]), {"1"}, set(), None)
    assert (first.traffic, first.targets["Production"]) == ({"1": 100.0}, {"1": 100.0})
    moved = follow(PlannedEndpoint(endpoint(), both), {"1"}, set(), first)
    assert (moved.traffic, moved.targets["Production"]) == ({"1": 100.0}, {"1": 100.0})
    assert "1" in set(moved.pinned())
    done = follow(PlannedEndpoint(endpoint(), both), {"1", "2"}, set(), moved)
    assert (done.traffic, done.targets["Production"]) == ({"2": 100.0}, {"2": 100.0})
    assert set(done.pinned()) == {"2"}
    gone = follow(PlannedEndpoint(endpoint(), both[:1]), {"1", "2"}, set(), done)
    assert (gone.traffic, gone.targets) == ({}, {})


def test_who_sleeps_can_be_named_and_gets_no_traffic() -> None:
    planned = PlannedEndpoint(endpoint(shadow=["3"]), VERSIONS)
    table = follow(planned, {"2"}, {"3", "10"}, None)
    assert table.traffic == {"2": 100.0}
    assert (table.targets["@champion"], table.targets["Staging"]) == ({"3": 100.0}, {"10": 100.0})
    assert table.copies == []
