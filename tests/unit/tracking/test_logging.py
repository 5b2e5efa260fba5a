from __future__ import annotations

import math
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import millstream
from millstream.entities import Dataset, LoggedModelInput, LoggedModelOutput, Metric, Run
from millstream.errors import InvalidValue, NotFound, ParameterChanged, RunNotFound
from millstream.operations import GetRun
from millstream.stores import open_store
from millstream.tracking.active import local

pytestmark = pytest.mark.usefixtures("tracking")

DATASET = Dataset("wine", "abc123", "local", '{"uri": "wine.csv"}')


def stored(run: Run) -> Run:
    return millstream.get_run(run.info.run_id)


def history(run: Run, key: str) -> list[Metric]:
    return millstream.MlflowClient().get_metric_history(run.info.run_id, key)


@pytest.fixture(params=["outbox", "each at once"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Through the outbox, and with asynchronous logging switched off."""
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", "true" if request.param == "outbox" else "false")
    return str(request.param)


@pytest.mark.usefixtures("way")
def test_a_program_reads_what_it_wrote() -> None:
    with millstream.start_run() as run:
        assert millstream.log_metric("loss", 0.5, step=1) is None
        assert millstream.log_metrics({"loss": 0.25, "accuracy": np.float32(0.75)}, step=2) is None
        assert millstream.log_param("depth", 3) == 3
        assert millstream.log_params({"rate": 0.1, "none": None}) is None
        assert millstream.set_tag("color", "red") is None
        assert millstream.set_tags({"size": 5}) is None
        data = stored(run).data
        assert data.metrics == {"loss": 0.25, "accuracy": 0.75}
        assert data.params == {"depth": "3", "rate": "0.1", "none": "None"}
        assert (data.tags["color"], data.tags["size"]) == ("red", "5")
        assert [(point.step, point.value) for point in history(run, "loss")] == [(1, 0.5), (2, 0.25)]


@pytest.mark.usefixtures("way")
def test_points_have_time_and_step() -> None:
    before = time.time_ns() // 1_000_000
    with millstream.start_run() as run:
        millstream.log_metric("now", 1)
        millstream.log_metric("now", 2.0)
        millstream.log_metric("then", 1, step=7, timestamp=5)
    after = time.time_ns() // 1_000_000
    assert all(before <= point.timestamp <= after and point.step == 0 for point in history(run, "now"))
    assert [(point.step, point.timestamp) for point in history(run, "then")] == [(7, 5)]


@pytest.mark.usefixtures("way")
def test_the_last_of_many_points_without_a_step_is_the_value() -> None:
    with millstream.start_run() as run:
        for value in range(100, 0, -1):
            millstream.log_metric("falling", float(value))
        millstream.log_metrics({"falling": 0.5, "other": 1.0})
        client = millstream.MlflowClient()
        client.log_metric(run.info.run_id, "falling", 0.25)
        client.log_metric(run.info.run_id, "falling", 0.125)
        assert stored(run).data.metrics["falling"] == 0.125
    with millstream.start_run(run_id=run.info.run_id):
        millstream.log_metric("falling", 0.0625)
    values = [point.value for point in history(run, "falling")]
    assert values == [*map(float, range(100, 0, -1)), 0.5, 0.25, 0.125, 0.0625]


@pytest.mark.usefixtures("way")
def test_the_last_point_of_a_step_is_the_value_too() -> None:
    with millstream.start_run() as run:
        for step in range(3):
            for value in (3.0, 2.0, 1.0):
                millstream.log_metric("falling", value, step=step)
    assert [(point.step, point.value) for point in history(run, "falling")] == [
        (step, value) for step in range(3) for value in (3.0, 2.0, 1.0)
    ]
    assert stored(run).data.metrics == {"falling": 1.0}


@pytest.mark.usefixtures("way")
def test_odd_numbers_are_kept() -> None:
    with millstream.start_run() as run:
        for step, value in enumerate([math.nan, math.inf, -math.inf, True, "6", np.array([7])]):
            millstream.log_metric("odd", value, step=step)  # type: ignore[arg-type]
    values = [point.value for point in history(run, "odd")]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf, 1.0, 6.0, 7.0]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    "call",
    [
        lambda: millstream.log_metric("a//b", 1.0),
        lambda: millstream.log_metric("sound", "text"),  # type: ignore[arg-type]
        lambda: millstream.log_metric("sound", None),  # type: ignore[arg-type]
        lambda: millstream.log_metric("sound", 1.0, step="3"),  # type: ignore[arg-type]
        lambda: millstream.log_metric("sound", 1.0, step=2**63),
        lambda: millstream.log_metric("sound", 1.0, timestamp=-1),
        lambda: millstream.log_metrics({"sound": 1.0, "": 1.0}),
        lambda: millstream.log_metrics([1]),  # type: ignore[arg-type]
        lambda: millstream.log_param("", 1),
        lambda: millstream.log_params({"sound": 1, "a(b": 2}),
        lambda: millstream.log_params(None),  # type: ignore[arg-type]
        lambda: millstream.set_tag("../up", 1),
        lambda: millstream.set_tags({"sound": 1, "": 2}),
    ],
)
def test_what_is_invalid_by_itself_raises_at_the_call_and_logs_nothing(call: Any) -> None:
    with millstream.start_run() as run:
        millstream.log_metric("warm", 1.0)
        with pytest.raises(InvalidValue):
            call()
        data = stored(run).data
        assert (data.metrics, data.params) == ({"warm": 1.0}, {})
        assert "sound" not in data.tags


@pytest.mark.usefixtures("way")
def test_a_parameter_keeps_its_value() -> None:
    with millstream.start_run() as run:
        millstream.log_param("depth", 3)
        assert millstream.log_param("depth", "3") == "3"
        with pytest.raises(ParameterChanged, match="depth") as caught:
            millstream.log_param("depth", 4)
        assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
        assert "Changing param values is not allowed" in str(caught.value)
        with pytest.raises(ParameterChanged):
            millstream.log_params({"new": 1, "depth": 5})
        assert stored(run).data.params == {"depth": "3"}
    with millstream.start_run(run_id=run.info.run_id):
        with pytest.raises(ParameterChanged):
            millstream.log_param("depth", 4)
        millstream.log_params({"new": 1, "depth": 3})
    assert stored(run).data.params == {"depth": "3", "new": "1"}


def test_a_parameter_that_the_client_logged_is_known() -> None:
    with millstream.start_run() as run:
        millstream.MlflowClient().log_param(run.info.run_id, "depth", 3)
        with pytest.raises(ParameterChanged):
            millstream.log_param("depth", 4)


def test_a_parameter_refused_by_the_store_may_come_again(tracking: Path) -> None:
    with millstream.start_run() as run:
        client = millstream.MlflowClient()
        client.delete_run(run.info.run_id)
        with pytest.raises(InvalidValue, match="deleted"):
            millstream.log_params({"depth": 3}, synchronous=True)
        client.restore_run(run.info.run_id)
        millstream.log_params({"depth": 4}, synchronous=True)
        assert stored(run).data.params == {"depth": "4"}


def test_a_call_starts_a_run_where_there_is_none() -> None:
    millstream.log_metric("loss", 1.0)
    run = millstream.active_run()
    assert run is not None
    millstream.end_run()
    assert stored(run).data.metrics == {"loss": 1.0}


def test_a_run_may_be_named_without_being_active() -> None:
    with millstream.start_run() as run:
        pass
    with millstream.start_run() as other:
        millstream.log_metric("loss", 1.0, run_id=run.info.run_id)
        millstream.log_metrics({"accuracy": 2.0}, run_id=run.info.run_id, step=3)
        millstream.log_params({"depth": 1}, run_id=run.info.run_id)
        with pytest.raises(ParameterChanged):
            millstream.log_params({"depth": 2}, run_id=run.info.run_id)
        millstream.log_metric("loss", 5.0, run_id=other.info.run_id)
    assert stored(run).data.metrics == {"loss": 1.0, "accuracy": 2.0}
    assert stored(run).data.params == {"depth": "1"}
    assert stored(run).info.status == "FINISHED"
    assert stored(other).data.metrics == {"loss": 5.0}


def test_a_run_that_is_not_there_is_said_at_the_call() -> None:
    with pytest.raises(RunNotFound):
        millstream.log_metric("loss", 1.0, run_id="nobody")
    with pytest.raises(InvalidValue):
        millstream.log_metric("loss", 1.0, run_id="../etc")
    with millstream.start_run() as run:
        pass
    millstream.log_metric("loss", 1.0, run_id=run.info.run_id)
    millstream.delete_run(run.info.run_id)
    with pytest.raises(InvalidValue, match="deleted"):
        millstream.log_metric("loss", 2.0, run_id=run.info.run_id)
    millstream.restore_run(run.info.run_id)
    millstream.log_metric("loss", 3.0, run_id=run.info.run_id)
    assert [point.value for point in history(run, "loss")] == [1.0, 3.0]


def test_many_runs_by_their_ids() -> None:
    client = millstream.MlflowClient()
    runs = [client.create_run("0") for _ in range(300)]
    for run in runs:
        millstream.log_metric("loss", 1.0, run_id=run.info.run_id)
    millstream.log_metric("loss", 2.0, run_id=runs[0].info.run_id)
    assert all(stored(run).data.metrics["loss"] for run in runs)
    assert len(history(runs[0], "loss")) == 2


def test_synchronous_calls_are_in_the_store_when_they_return(tracking: Path) -> None:
    with millstream.start_run() as run, open_store(str(tracking / "runs")) as other:
        millstream.log_metric("loss", 3.0, step=0)
        assert millstream.log_metric("loss", 1.0, step=1, synchronous=True) is None
        assert millstream.log_metrics({"a": 1.0}, synchronous=True) is None
        assert millstream.log_param("p", 1, synchronous=True) == 1
        assert millstream.log_params({"q": 1}, synchronous=True) is None
        assert millstream.set_tag("t", 1, synchronous=True) is None
        data = other.execute(GetRun(run.info.run_id)).run.data
        assert data.metrics == {"loss": 1.0, "a": 1.0}
        assert data.params == {"p": "1", "q": "1"}
        assert data.tags["t"] == "1"
        assert [point.value for point in history(run, "loss")] == [3.0, 1.0]


def test_asynchronous_calls_can_be_waited_for() -> None:
    with millstream.start_run() as run:
        waiting = [
            millstream.log_metric("loss", 1.0, synchronous=False),
            millstream.log_metrics({"a": 1.0}, synchronous=False),
            millstream.log_param("p", 1, synchronous=False),
            millstream.log_params({"q": 1}, synchronous=False),
            millstream.set_tag("t", 1, synchronous=False),
            millstream.set_tags({"u": 1}, synchronous=False),
        ]
        for operations in waiting:
            assert isinstance(operations, millstream.RunOperations)
            operations.wait()
        assert stored(run).data.metrics == {"loss": 1.0, "a": 1.0}


def test_waiting_says_what_was_refused() -> None:
    with millstream.start_run() as run:
        client = millstream.MlflowClient()
        client.delete_run(run.info.run_id)
        operations = millstream.log_metric("loss", 1.0, synchronous=False)
        assert operations is not None
        with pytest.raises(millstream.MlflowException, match="deleted"):
            operations.wait()
        client.restore_run(run.info.run_id)


def test_flushing_sends_everything(tracking: Path) -> None:
    with millstream.start_run() as run, open_store(str(tracking / "runs")) as other:
        millstream.log_metric("loss", 1.0)
        millstream.flush_async_logging()
        millstream.flush_artifact_async_logging()
        assert other.execute(GetRun(run.info.run_id)).run.data.metrics == {"loss": 1.0}


def test_tags_are_removed() -> None:
    with millstream.start_run() as run:
        millstream.set_tag("color", "red")
        millstream.delete_tag("color")
        assert "color" not in stored(run).data.tags
        with pytest.raises(NotFound, match="color"):
            millstream.delete_tag("color")


def test_a_tag_renames_the_run() -> None:
    with millstream.start_run(run_name="before") as run:
        millstream.set_tag("mlflow.runName", "after")
    assert stored(run).info.run_name == "after"


def test_points_are_removed() -> None:
    with millstream.start_run() as run:
        for step in range(10):
            millstream.log_metric("loss", float(step), step=step)
        assert millstream.delete_metric(run.info.run_id, "loss", from_step=4) == 6
        assert stored(run).data.metrics == {"loss": 3.0}
        assert millstream.delete_metric(run.info.run_id, "loss") == 4
        assert stored(run).data.metrics == {}


def test_threads_log_to_one_run() -> None:
    with millstream.start_run() as run:
        def work(number: int) -> None:
            for step in range(200):
                millstream.log_metric(f"m{number}", float(step), step=step, run_id=run.info.run_id)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert stored(run).data.metrics == {f"m{number}": 199.0 for number in range(4)}
        assert [len(history(run, f"m{number}")) for number in range(4)] == [200] * 4


def test_large_calls_are_sent_in_parts() -> None:
    with millstream.start_run() as run:
        for directly in (True, None):
            millstream.log_params({f"p{directly}{n}": "é" * 3000 for n in range(250)}, synchronous=directly)
            millstream.set_tags({f"t{directly}{n}": "\u2028" * 5000 for n in range(150)}, synchronous=directly)
            millstream.log_metrics({f"m{directly}{n}": n for n in range(2500)}, synchronous=directly)
        data = stored(run).data
    assert (len(data.params), len(data.metrics)) == (500, 5000)
    assert sum(key.startswith("t") for key in data.tags) == 300


def test_the_way_of_plain_points_is_the_short_one() -> None:
    def plain() -> Any:
        return local.plain

    assert plain() is None
    with millstream.start_run() as outer:
        assert plain().run_id == outer.info.run_id
        with millstream.start_run(nested=True) as inner:
            assert plain().run_id == inner.info.run_id
        assert plain().run_id == outer.info.run_id
    assert plain() is None


def test_datasets_and_models_are_inputs() -> None:
    model = millstream.create_external_model("net")
    with millstream.start_run() as run:
        millstream.log_input(DATASET, context="training", tags={"split": 1})  # type: ignore[dict-item]
        millstream.log_input(model=LoggedModelInput(model.model_id))
        other = Dataset("wine", "def456", "local", "{}")
        millstream.log_inputs([other, DATASET], ["test", None], [None, {"more": "yes"}], [None, None])
        millstream.log_inputs()
        millstream.log_outputs([LoggedModelOutput(model.model_id, 3)])
        millstream.log_outputs()
    inputs = stored(run).inputs
    assert [used.model_id for used in inputs.model_inputs] == [model.model_id]
    found = {used.dataset.digest: {tag.key: tag.value for tag in used.tags} for used in inputs.dataset_inputs}
    assert set(found) == {"abc123", "def456"}
    assert found["def456"] == {"mlflow.data.context": "test"}
    assert {"mlflow.data.context": "training", "split": "1"}.items() <= found["abc123"].items()
    assert stored(run).outputs.model_outputs == [LoggedModelOutput(model.model_id, 3)]


def test_lists_of_inputs_have_one_length() -> None:
    with millstream.start_run(), pytest.raises(InvalidValue, match="one length"):
        millstream.log_inputs([DATASET], ["a", "b"], [None], [None])
    with millstream.start_run(), pytest.raises(InvalidValue, match="dataset is expected"):
        millstream.log_input("wine")  # type: ignore[arg-type]


def test_a_metric_of_a_model_on_a_dataset_makes_both_inputs() -> None:
    model = millstream.create_external_model("net")
    with millstream.start_run() as run:
        for step in range(3):
            millstream.log_metric("accuracy", 0.5, step=step, model_id=model.model_id, dataset=DATASET)
        millstream.log_metrics({"loss": 0.5}, model_id=model.model_id)
    inputs = stored(run).inputs
    assert [used.model_id for used in inputs.model_inputs] == [model.model_id]
    assert [used.dataset.digest for used in inputs.dataset_inputs] == ["abc123"]
    metrics = {metric.key: metric for metric in millstream.get_logged_model(model.model_id).metrics}
    assert metrics["accuracy"].step == 2
    assert (metrics["accuracy"].dataset_name, metrics["accuracy"].dataset_digest) == ("wine", "abc123")
    assert (metrics["loss"].dataset_name, metrics["loss"].run_id) == (None, run.info.run_id)


def test_the_environment_names_a_model_of_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    model = millstream.create_external_model("net")
    monkeypatch.setenv("MLFLOW_ACTIVE_MODEL_ID", model.model_id)
    with millstream.start_run():
        millstream.log_metric("accuracy", 0.5)
        millstream.log_metric("accuracy", 0.75, step=1)
    [metric] = millstream.get_logged_model(model.model_id).metrics
    assert metric.value == 0.75


def test_a_model_that_is_not_there_is_said_at_every_call() -> None:
    with millstream.start_run() as run:
        for _ in range(2):
            with pytest.raises(NotFound):
                millstream.log_metric("accuracy", 0.5, model_id="m-" + "0" * 32)
        assert stored(run).data.metrics == {}


def test_data_sets_of_the_program_are_logged_as_they_are() -> None:
    wine = millstream.data.from_pandas(pd.DataFrame({"a": [1.0, 2.0], "b": [0, 1]}), name="wine", targets="b")
    with millstream.start_run() as run:
        millstream.log_input(wine, context="training")
        millstream.log_metric("accuracy", 0.5, dataset=wine)
    [used] = stored(run).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("wine", wine.digest)
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "training")]
    [point] = history(run, "accuracy")
    assert point.value == 0.5


def test_a_call_that_is_refused_does_not_spoil_the_parameters() -> None:
    with millstream.start_run() as run:
        with pytest.raises(InvalidValue, match="NUL"):
            millstream.log_params({"x": 1, "bytes": "a\x00b"})
        with pytest.raises(InvalidValue):
            millstream.set_tag("half", "\ud800")
        millstream.log_params({"x": 2})
        assert stored(run).data.params == {"x": "2"}
