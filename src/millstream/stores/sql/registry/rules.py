"""The rules of registered models, in SQL."""

from __future__ import annotations

import msgspec
from sqlalchemy import delete, func, select

from millstream.entities.approval import (
    APPROVALS,
    DESCRIPTION,
    EVALUATION,
    METRIC,
    RULE_KINDS,
    SIGNATURE,
    TAG,
    ModelRule,
)
from millstream.entities.model_registry import get_canonical_stage
from millstream.errors import InvalidValue, LimitExceeded, MissingValue
from millstream.operations import (
    CheckTransition,
    DeleteModelRule,
    ListModelRules,
    ModelRuleAnswer,
    ModelRuleList,
    SetModelRule,
    SetModelVersionSignature,
    TransitionCheck,
)
from millstream.operations.limits import check_key, check_text
from millstream.stores.sql.driver import many
from millstream.stores.sql.registry import gates
from millstream.stores.sql.registry.changes import Change, moment_of_change, record
from millstream.stores.sql.registry.checks import TAG_LENGTH, check_alias
from millstream.stores.sql.registry.reading import change_version, find_model, find_version
from millstream.stores.sql.registry.signatures import check_signature
from millstream.stores.sql.registry.tables import model_rules
from millstream.stores.sql.transaction import Transaction, executes

RULES = 100
MOST_APPROVALS = 20
# What each kind of rule asks by, beside its name and where it holds.
_FIELDS = {
    METRIC: ("metric", "threshold", "min_absolute_change", "min_relative_change", "dataset"),
    SIGNATURE: (),
    EVALUATION: ("dataset",),
    APPROVALS: (),
    DESCRIPTION: (),
    TAG: ("tag", "tag_value"),
}
_UPSERT = (
    "INSERT INTO model_rules (model, name, rule) VALUES (?, ?, ?)"
    " ON CONFLICT (model, name) DO UPDATE SET rule = excluded.rule"
)
_UPSERT_SIGNATURE = (
    "INSERT INTO model_version_signatures (model_version, signature) VALUES (?, ?)"
    " ON CONFLICT (model_version) DO UPDATE SET signature = excluded.signature"
)


def check_rule(rule: ModelRule) -> ModelRule:
    """The rule as it is kept. Raises InvalidValue for one that asks nothing, or two things at once."""
    check_key(rule.name, "rule.name")
    if rule.kind not in RULE_KINDS:
        raise InvalidValue.of("rule.kind", rule.kind, f"it is none of {', '.join(RULE_KINDS)}")
    stages = list(dict.fromkeys(get_canonical_stage(stage) for stage in rule.stages))
    aliases = list(dict.fromkeys(check_alias(alias) for alias in rule.aliases))
    if not stages and not aliases:
        raise InvalidValue(
            f"the rule {rule.name!r} holds for no stage and no alias", hint="name some: stages=['Production']"
        )
    for field in sorted({name for names in _FIELDS.values() for name in names} - set(_FIELDS[rule.kind])):
        if getattr(rule, field) is not None:
            raise InvalidValue.of(f"rule.{field}", getattr(rule, field), f"a rule of the kind {rule.kind} has none")
    if rule.kind == METRIC:
        _check_metric(rule)
    if rule.kind == APPROVALS:
        if not 1 <= rule.approvals <= MOST_APPROVALS:
            raise InvalidValue.of("rule.approvals", rule.approvals, f"it must be from 1 to {MOST_APPROVALS}")
        if aliases:
            raise InvalidValue.of("rule.aliases", aliases, "what is approved are requests for stages, not for aliases",
                                  hint="name stages, and leave aliases out")
    if rule.kind == TAG:
        if not rule.tag:
            raise MissingValue.named("rule.tag")
        check_text(rule.tag_value or "", TAG_LENGTH, "rule.tag_value")
    return msgspec.structs.replace(rule, stages=stages, aliases=aliases)


def _check_metric(rule: ModelRule) -> None:
    if not rule.metric:
        raise MissingValue.named("rule.metric")
    for field in ("min_absolute_change", "min_relative_change"):
        number = getattr(rule, field)
        if number is not None and number < 0:
            raise InvalidValue.of(f"rule.{field}", number, "a change for the better is 0 or more",
                                  hint="greater_is_better=False is for metrics that are to fall")


@executes(SetModelRule)
def set_rule(transaction: Transaction, operation: SetModelRule) -> ModelRuleAnswer:
    rule = check_rule(operation.rule)
    model = find_model(transaction, operation.name, change=True)
    now = moment_of_change(model)
    rule = msgspec.structs.replace(rule, user_id=transaction.principal.name, last_updated_timestamp=now)
    before, text = _rule(transaction, model.id, rule.name), msgspec.json.encode(rule).decode()
    if before is None:
        count = select(func.count()).select_from(model_rules).where(model_rules.c.model == model.id)
        if transaction.connection.execute(count).scalar_one() >= RULES:
            raise LimitExceeded(f"a model has at most {RULES} rules", hint="delete_model_rule(…) removes one")
    many(transaction.connection, _UPSERT, [(model.id, rule.name, text)])
    record(transaction, model, Change("model_rule.set", key=rule.name, before=before, after=text), now)
    return ModelRuleAnswer(rule)


def _rule(transaction: Transaction, model: int, name: str) -> str | None:
    found: str | None = transaction.connection.execute(
        select(model_rules.c.rule).where(model_rules.c.model == model, model_rules.c.name == name)
    ).scalar()
    return found


@executes(DeleteModelRule)
def delete_rule(transaction: Transaction, operation: DeleteModelRule) -> None:
    model = find_model(transaction, operation.name, change=True)
    before = _rule(transaction, model.id, operation.rule)
    if before is None:
        return
    transaction.connection.execute(
        delete(model_rules).where(model_rules.c.model == model.id, model_rules.c.name == operation.rule)
    )
    change = Change("model_rule.deleted", key=operation.rule, before=before)
    record(transaction, model, change, moment_of_change(model))


@executes(ListModelRules)
def rules(transaction: Transaction, operation: ListModelRules) -> ModelRuleList:
    return ModelRuleList(gates.rules_of(transaction, find_model(transaction, operation.name)))


@executes(CheckTransition)
def check(transaction: Transaction, operation: CheckTransition) -> TransitionCheck:
    if (operation.stage is None) == (operation.alias is None):
        raise InvalidValue("exactly one of stage and alias is to be named")
    stage = None if operation.stage is None else get_canonical_stage(operation.stage)
    version = find_version(transaction, operation.name, operation.version)
    model = find_model(transaction, operation.name)
    goal = gates.Goal(stage, operation.alias)
    found = gates.verdicts(transaction, model, version, goal)
    return TransitionCheck(
        all(verdict.met for verdict in found), found, gates.signatures_of(transaction, model, version, goal)
    )


@executes(SetModelVersionSignature)
def set_signature(transaction: Transaction, operation: SetModelVersionSignature) -> None:
    text = check_signature(operation.signature)
    _, version = change_version(transaction, operation.name, operation.version)
    if gates.signature_of(transaction, version) != text:
        many(transaction.connection, _UPSERT_SIGNATURE, [(version.id, text)])
