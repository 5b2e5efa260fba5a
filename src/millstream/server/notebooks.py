"""Pages inside of notebooks: what a cell has put out as HTML, by itself, in a sandbox like any page that was logged."""

from __future__ import annotations

from typing import Any

from millstream.errors import ArtifactNotFound
from millstream.server.artifacts import Place
from millstream.server.windows import json_in

# A notebook of more bytes is not taken apart.
_MOST_BYTES = 50_000_000


def page_of(place: Place, path: str, cell: int, output: int) -> bytes:
    """The HTML that an output of a cell holds, both counted from 0. Formats: nbformat 3 and 4.

    Raises InvalidValue for what is no notebook, TooLarge for a very large one, ArtifactNotFound for an output that is
    not there or has no HTML.
    """
    book = json_in(place, path, _MOST_BYTES, "a notebook", "no notebook")
    found = _item(_item(_cells(book), cell).get("outputs"), output)
    data = found.get("data", found)
    html = data.get("text/html") if isinstance(data, dict) else None
    if isinstance(html, list):
        html = "".join(part for part in html if isinstance(part, str))
    if not isinstance(html, str):
        raise ArtifactNotFound(f"output {output} of cell {cell} of '{path}' holds no HTML",
                               hint="cells and outputs are counted from 0")
    return html.encode()


def _cells(book: Any) -> Any:
    if not isinstance(book, dict):
        return None
    if "cells" in book:
        return book["cells"]
    sheets = book.get("worksheets")
    found: list[Any] = []
    for sheet in sheets if isinstance(sheets, list) else []:
        cells = sheet.get("cells") if isinstance(sheet, dict) else None
        found.extend(cells if isinstance(cells, list) else [])
    return found


def _item(items: Any, index: int) -> dict[str, Any]:
    """The object at a place of a list; an empty one where there is none."""
    if isinstance(items, list) and 0 <= index < len(items) and isinstance(items[index], dict):
        found: dict[str, Any] = items[index]
        return found
    return {}
