"""Runs whose process has died are marked by the server."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from millstream.operations import BeatRun, CreateRun, GetRun
from millstream.server.sweep import Sweeper
from millstream.stores import open_store
from tests.servers.processes import wait_until


def test_a_run_that_stops_beating_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_SWEEP_SECONDS", "0.02")
    with open_store(f"sqlite:///{tmp_path}/store.db", str(tmp_path)) as store:
        silent, alive = (store.execute(CreateRun("0")).run.info.run_id for _ in range(2))
        store.execute(BeatRun(silent, 0.001))
        store.execute(BeatRun(alive, 3600))
        sweeper = Sweeper(store)
        sweeper.start()
        sweeper.start()
        try:
            wait_until(lambda: store.execute(GetRun(silent)).run.info.status == "FAILED", 30, "the sweep")
        finally:
            sweeper.stop()
        assert store.execute(GetRun(alive)).run.info.status == "RUNNING"


def test_trouble_does_not_end_the_sweep(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("MILLSTREAM_SWEEP_SECONDS", "0.001")
    twice = threading.Semaphore(0)

    class Troubled:
        def sweep(self) -> int:
            twice.release()
            raise OSError("no disk")

    sweeper = Sweeper(Troubled())  # type: ignore[arg-type]
    sweeper.start()
    assert twice.acquire(timeout=30) and twice.acquire(timeout=30)
    sweeper.stop()
    assert "the sweep of leases failed" in caplog.messages
