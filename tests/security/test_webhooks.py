"""Webhooks as somebody hostile would use them: to reach what is private, and to read what is secret."""

from __future__ import annotations

import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from millstream import outgoing
from millstream.errors import InvalidValue, Unreachable
from millstream.operations import (
    OPERATIONS,
    CreateRegisteredModel,
    CreateRegistryWebhook,
    CreateWebhook,
    HttpUrlSpec,
    JobSpec,
    ListWebhookDeliveries,
    Permission,
    ReplayFailedDeliveries,
    TestRegistryWebhook,
    TestWebhook,
    UpdateRegistryWebhook,
    UpdateWebhook,
)
from millstream.server.webhooks import deliver_due
from millstream.stores import open_store
from millstream.stores.sql.store import SqlStore
from tests.servers.millstream import MillstreamServer
from tests.servers.processes import wait_until
from tests.servers.receiver import Call, Receiver
from tests.servers.wire import call

# Addresses of this machine and its network, in every spelling that a resolver or a URL parser may take.
PRIVATE = [
    "127.0.0.1", "10.0.0.8", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "[::1]", "[::]",
    "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "localhost", "api.localhost",
]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with SqlStore(f"sqlite:///{tmp_path}/store.db", str(tmp_path)) as store:
        yield store


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses_are_refused_at_once(store: SqlStore, host: str) -> None:

    with pytest.raises(InvalidValue, match="public internet"):
        store.execute(CreateWebhook("w", f"https://{host}/", ["*"]))
    with pytest.raises(InvalidValue, match="public internet"):
        store.execute(CreateRegistryWebhook(["COMMENT_CREATED"], http_url_spec=HttpUrlSpec(f"https://{host}/")))
    with pytest.raises(InvalidValue, match="public internet"):
        job = JobSpec("1", f"https://{host}", "token")
        store.execute(CreateRegistryWebhook(["COMMENT_CREATED"], job_spec=job))


@pytest.mark.parametrize("answers", [
    ["127.0.0.1"], ["169.254.169.254"], ["8.8.8.8", "127.0.0.1"], ["::1"], ["::ffff:10.0.0.1"],
], ids=",".join)
@pytest.mark.parametrize("spelling", ["internal.example", "2130706433", "0x7f.1", "127.1"])
def test_names_that_lead_to_private_addresses_are_refused_at_every_call(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, answers: list[str], spelling: str
) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, port)) for answer in answers]

    def connect(*_: Any) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket.socket, "connect", connect)
    webhook_id = store.execute(CreateWebhook("w", f"https://{spelling}/", ["*"])).webhook.webhook_id
    result = store.execute(TestWebhook(webhook_id)).result
    assert (result.success, result.response_status) == (False, None)
    assert "public internet" in (result.error_message or "")
    store.execute(CreateRegisteredModel("loan"))
    deliver_due(store.outbox)
    (found,) = store.execute(ListWebhookDeliveries(webhook_id)).deliveries
    assert (found.status, found.tries) == ("FAILED", 1) and "public internet" in (found.error or "")
    assert asked == [spelling] * 2


def test_a_redirect_leads_nowhere(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_WEBHOOK_ALLOWED_SCHEMES", "http")
    monkeypatch.setenv("MILLSTREAM_WEBHOOK_ALLOW_PRIVATE_ADDRESSES", "true")
    with Receiver(secret=None) as receiver, Receiver(secret=None) as inside:
        for status in (301, 302, 303, 307, 308):
            receiver.answer = lambda call, status=status: (status, {"Location": inside.url}, b"")  # type: ignore[misc]
            made = store.execute(CreateWebhook("w", receiver.url, ["*"])).webhook
            result = store.execute(TestWebhook(made.webhook_id)).result
            assert (result.success, result.response_status) == (False, status)
        assert inside.calls == []


def test_certificates_are_checked_unless_that_is_switched_off(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
         "-subj", "/CN=somebody.example"],
        check=True, capture_output=True,
    )
    with Receiver(secret=None) as receiver:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        assert receiver._server is not None
        receiver._server.socket = context.wrap_socket(receiver._server.socket, server_side=True)
        url = receiver.url.replace("http:", "https:")
        with pytest.raises(Unreachable, match="certificate"):
            outgoing.request("POST", url, max_bytes=10, body=b"{}", allow_private=True)
        with outgoing.request(
            "POST", url, max_bytes=10, body=b"{}", allow_private=True, verify_tls=False
        ) as answer:
            assert answer.read() == b"taken"


