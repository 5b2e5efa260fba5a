"""Importing leaves the same tables as logging, whatever the parts and the order in which points come."""

from __future__ import annotations

import math
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millstream.entities import Metric, Param, Run, RunData, RunInfo, RunTag
from millstream.errors import InvalidValue, RunNotFound
from millstream.interop.source import Series
from millstream.operations import (
    CreateRun,
    DigestSeries,
    GetRun,
    ImportedRun,
    ImportedSeries,
    ImportMetrics,
    ImportRuns,
    LogBatch,
    ReadStored,
    UpdateRun,
)
from millstream.stores import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "mlruns")) as opened:
        yield opened


def rows(tmp_path: Path, table: str, run_id: str) -> list[tuple[Any, ...]]:
    """The rows of a run in a table, without the number of the run."""
    with sqlite3.connect(tmp_path / "mlruns" / "millstream.db") as connection:
        number = connection.execute("SELECT id FROM runs WHERE run_id = ?", (run_id,)).fetchone()[0]
        found = connection.execute(f"SELECT * FROM {table} WHERE run = ?", (number,)).fetchall()
    connection.close()
    return sorted((row[1:] for row in found), key=repr)


def points(seed: int) -> list[tuple[int, int, float]]:
    """Steps around and far beyond a block's length, equal moments, NaN, infinity, zeros with and without a sign."""
    chosen = random.Random(seed)
    values = [math.nan, math.inf, 0.0, -0.0, 1.5, -2.5, 1e-300]
    return [
        (chosen.choice([-3, 0, 1, 1023, 1024, 1025, 5000, 5001]), chosen.randrange(3), chosen.choice(values))
        for _ in range(chosen.choice([1, 2, 40, 200]))
    ]


@pytest.mark.parametrize("seed", range(25))
def test_the_same_points_leave_the_same_tables(seed: int, store: Store, tmp_path: Path) -> None:
    logged, imported = (store.execute(CreateRun("0")).run.info.run_id for _ in range(2))
    found = points(seed)
    store.execute(LogBatch(logged, [Metric("m", value + 0.0, time, step) for step, time, value in found]))
    random.Random(seed + 1).shuffle(found)
    cut = len(found) // 3
    for part in (found[cut:], found[:cut], found[:1]):
        if part:
            steps, times, values = (list(column) for column in zip(*part, strict=True))
            store.execute(ImportMetrics([ImportedSeries(imported, "m", steps, times, values)]))
    for table in ("metric_points", "metrics", "metric_blocks"):
        assert rows(tmp_path, table, imported) == rows(tmp_path, table, logged), table
    digest = Series.of(logged, "m", found).digest
    answer = store.execute(DigestSeries([logged, imported, "nothing"])).series
    assert [(one.run_id, one.digest) for one in answer] == [(logged, digest), (imported, digest)]


def run(run_id: str, status: str = "FINISHED", **tags: str) -> ImportedRun:
    data = RunData([], [Param("p", tags.get("p", "1"))], [RunTag(key, value) for key, value in tags.items()])
    return ImportedRun(Run(RunInfo(run_id, "0", status=status, run_name=tags.get("name")), data))


def test_a_run_that_is_over_keeps_its_own_words(store: Store) -> None:
    store.execute(ImportRuns([run("a", name="one", t="1")]))
    store.execute(ImportRuns([run("a", "FAILED", name="two", t="2", new="3", p="2")]))
    kept = store.execute(GetRun("a")).run
    assert (kept.info.status, kept.info.run_name, kept.data.params) == ("FINISHED", "one", {"p": "1"})
    assert kept.data.tags == {"name": "one", "t": "1", "new": "3", "p": "2"}
    store.execute(ImportRuns([run("a", "FAILED", name="two", t="2", p="2")], overwrite=True))
    replaced = store.execute(GetRun("a")).run
    assert (replaced.info.status, replaced.info.run_name, replaced.data.params) == ("FAILED", "two", {"p": "2"})
    assert replaced.data.tags == {"name": "two", "t": "2", "new": "3", "p": "2"}


def test_a_run_that_is_not_over_takes_the_new_facts(store: Store) -> None:
    store.execute(ImportRuns([run("a", "RUNNING", t="1")]))
    store.execute(ImportRuns([run("a", "FINISHED", t="2")]))
    taken = store.execute(GetRun("a")).run
    assert (taken.info.status, taken.data.tags) == ("FINISHED", {"t": "2"})
    store.execute(UpdateRun("a", "KILLED"))
    assert [stored.run.info.status for stored in store.execute(ReadStored(["a", "b"])).runs] == ["KILLED"]


def test_what_cannot_be_imported_is_refused_whole(store: Store) -> None:
    with pytest.raises(RunNotFound):
        store.execute(ImportMetrics([ImportedSeries("nothing", "m", [1], [1], [1.0])]))
    store.execute(ImportRuns([run("a")]))
    with pytest.raises(InvalidValue, match="not of one length"):
        store.execute(ImportMetrics([
            ImportedSeries("a", "first", [1], [1], [1.0]), ImportedSeries("a", "m", [1, 2], [1], [1.0]),
        ]))
    assert store.execute(GetRun("a")).run.data.metrics == {}
    with pytest.raises(InvalidValue, match="no status of a run"):
        store.execute(ImportRuns([run("b"), run("c", "SLEEPING")]))
    assert store.execute(ReadStored(["b", "c"])).runs == []
