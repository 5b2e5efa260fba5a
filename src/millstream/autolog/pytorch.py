"""PyTorch: trainings and tests of Lightning's ``Trainer``, and what is written by TensorBoard's ``SummaryWriter``."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from millstream.autolog.libraries import autologging
from millstream.autolog.patching import Call, Patches
from millstream.autolog.training import Training, first_rows
from millstream.errors import ArtifactNotFound, InvalidValue
from millstream.tracking import artifacts
from millstream.tracking.logging import set_tags
from millstream.tracking.tags import MLFLOW_LATEST_CHECKPOINT_ARTIFACT

CHECKPOINTS = "checkpoints"
# Lightning goes by two names; a program may have both, which share nothing.
PACKAGES = ("lightning.pytorch", "pytorch_lightning")


@autologging("pytorch")
def autolog(
    log_every_n_epoch: int = 1, log_every_n_step: int | None = None, log_models: bool = True,
    log_datasets: bool = True, disable: bool = False, exclusive: bool = False,
    disable_for_unsupported_versions: bool = False, silent: bool = False, registered_model_name: str | None = None,
    extra_tags: dict[str, str] | None = None, checkpoint: bool = True, checkpoint_monitor: str | None = "val_loss",
    checkpoint_mode: str = "min", checkpoint_save_best_only: bool = True, checkpoint_save_weights_only: bool = False,
    checkpoint_save_freq: str | int = "epoch", log_model_signatures: bool = True,
) -> None:
    """Log every ``Trainer.fit`` and ``Trainer.test`` of Lightning: the number of epochs, the optimizer and early
    stopping as parameters, metrics each ``log_every_n_epoch`` epochs and (if given) ``log_every_n_step`` steps, the
    summary of the model, checkpoints and the model.

    Checkpoints are stored each epoch, or every so many steps (``checkpoint_save_freq``): the best by
    ``checkpoint_monitor`` alone, or each under a name of its own. :func:`load_checkpoint` reads them. Plain PyTorch has
    no call that trains; the scalars and hyper-parameters that a ``SummaryWriter`` is given are logged.
    """
    for name, value in (("log_every_n_epoch", log_every_n_epoch), ("log_every_n_step", log_every_n_step)):
        if value is not None and value < 1:
            raise InvalidValue.of(name, value, "it is a whole number from 1 on")
    if checkpoint_mode not in ("min", "max"):
        raise InvalidValue.of("checkpoint_mode", checkpoint_mode, "it is neither 'min' nor 'max'")
    if checkpoint_save_freq != "epoch" and (not isinstance(checkpoint_save_freq, int) or checkpoint_save_freq < 1):
        raise InvalidValue.of("checkpoint_save_freq", checkpoint_save_freq, "it is 'epoch', or a number of steps")


def install(patches: Patches) -> None:
    """Patch Lightning under both of its names and the SummaryWriter, each once it is imported."""
    for name in PACKAGES:
        patches.when_imported(name, lambda module: _install(patches, module))
    patches.when_imported("torch.utils.tensorboard", lambda module: _install_writer(patches, module))


def _install(patches: Patches, package: Any) -> None:
    patches.train(package.Trainer, "fit", _fit)
    patches.train(package.Trainer, "test", _test)


def _install_writer(patches: Patches, module: Any) -> None:
    patches.watch(module.SummaryWriter, "add_scalar", _add_scalar)
    patches.watch(module.SummaryWriter, "add_hparams", _add_hparams)


def _fit(training: Training) -> Generator[None, Any, None]:
    trainer, model = training.instance, training.argument("model")
    if not trainer.is_global_zero:
        yield
        return
    training.set_tags({"Mode": "training"})
    training.log_params({"epochs": trainer.max_epochs})
    stopping = _early_stopping(trainer)
    if stopping is not None:
        training.log_params({name: getattr(stopping, name) for name in ("monitor", "mode", "patience", "min_delta")})
    training.begin_model()
    package = _package_of(trainer)
    ours = _callback(package, training)
    trainer.callbacks.insert(0, ours)
    try:
        yield
    finally:
        trainer.callbacks.remove(ours)
    with training.safely("the summary of the model"):
        summary = importlib.import_module(f"{package}.utilities.model_summary").summarize(model, max_depth=-1)
        training.log_text(str(summary), "model_summary.txt")
    if stopping is not None and stopping.stopped_epoch:
        training.log_metrics({
            "stopped_epoch": stopping.stopped_epoch, "wait_count": stopping.wait_count,
            "restored_epoch": stopping.stopped_epoch - max(1, stopping.patience),
            "best_score": float(stopping.best_score),
        }, step=trainer.current_epoch)
    example = ours.example

    def predict(rows: Any) -> Any:
        from millstream.flavors.pytorch import PythonFunction

        return PythonFunction(model, None).predict(rows)

    training.log_model("pytorch", model, examples=example, predict=predict)


def _test(training: Training) -> Generator[None, Any, None]:
    trainer = training.instance
    results = yield
    if not trainer.is_global_zero:
        return
    training.set_tags({"Mode": "testing"})
    for metrics in results or ():
        training.log_metrics({name: float(value) for name, value in metrics.items()})


def _callback(package: str, training: Training) -> Any:
    """What watches a fit: a callback of the Lightning that the trainer is of."""
    base: Any = importlib.import_module(package).Callback
    settings = training.settings
    checkpoints = None
    if settings.checkpoint:
        asked = {name: getattr(settings, f"checkpoint_{name}") for name in _CHECKPOINT}
        checkpoints = _Checkpoints(training, SimpleNamespace(**asked))

    class MillstreamCallback(base):  # type: ignore[misc]
        example: Any = None
        of_steps: frozenset[str] = frozenset()

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            with training.safely("the optimizer"):
                for optimizer in trainer.optimizers[:1]:
                    training.log_params({"optimizer_name": type(optimizer).__name__, **_plain(optimizer.defaults)})

        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
            if self.example is None and settings.log_models and settings.log_model_signatures:
                with training.safely("the input example"):
                    first = batch[0] if isinstance(batch, (list, tuple)) else batch
                    self.example = first_rows(first.detach().cpu().numpy()) if hasattr(first, "detach") else None

        def on_train_batch_end(self, trainer: Any, *others: Any) -> None:
            step = trainer.global_step
            every = settings.log_every_n_step
            if every and step % every == 0:
                with training.safely("the metrics of a step"):
                    metrics = _step_metrics(trainer)
                    self.of_steps |= metrics.keys()
                    training.log_metrics(metrics, step - 1)
            if checkpoints is not None:
                checkpoints.at_batch(trainer)

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            epoch = trainer.current_epoch
            if epoch % settings.log_every_n_epoch == 0:
                with training.safely("the metrics of an epoch"):
                    training.log_metrics({
                        name: float(value) for name, value in trainer.callback_metrics.items()
                        if name not in self.of_steps
                    }, epoch)
            if checkpoints is not None:
                checkpoints.at_epoch(trainer)

    return MillstreamCallback()


_CHECKPOINT = ("monitor", "mode", "save_best_only", "save_weights_only", "save_freq")


class _Run(Protocol):
    """Where checkpoints go: an autologged training, or the active run."""

    def safely(self, what: str) -> AbstractContextManager[Any]: ...
    def log_artifact(self, local_path: str, artifact_path: str | None = None) -> None: ...
    def log_dict(self, content: Any, artifact_file: str) -> None: ...
    def set_tags(self, tags: dict[str, Any]) -> object: ...


class _ActiveRun:
    """The active run, of a program that asks for checkpoints by itself: what goes wrong is raised."""

    def safely(self, what: str) -> AbstractContextManager[Any]:
        return nullcontext()

    log_artifact = staticmethod(artifacts.log_artifact)
    log_dict = staticmethod(artifacts.log_dict)
    set_tags = staticmethod(set_tags)


class _Checkpoints:
    """The checkpoints of a fit, stored as artifacts of the run."""

    def __init__(self, run: _Run, asked: SimpleNamespace) -> None:
        self.run = run
        self.asked = asked
        self.best: float | None = None

    def at_batch(self, trainer: Any) -> None:
        """Note that a batch is done."""
        every = self.asked.save_freq
        if every != "epoch" and trainer.global_step % every == 0:
            self._save(trainer)

    def at_epoch(self, trainer: Any) -> None:
        """Note that an epoch is done."""
        if self.asked.save_freq == "epoch":
            self._save(trainer)

    def _save(self, trainer: Any) -> None:
        with self.run.safely("a checkpoint"):
            metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
            folder, stem = CHECKPOINTS, "latest_checkpoint"
            if self.asked.save_best_only:
                value = metrics.get(self.asked.monitor)
                if value is None or not self._is_better(value):
                    return
                self.best = value
            elif self.asked.save_freq == "epoch":
                folder, stem = f"{CHECKPOINTS}/epoch_{trainer.current_epoch}", "checkpoint"
            else:
                folder, stem = f"{CHECKPOINTS}/global_step_{trainer.global_step}", "checkpoint"
            ending = "weights.pth" if self.asked.save_weights_only else "pth"
            with tempfile.TemporaryDirectory() as scratch:
                file = os.path.join(scratch, f"{stem}.{ending}")
                trainer.save_checkpoint(file, weights_only=self.asked.save_weights_only)
                self.run.log_artifact(file, folder)
            about = {**metrics, "epoch": trainer.current_epoch, "global_step": trainer.global_step}
            self.run.log_dict(about, f"{folder}/{stem}_metrics.json")
            self.run.set_tags({MLFLOW_LATEST_CHECKPOINT_ARTIFACT: f"{folder}/{stem}.{ending}"})

    def _is_better(self, value: float) -> bool:
        return self.best is None or (value < self.best if self.asked.mode == "min" else value > self.best)


def MlflowModelCheckpointCallback(
    monitor: str | None = "val_loss", mode: str = "min", save_best_only: bool = True, save_weights_only: bool = False,
    save_freq: str | int = "epoch",
) -> Any:
    """A callback of Lightning that stores checkpoints in the active run, as :func:`autolog` does.

    It is of the Lightning that the program has imported, ``lightning.pytorch`` where that is both.
    """
    package = next((name for name in PACKAGES if name in sys.modules), PACKAGES[0])
    base: Any = importlib.import_module(package).Callback
    asked = SimpleNamespace(monitor=monitor, mode=mode, save_best_only=save_best_only,
                            save_weights_only=save_weights_only, save_freq=save_freq)
    checkpoints = _Checkpoints(_ActiveRun(), asked)

    class MlflowModelCheckpoint(base):  # type: ignore[misc]
        def on_train_batch_end(self, trainer: Any, *others: Any) -> None:
            if trainer.is_global_zero:
                checkpoints.at_batch(trainer)

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            if trainer.is_global_zero:
                checkpoints.at_epoch(trainer)

    return MlflowModelCheckpoint()


def load_checkpoint(
    model_class: Any, run_id: str | None = None, epoch: int | None = None, global_step: int | None = None,
    kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """A model of the Lightning class ``model_class`` from a checkpoint of a run (the active one unless given).

    Of several, the one of an ``epoch`` or ``global_step``; the latest unless one is named. ``kwargs`` go to
    ``load_from_checkpoint``. Raises ArtifactNotFound when the run has no such checkpoint, and UntrustedModel.
    """
    from millstream.flavors.loading import fetch_checkpoint
    from millstream.tracking import runs

    if run_id is None:
        active = runs.active_run()
        if active is None:
            raise InvalidValue("there is no active run to load a checkpoint of", hint="name the run: run_id='…'")
        run_id = active.info.run_id
    latest = runs.get_run(run_id).data.tags.get(MLFLOW_LATEST_CHECKPOINT_ARTIFACT)
    if latest is None:
        raise ArtifactNotFound(f"the run {run_id} has no checkpoint", hint="train with millstream.pytorch.autolog()")
    path = latest
    if epoch is not None or global_step is not None:
        folder = f"epoch_{epoch}" if epoch is not None else f"global_step_{global_step}"
        path = f"{CHECKPOINTS}/{folder}/checkpoint.{Path(latest).name.partition('.')[2]}"
    return model_class.load_from_checkpoint(str(fetch_checkpoint(run_id, path)), **(kwargs or {}))


def _package_of(trainer: Any) -> str:
    """The name under which Lightning made this trainer."""
    for kind in type(trainer).__mro__:
        for name in PACKAGES:
            if f"{kind.__module__}.".startswith(f"{name}."):
                return name
    return PACKAGES[0]


def _early_stopping(trainer: Any) -> Any:
    return next((one for one in trainer.callbacks if type(one).__name__ == "EarlyStopping"), None)


def _step_metrics(trainer: Any) -> dict[str, float]:
    """The values that were logged for the last step, without those that stand for an epoch."""
    found: Mapping[str, Any] = trainer._logger_connector.metrics["callback"]  # callback_metrics keeps older ones too
    return {name: float(value) for name, value in found.items() if f"{name}_step" not in found}


def _plain(defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in defaults.items() if not callable(value)}


def _add_scalar(call: Call) -> Generator[None, Any, None]:
    from millstream.tracking.logging import log_metric

    yield
    value = call.argument("scalar_value")
    if not hasattr(value, "numel") or value.numel() == 1:
        log_metric(str(call.argument("tag")), float(value), step=int(call.argument("global_step") or 0))


def _add_hparams(call: Call) -> Generator[None, Any, None]:
    from millstream.tracking.logging import log_metrics, log_params

    yield
    log_params(dict(call.argument("hparam_dict") or {}))
    log_metrics({name: float(value) for name, value in (call.argument("metric_dict") or {}).items()})
