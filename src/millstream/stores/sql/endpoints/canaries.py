"""Operations on canaries, in SQL."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Row

from millstream.entities.endpoint import Canary, CanaryState, Share, target_version
from millstream.errors import Conflict, InvalidValue
from millstream.operations import EndCanary, EndpointAnswer, StartCanary, StepCanary
from millstream.stores.sql.endpoints.changes import change, check_revision
from millstream.stores.sql.endpoints.checks import check_rule, check_steps
from millstream.stores.sql.endpoints.reading import Settings, find_endpoint, load_endpoints, settings_of, versions_of
from millstream.stores.sql.registry.reading import no_version, version_number
from millstream.stores.sql.transaction import Transaction, executes, now_ms

_EVENTS = {
    CanaryState.PROMOTED: "endpoint.canary_promoted",
    CanaryState.ROLLED_BACK: "endpoint.canary_rolled_back",
    CanaryState.STOPPED: "endpoint.canary_stopped",
}


@executes(StartCanary)
def start(transaction: Transaction, operation: StartCanary) -> EndpointAnswer:
    steps = check_steps(operation.steps)
    check_rule(operation.max_error_rate, operation.min_requests, operation.max_seconds)
    row = find_endpoint(transaction, operation.name, change=True)
    check_revision(row, operation.revision)
    told = settings_of(row)
    if told.canary is not None and told.canary.state == CanaryState.RUNNING:
        raise Conflict(
            f"version {told.canary.version} is the canary of the endpoint {row.name} already",
            hint="promote it, roll it back or stop it first: `millstream endpoints canary`",
        )
    number = str(version_number(operation.version))
    if target_version(number, versions_of(transaction, [row.model]).get(row.model, [])) is None:
        raise no_version(row.model_name, number)
    canary = Canary(
        version=number, steps=steps, max_error_rate=operation.max_error_rate, min_requests=operation.min_requests,
        state=CanaryState.RUNNING, step=0, since=now_ms(), max_seconds=operation.max_seconds,
    )
    _set(transaction, row, told, canary, "endpoint.canary_started", f"{steps[0].percent:g} %")
    return load_endpoints(transaction, [find_endpoint(transaction, operation.name)])[0]


@executes(StepCanary)
def step(transaction: Transaction, operation: StepCanary) -> EndpointAnswer:
    row, told, canary = _running(transaction, operation.name, operation.revision)
    if canary.step + 1 >= len(canary.steps):
        raise InvalidValue(f"the canary of the endpoint {row.name} is at its last step", hint="promote it")
    new = msgspec.structs.replace(canary, step=canary.step + 1, since=now_ms(), reason=operation.reason)
    _set(transaction, row, told, new, "endpoint.canary_stepped", f"{new.percent:g} %")
    return load_endpoints(transaction, [find_endpoint(transaction, operation.name)])[0]


@executes(EndCanary)
def end(transaction: Transaction, operation: EndCanary) -> EndpointAnswer:
    if operation.outcome not in CanaryState.OUTCOMES:
        raise InvalidValue.of("outcome", operation.outcome, f"it is none of {', '.join(CanaryState.OUTCOMES)}")
    row, told, canary = _running(transaction, operation.name, operation.revision)
    new = msgspec.structs.replace(canary, state=operation.outcome, reason=operation.reason)
    if operation.outcome == CanaryState.PROMOTED:
        told = msgspec.structs.replace(told, traffic=[Share(canary.version, 100.0)])
    _set(transaction, row, told, new, _EVENTS[operation.outcome], operation.reason)
    return load_endpoints(transaction, [find_endpoint(transaction, operation.name)])[0]


def _running(transaction: Transaction, name: str, revision: int | None) -> tuple[Row[Any], Settings, Canary]:
    row = find_endpoint(transaction, name, change=True)
    check_revision(row, revision)
    told = settings_of(row)
    if told.canary is None or told.canary.state != CanaryState.RUNNING:
        raise Conflict(f"the endpoint {name} has no canary under way",
                                   hint="start one: `millstream endpoints canary start`")
    return row, told, told.canary


def _set(
    transaction: Transaction, row: Row[Any], told: Settings, canary: Canary, kind: str, detail: str | None
) -> None:
    change(
        transaction, row, kind, msgspec.structs.replace(told, canary=canary), version=canary.version, detail=detail
    )
