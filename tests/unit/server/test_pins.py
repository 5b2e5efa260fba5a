"""Files that a version of a registered model points at are not removed, on whichever way."""

from __future__ import annotations

import pytest

from millstream import MlflowClient
from millstream.errors import ArtifactInUse
from tests.servers.wire import call

FILES = "/api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture
def client(address: str, run_id: str) -> MlflowClient:
    client = MlflowClient(address)
    for path in ("model/MLmodel", "model/data/weights", "model2/MLmodel"):
        client.log_text(run_id, "x", path)
    client.create_registered_model(f"of {run_id}")
    client.create_model_version(f"of {run_id}", f"runs:/{run_id}/model", run_id)
    return client


@pytest.mark.parametrize("path", ["model", "model/MLmodel", "model/data", "model/data/weights"])
def test_the_client_is_told_why(client: MlflowClient, run_id: str, path: str) -> None:
    with pytest.raises(ArtifactInUse, match=f"{path} must stay: version 1 of the registered model of {run_id}"):
        client.delete_artifact(run_id, path)
    assert len(client.list_artifacts(run_id, "model")) == 2


@pytest.mark.parametrize("path", ["", "/artifacts", "/artifacts/model", "/artifacts/model/data/weights"])
def test_the_server_refuses_by_itself(address: str, client: MlflowClient, run_id: str, path: str) -> None:
    answer = call(address, "DELETE", f"{FILES}/0/{run_id}{path}")
    assert (answer.status, answer.json()["error_class"]) == (409, "ArtifactInUse")
    for fields in ({}, {"path": "model/MLmodel"}):
        answer = call(address, "POST", "/api/v1/artifacts/delete", {"run_id": run_id, **fields})
        assert (answer.status, answer.json()["error_class"]) == (409, "ArtifactInUse")
    assert len(client.list_artifacts(run_id, "model")) == 2


def test_what_nobody_points_at_goes(address: str, client: MlflowClient, run_id: str) -> None:
    client.delete_artifact(run_id, "model2/MLmodel")
    client.delete_model_version(f"of {run_id}", "1")
    client.delete_artifact(run_id, "model")
    assert client.list_artifacts(run_id) == []
