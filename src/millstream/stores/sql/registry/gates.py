"""The gate before a stage or an alias: the rules of a model, held against a version inside the transaction."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Row, Select, func, or_, select

from millstream.entities.approval import (
    APPROVALS,
    DESCRIPTION,
    EVALUATION,
    METRIC,
    OPEN,
    SIGNATURE,
    ModelRule,
    RuleVerdict,
)
from millstream.errors import TransitionRefused
from millstream.operations import OWNER
from millstream.stores.sql.registry.judging import judge
from millstream.stores.sql.registry.signatures import inputs_of, narrowed
from millstream.stores.sql.registry.tables import (
    model_rules,
    model_version_signatures,
    model_version_tags,
    model_versions,
    registered_model_aliases,
    transition_approvals,
    transition_requests,
)
from millstream.stores.sql.schema import logged_model_metrics, logged_models, metrics, runs
from millstream.stores.sql.transaction import Transaction

_DECODE = msgspec.json.Decoder(ModelRule).decode


@dataclass(frozen=True)
class Goal:
    """Where a version is to go: to a stage, or to be what an alias stands for."""

    stage: str | None = None
    alias: str | None = None

    def __str__(self) -> str:
        return f"the stage {self.stage}" if self.stage is not None else f"the alias {self.alias}"


def rules_of(transaction: Transaction, model: Row[Any], goal: Goal | None = None) -> list[ModelRule]:
    """The rules of a model by name; those for one goal if it is given."""
    query = select(model_rules.c.rule).where(model_rules.c.model == model.id).order_by(model_rules.c.name)
    found = [_DECODE(text) for text in transaction.connection.execute(query).scalars()]
    if goal is None:
        return found
    return [rule for rule in found if goal.stage in rule.stages or goal.alias in rule.aliases]


def require(transaction: Transaction, model: Row[Any], version: Row[Any], goal: Goal) -> None:
    """Return if a version may go there by its own user's word. Raises TransitionRefused with a line for each rule."""
    found = verdicts(transaction, model, version, goal, but=transaction.principal.name)
    if not all(verdict.met for verdict in found):
        raise refused(transaction, model, version, goal, found)


def refused(
    transaction: Transaction, model: Row[Any], version: Row[Any], goal: Goal, found: list[RuleVerdict]
) -> TransitionRefused:
    """The error for a version that does not meet these verdicts."""
    unmet = [verdict for verdict in found if not verdict.met]
    lines = "".join(f"\n  {verdict.rule}: {verdict.reason}" for verdict in unmet)
    what = f"version {version.version} of {model.name} may not have {goal}"
    if all(verdict.kind == APPROVALS for verdict in unmet):
        if transaction.principal.kind == OWNER.kind:
            hint = (
                "everybody is the same user here: let a proxy that signs users in stand in front, and name its header "
                "with `millstream server --user-header X-Forwarded-User`"
            )
        else:
            hint = "ask by create_transition_request(…), and let somebody else approve it"
    else:
        hint = "check_transition(…) tells how each rule stands; list_model_rules(…) what they ask"
    return TransitionRefused(what + ":" + lines, hint=hint)


def verdicts(
    transaction: Transaction, model: Row[Any], version: Row[Any], goal: Goal, *, but: str | None = None
) -> list[RuleVerdict]:
    """How a version stands to each rule for ``goal``. An approval by ``but``, who moves it, does not count."""
    rules = rules_of(transaction, model, goal)
    held_by = holder(transaction, model, version, goal) if rules else None
    return [_verdict(transaction, version, rule, goal, held_by, but) for rule in rules]


