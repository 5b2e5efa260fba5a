"""Operations on what is said and decided about versions: comments, transition requests, and the rules of a model.

Comments, requests and the two paths below ``databricks/`` are those of the managed registry; a reader of a model may
speak and ask, who may edit it decides, who may manage it makes the rules.
"""

from __future__ import annotations

from typing import Any

from millstream.entities.approval import (
    Comment,
    ModelRule,
    ModelVersionDetails,
    RegisteredModelDetails,
    RuleVerdict,
    TransitionActivity,
    TransitionRequest,
)
from millstream.entities.base import Int64
from millstream.operations.registry import SetRegisteredModelAlias, TransitionModelVersionStage
from millstream.operations.table import Answer, Needs, Operation, Permission, Resource, operation

_COMMENTS = "/2.0/mlflow/comments"
_REQUESTS = "/2.0/mlflow/transition-requests"
_MANAGED = "/2.0/mlflow/databricks"
_RULES = "/v1/registered-models/rules"


def _needs(permission: Permission) -> Needs:
    return Needs(permission, Resource.REGISTERED_MODEL, "name")


_OF_COMMENT = Needs(Permission.READ, Resource.COMMENT, "id")


class CommentAnswer(Answer, frozen=True):
    """One comment."""

    comment: Comment


class CommentPage(Answer, frozen=True):
    """A page of comments; ``next_page_token`` is unset on the last."""

    comments: list[Comment] = []
    next_page_token: str | None = None


class TransitionRequestAnswer(Answer, frozen=True):
    """One transition request."""

    request: TransitionRequest


class TransitionRequestList(Answer, frozen=True):
    """Transition requests."""

    requests: list[TransitionRequest] = []


class TransitionRequestPage(Answer, frozen=True):
    """A page of transition requests; ``next_page_token`` is unset on the last."""

    requests: list[TransitionRequest] = []
    next_page_token: str | None = None


class TransitionActivityAnswer(Answer, frozen=True):
    """What was done about the stage of a version."""

    activity: TransitionActivity


class ModelVersionDetailsAnswer(Answer, frozen=True):
    """One version, under the two names that the managed registry has had for it."""

    model_version_databricks: ModelVersionDetails
    model_version: ModelVersionDetails


class RegisteredModelDetailsAnswer(Answer, frozen=True):
    """One registered model."""

    registered_model_databricks: RegisteredModelDetails


class ModelRuleAnswer(Answer, frozen=True):
    """One rule."""

    rule: ModelRule


class ModelRuleList(Answer, frozen=True):
    """The rules of a registered model, by name."""

    rules: list[ModelRule] = []


class TransitionCheck(Answer, frozen=True):
    """Whether a version may go where it was asked for, and how it stands to each rule for that.

    ``signatures_of`` are the versions whose signatures a rule compares.
    """

    allowed: bool
    verdicts: list[RuleVerdict] = []
    signatures_of: list[str] = []


# Comments


@operation("POST", f"{_COMMENTS}/create", _needs(Permission.READ), answer=CommentAnswer, repeatable=False)
class CreateComment(Operation[CommentAnswer], frozen=True):
    """Say something about a version."""

    name: str
    version: str
    comment: str


@operation("PATCH", f"{_COMMENTS}/update", _OF_COMMENT, answer=CommentAnswer)
class UpdateComment(Operation[CommentAnswer], frozen=True):
    """Change a comment; only who wrote it may."""

    id: str
    comment: str


@operation("DELETE", f"{_COMMENTS}/delete", _OF_COMMENT, repeatable=False)
class DeleteComment(Operation[None], frozen=True):
    """Remove a comment; only who wrote it may."""

    id: str


@operation("GET", "/v1/comments/list", _needs(Permission.READ), answer=CommentPage)
class ListComments(Operation[CommentPage], frozen=True):
    """List the comments on a version (on all versions unless one is named), the newest first."""

    name: str
    version: str | None = None
    max_results: Int64 = 100
    page_token: str | None = None


# Transition requests


@operation(
    "POST", f"{_REQUESTS}/create", _needs(Permission.READ), answer=TransitionRequestAnswer, repeatable=False
)
class CreateTransitionRequest(Operation[TransitionRequestAnswer], frozen=True):
    """Ask that a version move to a stage; a user asks once for the same."""

    name: str
    version: str
    stage: str
    comment: str | None = None


