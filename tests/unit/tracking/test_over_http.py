"""The same calls with a server in between."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

import millstream
from millstream.entities import Run, RunInfo
from millstream.errors import ArtifactNotFound, ParameterChanged, RunNotFound, Unreachable
from millstream.tracking.active import run_address
from tests.servers.millstream import MillstreamServer


@pytest.fixture
def server(tracking: Path, millstream_server: MillstreamServer) -> Iterator[MillstreamServer]:
    millstream.set_tracking_uri(millstream_server.uri)
    yield millstream_server


def test_the_page_of_a_run_is_printed_when_it_ends(
    server: MillstreamServer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with millstream.start_run(run_name="outer") as outer:
        with millstream.start_run(run_name="inner", nested=True) as inner:
            pass
    assert capsys.readouterr().out == (
        f"Run inner: {server.uri}/#/experiments/0/runs/{inner.info.run_id}\n"
        f"Run outer: {server.uri}/#/experiments/0/runs/{outer.info.run_id}\n"
    )
    monkeypatch.setenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    with millstream.start_run():
        pass
    assert capsys.readouterr().out == ""


def test_a_folder_has_no_page(tracking: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with millstream.start_run():
        pass
    assert capsys.readouterr().out == ""


def test_an_address_shows_no_credentials() -> None:
    run = Run(RunInfo("r", "7"))
    assert run_address("https://ada:secret@host:8443/prefix/", run) == "https://host:8443/prefix/#/experiments/7/runs/r"
    assert run_address("sqlite:///x.db", run) is None


def test_runs_over_http(server: MillstreamServer) -> None:
    millstream.set_experiment("over http")
    with millstream.start_run(tags={"a": "b"}) as run:
        millstream.log_metric("loss", 0.5, step=1)
        millstream.log_params({"depth": 3})
        with pytest.raises(ParameterChanged):
            millstream.log_param("depth", 4)
        with pytest.raises(ParameterChanged):
            millstream.MlflowClient().log_param(run.info.run_id, "depth", 4)
        data = millstream.get_run(run.info.run_id).data
        assert (data.metrics, data.params, data.tags["a"]) == ({"loss": 0.5}, {"depth": "3"}, "b")
    [found] = millstream.search_runs(filter_string="metrics.loss < 1", output_format="list")
    assert (found.info.run_id, found.info.status) == (run.info.run_id, "FINISHED")
    with pytest.raises(RunNotFound):
        millstream.get_run("nobody")


def test_artifacts_over_http(server: MillstreamServer, tracking: Path) -> None:
    with millstream.start_run() as run:
        assert millstream.get_artifact_uri("x").startswith("mlflow-artifacts:")
        millstream.log_text("hé", "a/b.txt")
        millstream.log_stream(io.BytesIO(b"x" * 3_000_000), "big.bin")
        millstream.log_table({"a": [1]}, "t.json")
        millstream.log_table({"a": [2]}, "t.json")
    client = millstream.MlflowClient()
    run_id = run.info.run_id
    assert [entry.path for entry in client.list_artifacts(run_id)] == ["a", "big.bin", "t.json"]
    assert millstream.artifacts.load_text(f"runs:/{run_id}/a/b.txt") == "hé"
    assert millstream.artifacts.load_text(f"{run.info.artifact_uri}/a/b.txt") == "hé"
    assert list(millstream.load_table("t.json", run_ids=[run_id])["a"]) == [1, 2]
    fetched = Path(client.download_artifacts(run_id, "", str(tracking / "out")))
    assert (fetched / "a" / "b.txt").read_text() == "hé"
    assert (fetched / "big.bin").stat().st_size == 3_000_000
    client.delete_artifact(run_id, "a")
    with pytest.raises(ArtifactNotFound):
        client.download_artifacts(run_id, "a/b.txt")
    model = client.create_logged_model("0", "net")
    (tracking / "weights").write_text("1")
    client.log_model_artifact(model.model_id, str(tracking / "weights"))
    assert millstream.artifacts.load_text(f"models:/{model.model_id}/weights") == "1"


def test_training_goes_on_without_the_server(server: MillstreamServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MILLSTREAM_EXIT_FLUSH_SECONDS", "0.2")
    run = millstream.start_run()
    millstream.log_metric("loss", 1.0, step=0)
    server.kill()
    millstream.log_metric("loss", 2.0, step=1)
    millstream.log_params({"depth": 3})
    with pytest.raises(Unreachable):
        millstream.get_run(run.info.run_id)
    millstream.end_run()
    server.start()
    monkeypatch.setenv("MILLSTREAM_EXIT_FLUSH_SECONDS", "30")
    found = millstream.get_run(run.info.run_id)
    assert (found.data.metrics, found.data.params, found.info.status) == ({"loss": 2.0}, {"depth": "3"}, "FINISHED")
