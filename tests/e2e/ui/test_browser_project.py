"""Runs of projects and pipelines on their pages: what they came from, the runs around them, their output."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from millstream import MlflowClient
from tests.e2e.ui.conftest import Opener, Site, Theme

Check = Callable[[Page], None]
Picture = Callable[[Page, str], None]

COMMIT = "9f3c1d5b7a2e4c6d8f0a1b2c3d4e5f6a7b8c9d0e"
PROJECT = {
    "mlflow.source.type": "PROJECT", "mlflow.source.name": "https://git.example.com/team/loan.git",
    "mlflow.project.backend": "local", "mlflow.project.env": "uv", "mlflow.source.git.commit": COMMIT,
    "mlflow.source.git.repoURL": "https://git.example.com/team/loan.git", "mlflow.source.git.branch": "main",
}
LOG = "\x1b[1mEpoch 1\x1b[0m\n\x1b[32mloss 0.5\x1b[0m\n\x1b[33mwarning: slow\x1b[0m\n\x1b[31merror: none\x1b[0m\n" + \
      "".join(f"step {step}: loss {1 / (step + 1):.4f}\n" for step in range(8000))


@dataclass(frozen=True)
class Pipeline:
    """The ids of a pipeline's run, of those of its steps, and of a child of the last step."""

    whole: str
    prepare: str
    train: str
    fold: str


@pytest.fixture
def client(site: Site) -> MlflowClient:
    """A client of the site."""
    return MlflowClient(site.uri)


@pytest.fixture
def pipeline(client: MlflowClient, tmp_path: Path) -> Pipeline:
    """A pipeline as ``millstream run`` leaves it while its last step is under way; the first was made before."""
    experiment = client.create_experiment(f"loan-{uuid.uuid4().hex[:8]}")

    def run(name: str, tags: dict[str, str], parent: str | None = None) -> str:
        found = {**PROJECT, "mlflow.project.entryPoint": name, **tags}
        if parent:
            found["mlflow.parentRunId"] = parent
        return client.create_run(experiment, run_name=name, tags=found).info.run_id

    earlier = run("prepare", {"millstream.pipeline.step": "prepare"})
    whole = run("loan", {"millstream.pipeline": "prepare, train"})
    prepare = run("prepare", {"millstream.pipeline.step": "prepare", "millstream.pipeline.made_by": earlier}, whole)
    client.set_terminated(prepare)
    command = "python train.py --lr 0.1 --name 'it'\\''s one'"
    train = run("train", {"millstream.pipeline.step": "train", "millstream.project.command": command}, whole)
    client.log_param(train, "lr", "0.1")
    client.log_param(train, "name", "it's one")
    (tmp_path / "project.log").write_text(LOG)
    client.log_artifact(train, str(tmp_path / "project.log"), "logs")
    fold = client.create_run(experiment, run_name="fold-1", tags={"mlflow.parentRunId": train}).info.run_id
    return Pipeline(whole, prepare, train, fold)


