"""Pages over much data: thousands of runs, 500 columns, 12,000 keys, a long curve with a spike of one step."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.ui.conftest import Opener
from tests.servers.keeper import ROOT
from tests.servers.millstream import MillstreamServer

RUNS = 3000
POINTS = 200_000


@dataclass(frozen=True)
class Large:
    """A server with much data, and the ids of its experiments."""

    uri: str
    ids: dict[str, str]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Large]:
    """Seeded as the benchmarks are, only smaller."""
    spec = importlib.util.spec_from_file_location("seed_ui", ROOT / "benchmarks" / "seed_ui.py")
    assert spec is not None and spec.loader is not None
    seeding = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(seeding)
    place = tmp_path_factory.mktemp("large")
    ids = seeding.seed(place / "store.db", runs=RUNS, columns=500, points=POINTS, keys=12_000)
    with MillstreamServer(place, f"sqlite:///{place / 'store.db'}") as server:
        yield Large(server.uri, ids)


def table(page: Page) -> Locator:
    """The table of runs."""
    return page.get_by_role("grid", name="Runs")


def test_any_row_of_thousands_is_a_jump_away(open_page: Opener, large: Large) -> None:
    page = open_page(f"{large.uri}/exp/{large.ids['large']}")
    expect(page.get_by_text("3,000 runs")).to_be_visible()
    expect(table(page)).to_have_attribute("aria-rowcount", str(RUNS + 1))
    rows = table(page).locator(".row")
    assert rows.count() < 60
    table(page).focus()
    page.keyboard.press("Control+End")
    last = table(page).locator(f'[aria-rowindex="{RUNS + 1}"]')
    expect(last.get_by_role("link")).to_be_visible()
    expect(last).to_contain_text("Finished")
    page.keyboard.press("Control+Home")
    expect(table(page).locator('[aria-rowindex="2"]').get_by_role("link")).to_be_visible()
    assert rows.count() < 60


def test_rows_are_in_the_order_of_the_server_wherever_one_scrolls(open_page: Opener, large: Large) -> None:
    page = open_page(f"{large.uri}/exp/{large.ids['large']}?sort=attributes.start_time")
    expect(table(page).locator(".row a").first).to_have_text("run-0")
    for share in (0.5, 0.93, 0.2):
        table(page).evaluate("(grid, share) => { grid.scrollTop = grid.scrollHeight * share }", share)
        first = int(table(page).evaluate("grid => Math.ceil(grid.scrollTop / 28)"))
        for index in (first, first + 10):
            row = table(page).locator(f'[aria-rowindex="{index + 2}"]')
            expect(row.get_by_role("link")).to_have_text(f"run-{index}")


def test_five_hundred_columns_scroll(open_page: Opener, large: Large) -> None:
    page = open_page(f"{large.uri}/exp/{large.ids['large']}")
    expect(table(page).locator(".row a").first).to_be_visible()
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("button", name="Show all").click()
    page.keyboard.press("Escape")
    expect(table(page)).to_have_attribute("aria-colcount", "513")
    page.wait_for_url("**?v=*")
    table(page).focus()
    page.keyboard.press("End")
    cell = table(page).locator('[aria-rowindex="4"] [aria-colindex="513"]')
    expect(cell).to_be_visible()
    expect(cell).not_to_be_empty()
    assert table(page).locator('[role="gridcell"]').count() < 1500


def test_twelve_thousand_keys_are_searched(open_page: Opener, large: Large) -> None:
    page = open_page(f"{large.uri}/exp/{large.ids['wide']}")
    expect(table(page).locator(".row a").first).to_be_visible()
    page.get_by_role("button", name="Columns").click()
    dialog = page.get_by_role("dialog", name="Columns")
    expect(dialog.get_by_role("status")).to_contain_text("12,0")
    assert dialog.get_by_role("listbox").get_by_role("option").count() < 60
    dialog.get_by_role("button", name=".*").click()
    dialog.get_by_label("Search columns").fill("_1199[89]$")
    expect(dialog.get_by_role("status")).to_contain_text("2 columns")
    dialog.get_by_role("listbox").get_by_role("option").first.click()
    page.keyboard.press("Escape")
    table(page).focus()
    page.keyboard.press("End")
    expect(table(page).get_by_role("columnheader").filter(has_text="_11999")).to_be_visible()


# Columns of the chart's canvas with a pixel of the line in the upper third of the plot.
_HIGH = """canvas => {
  const { width, height } = canvas
  const pixels = canvas.getContext("2d").getImageData(0, 0, width, Math.floor(height / 3)).data
  const columns = new Set()
  for (let at = 0; at < pixels.length; at += 4) {
    if (pixels[at + 3] > 60 && pixels[at + 2] - pixels[at] > 60) columns.add((at / 4) % width)
  }
  return columns.size
}"""


def test_a_spike_of_one_step_is_drawn_at_every_zoom(open_page: Opener, large: Large) -> None:
    page = open_page(f"{large.uri}/exp/{large.ids['long']}?view=charts")
    chart = page.get_by_role("group", name="spiky", exact=True)
    canvas = chart.locator("canvas")
    expect(canvas).to_be_visible()
    expect(page.get_by_text(re.compile(r"20\d,\d{3} points"))).to_be_visible()
    for _ in range(3):
        assert 0 < canvas.evaluate(_HIGH) < 40
        box = chart.locator(".u-over").bounding_box()
        assert box is not None
        spike = _place_of_spike(page)
        with page.expect_response("**/runs/curves"):
            page.mouse.move(box["x"] + box["width"] * max(0.02, spike - 0.1), box["y"] + 50)
            page.mouse.down()
            page.mouse.move(box["x"] + box["width"] * min(0.98, spike + 0.1), box["y"] + 50, steps=5)
            page.mouse.up()
        expect(page.get_by_role("button", name="All steps")).to_be_visible()


def _place_of_spike(page: Page) -> float:
    """How far to the right the spike stands, from 0 to 1."""
    chart = page.get_by_role("group", name="spiky", exact=True)
    place: float = chart.evaluate("""figure => {
      const canvas = figure.querySelector("canvas"), over = figure.querySelector(".u-over").getBoundingClientRect()
      const left = over.left - canvas.getBoundingClientRect().left, ratio = canvas.width / canvas.clientWidth
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, Math.floor(canvas.height / 3))
      for (let at = 0; at < data.length; at += 4)
        if (data[at + 3] > 60 && data[at + 2] - data[at] > 60)
          return ((at / 4) % canvas.width / ratio - left) / over.width
      return 0.5
    }""")
    return place


def test_thousands_of_runs_with_hundreds_of_columns_are_compared(open_page: Opener, large: Large) -> None:
    page = open_page(f"{large.uri}/compare?exp={large.ids['large']}")
    expect(page.get_by_role("group", name="Parallel coordinates")).to_be_visible(timeout=20_000)
    expect(page.get_by_text("3,000 runs", exact=True).first).to_be_visible()


def test_two_hundred_runs_are_compared_in_one_request(open_page: Opener, large: Large) -> None:
    page = open_page(f"{large.uri}/settings")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{large.uri}/compare?exp={large.ids['two-hundred']}")
    expect(page.get_by_role("group", name="Parallel coordinates")).to_be_visible()
    expect(page.get_by_text("200 runs", exact=True).first).to_be_visible()
    assert sum(url.endswith("/runs/query") for url in asked) == 1
