"""The part of the store contract that is about webhooks, as tests. Nothing arrives: the hosts do not exist."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millstream.entities.approval import ModelRule
from millstream.entities.webhook import WebhookDelivery
from millstream.errors import (
    InvalidState,
    InvalidValue,
    RegisteredModelNotFound,
    WebhookDeliveryNotFound,
    WebhookNotFound,
)
from millstream.operations import (
    ApproveTransitionRequest,
    CreateComment,
    CreateModelVersion,
    CreateRegistryWebhook,
    CreateTransitionRequest,
    CreateWebhook,
    DeleteModelRule,
    DeleteModelVersion,
    DeleteRegisteredModel,
    DeleteRegisteredModelAlias,
    DeleteRegistryWebhook,
    DeleteWebhook,
    EventName,
    GetWebhook,
    GetWebhookDelivery,
    HttpUrlSpec,
    JobSpec,
    ListRegistryWebhooks,
    ListWebhookDeliveries,
    ListWebhooks,
    Operation,
    RenameRegisteredModel,
    ReplayFailedDeliveries,
    ReplayWebhookDelivery,
    RollBack,
    SetModelRule,
    SetModelVersionTag,
    SetRegisteredModelAlias,
    TestRegistryWebhook,
    TestWebhook,
    TransitionModelVersionStage,
    UpdateModelVersion,
    UpdateRegistryWebhook,
    UpdateWebhook,
)
from millstream.stores.contract import Store
from millstream.testing.registry import BUCKET, register

URL = "https://receiver.invalid/hook"


def subscribe(store: Store, *events: EventName | str, **fields: Any) -> str:
    """The id of a new webhook."""
    return store.execute(CreateWebhook("ci", URL, list(events), **fields)).webhook.webhook_id


def deliveries(store: Store, webhook_id: str) -> list[WebhookDelivery]:
    """What there is for a webhook, the oldest first, each with its body."""
    found = store.execute(ListWebhookDeliveries(webhook_id)).deliveries[::-1]
    return [store.execute(GetWebhookDelivery(one.delivery_id)).delivery for one in found]


def bodies(store: Store, webhook_id: str) -> list[dict[str, Any]]:
    """What a webhook is told, the oldest first."""
    return [json.loads(one.payload or "") for one in deliveries(store, webhook_id)]


class WebhookConformance:
    """Subscriptions in both shapes, and what is written down for them."""

    def test_a_webhook_keeps_what_it_was_created_with_but_tells_no_secret(self, store: Store) -> None:
        made = store.execute(CreateWebhook(
            "ci", URL, [EventName("MODEL_VERSION", "CREATED"), "model_version.transitioned:production"], "starts CI",
            secret="s3cr3t-signing", authorization="Bearer s3cr3t-token",
        )).webhook
        assert (made.name, made.url, made.description, made.status) == ("ci", URL, "starts CI", "ACTIVE")
        assert made.events == [EventName("MODEL_VERSION", "CREATED")]
        assert made.event_names == ["model_version.created", "model_version.transitioned:Production"]
        assert made.has_secret and made.has_authorization and made.enable_ssl_verification
        assert made.creation_timestamp == made.last_updated_timestamp
        assert store.execute(GetWebhook(made.webhook_id)).webhook == made
        assert store.execute(ListWebhooks()).webhooks == [made]
        managed = store.execute(ListRegistryWebhooks()).webhooks
        assert [one.events for one in managed] == [
            ["MODEL_VERSION_CREATED", "MODEL_VERSION_TRANSITIONED_TO_PRODUCTION"]
        ]
        assert "s3cr3t" not in repr((made, managed))

    @pytest.mark.parametrize(("fields", "match"), [
        ({"url": "ftp://a.example/"}, "url"), ({"url": "http://a.example/"}, "https"), ({"url": "https://"}, "url"),
        ({"url": "https://user:pass@a.example/"}, "names a user"), ({"url": "https://a.example/ b"}, "spaces"),
        ({"url": "https://127.0.0.1/"}, "public"), ({"url": "https://[::1]/"}, "public"),
        ({"url": "https://169.254.169.254/latest"}, "public"), ({"url": "https://localhost:8/"}, "public"),
        ({"events": []}, "one event at least"), ({"events": ["model_version.exploded"]}, "model_version"),
        ({"events": ["prompt.created"]}, "no such event"), ({"events": ["comment.created:Staging"]}, "no stage"),
        ({"events": ["model_version.transitioned:Later"]}, "stage"), ({"name": "  "}, "name"),
        ({"status": "ASLEEP"}, "status"), ({"payload_format": "XML"}, "payload_format"),
        ({"authorization": "Bearer a\r\nX-Other: b"}, "line break"), ({"secret": "x" * 5000}, "4096"),
    ])
    def test_what_can_never_work_is_refused(self, store: Store, fields: dict[str, Any], match: str) -> None:
        with pytest.raises(InvalidValue, match=match):
            store.execute(CreateWebhook(**{"name": "ci", "url": URL, "events": ["*"], **fields}))
        assert store.execute(ListWebhooks(all_events=True)).webhooks == []

    def test_a_webhook_changes_by_what_is_given(self, store: Store) -> None:
        webhook_id = subscribe(store, "model_version.created", secret="s3cr3t", description="old")
        store.execute(UpdateWebhook(webhook_id, name="cd", events=["*"], status="disabled"))
        changed = store.execute(GetWebhook(webhook_id)).webhook
        assert (changed.name, changed.url, changed.description, changed.status) == ("cd", URL, "old", "DISABLED")
        assert (changed.event_names, changed.has_secret) == (["*"], True)
        assert len(changed.events) == 6, "all that MLflow knows of models"
        store.execute(UpdateWebhook(webhook_id, secret="", description=""))
        cleared = store.execute(GetWebhook(webhook_id)).webhook
        assert (cleared.has_secret, cleared.description) == (False, None)

    def test_an_authorization_does_not_move_to_another_host(self, store: Store) -> None:
        webhook_id = subscribe(store, "*", authorization="Bearer token")
        store.execute(UpdateWebhook(webhook_id, url=f"{URL}/other"))
        with pytest.raises(InvalidValue, match="authorization"):
            store.execute(UpdateWebhook(webhook_id, url="https://other.invalid/"))
        with pytest.raises(InvalidValue, match="authorization"):
            store.execute(UpdateRegistryWebhook(webhook_id, http_url_spec=HttpUrlSpec("https://other.invalid/")))
        moved = store.execute(UpdateWebhook(webhook_id, url="https://other.invalid/", authorization="")).webhook
        assert (moved.url, moved.has_authorization) == ("https://other.invalid/", False)

    def test_webhooks_come_in_pages_and_those_that_mlflow_cannot_name_when_asked_for(self, store: Store) -> None:
        ids = [subscribe(store, event) for event in ("model_version.created", "comment.*", "*", "model_version.*")]
        assert [one.webhook_id for one in store.execute(ListWebhooks()).webhooks] == [ids[0], ids[2], ids[3]]
        first = store.execute(ListWebhooks(3, all_events=True))
        rest = store.execute(ListWebhooks(3, first.next_page_token, all_events=True))
        assert [one.webhook_id for page in (first, rest) for one in page.webhooks] == ids
        assert rest.next_page_token is None
        with pytest.raises(InvalidValue, match="max_results"):
            store.execute(ListWebhooks(0))

    def test_a_webhook_that_is_not_there(self, store: Store) -> None:
        operations: list[Operation[Any]] = [
            GetWebhook("none"), UpdateWebhook("none", name="x"), DeleteWebhook("none"), TestWebhook("none"),
            DeleteRegistryWebhook("none"), UpdateRegistryWebhook("none"), TestRegistryWebhook("none"),
            ListWebhookDeliveries("none"), ReplayFailedDeliveries("none"),
        ]
        for operation in operations:
            with pytest.raises(WebhookNotFound, match="none"):
                store.execute(operation)
        with pytest.raises(WebhookDeliveryNotFound, match="none"):
            store.execute(GetWebhookDelivery("none"))
        with pytest.raises(WebhookDeliveryNotFound, match="none"):
            store.execute(ReplayWebhookDelivery("none"))

    def test_the_managed_registrys_webhooks(self, store: Store) -> None:
        register(store, "loan")
        made = store.execute(CreateRegistryWebhook(
            ["MODEL_VERSION_TRANSITIONED_STAGE", "TRANSITION_REQUEST_TO_STAGING_CREATED", "COMMENT_CREATED"], "loan",
            "to chat", http_url_spec=HttpUrlSpec(URL, False, "s3cr3t", "Bearer s3cr3t"),
        )).webhook
        assert made.http_url_spec == HttpUrlSpec(URL, False)
        assert (made.model_name, made.status, made.description) == ("loan", "ACTIVE", "to chat")
        record = store.execute(GetWebhook(made.id)).webhook
        assert record.event_names == [
            "model_version.transitioned", "transition_request.created:Staging", "comment.created"
        ]
        assert (record.payload_format, record.has_secret, record.has_authorization) == ("DATABRICKS", True, True)
        assert store.execute(ListRegistryWebhooks("loan", ["COMMENT_CREATED"])).webhooks == [made]
        assert store.execute(ListRegistryWebhooks(events=["MODEL_VERSION_CREATED"])).webhooks == []
        assert store.execute(ListRegistryWebhooks("other")).webhooks == []
        changed = store.execute(UpdateRegistryWebhook(made.id, status="TEST_MODE", events=["MODEL_VERSION_TAG_SET"]))
        assert (changed.webhook.status, changed.webhook.events) == ("TEST_MODE", ["MODEL_VERSION_TAG_SET"])
        assert changed.webhook.http_url_spec == made.http_url_spec
        store.execute(DeleteRegistryWebhook(made.id))
        assert store.execute(ListRegistryWebhooks()).webhooks == []

    def test_a_job_of_a_workspace(self, store: Store) -> None:
        job = JobSpec("17", "https://workspace.invalid", "s3cr3t")
        made = store.execute(CreateRegistryWebhook(["MODEL_VERSION_CREATED"], job_spec=job)).webhook
        assert (made.job_spec, made.http_url_spec) == (JobSpec("17", "https://workspace.invalid"), None)
        for wrong, match in (
            (JobSpec("17", None, "token"), "workspace"), (JobSpec("x", "https://w.invalid", "t"), "number"),
            (JobSpec("17", "https://w.invalid"), "access_token"),
        ):
            with pytest.raises(InvalidValue, match=match):
                store.execute(CreateRegistryWebhook(["MODEL_VERSION_CREATED"], job_spec=wrong))
        with pytest.raises(InvalidValue, match="exactly one"):
            store.execute(CreateRegistryWebhook(["MODEL_VERSION_CREATED"]))
        plain = store.execute(UpdateRegistryWebhook(made.id, http_url_spec=HttpUrlSpec(URL))).webhook
        assert (plain.http_url_spec, plain.job_spec) == (HttpUrlSpec(URL, True), None)
        assert not store.execute(GetWebhook(made.id)).webhook.has_authorization

    def test_a_webhook_of_a_model_needs_the_model(self, store: Store) -> None:
        with pytest.raises(RegisteredModelNotFound):
            subscribe(store, "*", model_name="loan")

    def test_every_change_is_written_down_in_order(self, store: Store) -> None:
        webhook_id = subscribe(store, "*")
        register(store, "loan", 1, description="who may borrow")
        store.execute(SetModelVersionTag("loan", "1", "team", "risk"))
        store.execute(SetRegisteredModelAlias("loan", "champion", "1"))
        store.execute(UpdateModelVersion("loan", "1", "good"))
        store.execute(TransitionModelVersionStage("loan", "1", "Production"))
        store.execute(DeleteRegisteredModelAlias("loan", "champion"))
        store.execute(RenameRegisteredModel("loan", "credit"))
        store.execute(DeleteModelVersion("credit", "1"))
        store.execute(DeleteRegisteredModel("credit"))
        found = bodies(store, webhook_id)
        assert [f"{one['entity']}.{one['action']}" for one in found] == [
            "registered_model.created", "model_version.created", "model_version_tag.set",
            "model_version_alias.created", "model_version.updated", "model_version.transitioned",
            "model_version_alias.deleted", "registered_model.renamed", "model_version.deleted",
            "registered_model.deleted",
        ]
        assert found[0]["data"] == {"name": "loan", "tags": {}, "description": "who may borrow"}
        assert found[1]["data"] == {
            "name": "loan", "version": "1", "source": f"{BUCKET}/1", "run_id": None, "tags": {}, "description": "",
        }
        assert found[2]["data"] == {"name": "loan", "version": "1", "key": "team", "value": "risk"}
        assert found[3]["data"] == {"name": "loan", "version": "1", "alias": "champion"}
        data = {key: value for key, value in found[5]["data"].items() if key != "user"}
        assert data == {"name": "loan", "version": "1", "from_stage": "None", "to_stage": "Production"}
        assert found[6]["data"] == {"name": "loan", "alias": "champion"}
        assert (found[7]["data"]["old_name"], found[7]["data"]["new_name"]) == ("loan", "credit")

    def test_what_fails_tells_nobody(self, store: Store) -> None:
        webhook_id = subscribe(store, "*")
        with pytest.raises(RegisteredModelNotFound):
            store.execute(CreateModelVersion("loan", BUCKET))
        assert bodies(store, webhook_id) == []

    def test_each_hears_what_it_has_asked_for(self, store: Store) -> None:
        register(store, "loan")
        register(store, "other")
        heard = {
            event: subscribe(store, event)
            for event in ("model_version.created", "model_version.*", "model_version.transitioned:Archived")
        }
        of_loan = subscribe(store, "*", model_name="loan")
        asleep = [subscribe(store, "*", status=status) for status in ("DISABLED", "TEST_MODE")]
        for name in ("loan", "other"):
            for _ in range(2):
                store.execute(CreateModelVersion(name, BUCKET))
        store.execute(TransitionModelVersionStage("loan", "1", "Production"))
        store.execute(TransitionModelVersionStage("loan", "2", "Production", True))
        store.execute(RollBack("loan", "Production"))
        told = {event: bodies(store, webhook_id) for event, webhook_id in heard.items()}
        assert len(told["model_version.created"]) == 4
        moves = [
            (one["data"]["version"], one["data"]["from_stage"], one["data"]["to_stage"])
            for one in told["model_version.*"][4:]
        ]
        assert moves == [
            ("1", "None", "Production"), ("1", "Production", "Archived"), ("2", "None", "Production"),
            ("2", "Production", "None"), ("1", "Archived", "Production"),
        ]
        assert [one["action"] for one in told["model_version.*"][-2:]] == ["rolled_back", "rolled_back"]
        assert [one["data"]["version"] for one in told["model_version.transitioned:Archived"]] == ["1"]
        assert {one["data"]["name"] for one in bodies(store, of_loan)} == {"loan"}
        assert [bodies(store, webhook_id) for webhook_id in asleep] == [[], []]
        store.execute(RenameRegisteredModel("loan", "credit"))
        store.execute(SetModelVersionTag("credit", "1", "k", "v"))
        assert bodies(store, of_loan)[-1]["data"]["name"] == "credit", "it follows its model to the new name"

    def test_the_managed_registrys_body(self, store: Store) -> None:
        register(store, "loan", 1)
        spec = HttpUrlSpec(URL)
        general = store.execute(CreateRegistryWebhook(["MODEL_VERSION_TRANSITIONED_STAGE"], http_url_spec=spec)).webhook
        staged = store.execute(
            CreateRegistryWebhook(["MODEL_VERSION_TRANSITIONED_TO_STAGING"], http_url_spec=spec)
        ).webhook
        store.execute(TransitionModelVersionStage("loan", "1", "Staging"))
        store.execute(TransitionModelVersionStage("loan", "1", "Archived"))
        first, second = bodies(store, general.id)
        assert (first["event"], first["webhook_id"]) == ("MODEL_VERSION_TRANSITIONED_STAGE", general.id)
        assert (first["model_name"], first["version"]) == ("loan", "1")
        assert (first["from_stage"], first["to_stage"], second["to_stage"]) == ("None", "Staging", "Archived")
        assert first["event_timestamp"] <= second["event_timestamp"]
        assert "version 1 of loan from None to Staging" in first["text"]
        assert [one["event"] for one in bodies(store, staged.id)] == ["MODEL_VERSION_TRANSITIONED_TO_STAGING"]

    def test_what_is_said_and_decided_is_told_in_both_shapes(self, store: Store) -> None:
        register(store, "loan", 1)
        ours = subscribe(store, "comment.*", "transition_request.*", "model_rule.*")
        spec = HttpUrlSpec(URL)
        theirs = store.execute(CreateRegistryWebhook(
            ["COMMENT_CREATED", "TRANSITION_REQUEST_CREATED", "MODEL_VERSION_TRANSITIONED_STAGE"], http_url_spec=spec
        )).webhook.id
        staging = store.execute(CreateRegistryWebhook(
            ["TRANSITION_REQUEST_TO_STAGING_CREATED", "TRANSITION_REQUEST_TO_ARCHIVED_CREATED"], http_url_spec=spec
        )).webhook.id
        said = store.execute(CreateComment("loan", "1", "good on old data")).comment
        store.execute(SetModelRule("loan", ModelRule("described", "description", ["Production"])))
        asked = store.execute(CreateTransitionRequest("loan", "1", "Staging", "please")).request
        store.execute(ApproveTransitionRequest("loan", "1", "Staging", comment="fine"))
        store.execute(DeleteModelRule("loan", "described"))
        told = bodies(store, ours)
        assert [f"{one['entity']}.{one['action']}" for one in told] == [
            "comment.created", "model_rule.set", "transition_request.created", "transition_request.approved",
            "model_rule.deleted",
        ]
        facts = [{name: one["data"][name] for name in one["data"] if name != "user"} for one in told]
        assert facts[0] == {"name": "loan", "version": "1", "id": said.id, "comment": "good on old data"}
        assert (facts[1]["name"], facts[1]["rule"]) == ("loan", "described")
        assert (facts[1]["definition"]["kind"], facts[1]["definition"]["stages"]) == ("description", ["Production"])
        assert facts[2] == {
            "name": "loan", "version": "1", "id": asked.id, "from_stage": "None", "to_stage": "Staging",
            "comment": "please",
        }
        assert (facts[3]["to_stage"], facts[3]["comment"]) == ("Staging", "fine")
        comment, request, moved = bodies(store, theirs)
        assert (comment["event"], comment["version"]) == ("COMMENT_CREATED", "1")
        assert comment["comment"] == "good on old data"
        assert (request["event"], request["to_stage"]) == ("TRANSITION_REQUEST_CREATED", "Staging")
        assert (moved["event"], moved["to_stage"]) == ("MODEL_VERSION_TRANSITIONED_STAGE", "Staging")
        assert "good on old data" in comment["text"] and "please" in request["text"]
        assert [one["event"] for one in bodies(store, staging)] == ["TRANSITION_REQUEST_TO_STAGING_CREATED"]

    def test_deliveries_come_in_pages_the_newest_first(self, store: Store) -> None:
        webhook_id = subscribe(store, "*")
        other = subscribe(store, "*")
        register(store, "loan", 2)
        register(store, "next", 0)
        page = store.execute(ListWebhookDeliveries(webhook_id, max_results=3))
        rest = store.execute(ListWebhookDeliveries(webhook_id, max_results=3, page_token=page.next_page_token))
        found = [*page.deliveries, *rest.deliveries]
        assert [(one.model_name, one.event) for one in found] == [
            ("next", "registered_model.created"), ("loan", "model_version.created"),
            ("loan", "model_version.created"), ("loan", "registered_model.created"),
        ]
        assert {one.webhook_id for one in found} == {webhook_id} and rest.next_page_token is None
        assert all(one.payload is None for one in found)
        assert len(store.execute(ListWebhookDeliveries(model_name="loan")).deliveries) == 6
        assert len(store.execute(ListWebhookDeliveries(other, "next", "pending")).deliveries) == 1
        assert store.execute(ListWebhookDeliveries(status="DELIVERED")).deliveries == []
        with pytest.raises(InvalidValue, match="status"):
            store.execute(ListWebhookDeliveries(status="LOST"))
        with pytest.raises(InvalidState, match="waits"):
            store.execute(ReplayWebhookDelivery(found[0].delivery_id))
        assert store.execute(ReplayFailedDeliveries(webhook_id)).replayed == 0
        store.execute(DeleteWebhook(webhook_id))
        assert len(store.execute(ListWebhookDeliveries()).deliveries) == 4

    def test_a_test_tells_that_nobody_answers(self, store: Store) -> None:
        webhook_id = subscribe(store, "model_version.created", status="TEST_MODE")
        result = store.execute(TestWebhook(webhook_id)).result
        assert (result.success, result.response_status) == (False, None)
        assert "receiver.invalid" in (result.error_message or "")
        managed = store.execute(TestRegistryWebhook(webhook_id, "COMMENT_CREATED"))
        assert managed.status_code is None and "receiver.invalid" in (managed.body or "")
        assert managed.webhook.body == managed.body
        with pytest.raises(InvalidValue, match="event"):
            store.execute(TestWebhook(webhook_id, "no.such"))
        assert store.execute(ListWebhookDeliveries(webhook_id)).deliveries == []
