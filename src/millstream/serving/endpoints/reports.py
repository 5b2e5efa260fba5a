"""What a host tells the store of its scoring processes."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from millstream.entities.endpoint import ReplicaState
from millstream.operations import ReplicaReport
from millstream.serving.endpoints.planner import Slot
from millstream.serving.endpoints.scoring import Scoring, now_ms

_ORDER = (ReplicaState.DRAINING, ReplicaState.FAILED, ReplicaState.STARTING, ReplicaState.READY)


def reports(
    scorings: Iterable[Scoring], asleep: Collection[tuple[str, str]], withheld: Collection[Slot], most: int | None
) -> list[ReplicaReport]:
    """A report on each slot, on that of two processes in one which is ready or comes; on versions that are ``asleep``,
    and on slots ``withheld``, as the host runs ``most`` processes already."""
    found: dict[Slot, Scoring] = {}
    for one in sorted(scorings, key=lambda one: _ORDER.index(one.state)):
        found[one.slot] = one
    made = [one.report() for one in found.values()]
    full = f"the host runs as many processes as it may, {most}"
    made += [
        ReplicaReport(*slot, ReplicaState.STOPPED, now_ms(), error=full) for slot in withheld if slot not in found
    ]
    known = {(slot.endpoint, slot.version) for slot in found}
    made += [ReplicaReport(*version, 0, ReplicaState.IDLE, now_ms()) for version in sorted(set(asleep) - known)]
    return made
