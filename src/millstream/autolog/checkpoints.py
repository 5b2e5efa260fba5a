"""Checkpoints of a Keras training: written between batches or epochs, stored while it goes on."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from millstream.autolog.training import Training
from millstream.errors import ArtifactNotFound, InvalidValue, NotFound

FOLDER = "checkpoints"
LATEST = "mlflow.latest_checkpoint_artifact"  # the tag that names the last one
SUFFIXES = (".keras", ".weights.h5", ".h5")  # ours, and that of MLflow
_WEIGHTS = ".weights.h5"


class Checkpoints:
    """The checkpoints of one training, as its settings ``checkpoint_*`` ask for them.

    Without ``checkpoint_save_best_only`` each has a folder of its own; with it there is one, of the best model so far.
    Beside each lie its metrics as JSON.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        settings = training.settings
        self.monitor: str = settings.checkpoint_monitor
        self.lower = settings.checkpoint_mode != "max"
        self.best_only: bool = settings.checkpoint_save_best_only
        self.suffix = _WEIGHTS if settings.checkpoint_save_weights_only else ".keras"
        frequency = settings.checkpoint_save_freq
        self.every: int | None = frequency if isinstance(frequency, int) else None
        self.best = math.inf if self.lower else -math.inf
        self._began = self._iterations()
        self._scratch = Path(tempfile.mkdtemp(prefix="millstream-checkpoints-"))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="millstream-checkpoints")
        self._waiting: dict[str, Path] = {}
        self._count = 0

    def at_batch(self, epoch: int, step: int, logs: Mapping[str, Any]) -> None:
        """Note that ``step`` batches are done, the last one in ``epoch``."""
        if self.every and step % self.every == 0:
            self._save(f"global_step_{step}", epoch, logs)

    def at_epoch(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Note that an epoch is done."""
        if self.every is None:
            self._save(f"epoch_{epoch}", epoch, logs)

    def _iterations(self) -> int:
        """The batches that the optimizer has seen, in all trainings of the model."""
        iterations = getattr(getattr(self.training.instance, "optimizer", None), "iterations", None)
        return 0 if iterations is None else int(iterations)

    def _save(self, name: str, epoch: int, logs: Mapping[str, Any]) -> None:
        if self.best_only:
            if self.monitor not in logs:
                return
            value = float(logs[self.monitor])
            if not (value < self.best if self.lower else value > self.best):
                return
            self.best = value
        self._count += 1
        made = self._scratch / str(self._count)
        made.mkdir()
        stem, folder = ("latest_checkpoint", FOLDER) if self.best_only else ("checkpoint", f"{FOLDER}/{name}")
        model = self.training.instance
        (model.save_weights if self.suffix == _WEIGHTS else model.save)(str(made / f"{stem}{self.suffix}"))
        metrics = {key: float(value) for key, value in logs.items()}
        facts = {**metrics, "epoch": epoch, "global_step": self._iterations() - self._began}
        (made / f"{stem}_metrics.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")
        before = self._waiting.pop(folder, None)  # a better one came before it was stored
        self._waiting[folder] = made
        if before is not None:
            shutil.rmtree(before, ignore_errors=True)
        self._thread.submit(self._store, folder, f"{folder}/{stem}{self.suffix}")

    def _store(self, folder: str, path: str) -> None:
        made = self._waiting.pop(folder, None)
        if made is None:
            return
        for file in sorted(made.iterdir()):
            self.training.log_artifact(str(file), folder)
        self.training.set_tags({LATEST: path})
        shutil.rmtree(made, ignore_errors=True)

    def close(self) -> None:
        """Wait until all of them are stored."""
        self._thread.shutdown()
        shutil.rmtree(self._scratch, ignore_errors=True)


def load_checkpoint(
    model: Any = None, run_id: str | None = None, epoch: int | None = None, global_step: int | None = None
) -> Any:
    """The model as a checkpoint of a run has it: the last one, or that of an ``epoch`` (from 0) or ``global_step``.

    A checkpoint of weights alone is read into ``model``, which is returned. ``run_id`` is the active run's unless
    given. Raises NotFound for a run without checkpoints, ArtifactNotFound for one that lacks this one, UntrustedModel,
    and InvalidValue without a run, without the model that weights need, and for both an epoch and a step.
    """
    from millstream.flavors import keras_models, loading
    from millstream.tracking.client import MlflowClient
    from millstream.tracking.runs import active_run

    if epoch is not None and global_step is not None:
        raise InvalidValue("a checkpoint is named by epoch or by global_step, not by both")
    if run_id is None:
        active = active_run()
        if active is None:
            raise InvalidValue("there is no active run whose checkpoint could be loaded", hint="give run_id=…")
        run_id = active.info.run_id
    if epoch is None and global_step is None:
        path = MlflowClient().get_run(run_id).data.tags.get(LATEST)
        if path is None:
            raise NotFound(f"the run {run_id} has no checkpoints",
                           hint="millstream.tensorflow.autolog(checkpoint=True) stores them")
    else:
        folder = f"{FOLDER}/epoch_{epoch}" if epoch is not None else f"{FOLDER}/global_step_{global_step}"
        listed = [one.path for one in MlflowClient().list_artifacts(run_id, folder)]
        path = next((one for suffix in SUFFIXES for one in listed if one.endswith(f"checkpoint{suffix}")), None)
        if path is None:
            raise ArtifactNotFound(f"the run {run_id} has no checkpoint {folder}",
                                   hint="without epoch and global_step, the last one is loaded")
    if path.endswith(_WEIGHTS):
        if model is None:
            raise InvalidValue(f"{path} holds weights alone", hint="give the model to read them into: model=…")
        model.load_weights(str(loading.fetch_checkpoint(run_id, path)))
        return model
    return keras_models.read(loading.fetch_checkpoint(run_id, path))
