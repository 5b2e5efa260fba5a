"""The pages in a real browser: Debian's Chromium against the real server, with data that the real client logged.

A test takes ``open_page``, with ``theme`` to run in both themes, and works on Playwright's own Page: by roles and
names, as who cannot see the page finds its parts. ``check_accessible`` is axe; ``picture`` keeps a picture of the page.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.servers.keeper import ROOT
from tests.servers.millstream import MillstreamServer

PICTURES = "MILLSTREAM_PICTURES"  # a folder: pictures of the pages go there, docs/images when the pages have changed
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]
# The receivers of webhooks are servers of the tests.
RECEIVERS_HERE = {"MILLSTREAM_WEBHOOK_ALLOWED_SCHEMES": "http", "MILLSTREAM_WEBHOOK_ALLOW_PRIVATE_ADDRESSES": "true"}
SIZE = {"width": 1440, "height": 900}
Theme = Literal["light", "dark"]


@dataclass(frozen=True)
class Site:
    """A server with the data of seed.py; ``facts`` are the ids that it printed."""

    server: MillstreamServer
    facts: dict[str, Any]

    @property
    def uri(self) -> str:
        return self.server.uri


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The server that all pages are tested on. A test that changes data makes an experiment or a model of its own."""
    subprocess.run([sys.executable, str(ROOT / "tools" / "ui.py"), "build"], check=True)
    with MillstreamServer(tmp_path_factory.mktemp("site"), environment=RECEIVERS_HERE) as server:
        environment = {**os.environ, "MILLSTREAM_TRACKING_URI": server.uri, "OMP_NUM_THREADS": "1"}
        seeded = subprocess.run(
            [sys.executable, "-W", "ignore", str(Path(__file__).with_name("seed.py"))], env=environment,
            cwd=tmp_path_factory.mktemp("seed"), stdout=subprocess.PIPE, text=True, check=True,
        )
        yield Site(server, json.loads(seeded.stdout.splitlines()[-1]))


def repeated(act: Callable[[], object], seen: Callable[[], object]) -> None:
    """Do something again until it is heard, as people do: what is still loading hears nothing yet."""
    for _ in range(4):
        act()
        with contextlib.suppress(AssertionError):
            seen()
            return
    act()
    seen()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, one a module: as long as Playwright lives, its event loop runs in this thread, and tests of
    other modules have loops of their own."""
    program = shutil.which("chromium")
    assert program is not None, "Chromium is not installed; run: make prerequisites"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield chromium
        chromium.close()


Opener = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Iterator[Opener]:
    """Opens an address of the site, or of another server, in a new profile: ``open_page("/exp/1", theme="dark")``.

    Errors that the page prints or raises fail the test.
    """
    problems: list[str] = []
    contexts = []

    def open_it(path: str, *, theme: Theme = "light", size: dict[str, int] | None = None) -> Page:
        context = browser.new_context(
            viewport=size or SIZE, color_scheme=theme, reduced_motion="reduce",  # type: ignore[arg-type]
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.goto(path if path.startswith("http") else site.uri + path)
        return page

    yield open_it
    for context in contexts:
        context.close()
    # The browser's own lines about an answer that the page shows, and about what a file in the sandbox may not do.
    expected = ("status of 400", "status of 404", "connect-src 'none'", "Refused to connect because")
    assert [text for text in problems if not any(part in text for part in expected)] == []


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> Theme:
    """Both themes, one after the other."""
    chosen: Theme = request.param
    return chosen


@pytest.fixture(scope="session")
def check_accessible() -> Callable[[Page], None]:
    """Fails with what axe finds wrong on a page: WCAG 2.1, A and AA."""
    source = (ROOT / "ui" / "node_modules" / "axe-core" / "axe.min.js").read_text()
    options = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}

    def check(page: Page) -> None:
        page.evaluate(source)
        found = page.evaluate("options => axe.run(document, options)", options)
        assert [
            f"{broken['id']}: {broken['help']}: {node['html'][:200]} ({node['failureSummary'][:300]})"
            for broken in found["violations"] for node in broken["nodes"][:3]
        ] == []

    return check


@pytest.fixture(scope="session")
def picture() -> Callable[[Page, str], None]:
    """Keeps a picture of the page as NAME.png in the folder that MILLSTREAM_PICTURES names, if it does."""
    folder = os.environ.get(PICTURES)

    def keep(page: Page, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(folder) / f"{name}.png")

    return keep
