"""Many runs on one page: pinned ones, all of a filter at once, headers that sum up, bands of lines."""

from __future__ import annotations

import csv
import re
import time
import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from millstream import MlflowClient
from millstream.entities import Metric, Param
from tests.e2e.ui.conftest import SIZE, Opener, Site, Theme, repeated

Check = Callable[[Page], None]
Picture = Callable[[Page, str], None]

RUNS = 45
BEGAN = 1_790_000_000_000


@pytest.fixture
def client(site: Site) -> MlflowClient:
    """A client of the site."""
    return MlflowClient(site.uri)


@pytest.fixture
def many(client: MlflowClient) -> str:
    """The id of an experiment of this test's own: 45 runs with a curve each, one of which has a spike."""
    experiment = client.create_experiment(f"many-{uuid.uuid4().hex[:8]}")
    for number in range(RUNS):
        run = client.create_run(experiment, run_name=f"many-{number:02}", start_time=BEGAN + number).info.run_id
        points = [
            Metric("loss", (40.0 if (number, step) == (7, 12) else 1.0) + number / 10 - step / 30, BEGAN + step, step)
            for step in range(30)
        ]
        client.log_batch(run, points, [Param("half", str(number % 2)), Param("lr", str(0.1 / (number + 1)))])
        client.set_terminated(run, end_time=BEGAN + 60_000)
    return experiment


@pytest.fixture
def few(client: MlflowClient) -> str:
    """The id of an experiment of this test's own, with four runs."""
    experiment = client.create_experiment(f"few-{uuid.uuid4().hex[:8]}")
    for number in range(4):
        run = client.create_run(experiment, run_name=f"few-{number}", start_time=BEGAN + number).info.run_id
        client.log_batch(run, [Metric("loss", float(number), BEGAN, step) for step in range(3)])
        client.set_terminated(run, end_time=BEGAN + 60_000)
    return experiment


def grid(page: Page) -> Locator:
    """The table."""
    return page.get_by_role("grid", name="Runs")


def link(page: Page, row: int) -> Locator:
    """The name of the run in a row, from 0."""
    return grid(page).locator(f'[role="row"][aria-rowindex="{row + 2}"] a').first


def header(page: Page, name: str) -> Locator:
    """The header of a column."""
    return grid(page).get_by_role("columnheader").filter(has=page.get_by_text(name, exact=True))


def test_a_pinned_run_stays_first(open_page: Opener, few: str, theme: Theme, check_accessible: Check) -> None:
    page = open_page(f"/exp/{few}?cols=metrics.loss", theme=theme)
    expect(link(page, 3)).to_have_text("few-0")
    grid(page).focus()
    for _ in range(3):
        page.keyboard.press("j")
    page.keyboard.press("p")
    expect(link(page, 0)).to_have_text("few-0")
    expect(grid(page).get_by_role("row").filter(has_text="few-0")).to_contain_text("Pinned")
    check_accessible(page)
    header(page, "loss").get_by_role("button", name="loss", exact=True).click()
    expect(header(page, "loss")).to_have_attribute("aria-sort", "descending")
    expect(link(page, 1)).to_have_text("few-3")
    expect(link(page, 0)).to_have_text("few-0")
    page = open_page(f"/exp/{few}?view=split", theme=theme)
    expect(link(page, 0)).to_have_text("few-0")
    unpin = page.get_by_role("menuitem", name="Unpin the run")
    repeated(lambda: link(page, 0).click(button="right"), lambda: expect(unpin).to_be_visible())
    unpin.click()
    expect(link(page, 0)).to_have_text("few-3")
    page.get_by_role("button", name="Undo").click()
    expect(link(page, 0)).to_have_text("few-0")


def test_what_others_pin_is_first_here_too(
    open_page: Opener, few: str, site: Site, client: MlflowClient
) -> None:
    page = open_page(f"/exp/{few}")
    expect(link(page, 0)).to_have_text("few-3")
    other = open_page(f"/exp/{few}")
    expect(link(other, 1)).to_have_text("few-2")
    link(other, 1).click(button="right")
    other.get_by_role("menuitem", name="Pin the run").click()
    expect(link(other, 0)).to_have_text("few-2")
    expect(link(page, 0)).to_have_text("few-2")


