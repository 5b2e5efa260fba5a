"""Artifacts at a server: ours and MLflow's own, past it and through it, and what a strange answer does."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.artifacts.served import ServedStore, digest_from_header, digest_header, served_store
from millstream.entities import FileInfo
from millstream.errors import ArtifactNotFound, IntegrityError, NotSupported
from millstream.server.config import ServerConfig
from tests.servers import inside
from tests.servers.ceph import S3Server

MIB = 1 << 20


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": 6 * MIB, "MULTIPART_UPLOAD_CHUNK_SIZE": 5 * MIB,
                        "MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE": 6 * MIB, "MULTIPART_DOWNLOAD_CHUNK_SIZE": 4 * MIB,
                        "HTTP_REQUEST_BACKOFF_FACTOR": 0}.items():
        monkeypatch.setenv(f"MILLSTREAM_{name}", str(value))


@pytest.fixture
def big_file(tmp_path: Path) -> Path:
    place = tmp_path / "big file.bin"
    place.write_bytes(os.urandom(11 * MIB + 5))
    return place


def test_digests_in_headers() -> None:
    digest = hashlib.sha256(b"x").hexdigest()
    assert digest_from_header(digest_header(digest)) == digest
    assert digest_from_header(f"md5=:abc:, {digest_header(digest)}") == digest
    for header in (None, "", "sha-256=abc", "md5=:abc:"):
        assert digest_from_header(header) is None


# MLflow's own server: none of what is ours may be needed


@pytest.fixture
def foreign(mlflow_server: str) -> ServedStore:
    return served_store(f"mlflow-artifacts:/{uuid.uuid4().hex}/artifacts", mlflow_server)


def test_mlflows_server_keeps_our_files(foreign: ServedStore, tmp_path: Path) -> None:
    files = {"a b/100% ü=.txt": b"one", "model/MLmodel": b"two", "empty": b""}
    for path, data in files.items():
        foreign.write(path, [data])
    assert foreign.list() == [FileInfo("a b", True), FileInfo("empty", False, 0), FileInfo("model", True)]
    assert {file.path: foreign.open(file.path).read() for file in foreign.walk()} == files
    assert foreign.open("model/MLmodel", 1, 1).read() == b"w"
    assert foreign.stat("model").is_dir
    assert foreign.stat("model/MLmodel").file_size == 3
    foreign.download_artifacts("", tmp_path / "down")
    assert (tmp_path / "down" / "a b" / "100% ü=.txt").read_bytes() == b"one"
    foreign.remove("model")
    assert [entry.path for entry in foreign.list()] == ["a b", "empty"]
    assert foreign.list("nothing") == []
    with pytest.raises(ArtifactNotFound):
        foreign.stat("model")


def test_big_files_at_mlflows_server_go_whole(foreign: ServedStore, big_file: Path, tmp_path: Path) -> None:
    with pytest.raises(NotSupported):
        foreign.list_uploads("big")
    foreign.upload(big_file, "big")
    foreign.download("big", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == big_file.read_bytes()


def test_mlflows_server_without_addresses_is_not_gone_past(
    foreign: ServedStore, big_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("UPLOAD", "DOWNLOAD"):
        monkeypatch.setenv(f"MLFLOW_ENABLE_PROXY_MULTIPART_{name}", "true")
    foreign.upload(big_file, "big")
    foreign.download("big", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == big_file.read_bytes()


# Our server in front of S3


@pytest.fixture
def behind(s3: S3Server, s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedStore]:
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    config = ServerConfig(f"sqlite:///{tmp_path}/store.db", artifacts_destination=f"s3://{s3_bucket}/root")
    with inside.served(config) as address:
        yield served_store("mlflow-artifacts:/run/artifacts", address)


def test_parts_go_past_the_server_when_that_is_asked(
    behind: ServedStore, big_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3: S3Server
) -> None:
    for name in ("UPLOAD", "DOWNLOAD"):
        monkeypatch.setenv(f"MLFLOW_ENABLE_PROXY_MULTIPART_{name}", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "not for S3")
    asked: list[str] = []
    really = behind._http.request

    def counted(method: str, path: str, **more: object) -> object:
        asked.append(f"{method} {path.split('/run/')[0]}")
        return really(method, path, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(behind._http, "request", counted)
    behind.upload(big_file, "a b/big %.bin")
    assert not [call for call in asked if call.startswith("PUT")]
    behind.download("a b/big %.bin", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == big_file.read_bytes()
    assert not [call for call in asked if call == "GET /api/2.0/mlflow-artifacts/artifacts" and "presigned" in call]
    assert "GET /api/2.0/mlflow-artifacts/presigned" in asked


def test_a_checksum_travels_all_the_way(behind: ServedStore, big_file: Path) -> None:
    digest = hashlib.sha256(big_file.read_bytes()).hexdigest()
    behind.upload(big_file, "big")
    with behind.open("big", 0, 1) as content:
        assert (content.sha256, content.file_size) == (digest, big_file.stat().st_size)
    behind.write("small", [b"x"])
    with behind.open("small") as content:
        assert content.sha256 == hashlib.sha256(b"x").hexdigest()


def test_the_server_checks_what_it_is_told(behind: ServedStore) -> None:
    headers = {"Content-Digest": digest_header("0" * 64), "Content-Length": "1"}
    with pytest.raises(IntegrityError):
        behind._http.request("PUT", behind._at("/api/2.0/mlflow-artifacts/artifacts", "f"), body=b"x", headers=headers)
    assert behind.list() == []


def test_what_the_server_looks_after_is_not_removed_from_here(behind: ServedStore) -> None:
    with pytest.raises(NotSupported, match="server"):
        behind.remove_abandoned(0)
