"""The one way in which the registry changes: what is done is written down, in the same transaction.

The activities of a model are a chain: each carries the hash of the one before, and the model the hash of the last.
Webhooks hear of a change from here, in the same transaction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from millstream.stores.sql.driver import many, marks
from millstream.stores.sql.transaction import Transaction, now_ms
from millstream.stores.sql.webhooks.outbox import publish

_COLUMNS = (
    "model", "sequence", "name", "kind", "timestamp", "user_id", "version", "key", "old_value", "new_value", "others",
    "undoes", "previous_hash",
)
_INSERT = f"INSERT INTO registry_activities ({', '.join(_COLUMNS)}, comment, hash) VALUES ({marks(len(_COLUMNS) + 2)})"


@dataclass(frozen=True)
class Change:
    """What is changed: see :class:`millstream.entities.model_registry.RegistryActivity`."""

    kind: str
    version: int | None = None
    key: str | None = None
    before: str | None = None
    after: str | None = None
    others: tuple[int, ...] = ()
    undoes: int | None = None
    comment: str | None = None
    # What is told to webhooks beyond that, and not kept here: it may be changed or removed where it stands. None tells
    # them nothing at all, of what did not happen just now.
    told: Mapping[str, Any] | None = field(default_factory=dict)


def moment_of_change(model: Row[Any]) -> int:
    """The time of a change that is about to happen: now, and never before the last one."""
    return max(now_ms(), int(model.activity_time))


def record(transaction: Transaction, model: Row[Any], change: Change, time: int, **values: Any) -> None:
    """Write down a change of ``model``, and give its row these new values.

    ``model`` is its row as it was found for change in this operation, or found again after another change of it.
    """
    others = ",".join(map(str, change.others)) or None
    row = (
        model.id, model.activities + 1, model.name, change.kind, time, transaction.principal.name, change.version,
        change.key, change.before, change.after, others, change.undoes, model.activity_hash,
    )
    digest = hash_of(row if change.comment is None else (*row, change.comment))
    many(transaction.connection, _INSERT, [(*row, change.comment, digest)])
    new = {"activities": model.activities + 1, "activity_hash": digest, "activity_time": time, **values}
    columns = ", ".join(f"{column} = ?" for column in new)
    many(
        transaction.connection, f"UPDATE registered_models SET {columns} WHERE id = ?", [(*new.values(), model.id)]
    )
    if change.told is None:
        return
    facts = {
        "timestamp": time, "user": transaction.principal.name, "version": change.version, "key": change.key,
        "before": change.before, "after": change.after, "others": list(change.others), "undoes": change.undoes,
        "comment": change.comment, **change.told,
    }
    publish(transaction, kind=change.kind, model=model.name, facts=facts, lane=str(model.id))


def hash_of(row: tuple[object, ...]) -> str:
    """The hash of an activity: of all its columns, that of the one before included."""
    return hashlib.sha256(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def hashed_columns(row: Row[Any]) -> tuple[object, ...]:
    """The columns of a row of ``registry_activities`` that its hash is of; a comment counts where there is one."""
    made = tuple(getattr(row, column) for column in _COLUMNS)
    return made if row.comment is None else (*made, row.comment)
