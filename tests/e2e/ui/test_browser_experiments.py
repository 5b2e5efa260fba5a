"""The page of experiments: every action, by mouse and by keyboard."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from millstream import MlflowClient
from tests.e2e.ui.conftest import Opener, Site, Theme

Check = Callable[[Page], None]
Picture = Callable[[Page, str], None]


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"made-{uuid.uuid4().hex[:8]}"


def create(page: Page, name: str) -> None:
    """Creates an experiment, and comes back to the list."""
    page.get_by_role("button", name="New experiment").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    page.get_by_role("link", name="Experiments", exact=True).first.click()


def test_the_list_tells_what_is_there(
    open_page: Opener, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page("/", theme=theme)
    row = page.get_by_role("row").filter(has_text="image-classifier")
    expect(row).to_contain_text("18")
    expect(row).to_contain_text("team vision")
    expect(row.get_by_role("img")).to_have_accessible_name("18 runs in 30 days")
    expect(page.get_by_role("row").filter(has_text="churn")).to_contain_text("val_auc")
    expect(page.get_by_text("old", exact=True)).to_have_count(0)
    check_accessible(page)
    picture(page, f"experiments-{theme}")


def test_created_renamed_and_renamed_back(open_page: Opener, site: Site, name: str) -> None:
    page = open_page("/")
    create(page, name)
    page.get_by_role("row").filter(has_text=name).get_by_role("gridcell").nth(2).click(button="right")
    page.get_by_role("menuitem", name="Rename").click()
    field = page.get_by_label("Name", exact=True)
    expect(field).to_have_value(name)
    field.fill(f"{name}-new")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("row").filter(has_text=f"{name}-new")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()


def test_a_name_that_is_taken_is_told_in_the_dialog(open_page: Opener) -> None:
    page = open_page("/")
    page.get_by_role("button", name="New experiment").click()
    page.get_by_label("Name", exact=True).fill("churn")
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("churn")


def test_deleted_undone_deleted_and_restored(open_page: Opener, name: str) -> None:
    page = open_page("/")
    create(page, name)
    row = page.get_by_role("row").filter(has_text=name)
    row.get_by_role("checkbox").check()
    page.get_by_role("region", name="Selected experiments").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(row).to_be_visible()
    row.get_by_role("checkbox").check()
    page.get_by_role("region", name="Selected experiments").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Deleted", exact=True).click()
    expect(page.get_by_role("row").filter(has_text="old")).to_be_visible()
    row.get_by_role("checkbox").check()
    page.get_by_role("button", name="Restore").click()
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Active", exact=True).click()
    expect(row).to_be_visible()


def test_tags_are_set_changed_and_removed(open_page: Opener, name: str) -> None:
    page = open_page("/")
    create(page, name)
    row = page.get_by_role("row").filter(has_text=name)
    row.get_by_role("checkbox").check()
    page.get_by_role("region", name="Selected experiments").get_by_role("button", name="Tag").click()
    page.get_by_role("textbox", name="Key").fill("team")
    page.get_by_label("Value").fill("blue")
    page.get_by_role("button", name="Set tag").click()
    expect(row).to_contain_text("team blue")
    row.get_by_role("gridcell").nth(2).click(button="right")
    page.get_by_role("menuitem", name="Tags").click()
    page.get_by_role("dialog").get_by_role("button", name="team blue").click()
    page.get_by_label("Value").fill("green")
    page.get_by_role("button", name="Set tag").click()
    expect(page.get_by_role("dialog", name=f"Tags of {name}")).to_contain_text("team green")
    page.get_by_role("button", name="Remove the tag team").click()
    page.get_by_role("dialog", name=f"Tags of {name}").get_by_role("button", name="Close").click()
    expect(row).not_to_contain_text("team")


def test_filtered_by_name_and_by_condition(open_page: Opener, site: Site) -> None:
    page = open_page("/")
    box = page.get_by_role("combobox", name="Filter experiments")
    expect(page.get_by_role("row").filter(has_text="churn")).to_be_visible()
    page.keyboard.press("/")
    expect(box).to_be_focused()
    page.keyboard.type("chur")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_have_text("1 experiment")
    expect(page).to_have_url(f"{site.uri}/?q=chur")
    box.fill("tags.team = 'vision'")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row").filter(has_text="image-classifier")).to_be_visible()
    expect(page.get_by_role("status").first).to_have_text("1 experiment")
    box.fill("tags.team >> 1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    page.get_by_role("button", name="Clear the filter").click()
    expect(page.get_by_role("row").filter(has_text="churn")).to_be_visible()


def test_sorted_by_the_keyboard_alone(open_page: Opener) -> None:
    page = open_page("/")
    grid = page.get_by_role("grid", name="Experiments")
    expect(grid.get_by_role("row").filter(has_text="churn")).to_be_visible()
    grid.focus()
    page.keyboard.press("ArrowUp")  # from the first row to the header
    page.keyboard.press("Enter")
    expect(grid.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "ascending")
    expect(page).to_have_url(page.url.split("?")[0] + "?sort=name")
    expect(grid.get_by_role("row").nth(1)).to_contain_text("churn")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="churn")).to_be_visible()


def test_an_empty_experiment_shows_the_code_of_the_first_run(
    open_page: Opener, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page("/", theme=theme)
    page.get_by_role("link", name="empty", exact=True).click()
    expect(page.get_by_text("mlflow.log_metric")).to_be_visible()
    check_accessible(page)
    picture(page, f"empty-{theme}")


def test_runs_of_others_are_counted_as_they_begin(open_page: Opener, site: Site, name: str) -> None:
    client = MlflowClient(site.uri)
    experiment = client.create_experiment(name)
    page = open_page("/")
    row = page.get_by_role("row").filter(has_text=name)
    expect(row.locator('[aria-colindex="3"]')).to_have_text("0")
    client.create_run(experiment)
    expect(row.locator('[aria-colindex="3"]')).to_have_text("1")
    expect(row.locator(".mark.running")).to_have_text("1")
