"""The page of a registered model: its versions, aliases, stages, requests, rules, webhooks, and every action."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from millstream import MlflowClient
from tests.e2e.ui.conftest import Opener, Site, Theme

Check = Callable[[Page], None]
Picture = Callable[[Page, str], None]


@pytest.fixture
def name(site: Site) -> str:
    """A model of its own with three versions."""
    client = MlflowClient(site.uri)
    made = f"made-{uuid.uuid4().hex[:8]}"
    client.create_registered_model(made)
    for run in site.facts["churn_runs"]:
        client.create_model_version(made, f"runs:/{run}/model", run)
    return made


def version_row(page: Page, number: int) -> Locator:
    """The row of a version."""
    grid = page.get_by_role("grid", name="Versions")
    return grid.get_by_role("row").filter(has=page.get_by_role("link", name=f"Version {number}", exact=True))


def choose(page: Page, number: int, action: str) -> None:
    """Choose from the menu of a version."""
    version_row(page, number).get_by_role("gridcell").nth(2).click(button="right")
    page.get_by_role("menuitem", name=action).click()


def test_versions_with_the_metrics_of_their_runs(
    open_page: Opener, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page("/models/churn", theme=theme)
    expect(version_row(page, 3)).to_contain_text("Staging")
    expect(version_row(page, 3)).to_contain_text("challenger")
    expect(version_row(page, 3)).to_contain_text("0.86")
    expect(version_row(page, 2)).to_contain_text("Production")
    chart = page.get_by_role("group", name="val_auc by version")
    expect(chart).to_be_visible()
    expect(page.get_by_text("Who leaves within a month.")).to_be_visible()
    check_accessible(page)
    picture(page, f"model-{theme}")
    page.get_by_label("Metric of the chart").select_option("training_log_loss")
    expect(page).to_have_url(re.compile("metric=training_log_loss"))
    page.get_by_role("columnheader", name="training_log_loss").get_by_role("button").first.click()
    expect(page).to_have_url(re.compile("sort=-metrics.training_log_loss"))
    expect(page.get_by_role("grid").get_by_role("link", name=re.compile("^Version")).first).to_have_text("Version 1")


def test_opened_and_compared_by_keyboard(open_page: Opener) -> None:
    page = open_page("/models/churn")
    expect(version_row(page, 1)).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("k")
    page.keyboard.press("x")
    page.get_by_role("region", name="Selected versions").get_by_role("button", name="Compare").click()
    expect(page).to_have_url(re.compile(r"/models/churn/3\?tab=compare&other=2"))
    expect(page.get_by_role("table", name="Metrics")).to_be_visible()
    page.go_back()
    page.get_by_role("grid", name="Versions").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/models/churn/3$"))


def test_moved_to_production_and_rolled_back(open_page: Opener, site: Site, name: str) -> None:
    client = MlflowClient(site.uri)
    page = open_page(f"/models/{name}")
    for number in (1, 2):
        choose(page, number, "Move to Production")
        form = page.get_by_role("dialog")
        expect(form.get_by_label("Archive the other versions")).to_be_checked()
        form.get_by_role("button", name="Move", exact=True).click()
        expect(version_row(page, number)).to_contain_text("Production")
    expect(version_row(page, 1)).to_contain_text("Archived")
    page.get_by_role("button", name="Roll back").click()
    page.get_by_role("menuitem", name="Production (1 version)").click()
    expect(page.get_by_role("dialog")).to_contain_text("Production is version 2 now.")
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(version_row(page, 1)).to_contain_text("Production")
    assert client.get_model_version(name, "2").current_stage == "None"


def test_aliases_are_added_moved_by_menu_and_removed(open_page: Opener, site: Site, name: str) -> None:
    client = MlflowClient(site.uri)
    page = open_page(f"/models/{name}")
    page.get_by_role("button", name="Alias", exact=True).click()
    page.get_by_role("dialog").get_by_role("textbox", name="Alias").fill("champion")
    page.get_by_role("dialog").get_by_label("Version").select_option("1")
    page.get_by_role("dialog").get_by_role("button", name="Add").click()
    expect(version_row(page, 1)).to_contain_text("champion")
    page.get_by_role("group", name="Aliases").get_by_role("button", name="champion v1").click()
    page.get_by_role("menuitem", name="Move to version 3").click()
    expect(page.get_by_role("dialog")).to_contain_text("champion stands for version 1 now.")
    page.get_by_role("dialog").get_by_role("button", name="Move").click()
    expect(version_row(page, 3)).to_contain_text("champion")
    assert client.get_model_version_by_alias(name, "champion").version == "3"
    choose(page, 2, "Move champion here")
    page.get_by_role("dialog").get_by_role("button", name="Move").click()
    expect(version_row(page, 2)).to_contain_text("champion")
    page.get_by_role("button", name="Undo").last.click()
    expect(version_row(page, 3)).to_contain_text("champion")
    page.get_by_role("group", name="Aliases").get_by_role("button", name="champion v3").click()
    page.get_by_role("menuitem", name="Remove").click()
    expect(version_row(page, 3)).not_to_contain_text("champion")


def test_a_rule_forbids_and_allows(
    open_page: Opener, name: str, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page(f"/models/{name}?tab=rules", theme=theme)
    page.get_by_role("button", name="New rule").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill("good enough")
    form.get_by_role("combobox", name="Metric", exact=True).select_option("val_auc")
    form.get_by_role("textbox", name="Number").fill("0.85")
    check_accessible(page)
    form.get_by_role("button", name="Save").click()
    rules = page.get_by_role("table", name="Rules")
    expect(rules).to_contain_text("val_auc is 0.85 or higher")
    expect(page.get_by_text("May go there")).to_be_visible()
    page.get_by_label("Version").select_option("1")
    expect(page.get_by_text("May not yet")).to_be_visible()
    expect(page.get_by_role("list", name="Rules")).to_contain_text("0.8")
    check_accessible(page)
    picture(page, f"model-rules-{theme}")
    page.get_by_role("tab", name="Versions").click()
    choose(page, 1, "Move to Production")
    form = page.get_by_role("dialog")
    expect(form.get_by_text("Not met")).to_be_visible()
    expect(form.get_by_role("button", name="Move", exact=True)).to_be_disabled()
    check_accessible(page)
    picture(page, f"model-move-{theme}")
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Rules").click()
    page.get_by_role("button", name="Change the rule good enough").click()
    page.get_by_role("dialog").get_by_role("textbox", name="Number").fill("0.7")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(rules).to_contain_text("val_auc is 0.7 or higher")
    page.get_by_role("button", name="Remove the rule good enough").click()
    expect(page.get_by_text("There are no rules")).to_be_visible()
    page.get_by_role("button", name="Undo").last.click()
    expect(rules).to_contain_text("good enough")


def test_a_request_is_approved(
    open_page: Opener, site: Site, name: str, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    client = MlflowClient(site.uri)
    client.create_transition_request(name, "2", "Staging", comment="It is *ready*.")
    page = open_page(f"/models/{name}", theme=theme)
    page.get_by_role("tab", name="Requests (1)").click()
    request = page.get_by_role("list", name="Requests").get_by_role("listitem")
    expect(request).to_contain_text("asks to move version 2 to Staging")
    check_accessible(page)
    picture(page, f"model-requests-{theme}")
    request.get_by_role("button", name="Approve").click()
    page.get_by_role("dialog").get_by_label("Comment").fill("Go.")
    page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(request).to_contain_text("Approved by owner: Go.")
    assert client.get_model_version(name, "2").current_stage == "Staging"


def test_the_activity_is_told_and_checked(
    open_page: Opener, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page("/models/churn?tab=activity", theme=theme)
    entries = page.get_by_role("list", name="Activity")
    expect(entries).to_contain_text("owner moved version 2 from None to Production")
    expect(entries).to_contain_text("let champion stand for version 2")
    check_accessible(page)
    picture(page, f"model-activity-{theme}")
    page.get_by_role("button", name="Check the log").click()
    expect(page.get_by_text("The log is whole")).to_be_visible()


def test_webhooks_and_comments_of_the_model(open_page: Opener, site: Site, name: str, check_accessible: Check) -> None:
    client = MlflowClient(site.uri)
    client.create_comment(name, "1", "A word on the first.")
    page = open_page(f"/models/{name}?tab=comments")
    expect(page.get_by_role("list", name="Comments")).to_contain_text("A word on the first.")
    check_accessible(page)
    page.get_by_role("tab", name="Webhooks").click()
    page.get_by_role("button", name="New webhook").click()
    form = page.get_by_role("dialog")
    expect(form.get_by_role("textbox", name="Registered model")).to_have_value(name)
    form.get_by_role("textbox", name="Name").fill(f"hook-{name}")
    form.get_by_label("Address").fill("http://127.0.0.1:9/hook")
    form.get_by_role("button", name="Create").click()
    expect(page.get_by_role("table", name="Webhooks")).to_contain_text(f"hook-{name}")
    check_accessible(page)
    page.get_by_role("button", name=f"Choices of hook-{name}").click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("link", name=f"hook-{name}")).to_have_count(0)


def test_described_renamed_and_deleted(open_page: Opener, site: Site, name: str) -> None:
    page = open_page(f"/models/{name}")
    page.get_by_role("button", name="Describe the model").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("A *model*.")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.locator("em", has_text="model")).to_be_visible()
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("menuitem", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Name").fill(f"{name}-b")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page).to_have_url(re.compile(f"/models/{name}-b$"))
    expect(page.get_by_role("heading", name=f"{name}-b")).to_be_visible()
    choose(page, 1, "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(version_row(page, 1)).to_have_count(0)
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("textbox").fill(f"{name}-b")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile("/models$"))


def test_links_of_mlflow_find_the_pages(open_page: Opener) -> None:
    page = open_page("/#/models/churn/versions/2")
    expect(page).to_have_url(re.compile("/models/churn/2$"))
    expect(page.get_by_role("heading", name="Version 2")).to_be_visible()
    page = open_page("/#/models/churn")
    expect(page.get_by_role("heading", name="churn")).to_be_visible()


def test_a_model_without_versions_says_how_to_make_one(open_page: Opener, site: Site) -> None:
    made = f"made-{uuid.uuid4().hex[:8]}"
    MlflowClient(site.uri).create_registered_model(made)
    page = open_page(f"/models/{made}")
    expect(page.get_by_text(f'mlflow.register_model("runs:/<run id>/model", "{made}")')).to_be_visible()
    page = open_page("/models/no-such-model")
    expect(page.get_by_role("alert")).to_contain_text("no-such-model")
