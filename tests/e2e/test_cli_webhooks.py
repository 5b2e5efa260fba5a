"""``millstream webhooks``, as people and scripts type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from millstream.operations import CreateRegisteredModel
from millstream.stores import open_store
from tests.e2e.test_cli import Shell
from tests.servers.millstream import MillstreamServer
from tests.servers.receiver import SECRET, Receiver

pytestmark = pytest.mark.slow


class FriendlyShell(Shell):
    """One in which webhooks may lead to this machine."""

    def run(self, *words: str, status: int = 0, **environment: str) -> str:
        return super().run(
            *words, status=status, MILLSTREAM_WEBHOOK_ALLOWED_SCHEMES="http",
            MILLSTREAM_WEBHOOK_ALLOW_PRIVATE_ADDRESSES="true", **environment,
        )


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("THE_SECRET", SECRET)
    monkeypatch.setenv("THE_TOKEN", "Bearer ci-token")
    return FriendlyShell(tmp_path)


def test_a_webhook_without_a_server(shell: Shell) -> None:
    with Receiver() as receiver:
        made = json.loads(shell.run(
            "webhooks", "create", "ci", receiver.url, "-e", "registered_model.*", "-e", "comment.created",
            "--secret-from", "THE_SECRET", "--authorization-from", "THE_TOKEN", "--json",
        ))
        webhook_id = made["webhook_id"]
        assert SECRET not in json.dumps(made) and made["has_secret"] and made["has_authorization"]
        assert shell.lines("webhooks", "list")[1][:3] == [webhook_id, "ci", receiver.url]
        assert shell.run("webhooks", "test", webhook_id) == "200 taken\n"
        assert receiver.calls[-1].headers["authorization"] == "Bearer ci-token"

        with open_store(str(shell.place / "mlruns")) as store:
            store.execute(CreateRegisteredModel("loan"))
        receiver.answer = lambda call: 403
        shell.run("webhooks", "deliver")
        assert shell.said == ["1 call was made; `millstream webhooks deliveries` shows the answers"]
        (failed,) = json.loads(shell.run("webhooks", "deliveries", "--webhook", webhook_id, "--json"))
        assert (failed["status"], failed["answer_status"], failed["model_name"]) == ("FAILED", 403, "loan")
        assert "FAILED" in shell.lines("webhooks", "deliveries", "--status", "failed")[1]
        receiver.answer = lambda call: 200
        assert "waits to be sent" in shell.run("webhooks", "replay", failed["delivery_id"])
        assert shell.run("webhooks", "replay", "--failed-of", webhook_id) == "0 deliveries wait to be sent\n"
        shell.run("webhooks", "deliver")
        shell.run("webhooks", "deliver")
        assert shell.said[0].startswith("0 calls were made")
        assert receiver.arrived[-1].data["data"]["name"] == "loan"
        assert receiver.forged == []

    assert "DISABLED" in shell.run("webhooks", "update", webhook_id, "--status", "disabled", "-e", "*")
    shell.run("webhooks", "test", webhook_id, status=1)
    assert shell.said[0].startswith("error: ") and "does not answer" in shell.said[0]
    shell.run("webhooks", "delete", webhook_id)
    assert shell.lines("webhooks", "list")[1:] == []


def test_what_is_typed_wrongly(shell: Shell) -> None:
    shell.run("webhooks", "create", "ci", "ftp://example.com", "-e", "*", status=1)
    assert "http://" in shell.said[0] and "MILLSTREAM_WEBHOOK_ALLOWED_SCHEMES" in shell.said[-1]
    shell.run("webhooks", "create", "ci", "http://example.com", "-e", "*", "--secret-from", "NOT_SET", status=2)
    assert "NOT_SET" in shell.said[0]
    shell.run("webhooks", "replay", status=2)
    shell.run("webhooks", "replay", "none", status=1)
    shell.run("webhooks", "delete", "none", status=1)


def test_a_server_sends_by_itself(shell: Shell, millstream_server: MillstreamServer) -> None:
    shell.run("webhooks", "deliver", "--registry-uri", millstream_server.uri, status=1)
    assert "sends what its store holds" in shell.said[0]
