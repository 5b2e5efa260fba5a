from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import millstream
from millstream.entities import (
    Dataset,
    DatasetInput,
    LoggedModelInput,
    LoggedModelOutput,
    Metric,
    PagedList,
    Param,
    RunTag,
    ViewType,
)
from millstream.errors import (
    ExperimentNotFound,
    InvalidValue,
    LimitExceeded,
    NotFound,
    ParameterChanged,
    RunNotFound,
)
from millstream.tracking import recorder

pytestmark = pytest.mark.usefixtures("tracking")


@pytest.fixture
def client() -> millstream.MlflowClient:
    return millstream.MlflowClient()


@pytest.fixture
def run_id(client: millstream.MlflowClient) -> str:
    return client.create_run("0").info.run_id


def test_a_client_keeps_the_store_of_its_making(tracking: Path, client: millstream.MlflowClient) -> None:
    here = millstream.get_tracking_uri()
    millstream.set_tracking_uri(tracking / "elsewhere")
    assert client.tracking_uri == here
    assert repr(client) == f"MlflowClient({here!r})"
    other = millstream.MlflowClient(str(tracking / "third"))
    run = other.create_run("0")
    with pytest.raises(RunNotFound):
        client.get_run(run.info.run_id)
    assert other.get_run(run.info.run_id).info.artifact_uri == f"{tracking}/third/0/{run.info.run_id}/artifacts"


def test_a_run_is_made_without_being_active(client: millstream.MlflowClient) -> None:
    run = client.create_run("0", start_time=5, tags={"a": 1, "mlflow.user": "ada"}, run_name="x")
    assert millstream.active_run() is None
    assert (run.info.start_time, run.info.run_name, run.info.user_id, run.info.status) == (5, "x", "ada", "RUNNING")
    assert run.data.tags == {"a": "1", "mlflow.user": "ada", "mlflow.runName": "x"}
    number: Any = 0
    assert client.create_run(number).info.user_id == "unknown"
    assert client.create_run("0", tags={"mlflow.runName": "y"}).info.run_name == "y"
    with pytest.raises(InvalidValue, match="different"):
        client.create_run("0", tags={"mlflow.runName": "y"}, run_name="z")
    with pytest.raises(ExperimentNotFound):
        client.create_run("99")


def test_a_run_is_ended_changed_deleted_and_restored(client: millstream.MlflowClient, run_id: str) -> None:
    before = time.time_ns() // 1_000_000
    client.set_terminated(run_id)
    info = client.get_run(run_id).info
    assert info.status == "FINISHED"
    assert info.end_time is not None
    assert before <= info.end_time <= time.time_ns() // 1_000_000
    client.set_terminated(run_id, "KILLED", 7)
    assert (client.get_run(run_id).info.status, client.get_run(run_id).info.end_time) == ("KILLED", 7)
    client.update_run(run_id, "RUNNING", "new name")
    client.update_run(run_id)
    info = client.get_run(run_id).info
    assert (info.status, info.run_name) == ("RUNNING", "new name")
    assert client.get_run(run_id).data.tags["mlflow.runName"] == "new name"
    for call in (client.update_run, client.set_terminated):
        with pytest.raises(InvalidValue, match="DONE"):
            call(run_id, "DONE")
    client.delete_run(run_id)
    client.delete_run(run_id)
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    client.restore_run(run_id)
    client.restore_run(run_id)
    assert client.get_run(run_id).info.lifecycle_stage == "active"
    for action in (client.get_run, client.delete_run, client.restore_run, client.set_terminated):
        with pytest.raises(RunNotFound):
            action("nobody")
    with pytest.raises(InvalidValue, match="run_id"):
        client.get_run("not/an id")


