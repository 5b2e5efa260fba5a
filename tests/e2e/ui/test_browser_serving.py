"""Serving by mouse, on a real serving host: switched on, asked, shared out, watched, and deleted."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from millstream import MlflowClient
from tests.e2e.ui.conftest import Opener, Site, Theme
from tests.servers.keeper import ROOT
from tests.servers.millstream import MillstreamServer
from tests.servers.processes import wait_until

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


def test_traffic_is_shared_out_and_the_form_is_answered(
    open_page: Opener, site: Site, client: MlflowClient, endpoint: Callable[..., str]
) -> None:
    name = endpoint("tried")
    page = open_page(f"/serving/{name}")
    is_ready(page)
    page.get_by_role("button", name="Add a share").click()
    share = page.get_by_role("group", name="Share 1")
    share.get_by_label("Version, stage or alias").select_option("@champion")
    page.get_by_role("button", name="Add a share").click()
    other = page.get_by_role("group", name="Share 2")
    other.get_by_label("Weight").fill("")
    expect(page.get_by_role("alert")).to_contain_text("Weights are numbers")
    other.get_by_label("Weight").fill("25")
    share.get_by_label("Weight").fill("75")
    expect(share).to_contain_text("75 %")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The traffic is shared out anew")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="champion")).to_contain_text("75 %")
    assert {one.target: one.weight for one in client.get_endpoint(name).endpoint.traffic} == {"@champion": 75, "3": 25}
    page.get_by_role("button", name="All traffic to version 1").click()
    expect(page.get_by_text("Version 1 gets all the traffic")).to_be_visible()
    assert [one.target for one in client.get_endpoint(name).endpoint.traffic] == ["1"]

    form = page.get_by_role("form", name="Try it")
    expect(form.get_by_label("amount of record 1")).to_have_value(re.compile("^120"))
    for _ in range(100):  # the host looks for another rule once a second
        page.get_by_role("button", name="Send").click()
        expect(form.get_by_text(re.compile("by version"))).to_be_visible()
        if form.get_by_text("by version 1").is_visible():
            break
        page.wait_for_timeout(100)
    expect(form.get_by_text("by version 1")).to_be_visible()
    expect(form.locator(".code")).to_contain_text("predictions")
    assert json.loads(form.locator(".code").inner_text()) == {"predictions": [1, 0]}
    form.get_by_label("Parameter limit").fill("10")
    page.get_by_role("button", name="Send").click()
    expect(form.locator(".code")).not_to_contain_text("0")
    form.get_by_label("amount of record 1").fill("much")
    page.get_by_role("button", name="Send").click()
    expect(form.get_by_role("alert")).to_contain_text("amount takes a number, not much")
    form.get_by_label("amount of record 1").fill("5")
    form.get_by_role("button", name="Remove record 2").click()
    form.get_by_role("button", name="Copy as a curl command").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    told = subprocess.run(shlex.split(copied.replace("\\\n", "")), capture_output=True, text=True, check=True)
    assert json.loads(told.stdout) == {"predictions": [0]}
    form.get_by_role("button", name="JSON").click()
    form.get_by_label("Body").fill('{"dataframe_records": [{"amount": "x"}]}')
    page.get_by_label("Version that answers").select_option("2")
    expect(page).to_have_url(re.compile("version=2"))
    form.get_by_role("button", name="JSON").click()
    form.get_by_label("Body").fill('{"dataframe_records": [{"amount": "x"}]}')
    page.get_by_role("button", name="Send").click()
    expect(form.get_by_role("alert")).to_contain_text("status 400")


def test_settings_and_history(open_page: Opener, client: MlflowClient, endpoint: Callable[..., str]) -> None:
    name = endpoint("scaled", serves="traffic")
    page = open_page(f"/serving/{name}")
    is_ready(page)
    page.get_by_role("button", name="Settings").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Replicas").fill("2")
    form.get_by_label("Requests under way at one time, at most").fill("7")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("region", name="State")).to_contain_text("2/2", timeout=SLOW)
    found = client.get_endpoint(name).endpoint
    assert (found.replicas, found.limits.requests, found.limits.seconds) == (2, 7, None)
    page.get_by_role("button", name="Restart").click()
    expect(page.get_by_text("starts new processes")).to_be_visible()
    page.get_by_role("tab", name="History").click()
    expect(page.get_by_role("row").filter(has_text="Restarted")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="Created")).to_be_visible()
    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_text(f"{name} is switched off")).to_be_visible()
    expect(page.get_by_role("region", name="State")).to_contain_text("Off", timeout=SLOW)


def test_logs_and_requests(
    open_page: Opener, site: Site, client: MlflowClient, endpoint: Callable[..., str],
    check_accessible: Callable[[Page], None],
) -> None:
    name = endpoint("logged")
    page = open_page(f"/serving/{name}?tab=requests")
    is_ready(page)
    page.get_by_role("button", name="Watch it").click()
    expect(page.get_by_text(f"{name} is watched")).to_be_visible()
    assert client.get_monitor(name).settings.sample_rate == 1.0
    expect(page.get_by_text("No request was kept yet.")).to_be_visible()
    rows = page.get_by_role("row").filter(has_text="application/json")

    def one_is_kept() -> bool:
        """The host hears of the monitor a little later."""
        asked(site, name)
        return len(client.search_requests(name)) > 0

    wait_until(one_is_kept, 60, "a request in the log")
    expect(rows.first).to_contain_text("200", timeout=30_000)
    check_accessible(page)
    rows.first.get_by_text("application/json").dblclick()
    drawer = page.get_by_role("complementary", name="Request")
    expect(drawer).to_contain_text("dataframe_records")
    expect(drawer).to_contain_text("predictions")
    check_accessible(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Failed").click()
    expect(page.get_by_text("No such request was kept.")).to_be_visible()
    page.get_by_role("tab", name="Logs").click()
    lines = page.get_by_role("region", name="Logs")
    expect(lines).to_contain_text("The model is served at")
    expect(lines).to_contain_text("version 1, replica 1")
    page.get_by_label("Version", exact=True).select_option("3")
    expect(lines).not_to_contain_text("version 1, replica 1")
    expect(lines).to_contain_text("version 3, replica 1")
    check_accessible(page)


def test_canaries_and_shadows(
    open_page: Opener, client: MlflowClient, endpoint: Callable[..., str], check_accessible: Callable[[Page], None],
    picture: Callable[[Page, str], None],
) -> None:
    name = endpoint("rolled", traffic={"1": 1})
    page = open_page(f"/serving/{name}")
    is_ready(page)

    def start(steps: str) -> None:
        page.get_by_role("button", name="Start a canary").click()
        form = page.get_by_role("dialog")
        form.get_by_label("Steps").fill(steps)
        form.get_by_role("button", name="Start").click()

    start("10")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("10 is no step")
    page.get_by_role("dialog").get_by_label("Steps").fill("10:3600, 40:3600")
    page.get_by_role("dialog").get_by_role("button", name="Start").click()
    steps = page.get_by_role("list", name="Steps")
    expect(steps.locator("[aria-current]")).to_contain_text("10 %")
    expect(page.get_by_role("row").filter(has_text="v3")).to_contain_text("10 %")
    page.get_by_role("button", name="Next step").click()
    expect(steps.locator("[aria-current]")).to_contain_text("40 %")
    expect(page.get_by_role("row").filter(has_text="v3")).to_contain_text("40 %")
    check_accessible(page)
    picture(page, "endpoint-canary-light")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("Version 3 was rolled back")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="v1")).to_contain_text("100 %")
    start("10:3600")
    page.get_by_role("button", name="Promote").click()
    expect(page.get_by_text("Version 3 was promoted")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="v3")).to_contain_text("100 %")

    page.get_by_role("button", name="Add a shadow").click()
    page.get_by_role("menuitem", name="@champion").click()
    expect(page.get_by_role("row").filter(has_text="v2")).to_contain_text("shadow")
    assert client.get_endpoint(name).endpoint.shadow == ["@champion"]
    page.get_by_role("button", name="No copies to @champion").click()
    expect(page.get_by_text("No version gets copies of requests.")).to_be_visible()
    page.get_by_role("button", name="Undo").last.click()
    expect(page.get_by_role("button", name="No copies to @champion")).to_be_visible()


def found(site: Site, name: str, sequence: int, psi: float) -> None:
    """What a serving host found in one window, sent as hosts do; beyond 0.1 an alert is raised."""
    bad = psi > 0.1
    now = int(time.time() * 1000) + (sequence - 10) * 60_000
    body = {
        "window": {"start_time": now - 60_000, "end_time": now, "first_sequence": sequence, "last_sequence": sequence,
                   "model": "churn", "version": "3", "requests": 120, "rows": 1200},
        "findings": [
            {"statistic": "psi", "column": "amount", "value": psi, "limit": 0.1, "state": "exceeded" if bad else "ok"},
            {"statistic": "psi", "column": "country", "value": 0.012, "limit": 0.1},
            {"statistic": "missing", "column": "country", "value": 0.25, "limit": 0.5},
            {"statistic": "outliers", "value": 0.004, "limit": 0.05},
        ],
        "raised": [{"statistic": "psi", "column": "amount", "value": psi, "limit": 0.1,
                    "reason": f"psi of amount was {psi}, beyond 0.1, in 2 windows"}] if bad else [],
    }
    request = urllib.request.Request(
        f"{site.uri}/api/v1/endpoints/{name}/findings", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    urllib.request.urlopen(request).close()


def test_drift_alerts_and_the_monitor(
    open_page: Opener, site: Site, client: MlflowClient, endpoint: Callable[..., str], theme: Theme,
    check_accessible: Callable[[Page], None], picture: Callable[[Page, str], None],
) -> None:
    name = endpoint(f"watched-{theme}", enabled=False)
    page = open_page(f"/serving/{name}?tab=monitoring", theme=theme)
    page.get_by_role("button", name="Watch it").click()
    expect(page.get_by_text("No window was looked at yet.")).to_be_visible()
    expect(page.get_by_text("No alert was raised.")).to_be_visible()
    for sequence, psi in enumerate((0.01, 0.03, 0.02, 0.05, 0.08, 0.31), 1):
        found(site, name, sequence, psi)
    cell = page.get_by_role("row").filter(has_text="amount").get_by_role("button")
    expect(cell.first).to_contain_text("0.31", timeout=30_000)
    expect(cell.first).to_contain_text("beyond its limit")
    expect(page.get_by_role("row").filter(has_text="Open")).to_contain_text("psi of amount was 0.31", timeout=30_000)
    expect(page.get_by_role("group", name="psi of amount")).to_be_visible()
    check_accessible(page)
    picture(page, f"endpoint-monitoring-{theme}")
    page.get_by_role("row").filter(has_text="all together").get_by_role("button").click()
    expect(page).to_have_url(re.compile("chart=outliers"))
    expect(page.get_by_role("group", name="outliers")).to_be_visible()

    page.get_by_role("button", name="Change").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Thresholds").fill("psi")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("psi is no threshold")
    form.get_by_label("Thresholds").fill("psi:amount=0.4")
    form.get_by_label("Rows of a window", exact=True).fill("500")
    form.get_by_label("Tag of the model").fill("retrain")
    form.get_by_label("Value of the tag").fill("drift")
    check_accessible(page)
    form.get_by_role("button", name="Save").click()
    expect(form).to_have_count(0)
    expect(page.get_by_text("psi:amount=0.4")).to_be_visible()
    settings = client.get_monitor(name).settings
    assert (settings.window_rows, settings.every_seconds) == (500, 60.0)
    assert [(one.statistic, one.column, one.limit) for one in settings.thresholds] == [("psi", "amount", 0.4)]
    assert [(one.kind, one.key) for one in settings.actions] == [("webhook", ""), ("tag", "retrain")]
    page.get_by_role("button", name="Stop watching").click()
    page.get_by_role("dialog").get_by_role("button", name="Stop watching").click()
    expect(page.get_by_role("button", name="Watch it")).to_be_visible()


def test_an_endpoint_that_is_not_there(open_page: Opener) -> None:
    page = open_page("/serving/nowhere")
    expect(page.get_by_role("alert")).to_contain_text("nowhere")


def test_the_endpoint_page_is_accessible(
    open_page: Opener, site: Site, endpoint: Callable[..., str], theme: Theme, check_accessible: Callable[[Page], None],
    picture: Callable[[Page, str], None],
) -> None:
    name = endpoint(f"churn-{theme}", traffic={"@champion": 90, "3": 10})
    page = open_page(f"/serving/{name}", theme=theme)
    is_ready(page)
    for number in range(30):
        assert asked(site, name, 90.0 + number) == 200
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("predictions")).to_be_visible()
    expect(page.get_by_role("group", name="Requests/s")).to_be_visible(timeout=30_000)
    check_accessible(page)
    picture(page, f"endpoint-{theme}")
    page.get_by_role("button", name="As a table").click()
    expect(page.get_by_role("columnheader", name="p99")).to_be_visible()
    check_accessible(page)
