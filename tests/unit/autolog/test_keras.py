"""Keras trainings log themselves, and are the same as without."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import millstream
import millstream.keras
import millstream.pyfunc
import millstream.tensorflow
from millstream.entities import LoggedModel, Run

Runs = Callable[[], list[Run]]
X = np.random.default_rng(0).random((40, 4), dtype=np.float32)
Y = np.random.default_rng(1).integers(0, 3, 40)


@pytest.fixture(autouse=True)
def in_its_place(tracking: Path) -> None:
    pass


def network(eagerly: bool = True) -> Any:
    """A small network that is the same each time; in graphs it trains as programs do, but takes longer to begin."""
    keras.utils.set_random_seed(1)
    made = keras.Sequential([
        keras.Input((4,)), keras.layers.Dense(5, activation="relu"), keras.layers.Dropout(0.2), keras.layers.Dense(3),
    ])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    made.compile(keras.optimizers.Adam(0.01, name="adam"), loss, metrics=["accuracy"], run_eagerly=eagerly)
    return made


def history(run: Run, metric: str) -> list[tuple[int, float]]:
    points = millstream.MlflowClient().get_metric_history(run.info.run_id, metric)
    return [(point.step, point.value) for point in points]


def files(run: Run, folder: str = "") -> list[str]:
    client, found = millstream.MlflowClient(), []
    for one in client.list_artifacts(run.info.run_id, folder):
        found += files(run, one.path) if one.is_dir else [one.path]
    return sorted(found)


def loaded_of(run: Run) -> tuple[Any, Any]:
    """The run's model as a python function, and its signature."""
    loaded = millstream.pyfunc.load_model(model_of(run).model_uri)
    return loaded, loaded.metadata.signature


def model_of(run: Run) -> LoggedModel:
    [made] = run.outputs.model_outputs
    return millstream.MlflowClient().get_logged_model(made.model_id)


def test_a_training_is_logged_whole(runs: Runs) -> None:
    millstream.keras.autolog()
    model = network()
    told = model.fit(X, Y, 8, 2, verbose=0, validation_data=(X[:8], Y[:8]), class_weight={0: 1.0, 1: 2.0, 2: 1.0})
    [run] = runs()
    assert run.info.status == "FINISHED"
    assert run.data.tags["mlflow.autologging"] == "keras"
    params = run.data.params
    for name, value in {"batch_size": "8", "epochs": "2", "initial_epoch": "0", "shuffle": "True",
                        "validation_split": "0.0", "sample_weight": "None"}.items():
        assert params[name] == value
    assert params["class_weight"] == "{0: 1.0, 1: 2.0, 2: 1.0}"
    assert params["optimizer_name"] == "adam" and float(params["optimizer_learning_rate"]) == pytest.approx(0.01)
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert history(run, name) == list(enumerate(told.history[name]))
    assert history(run, "validation_loss") == list(enumerate(told.history["val_loss"]))
    assert files(run) == ["model_summary.txt"]
    summary = millstream.artifacts.load_text(f"runs:/{run.info.run_id}/model_summary.txt")
    assert "Dropout" in summary and "Total params: 43" in summary
    contexts = [one.tags[0].value for one in run.inputs.dataset_inputs]
    assert sorted(contexts) == ["eval", "train"]
    logged = model_of(run)
    assert (logged.name, logged.status) == ("model", "READY")
    assert {(one.key, one.step) for one in logged.metrics or ()} >= {("loss", 1), ("validation_loss", 1)}
    loaded, signature = loaded_of(run)
    assert signature is not None
    np.testing.assert_allclose(loaded.predict(X), model.predict(X, verbose=0), rtol=1e-5)


def shuffled() -> Any:
    return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(40, seed=3).batch(8)


def by_arrays(model: Any) -> Any:
    return [model.fit(X, Y, batch_size=8, epochs=2, validation_split=0.2, verbose=0).history for _ in range(2)]


def by_stream(model: Any) -> Any:
    stream = shuffled()
    return [model.fit(stream, epochs=2, validation_data=stream, shuffle=False, verbose=0).history for _ in range(2)]


def by_generator(model: Any) -> Any:
    def batches() -> Iterator[Any]:
        position = 0
        while True:
            yield X[position: position + 8], Y[position: position + 8]
            position = (position + 8) % 40

    given = batches()
    return [model.fit(given, steps_per_epoch=3, shuffle=False, verbose=0).history for _ in range(2)]


