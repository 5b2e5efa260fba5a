"""Operations on serving endpoints, and on the hosts that serve them."""

from __future__ import annotations

from millstream.entities.base import Entity, Int64
from millstream.entities.endpoint import (
    SERVES_ALL,
    CanaryStep,
    EndpointEvent,
    EndpointLimits,
    PlannedEndpoint,
    ReplicaLog,
    ServedVersion,
    ServingEndpoint,
    ServingHost,
    Share,
)
from millstream.operations.table import Answer, Needs, Operation, Permission, Resource, operation

_ENDPOINTS = "/v1/endpoints"
_ONE = f"{_ENDPOINTS}/{{name}}"
_SERVING = "/v1/serving"


def _needs(permission: Permission) -> Needs:
    return Needs(permission, Resource.ENDPOINT, "name")


def _on_model(permission: Permission, field: str) -> Needs:
    return Needs(permission, Resource.REGISTERED_MODEL, field)


class EndpointAnswer(Answer, frozen=True):
    """One endpoint, the versions that it serves, and the hosts that live."""

    endpoint: ServingEndpoint
    versions: list[ServedVersion] = []
    hosts: list[ServingHost] = []


class EndpointPage(Answer, frozen=True):
    """A page of endpoints; ``next_page_token`` is unset on the last."""

    endpoints: list[ServingEndpoint] = []
    next_page_token: str | None = None


class EndpointHistory(Answer, frozen=True):
    """A page of what has happened, the newest first; ``next_page_token`` is unset on the last."""

    events: list[EndpointEvent] = []
    next_page_token: str | None = None


class EndpointLogs(Answer, frozen=True):
    """The last lines of scoring processes."""

    logs: list[ReplicaLog] = []


class ServingHosts(Answer, frozen=True):
    """The hosts that were heard of lately, those that live first."""

    hosts: list[ServingHost] = []


class ServingPlan(Answer, frozen=True):
    """What hosts are to serve. ``token`` stands for this state of things; unless it ``changed``, no more is told."""

    token: str
    changed: bool
    endpoints: list[PlannedEndpoint] = []


class ReplicaReport(Entity, frozen=True):
    """What a host reports of a scoring process; ``log`` holds its last lines, unset when there are no new ones."""

    endpoint: str
    version: str
    number: Int64
    state: str
    since: Int64
    restarts: Int64 = 0
    pid: Int64 | None = None
    port: Int64 | None = None
    error: str | None = None
    log: str | None = None


# Endpoints


@operation("POST", _ENDPOINTS, _on_model(Permission.MANAGE, "model"), answer=EndpointAnswer, repeatable=False)
class CreateEndpoint(Operation[EndpointAnswer], frozen=True):
    """Create an endpoint that serves the versions of a registered model.

    Without shares all traffic goes to the newest version in Production, else to the newest that is not archived.
    """

    name: str
    model: str
    enabled: bool = True
    traffic: list[Share] = []
    serves: str = SERVES_ALL
    workers: Int64 = 1
    replicas: Int64 = 1
    env_manager: str = "uv"
    idle_seconds: float = 0.0
    shadow: list[str] = []
    limits: EndpointLimits = EndpointLimits()


@operation("GET", _ENDPOINTS, Needs(Permission.READ, Resource.ENDPOINT, filtered=True), answer=EndpointPage)
class ListEndpoints(Operation[EndpointPage], frozen=True):
    """List endpoints by name, all of them or those of a registered model."""

    model: str | None = None
    max_results: Int64 = 100
    page_token: str | None = None


@operation("GET", _ONE, _needs(Permission.READ), answer=EndpointAnswer)
class GetEndpoint(Operation[EndpointAnswer], frozen=True):
    """Read an endpoint with the versions that it serves and their replicas."""

    name: str


@operation("PATCH", _ONE, _needs(Permission.MANAGE), answer=EndpointAnswer, repeatable=False)
class UpdateEndpoint(Operation[EndpointAnswer], frozen=True):
    """Change what is given of an endpoint's settings, and leave the rest.

    With ``revision``, only if nobody has changed it since that revision was read.
    """

    name: str
    revision: Int64 | None = None
    enabled: bool | None = None
    traffic: list[Share] | None = None
    serves: str | None = None
    workers: Int64 | None = None
    replicas: Int64 | None = None
    env_manager: str | None = None
    idle_seconds: float | None = None
    shadow: list[str] | None = None
    limits: EndpointLimits | None = None


