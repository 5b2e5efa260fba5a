"""Networks as users of Lightning write them, under both of its names, logged by themselves on real data."""

from __future__ import annotations

import importlib
import logging
import warnings
from typing import Any

import mlflow
import mlflow.pyfunc
import mlflow.pytorch
import numpy as np
import torch
from sklearn.datasets import load_diabetes, load_digits
from torch.utils.data import DataLoader, TensorDataset

from tests.clients.programs.report import Report
from tests.clients.programs.stored import keep_run


def main() -> None:
    warnings.filterwarnings("ignore")
    for name in ("lightning.pytorch", "pytorch_lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)
    torch.set_num_threads(1)
    report = Report()
    mlflow.set_experiment(f"{report.token} lightning")
    digits(report)
    diabetes(report)
    report.show()


def network(package: Any, inner: torch.nn.Module, measure: Any, rate: float) -> Any:
    """A module of Lightning around a network, with the loss ``measure``."""

    class Network(package.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, rows: Any) -> Any:
            return self.inner(rows)

        def training_step(self, batch: Any, index: int) -> Any:
            loss = measure(self(batch[0]), batch[1])
            self.log("train_loss", loss, on_step=True, on_epoch=True)
            return loss

        def validation_step(self, batch: Any, index: int) -> None:
            self.log("val_loss", measure(self(batch[0]), batch[1]))

        def test_step(self, batch: Any, index: int) -> None:
            self.log("test_loss", measure(self(batch[0]), batch[1]))

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=rate)

    return Network


def loader(rows: Any, targets: Any) -> Any:
    return DataLoader(TensorDataset(torch.tensor(rows, dtype=torch.float32), torch.tensor(targets)), batch_size=200)


def trainer(package: Any, **options: Any) -> Any:
    return package.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
                           enable_model_summary=False, **options)


def digits(report: Report) -> None:
    """A classifier, trained with everything switched on; then tested, and brought back from its best checkpoint."""
    package = importlib.import_module("lightning.pytorch")
    images, labels = load_digits(return_X_y=True)
    images = images / 16
    torch.manual_seed(1)
    inner = torch.nn.Sequential(torch.nn.Linear(64, 24), torch.nn.ReLU(), torch.nn.Linear(24, 10))
    kind = network(package, inner, torch.nn.functional.cross_entropy, 0.01)
    mlflow.autolog()
    with mlflow.start_run(run_name="digits", tags={"data": "digits"}) as run:
        model = kind()
        teacher = trainer(package, max_epochs=3)
        teacher.fit(model, loader(images[:1400], labels[:1400]), loader(images[1400:1600], labels[1400:1600]))
        teacher.test(model, loader(images[1600:], labels[1600:]), verbose=False)
    mlflow.autolog(disable=True)
    uri = keep_run(report, "digits", run.info.run_id)
    rows = images[:3].astype("float32")
    report.keep("digits predicts", np.round(mlflow.pyfunc.load_model(uri).predict(rows), 4).tolist())
    report.keep("digits loaded", type(mlflow.pytorch.load_model(uri)).__name__)
    best = mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/checkpoints/latest_checkpoint_metrics.json")
    report.keep("digits best checkpoint", {name: round(value, 4) for name, value in best.items()})
    restored = mlflow.pytorch.load_checkpoint(kind, run.info.run_id)
    report.keep("digits checkpoint", round(float(restored.inner[0].weight.sum()), 4))


def diabetes(report: Report) -> None:
    """A regression that stops early, logged by step too, in a run of its own."""
    package = importlib.import_module("pytorch_lightning")
    rows, progress = load_diabetes(return_X_y=True)
    targets = ((progress - progress.mean()) / progress.std()).astype("float32")[:, None]
    torch.manual_seed(2)
    kind = network(package, torch.nn.Linear(10, 1), torch.nn.functional.mse_loss, 0.5)
    stopping = importlib.import_module("pytorch_lightning.callbacks").EarlyStopping("val_loss", patience=1)
    mlflow.pytorch.autolog(log_every_n_step=1, log_models=False, checkpoint=False, extra_tags={"kind": "regression"})
    teacher = trainer(package, max_epochs=30, callbacks=[stopping])
    teacher.fit(kind(), loader(rows[:342], targets[:342]), loader(rows[342:], targets[342:]))
    mlflow.pytorch.autolog(disable=True)
    keep_run(report, "diabetes", mlflow.last_active_run().info.run_id)


if __name__ == "__main__":
    main()
