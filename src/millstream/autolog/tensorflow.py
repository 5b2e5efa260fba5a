"""Autologging of TensorFlow: what Keras trains with it, with checkpoints and event files of TensorBoard."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, Literal

from millstream.autolog import keras as keras_autolog
from millstream.autolog.checkpoints import Checkpoints, load_checkpoint
from millstream.autolog.epochs import Watch, callback, summary
from millstream.autolog.keras import CHOSEN, Fit
from millstream.autolog.libraries import LIBRARIES, Library, autologging
from millstream.autolog.patching import Patches
from millstream.autolog.tensorboard import Events

__all__ = ["autolog", "install", "load_checkpoint"]

EARLY_STOPPING = ("monitor", "min_delta", "patience", "baseline", "restore_best_weights")


@autologging("tensorflow")
def autolog(
    log_models: bool = True, log_datasets: bool = True, disable: bool = False, exclusive: bool = False,
    disable_for_unsupported_versions: bool = False, silent: bool = False, registered_model_name: str | None = None,
    log_input_examples: bool = False, log_model_signatures: bool = True,
    saved_model_kwargs: dict[str, Any] | None = None, keras_model_kwargs: dict[str, Any] | None = None,
    extra_tags: dict[str, str] | None = None, log_every_epoch: bool = True, log_every_n_steps: int | None = None,
    checkpoint: bool = True, checkpoint_monitor: str = "val_loss", checkpoint_mode: Literal["min", "max"] = "min",
    checkpoint_save_best_only: bool = True, checkpoint_save_weights_only: bool = False,
    checkpoint_save_freq: int | Literal["epoch"] = "epoch",
) -> None:
    """Log every ``keras.Model.fit`` that TensorFlow computes.

    - Parameters: the arguments of the call, the optimizer's as ``opt_<name>``, and those of an ``EarlyStopping``.
    - Metrics after each epoch (``log_every_epoch``), or after each ``log_every_n_steps`` batches; those on the
      validation data also as ``validation_<name>``. Of early stopping ``stopped_epoch`` and, when the best weights came
      back, ``restored_epoch`` and its metrics, at one step after the last.
    - Checkpoints (``checkpoint``) below ``checkpoints/``, with their metrics: after each epoch, or after so many
      batches (``checkpoint_save_freq``); only the one with the best ``checkpoint_monitor`` (``checkpoint_mode`` says
      whether low or high is good) unless ``checkpoint_save_best_only`` is false; whole models or weights.
      :func:`millstream.tensorflow.load_checkpoint` reads them.
    - ``model_summary.txt``, event files for TensorBoard below ``tensorboard_logs/``, the model (``log_models``;
      ``keras_model_kwargs`` as in :func:`millstream.tensorflow.save_model`), and the data (``log_datasets``).

    The other arguments are those of :func:`millstream.autolog`. Raises InvalidValue for another ``checkpoint_mode`` or
    ``checkpoint_save_freq``.
    """
    from millstream.errors import InvalidValue

    if checkpoint_mode not in ("min", "max"):
        raise InvalidValue.of("checkpoint_mode", checkpoint_mode, "it is neither min nor max")
    frequency: Any = checkpoint_save_freq
    if frequency != "epoch" and (not isinstance(frequency, int) or frequency < 1):
        raise InvalidValue.of("checkpoint_save_freq", frequency, "it is neither 'epoch' nor a number of batches")
    CHOSEN["last"] = "tensorflow"


def install(patches: Patches) -> None:
    """Patch ``keras.Model.fit`` where Keras computes with TensorFlow."""
    import keras

    if keras.backend.backend() == "tensorflow":
        patches.train(keras.Model, "fit", _fit, kind=_EitherFit)


class _EitherFit(Fit):
    """A call of ``fit``, which only one of the two libraries logs where both are on."""

    def __init__(self, library: Library, *call: Any) -> None:
        keras = LIBRARIES["keras"]
        if not keras.is_off and keras.is_own and (not library.is_own or CHOSEN["last"] == "keras"):
            library = keras
        super().__init__(library, *call)


def _fit(training: Fit) -> Generator[None, Any, None]:
    if training.library.name == "keras":
        yield from keras_autolog.fit(training)
        return
    settings = training.settings
    keras_autolog.log_beginning(training, "opt_")
    early = _early_stopping(training)
    training.begin_model()
    place = Path(tempfile.mkdtemp(prefix="millstream-tensorboard-"))
    events = Events(place)
    checkpoints = Checkpoints(training) if settings.checkpoint else None
    told: dict[str, str] = {}
    began = time.time()

    def at_epoch(epoch: int, logs: Mapping[str, Any]) -> None:
        with training.safely("tensorboard_logs"):
            events.log(epoch, logs)
        if checkpoints is not None:
            with training.safely("checkpoints"):
                checkpoints.at_epoch(epoch, logs)

    def at_batch(step: int, logs: Mapping[str, Any]) -> None:
        if checkpoints is not None:
            with training.safely("checkpoints"):
                checkpoints.at_batch(watch.epoch, step, logs)

    by_batches = checkpoints is not None and checkpoints.every is not None
    watch = Watch(training, settings.log_every_epoch, settings.log_every_n_steps, at_epoch,
                  at_batch if by_batches else None)
    undo = training.add_callback(callback(watch, training.safely, lambda model: told.update(text=summary(model))))
    try:
        yield
        if early is not None:
            _log_stop(training, early, watch)
        keras_autolog.log_end(training, "tensorflow", saved_model_kwargs=settings.saved_model_kwargs,
                              keras_model_kwargs=settings.keras_model_kwargs)
    finally:
        undo()
        if told:
            training.log_text(told["text"], "model_summary.txt")
        events.close()
        _log_events(training, place, began)
        if checkpoints is not None:
            checkpoints.close()
        shutil.rmtree(place, ignore_errors=True)


def _callbacks(training: Fit) -> list[Any]:
    given = training.arguments.get("callbacks")
    given = getattr(given, "callbacks", given)
    return [*given] if isinstance(given, (list, tuple)) else [given]


def _early_stopping(training: Fit) -> Any:
    """The EarlyStopping callback of the caller, its parameters logged; None when there is none."""
    import keras

    early = next((one for one in _callbacks(training) if isinstance(one, keras.callbacks.EarlyStopping)), None)
    if early is not None:
        params = {name: getattr(early, name) for name in EARLY_STOPPING if hasattr(early, name)}
        if isinstance(params.get("min_delta"), (int, float)):
            params["min_delta"] = abs(params["min_delta"])  # Keras gives it a sign in the first training
        training.log_params(params)
    return early


def _log_stop(training: Fit, early: Any, watch: Watch) -> None:
    with training.safely("early stopping"):
        if not early.stopped_epoch:
            return
        training.log_metrics({"stopped_epoch": early.stopped_epoch})
        if early.restore_best_weights and watch.last_epoch is not None:
            training.log_metrics({"restored_epoch": early.best_epoch})
            training.log_metrics(watch.history.get(early.best_epoch, {}), watch.last_epoch + 1)


def _log_events(training: Fit, place: Path, began: float) -> None:
    """Store our event files, or what a TensorBoard callback of the caller has written since the training began."""
    import keras

    own = next((one for one in _callbacks(training) if isinstance(one, keras.callbacks.TensorBoard)), None)
    root = Path(own.log_dir) if own is not None else place
    with training.safely("tensorboard_logs"):
        for file in sorted(root.rglob("*")):
            if file.is_file() and file.stat().st_mtime >= began - 1:
                inside = file.parent.relative_to(root).as_posix()
                training.log_artifact(str(file), "tensorboard_logs" if inside == "." else f"tensorboard_logs/{inside}")
