"""The files of versions on their way to a host."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import millstream
from millstream import pyfunc
from millstream.errors import RegisteredModelNotFound
from millstream.server.config import ServerConfig
from millstream.serving.endpoints.files import Files
from millstream.tracking.client import MlflowClient
from tests.isolation import isolated
from tests.servers import inside
from tests.servers.processes import wait_until


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    with isolated(tmp_path, monkeypatch):
        yield place


@pytest.fixture
def model(tmp_path: Path) -> Path:
    def count(rows: list[str]) -> list[int]:
        return [len(row) for row in rows]

    pyfunc.save_model(tmp_path / "model", python_model=count)
    return tmp_path / "model"


def test_what_is_here_is_used_where_it_lies(tmp_path: Path, model: Path, temporary: Path) -> None:
    millstream.set_tracking_uri(f"sqlite:///{tmp_path}/store.db")
    client = MlflowClient()
    client.create_registered_model("m")
    client.create_model_version("m", str(model))
    files = Files()
    folder, trusted = files.fetch("m", "1")
    assert (folder, trusted) == (model.resolve(), True)
    files.keep([])
    with pytest.raises(RegisteredModelNotFound):
        files.fetch("m", "2")
    files.close()
    assert model.is_dir()
    assert list(temporary.iterdir()) == []


def test_what_is_fetched_goes_when_it_is_not_served(tmp_path: Path, temporary: Path) -> None:
    config = ServerConfig(f"sqlite:///{tmp_path}/served.db", artifacts_destination=str(tmp_path / "artifacts"))
    with inside.served(config) as address:
        millstream.set_tracking_uri(address)
        pyfunc.log_model(name="m", python_model=len, registered_model_name="m", input_example=None)
        files = Files()
        folder, trusted = files.fetch("m", "1")
        assert trusted
        assert folder.is_relative_to(temporary)
        assert (folder / "MLmodel").is_file()
        assert files.fetch("m", "1")[0] == folder
        files.keep([("m", "1")])
        assert folder.is_dir()
        files.keep([])
        wait_until(lambda: not folder.exists(), 30, "the removal")
        again, _ = files.fetch("m", "1")
        assert again != folder
        files.close()
    assert list(temporary.iterdir()) == []


def test_what_a_killed_host_left_is_removed(temporary: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    left = temporary / f"millstream-host-{ended.pid}-abc"
    left.mkdir()
    files = Files()
    assert not left.exists()
    files.close()
