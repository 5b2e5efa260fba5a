"""Numbers held against a rule. They are compared as the decimals that people wrote: 0.85 is 0.05 above 0.80."""

from __future__ import annotations

import math
from decimal import Decimal

from millstream.entities.approval import ModelRule, RuleVerdict


def judge(rule: ModelRule, value: float | None, holder: str | None, held: float | None) -> RuleVerdict:
    """The verdict on a version whose metric is ``value``, None where it has none.

    ``holder`` is the version that holds the place now, None where there is none, and ``held`` its metric. Only finite
    numbers can be compared: anything else is not met.
    """
    what = f"{rule.metric} on {rule.dataset}" if rule.dataset else str(rule.metric)
    if value is None or not math.isfinite(value):
        return _verdict(rule, False, f"it has {_nothing(what, value)}", holder=holder)
    bounds = [] if rule.threshold is None else [_decimal(rule.threshold)]
    against = ""
    if _compares(rule) and holder is not None:
        if held is None or not math.isfinite(held):
            reason = f"{what} is {value!r}, but version {holder}, which holds the place, has {_nothing(what, held)}"
            return _verdict(rule, False, reason, value=value, holder=holder)
        base = _decimal(held)
        gain = max(_decimal(rule.min_absolute_change or 0.0), abs(base) * _decimal(rule.min_relative_change or 0.0))
        bounds.append(base + gain if rule.greater_is_better else base - gain)
        against = f" (version {holder} has {held!r})"
    if not bounds:
        return _verdict(rule, True, f"{what} is {value!r}, and no other version holds the place", value=value)
    required = max(bounds) if rule.greater_is_better else min(bounds)
    met = _decimal(value) >= required if rule.greater_is_better else _decimal(value) <= required
    bound = f"at {'least' if rule.greater_is_better else 'most'} {float(required)!r}"
    reason = f"{what} is {value!r}, {'which is' if met else 'it must be'} {bound}{against}"
    return _verdict(
        rule, met, reason, value=value, required=float(required), holder=holder if against else None,
        holder_value=held if against else None,
    )


def _compares(rule: ModelRule) -> bool:
    changes = (rule.min_absolute_change, rule.min_relative_change)
    return rule.threshold is None or any(change is not None for change in changes)


def _decimal(number: float) -> Decimal:
    return Decimal(repr(number))


def _nothing(what: str, number: float | None) -> str:
    return f"no metric {what}" if number is None else f"{number!r} for {what}, which cannot be compared"


def _verdict(
    rule: ModelRule, met: bool, reason: str, *, value: float | None = None, required: float | None = None,
    holder: str | None = None, holder_value: float | None = None,
) -> RuleVerdict:
    return RuleVerdict(rule.name, rule.kind, met, reason, value, required, holder, holder_value)