def holder(transaction: Transaction, model: Row[Any], version: Row[Any], goal: Goal) -> Row[Any] | None:
    """The other version that has the goal now; of a stage with several the newest, which its address means."""
    query = select(model_versions).where(
        model_versions.c.model == model.id, model_versions.c.version != version.version
    )
    if goal.stage is not None:
        query = query.where(model_versions.c.stage == goal.stage)
    else:
        table = registered_model_aliases
        stands = select(table.c.version).where(table.c.model == model.id, table.c.alias == goal.alias)
        query = query.where(model_versions.c.version == stands.scalar_subquery())
    return transaction.connection.execute(query.order_by(model_versions.c.version.desc()).limit(1)).one_or_none()


def signatures_of(transaction: Transaction, model: Row[Any], version: Row[Any], goal: Goal) -> list[str]:
    """The versions whose signatures a rule for ``goal`` compares."""
    if not any(rule.kind == SIGNATURE for rule in rules_of(transaction, model, goal)):
        return []
    other = holder(transaction, model, version, goal)
    return [str(version.version)] if other is None else [str(version.version), str(other.version)]


def _verdict(
    transaction: Transaction, version: Row[Any], rule: ModelRule, goal: Goal, held_by: Row[Any] | None, but: str | None
) -> RuleVerdict:
    if rule.kind == METRIC:
        value = _measured(transaction, version, rule)
        held = None if held_by is None else _measured(transaction, held_by, rule)
        return judge(rule, value, None if held_by is None else str(held_by.version), held)
    if rule.kind == SIGNATURE:
        return _signature(transaction, version, rule, held_by)
    if rule.kind == EVALUATION:
        return _evaluation(transaction, version, rule)
    if rule.kind == APPROVALS:
        return _approvals(transaction, version, rule, goal, but)
    if rule.kind == DESCRIPTION:
        met = bool((version.description or "").strip())
        return RuleVerdict(rule.name, rule.kind, met, "it has a description" if met else "it has no description")
    return _tag(transaction, version, rule)


def _measured(transaction: Transaction, version: Row[Any], rule: ModelRule) -> float | None:
    """The metric of a version's logged model, or else of its run; the last one measured. NaN is not None."""
    connection = transaction.connection
    table = logged_model_metrics
    of_model = _of_model(version, rule.dataset).where(table.c.key == rule.metric)
    row = connection.execute(of_model.order_by(table.c.timestamp.desc(), table.c.step.desc()).limit(1)).one_or_none()
    if row is None:
        key = transaction.key(str(rule.metric))
        row = connection.execute(_of_run(version, rule.dataset).where(metrics.c.key == key)).one_or_none()
    if row is None:
        return None
    return math.nan if row.value is None else float(row.value)


def _of_model(version: Row[Any], dataset: str | None) -> Select[Any]:
    """Metrics of the version's logged model."""
    table = logged_model_metrics
    query = select(table.c.value, table.c.dataset_name).join(logged_models, logged_models.c.id == table.c.model)
    query = query.where(logged_models.c.model_id == version.model_id)
    return query if dataset is None else query.where(table.c.dataset_name == dataset)


def _of_run(version: Row[Any], dataset: str | None) -> Select[Any]:
    """Metrics of the version's run, those of its other models left out."""
    query = select(metrics.c.value, metrics.c.dataset_name).join(runs, runs.c.id == metrics.c.run)
    query = query.where(runs.c.run_id == version.run_id)
    if version.model_id is not None:
        query = query.where(or_(metrics.c.model_id.is_(None), metrics.c.model_id == version.model_id))
    return query if dataset is None else query.where(metrics.c.dataset_name == dataset)


def _evaluation(transaction: Transaction, version: Row[Any], rule: ModelRule) -> RuleVerdict:
    measured = [
        (_of_model(version, rule.dataset).where(logged_model_metrics.c.dataset_name != ""), logged_model_metrics),
        (_of_run(version, rule.dataset).where(metrics.c.dataset_name.is_not(None)), metrics),
    ]
    for query, table in measured:
        counted = query.with_only_columns(func.count(), func.min(table.c.dataset_name))
        count, dataset = transaction.connection.execute(counted).one()
        if count:
            noun = "metric was" if count == 1 else "metrics were"
            return RuleVerdict(rule.name, rule.kind, True, f"{count} {noun} measured on {dataset}", float(count), 1.0)
    where = f"the dataset {rule.dataset}" if rule.dataset else "a dataset"
    reason = f"no metric of its logged model or run was measured on {where}"
    return RuleVerdict(rule.name, rule.kind, False, reason, 0.0, 1.0)


