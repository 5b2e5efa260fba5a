"""Moving files: checksums, networks that break off, downloads side by side, and the bar."""

from __future__ import annotations

import hashlib
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from millstream.artifacts import partial
from millstream.artifacts.contract import Content, FileStat
from millstream.artifacts.local import LocalStore
from millstream.artifacts.partial import Partial
from millstream.artifacts.transfers import FileSlice
from millstream.errors import Conflict, IntegrityError, InvalidPath, Unreachable

MIB = 1 << 20


class FarStore(LocalStore):
    """A disk that is treated as if it were behind a network, with a network that can be broken."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.breaks_after: list[int] = []
        self.sha256: str | None = None
        self.opened: list[tuple[int, int | None]] = []

    def local_path(self, path: str = "") -> str | None:
        return None

    def stat(self, path: str) -> FileStat:
        found = super().stat(path)
        return msgspec.structs.replace(found, sha256=self.sha256 or found.sha256)

    def open(self, path: str, offset: int = 0, length: int | None = None, *, etag: str | None = None) -> Content:
        self.opened.append((offset, length))
        content = super().open(path, offset, length, etag=etag)
        chunks: Iterator[bytes] = content
        if self.breaks_after and length != 1:
            chunks = self._broken(content, self.breaks_after.pop(0))
        return Content(chunks, file_size=content.file_size, etag=content.etag, sha256=self.sha256 or content.sha256,
                       release=content.close)

    def _broken(self, content: Content, after: int) -> Iterator[bytes]:
        for chunk in content:
            if after < len(chunk):
                yield chunk[:after]
                raise Unreachable("the network broke")
            after -= len(chunk)
            yield chunk


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FarStore:
    for name, value in {"MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE": 3 * MIB, "MULTIPART_DOWNLOAD_CHUNK_SIZE": 2 * MIB,
                        "HTTP_REQUEST_BACKOFF_FACTOR": 0, "HTTP_REQUEST_MAX_RETRIES": 4, "TRANSFER_THREADS": 2}.items():
        monkeypatch.setenv(f"MILLSTREAM_{name}", str(value))
    return FarStore(tmp_path / "root")


@pytest.fixture(params=[2 * MIB + 5, 7 * MIB + 5], ids=["whole", "in parts"])
def data(request: pytest.FixtureRequest, store: FarStore) -> bytes:
    """The content of the file ``file`` of the store."""
    content = os.urandom(request.param)
    store.write("file", [content])
    return content


def test_a_network_that_breaks_off_is_tried_again(store: FarStore, data: bytes, tmp_path: Path) -> None:
    moved: list[int] = []
    store.breaks_after = [100, MIB + 7, 0]
    store.download("file", tmp_path / "down", advance=moved.append)
    assert (tmp_path / "down").read_bytes() == data
    assert sum(moved) == len(data)


def test_what_had_arrived_of_a_part_is_not_asked_again(
    store: FarStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLSTREAM_TRANSFER_THREADS", "1")  # with two, which part breaks is a matter of luck
    store.write("file", [bytes(7 * MIB)])
    store.breaks_after = [MIB + 7]
    store.download("file", tmp_path / "down")
    assert (MIB + 7, MIB - 7) in store.opened


def test_patience_with_a_network_ends(store: FarStore, data: bytes, tmp_path: Path) -> None:
    store.breaks_after = [0] * 100
    with pytest.raises(Unreachable, match="the network broke"):
        store.download("file", tmp_path / "down")
    assert not (tmp_path / "down").exists()


def test_damaged_bytes_are_noticed_and_not_kept(store: FarStore, data: bytes, tmp_path: Path) -> None:
    (tmp_path / "down").write_bytes(b"old")
    store.sha256 = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(IntegrityError, match="does not match"):
        store.download("file", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["down", "root"]
    store.sha256 = hashlib.sha256(data).hexdigest()
    store.download("file", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == data


def test_a_file_that_changes_while_it_is_fetched_is_noticed(
    store: FarStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write("file", [bytes(7 * MIB)])
    really = store.open

    def changing(path: str, offset: int = 0, *more: Any, **named: Any) -> Content:
        if offset == 4 * MIB:
            store.write("file", [b"1" * 7 * MIB])
        return really(path, offset, *more, **named)

    monkeypatch.setattr(store, "open", changing)
    monkeypatch.setenv("MILLSTREAM_TRANSFER_THREADS", "1")
    with pytest.raises(Conflict):
        store.download("file", tmp_path / "down")
    monkeypatch.setattr(store, "open", really)
    store.download("file", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == b"1" * 7 * MIB
    assert sorted(os.listdir(tmp_path)) == ["down", "root"]


def test_downloads_of_one_file_at_the_same_time(store: FarStore, tmp_path: Path) -> None:
    data = os.urandom(9 * MIB)
    store.write("file", [data])
    failures: list[BaseException] = []

    def fetch() -> None:
        try:
            store.download("file", tmp_path / "down")
            assert (tmp_path / "down").read_bytes() == data
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(os.listdir(tmp_path)) == ["down", "root"]


def test_a_listing_cannot_lead_a_download_out(store: FarStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from millstream.entities import FileInfo

    store.write("model/file", [b"x"])
    monkeypatch.setattr(store, "walk", lambda path: iter([FileInfo("../../planted", False, 1)]))
    with pytest.raises(InvalidPath):
        store.download_artifacts("model", tmp_path / "down")
    assert not list(tmp_path.rglob("planted"))


def test_nothing_is_done_twice_for_a_folder(store: FarStore, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    for number in range(30):
        (folder / str(number % 3)).mkdir(parents=True, exist_ok=True)
        (folder / str(number % 3) / str(number)).write_bytes(bytes([number]) * number)
    store.log_artifacts(folder, "many")
    store.opened.clear()
    store.download_artifacts("many", tmp_path / "down")
    assert len(store.opened) == 30
    assert {path.name: path.read_bytes() for path in (tmp_path / "down").rglob("*") if path.is_file()} == {
        str(number): bytes([number]) * number for number in range(30)
    }


def test_the_first_error_ends_a_folder(store: FarStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(50):
        (folder / f"{number:02}").write_bytes(b"x")
    tried: list[str] = []

    def fails(local: object, path: str, **_: object) -> None:
        tried.append(path)
        raise IntegrityError(f"{path} fails")

    monkeypatch.setattr(store, "upload", fails)
    with pytest.raises(IntegrityError, match="fails"):
        store.log_artifacts(folder)
    assert len(tried) < 50


def test_a_local_file_that_shrinks_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    with pytest.raises(Conflict, match="became shorter"):
        list(FileSlice(tmp_path / "file", 0, 10))


# Partial files


def test_a_partial_file_is_of_one_file_and_one_start_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"

    def begun(identity: str = "a", size: int = 10, part: int = 4, etag: str = "e") -> list[int]:
        with Partial.beside(target, identity, size, part, etag) as made:
            return made.arrived

    def begin() -> None:
        with Partial.beside(target, "a", 10, 4, "e") as made:
            made.write(b"4567", 4)
            made.keep(1)

    begin()
    assert begun() == [1]
    assert begun("b") == []
    for size, part in ((11, 4), (10, 5)):
        begin()
        assert begun(size=size, part=part) == []
        assert begun() == []
    begin()
    assert begun(etag="other") == []
    begin()
    monkeypatch.setattr(partial, "_boot", lambda: "another start")
    assert begun() == []


def test_a_partial_file_that_was_cut_itself_begins_anew(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with Partial.beside(target, "a", 10, 4, "e") as made:
        made.keep(0)
    (place,) = tmp_path.iterdir()
    os.truncate(place, place.stat().st_size - 1)
    with Partial.beside(target, "a", 10, 4, "e") as made:
        assert made.arrived == []
        assert made.missing == [0, 1, 2]
        assert [made.length(number) for number in (0, 1, 2)] == [4, 4, 2]
        for number, data in enumerate((b"0123", b"4567", b"89")):
            made.write(data, number * 4)
            made.keep(number)
        assert made.sha256() == hashlib.sha256(b"0123456789").hexdigest()
        made.finish()
    assert target.read_bytes() == b"0123456789"
    assert os.listdir(tmp_path) == ["target"]


# The bar

PROGRAM = """
import sys
from pathlib import Path
from millstream.artifacts.local import LocalStore
from millstream.artifacts import transfers
transfers.log_artifacts(LocalStore(sys.argv[1]), sys.argv[2], None)
"""


@pytest.mark.parametrize(("terminal", "allowed", "shown"), [
    (True, "true", True), (True, "false", False), (False, "true", False),
])
def test_a_bar_is_drawn_for_people_only(tmp_path: Path, terminal: bool, allowed: str, shown: bool) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "big").write_bytes(bytes(20 * MIB))
    ours, theirs = pty.openpty()
    log = tmp_path / "log"
    try:
        with log.open("wb") as file:
            subprocess.run(
                [sys.executable, "-c", PROGRAM, str(tmp_path / "root"), str(tmp_path / "folder")], check=True,
                stdout=file, stderr=theirs if terminal else file, stdin=subprocess.DEVNULL,
                env={**os.environ, "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": allowed, "TERM": "xterm", "COLUMNS": "100"},
            )
        os.set_blocking(ours, False)
        try:
            drawn = os.read(ours, 1 << 20)
        except BlockingIOError:
            drawn = b""
    finally:
        os.close(ours)
        os.close(theirs)
    assert (b"upload folder" in drawn) is shown
    assert log.read_bytes() == b""
    assert (tmp_path / "root" / "big").stat().st_size == 20 * MIB
