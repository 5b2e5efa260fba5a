"""Which version answers: the tables that the router draws from, and how they follow what is desired.

What is desired changes at once, scoring processes take their time. So a table goes over to what is desired when every
version of it is ready, and stays what it was until then; only what has died is left out. Everything here is a function
of its arguments.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from millstream.entities.endpoint import LATEST, PlannedEndpoint, shadows, target_version, weights
from millstream.entities.model_registry import ALL_STAGES, STAGE_ARCHIVED

Weights = Mapping[str, float]
_NONE: dict[str, float] = {}
# What is archived is not served.
_STAGES = tuple(stage for stage in ALL_STAGES if stage != STAGE_ARCHIVED)


def settle(desired: Weights, ready: Collection[str], before: Weights) -> dict[str, float]:
    """The weights to use now, given those that are desired, the versions that answer, and the weights until now."""
    if not desired:
        return {}
    if all(version in ready for version in desired):
        return dict(desired)
    if before and all(version in ready for version in before):
        return dict(before)
    alive = {version: weight for version, weight in desired.items() if version in ready}
    return _of_hundred(alive or {version: weight for version, weight in before.items() if version in ready})


def _of_hundred(part: Weights) -> dict[str, float]:
    total = math.fsum(part.values())
    return {version: 100.0 * weight / total for version, weight in part.items()}


class Draw:
    """Draws versions by their weights."""

    def __init__(self, table: Weights) -> None:
        self.versions = sorted(table, key=int)
        self._bounds = list(accumulate(table[version] for version in self.versions))

    def version(self, number: float) -> str | None:
        """The version that a number from 0 to 1 (1 excluded) falls on, each as often as it weighs."""
        if not self.versions:
            return None
        if len(self.versions) == 1:
            return self.versions[0]
        place = bisect_right(self._bounds, number * self._bounds[-1])
        return self.versions[min(place, len(self.versions) - 1)]


def number_of(session: bytes) -> float:
    """The number from 0 to 1 that a session always draws: its hash, so that it stays with its version as long as that
    keeps its place in the table."""
    return int.from_bytes(hashlib.blake2b(session, digest_size=8).digest(), "big") / 2**64


@dataclass
class Table:
    """What an endpoint's requests are drawn from.

    ``traffic`` is the rule, ``targets`` the version of each stage, alias and ``latest``; ``copies`` get shadow
    requests.
    """

    endpoint: str
    model: str
    traffic: dict[str, float] = field(default_factory=dict)
    targets: dict[str, dict[str, float]] = field(default_factory=dict)
    copies: list[str] = field(default_factory=list)
    draw: Draw = field(default_factory=lambda: Draw(_NONE))

    def pinned(self) -> Iterator[str]:
        """The versions that requests may be sent to, which must not be ended."""
        yield from self.traffic
        for one in self.targets.values():
            yield from one


def follow(planned: PlannedEndpoint, ready: Collection[str], asleep: Collection[str], before: Table | None) -> Table:
    """The table to use now. Versions that are ``asleep`` can be woken, which is as good for those who name them."""
    endpoint, versions = planned.endpoint, planned.versions
    former = before or Table(endpoint.name, endpoint.model)
    traffic = settle(weights(endpoint, versions), ready, former.traffic)
    names = [*_STAGES, LATEST, *(f"@{alias}" for one in versions for alias in one.aliases)]
    targets: dict[str, dict[str, float]] = {}
    awake = {*ready, *asleep}
    for name in names:
        version = target_version(name, versions)
        found = settle({} if version is None else {version: 100.0}, awake, former.targets.get(name, _NONE))
        if found:
            targets[name] = found
    copies = [version for version in shadows(endpoint, versions) if version in ready]
    return Table(endpoint.name, endpoint.model, traffic, targets, copies, Draw(traffic))
