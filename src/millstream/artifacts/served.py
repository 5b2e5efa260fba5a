"""Artifacts that a tracking server keeps for its clients: the client's side.

Roots are ``mlflow-artifacts:/<root>`` (the tracking server of TRACKING_URI), ``mlflow-artifacts://host:port/<root>``
and ``http(s)://host/api/2.0/mlflow-artifacts/artifacts/<root>``. Tracking credentials are sent to the tracking server
only: a root may name any host, and whoever wrote it down must not get them.

**The protocol**, below ``/api/2.0/mlflow-artifacts``. Paths are percent-encoded once. What is marked (+) is ours; a
server may lack it, and a client may not send it.

==================================== ================================================================================
``GET artifacts?path=<folder>``      ``{"files": [{"path": <name>, "is_dir", "file_size"}]}``, names relative to the
                                     folder; empty when nothing is there
``GET artifacts/<path>``             the bytes. (+) ``Range`` answers 206 with ``Content-Range``, or 416; ``ETag`` is
                                     strong and ``If-Match`` answers 412; ``Repr-Digest: sha-256=:<base64>:`` is that
                                     of the whole file, also with 206, when the server knows it
``PUT artifacts/<path>``             stores the body (``Content-Length`` or chunked) as the file, whole or not at all.
                                     (+) ``Content-Digest: sha-256=:<base64>:`` is checked, DATA_LOSS if it differs
``DELETE artifacts/<path>``          removes a file or folder; 404 when nothing is there
``POST mpu/create/<folder>``         ``{"path": <name>, "num_parts"}``, (+) ``"file_size", "part_size", "sha256"`` and
                                     ``"direct"``. Answers ``{"upload_id", "credentials"}``; the credentials
                                     ``[{"part_number", "url", "headers"}]`` are presigned addresses at the store
                                     behind. A client that sends ``part_size`` gets them only if it says ``"direct":
                                     true``; others always do. NOT_IMPLEMENTED (501) where the store behind has
                                     neither them nor parts of its own; clients then PUT the whole file
``POST mpu/complete/<folder>``       ``{"path", "upload_id", "parts": [{"part_number", "etag"}]}``, (+) ``"sha256"``
``POST mpu/abort/<folder>``          ``{"path", "upload_id"}``
``GET presigned/<path>``             ``{"url", "headers", "file_size"}``: an address at the store behind
==================================== ================================================================================

``"path"`` in the ``mpu`` calls may be a whole local path from MLflow's clients; its last name counts. And below
``/api/v1`` (+):

==================================== ================================================================================
``GET artifact-uploads/<path>``      ``{"uploads": [{"upload_id", "part_size", "parts": [{"part_number", "etag",
                                     "file_size", "sha256"}]}]}``: the open uploads of the file, newest first; empty
                                     when there are none
``PUT artifact-uploads/<path>``      ``?upload_id=…&part_number=…``: the bytes of one part, with ``Content-Length``
                                     and ``Content-Digest``. Sent again, it replaces. Answers the part, as above; 404
                                     when the upload is not open, 503 while another request writes the same part
==================================== ================================================================================

A big upload first asks for open uploads; from 404 it learns that the server knows no parts, and sends the file whole.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import posixpath
import re
import threading
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from millstream import settings
from millstream.artifacts import paths
from millstream.artifacts.contract import (
    WHOLE_BYTES,
    Content,
    FileInfos,
    FileStat,
    MultipartStore,
    Part,
    Parts,
    Presigned,
    Upload,
    Uploads,
    beginning,
    check_range,
    not_found,
    verified,
)
from millstream.entities import FileInfo
from millstream.errors import (
    ArtifactNotFound,
    BadRequest,
    EndpointNotFound,
    InvalidValue,
    MethodNotAllowed,
    NotFound,
    NotSupported,
)
from millstream.stores.http.transport import Response, Transport, quoted

_MARK = re.compile(r"/(?:ajax-)?api/2\.0/mlflow-artifacts/artifacts(?=/|$)")
_API = "/api/2.0/mlflow-artifacts"
_UPLOADS = "/api/v1/artifact-uploads"
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")

_transports: dict[tuple[str, bool], Transport] = {}
_lock = threading.Lock()


class _File(msgspec.Struct):
    path: str
    is_dir: bool = False
    file_size: int | None = None


class _Files(msgspec.Struct):
    files: list[_File] = []


class _Part(msgspec.Struct):
    part_number: int
    etag: str
    file_size: int = 0
    sha256: str | None = None

    def part(self) -> Part:
        return Part(self.part_number, self.etag, self.file_size, self.sha256)


class _Upload(msgspec.Struct):
    upload_id: str
    part_size: int | None = None
    parts: list[_Part] = []


class _OpenUploads(msgspec.Struct):
    uploads: list[_Upload] = []


class _Address(msgspec.Struct):
    url: str
    headers: dict[str, str] | None = None
    part_number: int = 0


class _Begun(msgspec.Struct):
    upload_id: str
    credentials: list[_Address] = []


class ServedStore(MultipartStore):
    """Artifacts below ``root`` at the server that ``http`` speaks to. Safe for threads and over a fork."""

    def __init__(self, uri: str, http: Transport, root: str) -> None:
        self._uri = uri
        self._http = http
        self._root = paths.check_folder(root)
        self._direct: dict[str, dict[int, _Address]] = {}  # by upload: where its parts go, past the server

    @property
    def uri(self) -> str:
        return self._uri

    def list(self, path: str = "") -> FileInfos:
        path = paths.check_folder(path)
        answer = self._http.request("GET", f"{_API}/artifacts", query={"path": paths.join(self._root, path) or None})
        found = []
        for file in answer.json(_Files).files:
            name = posixpath.basename(file.path.rstrip("/"))
            if name not in ("", ".", ".."):
                size = None if file.is_dir else file.file_size or 0
                found.append(FileInfo(paths.join(path, name), file.is_dir, size))
        return sorted(found, key=lambda info: info.path)

    def stat(self, path: str) -> FileStat:
        path = paths.check_folder(path)
        if not path:
            return FileStat("", True)
        for entry in self.list(posixpath.dirname(path)):
            if entry.path == path:
                return FileStat(path, entry.is_dir, entry.file_size)
        raise not_found(path, self._uri)

    def open(self, path: str, offset: int = 0, length: int | None = None, *, etag: str | None = None) -> Content:
        path = paths.check(path)
        check_range(offset, length)
        headers = {"If-Match": etag} if etag else {}
        if offset or length is not None:
            headers["Range"] = f"bytes={offset}-{'' if length is None else offset + max(length, 1) - 1}"
        try:
            answer = self._fetch(path, headers)
        except NotFound:
            raise not_found(path, self._uri) from None
        except (BadRequest, InvalidValue):
            # A range that begins behind the end is an error to the server, and an empty one to us.
            size = self.stat(path).file_size or 0
            if "Range" not in headers or offset < size:
                raise
            return Content(iter(()), file_size=size, etag=etag)
        return _content(answer, offset, length)

    def write(
        self, path: str, chunks: Iterable[bytes], size: int | None = None, *, sha256: str | None = None
    ) -> FileStat:
        path = paths.check(path)
        checked = verified(chunks, size, sha256)
        headers = {"Content-Type": "application/octet-stream"}
        body: Any = checked
        if size is None or size <= WHOLE_BYTES:
            first, rest = beginning(iter(checked))
            body = first if rest is None else itertools.chain([first], rest)
            if rest is None:
                size, sha256 = len(first), hashlib.sha256(first).hexdigest()
        if size is not None:
            headers["Content-Length"] = str(size)
        if sha256:
            headers["Content-Digest"] = digest_header(sha256)
        answer = self._http.request("PUT", self._at(f"{_API}/artifacts", path), body=body, headers=headers)
        return FileStat(path, False, size, answer.headers.get("ETag"), sha256)

    def remove(self, path: str) -> None:
        path = paths.check(path)
        try:
            self._http.request("DELETE", self._at(f"{_API}/artifacts", path))
        except NotFound:
            raise not_found(path, self._uri) from None

    def presign_download(self, path: str, seconds: int) -> Presigned:
        """The server decides how long the address lives, whatever ``seconds`` says."""
        path = paths.check(path)
        try:
            address = self._http.request("GET", self._at(f"{_API}/presigned", path)).json(_Address)
        except EndpointNotFound:
            raise NotSupported(f"the server of {self._uri} has no presigned addresses", hint="fetch the file") from None
        except NotFound:
            raise not_found(path, self._uri) from None
        return Presigned(address.url, address.headers or {})

    def start_upload(
        self, path: str, *, size: int | None = None, part_size: int | None = None, sha256: str | None = None
    ) -> str:
        folder, name = posixpath.split(paths.check(path))
        if size is None or part_size is None:
            raise NotSupported("a server takes parts only of a known size, in a file of a known size")
        direct = settings.ENABLE_PROXY_MULTIPART_UPLOAD.get()
        asked = {"path": name, "num_parts": max(1, -(-size // part_size)), "file_size": size, "part_size": part_size,
                 "sha256": sha256, "direct": direct}
        answer = self._http.request("POST", self._at(f"{_API}/mpu/create", folder), json=asked)
        begun: _Begun = answer.json(_Begun)
        if direct and begun.credentials:
            self._direct[begun.upload_id] = {address.part_number: address for address in begun.credentials}
        return begun.upload_id

    def list_uploads(self, path: str) -> Uploads:
        try:
            answer = self._http.request("GET", self._at(_UPLOADS, paths.check(path)))
        except (NotFound, EndpointNotFound, MethodNotAllowed):
            if settings.ENABLE_PROXY_MULTIPART_UPLOAD.get():
                return []
            raise NotSupported(f"the server of {self._uri} takes no parts", hint="send the file whole") from None
        return [Upload(upload.upload_id, upload.part_size, [part.part() for part in upload.parts])
                for upload in answer.json(_OpenUploads).uploads]

    def write_part(
        self, path: str, upload_id: str, number: int, chunks: Iterable[bytes], size: int, *, sha256: str | None = None
    ) -> Part:
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        body = verified(chunks, size, sha256)
        if (address := self._direct.get(upload_id, {}).get(number)) is not None:
            http, target = _elsewhere(address.url)
            headers = {"Content-Length": str(size), **(address.headers or {})}
            answer = http.request("PUT", target, body=body, headers=headers)
            return Part(number, answer.headers.get("ETag", ""), size, sha256)
        if sha256:
            headers["Content-Digest"] = digest_header(sha256)
        query = {"upload_id": upload_id, "part_number": number}
        target = self._at(_UPLOADS, paths.check(path))
        arrived: _Part = self._http.request("PUT", target, query=query, body=body, headers=headers).json(_Part)
        return arrived.part()

    def complete_upload(self, path: str, upload_id: str, parts: Parts, *, sha256: str | None = None) -> None:
        addresses = self._direct.get(upload_id, {})
        listed = [
            {"part_number": part.number, "etag": part.etag,
             **({"url": addresses[part.number].url} if part.number in addresses else {})}
            for part in parts
        ]
        self._end_upload("complete", path, upload_id, {"parts": listed, "sha256": sha256})

    def abort_upload(self, path: str, upload_id: str) -> None:
        self._end_upload("abort", path, upload_id, {})

    def remove_abandoned(self, older_than: float) -> int:
        raise NotSupported(f"{self._uri} is looked after by its server", hint="run `millstream gc` there")

    def _end_upload(self, verb: str, path: str, upload_id: str, more: dict[str, Any]) -> None:
        folder, name = posixpath.split(paths.check(path))
        asked = {"path": name, "upload_id": upload_id, **more}
        try:
            # Sent again it does no harm: an upload that is already over is not found.
            self._http.request("POST", self._at(f"{_API}/mpu/{verb}", folder), json=asked, retry=True)
        except NotFound as error:
            raise ArtifactNotFound(error.message, hint=error.hint) from None
        finally:
            self._direct.pop(upload_id, None)

    def _fetch(self, path: str, headers: dict[str, str]) -> Response:
        if settings.ENABLE_PROXY_MULTIPART_DOWNLOAD.get():
            try:
                address = self.presign_download(path, 0)
            except NotSupported:
                pass
            else:
                http, target = _elsewhere(address.url)
                return http.request("GET", target, headers={**headers, **address.headers}, stream=True)
        return self._http.request("GET", self._at(f"{_API}/artifacts", path), headers=headers, stream=True)

    def _at(self, call: str, path: str) -> str:
        full = paths.join(self._root, path)
        return f"{call}/{quoted(full)}" if full else call


def served_store(uri: str, tracking_uri: str | None = None) -> ServedStore:
    """The store at one of the forms above. ``tracking_uri`` is TRACKING_URI unless given.

    Raises InvalidValue for another form, and for one without a host when the tracking URI is not that of a server.
    """
    tracking = tracking_uri or settings.TRACKING_URI.get() or ""
    server = urlsplit(tracking)
    is_server = server.scheme in ("http", "https")
    parts = urlsplit(uri)
    if parts.query or parts.fragment:
        raise InvalidValue(f"{uri!r} holds a query or fragment", hint="write the root's path only")
    if parts.scheme == "mlflow-artifacts" and not parts.netloc:
        if not is_server:
            raise InvalidValue(f"{uri!r} is kept by a tracking server, and none is set",
                               hint="set MLFLOW_TRACKING_URI to its address (http://host:port)")
        base, root = tracking, parts.path
    elif parts.scheme == "mlflow-artifacts":
        base, root = f"{server.scheme if is_server else 'http'}://{parts.netloc}", parts.path
        if is_server and server.netloc.rpartition("@")[2] == parts.netloc:
            base = tracking
    else:
        found = _MARK.search(parts.path)
        if not found:
            raise InvalidValue(f"{uri!r} is not the artifact address of a tracking server",
                               hint="that ends in /api/2.0/mlflow-artifacts/artifacts/<root>")
        base, root = f"{parts.scheme}://{parts.netloc}{parts.path[:found.start()]}", unquote(parts.path[found.end():])
        if is_server and _origin(tracking) == _origin(base) and "@" not in parts.netloc:
            base = base.replace(parts.netloc, server.netloc, 1)
    known = not is_server or _origin(tracking) == _origin(base)
    return ServedStore(uri, _transport(base, known), root.strip("/"))


def digest_header(sha256: str) -> str:
    """A hexadecimal SHA-256 as ``Content-Digest`` and ``Repr-Digest`` (RFC 9530) write it."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"


