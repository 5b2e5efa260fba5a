"""Serving endpoints: what is to be served and how, and what the hosts that serve report of it.

An endpoint serves the versions of one registered model. Its settings are what is *desired*; hosts and replicas are what
is *observed*. The arithmetic that both the store and the hosts need (which version a target names, which share of the
traffic each gets) stands here too, as functions of nothing but their arguments.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from millstream.entities.base import Entity, Int64
from millstream.entities.model_registry import ALL_STAGES, STAGE_ARCHIVED, STAGE_PRODUCTION
from millstream.errors import InvalidValue

ENV_MANAGERS = ("local", "uv", "conda", "virtualenv")
SERVES_ALL, SERVES_TRAFFIC = "all", "traffic"
LATEST = "latest"
# A host that has not been heard of for so long counts as dead, in milliseconds.
HOST_LIFE_MS = 15_000
_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_STAGES = {stage.lower(): stage for stage in ALL_STAGES}


class EndpointState:
    """The states of an endpoint.

    OFF: switched off, nothing runs. STOPPING: switched off, replicas end. WAITING: switched on, and no host lives, or
    the model has no version to serve. STARTING: no version that takes traffic is ready yet. READY: every version is.
    DEGRADED: traffic is answered, some replica is not ready. FAILED: nothing that takes traffic starts.
    """

    OFF, STOPPING, WAITING, STARTING = "OFF", "STOPPING", "WAITING", "STARTING"
    READY, DEGRADED, FAILED = "READY", "DEGRADED", "FAILED"


class ReplicaState:
    """The states of a replica. IDLE: ended for want of requests, started again by the next one."""

    STARTING, READY, DRAINING, IDLE = "STARTING", "READY", "DRAINING", "IDLE"
    FAILED, STOPPED = "FAILED", "STOPPED"


class CanaryState:
    """The states of a canary."""

    RUNNING, PROMOTED, ROLLED_BACK, STOPPED = "RUNNING", "PROMOTED", "ROLLED_BACK", "STOPPED"
    OUTCOMES = (PROMOTED, ROLLED_BACK, STOPPED)


class Share(Entity, frozen=True):
    """A part of the traffic. ``target`` is a version's number, a stage, ``@alias`` or ``latest``; weights are relative
    to each other: 90 and 10 is the same as 9 and 1."""

    target: str
    weight: float


class CanaryStep(Entity, frozen=True):
    """A step of a canary: its version gets ``percent`` of the traffic for ``seconds``."""

    percent: float
    seconds: float


class Canary(Entity, frozen=True):
    """A version that takes more and more of the traffic, as long as it does well.

    A step ends when its seconds have passed and the canary has answered ``min_requests`` in it; after the last the
    canary gets all the traffic. It is rolled back as soon as its share of failed answers exceeds that of the other
    versions in the same time by more than ``max_error_rate`` (of 1), or when 95 % of its answers take longer than
    ``max_seconds``, both once it has answered ``min_requests``. ``step`` counts from 0, ``since`` is when it began, in
    milliseconds since the epoch.
    """

    version: str
    steps: list[CanaryStep]
    max_error_rate: float
    min_requests: int
    state: str
    step: int
    since: int
    max_seconds: float | None = None
    reason: str | None = None

    @property
    def percent(self) -> float:
        """Its share of the traffic now."""
        return self.steps[self.step].percent if self.state == CanaryState.RUNNING else 0.0


class EndpointLimits(Entity, frozen=True):
    """What one request, and all together, may take; unset means the host's defaults.

    ``body_bytes`` of a request, ``seconds`` from its head to its answer, ``requests`` under way at one time.
    """

    body_bytes: Int64 | None = None
    seconds: float | None = None
    requests: Int64 | None = None


class ServingEndpoint(Entity, frozen=True):
    """An endpoint as it stood when it was read. Times are in milliseconds since the epoch.

    ``traffic`` without shares means: all to the newest version in Production, else to the newest that is not archived.
    ``serves`` is "all" (every version that is not archived has a scoring process) or "traffic" (only those that
    traffic, canary and shadow name). Each version has ``replicas`` scoring processes of ``workers`` processes each. A
    version that gets no share of the traffic ends after ``idle_seconds`` without a request (0: never).
    ``revision`` grows with each change; ``state`` and ``reason`` are observed.
    """

    name: str
    model: str
    enabled: bool
    traffic: list[Share]
    serves: str
    workers: int
    replicas: int
    env_manager: str
    idle_seconds: float
    shadow: list[str]
    generation: int
    revision: int
    creation_timestamp: int
    last_updated_timestamp: int
    user_id: str
    state: str
    limits: EndpointLimits = EndpointLimits()
    canary: Canary | None = None
    reason: str | None = None


class Replica(Entity, frozen=True):
    """A scoring process as its host reports it; ``since`` is when it came into its state, in milliseconds."""

    host: str
    endpoint: str
    version: str
    number: int
    state: str
    since: int
    restarts: int
    pid: int | None = None
    port: int | None = None
    error: str | None = None


class ServedVersion(Entity, frozen=True):
    """A version of an endpoint: what it is called, its ``percent`` of the traffic by the rule, and its replicas."""

    version: str
    stage: str
    aliases: list[str]
    percent: float
    shadow: bool
    state: str
    replicas: list[Replica] = []


class ServingHost(Entity, frozen=True):
    """A process that serves endpoints. It is ``alive`` if it has been heard of lately, or STOPPING."""

    host: str
    address: str
    node: str
    pid: int
    started: int
    beat: int
    alive: bool
    state: str


class EndpointEvent(Entity, frozen=True):
    """Something that has happened to an endpoint: a change of its settings, a step of a canary, a replica that died."""

    sequence: int
    kind: str
    timestamp: int
    user_id: str
    version: str | None = None
    detail: str | None = None


class ReplicaLog(Entity, frozen=True):
    """The last lines that a scoring process has written."""

    host: str
    version: str
    number: int
    text: str


class PlannedVersion(Entity, frozen=True):
    """A version as a host needs to know it."""

    version: str
    stage: str
    aliases: list[str] = []

    @property
    def number(self) -> int:
        """Its number."""
        return int(self.version)


class PlannedEndpoint(Entity, frozen=True):
    """An endpoint that is on, with every version of its model."""

    endpoint: ServingEndpoint
    versions: list[PlannedVersion] = []


def target_version(target: str, versions: Iterable[PlannedVersion]) -> str | None:
    """The version that a target names: of several in a stage the newest; None when there is none."""
    if _NUMBER.fullmatch(target):
        return next((one.version for one in versions if one.version == target), None)
    if target.startswith("@"):
        return next((one.version for one in versions if target[1:] in one.aliases), None)
    stage = _STAGES.get(target.lower())
    found = [one for one in versions if (one.stage == stage if stage else one.stage != STAGE_ARCHIVED)]
    return max(found, key=lambda one: one.number).version if found else None


def canonical_target(target: str) -> str:
    """A target as it is written. Raises InvalidValue for a text that is none."""
    if _NUMBER.fullmatch(target) or (target.startswith("@") and len(target) > 1):
        return target
    if target.lower() == LATEST:
        return LATEST
    found = _STAGES.get(target.lower())
    if found is None:
        raise InvalidValue.of("target", target, "it is neither a version, a stage, @alias nor latest",
                              hint="write it like 3, Production, @champion or latest")
    return found


def default_version(versions: Sequence[PlannedVersion]) -> str | None:
    """The version that gets the traffic where no rule says otherwise."""
    return target_version(STAGE_PRODUCTION, versions) or target_version(LATEST, versions)


def weights(endpoint: ServingEndpoint, versions: Sequence[PlannedVersion]) -> dict[str, float]:
    """Version → percent of the traffic, which add up to 100; nothing for a model without versions to serve.

    Shares whose target names no version now are left out, and the others take their part.
    """
    made: dict[str, float] = {}
    for share in endpoint.traffic:
        version = target_version(share.target, versions)
        if version is not None:
            made[version] = made.get(version, 0.0) + share.weight
    total = math.fsum(made.values())
    if total > 0:
        made = {version: 100.0 * weight / total for version, weight in made.items() if weight > 0}
    else:
        version = default_version(versions)
        made = {} if version is None else {version: 100.0}
    canary = endpoint.canary
    if canary is not None and canary.percent and target_version(canary.version, versions) is not None:
        rest = 100.0 - canary.percent
        others = {version: weight for version, weight in made.items() if version != canary.version}
        sum_of_others = math.fsum(others.values())
        if not others:
            return {canary.version: 100.0}
        made = {version: weight * rest / sum_of_others for version, weight in others.items() if rest > 0}
        made[canary.version] = canary.percent
    return made


def shadows(endpoint: ServingEndpoint, versions: Sequence[PlannedVersion]) -> list[str]:
    """The versions that get copies of requests."""
    found = (target_version(target, versions) for target in endpoint.shadow)
    return list(dict.fromkeys(version for version in found if version is not None))


def wanted_versions(endpoint: ServingEndpoint, versions: Sequence[PlannedVersion]) -> list[str]:
    """The versions that an endpoint is to have scoring processes for, the oldest first."""
    if not endpoint.enabled:
        return []
    wanted = {*weights(endpoint, versions), *shadows(endpoint, versions)}
    if endpoint.serves == SERVES_ALL:
        wanted.update(one.version for one in versions if one.stage != STAGE_ARCHIVED)
    return sorted(wanted, key=int)
