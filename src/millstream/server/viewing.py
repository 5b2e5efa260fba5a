"""Artifacts looked at in a browser: their content in a sandbox, their facts, windows of them, folders as one file.

Whoever may log to a run writes these files, so none of them may speak with the voice of this server: each goes out
under a policy that puts it into an origin of its own, without a way to anything but itself. A file may be let load
scripts from the internet, one at a time, and only when a page of this server asks for it: the file itself, which could
write the same address, comes from nowhere.
"""

from __future__ import annotations

import io
import mimetypes
import zipfile
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, TypeVar

import msgspec

from millstream.artifacts import paths
from millstream.entities import FileInfo
from millstream.errors import ArtifactNotFound, BadRequest, InvalidPath, InvalidValue, MissingValue, PermissionDenied
from millstream.server.answers import compressed, takes_gzip
from millstream.server.artifacts import Place
from millstream.server.files import SANDBOX_POLICY, content_type, disposition, send_file
from millstream.server.messages import Reply, Request, StreamedReply
from millstream.server.notebooks import page_of
from millstream.server.windows import read_from, read_lines, read_rows

R = TypeVar("R")

_HEAD_BYTES = 256
_MOST_FILES = 100_000
# What a browser shows by itself and a download would hide; the sandbox holds for them as for all.
_SHOWN = {"html": "text/html; charset=utf-8", "htm": "text/html; charset=utf-8", "svg": "image/svg+xml"}
_KINDS = {
    "markdown": ("md", "markdown"), "html": ("html", "htm"), "notebook": ("ipynb",), "json": ("json", "geojson"),
    "table": ("csv", "tsv", "parquet"), "yaml": ("yaml", "yml", "mlmodel"), "pdf": ("pdf",),
    "text": ("txt", "log", "py", "r", "sh", "sql", "toml", "cfg", "conf", "ini", "xml", "js", "ts", "mlproject", "env"),
}
_KIND_OF = {suffix: kind for kind, suffixes in _KINDS.items() for suffix in suffixes}
_FROM_INTERNET = SANDBOX_POLICY.replace("'unsafe-eval' blob: data:", "'unsafe-eval' blob: data: https:").replace(
    "style-src 'unsafe-inline' data:", "style-src 'unsafe-inline' data: https:"
)


class Facts(msgspec.Struct, omit_defaults=True):
    """What is known of a file without reading it: its size in bytes, when it changed (milliseconds since the epoch),
    its type, how to look at it, and its first bytes in hexadecimal digits."""

    path: str
    size: int
    type: str
    kind: str
    head: str
    modified: int | None = None
    sha256: str | None = None


async def content(request: Request) -> Reply | StreamedReply:
    """A file of a run, a version or a logged model, to be looked at: in a sandbox, whole or by a Range."""
    path = _path(request)
    scripts = _scripts(request)
    reply = await send_file(request, await _place(request), path)
    if reply.status not in (200, 206, 304):
        return reply
    suffix = path.rpartition("/")[2].lower().rpartition(".")[2]
    inline = request.fields.get("download") != "1"
    if inline:
        reply.content_type = _SHOWN.get(suffix, "").encode() or content_type(path)
    changed = (b"content-security-policy", b"content-disposition")
    reply.headers = [
        *(header for header in reply.headers if header[0] not in changed),
        (b"content-security-policy", (_FROM_INTERNET if scripts else SANDBOX_POLICY).encode()),
        (b"content-disposition", disposition(path, "inline" if inline else "attachment")),
        (b"referrer-policy", b"no-referrer"),
    ]
    return reply


def _scripts(request: Request) -> bool:
    wanted = request.fields.get("scripts")
    if not wanted:
        return False
    if wanted != "internet":
        raise InvalidValue.of("scripts", wanted, "it can only be internet")
    if request.headers.get(b"sec-fetch-site") != b"same-origin":
        raise PermissionDenied(
            "only a page of this server may let a file load scripts from the internet",
            hint="open it on the page of its run; browsers tell which page asks over https and on this machine",
        )
    return True


