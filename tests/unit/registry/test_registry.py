"""Models registered from the running program and found again by every address, in a folder and at a server."""

from __future__ import annotations

from pathlib import Path

import pytest

import millstream
from millstream import MlflowClient
from millstream.entities.model_registry import ModelVersion
from millstream.errors import (
    ArtifactNotFound,
    InvalidState,
    InvalidValue,
    LoggedModelNotFound,
    NotSupported,
    RegisteredModelNotFound,
    RunNotFound,
)

pytestmark = pytest.mark.usefixtures("place")


def logged(name: str = "net", text: str = "flavors: {}\n") -> tuple[str, str]:
    """``(run id, model id)`` of a logged model whose files are complete."""
    with millstream.start_run() as run:
        made = millstream.initialize_logged_model(name)
        file = Path("MLmodel")
        file.write_text(text)
        MlflowClient().log_model_artifact(made.model_id, file)
        millstream.finalize_logged_model(made.model_id, "READY")
    return run.info.run_id, made.model_id


def old_style() -> str:
    """The id of a run that has a model among its own files, as clients before MLflow 3 log it."""
    with millstream.start_run() as run:
        millstream.log_text("flavors: {}\n", "model/MLmodel")
    return run.info.run_id


def test_a_logged_model_is_registered_by_its_id_and_by_its_run() -> None:
    run_id, model_id = logged()
    first = millstream.register_model(f"models:/{model_id}", "loan", tags={"depth": 3})
    assert isinstance(first, ModelVersion)
    assert (first.version, first.run_id, first.model_id, first.tags) == ("1", run_id, model_id, {"depth": "3"})
    second = millstream.register_model(f"runs:/{run_id}/net", "loan")
    assert (second.version, second.source, second.run_id) == ("2", f"models:/{model_id}", run_id)
    assert millstream.get_logged_model(model_id).tags["mlflow.modelVersions"] == (
        '[{"name": "loan", "version": 1}, {"name": "loan", "version": 2}]'
    )


def test_files_of_a_run_are_registered_by_their_path() -> None:
    run_id = old_style()
    made = millstream.register_model(f"runs:/{run_id}/model", "loan")
    assert (made.run_id, made.model_id) == (run_id, None)
    assert made.source == f"{millstream.get_run(run_id).info.artifact_uri}/model"
    copy = millstream.register_model("models:/loan/1", "credit")
    assert (copy.version, copy.source, copy.run_id) == ("1", "models:/loan/1", run_id)
    assert millstream.artifacts.load_text("models:/credit/1/MLmodel") == "flavors: {}\n"


def test_what_is_no_model_is_not_registered() -> None:
    run_id = old_style()
    with pytest.raises(ArtifactNotFound, match="no model at"):
        millstream.register_model(f"runs:/{run_id}/nothing", "loan")
    with pytest.raises(RunNotFound):
        millstream.register_model("runs:/" + "0" * 32 + "/model", "loan")
    with pytest.raises(LoggedModelNotFound):
        millstream.register_model("models:/m-" + "0" * 32, "loan")
    with pytest.raises(RegisteredModelNotFound):
        millstream.register_model("models:/nobody/1", "loan")
    with pytest.raises(InvalidValue, match="path"):
        millstream.register_model("models:/nobody/1/MLmodel", "loan")
    with pytest.raises(NotSupported):
        millstream.register_model(f"runs:/{run_id}/model", "loan", env_pack="databricks_model_serving")
    assert millstream.search_registered_models() == []


def test_every_address_leads_to_the_files(place: Path) -> None:
    client = MlflowClient()
    for number in range(1, 4):
        millstream.register_model(f"models:/{logged(text=f'number: {number}')[1]}", "loan")
    client.transition_model_version_stage("loan", "2", "Production")
    client.set_registered_model_alias("loan", "champion", "1")
    for address, number in (("loan/1", 1), ("loan@champion", 1), ("loan/production", 2), ("loan/latest", 3)):
        assert millstream.artifacts.load_text(f"models:/{address}/MLmodel") == f"number: {number}"
        folder = Path(millstream.artifacts.download_artifacts(f"models:/{address}"))
        assert (folder / "MLmodel").read_text() == f"number: {number}"
        assert [file.path for file in millstream.artifacts.list_artifacts(f"models:/{address}")] == ["MLmodel"]
        assert millstream.artifacts.list_artifacts(f"models:/{address}/MLmodel") == []
    with pytest.raises(RegisteredModelNotFound, match="Staging") as caught:
        millstream.artifacts.load_text("models:/loan/Staging/MLmodel")
    assert caught.value.hint
    with pytest.raises(InvalidValue, match="nobody not found"):
        millstream.artifacts.load_text("models:/loan@nobody/MLmodel")
    with pytest.raises(InvalidValue, match="neither a version nor a stage") as wrong:
        millstream.artifacts.load_text("models:/loan/champion/MLmodel")
    assert "models:/loan@champion" in str(wrong.value.hint)


