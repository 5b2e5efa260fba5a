"""Webhooks by mouse: made, tested, changed, turned off, deleted; what became of each message, and sending it again."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from millstream import MlflowClient
from millstream.entities.webhook import EVENTS
from tests.e2e.ui.conftest import Opener, Site, Theme
from tests.servers.keeper import ROOT


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what it is sent, and answers with ``status``."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.status = 200
        super().__init__(("127.0.0.1", 0), _Answering)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Answering(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(b"heard")

    def log_message(self, *args: Any) -> None:
        """Nothing is printed."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def made(page: Page, name: str, url: str) -> None:
    """Make a webhook by the form, for new versions of models only."""
    page.get_by_role("button", name="New webhook").click()
    form = page.get_by_role("dialog")
    form.get_by_role("textbox", name="Name").fill(name)
    form.get_by_label("Address").fill(url)
    form.get_by_label("Secret").fill("a secret")
    form.get_by_label("All events").check()
    form.get_by_label("All events").uncheck()
    form.get_by_role("group", name="Registered model", exact=True).get_by_label("created").check()
    form.get_by_role("button", name="Create").click()
    expect(form).to_have_count(0)


def test_from_the_form_to_the_last_message(open_page: Opener, site: Site, receiver: Receiver) -> None:
    client = MlflowClient(site.uri)
    page = open_page("/webhooks")
    made(page, "ui-hook", receiver.url)
    row = page.get_by_role("row").filter(has_text="ui-hook")
    expect(row).to_contain_text("Active")
    expect(row).to_contain_text("registered_model.created")
    row.get_by_role("link", name="ui-hook").click()
    expect(page).to_have_url(re.compile(r"/webhooks/[^/?]+$"))
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_text("Test of ui-hook: answered 200")).to_be_visible()
    assert receiver.got[0]["entity"] == "registered_model"

    receiver.status = 400
    client.create_registered_model("ui-hook-model")
    failed = page.get_by_role("row").filter(has_text="Given up")
    expect(failed).to_contain_text("registered_model.created", timeout=20_000)
    receiver.status = 200
    page.get_by_role("button", name="Send what was given up once more").click()
    expect(page.get_by_role("row").filter(has_text="Delivered")).to_be_visible(timeout=20_000)
    page.get_by_role("row").filter(has_text="Delivered").get_by_text("registered_model.created").dblclick()
    message = page.get_by_role("complementary", name="Delivery")
    expect(message).to_contain_text("ui-hook-model")
    expect(message).to_contain_text("heard")
    assert receiver.got[-1]["data"]["name"] == "ui-hook-model"
    page.keyboard.press("Escape")

    page.get_by_role("button", name="Change").click()
    page.get_by_role("dialog").get_by_role("textbox", name="Name").fill("ui-hook-2")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="ui-hook-2")).to_be_visible()
    page.get_by_role("button", name="Turn off").click()
    expect(page.get_by_text("ui-hook-2 is off")).to_be_visible()
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile("/webhooks$"))
    expect(page.get_by_role("row").filter(has_text="ui-hook-2")).to_have_count(0)


def test_what_the_server_refuses_is_told_in_the_form(open_page: Opener) -> None:
    page = open_page("/webhooks")
    page.get_by_role("button", name="New webhook").click()
    form = page.get_by_role("dialog")
    form.get_by_role("textbox", name="Name").fill("wrong")
    form.get_by_label("Address").fill("ftp://nowhere")
    form.get_by_role("button", name="Create").click()
    expect(form.get_by_role("alert")).to_contain_text("ftp")
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)


def test_the_form_offers_every_event_that_there_is() -> None:
    source = Path(ROOT / "ui/src/pages/webhooks/events.ts").read_text()
    table = source.partition("= {")[2].partition("};")[0]
    lists = re.findall(r"(\w+): \[(.*?)\]", table, re.S)
    offered = {entity: tuple(re.findall(r'"([a-z_]+)"', actions)) for entity, actions in lists}
    assert offered == EVENTS


def test_accessible_in_both_themes(
    open_page: Opener, site: Site, receiver: Receiver, theme: Theme, check_accessible: Callable[[Page], None],
    picture: Callable[[Page, str], None],
) -> None:
    client = MlflowClient(site.uri)
    hook = client.create_webhook(f"ci-{theme}", receiver.url, ["registered_model.created", "comment.*"], secret="s")
    client.create_registered_model(f"webhook-{theme}")
    page = open_page(f"/webhooks/{hook.webhook_id}", theme=theme)
    expect(page.get_by_role("row").filter(has_text="Delivered")).to_be_visible(timeout=20_000)
    check_accessible(page)
    picture(page, f"webhook-{theme}")
    page.get_by_role("link", name="Webhooks").first.click()
    expect(page.get_by_role("row").filter(has_text=f"ci-{theme}")).to_be_visible()
    check_accessible(page)
    picture(page, f"webhooks-{theme}")
    page.get_by_role("button", name="New webhook").click()
    check_accessible(page)
    picture(page, f"webhook-form-{theme}")
    page.keyboard.press("Escape")
    client.delete_webhook(hook.webhook_id)
