"""Runs whose process stopped beating."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.operations import BeatRun, CreateRun, GetRun, UpdateRun
from millstream.stores.sql import leases
from millstream.stores.sql.store import SqlStore
from millstream.stores.sql.transaction import now_ms


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with SqlStore(f"sqlite:///{tmp_path}/store.db", str(tmp_path)) as store:
        yield store


def sweep_a_minute_later(store: SqlStore) -> int:
    """What a sweep finds for whom a minute has passed."""
    with pytest.MonkeyPatch.context() as patch:
        now = now_ms()
        patch.setattr(leases, "now_ms", lambda: now + 60_000)
        return store.sweep()


def new_run(store: SqlStore) -> str:
    return store.execute(CreateRun("0")).run.info.run_id


def test_a_run_that_stopped_beating_has_failed_when_its_lease_ran_out(store: SqlStore) -> None:
    alive, dead, free = new_run(store), new_run(store), new_run(store)
    store.execute(BeatRun(alive, 3600.0))
    store.execute(BeatRun(dead, 1.0))
    assert sweep_a_minute_later(store) == 1
    assert store.sweep() == 0
    run = store.execute(GetRun(dead)).run
    assert run.info.status == "FAILED"
    assert run.data.tags[leases.EXPIRED_TAG] == str(run.info.end_time)
    assert store.execute(GetRun(alive)).run.info.status == "RUNNING"
    assert store.execute(GetRun(free)).run.info.status == "RUNNING"


def test_a_run_that_beats_again_was_not_dead(store: SqlStore) -> None:
    run_id = new_run(store)
    store.execute(BeatRun(run_id, 1.0))
    assert sweep_a_minute_later(store) == 1
    store.execute(BeatRun(run_id, 60.0))
    run = store.execute(GetRun(run_id)).run
    assert (run.info.status, run.info.end_time) == ("RUNNING", None)
    assert leases.EXPIRED_TAG not in run.data.tags


def test_a_run_that_failed_by_itself_stays_failed(store: SqlStore) -> None:
    run_id = new_run(store)
    store.execute(UpdateRun(run_id, "FAILED", 7))
    store.execute(BeatRun(run_id, 60.0))
    assert store.execute(GetRun(run_id)).run.info.status == "FAILED"
