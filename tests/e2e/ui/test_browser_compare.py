"""The comparison of runs: plots, limits by brush, the table of what differs, across experiments."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from millstream import MlflowClient
from tests.e2e.ui.conftest import Opener, Site, Theme

Check = Callable[[Page], None]
Picture = Callable[[Page, str], None]


@pytest.fixture
def client(site: Site) -> Iterator[MlflowClient]:
    """A client of the site."""
    yield MlflowClient(site.uri)


def compared(site: Site, more: str = "") -> str:
    """The address of the comparison of the twelve runs of a sweep."""
    return f"/compare?sel={','.join(site.facts['runs'])}{more}"


def grid(page: Page, name: str = "Compared runs") -> Locator:
    """The table below the plot."""
    return page.get_by_role("grid", name=name)


def names(page: Page) -> list[str]:
    """The runs in the order of the table."""
    return grid(page).locator(".row .cell.frozen a").all_inner_texts()


def inked(page: Page) -> int:
    """How many pixels of the plot's canvases are drawn on."""
    found: int = page.evaluate(
        """() => [...document.querySelectorAll('.plot canvas')].reduce((sum, canvas) => {
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            let drawn = 0;
            for (let at = 3; at < data.length; at += 4) if (data[at] > 0) drawn += 1;
            return sum + drawn;
        }, 0)"""
    )
    return found


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """The mouse pressed, moved and released."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, steps=3)
    page.mouse.move(*end, steps=3)
    page.mouse.up()


def axis(page: Page, name: str) -> tuple[float, float, float]:
    """The x of an axis of the parallel coordinates, its top and its bottom."""
    head = page.locator(".parallel-head").filter(has=page.get_by_text(name, exact=True)).bounding_box()
    overlay = page.locator(".plot-brush .overlay").first.bounding_box()
    assert head is not None and overlay is not None
    return head["x"] + head["width"] / 2, overlay["y"], overlay["y"] + overlay["height"]


def head(page: Page, name: str) -> Locator:
    """The button of an axis."""
    return page.locator(".parallel-head").get_by_role("button", name=name, exact=True)


def test_runs_lie_side_by_side(
    open_page: Opener, site: Site, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page(compared(site), theme=theme)
    expect(grid(page).get_by_role("row").filter(has_text="amber-11")).to_contain_text("0.988")
    expect(page.get_by_role("group", name="Parallel coordinates")).to_contain_text("12 runs over lr, batch_size")
    expect(grid(page).get_by_role("columnheader").filter(has_text="dataset")).to_have_count(0)
    expect(grid(page).get_by_role("row").filter(has_text="amber-5")).to_contain_text("NaN")
    expect(page.get_by_text("none", exact=True).first).to_be_visible()
    assert inked(page) > 2000
    check_accessible(page)
    picture(page, f"compare-{theme}")


def test_a_brush_limits_the_plot_and_the_table_and_stays_in_the_address(open_page: Opener, site: Site) -> None:
    page = open_page(compared(site))
    expect(grid(page).locator(".row")).to_have_count(12)
    x, top, bottom = axis(page, "accuracy")
    drag(page, (x, top + 2), (x, top + (bottom - top) * 0.45))
    expect(page.get_by_text("of 12 runs").first).to_be_visible()
    kept = names(page)
    assert 0 < len(kept) < 12 and "amber-0" not in kept and "amber-11" in kept
    expect(page).to_have_url(re.compile(r"brush=metrics\.accuracy"))
    page.reload()
    expect(grid(page).locator(".row")).to_have_count(len(kept))
    page.get_by_role("button", name="Keep only these").click()
    expect(page.get_by_text(f"{len(kept)} runs").first).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("of 12 runs").first).to_be_visible()
    page.get_by_role("button", name="Clear all limits").click()
    expect(grid(page).locator(".row")).to_have_count(12)
    page.go_back()
    expect(grid(page).locator(".row")).to_have_count(len(kept))


def test_an_axis_is_limited_turned_and_moved_by_the_keyboard(open_page: Opener, site: Site) -> None:
    page = open_page(compared(site))
    heads = page.locator(".parallel-head")
    expect(heads).to_have_count(8)
    before = heads.all_inner_texts()
    head(page, "lr").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Limit lr")
    dialog.get_by_label("From").fill("0.001")
    dialog.get_by_label("To").fill("0.02")
    page.keyboard.press("Enter")
    expect(page.get_by_text("6 of 12 runs")).to_be_visible()
    head(page, "lr").click()
    page.get_by_role("menuitemcheckbox", name="Logarithmic").click()
    expect(page).to_have_url(re.compile(r"log=params\.lr"))
    head(page, "lr").click()
    page.get_by_role("menuitemcheckbox", name="Flipped").click()
    expect(page).to_have_url(re.compile(r"flip=params\.lr"))
    head(page, "lr").click()
    page.get_by_role("menuitem", name="Move to the right").click()
    expect(heads.first).to_have_text(before[1])
    head(page, "lr").click()
    page.get_by_role("menuitem", name="Remove the axis").click()
    expect(heads).to_have_count(7)


def test_axes_are_dragged_and_chosen(open_page: Opener, site: Site) -> None:
    page = open_page(compared(site))
    heads = page.locator(".parallel-head")
    expect(heads).to_have_count(8)
    first, third = heads.nth(0).bounding_box(), heads.nth(2).bounding_box()
    assert first is not None and third is not None
    name = heads.first.inner_text()
    drag(page, (first["x"] + first["width"] / 2, first["y"] + 10), (third["x"] + third["width"], first["y"] + 10))
    expect(heads.nth(2)).to_have_text(name)
    expect(page.get_by_role("menu")).to_have_count(0)
    page.get_by_role("button", name="Axes").click()
    page.get_by_role("combobox").fill("val/loss")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(heads).to_have_count(9)


def test_what_differs_from_the_reference_is_tinted_and_told(
    open_page: Opener, site: Site, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page(compared(site), theme=theme)
    expect(grid(page).locator(".row")).to_have_count(12)
    expect(grid(page).locator(".differs")).to_have_count(0)
    page.keyboard.press("j")
    page.keyboard.press("r")
    expect(page).to_have_url(re.compile(f"ref={site.facts['runs'][1]}"))
    expect(grid(page).locator(".row.reference")).to_contain_text("amber-1")
    cell = grid(page).locator(".row").filter(has_text="amber-0").locator(".differs").first
    cell.hover()
    expect(page.get_by_text("reference 0.01, +0.09 (+900 %)")).to_be_visible()
    page.get_by_role("button", name="Runs as columns").click()
    table = grid(page, "Differences")
    expect(table.get_by_role("row").filter(has_text="optimizer")).to_contain_text("lion")
    expect(table.get_by_role("row").filter(has_text="dataset")).to_have_count(0)
    page.get_by_role("button", name="Varying only").click()
    expect(table.get_by_role("row").filter(has_text="dataset")).to_contain_text("cifar-10")
    check_accessible(page)
    picture(page, f"compare-differences-{theme}")


def test_runs_of_several_experiments_are_compared_and_added(
    open_page: Opener, site: Site, check_accessible: Check
) -> None:
    page = open_page(f"/compare?sel={site.facts['churn_runs'][0]},{site.facts['runs'][0]}")
    expect(grid(page).get_by_role("row").filter(has_text="fit-0")).to_contain_text("churn")
    expect(grid(page).get_by_role("row").filter(has_text="amber-0")).to_contain_text("image-classifier")
    page.get_by_role("button", name="Add runs").click()
    dialog = page.get_by_role("dialog", name="Add runs")
    dialog.get_by_role("combobox", name="Experiment").select_option(label="churn")
    dialog.get_by_role("row").filter(has_text="fit-2").click()
    check_accessible(page)
    dialog.get_by_role("button", name="Add 1 run").click()
    expect(grid(page).locator(".row")).to_have_count(3)
    expect(page).to_have_url(re.compile(site.facts["churn_runs"][2]))


def test_runs_are_scattered_over_two_columns(
    open_page: Opener, site: Site, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page(compared(site, "&tab=scatter&colour=params.optimizer"), theme=theme)
    plot = page.get_by_role("group", name="Scatter plot")
    expect(plot).to_contain_text("accuracy over lr: 12 runs, rank correlation")
    assert inked(page) > 300
    expect(page.locator(".plot-trend")).to_have_count(1)
    picture(page, f"compare-scatter-{theme}")
    page.get_by_role("button", name="X lr", exact=True).click()
    page.get_by_role("combobox").fill("grad")
    page.keyboard.press("Enter")
    expect(plot).to_contain_text("11 of 12 runs have a place on both axes")
    expect(page).to_have_url(re.compile(r"x=metrics\.grad_norm"))
    page.get_by_role("button", name="Trend").click()
    expect(page.locator(".plot-trend")).to_have_count(0)
    check_accessible(page)
    page.get_by_role("button", name="View as a table").click()
    expect(grid(page, "Points").get_by_role("row").filter(has_text="amber-5")).to_contain_text("–")
    check_accessible(page)


def test_a_contour_stays_between_the_runs(
    open_page: Opener, site: Site, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page(compared(site, "&tab=contour&x=params.lr&y=params.seed"), theme=theme)
    expect(page.get_by_role("group", name="Contour plot")).to_contain_text("n = 12 runs at 12 places")
    size = "() => { const { width, height } = document.querySelector('.plot canvas'); return width * height }"
    area = page.evaluate(size)
    assert 0.05 * area < inked(page) < 0.7 * area
    check_accessible(page)
    picture(page, f"compare-contour-{theme}")
    page.get_by_role("button", name="Y seed", exact=True).click()
    page.get_by_role("combobox").fill("batch")
    page.keyboard.press("Enter")
    expect(page.get_by_role("group", name="Contour plot")).to_contain_text("12 runs at 4 places")


def test_boxes_part_a_metric_by_category(
    open_page: Opener, site: Site, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page(compared(site, "&tab=box"), theme=theme)
    plot = page.get_by_role("group", name="Box plot")
    expect(plot).to_contain_text("accuracy by optimizer: adam has the median 0.936 of 4 runs")
    expect(page.locator(".plot-box")).to_have_count(3)
    assert inked(page) > 100
    check_accessible(page)
    picture(page, f"compare-box-{theme}")
    page.get_by_role("button", name="By optimizer", exact=True).click()
    page.get_by_role("combobox").fill("batch")
    page.keyboard.press("Enter")
    expect(page.locator(".plot-box")).to_have_count(4)
    page.get_by_role("button", name="View as a table").click()
    expect(grid(page, "Boxes").get_by_role("row").filter(has_text="128")).to_contain_text("0.956")


def test_metrics_of_all_runs_are_drawn_as_lines(
    open_page: Opener, site: Site, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page(compared(site, "&tab=lines&metrics=metrics.train/loss,metrics.val/accuracy"), theme=theme)
    expect(page.get_by_text("720 points")).to_have_count(2)
    expect(page.get_by_role("group", name="train/loss")).to_be_visible()
    assert page.locator(".uplot canvas").count() == 2
    page.get_by_role("button", name="Relative").click()
    expect(page).to_have_url(re.compile("axis=relative"))
    page.get_by_role("button", name="Step").click()
    expect(page.get_by_text("720 points")).to_have_count(2)
    check_accessible(page)
    picture(page, f"compare-lines-{theme}")


def test_importance_is_told_by_rank_correlation(
    open_page: Opener, site: Site, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page(compared(site, "&tab=importance"), theme=theme)
    bars = page.get_by_role("table", name="Absolute rank correlation with accuracy")
    expect(bars.get_by_role("row").nth(1)).to_contain_text("seed")
    expect(bars.get_by_role("row").nth(1)).to_contain_text("rises with it")
    expect(bars.get_by_role("row").filter(has_text="optimizer")).to_contain_text("correlation ratio")
    check_accessible(page)
    picture(page, f"compare-importance-{theme}")
    bars.get_by_role("button", name="seed").click()
    expect(page.get_by_role("group", name="Scatter plot")).to_contain_text("accuracy over seed")


def test_two_hundred_runs_come_in_one_request_and_a_short_address(
    open_page: Opener, client: MlflowClient, site: Site, check_accessible: Check
) -> None:
    experiment = client.create_experiment(f"wide-{uuid.uuid4().hex[:8]}")
    ids = []
    for number in range(200):
        run = client.create_run(experiment, run_name=f"wide-{number}")
        client.log_param(run.info.run_id, "lr", 10 ** -(number % 5 + 1))
        client.log_metric(run.info.run_id, "loss", number / 200)
        ids.append(run.info.run_id)
    page = open_page("/settings")
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.post_data or "") if "runs/query" in request.url else None)
    page.goto(f"{site.uri}/#/compare-runs?runs={quote(json.dumps(ids))}&experiments={quote(json.dumps([experiment]))}")
    expect(page.get_by_text("200 runs").first).to_be_visible()
    expect(page).to_have_url(re.compile(r"/compare\?v="))
    cells = [text for text in asked if "params.lr" in text]
    assert len(cells) == 1 and len(json.loads(cells[0])["run_ids"]) == 200
    check_accessible(page)
    address = page.url
    page.goto(site.uri + "/settings")
    page.goto(address)
    expect(page.get_by_text("200 runs").first).to_be_visible()


def test_all_runs_of_an_experiment_are_compared_by_a_filter(open_page: Opener, site: Site) -> None:
    page = open_page(f"/#/compare-experiments?experiments={quote(json.dumps([site.facts['experiment']]))}")
    expect(page.get_by_text("18 runs").first).to_be_visible()
    box = page.get_by_role("combobox", name="Filter runs")
    box.fill("metrics.accuracy > 0.95")
    page.keyboard.press("Enter")
    expect(page.get_by_text("5 runs").first).to_be_visible()


@pytest.mark.parametrize("address", ["/compare", "/compare?sel=nosuchrun"])
def test_nothing_to_compare_says_what_to_do(open_page: Opener, address: str, check_accessible: Check) -> None:
    page = open_page(address)
    expect(page.get_by_text("Select runs in the table")).to_be_visible()
    check_accessible(page)
