"""A disk: links, full and read-only disks, other processes, and what killed ones leave behind."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from millstream.artifacts.contract import Part
from millstream.artifacts.local import LocalStore
from millstream.entities import FileInfo
from millstream.errors import ArtifactNotFound, InvalidPath, InvalidValue, NotSupported, StoreUnavailable


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "root")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder with a secret, outside of the root."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    return folder


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A file system of its own."""
    place.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(place)], capture_output=True, check=False
    ).returncode == 0
    if not mounted:
        pytest.skip("mounting a file system needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


# Links


def test_links_below_the_root_lead_nowhere(store: LocalStore, outside: Path) -> None:
    store.write("inside", [b"x"])
    root = Path(store.root)
    (root / "file").symlink_to(outside / "secret")
    (root / "folder").symlink_to(outside)
    (root / "up").symlink_to("..")
    (root / "self").symlink_to(root / "inside")
    (root / "dangling").symlink_to(outside / "new")
    for path in ("file", "self", "dangling", "folder/secret", "up/outside/secret"):
        for call in (store.open, store.stat):
            with pytest.raises((InvalidPath, ArtifactNotFound)):
                call(path)
    for path in ("folder", "up"):
        with pytest.raises((InvalidPath, ArtifactNotFound)):
            store.download_artifacts(path, outside.parent / "down")
        with pytest.raises(InvalidPath, match="symbolic link"):
            store.list(path)
    for path in ("folder/planted", "up/planted", "folder/sub/planted"):
        with pytest.raises(InvalidPath, match="symbolic link"):
            store.write(path, [b"planted"])
        with pytest.raises(InvalidPath, match="symbolic link"):
            store.start_upload(path, size=1, part_size=1)
        with pytest.raises(InvalidPath, match="symbolic link"):
            store.remove(path)
    assert store.list() == [FileInfo("inside", False, 1)]
    assert [file.path for file in store.walk()] == ["inside"]
    assert sorted(os.listdir(outside)) == ["secret"]
    assert not (outside.parent / "planted").exists()


def test_writing_over_a_link_replaces_the_link(store: LocalStore, outside: Path) -> None:
    store.write("other", [b"x"])
    (Path(store.root) / "file").symlink_to(outside / "secret")
    store.write("file", [b"new"])
    assert (outside / "secret").read_text() == "secret"
    assert not (Path(store.root) / "file").is_symlink()
    assert store.open("file").read() == b"new"


def test_removing_takes_links_and_not_what_they_lead_to(store: LocalStore, outside: Path) -> None:
    store.write("folder/file", [b"x"])
    (Path(store.root) / "folder" / "link").symlink_to(outside)
    (Path(store.root) / "link").symlink_to(outside / "secret")
    store.remove("folder")
    store.remove("link")
    assert store.list() == []
    assert (outside / "secret").read_text() == "secret"
    store.write("again/x", [b"x"])
    (Path(store.root) / "again" / "link").symlink_to(outside)
    store.clear()
    assert (outside / "secret").read_text() == "secret"


@contextlib.contextmanager
def swapping(change: Callable[[], None]) -> Iterator[None]:
    """Another thread that calls ``change`` all the time."""
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            change()

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        yield
    finally:
        stop.set()
        swapper.join()


def test_a_folder_that_becomes_a_link_while_it_is_read_lets_nobody_out(store: LocalStore, outside: Path) -> None:
    store.write("folder/secret", [b"inside"])
    folder, spare = Path(store.root) / "folder", Path(store.root) / "spare"

    def change() -> None:
        folder.rename(spare)
        folder.symlink_to(outside)
        folder.unlink()
        spare.rename(folder)

    seen = set()
    with swapping(change):
        for _ in range(2000):
            with contextlib.suppress(InvalidPath, ArtifactNotFound):
                seen.add(store.open("folder/secret").read())
    assert seen <= {b"inside"}
    assert store.open("folder/secret").read() == b"inside"


def test_a_folder_that_becomes_a_link_while_it_is_written_lets_nobody_out(store: LocalStore, outside: Path) -> None:
    store.write("other", [b"x"])
    folder = Path(store.root) / "folder"

    def change() -> None:
        with contextlib.suppress(FileExistsError):
            folder.symlink_to(outside)
            folder.unlink()

    written = 0
    with swapping(change):
        for _ in range(500):
            with contextlib.suppress(InvalidPath, ArtifactNotFound):
                store.remove("folder/secret")
            with contextlib.suppress(InvalidPath):
                store.write("folder/planted", [b"x"])
                store.remove("folder/planted")  # and the folder with it
                written += 1
    assert written
    assert os.listdir(outside) == ["secret"]


def test_the_root_itself_may_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    LocalStore(tmp_path / "link").write("a/b", [b"x"])
    assert (tmp_path / "real" / "a" / "b").read_bytes() == b"x"


def test_what_is_no_file_is_not_listed_and_not_read(store: LocalStore, tmp_path: Path) -> None:
    store.write("file", [b"x"])
    os.mkfifo(Path(store.root) / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(Path(store.root) / "socket"))
        assert store.list() == [FileInfo("file", False, 1)]
        with pytest.raises(InvalidPath):
            store.open("pipe")
        with pytest.raises((InvalidPath, StoreUnavailable)):
            store.open("socket")


# Names on the disk


def test_names_that_are_no_text_are_not_listed(store: LocalStore) -> None:
    store.write("file", [b"x"])
    Path(os.fsdecode(os.fsencode(store.root) + b"/\xff\xfe")).write_bytes(b"x")
    assert [entry.path for entry in store.list()] == ["file"]


def test_a_file_in_the_place_of_a_folder_is_explained(store: LocalStore) -> None:
    store.write("model", [b"x"])
    with pytest.raises(InvalidPath, match="'model' is a file there") as caught:
        store.write("model/MLmodel", [b"x"])
    assert caught.value.hint
    store.write("folder/file", [b"x"])
    with pytest.raises(InvalidPath, match="'folder' is a folder"):
        store.write("folder", [b"x"])
    assert sorted(file.path for file in store.walk()) == ["folder/file", "model"]


def test_nothing_is_made_for_a_root_that_is_only_read(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "root")
    assert store.list() == list(store.walk()) == []
    assert store.total_bytes() == 0
    store.clear()
    for call in (store.stat, store.open, store.remove):
        with pytest.raises(ArtifactNotFound):
            call("a")
    assert store.remove_abandoned(0) == 0
    assert not (tmp_path / "root").exists()


def test_files_take_the_modes_that_the_process_gives(store: LocalStore) -> None:
    before = os.umask(0o027)
    try:
        store.write("folder/file", [b"x"])
    finally:
        os.umask(before)
    assert (Path(store.root) / "folder" / "file").stat().st_mode & 0o777 == 0o640
    assert (Path(store.root) / "folder").stat().st_mode & 0o777 == 0o750


def test_uploads_on_their_way_are_private(store: LocalStore) -> None:
    store.start_upload("file", size=1, part_size=1)
    (place,) = Path(store.root).iterdir()
    assert place.stat().st_mode & 0o777 == 0o700


def test_the_place_of_a_file_is_told(store: LocalStore, tmp_path: Path) -> None:
    store.write("a/b", [b"x"])
    assert store.local_path("a/b") == store.download_artifacts("a/b") == str(tmp_path / "root" / "a" / "b")
    assert store.local_path() == str(tmp_path / "root")
    with pytest.raises(ArtifactNotFound):
        store.local_path("c")


def test_files_are_let_go_of_whether_they_were_read_or_not(store: LocalStore) -> None:
    store.write("file", [bytes(3_000_000)])
    before = len(os.listdir("/dev/fd"))
    kept = [store.open("file") for _ in range(10)]
    assert len(os.listdir("/dev/fd")) == before + 10
    for number, content in enumerate(kept):
        if number % 3 == 1:
            next(content)
        elif number % 3 == 2:
            content.read()
        content.close()
        content.close()
    assert len(os.listdir("/dev/fd")) == before
    for content in (store.open("file"), store.open("file")):
        assert sum(map(len, content)) == 3_000_000  # to its end, and never closed
    assert len(os.listdir("/dev/fd")) == before


# Checksums


def test_a_checksum_is_kept_and_forgotten_when_the_file_changes(store: LocalStore) -> None:
    store.write("file", [b"content"])
    try:
        os.getxattr(Path(store.root) / "file", "user.millstream.sha256")
    except OSError:
        pytest.skip("this disk keeps no extended attributes")
    assert store.stat("file").sha256 == hashlib.sha256(b"content").hexdigest()
    before = store.stat("file").etag
    (Path(store.root) / "file").write_bytes(b"another")
    assert store.stat("file").sha256 is None
    assert store.stat("file").etag != before


# Disks that fail


def test_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "3m") as disk:
        store = LocalStore(disk)
        store.write("kept", [b"kept"])
        with pytest.raises(StoreUnavailable, match="no space left") as caught:
            store.write("folder/big", [bytes(1 << 20)] * 5)
        assert caught.value.hint
        assert "free space" in caught.value.hint
        local = tmp_path / "local"
        local.write_bytes(bytes(5 << 20))
        with pytest.raises(StoreUnavailable, match="no space left"):
            store.upload(local, "kept")
        upload_id = store.start_upload("parts", size=5 << 20, part_size=5 << 20)
        with pytest.raises(StoreUnavailable, match="no space left"):
            store.write_part("parts", upload_id, 1, [bytes(5 << 20)], 5 << 20)
        store.abort_upload("parts", upload_id)
        assert store.list() == [FileInfo("kept", False, 4)]
        assert os.listdir(disk) == ["kept"]
        assert store.open("kept").read() == b"kept"
        store.write("again", [bytes(1 << 20)])


