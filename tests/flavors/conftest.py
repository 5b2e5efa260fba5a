"""What tests across the border to the official mlflow ask for by name: both sides, and places to keep models in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from millstream.tracking import stores
from tests.clients.run import ROOT
from tests.flavors.foreign import Foreign
from tests.isolation import isolated
from tests.servers.millstream import MillstreamServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "foreign" in getattr(item, "fixturenames", ()):
            item.add_marker("clients")


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreign]:
    """The official mlflow: one process in each of pytest's workers, started when it is first asked something."""
    process = Foreign(tmp_path_factory.mktemp("foreign"))
    yield process
    process.stop()


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own for the store (``runs/`` in it), the outbox and the working directory."""
    with isolated(tmp_path, monkeypatch):
        yield tmp_path


@pytest.fixture(scope="session")
def session_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MillstreamServer]:
    """Our server on SQLite, one in each of pytest's workers."""
    with MillstreamServer(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def served(tracking: Path, session_server: MillstreamServer) -> str:
    """The URI of our server, to which this process tracks as long as the test runs."""
    stores.set_tracking_uri(session_server.uri)
    return session_server.uri


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that nobody sealed may run code when they are loaded: the test knows who made them."""
    monkeypatch.setenv("MILLSTREAM_ALLOW_PICKLE_DESERIALIZATION", "true")


@pytest.fixture
def environment_of(tmp_path: Path) -> Callable[[Path], Path]:
    """Builds an environment of nothing but a model's own requirements and Millstream; returns its interpreter."""

    def build(model: Path) -> Path:
        uv, python = ROOT / ".venv" / "bin" / "uv", tmp_path / "environment" / "bin" / "python"
        folders = os.environ.get("PIP_FIND_LINKS", "").split()
        variables = {**os.environ, **({"UV_FIND_LINKS": ",".join(folders)} if folders else {})}
        pins = ["-c", "constraints/dev.txt", "--build-constraints", "constraints/build.txt"]
        for words in (
            ["venv", "--python", sys.executable, str(python.parents[1])],
            ["pip", "install", "--python", str(python), *pins, "-r", str(model / "requirements.txt"), "-e", "."],
        ):
            command = [str(uv), "--quiet", *words]
            done = subprocess.run(command, env=variables, cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        return python

    return build
