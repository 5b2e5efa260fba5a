"""Stores that other distributions bring, found by real entry points."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.artifacts.plugins import RepositoryStore
from millstream.artifacts.uris import artifact_store
from millstream.entities import FileInfo
from millstream.errors import ArtifactNotFound, InvalidValue, NotSupported
from millstream.testing.artifacts import ArtifactStoreConformance

MODULE = '''
import os, shutil, uuid
from collections import namedtuple
from millstream.artifacts.local import LocalStore

File = namedtuple("File", "path is_dir file_size")

def ours(uri):
    return LocalStore(uri.partition("://")[2], uri)

class Repository:
    """What MLflow's plug-ins offer."""

    def __init__(self, artifact_uri):
        self.root = artifact_uri.partition("://")[2]

    def list_artifacts(self, path=None):
        folder = os.path.join(self.root, path or "")
        if not os.path.isdir(folder):
            return []
        return [File(os.path.join(path or "", name), os.path.isdir(os.path.join(folder, name)),
                     os.path.getsize(os.path.join(folder, name))) for name in os.listdir(folder)]

    def log_artifact(self, local_file, artifact_path=None):
        folder = os.path.join(self.root, artifact_path or "")
        os.makedirs(folder, exist_ok=True)
        target = os.path.join(folder, os.path.basename(local_file))
        partial = self.root + "." + uuid.uuid4().hex
        shutil.copy(local_file, partial)
        os.replace(partial, target)

    def download_artifacts(self, artifact_path, dst_path=None):
        target = os.path.join(dst_path, artifact_path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        return shutil.copy(os.path.join(self.root, artifact_path), target)

class Forgetful(Repository):
    def delete_artifacts(self, artifact_path=None):
        target = os.path.join(self.root, artifact_path)
        shutil.rmtree(target) if os.path.isdir(target) else os.unlink(target)
        folder = os.path.dirname(target)
        while folder != self.root and not os.listdir(folder):
            os.rmdir(folder)
            folder = os.path.dirname(folder)
'''


@pytest.fixture
def installed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution with plug-ins, as pip would have put it there."""
    place = tmp_path_factory.mktemp("site")
    (place / "some_plugin_stores.py").write_text(MODULE)
    about = place / "some_plugin-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: some-plugin\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[millstream.artifact_store]\nours-test = some_plugin_stores:ours\nbroken-test = no_such_module_here:x\n"
        "[mlflow.artifact_repository]\ntheirs-test = some_plugin_stores:Repository\n"
        "forgetful-test = some_plugin_stores:Forgetful\nours-test = some_plugin_stores:Repository\n"
    )
    monkeypatch.syspath_prepend(str(place))
    yield
    sys.modules.pop("some_plugin_stores", None)


def test_our_plugins_come_first(installed: None, tmp_path: Path) -> None:
    store = artifact_store(f"ours-test://{tmp_path}/root")
    assert not isinstance(store, RepositoryStore)
    store.write("a", [b"x"])
    assert store.uri == f"ours-test://{tmp_path}/root"
    assert store.list() == [FileInfo("a", False, 1)]


def test_a_plugin_of_mlflow(installed: None, tmp_path: Path) -> None:
    store = artifact_store(f"theirs-test://{tmp_path}/root")
    assert isinstance(store, RepositoryStore)
    store.write("folder/a", [b"x", b"y"])
    assert store.open("folder/a").read() == b"xy"
    with pytest.raises(NotSupported):
        store.remove("folder/a")
    with pytest.raises(ArtifactNotFound):
        store.open("folder")


def test_a_plugin_that_does_not_load_is_explained(installed: None) -> None:
    with pytest.raises(InvalidValue, match="broken-test") as caught:
        artifact_store("broken-test://x")
    assert caught.value.hint


class TestRepository(ArtifactStoreConformance):
    @pytest.fixture
    def store(self, installed: None, tmp_path: Path) -> RepositoryStore:
        store = artifact_store(f"forgetful-test://{tmp_path}/root")
        assert isinstance(store, RepositoryStore)
        return store
