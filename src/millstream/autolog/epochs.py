"""What a Keras training logs while it runs, by a callback that takes part in it.

The callback has hooks for batches only where something is logged by batches: with such hooks Keras waits for the
numbers of each batch, without them only for those of each epoch.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol


class Place(Protocol):
    """Where metrics go."""

    def log_metrics(self, metrics: Mapping[str, Any], step: int) -> None: ...


class Watch:
    """The training as the callback sees it: epochs and batches counted, and metrics logged of them.

    ``epoch`` is the current one, from 0; ``step`` the number of batches that this training has seen. ``at_epoch`` and
    ``at_batch`` are called with ``(epoch, logs)`` and ``(step, logs)`` after the metrics are logged.
    """

    def __init__(
        self, place: Place, log_every_epoch: bool = True, log_every_n_steps: int | None = None,
        at_epoch: Callable[[int, Mapping[str, Any]], None] | None = None,
        at_batch: Callable[[int, Mapping[str, Any]], None] | None = None,
    ) -> None:
        self.place = place
        self.log_every_epoch = log_every_epoch
        self.log_every_n_steps = log_every_n_steps
        self.at_epoch = at_epoch
        self.at_batch = at_batch
        self.epoch = 0
        self.step = 0
        self.last_epoch: int | None = None
        self.history: dict[int, dict[str, float]] = {}

    @property
    def by_batches(self) -> bool:
        """Whether hooks for batches are needed."""
        return bool(self.log_every_n_steps) or self.at_batch is not None

    def epoch_begins(self, epoch: int) -> None:
        self.epoch = epoch

    def batch_ends(self, logs: Mapping[str, Any]) -> None:
        self.step += 1
        if self.log_every_n_steps and self.step % self.log_every_n_steps == 0:
            self.place.log_metrics(logs, self.step)
        if self.at_batch is not None:
            self.at_batch(self.step, logs)

    def epoch_ends(self, epoch: int, logs: Mapping[str, Any]) -> None:
        self.last_epoch = epoch
        self.history[epoch] = dict(logs)
        if self.log_every_epoch:
            self.place.log_metrics(logs, epoch)
        if self.at_epoch is not None:
            self.at_epoch(epoch, logs)

    def test_ends(self, logs: Mapping[str, Any]) -> None:
        step = self.epoch if self.log_every_epoch else self.step
        self.place.log_metrics({f"validation_{name}": value for name, value in logs.items()}, step)


def callback(watch: Watch, safely: Callable[[str], Any], begins: Callable[[Any], None]) -> Any:
    """A Keras callback that tells ``watch`` of a training; ``begins`` is called with the model when it is built.

    All that it does is in blocks of ``safely(what)``.
    """
    keras: Any = importlib.import_module("keras")

    class Epochs(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, logs: Any = None) -> None:
            with safely("model_summary.txt"):
                begins(self.model)

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            watch.epoch_begins(epoch)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            with safely("metrics of epochs"):
                watch.epoch_ends(epoch, logs or {})

        def on_test_end(self, logs: Any = None) -> None:
            with safely("metrics of validation"):
                watch.test_ends(logs or {})

    class Batches(Epochs):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            with safely("metrics of batches"):
                watch.batch_ends(logs or {})

    return Batches() if watch.by_batches else Epochs()


def summary(model: Any) -> str:
    """The table of the model's layers, as ``model.summary()`` prints it."""
    lines: list[str] = []
    model.summary(print_fn=lambda line, line_break=True: lines.append(line))
    return "\n".join(lines)


def optimizer_params(model: Any, prefix: str) -> dict[str, Any]:
    """What the optimizer of a compiled model is set to, each name with ``prefix`` before it."""
    optimizer = getattr(model, "optimizer", None)
    return {} if optimizer is None else {f"{prefix}{name}": value for name, value in optimizer.get_config().items()}


class _ActiveRun:
    """The active run as a place of metrics."""

    def __init__(self, model_id: str | None) -> None:
        self.model_id = model_id

    def log_metrics(self, metrics: Mapping[str, Any], step: int) -> None:
        from millstream.tracking import logging

        logging.log_metrics({name: float(value) for name, value in metrics.items()}, step=step, model_id=self.model_id)


@functools.cache
def callback_class(prefix: str) -> Any:
    """The class of the callback that users add by themselves, which logs into the active run.

    Made when it is first asked for, as it is a class of Keras. What cannot be logged raises, as it does in any function
    that a program calls to log.
    """
    keras: Any = importlib.import_module("keras")

    class MlflowCallback(keras.callbacks.Callback):  # type: ignore[misc]
        """Logs a training into the active run: the optimizer's parameters, ``model_summary.txt``, the metrics after
        each epoch (``log_every_epoch``) or after so many batches (``log_every_n_steps``), those of validation as
        ``validation_<name>``. ``model_id`` names a logged model that the metrics belong to."""

        def __init__(
            self, log_every_epoch: bool = True, log_every_n_steps: int | None = None, model_id: str | None = None
        ) -> None:
            super().__init__()
            self.watch = Watch(_ActiveRun(model_id), log_every_epoch, log_every_n_steps)
            if not self.watch.by_batches:  # with a hook for batches, Keras would wait for the numbers of each
                self.__dict__["on_train_batch_end"] = super().on_train_batch_end

        def on_train_begin(self, logs: Any = None) -> None:
            from millstream.tracking import artifacts, logging

            logging.log_params(optimizer_params(self.model, prefix))
            artifacts.log_text(summary(self.model), "model_summary.txt")

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.watch.epoch_begins(epoch)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.watch.epoch_ends(epoch, logs or {})

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.watch.batch_ends(logs or {})

        def on_test_end(self, logs: Any = None) -> None:
            self.watch.test_ends(logs or {})

    MlflowCallback.__qualname__ = "MlflowCallback"
    MlflowCallback.__module__ = "millstream.keras" if prefix == "optimizer_" else "millstream.tensorflow"
    return MlflowCallback
