"""The artifact store contract: where the files of runs and models are kept."""

from __future__ import annotations

import abc
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from millstream.artifacts import paths
from millstream.entities import FileInfo
from millstream.errors import ArtifactNotFound, IntegrityError, InvalidValue, NotSupported

if TYPE_CHECKING:
    from pathlib import Path

CHUNK_BYTES = 1 << 20
WHOLE_BYTES = 8 << 20  # of unknown length, up to this much is held in memory to go in one request

Advance = Callable[[int], None]  # told how many more bytes have moved


class FileStat(msgspec.Struct, frozen=True):
    """What a store knows of one file or folder.

    ``etag`` changes whenever the content does; ``sha256`` (hexadecimal) is that of the whole content; each is None
    where the store does not know it, and for folders. ``file_size`` is in bytes, None for folders. ``modified`` is in
    seconds since the epoch.
    """

    path: str
    is_dir: bool
    file_size: int | None = None
    etag: str | None = None
    sha256: str | None = None
    modified: float | None = None


class Presigned(msgspec.Struct, frozen=True):
    """An address that moves one file or part without the store's credentials, and the headers to send with it."""

    url: str
    headers: dict[str, str] = {}


class Part(msgspec.Struct, frozen=True):
    """A part that has arrived: ``number`` from 1, ``file_size`` in bytes.

    ``etag`` is what the store calls it, and names it again when the upload is completed. A part is recognised by
    ``sha256`` where the store knows it, else by an ``etag`` that is the MD5 of its bytes.
    """

    number: int
    etag: str
    file_size: int
    sha256: str | None = None


class Upload(msgspec.Struct, frozen=True):
    """An upload in parts that was begun and not completed. ``part_size`` is None where the store does not know it."""

    upload_id: str
    part_size: int | None = None
    parts: list[Part] = []


class Content:
    """The bytes of a file or of a range of it: iterate, then (or earlier) close.

    Of the *whole* file it knows ``file_size`` in bytes, ``etag`` and ``sha256``, as in :class:`FileStat`; the size is
    None only where a foreign server does not say it.
    """

    def __init__(
        self, chunks: Iterator[bytes], *, file_size: int | None, etag: str | None = None, sha256: str | None = None,
        release: Callable[[], None] | None = None,
    ) -> None:
        self._chunks = chunks
        self._release = release
        self.file_size = file_size
        self.etag = etag
        self.sha256 = sha256

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._chunks)
        except BaseException:  # its end, or an error: nothing comes after either
            self.close()
            raise

    def read(self) -> bytes:
        """Everything that is left, in memory."""
        with self:
            return b"".join(self._chunks)

    def close(self) -> None:
        """Let go of the file or connection. Closing twice is fine."""
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()
        # A generator that was never begun runs no clean-up of its own when it is closed.
        release, self._release = self._release, None
        if release is not None:
            release()

    def __del__(self) -> None:
        self.close()

    def __enter__(self) -> Content:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


# Inside a class with a method of that name, ``list`` is no longer a type.
FileInfos = list[FileInfo]
Parts = list[Part]
Uploads = list[Upload]