@operation("DELETE", _ONE, _needs(Permission.MANAGE), repeatable=False)
class DeleteEndpoint(Operation[None], frozen=True):
    """Remove an endpoint; its requests under way are answered, then its processes end."""

    name: str


@operation(
    "POST", "/v1/registered-models/enable-serving", _on_model(Permission.MANAGE, "name"), answer=EndpointAnswer
)
class EnableServing(Operation[EndpointAnswer], frozen=True):
    """Serve every version of a registered model that is not archived, at an endpoint of the model's name.

    The endpoint is created if need be, with this environment manager (uv unless given), or switched on.
    """

    name: str
    env_manager: str | None = None


@operation(
    "POST", "/v1/registered-models/disable-serving", _on_model(Permission.MANAGE, "name"), answer=EndpointPage
)
class DisableServing(Operation[EndpointPage], frozen=True):
    """Switch off every endpoint of a registered model; the answer is those that it has."""

    name: str


@operation("POST", f"{_ONE}/restart", _needs(Permission.MANAGE), answer=EndpointAnswer, repeatable=False)
class RestartEndpoint(Operation[EndpointAnswer], frozen=True):
    """Replace every scoring process of an endpoint by a new one; requests go on being answered."""

    name: str


# Canaries


@operation("POST", f"{_ONE}/canary", _needs(Permission.MANAGE), answer=EndpointAnswer, repeatable=False)
class StartCanary(Operation[EndpointAnswer], frozen=True):
    """Give a version more and more of the traffic, in steps, as long as it does well."""

    name: str
    version: str
    steps: list[CanaryStep]
    max_error_rate: float = 0.05
    min_requests: Int64 = 20
    max_seconds: float | None = None
    revision: Int64 | None = None


@operation("POST", f"{_ONE}/canary/step", _needs(Permission.MANAGE), answer=EndpointAnswer, repeatable=False)
class StepCanary(Operation[EndpointAnswer], frozen=True):
    """Let the canary of this revision of the endpoint begin its next step."""

    name: str
    revision: Int64
    reason: str | None = None


@operation("POST", f"{_ONE}/canary/end", _needs(Permission.MANAGE), answer=EndpointAnswer, repeatable=False)
class EndCanary(Operation[EndpointAnswer], frozen=True):
    """End a canary: PROMOTED gives it all the traffic from now on, ROLLED_BACK and STOPPED give it none."""

    name: str
    outcome: str
    reason: str | None = None
    revision: Int64 | None = None


# What is observed


@operation("GET", f"{_ONE}/history", _needs(Permission.READ), answer=EndpointHistory)
class ListEndpointEvents(Operation[EndpointHistory], frozen=True):
    """List what has happened to an endpoint, the newest first."""

    name: str
    max_results: Int64 = 100
    page_token: str | None = None


@operation("GET", f"{_ONE}/logs", _needs(Permission.READ), answer=EndpointLogs)
class GetEndpointLogs(Operation[EndpointLogs], frozen=True):
    """Read the last lines of the scoring processes of an endpoint, of one version if given."""

    name: str
    version: str | None = None


@operation("GET", f"{_SERVING}/hosts", Needs(Permission.ADMIN), answer=ServingHosts)
class ListServingHosts(Operation[ServingHosts], frozen=True):
    """List the hosts that serve endpoints."""


# For hosts


@operation("GET", f"{_SERVING}/plan", Needs(Permission.ADMIN), answer=ServingPlan)
class ReadServingPlan(Operation[ServingPlan], frozen=True):
    """Read what hosts are to serve, if it has changed since ``token`` was told."""

    token: str | None = None


@operation("POST", f"{_SERVING}/hosts/beat", Needs(Permission.ADMIN))
class BeatServingHost(Operation[None], frozen=True):
    """Say that a host lives, where, and what its scoring processes do (unset: what they did before)."""

    host: str
    address: str
    node: str
    pid: Int64
    started: Int64
    state: str = "READY"
    replicas: list[ReplicaReport] | None = None


@operation("POST", f"{_SERVING}/hosts/end", Needs(Permission.ADMIN))
class EndServingHost(Operation[None], frozen=True):
    """Say that a host has ended, and with it its scoring processes."""

    host: str
