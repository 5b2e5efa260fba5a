"""The client's calls on what is said and decided about versions: comments, transition requests, rules."""

from __future__ import annotations

import msgspec

from millstream.entities import PagedList
from millstream.entities.approval import OPEN, Comment, ModelRule, TransitionActivity, TransitionRequest
from millstream.operations import (
    ApproveTransitionRequest,
    CheckTransition,
    CreateComment,
    CreateTransitionRequest,
    DeleteComment,
    DeleteModelRule,
    DeleteTransitionRequest,
    ListComments,
    ListModelRules,
    ListTransitionRequests,
    RejectTransitionRequest,
    SearchTransitionRequests,
    SetModelRule,
    TransitionCheck,
    UpdateComment,
)
from millstream.tracking.client.registry import RegistryCalls
from millstream.tracking.client.values import listed


class ApprovalCalls(RegistryCalls):
    """Who says what about a version, who asks for a stage, who approves it, and what a version must meet. Beyond
    MLflow."""

    # Comments

    def create_comment(self, name: str, version: str, comment: str) -> Comment:
        """Say something about a version, up to 65,535 characters."""
        made = self._ask(CreateComment(name, str(version), comment)).comment
        return msgspec.structs.replace(made, name=name, version=str(version))

    def update_comment(self, comment_id: str, comment: str) -> Comment:
        """Change a comment. Raises PermissionDenied for somebody else's, CommentNotFound."""
        return self._ask(UpdateComment(comment_id, comment)).comment

    def delete_comment(self, comment_id: str) -> None:
        """Remove a comment. Raises PermissionDenied for somebody else's, CommentNotFound."""
        self._ask(DeleteComment(comment_id))

    def list_comments(
        self, name: str, version: str | None = None, max_results: int = 100, page_token: str | None = None
    ) -> PagedList[Comment]:
        """One page of the comments on a version, or on all versions of a model; the newest first."""
        page = self._ask(ListComments(name, None if version is None else str(version), max_results, page_token))
        return PagedList(page.comments, page.next_page_token)

    # Transition requests

    def create_transition_request(
        self, name: str, version: str, stage: str, comment: str | None = None
    ) -> TransitionRequest:
        """Ask that a version move to a stage. Raises AlreadyExists where oneself asks for that already."""
        made = self._ask(CreateTransitionRequest(name, str(version), stage, comment)).request
        return msgspec.structs.replace(made, name=name, version=str(version))

    def list_transition_requests(
        self, name: str, version: str | None = None, state: str | None = OPEN, max_results: int = 100,
        page_token: str | None = None,
    ) -> PagedList[TransitionRequest]:
        """One page of what is asked for the versions of a model, or for one; the newest first.

        ``state`` is OPEN, APPROVED, REJECTED, WITHDRAWN or CLOSED, None for all of them.
        """
        number = None if version is None else str(version)
        if number is not None and state == OPEN and page_token is None:  # what the managed registry answers too
            found = self._ask(ListTransitionRequests(name, number)).requests
            if len(found) <= max_results:
                named = [msgspec.structs.replace(one, name=name, version=number) for one in found]
                return PagedList(named[::-1])
        page = self._ask(SearchTransitionRequests(name, number, state, max_results, page_token))
        return PagedList(page.requests, page.next_page_token)

    def approve_transition_request(
        self, name: str, version: str, stage: str, archive_existing_versions: bool = False, comment: str | None = None
    ) -> TransitionActivity:
        """Approve what is asked for a version and a stage, and carry it out in the same moment.

        Where a rule asks for more approvals, this one is kept and the version stays where it is: ``system_comment`` of
        the answer says so. Raises TransitionRequestNotFound, and TransitionRefused with a line for each rule that the
        version does not meet.
        """
        asked = ApproveTransitionRequest(name, str(version), stage, archive_existing_versions, comment)
        return self._ask(asked).activity

    def reject_transition_request(
        self, name: str, version: str, stage: str, comment: str | None = None
    ) -> TransitionActivity:
        """Reject what is asked for a version and a stage; the comment is kept as the reason."""
        return self._ask(RejectTransitionRequest(name, str(version), stage, comment)).activity

    def delete_transition_request(
        self, name: str, version: str, stage: str, creator: str | None = None, comment: str | None = None
    ) -> TransitionActivity:
        """Withdraw one's own request; a managed registry wants to be told who ``creator`` is."""
        return self._ask(DeleteTransitionRequest(name, str(version), stage, creator, comment)).activity

    # Rules

    def set_model_rule(
        self, name: str, rule: str, kind: str, stages: list[str] | None = None, aliases: list[str] | None = None, *,
        metric: str | None = None, threshold: float | None = None, min_absolute_change: float | None = None,
        min_relative_change: float | None = None, greater_is_better: bool = True, dataset: str | None = None,
        approvals: int = 1, tag: str | None = None, tag_value: str | None = None,
    ) -> ModelRule:
        """Give a registered model the rule called ``rule``, or replace it: what a version must meet for these stages
        and aliases. :class:`millstream.entities.approval.ModelRule` says what each ``kind`` asks.
        """
        made = ModelRule(
            rule, kind, listed(stages, "stages"), listed(aliases, "aliases"), metric, greater_is_better, threshold,
            min_absolute_change, min_relative_change, dataset, approvals, tag, tag_value,
        )
        return self._ask(SetModelRule(name, made)).rule

    def list_model_rules(self, name: str) -> list[ModelRule]:
        """The rules of a registered model, by name."""
        return self._ask(ListModelRules(name)).rules

    def delete_model_rule(self, name: str, rule: str) -> None:
        """Remove a rule of a registered model, if it is there."""
        self._ask(DeleteModelRule(name, rule))

    def check_transition(
        self, name: str, version: str, stage: str | None = None, alias: str | None = None
    ) -> TransitionCheck:
        """How a version stands to each rule for a stage or an alias, with the numbers; nothing is moved."""
        return self._ask(CheckTransition(name, str(version), stage, alias))