@pytest.mark.parametrize(
    ("train", "door", "eagerly"),
    [(by_arrays, "tensorflow", False), (by_arrays, "keras", True), (by_stream, "tensorflow", True),
     (by_stream, "keras", True), (by_generator, "tensorflow", True)],
)
def test_training_is_the_same_to_the_last_bit(
    train: Callable[[Any], Any], door: str, eagerly: bool, runs: Runs
) -> None:
    plain = network(eagerly)
    expected = train(plain)
    getattr(millstream, door).autolog(log_input_examples=True)
    logged = network(eagerly)
    assert train(logged) == expected
    for ours, theirs in zip(logged.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert [run.info.status for run in runs()] == ["FINISHED"] * 2


@pytest.mark.parametrize("kind", [list, tuple, keras.callbacks.CallbackList, "one"])
def test_the_callbacks_of_the_caller_stay_his(kind: Any, runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[int] = []
    own = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    model = network()
    given = own if kind == "one" else kind([own])
    if kind is keras.callbacks.CallbackList:
        given.set_model(model)
    before = list(getattr(given, "callbacks", [own]))
    millstream.keras.autolog(log_models=False)
    model.fit(X, Y, None, 2, 0, given)  # by position
    assert seen == [0, 1]
    if kind != "one":
        assert list(getattr(given, "callbacks", given)) == before
    [run] = runs()
    assert [step for step, _ in history(run, "loss")] == [0, 1]
    assert files(run) == ["model_summary.txt"] and "misses" not in caplog.text


def test_an_error_of_the_training_is_the_callers(runs: Runs) -> None:
    millstream.keras.autolog()
    with pytest.raises(ValueError, match="cardinality"):
        network().fit(X, Y[:3], verbose=0)
    [run] = runs()
    assert run.info.status == "FAILED"
    assert [one.status for one in millstream.search_logged_models(output_format="list")] == ["FAILED"]


def test_an_error_of_ours_is_a_line_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, runs: Runs
) -> None:
    millstream.keras.autolog(log_models=False)
    model = network()

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no summary today")

    monkeypatch.setattr(model, "summary", broken)
    with caplog.at_level(logging.WARNING, "millstream"):
        model.fit(X, Y, verbose=0)
    assert "misses model_summary.txt: RuntimeError: no summary today" in caplog.text
    [run] = runs()
    assert run.info.status == "FINISHED" and "loss" in run.data.metrics


def test_metrics_by_batches(runs: Runs) -> None:
    millstream.keras.autolog(log_every_epoch=False, log_every_n_steps=2, log_models=False, log_datasets=False)
    network().fit(X, Y, batch_size=8, epochs=2, validation_split=0.2, verbose=0)
    [run] = runs()
    assert [step for step, _ in history(run, "loss")] == [2, 4, 6, 8]
    assert [step for step, _ in history(run, "validation_loss")] == [4, 8]
    assert "val_loss" not in run.data.metrics
    assert run.inputs.dataset_inputs == []


def test_epochs_go_on_where_they_were(runs: Runs) -> None:
    millstream.keras.autolog(log_models=False)
    model = network()
    with millstream.start_run():
        model.fit(X, Y, epochs=1, verbose=0)
        model.fit(X, Y, epochs=3, initial_epoch=1, verbose=0)
    [run] = runs()
    assert [step for step, _ in history(run, "loss")] == [0, 1, 2]


@pytest.mark.parametrize(
    ("stream", "size"),
    [(shuffled, "8"), (lambda: tf.data.Dataset.from_tensor_slices((X, Y)).batch(8).prefetch(1), "8"),
     (lambda: tf.data.Dataset.from_tensor_slices((X, Y)).batch(10, drop_remainder=True).repeat().take(4), "10")],
    ids=["shuffled", "plain", "repeated"],
)
def test_a_stream_is_described(stream: Callable[[], Any], size: str, runs: Runs) -> None:
    millstream.keras.autolog()
    given = stream()
    model = network()
    model.fit(given, shuffle=False, verbose=0)
    [run] = runs()
    assert run.data.params["batch_size"] == size
    [used] = run.inputs.dataset_inputs
    schema = json.loads(json.loads(used.dataset.schema or "")["mlflow_tensorspec"]["features"])
    assert [one["tensor-spec"]["dtype"] for one in schema] == ["float32", "int64"]
    assert [one["tensor-spec"]["shape"][1:] for one in schema] == [[4], []]
    _, signature = loaded_of(run)
    assert signature.inputs.input_types() == [np.dtype("float32")]
    assert signature.outputs.to_dict()[0]["tensor-spec"]["shape"] == [-1, 3]


def test_tables_and_several_inputs_have_signatures(runs: Runs) -> None:
    millstream.keras.autolog(log_input_examples=True)
    network().fit(pd.DataFrame(X, columns=list("abcd")), Y, verbose=0)
    left, right = keras.Input((2,), name="left"), keras.Input((2,), name="right")
    both = keras.Model([left, right], keras.layers.Dense(1)(keras.layers.Concatenate()([left, right])))
    both.compile("sgd", "mse", run_eagerly=True)
    both.fit([X[:, :2], X[:, 2:]], Y.astype("float32"), verbose=0)
    (table, columns), (several, arrays) = (loaded_of(run) for run in runs())
    assert columns.inputs.input_names() == list("abcd")
    pd.testing.assert_frame_equal(table.input_example, pd.DataFrame(X[:5], columns=list("abcd")))
    assert arrays.inputs.input_names() == ["left", "right"]
    assert several.predict({"left": X[:3, :2], "right": X[:3, 2:]}).shape == (3, 1)


def test_what_is_not_wanted_is_not_logged(runs: Runs) -> None:
    millstream.keras.autolog(log_model_signatures=False, registered_model_name="net", extra_tags={"team": "a"})
    network().fit(X, Y, verbose=0)
    [run] = runs()
    assert run.data.tags["team"] == "a"
    assert millstream.pyfunc.load_model("models:/net/1").metadata.signature is None
    millstream.keras.autolog(exclusive=True)
    with millstream.start_run():
        network().fit(X, Y, verbose=0)
    assert "loss" not in runs()[1].data.metrics


def test_switched_off_it_is_as_it_was(runs: Runs) -> None:
    before = keras.Model.fit
    own = "fit" in vars(keras.Model)
    for order in ("keras tensorflow", "tensorflow keras"):
        for name in order.split():
            getattr(millstream, name).autolog()
        assert keras.Model.fit is not before
        for name in order.split():
            getattr(millstream, name).autolog(disable=True)
        assert keras.Model.fit is before and ("fit" in vars(keras.Model)) is own
    network().fit(X, Y, verbose=0)
    assert runs() == []


@pytest.mark.parametrize(
    ("calls", "logs"),
    [
        (["autolog"], "tensorflow"),
        (["keras"], "keras"),
        (["keras", "autolog"], "keras"),
        (["autolog", "keras"], "keras"),
        (["keras", "tensorflow"], "tensorflow"),
        (["tensorflow", "keras"], "keras"),
        (["autolog", "tensorflow off"], "keras"),
        (["keras", "tensorflow", "tensorflow off"], "keras"),
    ],
)
def test_one_of_two_logs_a_training(calls: list[str], logs: str, runs: Runs) -> None:
    for call in calls:
        name, _, off = call.partition(" ")
        switch = millstream.autolog if name == "autolog" else getattr(millstream, name).autolog
        switch(log_models=False, log_datasets=False, disable=bool(off))
    network().fit(X, Y, verbose=0)
    [run] = runs()
    assert run.data.tags["mlflow.autologging"] == logs
    assert ("opt_name" in run.data.params) is (logs == "tensorflow")
    assert ("optimizer_name" in run.data.params) is (logs == "keras")


@pytest.mark.parametrize(("door", "prefix"), [("keras", "optimizer_"), ("tensorflow", "opt_")])
def test_the_callback_logs_into_the_active_run(door: str, prefix: str, runs: Runs) -> None:
    made = getattr(millstream, door).MlflowCallback
    assert getattr(millstream, door).MLflowCallback is made
    model = network()
    with millstream.start_run():
        model.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[made()])
        model.evaluate(X, Y, verbose=0, callbacks=[made()])
    with millstream.start_run():
        model.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[made(log_every_epoch=False, log_every_n_steps=4)])
    first, second = runs()
    assert first.data.params[f"{prefix}name"] == "adam"
    assert [step for step, _ in history(first, "loss")] == [0, 1]
    assert "validation_loss" in first.data.metrics
    assert files(first) == ["model_summary.txt"]
    assert [step for step, _ in history(second, "loss")] == [4, 8]


