"""Values of parameters: defaults, what is missing, paths and URIs."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import millstream
from millstream.errors import InvalidValue, MissingValue, NotFound
from millstream.projects.files import EntryPoint, Parameter
from millstream.projects.parameters import local_values, resolved

ENTRY = EntryPoint("main", "x", {
    "alpha": Parameter("alpha", "float"), "name": Parameter("name", "string", "x"), "rate": Parameter("rate"),
})


def test_defaults_and_what_is_given_beyond() -> None:
    assert resolved(ENTRY, {"more": 1, "rate": True, "alpha": 0.5}) == {
        "alpha": "0.5", "name": "x", "rate": "True", "more": "1",
    }


def test_missing_ones_are_named_at_once() -> None:
    with pytest.raises(MissingValue) as caught:
        resolved(ENTRY, {})
    assert caught.value.message == "no value for the parameters alpha, rate of the entry point 'main'"
    assert caught.value.hint == "give -P alpha=VALUE -P rate=VALUE"


def test_a_float_that_is_none_is_passed_on_and_told(caplog: pytest.LogCaptureFixture) -> None:
    assert resolved(ENTRY, {"alpha": "much", "rate": 1})["alpha"] == "much"
    assert "alpha is declared as a float, and 'much' is no number" in caplog.text


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "a b.csv").write_text("1,2")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "web"))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def values(tracking: Path, **given: str) -> dict[str, str]:
    entry = EntryPoint("main", "x", {
        "data": Parameter("data", "path", "data.csv"), "place": Parameter("place", "uri", "s3://bucket/key"),
    })
    found = resolved(entry, given)
    return local_values(entry, found, tracking / "project", given=given, tracking_uri=str(tracking / "runs"),
                        storage_dir=tracking / "storage")


def test_paths(tracking: Path, web: str) -> None:
    (tracking / "project").mkdir()
    (tracking / "project" / "data.csv").write_text("of the project")
    (tracking / "mine.csv").write_text("of here")
    assert values(tracking)["data"] == str(tracking / "project" / "data.csv")  # defaults count from the project
    assert values(tracking, data="mine.csv")["data"] == str(tracking / "mine.csv")
    assert values(tracking, data=(tracking / "mine.csv").as_uri())["data"] == str(tracking / "mine.csv")
    with pytest.raises(InvalidValue, match=r"data is a path, and nothing is at .*gone\.csv"):
        values(tracking, data="gone.csv")

    with millstream.start_run() as run:
        millstream.log_text("logged", "table.csv")
    fetched = Path(values(tracking, data=f"runs:/{run.info.run_id}/table.csv")["data"])
    assert fetched.read_text() == "logged"
    assert fetched.is_relative_to(tracking / "storage")
    fetched = Path(values(tracking, data=f"{web}/a%20b.csv")["data"])
    assert (fetched.name, fetched.read_text()) == ("a b.csv", "1,2")
    with pytest.raises(NotFound, match="the server answered 404"):
        values(tracking, data=f"{web}/gone.csv")


def test_uris(tracking: Path) -> None:
    (tracking / "project").mkdir()
    (tracking / "project" / "data.csv").touch()
    (tracking / "here").mkdir()
    assert values(tracking)["place"] == "s3://bucket/key"
    assert values(tracking, place="here")["place"] == str(tracking / "here")
    assert values(tracking, place="runs:/a/b")["place"] == "runs:/a/b"
    with pytest.raises(InvalidValue, match="place is a URI, and 'gone' is none"):
        values(tracking, place="gone")
