"""Moving files: the artifact routes of MLflow's protocol, streamed both ways.

Bytes go from the connection to the artifact store and back in chunks; no file is ever held whole, in memory or on the
server's disk on its way elsewhere. What a browser is given is always a download in a sandbox: artifacts are written by
whoever may log to a run, and must not speak with the voice of this server.
"""

from __future__ import annotations

import asyncio
import mimetypes
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from email.utils import formatdate
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from millstream.artifacts import paths
from millstream.artifacts.contract import Content, FileStat, MultipartStore, Part
from millstream.artifacts.served import digest_from_header, digest_header
from millstream.entities import FileInfo
from millstream.errors import (
    ArtifactNotFound,
    BadRequest,
    Conflict,
    InvalidPath,
    InvalidValue,
    MissingValue,
    NotSupported,
)
from millstream.operations.codec import encode_answer
from millstream.server.artifacts import Place, presign_download
from millstream.server.messages import Reply, Request, StreamedReply, error_reply, json_reply
from millstream.web.headers import HeaderList

S = TypeVar("S", bound=msgspec.Struct)

_READ_AHEAD = 1 << 20
_PRESIGNED_SECONDS = 900
_MOST_PARTS = 10_000
_RANGE = re.compile(rb"bytes=(\d*)-(\d*)")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
# Types that browsers show or play and that can hold no script; everything else is bytes.
_SAFE_TYPES = frozenset({
    "application/json", "application/pdf", "audio/mpeg", "audio/ogg", "audio/wav", "image/avif", "image/bmp",
    "image/gif", "image/jpeg", "image/png", "image/webp", "text/csv", "text/plain", "video/mp4", "video/ogg",
    "video/webm",
})
_TEXT = re.compile(
    r"(.*\.)?(MLmodel|MLproject|py|ya?ml|txt|md|log|cfg|conf|ini|toml|json|csv|tsv|sql|sh|r|ipynb)", re.IGNORECASE
)
# MLflow's clients compare these words, and then send or fetch the file whole.
_NO_PARTS = "Multipart upload is not supported for the current artifact repository"
_NO_ADDRESSES = "Multipart download is not supported for the current artifact repository"
# A file that is shown gets an origin of its own, and reaches nothing but itself.
SANDBOX_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob: data:; "
    "style-src 'unsafe-inline' data:; img-src data: blob:; font-src data:; media-src data: blob:; connect-src 'none'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
_SANDBOX: HeaderList = [
    (b"content-security-policy", SANDBOX_POLICY.encode()),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"accept-ranges", b"bytes"),
    (b"cache-control", b"no-cache"),
]


# Files of runs and models


async def get_run_file(request: Request) -> Reply | StreamedReply:
    """``GET /get-artifact?run_uuid=…&path=…``: a file of a run."""
    place = await request.app.artifacts.of_run(_field(request, "run_id", shown="run_uuid"), request.principal)
    return await send_file(request, place, _field(request, "path"))


async def get_model_file(request: Request) -> Reply | StreamedReply:
    """A file of a logged model."""
    place = await request.app.artifacts.of_model(_field(request, "model_id"), request.principal)
    return await send_file(request, place, _field(request, "artifact_file_path"))


async def get_version_file(request: Request) -> Reply | StreamedReply:
    """``GET /model-versions/get-artifact?name=…&version=…&path=…``: a file of a version of a registered model."""
    name, version = _field(request, "name"), _field(request, "version")
    place = await request.app.artifacts.of_version(name, version, request.principal)
    return await send_file(request, place, _field(request, "path"))


async def upload_run_file(request: Request) -> Reply:
    """``POST upload-artifact?run_uuid=…&path=…``: the body becomes a file of a run."""
    place = await request.app.artifacts.of_run(_field(request, "run_id", shown="run_uuid"), request.principal)
    return await _upload(request, place, _field(request, "path"))


# Files below the proxied root


async def list_files(request: Request) -> Reply:
    """The files and folders directly under ``path``, by their names there."""
    place = request.app.artifacts.proxied()
    folder = request.fields.get("path", "")
    entries = await request.app.artifacts.in_thread(place.list, folder)
    cut = len(folder) + 1 if folder else 0
    made: dict[str, Any] = {}
    if entries:
        made["files"] = [FileInfo(entry.path[cut:], entry.is_dir, entry.file_size) for entry in entries]
    return json_reply(made)