def test_what_is_logged_is_there(client: millstream.MlflowClient, run_id: str) -> None:
    assert client.log_metric(run_id, "loss", "0.5", timestamp=5, step=1) is None  # type: ignore[arg-type]
    assert client.log_metric(run_id, "loss", 0.25, step=2, dataset_name="wine", dataset_digest="abc") is None
    assert client.log_param(run_id, "depth", 3) == 3
    assert client.set_tag(run_id, "color", None) is None
    run = client.get_run(run_id)
    assert (run.data.metrics, run.data.params, run.data.tags["color"]) == ({"loss": 0.25}, {"depth": "3"}, "None")
    history = client.get_metric_history(run_id, "loss")
    assert isinstance(history, PagedList)
    assert history.token is None
    assert [(point.step, point.value) for point in history] == [(1, 0.5), (2, 0.25)]
    assert history[0].timestamp == 5
    assert client.get_metric_history(run_id, "nothing") == []
    client.delete_tag(run_id, "color")
    with pytest.raises(NotFound):
        client.delete_tag(run_id, "color")


def test_what_is_invalid_is_refused(client: millstream.MlflowClient, run_id: str) -> None:
    client.log_param(run_id, "depth", 3)
    with pytest.raises(ParameterChanged, match="depth"):
        client.log_param(run_id, "depth", 4)
    with pytest.raises(ParameterChanged):
        client.log_param(run_id, "depth", 4, synchronous=False)
    for call in (client.log_metric, client.log_param, client.set_tag):
        with pytest.raises(InvalidValue):
            call(run_id, "a//b", 1)
        with pytest.raises(RunNotFound):
            call("nobody", "a", 1)
        with pytest.raises(RunNotFound):
            call("nobody", "a", 1, synchronous=False)
    with pytest.raises(InvalidValue):
        client.log_metric(run_id, "loss", "text")  # type: ignore[arg-type]


def test_calls_that_do_not_wait(client: millstream.MlflowClient, run_id: str) -> None:
    waiting = [
        client.log_metric(run_id, "loss", 0.5, synchronous=False),
        client.log_param(run_id, "depth", 3, synchronous=False),
        client.set_tag(run_id, "color", "red", synchronous=False),
        client.log_batch(run_id, [Metric("more", 1.0, 1, 1)], [Param("p", "1")], [RunTag("t", "1")], synchronous=False),
    ]
    for one in waiting:
        assert isinstance(one, millstream.RunOperations)
        one.wait()
    data = client.get_run(run_id).data
    assert data.metrics == {"loss": 0.5, "more": 1.0}
    assert data.params == {"depth": "3", "p": "1"}


def test_order_is_kept_between_the_two_ways(client: millstream.MlflowClient) -> None:
    with millstream.start_run() as run:
        for number in range(20):
            if number % 2:
                client.set_tag(run.info.run_id, "last", number)
            else:
                millstream.set_tag("last", number)
    assert client.get_run(run.info.run_id).data.tags["last"] == "19"


def test_batches_of_any_size(client: millstream.MlflowClient, run_id: str) -> None:
    assert client.log_batch(run_id) is None
    client.log_batch(
        run_id,
        [Metric("loss", number, number, number) for number in range(2500)],
        [Param(f"p{number}", number) for number in range(250)],  # type: ignore[arg-type]
        [RunTag(f"t{number}", "x" * 4000) for number in range(250)],
    )
    data = client.get_run(run_id).data
    assert (data.metrics, len(data.params)) == ({"loss": 2499.0}, 250)
    assert len(client.get_metric_history(run_id, "loss")) == 2500
    assert data.params["p7"] == "7"
    with pytest.raises(InvalidValue):
        client.log_batch(run_id, [Metric("a//b", 1.0, 1, 1)])
    with pytest.raises(ParameterChanged):
        client.log_batch(run_id, params=[Param("p1", "other")])
    with pytest.raises(InvalidValue, match="Duplicate"):
        client.log_batch(run_id, params=[Param("d", "1"), Param("d", "2")])


def test_a_long_history_is_whole(client: millstream.MlflowClient, run_id: str) -> None:
    log = recorder.of(client.tracking_uri, run_id).log
    for step in range(60_000):
        log.metric("loss", 0.5, 1, step)
    history = client.get_metric_history(run_id, "loss")
    assert [point.step for point in history] == list(range(60_000))


