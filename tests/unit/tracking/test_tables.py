from __future__ import annotations

import datetime
import decimal
import io
import json
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import PIL.Image
import polars as pl
import pytest

from millstream.errors import InvalidValue
from millstream.tracking.media import Image
from millstream.tracking.tables import Table


def written(data: Any, name: str = "t.json") -> Any:
    table, files = Table.of(data, name)
    assert files == {}
    return json.loads(table.to_bytes(name))


@pytest.mark.parametrize(
    ("data", "columns", "rows"),
    [
        # As MLflow 3.17.2 writes them.
        ({"q": ["a", "b"], "n": [1, 2.5]}, ["q", "n"], [["a", 1.0], ["b", 2.5]]),
        ({"q": "a", "n": 1}, ["q", "n"], [["a", 1]]),
        ({"q": ["a", "b"], "z": 1}, ["q", "z"], [["a", 1], ["b", 1]]),
        ({"q": ["a", "b"], "z": [1]}, ["q", "z"], [[["a", "b"], [1]]]),
        ({"a": np.arange(3), "b": (1, 2, 3)}, ["a", "b"], [[0, 1], [1, 2], [2, 3]]),
        (pd.DataFrame({"a": [1]}, index=["x"]), ["a"], [[1]]),
        (pd.DataFrame({"a": [1, None], "b": pd.array([1, None], dtype="Int64")}), ["a", "b"], [[1.0, 1], [None, None]]),
        (pd.DataFrame({0: [1]}), [0], [[1]]),
        (pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])),
         [["a", 1], ["b", 2]], [[1, 2]]),
        (pd.DataFrame({"a": []}), ["a"], []),
        (pl.DataFrame({"a": [1, None], "b": ["x", "y"]}), ["a", "b"], [[1, "x"], [None, "y"]]),
        ({}, [], []),
    ],
)
def test_columns_and_rows(data: Any, columns: list[Any], rows: list[list[Any]]) -> None:
    assert written(data) == {"columns": columns, "data": rows}


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        (datetime.date(2020, 1, 1), "2020-01-01T00:00:00.000"),
        (datetime.datetime(2020, 1, 1, 1, 2, 3, 456789), "2020-01-01T01:02:03.456"),
        (pd.Timestamp("2020-01-01 01:02:03.123456", tz="Europe/Paris"), "2020-01-01T00:02:03.123Z"),
        (np.datetime64("2020-01-01T00:00:00.000000001"), "2020-01-01T00:00:00.000"),
        (decimal.Decimal("1.5"), "1.5"),
        ((1, 2), [1, 2]),
        ({1: 2}, {"1": 2}),
        (b"abc", "abc"),
        (np.zeros(2), [0.0, 0.0]),
        (np.bool_(True), True),
        (float("nan"), None),
        (float("-inf"), None),
        (pd.NA, None),
        (pd.NaT, None),
        (np.datetime64("NaT"), None),
        (2**60, 2**60),
        ([{"a": np.int8(1)}], [{"a": 1}]),
        ("é/ü", "é/ü"),
    ],
)
def test_cells(cell: Any, value: Any) -> None:
    assert written({"c": [cell]})["data"] == [[value]]


def test_numbers_keep_all_their_digits() -> None:
    assert written({"c": [0.1 + 0.2, 1 / 3, 1e300]})["data"] == [[0.1 + 0.2], [1 / 3], [1e300]]


def test_what_json_does_not_have_is_text() -> None:
    assert written({"c": [1j, 2**70, b"\xff"]})["data"] == [["1j"], [float(2**70)], ["\ufffd"]]


def test_rows_are_appended_by_column() -> None:
    first = Table.of({"q": ["a", "b"], "n": [1, 2.5]}, "t.json")[0]
    both = first.append(Table.of({"x": [True], "q": ["c"]}, "t.json")[0])
    assert (both.columns, both.rows) == (["q", "n", "x"], [["a", 1, None], ["b", 2.5, None], ["c", None, True]])
    assert first.rows == [["a", 1], ["b", 2.5]]


