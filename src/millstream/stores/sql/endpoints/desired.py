"""Operations on endpoints: what is desired, in SQL."""

from __future__ import annotations

import contextlib
import hashlib
import json
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from millstream.entities.endpoint import (
    SERVES_ALL,
    EndpointEvent,
    EndpointLimits,
    PlannedEndpoint,
    PlannedVersion,
    Share,
    target_version,
)
from millstream.errors import AlreadyExists
from millstream.operations import (
    CreateEndpoint,
    DeleteEndpoint,
    DisableServing,
    EnableServing,
    EndpointAnswer,
    EndpointHistory,
    EndpointPage,
    GetEndpoint,
    ListEndpointEvents,
    ListEndpoints,
    ReadServingPlan,
    RestartEndpoint,
    ServingPlan,
    UpdateEndpoint,
)
from millstream.operations.limits import check_page
from millstream.search.sql import Clause
from millstream.stores.sql.endpoints.changes import change, check_revision, note
from millstream.stores.sql.endpoints.checks import (
    check_count,
    check_idle,
    check_limits,
    check_manager,
    check_serves,
    check_shadow,
    check_traffic,
)
from millstream.stores.sql.endpoints.reading import (
    ROWS,
    Settings,
    endpoint_of,
    find_endpoint,
    load_endpoints,
    settings_of,
    versions_of,
)
from millstream.stores.sql.endpoints.tables import endpoint_events, endpoints
from millstream.stores.sql.ordering import VALUE, Key, fingerprint, read_token, write_token
from millstream.stores.sql.registry.checks import check_model_name
from millstream.stores.sql.registry.reading import find_model, no_version
from millstream.stores.sql.registry.tables import registered_models
from millstream.stores.sql.transaction import Transaction, executes, now_ms

PAGE = 10_000


def _loaded(transaction: Transaction, name: str) -> EndpointAnswer:
    return load_endpoints(transaction, [find_endpoint(transaction, name)])[0]


def _check_named(versions: list[PlannedVersion], model: str, targets: list[str]) -> None:
    """Raise RegisteredModelNotFound for a number that no version has; stages and aliases may be empty for now."""
    for target in targets:
        if target.isdigit() and target_version(target, versions) is None:
            raise no_version(model, target)


@executes(CreateEndpoint)
def create(transaction: Transaction, operation: CreateEndpoint) -> EndpointAnswer:
    name = check_model_name(operation.name)
    told = Settings(
        traffic=check_traffic(operation.traffic), serves=check_serves(operation.serves),
        workers=check_count("workers", operation.workers), replicas=check_count("replicas", operation.replicas),
        env_manager=check_manager(operation.env_manager), idle_seconds=check_idle(operation.idle_seconds),
        shadow=check_shadow(operation.shadow), limits=check_limits(operation.limits),
    )
    model = find_model(transaction, operation.model)
    named = [*(share.target for share in told.traffic), *told.shadow]
    _check_named(versions_of(transaction, [model.id]).get(model.id, []), model.name, named)
    now = now_ms()
    query = select(endpoints.c.id).where(endpoints.c.name == name)
    if transaction.connection.execute(query).scalar() is None:
        with contextlib.suppress(IntegrityError), transaction.connection.begin_nested():
            transaction.connection.execute(
                insert(endpoints).values(
                    name=name, model=model.id, enabled=operation.enabled, settings=told.text(), revision=1,
                    creation_timestamp=now, last_updated_timestamp=now, user_id=transaction.principal.name,
                )
            )
            note(transaction, find_endpoint(transaction, name), "endpoint.created")
            return _loaded(transaction, name)
    raise AlreadyExists(f"there is an endpoint named {name!r} already",
                        hint="take another name, or change the one that is there: `millstream endpoints update`")


@executes(GetEndpoint)
def get(transaction: Transaction, operation: GetEndpoint) -> EndpointAnswer:
    return _loaded(transaction, operation.name)


@executes(ListEndpoints)
def listing(transaction: Transaction, operation: ListEndpoints) -> EndpointPage:
    limit = check_page(operation.max_results, PAGE)
    query = ROWS.order_by(endpoints.c.name).limit(limit + 1)
    if operation.model is not None:
        query = query.where(endpoints.c.model == find_model(transaction, operation.model).id)
    of = fingerprint("endpoints", operation.model)
    after = read_token(operation.page_token, of, [Key(Clause("name"), True, True)])
    if after is not None:
        query = query.where(endpoints.c.name > after[0][1])
    rows = transaction.connection.execute(query).all()
    token = write_token(of, ((VALUE, rows[limit - 1].name),)) if len(rows) > limit else None
    return EndpointPage([one.endpoint for one in load_endpoints(transaction, rows[:limit])], token)


