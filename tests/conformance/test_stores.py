"""One suite over every store: SQLite, PostgreSQL, and HTTP client → server → SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.stores import Store, open_store
from millstream.testing.stores import StoreConformance


class TestSqlite(StoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        with open_store(f"sqlite:///{tmp_path}/store.db", str(tmp_path / "artifacts")) as store:
            yield store


class TestFolder(StoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        with open_store(str(tmp_path / "mlruns")) as store:
            yield store
