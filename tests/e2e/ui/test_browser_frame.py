"""What every page has: sidebar, palette, keys, themes, links of MLflow, errors."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.e2e.ui.conftest import Opener, Site, Theme

Check = Callable[[Page], None]
Picture = Callable[[Page, str], None]


def test_the_palette_finds_runs_and_commands_by_keyboard(
    open_page: Opener, site: Site, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page("/", theme=theme)
    expect(page.get_by_role("row").filter(has_text="image-classifier")).to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type("amber-7")
    expect(page.get_by_role("option", name="amber-7")).to_be_visible()
    check_accessible(page)
    picture(page, f"palette-{theme}")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.uri}/run/{site.facts['runs'][7]}")


def test_the_palette_runs_commands(open_page: Opener) -> None:
    page = open_page("/")
    expect(page.get_by_role("grid", name="Experiments")).to_be_visible()
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search and commands").fill("light or dark")
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_keys_are_listed_and_letters_can_be_switched_off(
    open_page: Opener, theme: Theme, check_accessible: Check
) -> None:
    page = open_page("/", theme=theme)
    expect(page.get_by_role("grid", name="Experiments")).to_be_visible()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("Sidebar")
    check_accessible(page)
    keys.get_by_label("Single letters are shortcuts").uncheck()
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", theme)


def test_the_sidebar_narrows_and_stays_so(open_page: Opener) -> None:
    page = open_page("/")
    sidebar = page.get_by_role("navigation", name="Main")
    expect(sidebar).to_have_css("width", "200px")
    page.keyboard.press("[")
    expect(sidebar).to_have_css("width", "44px")
    page.reload()
    expect(page.get_by_role("navigation", name="Main")).to_have_css("width", "44px")


def test_letters_go_to_pages(open_page: Opener, site: Site) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}")
    expect(page.get_by_role("heading", name="image-classifier")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("e")
    expect(page).to_have_url(f"{site.uri}/")
    page.go_back()
    expect(page.get_by_role("heading", name="image-classifier")).to_be_visible()


def test_links_of_mlflow_lead_to_our_pages(open_page: Opener, site: Site) -> None:
    experiment, run = site.facts["experiment"], site.facts["runs"][0]
    page = open_page(f"/#/experiments/{experiment}")
    expect(page).to_have_url(f"{site.uri}/exp/{experiment}")
    expect(page.get_by_role("heading", name="image-classifier")).to_be_visible()
    page = open_page(f"/#/experiments/{experiment}/runs/{run}")
    expect(page).to_have_url(f"{site.uri}/run/{run}")
    page = open_page("/#/models/churn/versions/2")
    expect(page).to_have_url(f"{site.uri}/models/churn/2")


def test_an_unknown_address_says_so(open_page: Opener, theme: Theme, check_accessible: Check) -> None:
    page = open_page("/projects/of/nobody", theme=theme)
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    check_accessible(page)


def test_a_failed_request_is_told_with_its_id_and_tried_again(
    open_page: Opener, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page("/settings", theme=theme)

    def fail(route: Route) -> None:
        route.fulfill(
            status=400, headers={"x-request-id": "abc-1"},
            json={"error_code": "INVALID_PARAMETER_VALUE", "message": "the disk is on strike", "hint": "wait"},
        )

    page.route("**/experiments/overview", fail)
    page.keyboard.press("g")
    page.keyboard.press("e")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The experiments could not be loaded. the disk is on strike")
    expect(alert).to_contain_text("status 400, request abc-1")
    check_accessible(page)
    picture(page, f"error-{theme}")
    page.unroute("**/experiments/overview")
    alert.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("row").filter(has_text="image-classifier")).to_be_visible()


def test_the_page_is_usable_at_twice_the_size(open_page: Opener) -> None:
    page = open_page("/", size={"width": 720, "height": 450})
    expect(page.get_by_role("row").filter(has_text="image-classifier")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 720


def test_nothing_is_asked_of_other_hosts(open_page: Opener, site: Site) -> None:
    page = open_page("/settings")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site.uri}/exp/{site.facts['experiment']}")
    expect(page.get_by_role("link", name="amber-11")).to_be_visible()
    assert asked
    assert [url for url in asked if not url.startswith((site.uri, "data:"))] == []
