"""From what is wanted and what is seen to what is done: one step of a supervisor, as a function of its arguments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from millstream.entities.endpoint import PlannedEndpoint, ReplicaState, ServingEndpoint, wanted_versions, weights


class Slot(NamedTuple):
    """The place of a scoring process: which one it is of a version of an endpoint."""

    endpoint: str
    version: str
    number: int


@dataclass(frozen=True)
class Seen:
    """A scoring process as it stands. ``form`` is what it was started as, ``processes`` what it takes of the host."""

    id: int
    slot: Slot
    form: str
    state: str
    processes: int = 1


@dataclass(frozen=True)
class Wanted:
    """What is wanted in a slot."""

    form: str
    processes: int = 1


@dataclass(frozen=True)
class Start:
    """Start a scoring process of this form."""

    slot: Slot
    form: str


@dataclass(frozen=True)
class Drain:
    """Send it no more requests, and end it when it has answered those that it has."""

    id: int


Action: TypeAlias = "Start | Drain"
_ALIVE = (ReplicaState.STARTING, ReplicaState.READY)


def form_of(endpoint: ServingEndpoint) -> str:
    """What the scoring processes of an endpoint are started as; another one means that they are replaced."""
    limits = endpoint.limits
    told = [endpoint.model, endpoint.workers, endpoint.env_manager, endpoint.generation, limits.body_bytes,
            limits.seconds]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def wanted(endpoints: Sequence[PlannedEndpoint], asleep: Collection[tuple[str, str]]) -> dict[Slot, Wanted]:
    """What is wanted in each slot, what traffic waits for first. Versions that are ``asleep`` (endpoint, version) have
    no process."""
    first: dict[Slot, Wanted] = {}
    then: dict[Slot, Wanted] = {}
    for one in endpoints:
        endpoint = one.endpoint
        form, shares = form_of(endpoint), weights(endpoint, one.versions)
        # A process with several workers has one more that looks after them.
        processes = endpoint.workers + (endpoint.workers > 1)
        for version in reversed(wanted_versions(endpoint, one.versions)):
            if (endpoint.name, version) in asleep:
                continue
            for number in range(endpoint.replicas):
                place = first if version in shares else then
                place[Slot(endpoint.name, version, number)] = Wanted(form, processes)
    return first | then


def plan(
    wishes: Mapping[Slot, Wanted], seen: Sequence[Seen], pinned: Collection[tuple[str, str]] = (),
    waiting: Collection[Slot] = (), capacity: int | None = None,
) -> list[Action]:
    """What to do next.

    A process of another form than is wanted is drained once its successor is ready. One that is not wanted is drained,
    unless it is ready, requests go to its (endpoint, version), which is ``pinned``, and no other is there to answer
    them. Nothing is started in a slot that is ``waiting`` after a failure, nor beyond ``capacity`` processes.
    """
    actions: list[Action] = []
    of_slot: dict[Slot, list[Seen]] = {}
    answered: set[tuple[str, str]] = set()
    taken = 0
    for one in seen:
        if one.state in _ALIVE:
            of_slot.setdefault(one.slot, []).append(one)
        if one.state in (*_ALIVE, ReplicaState.DRAINING):
            taken += one.processes
    for slot, wish in wishes.items():
        alive = of_slot.pop(slot, [])
        fitting = [one for one in alive if one.form == wish.form]
        ready = [one for one in fitting if one.state == ReplicaState.READY]
        if ready:
            answered.add((slot.endpoint, slot.version))
        for one in alive:
            if one.form != wish.form and (ready or one.state == ReplicaState.STARTING):
                actions.append(Drain(one.id))
        for extra in fitting:
            if extra is not (ready or fitting)[0]:
                actions.append(Drain(extra.id))
        if not fitting and slot not in waiting and (capacity is None or taken + wish.processes <= capacity):
            taken += wish.processes
            actions.append(Start(slot, wish.form))
    for slot, alive in of_slot.items():
        version = (slot.endpoint, slot.version)
        for one in alive:
            if one.state == ReplicaState.STARTING or version not in pinned or version in answered:
                actions.append(Drain(one.id))
    return actions