def test_a_read_only_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "3m") as disk:
        store = LocalStore(disk)
        store.write("kept", [b"kept"])
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for change in (lambda: store.write("new", [b"x"]), lambda: store.write("kept", [b"x"]),
                       lambda: store.remove("kept"), lambda: store.start_upload("new", size=1, part_size=1)):
            with pytest.raises(StoreUnavailable, match="may not be accessed") as caught:
                change()
            assert caught.value.hint
            assert "read-only" in caught.value.hint
        assert store.open("kept").read() == b"kept"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_somebody_else(store: LocalStore) -> None:
    store.write("folder/kept", [b"kept"])
    (Path(store.root) / "folder").chmod(0o500)
    try:
        with pytest.raises(StoreUnavailable, match="may not be accessed"):
            store.write("folder/new", [b"x"])
    finally:
        (Path(store.root) / "folder").chmod(0o700)


# Other processes


def test_writers_and_removers_of_one_folder_do_not_trip_over_each_other(store: LocalStore) -> None:
    failures: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for number in range(60):
                store.write(f"deep/er/{name}", [str(number).encode()])
                store.remove(f"deep/er/{name}")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert os.listdir(store.root) == []


def test_what_a_killed_process_left_is_not_seen_and_is_removed(store: LocalStore) -> None:
    program = (
        "import os, sys\n"
        "from millstream.artifacts.local import LocalStore\n"
        "def chunks():\n"
        "    yield b'half'\n"
        "    os.kill(os.getpid(), 9)\n"
        "LocalStore(sys.argv[1]).write('folder/file', chunks())\n"
    )
    store.write("folder/other", [b"x"])
    done = subprocess.run([sys.executable, "-c", program, store.root], check=False)
    assert done.returncode == -9
    store.start_upload("folder/parts", size=10, part_size=5)
    store.start_upload("elsewhere/parts", size=10, part_size=5)
    assert len(os.listdir(Path(store.root) / "folder")) == 3
    assert [file.path for file in store.walk()] == ["folder/other"]
    assert store.remove_abandoned(3600) == 0
    long_ago = time.time() - 7200
    for partial in Path(store.root).rglob(".millstream-*"):
        os.utime(partial, (long_ago, long_ago))
        for inner in partial.iterdir() if partial.is_dir() else ():
            os.utime(inner, (long_ago, long_ago))
    assert store.remove_abandoned(3600) == 3
    assert os.listdir(store.root) == ["folder"]
    assert os.listdir(Path(store.root) / "folder") == ["other"]


