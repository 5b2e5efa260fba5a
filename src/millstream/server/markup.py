"""HTML that is safe because it cannot be made otherwise: text is escaped unless it came out of :func:`tag`."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from typing import TypeAlias

from millstream.server.messages import HTML, Reply
from millstream.web.headers import HeaderList

Child: TypeAlias = "str | Markup | int | float | None | Iterable[Child]"
_VOID = frozenset({"input", "meta", "br", "link"})


class Markup(str):
    """HTML, as opposed to text."""

    __slots__ = ()


def tag(name: str, *children: Child, **attributes: str | int | None) -> Markup:
    """An element. Attributes are named as in HTML, with ``_`` after a Python keyword; None leaves one out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items() if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(children)}</{name}>")


def join(children: Child) -> Markup:
    """Elements and texts one after the other."""
    if children is None:
        return Markup("")
    if isinstance(children, Markup):
        return children
    if isinstance(children, (str, int, float)):
        return Markup(escape(str(children)))
    return Markup("".join(join(child) for child in children))


STYLE = """
:root { color-scheme: light dark; --line: #d7d7d2; --soft: #6b6b66; --head: #f4f4f0; --link: #0b57a4; }
@media (prefers-color-scheme: dark) { :root { --line: #3a3a38; --soft: #a0a09a; --head: #232321; --link: #8ab8ea; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem 1.5rem 3rem; max-width: 100rem; font: 14px/1.5 system-ui, sans-serif; }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
nav { color: var(--soft); } nav a { margin-right: .1rem; }
h1 { font-size: 1.5rem; margin: .5rem 0; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin: 1.75rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
code, .n { font-family: ui-monospace, monospace; font-size: .92em; } .n { text-align: right; white-space: nowrap; }
.soft { color: var(--soft); } .wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { border: 1px solid var(--line); padding: .25rem .6rem; text-align: left; vertical-align: top; }
th { background: var(--head); font-weight: 600; white-space: nowrap; }
td { overflow-wrap: break-word; max-width: 32rem; }
form { margin: .75rem 0; display: flex; gap: .5rem; } input { font: inherit; padding: .25rem .5rem; }
input[type=text] { flex: 1; max-width: 40rem; }
.error { color: #b3261e; white-space: pre-wrap; font-family: ui-monospace, monospace; }
@media (prefers-color-scheme: dark) { .error { color: #f2b8b5; } }
.method { display: inline-block; min-width: 4.5em; font-weight: 600; }
""".strip()
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
# No script, nothing from elsewhere, and the one style sheet that is in the page itself.
_POLICY: HeaderList = [
    (b"content-security-policy",
     f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
     "frame-ancestors 'self'".encode()),
    (b"referrer-policy", b"same-origin"),
    (b"cache-control", b"no-cache"),
]


def page(title: str, *children: Child, status: int = 200) -> Reply:
    """A whole page."""
    head = tag(
        "head", tag("meta", charset="utf-8"),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{title} · Millstream"), tag("style", Markup(STYLE)),
    )
    document = f"<!doctype html>\n{tag('html', head, tag('body', *children), lang='en')}\n"
    return Reply(document.encode("utf-8", "replace"), status, HTML, list(_POLICY))


def table(head: Iterable[Child], rows: Iterable[Iterable[Child]]) -> Markup:
    """A table, with a row of headings if there are any; cells that are not elements yet become ``td``."""
    made = [tag("tr", *(cell if _is_cell(cell) else tag("td", cell) for cell in row)) for row in rows]
    cells = [tag("th", cell) for cell in head]
    return tag(
        "div", tag("table", tag("thead", tag("tr", *cells)) if cells else None, tag("tbody", *made)), class_="wide"
    )


def _is_cell(cell: Child) -> bool:
    return isinstance(cell, Markup) and cell.startswith(("<td", "<th"))
