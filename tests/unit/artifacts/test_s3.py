"""S3 as it really answers: other tools' keys, presigned addresses, extra arguments, errors, forks."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millstream.artifacts.contract import Part
from millstream.artifacts.s3 import S3Store, s3_store
from millstream.entities import FileInfo
from millstream.errors import (
    ArtifactNotFound,
    InvalidPath,
    InvalidValue,
    MillstreamError,
    NotFound,
    NotSupported,
    PermissionDenied,
    Unauthenticated,
    Unreachable,
)
from tests.servers.ceph import S3Server
from tests.servers.processes import free_port

MIB = 1 << 20
PART = 5 * MIB


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> str:
    """A bucket of this module."""
    name = f"unit-{uuid.uuid4().hex[:12]}"
    s3.client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def root(s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty place in the bucket, with the environment that reaches it."""
    for name, value in s3.environment().items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "MLFLOW_S3_UPLOAD_EXTRA_ARGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0.01")
    return f"s3://{bucket}/{uuid.uuid4().hex}"


@pytest.fixture
def store(root: str) -> Iterator[S3Store]:
    with s3_store(root) as store:
        yield store


def prefix(root: str) -> str:
    return root.rpartition("/")[2]


def fetch(url: str, method: str = "GET", data: bytes | None = None) -> Any:
    headers = {"Content-Type": "application/octet-stream"} if data is not None else {}
    return urllib.request.urlopen(urllib.request.Request(url, data=data, method=method, headers=headers))


def test_keys_are_those_that_other_tools_see(store: S3Store, s3: S3Server, bucket: str, root: str) -> None:
    names = ["a b/100% ü=.txt", "plain", "x+y@z&(1).bin"]
    for name in names:
        store.write(name, [b"ours"])
    listed = s3.client().list_objects_v2(Bucket=bucket, Prefix=prefix(root) + "/")["Contents"]
    assert sorted(item["Key"] for item in listed) == sorted(f"{prefix(root)}/{name}" for name in names)
    s3.client().put_object(Bucket=bucket, Key=f"{prefix(root)}/theirs 100%/é.txt", Body=b"theirs")
    assert store.open("theirs 100%/é.txt").read() == b"theirs"
    assert store.stat("theirs 100%/é.txt").sha256 is None


def test_folder_marks_of_other_tools_are_no_files(store: S3Store, s3: S3Server, bucket: str, root: str) -> None:
    s3.client().put_object(Bucket=bucket, Key=f"{prefix(root)}/folder/", Body=b"")
    s3.client().put_object(Bucket=bucket, Key=f"{prefix(root)}/folder/file", Body=b"1")
    assert store.list() == [FileInfo("folder", True)]
    assert store.list("folder") == [FileInfo("folder/file", False, 1)]
    assert [file.path for file in store.walk("folder")] == ["folder/file"]


def test_keys_that_are_no_paths_are_explained(store: S3Store, s3: S3Server, bucket: str, root: str) -> None:
    s3.client().put_object(Bucket=bucket, Key=f"{prefix(root)}/a/../b", Body=b"x")
    with pytest.raises(InvalidPath, match="no path") as caught:
        store.list("a")
    assert caught.value.hint
    s3.client().delete_object(Bucket=bucket, Key=f"{prefix(root)}/a/../b")


def test_presigned_addresses(store: S3Store) -> None:
    path = "a b/100% ü=.bin"
    assert fetch(store.presign_upload(path, 60).url, "PUT", b"by address").status == 200
    assert fetch(store.presign_download(path, 60).url).read() == b"by address"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        fetch(store.presign_download(path, 60).url.replace("ü", "x").replace("%C3%BC", "x"))


def test_parts_by_presigned_addresses(store: S3Store) -> None:
    parts = [os.urandom(PART), os.urandom(100)]
    upload_id = store.start_upload("a b/ü%.bin")
    sent = []
    for number, data in enumerate(parts, start=1):
        answer = fetch(store.presign_part("a b/ü%.bin", upload_id, number, 60).url, "PUT", data)
        sent.append(Part(number, answer.headers["ETag"], len(data)))
    store.complete_upload("a b/ü%.bin", upload_id, sent)
    assert store.open("a b/ü%.bin").read() == b"".join(parts)


