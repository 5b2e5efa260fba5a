"""The page of runs: the table with its columns, filters, groups, tree, selection and views."""

from __future__ import annotations

import csv
import uuid
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from millstream import MlflowClient
from tests.e2e.ui.conftest import Opener, Site, Theme, repeated

Check = Callable[[Page], None]
Picture = Callable[[Page, str], None]


@pytest.fixture
def client(site: Site) -> Iterator[MlflowClient]:
    """A client of the site."""
    yield MlflowClient(site.uri)


@pytest.fixture
def own(client: MlflowClient) -> str:
    """The id of an experiment of this test's own, with five runs."""
    experiment = client.create_experiment(f"own-{uuid.uuid4().hex[:8]}")
    for number in range(5):
        run = client.create_run(experiment, run_name=f"own-{number}", start_time=1_790_000_000_000 + number)
        client.log_param(run.info.run_id, "lr", 0.1 / (number + 1))
        client.log_metric(run.info.run_id, "loss", 1 / (number + 1))
        client.set_terminated(run.info.run_id, end_time=1_790_000_060_000)
    return experiment


def grid(page: Page) -> Locator:
    """The table."""
    return page.get_by_role("grid", name="Runs")


def names(page: Page) -> list[str]:
    """The runs in the order of the table."""
    return grid(page).locator(".row .cell.frozen a").all_inner_texts()


def header(page: Page, name: str) -> Locator:
    """The header of a column."""
    return grid(page).get_by_role("columnheader").filter(has=page.get_by_text(name, exact=True))


def choose(page: Page, column: str, item: str) -> None:
    """A choice of a header's menu."""
    header(page, column).click(button="right")
    page.get_by_role("menu").get_by_text(item, exact=True).click()


def test_metrics_and_parameters_are_there_without_a_click(
    open_page: Opener, site: Site, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}", theme=theme)
    row = grid(page).get_by_role("row").filter(has_text="amber-11")
    expect(row).to_contain_text("0.988")
    expect(row).to_contain_text("0.0003")
    expect(page.get_by_text("18 runs")).to_be_visible()
    expect(grid(page).get_by_role("row").filter(has_text="broken")).to_contain_text("∞")
    expect(grid(page).get_by_role("row").filter(has_text="broken")).to_contain_text("Failed")
    check_accessible(page)
    picture(page, f"runs-{theme}")


def test_parameters_sort_as_numbers(open_page: Opener, own: str) -> None:
    page = open_page(f"/exp/{own}")
    header(page, "lr").get_by_role("button", name="lr", exact=True).click()
    expect(header(page, "lr")).to_have_attribute("aria-sort", "ascending")
    expect(grid(page).locator(".row").first).to_contain_text("own-4")
    assert names(page) == [f"own-{number}" for number in (4, 3, 2, 1, 0)]
    header(page, "lr").get_by_role("button", name="lr", exact=True).click()
    expect(grid(page).locator(".row").first).to_contain_text("own-0")
    page.go_back()
    expect(grid(page).locator(".row").first).to_contain_text("own-4")


def test_variants_of_a_metric(open_page: Opener, site: Site) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}?cols=metrics.grad_norm")
    expect(header(page, "grad_norm")).to_be_visible()
    choose(page, "grad_norm", "Highest value")
    expect(header(page, "max grad_norm")).to_be_visible()
    expect(grid(page).get_by_role("row").filter(has_text="amber-3")).to_contain_text("40")
    choose(page, "max grad_norm", "Step of the highest")
    expect(grid(page).get_by_role("row").filter(has_text="amber-3")).to_contain_text("33")
    choose(page, "best step max grad_norm", "Mean of the last 10")
    expect(header(page, "mean 10 grad_norm")).to_be_visible()


def test_heat_pin_and_hide(open_page: Opener, site: Site) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}")
    choose(page, "accuracy", "Heat map")
    expect(grid(page).locator(".heat").first).to_be_visible()
    choose(page, "accuracy", "Keep at the left")
    expect(grid(page).locator(".head.frozen", has_text="accuracy").first).to_be_visible()
    choose(page, "Duration", "Hide")
    expect(header(page, "Duration")).to_have_count(0)
    page.reload()
    expect(grid(page).locator(".head.frozen", has_text="accuracy").first).to_be_visible()
    expect(header(page, "Duration")).to_have_count(0)