async def get_file(request: Request) -> Reply | StreamedReply:
    """A file below the proxied root."""
    return await send_file(request, request.app.artifacts.proxied(), request.fields["path"])


async def put_file(request: Request) -> Reply:
    """The body becomes a file below the proxied root."""
    return await _upload(request, request.app.artifacts.proxied(), request.fields["path"])


async def delete_file(request: Request) -> Reply:
    """Remove a file or folder below the proxied root."""
    place = request.app.artifacts.proxied()
    path = place.at(request.fields["path"])
    await request.app.artifacts.check_unused(place.uri, path, request.principal)
    await request.app.artifacts.in_thread(place.store.remove, path)
    return json_reply({})


async def presign_file(request: Request) -> Reply:
    """An address at which the client may fetch a file below the proxied root without this server in between."""
    place = request.app.artifacts.proxied()
    asked = request.fields.get("expiration", str(_PRESIGNED_SECONDS))
    if not asked.isascii() or not asked.isdigit():
        raise InvalidValue.of("expiration", asked, "expected a number of seconds")
    try:
        made = await request.app.artifacts.in_thread(presign_download, place, request.fields["path"], int(asked))
    except NotSupported as error:
        raise NotSupported(_NO_ADDRESSES, hint=error.message) from None
    return Reply(encode_answer(made))


# Uploads in parts


class _Create(msgspec.Struct):
    path: str
    num_parts: int = 1
    file_size: int | None = None
    part_size: int | None = None
    sha256: str | None = None
    direct: bool = False


class _SentPart(msgspec.Struct):
    part_number: int
    etag: str
    url: str | None = None


class _Complete(msgspec.Struct):
    path: str
    upload_id: str
    parts: list[_SentPart] = []
    sha256: str | None = None


class _Abort(msgspec.Struct):
    path: str
    upload_id: str


async def create_upload(request: Request) -> Reply:
    """Begin an upload in parts of the file ``path`` of the body in the folder of the address.

    A client that can send parts to the server says ``part_size``; to every other one the addresses of parts are told.
    """
    asked = await _document(request, _Create)
    if not 1 <= asked.num_parts <= _MOST_PARTS:
        raise InvalidValue.of("num_parts", asked.num_parts, f"it must be from 1 to {_MOST_PARTS}")
    _check_digest(asked.sha256)
    store, at = _parted(request, asked.path)
    return json_reply(await request.app.artifacts.in_thread(_begin, store, at, asked))


def _begin(store: MultipartStore, at: str, asked: _Create) -> dict[str, Any]:
    sends_parts_here = asked.part_size is not None
    try:
        upload_id = store.start_upload(at, size=asked.file_size, part_size=asked.part_size, sha256=asked.sha256)
    except NotSupported as error:
        raise NotSupported(_NO_PARTS, hint=error.message) from None
    credentials = []
    try:
        for number in range(1, asked.num_parts + 1) if asked.direct or not sends_parts_here else ():
            made = store.presign_part(at, upload_id, number, _PRESIGNED_SECONDS)
            credentials.append({"part_number": number, "url": made.url, "headers": made.headers})
    except NotSupported as error:
        if not sends_parts_here:
            store.abort_upload(at, upload_id)
            raise NotSupported(_NO_PARTS, hint=error.message) from None
    return {"upload_id": upload_id, "credentials": credentials}


async def list_uploads(request: Request) -> Reply:
    """The uploads of a file that were begun and not completed, newest first."""
    store, at = _parted_file(request)
    found = await request.app.artifacts.in_thread(store.list_uploads, at)
    return json_reply({"uploads": [
        {"upload_id": upload.upload_id, "part_size": upload.part_size,
         "parts": [_part_on_wire(part) for part in upload.parts]}
        for upload in found
    ]})


async def put_part(request: Request) -> Reply:
    """The body becomes one part of an upload."""
    store, at = _parted_file(request)
    upload_id, number = _field(request, "upload_id"), _field(request, "part_number")
    if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= _MOST_PARTS:
        raise InvalidValue.of("part_number", number, f"it must be from 1 to {_MOST_PARTS}")
    if b"content-length" not in request.headers:
        raise BadRequest("the size of a part must be announced", hint="send a Content-Length")
    size, digest = request.announced_bytes, _announced_digest(request)

    def write(chunks: Iterator[bytes]) -> Part:
        return store.write_part(at, upload_id, int(number), chunks, size, sha256=digest)

    part = await _receive(request, write)
    reply = json_reply(_part_on_wire(part))
    reply.headers = _identity(part.etag, part.sha256)
    return reply