def test_a_version_outlives_its_logged_model() -> None:
    _, model_id = logged(text="kept")
    millstream.register_model(f"models:/{model_id}", "loan")
    MlflowClient().delete_logged_model(model_id)
    assert millstream.artifacts.load_text("models:/loan/1/MLmodel") == "kept"


def test_a_run_has_its_logged_models_below_it() -> None:
    run_id, _ = logged(text="beside")
    assert millstream.artifacts.load_text(f"runs:/{run_id}/net/MLmodel") == "beside"
    client, look = MlflowClient(), millstream.artifacts.list_artifacts
    fetch = millstream.artifacts.download_artifacts
    fetched = (fetch(f"runs:/{run_id}/net"), fetch(run_id=run_id, artifact_path="net"),
               client.download_artifacts(run_id, "net"))
    assert all(Path(folder, "MLmodel").read_text() == "beside" for folder in fetched)
    assert Path(client.download_artifacts(run_id, "net/MLmodel")).read_text() == "beside"
    listed = (look(f"runs:/{run_id}/net"), look(run_id=run_id, artifact_path="net"),
              client.list_artifacts(run_id, "net"))
    assert [[file.path for file in files] for files in listed] == [["net/MLmodel"]] * 3
    assert look(f"runs:/{run_id}") == look(run_id=run_id) == client.list_artifacts(run_id) == []
    assert look(f"runs:/{run_id}/nothing") == client.list_artifacts(run_id, "net/nothing") == []
    with pytest.raises(ArtifactNotFound):
        fetch(f"runs:/{run_id}/net/nothing")
    millstream.log_text("own", "net/MLmodel", run_id)
    assert millstream.artifacts.load_text(f"runs:/{run_id}/net/MLmodel") == "own"


def test_a_folder_of_this_machine_is_registered_where_no_server_is_asked(place: Path) -> None:
    model = place / "saved"
    model.mkdir()
    (model / "MLmodel").write_text("here")
    if millstream.get_tracking_uri().startswith("http"):
        with pytest.raises(InvalidValue, match="run_id or model_id"):
            millstream.register_model("saved", "loan")
    else:
        assert millstream.register_model("saved", "loan").source == str(model)
        assert millstream.artifacts.load_text("models:/loan/1/MLmodel") == "here"


def test_registry_and_runs_may_be_kept_apart(tmp_path: Path) -> None:
    millstream.set_registry_uri(f"sqlite:///{tmp_path}/registry.db")
    _, model_id = logged(text="elsewhere")
    assert millstream.register_model(f"models:/{model_id}", "loan").version == "1"
    run_id = old_style()
    assert millstream.register_model(f"runs:/{run_id}/model", "loan").version == "2"
    assert millstream.artifacts.load_text("models:/loan/1/MLmodel") == "elsewhere"
    assert MlflowClient(registry_uri=millstream.get_tracking_uri()).search_registered_models() == []
    assert MlflowClient().registry_uri == millstream.get_registry_uri()


def test_searches_gather_all_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("millstream.registry._PAGE", 2)
    client = MlflowClient()
    client.create_registered_model("loan")
    for number in range(5):
        client.create_model_version("loan", f"s3://bucket/{number}")
        client.create_registered_model(f"m{number}")
    assert [one.version for one in millstream.search_model_versions(order_by=["version_number"])] == list("12345")
    assert len(millstream.search_model_versions(3, "version_number > 1")) == 3
    assert [one.name for one in millstream.search_registered_models(4)] == ["loan", "m0", "m1", "m2"]
    assert len(millstream.search_registered_models(filter_string="name LIKE 'm%'")) == 5


