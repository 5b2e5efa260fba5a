"""One suite over every store: SQLite, PostgreSQL, and HTTP client → server → SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.server.config import ServerConfig
from millstream.stores import Store, open_store
from millstream.testing.stores import StoreConformance
from tests.servers import inside, keeper, postgres


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


class TestPostgres(StoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        server = keeper.shared("postgres")["uri"]
        with postgres.fresh_database(server) as uri, open_store(uri, str(tmp_path / "artifacts")) as store:
            yield store


class TestServer(StoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        config = ServerConfig(f"sqlite:///{tmp_path}/store.db", artifacts_destination=str(tmp_path / "artifacts"))
        with inside.served(config) as address, open_store(address) as store:
            yield store
