"""The list of registered models: what it tells, and every action, by mouse and by keyboard."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from millstream import MlflowClient
from tests.e2e.ui.conftest import Opener, Site, Theme, repeated

Check = Callable[[Page], None]
Picture = Callable[[Page, str], None]


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"made-{uuid.uuid4().hex[:8]}"


def test_the_list_tells_what_is_there(
    open_page: Opener, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page("/models?q=churn&sort=name", theme=theme)
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="churn", exact=True))
    expect(row).to_contain_text("champion v2")
    expect(row).to_contain_text("challenger v3")
    expect(row).to_contain_text("val_auc")
    expect(row).to_contain_text("+0.03")
    expect(row.get_by_role("link", name="v3")).to_have_attribute("href", "/models/churn/3")
    expect(page.get_by_role("status").filter(has_text="2 models")).to_be_visible()
    check_accessible(page)
    picture(page, f"models-{theme}")


def test_created_described_renamed_and_back_and_deleted(open_page: Opener, site: Site, name: str) -> None:
    client = MlflowClient(site.uri)
    page = open_page("/models")
    page.get_by_role("button", name="New model").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name", exact=True).fill("churn")
    form.get_by_role("button", name="Create").click()
    expect(form.get_by_role("alert")).to_contain_text("churn")
    form.get_by_label("Name", exact=True).fill(name)
    form.get_by_role("button", name="Create").click()
    expect(page).to_have_url(re.compile(f"/models/{name}$"))
    page.get_by_role("link", name="Models", exact=True).first.click()
    row = page.get_by_role("row").filter(has_text=name)

    def choose(action: str) -> None:
        row.get_by_role("gridcell").nth(6).click(button="right")
        page.get_by_role("menuitem", name=action).click()

    choose("Describe")
    page.get_by_role("dialog").get_by_role("textbox").fill("Who stays.")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert client.get_registered_model(name).description == "Who stays."
    choose("Tags")
    page.get_by_role("button", name="Add tag").click()
    page.get_by_role("textbox", name="Key").fill("team")
    page.get_by_role("textbox", name="Value").fill("core")
    page.get_by_role("button", name="Set tag").click()
    expect(page.get_by_role("dialog").get_by_text("team core")).to_be_visible()
    page.keyboard.press("Escape")
    choose("Rename")
    page.get_by_role("dialog").get_by_label("Name").fill(f"{name}-new")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(row).to_contain_text(f"{name}-new")
    page.get_by_role("button", name="Undo").last.click()
    expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    choose("Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)


def test_a_model_with_versions_is_deleted_by_its_name_only(open_page: Opener, site: Site, name: str) -> None:
    client = MlflowClient(site.uri)
    client.create_registered_model(name)
    client.create_model_version(name, f"runs:/{site.facts['churn_runs'][0]}/model")
    page = open_page(f"/models?q={name}")
    page.get_by_role("row").filter(has_text=name).get_by_role("gridcell").nth(6).click(button="right")
    page.get_by_role("menuitem", name="Delete").click()
    button = page.get_by_role("dialog").get_by_role("button", name="Delete")
    expect(button).to_be_disabled()
    page.get_by_role("dialog").get_by_role("textbox").fill(name)
    button.click()
    expect(page.get_by_text("No model fits the filter.")).to_be_visible()


def test_filtered_ordered_and_opened_by_keyboard(open_page: Opener) -> None:
    page = open_page("/models")
    expect(page.get_by_role("link", name="churn-small")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("tags.owner = 'growth'")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="churn-small")).to_have_count(0)
    expect(page).to_have_url(re.compile("q=tags.owner"))
    page.get_by_role("columnheader", name="Name").get_by_role("button").first.click()
    expect(page).to_have_url(re.compile("sort=name"))
    page.keyboard.press("Escape")
    page.get_by_role("grid", name="Models").focus()
    repeated(lambda: page.keyboard.press("Enter"), lambda: expect(page).to_have_url(re.compile("/models/churn$")))


def test_what_others_do_is_seen_without_reading_again(open_page: Opener, site: Site, name: str) -> None:
    page = open_page("/models")
    expect(page.get_by_role("link", name="churn", exact=True)).to_be_visible()
    client = MlflowClient(site.uri)
    client.create_registered_model(name)
    expect(page.get_by_role("link", name=name)).to_be_visible()
    client.delete_registered_model(name)
    expect(page.get_by_role("link", name=name)).to_have_count(0)


def test_what_the_server_refuses_is_shown_at_the_filter(open_page: Opener) -> None:
    page = open_page("/models?q=nothing.x%20%3D%201")
    expect(page.get_by_role("alert").or_(page.locator(".filter-problem"))).to_contain_text("nothing")
