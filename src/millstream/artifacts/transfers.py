"""Moving files and folders between this machine and an artifact store.

Small files move whole, several at a time; big ones in parts, several parts at a time, and what has moved already is
not moved again when a call is repeated after it was cut off:

- **Up**: the store remembers the parts that arrived. A part counts as there when its checksum is that of the bytes we
  would send, so a changed file, or somebody else's upload to the same path, is never mixed in.
- **Down**: a partial file beside the target remembers the parts that arrived and the etag they belong to. Whoever
  holds its lock continues it; a second download of the same file at the same time starts one of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

from millstream import settings
from millstream.artifacts import paths
from millstream.artifacts.contract import (
    CHUNK_BYTES,
    Advance,
    ArtifactStore,
    FileStat,
    MultipartStore,
    Part,
    Upload,
    local_size,
)
from millstream.artifacts.partial import Partial
from millstream.artifacts.progress import progress
from millstream.errors import (
    ArtifactNotFound,
    Conflict,
    IntegrityError,
    InvalidValue,
    NotSupported,
    Unreachable,
)

X = TypeVar("X")
T = TypeVar("T")

_MAX_PARTS = 10_000
_MIN_PART = 5 << 20  # S3 refuses smaller ones, the last apart


class FileSlice:
    """A range of a local file that can be read again and again; it says ``advance`` what it gave, once."""

    def __init__(self, file: str | Path, offset: int, length: int, advance: Advance | None = None) -> None:
        self._file, self._offset, self._length, self._advance = file, offset, length, advance
        self._told = 0

    def __len__(self) -> int:
        return self._length

    def silent(self) -> FileSlice:
        """The same range, for reading it without telling."""
        return FileSlice(self._file, self._offset, self._length)

    def __iter__(self) -> Iterator[bytes]:
        left = self._length
        with open(self._file, "rb") as file:
            file.seek(self._offset)
            while left:
                chunk = file.read(min(CHUNK_BYTES, left))
                if not chunk:
                    raise Conflict(f"'{self._file}' became shorter while it was read", hint="log it again")
                left -= len(chunk)
                yield chunk
                given = self._length - left
                if self._advance and given > self._told:
                    self._advance(given - self._told)
                    self._told = given


def upload(store: ArtifactStore, local_file: str | Path, path: str, *, advance: Advance | None = None) -> None:
    """See :meth:`ArtifactStore.upload`."""
    path = paths.check(path)
    size = local_size(local_file)
    with progress("upload", os.path.basename(path), size, advance) as moved:
        if isinstance(store, MultipartStore) and size >= max(1, settings.MULTIPART_UPLOAD_MINIMUM_FILE_SIZE.get()):
            with contextlib.suppress(NotSupported):
                return _upload_parts(store, local_file, path, size, moved)
        store.write(path, FileSlice(local_file, 0, size, moved), size, sha256=_digest(local_file, size))


def download(store: ArtifactStore, path: str, local_file: str | Path, *, advance: Advance | None = None) -> None:
    """See :meth:`ArtifactStore.download`."""
    path = paths.check(path)
    _download(store, path, Path(local_file), store.stat(path), advance)


def log_artifact(store: ArtifactStore, local_path: str | Path, artifact_path: str | None) -> None:
    """See :meth:`ArtifactStore.log_artifact`."""
    name = os.path.basename(os.path.abspath(local_path))
    path = paths.join(paths.check_folder(artifact_path), name)
    if os.path.isdir(local_path):
        log_artifacts(store, local_path, path)
    else:
        store.upload(local_path, path)


def log_artifacts(store: ArtifactStore, local_folder: str | Path, artifact_path: str | None) -> None:
    """See :meth:`ArtifactStore.log_artifacts`. Links are followed; every path is checked before anything is sent."""
    folder = paths.check_folder(artifact_path)
    if not os.path.isdir(local_folder):
        raise InvalidValue.of("local_dir", str(local_folder), "no such folder", hint="check the path")
    files = [
        (local, paths.check(paths.join(folder, name)), os.path.getsize(local))
        for local, name in _local_files(str(local_folder), "", frozenset())
    ]
    big = max(1, settings.MULTIPART_UPLOAD_MINIMUM_FILE_SIZE.get())
    with progress("upload", os.path.basename(os.path.abspath(local_folder)), sum(f[2] for f in files)) as advance:
        _each([f for f in files if f[2] < big], lambda file: store.upload(file[0], file[1], advance=advance))
        for local, path, size in files:
            if size >= big:
                store.upload(local, path, advance=advance)


def download_artifacts(store: ArtifactStore, path: str, dst: str | Path | None) -> str:
    """See :meth:`ArtifactStore.download_artifacts`."""
    path = paths.check_folder(path)
    if dst is None:
        if (here := store.local_path(path)) is not None:
            return here
        dst = tempfile.mkdtemp(prefix="millstream-")
    target = Path(dst)
    root = store.stat(path) if path else FileStat("", True)
    if not root.is_dir:
        _download(store, path, target / path, root, None)
        return str(target / path)
    files = list(store.walk(path))
    big = max(1, settings.MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE.get())
    with progress("download", os.path.basename(path) or "artifacts", sum(f.file_size or 0 for f in files)) as advance:
        # A store's listing is as little trusted as a client's path: both may say "../x".
        known = [FileStat(paths.check(file.path), False, file.file_size) for file in files]
        _each([f for f in known if (f.file_size or 0) < big],
              lambda file: _download(store, file.path, target / file.path, file, advance))
        for file in known:
            if (file.file_size or 0) >= big:
                _download(store, file.path, target / file.path, store.stat(file.path), advance)
    (target / path).mkdir(parents=True, exist_ok=True)
    return str(target / path)


# Up


def _upload_parts(store: MultipartStore, local_file: str | Path, path: str, size: int, advance: Advance) -> None:
    # Whole mebibytes, the same at every call for the same file, so that parts of an earlier one fit.
    part_size = max(settings.MULTIPART_UPLOAD_CHUNK_SIZE.get(), _MIN_PART, -(-size // _MAX_PARTS))
    part_size = -(-part_size // CHUNK_BYTES) * CHUNK_BYTES
    open_uploads = store.list_uploads(path)  # first: it tells a store that takes no parts before any work is done
    whole, digests = _digests(local_file, size, part_size)
    slices = {
        number: FileSlice(local_file, offset, min(part_size, size - offset), advance)
        for number, offset in enumerate(range(0, size, part_size), start=1)
    }
    for attempt in (1, 2):
        upload_id, there = _continue_upload(open_uploads, part_size, slices, digests)
        if upload_id is None:
            upload_id = store.start_upload(path, size=size, part_size=part_size, sha256=whole)
        for number in there:
            advance(len(slices[number]))

        def send(number: int, upload_id: str = upload_id) -> Part:
            part = slices[number]
            return store.write_part(path, upload_id, number, part, len(part), sha256=digests[number])

        try:
            sent = _each([number for number in slices if number not in there], send)
            parts = sorted([*there.values(), *sent], key=lambda part: part.number)
            store.complete_upload(path, upload_id, parts, sha256=whole)
            return
        except ArtifactNotFound:
            # Completed by a request whose answer was lost, or by another upload of the same file; or it expired.
            if _is_there(store, path, size, whole):
                return
            if attempt == 2:
                raise
            open_uploads = []


def _continue_upload(
    uploads: list[Upload], part_size: int, slices: dict[int, FileSlice], digests: dict[int, str]
) -> tuple[str | None, dict[int, Part]]:
    """An upload that holds nothing but parts of this file, and those parts."""
    for begun in uploads:
        if begun.part_size in (None, part_size) and begun.parts and _is_ours(begun, slices, digests):
            return begun.upload_id, {part.number: part for part in begun.parts}
    return None, {}


def _is_ours(begun: Upload, slices: dict[int, FileSlice], digests: dict[int, str]) -> bool:
    for part in begun.parts:
        mine = slices.get(part.number)
        if mine is None or part.file_size != len(mine):
            return False
        if part.sha256 is not None:
            if part.sha256 != digests[part.number]:
                return False
            continue
        md5 = hashlib.md5(usedforsecurity=False)
        for chunk in mine.silent():
            md5.update(chunk)
        if part.etag.strip('"') != md5.hexdigest():
            return False
    return True


def _is_there(store: ArtifactStore, path: str, size: int, sha256: str) -> bool:
    try:
        with store.open(path, 0, 1) as found:
            return found.file_size == size and found.sha256 == sha256
    except ArtifactNotFound:
        return False


def _digest(local_file: str | Path, size: int) -> str:
    digest = hashlib.sha256()
    for chunk in FileSlice(local_file, 0, size):
        digest.update(chunk)
    return digest.hexdigest()


def _digests(local_file: str | Path, size: int, part_size: int) -> tuple[str, dict[int, str]]:
    """The SHA-256 of the whole file and of each part, in one pass."""
    whole, parts = hashlib.sha256(), {}
    for number, offset in enumerate(range(0, size, part_size), start=1):
        part = hashlib.sha256()
        for chunk in FileSlice(local_file, offset, min(part_size, size - offset)):
            whole.update(chunk)
            part.update(chunk)
        parts[number] = part.hexdigest()
    return whole.hexdigest(), parts


# Down


def _download(store: ArtifactStore, path: str, target: Path, known: FileStat, advance: Advance | None) -> None:
    if known.is_dir:
        raise ArtifactNotFound(f"'{path}' in {store.uri} is a folder, not a file", hint="use download_artifacts")
    target.parent.mkdir(parents=True, exist_ok=True)
    size = known.file_size or 0
    with progress("download", target.name, size, advance) as moved:
        far = store.local_path(path) is None
        if far and size >= max(1, settings.MULTIPART_DOWNLOAD_MINIMUM_FILE_SIZE.get()):
            etag, sha256 = known.etag, known.sha256
            if etag is None:
                with store.open(path, 0, 1) as first:
                    size, etag, sha256 = first.file_size or 0, first.etag, first.sha256
            if etag is not None and size:
                _download_parts(store, path, target, FileStat(path, False, size, etag, sha256), moved)
                return
        _download_whole(store, path, target, moved)


def _download_whole(store: ArtifactStore, path: str, target: Path, advance: Advance) -> None:
    partial = target.with_name(f".millstream-{secrets.token_hex(16)}.part")
    try:
        with open(partial, "xb") as file:

            def fetch() -> None:
                advance(-file.tell())
                file.seek(0)
                file.truncate()
                with store.open(path) as content:
                    digest = hashlib.sha256() if content.sha256 else None
                    for chunk in content:
                        file.write(chunk)
                        advance(len(chunk))
                        if digest:
                            digest.update(chunk)
                if content.file_size not in (None, file.tell()):
                    raise _broken_off(path, file.tell(), content.file_size)
                if digest and digest.hexdigest() != content.sha256:
                    raise _damaged(path, store)

            _steadily(fetch)
        os.replace(partial, target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _download_parts(store: ArtifactStore, path: str, target: Path, known: FileStat, advance: Advance) -> None:
    size, part_size = known.file_size or 0, max(CHUNK_BYTES, settings.MULTIPART_DOWNLOAD_CHUNK_SIZE.get())
    with Partial.beside(target, f"{store.uri}\n{path}", size, part_size, known.etag or "") as partial:
        advance(sum(partial.length(number) for number in partial.arrived))

        def fetch(number: int) -> None:
            offset, end = number * part_size, number * part_size + partial.length(number)

            def more() -> None:
                nonlocal offset
                with store.open(path, offset, end - offset, etag=known.etag) as content:
                    for chunk in content:
                        partial.write(chunk, offset)
                        offset += len(chunk)
                        advance(len(chunk))
                if offset != end:
                    raise _broken_off(path, offset, size)

            _steadily(more)
            partial.keep(number)

        try:
            _each(partial.missing, fetch)
        except Conflict:
            partial.discard()
            raise
        if known.sha256 and partial.sha256() != known.sha256:
            partial.discard()
            raise _damaged(path, store)
        partial.finish()


def _steadily(step: Callable[[], None]) -> None:
    """Do ``step`` again as long as the network takes it away from us, as often as requests are tried again."""
    left, pause = settings.HTTP_REQUEST_MAX_RETRIES.get(), settings.HTTP_REQUEST_BACKOFF_FACTOR.get()
    while True:
        try:
            return step()
        except Unreachable:
            if left <= 0:
                raise
        left -= 1
        time.sleep(min(pause, 60.0))
        pause *= 2


def _broken_off(path: str, arrived: int, size: int) -> Unreachable:
    return Unreachable(f"'{path}' broke off after {arrived} of {size} bytes", hint="try again")


def _damaged(path: str, store: ArtifactStore) -> IntegrityError:
    return IntegrityError(f"'{path}' from {store.uri} does not match its SHA-256",
                          hint="try again; if it stays so, the stored file is damaged")


# Both


def _each(items: Sequence[X], work: Callable[[X], T]) -> list[T]:
    """``work`` on every item, TRANSFER_THREADS at a time. The first error stops what has not begun, and is raised."""
    threads = min(len(items), max(1, settings.TRANSFER_THREADS.get()))
    if threads <= 1:
        return [work(item) for item in items]
    with ThreadPoolExecutor(threads, thread_name_prefix="millstream-transfer") as pool:
        pending = [pool.submit(work, item) for item in items]
        try:
            wait(pending, return_when=FIRST_EXCEPTION)
            failed = next((f for f in pending if f.done() and f.exception() is not None), None)
            return [failed.result()] if failed else [future.result() for future in pending]
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _local_files(folder: str, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, str]]:
    """Every file below a local folder: where it is, and its path relative to the folder."""
    status = os.stat(folder)
    here = (status.st_dev, status.st_ino)
    if here in above:  # a link to a folder above itself
        return
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        name = paths.join(prefix, entry.name)
        if entry.is_dir():
            yield from _local_files(entry.path, name, above | {here})
        elif entry.is_file():
            yield entry.path, name
