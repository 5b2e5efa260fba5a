"""What has happened to a registered model: read, verified, asked about, and taken back, in SQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, func, literal, select

from millstream.entities.model_registry import (
    ACTIVE_STAGES,
    STAGE_ARCHIVED,
    STAGE_NONE,
    RegistryActivity,
    get_canonical_stage,
)
from millstream.errors import InvalidState, InvalidValue, RegisteredModelNotFound
from millstream.operations import (
    GetHolders,
    Holders,
    ListRegistryActivities,
    RegistryActivityPage,
    RegistryVerification,
    RollBack,
    VerifyRegistryActivities,
)
from millstream.operations.limits import check_page
from millstream.search.sql import Clause
from millstream.stores.sql.ordering import VALUE, Key, fingerprint, read_token, write_token
from millstream.stores.sql.registry.changes import Change, hash_of, hashed_columns, moment_of_change, record
from millstream.stores.sql.registry.models import move_alias
from millstream.stores.sql.registry.reading import find_model, no_model, version_number
from millstream.stores.sql.registry.settling import settle
from millstream.stores.sql.registry.tables import (
    model_versions,
    registered_model_aliases,
    registry_activities,
)
from millstream.stores.sql.registry.versions import move_stage
from millstream.stores.sql.transaction import Transaction, executes

ACTIVITIES_PAGE = 10_000
_TABLE = registry_activities
_TRANSITION, _ROLLBACK, _DELETION = "model_version.transitioned", "model_version.rolled_back", "model_version.deleted"
_CREATION = "model_version.created"
_ALIASES = ("model_version_alias.created", "model_version_alias.deleted")


def _chain(transaction: Transaction, name: str) -> tuple[int, Row[Any] | None]:
    """The number of the model that has this name, with its row; else of the deleted one that had it last."""
    try:
        model = find_model(transaction, name)
    except RegisteredModelNotFound:
        query = select(func.max(_TABLE.c.model)).where(
            _TABLE.c.name == name, _TABLE.c.kind == "registered_model.deleted"
        )
        gone = transaction.connection.execute(query).scalar()
        if gone is None:
            raise no_model(name) from None
        return int(gone), None
    return int(model.id), model


@executes(ListRegistryActivities)
def activities(transaction: Transaction, operation: ListRegistryActivities) -> RegistryActivityPage:
    limit = check_page(operation.max_results, ACTIVITIES_PAGE)
    model, _ = _chain(transaction, operation.name)
    query = select(_TABLE).where(_TABLE.c.model == model)
    if operation.version is not None:
        number = version_number(operation.version)
        along = literal(",").concat(_TABLE.c.others).concat(",").like(f"%,{number},%")
        query = query.where((_TABLE.c.version == number) | along)
    of = fingerprint("activities", model, operation.version)
    keys = [Key(Clause("sequence"), False)]
    after = read_token(operation.page_token, of, keys)
    if after is not None:
        query = query.where(_TABLE.c.sequence < after[0][1])
    rows = transaction.connection.execute(query.order_by(_TABLE.c.sequence.desc()).limit(limit + 1)).all()
    token = write_token(of, ((VALUE, rows[limit - 1].sequence),)) if len(rows) > limit else None
    return RegistryActivityPage([_activity(row) for row in rows[:limit]], token)


def _activity(row: Row[Any]) -> RegistryActivity:
    return RegistryActivity(
        sequence=row.sequence,
        kind=row.kind,
        model=row.name,
        timestamp=row.timestamp,
        user_id=row.user_id,
        previous_hash=row.previous_hash,
        hash=row.hash,
        version=None if row.version is None else str(row.version),
        key=row.key,
        before=row.old_value,
        after=row.new_value,
        others=row.others.split(",") if row.others else [],
        undoes=row.undoes,
        comment=row.comment,
    )


@executes(VerifyRegistryActivities)
def verify(transaction: Transaction, operation: VerifyRegistryActivities) -> RegistryVerification:
    number, model = _chain(transaction, operation.name)
    checked, previous, last = 0, "", None
    for row in transaction.connection.execute(
        select(_TABLE).where(_TABLE.c.model == number).order_by(_TABLE.c.sequence)
    ):
        if row.sequence != checked + 1:
            return RegistryVerification(False, checked, f"activity {checked + 1} is missing")
        if row.previous_hash != previous or row.hash != hash_of(hashed_columns(row)):
            return RegistryVerification(False, checked, f"activity {row.sequence} is not what was written")
        checked, previous, last = checked + 1, row.hash, row
    if model is None:
        whole = last is not None and last.kind == "registered_model.deleted"
    else:
        whole = (model.activities, model.activity_hash) == (checked, previous)
    return RegistryVerification(whole, checked, None if whole else f"activities after {checked} are missing")


@executes(GetHolders)
def holders(transaction: Transaction, operation: GetHolders) -> Holders:
    stage, alias = _one_of(operation)
    number, model = _chain(transaction, operation.name)
    if operation.timestamp is None:
        return Holders([] if model is None else _now(transaction, number, stage, alias))
    if stage is not None:
        return Holders(_in_stage_at(transaction, number, stage, operation.timestamp))
    assert alias is not None
    for row in _of_alias(transaction, number, alias, operation.timestamp):
        return Holders([row.new_value] if row.kind == _ALIASES[0] else [])
    return Holders([])


def _one_of(operation: GetHolders | RollBack) -> tuple[str | None, str | None]:
    if (operation.stage is None) == (operation.alias is None):
        raise InvalidValue("exactly one of stage and alias is to be named")
    stage = None if operation.stage is None else get_canonical_stage(operation.stage)
    return stage, operation.alias


def _now(transaction: Transaction, model: int, stage: str | None, alias: str | None) -> list[str]:
    if stage is not None:
        query = select(model_versions.c.version).where(
            model_versions.c.model == model, model_versions.c.stage == stage
        )
    else:
        table = registered_model_aliases
        query = select(table.c.version).where(table.c.model == model, table.c.alias == alias)
    return [str(version) for version in sorted(transaction.connection.execute(query).scalars())]


def _in_stage_at(transaction: Transaction, model: int, stage: str, time: int) -> list[str]:
    query = (
        select(_TABLE)
        .where(_TABLE.c.model == model, _TABLE.c.timestamp <= time)
        .where(_TABLE.c.kind.in_((_CREATION, _TRANSITION, _ROLLBACK, _DELETION, "registered_model.deleted")))
        .order_by(_TABLE.c.sequence)
    )
    stages: dict[int, str] = {}
    for row in transaction.connection.execute(query):
        others = map(int, row.others.split(",")) if row.others else ()
        if row.kind == _CREATION:
            stages[row.version] = STAGE_NONE
        elif row.kind == _DELETION:
            stages.pop(row.version, None)
        elif row.kind in (_TRANSITION, _ROLLBACK):
            stages.update(dict.fromkeys(others, STAGE_ARCHIVED if row.kind == _TRANSITION else row.old_value))
            stages[row.version] = row.new_value
        else:
            stages.clear()
    return [str(version) for version in sorted(stages) if stages[version] == stage]


def _of_alias(transaction: Transaction, model: int, alias: str, time: int | None = None) -> Iterator[Row[Any]]:
    """What changed an alias, the newest first; the deletion of the version that it stood for changes it too."""
    query = select(_TABLE).where(
        _TABLE.c.model == model,
        (_TABLE.c.kind.in_(_ALIASES) & (_TABLE.c.key == alias))
        | (_TABLE.c.kind == _DELETION)
        | (_TABLE.c.kind == "registered_model.deleted"),
    )
    if time is not None:
        query = query.where(_TABLE.c.timestamp <= time)
    for row in transaction.connection.execute(query.order_by(_TABLE.c.sequence.desc())):
        if row.kind != _DELETION or alias in (row.key or "").split(","):
            yield row


def _of_stage(transaction: Transaction, model: int, stage: str) -> Iterator[Row[Any]]:
    """What changed who holds a stage, the newest first."""
    yield from transaction.connection.execute(
        select(_TABLE)
        .where(
            _TABLE.c.model == model,
            _TABLE.c.kind.in_((_TRANSITION, _ROLLBACK, _DELETION)),
            (_TABLE.c.old_value == stage) | (_TABLE.c.new_value == stage),
        )
        .order_by(_TABLE.c.sequence.desc())
    )


@executes(RollBack)
def roll_back(transaction: Transaction, operation: RollBack) -> Holders:
    stage, alias = _one_of(operation)
    if stage is not None and stage not in ACTIVE_STAGES:
        raise InvalidValue.of("stage", stage, f"only {' and '.join(ACTIVE_STAGES)} can be rolled back")
    model = find_model(transaction, operation.name, change=True)
    what = f"the stage {stage}" if stage is not None else f"the alias {alias}"
    if stage is not None:
        last = _not_undone(_of_stage(transaction, model.id, stage))
    else:
        assert alias is not None
        last = _not_undone(_of_alias(transaction, model.id, alias))
    if last is None:
        raise InvalidState(f"nothing has changed {what} of {model.name}, so there is nothing to take back")
    if last.kind == _DELETION:
        raise _gone(what, last.version)
    if stage is not None:
        _undo_transition(transaction, model, last, what)
    else:
        assert alias is not None
        version = None if last.old_value is None else int(last.old_value)
        if version is not None and not _present(transaction, model, [version]):
            raise _gone(what, version)
        move_alias(transaction, model, alias, version, last.sequence)
    return Holders(_now(transaction, model.id, stage, alias))


def _not_undone(rows: Iterator[Row[Any]]) -> Row[Any] | None:
    """The newest change that was neither taken back nor takes one back."""
    undone: set[int] = set()
    for row in rows:
        if row.undoes is not None:
            undone.add(row.undoes)
        elif row.sequence not in undone:
            return row
    return None


def _undo_transition(transaction: Transaction, model: Row[Any], last: Row[Any], what: str) -> None:
    others = [int(version) for version in last.others.split(",")] if last.others else []
    there = _present(transaction, model, [last.version, *others])
    for version in (last.version, *others):
        if version not in there:
            raise _gone(what, version)
    if there[last.version] != last.new_value:
        raise InvalidState(
            f"version {last.version} of {model.name} has moved on to {there[last.version]} since",
            hint="move it by transition_model_version_stage(…)",
        )
    now = moment_of_change(model)
    move_stage(transaction, model, others, last.new_value, now)
    move_stage(transaction, model, [last.version], last.old_value, now)
    change = Change(
        _ROLLBACK, last.version, before=last.new_value, after=last.old_value, others=tuple(others),
        undoes=last.sequence,
    )
    record(transaction, model, change, now, last_updated_timestamp=now)
    settle(transaction, model.name)


def _present(transaction: Transaction, model: Row[Any], versions: list[int]) -> dict[int, str]:
    """The stages of those of these versions that are there."""
    table = model_versions
    query = select(table.c.version, table.c.stage).where(table.c.model == model.id, table.c.version.in_(versions))
    return {row.version: row.stage for row in transaction.connection.execute(query)}


def _gone(what: str, version: int) -> InvalidState:
    return InvalidState(
        f"{what} cannot go back: version {version} is deleted", hint="choose another version for it"
    )
