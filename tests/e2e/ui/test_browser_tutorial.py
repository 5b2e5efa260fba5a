"""The path of the tutorials by mouse alone, from a new experiment to a prediction by the model that it brought."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from millstream import MlflowClient
from tests.e2e.ui.conftest import Opener, Site
from tests.servers.keeper import ROOT
from tests.servers.millstream import MillstreamServer

TRAINING = '''
import millstream as mlflow
import pandas as pd
from sklearn.linear_model import LogisticRegression

table = pd.DataFrame({"age": range(20, 60), "balance": [float(100 * (age % 7)) for age in range(20, 60)]})
left = (table["age"] > 40).astype(int)
mlflow.set_experiment("tutorial")
mlflow.sklearn.autolog(log_input_examples=True)
for strength in (0.001, 1.0):
    with mlflow.start_run(run_name=f"strength-{strength}"):
        LogisticRegression(C=strength, max_iter=500).fit(table, left)
        mlflow.set_tag("team", "growth")
'''
SLOW = 90_000  # milliseconds until a scoring process is up, on a machine that does other things too


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An empty server with a serving host."""
    subprocess.run([sys.executable, str(ROOT / "tools" / "ui.py"), "build"], check=True)
    with MillstreamServer(tmp_path_factory.mktemp("tutorial"), options=("--serve-models",)) as server:
        yield Site(server, {})


def test_from_an_experiment_to_a_prediction(open_page: Opener, site: Site, tmp_path: Path) -> None:
    page = open_page("/")
    page.get_by_role("button", name="New experiment").click()
    page.get_by_role("dialog").get_by_label("Name", exact=True).fill("tutorial")
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_role("heading", name="tutorial")).to_be_visible()

    environment = {**os.environ, "MILLSTREAM_TRACKING_URI": site.uri, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", TRAINING], env=environment, cwd=tmp_path, check=True)
    page.get_by_role("link", name="Experiments", exact=True).first.click()
    page.get_by_role("link", name="tutorial", exact=True).click()
    page.get_by_role("link", name="strength-1.0").click()
    expect(page.get_by_role("heading", name="strength-1.0")).to_be_visible()
    facts = page.get_by_role("region", name="Facts")
    expect(facts.get_by_role("row").filter(has_text="solver")).to_contain_text("lbfgs")
    expect(facts.get_by_text("team growth")).to_be_visible()
    metrics = page.get_by_role("grid", name="Metrics")
    expect(metrics.get_by_role("row").filter(has_text="training_accuracy_score")).to_be_visible()
    page.get_by_role("tab", name="Artifacts").click()
    page.get_by_role("tree").get_by_text("estimator.html").click()
    expect(page.frame_locator("iframe").locator("label").first).to_contain_text("LogisticRegression")

    page.get_by_role("link", name="tutorial", exact=True).first.click()
    for strength in ("0.001", "1.0"):
        row = page.get_by_role("row").filter(has_text=f"strength-{strength}")
        row.get_by_role("checkbox").check()
    page.get_by_role("button", name="Compare").click()
    expect(page).to_have_url(re.compile(r"/compare\?sel="))
    expect(page.get_by_role("group", name="Parallel coordinates")).to_be_visible()
    for plot, shown in (("Scatter", "Scatter plot"), ("Box", "Box plot")):
        page.get_by_role("tab", name=plot, exact=True).click()
        expect(page.get_by_role("group", name=shown)).to_be_visible()

    page.get_by_role("link", name="Models", exact=True).first.click()
    page.get_by_role("button", name="New model").click()
    page.get_by_role("dialog").get_by_label("Name", exact=True).fill("leavers")
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_text("The model has no versions yet.")).to_be_visible()
    page.get_by_role("link", name="Experiments", exact=True).first.click()
    page.get_by_role("link", name="tutorial", exact=True).click()
    page.get_by_role("link", name="strength-1.0").click()
    page.get_by_role("button", name="Register model").click()
    page.get_by_role("dialog").get_by_label("Registered model").select_option("leavers")
    page.get_by_role("dialog").get_by_role("button", name="Register").click()
    expect(page.get_by_text("leavers version 1").first).to_be_visible()

    client = MlflowClient(site.uri)
    page.get_by_role("link", name="Models", exact=True).first.click()
    page.get_by_role("link", name="leavers", exact=True).click()
    page.get_by_role("link", name="Version 1", exact=True).click()
    for stage in ("Production", "None", "Production"):
        page.get_by_role("button", name="Move").click()
        form = page.get_by_role("dialog")
        form.locator("select").select_option(stage)
        form.get_by_role("button", name="Move", exact=True).click()
        expect(form).to_have_count(0)
        assert client.get_model_version("leavers", "1").current_stage == stage

    page.get_by_role("button", name="Serve").click()
    form = page.get_by_role("dialog")
    expect(form.get_by_label("Registered model")).to_have_value("leavers")
    form.get_by_label("Environment").select_option("local")
    form.get_by_role("button", name="Switch on").click()
    state = page.get_by_role("region", name="State")
    expect(state.get_by_text("Ready", exact=True).first).to_be_visible(timeout=SLOW)
    form = page.get_by_role("form", name="Try it")
    expect(form.get_by_label("age of record 1")).not_to_have_value("")
    form.get_by_label("age of record 1").fill("59")
    page.get_by_role("button", name="Send").click()
    expect(form.get_by_text("by version 1")).to_be_visible()
