from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import millstream
from millstream.server.config import ServerConfig
from tests.isolation import isolated
from tests.servers import inside


@pytest.fixture(params=["folder", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory whose tracking URI is a folder in it, then one whose is a server."""
    with isolated(tmp_path, monkeypatch):
        if request.param == "folder":
            yield tmp_path
            return
        served = tmp_path / "served"
        served.mkdir()
        config = ServerConfig(f"sqlite:///{served}/store.db", artifacts_destination=str(served / "artifacts"))
        with inside.served(config) as address:
            millstream.set_tracking_uri(address)
            yield tmp_path
            from millstream.tracking.stores import close_stores

            close_stores()