class ArtifactStore(abc.ABC):
    """Files below one root, named by relative paths.

    **Paths.** Every path goes through :func:`millstream.artifacts.paths.check`; one that could leave the root, or be
    read in two ways, raises InvalidPath before anything is touched. ``""`` names the root where a folder is meant.
    Folders exist as long as a file lies below them; they are neither made nor removed by themselves.

    **Atomicity.** A file appears whole or not at all: readers see the old content or the new, never a part, and an
    interrupted write leaves what was there. Writing replaces. Folders have no such promise: their files come and go
    one by one.

    **Ordering.** What was written before a call returned is seen by every call that starts later, in any process. Of
    two writers of one path one wins, whole.

    **Durability.** When a write returns, the file survives a crash of the process, and of the machine as far as the
    disk or service keeps its promises.

    **Safety.** A store may be used by any number of threads. Except where a class says otherwise it may be carried
    over a fork.

    **Errors.** ArtifactNotFound for what is not there, InvalidPath for paths, PermissionDenied and Unauthenticated for
    credentials, IntegrityError for bytes that do not match their checksum, StoreUnavailable (Unreachable for a
    network) for everything that may pass: a full or read-only disk, a service that does not answer.
    """

    @property
    @abc.abstractmethod
    def uri(self) -> str:
        """The address of the root."""

    @abc.abstractmethod
    def list(self, path: str = "") -> FileInfos:
        """What lies directly in the folder ``path``, by name. Empty for a file, and for what is not there."""

    @abc.abstractmethod
    def stat(self, path: str) -> FileStat:
        """What the store knows of a file or folder. Raises ArtifactNotFound."""

    @abc.abstractmethod
    def open(self, path: str, offset: int = 0, length: int | None = None, *, etag: str | None = None) -> Content:
        """The content of a file from byte ``offset`` on, ``length`` bytes at most, streamed.

        The range is cut at the end of the file. With an ``etag``, raises Conflict when the file is another by now.
        """

    @abc.abstractmethod
    def write(
        self, path: str, chunks: Iterable[bytes], size: int | None = None, *, sha256: str | None = None
    ) -> FileStat:
        """Store what ``chunks`` gives as the file ``path``, streaming.

        Raises InvalidValue when it is not ``size`` bytes long, IntegrityError when its SHA-256 is not ``sha256``, and
        whatever ``chunks`` raises; the file is then as it was.
        """

    @abc.abstractmethod
    def remove(self, path: str) -> None:
        """Remove a file, or a folder with all below it. Raises ArtifactNotFound when nothing is there."""

    def clear(self) -> None:
        """Remove every file below the root."""
        for entry in self.list():
            self.remove(entry.path)

    def walk(self, path: str = "") -> Iterator[FileInfo]:
        """Every file below the folder ``path``, at any depth; only files, paths relative to the root."""
        for entry in self.list(path):
            if entry.is_dir:
                yield from self.walk(entry.path)
            else:
                yield entry

    def total_bytes(self, path: str = "") -> int:
        """The size of everything below the folder ``path``, in bytes."""
        return sum(entry.file_size or 0 for entry in self.walk(path))

    def upload(self, local_file: str | Path, path: str, *, advance: Advance | None = None) -> None:
        """Store a local file as ``path``: a big one in parallel parts where the store takes parts, continued where an
        earlier call was cut off."""
        from millstream.artifacts.transfers import upload

        upload(self, local_file, path, advance=advance)

    def download(self, path: str, local_file: str | Path, *, advance: Advance | None = None) -> None:
        """Fetch the file ``path`` as a local one: a big one in parallel parts, continued where an earlier call was cut
        off. The local file appears whole or not at all. Raises IntegrityError when the bytes do not match the
        checksum that the store knows."""
        from millstream.artifacts.transfers import download

        download(self, path, local_file, advance=advance)

    def log_artifact(self, local_path: str | Path, artifact_path: str | None = None) -> None:
        """Store a local file (or folder) under its own name in the folder ``artifact_path``."""
        from millstream.artifacts.transfers import log_artifact

        log_artifact(self, local_path, artifact_path)

    def log_artifacts(self, local_folder: str | Path, artifact_path: str | None = None) -> None:
        """Store everything below a local folder, its name left out, in the folder ``artifact_path``."""
        from millstream.artifacts.transfers import log_artifacts

        log_artifacts(self, local_folder, artifact_path)

    def download_artifacts(self, path: str = "", dst: str | Path | None = None) -> str:
        """Fetch a file or folder into the local folder ``dst``, keeping its path, and return where it is then.

        Without a ``dst``, a store on this machine answers with the place of its own copy, which is not to be changed;
        any other fetches into a new temporary folder.
        """
        from millstream.artifacts.transfers import download_artifacts

        return download_artifacts(self, path, dst)

    def local_path(self, path: str = "") -> str | None:
        """Where a file or folder lies on this machine, for reading; None when it does not."""
        paths.check_folder(path)
        return None

    def presign_download(self, path: str, seconds: int) -> Presigned:
        """An address that gives the file for so many seconds. Raises NotSupported where the store has none."""
        raise NotSupported(f"{type(self).__name__} has no presigned addresses", hint="fetch the file itself")

    def presign_upload(self, path: str, seconds: int) -> Presigned:
        """An address that takes the file (PUT) for so many seconds. Raises NotSupported where the store has none."""
        raise NotSupported(f"{type(self).__name__} has no presigned addresses", hint="send the file itself")

    def close(self) -> None:  # noqa: B027 - most stores have nothing to release
        """Release connections. Closing twice is fine."""

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MultipartStore(ArtifactStore):
    """A store that takes a file in parts, in any order, from several connections, over several processes.

    A part may be sent again; its last version counts. Nothing is seen at ``path`` before :meth:`complete_upload`.
    Every call raises ArtifactNotFound when the upload does not exist (any more), or is of another path.
    """

    @abc.abstractmethod
    def start_upload(
        self, path: str, *, size: int | None = None, part_size: int | None = None, sha256: str | None = None
    ) -> str:
        """Begin an upload and return its id.

        Parts but the last are ``part_size`` bytes long and make ``size`` bytes together; ``sha256`` is that of the
        whole. Raises NotSupported where the store must know one of them and was not told.
        """

    @abc.abstractmethod
    def list_uploads(self, path: str) -> Uploads:
        """The uploads of ``path`` that were begun and not completed, newest first, with the parts that arrived."""

    @abc.abstractmethod
    def write_part(
        self, path: str, upload_id: str, number: int, chunks: Iterable[bytes], size: int, *,
        sha256: str | None = None,
    ) -> Part:
        """Store one part. Raises as :meth:`write`; ``chunks`` that can be iterated anew are, should the network
        fail."""

    @abc.abstractmethod
    def complete_upload(self, path: str, upload_id: str, parts: Parts, *, sha256: str | None = None) -> None:
        """Make the file of exactly these parts, by number; ``sha256`` is that of the whole, as at the start.

        Raises InvalidValue when a part is missing, or is not as it is listed.
        """

    @abc.abstractmethod
    def abort_upload(self, path: str, upload_id: str) -> None:
        """Forget the upload and free what its parts took."""

    @abc.abstractmethod
    def remove_abandoned(self, older_than: float) -> int:
        """Remove what uploads and writes that were cut off ``older_than`` seconds ago or earlier have left below the
        root; returns the number of them."""

    def presign_part(self, path: str, upload_id: str, number: int, seconds: int) -> Presigned:
        """An address that takes one part (PUT) for so many seconds. Raises NotSupported where the store has none."""
        raise NotSupported(f"{type(self).__name__} has no presigned addresses", hint="send the part itself")


