"""Artifacts on a local disk.

**Confinement.** A path is walked name by name with ``openat`` and O_NOFOLLOW from the root's own descriptor, so no
symbolic link below the root is ever followed, also not one that is put there between a check and its use. The root
itself may be reached through links: whoever set it up chose it.

**Files on their way in** are called ``.millstream-<id>.part`` in the folder they are meant for, a file for a write and
a folder for an upload in parts; they are flushed to the disk and then renamed. Listings leave them out, paths cannot
name them, and :meth:`LocalStore.remove_abandoned` clears what a killed process left.

**Checksums.** The SHA-256 of what was streamed in is kept in the extended attribute ``user.millstream.sha256``
together with size and time of the file, and believed only while those are the same. Disks without such attributes, and
files copied in by other programs, have none.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat as modes
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NoReturn, TypeVar

from millstream.artifacts import paths
from millstream.artifacts.contract import (
    CHUNK_BYTES,
    Advance,
    Content,
    FileInfos,
    FileStat,
    MultipartStore,
    Part,
    Parts,
    Uploads,
    check_range,
    local_size,
    not_found,
    verified,
)
from millstream.artifacts.local_uploads import PartedUpload
from millstream.entities import FileInfo
from millstream.errors import ArtifactNotFound, Conflict, InvalidPath, MillstreamError, NotSupported, StoreUnavailable

T = TypeVar("T")

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# O_NONBLOCK: opening a named pipe returns at once instead of waiting for its other end.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIGEST = "user.millstream.sha256"
_TRIES_AGAINST_REMOVAL = 100


class LocalStore(MultipartStore):
    """Artifacts in the folder ``root``, which is made when the first file is written.

    ``uri`` is what the store calls itself, the root's path unless given. Safe for threads and processes, also over a
    fork and between machines that share the disk.
    """

    def __init__(self, root: str | Path, uri: str | None = None) -> None:
        self.root = os.path.abspath(root)
        self._uri = uri or self.root

    @property
    def uri(self) -> str:
        return self._uri

    def list(self, path: str = "") -> FileInfos:
        path = paths.check_folder(path)
        found = []
        with contextlib.ExitStack() as stack:
            try:
                with self._disk(path):
                    folder = stack.enter_context(self._folder(path))
            except ArtifactNotFound:
                return []
            with self._disk(path), os.scandir(folder) as entries:
                for entry in entries:
                    if (info := _info(path, entry)) is not None:
                        found.append(info)
        return sorted(found, key=lambda info: info.path)

    def stat(self, path: str) -> FileStat:
        path = paths.check_folder(path)
        if not path:
            with self._disk(path), self._folder(path) as folder:
                return FileStat("", True, modified=os.fstat(folder).st_mtime)
        with self._disk(path), self._parent(path) as (folder, name):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if modes.S_ISDIR(status.st_mode):
                return FileStat(path, True, modified=status.st_mtime)
            file = self._open_file(folder, name, path)
            try:
                return _stat(path, file)
            finally:
                os.close(file)

    def open(self, path: str, offset: int = 0, length: int | None = None, *, etag: str | None = None) -> Content:
        path = paths.check(path)
        check_range(offset, length)
        with self._disk(path), self._parent(path) as (folder, name):
            file = self._open_file(folder, name, path)
        try:
            known = _stat(path, file)
            if etag is not None and etag != known.etag:
                raise Conflict(f"'{path}' has changed", hint="read it from its beginning")
        except BaseException:
            os.close(file)
            raise
        size = known.file_size or 0
        end = size if length is None else min(size, offset + length)
        return Content(
            self._read(file, offset, end, path), file_size=size, etag=known.etag, sha256=known.sha256,
            release=lambda: os.close(file),
        )

    def write(
        self, path: str, chunks: Iterable[bytes], size: int | None = None, *, sha256: str | None = None
    ) -> FileStat:
        def fill(file: int) -> str:
            digest = hashlib.sha256()
            for chunk in verified(chunks, size, sha256):
                digest.update(chunk)
                with self._disk(path):
                    write_all(file, chunk)
            return digest.hexdigest()

        return self._place(paths.check(path), fill)

    def upload(self, local_file: str | Path, path: str, *, advance: Advance | None = None) -> None:
        local_size(local_file)

        def fill(file: int) -> None:
            with open(local_file, "rb") as source, self._disk(path):
                copy_range(source.fileno(), file, advance)

        self._place(paths.check(path), fill)

    def remove(self, path: str) -> None:
        path = paths.check(path)
        with self._disk(path), self._parent(path) as (folder, name):
            _remove_entry(folder, name)
            os.fsync(folder)
        self._prune(path)

    def clear(self) -> None:
        with contextlib.suppress(ArtifactNotFound), self._disk(""), self._folder("") as folder:
            for name in os.listdir(folder):
                _remove_entry(folder, name)

    def local_path(self, path: str = "") -> str | None:
        path = paths.check_folder(path)
        self.stat(path)
        return os.path.join(self.root, path) if path else self.root

    def start_upload(
        self, path: str, *, size: int | None = None, part_size: int | None = None, sha256: str | None = None
    ) -> str:
        path = paths.check(path)
        if size is None or part_size is None:
            raise NotSupported(
                "a disk takes parts only of a known size, in a file of a known size",
                hint="send file_size and part_size, or the whole file in one request",
            )
        with contextlib.ExitStack() as stack, self._disk(path):
            return self._make(path, stack, lambda f, name: PartedUpload.start(f, name, size, part_size, sha256))[2]

    def list_uploads(self, path: str) -> Uploads:
        path = paths.check(path)
        try:
            with self._disk(path), self._parent(path) as (folder, name):
                return PartedUpload.find(folder, name)
        except ArtifactNotFound:
            return []

    def write_part(
        self, path: str, upload_id: str, number: int, chunks: Iterable[bytes], size: int, *, sha256: str | None = None
    ) -> Part:
        with self._upload(path, upload_id) as (upload, _, _):
            upload.check_part(number, size)
            with upload.part(number) as write:
                for chunk in verified(chunks, size, sha256):
                    with self._disk(path):
                        write(chunk)
                with self._disk(path):
                    return upload.keep_part(number)

    def complete_upload(self, path: str, upload_id: str, parts: Parts, *, sha256: str | None = None) -> None:
        with self._upload(path, upload_id, alone=True) as (upload, folder, name), self._disk(path):
            with upload.whole(parts) as (file, digest):
                _put_in_place(file, digest or sha256, upload.folder, upload.DATA, folder, name, path)
            _remove_entry(folder, upload.name)

    def abort_upload(self, path: str, upload_id: str) -> None:
        with self._upload(path, upload_id, alone=True) as (upload, folder, _), self._disk(path):
            _remove_entry(folder, upload.name)
        self._prune(path)

    def remove_abandoned(self, older_than: float) -> int:
        before, removed = time.time() - older_than, 0
        with self._disk(""):
            for place, folders, files, folder in os.fwalk(self.root) if os.path.isdir(self.root) else ():
                for name in filter(paths.PARTIAL.fullmatch, folders + files):
                    if _last_touched(folder, name) < before:
                        _remove_entry(folder, name)
                        removed += 1
                        self._prune(os.path.relpath(os.path.join(place, name), self.root))
                folders[:] = [name for name in folders if not paths.PARTIAL.fullmatch(name)]
        return removed

    # Walking down

    @contextlib.contextmanager
    def _folder(self, path: str, *, create: bool = False) -> Iterator[int]:
        """The open descriptor of the folder ``path``."""
        if create:
            os.makedirs(self.root, exist_ok=True)
        try:
            fd = os.open(self.root, _FOLDER)
        except FileNotFoundError:
            raise not_found(path, self._uri) from None
        try:
            for name in path.split("/") if path else ():
                inner = self._enter(fd, name, path, create)
                os.close(fd)
                fd = inner
            yield fd
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def _parent(self, path: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
        """The open descriptor of the folder that holds ``path``, and its name there."""
        folder, _, name = path.rpartition("/")
        with self._folder(folder, create=create) as fd:
            yield fd, name

    def _enter(self, fd: int, name: str, path: str, create: bool) -> int:
        if create:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=fd)
        try:
            return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                self._not_a_folder(fd, name, path, create)
            raise

    def _not_a_folder(self, fd: int, name: str, path: str, create: bool) -> NoReturn:
        if modes.S_ISLNK(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
            raise InvalidPath(f"'{path}' leads through the symbolic link '{name}'",
                              hint="artifact stores do not follow links below their root")
        if create:
            raise InvalidPath(f"'{path}' cannot be stored: '{name}' is a file there, not a folder",
                              hint="choose another artifact path, or remove that file first")
        raise not_found(path, self._uri)

    def _open_file(self, folder: int, name: str, path: str) -> int:
        try:
            file = os.open(name, _READ, dir_fd=folder)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise InvalidPath(f"'{path}' is a symbolic link",
                                  hint="artifact stores do not follow links below their root") from None
            raise
        mode = os.fstat(file).st_mode
        if modes.S_ISREG(mode):
            return file
        os.close(file)
        if modes.S_ISDIR(mode):
            raise ArtifactNotFound(f"'{path}' in {self._uri} is a folder, not a file", hint="list it to see its files")
        raise InvalidPath(f"'{path}' is neither a file nor a folder")

    def _read(self, file: int, offset: int, end: int, path: str) -> Iterator[bytes]:
        while offset < end:
            with self._disk(path):
                chunk = os.pread(file, min(CHUNK_BYTES, end - offset), offset)
            if not chunk:
                raise Conflict(f"'{path}' became shorter while it was read", hint="read it again")
            offset += len(chunk)
            yield chunk

    # Putting in place

    def _place(self, path: str, fill: Callable[[int], str | None]) -> FileStat:
        """The file ``path`` from what ``fill`` writes to a descriptor; ``fill`` returns the SHA-256 if it knows it."""
        partial = f".millstream-{secrets.token_hex(16)}.part"
        with contextlib.ExitStack() as stack:
            with self._disk(path):
                folder, name, file = self._make(
                    path, stack, lambda folder, _: os.open(partial, _CREATE, 0o666, dir_fd=folder)
                )
                stack.callback(os.close, file)
            try:
                digest = fill(file)
                with self._disk(path):
                    _put_in_place(file, digest, folder, partial, folder, name, path)
                    return _stat(path, file)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(partial, dir_fd=folder)
                self._prune(path)
                raise

    def _make(
        self, path: str, stack: contextlib.ExitStack, make: Callable[[int, str], T]
    ) -> tuple[int, str, T]:
        """What ``make`` makes in the folder of ``path``, which is made too and stays open as long as ``stack``."""
        for _ in range(_TRIES_AGAINST_REMOVAL):
            with contextlib.ExitStack() as attempt:
                try:
                    folder, name = attempt.enter_context(self._parent(path, create=True))
                    made = make(folder, name)
                except FileNotFoundError:
                    continue  # someone removed one of the folders, then empty, after we entered it
                stack.push(attempt.pop_all())
                return folder, name, made
        raise StoreUnavailable(f"the folder of '{path}' in {self._uri} is being removed by someone else",
                               hint="try again")

    @contextlib.contextmanager
    def _upload(self, path: str, upload_id: str, *, alone: bool = False) -> Iterator[tuple[PartedUpload, int, str]]:
        with contextlib.ExitStack() as stack:
            with self._disk(path):
                folder, name = stack.enter_context(self._parent(paths.check(path)))
                upload = stack.enter_context(PartedUpload.resume(folder, name, upload_id, alone=alone))
            yield upload, folder, name

    def _prune(self, path: str) -> None:
        """Remove the folders above ``path`` that are empty now, the root apart."""
        names = path.split("/")[:-1]
        while names:
            try:
                with self._folder("/".join(names[:-1])) as folder:
                    os.rmdir(names[-1], dir_fd=folder)
            except (OSError, MillstreamError):
                return
            names.pop()

    @contextlib.contextmanager
    def _disk(self, path: str) -> Iterator[None]:
        """What the disk says, as errors of this package."""
        try:
            yield
        except OSError as error:
            raise self._translated(error, path) from error

    def _translated(self, error: OSError, path: str) -> MillstreamError:
        where = os.path.join(self.root, path)
        if error.errno in (errno.ENOENT, errno.ESTALE):
            return not_found(path, self._uri)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return StoreUnavailable(f"no space left for '{where}': {error.strerror}",
                                    hint="free space there, or choose another artifact root; nothing was changed")
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            return StoreUnavailable(f"'{where}' may not be accessed: {error.strerror}",
                                    hint="check the owner and mode of the artifact root, and that its disk is not "
                                         "mounted read-only; nothing was changed")
        if error.errno in (errno.EISDIR, errno.ENOTEMPTY):
            return InvalidPath(f"'{path}' is a folder, not a file", hint="choose another artifact path")
        if error.errno == errno.ENOTDIR:
            return not_found(path, self._uri)
        if error.errno == errno.ENAMETOOLONG:
            return InvalidPath(f"'{path}' is too long for the disk of {self._uri}")
        return StoreUnavailable(f"the disk of '{where}' fails: {error.strerror}", hint="nothing was changed")


def write_all(file: int, data: bytes | memoryview, offset: int | None = None) -> None:
    """Write all of ``data``, at ``offset`` or where the descriptor stands."""
    view = memoryview(data)
    while view:
        done = os.write(file, view) if offset is None else os.pwrite(file, view, offset)
        view = view[done:]
        if offset is not None:
            offset += done


def copy_range(source: int, target: int, advance: Advance | None) -> None:
    """Append all of one open file to another, inside the kernel where it can (shared blocks, on some disks)."""
    in_kernel = hasattr(os, "copy_file_range")
    while True:
        if in_kernel:
            try:
                done = os.copy_file_range(source, target, 64 * CHUNK_BYTES)
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF):
                    raise
                in_kernel = False
                continue
        else:
            chunk = os.read(source, CHUNK_BYTES)
            write_all(target, chunk)
            done = len(chunk)
        if not done:
            return
        if advance:
            advance(done)


def _put_in_place(
    file: int, digest: str | None, from_folder: int, from_name: str, folder: int, name: str, path: str
) -> None:
    if digest:
        _keep_digest(file, digest)
    os.fsync(file)
    os.rename(from_name, name, src_dir_fd=from_folder, dst_dir_fd=folder)
    os.fsync(folder)


def _remove_entry(folder: int, name: str) -> None:
    """Remove a file, a link (never what it leads to), or a folder with all below it."""
    if not modes.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=folder)
        return
    inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    try:
        for child in os.listdir(inner):
            with contextlib.suppress(FileNotFoundError):
                _remove_entry(inner, child)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=folder)


def _info(folder: str, entry: os.DirEntry[str]) -> FileInfo | None:
    """What a listing says of an entry; None for links, devices, partial files and names that are not text."""
    if paths.PARTIAL.fullmatch(entry.name):
        return None
    try:
        entry.name.encode()
        status = entry.stat(follow_symlinks=False)
    except (UnicodeEncodeError, FileNotFoundError):
        return None
    if modes.S_ISDIR(status.st_mode):
        return FileInfo(paths.join(folder, entry.name), True)
    if modes.S_ISREG(status.st_mode):
        return FileInfo(paths.join(folder, entry.name), False, status.st_size)
    return None


def _stat(path: str, file: int) -> FileStat:
    status = os.fstat(file)
    etag = f'"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"'
    return FileStat(path, False, status.st_size, etag, _kept_digest(file, status), status.st_mtime)


def _keep_digest(file: int, digest: str) -> None:
    if hasattr(os, "setxattr"):
        status = os.fstat(file)
        with contextlib.suppress(OSError):
            os.setxattr(file, _DIGEST, f"{digest} {status.st_size} {status.st_mtime_ns}".encode())


def _kept_digest(file: int, status: os.stat_result) -> str | None:
    if not hasattr(os, "getxattr"):
        return None
    try:
        digest, size, modified = os.getxattr(file, _DIGEST).decode("ascii").split(" ")
    except (OSError, ValueError):
        return None
    return digest if (size, modified) == (str(status.st_size), str(status.st_mtime_ns)) else None


def _last_touched(folder: int, name: str) -> float:
    """When a partial file, or anything in a folder of parts, was last written; in seconds since the epoch."""
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    newest = status.st_mtime
    if modes.S_ISDIR(status.st_mode):
        inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
        try:
            for child in os.listdir(inner):
                newest = max(newest, os.stat(child, dir_fd=inner, follow_symlinks=False).st_mtime)
        finally:
            os.close(inner)
    return newest
