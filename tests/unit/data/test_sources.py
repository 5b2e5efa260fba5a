from __future__ import annotations

import http.server
import os
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millstream import plugins
from millstream.data import dataset_source_registry as registry
from millstream.data.artifact_dataset_sources import LocalArtifactDatasetSource, S3ArtifactDatasetSource
from millstream.data.code_dataset_source import CodeDatasetSource
from millstream.data.dataset_source import DatasetSource
from millstream.data.dataset_source_registry import get_dataset_source_from_json, resolve_dataset_source
from millstream.data.delta_dataset_source import DeltaDatasetSource
from millstream.data.http_dataset_source import HTTPDatasetSource
from millstream.data.huggingface_dataset_source import HuggingFaceDatasetSource
from millstream.data.spark_dataset_source import SparkDatasetSource
from millstream.data.uc_volume_dataset_source import UCVolumeDatasetSource
from millstream.errors import (
    ArtifactNotFound,
    InvalidValue,
    LimitExceeded,
    NotFound,
    NotSupported,
    StoreUnavailable,
    Unauthenticated,
    Unreachable,
)
from millstream.outgoing import AddressRefused


@pytest.mark.parametrize(
    ("text", "kind", "recorded"),
    [
        # As MLflow 3.17.2 resolves them.
        ("data.csv", "local", '{"uri": "data.csv"}'),
        ("/tmp/x/data.csv", "local", '{"uri": "/tmp/x/data.csv"}'),
        ("file:///tmp/data.csv", "local", '{"uri": "file:///tmp/data.csv"}'),
        (Path("data.csv"), "local", '{"uri": "data.csv"}'),
        ("catalog.schema.table", "local", '{"uri": "catalog.schema.table"}'),
        ("/Volumes/a/b/c/d.csv", "local", '{"uri": "/Volumes/a/b/c/d.csv"}'),
        ("s3://b/k.csv", "s3", '{"uri": "s3://b/k.csv"}'),
        ("S3://b/k", "s3", '{"uri": "S3://b/k"}'),
        ("r2://b/x", "r2", '{"uri": "r2://b/x"}'),
        ("b2://b/x", "b2", '{"uri": "b2://b/x"}'),
        ("gs://b/k", "gs", '{"uri": "gs://b/k"}'),
        ("wasbs://c@a.blob.core.windows.net/x", "wasbs", '{"uri": "wasbs://c@a.blob.core.windows.net/x"}'),
        ("abfss://c@a.dfs.core.windows.net/x", "abfss", '{"uri": "abfss://c@a.dfs.core.windows.net/x"}'),
        ("hdfs://h/x", "hdfs", '{"uri": "hdfs://h/x"}'),
        ("viewfs://x/y", "viewfs", '{"uri": "viewfs://x/y"}'),
        ("ftp://h/x", "ftp", '{"uri": "ftp://h/x"}'),
        ("sftp://h/x", "sftp", '{"uri": "sftp://h/x"}'),
        ("http://h/x.csv", "http", '{"url": "http://h/x.csv"}'),
        ("HTTP://h/x.csv", "http", '{"url": "HTTP://h/x.csv"}'),
    ],
)
def test_a_text_is_resolved_and_a_record_read_back(text: Any, kind: str, recorded: str) -> None:
    source = resolve_dataset_source(text)
    assert (source._get_source_type(), source.to_json()) == (kind, recorded)
    again = get_dataset_source_from_json(recorded, kind)
    assert type(again) is type(source)
    assert again.to_json() == recorded


@pytest.mark.parametrize(
    "unknown", ["s3a://b/k", "dbfs:/x", "azureml://foo", "runs:/abc/x", "unknown://x", 5, b"x", ["a"], {"a": 1}, None]
)
def test_what_no_kind_knows(unknown: Any) -> None:
    with pytest.raises(NotFound):
        resolve_dataset_source(unknown)


