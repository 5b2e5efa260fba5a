"""Operations on what monitoring keeps: the request log, outcomes, figures, monitors, findings, alerts, profiles."""

from __future__ import annotations

import msgspec

from millstream.entities.base import Int64
from millstream.entities.monitoring import (
    Alert,
    AlertChange,
    Finding,
    MinuteFigures,
    Monitor,
    MonitorSettings,
    MonitorWindow,
    Outcome,
    RequestRecord,
    ServiceFigures,
    WindowFindings,
)
from millstream.operations.table import Answer, Needs, Operation, Permission, Resource, operation

_OURS = "/v1/monitoring"
_ONE = "/v1/endpoints/{name}"
_READ = Needs(Permission.READ, Resource.ENDPOINT, "name")
_EDIT = Needs(Permission.EDIT, Resource.ENDPOINT, "name")
_MANAGE = Needs(Permission.MANAGE, Resource.ENDPOINT, "name")


class RequestPage(Answer, frozen=True):
    """A page of the request log; ``next_page_token`` is unset on the last."""

    requests: list[RequestRecord] = []
    next_page_token: str | None = None


class OutcomesRecorded(Answer, frozen=True):
    """How many outcomes were attached, and the ids of requests that the log does not have."""

    attached: Int64 = 0
    unknown: list[str] = []


class Removed(Answer, frozen=True):
    """How many records were removed."""

    removed: Int64 = 0


class ServiceFiguresAnswer(Answer, frozen=True):
    """Figures by version and time, the oldest first."""

    figures: list[ServiceFigures] = []


class MonitorAnswer(Answer, frozen=True):
    """One monitor."""

    monitor: Monitor


class MonitorPage(Answer, frozen=True):
    """A page of monitors, by endpoint; ``next_page_token`` is unset on the last."""

    monitors: list[Monitor] = []
    next_page_token: str | None = None


class Claimed(Answer, frozen=True):
    """Whether the one who asked may look now."""

    claimed: bool = False


class FindingsRecorded(Answer, frozen=True):
    """The alerts that were raised and cleared by this."""

    raised: list[Alert] = []
    cleared: list[Alert] = []


class FindingsPage(Answer, frozen=True):
    """A page of windows with what was found in them, the newest first; ``next_page_token`` is unset on the last."""

    windows: list[WindowFindings] = []
    next_page_token: str | None = None


class AlertPage(Answer, frozen=True):
    """A page of alerts, the newest first; ``next_page_token`` is unset on the last."""

    alerts: list[Alert] = []
    next_page_token: str | None = None


class ProfileAnswer(Answer, frozen=True):
    """The profile of a version's training data as JSON; None where the store has none."""

    profile: str | None = None


# The request log


@operation("POST", f"{_OURS}/requests", Needs(Permission.ADMIN), max_body=64 * 1024 * 1024)
class RecordRequests(Operation[None], frozen=True):
    """Add requests to the log, and figures of minutes to those there are.

    What is there already, by endpoint, id and time, stays as it is, so that a batch may be sent twice.
    """

    requests: list[RequestRecord] = []
    figures: list[MinuteFigures] = []


@operation("GET", f"{_ONE}/requests", _EDIT, answer=RequestPage)
class SearchRequests(Operation[RequestPage], frozen=True):
    """Find requests to an endpoint, the newest first, page by page. They are data of people: READ does not suffice.

    ``start_time`` and ``end_time`` bound their times (the end excluded), ``least_status`` and ``most_status`` their
    status codes, ``least_seconds`` what they took. ``with_outcome`` asks for those that have one, or have none.
    ``with_bodies`` brings the bodies along. ``after`` asks for the records behind that one, the oldest first.
    """

    name: str
    model: str | None = None
    version: str | None = None
    request_id: str | None = None
    start_time: Int64 | None = None
    end_time: Int64 | None = None
    least_status: Int64 | None = None
    most_status: Int64 | None = None
    least_seconds: float | None = None
    with_outcome: bool | None = None
    with_bodies: bool = False
    after: Int64 | None = None
    max_results: Int64 = 100
    page_token: str | None = None


@operation("POST", f"{_ONE}/outcomes", _EDIT, answer=OutcomesRecorded)
class RecordOutcomes(Operation[OutcomesRecorded], frozen=True):
    """Attach what really happened to requests by their ids; a later outcome of a request replaces an earlier one."""

    name: str
    outcomes: list[Outcome]