def test_inputs_and_outputs(client: millstream.MlflowClient, run_id: str) -> None:
    model = client.create_logged_model("0", "net", source_run_id=run_id)
    client.log_inputs(run_id, [DatasetInput(Dataset("wine", "abc", "local", "{}"))], [LoggedModelInput(model.model_id)])
    client.log_inputs(run_id)
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 1)])
    run = client.get_run(run_id)
    assert [used.dataset.name for used in run.inputs.dataset_inputs] == ["wine"]
    assert run.inputs.model_inputs == [LoggedModelInput(model.model_id)]
    assert run.outputs.model_outputs == [LoggedModelOutput(model.model_id, 1)]


def test_the_parent_of_a_run(client: millstream.MlflowClient, run_id: str) -> None:
    child = client.create_run("0", tags={"mlflow.parentRunId": run_id})
    parent = client.get_parent_run(child.info.run_id)
    assert parent is not None
    assert parent.info.run_id == run_id
    assert client.get_parent_run(run_id) is None


def test_points_are_removed(client: millstream.MlflowClient, run_id: str) -> None:
    for step in range(4):
        client.log_metric(run_id, "a", step, step=step)
        client.log_metric(run_id, "b", step, step=step)
    assert client.delete_metric(run_id, "a", 3) == 1
    assert client.delete_metric(run_id, from_step=2) == 3
    assert client.get_run(run_id).data.metrics == {"a": 1.0, "b": 1.0}
    assert client.delete_metric(run_id) == 4
    assert client.get_run(run_id).data.metrics == {}


def test_runs_are_found_page_by_page(client: millstream.MlflowClient) -> None:
    for number in range(5):
        run = client.create_run("0", start_time=number)
        client.log_metric(run.info.run_id, "loss", number)
        client.log_param(run.info.run_id, "depth", number)
    first = client.search_runs(["0"], max_results=2, order_by=["metrics.loss ASC"])
    second = client.search_runs(["0"], max_results=2, order_by=["metrics.loss ASC"], page_token=first.token)
    third = client.search_runs(["0"], max_results=2, order_by=["metrics.loss ASC"], page_token=second.token)
    assert [run.data.metrics["loss"] for run in [*first, *second, *third]] == [0, 1, 2, 3, 4]
    assert third.token is None
    single: Any = "0"
    assert len(client.search_runs(single, "metrics.loss > 2")) == 2
    assert len(client.search_runs(single, None)) == 5  # type: ignore[arg-type]
    client.delete_run(first[0].info.run_id)
    assert len(client.search_runs(["0"], run_view_type=ViewType.ACTIVE_ONLY)) == 4
    assert len(client.search_runs(["0"], run_view_type=ViewType.DELETED_ONLY)) == 1
    assert len(client.search_runs(["0"], run_view_type=ViewType.ALL)) == 5
    with pytest.raises(InvalidValue, match="50000"):
        client.search_runs(["0"], max_results=50_001)
    with pytest.raises(InvalidValue, match="view_type"):
        client.search_runs(["0"], run_view_type=9)


def test_only_the_columns_asked_for_are_read(client: millstream.MlflowClient, run_id: str) -> None:
    client.log_batch(run_id, [Metric("loss", 1.0, 1, 1), Metric("more", 1.0, 1, 1)], [Param("p", "1"), Param("q", "1")])
    [run] = client.search_runs(["0"], columns=["metrics.loss", "params.*", "status"])
    assert (run.data.metrics, run.data.params, run.data.tags) == ({"loss": 1.0}, {"p": "1", "q": "1"}, {})
    for wrong in (["loss"], ["metrics."], "metrics.loss"):
        with pytest.raises(InvalidValue, match="columns"):
            client.search_runs(["0"], columns=wrong)


def test_long_values_follow_the_setting(
    client: millstream.MlflowClient, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.log_param(run_id, "long", "x" * 7000)
    assert len(client.get_run(run_id).data.params["long"]) == 6000
    monkeypatch.setenv("MLFLOW_TRUNCATE_LONG_VALUES", "false")
    with pytest.raises(LimitExceeded):
        client.log_param(run_id, "longer", "x" * 7000)