@pytest.mark.parametrize(
    ("source", "recorded"),
    [
        # As MLflow 3.17.2 records them.
        (CodeDatasetSource(tags={"a": "b"}), '{"tags": {"a": "b"}}'),
        (SparkDatasetSource(path="a"), '{"path": "a"}'),
        (SparkDatasetSource(table_name="b"), '{"table_name": "b"}'),
        (SparkDatasetSource(sql="c"), '{"sql": "c"}'),
        (DeltaDatasetSource(path="/t"), '{"path": "/t"}'),
        (DeltaDatasetSource(path="/t", delta_table_version=3), '{"path": "/t", "delta_table_version": 3}'),
        (DeltaDatasetSource(delta_table_name="default.t", delta_table_version=3, delta_table_id="xyz"),
         '{"delta_table_name": "default.t", "delta_table_version": 3, "is_databricks_uc_table": true, '
         '"delta_table_id": "xyz"}'),
        (HuggingFaceDatasetSource(path="a"), '{"path": "a", "config_name": null, "data_dir": null, "data_files": null, '
         '"split": "None", "revision": null}'),
        (HuggingFaceDatasetSource(path="a", config_name="c", split="train", trust_remote_code=True),
         '{"path": "a", "config_name": "c", "data_dir": null, "data_files": null, "split": "train", "revision": null}'),
        (UCVolumeDatasetSource("/Volumes/a/b/c"), '{"path": "/Volumes/a/b/c"}'),
    ],
)
def test_sources_that_programs_make(source: DatasetSource, recorded: str) -> None:
    assert source.to_json() == recorded
    again = get_dataset_source_from_json(recorded, source._get_source_type())
    assert again.to_json() == recorded
    assert not type(source)._can_resolve("text")


@pytest.mark.parametrize(
    "make",
    [
        lambda: SparkDatasetSource(), lambda: SparkDatasetSource(path="a", sql="b"), lambda: DeltaDatasetSource(),
        lambda: DeltaDatasetSource(path="a", delta_table_name="b"), lambda: SparkDatasetSource._resolve("a"),
        lambda: DeltaDatasetSource._resolve("a"), lambda: HuggingFaceDatasetSource._resolve("a"),
    ],
)
def test_sources_that_name_nothing_or_too_much(make: Any) -> None:
    with pytest.raises(InvalidValue):
        make()


def test_code_and_volumes_are_not_loaded(tmp_path: Path) -> None:
    with pytest.raises(NotSupported):
        CodeDatasetSource(tags={}).load()
    with pytest.raises(NotSupported):
        UCVolumeDatasetSource("/Volumes/no/such").load()
    assert UCVolumeDatasetSource(str(tmp_path)).load() == str(tmp_path)


def test_a_local_file_is_where_it_is_or_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.csv").write_text("a\n1\n")
    monkeypatch.chdir(tmp_path)
    for text in ("data.csv", (tmp_path / "data.csv").as_uri(), str(tmp_path / "data.csv")):
        assert resolve_dataset_source(text).load() == str(tmp_path / "data.csv")
    (tmp_path / "there").mkdir()
    copied = LocalArtifactDatasetSource("data.csv").load(tmp_path / "there")
    assert copied == str(tmp_path / "there/data.csv")
    assert Path(copied).read_text() == "a\n1\n"
    with pytest.raises(ArtifactNotFound):
        LocalArtifactDatasetSource("none.csv").load(tmp_path / "there")


def test_a_local_folder_is_loaded_whole(tmp_path: Path) -> None:
    (tmp_path / "data/deep").mkdir(parents=True)
    (tmp_path / "data/deep/a.txt").write_text("a")
    source = LocalArtifactDatasetSource(str(tmp_path / "data"))
    assert source.load() == str(tmp_path / "data")
    assert Path(source.load(tmp_path / "copy"), "deep/a.txt").read_text() == "a"


def test_a_kind_of_the_program_goes_first() -> None:
    class Lake(S3ArtifactDatasetSource):
        source_type = "lake"

    registry.register_dataset_source(Lake)
    try:
        assert resolve_dataset_source("s3://b/k")._get_source_type() == "lake"
        assert get_dataset_source_from_json('{"uri": "s3://b/k"}', "lake").to_dict() == {"uri": "s3://b/k"}
        assert type(resolve_dataset_source("s3://b/k", [LocalArtifactDatasetSource, Lake])) is Lake
        with pytest.raises(NotFound):
            resolve_dataset_source("s3://b/k", [LocalArtifactDatasetSource])
    finally:
        registry._registered.remove(Lake)


