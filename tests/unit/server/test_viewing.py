"""Artifacts looked at: content, facts, windows of texts and tables, folders as a zip file."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from typing import Any
from urllib.parse import urlencode

import pytest

from millstream.server import windows
from tests.servers.wire import Answer, call

TEXT = "".join(f"line {number}\n" for number in range(1, 2001))


def put(address: str, run_id: str, path: str, content: bytes) -> None:
    root = f"/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts"
    assert call(address, "PUT", f"{root}/{path}", content).status == 200


def ask(address: str, run_id: str, view: str, headers: dict[str, str] | None = None, **fields: Any) -> Answer:
    return call(address, "GET", f"/ajax-api/v1/runs/{run_id}/artifacts/{view}?{urlencode(fields)}", headers=headers)


def found(address: str, run_id: str, view: str, **fields: Any) -> dict[str, Any]:
    answer = ask(address, run_id, view, **fields)
    assert answer.status == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_content_is_shown_with_its_type_whole_or_in_part(address: str, run_id: str) -> None:
    put(address, run_id, "a%20b/page.html", b"<p>hello</p>")
    answer = ask(address, run_id, "content", path="a b/page.html")
    assert (answer.status, answer.body) == (200, b"<p>hello</p>")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("inline;")
    part = ask(address, run_id, "content", {"Range": "bytes=3-7"}, path="a b/page.html")
    assert (part.status, part.body, part.headers["content-range"]) == (206, b"hello", "bytes 3-7/12")
    again = ask(address, run_id, "content", {"If-None-Match": answer.headers["etag"]}, path="a b/page.html")
    assert again.status == 304
    kept = ask(address, run_id, "content", path="a b/page.html", download=1)
    assert kept.headers["content-disposition"].startswith("attachment;")
    assert ask(address, run_id, "content", path="nothing").status == 404
    assert ask(address, run_id, "content", path="../up").status == 400


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("README.md", b"# hi", "markdown"), ("a.html", b"<p>", "html"), ("n.ipynb", b"{}", "notebook"),
        ("x.json", b"{}", "json"), ("t.csv", b"a,b\n", "table"), ("t.parquet", b"PAR1", "table"),
        ("p.png", b"\x89PNG", "image"),
        ("MLmodel", b"flavors: {}", "yaml"), ("conda.yaml", b"a: 1", "yaml"), ("f.pdf", b"%PDF", "pdf"),
        ("s.wav", b"RIFF", "audio"), ("v.mp4", b"\0\0", "video"), ("main.py", b"print(1)", "text"),
        ("noext", "zwölf".encode(), "text"), ("blob", b"\0\x01\x02", "other"), ("latin", b"\xff\xfe" * 20, "other"),
        ("empty", b"", "text"), ("plot.svg", b"<svg/>", "image"),
    ],
)
def test_facts_say_how_to_look_at_a_file(address: str, run_id: str, name: str, content: bytes, kind: str) -> None:
    put(address, run_id, name, content)
    facts = found(address, run_id, "facts", path=name)
    assert (facts["kind"], facts["size"], facts["head"]) == (kind, len(content), content.hex())
    assert facts["modified"] > 1_700_000_000_000


def test_html_inside_of_a_notebook_is_a_page_of_its_own_in_a_sandbox(address: str, run_id: str) -> None:
    html = {"data": {"text/html": ["<p style='color: red'>", "a</p>"], "text/plain": "a"}}
    book = {"nbformat": 4, "cells": [{"cell_type": "markdown", "source": "x"}, {"outputs": [{"data": {}}, html]}]}
    put(address, run_id, "n.ipynb", json.dumps(book).encode())
    answer = ask(address, run_id, "output", path="n.ipynb", cell=1, output=1)
    assert (answer.status, answer.body) == (200, b"<p style='color: red'>a</p>")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("sandbox allow-scripts; default-src 'none'")
    assert "style-src 'unsafe-inline'" in answer.headers["content-security-policy"]
    for cell, output in ((1, 0), (0, 0), (1, 9), (-1, 0)):
        assert ask(address, run_id, "output", path="n.ipynb", cell=cell, output=output).status == 404
    assert ask(address, run_id, "output", path="none.ipynb").status == 404
    put(address, run_id, "old.ipynb", json.dumps({"worksheets": [{"cells": [{"outputs": [html["data"]]}]}]}).encode())
    assert ask(address, run_id, "output", path="old.ipynb").body == answer.body
    for wrong in (b"{", b"[]", b"{}"):
        put(address, run_id, "wrong.ipynb", wrong)
        assert ask(address, run_id, "output", path="wrong.ipynb").status in (400, 404)


def test_lines_by_their_numbers(address: str, run_id: str) -> None:
    put(address, run_id, "log.txt", TEXT.encode())
    window = found(address, run_id, "lines", path="log.txt", lines="999-1001")
    assert (window["lines"], window["first"], window["more"]) == (["line 999", "line 1000", "line 1001"], 999, True)
    assert TEXT[window["offset"]:].startswith("line 999") and TEXT[window["next_offset"]:].startswith("line 1002")
    last = found(address, run_id, "lines", path="log.txt", lines="1999-3000")
    assert (last["lines"], last["more"], last["total"]) == (["line 1999", "line 2000"], False, 2000)
    behind = found(address, run_id, "lines", path="log.txt", lines="5000-5001")
    assert (behind["lines"], behind["total"]) == ([], 2000)
    assert found(address, run_id, "lines", path="log.txt", lines="7")["lines"] == ["line 7"]


def test_lines_by_bytes_and_from_the_end(address: str, run_id: str) -> None:
    put(address, run_id, "log.txt", TEXT.encode())
    window = found(address, run_id, "lines", path="log.txt", offset=0, limit=2)
    following = found(address, run_id, "lines", path="log.txt", offset=window["next_offset"], limit=2)
    assert window["lines"] + following["lines"] == [f"line {number}" for number in range(1, 5)]
    end = found(address, run_id, "lines", path="log.txt", offset=-30, limit=100)
    assert end["lines"] == ["line 1999", "line 2000"]
    assert found(address, run_id, "lines", path="log.txt", offset=10**9)["lines"] == []


def test_odd_texts(address: str, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(address, run_id, "odd.txt", "ü\r\n\nno end".encode() + b"\xff")
    assert found(address, run_id, "lines", path="odd.txt", lines="1-9")["lines"] == ["ü", "", "no end\ufffd"]
    assert found(address, run_id, "lines", path="odd.txt", lines="1-9")["total"] == 3
    put(address, run_id, "none.txt", b"")
    assert found(address, run_id, "lines", path="none.txt", lines="1-9")["lines"] == []
    put(address, run_id, "binary", b"a\0b")
    assert ask(address, run_id, "lines", path="binary", lines="1-9").status == 400
    monkeypatch.setattr(windows, "_WINDOW_BYTES", 100)
    put(address, run_id, "wide.txt", b"x" * 70 + b"\n" + b"y" * 70 + b"\nend\n")
    assert found(address, run_id, "lines", path="wide.txt", lines="1-9")["lines"] == ["x" * 70]
    assert found(address, run_id, "lines", path="wide.txt", lines="2-9")["lines"] == ["y" * 70, "end"]
    put(address, run_id, "one.txt", b"z" * 300)
    whole = found(address, run_id, "lines", path="one.txt", lines="1-9")
    assert (whole["lines"], whole["more"]) == (["z" * 100], True)


@pytest.mark.parametrize("query", [{"lines": "0-5"}, {"lines": "5-1"}, {"lines": "x"}, {"lines": "1-90000"},
                                   {"offset": "x"}, {"limit": "0"}, {"path": ""}])
def test_windows_that_cannot_be(address: str, run_id: str, query: dict[str, str]) -> None:
    put(address, run_id, "log.txt", b"a\n")
    fields: dict[str, Any] = {"path": "log.txt", **query}
    assert ask(address, run_id, "lines", **fields).status == 400


def test_rows_of_a_csv(address: str, run_id: str) -> None:
    rows = "".join(f'{number},{number / 4},"a ""{number}"", b",true\n' for number in range(1000))
    put(address, run_id, "t.csv", ("\ufeffid,score,text,flag\n" + rows).encode())
    window = found(address, run_id, "table", path="t.csv", offset=500, limit=2)
    assert window["columns"] == [
        {"name": "id", "type": "int"}, {"name": "score", "type": "float"}, {"name": "text", "type": "text"},
        {"name": "flag", "type": "bool"},
    ]
    assert window["cols"] == [["500", "501"], ["125.0", "125.25"], ['a "500", b', 'a "501", b'], ["true", "true"]]
    assert (window["more"], window.get("total")) == (True, None)
    end = found(address, run_id, "table", path="t.csv", offset=999, limit=10)
    assert (end["rows"], end["more"], end["total"]) == (1, False, 1000)


def test_other_tables(address: str, run_id: str) -> None:
    put(address, run_id, "t.tsv", b"a\tb,c\n1\t2\n3\n")
    window = found(address, run_id, "table", path="t.tsv")
    assert [column["name"] for column in window["columns"]] == ["a", "b,c"]
    assert window["cols"] == [["1", "3"], ["2", None]]
    put(address, run_id, "semi.csv", b"a;b\n1,5;2\n")
    assert found(address, run_id, "table", path="semi.csv")["cols"] == [["1,5"], ["2"]]
    split = {"columns": ["q", "n"], "data": [["x", 1], [{"y": 2}, None]]}
    put(address, run_id, "split.json", json.dumps(split).encode())
    window = found(address, run_id, "table", path="split.json", limit=1, offset=1)
    assert (window["cols"], window["total"], window["more"]) == ([['{"y": 2}'], [None]], 2, False)
    put(address, run_id, "records.json", b'[{"a": 1}, {"b": 2.5}]')
    assert found(address, run_id, "table", path="records.json")["cols"] == [[1, None], [None, 2.5]]
    for name, content in (("no.json", b'{"a": 1}'), ("bad.json", b"{"), ("binary.csv", b"\0\0")):
        put(address, run_id, name, content)
        assert ask(address, run_id, "table", path=name).status == 400
    assert ask(address, run_id, "table", path="t.tsv", limit=10**6).status == 400


def test_rows_of_a_parquet_file(address: str, run_id: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    written = io.BytesIO()
    made = pyarrow.table({"n": list(range(10_000)), "t": [f"t{number}" for number in range(10_000)]})
    parquet.write_table(made, written, row_group_size=3000)
    put(address, run_id, "t.parquet", written.getvalue())
    window = found(address, run_id, "table", path="t.parquet", offset=5_999, limit=3)
    assert window["cols"] == [[5999, 6000, 6001], ["t5999", "t6000", "t6001"]]
    assert (window["total"], window["more"], window["columns"][0]) == (10_000, True, {"name": "n", "type": "int"})
    assert found(address, run_id, "table", path="t.parquet", offset=20_000)["rows"] == 0
    put(address, run_id, "bad.parquet", b"PAR1 nothing")
    assert ask(address, run_id, "table", path="bad.parquet").status == 400


def test_a_folder_as_a_zip_file(address: str, run_id: str) -> None:
    for name in ("model/MLmodel", "model/data/w.bin", "other.txt"):
        put(address, run_id, name, name.encode() * 1000)
    answer = ask(address, run_id, "zip", path="model")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/zip")
    assert 'filename="model.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            name.removeprefix("model/"): name.encode() * 1000 for name in ("model/MLmodel", "model/data/w.bin")
        }
    with zipfile.ZipFile(io.BytesIO(ask(address, run_id, "zip").body)) as archive:
        assert sorted(archive.namelist()) == ["model/MLmodel", "model/data/w.bin", "other.txt"]
    assert ask(address, run_id, "zip", path="nothing").status == 404


def test_files_of_versions_and_models(address: str, run_id: str) -> None:
    put(address, run_id, "model/MLmodel", b"flavors: {}\n")
    api = "/api/2.0/mlflow"
    call(address, "POST", f"{api}/registered-models/create", {"name": "a b"})
    source = f"mlflow-artifacts:/0/{run_id}/artifacts/model"
    made = call(address, "POST", f"{api}/model-versions/create", {"name": "a b", "source": source, "run_id": run_id})
    assert made.status == 200, made.text
    root = "/api/v1/registered-models/a%20b/versions/1/artifacts"
    assert call(address, "GET", f"{root}/lines?path=MLmodel&lines=1-2").json()["lines"] == ["flavors: {}"]
    model = call(address, "POST", f"{api}/logged-models", {"experiment_id": "0", "name": "m"}).json()["model"]["info"]
    target = model["artifact_uri"].removeprefix("mlflow-artifacts:/")
    assert call(address, "PUT", f"{api}-artifacts/artifacts/{target}/note.txt", b"x").status == 200
    facts = call(address, "GET", f"/api/v1/logged-models/{model['model_id']}/artifacts/facts?path=note.txt")
    assert facts.json()["size"] == 1


def test_answers_are_compressed_for_pages_only(address: str, run_id: str) -> None:
    put(address, run_id, "log.txt", TEXT.encode())
    packed = ask(address, run_id, "lines", {"Accept-Encoding": "gzip, br"}, path="log.txt", lines="1-2000")
    assert packed.headers["content-encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(packed.body))["lines"]) == 2000
    plain = f"/api/v1/runs/{run_id}/artifacts/lines?path=log.txt&lines=1-2000"
    assert "content-encoding" not in call(address, "GET", plain, headers={"Accept-Encoding": "gzip"}).headers
    page = {"Accept-Encoding": "gzip", "Sec-Fetch-Site": "same-origin"}
    assert call(address, "GET", plain, headers=page).headers["content-encoding"] == "gzip"
