"""What tests read of a run that was logged by itself."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

import millstream
from millstream.entities import LoggedModel, Run


def history(run: Run, key: str) -> list[tuple[int, float]]:
    """Step and value of each point of a metric."""
    points = millstream.MlflowClient().get_metric_history(run.info.run_id, key)
    return sorted((point.step, point.value) for point in points)


def files(run: Run) -> list[str]:
    """The artifacts at the top of a run."""
    return sorted(file.path for file in millstream.artifacts.list_artifacts(run_id=run.info.run_id))


def content(run: Run, path: str) -> bytes:
    """An artifact."""
    return Path(millstream.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=path)).read_bytes()


def importance(run: Run, kind: str) -> dict[str, float]:
    """A feature importance; its picture is looked at too."""
    assert content(run, f"feature_importance_{kind}.png").startswith(b"\x89PNG")
    found: dict[str, float] = json.loads(content(run, f"feature_importance_{kind}.json"))
    return found


def inputs(run: Run) -> list[tuple[str, str]]:
    """Name and context of each dataset."""
    return [(used.dataset.name, used.tags[0].value) for used in run.inputs.dataset_inputs]


def model_of(run: Run) -> LoggedModel:
    """The one model of a run."""
    [made] = run.outputs.model_outputs
    model = millstream.get_logged_model(made.model_id)
    assert str(model.status) == "READY"
    return model


def signature_of(model: LoggedModel) -> Any:
    """The signature of a model."""
    signature = millstream.models.get_model_info(model.model_uri).signature
    assert signature is not None
    return signature


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The warnings in our log."""
    return [
        record.getMessage() for record in caplog.records
        if record.name.startswith("millstream") and record.levelno >= logging.WARNING
    ]
