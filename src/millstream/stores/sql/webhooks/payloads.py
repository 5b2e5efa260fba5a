"""What a webhook is told: MLflow's body, the managed registry's, and which names an event goes by.

Source: the bodies that MLflow 3.17 sends (``{entity, action, timestamp, data}``), and the public documentation of the
managed registry's webhooks (one flat object with ``event``, ``model_name``, ``version``, ``text`` …).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Row, select

from millstream.entities.model_registry import ALL_STAGES, STAGE_ARCHIVED
from millstream.entities.webhook import ANY, EVENTS, check_event
from millstream.stores.sql.registry.tables import (
    model_version_tags,
    model_versions,
    registered_model_tags,
    registered_models,
)
from millstream.stores.sql.transaction import Transaction

TRANSITIONED = "model_version.transitioned"
ROLLED_BACK = "model_version.rolled_back"
# What a change of the registry is made of; events tell it by better names.
_CHANGE = frozenset({"version", "key", "before", "after", "others", "undoes"})


@dataclass(frozen=True)
class Event:
    """Something that happened: ``entity.action``, to which model, when (milliseconds), by whom, and the details."""

    kind: str
    model: str | None
    timestamp: int
    user: str
    facts: dict[str, Any]

    @property
    def names(self) -> frozenset[str]:
        """What subscriptions may call it: its kind, with its stage, all of its entity, and all there is."""
        kinds = {self.kind} | ({TRANSITIONED} if self.kind == ROLLED_BACK else set())
        stage = self.stage
        staged = {f"{kind}:{stage}" for kind in kinds} if stage else set()
        return frozenset({"*", f"{self.kind.partition('.')[0]}.*", *kinds, *staged})

    @property
    def stage(self) -> str | None:
        """The stage that a version moves to, or is asked to move to."""
        if self.kind in (TRANSITIONED, ROLLED_BACK) or self.kind.startswith("transition_request."):
            stage = self.facts.get("to_stage", self.facts.get("after"))
            return None if stage is None else str(stage)
        return None


def events_of(kind: str, model: str | None, facts: dict[str, Any], timestamp: int, user: str) -> list[Event]:
    """The events of one change: a transition that archives others, or takes that back, is one of each version."""
    event = Event(kind, model, timestamp, user, facts)
    if kind not in (TRANSITIONED, ROLLED_BACK) or not facts.get("others"):
        return [event]
    own = {name: value for name, value in facts.items() if name not in ("others", "undoes")}
    if kind == TRANSITIONED:
        moved = {**own, "before": facts["after"], "after": STAGE_ARCHIVED}
    else:
        moved = {**own, "before": STAGE_ARCHIVED, "after": facts["before"]}
    others = [Event(kind, model, timestamp, user, {**moved, "version": version}) for version in facts["others"]]
    return [*others, event] if kind == TRANSITIONED else [event, *others]


def mlflow_body(event: Event, data: dict[str, Any]) -> str:
    """The body of MLflow's webhooks."""
    entity, _, action = event.kind.partition(".")
    moment = datetime.fromtimestamp(event.timestamp / 1000, timezone.utc).isoformat()
    return _text({"entity": entity, "action": action, "timestamp": moment, "data": data})


def mlflow_data(transaction: Transaction, event: Event) -> dict[str, Any]:
    """The details of an event: as MLflow gives them where it has the event, else by the same names, with the user."""
    if event.kind == "registered_model.created":
        return {"name": event.model} | _created_model(transaction, event)
    if event.kind == "model_version.created":
        return {"name": event.model, "version": str(event.facts["version"])} | _created_version(transaction, event)
    return details(event)


def details(event: Event) -> dict[str, Any]:
    """The details of an event that are all among its facts."""
    facts, made = event.facts, {"name": event.model} if event.model is not None else {}
    if "version" in facts and facts["version"] is not None:
        made["version"] = str(facts["version"])
    entity, _, action = event.kind.partition(".")
    if entity == "model_version_tag":
        return made | {"key": facts.get("key")} | ({"value": facts.get("after")} if action == "set" else {})
    if entity == "model_version_alias":
        if action == "deleted":
            made.pop("version", None)
        return made | {"alias": facts.get("key")}
    return made | _ours(event) | {"user": event.user}


def _ours(event: Event) -> dict[str, Any]:
    facts = event.facts
    before, after = facts.get("before"), facts.get("after")
    entity, _, action = event.kind.partition(".")
    if event.kind in (TRANSITIONED, ROLLED_BACK):
        comment = facts.get("comment")
        return {"from_stage": before, "to_stage": after} | ({"comment": comment} if comment else {})
    if event.kind == "registered_model.renamed":
        return {"old_name": before, "new_name": after}
    if entity in ("registered_model", "model_version") and action == "updated":
        return {"description": after, "old_description": before}
    if event.kind == "model_version.deleted":
        return {"stage": before, "aliases": (facts.get("key") or "").split(",") if facts.get("key") else []}
    if entity == "registered_model_tag":
        return {"key": facts.get("key")} | ({"value": after} if action == "set" else {})
    rest = {name: value for name, value in facts.items() if name not in _CHANGE and value is not None}
    if entity == "comment":
        return {"id": facts.get("key"), **rest}
    if entity == "transition_request":
        return {"id": facts.get("key"), "from_stage": before, "to_stage": after, **rest}
    if entity == "model_rule":
        return {"rule": facts.get("key"), **({"definition": json.loads(after)} if after else {}), **rest}
    return rest