def test_a_checksum_goes_with_the_file(store: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", str(9 * MIB))
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", str(PART))
    for size in (10, 8 * MIB + 5, 11 * MIB):
        (tmp_path / "file").write_bytes(os.urandom(size))
        store.upload(tmp_path / "file", f"file {size}")
        assert store.stat(f"file {size}").sha256 == hashlib.sha256((tmp_path / "file").read_bytes()).hexdigest()


def test_extra_arguments(root: str, s3: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_S3_UPLOAD_EXTRA_ARGS",
                       '{"ContentType": "text/x-test", "CacheControl": "no-store", "Metadata": {"team": "a"}}')
    with s3_store(root) as store:
        store.write("small", [b"x"])
        store.write("long", (bytes(MIB) for _ in range(12)))
        for name in ("small", "long"):
            found = s3.client().head_object(Bucket=bucket, Key=f"{prefix(root)}/{name}")
            assert (found["ContentType"], found["CacheControl"]) == ("text/x-test", "no-store")
            assert found["Metadata"]["team"] == "a"
        assert store.open("long").read() == bytes(12 * MIB)
        with pytest.raises(InvalidValue):
            store.write("cut", (bytes(MIB) for _ in range(12)), 13 * MIB)
        assert store.list_uploads("cut") == []


@pytest.mark.parametrize("text", ["not json", "[]", '{"Nonsense": 1}'])
def test_extra_arguments_that_mean_nothing(root: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_S3_UPLOAD_EXTRA_ARGS", text)
    with pytest.raises(InvalidValue, match="MLFLOW_S3_UPLOAD_EXTRA_ARGS"):
        s3_store(root)


def test_abandoned_uploads_are_removed(store: S3Store) -> None:
    upload_id = store.start_upload("a/big")
    store.write_part("a/big", upload_id, 1, [b"x"], 1)
    assert store.remove_abandoned(3600) == 0
    assert store.remove_abandoned(-3600) == 1
    assert store.list_uploads("a/big") == []
    with pytest.raises(ArtifactNotFound):
        store.write_part("a/big", upload_id, 2, [b"x"], 1)


# Errors


def calls(store: S3Store) -> list[Any]:
    return [lambda: store.list(), lambda: store.stat("a"), lambda: store.open("a"), lambda: store.write("a", [b"x"]),
            lambda: store.start_upload("a"), lambda: store.list_uploads("a")]


def test_a_bucket_that_is_not_there(root: str) -> None:
    store = s3_store("s3://no-such-bucket-here/root")
    for call in (store.list, lambda: store.write("a", [b"x"]), lambda: store.start_upload("a")):
        with pytest.raises(NotFound):
            call()


def test_keys_that_are_wrong(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    for call in calls(s3_store(root)):
        with pytest.raises((PermissionDenied, Unauthenticated)) as caught:
            call()
        assert caught.value.hint
        assert "wrong" not in caught.value.message


def test_a_service_that_is_not_there(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    for call in calls(s3_store(root)):
        with pytest.raises(Unreachable) as caught:
            call()
        assert caught.value.hint


def test_without_keys_parts_are_not_supported(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    store = s3_store(root)
    for call in (lambda: store.start_upload("a"), lambda: store.list_uploads("a")):
        with pytest.raises(NotSupported) as caught:
            call()
        assert caught.value.hint


FORK = """
import os, sys
from millstream.artifacts.s3 import s3_store
from millstream.errors import NotSupported
store = s3_store(sys.argv[1])
store.list()
child = os.fork()
if child == 0:
    try:
        store.list()
    except NotSupported as error:
        os._exit(7 if "spawn" in error.hint else 8)
    os._exit(9)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_is_told_instead_of_hanging(root: str) -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK, root], capture_output=True, text=True,
                          check=True, timeout=60)
    assert done.stdout.strip() == "7"


def test_errors_hold_no_secrets(root: str, s3: S3Server) -> None:
    try:
        s3_store(root).open("missing")
    except MillstreamError as error:
        assert s3.secret_key not in f"{error.message} {error.hint}"
