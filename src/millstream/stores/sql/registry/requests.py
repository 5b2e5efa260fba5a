"""Transition requests in SQL: asked, approved and carried out in one transaction, rejected, withdrawn."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, insert, select

from millstream.entities.approval import (
    APPROVALS,
    APPROVED,
    OPEN,
    REJECTED,
    REQUEST_STATES,
    WITHDRAWN,
    ModelVersionDetails,
    RegisteredModelDetails,
    TransitionActivity,
    TransitionRequest,
)
from millstream.entities.metric import Tag
from millstream.entities.model_registry import get_canonical_stage
from millstream.errors import AlreadyExists, InvalidState, InvalidValue, PermissionDenied, TransitionRequestNotFound
from millstream.operations import (
    ApproveTransitionRequest,
    CreateTransitionRequest,
    DeleteTransitionRequest,
    GetRegisteredModelDetails,
    ListTransitionRequests,
    ModelVersionDetailsAnswer,
    RegisteredModelDetailsAnswer,
    RejectTransitionRequest,
    SearchTransitionRequests,
    TransitionActivityAnswer,
    TransitionRequestAnswer,
    TransitionRequestList,
    TransitionRequestPage,
    TransitionStage,
)
from millstream.operations.limits import check_page
from millstream.stores.sql.driver import many
from millstream.stores.sql.ordering import fingerprint
from millstream.stores.sql.registry import gates
from millstream.stores.sql.registry.changes import Change, moment_of_change, record
from millstream.stores.sql.registry.checks import check_comment
from millstream.stores.sql.registry.comments import newest_first
from millstream.stores.sql.registry.reading import (
    change_version,
    find_model,
    find_version,
    load_models,
    load_versions,
)
from millstream.stores.sql.registry.settling import end
from millstream.stores.sql.registry.tables import (
    model_versions,
    transition_approvals,
    transition_requests,
)
from millstream.stores.sql.registry.versions import check_archiving, move
from millstream.stores.sql.transaction import Transaction, executes

REQUESTS_PAGE = 1_000
_TABLE = transition_requests
_APPROVE = (
    "INSERT INTO transition_approvals (request, user_id, timestamp) VALUES (?, ?, ?)"
    " ON CONFLICT (request, user_id) DO NOTHING"
)


def _select() -> Select[Any]:
    return select(_TABLE, model_versions.c.name.label("name"), model_versions.c.version.label("version")).join(
        model_versions, model_versions.c.id == _TABLE.c.model_version
    )


def _requests(transaction: Transaction, rows: Sequence[Row[Any]]) -> list[TransitionRequest]:
    """The requests of these rows, in their order."""
    approved: dict[int, list[str]] = defaultdict(list)
    table = transition_approvals
    for start in range(0, len(rows), 500):
        numbers = [row.id for row in rows[start : start + 500]]
        query = select(table).where(table.c.request.in_(numbers)).order_by(table.c.timestamp, table.c.user_id)
        for found in transaction.connection.execute(query):
            approved[found.request].append(found.user_id)
    return [
        TransitionRequest(
            id=row.request_id,
            name=row.name,
            version=str(row.version),
            user_id=row.user_id,
            from_stage=row.from_stage,
            to_stage=row.stage,
            creation_timestamp=row.creation_timestamp,
            last_updated_timestamp=row.last_updated_timestamp,
            comment=row.comment,
            state=row.state,
            approved_by=approved.get(row.id, []),
            decided_by=row.decided_by,
            reason=row.reason,
            available_actions=_actions(transaction, row),
        )
        for row in rows
    ]


def _actions(transaction: Transaction, row: Row[Any]) -> list[str]:
    if row.state != OPEN:
        return []
    own = ["CANCEL_TRANSITION_REQUEST"] if row.user_id == transaction.principal.name else []
    return ["APPROVE_TRANSITION_REQUEST", "REJECT_TRANSITION_REQUEST", *own]


def _open(transaction: Transaction, version: Row[Any], stage: str | None = None) -> list[Row[Any]]:
    """The open requests for a version, for one stage if it is given, the oldest first."""
    query = _select().where(_TABLE.c.model_version == version.id, _TABLE.c.state == OPEN)
    if stage is not None:
        query = query.where(_TABLE.c.stage == stage)
    return list(transaction.connection.execute(query.order_by(_TABLE.c.id)).all())


def _asked(transaction: Transaction, model: Row[Any], version: Row[Any], stage: str) -> list[Row[Any]]:
    found = _open(transaction, version, stage)
    if not found:
        raise TransitionRequestNotFound(
            f"nobody asks that version {version.version} of {model.name} move to {stage}",
            hint="list_transition_requests(…) lists what is asked for a version",
        )
    return found


@executes(CreateTransitionRequest)
def create(transaction: Transaction, operation: CreateTransitionRequest) -> TransitionRequestAnswer:
    stage, comment = get_canonical_stage(operation.stage), check_comment(operation.comment)
    model, version = change_version(transaction, operation.name, operation.version)
    user = transaction.principal.name
    if version.stage == stage:
        raise InvalidState(f"version {version.version} of {model.name} is in the stage {stage} already")
    if any(row.user_id == user for row in _open(transaction, version, stage)):
        raise AlreadyExists(
            f"{user} asks already that version {version.version} of {model.name} move to {stage}",
            hint="withdraw that request first: delete_transition_request(…)",
        )
    now, request_id = moment_of_change(model), uuid.uuid4().hex
    transaction.connection.execute(
        insert(_TABLE).values(
            request_id=request_id,
            model=model.id,
            model_version=version.id,
            user_id=user,
            from_stage=version.stage,
            stage=stage,
            comment=comment,
            creation_timestamp=now,
            last_updated_timestamp=now,
            state=OPEN,
        )
    )
    change = Change(
        "transition_request.created", version.version, request_id, version.stage, stage, comment=comment
    )
    record(transaction, model, change, now)
    (row,) = transaction.connection.execute(_select().where(_TABLE.c.request_id == request_id)).all()
    return TransitionRequestAnswer(_requests(transaction, [row])[0])


@executes(ListTransitionRequests)
def open_requests(transaction: Transaction, operation: ListTransitionRequests) -> TransitionRequestList:
    version = find_version(transaction, operation.name, operation.version)
    return TransitionRequestList(_requests(transaction, _open(transaction, version)))


@executes(SearchTransitionRequests)
def search(transaction: Transaction, operation: SearchTransitionRequests) -> TransitionRequestPage:
    limit = check_page(operation.max_results, REQUESTS_PAGE)
    model = find_model(transaction, operation.name)
    query = _select().where(_TABLE.c.model == model.id)
    if operation.version is not None:
        version = find_version(transaction, operation.name, operation.version)
        query = query.where(_TABLE.c.model_version == version.id)
    state = None if operation.state is None else operation.state.upper()
    if state is not None:
        if state not in REQUEST_STATES:
            raise InvalidValue.of("state", operation.state, f"it is none of {', '.join(REQUEST_STATES)}")
        query = query.where(_TABLE.c.state == state)
    of = fingerprint("requests", model.id, operation.version, state)
    rows, token = newest_first(transaction, query, _TABLE.c.id, of, operation.page_token, limit)
    return TransitionRequestPage(_requests(transaction, rows), token)


@executes(ApproveTransitionRequest)
def approve(transaction: Transaction, operation: ApproveTransitionRequest) -> TransitionActivityAnswer:
    stage, comment = get_canonical_stage(operation.stage), check_comment(operation.comment)
    check_archiving(stage, operation.archive_existing_versions)
    model, version = change_version(transaction, operation.name, operation.version)
    asked = _asked(transaction, model, version, stage)
    user, now, goal = transaction.principal.name, moment_of_change(model), gates.Goal(stage)
    before = gates.approvers(transaction, version, goal)
    many(transaction.connection, _APPROVE, [(row.id, user, now) for row in asked if row.user_id != user])
    found = gates.verdicts(transaction, model, version, goal)
    if not all(verdict.met for verdict in found):
        unmet = [verdict for verdict in found if not verdict.met]
        if gates.approvers(transaction, version, goal) == before or any(verdict.kind != APPROVALS for verdict in unmet):
            raise gates.refused(transaction, model, version, goal, found)
        change = _change("transition_request.endorsed", version, asked[0], comment)
        return _done(transaction, model.name, change, "APPROVED_REQUEST", f"{unmet[0].reason}; it stays open")
    for row in asked:
        end(transaction, model.name, row.id, APPROVED, comment)
    change = _change("transition_request.approved", version, asked[0], comment)
    answer = _done(transaction, model.name, change, "APPROVED_REQUEST")
    move(transaction, find_model(transaction, model.name), version, stage, operation.archive_existing_versions)
    return answer


def _change(kind: str, version: Row[Any], request: Row[Any], comment: str | None) -> Change:
    return Change(
        kind, version.version, request.request_id, version.stage, request.stage, comment=comment,
        told={"requested_by": request.user_id},
    )


def _done(
    transaction: Transaction, name: str, change: Change, kind: str, system_comment: str | None = None
) -> TransitionActivityAnswer:
    """Record a change of the model as it stands now, and answer with it."""
    model = find_model(transaction, name)
    now = moment_of_change(model)
    record(transaction, model, change, now)
    assert change.before is not None and change.after is not None
    return TransitionActivityAnswer(
        TransitionActivity(
            id=f"{model.id}-{model.activities + 1}",
            activity_type=kind,
            user_id=transaction.principal.name,
            creation_timestamp=now,
            last_updated_timestamp=now,
            from_stage=change.before,
            to_stage=change.after,
            comment=change.comment,
            system_comment=system_comment,
        )
    )


@executes(RejectTransitionRequest)
def reject(transaction: Transaction, operation: RejectTransitionRequest) -> TransitionActivityAnswer:
    stage, comment = get_canonical_stage(operation.stage), check_comment(operation.comment)
    model, version = change_version(transaction, operation.name, operation.version)
    asked = _asked(transaction, model, version, stage)
    for row in asked:
        end(transaction, model.name, row.id, REJECTED, comment)
    change = _change("transition_request.rejected", version, asked[0], comment)
    return _done(transaction, model.name, change, "REJECTED_REQUEST")


@executes(DeleteTransitionRequest)
def withdraw(transaction: Transaction, operation: DeleteTransitionRequest) -> TransitionActivityAnswer:
    stage, comment = get_canonical_stage(operation.stage), check_comment(operation.comment)
    model, version = change_version(transaction, operation.name, operation.version)
    user = transaction.principal.name
    creator = operation.creator or user
    own = [row for row in _asked(transaction, model, version, stage) if row.user_id == creator]
    if not own:
        raise TransitionRequestNotFound(
            f"{creator} does not ask that version {version.version} of {model.name} move to {stage}",
            hint="list_transition_requests(…) tells who does",
        )
    if creator != user:
        raise PermissionDenied(f"this request is by {creator}, and only who asked may withdraw it",
                               hint="reject it: reject_transition_request(…)")
    end(transaction, model.name, own[0].id, WITHDRAWN, comment)
    change = _change("transition_request.deleted", version, own[0], comment)
    return _done(transaction, model.name, change, "CANCELLED_REQUEST")


@executes(TransitionStage)
def transition(transaction: Transaction, operation: TransitionStage) -> ModelVersionDetailsAnswer:
    stage, comment = get_canonical_stage(operation.stage), check_comment(operation.comment)
    check_archiving(stage, operation.archive_existing_versions)
    model, version = change_version(transaction, operation.name, operation.version)
    if version.stage != stage:
        gates.require(transaction, model, version, gates.Goal(stage))
    move(transaction, model, version, stage, operation.archive_existing_versions, comment)
    row = find_version(transaction, operation.name, operation.version)
    made = load_versions(transaction, [row])[0]
    fields = {name: getattr(made, name) for name in made.__struct_fields__}
    details = ModelVersionDetails(**fields, open_requests=_requests(transaction, _open(transaction, row)))
    return ModelVersionDetailsAnswer(details, details)


@executes(GetRegisteredModelDetails)
def details(transaction: Transaction, operation: GetRegisteredModelDetails) -> RegisteredModelDetailsAnswer:
    row = find_model(transaction, operation.name)
    made = load_models(transaction, [row])[0]
    return RegisteredModelDetailsAnswer(
        RegisteredModelDetails(
            id=str(row.id),
            name=row.name,
            creation_timestamp=row.creation_timestamp,
            last_updated_timestamp=row.last_updated_timestamp,
            user_id=row.creator,
            description=row.description,
            latest_versions=made.latest_versions,
            tags=[Tag(tag.key, tag.value) for tag in made.tag_list],
        )
    )


