"""Events that have not happened, for tests of webhooks."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Row

from millstream.entities.webhook import ANY, EVENTS, STAGED
from millstream.stores.sql.webhooks.payloads import Event, body_for, details

_RULE = {"name": "example", "kind": "description", "stages": ["Production"]}
# What is known of an event beyond its model, by what it is about.
_FACTS: dict[str, dict[str, Any]] = {
    "registered_model": {"before": "old", "after": "new"},
    "registered_model_tag": {"key": "example", "after": "new"},
    "model_version": {"version": 1, "before": "None", "after": "Production"},
    "model_version_tag": {"version": 1, "key": "example", "after": "new"},
    "model_version_alias": {"version": 1, "key": "example", "after": "1"},
    "comment": {"version": 1, "key": "example", "comment": "An example"},
    "transition_request": {
        "version": 1, "key": "example", "before": "None", "after": "Production", "comment": "An example",
    },
    "model_rule": {"key": "example", "after": json.dumps(_RULE)},
    "endpoint": {"endpoint": "example", "version": "1"},
    "monitor": {
        "endpoint": "example", "version": "1", "column": "amount", "statistic": "psi", "value": 0.31, "limit": 0.25,
        "reason": "An example",
    },
}
_CREATED: dict[str, dict[str, Any]] = {
    "registered_model.created": {"tags": {"example": "new"}, "description": "An example"},
    "model_version.created": {
        "version": "1", "source": "models:/example", "run_id": "0123456789abcdef0123456789abcdef",
        "tags": {"example": "new"}, "description": "An example",
    },
}


def sample(webhook: Row[Any], name: str, timestamp: int, user: str) -> str:
    """The body of such an event, in the shape that a webhook has. ``name`` is what it may subscribe to, also ``*``."""
    kind, _, stage = ("model_version.created" if name == ANY else name).partition(":")
    entity, _, action = kind.partition(".")
    kind = f"{entity}.{EVENTS[entity][0]}" if action == ANY else kind
    facts = dict(_FACTS[entity])
    if kind in STAGED and stage:
        facts["after"] = stage
    if kind.endswith(".deleted"):
        facts.pop("after", None)
    event = Event(kind, webhook.model or "example_model", timestamp, user, facts)
    created = _CREATED.get(kind)
    return body_for(webhook, event, details(event) if created is None else {"name": event.model, **created})