def test_the_callback_logs_to_a_model() -> None:
    model = network()
    with millstream.start_run():
        made = millstream.initialize_logged_model("net")
        model.fit(X, Y, verbose=0, callbacks=[millstream.keras.MlflowCallback(model_id=made.model_id)])
    logged = millstream.MlflowClient().get_logged_model(made.model_id)
    assert {one.key for one in logged.metrics or ()} == {"loss", "accuracy"}


@pytest.mark.slow
def test_whatever_keras_computes_with(tmp_path: Path, runs: Runs) -> None:
    """In a process of its own, where Keras is imported after autologging is on, and computes with torch."""
    program = """
        import sys
        import millstream
        import millstream.pyfunc

        millstream.set_tracking_uri(sys.argv[1])
        millstream.autolog()
        assert "keras" not in sys.modules
        import keras
        import torch

        assert keras.backend.backend() == "torch"
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        model.compile("sgd", "mse")
        data = torch.ones(20, 4)
        model.fit(data, data[:, :3], verbose=0)
        uri = millstream.last_logged_model().model_uri
        assert millstream.pyfunc.load_model(uri).predict(data.numpy()).shape == (20, 3)
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "runs")], check=True,
        env={**os.environ, "KERAS_BACKEND": "torch"},
    )
    [run] = runs()
    assert run.data.tags["mlflow.autologging"] == "keras"
    assert "loss" in run.data.metrics and len(run.inputs.dataset_inputs) == 1
    logged = millstream.models.get_model_info(model_of(run).model_uri)
    assert logged.flavors["keras"]["keras_backend"] == "torch"