def test_tags_by_version_and_by_stage() -> None:
    client = MlflowClient()
    client.create_registered_model("loan", {"number": 1}, "text")
    for _ in range(2):
        client.create_model_version("loan", "s3://bucket/x")
    client.transition_model_version_stage("loan", "2", "Staging")
    millstream.set_model_version_tag("loan", "1", "a", 5)
    client.set_model_version_tag("loan", stage="staging", key="b", value="c")
    assert [client.get_model_version("loan", number).tags for number in "12"] == [{"a": "5"}, {"b": "c"}]
    client.delete_model_version_tag("loan", stage="Staging", key="b")
    assert client.get_model_version("loan", "2").tags == {}
    for wrong in ({}, {"version": "1", "stage": "Staging"}):
        with pytest.raises(InvalidValue, match="exactly one"):
            client.set_model_version_tag("loan", key="k", value="v", **wrong)
    with pytest.raises(InvalidValue, match="Archived"):
        client.set_model_version_tag("loan", stage="Archived", key="k", value="v")
    with pytest.raises(InvalidValue, match="key"):
        client.set_model_version_tag("loan", "1", value="v")
    with pytest.raises(NotSupported):
        client.update_registered_model("loan", deployment_job_id="5")


def test_copies_go_on_under_another_name() -> None:
    client = MlflowClient()
    client.create_registered_model("staging.loan")
    made = client.create_model_version("staging.loan", "s3://bucket/x", tags={"k": "v"}, description="good")
    client.set_registered_model_alias("staging.loan", "ready", made.version)
    copy = client.copy_model_version("models:/staging.loan@ready", "prod.loan")
    assert (copy.name, copy.version, copy.source) == ("prod.loan", "1", "models:/staging.loan/1")
    assert (copy.tags, copy.description) == ({"k": "v"}, "good")
    assert client.get_model_version_download_uri("prod.loan", "1") == "s3://bucket/x"
    for wrong in ("models:/m-" + "0" * 32, "models:/staging.loan/1/x"):
        with pytest.raises(InvalidValue, match="src_model_uri"):
            client.copy_model_version(wrong, "prod.loan")


def test_what_has_happened_is_told_and_taken_back() -> None:
    client = MlflowClient()
    client.create_registered_model("loan")
    for number in "12":
        client.create_model_version("loan", "s3://bucket/x")
        client.transition_model_version_stage("loan", number, "Production", archive_existing_versions=True)
    page = client.list_registry_activities("loan", max_results=2)
    assert [one.kind for one in page] == ["model_version.transitioned", "model_version.created"]
    assert (page[0].before, page[0].after, page[0].others) == ("None", "Production", ["1"])
    rest = client.list_registry_activities("loan", page_token=page.token)
    assert [one.sequence for one in rest] == [3, 2, 1]
    assert client.get_versions_holding("loan", "Production") == ["2"]
    assert client.get_versions_holding("loan", "Production", timestamp=1) == []
    assert client.roll_back_registered_model("loan", "Production") == ["1"]
    assert client.roll_back_registered_model("loan", "Production") == []
    with pytest.raises(InvalidState):
        client.roll_back_registered_model("loan", "Production")
    assert client.verify_registry_activities("loan").intact


def test_who_did_it_is_noted_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "zoë")
    client = MlflowClient()
    client.create_registered_model("loan")
    version = client.create_model_version("loan", "s3://bucket/x")
    # Until people sign in, everybody at a server is its owner.
    name = "owner" if client.registry_uri.startswith("http") else "zoë"
    assert version.user_id == name
    assert {one.user_id for one in client.list_registry_activities("loan")} == {name}


def test_entities_look_like_what_they_are() -> None:
    client = MlflowClient()
    client.create_registered_model("loan", {"k": "v"})
    version = client.create_model_version("loan", "s3://bucket/x", tags={"a": "b"})
    model = client.get_registered_model("loan")
    assert (dict(version)["tags"], dict(version)["version"]) == ({"a": "b"}, "1")
    assert dict(model)["tags"] == {"k": "v"}
    assert "loan" in repr(model) and "loan" in str(model) and "s3://bucket/x" in str(version) + repr(version)
