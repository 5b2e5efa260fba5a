"""TensorFlow's autologging: what it adds to that of Keras."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import millstream
import millstream.tensorflow
from millstream.errors import ArtifactNotFound, InvalidValue, NotFound
from tests.unit.autolog.test_keras import Runs, X, Y, files, history, model_of, network


@pytest.fixture(autouse=True)
def in_its_place(tracking: Path) -> None:
    pass


def train(settings: dict[str, Any], runs: Runs, **arguments: Any) -> tuple[Any, Any]:
    """A training of two epochs with four batches each, and its run."""
    millstream.tensorflow.autolog(**{"log_models": False, "log_datasets": False, **settings})
    model = network()
    model.fit(X, Y, **{"batch_size": 8, "epochs": 2, "validation_split": 0.2, "verbose": 0, **arguments})
    return model, runs()[-1]


def events(run: Any, part: str) -> list[tuple[int, str, Any]]:
    [path] = files(run, f"tensorboard_logs/{part}")
    file = millstream.artifacts.download_artifacts(f"runs:/{run.info.run_id}/{path}")
    found = []
    for record in tf.data.TFRecordDataset(file).as_numpy_iterator():
        event = tf.compat.v1.Event.FromString(record)
        found += [(event.step, one.tag, float(tf.make_ndarray(one.tensor))) for one in event.summary.value]
    return found


def test_a_training_is_logged_whole(runs: Runs) -> None:
    model, run = train({"log_models": True, "log_datasets": True}, runs)
    assert run.data.tags["mlflow.autologging"] == "tensorflow"
    assert run.data.tags["mlflow.latest_checkpoint_artifact"] == "checkpoints/latest_checkpoint.keras"
    assert run.data.params["opt_name"] == "adam" and run.data.params["validation_split"] == "0.2"
    assert [path for path in files(run) if not path.startswith("tensorboard")] == [
        "checkpoints/latest_checkpoint.keras", "checkpoints/latest_checkpoint_metrics.json", "model_summary.txt",
    ]
    losses = history(run, "loss")
    assert events(run, "train") == [
        (step, f"epoch_{name}", pytest.approx(history(run, name)[step][1]))
        for step in (0, 1) for name in ("accuracy", "loss")
    ]
    assert [tag for _, tag, _ in events(run, "validation")] == ["epoch_accuracy", "epoch_loss"] * 2
    assert len(losses) == 2 and len(run.inputs.dataset_inputs) == 1
    loaded = millstream.tensorflow.load_model(model_of(run).model_uri)
    np.testing.assert_array_equal(loaded.predict(X, verbose=0), model.predict(X, verbose=0))


def test_the_event_files_of_the_caller_are_stored(tmp_path: Path, runs: Runs) -> None:
    class Own(keras.callbacks.TensorBoard):  # type: ignore[misc]
        """The callback without the package tensorboard: it writes where the real one does."""

        def __init__(self) -> None:
            keras.callbacks.Callback.__init__(self)
            self.log_dir = str(tmp_path / "logs")

    for name in vars(keras.callbacks.TensorBoard):
        if name.startswith(("on_", "set_")):
            setattr(Own, name, getattr(keras.callbacks.Callback, name))

    def written(self: Any, logs: Any = None) -> None:
        (tmp_path / "logs" / "train").mkdir(exist_ok=True)
        (tmp_path / "logs" / "train" / "events.own").write_bytes(b"own")

    Own.on_train_begin = written
    (tmp_path / "logs").mkdir()
    old = tmp_path / "logs" / "events.of.yesterday"
    old.write_bytes(b"")
    os.utime(old, (0, 0))
    _, run = train({"checkpoint": False}, runs, callbacks=[Own()])
    assert files(run, "tensorboard_logs") == ["tensorboard_logs/train/events.own"]


def test_only_the_best_checkpoint_is_kept(runs: Runs) -> None:
    for mode, best in (("min", min), ("max", max)):
        _, run = train({"checkpoint_monitor": "loss", "checkpoint_mode": mode}, runs, epochs=3)
        losses = [value for _, value in history(run, "loss")]
        told = millstream.artifacts.load_dict(f"runs:/{run.info.run_id}/checkpoints/latest_checkpoint_metrics.json")
        assert told["epoch"] == losses.index(best(losses))
        assert told["loss"] == best(losses) and told["global_step"] == 4 * (told["epoch"] + 1)
    _, run = train({}, runs, validation_split=0.0)  # there is no val_loss
    assert not any(path.startswith("checkpoints") for path in files(run))
    _, run = train({"checkpoint": False}, runs)
    assert not any(path.startswith("checkpoints") for path in files(run))


def test_a_checkpoint_after_each_epoch_is_the_model_of_then(runs: Runs) -> None:
    weights: list[Any] = []
    model = network()
    own = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: weights.append(model.get_weights()))
    millstream.tensorflow.autolog(checkpoint_save_best_only=False, log_models=False)
    with millstream.start_run() as active:
        model.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[own])
        last = millstream.tensorflow.load_checkpoint()
    run_id = active.info.run_id
    assert [path for path in files(runs()[0], "checkpoints") if path.endswith(".keras")] == [
        "checkpoints/epoch_0/checkpoint.keras", "checkpoints/epoch_1/checkpoint.keras",
    ]
    for loaded, expected in (
        (last, weights[1]), (millstream.tensorflow.load_checkpoint(run_id=run_id, epoch=0), weights[0]),
    ):
        for ours, theirs in zip(loaded.get_weights(), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert last.optimizer.iterations == 10


def test_checkpoints_of_weights_after_batches(runs: Runs) -> None:
    model, run = train(
        {"checkpoint_save_best_only": False, "checkpoint_save_freq": 4, "checkpoint_save_weights_only": True}, runs
    )
    assert [path for path in files(run, "checkpoints") if path.endswith(".h5")] == [
        "checkpoints/global_step_4/checkpoint.weights.h5", "checkpoints/global_step_8/checkpoint.weights.h5",
    ]
    run_id = run.info.run_id
    with pytest.raises(InvalidValue, match="weights alone"):
        millstream.tensorflow.load_checkpoint(run_id=run_id)
    other = network()
    other.optimizer.build(other.trainable_variables)
    assert millstream.tensorflow.load_checkpoint(other, run_id, global_step=8) is other
    for ours, theirs in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_checkpoint_that_is_not_there_is_told(runs: Runs) -> None:
    _, run = train({}, runs)
    for arguments, error in (
        ({"epoch": 7}, ArtifactNotFound), ({"global_step": 7}, ArtifactNotFound),
        ({"epoch": 1, "global_step": 1}, InvalidValue),
    ):
        with pytest.raises(error):
            millstream.tensorflow.load_checkpoint(run_id=run.info.run_id, **arguments)
    with pytest.raises(InvalidValue, match="no active run"):
        millstream.tensorflow.load_checkpoint()
    with millstream.start_run(), pytest.raises(NotFound, match="no checkpoints"):
        millstream.tensorflow.load_checkpoint()


@pytest.mark.parametrize("restore", [True, False])
def test_early_stopping_is_told(restore: bool, runs: Runs) -> None:
    early = keras.callbacks.EarlyStopping("loss", min_delta=10, patience=1, restore_best_weights=restore)
    _, run = train({"checkpoint": False}, runs, epochs=9, callbacks=[early])
    assert run.data.params["monitor"] == "loss" and run.data.params["patience"] == "1"
    assert run.data.params["min_delta"] == "10" and run.data.params["restore_best_weights"] == str(restore)
    losses = history(run, "loss")
    assert run.data.metrics["stopped_epoch"] == 1
    if restore:
        assert run.data.metrics["restored_epoch"] == 0
        assert losses == [*losses[:2], (2, losses[0][1])]
    else:
        assert "restored_epoch" not in run.data.metrics and [step for step, _ in losses] == [0, 1]
    _, run = train({"checkpoint": False}, runs, callbacks=[keras.callbacks.EarlyStopping("loss", patience=5)])
    assert "stopped_epoch" not in run.data.metrics and run.data.params["patience"] == "5"


def test_a_failed_training_keeps_what_it_had(runs: Runs) -> None:
    def stop(epoch: int, logs: Any) -> None:
        if epoch == 1:
            raise RuntimeError("stopped here")

    with pytest.raises(RuntimeError, match="stopped here"):
        train({}, runs, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=stop)])
    [run] = runs()
    assert run.info.status == "FAILED"
    assert "checkpoints/latest_checkpoint.keras" in files(run) and "model_summary.txt" in files(run)
    assert [step for step, _, _ in events(run, "train")] == [0, 0]


@pytest.mark.parametrize("settings", [{"checkpoint_mode": "best"}, {"checkpoint_save_freq": 0}])
def test_settings_that_are_none_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=next(iter(settings))):
        millstream.tensorflow.autolog(**settings)


def test_training_goes_on_while_checkpoints_are_stored(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    from millstream.autolog.training import Training

    gate, original = threading.Event(), Training.log_artifact
    waited: list[bool] = []

    def slow(self: Training, *arguments: Any) -> None:
        if arguments[1].startswith("checkpoints"):
            waited.append(gate.wait(60))
        original(self, *arguments)

    monkeypatch.setattr(Training, "log_artifact", slow)
    ended: Callable[[Any, Any], Any] = lambda epoch, logs: gate.set() if epoch == 2 else None  # noqa: E731
    _, run = train({"checkpoint_save_best_only": False}, runs, epochs=3,
                   callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=ended)])
    assert waited and all(waited)  # the gate opened, so the third epoch came to its end before the first was stored
    assert len([path for path in files(run, "checkpoints") if path.endswith(".keras")]) == 3
