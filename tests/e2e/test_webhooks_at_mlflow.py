"""Our client's webhooks at MLflow's own server: every call that it makes is one that the server understands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream import MlflowClient
from millstream.errors import InvalidValue, NotFound
from millstream.tracking.stores import close_stores
from tests.isolation import isolated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mlflow_server: str) -> Iterator[MlflowClient]:
    with isolated(tmp_path, monkeypatch):
        yield MlflowClient(mlflow_server)
        close_stores()


def test_a_webhook_from_its_creation_to_its_end(client: MlflowClient) -> None:
    made = client.create_webhook("ci", "https://8.8.8.8/hook", ["model_version.created"], "CI", "s3cr3t")
    assert ([str(event) for event in made.events], made.description) == (["model_version.created"], "CI")
    assert client.get_webhook(made.webhook_id) == made
    assert made in client.list_webhooks()
    changed = client.update_webhook(made.webhook_id, "cd", events=["registered_model.created"], status="DISABLED")
    assert (changed.name, str(changed.status)) == ("cd", "DISABLED")
    assert [str(event) for event in changed.events] == ["registered_model.created"]
    with pytest.raises(InvalidValue):
        client.update_webhook(made.webhook_id, url="http://127.0.0.1/")
    client.delete_webhook(made.webhook_id)
    with pytest.raises(NotFound):
        client.get_webhook(made.webhook_id)
