"""A test that tracks leaves nothing behind: no variable, no open run, no store, no patched library."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import millstream
from millstream.tracking import experiments, late, recorder, stores
from millstream.tracking.active import end_everywhere, local

# What a test sets by our functions is in the environment, and leaves it with the test.
SET_BY_FUNCTIONS = (
    "TRACKING_URI", "REGISTRY_URI", "EXPERIMENT_ID", "EXPERIMENT_NAME", "ENABLE_ASYNC_LOGGING",
    "ENABLE_SYSTEM_METRICS_LOGGING", "SYSTEM_METRICS_NODE_ID", "SYSTEM_METRICS_SAMPLING_INTERVAL",
    "SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING",
)


@contextlib.contextmanager
def isolated(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tracks to ``place``/runs, with its outbox and the current folder in ``place``; the process is as new after it."""
    for variable in list(os.environ):
        if variable.startswith(("MLFLOW_", "MILLSTREAM_")) and variable != "MILLSTREAM_TEST_SESSION":
            monkeypatch.delenv(variable)
    monkeypatch.setenv("MILLSTREAM_OUTBOX_DIR", str(place / "outbox"))
    for name in SET_BY_FUNCTIONS:
        monkeypatch.setenv(f"MILLSTREAM_{name}", "")
        monkeypatch.delenv(f"MILLSTREAM_{name}")
    monkeypatch.chdir(place)
    stores.set_tracking_uri(str(place / "runs"))
    try:
        yield
    finally:
        if "millstream.autolog" in sys.modules:
            millstream.autolog(disable=True)
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
