"""The page of a version: what is known of it, where it comes from, what differs, its files, and every action."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

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


def test_what_is_known_of_it_and_where_it_comes_from(
    open_page: Opener, site: Site, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page("/models/churn/3", theme=theme)
    lineage = page.get_by_role("list", name="Lineage")
    expect(lineage).to_contain_text("dataset")
    expect(lineage.get_by_role("link", name="fit-2")).to_have_attribute("href", f"/run/{site.facts['churn_runs'][2]}")
    expect(lineage).to_contain_text("churn 3")
    expect(lineage).to_contain_text("not served")
    metrics = page.get_by_role("table", name="Metrics")
    expect(metrics.get_by_role("row").filter(has_text="val_auc")).to_contain_text("+0.03")
    parameters = page.get_by_role("table", name="Parameters")
    expect(parameters.get_by_role("row").filter(has_text="n_estimators")).to_have_class("version-differs")
    expect(page.get_by_text("models:/churn@challenger")).to_be_visible()
    expect(page.get_by_text(f"{site.uri}/model/churn/3/invocations")).to_be_visible()
    check_accessible(page)
    picture(page, f"version-{theme}")


def test_its_signature_and_files_are_read(
    open_page: Opener, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page("/models/churn/2", theme=theme)
    page.get_by_role("tab", name="Model").click()
    inputs = page.get_by_role("table", name="Inputs")
    expect(inputs.get_by_role("row").filter(has_text="balance")).to_contain_text("double")
    expect(page.get_by_text("Input example")).to_be_visible()
    check_accessible(page)
    picture(page, f"version-model-{theme}")
    page.get_by_role("tab", name="Files").click()
    page.get_by_role("tree").get_by_text("requirements.txt").click()
    expect(page.get_by_text("scikit-learn")).to_be_visible()
    expect(page).to_have_url(re.compile("path=requirements.txt"))
    check_accessible(page)


def test_versions_and_their_schemas_are_compared(
    open_page: Opener, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page("/models/churn/3?tab=compare", theme=theme)
    parameters = page.get_by_role("table", name="Parameters")
    expect(parameters.get_by_role("row")).to_have_count(2)
    expect(parameters).to_contain_text("n_estimators")
    expect(page.get_by_text("No input differs.")).to_be_visible()
    page.get_by_label("Only differences").uncheck()
    expect(page.get_by_role("table", name="Inputs").get_by_role("row").filter(has_text="age")).to_contain_text("long")
    page.get_by_label("Compared with").select_option("1")
    expect(parameters.get_by_role("row").filter(has_text="max_iter")).to_have_class("version-differs")
    expect(page).to_have_url(re.compile("all=1&other=1"))
    expect(page.get_by_role("table", name="Inputs")).to_be_visible()
    check_accessible(page)
    picture(page, f"version-compare-{theme}")


def test_moved_with_a_comment_and_back(open_page: Opener, site: Site, name: str) -> None:
    client = MlflowClient(site.uri)
    client.transition_model_version_stage(name, "1", "Production")
    page = open_page(f"/models/{name}/2")
    page.get_by_role("button", name="Move").click()
    form = page.get_by_role("dialog")
    form.get_by_label("From None to").select_option("Production")
    form.get_by_label("Comment").fill("Better by three points.")
    form.get_by_label("Archive the other versions").check()
    form.get_by_role("button", name="Move", exact=True).click()
    expect(page.get_by_text("Version 2 is in Production")).to_be_visible()
    assert client.get_model_version(name, "1").current_stage == "Archived"
    page.get_by_role("tab", name="Activity").click()
    entries = page.get_by_role("list", name="Activity").get_by_role("listitem")
    expect(entries.first).to_contain_text("moved version 2 from None to Production, and version 1 to Archived")
    expect(entries.first).to_contain_text("Better by three points.")
    page.get_by_role("button", name="Undo").click()
    expect(entries.first).to_contain_text("rolled version 2 back")
    assert client.get_model_version(name, "1").current_stage == "Production"
    assert client.get_model_version(name, "2").current_stage == "None"


def test_an_alias_is_moved_and_removed_with_undo(open_page: Opener, site: Site, name: str) -> None:
    client = MlflowClient(site.uri)
    client.set_registered_model_alias(name, "champion", "1")
    page = open_page(f"/models/{name}/2")
    page.get_by_role("button", name="Alias", exact=True).click()
    form = page.get_by_role("dialog")
    form.get_by_role("textbox", name="Alias").fill("champion")
    expect(form.get_by_text("champion stands for version 1 now.")).to_be_visible()
    form.get_by_role("button", name="Move").click()
    cross = page.get_by_role("button", name="Remove the alias champion")
    expect(cross).to_be_visible()
    assert client.get_model_version_by_alias(name, "champion").version == "2"
    cross.click()
    expect(cross).to_have_count(0)
    page.get_by_role("button", name="Undo").last.click()
    expect(cross).to_be_visible()


def test_asked_for_rejected_asked_again_and_withdrawn(open_page: Opener, site: Site, name: str) -> None:
    page = open_page(f"/models/{name}/3")
    for _ in range(2):
        page.get_by_role("button", name="Move").click()
        form = page.get_by_role("dialog")
        form.get_by_role("button", name="Ask others to approve").click()
        form.get_by_label("Comment").fill("Please.")
        form.get_by_role("button", name="Ask", exact=True).click()
        expect(form).to_have_count(0)
        page.get_by_role("tab", name="Requests (1)").click()
        request = page.get_by_role("list", name="Requests").get_by_role("listitem").first
        expect(request).to_contain_text("Please.")
        if page.get_by_text("Rejected", exact=True).count() == 0:
            request.get_by_role("button", name="Reject").click()
            page.get_by_role("dialog").get_by_label("Reason").fill("Not yet.")
            page.get_by_role("dialog").get_by_role("button", name="Reject").click()
            expect(request).to_contain_text("Not yet.")
            expect(page.get_by_role("tab", name="Requests", exact=True)).to_be_visible()
    request.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("Withdrawn", exact=True)).to_be_visible()
    assert MlflowClient(site.uri).get_model_version(name, "3").current_stage == "None"


def test_commented_changed_removed_and_back(open_page: Opener, name: str) -> None:
    page = open_page(f"/models/{name}/1?tab=comments")
    page.get_by_role("textbox", name="Comment").fill("Looks **good**.")
    page.get_by_role("button", name="Say it").click()
    said = page.get_by_role("list", name="Comments").get_by_role("listitem")
    expect(said.locator("strong", has_text="good")).to_be_visible()
    page.get_by_role("button", name="Change the comment").click()
    page.get_by_role("dialog").get_by_label("Comment").fill("Looks fine.")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(said).to_contain_text("Looks fine.")
    page.get_by_role("button", name="Remove the comment").click()
    expect(said).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(said).to_contain_text("Looks fine.")


def test_described_tagged_and_deleted(open_page: Opener, site: Site, name: str) -> None:
    page = open_page(f"/models/{name}/2")
    page.get_by_role("button", name="Write").click()
    page.get_by_role("dialog").get_by_label("Description").fill("The *second*.")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.locator("em", has_text="second")).to_be_visible()
    page.get_by_role("button", name="Add tag").click()
    page.get_by_role("textbox", name="Key").fill("reviewed")
    page.get_by_role("textbox", name="Value").fill("yes")
    page.get_by_role("button", name="Set tag").click()
    expect(page.get_by_role("button", name="Remove the tag reviewed")).to_be_visible()
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile(f"/models/{name}$"))
    assert [one.version for one in MlflowClient(site.uri).search_model_versions(f"name = '{name}'")] == ["3", "1"]


def test_a_version_that_is_not_there_is_told(open_page: Opener) -> None:
    page = open_page("/models/churn/99")
    expect(page.get_by_role("alert")).to_contain_text("version=99")
    expect(page.get_by_role("alert").get_by_role("button", name="Retry")).to_be_visible()