def _signature(
    transaction: Transaction, version: Row[Any], rule: ModelRule, held_by: Row[Any] | None
) -> RuleVerdict:
    def verdict(met: bool, reason: str) -> RuleVerdict:
        return RuleVerdict(rule.name, rule.kind, met, reason, holder=None if held_by is None else str(held_by.version))

    own = _inputs(transaction, version)
    if own is None:
        return verdict(False, "its files could not be read, so its signature is not known")
    if not own:
        return verdict(False, "it has no signature of its inputs")
    if held_by is None:
        return verdict(True, "no other version holds the place")
    other = _inputs(transaction, held_by)
    if other is None:
        reason = f"the files of version {held_by.version} could not be read, so its signature is not known"
        return verdict(False, reason)
    if not other:
        return verdict(True, f"version {held_by.version} has no signature to compare with")
    reasons = narrowed(other, own)
    if reasons:
        more = f", and {len(reasons) - 5} more" if len(reasons) > 5 else ""
        return verdict(False, f"not all that version {held_by.version} takes: {'; '.join(reasons[:5])}{more}")
    return verdict(True, f"it takes all that version {held_by.version} takes")


def _inputs(transaction: Transaction, version: Row[Any]) -> list[dict[str, Any]] | None:
    """The inputs that a version's signature describes, empty without them; None where it is not known."""
    text = signature_of(transaction, version)
    return None if text is None else (inputs_of(text) if text else None) or []


def signature_of(transaction: Transaction, version: Row[Any]) -> str | None:
    """The signature of a version as it was last read, ``""`` for a model without one; None where it is not known."""
    table = model_version_signatures
    query = select(table.c.signature).where(table.c.model_version == version.id)
    found: str | None = transaction.connection.execute(query).scalar()
    return found


def _approvals(
    transaction: Transaction, version: Row[Any], rule: ModelRule, goal: Goal, but: str | None
) -> RuleVerdict:
    found = approvers(transaction, version, goal) - {but}
    met = len(found) >= rule.approvals
    who = f" ({', '.join(sorted(str(name) for name in found))})" if found else ""
    reason = f"{len(found)} of {rule.approvals} approvals{who} by others than who asked and who registered it"
    return RuleVerdict(rule.name, rule.kind, met, reason, float(len(found)), float(rule.approvals))


def approvers(transaction: Transaction, version: Row[Any], goal: Goal) -> set[str | None]:
    """Who has approved the open requests for this; none of them asked for what he approved, nor registered it."""
    table = transition_requests
    query = (
        select(transition_approvals.c.user_id)
        .join(table, table.c.id == transition_approvals.c.request)
        .where(table.c.model_version == version.id, table.c.stage == goal.stage, table.c.state == OPEN)
        .where(transition_approvals.c.user_id != table.c.user_id)
    )
    return set(transaction.connection.execute(query).scalars()) - {version.user_id}


def _tag(transaction: Transaction, version: Row[Any], rule: ModelRule) -> RuleVerdict:
    table = model_version_tags
    query = select(table.c.value).where(table.c.model_version == version.id, table.c.key == rule.tag)
    value = transaction.connection.execute(query).scalar()
    if value is None:
        return RuleVerdict(rule.name, rule.kind, False, f"it has no tag {rule.tag}")
    met = rule.tag_value is None or value == rule.tag_value
    wanted = "" if met else f", it must be {rule.tag_value!r}"
    return RuleVerdict(rule.name, rule.kind, met, f"its tag {rule.tag} is {value[:100]!r}{wanted}")
