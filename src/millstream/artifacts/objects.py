"""Artifacts in object stores: S3 and compatible ones, Google Cloud Storage, Azure, all through ``obstore``.

A key is the root's prefix and the artifact path, byte for byte, so that other tools see the same names. The SHA-256 of
what was written is kept in the object's metadata (``sha256``) where it is known before the first byte goes out.

**Forks.** ``obstore`` runs threads that a forked child does not have: a process that used such a store must not use
one in a child it forks afterwards (it would wait for ever, so it gets an error). Processes that are spawned, and
children forked before the first use, are fine.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from millstream import settings
from millstream.artifacts import paths
from millstream.artifacts.contract import (
    CHUNK_BYTES,
    ArtifactStore,
    Content,
    FileInfos,
    FileStat,
    Presigned,
    beginning,
    check_range,
    not_found,
    verified,
)
from millstream.entities import FileInfo
from millstream.errors import (
    ArtifactNotFound,
    Conflict,
    InvalidPath,
    MillstreamError,
    NotFound,
    NotSupported,
    PermissionDenied,
    StoreUnavailable,
    Unauthenticated,
    Unreachable,
)

_used_in: int | None = None


class ObjectStore(ArtifactStore):
    """Artifacts below a prefix of one bucket. ``objects`` is a store of ``obstore``, opened at that prefix."""

    def __init__(self, uri: str, objects: Any) -> None:
        self._uri = uri
        self._objects = objects

    @property
    def uri(self) -> str:
        return self._uri

    def list(self, path: str = "") -> FileInfos:
        path = paths.check_folder(path)
        with self._calls(path) as obstore:
            found = obstore.list_with_delimiter(self._objects, path or None)
        folders = [FileInfo(folder, True) for folder in found["common_prefixes"]]
        files = [FileInfo(item["path"], False, item["size"]) for item in found["objects"] if item["path"] != path]
        # Other tools mark a folder with an empty object that has its name.
        names = {folder.path for folder in folders}
        return sorted([*folders, *(file for file in files if file.path not in names)], key=lambda info: info.path)

    def walk(self, path: str = "") -> Iterator[FileInfo]:
        path = paths.check_folder(path)
        with self._calls(path) as obstore:
            pages = iter(obstore.list(self._objects, path or None, chunk_size=1000))
        while True:
            with self._calls(path):
                page = next(pages, None)
            if page is None:
                return
            for item in page:
                if item["path"] != path:
                    yield FileInfo(item["path"], False, item["size"])

    def stat(self, path: str) -> FileStat:
        path = paths.check_folder(path)
        if path:
            with contextlib.suppress(ArtifactNotFound), self._calls(path) as obstore:
                found = obstore.get(self._objects, path, options={"head": True})
                meta = found.meta
                return FileStat(path, False, meta["size"], meta["e_tag"], found.attributes.get("sha256"),
                                meta["last_modified"].timestamp())
            if next(self.walk(path), None) is None:
                raise not_found(path, self._uri)
        return FileStat(path, True)

    def open(self, path: str, offset: int = 0, length: int | None = None, *, etag: str | None = None) -> Content:
        path = paths.check(path)
        check_range(offset, length)
        options: dict[str, Any] = {"if_match": etag} if etag else {}
        if length:
            options["range"] = (offset, offset + length)
        elif offset:
            options["range"] = {"offset": offset}
        try:
            with self._calls(path) as obstore:
                if length == 0:
                    options["head"] = True
                found = obstore.get(self._objects, path, options=options)
        except MillstreamError:
            # A range that begins behind the end is an error to the services, and an empty one to us.
            if "range" not in options or offset < (self._size(path) or 0):
                raise
            return self.open(path, length=0, etag=etag)
        chunks = iter(()) if length == 0 else self._read(found, path)
        meta = found.meta
        return Content(chunks, file_size=meta["size"], etag=meta["e_tag"], sha256=found.attributes.get("sha256"))

    def write(
        self, path: str, chunks: Iterable[bytes], size: int | None = None, *, sha256: str | None = None
    ) -> FileStat:
        path = paths.check(path)
        begin, rest = beginning(iter(verified(chunks, size, sha256)))
        if rest is None:
            return self._put_whole(path, begin, hashlib.sha256(begin).hexdigest())
        return self._put_stream(path, itertools.chain([begin], rest), size, sha256)

    def remove(self, path: str) -> None:
        path = paths.check(path)
        keys = [file.path for file in self.walk(path)]
        if self._size(path) is not None:
            keys.append(path)
        if not keys:
            raise not_found(path, self._uri)
        self._delete(keys)

    def clear(self) -> None:
        files = self.walk()
        while keys := [file.path for file in itertools.islice(files, 10_000)]:
            self._delete(keys)

    def presign_download(self, path: str, seconds: int) -> Presigned:
        return self._presign("GET", path, seconds)

    def presign_upload(self, path: str, seconds: int) -> Presigned:
        return self._presign("PUT", path, seconds)

    def _put_whole(self, path: str, data: bytes, sha256: str) -> FileStat:
        with self._calls(path) as obstore:
            done = obstore.put(self._objects, path, data, attributes={"sha256": sha256}, use_multipart=False)
        return FileStat(path, False, len(data), done["e_tag"], sha256)

    def _put_stream(self, path: str, chunks: Iterator[bytes], size: int | None, sha256: str | None) -> FileStat:
        written = 0

        def counted() -> Iterator[bytes]:
            nonlocal written
            for chunk in chunks:
                written += len(chunk)
                yield chunk

        with self._calls(path) as obstore:
            done = obstore.put(
                self._objects, path, counted(), attributes={"sha256": sha256} if sha256 else None, use_multipart=True,
                chunk_size=max(settings.MULTIPART_UPLOAD_CHUNK_SIZE.get(), 5 << 20, -(-(size or 0) // 9_000)),
                max_concurrency=max(1, settings.TRANSFER_THREADS.get()),
            )
        return FileStat(path, False, written, done["e_tag"], sha256)

    def _read(self, found: Any, path: str) -> Iterator[bytes]:
        stream = iter(found.stream(min_chunk_size=CHUNK_BYTES))
        while True:
            with self._calls(path):
                chunk = next(stream, None)
            if chunk is None:
                return
            yield bytes(chunk)

    def _size(self, path: str) -> int | None:
        try:
            with self._calls(path) as obstore:
                size: int = obstore.head(self._objects, path)["size"]
                return size
        except ArtifactNotFound:
            return None

    def _delete(self, keys: Sequence[str]) -> None:
        with self._calls(keys[0]) as obstore:
            obstore.delete(self._objects, list(keys))

    def _presign(self, method: str, path: str, seconds: int) -> Presigned:
        path = paths.check(path)
        with self._calls(path) as obstore:
            return Presigned(obstore.sign(self._objects, method, path, timedelta(seconds=seconds)))

    @contextlib.contextmanager
    def _calls(self, path: str) -> Iterator[Any]:
        """``obstore``, and its errors as ours."""
        import obstore
        from obstore import exceptions

        global _used_in
        if _used_in not in (None, os.getpid()):
            raise NotSupported(
                f"{self._uri} was used by the parent of this forked process, and cannot be used in it as well",
                hint="start the child with the 'spawn' method of multiprocessing",
            )
        _used_in = os.getpid()
        try:
            yield obstore
        except FileNotFoundError as error:
            if _code(error) in _NO_BUCKET:
                raise _translated(error, self._uri) from error
            raise not_found(path, self._uri) from error
        except exceptions.PreconditionError as error:
            raise Conflict(f"'{path}' has changed", hint="read it from its beginning") from error
        except exceptions.InvalidPathError as error:
            raise InvalidPath(
                f"{self._uri} holds a key that is no path: {_gist(error)}",
                hint="rename that object with a tool of your store",
            ) from error
        except (exceptions.UnauthenticatedError, exceptions.PermissionDeniedError) as error:
            raise PermissionDenied(f"{self._uri} refuses '{path}': {_gist(error)}", hint=_SIGN_IN) from error
        except exceptions.NotSupportedError as error:
            raise NotSupported(f"{self._uri} cannot do that: {_gist(error)}") from error
        except exceptions.BaseError as error:
            raise _translated(error, self._uri) from error


_SIGN_IN = ("check the credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, "
            "GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_ACCESS_KEY or AZURE_STORAGE_CONNECTION_STRING")
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound")


def _translated(error: Exception, uri: str) -> MillstreamError:
    whole, gist, code = str(error), _gist(error), _code(error)
    if code in _NO_BUCKET:
        return NotFound(f"there is no bucket for {uri}", hint="create it, or check its name")
    if "status code: 403" in whole or "status code: 401" in whole:
        return PermissionDenied(f"{uri} refuses: {gist}", hint=_SIGN_IN)
    if "169.254.169.254" in whole or "metadata.google.internal" in whole:
        return Unauthenticated(f"no credentials for {uri}: none are set, and this machine has no role", hint=_SIGN_IN)
    if "error sending request" in whole or "timed out" in whole or "HTTP error" in whole:
        return Unreachable(f"{uri} does not answer: {gist}", hint="check the endpoint, the network and HTTPS_PROXY")
    return StoreUnavailable(
        f"{uri} failed: {gist}", hint="try again; for S3, check that AWS_DEFAULT_REGION is the bucket's region"
    )


def _code(error: Exception) -> str | None:
    """The error code in the answer of an S3 or Azure service."""
    found = re.search(r"<Code>(\w+)</Code>", str(error))
    return found.group(1) if found else None


def _gist(error: Exception) -> str:
    """The one line of an ``obstore`` error that says something."""
    code, lines = _code(error), str(error).strip().splitlines()
    if code:
        return f"the service answers {code}"
    return lines[0].split("<?xml")[0][:300] if lines else type(error).__name__
