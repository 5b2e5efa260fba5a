"""Lightning's trainings are logged, under both of its names, and are what they would have been."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import millstream
from millstream import pyfunc, pytorch
from millstream.errors import ArtifactNotFound, InvalidValue

# Advice on machines with more cores than the tests have use for, and on what it deprecates in itself.
pytestmark = [
    pytest.mark.usefixtures("tracking"),
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:The number of training batches"),
    pytest.mark.filterwarnings("ignore:Starting from v1.9.0"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory"),
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`"),
    pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated"),
]
NAMES = ["lightning.pytorch", "pytorch_lightning"]


def classes(name: str) -> tuple[Any, Any]:
    """Lightning under one of its names, and a module of it."""
    package: Any = importlib.import_module(name)

    class Line(package.LightningModule):  # type: ignore[misc]
        def __init__(self, hidden: int = 4, fails_at: int = -1) -> None:
            super().__init__()
            self.fails_at = fails_at
            self.net = torch.nn.Sequential(torch.nn.Linear(3, hidden), torch.nn.Linear(hidden, 1))

        def forward(self, x: Any) -> Any:
            return self.net(x)

        def training_step(self, batch: Any, index: int) -> Any:
            if self.global_step == self.fails_at:
                raise RuntimeError("the user's own")
            loss = torch.nn.functional.mse_loss(self(batch[0]), batch[1])
            self.log("train_loss", loss, on_step=True, on_epoch=True)
            return loss

        def validation_step(self, batch: Any, index: int) -> None:
            self.log("val_loss", torch.nn.functional.mse_loss(self(batch[0]), batch[1]))

        def test_step(self, batch: Any, index: int) -> None:
            self.log("test_loss", torch.nn.functional.mse_loss(self(batch[0]), batch[1]))

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=0.02)

    return package, Line


def data() -> Any:
    x = torch.rand(40, 3, generator=torch.Generator().manual_seed(5))
    return DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=10)


def trainer(package: Any, place: Path, **options: Any) -> Any:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu",
             "enable_checkpointing": False, "default_root_dir": place}
    return package.Trainer(**{**quiet, **options})


def history(run_id: str, key: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in millstream.MlflowClient().get_metric_history(run_id, key)]


@pytest.mark.parametrize("name", NAMES)
def test_a_training_with_its_test(name: str, tmp_path: Path) -> None:
    package, Line = classes(name)
    stop = package.callbacks.EarlyStopping("val_loss", patience=1, min_delta=10.0)
    pytorch.autolog()
    torch.manual_seed(1)
    model = Line()
    with millstream.start_run() as run:
        fit = trainer(package, tmp_path, max_epochs=4, callbacks=[stop])
        fit.fit(model, data(), data())
        fit.test(model, data(), verbose=False)
    assert [type(one).__name__ for one in fit.callbacks if "Millstream" in type(one).__name__] == []
    found = millstream.get_run(run.info.run_id)
    assert found.data.params.items() >= {
        "epochs": "4", "optimizer_name": "Adam", "lr": "0.02", "betas": "(0.9, 0.999)", "monitor": "val_loss",
        "mode": "min", "patience": "1", "min_delta": "-10.0",
    }.items()
    assert found.data.tags["Mode"] == "testing"
    assert [step for step, _ in history(run.info.run_id, "train_loss")] == [0, 1]
    assert [step for step, _ in history(run.info.run_id, "val_loss")] == [0, 1]
    assert found.data.metrics["stopped_epoch"] == stop.stopped_epoch == 1
    assert found.data.metrics["restored_epoch"] == 0
    assert found.data.metrics["wait_count"] == 1
    assert found.data.metrics["best_score"] == pytest.approx(float(stop.best_score))
    assert found.data.metrics["test_loss"] == pytest.approx(found.data.metrics["val_loss"], rel=1e-5)
    assert "net.0" in millstream.artifacts.load_text(f"runs:/{run.info.run_id}/model_summary.txt")
    (made,) = found.outputs.model_outputs
    logged = millstream.get_logged_model(made.model_id)
    assert {metric.key for metric in logged.metrics} >= {"train_loss", "val_loss", "test_loss"} - {"test_loss"}
    loaded = pyfunc.load_model(logged.model_uri)
    x = numpy.ones((2, 3), "float32")
    numpy.testing.assert_allclose(loaded.predict(x), model(torch.from_numpy(x)).detach().numpy(), rtol=1e-5)
    assert loaded.metadata.signature is not None


def test_steps_and_checkpoints_of_every_epoch(tmp_path: Path) -> None:
    package, Line = classes(NAMES[0])
    pytorch.autolog(log_every_n_step=2, log_every_n_epoch=2, checkpoint_save_best_only=False, log_models=False)
    model = Line()
    trainer(package, tmp_path, max_epochs=3).fit(model, data())
    (run,) = millstream.search_runs(output_format="list")
    run_id = run.info.run_id
    assert run.info.status == "FINISHED"
    assert run.data.tags["mlflow.autologging"] == "pytorch"
    assert [step for step, _ in history(run_id, "train_loss_step")] == [1, 3, 5, 7, 9, 11]
    assert [step for step, _ in history(run_id, "train_loss_epoch")] == [0, 2]
    assert run.outputs.model_outputs == []
    client = millstream.MlflowClient()
    folders = [one.path for one in client.list_artifacts(run_id, "checkpoints")]
    assert folders == [f"checkpoints/epoch_{epoch}" for epoch in range(3)]
    assert [one.path for one in client.list_artifacts(run_id, folders[1])] == [
        "checkpoints/epoch_1/checkpoint.pth", "checkpoints/epoch_1/checkpoint_metrics.json",
    ]
    about = millstream.artifacts.load_dict(f"runs:/{run_id}/checkpoints/epoch_1/checkpoint_metrics.json")
    assert (about["epoch"], about["global_step"]) == (1, 8)
    last = pytorch.load_checkpoint(Line, run_id)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in last.state_dict().items())
    first = pytorch.load_checkpoint(Line, run_id, epoch=0, kwargs={"hidden": 4})
    assert not torch.equal(first.state_dict()["net.0.weight"], model.state_dict()["net.0.weight"])


def test_the_best_checkpoint_alone(tmp_path: Path) -> None:
    package, Line = classes(NAMES[0])
    pytorch.autolog(log_models=False, checkpoint_save_weights_only=True)
    with millstream.start_run() as run:
        trainer(package, tmp_path, max_epochs=3).fit(Line(), data(), data())
    names = [one.path for one in millstream.MlflowClient().list_artifacts(run.info.run_id, "checkpoints")]
    assert names == ["checkpoints/latest_checkpoint.weights.pth", "checkpoints/latest_checkpoint_metrics.json"]
    with millstream.start_run() as other, pytest.raises(ArtifactNotFound, match="has no checkpoint"):
        pytorch.load_checkpoint(Line)
    assert other.info.run_id != run.info.run_id


def test_checkpoints_that_a_program_asks_for_itself(tmp_path: Path) -> None:
    package, Line = classes(NAMES[0])
    callback = pytorch.MlflowModelCheckpointCallback(save_best_only=False, save_freq=4)
    with millstream.start_run() as run:
        trainer(package, tmp_path, max_epochs=2, callbacks=[callback]).fit(Line(), data())
    client = millstream.MlflowClient()
    folders = [one.path for one in client.list_artifacts(run.info.run_id, "checkpoints")]
    assert folders == ["checkpoints/global_step_4", "checkpoints/global_step_8"]
    assert isinstance(pytorch.load_checkpoint(Line, run.info.run_id, global_step=4), Line)


def weights(package: Any, Line: Any, place: Path) -> dict[str, Any]:
    torch.manual_seed(7)
    model = Line()
    loader = DataLoader(data().dataset, batch_size=8, shuffle=True)
    trainer(package, place, max_epochs=2).fit(model, loader, data())
    return {**model.state_dict(), "next": torch.rand(3)}  # the generator is where it would be


def test_training_is_what_it_would_have_been(tmp_path: Path) -> None:
    package, Line = classes(NAMES[0])
    before = package.Trainer.__dict__["fit"]
    plain = weights(package, Line, tmp_path)
    pytorch.autolog()
    logged = weights(package, Line, tmp_path)
    assert plain.keys() == logged.keys()
    assert all(torch.equal(plain[name], logged[name]) for name in plain)
    pytorch.autolog(disable=True)
    assert package.Trainer.__dict__["fit"] is before


def test_a_training_that_raises(tmp_path: Path) -> None:
    package, Line = classes(NAMES[0])
    pytorch.autolog()
    with pytest.raises(RuntimeError, match="the user's own"):
        trainer(package, tmp_path, max_epochs=3).fit(Line(fails_at=5), data())
    (run,) = millstream.search_runs(output_format="list")
    assert run.info.status == "FAILED"
    assert [step for step, _ in history(run.info.run_id, "train_loss")] == [0]


def test_arguments_that_make_no_sense() -> None:
    with pytest.raises(InvalidValue, match="log_every_n_step"):
        pytorch.autolog(log_every_n_step=0)
    with pytest.raises(InvalidValue, match="checkpoint_mode"):
        pytorch.autolog(checkpoint_mode="up")
    with pytest.raises(InvalidValue, match="checkpoint_save_freq"):
        pytorch.autolog(checkpoint_save_freq="hour")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # tensorboard asks others for names that are going
def test_what_a_summary_writer_is_given(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    pytorch.autolog()
    with millstream.start_run() as run, SummaryWriter(str(tmp_path / "events")) as writer:
        for step in range(3):
            writer.add_scalar("loss", torch.tensor(1.0 / (step + 1)), step)
        writer.add_hparams({"depth": 3}, {"accuracy": 0.5})
    found = millstream.get_run(run.info.run_id).data
    points = history(run.info.run_id, "loss")
    assert [step for step, _ in points] == [0, 1, 2]
    assert [value for _, value in points] == pytest.approx([1.0, 1 / 2, 1 / 3])
    assert found.params == {"depth": "3"}
    assert found.metrics["accuracy"] == 0.5
