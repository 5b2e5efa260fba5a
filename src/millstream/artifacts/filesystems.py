"""Artifacts behind every other address that ``fsspec`` knows: FTP, SFTP, HDFS, SMB, WebDAV, memory, and more.

A file is written under a partial name in its folder and then renamed. Where the service cannot rename onto a file that
exists, the old one is removed first: for that moment readers find neither.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import posixpath
import secrets
import threading
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from millstream.artifacts import paths
from millstream.artifacts.contract import (
    CHUNK_BYTES,
    ArtifactStore,
    Content,
    FileInfos,
    FileStat,
    check_range,
    not_found,
    verified,
)
from millstream.entities import FileInfo
from millstream.errors import (
    ArtifactNotFound,
    Conflict,
    InvalidPath,
    InvalidValue,
    MillstreamError,
    PermissionDenied,
    StoreUnavailable,
    Unreachable,
)

# Where fsspec's own name for it differs, and what its import error does not tell in one word.
_PROTOCOLS = {"viewfs": "hdfs"}
_PACKAGES = {
    "sftp": "paramiko", "ssh": "paramiko", "hdfs": "pyarrow", "viewfs": "pyarrow", "smb": "smbprotocol",
    "webdav": "webdav4", "webhdfs": "requests", "dbfs": "requests", "oss": "ossfs", "oci": "ocifs", "dvc": "dvc",
    "hf": "huggingface_hub", "box": "boxfs", "dropbox": "dropboxdrivefs", "gdrive": "gdrive-fsspec", "tos": "tosfs",
}

_ADDRESS = "check the address, and try again"
_CREDENTIALS = "check the user name and password in the address, and what they may do"


class FileSystemStore(ArtifactStore):
    """Artifacts below ``root`` of an ``fsspec`` file system. One call at a time: such connections are not shared."""

    def __init__(self, uri: str, filesystem: Any, root: str) -> None:
        self._uri = uri
        self._fs = filesystem
        self._root = root.rstrip("/")
        self._lock = threading.RLock()

    @property
    def uri(self) -> str:
        return self._uri

    def list(self, path: str = "") -> FileInfos:
        path = paths.check_folder(path)
        try:
            with self._calls(path):
                entries = self._fs.ls(self._at(path), detail=True, refresh=True)
        except ArtifactNotFound:
            return []
        if len(entries) == 1 and posixpath.basename(entries[0]["name"]) == posixpath.basename(path):
            # Some list a file as if it were in a folder of its name.
            with self._calls(path):
                if self._fs.info(self._at(path))["type"] == "file":
                    return []
        found = []
        for entry in entries:
            name = posixpath.basename(entry["name"].rstrip("/"))
            if entry["name"].rstrip("/") == self._at(path).rstrip("/") or paths.PARTIAL.fullmatch(name):
                continue
            if entry["type"] == "directory":
                found.append(FileInfo(paths.join(path, name), True))
            elif entry["type"] == "file":
                found.append(FileInfo(paths.join(path, name), False, entry["size"]))
        return sorted(found, key=lambda info: info.path)

    def stat(self, path: str) -> FileStat:
        path = paths.check_folder(path)
        with self._calls(path):
            info = self._fs.info(self._at(path), refresh=True)
        if info["type"] == "directory":
            return FileStat(path, True)
        return FileStat(path, False, info["size"], _etag(info), None, _modified(info))

    def open(self, path: str, offset: int = 0, length: int | None = None, *, etag: str | None = None) -> Content:
        path = paths.check(path)
        check_range(offset, length)
        known = self.stat(path)
        if known.is_dir:
            raise ArtifactNotFound(f"'{path}' in {self._uri} is a folder, not a file", hint="list it to see its files")
        if etag is not None and etag != known.etag:
            raise Conflict(f"'{path}' has changed", hint="read it from its beginning")
        size = known.file_size or 0
        end = size if length is None else min(size, offset + length)
        return Content(self._read(path, offset, end), file_size=size, etag=known.etag)

    def write(
        self, path: str, chunks: Iterable[bytes], size: int | None = None, *, sha256: str | None = None
    ) -> FileStat:
        path = paths.check(path)
        folder = self._at(posixpath.dirname(path))
        partial = posixpath.join(folder, f".millstream-{secrets.token_hex(16)}.part")
        digest, written = hashlib.sha256(), 0
        with self._lock:
            try:
                with self._calls(path):
                    if self._fs.isdir(self._at(path)):
                        raise InvalidPath(f"'{path}' is a folder, not a file", hint="choose another artifact path")
                    self._fs.makedirs(folder, exist_ok=True)
                    file = self._fs.open(partial, "wb")
                try:
                    for chunk in verified(chunks, size, sha256):
                        digest.update(chunk)
                        written += len(chunk)
                        with self._calls(path):
                            file.write(chunk)
                finally:
                    with self._calls(path):
                        file.close()
                with self._calls(path):
                    self._replace(partial, self._at(path))
            except BaseException:
                with contextlib.suppress(Exception):
                    self._fs.rm_file(partial)
                raise
        return FileStat(path, False, written, None, digest.hexdigest())

    def remove(self, path: str) -> None:
        path = paths.check(path)
        if self.stat(path).is_dir:
            self._remove_folder(path)
        else:
            with self._calls(path):
                self._fs.rm_file(self._at(path))
        while path := posixpath.dirname(path):
            try:
                # Not every file system refuses to remove a folder that is not empty.
                if self.list(path):
                    return
                with self._calls(path):
                    self._fs.rmdir(self._at(path))
            except MillstreamError:
                return

    def _remove_folder(self, path: str) -> None:
        with self._calls(path):
            # fsspec's own recursive calls take names for patterns.
            for entry in self._fs.ls(self._at(path), detail=True, refresh=True):
                name = posixpath.basename(entry["name"].rstrip("/"))
                if entry["type"] == "directory":
                    self._remove_folder(paths.join(path, name))
                else:
                    self._fs.rm_file(f"{self._at(path)}/{name}")
            self._fs.rmdir(self._at(path))

    def _read(self, path: str, offset: int, end: int) -> Iterator[bytes]:
        if offset >= end:
            return
        with self._calls(path):
            file = self._fs.open(self._at(path), "rb", block_size=4 * CHUNK_BYTES, cache_type="readahead")
        try:
            while offset < end:
                with self._calls(path):
                    file.seek(offset)
                    chunk = file.read(min(CHUNK_BYTES, end - offset))
                if not chunk:
                    raise Conflict(f"'{path}' became shorter while it was read", hint="read it again")
                offset += len(chunk)
                yield chunk
        finally:
            with self._calls(path):
                file.close()

    def _replace(self, partial: str, target: str) -> None:
        try:
            self._move(partial, target)
        except OSError:
            if not self._fs.exists(target):
                raise
            self._fs.rm_file(target)
            self._move(partial, target)

    def _move(self, partial: str, target: str) -> None:
        from fsspec import AbstractFileSystem

        if type(self._fs).mv is not AbstractFileSystem.mv:
            self._fs.mv(partial, target)
        else:
            # The mv that all inherit copies as well, and takes names for patterns.
            self._fs.cp_file(partial, target)
            self._fs.rm_file(partial)

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root or "/"

    @contextlib.contextmanager
    def _calls(self, path: str) -> Iterator[None]:
        """One call of the file system, its errors as ours."""
        with self._lock:
            try:
                yield
            except MillstreamError:
                raise
            except (FileNotFoundError, NotADirectoryError):
                raise not_found(path, self._uri) from None
            except IsADirectoryError:
                raise InvalidPath(f"'{path}' is a folder, not a file", hint="choose another artifact path") from None
            except PermissionError as error:
                raise PermissionDenied(f"{self._uri} refuses '{path}': {error}", hint=_CREDENTIALS) from error
            except (ConnectionError, TimeoutError, EOFError) as error:
                raise Unreachable(f"{self._uri} does not answer: {error}", hint=_ADDRESS) from error
            except Exception as error:  # every file system has errors of its own
                text = f"{type(error).__name__}: {error}"
                raise StoreUnavailable(f"{self._uri} failed: {text}", hint=_ADDRESS) from error


def filesystem_store(uri: str) -> FileSystemStore:
    """The store at an address of any scheme that ``fsspec`` knows.

    Raises InvalidValue for a scheme that nothing knows, and for one whose package is not installed.
    """
    scheme = uri.partition(":")[0]
    if "::" in uri:
        raise InvalidValue(f"{uri!r} chains file systems", hint="name one file system, as scheme://host/path")
    if importlib.util.find_spec("fsspec") is None:
        raise InvalidValue(f"'{scheme}:' addresses need fsspec", hint="pip install 'millstream[fsspec]'")
    import fsspec
    from fsspec.core import url_to_fs

    protocol = _PROTOCOLS.get(scheme, scheme)
    if protocol not in fsspec.available_protocols():
        raise InvalidValue(
            f"no artifact store knows '{scheme}:' addresses",
            hint="a plug-in can add one (entry point group millstream.artifact_store); check the spelling",
        )
    try:
        filesystem, root = url_to_fs(protocol + uri[len(scheme):])
    except ImportError as error:
        package = _PACKAGES.get(scheme)
        raise InvalidValue(f"'{scheme}:' addresses need a package that is not installed: {error}",
                           hint=f"pip install {package}" if package else "install that package") from None
    except (OSError, EOFError) as error:
        raise Unreachable(f"{_without_password(uri)} does not answer: {error}",
                          hint="check host, port and credentials") from error
    return FileSystemStore(_without_password(uri), filesystem, root)


def _without_password(uri: str) -> str:
    scheme, separator, rest = uri.partition("://")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    return f"{scheme}{separator}{user.split(':')[0]}{at}{host}{slash}{path}"


def _etag(info: dict[str, Any]) -> str | None:
    for name in ("ETag", "etag", "checksum", "mtime", "modified", "created"):
        if info.get(name):
            return f'"{info[name]}-{info["size"]}"'
    return None


def _modified(info: dict[str, Any]) -> float | None:
    value = info.get("mtime") or info.get("modified") or info.get("created")
    if isinstance(value, datetime):
        return value.timestamp()
    return float(value) if isinstance(value, (int, float)) else None