def test_a_kind_from_a_plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "lake-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[mlflow.dataset_source]\nlake = lake_source:Lake\n")
    (tmp_path / "lake_source.py").write_text(
        "from millstream.data.dataset_source import DatasetSource\n"
        "class Lake(DatasetSource):\n"
        "    def __init__(self, name): self.name = name\n"
        "    @staticmethod\n"
        "    def _get_source_type(): return 'lake'\n"
        "    @staticmethod\n"
        "    def _can_resolve(raw): return str(raw).startswith('lake:')\n"
        "    @classmethod\n"
        "    def _resolve(cls, raw): return cls(raw[5:])\n"
        "    def load(self): return self.name\n"
        "    def to_dict(self): return {'name': self.name}\n"
        "    @classmethod\n"
        "    def from_dict(cls, fields): return cls(fields['name'])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    plugins.forget()
    try:
        source = resolve_dataset_source("lake:north")
        assert (source._get_source_type(), source.load()) == ("lake", "north")
        assert get_dataset_source_from_json('{"name": "south"}', "lake").load() == "south"
    finally:
        plugins.forget()


class Files(http.server.BaseHTTPRequestHandler):
    """A server whose answers try to be more than a file."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        statuses = {"/private": 401, "/forbidden": 403, "/none": 404, "/broken": 500, "/partial": 206}
        self.send_response(statuses.get(path, 200))
        body = b"a,b\n1,2\n" * (1000 if path == "/big.csv" else 1)
        self.send_header("Content-Disposition", 'attachment; filename="../../evil.sh"')
        self.send_header("Content-Length", str(len(body) + (5 if path == "/short.csv" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    # Temporary folders of this test alone, so that what is left behind shows.
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("MILLSTREAM_ALLOW_PRIVATE_ADDRESSES", "true")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/d/x.csv", "x.csv"), ("/d/x.csv?sig=..%2fy", "x.csv"), ("/", "dataset"), ("/d/", "dataset"),
        ("/..%2f..%2fetc%2fpasswd", "passwd"), ("/%2e%2e", "dataset"), ("/.bashrc", "bashrc"),
        ("/a%00b%0a.csv", "a_b_.csv"),
        ("/" + "n" * 500, "n" * 200), ("/a b.csv".replace(" ", "%20"), "a_b.csv"), ("/c:%5cx.csv", "c__x.csv"),
    ],
)
def test_the_name_of_a_file_from_the_web_comes_from_its_address(
    web: str, tmp_path: Path, path: str, name: str
) -> None:
    loaded = Path(HTTPDatasetSource(web + path).load())
    assert loaded.name == name
    assert loaded.read_bytes() == b"a,b\n1,2\n"
    assert loaded.parent.parent == tmp_path / "tmp"
    assert stat.S_IMODE(loaded.parent.stat().st_mode) == 0o700


def test_a_file_from_the_web_into_a_folder(web: str, tmp_path: Path) -> None:
    loaded = HTTPDatasetSource(web + "/x.csv").load(tmp_path / "new/folder")
    assert loaded == str(tmp_path / "new/folder/x.csv")
    assert os.listdir(tmp_path / "new/folder") == ["x.csv"]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/private", Unauthenticated), ("/forbidden", Unauthenticated), ("/none", NotFound),
        ("/broken", StoreUnavailable), ("/partial", StoreUnavailable), ("/short.csv", Unreachable),
        ("/big.csv", LimitExceeded),
    ],
)
def test_a_file_that_does_not_come_leaves_nothing_behind(
    web: str, tmp_path: Path, path: str, error: type[Exception]
) -> None:
    (tmp_path / "there").mkdir()
    for folder in (None, tmp_path / "there"):
        with pytest.raises(error):
            HTTPDatasetSource(web + path).load(folder, max_bytes=1000)
    assert os.listdir(tmp_path / "tmp") == []
    assert os.listdir(tmp_path / "there") == []


def test_private_addresses_are_asked_for(web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MILLSTREAM_ALLOW_PRIVATE_ADDRESSES")
    source = HTTPDatasetSource(web + "/x.csv")
    with pytest.raises(AddressRefused):
        source.load()
    assert Path(source.load(allow_private=True)).name == "x.csv"


def test_a_password_in_an_address_is_not_recorded() -> None:
    source = HTTPDatasetSource("https://user:secret@example.com/x.csv?a=b")
    assert source.to_json() == '{"url": "https://example.com/x.csv?a=b"}'
    assert source.url == "https://user:secret@example.com/x.csv?a=b"