def _created_model(transaction: Transaction, event: Event) -> dict[str, Any]:
    table, tags = registered_models, registered_model_tags
    row = transaction.connection.execute(select(table).where(table.c.name == event.model)).one()
    found = transaction.connection.execute(select(tags).where(tags.c.model == row.id).order_by(tags.c.key))
    return {"tags": {tag.key: tag.value for tag in found}, "description": row.description}


def _created_version(transaction: Transaction, event: Event) -> dict[str, Any]:
    table, tags = model_versions, model_version_tags
    row = transaction.connection.execute(
        select(table).where(table.c.name == event.model, table.c.version == int(event.facts["version"]))
    ).one()
    found = transaction.connection.execute(select(tags).where(tags.c.model_version == row.id).order_by(tags.c.key))
    return {
        "source": row.source, "run_id": row.run_id, "tags": {tag.key: tag.value for tag in found},
        "description": row.description,
    }


# What the managed registry calls events; all others are called by their name here, in capitals.
_MANAGED = {
    "MODEL_VERSION_TRANSITIONED_STAGE": TRANSITIONED,
    "TRANSITION_REQUEST_CREATED": "transition_request.created",
    **{
        name.format(stage.upper()): f"{kind}:{stage}"
        for name, kind in (
            ("MODEL_VERSION_TRANSITIONED_TO_{}", TRANSITIONED),
            ("TRANSITION_REQUEST_TO_{}_CREATED", "transition_request.created"),
        )
        for stage in ALL_STAGES
    },
    **{
        f"{entity}_{action}".upper(): f"{entity}.{action}"
        for entity, actions in EVENTS.items()
        for action in actions
        if f"{entity}.{action}" not in (TRANSITIONED, "transition_request.created")
    },
}
_MANAGED_NAMES = {event: name for name, event in _MANAGED.items()}


def event_of_managed(name: str) -> str:
    """The event that the managed registry calls so; other names stay as they are. Raises InvalidValue."""
    return _MANAGED.get(name) or check_event(name)


def managed_name(event: str) -> str:
    """What the managed registry calls an event; one that it cannot name keeps its name."""
    return _MANAGED_NAMES.get(event, event)


def managed_body(event: Event, data: dict[str, Any], webhook_id: str, wanted: Iterable[str]) -> str:
    """The body of the managed registry's webhooks; ``wanted`` is what the webhook has subscribed to.

    An event is called by its stage when only that was asked for.
    """
    kind = TRANSITIONED if event.kind == ROLLED_BACK else event.kind
    staged = f"{kind}:{event.stage}"
    only_staged = staged in wanted and not {kind, event.kind, ANY, f"{event.kind.partition('.')[0]}.{ANY}"} & {*wanted}
    body = {
        "event": managed_name(staged if only_staged else kind),
        "webhook_id": webhook_id,
        "event_timestamp": event.timestamp,
        **({"model_name": event.model} if event.model is not None else {}),
        **{name: value for name, value in data.items() if name not in ("name", "text")},
        "text": _sentence(event, data),
    }
    return _text(body)


def _sentence(event: Event, data: dict[str, Any]) -> str:
    """One line for people, as chats show it."""
    version = f"version {data['version']} of " if data.get("version") is not None else ""
    what = f"{version}{event.model}" if event.model is not None else "the registry"
    entity, _, action = event.kind.partition(".")
    if event.kind in (TRANSITIONED, ROLLED_BACK):
        said = f"{event.user} moved {what} from {data['from_stage']} to {data['to_stage']}"
        return f"{said}, which takes back an earlier move" if event.kind == ROLLED_BACK else said
    words = f"{entity.replace('_', ' ')} {action.replace('_', ' ')}"
    detail = data.get("comment") or data.get("text") or data.get("key") or data.get("alias") or data.get("new_name")
    return f"{words} by {event.user}: {what}" + (f", {detail}" if detail else "")


def bodies(transaction: Transaction, event: Event, found: Sequence[Row[Any]]) -> list[tuple[int, str]]:
    """``(number of the webhook, body)`` for each of these webhooks."""
    data = mlflow_data(transaction, event)
    return [(webhook.id, body_for(webhook, event, data)) for webhook in found]


def body_for(webhook: Row[Any], event: Event, data: dict[str, Any]) -> str:
    """The body in the shape that a webhook has."""
    if webhook.payload_format == "DATABRICKS":
        return managed_body(event, data, webhook.webhook_id, webhook.events.split(","))
    return mlflow_body(event, data)


def _text(body: dict[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False)
