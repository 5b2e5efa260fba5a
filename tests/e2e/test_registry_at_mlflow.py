"""Our client's registry at MLflow's own server: every call that it makes is one that the server understands."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import millstream
from millstream import MlflowClient
from millstream.errors import AlreadyExists, EndpointNotFound, InvalidValue, NotFound
from millstream.tracking.stores import close_stores
from tests.isolation import isolated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mlflow_server: str) -> Iterator[MlflowClient]:
    with isolated(tmp_path, monkeypatch):
        millstream.set_tracking_uri(mlflow_server)
        yield MlflowClient()
        close_stores()


def test_a_model_from_its_run_to_production_and_to_its_end(client: MlflowClient) -> None:
    name = f"loan {uuid.uuid4().hex[:8]}"
    with millstream.start_run() as run:
        millstream.log_text("old", "old/MLmodel")
        model = millstream.initialize_logged_model("net")
        Path("MLmodel").write_text("new")
        client.log_model_artifact(model.model_id, "MLmodel")
        millstream.finalize_logged_model(model.model_id, "READY")
    run_id = run.info.run_id
    first = millstream.register_model(f"runs:/{run_id}/old", name)
    assert (first.version, first.run_id, first.current_stage) == ("1", run_id, "None")
    second = millstream.register_model(model.model_uri, name, tags={"depth": 3})
    assert (second.version, second.run_id, second.tags) == ("2", run_id, {"depth": "3"})
    assert millstream.register_model(f"runs:/{run_id}/net", name).source == model.model_uri

    client.set_registered_model_alias(name, "champion", "2")
    client.transition_model_version_stage(name, "1", "Staging")
    client.transition_model_version_stage(name, "2", "Production", archive_existing_versions=True)
    for address, text in (("/1", "old"), ("/Production", "new"), ("/latest", "new"), ("@champion", "new")):
        assert millstream.artifacts.load_text(f"models:/{name}{address}/MLmodel") == text
    assert [file.path for file in millstream.artifacts.list_artifacts(f"models:/{name}@champion")] == ["MLmodel"]
    assert client.copy_model_version(f"models:/{name}@champion", f"{name} copy").source == f"models:/{name}/2"

    client.update_registered_model(name, "who may borrow")
    client.update_model_version(name, "2", "better")
    client.set_registered_model_tag(name, "team", "risk")
    client.set_model_version_tag(name, stage="Production", key="seen", value=1)
    client.delete_model_version_tag(name, "2", "depth")
    found = client.get_registered_model(name)
    assert (found.description, found.tags, found.aliases) == ("who may borrow", {"team": "risk"}, {"champion": "2"})
    version = client.get_model_version_by_alias(name, "champion")
    assert (version.description, version.tags, version.aliases) == ("better", {"seen": "1"}, ["champion"])
    client.delete_registered_model_tag(name, "team")
    client.delete_registered_model_alias(name, "champion")
    with pytest.raises(InvalidValue, match="champion"):
        client.get_model_version_by_alias(name, "champion")
    with pytest.raises(AlreadyExists):
        client.create_registered_model(name)

    assert len(millstream.search_model_versions(filter_string=f"name = '{name}'")) == 3
    assert [one.name for one in client.search_registered_models(f"name = '{name}'")] == [name]
    client.delete_model_version(name, "3")
    client.rename_registered_model(name, f"{name} 2")
    client.delete_registered_model(f"{name} 2")
    with pytest.raises(NotFound):
        client.get_registered_model(f"{name} 2")
    with pytest.raises(EndpointNotFound):
        client.list_registry_activities(f"{name} copy")
