"""Addresses that fsspec serves: errors in our words, and no passwords in them."""

from __future__ import annotations

import uuid

import pytest

from millstream.artifacts.filesystems import filesystem_store
from millstream.errors import InvalidPath, InvalidValue, Unreachable
from tests.servers.processes import free_port


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(Unreachable) as caught:
        filesystem_store(f"ftp://user:s3cret@127.0.0.1:{free_port()}/root")
    assert "s3cret" not in f"{caught.value.message} {caught.value.hint}"
    assert "user@127.0.0.1" in caught.value.message


@pytest.mark.parametrize(("uri", "words"), [
    ("no-such-scheme://x", "no-such-scheme"), ("filecache::memory://x", "chains"), ("gdrive://x", "gdrive-fsspec"),
])
def test_addresses_that_cannot_be_served(uri: str, words: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        filesystem_store(uri)
    assert words in f"{caught.value.message} {caught.value.hint}"


def test_files_on_their_way_are_not_listed() -> None:
    store = filesystem_store(f"memory://{uuid.uuid4().hex}/root")
    store.write("folder/file", [b"x"])
    store._fs.pipe_file(f"{store._root}/folder/.millstream-{'0' * 32}.part", b"half")
    assert [file.path for file in store.walk()] == ["folder/file"]


def test_a_folder_is_not_written_over() -> None:
    store = filesystem_store(f"memory://{uuid.uuid4().hex}/root")
    store.write("folder/file", [b"x"])
    with pytest.raises(InvalidPath, match="folder"):
        store.write("folder", [b"x"])
    assert store.open("folder/file").read() == b"x"
