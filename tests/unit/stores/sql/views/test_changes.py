"""The log of changes is cut, and whoever comes too late is told so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.operations import BeatRun, CreateRun, ListChanges, LogMetric, OverviewExperiments
from millstream.stores.sql.store import SqlStore
from millstream.stores.sql.views import changes, recent
from tests.servers import keeper, postgres


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    if request.param == "sqlite":
        opened = SqlStore(f"sqlite:///{tmp_path}/store.db", str(tmp_path))
        yield opened
        opened.close()
        return
    with postgres.fresh_database(keeper.shared("postgres")["uri"]) as uri:
        opened = SqlStore(uri, str(tmp_path))
        yield opened
        opened.close()


def run_of(store: SqlStore) -> str:
    return store.execute(CreateRun("0")).run.info.run_id


def test_the_log_forgets_what_is_old_and_says_so(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = store.execute(ListChanges()).seq
    first = run_of(store)
    middle = store.execute(ListChanges()).seq
    second = run_of(store)
    monkeypatch.setattr(changes, "KEPT_MS", -1_000)  # all but the newest is old
    monkeypatch.setattr(changes, "_CUT_EVERY", 1)
    store.execute(LogMetric(second, "loss", 1.0, 1))
    monkeypatch.undo()
    assert store.execute(ListChanges(begin)).reset
    late = store.execute(ListChanges(middle))
    assert late.reset or [change.id for change in late.changes] == [second]
    after = store.execute(ListChanges()).seq
    store.execute(LogMetric(first, "loss", 1.0, 1))
    found = store.execute(ListChanges(after))
    assert (found.reset, [change.id for change in found.changes]) == (False, [first])


def test_too_much_to_tell_is_told_as_everything(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    since = store.execute(ListChanges()).seq
    for _ in range(3):
        run_of(store)
    monkeypatch.setattr(changes, "_MOST", 2)
    assert store.execute(ListChanges(since)).reset


def test_signs_of_life_are_no_changes_and_the_end_of_a_lease_is_one(store: SqlStore) -> None:
    run_id = run_of(store)
    since = store.execute(ListChanges()).seq
    store.execute(BeatRun(run_id, 0.001))
    assert store.execute(ListChanges(since)).changes == []
    while not store.sweep():  # the lease runs out a millisecond after it was given
        continue
    assert [change.id for change in store.execute(ListChanges(since)).changes] == [run_id]


def test_whoever_listens_is_called_after_each_commit(store: SqlStore) -> None:
    heard: list[int] = []
    stop = store.listen(lambda: heard.append(store.execute(ListChanges()).seq))
    run_of(store)
    assert len(heard) == 1
    stop()
    run_of(store)
    assert len(heard) == 1


def test_what_costs_much_is_kept_for_a_while(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def runs() -> int:
        return store.execute(OverviewExperiments()).experiments[0].runs

    run_of(store)
    assert runs() == 1
    run_of(store)
    assert runs() == 2
    monkeypatch.setattr(recent, "_CHEAP_SECONDS", -1.0)
    monkeypatch.setattr(recent, "_TIMES_COST", 1e9)
    run_of(store)
    assert runs() == 3
    run_of(store)
    assert runs() == 3