async def complete_upload(request: Request) -> Reply:
    """Make the file of the parts that have arrived."""
    asked = await _document(request, _Complete)
    _check_digest(asked.sha256)
    store, at = _parted(request, asked.path)
    parts = [Part(part.part_number, part.etag, 0) for part in asked.parts]
    await request.app.artifacts.in_thread(
        lambda: store.complete_upload(at, asked.upload_id, parts, sha256=asked.sha256)
    )
    return json_reply({})


async def abort_upload(request: Request) -> Reply:
    """Forget an upload in parts."""
    asked = await _document(request, _Abort)
    store, at = _parted(request, asked.path)
    await request.app.artifacts.in_thread(store.abort_upload, at, asked.upload_id)
    return json_reply({})


def _part_on_wire(part: Part) -> dict[str, Any]:
    return {"part_number": part.number, "etag": part.etag, "file_size": part.file_size, "sha256": part.sha256}


def _parted(request: Request, sent_name: str) -> tuple[MultipartStore, str]:
    # Clients send the path the file has on their disk; its last name is the name it gets in the folder.
    name = sent_name.replace("\\", "/").rpartition("/")[2]
    if not name:
        raise MissingValue.named("path")
    place = request.app.artifacts.proxied()
    at = place.at(paths.join(paths.check_folder(request.fields.get("path", "").strip("/")), name))
    return _multipart(place), at


def _parted_file(request: Request) -> tuple[MultipartStore, str]:
    place = request.app.artifacts.proxied()
    return _multipart(place), place.at(request.fields["path"])


def _multipart(place: Place) -> MultipartStore:
    if not isinstance(place.store, MultipartStore):
        raise NotSupported(_NO_PARTS, hint="send the file whole")
    return place.store


# Sending


async def send_file(request: Request, place: Place, path: str) -> Reply | StreamedReply:
    """A file to be kept: whole, or by a Range."""
    artifacts = request.app.artifacts
    at = place.at(path)
    try:
        known = await artifacts.in_thread(place.store.stat, at)
    except ArtifactNotFound:
        raise ArtifactNotFound(f"no artifact at '{path}'", hint="list the folder to see what is there") from None
    if known.is_dir:
        raise InvalidPath.of("path", path, "it is a folder, not a file", hint="list it to see its files")
    headers = [
        *_SANDBOX,
        *_identity(known.etag, known.sha256),
        (b"content-disposition", disposition(path)),
    ]
    if known.modified is not None:
        headers.append((b"last-modified", formatdate(known.modified, usegmt=True).encode()))
    etag = known.etag.encode() if known.etag else None
    wanted = request.headers.get(b"if-match")
    if wanted is not None and wanted not in (etag, b"*"):
        changed = error_reply(Conflict(f"'{path}' has changed", hint="read it from its beginning"))
        changed.status = 412
        return changed
    if etag is not None and request.headers.get(b"if-none-match") == etag:
        return Reply(b"", 304, content_type(path), headers)
    size = known.file_size or 0
    start, length, status = _range(request, known, size)
    if status == 416:
        outside = error_reply(InvalidValue(f"'{path}' has {size} bytes, and the range begins behind them"))
        outside.status = 416
        outside.headers.append((b"content-range", b"bytes */%d" % size))
        return outside
    if status == 206:
        headers.append((b"content-range", b"bytes %d-%d/%d" % (start, start + length - 1, size)))
    if request.method == "HEAD":
        return StreamedReply(_nothing(), length, content_type(path), status, headers)

    def open_content() -> Content:
        return place.store.open(at, start, length, etag=known.etag)

    try:
        content = await artifacts.in_thread(open_content)
    except Conflict:
        if wanted is not None:
            raise
        return await send_file(request, place, path)  # replaced since it was looked at
    return StreamedReply(_chunks(request, content), length, content_type(path), status, headers)


async def _chunks(request: Request, content: Content) -> AsyncGenerator[bytes, None]:
    try:
        while (chunk := await request.app.artifacts.in_thread(next, content, None)) is not None:
            yield chunk
    finally:
        await request.app.artifacts.in_thread(content.close)


async def _nothing() -> AsyncGenerator[bytes, None]:
    return
    yield b""


