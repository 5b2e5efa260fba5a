"""What is said and decided about versions of registered models: comments, transition requests, rules."""

from __future__ import annotations

import math

import msgspec

from millstream.entities.base import Entity
from millstream.entities.metric import Tag
from millstream.entities.model_registry import ModelVersion
from millstream.errors import InvalidValue

OPEN, APPROVED, REJECTED, WITHDRAWN, CLOSED = "OPEN", "APPROVED", "REJECTED", "WITHDRAWN", "CLOSED"
REQUEST_STATES = (OPEN, APPROVED, REJECTED, WITHDRAWN, CLOSED)

METRIC, SIGNATURE, EVALUATION = "metric", "signature", "evaluation"
APPROVALS, DESCRIPTION, TAG = "approvals", "description", "tag"
RULE_KINDS = (METRIC, SIGNATURE, EVALUATION, APPROVALS, DESCRIPTION, TAG)


class Comment(Entity, frozen=True):
    """What somebody said about a version. Times are in milliseconds since the epoch.

    ``available_actions`` are what the one who reads it may do with it: ``EDIT_COMMENT``, ``DELETE_COMMENT``.
    """

    id: str
    user_id: str
    comment: str
    creation_timestamp: int
    last_updated_timestamp: int
    name: str = ""
    version: str = ""
    available_actions: list[str] = []


class TransitionActivity(Entity, frozen=True):
    """What was done about the stage of a version, as the managed registry tells it.

    ``activity_type`` is one of ``APPLIED_TRANSITION``, ``REQUESTED_TRANSITION``, ``APPROVED_REQUEST``,
    ``REJECTED_REQUEST`` and ``CANCELLED_REQUEST``; ``system_comment`` is what the registry adds to it.
    """

    activity_type: str
    user_id: str
    creation_timestamp: int
    last_updated_timestamp: int | None = None
    id: str = ""
    from_stage: str = ""
    to_stage: str = ""
    comment: str | None = None
    system_comment: str | None = None


class TransitionRequest(Entity, frozen=True):
    """Somebody asks that a version move to a stage. Times are in milliseconds since the epoch; what a managed registry
    leaves out is empty.

    ``state`` is OPEN, APPROVED, REJECTED, WITHDRAWN (by the one who asked) or CLOSED (the version went there on another
    way). ``approved_by`` are those who have approved it so far, ``decided_by`` and ``reason`` whoever ended it and why.
    """

    user_id: str
    to_stage: str
    creation_timestamp: int
    last_updated_timestamp: int | None = None
    id: str = ""
    name: str = ""
    version: str = ""
    from_stage: str = ""
    # Sent even when it is the default, as the managed registry does.
    activity_type: str = msgspec.field(default_factory=lambda: "REQUESTED_TRANSITION")
    comment: str | None = None
    state: str = msgspec.field(default_factory=lambda: OPEN)
    approved_by: list[str] = []
    decided_by: str | None = None
    reason: str | None = None
    available_actions: list[str] = []


class ModelRule(Entity, frozen=True):
    """What a version must meet before it moves to one of ``stages``, or one of ``aliases`` stands for it.

    ``name`` is unique for its model. Raises InvalidValue for a number that is not finite. ``kind`` says what is asked:

    - ``metric``: the number ``metric`` of the version's logged model, or else of its run, measured on ``dataset`` if
      one is named. With ``threshold`` it must reach that; with ``min_absolute_change`` or ``min_relative_change`` (a
      share of the holder's absolute value) it must be that much better than that of the version that holds the stage or
      alias; with none of the three it must not be worse than that. ``greater_is_better`` is the direction.
    - ``signature``: every input that the signature of the holder accepts is accepted.
    - ``evaluation``: a metric of the version's logged model or run was measured on a dataset, ``dataset`` if named.
    - ``approvals``: so many users approved a request for it, neither who asked nor who registered the version. For
      stages only.
    - ``description``: the version has one. ``tag``: it has the tag ``tag``, with the value ``tag_value`` if given.
    """

    name: str
    kind: str
    stages: list[str] = []
    aliases: list[str] = []
    metric: str | None = None
    greater_is_better: bool = True
    threshold: float | None = None
    min_absolute_change: float | None = None
    min_relative_change: float | None = None
    dataset: str | None = None
    approvals: int = 1
    tag: str | None = None
    tag_value: str | None = None
    user_id: str | None = None
    last_updated_timestamp: int | None = None

    def __post_init__(self) -> None:
        # JSON has no word for them: a threshold of infinity would arrive as none at all.
        for field in ("threshold", "min_absolute_change", "min_relative_change"):
            number = getattr(self, field)
            if number is not None and not math.isfinite(number):
                raise InvalidValue.of(f"rule.{field}", str(number), "expected a finite number")


class RuleVerdict(Entity, frozen=True):
    """How a version stands to a rule: met or not, the sentence that says why, and the numbers in it.

    ``value`` is the version's number, ``required`` the one it must reach, ``holder`` the version that holds the stage
    or alias, ``holder_value`` that one's number.
    """

    rule: str
    kind: str
    met: bool
    reason: str
    value: float | None = None
    required: float | None = None
    holder: str | None = None
    holder_value: float | None = None


class ModelVersionDetails(ModelVersion, frozen=True):
    """A version with the transition requests that are open for it, as the managed registry gives it."""

    open_requests: list[TransitionRequest] = []


class RegisteredModelDetails(Entity, frozen=True):
    """A registered model as the managed registry gives it, with a number of its own that no other has."""

    id: str
    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    user_id: str | None = None
    description: str | None = None
    latest_versions: list[ModelVersion] = []
    tags: list[Tag] = []
