from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.tracking import experiments, late, recorder, stores
from millstream.tracking.active import end_everywhere, local


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own for the store, the outbox and the working directory; the process is as new after it."""
    for variable in list(os.environ):
        if variable.startswith(("MLFLOW_", "MILLSTREAM_")):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("MILLSTREAM_OUTBOX_DIR", str(tmp_path / "outbox"))
    # What a test sets by our functions is in the environment, and leaves it with the test.
    for name in ("TRACKING_URI", "REGISTRY_URI", "EXPERIMENT_ID", "EXPERIMENT_NAME", "ENABLE_ASYNC_LOGGING",
                 "ENABLE_SYSTEM_METRICS_LOGGING", "SYSTEM_METRICS_NODE_ID", "SYSTEM_METRICS_SAMPLING_INTERVAL",
                 "SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING"):
        monkeypatch.setenv(f"MILLSTREAM_{name}", "")
        monkeypatch.delenv(f"MILLSTREAM_{name}")
    monkeypatch.chdir(tmp_path)
    stores.set_tracking_uri(str(tmp_path / "runs"))
    yield tmp_path
    end_everywhere()
    late.wait()
    recorder.flush()
    local.last = local.model_id = local.last_model_id = None
    local.model_is_chosen = False
    local.refresh()
    experiments.forget_experiments()
    stores.close_stores()
    stores.set_tracking_uri(None)
    stores.set_registry_uri("")
