"""Serving by mouse, on a real serving host: switched on, asked, shared out, watched, and deleted."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from millstream import MlflowClient
from tests.e2e.ui.conftest import Opener, Site, Theme
from tests.servers.keeper import ROOT
from tests.servers.millstream import MillstreamServer

SEED = '''
import millstream as mlflow
import pandas as pd
from millstream.models import infer_signature

table = pd.DataFrame({"amount": [120.0, 80.0], "country": ["de", "fr"], "age": [31, 64]})
for _ in range(3):
    with mlflow.start_run():
        mlflow.pyfunc.log_model(
            name="m", python_model="model.py", registered_model_name="churn", input_example=table, pip_requirements=[],
            signature=infer_signature(table, [0, 1], params={"limit": 100.0}),
        )
'''
MODEL = '''
import millstream

class Rule(millstream.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [int(amount > (params or {}).get("limit", 100.0)) for amount in model_input["amount"]]

millstream.models.set_model(Rule())
'''
SLOW = 60_000  # milliseconds until a scoring process is up, on a machine that does other things too


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with a serving host, and a registered model of three versions. No endpoint."""
    subprocess.run([sys.executable, str(ROOT / "tools" / "ui.py"), "build"], check=True)
    with MillstreamServer(tmp_path_factory.mktemp("serving"), options=("--serve-models",)) as server:
        place = tmp_path_factory.mktemp("seed")
        (place / "model.py").write_text(MODEL)
        environment = {**os.environ, "MILLSTREAM_TRACKING_URI": server.uri, "OMP_NUM_THREADS": "1"}
        subprocess.run([sys.executable, "-W", "ignore", "-c", SEED], env=environment, cwd=place, check=True)
        MlflowClient(server.uri).set_registered_model_alias("churn", "champion", "2")
        yield Site(server, {})


@pytest.fixture
def client(site: Site) -> MlflowClient:
    return MlflowClient(site.uri)


@pytest.fixture
def endpoint(client: MlflowClient) -> Iterator[Callable[..., str]]:
    """Makes endpoints of the model in the host's own environment; they are deleted after the test."""
    names = []

    def make(name: str, **settings: object) -> str:
        client.create_endpoint(name, "churn", env_manager="local", **settings)  # type: ignore[arg-type]
        names.append(name)
        return name

    yield make
    for name in names:
        client.delete_endpoint(name)


def asked(site: Site, name: str, amount: float = 120.0) -> int:
    """The status of one request for a prediction."""
    body = json.dumps({"dataframe_records": [{"amount": amount, "country": "de", "age": 40}]}).encode()
    request = urllib.request.Request(
        f"{site.uri}/endpoints/{name}/invocations", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return int(answer.status)


def is_ready(page: Page) -> None:
    """Wait until the endpoint whose page it is answers."""
    expect(page.get_by_role("region", name="State").get_by_text("Ready", exact=True).first).to_be_visible(timeout=SLOW)


def test_serving_is_switched_on_off_and_on_again(open_page: Opener, client: MlflowClient) -> None:
    page = open_page("/serving")
    expect(page.get_by_text("Nothing is served yet.")).to_be_visible()
    page.get_by_role("button", name="Switch on").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Version that answers").select_option("@champion")
    form.get_by_label("Environment").select_option("local")
    form.get_by_label("Versions that run").select_option("traffic")
    form.get_by_role("textbox", name="Name of the endpoint").fill("switched")
    form.get_by_role("button", name="Switch on").click()
    expect(page).to_have_url(re.compile("/serving/switched$"))
    page.get_by_role("link", name="Serving").first.click()
    row = page.get_by_role("row").filter(has_text="switched")
    expect(row).to_contain_text("Ready", timeout=SLOW)
    expect(row).to_contain_text("v2 @champion 100 %")
    expect(row).to_contain_text("1/1")
    row.get_by_text("Ready").click(button="right")
    page.get_by_role("menuitem", name="Switch off").click()
    expect(page.get_by_text("switched is switched off")).to_be_visible()
    expect(row).to_contain_text("Off", timeout=SLOW)
    page.get_by_role("button", name="Undo").click()
    expect(row).to_contain_text("Ready", timeout=SLOW)
    page.get_by_label("Filter endpoints").fill("nothing")
    expect(page.get_by_text("No endpoint has such a name.")).to_be_visible()
    page.get_by_label("Filter endpoints").fill("SWIT")
    row.get_by_text("Ready").click(button="right")
    page.get_by_role("menuitem", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(row).to_have_count(0)
    assert client.list_endpoints() == []


def test_figures_stand_in_the_list(
    open_page: Opener, site: Site, endpoint: Callable[..., str], theme: Theme, check_accessible: Callable[[Page], None],
    picture: Callable[[Page, str], None],
) -> None:
    name = endpoint(f"listed-{theme}", serves="traffic")
    page = open_page("/serving", theme=theme)
    row = page.get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("Ready", timeout=SLOW)
    for _ in range(5):
        assert asked(site, name) == 200
    expect(row).to_contain_text("ms", timeout=30_000)
    expect(row).to_contain_text("0 %")
    check_accessible(page)
    picture(page, f"serving-{theme}")
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_role("dialog").get_by_label("Registered model")).to_have_value("churn")
    check_accessible(page)
    picture(page, f"serving-form-{theme}")


def test_without_a_host_the_page_says_what_to_start(
    browser: Browser, site: Site, tmp_path: Path, check_accessible: Callable[[Page], None],
) -> None:
    with MillstreamServer(tmp_path) as server:
        context = browser.new_context(reduced_motion="reduce")
        page = context.new_page()
        page.goto(f"{server.uri}/serving")
        expect(page.get_by_role("status").filter(has_text="No serving host lives")).to_be_visible()
        expect(page.get_by_text("millstream server --serve-models")).to_be_visible()
        check_accessible(page)
        context.close()