def test_a_run_has_the_colour_that_somebody_gave_it(
    open_page: Opener, few: str, theme: Theme, check_accessible: Check
) -> None:
    page = open_page(f"/exp/{few}", theme=theme)
    link(page, 2).click(button="right")
    page.get_by_role("menuitem", name="Colour…").click()
    dialog = page.get_by_role("dialog", name="Colour of few-1")
    expect(dialog).to_be_visible()
    check_accessible(page)
    dialog.get_by_role("button", name="Colour 8", exact=True).click()
    row = grid(page).get_by_role("row").filter(has_text="few-1")
    expect(row.locator(".swatch")).to_have_attribute("style", re.compile(r"--run-7"))
    page.reload()
    expect(row.locator(".swatch")).to_have_attribute("style", re.compile(r"--run-7"))
    link(page, 2).click(button="right")
    page.get_by_role("menuitem", name="Colour…").click()
    page.get_by_role("button", name="By its place").click()
    expect(row.locator(".swatch")).to_have_count(0)


def test_a_running_run_tells_how_far_it_is(open_page: Opener, few: str, client: MlflowClient) -> None:
    going = client.create_run(few, run_name="going").info.run_id
    client.log_param(going, "total_steps", 200)
    client.log_metric(going, "loss", 0.5, step=50)
    page = open_page(f"/exp/{few}")
    row = grid(page).get_by_role("row").filter(has_text="going")
    expect(row).to_contain_text("25 %")
    client.log_metric(going, "loss", 0.4, step=150)
    expect(row).to_contain_text("75 %")
    page = open_page(f"/run/{going}")
    expect(page.get_by_role("region", name="Facts")).to_contain_text("75 %")
    client.set_terminated(going)
    expect(page.get_by_role("region", name="Facts")).not_to_contain_text("75 %")


def test_a_header_sums_up_its_column(
    open_page: Opener, many: str, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page(f"/exp/{many}?cols=metrics.loss,params.half", theme=theme)
    expect(link(page, 0)).to_have_text("many-44")
    header(page, "half").hover()
    shown = page.get_by_role("tooltip")
    expect(shown).to_contain_text("45 of 45 runs, 2 different values")
    header(page, "loss").hover()
    expect(shown.get_by_role("img")).to_have_attribute("aria-label", re.compile(r"^From 0\.03.* to 4\.4"))
    check_accessible(page)
    picture(page, f"runs-header-{theme}")
    page.mouse.move(5, 500)
    expect(shown).to_have_count(0)
    grid(page).focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(shown).to_contain_text("half")
    page.keyboard.press("ArrowDown")
    expect(shown).to_have_count(0)
    page.get_by_role("combobox", name="Filter runs").fill("params.half = '1'")
    page.keyboard.press("Enter")
    expect(page.get_by_text("22 runs", exact=True)).to_be_visible()
    header(page, "loss").hover()
    expect(shown).to_contain_text("22 of 22 runs")


def test_all_of_a_filter_is_tagged_deleted_restored_and_downloaded(
    open_page: Opener, many: str, client: MlflowClient
) -> None:
    page = open_page(f"/exp/{many}?q=params.half+%3D+'1'&cols=metrics.loss,tags.team", size={**SIZE, "height": 500})
    expect(page.get_by_text("22 runs", exact=True)).to_be_visible()
    grid(page).get_by_role("checkbox", name="Select all rows").check()
    bar = page.get_by_role("region", name="Selected runs")
    expect(bar).to_contain_text("All 22 runs selected")
    grid(page).get_by_role("checkbox", name="Select row 2", exact=True).uncheck()
    expect(bar).to_contain_text("21 runs selected")
    expect(bar).not_to_contain_text("All")
    with page.expect_download() as download:
        bar.get_by_role("button", name="CSV").click()
    with open(download.value.path(), newline="") as file:
        assert len(list(csv.DictReader(file))) == 21
    client.log_param(client.create_run(many, run_name="late").info.run_id, "half", "1")
    bar.get_by_role("button", name="Tag").click()
    page.get_by_role("textbox", name="Key").fill("team")
    page.get_by_label("Value").fill("core")
    page.get_by_role("button", name="Set tag").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    tagged = client.search_runs([many], "tags.team = 'core'", max_results=100)
    assert len(tagged) == 21 and all(run.data.params["half"] == "1" for run in tagged)
    assert {"late", "many-41"}.isdisjoint(run.info.run_name for run in tagged)
    grid(page).get_by_role("checkbox", name="Select all rows").uncheck()
    expect(bar).to_have_count(0)
    grid(page).focus()
    page.keyboard.press("Control+a")
    expect(bar).to_contain_text("All 23 runs selected")
    bar.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No run fits the filter.")).to_be_visible()
    assert len(client.search_runs([many], max_results=100)) == 23
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("23 runs", exact=True)).to_be_visible()
    assert len(client.search_runs([many], max_results=100)) == 46


