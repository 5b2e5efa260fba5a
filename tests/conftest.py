"""The real servers that tests ask for by name; what they are and how they run stands in tests/servers/."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.clients.compare import tables
from tests.scheduling import Scheduling
from tests.servers import keeper, postgres
from tests.servers.ceph import S3Server
from tests.servers.millstream import MillstreamServer

# The same examples on every machine, and none judged by how fast it was: a busy machine is no fault of the code.
settings.register_profile(
    "millstream", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("millstream")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling | None:
    return Scheduling(config, log) if config.getoption("dist") == "load" else None


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        keeper.begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        keeper.end()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for title, lines in tables(keeper.session_folder()).items():
        terminalreporter.section(title)
        for line in lines:
            terminalreporter.write_line(line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The marker of a server is that a test uses it.
    needs = {
        "postgres_uri": "postgres",
        "debian_postgres_uri": "postgres",
        "s3": "s3",
        "s3_bucket": "s3",
        "mlflow_server": "clients",
        "spark": "spark",
    }
    for item in items:
        for name in getattr(item, "fixturenames", ()):
            if name in needs:
                item.add_marker(needs[name])


@pytest.fixture(scope="module")
def postgres_uri() -> Iterator[str]:
    """An empty database, one a test module, on the newest PostgreSQL."""
    with postgres.fresh_database(keeper.shared("postgres")["uri"]) as uri:
        yield uri


@pytest.fixture(scope="module")
def debian_postgres_uri() -> Iterator[str]:
    """An empty database, one a test module, on the PostgreSQL that Debian ships."""
    with postgres.fresh_database(keeper.shared("debian postgres")["uri"]) as uri:
        yield uri


@pytest.fixture(scope="session")
def s3() -> S3Server:
    """The S3 server of this session."""
    return S3Server(keeper.shared("ceph")["endpoint"])


@pytest.fixture
def s3_bucket(s3: S3Server) -> str:
    """The name of an empty bucket of ``s3``."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    s3.client().create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session")
def mlflow_server() -> str:
    """The URI of MLflow's own tracking server."""
    uri: str = keeper.shared("mlflow")["uri"]
    return uri


@pytest.fixture(scope="module")
def millstream_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MillstreamServer]:
    """Our server on SQLite, one a test module."""
    with MillstreamServer(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A Spark session on this machine, the same for all tests of one of pytest's workers."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "1").config("spark.ui.showConsoleProgress", "false").getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one, so that nothing is left in the checkout."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
