from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.linear_model import LinearRegression

import millstream
from millstream.autolog import Training, first_rows
from millstream.autolog.training import dataset_of, random_states_kept, signature_of
from millstream.entities import Run
from millstream.tracking import recorder, stores
from tests.servers.millstream import MillstreamServer
from tests.unit.autolog.conftest import Boost

Runs = Callable[[], list[Run]]


def logging_with(boost: Boost, log: Callable[[Training], None], **settings: Any) -> None:
    """Train once; ``log`` logs what it likes after it."""

    def body(training: Training) -> Generator[None, Any, None]:
        yield
        log(training)

    boost.train = body
    boost.autolog(**settings)
    boost.module.train({})


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_any_number_of_parameters(boost: Boost, runs: Runs) -> None:
    logging_with(boost, lambda training: training.log_params({f"p{n}": n for n in range(450)}))
    assert runs()[0].data.params == {f"p{n}": str(n) for n in range(450)}


def test_long_values_are_cut(boost: Boost, runs: Runs) -> None:
    logging_with(boost, lambda training: training.log_params({"text": "x" * 10_000}))
    assert runs()[0].data.params == {"text": "x" * 6_000}


def test_one_bad_parameter_spoils_no_other(boost: Boost, runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    logging_with(boost, lambda training: training.log_params({"good": 1, "ba\x00d": 2, "fine": 3}))
    assert runs()[0].data.params == {"good": "1", "fine": "3"}
    [line] = told(caplog)
    assert "ba\x00d" in line


def test_one_bad_metric_spoils_no_other(boost: Boost, runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    logging_with(boost, lambda training: training.log_metrics({"a": 1, "b": "text", "c": np.float32(0.5)}, step=4))
    assert runs()[0].data.metrics == {"a": 1.0, "c": 0.5}
    [line] = told(caplog)
    assert "'b'" in line


def test_metrics_of_every_epoch_belong_to_the_model(boost: Boost, runs: Runs) -> None:
    def body(training: Training) -> Generator[None, Any, None]:
        training.begin_model()
        training.kwargs["callbacks"] = [lambda step: training.log_metrics({"loss": 1 / (step + 1)}, step)]
        yield
        training.log_model("sklearn", LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), examples=[[0.0], [1.0]])

    boost.train = body
    boost.autolog()
    boost.module.train({}, rounds=3)
    [run] = runs()
    [made] = run.outputs.model_outputs
    model = millstream.get_logged_model(made.model_id)
    assert str(model.status) == "READY"
    assert {(metric.key, metric.step) for metric in model.metrics} == {("loss", 2)}  # the last of them, as of a run
    assert run.inputs.model_inputs == []
    assert len(millstream.MlflowClient().get_metric_history(run.info.run_id, "loss")) == 3


def test_a_training_that_fails_leaves_its_model_failed(boost: Boost, runs: Runs) -> None:
    def body(training: Training) -> Generator[None, Any, None]:
        training.begin_model()
        yield

    boost.train = body
    boost.autolog()
    with pytest.raises(ValueError, match="no rounds"):
        boost.module.train({}, rounds=-1)
    found = millstream.search_logged_models(output_format="list")
    assert isinstance(found, list)
    assert [str(model.status) for model in found] == ["FAILED"]


def test_no_models(boost: Boost, runs: Runs) -> None:
    def log(training: Training) -> None:
        training.begin_model()
        training.log_model("sklearn", LinearRegression())

    logging_with(boost, log, log_models=False)
    assert millstream.search_logged_models(output_format="list") == []


def test_files(boost: Boost, runs: Runs, tracking: Path) -> None:
    (tracking / "notes.txt").write_text("notes")

    def log(training: Training) -> None:
        training.log_text("text", "a/text.txt")
        training.log_dict({"k": 1}, "dict.json")
        training.log_bytes(b"\x00\x01", "raw.bin")
        training.log_artifact(str(tracking / "notes.txt"))
        training.log_text("text", "../outside.txt")

    logging_with(boost, log)
    [run] = runs()
    found = {file.path for file in millstream.artifacts.list_artifacts(run_id=run.info.run_id)}
    assert found == {"a", "dict.json", "raw.bin", "notes.txt"}


def test_children(boost: Boost, runs: Runs) -> None:
    def log(training: Training) -> None:
        training.log_child({f"p{n}": n for n in range(250)}, {"score": 0.5, "bad": "x"}, {"kind": "tree"},
                           start_time=1_000)

    logging_with(boost, log, extra_tags={"team": "blue"})
    child, parent = runs()
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert {"team", "kind", "mlflow.autologging"} <= set(child.data.tags)
    assert len(child.data.params) == 250
    assert child.data.metrics == {"score": 0.5}
    assert (child.info.status, child.info.start_time) == ("FINISHED", 1_000)


@pytest.mark.parametrize(("data", "expected"), [
    (np.arange(12).reshape(6, 2), np.arange(4).reshape(2, 2)),
    (list(range(6)), [0, 1]),
    (((1, 2), (3, 4), (5, 6)), [(1, 2), (3, 4)]),
    (pd.DataFrame({"a": [1, 2, 3]}), pd.DataFrame({"a": [1, 2]})),
    (pd.Series([1, 2, 3]), pd.Series([1, 2])),
    ({"a": np.arange(3), "b": [1, 2, 3]}, {"a": np.arange(2), "b": [1, 2]}),
    ("text", None), (None, None), (3, None),
])
def test_first_rows(data: Any, expected: Any) -> None:
    found = first_rows(data, 2)
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert {key: list(value) for key, value in found.items()} == {key: list(v) for key, v in expected.items()}
    else:
        np.testing.assert_array_equal(found, expected)


def test_first_rows_of_a_sparse_matrix_are_a_copy() -> None:
    matrix = scipy.sparse.coo_matrix(np.eye(4))
    assert first_rows(matrix, 2).shape == (2, 4)
    array = np.ones((3, 2))
    first_rows(array, 2)[:] = 7
    assert array.sum() == 6


def test_datasets_of_many_kinds() -> None:
    numbers = np.arange(4.0).reshape(2, 2)
    made = dataset_of(numbers.tolist(), [0, 1])
    assert made is not None
    assert made.digest == millstream.data.from_numpy(numbers, targets=np.array([0, 1])).digest
    assert dataset_of(scipy.sparse.csr_matrix(numbers)) is not None
    assert dataset_of(pd.Series([1, 2], name="a")) is not None
    assert dataset_of({"a": [1, 2]}) is not None
    assert dataset_of([object()]) is None
    assert dataset_of(iter([1])) is None


def test_a_signature_draws_no_random_numbers_and_changes_no_data() -> None:
    def predict(data: Any) -> Any:
        data[:] = 0
        return np.random.random(len(data)) + random.random()

    example = np.ones((5, 2))
    np.random.seed(3)
    random.seed(3)
    signature_of(example, predict)
    drawn = np.random.random(), random.random()
    np.random.seed(3)
    random.seed(3)
    assert drawn == (np.random.random(), random.random())
    assert example.sum() == 10


def test_random_numbers_that_other_threads_may_draw_are_not_drawn_again() -> None:
    done = threading.Event()
    other = threading.Thread(target=done.wait, args=(60,))
    other.start()
    try:
        with random_states_kept():
            drawn = random.random(), np.random.random()
        assert (random.random(), np.random.random()) != drawn
    finally:
        done.set()
        other.join()


def test_a_server_that_dies_costs_a_training_seconds(
    boost: Boost, runs: Runs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "server").mkdir()
    with MillstreamServer(tmp_path / "server") as server:
        stores.set_tracking_uri(server.uri)

        def log(training: Training) -> None:
            server.kill()
            for n in range(20):
                training.log_text("text", f"{n}.txt")
            training.log_dataset(np.ones(3))
            training.log_params({"kept": "in the outbox"})

        began = time.monotonic()
        logging_with(boost, log)
        assert time.monotonic() - began < 30  # each call by itself would have waited a minute
        assert millstream.active_run() is None
        server.start()
        assert recorder.flush(timeout=60)
        [run] = runs()
        assert run.data.params == {"kept": "in the outbox"}
        assert run.info.status == "FINISHED"
    assert len([line for line in told(caplog) if "misses" in line]) == 1
