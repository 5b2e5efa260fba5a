"""One suite over every artifact store: disk, S3, Azure, FTP, memory, and client → our server → disk or S3."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.artifacts.contract import ArtifactStore
from millstream.artifacts.local import LocalStore
from millstream.artifacts.uris import artifact_store
from millstream.server.config import ServerConfig
from millstream.testing.artifacts import ArtifactStoreConformance, MultipartConformance
from tests.servers import azurite, inside
from tests.servers.ceph import S3Server
from tests.servers.processes import Process, free_port, listens, wait_until


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> str:
    """A bucket of this module."""
    name = f"artifacts-{uuid.uuid4().hex[:12]}"
    s3.client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def s3_root(s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty place in a bucket, with the environment that reaches it."""
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://{bucket}/{uuid.uuid4().hex}/root"


class TestLocal(MultipartConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalStore:
        return LocalStore(tmp_path / "root")


class TestS3(MultipartConformance):
    @pytest.fixture
    def store(self, s3_root: str) -> Iterator[ArtifactStore]:
        with artifact_store(s3_root) as store:
            yield store


class TestAzure(MultipartConformance):
    @pytest.fixture
    def store(self, azure: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ArtifactStore]:
        monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string(azure))
        root = f"wasbs://artifacts@{azurite.ACCOUNT}.blob.core.windows.net/{uuid.uuid4().hex}/root"
        with artifact_store(root) as store:
            yield store


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an Azure account with an empty container ``artifacts``."""
    command = azurite.program()
    if command is None:
        pytest.skip("Azure's emulator comes from npm, which this machine does not have")
    with azurite.running(tmp_path_factory.mktemp("azurite"), command) as endpoint:
        azurite.create_container(endpoint, "artifacts")
        yield endpoint


class TestMemory(ArtifactStoreConformance):
    @pytest.fixture
    def store(self) -> ArtifactStore:
        return artifact_store(f"memory://{uuid.uuid4().hex}/root")


class TestFtp(ArtifactStoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path, ftp: tuple[int, Path]) -> ArtifactStore:
        port, served = ftp
        root = served / tmp_path.name
        root.mkdir()
        return artifact_store(f"ftp://user:secret@127.0.0.1:{port}/{root.name}")


@pytest.fixture(scope="module")
def ftp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """The port of an FTP server, and the folder it serves."""
    place, port = tmp_path_factory.mktemp("ftp"), free_port()
    served = place / "served"
    served.mkdir()
    command = [sys.executable, "-W", "ignore", "-m", "pyftpdlib", "-i", "127.0.0.1", "-p", str(port), "-w",
               "-d", str(served), "-u", "user", "-P", "secret"]
    with Process(command, log=place / "log") as process:
        wait_until(lambda: listens(port), 30, "the FTP server", process)
        yield port, served


class TestServedFromDisk(MultipartConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[ArtifactStore]:
        config = ServerConfig(f"sqlite:///{tmp_path}/store.db", artifacts_destination=str(tmp_path / "artifacts"))
        with inside.served(config) as address:
            yield artifact_store("mlflow-artifacts:/1/run/artifacts", tracking_uri=address)


class TestServedFromS3(MultipartConformance):
    @pytest.fixture
    def store(self, tmp_path: Path, s3_root: str) -> Iterator[ArtifactStore]:
        config = ServerConfig(f"sqlite:///{tmp_path}/store.db", artifacts_destination=s3_root)
        with inside.served(config) as address:
            yield artifact_store("mlflow-artifacts:/1/run/artifacts", tracking_uri=address)
