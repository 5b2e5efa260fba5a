"""Operations that empty the trash for good."""

from __future__ import annotations

import msgspec

from millstream.entities.base import Int64
from millstream.operations.table import Answer, Needs, Operation, Permission, operation


class Garbage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something deleted that may be removed for good: ``kind`` is experiment, run or logged_model.

    ``kept_because`` names what still refers to it; then it must stay.
    """

    kind: str
    id: str
    artifact_uri: str
    deleted_time: int
    experiment_id: str
    kept_because: str | None = None


class GarbageAnswer(Answer, frozen=True):
    """What lies in the trash."""

    items: list[Garbage] = []


class Purged(Answer, frozen=True):
    """How many were removed for good."""

    experiments: int
    runs: int
    logged_models: int


@operation("POST", "/v1/garbage/find", Needs(Permission.ADMIN), answer=GarbageAnswer, writes=False)
class FindGarbage(Operation[GarbageAnswer], frozen=True):
    """List deleted experiments, runs and logged models, with what still refers to them.

    ``deleted_before`` is in milliseconds since the epoch; ids limit the answer to what they name. An experiment comes
    with all that is in it, as it would go with it.
    """

    deleted_before: Int64 | None = None
    run_ids: list[str] = []
    experiment_ids: list[str] = []
    logged_model_ids: list[str] = []


@operation("POST", "/v1/garbage/purge", Needs(Permission.ADMIN), answer=Purged)
class PurgeGarbage(Operation[Purged], frozen=True):
    """Remove deleted experiments, runs and logged models from the store for good; all or nothing.

    What is not deleted, or is still referred to, is refused by name. Their artifacts are the caller's to remove first.
    """

    run_ids: list[str] = []
    experiment_ids: list[str] = []
    logged_model_ids: list[str] = []
