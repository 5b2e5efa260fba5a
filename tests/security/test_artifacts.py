"""An artifact is inert: whoever may log a file gives it no voice in the browser of whoever looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from millstream.server.config import ServerConfig
from tests.servers import inside
from tests.servers.wire import Answer, call

POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob: data:; "
    "style-src 'unsafe-inline' data:; img-src data: blob:; font-src data:; media-src data: blob:; connect-src 'none'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
EVIL = b"<script>fetch('/api/2.0/mlflow/experiments/create', {method: 'POST', body: '{}'})</script>"
NAMES = [
    "evil.html", "evil.htm", "evil.svg", "evil.xhtml", "evil.xml", "evil.js", "evil.pdf", "evil.png", "evil", "evil.md"
]
FRAMED = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place: Path = tmp_path_factory.mktemp("inert")
    config = ServerConfig(f"sqlite:///{place}/store.db", artifacts_destination=str(place / "artifacts"))
    with inside.served(config) as served:
        yield served


@pytest.fixture(scope="module")
def run_id(address: str) -> str:
    made = call(address, "POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0", "start_time": 1})
    found: str = made.json()["run"]["info"]["run_id"]
    for name in NAMES:
        path = f"/api/2.0/mlflow-artifacts/artifacts/0/{found}/artifacts/{name}"
        assert call(address, "PUT", path, EVIL).status == 200
    return found


def content(address: str, run_id: str, name: str, more: str = "", headers: dict[str, str] | None = None) -> Answer:
    path = f"/ajax-api/v1/runs/{run_id}/artifacts/content?path={quote(name)}{more}"
    return call(address, "GET", path, headers=headers)


@pytest.mark.parametrize("name", NAMES)
def test_every_file_goes_out_in_a_sandbox(address: str, run_id: str, name: str) -> None:
    paths = [
        f"/ajax-api/v1/runs/{run_id}/artifacts/content?path={name}",
        f"/ajax-api/v1/runs/{run_id}/artifacts/content?path={name}&download=1",
        f"/get-artifact?run_uuid={run_id}&path={name}",
        f"/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/{name}",
        f"/ajax-api/v1/runs/{run_id}/artifacts/zip",
    ]
    for path in paths:
        for headers in ({}, {"Range": "bytes=0-3"}):
            answer = call(address, "GET", path, headers=headers)
            assert answer.status in (200, 206)
            assert answer.headers["content-security-policy"] == POLICY, path
            assert answer.headers["x-content-type-options"] == "nosniff"
    answer = content(address, run_id, name)
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    if not name.endswith((".html", ".htm", ".svg")):
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind in ("application/octet-stream", "application/pdf", "image/png", "text/plain")


def test_what_has_not_changed_keeps_its_policy(address: str, run_id: str) -> None:
    etag = content(address, run_id, "evil.html").headers["etag"]
    answer = content(address, run_id, "evil.html", headers={"If-None-Match": etag})
    assert (answer.status, answer.headers["content-security-policy"]) == (304, POLICY)


def test_scripts_from_the_internet_are_let_in_for_one_file_by_our_own_page(address: str, run_id: str) -> None:
    answer = content(address, run_id, "evil.html", "&scripts=internet", FRAMED)
    allowed = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert allowed["script-src"] == "'unsafe-inline' 'unsafe-eval' blob: data: https:"
    # Still an origin of its own, which reaches no server and is shown by nobody else.
    assert (allowed["sandbox"], allowed["connect-src"], allowed["form-action"], allowed["frame-ancestors"]) == (
        "allow-scripts", "'none'", "'none'", "'self'"
    )
    assert content(address, run_id, "evil.html", headers=FRAMED).headers["content-security-policy"] == POLICY


@pytest.mark.parametrize(
    "headers",
    [
        {},  # whoever does not say where it comes from
        {**FRAMED, "Sec-Fetch-Site": "cross-site"},  # what a file in its sandbox sends
        {**FRAMED, "Sec-Fetch-Site": "same-site"}, {**FRAMED, "Sec-Fetch-Site": "none"}, {"Origin": "null", **FRAMED},
    ],
)
def test_a_file_cannot_let_itself_load_more(address: str, run_id: str, headers: dict[str, str]) -> None:
    answer = content(address, run_id, "evil.html", "&scripts=internet", headers)
    assert answer.status == 403
    assert EVIL not in answer.body


@pytest.mark.parametrize("origin", ["null", "https://evil.example"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/ajax-api/2.0/mlflow/experiments/create"), ("POST", "/ajax-api/v1/runs/query"),
        ("POST", "/ajax-api/v1/views/save"), ("GET", "/ajax-api/v1/events"), ("GET", "/ajax-api/v1/changes"),
        ("GET", "/ajax-api/v1/runs/export?experiment_ids=0"),
    ],
)
def test_what_a_file_sends_from_its_sandbox_is_refused(address: str, origin: str, method: str, path: str) -> None:
    body = b"{}" if method == "POST" else None
    headers = {"Origin": origin, "Content-Type": "application/json"}
    assert call(address, method, path, body, headers).status == 403


def test_a_file_is_not_framed_by_other_sites(address: str, run_id: str) -> None:
    assert content(address, run_id, "evil.html", headers={**FRAMED, "Sec-Fetch-Site": "cross-site"}).status == 403