def test_columns_of_a_run_are_added() -> None:
    table = Table(["q"], [["a"], ["b"]]).with_columns({"run_id": "r1", "status": "FINISHED"})
    assert table.columns == ["q", "run_id", "status"]
    assert table.rows == [["a", "r1", "FINISHED"], ["b", "r1", "FINISHED"]]


@pytest.mark.parametrize("name", ["t.json", "t.parquet"])
def test_a_file_is_read_back(name: str) -> None:
    table = Table.of({"q": ["a", "b"], "n": [1, 2.5], "l": [[1], None]}, name)[0]
    read = Table.from_bytes(table.to_bytes(name), name)
    assert read.columns == table.columns
    assert read.rows == [["a", 1.0, [1]], ["b", 2.5, None]]


def test_parquet_is_what_pandas_reads() -> None:
    content = Table.of({"q": ["a", "b"]}, "t.parquet")[0].to_bytes("t.parquet")
    assert pd.read_parquet(io.BytesIO(content)).to_dict("list") == {"q": ["a", "b"]}


def test_json_is_what_pandas_reads() -> None:
    frame = pd.DataFrame({"q": ["a", "b"], "n": [1.5, None]})
    content = Table.of(frame, "t.json")[0].to_bytes("t.json").decode()
    pd.testing.assert_frame_equal(pd.read_json(io.StringIO(content), orient="split"), frame)
    pd.testing.assert_frame_equal(Table.from_bytes(content.encode(), "t.json").to_pandas(), frame)


def test_labels_of_two_levels_come_back() -> None:
    frame = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]))
    table = Table.from_bytes(Table.of(frame, "t.json")[0].to_bytes("t.json"), "t.json")
    assert list(table.to_pandas().columns) == [("a", 1), ("b", 2)]
    assert table.append(table).rows == [[1, 2], [1, 2]]


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"columns": 1, "data": []}', b'{"data": []}', b"\xff"])
def test_a_file_that_holds_no_table_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidValue, match=r"'t\.json'"):
        Table.from_bytes(content, "t.json")


@pytest.mark.parametrize("name", ["t.csv", "t", "json"])
def test_the_file_name_says_the_format(name: str) -> None:
    with pytest.raises(InvalidValue, match=r"\.parquet"):
        Table.of({"a": [1]}, name)


@pytest.mark.parametrize("data", [[1, 2], "a", None, pd.Series([1])])
def test_other_data_is_a_type_error(data: Any) -> None:
    with pytest.raises(TypeError):
        Table.of(data, "t.json")


@pytest.mark.parametrize("image", [Image(np.zeros((3, 3, 3), dtype="uint8")), PIL.Image.new("RGB", (3, 3))])
def test_images_become_files_that_their_cells_name(image: Any) -> None:
    table, files = Table.of({"q": ["a"], "i": [image]}, "d/e/t.json")
    cell = table.rows[0][1]
    assert re.fullmatch(r"table_images/d/e/t/[0-9a-f-]{36}\.png", cell["filepath"])
    assert cell == {
        "type": "image", "filepath": cell["filepath"], "compressed_filepath": cell["filepath"][:-4] + ".webp"
    }
    assert {PIL.Image.open(io.BytesIO(content)).format for content in files.values()} == {"PNG", "WEBP"}
    assert set(files) == {cell["filepath"], cell["compressed_filepath"]}


def test_a_column_holds_images_or_other_things() -> None:
    with pytest.raises(InvalidValue, match="'i'"):
        Table.of({"i": [Image(np.zeros((3, 3), dtype="uint8")), None]}, "t.json")


def test_a_table_of_a_dict_imports_neither_pandas_nor_numpy() -> None:
    program = (
        "import sys\nfrom millstream.tracking.tables import Table\n"
        "table = Table.of({'a': [1, 2]}, 't.json')[0]\nTable.from_bytes(table.to_bytes('t.json'), 't.json')\n"
        "print(sorted({'pandas', 'numpy', 'PIL'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert answer.stdout == "[]\n"
