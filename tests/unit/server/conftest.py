"""A server that the tests of a module share, and a run in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from millstream.server.config import ServerConfig
from tests.servers import inside
from tests.servers.wire import call


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server on SQLite that keeps artifacts on disk."""
    place = tmp_path_factory.mktemp("server")
    config = ServerConfig(f"sqlite:///{place}/store.db", artifacts_destination=str(place / "artifacts"))
    with inside.served(config) as address:
        yield address


@pytest.fixture
def run_id(address: str) -> str:
    """The id of a new run in the default experiment."""
    made = call(address, "POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0", "start_time": 1})
    assert made.status == 200, made.text
    found: str = made.json()["run"]["info"]["run_id"]
    return found