@executes(UpdateEndpoint)
def alter(transaction: Transaction, operation: UpdateEndpoint) -> EndpointAnswer:
    row = find_endpoint(transaction, operation.name, change=True)
    check_revision(row, operation.revision)
    before = settings_of(row)
    values: dict[str, Any] = {}
    for field, check in (
        ("traffic", check_traffic), ("serves", check_serves), ("env_manager", check_manager),
        ("idle_seconds", check_idle), ("shadow", check_shadow), ("limits", check_limits),
    ):
        given = getattr(operation, field)
        if given is not None:
            values[field] = check(given)
    for field in ("workers", "replicas"):
        if getattr(operation, field) is not None:
            values[field] = check_count(field, getattr(operation, field))
    traffic: list[Share] = values.get("traffic", [])
    named = [*(share.target for share in traffic), *values.get("shadow", [])]
    if named:
        _check_named(versions_of(transaction, [row.model]).get(row.model, []), row.model_name, named)
    values = {field: value for field, value in values.items() if value != getattr(before, field)}
    enabled = row.enabled if operation.enabled is None else operation.enabled
    if values or enabled != row.enabled:
        kind = "endpoint.updated" if enabled == row.enabled else "endpoint.enabled" if enabled else "endpoint.disabled"
        detail = json.dumps(msgspec.to_builtins(values), ensure_ascii=False) if values else None
        change(transaction, row, kind, msgspec.structs.replace(before, **values), enabled=enabled, detail=detail)
    return _loaded(transaction, operation.name)


@executes(DeleteEndpoint)
def remove(transaction: Transaction, operation: DeleteEndpoint) -> None:
    row = find_endpoint(transaction, operation.name, change=True)
    note(transaction, row, "endpoint.deleted")
    transaction.connection.execute(delete(endpoints).where(endpoints.c.id == row.id))


@executes(EnableServing)
def enable(transaction: Transaction, operation: EnableServing) -> EndpointAnswer:
    model = find_model(transaction, operation.name)
    query = select(endpoints.c.model).where(endpoints.c.name == model.name)
    owner = transaction.connection.execute(query).scalar()
    if owner is None:
        return create(transaction, CreateEndpoint(
            model.name, model.name, env_manager=operation.env_manager or "uv", limits=EndpointLimits(),
        ))
    if owner != model.id:
        raise AlreadyExists(
            f"the endpoint named {model.name!r} serves another model",
            hint="create an endpoint of another name: `millstream endpoints create`",
        )
    return alter(transaction, UpdateEndpoint(
        model.name, enabled=True, serves=SERVES_ALL, env_manager=operation.env_manager,
    ))


@executes(DisableServing)
def disable(transaction: Transaction, operation: DisableServing) -> EndpointPage:
    model = find_model(transaction, operation.name)
    rows = transaction.connection.execute(ROWS.where(endpoints.c.model == model.id).order_by(endpoints.c.name)).all()
    return EndpointPage([alter(transaction, UpdateEndpoint(row.name, enabled=False)).endpoint for row in rows])


@executes(RestartEndpoint)
def restart(transaction: Transaction, operation: RestartEndpoint) -> EndpointAnswer:
    row = find_endpoint(transaction, operation.name, change=True)
    told = settings_of(row)
    change(transaction, row, "endpoint.restarted", msgspec.structs.replace(told, generation=told.generation + 1))
    return _loaded(transaction, operation.name)


@executes(ListEndpointEvents)
def history(transaction: Transaction, operation: ListEndpointEvents) -> EndpointHistory:
    limit = check_page(operation.max_results, PAGE)
    table = endpoint_events
    row = find_endpoint(transaction, operation.name)
    query = select(table).where(table.c.endpoint == row.id).order_by(table.c.sequence.desc()).limit(limit + 1)
    of = fingerprint("endpoint events", row.id)
    after = read_token(operation.page_token, of, [Key(Clause("sequence"), False)])
    if after is not None:
        query = query.where(table.c.sequence < after[0][1])
    rows = transaction.connection.execute(query).all()
    token = write_token(of, ((VALUE, rows[limit - 1].sequence),)) if len(rows) > limit else None
    events = [
        EndpointEvent(one.sequence, one.kind, one.timestamp, one.user_id, one.version, one.detail)
        for one in rows[:limit]
    ]
    return EndpointHistory(events, token)


@executes(ReadServingPlan)
def plan(transaction: Transaction, operation: ReadServingPlan) -> ServingPlan:
    """The token is a hash of who is there in which state: one short row an endpoint, whatever its model has."""
    counted = select(
        endpoints.c.id, endpoints.c.name, endpoints.c.revision, registered_models.c.name.label("model_name"),
        registered_models.c.activities,
    ).join(registered_models, registered_models.c.id == endpoints.c.model).order_by(endpoints.c.id)
    rows = [tuple(row) for row in transaction.connection.execute(counted)]
    token = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:32]
    if token == operation.token:
        return ServingPlan(token, changed=False)
    found = transaction.connection.execute(ROWS.where(endpoints.c.enabled).order_by(endpoints.c.name)).all()
    versions = versions_of(transaction, [row.model for row in found])
    planned = [PlannedEndpoint(endpoint_of(row), versions.get(row.model, [])) for row in found]
    return ServingPlan(token, changed=True, endpoints=planned)
