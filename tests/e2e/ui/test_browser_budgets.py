"""What the pages weigh: the budgets of the bundle, and what a first visit asks for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Request, expect

from tests.e2e.ui.conftest import Opener, Site
from tests.servers.keeper import ROOT

BUNDLE = ROOT / "src" / "millstream" / "server" / "ui"
KB = 1000
# The page's chunk → its JavaScript with everything it needs, gzipped; others may weigh what the heaviest may.
PAGES = {"experiments": 110, "runs": 140, "run": 170, "compare": 170}
MOST = max(PAGES.values())
EVERY = sorted(path.parent.name for path in (ROOT / "ui" / "src" / "pages").glob("*/index.tsx"))


def gzipped(file: str) -> int:
    """Bytes of a file of the bundle as they are sent."""
    small = BUNDLE / f"{file}.gz"
    return (small if small.is_file() else BUNDLE / file).stat().st_size


def needed(manifest: dict[str, Any], *keys: str) -> set[str]:
    """The files of chunks and of all they import at once."""
    found: set[str] = set()
    left = list(keys)
    while left:
        chunk = manifest[left.pop()]
        if chunk["file"] not in found:
            found.add(chunk["file"])
            left += chunk.get("imports", [])
    return found


@pytest.fixture(scope="module")
def manifest(site: Site) -> dict[str, Any]:
    """Vite's list of the chunks."""
    chunks: dict[str, Any] = json.loads((BUNDLE / "manifest.json").read_text())
    return chunks


@pytest.mark.parametrize("page", EVERY)
def test_javascript_of_a_page(manifest: dict[str, Any], page: str) -> None:
    own = f"src/pages/{page}/index.tsx"
    files = needed(manifest, "index.html", *([own] if own in manifest else []))  # the first page is in the shell
    assert sum(gzipped(file) for file in files) <= PAGES.get(page, MOST) * KB


def test_the_whole_bundle(manifest: dict[str, Any]) -> None:
    shell = needed(manifest, "index.html")
    scripts = {Path(path).relative_to(BUNDLE).as_posix() for path in BUNDLE.glob("assets/*.js")}
    styles = {Path(path).relative_to(BUNDLE).as_posix() for path in BUNDLE.glob("assets/*.css")}
    assert sum(gzipped(file) for file in styles) <= 12 * KB
    assert max(gzipped(file) for file in scripts - shell) <= 80 * KB
    assert sum(gzipped(file) for file in scripts | styles) <= 600 * KB
    assert not [path for path in BUNDLE.rglob("*") if path.suffix == ".map"]


@pytest.mark.parametrize(("path", "rows", "most"), [("/", "/overview", 6), ("/exp/{experiment}", "/runs/query", 9)])
def test_requests_until_the_first_row(open_page: Opener, site: Site, path: str, rows: str, most: int) -> None:
    page = open_page("/settings")
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    asked: list[Request] = []
    fresh = page.context.new_page()
    fresh.on("request", lambda request: asked.append(request))
    fresh.goto(site.uri + path.format(**site.facts))
    expect(fresh.locator(".table-line.row a").first).to_be_visible()
    urls = [re.sub(r"\?.*", "", request.url.removeprefix(site.uri)) for request in asked
            if not request.url.startswith("data:") and "/events" not in request.url]
    before = urls[: next(at for at, url in enumerate(urls) if url.endswith(rows)) + 1]
    assert len(before) <= most, before
    assert len(urls) == len(set(urls)), urls
