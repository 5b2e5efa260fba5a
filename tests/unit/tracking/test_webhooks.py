"""The client's calls on webhooks, with a store of its own and through a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream import MlflowClient
from millstream.entities import Webhook, WebhookEvent, WebhookStatus
from millstream.entities.webhook import WebhookAction, WebhookEntity
from millstream.errors import InvalidState, InvalidValue, WebhookDeliveryNotFound, WebhookNotFound
from millstream.server.config import ServerConfig
from millstream.tracking.stores import close_stores
from tests.isolation import isolated
from tests.servers import inside
from tests.servers.processes import wait_until
from tests.servers.receiver import SECRET, Receiver


@pytest.fixture(params=["embedded", "server"])
def client(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MlflowClient]:
    with isolated(tmp_path, monkeypatch):
        monkeypatch.setenv("MILLSTREAM_WEBHOOK_ALLOWED_SCHEMES", "http")
        monkeypatch.setenv("MILLSTREAM_WEBHOOK_ALLOW_PRIVATE_ADDRESSES", "true")
        monkeypatch.setenv("MILLSTREAM_WEBHOOK_POLL_SECONDS", "0.02")
        uri = f"sqlite:///{tmp_path}/store.db"
        if request.param == "embedded":
            yield MlflowClient(uri)
        else:
            with inside.served(ServerConfig(uri, artifacts_destination=str(tmp_path / "artifacts"))) as address:
                yield MlflowClient(address)
        close_stores()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def test_a_webhook_from_its_creation_to_its_end(client: MlflowClient, receiver: Receiver) -> None:
    event = WebhookEvent("model_version", "transitioned", "production")  # type: ignore[arg-type]
    made = client.create_webhook("ci", receiver.url, ["model_version.created", event], "CI", SECRET)
    assert [str(one) for one in made.events] == ["model_version.created", "model_version.transitioned:Production"]
    assert made.events[0].entity is WebhookEntity.MODEL_VERSION and made.events[0].action is WebhookAction.CREATED
    assert (made.status, made.secret, made.has_secret) == (WebhookStatus.ACTIVE, None, True)
    assert made.status.is_active() and made.status == "ACTIVE"
    assert client.get_webhook(made.webhook_id) == made
    other = client.create_webhook("chat", receiver.url, ["comment.*"], status=WebhookStatus.DISABLED)
    page = client.list_webhooks(max_results=1)
    assert [*page, *client.list_webhooks(page_token=page.token)] == [made, other]
    changed = client.update_webhook(other.webhook_id, "all", events=["*"], status="TEST_MODE")
    assert (changed.name, [str(one) for one in changed.events], changed.status) == ("all", ["*"], "TEST_MODE")
    assert "events   *\n" in str(changed)
    result = client.test_webhook(made.webhook_id, "model_version.transitioned:Staging")
    assert (result.success, result.response_status, result.response_body) == (True, 200, "taken")
    assert receiver.calls[-1].data["data"]["to_stage"] == "Staging"
    client.delete_webhook(made.webhook_id)
    with pytest.raises(WebhookNotFound):
        client.get_webhook(made.webhook_id)
    assert receiver.forged == []


def test_what_is_no_event(client: MlflowClient, receiver: Receiver) -> None:
    for events, match in (
        (["model_version.vanished"], "model_version.created"), ("model_version.created", "expected a list"),
        ([], "one event"),
    ):
        with pytest.raises(InvalidValue, match=match):
            client.create_webhook("ci", receiver.url, events)
    made = client.create_webhook("ci", receiver.url, ["*"])
    with pytest.raises(InvalidValue, match="one event"):
        client.update_webhook(made.webhook_id, events=[])


def test_deliveries_are_read_and_replayed(client: MlflowClient, receiver: Receiver) -> None:
    made: Webhook = client.create_webhook("ci", receiver.url, ["registered_model.created"], secret=SECRET)
    client.create_registered_model("loan")
    (delivery,) = client.list_webhook_deliveries(made.webhook_id, "loan")
    whole = client.get_webhook_delivery(delivery.delivery_id)
    assert '"name": "loan"' in str(whole.payload)
    if client.tracking_uri.startswith("http"):
        wait_until(lambda: client.get_webhook_delivery(delivery.delivery_id).status == "DELIVERED", 30, "the delivery")
        again = client.replay_webhook_delivery(delivery.delivery_id)
        assert again.replay_of == delivery.delivery_id
        wait_until(lambda: len(receiver.arrived) == 2, 30, "the replay")
        assert receiver.arrived[0].body == receiver.arrived[1].body
    else:
        assert (whole.status, whole.tries) == ("PENDING", 0)
        with pytest.raises(InvalidState, match="first try"):
            client.replay_webhook_delivery(delivery.delivery_id)
    assert client.replay_failed_webhook_deliveries(made.webhook_id) == 0
    assert client.list_webhook_deliveries(status="FAILED") == []
    with pytest.raises(WebhookDeliveryNotFound):
        client.get_webhook_delivery("none")