def test_secrets_are_in_no_answer_and_no_log(tmp_path: Path) -> None:
    secrets = ("signing-s3cr3t", "bearer-s3cr3t", "workspace-s3cr3t")

    def echo(told: Call) -> tuple[int, dict[str, str], bytes]:
        return 418, {"X-Said": told.headers.get("authorization", "")}, repr(told.headers).encode()

    friendly = {"MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http", "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true"}
    with (
        Receiver(secret=secrets[0]) as receiver,
        MillstreamServer(tmp_path, options=("--access-log", "--dev"), environment=friendly) as server,
        open_store(server.uri) as store,
    ):
        receiver.answer = echo
        authorization = f"Bearer {secrets[1]}"
        answers: list[Any] = []
        plain = store.execute(CreateWebhook("w", receiver.url, ["*"], None, secrets[0], authorization=authorization))
        spec = HttpUrlSpec(receiver.url, None, secrets[0], authorization)
        managed = store.execute(CreateRegistryWebhook(["REGISTERED_MODEL_CREATED"], http_url_spec=spec))
        job = JobSpec("1", receiver.url.removesuffix("/hook"), secrets[2])
        started = store.execute(CreateRegistryWebhook(["REGISTERED_MODEL_CREATED"], job_spec=job))
        webhook_id = plain.webhook.webhook_id
        answers += [plain, managed, started]
        answers.append(store.execute(UpdateWebhook(webhook_id, secret=secrets[0], authorization=authorization)))
        answers.append(store.execute(UpdateRegistryWebhook(managed.webhook.id, http_url_spec=spec)))
        answers += [store.execute(TestWebhook(webhook_id)), store.execute(TestRegistryWebhook(managed.webhook.id))]
        answers.append(store.execute(TestRegistryWebhook(started.webhook.id)))
        store.execute(CreateRegisteredModel("loan"))
        wait_until(
            lambda: len(store.execute(ListWebhookDeliveries(status="FAILED")).deliveries) == 3, 30, "the deliveries"
        )
        answers.append(store.execute(ReplayFailedDeliveries(webhook_id)))
        api, one = "/api/2.0/mlflow", store.execute(ListWebhookDeliveries()).deliveries[0]
        for path in (
            f"{api}/webhooks", f"{api}/webhooks/{webhook_id}", f"{api}/registry-webhooks/list",
            "/api/v1/webhook-deliveries/list", f"/api/v1/webhook-deliveries/get?delivery_id={one.delivery_id}",
            "/metrics",
        ):
            answer = call(server.uri, "GET", path)
            assert answer.status == 200, path
            answers.append(answer.text)
        assert len(receiver.calls) >= 6, "the secrets did go out"
        assert any(secrets[1] in told.headers.get("authorization", "") for told in receiver.calls)
    said = repr(answers) + server.log.read_text()
    assert "[hidden]" in said
    for secret in secrets:
        assert secret not in said
    assert receiver.forged and all("not signed" in reason for reason in receiver.forged), "only the job's"


def test_who_is_no_administrator_sets_up_none() -> None:
    of_webhooks = [kind for kind in OPERATIONS if kind.endpoint.group == "webhooks"]
    assert len(of_webhooks) == 15
    assert {kind.endpoint.needs.permission for kind in of_webhooks} == {Permission.ADMIN}
