"""`millstream import mlflow` brings registered models: from MLflow's database and from its server, files and all."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from millstream import MlflowClient
from millstream.errors import RegisteredModelNotFound
from tests.servers.millstream import MillstreamServer
from tests.servers.mlflow import MlflowServer

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]


def imported(source: str, destination: str, *options: str, cwd: Path, status: int = 0) -> dict[str, Any]:
    """The report of an import by the real command."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "MILLSTREAM_"))}
    words = ("import", "mlflow", source, "--json", "--tracking-uri", destination, *options)
    done = subprocess.run([sys.executable, "-W", "error", "-m", "millstream", *words], cwd=cwd, env=clean,
                          capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr + done.stdout
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def fill(uri: str) -> str:
    """A registry behind a server of MLflow; the id of the run whose model its versions are."""
    client = MlflowClient(uri)
    run = client.create_run(client.create_experiment("loans"))
    client.log_text(run.info.run_id, "the model", "model/MLmodel")
    client.create_registered_model("loan", {"team": "risk"}, "who may borrow")
    sources = (f"runs:/{run.info.run_id}/model", f"{run.info.artifact_uri}/model", f"runs:/{run.info.run_id}/model")
    for number, source in enumerate(sources, 1):
        client.create_model_version("loan", source, run.info.run_id, {"k": str(number)}, description=f"the {number}.")
    client.create_registered_model("copies")
    client.copy_model_version("models:/loan/1", "copies")
    client.delete_model_version("loan", "3")
    client.transition_model_version_stage("loan", "1", "Archived")
    client.transition_model_version_stage("loan", "2", "Production")
    client.set_registered_model_alias("loan", "champion", "2")
    client.create_registered_model("prompt", {"mlflow.prompt.is_prompt": "true"})
    return run.info.run_id


def facts(uri: str) -> dict[str, Any]:
    """What a registry says of its models, times included."""
    client = MlflowClient(uri)
    model = client.get_registered_model("loan")
    versions = sorted(client.search_model_versions("name = 'loan'"), key=lambda one: int(one.version))
    return {
        "model": (model.name, model.description, model.tags, model.aliases, model.creation_timestamp,
                  model.last_updated_timestamp),
        "versions": [
            (one.version, one.current_stage, one.description, one.tags, one.run_id, one.creation_timestamp,
             one.last_updated_timestamp)
            for one in versions
        ],
    }


def counted(report: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {
        kind: (report["counts"][kind]["source"], report["counts"][kind]["here"])
        for kind in ("registered models", "model versions")
    }


def test_a_registry_arrives_whole(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    with MlflowServer(theirs) as mlflow:
        fill(mlflow.uri)
        before = facts(mlflow.uri)
        with MillstreamServer(ours) as server:
            report = imported(mlflow.uri, server.uri, cwd=tmp_path)
            assert report["differences"] == []
            assert counted(report) == {"registered models": (2, 2), "model versions": (3, 3)}
            assert facts(server.uri) == before
            there = MlflowClient(server.uri)
            for version in "12":
                place = there.get_model_version_download_uri("loan", version)
                assert place.startswith("mlflow-artifacts:/") and place.endswith("/artifacts/model")
            check_history(there)
            again = imported(mlflow.uri, server.uri, cwd=tmp_path)
            assert (again["differences"], again["counts"]) == ([], report["counts"])
            assert there.verify_registry_activities("loan").checked == 6, "the second import changed nothing"
            there.transition_model_version_stage("loan", "1", "Staging")
            kept = imported(mlflow.uri, server.uri, cwd=tmp_path)
            assert any("current_stage is 'Staging' here" in note for note in kept["notes"])
            imported(mlflow.uri, server.uri, "--overwrite", cwd=tmp_path)
            assert facts(server.uri)["versions"] == before["versions"]
    source, copy = theirs / "mlflow.db", str(ours / "folder")
    report = imported(f"sqlite:///{source}", copy, "--artifacts-destination", str(theirs / "artifacts"), cwd=tmp_path)
    assert report["differences"] == []
    assert counted(report) == {"registered models": (2, 2), "model versions": (3, 3)}
    assert "not imported, as an import does not carry them: 1 prompt" in report["notes"]
    assert facts(copy) == before
    here = MlflowClient(copy)
    for name, version in (("loan", "1"), ("loan", "2"), ("copies", "1")):
        folder = Path(here.get_model_version_download_uri(name, version))
        assert (folder / "MLmodel").read_text() == "the model"
        assert folder.is_relative_to(ours)
    with pytest.raises(RegisteredModelNotFound):
        here.get_registered_model("prompt")
    assert here.create_model_version("loan", "s3://bucket/next").version == "4", "3 was given once"


def check_history(client: MlflowClient) -> None:
    history = client.list_registry_activities("loan")
    assert [(one.kind, one.version, one.after) for one in history][::-1][1:] == [
        ("model_version.created", "1", client.get_model_version("loan", "1").source),
        ("model_version.transitioned", "1", "Archived"),
        ("model_version.created", "2", client.get_model_version("loan", "2").source),
        ("model_version.transitioned", "2", "Production"),
        ("model_version_alias.created", "2", "2"),
    ]
    assert {one.comment for one in history if one.kind.startswith("model_version.")} == {"imported"}
    assert client.verify_registry_activities("loan").intact
    assert client.get_versions_holding("loan", stage="Production") == ["2"]


def test_what_our_registry_refuses_is_named(tmp_path: Path) -> None:
    with MlflowServer(tmp_path) as mlflow:
        client = MlflowClient(mlflow.uri)
        client.create_registered_model("m-" + "0" * 32)
        client.create_registered_model("fine")
    report = imported(f"sqlite:///{tmp_path}/mlflow.db", "ours", cwd=tmp_path, status=1)
    assert len(report["differences"]) == 1 and "is refused" in report["differences"][0]
    assert counted(report)["registered models"] == (2, 1)
    with sqlite3.connect(tmp_path / "ours" / "millstream.db") as connection:
        assert connection.execute("SELECT name FROM registered_models").fetchall() == [("fine",)]
