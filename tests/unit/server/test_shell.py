"""The web UI's files: the shell of every page, and a bundle as the build leaves it."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.server.config import ServerConfig
from tests.servers import inside
from tests.servers.wire import call

INDEX = """<!doctype html><html><head><base href="/" /><link rel="stylesheet" href="assets/main-1.css">
<script type="module" src="assets/main-1.js"></script></head><body><div id="root"></div></body></html>"""
MANIFEST = {
    "src/main.tsx": {"file": "assets/main-1.js", "isEntry": True, "css": ["assets/main-1.css"]},
    "src/pages/run.tsx": {
        "file": "assets/run-2.js", "imports": ["_chart.js", "src/main.tsx"], "css": ["assets/run-2.css"]
    },
    "_chart.js": {"file": "assets/chart-3.js", "imports": ["src/pages/run.tsx"]},
}
ROUTES = [
    {"path": "^/run/([^/]+)", "modules": ["src/pages/run.tsx"],
     "fetch": ["/ajax-api/2.0/mlflow/runs/get?run_id={1}"]},
]
PAGES = [
    "/", "/exp/1", "/exp/1/compare", "/run/abc", "/compare", "/models", "/models/a%20b/3", "/serving", "/serving/x",
    "/projects", "/settings", "/trash", "/webhooks", "/run/abc?tab=artifacts&path=notes/log.txt",
]


def build(folder: Path) -> Path:
    assets = folder / "assets"
    assets.mkdir(parents=True)
    (folder / "index.html").write_text(INDEX)
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    (folder / "routes.json").write_text(json.dumps(ROUTES))
    (assets / "main-1.js").write_text("console.log(1)")
    (assets / "main-1.js.br").write_bytes(b"as brotli")
    (assets / "main-1.js.gz").write_bytes(gzip.compress(b"console.log(1)"))
    (assets / "main-1.css").write_text("a{}")
    (folder / "secret.txt").write_text("none of yours")
    return folder


def serve(place: Path, folder: Path, prefix: str = "") -> ServerConfig:
    return ServerConfig(
        f"sqlite:///{place}/store.db", artifacts_destination=str(place / "artifacts"), ui_folder=folder,
        static_prefix=prefix,
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("built")
    with inside.served(serve(place, build(place / "ui"))) as address:
        yield address


@pytest.mark.parametrize("path", PAGES)
def test_every_page_begins_with_the_shell(built: str, path: str) -> None:
    answer = call(built, "GET", path)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert '<div id="root">' in answer.text
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy and "unsafe" not in policy and "default-src 'none'" in policy
    again = call(built, "GET", path, headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


def test_a_page_says_what_it_is_going_to_need(built: str) -> None:
    text = call(built, "GET", "/run/a%22b").text
    assert '<link rel="modulepreload" crossorigin href="assets/run-2.js">' in text
    assert '<link rel="modulepreload" crossorigin href="assets/chart-3.js">' in text
    assert '<link rel="preload" as="style" crossorigin href="assets/run-2.css">' in text
    assert text.count("assets/main-1.js") == text.count("assets/main-1.css") == 1
    assert 'as="fetch" crossorigin href="/ajax-api/2.0/mlflow/runs/get?run_id=a%22b"' in text
    assert "run-2.js" not in call(built, "GET", "/settings").text


def test_a_page_says_up_to_which_change_it_was_made(built: str) -> None:
    def told(text: str) -> int:
        (number,) = re.findall('<meta name="changes" content="(\\d+)" />', text)
        return int(number)

    before = call(built, "GET", "/")
    made = call(built, "POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"}).json()["run"]["info"]["run_id"]
    changes = call(built, "GET", f"/ajax-api/v1/changes?since={told(before.text)}").json()
    assert [one["id"] for one in changes["changes"]] == [made]
    after = call(built, "GET", "/", headers={"If-None-Match": before.headers["etag"]})
    assert (after.status, told(after.text)) == (200, changes["seq"])


def test_files_are_sent_in_the_form_that_is_accepted_and_stay(built: str) -> None:
    for accepted, encoding, body in (
        ("gzip, br", "br", b"as brotli"), ("gzip", "gzip", gzip.compress(b"console.log(1)")),
        ("", None, b"console.log(1)"),
    ):
        answer = call(built, "GET", "/assets/main-1.js", headers={"Accept-Encoding": accepted})
        assert answer.headers.get("content-encoding") == encoding
        assert gzip.decompress(answer.body) == gzip.decompress(body) if encoding == "gzip" else answer.body == body
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert "immutable" in answer.headers["cache-control"]
    plain = call(built, "GET", "/assets/main-1.css", headers={"Accept-Encoding": "br"})
    assert (plain.body, "content-encoding" in plain.headers) == (b"a{}", False)


@pytest.mark.parametrize(
    "path", ["nothing.js", "../index.html", "..%2fsecret.txt", "%2e%2e/secret.txt", "", "main-1.js.br", "/etc/passwd"]
)
def test_nothing_else_is_a_file_of_the_bundle(built: str, path: str) -> None:
    assert call(built, "GET", f"/assets/{path}").status == 404


def test_a_page_may_be_opened_from_elsewhere_and_not_be_framed_there(built: str) -> None:
    clicked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    answer = call(built, "GET", "/run/x", headers=clicked)
    assert answer.status == 200
    assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
    assert call(built, "GET", "/run/x", headers={**clicked, "Sec-Fetch-Dest": "iframe"}).status == 403


def test_a_bundle_that_does_not_say_what_its_pages_need_has_the_usual(tmp_path: Path) -> None:
    folder = build(tmp_path / "ui")
    (folder / "routes.json").unlink()
    (folder / "manifest.json").write_text(json.dumps({"src/pages/runs/index.tsx": {"file": "assets/runs-9.js"}}))
    with inside.served(serve(tmp_path, folder)) as address:
        text = call(address, "GET", "/exp/7").text
        assert 'href="assets/runs-9.js"' in text and 'href="/api/2.0/mlflow/experiments/get?experiment_id=7"' in text
        assert 'rel="modulepreload"' not in call(address, "GET", "/compare").text


def test_below_a_prefix_addresses_begin_with_it(tmp_path: Path) -> None:
    with inside.served(serve(tmp_path, build(tmp_path / "ui"), "/ml")) as address:
        text = call(address, "GET", "/ml/run/abc").text
        assert '<base href="/ml/" />' in text
        assert 'href="/ml/ajax-api/2.0/mlflow/runs/get?run_id=abc"' in text
        assert call(address, "GET", "/ml/assets/main-1.css").body == b"a{}"


def test_a_new_build_is_seen_without_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "ui"
    with inside.served(serve(tmp_path, folder)) as address:
        text = call(address, "GET", "/exp/1").text
        assert "not built" in text and 'href="/plain"' in text and "npm run build" in text
        assert call(address, "GET", "/assets/main-1.js").status == 404
        build(folder)
        assert '<div id="root">' in call(address, "GET", "/exp/1").text
