"""The trash gives back what was deleted; settings change what every page looks like, and stay."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from millstream import MlflowClient
from tests.e2e.ui.conftest import Opener, Site, Theme


def discarded(site: Site, name: str) -> tuple[str, str]:
    """An experiment in the trash, and a run in the trash of one that is not."""
    client = MlflowClient(site.uri)
    gone, kept = client.create_experiment(f"{name} gone"), client.create_experiment(f"{name} kept")
    client.create_run(gone)
    run = client.create_run(kept, run_name=f"{name} run").info.run_id
    client.delete_experiment(gone)
    client.delete_run(run)
    return gone, run


def test_what_was_deleted_comes_back(open_page: Opener, site: Site) -> None:
    gone, run = discarded(site, "trash-a")
    client = MlflowClient(site.uri)
    page = open_page("/trash?q=trash-a")
    expect(page.get_by_role("status").first).to_have_text("2 entries")
    rows = page.get_by_role("row").filter(has_text="trash-a")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="trash-a gone")).to_contain_text("Experiment")
    expect(rows.filter(has_text="trash-a run")).to_contain_text("trash-a kept")
    for row in rows.all():
        row.get_by_role("checkbox").check()
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("Restored 2 entries")).to_be_visible()
    expect(page.get_by_text("Nothing in the trash has such a name.")).to_be_visible()
    assert client.get_experiment(gone).lifecycle_stage == "active"
    assert client.get_run(run).info.lifecycle_stage == "active"
    page.get_by_role("button", name="Undo").click()
    expect(rows).to_have_count(2)
    assert client.get_run(run).info.lifecycle_stage == "deleted"


def test_kinds_are_told_apart_in_the_address(open_page: Opener, site: Site) -> None:
    discarded(site, "trash-b")
    page = open_page("/trash?q=trash-b")
    page.get_by_role("button", name="Runs", exact=True).click()
    expect(page).to_have_url(re.compile("kind=run"))
    expect(page.get_by_role("row").filter(has_text="trash-b")).to_have_count(1)
    page.go_back()
    expect(page.get_by_role("row").filter(has_text="trash-b")).to_have_count(2)


def test_settings_stay_and_change_every_page(open_page: Opener) -> None:
    page = open_page("/settings")
    page.get_by_role("button", name="Dark").click()
    page.get_by_role("button", name="Compact").click()
    page.get_by_role("group", name="Digits of numbers").get_by_role("button", name="3").click()
    expect(page.get_by_text("for example 0.793")).to_be_visible()
    page.get_by_role("button", name="Date and time").click()
    expect(page.get_by_text(re.compile(r"for example \d{4}-\d\d-\d\d \d\d:"))).to_be_visible()
    page.get_by_role("link", name="Experiments").first.click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("html")).to_have_attribute("data-density", "compact")
    page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")


def test_letters_can_be_letters(open_page: Opener) -> None:
    page = open_page("/settings")
    page.get_by_label("Single letters are shortcuts").uncheck()
    before = page.locator("html").get_attribute("data-theme")
    page.keyboard.press("t")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    assert page.locator("html").get_attribute("data-theme") == before


def test_accessible_in_both_themes(
    open_page: Opener, site: Site, theme: Theme, check_accessible: Callable[[Page], None],
    picture: Callable[[Page, str], None],
) -> None:
    discarded(site, f"trash-{theme}")
    page = open_page("/trash", theme=theme)
    expect(page.get_by_role("row").filter(has_text=f"trash-{theme} gone")).to_be_visible()
    check_accessible(page)
    picture(page, f"trash-{theme}")
    page = open_page("/settings", theme=theme)
    expect(page.get_by_role("group", name="Theme")).to_be_visible()
    check_accessible(page)
    picture(page, f"settings-{theme}")
