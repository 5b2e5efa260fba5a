"""Files are found by path, folder and pattern, and their kinds by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from millstream.errors import InvalidValue, NotFound
from millstream.inference.sources import Source, find


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")


def test_a_file_is_of_the_kind_that_its_name_says_or_that_is_asked_for(tmp_path: Path) -> None:
    names = {"a.csv": "csv", "a.CSV.gz": "csv", "a.json": "json", "a.jsonl": "jsonl", "a.ndjson": "jsonl",
             "a.parquet": "parquet", "a.pq": "parquet", "request": "json", "a.txt": "json"}
    for name, kind in names.items():
        assert find(tmp_path / name, None) == [Source(tmp_path / name, kind)]
    assert find(tmp_path / "a.txt", "text/csv")[0].kind == "csv"
    assert find(None, None) == [Source(None, "json")]


def test_a_folder_stands_for_its_files_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    touch(tmp_path, "part-10.csv", "part-2.csv", "below/part-1.csv", "_SUCCESS.csv", ".hidden.csv", "notes.txt")
    found = [str(one.path.relative_to(tmp_path)) for one in find(tmp_path, None) if one.path]
    assert found == ["below/part-1.csv", "part-2.csv", "part-10.csv"]


def test_a_pattern_and_a_list_of_files(tmp_path: Path) -> None:
    touch(tmp_path, "a1.csv", "a2.csv", "b[1].csv")
    assert len(find(f"{tmp_path}/a*.csv", None)) == 2
    assert find(tmp_path / "b[1].csv", None)[0].path == tmp_path / "b[1].csv"
    listed = find([tmp_path / "a2.csv", str(tmp_path / "a1.csv")], None)
    assert [one.path for one in listed] == [tmp_path / "a2.csv", tmp_path / "a1.csv"]


def test_what_is_no_input_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "a.csv", "a.json")
    with pytest.raises(InvalidValue, match="several kinds: csv, json"):
        find(tmp_path, None)
    assert len(find(tmp_path, "csv")) == 1
    with pytest.raises(InvalidValue, match="xml"):
        find(tmp_path / "a.csv", "xml")
    with pytest.raises(NotFound, match="no file matches"):
        find(f"{tmp_path}/*.parquet", None)
    with pytest.raises(NotFound, match="no files to predict"):
        find(tmp_path, "parquet")
    with pytest.raises(InvalidValue, match="no file is named"):
        find([], None)
    with pytest.raises(NotFound, match="there is no file"):
        Source(tmp_path / "gone", "csv").open()
