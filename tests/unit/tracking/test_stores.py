from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

import millstream
from millstream.errors import InvalidValue
from millstream.operations import BeatRun
from millstream.tracking import stores

pytestmark = pytest.mark.usefixtures("tracking")


def test_runs_are_kept_in_a_folder_unless_the_program_says_otherwise(tracking: Path) -> None:
    millstream.set_tracking_uri("")
    assert not millstream.is_tracking_uri_set()
    assert millstream.get_tracking_uri() == (tracking / "mlruns").as_uri()
    with millstream.start_run() as run:
        pass
    assert (tracking / "mlruns" / "millstream.db").exists()
    assert run.info.artifact_uri == str(tracking / "mlruns" / "0" / run.info.run_id / "artifacts")


def test_the_program_is_heard_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    millstream.set_tracking_uri("")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://from.environment")
    assert millstream.get_tracking_uri() == "http://from.environment"
    assert millstream.is_tracking_uri_set()
    millstream.set_tracking_uri("sqlite:///mine.db")
    assert millstream.get_tracking_uri() == "sqlite:///mine.db"
    assert os.environ["MILLSTREAM_TRACKING_URI"] == "sqlite:///mine.db"  # for child processes


def test_a_path_is_a_folder(tracking: Path) -> None:
    millstream.set_tracking_uri(Path("relative"))
    assert millstream.get_tracking_uri() == (tracking / "relative").as_uri()
    wrong: Any = 5
    with pytest.raises(InvalidValue):
        millstream.set_tracking_uri(wrong)


def test_models_are_registered_where_runs_are_kept_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert millstream.get_registry_uri() == millstream.get_tracking_uri()
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://from.environment")
    assert millstream.get_registry_uri() == "http://from.environment"
    millstream.set_registry_uri("http://mine")
    assert millstream.get_registry_uri() == "http://mine"
    millstream.set_registry_uri("")
    assert millstream.get_registry_uri() == millstream.get_tracking_uri()


def test_a_store_is_opened_once() -> None:
    first = stores.store()
    assert stores.store(millstream.get_tracking_uri()) is first
    stores.close_stores()
    assert stores.store() is not first


def test_a_uri_that_names_no_store() -> None:
    millstream.set_tracking_uri("nonsense://x")
    with pytest.raises(InvalidValue, match="nonsense"):
        millstream.start_run()


def test_opening_a_database_ends_runs_whose_process_died() -> None:
    run = millstream.MlflowClient().create_run("0")
    stores.store().execute(BeatRun(run.info.run_id, 0.001))
    until = time.time_ns() // 1_000_000 + 10
    while time.time_ns() // 1_000_000 < until:
        pass
    stores.close_stores()
    found = millstream.get_run(run.info.run_id)
    assert found.info.status == "FAILED"
    assert "millstream.lease.expired" in found.data.tags
