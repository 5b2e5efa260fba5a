"""The official client and that of the managed registry make webhooks on our server, and it tells their receivers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.run import run_program
from tests.servers.millstream import MillstreamServer
from tests.servers.processes import wait_until
from tests.servers.receiver import SECRET, Receiver

pytestmark = [pytest.mark.clients, pytest.mark.slow]

FRIENDLY = {"MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http", "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true"}


def test_foreign_clients_drive_webhooks(tmp_path: Path) -> None:
    with MillstreamServer(tmp_path, environment=FRIENDLY) as server, Receiver() as receiver:
        seen = run_program(
            "webhooks", "3.17.2", server.uri, tmp_path, RECEIVER_URL=receiver.url, RECEIVER_SECRET=SECRET
        )
        wait_until(lambda: len(receiver.arrived) >= 5, 30, "the deliveries", server.process)
    official = seen["official"]
    made = {
        "name": "ci", "url": receiver.url, "events": ["model_version.created", "registered_model.created"],
        "description": "CI", "status": "ACTIVE", "secret": None, "times": True,
    }
    assert (official["made"], official["got"]) == (made, made)
    assert official["pages"] == [["ci"], ["chat"], ""]
    assert official["changed"] == made | {
        "name": "room", "events": ["model_version_alias.created"], "description": official["changed"]["description"],
        "status": "DISABLED",
    }
    assert official["test"] == [True, 200, "taken", None]
    assert official["test of an event"] == [True, 200]
    assert official["gone"] == "RESOURCE_DOES_NOT_EXIST"

    managed = seen["managed"]
    assert managed["made"]["http_url_spec"] == {"url": receiver.url, "enable_ssl_verification": True}
    assert managed["made"]["events"] == ["MODEL_VERSION_TRANSITIONED_TO_PRODUCTION", "COMMENT_CREATED"]
    assert (managed["made"]["model_name"], managed["made"]["status"]) == ("official loan", "ACTIVE")
    assert managed["job"]["job_spec"] == {"job_id": "17", "workspace_url": receiver.url.removesuffix("/hook")}
    assert managed["listed"] == [
        ["REGISTERED_MODEL_CREATED", "MODEL_VERSION_CREATED"], managed["made"]["events"], ["REGISTERED_MODEL_CREATED"]
    ]
    assert managed["of a model"] == [True]
    assert (managed["test"], managed["status"], managed["left"]) == ([200, "taken"], "DISABLED", 1)

    assert receiver.forged == []
    told = [call.data for call in receiver.arrived if call.data.get("data", {}).get("name") == "official loan"]
    assert [(one["entity"], one["action"]) for one in told] == [
        ("registered_model", "created"), ("model_version", "created")
    ]
    assert told[0]["data"] == {"name": "official loan", "tags": {"team": "risk"}, "description": "who may borrow"}
