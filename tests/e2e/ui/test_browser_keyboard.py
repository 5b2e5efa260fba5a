"""The keyboard alone: on every page the Tab key comes to every control, or to the grid, tree, list or menu it is in."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.ui.conftest import Opener, Site

# Numbers what the Tab key must reach, and tells what no key would reach.
MARK = """() => {
  const within = "[role=grid], [role=tree], [role=tablist], [role=listbox], [role=menu]"
  const controls = "a[href], button, input, select, textarea, iframe, summary, audio[controls], [tabindex]"
  const seen = element => element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0
  const lost = []
  const lose = element => lost.push(element.outerHTML.slice(0, 200))
  let count = 0
  for (const element of document.querySelectorAll(controls)) {
    if (!seen(element) || element.disabled) continue
    if (element.tabIndex >= 0) element.dataset.walk = String(count++)
    else if (!element.parentElement.closest(within) && element.id !== "content") lose(element)
  }
  for (const element of document.querySelectorAll("body *")) {
    const pointed = [element, element.parentElement].map(one => getComputedStyle(one).cursor === "pointer")
    const focusable = element.closest(controls) || element.closest("label") || element.closest(within)
    if (pointed[0] && !pointed[1] && seen(element) && !focusable) lose(element)
  }
  return { count, lost }
}"""
FOCUSED = "() => document.activeElement && document.activeElement.dataset.walk"
MISSED = """reached => [...document.querySelectorAll("[data-walk]")]
  .filter(element => !reached.includes(element.dataset.walk)).map(element => element.outerHTML.slice(0, 200))"""
AROUND = 12

RUN = "/run/{run}"
FILE = f"{RUN}?tab=artifacts&path="
EXPERIMENT = "/exp/{experiment}"
COMPARED = "/compare?exp={experiment}"
# A page's address, and a role that something on it has once it is there.
PAGES = {
    "experiments": ("/", "grid"), "runs": (EXPERIMENT, "grid"),
    "runs in groups": (f"{EXPERIMENT}?group=params.optimizer", "grid"),
    "runs beside charts": (f"{EXPERIMENT}?view=split", "group"), "run": (RUN, "group"),
    "charts of a run": (f"{RUN}?tab=charts", "group"), "text file": (f"{FILE}notes/log.txt", "tree"),
    "table file": (f"{FILE}tables/confusion.csv", "tree"), "json file": (f"{FILE}facts.json", "tree"),
    "notebook": (f"{FILE}explore.ipynb", "tree"), "logs": (f"{RUN}?tab=logs", "tab"),
    "model of a run": ("/run/{churn_run}?tab=model", "tab"), "parallel coordinates": (COMPARED, "grid"),
    "scatter": (f"{COMPARED}&tab=scatter", "grid"), "boxes": (f"{COMPARED}&tab=box", "grid"),
    "importance": (f"{COMPARED}&tab=importance", "grid"), "lines": (f"{COMPARED}&tab=lines", "grid"),
    "models": ("/models", "grid"), "model": ("/models/churn", "grid"), "version": ("/models/churn/2", "tab"),
    "serving": ("/serving", "main"), "webhooks": ("/webhooks", "main"), "trash": ("/trash", "grid"),
    "settings": ("/settings", "main"),
}


def settled(page: Page) -> None:
    """Return once the page has loaded what it shows."""
    page.wait_for_load_state("networkidle")
    expect(page.get_by_text("Loading…")).to_have_count(0)


@pytest.mark.parametrize("name", PAGES)
def test_the_tab_key_comes_to_everything(open_page: Opener, site: Site, name: str) -> None:
    address, shown = PAGES[name]
    ids = {**site.facts, "run": site.facts["runs"][0], "churn_run": site.facts["churn_runs"][0]}
    page = open_page(address.format(**ids))
    expect(page.get_by_role(shown).first).to_be_visible()  # type: ignore[arg-type]
    settled(page)
    marked: dict[str, Any] = page.evaluate(MARK)
    assert marked["lost"] == []
    assert marked["count"] > AROUND
    reached: set[str] = set()
    for _ in range(marked["count"] + AROUND):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUSED)
        if at is not None:
            reached.add(at)
    assert page.evaluate(MISSED, sorted(reached)) == []
