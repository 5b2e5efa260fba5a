"""The artifact store contract as tests.

    class TestMyStore(ArtifactStoreConformance):
        @pytest.fixture
        def store(self): ...   # an empty store each time, see millstream.artifacts.contract

A store that takes parts subclasses :class:`MultipartConformance` instead.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from millstream.artifacts.contract import ArtifactStore, MultipartStore, Part
from millstream.entities import FileInfo
from millstream.errors import ArtifactNotFound, Conflict, IntegrityError, InvalidPath, InvalidValue, MillstreamError

MIB = 1 << 20
PART = 5 * MIB

ORDINARY_PATHS = [
    "a",
    "model/MLmodel",
    "deep/er/and/deeper/file.bin",
    "with space.txt",
    "100% done.txt",
    "100%",
    "%",
    "5%z",
    "a=b+c@d&e.txt",
    "brackets (1) [2] {3}.txt",
    "über/naïve café.txt",
    "模型/数据.bin",
    "emoji 🎉.txt",
    ".hidden",
    "...",
    "..a",
    "a..b/c..",
    "~tilde",
    "quote'.txt",
    "comma,semi.txt",
    "dollar$.txt",
    "noon 12:30.log",
    "under_score-dash.tar.gz",
    "x" * 200,
]

# Every way out of a root that was published against MLflow, and their kin.
REFUSED_PATHS = [
    "..",
    ".",
    "../",
    "../a",
    "../../etc/passwd",
    "a/..",
    "a/../b",
    "a/../../b",
    "./a",
    "a/.",
    "a/./b",
    "a/../../../../../../../../etc/passwd",
    "/",
    "//",
    "/etc/passwd",
    "//etc/passwd",
    "//proc/self/root",
    "///a",
    "a//b",
    "a/",
    "a//",
    " /../a",
    "\\",
    "..\\",
    "..\\..\\windows\\win.ini",
    "a\\b",
    "a\\..\\b",
    "\\\\host\\share",
    "/\\a",
    "\\etc",
    "C:",
    "C:\\Windows",
    "C:/Windows",
    "c:a",
    "Z:/",
    "file:/etc/passwd",
    "file:///etc/passwd",
    "file://host/etc",
    "dbfs:/a",
    "s3://bucket/key",
    "http://host/a",
    "runs:/0/a",
    "models:/m/1",
    "mlflow-artifacts:/a",
    "local:/etc/passwd",
    "file:",
    "%2e%2e",
    "%2e%2e/a",
    "%2E%2E%2Fa",
    "..%2fa",
    "..%2Fetc%2Fpasswd",
    "%2fetc%2fpasswd",
    "a%2f..%2fb",
    "%5c",
    "..%5ca",
    "%252e%252e%252f",
    "%252e%252e/a",
    "%25%32%65",
    "%00",
    "a%00b",
    "%0a",
    "%3f",
    "%23",
    "%3b",
    "%c0%ae%c0%ae/a",
    "%u002e%u002e/a",
    "a%20b",
    "%25",
    "a\0b",
    "\0",
    "a\nb",
    "a\rb",
    "a\tb",
    "\x7f",
    "a\x85b",
    "a\u2028b",
    "a\x1b[31m",
    "a;b",
    ";",
    "a;/../b",
    "..;/a",
    "a?b",
    "?",
    "a#b",
    "#",
    "a#/../b",
    "a?/../b",
    "?path=/etc/passwd",
    "\uff0e\uff0e/a",
    "\u2025/a",
    "\uff0e",
    "a\uff0fb",
    "a\uff3cb",
    "\u2024\u2024/a",
    "\ufe52\ufe52/a",
    "\ud800",
    "a/\udcff",
    "x" * 256,
    "é" * 128,
    "/".join(["a"] * 3000),
    ".millstream-" + "0" * 32 + ".part",
    "a/.millstream-" + "f" * 32 + ".part/data",
]


def read(store: ArtifactStore, path: str, *arguments: Any) -> bytes:
    """The bytes of a file, or of a range of it."""
    return store.open(path, *arguments).read()


def pieces(*parts: bytes) -> Iterator[bytes]:
    """Bytes that can be read once, as they come from a network."""
    yield from parts


def need_etags(store: ArtifactStore, path: str) -> str:
    """The etag of a file; the test is skipped when the store knows none."""
    with store.open(path) as content:
        if content.etag is None:
            pytest.skip("this store knows no etags")
        return content.etag


class ArtifactStoreConformance:
    """What every artifact store does."""

    @pytest.fixture(autouse=True)
    def small_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Files of a few megabytes move in parts, so that the tests need no large ones."""
        for name, value in {
            "MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": 6 * MIB,
            "MULTIPART_UPLOAD_CHUNK_SIZE": PART,
            "MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE": 6 * MIB,
            "MULTIPART_DOWNLOAD_CHUNK_SIZE": 4 * MIB,
            "TRANSFER_THREADS": 3,
        }.items():
            monkeypatch.setenv(f"MILLSTREAM_{name}", str(value))

    @pytest.fixture
    def big_file(self, tmp_path: Path) -> Path:
        """A local file of three parts, the last one shorter."""
        place = tmp_path / "local" / "big file.bin"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(os.urandom(2 * PART + 12345))
        return place

    # Paths

    @pytest.mark.parametrize("path", ORDINARY_PATHS)
    def test_ordinary_names_are_kept_as_they_are(self, store: ArtifactStore, path: str) -> None:
        store.write(path, [b"content of ", path.encode()])
        assert read(store, path) == b"content of " + path.encode()
        assert store.stat(path).file_size == 11 + len(path.encode())
        assert [file.path for file in store.walk()] == [path]
        store.remove(path)
        assert list(store.walk()) == []

    def test_every_way_out_is_refused_by_every_call(self, store: ArtifactStore, tmp_path: Path) -> None:
        local = tmp_path / "local.txt"
        local.write_bytes(b"x")
        target = tmp_path / "target"
        calls: list[Callable[[str], object]] = [
            store.list,
            lambda path: list(store.walk(path)),
            store.stat,
            store.open,
            store.remove,
            store.local_path,
            store.total_bytes,
            lambda path: store.write(path, [b"x"]),
            lambda path: store.upload(local, path),
            lambda path: store.download(path, target),
            lambda path: store.log_artifact(local, path),
            lambda path: store.log_artifacts(tmp_path, path),
            lambda path: store.download_artifacts(path, target),
            lambda path: store.presign_download(path, 60),
            lambda path: store.presign_upload(path, 60),
        ]
        if isinstance(store, MultipartStore):
            upload = "0" * 32
            calls += [
                lambda path: store.start_upload(path, size=1, part_size=1),
                store.list_uploads,
                lambda path: store.write_part(path, upload, 1, [b"x"], 1),
                lambda path: store.complete_upload(path, upload, [Part(1, "", 1)]),
                lambda path: store.abort_upload(path, upload),
                lambda path: store.presign_part(path, upload, 1, 60),
            ]
        store.write("kept", [b"kept"])
        for call in calls:
            for path in REFUSED_PATHS:
                with pytest.raises((InvalidPath, MillstreamError)) as caught:
                    call(path)
                if not isinstance(caught.value, InvalidPath):
                    assert caught.value.error_code == "NOT_IMPLEMENTED", f"{call} of {path!r}: {caught.value!r}"
        assert [file.path for file in store.walk()] == ["kept"]
        assert not target.exists()

    # Reading and writing

    def test_a_file_is_what_was_written(self, store: ArtifactStore) -> None:
        made = store.write("folder/file", pieces(b"one ", b"", b"two"))
        assert read(store, "folder/file") == b"one two"
        assert made.path == "folder/file"
        assert made.file_size in (7, None)

    def test_an_empty_file_is_a_file(self, store: ArtifactStore) -> None:
        store.write("empty", [])
        assert read(store, "empty") == b""
        assert read(store, "empty", 0, 10) == b""
        assert store.list() == [FileInfo("empty", False, 0)]

    def test_ranges_are_cut_at_the_end(self, store: ArtifactStore) -> None:
        store.write("file", [b"0123456789"])
        assert read(store, "file", 3) == b"3456789"
        assert read(store, "file", 3, 4) == b"3456"
        assert read(store, "file", 8, 50) == b"89"
        assert read(store, "file", 10) == b""
        assert read(store, "file", 10, 1) == b""
        assert read(store, "file", 99, 1) == b""
        assert read(store, "file", 0, 0) == b""
        with store.open("file", 4, 2) as content:
            assert content.file_size == 10

    def test_ranges_below_zero_are_refused(self, store: ArtifactStore) -> None:
        store.write("file", [b"x"])
        for offset, length in ((-1, None), (0, -1), (-5, 3)):
            with pytest.raises(InvalidValue):
                store.open("file", offset, length)

    def test_writing_replaces(self, store: ArtifactStore) -> None:
        store.write("file", [b"a longer first version"])
        store.write("file", [b"second"])
        assert read(store, "file") == b"second"

    def test_content_that_breaks_off_leaves_what_was_there(self, store: ArtifactStore) -> None:
        def broken() -> Iterator[bytes]:
            yield b"half of it"
            raise RuntimeError("the source broke")

        store.write("file", [b"old"])
        for path in ("file", "new/file"):
            with pytest.raises(RuntimeError, match="the source broke"):
                store.write(path, broken())
        assert read(store, "file") == b"old"
        assert [file.path for file in store.walk()] == ["file"]
        assert store.list("new") == []

    @pytest.mark.parametrize("size", [0, 3, 5, 7, 9 * MIB])
    def test_content_of_another_length_is_refused(self, store: ArtifactStore, size: int) -> None:
        store.write("file", [b"old"])
        with pytest.raises(InvalidValue):
            store.write("file", pieces(b"six", b"six"), size)
        assert read(store, "file") == b"old"

    def test_long_content_of_another_length_or_checksum_is_refused(self, store: ArtifactStore) -> None:
        store.write("file", [b"old"])
        for size, sha256 in ((10 * MIB, None), (12 * MIB, None), (11 * MIB, "0" * 64), (None, "0" * 64)):
            with pytest.raises((InvalidValue, IntegrityError)):
                store.write("file", pieces(*[bytes(MIB)] * 11), size, sha256=sha256)
        assert read(store, "file") == b"old"

    def test_content_with_another_checksum_is_refused(self, store: ArtifactStore) -> None:
        store.write("file", [b"old"])
        with pytest.raises(IntegrityError):
            store.write("file", pieces(b"new"), 3, sha256=hashlib.sha256(b"other").hexdigest())
        assert read(store, "file") == b"old"
        store.write("file", pieces(b"new"), 3, sha256=hashlib.sha256(b"new").hexdigest())
        assert read(store, "file") == b"new"

    def test_a_file_is_never_seen_half(self, store: ArtifactStore) -> None:
        versions = {letter * 300_000 for letter in (b"a", b"b", b"c")}
        store.write("file", [min(versions)])
        failures: list[object] = []
        done = threading.Event()

        def look() -> None:
            while not done.is_set():
                try:
                    if read(store, "file") not in versions:
                        failures.append("a mixed file")
                except Exception as error:
                    failures.append(error)

        reader = threading.Thread(target=look)
        reader.start()

        def write(version: bytes) -> None:
            for _ in range(4):
                store.write("file", pieces(version[:100_000], version[100_000:]))

        writers = [threading.Thread(target=write, args=(version,)) for version in versions]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        done.set()
        reader.join()
        assert failures == []

    def test_a_changed_file_is_noticed(self, store: ArtifactStore) -> None:
        store.write("file", [b"first"])
        etag = need_etags(store, "file")
        assert store.open("file", etag=etag).read() == b"first"
        store.write("file", [b"second, longer"])
        with pytest.raises(Conflict):
            store.open("file", 1, 2, etag=etag)

    # Folders

    def test_listing(self, store: ArtifactStore) -> None:
        for path, data in {"b.txt": b"12", "a/x": b"1", "a/y/z": b"123", "c/only": b""}.items():
            store.write(path, [data])
        assert store.list() == [FileInfo("a", True), FileInfo("b.txt", False, 2), FileInfo("c", True)]
        assert store.list("a") == [FileInfo("a/x", False, 1), FileInfo("a/y", True)]
        assert store.list("b.txt") == []
        assert store.list("nothing") == []
        assert store.list("nothing/at/all") == []
        assert sorted(file.path for file in store.walk()) == ["a/x", "a/y/z", "b.txt", "c/only"]
        assert [file.path for file in store.walk("a/y")] == ["a/y/z"]
        assert list(store.walk("b.txt")) == []
        assert store.total_bytes() == 6
        assert store.total_bytes("a") == 4

    def test_a_folder_is_no_prefix(self, store: ArtifactStore) -> None:
        store.write("model/a", [b"1"])
        store.write("model-2/a", [b"2"])
        store.write("mod", [b"3"])
        assert [file.path for file in store.walk("model")] == ["model/a"]
        store.remove("model")
        assert sorted(file.path for file in store.walk()) == ["mod", "model-2/a"]

    def test_stat(self, store: ArtifactStore) -> None:
        store.write("folder/file", [b"12345"])
        assert (store.stat("folder/file").is_dir, store.stat("folder/file").file_size) == (False, 5)
        assert (store.stat("folder").is_dir, store.stat("folder").file_size) == (True, None)
        for path in ("file", "folder/other", "folder/file/inner", "fold"):
            with pytest.raises(ArtifactNotFound):
                store.stat(path)

    def test_what_is_not_there_cannot_be_opened(self, store: ArtifactStore) -> None:
        store.write("folder/file", [b"x"])
        for path in ("file", "folder/other", "no/where"):
            with pytest.raises(ArtifactNotFound):
                read(store, path)
        with pytest.raises((ArtifactNotFound, InvalidPath)):
            read(store, "folder")

    def test_removing(self, store: ArtifactStore) -> None:
        for path in ("a/b/c", "a/b/d", "a/e", "f"):
            store.write(path, [b"x"])
        store.remove("a/b/c")
        store.remove("f")
        assert sorted(file.path for file in store.walk()) == ["a/b/d", "a/e"]
        store.remove("a")
        assert store.list() == []
        for path in ("a", "a/b/c", "f", "never"):
            with pytest.raises(ArtifactNotFound):
                store.remove(path)

    def test_the_last_file_takes_its_folders_along(self, store: ArtifactStore) -> None:
        store.write("a/b/c/file", [b"x"])
        store.write("a/other", [b"x"])
        store.remove("a/b/c/file")
        assert store.list("a") == [FileInfo("a/other", False, 1)]
        store.remove("a/other")
        assert store.list() == []

    def test_clearing(self, store: ArtifactStore) -> None:
        store.clear()
        for path in ("a/b", "c"):
            store.write(path, [b"x"])
        store.clear()
        assert store.list() == []
        store.write("again", [b"x"])
        assert read(store, "again") == b"x"

    # Local files

    def test_logging_and_downloading_a_file(self, store: ArtifactStore, tmp_path: Path) -> None:
        local = tmp_path / "some file.txt"
        local.write_bytes(b"logged")
        store.log_artifact(local)
        store.log_artifact(str(local), "sub/folder")
        assert sorted(file.path for file in store.walk()) == ["some file.txt", "sub/folder/some file.txt"]
        answer = store.download_artifacts("sub/folder/some file.txt", tmp_path / "down")
        assert answer == str(tmp_path / "down" / "sub/folder/some file.txt")
        assert Path(answer).read_bytes() == b"logged"
        here = store.download_artifacts("some file.txt")
        assert Path(here).read_bytes() == b"logged"

    def test_logging_and_downloading_a_folder(self, store: ArtifactStore, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        files = {"a.txt": b"a", "sub/b.bin": b"b" * 1000, "sub/deep/er/c": b"", "é/ü.txt": b"u"}
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        (folder / "linked.txt").symlink_to(folder / "a.txt")
        (folder / "sub" / "loop").symlink_to(folder)
        store.log_artifacts(folder, "model")
        expected = {f"model/{name}": data for name, data in files.items()} | {"model/linked.txt": b"a"}
        assert {file.path: read(store, file.path) for file in store.walk()} == expected
        answer = store.download_artifacts("model", tmp_path / "down")
        assert answer == str(tmp_path / "down" / "model")
        found = {
            str(path.relative_to(tmp_path / "down")): path.read_bytes()
            for path in (tmp_path / "down").rglob("*")
            if path.is_file()
        }
        assert found == expected
        store.log_artifact(folder / "sub", "again")
        assert read(store, "again/sub/b.bin") == b"b" * 1000

    def test_what_is_not_there_cannot_be_logged_or_fetched(self, store: ArtifactStore, tmp_path: Path) -> None:
        for call in (store.log_artifact, store.log_artifacts):
            with pytest.raises(InvalidValue):
                call(tmp_path / "missing")
        with pytest.raises(ArtifactNotFound):
            store.download_artifacts("missing", tmp_path / "down")
        with pytest.raises(ArtifactNotFound):
            store.download("missing", tmp_path / "missing")
        assert not (tmp_path / "missing").exists()

    def test_a_name_that_cannot_be_stored_stops_a_folder_before_anything_is_sent(
        self, store: ArtifactStore, tmp_path: Path
    ) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / "a.txt").write_bytes(b"x")
        (folder / "z%2e%2e").write_bytes(b"x")
        with pytest.raises(InvalidPath):
            store.log_artifacts(folder)
        assert list(store.walk()) == []

    def test_a_big_file_comes_back_the_same(self, store: ArtifactStore, big_file: Path, tmp_path: Path) -> None:
        moved: list[int] = []
        store.upload(big_file, "big/file.bin", advance=moved.append)
        assert sum(moved) == big_file.stat().st_size
        assert [(file.path, file.file_size) for file in store.walk()] == [("big/file.bin", big_file.stat().st_size)]
        moved.clear()
        store.download("big/file.bin", tmp_path / "down.bin", advance=moved.append)
        assert (tmp_path / "down.bin").read_bytes() == big_file.read_bytes()
        assert sum(moved) == big_file.stat().st_size
        assert os.listdir(tmp_path / "local") == [big_file.name]
        assert [name for name in os.listdir(tmp_path) if name.startswith(".millstream")] == []

    def test_a_download_goes_on_where_it_was_cut(
        self, store: ArtifactStore, big_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store.upload(big_file, "big")
        need_etags(store, "big")
        if store.local_path("big") is not None:
            pytest.skip("a file on this machine is copied whole")
        asked: list[int] = []
        really = store.open

        def counted(path: str, offset: int = 0, length: int | None = None, *, etag: str | None = None) -> Any:
            if len(asked) == 2:
                raise KeyboardInterrupt
            asked.append(length or 0)
            return really(path, offset, length, etag=etag)

        monkeypatch.setenv("MILLSTREAM_TRANSFER_THREADS", "1")
        monkeypatch.setattr(store, "open", counted)
        with pytest.raises(KeyboardInterrupt):
            store.download("big", tmp_path / "down")
        assert not (tmp_path / "down").exists()
        first = sum(asked)
        assert 0 < first < big_file.stat().st_size
        asked[:] = [0, 0, 0]  # no cut this time
        store.download("big", tmp_path / "down")
        assert (tmp_path / "down").read_bytes() == big_file.read_bytes()
        assert sum(asked) <= big_file.stat().st_size - first + 2  # each call may ask one byte to learn the etag

    def test_a_download_that_was_cut_is_not_continued_with_another_file(
        self, store: ArtifactStore, big_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store.upload(big_file, "big")
        need_etags(store, "big")
        if store.local_path("big") is not None:
            pytest.skip("a file on this machine is copied whole")
        really, count = store.open, 0

        def cut(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count > 2:
                raise KeyboardInterrupt
            return really(*arguments, **named)

        monkeypatch.setenv("MILLSTREAM_TRANSFER_THREADS", "1")
        monkeypatch.setattr(store, "open", cut)
        with pytest.raises(KeyboardInterrupt):
            store.download("big", tmp_path / "down")
        monkeypatch.setattr(store, "open", really)
        big_file.write_bytes(os.urandom(big_file.stat().st_size))
        store.upload(big_file, "big")
        store.download("big", tmp_path / "down")
        assert (tmp_path / "down").read_bytes() == big_file.read_bytes()


class MultipartConformance(ArtifactStoreConformance):
    """What a store does that takes parts."""

    @pytest.fixture
    def parts(self, big_file: Path) -> list[bytes]:
        """The parts of ``big_file``."""
        whole = big_file.read_bytes()
        return [whole[at : at + PART] for at in range(0, len(whole), PART)]

    def start(self, store: MultipartStore, parts: list[bytes], path: str = "big") -> str:
        """Begin an upload of a file that consists of ``parts``."""
        whole = b"".join(parts)
        return store.start_upload(path, size=len(whole), part_size=PART, sha256=hashlib.sha256(whole).hexdigest())

    def send(self, store: MultipartStore, upload_id: str, parts: list[bytes], number: int, path: str = "big") -> Part:
        """Send one part."""
        data = parts[number - 1]
        return store.write_part(
            path, upload_id, number, [data[:1000], data[1000:]], len(data), sha256=hashlib.sha256(data).hexdigest()
        )

    def test_parts_in_any_order_make_the_file(self, store: MultipartStore, parts: list[bytes]) -> None:
        upload_id = self.start(store, parts)
        sent = [self.send(store, upload_id, parts, number) for number in (3, 1, 2)]
        assert list(store.walk()) == []
        (found,) = store.list_uploads("big")
        assert found.upload_id == upload_id
        assert [(part.number, part.file_size) for part in found.parts] == [
            (number, len(part)) for number, part in enumerate(parts, start=1)
        ]
        store.complete_upload("big", upload_id, sent, sha256=hashlib.sha256(b"".join(parts)).hexdigest())
        assert read(store, "big") == b"".join(parts)
        assert store.list_uploads("big") == []
        assert [file.path for file in store.walk()] == ["big"]

    def test_uploads_of_other_files_are_not_listed(self, store: MultipartStore, parts: list[bytes]) -> None:
        for path in ("big", "big2", "folder/big"):
            upload_id = self.start(store, parts, path)
            self.send(store, upload_id, parts, 1, path)
        assert len(store.list_uploads("big")) == 1
        assert store.list_uploads("bi") == []
        assert store.list_uploads("folder") == []

    def test_a_part_sent_again_replaces(self, store: MultipartStore, parts: list[bytes]) -> None:
        upload_id = self.start(store, parts)
        changed = [os.urandom(len(parts[0])), *parts[1:]]
        self.send(store, upload_id, changed, 1)
        sent = [self.send(store, upload_id, parts, number) for number in (1, 2, 3)]
        store.complete_upload("big", upload_id, sent)
        assert read(store, "big") == b"".join(parts)

    def test_a_part_that_breaks_off_does_not_count(self, store: MultipartStore, parts: list[bytes]) -> None:
        upload_id = self.start(store, parts)
        with pytest.raises((InvalidValue, IntegrityError)):
            store.write_part("big", upload_id, 1, pieces(parts[0][:-1]), len(parts[0]))
        with pytest.raises((InvalidValue, IntegrityError)):
            store.write_part("big", upload_id, 2, pieces(parts[0]), len(parts[0]), sha256="0" * 64)
        assert [upload.parts for upload in store.list_uploads("big")] in ([], [[]])

    def test_a_missing_part_is_noticed(self, store: MultipartStore, parts: list[bytes]) -> None:
        upload_id = self.start(store, parts)
        sent = self.send(store, upload_id, parts, 1)
        with pytest.raises((InvalidValue, ArtifactNotFound)):
            store.complete_upload("big", upload_id, [sent, Part(2, "0" * 32, PART), Part(3, "1" * 32, 12345)])
        assert list(store.walk()) == []

    def test_an_upload_is_of_its_path(self, store: MultipartStore, parts: list[bytes]) -> None:
        upload_id = self.start(store, parts)
        sent = [self.send(store, upload_id, parts, number) for number in (1, 2, 3)]
        with pytest.raises((ArtifactNotFound, InvalidValue)):
            store.complete_upload("other", upload_id, sent)
        assert list(store.walk()) == []

    @pytest.mark.parametrize("upload_id", ["0" * 32, "nothing", "..", "../../etc", "a/b", "a\0b", "%2e%2e"])
    def test_an_upload_that_is_not_open_is_not_found(self, store: MultipartStore, upload_id: str) -> None:
        store.write("old", [b"old"])
        with pytest.raises((ArtifactNotFound, InvalidValue)):
            store.complete_upload("old", upload_id, [Part(1, "x", 3)])
        assert read(store, "old") == b"old"

    def test_an_upload_can_be_given_up(self, store: MultipartStore, parts: list[bytes]) -> None:
        upload_id = self.start(store, parts, "folder/big")
        self.send(store, upload_id, parts, 1, "folder/big")
        store.abort_upload("folder/big", upload_id)
        assert store.list() == []

    def test_an_upload_goes_on_where_it_was_cut(
        self, store: MultipartStore, big_file: Path, parts: list[bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sent: list[int] = []
        really = store.write_part

        def cut(path: str, upload_id: str, number: int, *more: Any, **named: Any) -> Part:
            if len(sent) == 2:
                raise KeyboardInterrupt
            sent.append(number)
            return really(path, upload_id, number, *more, **named)

        monkeypatch.setenv("MILLSTREAM_TRANSFER_THREADS", "1")
        monkeypatch.setattr(store, "write_part", cut)
        with pytest.raises(KeyboardInterrupt):
            upload_in_parts(store, big_file, "big")
        assert list(store.walk()) == []
        first = list(sent)
        sent.clear()
        moved: list[int] = []

        def counted(path: str, upload_id: str, number: int, *more: Any, **named: Any) -> Part:
            sent.append(number)
            return really(path, upload_id, number, *more, **named)

        monkeypatch.setattr(store, "write_part", counted)
        upload_in_parts(store, big_file, "big", moved.append)
        assert (first, sent) == ([1, 2], [3])
        assert sum(moved) == big_file.stat().st_size
        assert read(store, "big") == big_file.read_bytes()
        assert store.list_uploads("big") == []

    def test_parts_of_another_file_are_never_mixed_in(
        self, store: MultipartStore, big_file: Path, parts: list[bytes]
    ) -> None:
        other = [os.urandom(len(part)) for part in parts]
        for mixed in ([other[0], parts[1], parts[2]], [other[0], other[1], other[2]]):
            upload_id = self.start(store, mixed)
            self.send(store, upload_id, mixed, 1)
            self.send(store, upload_id, mixed, 2)
        upload_in_parts(store, big_file, "big")
        assert read(store, "big") == big_file.read_bytes()


def upload_in_parts(
    store: MultipartStore, local_file: Path, path: str, advance: Callable[[int], None] | None = None
) -> None:
    """``upload`` as a store does it that has no way of its own."""
    from millstream.artifacts.transfers import upload

    upload(store, local_file, path, advance=advance)
