"""Pages in a real browser, as somebody waits for them: Debian's Chromium, without a display.

A page is *ready* in the first frame that has what it is for: a row of its table, a name on it. It is *interactive* when
it is ready and no task of more than 50 ms follows within a second; *blocked* is by how much such tasks exceed 50 ms
until then. Each load has an empty cache; bytes are those on the wire.
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]
SIZE: Any = {"width": 1440, "height": 900}
PATIENCE_MS = 60_000

_WATCH = """
window.longTasks = [];
new PerformanceObserver(list => {
  for (const task of list.getEntries()) window.longTasks.push([task.startTime, task.duration]);
}).observe({type: "longtask", buffered: true});
"""
# [when the page is interactive, for how long it was blocked] in milliseconds, the first since the navigation began.
_INTERACTIVE = """
async ([path, patience]) => {
  const found = () => document.evaluate(path, document, null, XPathResult.BOOLEAN_TYPE, null).booleanValue;
  const frame = () => new Promise(requestAnimationFrame);
  while (!found()) {
    if (performance.now() > patience) throw new Error(`not there after ${patience} ms: ${path}`);
    await frame();
  }
  await frame();
  const ready = performance.now();
  for (;;) {
    const last = Math.max(ready, ...window.longTasks.map(([start, duration]) => start + duration));
    if (performance.now() - last > 1000) {
      return [last, window.longTasks.reduce((sum, [, duration]) => sum + duration - 50, 0)];
    }
    await new Promise(done => setTimeout(done, 100));
  }
}
"""


@dataclass(frozen=True)
class Load:
    """What one load of a page cost: milliseconds until it is interactive and of them blocked, bytes on the wire,
    requests, bytes of JavaScript's memory afterwards."""

    interactive: float
    blocked: float
    bytes: float
    requests: float
    memory: float


@dataclass(frozen=True)
class Figure:
    """The median of some measurements, the lowest and the highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], by: float = 1) -> Figure:
        """Of these values, each divided ``by``."""
        return cls(statistics.median(values) / by, min(values) / by, max(values) / by)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser. Raises RuntimeError where none is installed."""
    program = shutil.which("chromium")
    if program is None:
        raise RuntimeError("Chromium is not installed; run: make prerequisites")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser) -> Iterator[tuple[Page, CDPSession]]:
    """A page with an empty cache, and the wire to its process."""
    context = browser.new_context(viewport=SIZE)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(_WATCH)
    yield page, context.new_cdp_session(page)
    context.close()


def go(page: Page, address: str, path: str) -> tuple[float, float]:
    """Open an address; ``(milliseconds until it is interactive, milliseconds blocked)``. ``path`` is an XPath of what
    makes it ready."""
    page.goto(address, wait_until="commit")
    interactive, blocked = page.evaluate(_INTERACTIVE, [path, PATIENCE_MS])
    return float(interactive), float(blocked)


def memory_of(wire: CDPSession) -> float:
    """Bytes of JavaScript's memory that are in use."""
    wire.send("HeapProfiler.collectGarbage")
    used: float = wire.send("Runtime.getHeapUsage")["usedSize"]
    return used


def loaded(browser: Browser, address: str, path: str, times: int) -> dict[str, Figure]:
    """So many loads of a page, after one that does not count, by the names of :class:`Load`."""
    loads = [_load(browser, address, path) for _ in range(times + 1)][1:]
    return {one.name: Figure.of([getattr(load, one.name) for load in loads]) for one in fields(Load)}


def _load(browser: Browser, address: str, path: str) -> Load:
    with opened(browser) as (page, wire):
        wire.send("Network.enable")
        wire.send("HeapProfiler.enable")
        sizes: list[float] = []
        wire.on("Network.loadingFinished", lambda told: sizes.append(told["encodedDataLength"]))
        interactive, blocked = go(page, address, path)
        return Load(interactive, blocked, sum(sizes), len(sizes), memory_of(wire))
