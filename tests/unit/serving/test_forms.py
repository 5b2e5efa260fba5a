"""Request bodies: which are read, which are alike, and that merging changes no answer."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.errors import BadRequest, UnknownContentType
from millstream.models import payloads
from millstream.models.schema import ColSpec, Schema, TensorSpec
from millstream.serving.answers import parts, printed, values
from millstream.serving.forms import CSV, JSON, PARQUET, Asked, Reader, content_kind

TYPED = Schema([ColSpec("double", "a"), ColSpec("long", "b", required=False), ColSpec("string", "c")])


@pytest.mark.parametrize(
    ("header", "kind"),
    [(b"application/json", JSON), (b"text/csv; charset=UTF-8", CSV), (b"Application/JSON;charset=\"utf-8\"", JSON),
     (b"application/vnd.apache.parquet", PARQUET)],
)
def test_content_types_that_are_read(header: bytes, kind: str) -> None:
    assert content_kind(header) == kind


@pytest.mark.parametrize(
    "header", [None, b"", b"text/xml", b"application/json; charset=latin1", b"application/json; format=pandas-split"]
)
def test_content_types_that_are_refused(header: bytes | None) -> None:
    with pytest.raises(UnknownContentType) as caught:
        content_kind(header)
    assert caught.value.get_http_status_code() == 415 and caught.value.hint


def key_of(body: Any, schema: Schema | None = TYPED) -> Any:
    return Reader(schema).read(JSON, json.dumps(body).encode(), alone=False).key


def split(*rows: list[Any], columns: Any = ("a", "b", "c")) -> dict[str, Any]:
    return {"dataframe_split": {"columns": list(columns), "data": list(rows)}}


def test_alike_requests_have_the_same_form_columns_types_and_params() -> None:
    one = key_of(split([1.5, 2, "x"]))
    assert one is not None
    assert one == key_of(split([2.5, 3, "y"], [1.0, 2, "z"]))
    assert one == key_of(split([7, 3, "y"])), "a whole number in a column of doubles is a double"
    assert one != key_of(split([1.5, 2.5, "x"])), "and a broken one among longs is not one of them"
    assert one != key_of(split([2, 1.5, "x"], columns=("b", "a", "c")))
    assert one != key_of({**split([1.5, 2, "x"]), "params": {"p": 1}})
    assert one != key_of({"dataframe_records": [{"a": 1.5, "b": 2, "c": "x"}]})
    assert key_of({"inputs": [[1.0, 2], [3, 4]]}, Schema([TensorSpec(np.dtype("float32"), (-1, 2))])) is not None


@pytest.mark.parametrize("body", [
    split([1.5, 2, "x"], [1.5, None, "x"]),  # the rows are not alike themselves
    split([1.5, 2, "x"], [1.5, 2]),
    split([[1.5], 2, "x"]),
    split(),
    {"dataframe_split": {"columns": ["a"], "data": [[1.5]], "index": [7]}},
    {"dataframe_records": [{"a": 1.5}, {"c": "x"}]},
    {"inputs": {"a": [1.5]}}, {"inputs": "text"}, {"instances": [[1.0], [1.0, 2.0]]},
    {"inputs": [1.5], "instances": [1.5]}, {"inputs": [1.5], "params": [1]}, {},
])
def test_what_is_not_merged(body: Any) -> None:
    assert key_of(body) is None


def test_dates_are_read_alone() -> None:
    assert key_of({"dataframe_records": [{"t": "2024-01-01"}]}, Schema([ColSpec("datetime", "t")])) is None


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000, b"null", b'"x"'])
def test_what_is_no_json_object_is_told(body: bytes) -> None:
    with pytest.raises(BadRequest, match="the body"):
        Reader(None).read(JSON, body, alone=True).read()


def test_python_s_own_nan_is_read() -> None:
    (data, params) = Reader(TYPED).read(JSON, b'{"dataframe_records": [{"a": NaN, "b": 1, "c": "x"}]}', alone=True
                                        ).read()
    assert params is None and data["a"].isna().all()


def test_csv_has_texts_where_the_model_has_texts() -> None:
    data, _ = Reader(TYPED).read(CSV, b"a,b,c\n1,2,007\n", alone=False).read()
    assert data["c"].tolist() == ["007"] and data["a"].tolist() == [1]
    with pytest.raises(BadRequest, match="no CSV"):
        Reader(TYPED).read(CSV, b'a\n"', alone=False).read()


def test_csv_has_dates_where_the_model_has_dates() -> None:
    data, _ = Reader(Schema([ColSpec("datetime", "t")])).read(CSV, b"t\n2024-02-03\n", alone=False).read()
    assert data["t"].tolist() == [pd.Timestamp(2024, 2, 3)]


def test_a_broken_parquet_file_is_told() -> None:
    with pytest.raises(BadRequest, match="no Parquet"):
        Reader(None).read(PARQUET, b"PAR1", alone=False).read()


@pytest.mark.parametrize(
    "rows", [[[1.5, 2.5]], [[1, 2.5], [-3.25, 4]], [[2**53 + 1, 1.0]], [[2**70, 1.0]], [[10**400, 0.5]]]
)
@pytest.mark.parametrize("form", ["split", "records"])
def test_a_table_of_doubles_is_made_at_once_and_is_the_same(rows: list[list[float]], form: str) -> None:
    schema = Schema([ColSpec("double", "a"), ColSpec("double", "b", required=False)])
    body: dict[str, Any] = split(*rows, columns=("b", "a"))
    if form == "records":
        body = {"dataframe_records": [dict(zip("ba", row, strict=True)) for row in rows]}
    asked = Reader(schema).read(JSON, json.dumps({**body, "params": {"p": 1}}).encode(), alone=False)
    assert asked.key is not None
    expected = payloads.parse({**body, "params": {"p": 1}}, schema)
    for data, params in (asked.read(), asked.merged([])):
        pd.testing.assert_frame_equal(data, expected[0])
        assert params == expected[1]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("form", ["split", "records"])
def test_a_model_that_takes_arrays_gets_the_numbers_of_the_table(form: str, order: Any) -> None:
    schema = Schema([ColSpec("double", "a"), ColSpec("double", "b", required=False)])
    reader = Reader(schema, order)

    def asked(*rows: list[Any], columns: str = "ab", **more: Any) -> Asked:
        body: dict[str, Any] = split(*rows, columns=tuple(columns))
        if form == "records":
            body = {"dataframe_records": [dict(zip(columns, row, strict=True)) for row in rows]}
        return reader.read(JSON, json.dumps({**body, **more}).encode(), alone=False)

    one, other = asked([1, 2.5], [-3.25, 4]), asked([5, 6])
    data, params = one.merged([other])
    assert one.is_array and one.key == other.key and params is None
    assert data.dtype == np.float64 and data.flags[f"{order}_CONTIGUOUS"]
    np.testing.assert_array_equal(data, [[1, 2.5], [-3.25, 4], [5, 6]])
    np.testing.assert_array_equal(one.read()[0], [[1, 2.5], [-3.25, 4]])
    # Whatever is not the signature's doubles, in its order, is a table that the model checks.
    for table in (asked([1, 2], columns="ba"), asked([1, None]), asked([1, 2], params={"p": 1}),
                  asked([1, 2], params={}), asked([1, 2, 3], columns="abc"), asked([1], columns="a")):
        assert not table.is_array
        assert isinstance(table.read()[0], pd.DataFrame)
    # A number that is not exactly a double has a column's type of its own.
    assert isinstance(asked([2**53 + 1, 1.0]).read()[0], pd.DataFrame)


CELLS: Any = st.one_of(st.integers(-5, 5), st.floats(-5, 5), st.booleans(), st.none(), st.text(max_size=2))
ROWS: Any = st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=3)


def echo(data: Any) -> Any:
    """A model that shows the types it was given, row by row."""
    if isinstance(data, pd.DataFrame):
        return [[f"{type(cell).__name__} {cell!r}" for cell in row] for row in data.itertuples(index=False)]
    return [repr(row) for row in data]


@given(requests=st.lists(ROWS, min_size=2, max_size=6), form=st.sampled_from(["split", "records", "instances"]),
       schema=st.sampled_from([None, Schema([ColSpec("double", "a"), ColSpec("string", "b", required=False)]),
                               Schema([ColSpec("long", "a", required=False), ColSpec("boolean", "b")])]))
def test_merged_requests_answer_as_each_alone(requests: list[Any], form: str, schema: Schema | None) -> None:
    reader = Reader(schema)
    alike: dict[Any, list[Any]] = {}
    for rows in requests:
        body: dict[str, Any] = split(*map(list, rows), columns=("a", "b"))
        if form == "records":
            body = {"dataframe_records": [dict(zip("ab", row, strict=True)) for row in rows]}
        elif form == "instances":
            body = {"instances": [list(row) for row in rows]}
        asked = reader.read(JSON, json.dumps(body).encode(), alone=False)
        if asked.key is not None:
            alike.setdefault(asked.key, []).append(asked)
    for group in alike.values():
        try:
            alone = [printed(values(echo(asked.read()[0]))) for asked in group]
        except BadRequest:  # in the batch it is the same, and each is repeated alone
            continue
        data, params = group[0].merged(group[1:])
        assert params is None
        assert parts(echo(data), [asked.rows for asked in group]) == alone
