"""Comments, requests and rules over every store; behind a server, a proxy's header says who asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from millstream.server.config import ServerConfig
from millstream.stores import open_store
from millstream.stores.http.store import HttpStore
from millstream.stores.http.transport import Transport
from millstream.testing.approvals import ApprovalConformance, Execute, People, as_principals
from tests.servers import inside, keeper, postgres


class TestSqlite(ApprovalConformance):
    @pytest.fixture
    def people(self, tmp_path: Path) -> Iterator[People]:
        with open_store(f"sqlite:///{tmp_path}/store.db", str(tmp_path / "artifacts")) as store:
            yield as_principals(store)


class TestPostgres(ApprovalConformance):
    @pytest.fixture
    def people(self, tmp_path: Path) -> Iterator[People]:
        server = keeper.shared("postgres")["uri"]
        with postgres.fresh_database(server) as uri, open_store(uri, str(tmp_path / "artifacts")) as store:
            yield as_principals(store)


class TestServer(ApprovalConformance):
    @pytest.fixture
    def people(self, tmp_path: Path) -> Iterator[People]:
        config = ServerConfig(
            f"sqlite:///{tmp_path}/store.db", artifacts_destination=str(tmp_path / "artifacts"),
            user_header="X-Forwarded-User",
        )
        with inside.served(config) as address, ExitStack() as opened:

            @cache
            def execute_as(name: str) -> Execute:
                transport = Transport(address, headers={"X-Forwarded-User": name})
                store: HttpStore = opened.enter_context(HttpStore(address, transport))
                return store.execute

            yield execute_as