@operation("POST", f"{_ONE}/requests/prune", _MANAGE, answer=Removed)
class PruneRequests(Operation[Removed], frozen=True):
    """Remove what the monitor of an endpoint no longer keeps: requests, figures, findings and cleared alerts.

    ``before`` (a time) and ``most`` (the newest to keep) are for requests, in place of what the monitor says.
    """

    name: str
    before: Int64 | None = None
    most: Int64 | None = None


@operation("GET", f"{_ONE}/figures", _READ, answer=ServiceFiguresAnswer)
class GetServiceFigures(Operation[ServiceFiguresAnswer], frozen=True):
    """Read requests, errors and latency of each version of an endpoint between two times, in steps of minutes."""

    name: str
    start_time: Int64
    end_time: Int64
    step_minutes: Int64 = 1
    model: str | None = None
    version: str | None = None


# Monitors


@operation("POST", f"{_ONE}/monitor", _MANAGE, answer=MonitorAnswer)
class SetMonitor(Operation[MonitorAnswer], frozen=True):
    """Watch an endpoint with these settings from now on, instead of those it had."""

    name: str
    settings: MonitorSettings = msgspec.field(default_factory=MonitorSettings)


@operation("GET", f"{_ONE}/monitor", _READ, answer=MonitorAnswer)
class GetMonitor(Operation[MonitorAnswer], frozen=True):
    """Read the monitor of an endpoint."""

    name: str


@operation("GET", f"{_OURS}/monitors", Needs(Permission.READ, Resource.ENDPOINT, filtered=True), answer=MonitorPage)
class ListMonitors(Operation[MonitorPage], frozen=True):
    """List monitors by endpoint, page by page."""

    max_results: Int64 = 1_000
    page_token: str | None = None


@operation("DELETE", f"{_ONE}/monitor", _MANAGE, repeatable=False)
class DeleteMonitor(Operation[None], frozen=True):
    """Stop watching an endpoint; what was recorded of it is removed."""

    name: str


@operation("POST", f"{_ONE}/monitor/claim", _EDIT, answer=Claimed)
class ClaimMonitor(Operation[Claimed], frozen=True):
    """Ask to be the only one who looks at an endpoint for so many seconds; 0 gives it back."""

    name: str
    holder: str
    seconds: float = 60.0


# What monitors find


@operation("POST", f"{_ONE}/findings", _EDIT, answer=FindingsRecorded)
class RecordFindings(Operation[FindingsRecorded], frozen=True):
    """Keep what was found in a window, raise and clear alerts, and do what the monitor says is to be done then.

    An alert that is open is not raised again, one that is not is not cleared; each change is published as an event in
    the same transaction. A window that is there already, by its version and last record, stays as it is.
    """

    name: str
    window: MonitorWindow
    findings: list[Finding]
    raised: list[AlertChange] = []
    cleared: list[AlertChange] = []


@operation("GET", f"{_ONE}/findings", _READ, answer=FindingsPage)
class ListFindings(Operation[FindingsPage], frozen=True):
    """Read what was found, window by window, the newest first; of one version, column or statistic if one is named."""

    name: str
    model: str | None = None
    version: str | None = None
    column: str | None = None
    statistic: str | None = None
    start_time: Int64 | None = None
    end_time: Int64 | None = None
    max_results: Int64 = 100
    page_token: str | None = None


@operation("GET", f"{_OURS}/alerts", Needs(Permission.READ, Resource.ENDPOINT, filtered=True), answer=AlertPage)
class ListAlerts(Operation[AlertPage], frozen=True):
    """List alerts, the newest first: of one endpoint, version, or only those that are open, if asked for."""

    name: str | None = None
    model: str | None = None
    version: str | None = None
    only_open: bool = False
    max_results: Int64 = 100
    page_token: str | None = None


# Profiles


@operation(
    "POST", "/v1/model-versions/profile", Needs(Permission.EDIT, Resource.REGISTERED_MODEL, "name"),
    max_body=16 * 1024 * 1024,
)
class SetVersionProfile(Operation[None], frozen=True):
    """Say what the training data of a version looked like, in place of what its files say; an empty text unsays it."""

    name: str
    version: str
    profile: str = ""


@operation(
    "GET", "/v1/model-versions/profile", Needs(Permission.READ, Resource.REGISTERED_MODEL, "name"), answer=ProfileAnswer
)
class GetVersionProfile(Operation[ProfileAnswer], frozen=True):
    """Read the profile that was set for a version."""

    name: str
    version: str