async def output(request: Request) -> Reply:
    """The HTML that an output of a notebook's cell holds, in a sandbox; ``cell`` and ``output`` are counted from 0."""
    path = _path(request)
    place = await _place(request)
    cell, index = _number(request, "cell", 0), _number(request, "output", 0)
    page = await request.app.artifacts.in_thread(page_of, place, path, cell, index)
    return Reply(page, content_type=b"text/html; charset=utf-8", headers=[
        (b"content-security-policy", SANDBOX_POLICY.encode()), (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"), (b"cache-control", b"no-cache"),
    ])


async def facts(request: Request) -> Reply:
    """What is known of a file: its size, its type, how to look at it, its first bytes."""
    path = _path(request)
    place = await _place(request)
    return await _window(request, lambda: _facts(place, path))


def _facts(place: Place, path: str) -> Facts:
    at = place.at(path)
    known = place.store.stat(at)
    if known.is_dir:
        raise InvalidPath.of("path", path, "it is a folder, not a file")
    size = known.file_size or 0
    head = b""
    if size:
        with place.store.open(at, 0, min(_HEAD_BYTES, size)) as opened:
            head = opened.read()
    modified = None if known.modified is None else int(known.modified * 1000)
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Facts(path, size, kind, _kind(path, kind, head), head.hex(), modified, known.sha256)


def _kind(path: str, kind: str, head: bytes) -> str:
    name = path.rpartition("/")[2].lower()
    known = _KIND_OF.get(name.rpartition(".")[2])
    if known is not None:
        return known
    family = kind.partition("/")[0]
    if family in ("image", "audio", "video"):
        return family
    if family == "text":
        return "text"
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if error.end < len(head) - 3:
            return "other"
    return "other" if b"\0" in head else "text"


async def lines(request: Request) -> Reply:
    """Lines of a text file: by their numbers, ``lines=1-500``, or by ``offset`` (bytes; below 0 from the end)."""
    path = _path(request)
    place = await _place(request)
    wanted = request.fields.get("lines")
    if wanted is None:
        offset, limit = _number(request, "offset", 0), _number(request, "limit", 500)
        return await _window(request, lambda: read_from(place, path, offset, limit))
    first, dash, last = wanted.partition("-")
    if not (first.isascii() and first.isdigit() and (not dash or (last.isascii() and last.isdigit()))):
        raise InvalidValue.of("lines", wanted, "write the first and the last line, such as 1-500")
    return await _window(request, lambda: read_lines(place, path, int(first), int(last or first)))


async def table(request: Request) -> Reply:
    """Rows of a CSV, TSV, JSON or Parquet table: from ``offset``, ``limit`` of them."""
    path = _path(request)
    place = await _place(request)
    offset, limit = _number(request, "offset", 0), _number(request, "limit", 200)
    return await _window(request, lambda: read_rows(place, path, offset, limit))


async def archive(request: Request) -> StreamedReply:
    """A folder, or everything without a ``path``, as a zip file that is made as it is sent."""
    folder = paths.check_folder(request.fields.get("path", ""))
    place = await _place(request)
    files = await request.app.artifacts.in_thread(_files_of, place, folder)
    name = (folder.rpartition("/")[2] or "artifacts") + ".zip"
    headers = [
        (b"content-security-policy", SANDBOX_POLICY.encode()), (b"content-disposition", disposition(name)),
        (b"cache-control", b"no-cache"),
    ]
    return StreamedReply(_zipped(request, place, folder, files), None, b"application/zip", headers=headers)


def _files_of(place: Place, folder: str) -> list[FileInfo]:
    root = paths.join(place.prefix, folder)
    files = []
    for file in place.store.walk(root):
        if not file.is_dir:
            files.append(file)
        if len(files) > _MOST_FILES:
            raise InvalidPath.of("path", folder, f"it holds more than {_MOST_FILES} files", hint="take a part of it")
    if not files:
        raise ArtifactNotFound(f"no files in '{folder}'", hint="list the folder above to see what is there")
    return files


async def _zipped(
    request: Request, place: Place, folder: str, files: list[FileInfo]
) -> AsyncGenerator[bytes, None]:
    made = _zip(place, folder, files)
    try:
        while (chunk := await request.app.artifacts.in_thread(next, made, None)) is not None:
            yield chunk
    finally:
        await request.app.artifacts.in_thread(made.close)


def _zip(place: Place, folder: str, files: list[FileInfo]) -> Any:
    """The bytes of a zip file: what is in it is stored as it is, as models and images hardly get smaller."""
    written = _Written()
    root = paths.join(place.prefix, folder)
    cut = len(root) + 1 if root else 0
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as made:
        for file in files:
            with made.open(zipfile.ZipInfo(file.path[cut:], (2020, 1, 1, 0, 0, 0)), "w", force_zip64=True) as entry:
                for chunk in _read(place, file.path):
                    entry.write(chunk)
                    yield from written.taken()
            yield from written.taken()
    yield from written.taken()


def _read(place: Place, at: str) -> Iterator[bytes]:
    with place.store.open(at) as opened:
        yield from opened


class _Written(io.RawIOBase):
    """What was written and not yet sent; there is no way back in it."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._chunks.append(bytes(data))
        return len(data)

    def taken(self) -> Iterator[bytes]:
        """All of it, once."""
        if self._chunks:
            data = b"".join(self._chunks)
            self._chunks.clear()
            yield data


async def _place(request: Request) -> Place:
    fields, artifacts = request.fields, request.app.artifacts
    if "run_id" in fields:
        return await artifacts.of_run(fields["run_id"], request.principal)
    if "model_id" in fields:
        return await artifacts.of_model(fields["model_id"], request.principal)
    return await artifacts.of_version(fields["name"], fields["version"], request.principal)


async def _window(request: Request, read: Callable[[], msgspec.Struct]) -> Reply:
    try:
        found = await request.app.artifacts.in_thread(read)
    except ArtifactNotFound:
        raise ArtifactNotFound(
            f"no artifact at '{_path(request)}'", hint="list the folder to see what is there"
        ) from None
    return compressed(Reply(msgspec.json.encode(found)), takes_gzip(request))


def _path(request: Request) -> str:
    path = request.fields.get("path")
    if not path:
        raise MissingValue.named("path")
    return path


def _number(request: Request, name: str, otherwise: int) -> int:
    text = request.fields.get(name)
    if text is None:
        return otherwise
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < 19):
        raise BadRequest(f"'{name}' is not a whole number")
    return int(text)
