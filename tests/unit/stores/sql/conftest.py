"""Both databases, with tables, for the tests of searches."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from millstream.stores.sql.database import Database
from tests.unit.stores.sql.searching import database


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """An SQLite file."""
    with database(f"sqlite:///{tmp_path_factory.mktemp('search')}/store.db") as opened:
        yield opened


@pytest.fixture(scope="module")
def postgres(postgres_uri: str) -> Iterator[Database]:
    """A database of the PostgreSQL server."""
    with database(postgres_uri) as opened:
        yield opened


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def either(request: pytest.FixtureRequest) -> Database:
    """One after the other."""
    opened: Database = request.getfixturevalue(request.param)
    return opened