def verified(chunks: Iterable[bytes], size: int | None, sha256: str | None) -> Iterable[bytes]:
    """``chunks`` as they are, with an error at their end when length or checksum are not what was said.

    Raises InvalidValue for a wrong length, as soon as it is too long; IntegrityError for a wrong checksum. What comes
    back can be iterated again if ``chunks`` can; otherwise it is an iterator, as they are.
    """
    return _verified(chunks, size, sha256) if iter(chunks) is chunks else _Verified(chunks, size, sha256)


class _Verified:
    def __init__(self, chunks: Iterable[bytes], size: int | None, sha256: str | None) -> None:
        self._said = (chunks, size, sha256)

    def __iter__(self) -> Iterator[bytes]:
        return _verified(*self._said)


def _verified(chunks: Iterable[bytes], size: int | None, sha256: str | None) -> Iterator[bytes]:
    seen, digest = 0, hashlib.sha256() if sha256 else None
    # The last chunk is given only when everything is known to be right: over a network, a receiver that has got all
    # the bytes it was told of keeps them, whatever happens to the sender afterwards.
    held = b""
    for chunk in chunks:
        seen += len(chunk)
        if size is not None and seen > size:
            raise InvalidValue(f"the content is longer than the {size} bytes announced")
        if digest:
            digest.update(chunk)
        if chunk:
            if held:
                yield held
            held = chunk
    if size is not None and seen != size:
        raise InvalidValue(f"the content ended after {seen} of {size} bytes", hint="send it again")
    if digest and digest.hexdigest() != (sha256 or "").lower():
        raise IntegrityError(
            f"the content has the SHA-256 {digest.hexdigest()}, announced was {sha256}", hint="send it again"
        )
    if held:
        yield held


def beginning(chunks: Iterator[bytes]) -> tuple[bytes, Iterator[bytes] | None]:
    """What comes first, a little over WHOLE_BYTES at most, and the rest; None when that was all."""
    first = bytearray()
    for chunk in chunks:
        first += chunk
        if len(first) > WHOLE_BYTES:
            return bytes(first), chunks
    return bytes(first), None


def check_range(offset: int, length: int | None) -> None:
    """Raises InvalidValue for a range that begins before the file or has a negative length."""
    if offset < 0 or (length is not None and length < 0):
        raise InvalidValue.of("offset" if offset < 0 else "length", offset if offset < 0 else length, "below zero")


def local_size(local_file: str | Path) -> int:
    """The size of a file on this machine, in bytes. Raises InvalidValue when there is none."""
    if not os.path.isfile(local_file):
        raise InvalidValue.of("local_path", str(local_file), "no such file", hint="check the path")
    return os.path.getsize(local_file)


def not_found(path: str, uri: str) -> ArtifactNotFound:
    """The error for a path at which nothing lies."""
    return ArtifactNotFound(f"no artifact at '{path}' in {uri}", hint="list the folder to see what is there")
