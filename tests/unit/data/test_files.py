from __future__ import annotations

import hashlib
import http.server
import subprocess
import threading
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from millstream.data import from_file
from millstream.data.code_dataset_source import CodeDatasetSource
from millstream.errors import InvalidValue, NotFound


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "data.bin"
    file.write_bytes(b"some content")
    data = from_file(file)
    assert data.to_dict() == {
        "name": "data.bin",
        "digest": hashlib.sha256(b"some content").hexdigest()[:16],
        "source": f'{{"uri": "{file}"}}',
        "source_type": "local",
        "schema": None,
        "profile": '{"num_files": 1, "size_bytes": 12}',
    }


def test_a_folder_is_what_sha256sum_says_of_it(tmp_path: Path) -> None:
    for name, content in (("b.txt", "b"), ("a/deep.txt", "deep"), ("a.txt", "a")):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_text(content)
    data = from_file(str(tmp_path / "set") + "/", name="mine")
    listing = subprocess.run(
        ["sha256sum", "a.txt", "a/deep.txt", "b.txt"], cwd=tmp_path / "set", check=True, capture_output=True
    ).stdout
    assert data.digest == hashlib.sha256(listing).hexdigest()[:16]
    assert data.profile == {"num_files": 3, "size_bytes": 6}
    assert data.name == "mine"
    (tmp_path / "set/b.txt").write_text("c")
    assert from_file(tmp_path / "set").digest != data.digest


def test_a_folder_of_one_file_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set/only.txt").write_text("x")
    assert from_file(tmp_path / "set").digest != from_file(tmp_path / "set/only.txt").digest


def test_tables_in_files_have_a_schema(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [1.5, 2.5]})
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    frame.to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.tsv", "t.parquet"):
        assert from_file(tmp_path / name).to_dict()["schema"] == (
            '{"mlflow_colspec": [{"type": "long", "name": "a", "required": true}, '
            '{"type": "string", "name": "b", "required": false}, '
            '{"type": "double", "name": "c", "required": true}]}'
        )


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.json"])
def test_a_file_that_is_not_what_its_name_says_has_no_schema(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b'"\x00\xff')
    assert from_file(tmp_path / name).schema is None


def test_a_file_on_the_web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_ALLOW_PRIVATE_ADDRESSES", "true")
    (tmp_path / "x.csv").write_bytes(b"a\n1\n")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{running.server_address[1]}/x.csv"
        data = from_file(url + "?signature=1")
        assert data.digest == from_file(tmp_path / "x.csv").digest
        assert data.profile == {"num_files": 1, "size_bytes": 4}
        assert (data.name, data.schema) == ("x.csv", None)
        with pytest.raises(NotFound):
            from_file(url + ".none")
        running.shutdown()


def test_nothing_there_and_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        from_file(tmp_path / "none")
    with pytest.raises(InvalidValue):
        from_file(CodeDatasetSource(tags={}))
