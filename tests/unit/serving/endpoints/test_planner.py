"""The planner as a function, and as what a supervisor does with it until there is nothing left to do."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.entities.endpoint import (
    EndpointLimits,
    PlannedEndpoint,
    PlannedVersion,
    ReplicaState,
    ServingEndpoint,
    Share,
)
from millstream.serving.endpoints.planner import Drain, Seen, Slot, Start, Wanted, form_of, plan, wanted

STARTING, READY, DRAINING, FAILED = (
    ReplicaState.STARTING, ReplicaState.READY, ReplicaState.DRAINING, ReplicaState.FAILED
)
ONE = Slot("loan", "1", 0)


def endpoint(**changes: object) -> ServingEndpoint:
    """An endpoint with default settings but for these."""
    made = ServingEndpoint(
        name="loan", model="loan", enabled=True, traffic=[], serves="all", workers=1, replicas=1, env_manager="local",
        idle_seconds=0.0, shadow=[], generation=0, revision=1, creation_timestamp=1, last_updated_timestamp=1,
        user_id="a", state="",
    )
    return msgspec.structs.replace(made, **changes)


def versions(**stages: str) -> list[PlannedVersion]:
    """Versions by number, ``v1="None"``."""
    return [PlannedVersion(name[1:], stage) for name, stage in stages.items()]


def test_what_is_missing_is_started() -> None:
    assert plan({ONE: Wanted("a")}, []) == [Start(ONE, "a")]
    assert plan({ONE: Wanted("a")}, [Seen(1, ONE, "a", STARTING)]) == []
    assert plan({ONE: Wanted("a")}, [Seen(1, ONE, "a", READY)]) == []


def test_what_failed_is_started_when_it_has_waited() -> None:
    failed = [Seen(1, ONE, "a", FAILED)]
    assert plan({ONE: Wanted("a")}, failed, waiting={ONE}) == []
    assert plan({ONE: Wanted("a")}, failed) == [Start(ONE, "a")]


def test_another_form_takes_over_when_it_is_ready() -> None:
    old, new = Seen(1, ONE, "a", READY), Seen(2, ONE, "b", STARTING)
    assert plan({ONE: Wanted("b")}, [old]) == [Start(ONE, "b")]
    assert plan({ONE: Wanted("b")}, [old, new]) == []
    assert plan({ONE: Wanted("b")}, [old, replace(new, state=READY)]) == [Drain(1)]
    assert plan({ONE: Wanted("b")}, [replace(old, state=STARTING)]) == [Drain(1), Start(ONE, "b")]


def test_what_requests_go_to_is_not_ended() -> None:
    ready = [Seen(1, ONE, "a", READY)]
    assert plan({}, ready, pinned={("loan", "1")}) == []
    assert plan({}, ready, pinned={("loan", "2")}) == [Drain(1)]
    assert plan({}, [Seen(1, ONE, "a", STARTING)], pinned={("loan", "1")}) == [Drain(1)]
    # One of several goes when another of its version is there.
    second = Seen(2, Slot("loan", "1", 1), "a", READY)
    assert plan({ONE: Wanted("a")}, [*ready, second], pinned={("loan", "1")}) == [Drain(2)]


def test_a_host_is_not_overfilled() -> None:
    wishes = {Slot("loan", str(number), 0): Wanted("a", 3) for number in range(1, 4)}
    draining = [Seen(1, ONE, "a", DRAINING, 2)]
    assert plan(wishes, [], capacity=6) == [Start(Slot("loan", "1", 0), "a"), Start(Slot("loan", "2", 0), "a")]
    assert plan(wishes, draining, capacity=6) == [Start(Slot("loan", "1", 0), "a")]
    assert plan(wishes, [], capacity=2) == []


def test_traffic_comes_first_then_the_newest() -> None:
    planned = PlannedEndpoint(
        endpoint(traffic=[Share("2", 1.0)], replicas=2),
        versions(v1="None", v2="None", v3="Archived", v4="Staging"),
    )
    slots = [(slot.version, slot.number) for slot in wanted([planned], set())]
    assert slots == [("2", 0), ("2", 1), ("4", 0), ("4", 1), ("1", 0), ("1", 1)]
    assert [slot.version for slot in wanted([planned], {("loan", "4"), ("loan", "1")})] == ["2", "2"]
    only = PlannedEndpoint(endpoint(traffic=[Share("2", 1.0)], serves="traffic", shadow=["4"]), planned.versions)
    assert [slot.version for slot in wanted([only], set())] == ["2", "4"]
    assert wanted([PlannedEndpoint(endpoint(enabled=False), planned.versions)], set()) == {}


@pytest.mark.parametrize(
    ("changes", "replaced"),
    [
        ({"workers": 2}, True), ({"env_manager": "uv"}, True), ({"generation": 1}, True),
        ({"limits": EndpointLimits(seconds=2.0)}, True), ({"limits": EndpointLimits(requests=2)}, False),
        ({"traffic": [Share("1", 1.0)]}, False), ({"replicas": 2}, False), ({"revision": 9}, False),
    ],
)
def test_what_makes_another_process(changes: dict[str, object], replaced: bool) -> None:
    assert (form_of(endpoint(**changes)) != form_of(endpoint())) is replaced


SLOTS = [Slot("loan", str(version), number) for version in (1, 2, 3) for number in (0, 1)]
WISHES = st.dictionaries(st.sampled_from(SLOTS), st.sampled_from("ab").map(Wanted))
PINNED = st.sets(st.sampled_from([("loan", version) for version in "123"]))
SEEN = st.lists(
    st.tuples(st.sampled_from(SLOTS), st.sampled_from("ab"), st.sampled_from([STARTING, READY, DRAINING, FAILED])),
    max_size=8,
).map(lambda found: [Seen(number, *one) for number, one in enumerate(found)])


@given(WISHES, SEEN, PINNED)
def test_a_version_that_answers_is_never_left_without_a_process(
    wishes: dict[Slot, Wanted], seen: list[Seen], pinned: set[tuple[str, str]]
) -> None:
    drained = {action.id for action in plan(wishes, seen, pinned) if isinstance(action, Drain)}
    for version in pinned:
        ready = [one for one in seen if one.state == READY and (one.slot.endpoint, one.slot.version) == version]
        assert not ready or any(one.id not in drained for one in ready)
    wished = {(slot.endpoint, slot.version) for slot in wishes}
    for slot in wishes:
        ready = [one for one in seen if one.state == READY and one.slot == slot]
        assert not ready or any(one.id not in drained for one in ready), wished


@given(WISHES, SEEN)
def test_what_is_planned_ends_in_what_is_wanted(wishes: dict[Slot, Wanted], seen: list[Seen]) -> None:
    number = len(seen)
    for _ in range(10):
        actions = plan(wishes, seen)
        for action in actions:
            if isinstance(action, Drain):
                seen = [replace(one, state=DRAINING) if one.id == action.id else one for one in seen]
            else:
                number += 1
                seen = [one for one in seen if one.slot != action.slot or one.state != FAILED]
                seen.append(Seen(number, action.slot, action.form, STARTING))
        if not actions and not any(one.state in (STARTING, DRAINING) for one in seen):
            break
        # Meanwhile all that starts becomes ready, and all that drains ends.
        seen = [replace(one, state=READY) if one.state == STARTING else one for one in seen if one.state != DRAINING]
    else:
        raise AssertionError("it does not come to an end")
    running = sorted((one.slot, one.form) for one in seen if one.state == READY)
    assert running == sorted((slot, wish.form) for slot, wish in wishes.items())


@given(WISHES, SEEN, st.integers(0, 8))
def test_capacity_is_kept(wishes: dict[Slot, Wanted], seen: list[Seen], capacity: int) -> None:
    taken = sum(one.processes for one in seen if one.state in (STARTING, READY, DRAINING))
    started = [action for action in plan(wishes, seen, capacity=capacity) if isinstance(action, Start)]
    assert len(started) <= max(0, capacity - taken)