# Uploads in parts


def test_a_disk_must_know_the_sizes(store: LocalStore) -> None:
    for known, part in ((None, None), (10, None), (None, 5)):
        with pytest.raises(NotSupported):
            store.start_upload("file", size=known, part_size=part)
    for size, part_size in ((-1, 5), (10, 0), (10, -5), (10_001, 1)):
        with pytest.raises(InvalidValue):
            store.start_upload("file", size=size, part_size=part_size)
    assert store.list() == []


@pytest.mark.parametrize(("number", "size"), [(0, 5), (4, 5), (-1, 5), (1, 4), (1, 6), (3, 5), (3, 3)])
def test_a_part_that_does_not_belong_is_refused(store: LocalStore, number: int, size: int) -> None:
    upload_id = store.start_upload("file", size=12, part_size=5)
    with pytest.raises(InvalidValue):
        store.write_part("file", upload_id, number, [bytes(max(size, 0))], size)
    assert store.list_uploads("file")[0].parts == []


def test_completing_waits_for_nobody(store: LocalStore) -> None:
    upload_id = store.start_upload("file", size=10, part_size=5)
    sent = [store.write_part("file", upload_id, number, [b"01234"], 5) for number in (1, 2)]
    writing, go_on = threading.Event(), threading.Event()

    def slow() -> Iterator[bytes]:
        yield b"ab"
        writing.set()
        go_on.wait(30)
        yield b"cde"

    writer = threading.Thread(target=store.write_part, args=("file", upload_id, 2, slow(), 5))
    writer.start()
    assert writing.wait(30)
    for call in (
        lambda: store.complete_upload("file", upload_id, sent),
        lambda: store.abort_upload("file", upload_id),
        lambda: store.write_part("file", upload_id, 2, [b"56789"], 5),
    ):
        with pytest.raises(StoreUnavailable):
            call()
    again = store.write_part("file", upload_id, 1, [b"56789"], 5)  # another part is free
    go_on.set()
    writer.join()
    with pytest.raises(InvalidValue):
        store.complete_upload("file", upload_id, sent)  # both parts are others by now
    last = Part(2, hashlib.sha256(b"abcde").hexdigest(), 5)
    store.complete_upload("file", upload_id, [again, last])
    assert store.open("file").read() == b"56789abcde"


def test_parts_arrive_in_parallel(store: LocalStore) -> None:
    part, count = 100_000, 24
    upload_id = store.start_upload("file", size=part * count, part_size=part)
    arrived: list[Part] = []

    def send(number: int) -> None:
        arrived.append(store.write_part("file", upload_id, number, [bytes([number]) * part], part))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(1, count + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.complete_upload("file", upload_id, arrived, sha256="ab" * 32)
    assert store.open("file").read() == b"".join(bytes([number]) * part for number in range(1, count + 1))
    assert os.listdir(store.root) == ["file"]
