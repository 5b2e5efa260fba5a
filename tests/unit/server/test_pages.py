"""Pages to look at: what they show, and that nothing logged can become part of them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from millstream.server.markup import STYLE, Markup, join, page, table, tag
from tests.servers.wire import Answer, call

API = "/api/2.0/mlflow"
EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>"


class Reader(HTMLParser):
    """Notes every element, and the texts between."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(answer: Answer, status: int = 200) -> Reader:
    assert answer.status == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-") and "script" not in policy
    found = Reader(answer.text)
    assert not found.elements & {"script", "img", "svg", "iframe", "object"}
    assert not {name for name in found.attributes if name.startswith("on")}
    return found


@pytest.fixture
def full(address: str, run_id: str) -> str:
    """A run whose every text tries to be more than text."""
    batch = {
        "run_id": run_id,
        "metrics": [
            {"key": "loss", "value": 0.25, "timestamp": 1, "step": 7},
            {"key": "odd", "value": "NaN", "timestamp": 1, "step": 0},
        ],
        "params": [{"key": "depth", "value": EVIL}, {"key": "long", "value": "x" * 5000}],
        "tags": [
            {"key": "mlflow.note.content", "value": EVIL},
            {"key": "mlflow.runName", "value": EVIL},
            {"key": "t", "value": EVIL},
        ],
    }
    assert call(address, "POST", f"{API}/runs/log-batch", batch).status == 200
    used = [
        {
            "dataset": {"name": EVIL, "digest": "d1", "source_type": "x", "source": EVIL},
            "tags": [{"key": "mlflow.data.context", "value": EVIL}],
        }
    ]
    assert call(address, "POST", f"{API}/runs/log-inputs", {"run_id": run_id, "datasets": used}).status == 200
    call(address, "PUT", f"/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/plots/a%20%26b.png", b"12345")
    return run_id


def test_a_run(address: str, full: str) -> None:
    found = read(call(address, "GET", f"/plain/runs/{full}"))
    texts = "".join(found.texts)
    for shown in (full, "RUNNING", "0.25", "7", "nan", EVIL, "depth", "d1", "plots/"):
        assert shown in texts
    assert "x" * 301 not in texts
    assert f"/plain/runs/{full}?path=plots" in found.links


def test_the_files_of_a_run(address: str, full: str) -> None:
    found = read(call(address, "GET", f"/plain/runs/{full}?path=plots"))
    link = next(link for link in found.links if link.startswith("/get-artifact"))
    assert call(address, "GET", link).body == b"12345"
    for path in ("../..", "plots/nothing", "/etc"):
        assert call(address, "GET", f"/plain/runs/{full}?path={path}").status == 200


def test_an_experiment(address: str, full: str) -> None:
    found = read(call(address, "GET", "/plain/experiments/0"))
    texts = "".join(found.texts)
    assert "loss" in texts and "0.25" in texts and EVIL[:20] in texts
    assert f"/plain/runs/{full}" in found.links


def test_an_experiment_by_filter(address: str, full: str) -> None:
    assert (
        f"/plain/runs/{full}"
        in read(call(address, "GET", "/plain/experiments/0?filter=metrics.loss+%3D+0.25&order_by=metrics.loss")).links
    )
    assert "No run fits" in "".join(read(call(address, "GET", "/plain/experiments/0?filter=metrics.loss+%3E+9")).texts)
    wrong = "".join(read(call(address, "GET", "/plain/experiments/0?filter=metrics.loss+%3E")).texts)
    assert "^" in wrong, "the error points at the character"


def test_experiments_with_their_runs(address: str, full: str) -> None:
    made = call(
        address, "POST", f"{API}/experiments/create", {"name": EVIL + full, "tags": [{"key": "team", "value": EVIL}]}
    )
    number = made.json()["experiment_id"]
    for _ in range(2):
        call(address, "POST", f"{API}/runs/create", {"experiment_id": number})
    answer = call(address, "GET", "/plain")
    found = read(answer)
    assert EVIL + full in found.texts
    row = next(row for row in re.findall("<tr>.*?</tr>", answer.text) if f"/plain/experiments/{number}" in row)
    assert '<td class="n">2</td>' in row


def test_more_experiments_than_a_page(address: str) -> None:
    for number in range(55):
        call(address, "POST", f"{API}/experiments/create", {"name": f"one of many {number}"})
    more = next(link for link in read(call(address, "GET", "/plain")).links if "page=" in link)
    assert any("/plain/experiments/" in link for link in read(call(address, "GET", more)).links)


@pytest.mark.parametrize(
    "path",
    ["/plain/runs/nobody", "/plain/experiments/987654", "/plain/experiments/%3Cscript%3E", "/plain?page=nonsense"],
)
def test_what_is_not_there_is_told_on_a_page(address: str, path: str) -> None:
    answer = call(address, "GET", path)
    found = read(answer, answer.status)
    assert answer.status in (400, 404)
    assert "cannot be shown" in "".join(found.texts)


def test_a_page_may_be_opened_from_elsewhere_and_called_from_nowhere(address: str) -> None:
    clicked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert call(address, "GET", "/plain", headers=clicked).status == 200
    assert call(address, "GET", "/plain", headers={**clicked, "Sec-Fetch-Dest": "iframe"}).status == 403
    embedded = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert call(address, "GET", "/plain", headers=embedded).status == 403
    assert call(address, "GET", f"{API}/experiments/get?experiment_id=0", headers=clicked).status == 403


# Markup


def test_text_is_escaped_everywhere() -> None:
    made = tag("a", EVIL, href=EVIL, class_='"')
    assert "<script" not in made and made.count("<") == 2
    assert tag("p", tag("b", "&"), None, 1, 2.5, ["x", tag("i", "<")]) == "<p><b>&amp;</b>12.5x<i>&lt;</i></p>"
    assert isinstance(join("<"), Markup)


def test_a_cell_is_made_once() -> None:
    assert '<tr><td>a</td><td class="n">b</td></tr>' in table(["h"], [["a", tag("td", "b", class_="n")]])


def test_the_style_of_the_page_is_the_one_allowed() -> None:
    import base64
    import hashlib

    reply = page("t", "x")
    allowed = dict(reply.headers)[b"content-security-policy"].decode()
    style = re.search("<style>(.*)</style>", reply.body.decode(), re.DOTALL)
    assert style is not None and style.group(1) == STYLE
    assert base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode() in allowed
