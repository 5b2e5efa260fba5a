"""The web UI's files: the shell that every page of it begins with, and the built bundle.

The build writes names with a hash of the content, so what is under ``/assets`` never changes, and each file's
compressed forms beside it. The shell changes with every build and is asked for each time; the page that is opened is
known from its address, so the shell says which further modules and answers it is going to need. It also says the number
of the last change: the page's stream of changes goes on from there, and misses nothing that happens while it loads.
"""

from __future__ import annotations

import hashlib
import mimetypes
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from millstream.errors import EndpointNotFound, MillstreamError
from millstream.operations import ListChanges
from millstream.server.logs import LOGGER
from millstream.server.markup import page, tag
from millstream.server.messages import HTML, Reply, Request
from millstream.web.headers import HeaderList

BUILT = Path(__file__).parent / "ui"
_BASE = re.compile(r'<base href="/"\s*/?>')
_HEAD_END = "</head>"
_KINDS = {
    ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".json": "application/json", ".woff2": "font/woff2",
    ".wasm": "application/wasm",
}
# No script but the bundle's, nothing from elsewhere; artifacts and blobs are shown in frames.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "media-src 'self' blob:; connect-src 'self'; frame-src 'self' blob:; worker-src 'self' blob:; "
    "manifest-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'self'"
)
_SHELL_HEADERS: HeaderList = [
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"same-origin"),
    (b"cache-control", b"no-cache"),
]
_FOR_EVER = (b"cache-control", b"public, max-age=31536000, immutable")


class _Hook(msgspec.Struct):
    """What a page needs beyond the shell: ``path`` is a regular expression over its address, ``modules`` are sources
    as the manifest names them, ``fetch`` addresses of answers, in which ``{1}`` is the expression's first group."""

    path: str
    modules: list[str] = []
    fetch: list[str] = []


# The build's pages are ``src/pages/NAME/index.tsx``; those that a bundle does not have are passed over.
_PAGES = (
    ("^/$", "experiments"), ("^/exp/", "runs"), ("^/run/", "run"), ("^/compare", "compare"), ("^/models/?$", "models"),
    ("^/models/[^/]+/?$", "model"), ("^/models/[^/]+/[^/]+", "version"), ("^/serving/?$", "serving"),
    ("^/serving/[^/]+", "endpoint"), ("^/projects", "projects"), ("^/webhooks/?$", "webhooks"),
    ("^/webhooks/[^/]+", "webhook"), ("^/trash", "trash"), ("^/settings", "settings"),
)
_FETCHED = ((r"^/exp/([^/]+)$", "/api/2.0/mlflow/experiments/get?experiment_id={1}"),)


def _usual_hooks() -> list[_Hook]:
    """What pages need of a bundle that does not say so itself in ``routes.json``."""
    hooks = [_Hook(path, [f"src/pages/{name}/index.tsx"]) for path, name in _PAGES]
    return [*hooks, *(_Hook(path, [], [address]) for path, address in _FETCHED)]


class _Chunk(msgspec.Struct):
    """An entry of the manifest that the build writes."""

    file: str
    css: list[str] = []
    imports: list[str] = []