def test_columns_are_picked_by_text_and_by_expression(
    open_page: Opener, site: Site, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}", theme=theme)
    expect(header(page, "accuracy")).to_be_visible()
    page.get_by_role("button", name="Columns").click()
    dialog = page.get_by_role("dialog", name="Columns")
    expect(dialog.get_by_role("option").first).to_be_visible()
    check_accessible(page)
    picture(page, f"columns-{theme}")
    dialog.get_by_label("Search columns").fill("optimizer")
    dialog.get_by_role("listbox").get_by_role("option", name="optimizer").click()
    dialog.get_by_role("button", name=".*").click()
    dialog.get_by_label("Search columns").fill("^val/")
    expect(dialog.get_by_role("status")).to_contain_text("2 columns")
    dialog.get_by_role("button", name="Hide all").click()
    dialog.get_by_label("Search columns").fill("(")
    expect(dialog.get_by_role("alert")).to_be_visible()
    page.keyboard.press("Escape")
    expect(header(page, "val/loss")).to_have_count(0)
    expect(header(page, "optimizer")).to_have_count(0)


def test_filters_are_completed_from_the_grammar_and_the_keys(open_page: Opener, site: Site) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}")
    expect(page.get_by_text("18 runs")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("met")
    expect(page.get_by_role("option", name="metrics.")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.type("accu")
    expect(page.get_by_role("option", name="metrics.accuracy")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Filter runs")).to_have_value("metrics.accuracy ")
    page.keyboard.type("> 0.95")
    box = page.get_by_role("combobox", name="Filter runs")
    expect(box).to_have_value("metrics.accuracy > 0.95")
    repeated(lambda: page.keyboard.press("Enter"), lambda: expect(page.get_by_text("5 runs")).to_be_visible())
    expect(page).to_have_url(f"{site.uri}/exp/{site.facts['experiment']}?q=metrics.accuracy+%3E+0.95")
    box.fill("metrics.accuracy >> 1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("metrics.accuracy")


def test_a_cell_becomes_a_filter(open_page: Opener, site: Site) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}?cols=params.optimizer,attributes.status")
    cell = grid(page).get_by_role("gridcell", name="lion").first
    cell.click(button="right")
    page.get_by_role("menuitem", name="Filter to this").click()
    expect(page.get_by_role("combobox", name="Filter runs")).to_have_value("params.optimizer = 'lion'")
    expect(page.get_by_text("4 runs")).to_be_visible()
    grid(page).get_by_role("gridcell", name="Finished").first.click(button="right")
    page.get_by_role("menuitem", name="Exclude this").click()
    expect(page.get_by_text("No run fits the filter.")).to_be_visible()


def test_only_what_varies(open_page: Opener, site: Site) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}?cols=params.dataset,params.optimizer")
    expect(header(page, "dataset")).to_be_visible()
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitemcheckbox", name="Varying columns only").click()
    expect(header(page, "dataset")).to_have_count(0)
    expect(header(page, "optimizer")).to_be_visible()


def test_groups_open_as_filters(open_page: Opener, site: Site, theme: Theme, check_accessible: Check) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}", theme=theme)
    page.get_by_role("button", name="Group").click()
    page.get_by_role("menuitemcheckbox", name="optimizer").click()
    groups = page.get_by_role("grid", name="Groups of runs")
    expect(groups.get_by_role("row").filter(has_text="lion")).to_contain_text("4")
    expect(page.get_by_role("status").first).to_contain_text("groups of 18 runs")
    check_accessible(page)
    groups.get_by_role("gridcell", name="lion").click()
    expect(page.get_by_text("4 runs", exact=True)).to_be_visible()
    expect(page.get_by_role("combobox", name="Filter runs")).to_have_value("params.optimizer = 'lion'")


def test_children_lie_under_their_parent(open_page: Opener, site: Site) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}")
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitemcheckbox", name="Parents and children").click()
    expect(page.get_by_role("link", name="trial-0")).to_have_count(0)
    row = grid(page).get_by_role("row").filter(has_text="sweep")
    row.get_by_role("button", name="Open").click()
    expect(page.get_by_role("link", name="trial-0")).to_be_visible()
    row.get_by_role("button", name="Close").click()
    expect(page.get_by_role("link", name="trial-0")).to_have_count(0)


