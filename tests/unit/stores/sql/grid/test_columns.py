"""Keys beyond what is counted, and texts beyond what the index holds."""

from __future__ import annotations

import pytest

from millstream.operations import ListColumns
from millstream.search.evaluate import Record
from millstream.stores.sql.database import Database
from millstream.stores.sql.grid import columns
from tests.unit.stores.sql.searching import enter, transaction

FACTS: dict[str, str | int | float | None] = {"run_name": "r", "status": "FINISHED", "start_time": 1, "artifact_uri": "s3://x"}


def test_what_is_not_counted_to_its_end_is_estimated(either: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "_COUNTED", 5)
    monkeypatch.setattr(columns, "_SAMPLE", 1_000)
    runs = [Record(FACTS, {"a": float(number)}, {"a": "x" * 200} if number % 2 else {}) for number in range(40)]
    with transaction(either) as work:
        experiment, _ = enter(work.connection, runs)
        found = columns.list_columns(work, ListColumns([str(experiment)])).columns
        assert [(column.kind, column.count, column.exact) for column in found] == [
            ("metric", 40, False), ("param", 20, False)
        ]
        assert [column.varies for column in found] == [True, True]
