"""What the pages do with as much data as they have to bear: 100,000 runs of 500 columns, metrics of 1,000,000 points.

The store is one of seed_ui.py. Frames are those that the browser gives the page; the wheel, the pointer and the keys
move as somebody's would, and a figure ends in the first frame with the answer on the page.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from browser import Figure, go, memory_of, opened
from playwright.sync_api import Browser, Page

ROWS = '//*[@role="row"]//a[contains(@href, "/run/")]'
_TABLE = 'role=grid[name="Runs"]'
_FIRST_RUN = '[role="grid"] [aria-rowindex="2"] a'
_LARGE = "table of 100,000 runs × 500 columns"
_AXES = 10
# Frames while something moves, one way for each frame: their lengths in milliseconds, and the long tasks among them.
_FRAMES = """
async ([down, right, count]) => {
  const grid = window.table, lengths = [], before = window.longTasks.length;
  await new Promise(requestAnimationFrame);
  let last = performance.now();
  for (let at = 0; at < count; at += 1) {
    grid.scrollBy(right, down);
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    lengths.push(now - last);
    last = now;
  }
  return [lengths, window.longTasks.length - before];
}
"""
# Milliseconds from a jump to a share of the height until every row in sight is there.
_JUMP = """
async share => {
  const grid = window.table, begun = performance.now();
  grid.scrollTop = (grid.scrollHeight - grid.clientHeight) * share;
  const frame = () => new Promise(requestAnimationFrame);
  const filled = () => {
    const box = grid.getBoundingClientRect(), head = 28;
    const rows = [...grid.querySelectorAll(".row")].filter(row => {
      const { top, bottom } = row.getBoundingClientRect();
      return bottom > box.top + head && top < box.bottom - 1;
    });
    return rows.length > 10 && rows.every(row => row.querySelector("a"));
  };
  do await frame(); while (!filled());
  return performance.now() - begun;
}
"""
_RECORD = """
() => {
  window.lengths = [];
  let last = performance.now();
  const next = now => { window.lengths.push(now - last); last = now; window.recording = requestAnimationFrame(next); };
  window.recording = requestAnimationFrame(next);
}
"""
_RECORDED = "() => { cancelAnimationFrame(window.recording); return window.lengths.slice(1) }"
# The moment in which an element has another text than before.
_CHANGED = """
async ([selector, before]) => {
  const begun = performance.now();
  const text = () => document.querySelector(selector)?.textContent ?? "";
  while (text() === before || text() === "") {
    await new Promise(requestAnimationFrame);
    if (performance.now() - begun > 60000) throw new Error(`${selector} stays ${before}`);
  }
  return performance.now();
}
"""


@dataclass(frozen=True)
class Measured:
    """A row of the results."""

    work: str
    unit: str
    figure: Figure
    goal: str


def percentile(values: list[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def grid(browser: Browser, address: str, ids: dict[str, str], times: int) -> Iterator[Measured]:
    """Everything about tables and charts of the store that is served at ``address``."""
    yield from _loads(browser, address, ids, times)
    for one in _table(browser, address, ids["large"], times):
        yield replace(one, work=f"{_LARGE}: {one.work}")
    yield from _zooms(browser, address, ids, times)
    yield from _parallel(browser, address, ids["large"], times)
    yield from _picker(browser, address, ids["wide"], times)
    yield from _compared(browser, address, ids["two-hundred"])


def _loads(browser: Browser, address: str, ids: dict[str, str], times: int) -> list[Measured]:
    made = []
    for name, words in (("two-hundred", "table of 200 runs × 20 columns"), ("large", _LARGE)):
        found: list[float] = []
        for _ in range(times + 1):
            with opened(browser) as (page, _wire):
                found.append(go(page, f"{address}/exp/{ids[name]}", ROWS)[0])
        goal = "2 × of 200 runs" if name == "large" else ""
        made.append(Measured(f"{words}: until it is interactive", "ms", Figure.of(found[1:]), goal))
    return made


def _table(browser: Browser, address: str, experiment: str, times: int) -> list[Measured]:
    names = [f"{kind}_{at:05d}" for at in range(12) for kind in ("metrics.metric", "params.param")]
    with opened(browser) as (page, wire):
        wire.send("HeapProfiler.enable")
        go(page, f"{address}/exp/{experiment}?cols={','.join(names)}", ROWS)
        page.locator(_TABLE).evaluate("grid => { window.table = grid }")
        down, long_tasks = page.evaluate(_FRAMES, [60, 0, 60 * times])
        right, _ = page.evaluate(_FRAMES, [0, 40, 20 * times])
        page.evaluate("() => { window.table.scrollLeft = 0 }")
        jumps = [page.evaluate(_JUMP, (7919 * at % 1000) / 1000) for at in range(1, 8 * times + 1)]
        page.evaluate(_JUMP, 0)
        memory = memory_of(wire)
        sorts = [_sorted(page, f"metric_{at:05d}") for at in range(times)]
        filters = [_filtered(page, f"metrics.metric_{at:05d} > 0.{3 + at % 5} AND params.param_00001 = 'adam'")
                   for at in range(times)]
    frames = [
        Measured(f"scrolling {way}, a frame, {words}", "ms", Figure.of([percentile(lengths, share)]), goal)
        for way, lengths in (("down", down), ("right", right))
        for words, share, goal in (
            ("median", 0.5, ""), ("95th percentile", 0.95, "≤ 17 ms"), ("99th percentile", 0.99, "≤ 25 ms"),
        )
    ]
    far = Figure.of([percentile(jumps, 0.95)])
    return [
        *frames,
        Measured("scrolling down, tasks of more than 50 ms", "", Figure.of([long_tasks]), "0"),
        Measured("a jump until all in sight is there, 95th percentile", "ms", far, "≤ 200 ms"),
        Measured("JavaScript's memory after these", "MB", Figure.of([memory], 1e6), "≤ 40 MB"),
        Measured("sorted by a metric until it is there", "ms", Figure.of(sorts), "≤ 500 ms"),
        Measured("filtered by a metric and a parameter until it is there", "ms", Figure.of(filters), ""),
    ]


def _until_other(page: Page, selector: str, act: Callable[[], None]) -> float:
    before = page.locator(selector).first.text_content()
    begun: float = page.evaluate("performance.now()")
    act()
    ended: float = page.evaluate(_CHANGED, [selector, before])
    return ended - begun


def _sorted(page: Page, column: str) -> float:
    """By a metric that the table was not sorted by before."""
    header = page.get_by_role("columnheader").get_by_role("button", name=column, exact=True)
    return _until_other(page, _FIRST_RUN, lambda: header.evaluate("button => button.click()"))


def _filtered(page: Page, condition: str) -> float:
    box = page.get_by_role("combobox", name="Filter runs")
    box.fill(condition)
    return _until_other(page, ".bar-count", lambda: box.press("Enter"))


def _zooms(browser: Browser, address: str, ids: dict[str, str], times: int) -> list[Measured]:
    made = []
    for name, words, most in (("long", "1 run", 50), ("several-long", "10 runs", 100)):
        found: list[float] = []
        with opened(browser) as (page, _wire):
            go(page, f"{address}/exp/{ids[name]}?view=charts", "//canvas")
            over = page.locator(".u-over").first
            for at in range(times):
                box = over.bounding_box()
                assert box is not None
                left = box["x"] + box["width"] * (0.3 + 0.05 * at)
                page.mouse.move(left, box["y"] + 40)
                page.mouse.down()
                page.mouse.move(left + box["width"] * 0.3, box["y"] + 40, steps=4)
                page.evaluate(_ZOOM)
                with page.expect_response("**/runs/curves"):
                    page.mouse.up()
                found.append(page.evaluate("window.zoomed"))
                page.get_by_role("button", name="All steps").click()
                page.wait_for_timeout(300)
        work = f"a metric of 1,000,000 points, {words}: zoomed until it is drawn"
        made.append(Measured(work, "ms", Figure.of(found), f"≤ {most} ms"))
    return made

# The promise of the milliseconds from letting go of the pointer to the second frame after the answer has come.
_ZOOM = """
() => {
  window.zoomed = new Promise(done => {
    addEventListener("pointerup", () => {
      const begun = performance.now();
      new PerformanceObserver((list, observer) => {
        if (!list.getEntries().some(one => one.name.endsWith("/runs/curves"))) return;
        observer.disconnect();
        requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun)));
      }).observe({ type: "resource" });
    }, { once: true, capture: true });
  });
}
"""


def _parallel(browser: Browser, address: str, experiment: str, times: int) -> list[Measured]:
    axes = ",".join(f"{'metrics.metric' if at % 2 else 'params.param'}_{at:05d}" for at in range(2, 2 + _AXES))
    with opened(browser) as (page, _wire):
        ready = go(page, f"{address}/compare?exp={experiment}&axes={axes}", '//*[contains(@class, "plot-brush")]')[0]
        box = page.locator(".plot-brush .overlay").nth(1).bounding_box()
        assert box is not None
        x, top, height = box["x"] + box["width"] / 2, box["y"], box["height"]
        page.mouse.move(x, top + 2)
        page.mouse.down()
        page.evaluate(_RECORD)
        for step in range(12 * times):
            page.mouse.move(x, top + height * (0.2 + 0.6 * ((step * 7) % 60) / 60))
            time.sleep(0.016)  # as often as a screen shows a frame
        lengths = page.evaluate(_RECORDED)
        page.mouse.up()
    work = f"parallel coordinates of 10,000 runs over {_AXES} axes"
    slow = Figure.of([percentile(lengths, 0.95)])
    return [
        Measured(f"{work}, until it is interactive", "ms", Figure.of([ready]), ""),
        Measured(f"{work}: a frame while a brush is moved, 95th percentile", "ms", slow, "≤ 34 ms"),
    ]


def _picker(browser: Browser, address: str, experiment: str, times: int) -> list[Measured]:
    opens: list[float] = []
    filters: list[float] = []
    with opened(browser) as (page, _wire):
        go(page, f"{address}/exp/{experiment}", ROWS)
        for at in range(times + 1):
            begun: float = page.evaluate("performance.now()")
            page.get_by_role("button", name="Columns").click()
            ended: float = page.evaluate(_CHANGED, ['dialog [role="listbox"] [role="option"]', ""])
            opens.append(ended - begun)
            search = page.get_by_role("dialog", name="Columns").get_by_label("Search columns")
            filters.append(_until_other(page, 'dialog [role="status"]', partial(search.fill, f"119{at}")))
            page.keyboard.press("Escape")
    return [
        Measured("the picker of columns over 12,000 keys opens", "ms", Figure.of(opens[1:]), ""),
        Measured("the picker of columns over 12,000 keys is searched", "ms", Figure.of(filters[1:]), ""),
    ]


def _compared(browser: Browser, address: str, experiment: str) -> list[Measured]:
    with opened(browser) as (page, _wire):
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        ready = go(page, f"{address}/compare?exp={experiment}", '//*[contains(@class, "plot-brush")]')[0]
    cells = Figure.of([sum("runs/query" in url for url in asked)])
    return [
        Measured("200 runs compared, until it is interactive", "ms", Figure.of([ready]), ""),
        Measured("200 runs compared: requests for their values", "", cells, "1"),
    ]
