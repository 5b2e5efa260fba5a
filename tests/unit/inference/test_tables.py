"""Tables come in chunks, in the types of the model."""

from __future__ import annotations

import datetime
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import BadRequest
from millstream.inference import tables as module
from millstream.inference.sources import Source
from millstream.inference.tables import Wanted, tables
from millstream.models.enforcement import Enforcer
from millstream.models.schema import Array, ColSpec, Schema

SCHEMA = Schema([
    ColSpec("long", "n"), ColSpec("double", "x", required=False), ColSpec("string", "code"),
    ColSpec("datetime", "at"), ColSpec("boolean", "flag"), ColSpec("binary", "raw"), ColSpec(Array("long"), "parts"),
])


def rows(count: int) -> list[dict[str, Any]]:
    return [
        {"n": place, "x": None if place % 3 == 1 else place / 8, "code": f"00{place}", "at": "2020-01-02T03:04:05",
         "flag": place % 2 == 0, "raw": "aGk=", "parts": [place, 1], "id": f"id {place}"}
        for place in range(count)
    ]


def written(folder: Path, kind: str, count: int) -> Source:
    table = pd.DataFrame(rows(count))
    path = folder / f"table.{kind}"
    if kind == "csv":
        table.assign(parts=[str(part) for part in table["parts"]]).to_csv(path, index=False)
    elif kind == "jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        table.assign(at=pd.to_datetime(table["at"]), raw=b"hi").to_parquet(path, row_group_size=5)
    return Source(path, kind)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_chunks_have_the_types_of_the_signature(kind: str, tmp_path: Path) -> None:
    source = written(tmp_path, kind, 7)
    chunks = list(tables(source, Wanted(SCHEMA, ("id",), 3)))
    assert [len(chunk) for chunk in chunks] == [3, 3, 1]
    assert [chunk.index[0] for chunk in chunks] == [0, 3, 6]
    enforce = Enforcer(SCHEMA)
    whole = pd.concat([enforce(chunk[SCHEMA.input_names()]) for chunk in chunks])
    assert whole["n"].tolist() == list(range(7)) and whole["n"].dtype == np.int64
    assert whole["code"].tolist() == [f"00{place}" for place in range(7)]
    assert [pd.Timestamp(one).to_pydatetime() for one in whole["at"]] == [datetime.datetime(2020, 1, 2, 3, 4, 5)] * 7
    assert whole["raw"].tolist() == [b"hi"] * 7
    assert [list(one) for one in whole["parts"]] == [[place, 1] for place in range(7)]
    assert pd.concat(chunks)["id"].tolist() == [f"id {place}" for place in range(7)]
    (all_at_once,) = tables(source, Wanted(SCHEMA, ("id",), 0))
    assert len(all_at_once) == 7


def test_parquet_reads_what_is_needed_and_leaves_its_index(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1, 2], "b": [3, 4]}, index=pd.Index([7, 8], name="key")).to_parquet(tmp_path / "t.parquet")
    source = Source(tmp_path / "t.parquet", "parquet")
    (chunk,) = tables(source, Wanted(Schema([ColSpec("long", "b")])))
    assert list(chunk.columns) == ["b"] and list(chunk.index) == [0, 1]
    (chunk,) = tables(source, Wanted())
    assert list(chunk.columns) == ["a", "b", "key"]


def test_wide_tables_come_in_smaller_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CELLS", 100)
    frame = pd.DataFrame(np.zeros((20, 20)))
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.rename(columns=str).to_parquet(tmp_path / "t.parquet")
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    for kind in ("csv", "parquet", "jsonl"):
        found = tables(Source(tmp_path / f"t.{kind}", kind), Wanted())
        assert [len(chunk) for chunk in found] == [5, 5, 5, 5]


def test_packed_files_are_unpacked(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    (chunk,) = tables(Source(tmp_path / "t.csv.gz", "csv"), Wanted())
    assert chunk.to_dict("records") == [{"a": 1, "b": 2}]


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=20), st.integers(1, 7))
def test_numbers_of_csv_are_read_exactly(numbers: list[float], count: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        path.write_text("x\n" + "".join(f"{number!r}\n" for number in numbers))
        chunks = tables(Source(path, "csv"), Wanted(Schema([ColSpec("double", "x")]), rows=count))
        found = [float(value) for chunk in chunks for value in chunk["x"]]
    assert found == numbers


@pytest.mark.parametrize(("name", "content", "said"), [
    ("t.csv", b"", "t.csv is no CSV: No columns"),
    ("t.csv", b"a,b\n1,2\n1,2,3,4\n", "line 3"),
    ("t.csv", b"\xff\xfe\xfa", "t.csv is no CSV"),
    ("t.csv.gz", b"no gzip", "t.csv.gz is no CSV"),
    ("t.jsonl", b'{"a": 1}\n\nnone\n', r"line 3 of .*t\.jsonl is not JSON"),
    ("t.jsonl", b"[1]\n", "line 1 of .* holds no JSON object"),
    ("t.parquet", b"PAR1", "t.parquet is no Parquet"),
])
def test_what_is_no_table_is_told_with_its_place(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadRequest, match=said):
        list(tables(Source(tmp_path / name, name.split(".")[1]), Wanted()))