@dataclass
class Bundle:
    """A built bundle as it was when its shell was written."""

    folder: Path
    shell: str
    stamp: int
    manifest: dict[str, _Chunk]
    hooks: list[tuple[re.Pattern[str], _Hook]]
    files: dict[tuple[str, str], tuple[bytes, str | None]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Bundle | None:
        """The bundle in a folder; None where there is none."""
        index = folder / "index.html"
        try:
            stamp, shell = index.stat().st_mtime_ns, index.read_text("utf-8")
        except OSError:
            return None
        manifest = _decoded(folder / "manifest.json", dict[str, _Chunk], {})
        hooks = _decoded(folder / "routes.json", list[_Hook], None) or _usual_hooks()
        return cls(folder, shell, stamp, manifest, [(re.compile(hook.path), hook) for hook in hooks])

    def page(self, path: str, prefix: str, seq: int | None = None) -> str:
        """The shell for the page at ``path``, on a server below ``prefix`` whose last change was number ``seq``."""
        made = _BASE.sub(f'<base href="{escape(prefix)}/" />', self.shell, count=1)
        links: list[str] = [] if seq is None else [f'<meta name="changes" content="{seq}" />']
        for expression, hook in self.hooks:
            found = expression.search(path)
            if found is None:
                continue
            for file in self._needed(hook.modules):
                if file not in self.shell:
                    links.append(_link(file))
            for address in hook.fetch:
                for number, group in enumerate(found.groups(), 1):
                    address = address.replace(f"{{{number}}}", quote(group or "", safe=""))
                links.append(
                    f'<link rel="preload" as="fetch" crossorigin href="{escape(prefix + address, quote=True)}">'
                )
        return made.replace(_HEAD_END, "".join(links) + _HEAD_END, 1)

    def _needed(self, modules: Iterable[str]) -> list[str]:
        """The files of modules and of all they import, each once."""
        files: dict[str, None] = {}
        work = list(modules)
        seen: set[str] = set()
        while work:
            name = work.pop()
            chunk = self.manifest.get(name)
            if chunk is None or name in seen:
                continue
            seen.add(name)
            files.update(dict.fromkeys([chunk.file, *chunk.css]))
            work.extend(chunk.imports)
        return list(files)

    def file(self, path: str, accepted: str) -> tuple[bytes, str | None] | None:
        """``(content, its encoding)`` of a file of the bundle, in the smallest form that is accepted."""
        form = next((form for form in ("br", "gzip") if form in accepted), "")
        known = self.files.get((path, form))
        if known is not None:
            return known
        place = (self.folder / "assets" / path).resolve()
        if (self.folder / "assets").resolve() not in place.parents or not place.is_file():
            return None
        content: tuple[bytes, str | None] = (place.read_bytes(), None)
        packed = place.with_name(f"{place.name}.{'br' if form == 'br' else 'gz'}")
        if form and packed.is_file():
            content = (packed.read_bytes(), form)
        self.files[path, form] = content
        return content


def _decoded(path: Path, kind: Any, otherwise: Any) -> Any:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError:
        return otherwise


def _link(file: str) -> str:
    if file.endswith(".css"):
        return f'<link rel="preload" as="style" crossorigin href="{escape(file)}">'
    return f'<link rel="modulepreload" crossorigin href="{escape(file)}">'


def _bundle(request: Request) -> Bundle | None:
    """The bundle, read again when it was built again."""
    app = request.app
    folder = app.config.ui_folder or BUILT
    known: Bundle | None = app.bundle
    try:
        stamp = (folder / "index.html").stat().st_mtime_ns
    except OSError:
        stamp = 0
    if known is None or known.stamp != stamp:
        known = app.bundle = Bundle.read(folder)
    return known


async def shell(request: Request) -> Reply:
    """Any page of the web UI: the shell, which shows what the address says."""
    bundle = _bundle(request)
    prefix = request.app.config.static_prefix
    if bundle is None:
        return page(
            "Not built",
            tag("h1", "The web UI is not built"),
            tag("p", "This checkout has the sources of the web UI, but not what is made of them. Build it with ",
                tag("code", "npm ci --prefix ui && npm run build --prefix ui"), ", then load this page again."),
            tag("p", "Meanwhile there are ", tag("a", "plain pages", href=f"{prefix}/plain"), ", and ",
                tag("a", "all operations", href=f"{prefix}/docs"), " of the API."),
        )
    path = request.path[len(prefix):] if prefix and request.path.startswith(prefix + "/") else request.path
    try:
        seq = (await request.app.execution.answer(ListChanges(), request.principal)).seq
    except MillstreamError as error:  # the page itself will tell, and try again
        LOGGER.warning("a page begins without the number of the last change", exc_info=error)
        seq = None
    body = bundle.page(path, prefix, seq).encode()
    etag = f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'.encode()
    headers = [*_SHELL_HEADERS, (b"etag", etag)]
    if etag in request.headers.get(b"if-none-match", b""):
        return Reply(b"", 304, HTML, headers)
    return Reply(body, content_type=HTML, headers=headers)


async def asset(request: Request) -> Reply:
    """A file of the web UI's bundle. Its name has a hash of its content: it stays what it is."""
    path = request.fields["path"]
    bundle = _bundle(request)
    accepted = request.headers.get(b"accept-encoding", b"").decode("latin-1")
    found = await request.app.execution.in_thread(bundle.file, path, accepted) if bundle else None
    if found is None or path.endswith((".br", ".gz")):
        raise EndpointNotFound("the web UI has no such file", hint="load the page again: it may have been built anew")
    content, encoding = found
    suffix = Path(path).suffix
    kind = _KINDS.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
    headers: HeaderList = [_FOR_EVER, (b"vary", b"Accept-Encoding")]
    if encoding is not None:
        headers.append((b"content-encoding", encoding.encode()))
    return Reply(content, content_type=kind.encode(), headers=headers)