@operation("GET", f"{_REQUESTS}/list", _needs(Permission.READ), answer=TransitionRequestList)
class ListTransitionRequests(Operation[TransitionRequestList], frozen=True):
    """List the open requests for a version, the oldest first."""

    name: str
    version: str


@operation("GET", "/v1/transition-requests/search", _needs(Permission.READ), answer=TransitionRequestPage)
class SearchTransitionRequests(Operation[TransitionRequestPage], frozen=True):
    """List requests for the versions of a model, decided ones too, the newest first; or those in one state."""

    name: str
    version: str | None = None
    state: str | None = None
    max_results: Int64 = 100
    page_token: str | None = None


@operation(
    "POST", f"{_REQUESTS}/approve", _needs(Permission.EDIT), answer=TransitionActivityAnswer, repeatable=False
)
class ApproveTransitionRequest(Operation[TransitionActivityAnswer], frozen=True):
    """Approve what is asked for a version and a stage, and carry it out.

    Where a rule asks for more approvals, this one is kept and the request stays open.
    """

    name: str
    version: str
    stage: str
    archive_existing_versions: bool = False
    comment: str | None = None


@operation(
    "POST", f"{_REQUESTS}/reject", _needs(Permission.EDIT), answer=TransitionActivityAnswer, repeatable=False
)
class RejectTransitionRequest(Operation[TransitionActivityAnswer], frozen=True):
    """Reject what is asked for a version and a stage; the comment is kept as the reason."""

    name: str
    version: str
    stage: str
    comment: str | None = None


@operation(
    "DELETE", f"{_REQUESTS}/delete", _needs(Permission.READ), answer=TransitionActivityAnswer, repeatable=False
)
class DeleteTransitionRequest(Operation[TransitionActivityAnswer], frozen=True):
    """Withdraw one's own request. ``creator`` is who asked: oneself, whom it also means when it is left out."""

    name: str
    version: str
    stage: str
    creator: str | None = None
    comment: str | None = None


@operation(
    "POST", f"{_MANAGED}/model-versions/transition-stage", _needs(Permission.EDIT), answer=ModelVersionDetailsAnswer
)
class TransitionStage(Operation[ModelVersionDetailsAnswer], frozen=True):
    """Move a version to a stage, with a comment that is kept in its history."""

    name: str
    version: str
    stage: str
    archive_existing_versions: bool = False
    comment: str | None = None


@operation("GET", f"{_MANAGED}/registered-models/get", _needs(Permission.READ), answer=RegisteredModelDetailsAnswer)
class GetRegisteredModelDetails(Operation[RegisteredModelDetailsAnswer], frozen=True):
    """Read a registered model with the latest version of each stage, its id and its creator."""

    name: str


# Rules


@operation("POST", f"{_RULES}/set", _needs(Permission.MANAGE), answer=ModelRuleAnswer)
class SetModelRule(Operation[ModelRuleAnswer], frozen=True):
    """Give a registered model a rule, or another in the place of the one with the same name."""

    name: str
    rule: ModelRule


@operation("DELETE", f"{_RULES}/delete", _needs(Permission.MANAGE))
class DeleteModelRule(Operation[None], frozen=True):
    """Remove a rule, if it is there."""

    name: str
    rule: str


@operation("GET", f"{_RULES}/list", _needs(Permission.READ), answer=ModelRuleList)
class ListModelRules(Operation[ModelRuleList], frozen=True):
    """List the rules of a registered model."""

    name: str


@operation("GET", "/v1/model-versions/check-transition", _needs(Permission.READ), answer=TransitionCheck)
class CheckTransition(Operation[TransitionCheck], frozen=True):
    """Tell how a version stands to each rule for a stage or an alias, without moving it."""

    name: str
    version: str
    stage: str | None = None
    alias: str | None = None


@operation("POST", "/v1/model-versions/set-signature", _needs(Permission.EDIT))
class SetModelVersionSignature(Operation[None], frozen=True):
    """Tell the registry the signature of a version, as its ``MLmodel`` file has it (JSON text), for rules that compare.

    A server reads the file itself where it can, whenever a rule asks for it.
    """

    name: str
    version: str
    signature: str = ""


# What the rules of a model have a say in; each names a version, and a stage or an alias.
GATED_OPERATIONS: tuple[type[Operation[Any]], ...] = (
    ApproveTransitionRequest, CheckTransition, SetRegisteredModelAlias, TransitionModelVersionStage, TransitionStage,
)