def test_selected_runs_are_tagged_deleted_and_restored(open_page: Opener, own: str) -> None:
    page = open_page(f"/exp/{own}?cols=tags.colour")
    expect(page.get_by_role("link", name="own-4")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("Shift+X")
    bar = page.get_by_role("region", name="Selected runs")
    expect(bar).to_contain_text("2 runs selected")
    bar.get_by_role("button", name="Tag").click()
    page.get_by_role("textbox", name="Key").fill("colour")
    page.get_by_label("Value").fill("blue")
    page.get_by_role("button", name="Set tag").click()
    expect(grid(page).get_by_role("gridcell", name="blue")).to_have_count(2)
    bar.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("3 runs", exact=True)).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("5 runs", exact=True)).to_be_visible()
    grid(page).get_by_role("checkbox", name="Select row 1").check()
    bar.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("4 runs", exact=True)).to_be_visible()
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitemcheckbox", name="Deleted runs").click()
    expect(page.get_by_role("link", name="own-4")).to_be_visible()
    grid(page).get_by_role("checkbox", name="Select row 1").check()
    bar.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("No run of this experiment is in the trash.")).to_be_visible()


def test_runs_are_moved_to_another_experiment(open_page: Opener, own: str, client: MlflowClient) -> None:
    other = client.create_experiment(f"other-{uuid.uuid4().hex[:8]}")
    page = open_page(f"/exp/{own}")
    grid(page).get_by_role("checkbox", name="Select row 1").check()
    page.get_by_role("button", name="Move").click()
    page.get_by_label("To the experiment").select_option(other)
    page.get_by_role("dialog").get_by_role("button", name="Move").click()
    expect(page.get_by_text("4 runs", exact=True)).to_be_visible()
    assert [run.info.run_name for run in client.search_runs([other])] == ["own-4"]


def test_the_selection_is_compared(open_page: Opener, own: str, site: Site) -> None:
    page = open_page(f"/exp/{own}")
    grid(page).get_by_role("checkbox", name="Select row 1").check()
    grid(page).get_by_role("checkbox", name="Select row 2").check()
    expect(page.get_by_text("2 runs selected")).to_be_visible()
    chosen = page.url.split("sel=")[1]
    page.get_by_role("button", name="Compare").click()
    expect(page).to_have_url(f"{site.uri}/compare?sel={chosen}")


def test_a_run_is_peeked_at_while_walking(
    open_page: Opener, site: Site, theme: Theme, check_accessible: Check, picture: Picture
) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}?q=run_name+LIKE+'amber%25'", theme=theme)
    expect(page.get_by_text("12 runs")).to_be_visible()
    grid(page).focus()
    page.keyboard.press("Space")
    drawer = page.get_by_role("complementary", name="Run")
    expect(drawer).to_contain_text("amber-11")
    expect(drawer).to_contain_text("Run 11 of the sweep.")
    page.keyboard.press("ArrowDown")
    expect(drawer).to_contain_text("amber-10")
    check_accessible(page)
    picture(page, f"peek-{theme}")
    page.keyboard.press("Escape")
    expect(drawer).to_have_count(0)


def test_the_whole_filtered_set_is_downloaded(open_page: Opener, own: str) -> None:
    page = open_page(f"/exp/{own}?q=metrics.loss+<+0.5&cols=metrics.loss,params.lr")
    expect(page.get_by_text("3 runs")).to_be_visible()
    page.get_by_role("button", name="More").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="CSV of these columns").click()
    with open(download.value.path(), newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["metrics.loss"] for row in rows] == ["0.2", "0.25", "0.3333333333333333"]


