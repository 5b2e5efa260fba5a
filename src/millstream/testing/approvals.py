"""The part of the store contract that is about comments, transition requests and the rules of models, as tests.

Several people take part: the fixture ``people`` of a plug-in's tests gives the store as each of them sees it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from millstream.entities import Metric
from millstream.entities.approval import ModelRule, TransitionRequest
from millstream.entities.model_registry import RegistryActivity
from millstream.errors import (
    AlreadyExists,
    CommentNotFound,
    InvalidState,
    InvalidValue,
    LimitExceeded,
    MillstreamError,
    MissingValue,
    NotFound,
    PermissionDenied,
    RegisteredModelNotFound,
    TransitionRefused,
    TransitionRequestNotFound,
)
from millstream.operations import (
    ApproveTransitionRequest,
    CheckTransition,
    CreateComment,
    CreateLoggedModel,
    CreateModelVersion,
    CreateRegisteredModel,
    CreateRun,
    CreateTransitionRequest,
    DeleteComment,
    DeleteModelRule,
    DeleteModelVersion,
    DeleteRegisteredModel,
    DeleteTransitionRequest,
    GetRegisteredModelDetails,
    ListComments,
    ListModelRules,
    ListRegistryActivities,
    ListTransitionRequests,
    LogBatch,
    Operation,
    Principal,
    RejectTransitionRequest,
    RenameRegisteredModel,
    RollBack,
    SearchTransitionRequests,
    SetModelRule,
    SetModelVersionSignature,
    SetModelVersionTag,
    SetRegisteredModelAlias,
    TransitionModelVersionStage,
    TransitionStage,
    UpdateComment,
    UpdateModelVersion,
    VerifyRegistryActivities,
)
from millstream.stores.contract import Store

Execute = Callable[[Operation[Any]], Any]
People = Callable[[str], Execute]
BUCKET = "s3://bucket/models"


def as_principals(store: Store) -> People:
    """The people of a store that is told who asks."""
    return lambda name: lambda operation: store.execute(operation, Principal(name))


def register(who: Execute, versions: int = 2, name: str = "loan") -> None:
    """A registered model with this many versions."""
    who(CreateRegisteredModel(name))
    for _ in range(versions):
        who(CreateModelVersion(name, BUCKET))


def measured(who: Execute, metrics: dict[str, float], dataset: str | None = None, *, model: bool = False) -> str:
    """The number of a version whose run, or whose logged model, has these metrics."""
    run_id = who(CreateRun("0")).run.info.run_id
    model_id = who(CreateLoggedModel("0", "net", source_run_id=run_id)).model.model_id if model else None
    points = [
        Metric(key, value, 1, 0, model_id, dataset, None if dataset is None else "d1") for key, value in metrics.items()
    ]
    who(LogBatch(run_id, points))
    source = f"models:/{model_id}" if model else f"runs:/{run_id}/model"
    version: str = who(CreateModelVersion("loan", source)).model_version.version
    return version


def rule(who: Execute, kind: str, **fields: Any) -> None:
    """Give the model a rule for Production, named like its kind."""
    who(SetModelRule("loan", ModelRule(**{"name": kind, "kind": kind, "stages": ["Production"], **fields})))


def promote(who: Execute, version: str, archive: bool = True) -> None:
    """Move a version to Production."""
    who(TransitionModelVersionStage("loan", version, "Production", archive))


def why(who: Execute, version: str, stage: str = "Production") -> dict[str, str]:
    """Rule → reason, of those that are not met; the check and the refusal say the same."""
    check = who(CheckTransition("loan", version, stage))
    unmet = {verdict.rule: verdict.reason for verdict in check.verdicts if not verdict.met}
    assert check.allowed is not bool(unmet)
    if unmet:
        with pytest.raises(TransitionRefused) as caught:
            who(TransitionModelVersionStage("loan", version, stage))
        assert all(f"\n  {name}: " in caught.value.message for name in unmet)
    return unmet


def log(who: Execute, **fields: Any) -> list[RegistryActivity]:
    """What has happened, the oldest first."""
    found: list[RegistryActivity] = who(ListRegistryActivities("loan", **fields)).activities
    return found[::-1]


def asked(who: Execute, **fields: Any) -> list[TransitionRequest]:
    """What is and was asked for, the newest first."""
    found: list[TransitionRequest] = who(SearchTransitionRequests("loan", **fields)).requests
    return found


class Comments:
    """What is said about versions."""

    def test_comments_are_kept_changed_and_removed_by_their_author(self, people: People) -> None:
        anna, ben = people("anna"), people("ben")
        register(anna)
        first = anna(CreateComment("loan", "1", "it drifts")).comment
        assert (first.name, first.version, first.user_id, first.comment) == ("loan", "1", "anna", "it drifts")
        assert first.creation_timestamp == first.last_updated_timestamp
        second = ben(CreateComment("loan", "2", "no")).comment
        assert [one.id for one in anna(ListComments("loan")).comments] == [second.id, first.id]
        assert [one.id for one in anna(ListComments("loan", "1")).comments] == [first.id]
        seen = {one.id: one.available_actions for one in ben(ListComments("loan")).comments}
        assert seen == {first.id: [], second.id: ["EDIT_COMMENT", "DELETE_COMMENT"]}
        for operation in (UpdateComment(first.id, "mine"), DeleteComment(first.id)):
            with pytest.raises(PermissionDenied, match="by anna"):
                ben(operation)
        changed = anna(UpdateComment(first.id, "it drifts a lot")).comment
        assert (changed.id, changed.comment) == (first.id, "it drifts a lot")
        assert changed.last_updated_timestamp >= changed.creation_timestamp == first.creation_timestamp
        anna(DeleteComment(first.id))
        for operation in (UpdateComment(first.id, "x"), DeleteComment(first.id)):
            with pytest.raises(CommentNotFound, match=first.id):
                anna(operation)
        found = [(one.kind, one.version, one.user_id, one.key) for one in log(anna)[3:]]
        assert found == [
            ("comment.created", "1", "anna", first.id), ("comment.created", "2", "ben", second.id),
            ("comment.updated", "1", "anna", first.id), ("comment.deleted", "1", "anna", first.id),
        ]
        assert "drifts" not in json.dumps([dict(one) for one in log(anna)])  # what was removed is gone
        assert anna(VerifyRegistryActivities("loan")).intact

    def test_a_comment_has_a_size(self, people: People) -> None:
        anna = people("anna")
        register(anna, 1)
        longest = anna(CreateComment("loan", "1", "é" * 65_535)).comment
        assert longest.comment == "é" * 65_535
        with pytest.raises(LimitExceeded, match="65536 characters"):
            anna(CreateComment("loan", "1", "x" * 65_536))
        with pytest.raises(LimitExceeded):
            anna(UpdateComment(longest.id, "x" * 65_536))
        for text in ("", " \n"):
            with pytest.raises(MissingValue, match="comment"):
                anna(CreateComment("loan", "1", text))
        with pytest.raises(RegisteredModelNotFound):
            anna(CreateComment("loan", "9", "x"))

    def test_pages_of_comments(self, people: People) -> None:
        anna = people("anna")
        register(anna, 1)
        for number in range(5):
            anna(CreateComment("loan", "1", str(number)))
        first = anna(ListComments("loan", "1", 2))
        anna(CreateComment("loan", "1", "later"))
        second = anna(ListComments("loan", "1", 2, first.next_page_token))
        third = anna(ListComments("loan", "1", 2, second.next_page_token))
        said = [one.comment for page in (first, second, third) for one in page.comments]
        assert said == ["4", "3", "2", "1", "0"]
        assert third.next_page_token is None
        with pytest.raises(InvalidValue, match="page token"):
            anna(ListComments("loan", None, 2, first.next_page_token))

    def test_comments_go_with_their_version(self, people: People) -> None:
        anna = people("anna")
        register(anna)
        gone = anna(CreateComment("loan", "1", "x")).comment.id
        kept = anna(CreateComment("loan", "2", "y")).comment.id
        anna(RenameRegisteredModel("loan", "credit"))
        anna(DeleteModelVersion("credit", "1"))
        assert [(one.id, one.name) for one in anna(ListComments("credit")).comments] == [(kept, "credit")]
        with pytest.raises(CommentNotFound):
            anna(UpdateComment(gone, "x"))
        anna(DeleteRegisteredModel("credit"))
        with pytest.raises(CommentNotFound):
            anna(UpdateComment(kept, "x"))


class Requests:
    """What is asked for, approved, rejected and withdrawn."""

    def test_a_request_is_approved_and_carried_out(self, people: People) -> None:
        anna, ben = people("anna"), people("ben")
        register(anna)
        promote(anna, "1")
        made = anna(CreateTransitionRequest("loan", "2", "production", "better")).request
        assert (made.name, made.version, made.user_id) == ("loan", "2", "anna")
        assert (made.from_stage, made.to_stage, made.comment) == ("None", "Production", "better")
        assert (made.state, made.activity_type) == ("OPEN", "REQUESTED_TRANSITION")
        assert "CANCEL_TRANSITION_REQUEST" in made.available_actions
        assert ben(ListTransitionRequests("loan", "1")).requests == []
        (seen,) = ben(ListTransitionRequests("loan", "2")).requests
        assert (seen.id, seen.available_actions) == (
            made.id, ["APPROVE_TRANSITION_REQUEST", "REJECT_TRANSITION_REQUEST"]
        )
        done = ben(ApproveTransitionRequest("loan", "2", "Production", True, "go")).activity
        assert (done.activity_type, done.user_id, done.comment) == ("APPROVED_REQUEST", "ben", "go")
        assert (done.from_stage, done.to_stage, done.system_comment) == ("None", "Production", None)
        details = ben(GetRegisteredModelDetails("loan")).registered_model_databricks
        assert details.user_id == "anna"
        assert {one.version: one.current_stage for one in details.latest_versions} == {
            "1": "Archived", "2": "Production"
        }
        assert ben(ListTransitionRequests("loan", "2")).requests == []
        (kept,) = asked(ben)
        assert (kept.state, kept.approved_by, kept.decided_by, kept.reason) == ("APPROVED", ["ben"], "ben", "go")
        found = [(one.kind, one.user_id, one.before, one.after, one.others, one.comment) for one in log(ben)[4:]]
        assert found == [
            ("transition_request.created", "anna", "None", "Production", [], "better"),
            ("transition_request.approved", "ben", "None", "Production", [], "go"),
            ("model_version.transitioned", "ben", "None", "Production", ["1"], None),
        ]
        assert ben(VerifyRegistryActivities("loan")).intact

    def test_a_user_asks_once_for_the_same(self, people: People) -> None:
        anna, ben = people("anna"), people("ben")
        register(anna)
        anna(CreateTransitionRequest("loan", "1", "Staging"))
        with pytest.raises(AlreadyExists, match="anna asks already"):
            anna(CreateTransitionRequest("loan", "1", "STAGING"))
        anna(CreateTransitionRequest("loan", "1", "Production"))
        anna(CreateTransitionRequest("loan", "2", "Staging"))
        ben(CreateTransitionRequest("loan", "1", "Staging"))
        assert [(one.user_id, one.to_stage) for one in ben(ListTransitionRequests("loan", "1")).requests] == [
            ("anna", "Staging"), ("anna", "Production"), ("ben", "Staging")
        ]
        with pytest.raises(InvalidState, match="already"):
            anna(CreateTransitionRequest("loan", "1", "None"))
        with pytest.raises(InvalidValue, match="stage"):
            anna(CreateTransitionRequest("loan", "1", "nowhere"))
        with pytest.raises(LimitExceeded):
            anna(CreateTransitionRequest("loan", "2", "Production", "x" * 65_536))

    def test_a_rejected_request_keeps_the_reason(self, people: People) -> None:
        anna, ben = people("anna"), people("ben")
        register(anna)
        for who in (anna, ben):
            who(CreateTransitionRequest("loan", "1", "Production"))
        done = ben(RejectTransitionRequest("loan", "1", "Production", "too slow")).activity
        assert (done.activity_type, done.comment, done.to_stage) == ("REJECTED_REQUEST", "too slow", "Production")
        assert {(one.state, one.reason, one.decided_by) for one in asked(anna)} == {("REJECTED", "too slow", "ben")}
        for operation in (
            RejectTransitionRequest("loan", "1", "Production"), ApproveTransitionRequest("loan", "1", "Production"),
            DeleteTransitionRequest("loan", "1", "Production"),
        ):
            with pytest.raises(TransitionRequestNotFound):
                ben(operation)
        anna(CreateTransitionRequest("loan", "1", "Production"))  # one may ask again
        assert (log(anna)[-2].kind, log(anna)[-2].comment) == ("transition_request.rejected", "too slow")

    def test_who_asked_withdraws(self, people: People) -> None:
        anna, ben = people("anna"), people("ben")
        register(anna)
        for who in (anna, ben):
            who(CreateTransitionRequest("loan", "1", "Production"))
        with pytest.raises(PermissionDenied, match="by anna"):
            ben(DeleteTransitionRequest("loan", "1", "Production", "anna"))
        with pytest.raises(TransitionRequestNotFound, match="carl"):
            ben(DeleteTransitionRequest("loan", "1", "Production", "carl"))
        done = anna(DeleteTransitionRequest("loan", "1", "Production", "anna", "wrong one")).activity
        assert (done.activity_type, done.comment) == ("CANCELLED_REQUEST", "wrong one")
        assert [(one.user_id, one.state) for one in asked(ben)] == [("ben", "OPEN"), ("anna", "WITHDRAWN")]
        assert ben(DeleteTransitionRequest("loan", "1", "Production")).activity.user_id == "ben"
        assert asked(ben, state="open") == []
        assert log(ben)[-1].kind == "transition_request.deleted"

    def test_a_move_closes_what_it_makes_pointless(self, people: People) -> None:
        anna, ben = people("anna"), people("ben")
        register(anna, 3)
        for version, stage in (("1", "Production"), ("2", "Production"), ("2", "Staging"), ("3", "Archived")):
            anna(CreateTransitionRequest("loan", version, stage))
        promote(ben, "1", archive=False)
        states = {(one.version, one.to_stage): one.state for one in asked(ben)}
        assert states == {
            ("1", "Production"): "CLOSED", ("2", "Production"): "OPEN", ("2", "Staging"): "OPEN",
            ("3", "Archived"): "OPEN",
        }
        assert [one.kind for one in log(ben)[-2:]] == ["model_version.transitioned", "transition_request.closed"]
        promote(ben, "3")
        promote(ben, "2")  # archives 1 and 3
        states = {(one.version, one.to_stage): one.state for one in asked(ben)}
        assert (states["2", "Production"], states["3", "Archived"], states["2", "Staging"]) == (
            "CLOSED", "CLOSED", "OPEN"
        )
        anna(CreateTransitionRequest("loan", "1", "Production"))
        ben(RollBack("loan", stage="Production"))
        assert {(one.version, one.to_stage) for one in asked(ben, state="OPEN")} == {
            ("2", "Staging"), ("1", "Production")
        }
        assert ben(VerifyRegistryActivities("loan")).intact

    def test_a_rollback_closes_too(self, people: People) -> None:
        anna = people("anna")
        register(anna)
        promote(anna, "1")
        promote(anna, "2")
        anna(CreateTransitionRequest("loan", "1", "Production"))
        assert anna(RollBack("loan", stage="Production")).versions == ["1"]
        assert [one.state for one in asked(anna)] == ["CLOSED"]

    def test_the_managed_registrys_own_move(self, people: People) -> None:
        anna = people("anna")
        register(anna)
        anna(CreateTransitionRequest("loan", "2", "Production"))
        answer = anna(TransitionStage("loan", "2", "staging", True, "try it"))
        assert answer.model_version == answer.model_version_databricks
        moved = answer.model_version
        assert (moved.name, moved.version, moved.current_stage, moved.user_id) == ("loan", "2", "Staging", "anna")
        assert [one.to_stage for one in moved.open_requests] == ["Production"]
        assert (log(anna)[-1].kind, log(anna)[-1].comment) == ("model_version.transitioned", "try it")
        with pytest.raises(InvalidValue, match="archive"):
            anna(TransitionStage("loan", "2", "None", True))

    def test_pages_of_requests(self, people: People) -> None:
        anna = people("anna")
        register(anna, 5)
        for number in range(1, 6):
            anna(CreateTransitionRequest("loan", str(number), "Staging"))
        first = anna(SearchTransitionRequests("loan", max_results=3))
        rest = anna(SearchTransitionRequests("loan", max_results=3, page_token=first.next_page_token))
        assert [one.version for one in [*first.requests, *rest.requests]] == ["5", "4", "3", "2", "1"]
        assert rest.next_page_token is None
        assert [one.version for one in asked(anna, version="4")] == ["4"]
        with pytest.raises(InvalidValue, match="state"):
            asked(anna, state="done")

    def test_what_is_not_there_is_not_found(self, people: People) -> None:
        operations: list[Operation[Any]] = [
            CreateComment("no", "1", "x"), UpdateComment("no", "x"), DeleteComment("no"), ListComments("no"),
            CreateTransitionRequest("no", "1", "Staging"), ListTransitionRequests("no", "1"),
            SearchTransitionRequests("no"), ApproveTransitionRequest("no", "1", "Staging"),
            RejectTransitionRequest("no", "1", "Staging"), DeleteTransitionRequest("no", "1", "Staging"),
            TransitionStage("no", "1", "Staging"), GetRegisteredModelDetails("no"), DeleteModelRule("no", "r"),
            SetModelRule("no", ModelRule("r", "description", ["Staging"])), ListModelRules("no"),
            CheckTransition("no", "1", "Staging"), SetModelVersionSignature("no", "1", "{}"),
        ]
        for operation in operations:
            with pytest.raises(NotFound):
                people("anna")(operation)


class Rules:
    """What a version must meet."""

    def test_rules_are_kept_replaced_and_removed(self, people: People) -> None:
        anna = people("anna")
        register(anna)
        rule(anna, "description", stages=["production", "Production"], aliases=["champion"])
        rule(anna, "metric", metric="auc", threshold=0.8)
        rule(anna, "metric", metric="auc", threshold=0.9)
        found = anna(ListModelRules("loan")).rules
        assert [(one.name, one.kind, one.stages, one.aliases) for one in found] == [
            ("description", "description", ["Production"], ["champion"]), ("metric", "metric", ["Production"], [])
        ]
        assert (found[1].metric, found[1].threshold, found[1].user_id) == ("auc", 0.9, "anna")
        for _ in range(2):
            anna(DeleteModelRule("loan", "metric"))
        assert [one.name for one in anna(ListModelRules("loan")).rules] == ["description"]
        kinds = [(one.kind, one.key, one.before is None, one.after is None) for one in log(anna)[3:]]
        assert kinds == [
            ("model_rule.set", "description", True, False), ("model_rule.set", "metric", True, False),
            ("model_rule.set", "metric", False, False), ("model_rule.deleted", "metric", False, True),
        ]

    def test_a_rule_asks_something(self, people: People) -> None:
        anna = people("anna")
        register(anna, 1)
        metric = {"kind": "metric", "metric": "m"}
        wrong: list[dict[str, Any]] = [
            {"kind": "luck"}, {"stages": []}, {"stages": ["Nowhere"]}, {"aliases": ["a b"]}, {"name": "a#b"},
            {"kind": "metric"}, {**metric, "threshold": math.inf}, {**metric, "min_absolute_change": -0.1},
            {**metric, "min_relative_change": math.nan}, {**metric, "tag": "t"}, {"kind": "approvals", "approvals": 0},
            {"kind": "approvals", "approvals": 21}, {"kind": "approvals", "aliases": ["champion"]}, {"kind": "tag"},
            {"threshold": 1.0}, {"dataset": "d"},
        ]
        for fields in wrong:
            with pytest.raises(InvalidValue):
                rule(anna, **{"kind": "description", **fields})
        assert anna(ListModelRules("loan")).rules == []

    def test_a_metric_against_a_number(self, people: People) -> None:
        anna = people("anna")
        register(anna, 0)
        rule(anna, "metric", metric="auc", threshold=0.85)
        low, high, without = (measured(anna, metrics) for metrics in ({"auc": 0.84}, {"auc": 0.85}, {"f1": 1.0}))
        assert why(anna, low) == {"metric": "auc is 0.84, it must be at least 0.85"}
        assert why(anna, without) == {"metric": "it has no metric auc"}
        assert why(anna, high) == {}
        promote(anna, high)
        (verdict,) = anna(CheckTransition("loan", low, "Production")).verdicts
        assert (verdict.met, verdict.value, verdict.required, verdict.holder) == (False, 0.84, 0.85, None)

    def test_a_metric_against_the_holder(self, people: People) -> None:
        anna = people("anna")
        register(anna, 0)
        rule(anna, "metric", metric="auc", min_absolute_change=0.05)
        old, better, same = (measured(anna, {"auc": value}, model=True) for value in (0.8, 0.85, 0.8))
        assert why(anna, old) == {}  # nobody holds it yet
        promote(anna, old)
        assert why(anna, same) == {"metric": "auc is 0.8, it must be at least 0.85 (version 1 has 0.8)"}
        assert why(anna, better) == {}
        rule(anna, "metric", metric="auc")
        assert why(anna, same) == {}  # not worse
        rule(anna, "metric", metric="auc", min_relative_change=0.1)
        assert why(anna, better) == {"metric": "auc is 0.85, it must be at least 0.88 (version 1 has 0.8)"}
        (verdict,) = anna(CheckTransition("loan", better, "Production")).verdicts
        assert (verdict.value, verdict.required, verdict.holder, verdict.holder_value) == (0.85, 0.88, "1", 0.8)

    def test_a_metric_that_is_to_fall(self, people: People) -> None:
        anna = people("anna")
        register(anna, 0)
        rule(anna, "metric", metric="loss", min_absolute_change=0.1, greater_is_better=False)
        old, new, worse = (measured(anna, {"loss": value}) for value in (0.5, 0.4, 0.41))
        promote(anna, old)
        assert why(anna, worse) == {"metric": "loss is 0.41, it must be at most 0.4 (version 1 has 0.5)"}
        assert why(anna, new) == {}

    def test_what_is_no_number_is_not_compared(self, people: People) -> None:
        anna = people("anna")
        register(anna, 0)
        nan, inf, fine, without = (
            measured(anna, metrics) for metrics in ({"auc": math.nan}, {"auc": math.inf}, {"auc": 0.5}, {})
        )
        promote(anna, nan)
        rule(anna, "metric", metric="auc")
        assert why(anna, inf) == {"metric": "it has inf for auc, which cannot be compared"}
        assert "version 1, which holds the place, has nan for auc" in why(anna, fine)["metric"]
        assert why(anna, without) == {"metric": "it has no metric auc"}
        (verdict,) = anna(CheckTransition("loan", inf, "Production")).verdicts
        assert verdict.value is None

    def test_the_dataset_and_the_model_of_a_metric(self, people: People) -> None:
        anna = people("anna")
        register(anna, 0)
        rule(anna, "metric", metric="auc", threshold=0.5, dataset="holdout")
        right, wrong = (measured(anna, {"auc": 0.9}, name, model=True) for name in ("holdout", "training"))
        of_run = measured(anna, {"auc": 0.9}, "holdout")
        assert (why(anna, right), why(anna, of_run)) == ({}, {})
        assert why(anna, wrong) == {"metric": "it has no metric auc on holdout"}
        run_id = anna(CreateRun("0")).run.info.run_id
        ours, other = (anna(CreateLoggedModel("0", "net", source_run_id=run_id)).model.model_id for _ in range(2))
        anna(LogBatch(run_id, [Metric("auc", 0.9, 1, 0, other, "holdout", "d1")]))
        version = anna(CreateModelVersion("loan", f"models:/{ours}", run_id)).model_version.version
        assert why(anna, version) == {"metric": "it has no metric auc on holdout"}

    def test_signatures(self, people: People) -> None:
        anna = people("anna")
        register(anna, 0)
        for _ in range(2):
            measured(anna, {})

        def sign(version: str, *columns: dict[str, Any]) -> None:
            signature = json.dumps({"inputs": json.dumps(columns), "outputs": None, "params": None})
            anna(SetModelVersionSignature("loan", version, signature))

        age = {"name": "age", "type": "integer", "required": True}
        sign("1", age, {"name": "sex", "type": "string", "required": False})
        promote(anna, "1")
        rule(anna, "signature")
        assert anna(CheckTransition("loan", "2", "Production")).signatures_of == ["2", "1"]
        assert "not known" in why(anna, "2")["signature"]
        anna(SetModelVersionSignature("loan", "2", ""))
        assert why(anna, "2") == {"signature": "it has no signature of its inputs"}
        sign("2", {**age, "type": "boolean"}, {"name": "sex", "type": "string", "required": True},
             {"name": "job", "type": "string", "required": True})
        assert why(anna, "2") == {"signature": (
            "not all that version 1 takes: the column 'age' takes boolean, it took integer; "
            "the column 'sex' is required now; the column 'job' is new and required"
        )}
        sign("2", {**age, "type": "long"}, {"name": "job", "type": "string", "required": False})
        assert why(anna, "2") == {}
        for wrong in ("no json", "[1]", '{"inputs": "{"}', '{"inputs": [{"name": "x"}]}'):
            with pytest.raises(InvalidValue, match="signature"):
                anna(SetModelVersionSignature("loan", "2", wrong))

    def test_an_evaluation(self, people: People) -> None:
        anna = people("anna")
        register(anna, 0)
        rule(anna, "evaluation")
        trained, evaluated, of_run = (
            measured(anna, {"auc": 0.9}), measured(anna, {"auc": 0.9}, "holdout", model=True),
            measured(anna, {"auc": 0.9}, "holdout"),
        )
        assert why(anna, trained) == {
            "evaluation": "no metric of its logged model or run was measured on a dataset"
        }
        assert (why(anna, evaluated), why(anna, of_run)) == ({}, {})
        rule(anna, "evaluation", dataset="spring")
        assert "the dataset spring" in why(anna, evaluated)["evaluation"]

    def test_a_description_and_a_tag(self, people: People) -> None:
        anna = people("anna")
        register(anna, 1)
        rule(anna, "description")
        rule(anna, "tag", tag="reviewed", tag_value="yes")
        assert why(anna, "1") == {"description": "it has no description", "tag": "it has no tag reviewed"}
        anna(UpdateModelVersion("loan", "1", "what it is"))
        anna(SetModelVersionTag("loan", "1", "reviewed", "no"))
        assert why(anna, "1") == {"tag": "its tag reviewed is 'no', it must be 'yes'"}
        assert why(anna, "1", "Staging") == {}
        anna(SetModelVersionTag("loan", "1", "reviewed", "yes"))
        promote(anna, "1")

    def test_an_alias(self, people: People) -> None:
        anna = people("anna")
        register(anna, 0)
        rule(anna, "metric", metric="auc", stages=[], aliases=["champion"])
        good, bad = (measured(anna, {"auc": value}) for value in (0.9, 0.8))
        anna(SetRegisteredModelAlias("loan", "champion", good))
        before = log(anna)
        with pytest.raises(TransitionRefused, match=r"alias champion:\n  metric: auc is 0.8, it must be at least 0.9"):
            anna(SetRegisteredModelAlias("loan", "champion", bad))
        assert log(anna) == before
        anna(SetRegisteredModelAlias("loan", "champion", good))  # it is that already
        anna(SetRegisteredModelAlias("loan", "other", bad))
        promote(anna, bad)
        assert not anna(CheckTransition("loan", bad, alias="champion")).allowed
        for wrong in (CheckTransition("loan", bad), CheckTransition("loan", bad, "Production", "champion")):
            with pytest.raises(InvalidValue, match="exactly one"):
                anna(wrong)

    def test_somebody_else_approves(self, people: People) -> None:
        anna, ben, carl = people("anna"), people("ben"), people("carl")
        register(anna)
        rule(anna, "approvals")
        for who in (anna, ben):  # nobody moves it by himself
            assert set(why(who, "1")) == {"approvals"}
        ben(CreateTransitionRequest("loan", "1", "Production"))
        with pytest.raises(TransitionRefused, match="0 of 1 approvals"):
            ben(ApproveTransitionRequest("loan", "1", "Production"))  # who asked
        with pytest.raises(TransitionRefused, match="0 of 1 approvals"):
            anna(ApproveTransitionRequest("loan", "1", "Production"))  # who registered it
        assert [(one.state, one.approved_by) for one in asked(ben)] == [("OPEN", [])]
        carl(ApproveTransitionRequest("loan", "1", "Production"))
        assert [(one.state, one.approved_by) for one in asked(ben)] == [("APPROVED", ["carl"])]
        assert [(one.kind, one.user_id) for one in log(ben)[-2:]] == [
            ("transition_request.approved", "carl"), ("model_version.transitioned", "carl")
        ]

    def test_two_others_approve(self, people: People) -> None:
        anna, ben, carl, dora = (people(name) for name in ("anna", "ben", "carl", "dora"))
        register(anna)
        rule(anna, "approvals", approvals=2)
        ben(CreateTransitionRequest("loan", "1", "Production"))
        first = carl(ApproveTransitionRequest("loan", "1", "Production", comment="fine")).activity
        assert (first.activity_type, first.comment) == ("APPROVED_REQUEST", "fine")
        assert str(first.system_comment).startswith("1 of 2 approvals (carl)")
        assert [(one.state, one.approved_by) for one in asked(ben)] == [("OPEN", ["carl"])]
        assert log(ben)[-1].kind == "transition_request.endorsed"
        with pytest.raises(TransitionRefused, match="1 of 2"):
            carl(ApproveTransitionRequest("loan", "1", "Production"))  # again
        with pytest.raises(TransitionRefused, match="0 of 2"):
            carl(TransitionModelVersionStage("loan", "1", "Production"))  # his own move
        with pytest.raises(TransitionRefused, match="1 of 2"):
            dora(TransitionModelVersionStage("loan", "1", "Production"))
        assert dora(ApproveTransitionRequest("loan", "1", "Production")).activity.system_comment is None
        assert [(one.state, one.approved_by) for one in asked(ben)] == [("APPROVED", ["carl", "dora"])]

    def test_an_approval_does_not_replace_the_other_rules(self, people: People) -> None:
        anna, ben = people("anna"), people("ben")
        register(anna)
        rule(anna, "approvals")
        rule(anna, "description")
        anna(CreateTransitionRequest("loan", "1", "Production"))
        before = log(anna)
        with pytest.raises(TransitionRefused, match="it has no description"):
            ben(ApproveTransitionRequest("loan", "1", "Production"))
        assert log(anna) == before
        assert [(one.state, one.approved_by) for one in asked(anna)] == [("OPEN", [])]
        anna(UpdateModelVersion("loan", "1", "text"))
        ben(ApproveTransitionRequest("loan", "1", "Production"))

    def test_the_way_back_is_open(self, people: People) -> None:
        anna = people("anna")
        register(anna)
        promote(anna, "1")
        promote(anna, "2")
        for version in "12":
            anna(SetRegisteredModelAlias("loan", "champion", version))
        rule(anna, "description", aliases=["champion"])
        assert set(why(anna, "1")) == {"description"}
        assert anna(RollBack("loan", stage="Production")).versions == ["1"]
        assert anna(RollBack("loan", alias="champion")).versions == ["1"]
        assert [one.kind for one in log(anna)[-2:]] == ["model_version.rolled_back", "model_version_alias.created"]

    def test_a_refusal_crosses_the_wire(self, people: People) -> None:
        anna = people("anna")
        register(anna, 1)
        rule(anna, "description")
        with pytest.raises(MillstreamError) as caught:
            anna(TransitionStage("loan", "1", "Production"))
        assert type(caught.value) is TransitionRefused
        assert (caught.value.error_code, caught.value.get_http_status_code()) == ("RESOURCE_CONFLICT", 409)
        assert caught.value.message == (
            "version 1 of loan may not have the stage Production:\n  description: it has no description"
        )
        assert "check_transition" in str(caught.value.hint)


class ApprovalConformance(Comments, Requests, Rules):
    """What a store promises of comments, transition requests and rules."""
