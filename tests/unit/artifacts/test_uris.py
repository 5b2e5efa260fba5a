"""Which store serves an address, how addresses are joined, and the forms that name a run or a model."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.artifacts.filesystems import FileSystemStore
from millstream.artifacts.local import LocalStore
from millstream.artifacts.served import ServedStore
from millstream.artifacts.uris import (
    ModelUri,
    RunUri,
    artifact_store,
    join_uri,
    local_folder,
    local_uri,
    parse_model_uri,
    parse_run_uri,
    scheme,
)
from millstream.errors import InvalidPath, InvalidValue
from millstream.testing.artifacts import REFUSED_PATHS

MODEL_ID = "m-" + "0f" * 16


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MILLSTREAM_TRACKING_URI", "MLFLOW_S3_ENDPOINT_URL",
                 "AZURE_STORAGE_CONNECTION_STRING"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("uri", "expected"), [
    ("", ""), ("/a/b", ""), ("./a", ""), ("a:b", "a"), ("s3://b/p", "s3"), ("S3://b", "s3"), ("file:/a", "file"),
    ("mlflow-artifacts:/", "mlflow-artifacts"), ("a/b:c", ""), ("1:x", ""),
])
def test_schemes(uri: str, expected: str) -> None:
    assert scheme(uri) == expected


def test_addresses_on_this_machine(place: Path) -> None:
    for uri in (str(place / "a b"), f"file://{place}/a%20b", f"file:{place}/a%20b",
                f"file://localhost{place}/a%20b", "a b", "./a b"):
        store = artifact_store(uri)
        assert isinstance(store, LocalStore)
        assert store.root == str(place / "a b"), uri
        assert store.uri == uri
    assert local_folder(local_uri(place / "a b%20#?")) == str(place / "a b%20#?")


@pytest.mark.parametrize("uri", ["file://host/etc", "file://127.0.0.1/etc", "file:///a?b", "file:///a#b"])
def test_addresses_on_other_machines_are_refused(uri: str) -> None:
    with pytest.raises(InvalidValue):
        artifact_store(uri)


@pytest.mark.parametrize(("uri", "kind"), [
    ("s3://bucket/prefix", "S3Store"), ("s3://bucket", "S3Store"),
    ("r2://bucket@account.r2.cloudflarestorage.com/prefix", "S3Store"),
    ("b2://bucket@s3.us-west-004.backblazeb2.com/prefix", "S3Store"),
    ("wasbs://container@account.blob.core.windows.net/p", "AzureStore"),
    ("abfss://container@account.dfs.core.windows.net/p", "AzureStore"),
    ("memory://place/p", "FileSystemStore"), ("mlflow-artifacts://host:5000/p", "ServedStore"),
    ("http://host/api/2.0/mlflow-artifacts/artifacts/p", "ServedStore"),
    ("https://host/prefix/ajax-api/2.0/mlflow-artifacts/artifacts", "ServedStore"),
])
def test_the_scheme_chooses_the_store(uri: str, kind: str) -> None:
    with artifact_store(uri) as store:
        assert type(store).__name__ == kind
        assert store.uri == uri


@pytest.mark.parametrize(("uri", "words"), [
    ("runs:/abc/model", "names a run"), ("models:/m/1", "names a model"), ("nothing-like-it://a", "nothing-like-it"),
    ("s3:///prefix", "no bucket"), ("r2://bucket/prefix", "no service"), ("gs:///p", "no bucket"),
    ("wasbs://account.blob.core.windows.net/p", "container"), ("http://host/files", "not the artifact address"),
    ("mlflow-artifacts:/p", "none is set"), ("mlflow-artifacts://host/p?x", "query"),
    ("simplecache::memory://a", "chains"), ("gdrive://p", "pip install gdrive-fsspec"),
])
def test_an_address_that_cannot_be_served_is_explained(uri: str, words: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        artifact_store(uri)
    assert words in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.hint


def test_roots_at_a_tracking_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(uri: str, tracking_uri: str | None = None) -> tuple[str, str, bool]:
        store = artifact_store(uri, tracking_uri=tracking_uri)
        assert isinstance(store, ServedStore)
        return store._http.base_uri, store._root, store._http._sign_in

    server = "https://tracking.example/prefix"
    assert opened("mlflow-artifacts:/1/2/artifacts", server) == (server, "1/2/artifacts", True)
    assert opened("mlflow-artifacts:/", server) == (server, "", True)
    assert opened("mlflow-artifacts://tracking.example/1", server) == (server, "1", True)
    assert opened("mlflow-artifacts://host:5000/1") == ("http://host:5000", "1", True)
    api = "/api/2.0/mlflow-artifacts/artifacts"
    assert opened(f"{server}{api}/1/a%20b", server) == (server, "1/a b", True)
    # Whoever wrote down a root of another server does not get the credentials of this one.
    assert opened("mlflow-artifacts://elsewhere.example/1", server) == ("https://elsewhere.example", "1", False)
    assert opened("mlflow-artifacts://tracking.example:444/1", server) == ("https://tracking.example:444", "1", False)
    assert opened(f"https://elsewhere.example{api}/1", server) == ("https://elsewhere.example", "1", False)
    assert opened(f"http://tracking.example{api}/1", server) == ("http://tracking.example", "1", False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    assert opened("mlflow-artifacts:/1") == (server, "1", True)


@pytest.mark.parametrize("path", ["..", "1/../../2", "a%2e"])
def test_a_root_at_a_server_is_a_path_too(path: str) -> None:
    with pytest.raises(InvalidPath):
        artifact_store(f"mlflow-artifacts:/{path}", tracking_uri="http://host")


# Joining


@pytest.mark.parametrize(("root", "path", "expected"), [
    ("s3://bucket", "a/b", "s3://bucket/a/b"), ("s3://bucket/", "a", "s3://bucket/a"),
    ("s3://bucket/p?versionId=1", "a", "s3://bucket/p/a?versionId=1"),
    ("s3://bucket/p?x=1#part", "a b", "s3://bucket/p/a b?x=1#part"),
    ("s3://bucket/p#part?x", "a", "s3://bucket/p/a#part?x"), ("file:///", "a", "file:/a"),
    ("dbfs:/root", "a", "dbfs:/root/a"), ("mlflow-artifacts:/", "a", "mlflow-artifacts:/a"),
    ("mlflow-artifacts:", "a", "mlflow-artifacts:/a"), ("mlflow-artifacts:/1/2", "a", "mlflow-artifacts:/1/2/a"),
    ("file:///tmp/x", "100% ü#", None), ("file:///tmp/x", "100% ü", "file:///tmp/x/100%25%20%C3%BC"),
    ("/tmp/x", "a b", "/tmp/x/a b"), ("/tmp/x?y", "a", "/tmp/x?y/a"), ("./mlruns/", "a", "./mlruns/a"),
    ("runs:/id", "a", "runs:/id/a"), ("s3://bucket/p?x=1", "", "s3://bucket/p?x=1"),
])
def test_joining(root: str, path: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(InvalidPath):
            join_uri(root, path)
    else:
        assert join_uri(root, path) == expected


@pytest.mark.parametrize("path", REFUSED_PATHS)
def test_nothing_that_leads_out_is_joined(path: str) -> None:
    with pytest.raises(InvalidPath):
        join_uri("s3://bucket/root", path)


def test_a_joined_root_serves_the_folder() -> None:
    root = f"memory://{uuid.uuid4().hex}/root"
    store = artifact_store(root)
    assert isinstance(store, FileSystemStore)
    store.write("a b/100%.txt", [b"x"])
    assert [file.path for file in artifact_store(join_uri(root, "a b")).walk()] == ["100%.txt"]


@pytest.mark.parametrize("name", ["a b", "100%", "ü"])
def test_a_joined_root_on_disk_serves_the_folder(tmp_path: Path, name: str) -> None:
    for root in (str(tmp_path / "r oot"), local_uri(tmp_path / "r oot")):
        artifact_store(root).write(f"{name}/file", [root.encode()])
        assert artifact_store(join_uri(root, name)).open("file").read() == root.encode()


# Runs and models


@pytest.mark.parametrize(("uri", "expected"), [
    ("runs:/abc/model", RunUri("abc", "model")), ("runs:/abc/deep/model x", RunUri("abc", "deep/model x")),
    ("runs:/abc", RunUri("abc", "")), ("runs:/abc/", RunUri("abc", "")),
    ("runs://profile@databricks/abc/model", RunUri("abc", "model", "profile@databricks")),
])
def test_run_addresses(uri: str, expected: RunUri) -> None:
    assert parse_run_uri(uri) == expected


@pytest.mark.parametrize(
    "uri", ["", "runs:", "runs:/", "runs://", "runs:abc/model", "runs:/abc//model", "models:/m/1", "/abc"]
)
def test_what_is_no_run_address(uri: str) -> None:
    with pytest.raises(InvalidValue, match="not a run address"):
        parse_run_uri(uri)


@pytest.mark.parametrize(("uri", "expected"), [
    ("models:/my model/3", ModelUri(name="my model", version="3")),
    ("models:/m/12/data/model.pkl", ModelUri("data/model.pkl", name="m", version="12")),
    ("models:/m/Production", ModelUri(name="m", stage="Production")),
    ("models:/m/Staging/MLmodel", ModelUri("MLmodel", name="m", stage="Staging")),
    ("models:/m/latest", ModelUri(name="m", latest=True)), ("models:/m/Latest/a", ModelUri("a", name="m", latest=True)),
    ("models:/m@champion", ModelUri(name="m", alias="champion")),
    ("models:/a@b@champion/data/x", ModelUri("data/x", name="a@b", alias="champion")),
    (f"models:/{MODEL_ID}", ModelUri(model_id=MODEL_ID)),
    (f"models:/{MODEL_ID}/a/b", ModelUri("a/b", model_id=MODEL_ID)),
    ("models:/m-123", ModelUri(model_id="m-123")), ("models:/m-123/4", ModelUri(name="m-123", version="4")),
    ("models://profile@databricks/m/1", ModelUri(name="m", version="1", authority="profile@databricks")),
    ("models:/catalog.schema.m/1", ModelUri(name="catalog.schema.m", version="1")),
])
def test_model_addresses(uri: str, expected: ModelUri) -> None:
    assert parse_model_uri(uri) == expected


@pytest.mark.parametrize(
    "uri",
    ["", "models:", "models:/", "models:/m//1", "models:m/1", "models:/@a", "models:/m@", "runs:/a/b", "models"],
)
def test_what_is_no_model_address(uri: str) -> None:
    with pytest.raises(InvalidValue, match="not a model address"):
        parse_model_uri(uri)


@pytest.mark.parametrize("path", ["..", "a/../..", "a%2e", "a;b", "a?b", "a#b", "a\\b"])
def test_paths_in_runs_and_models_are_paths(path: str) -> None:
    for uri in (f"runs:/abc/{path}", f"models:/m/1/{path}", f"models:/m@a/{path}", f"models:/{MODEL_ID}/{path}"):
        with pytest.raises(InvalidPath):
            parse_run_uri(uri) if uri.startswith("runs") else parse_model_uri(uri)


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    for parse, kind in ((parse_run_uri, "runs"), (parse_model_uri, "models")):
        for uri in (text, f"{kind}:/{text}"):
            try:
                parse(uri)
            except InvalidValue:
                pass