def _range(request: Request, known: FileStat, size: int) -> tuple[int, int, int]:
    """``(first byte, bytes, status)`` of what is asked for; what is not one plain range asks for everything."""
    found = _RANGE.fullmatch(request.headers.get(b"range", b""))
    condition = request.headers.get(b"if-range")
    outdated = condition is not None and condition.decode("latin-1") != known.etag
    if found is None or found.group() == b"bytes=-" or outdated:
        return 0, size, 200
    first, last = found.groups()
    if not first:
        length = min(int(last), size)
        return (size - length, length, 206) if length else (0, 0, 416)
    start = int(first)
    end = min(int(last), size - 1) if last else size - 1
    if start >= size:
        return 0, 0, 416
    return (start, end - start + 1, 206) if end >= start else (0, size, 200)


def _identity(etag: str | None, sha256: str | None) -> HeaderList:
    headers: HeaderList = []
    if etag and etag.isascii() and etag.isprintable():
        headers.append((b"etag", etag.encode()))
    if sha256:
        headers.append((b"repr-digest", digest_header(sha256).encode()))
    return headers


def disposition(path: str, how: str = "attachment") -> bytes:
    """Whether a browser keeps a file (``attachment``) or shows it (``inline``), and under which name."""
    name = path.rpartition("/")[2]
    plain = re.sub(r'[^A-Za-z0-9._\- ]', "_", name)
    return f"{how}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}".encode()


def content_type(path: str) -> bytes:
    """The type of a file by its name: one that browsers show without a risk, else just bytes."""
    name = path.rpartition("/")[2]
    guessed = "text/plain" if _TEXT.fullmatch(name) else mimetypes.guess_type(name)[0]
    if guessed not in _SAFE_TYPES:
        return b"application/octet-stream"
    return f"{guessed}; charset=utf-8".encode() if guessed.startswith("text/") else guessed.encode()


# Receiving


async def _upload(request: Request, place: Place, path: str) -> Reply:
    at = place.at(path)
    size = request.announced_bytes if b"content-length" in request.headers else None

    def write(chunks: Iterator[bytes]) -> FileStat:
        return place.store.write(at, chunks, size, sha256=_announced_digest(request))

    stat = await _receive(request, write)
    return Reply(b"", headers=_identity(stat.etag, stat.sha256))


R = TypeVar("R")


async def _receive(request: Request, write: Callable[[Iterator[bytes]], R]) -> R:
    """Run ``write`` in a thread on the chunks of the body; the next of them is received while the last is written."""
    loop = asyncio.get_running_loop()
    source = request.stream(request.app.config.limits.artifact_bytes)

    def chunks() -> Iterator[bytes]:
        coming = asyncio.run_coroutine_threadsafe(_gather(source), loop)
        try:
            while chunk := coming.result():
                coming = asyncio.run_coroutine_threadsafe(_gather(source), loop)
                yield chunk
        finally:
            coming.cancel()

    return await request.app.artifacts.in_thread(lambda: write(chunks()))


async def _gather(source: AsyncIterator[bytes]) -> bytes:
    """About :data:`_READ_AHEAD` bytes of the body, nothing at its end."""
    gathered: list[bytes] = []
    size = 0
    async for chunk in source:
        gathered.append(chunk)
        size += len(chunk)
        if size >= _READ_AHEAD:
            break
    return b"".join(gathered)


def _announced_digest(request: Request) -> str | None:
    """The SHA-256 that the client says the body has, in hexadecimal (RFC 9530)."""
    given = request.headers.get(b"content-digest") or request.headers.get(b"repr-digest")
    if given is None:
        return None
    digest = digest_from_header(given.decode("latin-1"))
    if digest is None:
        raise BadRequest("the digest of the request's body is no SHA-256",
                         hint="write it as sha-256=:<base64>:, or leave it out")
    return digest


def _check_digest(sha256: str | None) -> None:
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise InvalidValue.of("sha256", sha256, "it must be 64 hexadecimal digits")


# Reading requests


def _field(request: Request, name: str, *, shown: str | None = None) -> str:
    value = request.fields.get(name)
    if not value:
        raise MissingValue.named(shown or name)
    return value


async def _document(request: Request, kind: type[S]) -> S:
    body = await request.body(request.app.config.limits.body_bytes)
    request.require_json()
    try:
        return msgspec.json.decode(body, type=kind, strict=False)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"the request body is not what this call takes: {error}") from None
