"""Charts and split views of the runs page."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.e2e.ui.conftest import Opener, Site, Theme

Check = Callable[[Page], None]
Picture = Callable[[Page, str], None]


def chart(page: Page, metric: str) -> Locator:
    """The chart of a metric."""
    return page.get_by_role("group", name=metric, exact=True)


def test_charts_lie_beside_the_runs(
    open_page: Opener, site: Site, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}?q=run_name+LIKE+'amber%25'&view=charts", theme=theme)
    expect(chart(page, "train/loss").locator("canvas")).to_be_visible()
    expect(chart(page, "train/loss").locator("figcaption")).to_contain_text("train/loss, 10 lines. amber-11: from")
    expect(page.get_by_role("region", name="val", exact=True)).to_contain_text("val/accuracy")
    expect(page.get_by_text("First 10 of 12 runs")).to_be_visible()
    expect(page.get_by_text("600 points").first).to_be_visible()
    check_accessible(page)
    picture(page, f"charts-{theme}")


def test_the_split_view_keeps_the_columns(
    open_page: Opener, site: Site, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}?q=run_name+LIKE+'amber%25'", theme=theme)
    expect(page.get_by_role("link", name="amber-11")).to_be_visible()
    page.keyboard.press("v")
    page.keyboard.press("v")
    expect(page.get_by_role("button", name="Split")).to_have_attribute("aria-pressed", "true")
    expect(chart(page, "val/loss").locator("canvas")).to_be_visible()
    expect(page.get_by_role("columnheader", name="Status")).to_be_visible()
    check_accessible(page)
    picture(page, f"split-{theme}")


def test_selected_runs_are_drawn(open_page: Opener, site: Site) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}?q=run_name+LIKE+'amber%25'&view=charts")
    expect(chart(page, "val/loss")).to_be_visible()
    page.get_by_role("checkbox", name="Select row 3").check()
    expect(chart(page, "val/loss").locator("figcaption")).to_contain_text("val/loss, 1 line. amber-9")


def test_charts_are_searched_smoothed_and_put_on_other_axes(open_page: Opener, site: Site) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}?q=run_name+LIKE+'amber%25'&view=charts")
    expect(chart(page, "train/loss").locator("canvas")).to_be_visible()
    page.get_by_label("Search charts").fill("^val/l")
    expect(chart(page, "train/loss")).to_have_count(0)
    expect(chart(page, "val/loss").locator("canvas")).to_be_visible()
    page.get_by_label("Smoothing").fill("0.6")
    page.get_by_role("button", name="Log").click()
    page.get_by_role("button", name="Relative").click()
    page.wait_for_url("**smooth=0.6**")
    assert all(part in page.url for part in ("x=relative", "log=1", "find="))
    page.reload()
    expect(page.get_by_role("button", name="Relative")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Smoothing")).to_have_value("0.6")
    page.get_by_label("Search charts").fill("nothing like this")
    expect(page.get_by_text("No metric has such a name.")).to_be_visible()


def test_a_dragged_part_is_read_anew_on_all_charts(open_page: Opener, site: Site) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}?q=run_name+LIKE+'amber%25'&view=charts")
    canvas = chart(page, "train/loss").locator("canvas")
    expect(canvas).to_be_visible()
    box = canvas.bounding_box()
    assert box is not None
    with page.expect_request(lambda request: "runs/curves" in request.url and "x0" in (request.post_data or "")):
        page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 60, steps=4)
        page.mouse.up()
    page.get_by_role("button", name="All steps").click()
    expect(page.get_by_role("button", name="All steps")).to_have_count(0)


def test_a_chart_is_a_table_too(open_page: Opener, site: Site) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}?q=run_name+%3D+'amber-3'&view=charts")
    page.get_by_role("button", name="grad_norm: as a table").click()
    expect(page.get_by_role("row", name="33 40", exact=True)).to_be_attached()  # the spike


def test_values_under_the_pointer_are_read(open_page: Opener, site: Site) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}?q=run_name+LIKE+'amber%25'&view=charts")
    canvas = chart(page, "val/accuracy").locator("canvas")
    expect(canvas).to_be_visible()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(chart(page, "val/accuracy").locator(".chart-tip")).to_contain_text("amber-")