def test_all_of_a_filter_is_compared_by_the_filter(open_page: Opener, many: str, site: Site) -> None:
    page = open_page(f"/exp/{many}?q=params.half+%3D+'0'")
    expect(page.get_by_text("23 runs", exact=True)).to_be_visible()
    grid(page).get_by_role("checkbox", name="Select all rows").check()
    expect(page.get_by_role("region", name="Selected runs")).to_contain_text("All 23 runs selected")
    page.keyboard.press("c")
    page.wait_for_url(f"**/compare?exp={many}&q=*")
    expect(page.get_by_text("23 runs").first).to_be_visible()


def test_many_lines_are_a_band_with_their_median(
    open_page: Opener, many: str, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page(f"/exp/{many}?view=charts", theme=theme)
    grid(page).get_by_role("checkbox", name="Select all rows").check()
    expect(page.get_by_text("45 runs: their range and median")).to_be_visible()
    chart = page.get_by_role("group", name="loss", exact=True)
    expect(chart).to_contain_text("a band of 45 lines, with their median")
    place = chart.locator(".u-over")
    box = place.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.9)
    tip = chart.locator(".chart-tip")
    expect(tip).to_contain_text("Highest of 45")
    expect(tip).to_contain_text("Median of 45")
    expect(tip).to_contain_text(re.compile(r"many-\d\d"))
    kept = re.search(r"many-\d\d", tip.inner_text())
    assert kept is not None
    page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.9)
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 2)
    expect(tip).to_contain_text(kept[0])
    check_accessible(page)
    picture(page, f"band-{theme}")
    # The run of the active row has its line too.
    grid(page).focus()
    page.keyboard.press("ArrowDown")
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 2)
    expect(tip).to_contain_text("many-43")


def test_times_go_on(open_page: Opener, few: str, client: MlflowClient, browser: Browser, site: Site) -> None:
    client.create_run(few, run_name="fresh", start_time=int(time.time() * 1000))
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.clock.install()
    page.goto(f"{site.uri}/exp/{few}")
    row = grid(page).get_by_role("row").filter(has_text="fresh")
    expect(row.locator("time")).to_have_text(re.compile(r"now|\ds ago"))
    page.clock.fast_forward("10:00")
    expect(row.locator("time")).to_have_text(re.compile(r"1[01]m ago"))
    context.close()


def test_a_part_that_did_not_arrive_is_asked_for_again(browser: Browser, few: str, site: Site) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.route("**/assets/ColumnPicker*", lambda route: route.abort())
    page.goto(f"{site.uri}/exp/{few}")
    expect(link(page, 0)).to_have_text("few-3")
    page.get_by_role("button", name="Columns").click()
    expect(page.get_by_role("alert")).to_contain_text("This part could not be loaded")
    expect(link(page, 0)).to_be_visible()
    page.unroute("**/assets/ColumnPicker*")
    # The first try asks for the part, the second for the page: browsers may remember that a module did not arrive.
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("dialog", name="Columns").or_(page.get_by_role("alert"))).to_be_visible()
    if page.get_by_role("alert").count():
        page.get_by_role("button", name="Retry").click()
        expect(link(page, 0)).to_have_text("few-3")
        page.get_by_role("button", name="Columns").click()
    expect(page.get_by_role("dialog", name="Columns")).to_be_visible()
    context.close()


def test_groups_sort_by_their_means_alone(open_page: Opener, many: str) -> None:
    page = open_page(f"/exp/{many}?group=params.half&cols=metrics.loss")
    groups = page.get_by_role("grid", name="Groups of runs")
    expect(groups.get_by_role("row")).to_have_count(3)
    mean = groups.get_by_role("columnheader").filter(has_text="mean loss")
    expect(mean.get_by_role("button", name="mean loss", exact=True)).to_be_visible()
    expect(groups.get_by_role("button", name="min loss", exact=True)).to_have_count(0)
    mean.get_by_role("button", name="mean loss", exact=True).click()
    expect(mean).to_have_attribute("aria-sort", re.compile("ascending|descending"))
    first = groups.locator('[role="row"][aria-rowindex="2"]')
    before = first.inner_text()
    mean.get_by_role("button", name="mean loss", exact=True).click()
    expect(first).not_to_have_text(before)
    # A file has the runs of the groups.
    page.get_by_role("button", name="More").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="CSV of these columns").click()
    with open(download.value.path(), newline="") as file:
        found = list(csv.DictReader(file))
    assert (len(found), list(found[0])) == (RUNS, ["attributes.run_name", "params.half", "metrics.loss"])