def test_views_are_saved_opened_made_default_and_deleted(open_page: Opener, own: str) -> None:
    page = open_page(f"/exp/{own}?sort=metrics.loss&cols=metrics.loss")
    expect(page.get_by_role("link", name="own-4")).to_be_visible()
    page.get_by_role("button", name="Views").click()
    page.get_by_role("menuitem", name="Save this view").click()
    page.get_by_label("Name", exact=True).fill("by loss")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="by loss").click()
    page.get_by_role("menuitem", name="Make it the default for everyone").click()
    expect(page.get_by_text("The experiment opens with by loss")).to_be_visible()
    page = open_page(f"/exp/{own}")
    expect(page.get_by_role("button", name="by loss")).to_be_visible()
    expect(header(page, "loss")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("button", name="by loss").click()
    page.get_by_role("menuitem", name="As it was at first").click()
    expect(header(page, "Started")).to_be_visible()
    page.get_by_role("button", name="Views").click()
    page.get_by_role("menuitemcheckbox", name="by loss").click()
    page.get_by_role("button", name="by loss").click()
    page.get_by_role("menuitem", name="Delete by loss").click()
    expect(page.get_by_role("button", name="Views")).to_be_visible()


def test_what_others_log_appears(open_page: Opener, own: str, client: MlflowClient) -> None:
    page = open_page(f"/exp/{own}?cols=metrics.loss,attributes.status")
    expect(page.get_by_role("link", name="own-4")).to_be_visible()
    run = next(iter(client.search_runs([own], "run_name = 'own-4'")))
    client.log_metric(run.info.run_id, "loss", 0.125, step=1)
    expect(grid(page).get_by_role("row").filter(has_text="own-4")).to_contain_text("0.125")
    client.create_run(own, run_name="newcomer")
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    assert names(page)[0] == "own-4"
    page.keyboard.press(".")
    expect(page.get_by_role("link", name="newcomer")).to_be_visible()


def test_a_state_too_long_for_an_address_lives_on_the_server(open_page: Opener, own: str) -> None:
    page = open_page(f"/exp/{own}")
    expect(page.get_by_role("link", name="own-4")).to_be_visible()
    page.get_by_role("combobox", name="Filter runs").fill(
        " or ".join(f"params.lr = '{number}'" for number in range(120)) + " or metrics.loss = 0.25"
    )
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 run", exact=True)).to_be_visible()
    page.wait_for_url("**?v=*")
    page.reload()
    expect(page.get_by_text("1 run", exact=True)).to_be_visible()


def test_an_experiment_is_renamed_and_deleted_from_its_page(open_page: Opener, own: str, client: MlflowClient) -> None:
    page = open_page(f"/exp/{own}")
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Rename the experiment").click()
    fresh = f"fresh-{uuid.uuid4().hex[:8]}"
    page.get_by_label("Name", exact=True).fill(fresh)
    page.get_by_role("button", name="Rename", exact=True).click()
    expect(page.get_by_role("heading", name=fresh)).to_be_visible()
    page.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Delete the experiment").click()
    expect(page.get_by_role("grid", name="Experiments")).to_be_visible()
    assert client.get_experiment(own).lifecycle_stage == "deleted"


def test_the_menu_of_a_header_opens_by_the_keyboard(open_page: Opener, site: Site) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}?cols=metrics.accuracy,params.lr")
    expect(page.get_by_role("link", name="amber-11")).to_be_visible()
    grid(page).focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+F10")
    menu = page.get_by_role("menu", name="accuracy: choices")
    expect(menu.get_by_role("menuitem", name="Sort upwards")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(header(page, "accuracy")).to_have_attribute("aria-sort", "descending")
    expect(grid(page)).to_be_focused()
    page.keyboard.press("h")
    expect(header(page, "accuracy")).to_have_count(0)


def test_the_tab_key_reaches_every_control(open_page: Opener, site: Site) -> None:
    page = open_page(f"/exp/{site.facts['experiment']}")
    expect(page.get_by_role("link", name="amber-11")).to_be_visible()
    reached: set[str] = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("""() => {
          const at = document.activeElement
          return at.getAttribute("aria-label") || at.textContent.trim()
        }"""))
    assert reached >= {
        "Skip to content", "Experiments", "Models", "Serving", "Trash", "Settings", "Search Ctrl K", "Filter runs",
        "Table", "Charts", "Split", "Columns", "Group", "Views", "More", "Runs",
    }
