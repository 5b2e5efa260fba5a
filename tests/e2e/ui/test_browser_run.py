"""The page of a run: what is known of it, its curves, comparing it, changing it, its files in their viewers."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from millstream import MlflowClient
from tests.e2e.ui.conftest import Opener, Site, Theme
from tests.e2e.ui.seed import png

Picture = Callable[[Page, str], None]
Check = Callable[[Page], None]


def part(page: Page, name: str) -> Locator:
    """A part of the run: a tab, opened."""
    page.get_by_role("tab", name=name, exact=True).click()
    return page.get_by_role("tabpanel")


@pytest.fixture
def run_id(site: Site, request: pytest.FixtureRequest) -> Iterator[str]:
    """A finished run of its own, with two parameters and a curve."""
    client = MlflowClient(site.uri)
    name = f"run page {request.node.name}"
    known = client.get_experiment_by_name(name)
    experiment = known.experiment_id if known else client.create_experiment(name)
    run = client.create_run(experiment, run_name="first name")
    for step in range(20):
        client.log_metric(run.info.run_id, "loss", 1 / (step + 1), step=step)
    client.log_param(run.info.run_id, "lr", 0.1)
    client.log_param(run.info.run_id, "optimizer", "adam")
    client.set_terminated(run.info.run_id)
    yield run.info.run_id


def test_a_run_on_one_screen(open_page: Opener, site: Site) -> None:
    page = open_page(f"/run/{site.facts['runs'][0]}")
    expect(page.get_by_role("heading", name="amber-0")).to_be_visible()
    facts = page.get_by_role("region", name="Facts")
    expect(facts).to_contain_text("Finished")
    expect(facts.get_by_role("link", name="image-classifier")).to_be_visible()
    expect(facts).to_contain_text("Run 0 of the sweep.")
    facts.get_by_label("Filter parameters").fill("adam")
    expect(facts.get_by_role("row").filter(has_text="optimizer")).to_be_visible()
    expect(facts.get_by_role("row").filter(has_text="batch_size")).to_have_count(0)
    facts.get_by_role("button", name="Copy the parameters as JSON").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert json.loads(copied) == {"optimizer": "adam"}
    metrics = page.get_by_role("grid", name="Metrics")
    row = metrics.get_by_role("row").filter(has_text="val/accuracy")
    history = MlflowClient(site.uri).get_metric_history(site.facts["runs"][0], "val/accuracy")
    for value in (history[-1].value, min(one.value for one in history), max(one.value for one in history)):
        expect(row).to_contain_text(f"{value:.6g}")
    expect(page.get_by_role("group", name="train/loss")).to_contain_text("train/loss, 1 line. amber-0: from")
    expect(page).to_have_title("amber-0 · Millstream")


def test_parents_and_children_lead_to_each_other(open_page: Opener, site: Site) -> None:
    page = open_page(f"/run/{site.facts['parent']}")
    page.get_by_role("link", name="trial-1").click()
    expect(page.get_by_role("heading", name="trial-1")).to_be_visible()
    page.get_by_role("link", name="sweep").click()
    expect(page.get_by_role("heading", name="sweep")).to_be_visible()
    page.get_by_role("link", name="3 runs").click()
    expect(page.get_by_role("row").filter(has_text="trial-")).to_have_count(3)


def test_curves_are_found_pinned_and_read_as_numbers(open_page: Opener, site: Site, run_id: str) -> None:
    client = MlflowClient(site.uri)
    for step in range(3):
        client.log_metric(run_id, "val/f1", 0.5 + step / 10, step=step)
    page = open_page(f"/run/{run_id}?tab=charts")
    panel = page.get_by_role("tabpanel")
    expect(panel.get_by_role("status").first).to_have_text("2 charts")
    panel.get_by_label("Search charts").fill("^val")
    expect(panel.get_by_role("group", name="loss")).to_have_count(0)
    expect(page).to_have_url(re.compile("find=%5Eval"))
    panel.get_by_role("button", name="val/f1: as a table").click()
    table = panel.get_by_role("region", name="val/f1: values")
    expect(table.get_by_role("row")).to_have_count(4)
    expect(table).to_contain_text("0.7")
    panel.get_by_label("Search charts").fill("")
    panel.get_by_role("button", name="Pin val/f1").click()
    expect(panel.get_by_role("region", name="Pinned")).to_contain_text("val/f1")
    page.reload()
    expect(panel.get_by_role("region", name="Pinned")).to_contain_text("val/f1")
    panel.get_by_role("button", name="Unpin val/f1").click()
    expect(panel.get_by_role("region", name="Pinned")).to_have_count(0)
    panel.get_by_role("button", name="Relative").click()
    panel.get_by_role("button", name="Log", exact=True).click()
    expect(page).to_have_url(re.compile("x=relative.*log=1|log=1.*x=relative"))


def test_a_drag_zooms_into_a_chart(open_page: Opener, run_id: str) -> None:
    page = open_page(f"/run/{run_id}?tab=charts")
    chart = page.get_by_role("group", name="loss").locator(".u-over")
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 40, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="All steps").click()
    expect(page.get_by_role("button", name="All steps")).to_have_count(0)


def test_another_run_stands_beside_it(open_page: Opener, site: Site) -> None:
    page = open_page(f"/run/{site.facts['runs'][0]}")
    page.get_by_role("button", name="Diff with…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name of the run").fill("amber-11")
    expect(dialog.get_by_role("status")).to_have_text("1 run")
    dialog.get_by_role("button", name="amber-11").click()
    facts = page.get_by_role("region", name="Facts")
    expect(facts.get_by_role("columnheader", name="amber-11")).to_be_visible()
    facts.get_by_label("Only differences").check()
    expect(facts.get_by_role("row").filter(has_text="batch_size")).to_contain_text("16128")
    expect(facts.get_by_role("row").filter(has_text="depth")).to_have_count(0)
    accuracy = page.get_by_role("grid", name="Metrics").get_by_role("row").filter(has_text="accuracy").first
    expect(accuracy).to_contain_text("−0.088")
    expect(page.get_by_role("group", name="train/loss")).to_contain_text("2 lines. amber-0: from")
    expect(page).to_have_url(re.compile(f"diff={site.facts['runs'][11]}"))
    page.go_back()
    expect(facts.get_by_role("columnheader", name="amber-11")).to_have_count(0)


def test_name_tags_and_note_change_and_come_back(open_page: Opener, site: Site, run_id: str) -> None:
    client = MlflowClient(site.uri)
    page = open_page(f"/run/{run_id}")
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Name").fill("second name")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", name="second name")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="first name")).to_be_visible()

    page.get_by_role("button", name="Add tag").click()
    page.get_by_role("dialog").get_by_label("Key").fill("team")
    page.get_by_role("dialog").get_by_label("Value").fill("vision")
    page.get_by_role("button", name="Set tag").click()
    page.get_by_role("button", name="team vision", exact=True).click()
    page.get_by_role("dialog").get_by_label("Value").fill("growth")
    page.get_by_role("button", name="Set tag").click()
    expect(page.get_by_role("button", name="team growth", exact=True)).to_be_visible()
    assert client.get_run(run_id).data.tags["team"] == "growth"
    page.get_by_role("button", name="Remove the tag team").click()
    expect(page.get_by_role("button", name="team growth", exact=True)).to_have_count(0)

    page.get_by_role("button", name="Add note").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Markdown").fill("A **bold** note <script>1</script> [link](javascript:1)")
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog.locator("strong")).to_have_text("bold")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("region", name="Facts").locator("strong")).to_have_text("bold")
    assert page.locator(".prose script, .prose [href]").count() == 0
    assert client.get_run(run_id).data.tags["mlflow.note.content"].startswith("A **bold** note")


def test_a_deleted_run_can_be_restored(open_page: Opener, site: Site, run_id: str) -> None:
    client = MlflowClient(site.uri)
    page = open_page(f"/run/{run_id}")
    page.get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Delete").click()
    expect(page.get_by_text("in the trash")).to_be_visible()
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("in the trash")).to_have_count(0)
    assert client.get_run(run_id).info.lifecycle_stage == "active"


def test_a_running_run_moves_by_itself(open_page: Opener, site: Site, run_id: str) -> None:
    client = MlflowClient(site.uri)
    going = client.create_run(client.get_run(run_id).info.experiment_id, run_name="going")
    client.log_metric(going.info.run_id, "loss", 1.5, step=0)
    page = open_page("/settings")
    with page.expect_response(re.compile("/v1/events")):  # what comes from then on is told
        page.goto(f"{site.uri}/run/{going.info.run_id}")
    row = page.get_by_role("grid", name="Metrics").get_by_role("row").filter(has_text="loss")
    expect(row).to_contain_text("1.5")
    client.log_metric(going.info.run_id, "loss", 0.25, step=1)
    expect(row).to_contain_text("0.25", timeout=20_000)
    expect(page.get_by_role("group", name="loss")).to_contain_text("from 1.5 to 0.25")
    client.set_terminated(going.info.run_id)
    expect(page.get_by_role("region", name="Facts")).to_contain_text("Finished", timeout=20_000)


SHOWN = {
    "notes/log.txt": ("region", "Text", "line 1: loss 1.0000"),
    "code/train.py": ("region", "Text", "def train(epochs: int = 10)"),
    "facts.json": ("tree", "Content", "classes: [200 entries]"),
    "config.yaml": ("tree", "Content", 'name: "adam"'),
    "tables/confusion.csv": ("grid", "Rows", "predicted"),
    "tables/confusion.tsv": ("grid", "Rows", "a"),
    "notes/readme.md": ("region", "Text", "A run on CIFAR."),
    "explore.ipynb": ("region", "Notebook", "Exploration"),
    "weights.bin": ("region", "Bytes", "00000010  10 11 12 13"),
}


def test_files_of_each_kind_have_their_viewer(open_page: Opener, site: Site) -> None:
    page = open_page(f"/run/{site.facts['runs'][0]}?tab=artifacts")
    for path, (role, name, text) in SHOWN.items():
        page.evaluate("path => history.replaceState(null, '', location.pathname + '?tab=artifacts&path=' + path)", path)
        page.reload()
        expect(page.get_by_role(role, name=name)).to_contain_text(text)  # type: ignore[arg-type]
        line = page.get_by_role("treeitem", name=path.rpartition("/")[2]).first
        expect(line).to_have_attribute("aria-selected", "true")


def test_pictures_pages_documents_and_sounds(open_page: Opener, site: Site) -> None:
    address = f"/run/{site.facts['runs'][0]}?tab=artifacts&path="
    page = open_page(address + "images/sample.png")
    expect(page.get_by_text("96 × 64 pixels")).to_be_visible()
    page.get_by_role("button", name="1:1").click()
    page = open_page(address + "report.html")
    frame = page.frame_locator("iframe[title='report.html']")
    expect(frame.locator("h1")).to_have_text("Report ran")
    expect(page.locator("iframe")).to_have_attribute("sandbox", "allow-scripts")
    page.get_by_role("button", name="Source").click()
    expect(page.get_by_role("region", name="Text")).to_contain_text("<h1 id='t'>")
    page = open_page(address + "plots/curve.svg")
    expect(page.frame_locator("iframe[title='curve.svg']").locator("path")).to_have_count(1)
    page = open_page(address + "paper.pdf")
    expect(page.locator("iframe[title='paper.pdf']")).to_have_attribute("src", re.compile("^blob:"))
    page = open_page(address + "audio/tone.wav")
    sound = page.get_by_label("tone.wav", exact=True)
    page.wait_for_function("sound => sound.duration > 0.4", arg=sound.element_handle())


def test_pictures_of_two_runs_stand_side_by_side(
    open_page: Opener, site: Site, run_id: str, tmp_path: Path
) -> None:
    client = MlflowClient(site.uri)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "sample.png").write_bytes(png(30, 20))
    client.log_artifacts(run_id, str(tmp_path))
    page = open_page(f"/run/{site.facts['runs'][0]}?tab=artifacts&path=images/sample.png&diff={run_id}")
    for name, width in (("sample.png", 96), ("sample.png of first name", 30)):
        image = page.get_by_role("img", name=name, exact=True)
        page.wait_for_function(f"image => image.naturalWidth === {width}", arg=image.element_handle())
    page.keyboard.press("j")
    expect(page.get_by_text("There is no config.yaml")).to_have_count(0)
    page.get_by_role("treeitem", name="other.png").click()
    expect(page.get_by_text("There is no other.png of first name.")).to_be_visible()


def test_everything_is_reached_by_keyboard(open_page: Opener, site: Site) -> None:
    page = open_page(f"/run/{site.facts['churn_runs'][0]}")
    expect(page.get_by_role("grid", name="Metrics")).to_contain_text("val_auc")
    expect(page.get_by_role("link", name="churn version 1")).to_be_visible()
    page.locator("body").focus()
    reached = set()
    for _ in range(70):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(
            "(document.activeElement.ariaLabel || document.activeElement.textContent || "
            "document.activeElement.placeholder).trim()"
        ))
    wanted = {
        "Diff with…", "Register model", "More actions", "Overview", "Copy the run's id", "Copy the commit", "Facts",
        "churn version 1", "Filter parameters", "Copy the parameters as JSON", "Add tag", "model", "dataset train",
        "Add note", "Filter metrics", "Metrics",
    }
    assert wanted - reached == set()
    page.get_by_role("tab", name="Overview").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Charts")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("v")
    expect(page.get_by_role("tab", name="System")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("r")
    others = page.get_by_role("dialog", name="Compare with another run")
    expect(others.get_by_label("Name of the run")).to_be_focused()
    expect(others.get_by_text("fit-2").first).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="with fit-2")).to_be_visible()


def test_what_a_file_runs_reaches_nothing(open_page: Opener, site: Site, run_id: str, tmp_path: Path) -> None:
    client = MlflowClient(site.uri)
    report = tmp_path / "report.html"
    report.write_text(
        "<h1>…</h1><script>"
        f"fetch('{site.uri}/api/2.0/mlflow/runs/set-tag', {{method: 'POST',"
        f" headers: {{'content-type': 'application/json'}},"
        f" body: JSON.stringify({{run_id: '{run_id}', key: 'reached', value: 'yes'}})}})"
        ".catch(() => 'blocked').then(said => {"
        " let page = 'page'; try { page = parent.document.title; } catch { page = 'apart'; }"
        " document.querySelector('h1').textContent = said + ' ' + page; });</script>"
    )
    client.log_artifact(run_id, str(report))
    page = open_page(f"/run/{run_id}")
    page.goto(f"{site.uri}/run/{run_id}?tab=artifacts&path=report.html")
    expect(page.frame_locator("iframe").locator("h1")).to_have_text("blocked apart")
    assert "reached" not in client.get_run(run_id).data.tags


def test_files_by_keyboard_and_by_the_browsers_back(open_page: Opener, site: Site) -> None:
    page = open_page(f"/run/{site.facts['runs'][0]}?tab=artifacts&path=config.yaml")
    shown = page.get_by_role("heading", level=2)
    expect(shown).to_have_text("config.yaml")
    page.keyboard.press("j")
    expect(shown).to_have_text("explore.ipynb")
    page.keyboard.press("k")
    expect(shown).to_have_text("config.yaml")
    page.get_by_role("treeitem", name="tables").click()
    expect(shown).to_have_text("tables")
    expect(page.get_by_role("treeitem", name="confusion.csv")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(shown).to_have_text("confusion.csv")
    page.go_back()
    expect(shown).to_have_text("tables")


def test_long_files_are_read_as_they_are_scrolled(open_page: Opener, site: Site, run_id: str, tmp_path: Path) -> None:
    client = MlflowClient(site.uri)
    (tmp_path / "long.csv").write_text("n,square\n" + "".join(f"{n},{n * n}\n" for n in range(2500)))
    client.log_artifacts(run_id, str(tmp_path))
    page = open_page(f"/run/{site.facts['runs'][0]}?tab=artifacts&path=notes/log.txt")
    text = page.get_by_role("region", name="Text")
    expect(text).to_contain_text("line 1:")
    page.wait_for_function(
        "text => { text.scrollTop = text.scrollHeight; return text.textContent.includes('line 3000:'); }",
        arg=text.element_handle(),
    )
    assert text.locator(".lines-row").count() < 200
    page = open_page(f"/run/{run_id}?tab=artifacts&path=long.csv")
    rows = page.get_by_role("grid", name="Rows")
    page.wait_for_function(
        "rows => { rows.scrollTop = rows.scrollHeight; return rows.textContent.includes('6245001'); }",
        arg=rows.element_handle(),
    )
    expect(rows).to_contain_text("6245001")
    expect(page.get_by_text("2,500 rows")).to_be_visible()


def test_a_search_opens_what_it_finds(open_page: Opener, site: Site) -> None:
    page = open_page(f"/run/{site.facts['runs'][0]}?tab=artifacts&path=facts.json")
    tree = page.get_by_role("tree", name="Content")
    expect(tree).to_be_visible()
    page.get_by_label("Search keys and values").fill("class 150")
    expect(page.get_by_text("1 match")).to_be_visible()
    page.keyboard.press("Enter")
    expect(tree.get_by_role("treeitem").filter(has_text='name: "class 150"')).to_be_visible()
    tree.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    expect(tree.get_by_role("treeitem")).to_have_count(1)


def test_large_and_odd_files(open_page: Opener, site: Site, run_id: str, tmp_path: Path) -> None:
    client = MlflowClient(site.uri)
    files = {
        "large.json": json.dumps([{"n": n, "text": "x" * 90} for n in range(50_000)]),
        "odd.json": '{"loss": NaN}', "broken.json": "{nothing", "empty.txt": "",
        "area.geojson": json.dumps({"type": "Polygon", "coordinates": [[[8, 47], [9, 47], [9, 48], [8, 47]]]}),
        "eval.json": json.dumps({"columns": ["question", "score"], "data": [["why", 0.5]]}),
        "page.ipynb": json.dumps({"nbformat": 4, "cells": [{"cell_type": "code", "source": "df", "outputs": [
            {"output_type": "display_data", "data": {"text/html": "<table><tr><td>cell</td></tr></table>"}}]}]}),
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    client.log_artifacts(run_id, str(tmp_path))
    address = f"/run/{run_id}?tab=artifacts&path="
    page = open_page(address + "large.json")
    page.get_by_role("button", name="Show it").click()
    expect(page.get_by_role("tree", name="Content")).to_contain_text("[50,000 entries]")
    for name, expected in {
        "odd.json": 'loss: "NaN"', "broken.json": "It cannot be shown as a tree", "empty.txt": "The file is empty.",
        "area.geojson": "1 area; 8° to 9° east, 47° to 48° north", "eval.json": "question",
    }.items():
        page.get_by_role("treeitem", name=name).click()
        expect(page.get_by_role("tabpanel")).to_contain_text(expected)
    page.get_by_role("treeitem", name="page.ipynb").click()
    expect(page.locator("iframe[title='Output']")).to_have_attribute("sandbox", "allow-scripts")
    expect(page.frame_locator("iframe[title='Output']").locator("td")).to_have_text("cell")


def test_files_and_folders_can_be_downloaded(open_page: Opener, site: Site) -> None:
    page = open_page(f"/run/{site.facts['runs'][0]}?tab=artifacts&path=weights.bin")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert Path(download.value.path()).read_bytes() == bytes(range(256)) * 8
    page.get_by_role("treeitem", name="tables").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as zip").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert sorted(archive.namelist()) == ["confusion.csv", "confusion.tsv"]


def test_the_model_of_a_run_is_described_and_registered(open_page: Opener, site: Site) -> None:
    client = MlflowClient(site.uri)
    run = site.facts["churn_runs"][1]
    page = open_page(f"/run/{run}")
    page.get_by_role("link", name="model", exact=True).click()
    panel = page.get_by_role("tabpanel")
    expect(panel.get_by_role("table", name="Inputs").get_by_role("row")).to_have_count(4)
    expect(panel).to_contain_text(re.compile(r'pyfunc\.load_model\("models:/m-'))
    expect(panel).to_contain_text("scikit-learn==")
    expect(panel).to_contain_text('"columns": ["age","balance","region"]')
    page.get_by_role("button", name="Register", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Registered model").select_option("A new one…")
    dialog.get_by_label("Name of the new model").fill("from the run page")
    dialog.get_by_label("Description of the version").fill("by mouse")
    dialog.get_by_role("button", name="Register").click()
    expect(page.get_by_text("Registered model as from the run page version 1")).to_be_visible()
    version = client.get_model_version("from the run page", "1")
    assert (version.run_id, version.description) == (run, "by mouse")
    expect(part(page, "Overview").get_by_role("link", name="from the run page version 1")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("link", name="from the run page version 1")).to_have_count(0)
    client.delete_registered_model("from the run page")
    files = part(page, "Artifacts")
    files.get_by_role("treeitem", name="model", exact=True).click()
    expect(files.get_by_role("region", name="Model")).to_contain_text("python_function")
    files.get_by_role("treeitem", name="requirements.txt").click()
    expect(files.get_by_role("region", name="Text")).to_contain_text("scikit-learn==")


def test_data_of_a_run_has_its_schema(open_page: Opener, site: Site) -> None:
    page = open_page(f"/run/{site.facts['churn_runs'][0]}")
    page.get_by_role("button", name="dataset train").click()
    data = page.get_by_role("complementary", name="Data")
    expect(data.get_by_role("table", name="Schema").get_by_role("row")).to_have_count(4)
    expect(data).to_contain_text("num rows")


def test_logs_and_the_machine(open_page: Opener, site: Site, run_id: str, tmp_path: Path) -> None:
    client = MlflowClient(site.uri)
    (tmp_path / "train.log").write_text("epoch 1\nepoch 2\n")
    client.log_artifact(run_id, str(tmp_path / "train.log"), "logs")
    page = open_page(f"/run/{run_id}?tab=logs")
    expect(page.get_by_role("region", name="Log", exact=True)).to_contain_text("epoch 2")
    expect(part(page, "System")).to_contain_text("This run measured nothing of its machine.")
    for step in range(2):
        client.log_metric(run_id, "system/cpu_utilization_percentage", 40 + step, step=step)
    page.reload()
    expect(part(page, "System").get_by_role("group", name="system/cpu_utilization_percentage")).to_be_visible()
    expect(part(page, "Overview").get_by_role("grid", name="Metrics")).not_to_contain_text("system/")


def test_what_is_missing_is_said(open_page: Opener, site: Site, run_id: str) -> None:
    client = MlflowClient(site.uri)
    bare = client.create_run(client.get_run(run_id).info.experiment_id).info.run_id
    client.set_terminated(bare)
    page = open_page(f"/run/{bare}")
    for name, expected in {
        "Overview": "This run has no metrics.", "Charts": "This run has no metrics.",
        "Artifacts": "This run has no artifacts.", "Logs": "This run kept no logs.",
        "Model": "This run logged no model.",
    }.items():
        expect(part(page, name)).to_contain_text(expected)
    page.get_by_role("button", name="Register model").click()
    expect(page.get_by_role("dialog")).to_contain_text("there is nothing to register")
    page = open_page("/run/0123456789abcdef0123456789abcdef")
    expect(page.get_by_role("alert")).to_contain_text("status 404")
    expect(page.get_by_role("button", name="Retry")).to_be_visible()


def test_accessible_in_both_themes(
    open_page: Opener, site: Site, theme: Theme, check_accessible: Check, picture: Picture,
) -> None:
    one, two = site.facts["runs"][0], site.facts["runs"][3]
    model = site.facts["churn_runs"][1]
    page = open_page(f"/run/{one}", theme=theme)
    expect(page.get_by_role("group", name="val/loss")).to_be_visible()
    expect(page.get_by_role("grid", name="Metrics")).to_contain_text("0.9")
    check_accessible(page)
    picture(page, f"run-{theme}")
    page = open_page(f"/run/{one}?tab=charts&diff={two}&smooth=0.6", theme=theme)
    expect(page.get_by_role("group", name="val/loss")).to_contain_text("2 lines")
    check_accessible(page)
    picture(page, f"run-charts-{theme}")
    for name, path, role in (
        ("json", "facts.json", "tree"), ("table", "tables/confusion.csv", "grid"), ("code", "code/train.py", "region"),
        ("notebook", "explore.ipynb", "region"), ("image", "images/sample.png", "img"),
        ("bytes", "weights.bin", "region"),
    ):
        page = open_page(f"/run/{one}?tab=artifacts&path={path}", theme=theme)
        expect(page.get_by_role("tabpanel").get_by_role(role).last).to_be_visible()  # type: ignore[arg-type]
        check_accessible(page)
        picture(page, f"artifact-{name}-{theme}")
    page = open_page(f"/run/{model}?tab=model", theme=theme)
    expect(page.get_by_role("table", name="Inputs")).to_be_visible()
    check_accessible(page)
    picture(page, f"run-model-{theme}")
    page.get_by_role("button", name="Register", exact=True).click()
    expect(page.get_by_role("dialog").get_by_label("Registered model")).to_be_visible()
    check_accessible(page)
    picture(page, f"run-register-{theme}")


def test_pages_inside_of_a_notebook_keep_their_styles(
    open_page: Opener, site: Site, run_id: str, tmp_path: Path, theme: Theme
) -> None:
    script = "<script>document.querySelector('#out').textContent += ' ran'</script>"
    html = f"<p id='out' style='color: rgb(1, 2, 3)'>styled</p>{script}"
    book = {"nbformat": 4, "metadata": {}, "cells": [
        {"cell_type": "code", "source": "frame", "execution_count": 1, "outputs": [
            {"output_type": "stream", "name": "stdout", "text": "first"},
            {"output_type": "display_data", "data": {"text/html": html, "text/plain": "frame"}},
        ]},
    ]}
    (tmp_path / "page.ipynb").write_text(json.dumps(book))
    MlflowClient(site.uri).log_artifact(run_id, str(tmp_path / "page.ipynb"))
    page = open_page(f"/run/{run_id}?tab=artifacts&path=page.ipynb", theme=theme)
    shown = page.frame_locator("iframe[title='Output']").locator("#out")
    expect(shown).to_have_text("styled ran")
    expect(shown).to_have_css("color", "rgb(1, 2, 3)")