def digest_from_header(value: str | None) -> str | None:
    """The hexadecimal SHA-256 in such a header; None when there is none."""
    found = _DIGEST.search(value or "")
    return base64.b64decode(found.group(1)).hex() if found else None


def _content(answer: Response, offset: int, length: int | None) -> Content:
    headers, chunks = answer.headers, answer.chunks()
    if answer.status == 206:
        said = headers.get("Content-Range", "").rpartition("/")[2]
        if length == 0:
            chunks = _cut(chunks, 0, 0)
    else:
        # The server ignored the range and sends everything.
        said = headers.get("Content-Length", "")
        if offset or length is not None:
            chunks = _cut(chunks, offset, length)
    etag = headers.get("ETag")
    return Content(
        chunks, file_size=int(said) if said.isdigit() else None,
        etag=None if etag is None or etag.startswith("W/") else etag,
        sha256=digest_from_header(headers.get("Repr-Digest")), release=answer.close,
    )


def _cut(chunks: Iterator[bytes], skip: int, length: int | None) -> Iterator[bytes]:
    for chunk in chunks:
        if length is not None and length <= 0:
            return
        chunk, skip = chunk[skip:], max(0, skip - len(chunk))
        if length is not None:
            chunk = chunk[:length]
            length -= len(chunk)
        if chunk:
            yield chunk


def _origin(uri: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(uri)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _transport(base: str, sign_in: bool) -> Transport:
    """One set of connections a server, whatever the number of runs whose artifacts are touched."""
    with _lock:
        if (base, sign_in) not in _transports:
            _transports[base, sign_in] = Transport(base, sign_in=sign_in)
        return _transports[base, sign_in]


def _elsewhere(url: str) -> tuple[Transport, str]:
    parts = urlsplit(url)
    return _transport(f"{parts.scheme}://{parts.netloc}", False), f"{parts.path}?{parts.query}"