def test_a_project_run_tells_what_it_came_from_and_how_it_is_run_again(
    open_page: Opener, pipeline: Pipeline, client: MlflowClient, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page(f"/run/{pipeline.train}", theme=theme)
    facts = page.get_by_role("region", name="Facts")
    expect(facts.get_by_role("heading", name="Project")).to_be_visible()
    for text in ("train", "local", "uv", "main", COMMIT[:8], "python train.py --lr 0.1"):
        expect(facts).to_contain_text(text)
    link = facts.get_by_role("link", name="https://git.example.com/team/loan.git")
    expect(link).to_have_attribute("href", "https://git.example.com/team/loan")
    facts.get_by_role("button", name="Copy the command that runs it again", exact=True).click()
    experiment = client.get_run(pipeline.train).info.experiment_id
    assert page.evaluate("navigator.clipboard.readText()") == (
        f"millstream run https://git.example.com/team/loan.git -e train -v {COMMIT} -P lr=0.1"
        f" -P 'name=it'\\''s one' --experiment-id {experiment}"
    )
    facts.get_by_role("button", name="Copy the command that runs it again and compares").click()
    assert page.evaluate("navigator.clipboard.readText()") == f"millstream rerun {pipeline.train}"
    expect(facts.get_by_text("Repository")).to_have_count(0)
    check_accessible(page)
    facts.evaluate("facts => facts.scrollTo(0, 0)")
    picture(page, f"run-project-{theme}")


def test_the_tree_of_a_pipeline_leads_both_ways(open_page: Opener, pipeline: Pipeline, site: Site) -> None:
    page = open_page(f"/run/{pipeline.whole}")
    steps = page.get_by_role("list", name="Steps", exact=True)
    expect(steps.get_by_role("link").first).to_have_text("prepare")
    expect(steps).to_contain_text("made before")
    expect(steps.get_by_role("list", name="Child runs of train").get_by_role("link", name="fold-1")).to_be_visible()
    steps.get_by_role("link", name="train").click()
    page.wait_for_url(f"**/run/{pipeline.train}")
    beside = page.get_by_role("list", name="Steps of the pipeline")
    expect(beside.locator("[aria-current]")).to_have_text("train")
    beside.get_by_role("link", name="prepare").click()
    page.wait_for_url(f"**/run/{pipeline.prepare}")
    facts = page.get_by_role("region", name="Facts")
    expect(facts.get_by_text("Made by")).to_be_visible()
    facts.get_by_role("link", name="loan", exact=True).click()
    page.wait_for_url(f"**/run/{pipeline.whole}")
    page.get_by_role("link", name="fold-1").click()
    page.wait_for_url(f"**/run/{pipeline.fold}")
    page.get_by_role("region", name="Facts").get_by_role("link", name="train").click()
    page.wait_for_url(f"**/run/{pipeline.train}")


def test_the_output_has_its_colours_is_searched_and_followed(
    open_page: Opener, pipeline: Pipeline, client: MlflowClient, tmp_path: Path, theme: Theme, check_accessible: Check,
    picture: Picture,
) -> None:
    page = open_page(f"/run/{pipeline.train}?tab=logs", theme=theme)
    log = page.get_by_role("region", name="Log", exact=True)
    expect(log).to_contain_text("step 7999: loss 0.0001")
    (tmp_path / "project.log").write_text(LOG + "\x1b[32mnew line\x1b[0m\n")
    client.log_artifact(pipeline.train, str(tmp_path / "project.log"), "logs")
    expect(log.get_by_text("new line")).to_have_class("ansi-green")
    page.get_by_role("button", name="From the first line").click()
    expect(log.get_by_text("error: none")).to_have_class("ansi-red")
    expect(log.get_by_text("Epoch 1")).to_have_class("ansi-bold")
    check_accessible(page)
    picture(page, f"run-logs-{theme}")
    search = page.get_by_role("searchbox", name="Search the log")
    search.fill("STEP 777")
    expect(page.get_by_text("1 of 11 lines")).to_be_visible()
    expect(log.locator(".found")).to_contain_text("step 777: loss")
    search.press("Enter")
    expect(log.locator(".found")).to_contain_text("step 7770: loss")
    search.press("Shift+Enter")
    search.press("Shift+Enter")
    expect(log.locator(".found")).to_contain_text("step 7779: loss")
    check_accessible(page)
    search.fill("nowhere")
    expect(page.get_by_text("not found")).to_be_visible()


def test_a_run_that_repeats_another_leads_to_it(open_page: Opener, pipeline: Pipeline, client: MlflowClient) -> None:
    experiment = client.get_run(pipeline.train).info.experiment_id
    tags = {"millstream.rerun.of": pipeline.train, "millstream.rerun.equal": "false"}
    again = client.create_run(experiment, run_name="again", tags=tags).info.run_id
    page = open_page(f"/run/{again}")
    facts = page.get_by_role("region", name="Facts")
    expect(facts.get_by_text("Different")).to_be_visible()
    facts.get_by_role("link", name="train").click()
    page.wait_for_url(re.compile(pipeline.train))
