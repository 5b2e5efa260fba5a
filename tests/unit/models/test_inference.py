"""What MLflow 3.17.2 infers (pandas 3.1.1, NumPy 2.4.6, polars 2.1.0), written down; ours is the same."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sparse

from millstream.errors import InvalidValue
from millstream.models.inference import infer_schema

# A type in short: a scalar's name, [items], {property: type, "optional?": type}.
Short = Any


def long(short: Short) -> dict[str, Any]:
    if isinstance(short, list):
        return {"type": "array", "items": long(short[0])}
    if isinstance(short, dict):
        return {
            "type": "object",
            "properties": {
                name.removesuffix("?"): {**long(kind), "required": not name.endswith("?")}
                for name, kind in short.items()
            },
        }
    return {"type": short}


DATE, TIME = datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1, 12)

COMPLETE: list[tuple[Short, list[Any], Any]] = [
    *[("integer", [1, 2], name) for name in ("int8", "int16", "int32", "uint8", "uint16", "Int8", "Int32")],
    *[("long", [1, 2], name) for name in ("int64", "uint32", "Int64", "int64[pyarrow]", "category", object)],
    *[("float", [1.0, 2.5], name) for name in ("float16", "float32", "Float32")],
    *[("double", [1.0, 2.5], name) for name in ("float64", "double[pyarrow]", object)],
    *[("boolean", [True, False], name) for name in ("bool", "boolean", "bool[pyarrow]", object)],
    *[("string", ["a", "b"], name) for name in (None, object, "string", "string[pyarrow]", "category")],
    ("binary", [b"a"], None),
    ("binary", [bytearray(b"a")], None),
    ("datetime", [pd.Timestamp("2020")], None),
    ("datetime", [pd.Timestamp("2020", tz="UTC")], None),
    ("datetime", [pd.Timestamp("2020")], "timestamp[ns][pyarrow]"),
    ("datetime", [DATE, TIME], object),
    ("datetime", [np.datetime64("2020")], object),
    ("double", [1, 2.5], object),
    ("long", [2**70], object),
    ("integer", [np.int32(1)], object),
    ("string", [], object),
    ("double", [], "float64"),
    ("boolean", [True, False], "Sparse[bool]"),
    ("long", [0, 1], "Sparse[int64]"),
    ("datetime", [TIME], "category"),
    ("datetime", [DATE], "date32[pyarrow]"),
    ("datetime", [TIME], "timestamp[us, tz=UTC][pyarrow]"),
    ("string", ["a"], "large_string[pyarrow]"),
    ("binary", [b"a"], "binary[pyarrow]"),
    ("float", [1.5], "float[pyarrow]"),
    (["long"], [[1, 2], [3]], None),
    (["long"], [[], [1]], None),
    (["long"], [[1, None]], None),
    (["integer"], [[np.int32(1)]], None),
    ([["long"]], [[[1]]], None),
    (["string"], [np.array(["a"])], None),
    (["string"], [np.array(["a"], dtype=object)], None),
    (["float"], [np.array([1, 2], dtype="float32")], None),
    ([["double"]], [np.zeros((2, 2))], None),
    (["datetime"], [np.array(["2020"], dtype="datetime64[s]")], None),
    ("any", [[]], None),
    ("any", [{}], None),
    ({"a": "long", "b": "string"}, [{"b": "x", "a": 1}], None),
    ({"a": "long", "b?": "string"}, [{"a": 1, "b": "x"}, {"a": 2}], None),
    ({"a": "long", "b?": "any"}, [{"a": 1, "b": None}], None),
    ({"a?": "any", "b?": "any"}, [{"a": [], "b": {}}], None),
    ({"a": {"b?": "any"}}, [{"a": {"b": []}}], None),
    (["any"], [[None]], None),
    ({"a?": ["long"]}, [{"a": []}, {"a": [1]}], None),
    ({"a": {"x?": "long", "y?": "long"}}, [{"a": {"x": 1}}, {"a": {"y": 1}}], None),
    ([{"a": "long", "b?": "long"}], [[{"a": 1}, {"a": 2, "b": 3}]], None),
]

WITH_MISSING: list[tuple[Short, list[Any], Any]] = [
    ("long", [1, None], "Int64"),
    ("double", [1, None], object),
    ("double", [1.0, None], "Float64"),
    ("double", [np.nan, np.nan], "float64"),
    ("boolean", [True, None], "boolean"),
    ("boolean", [True, None], object),
    ("string", ["a", None], "string"),
    ("string", ["a", None], object),
    ("string", ["a", np.nan], object),
    ("string", ["a", pd.NA], object),
    ("string", ["a", None], "category"),
    ("binary", [b"a", None], object),
    ("datetime", [pd.Timestamp("2020"), None], "datetime64[ns]"),
    ("any", [None, None], object),
    (["long"], [[1], None], object),
    (["string"], [["a"], np.nan], object),
    ({"a?": "long"}, [{"a": 1}, None], object),
]

UNKNOWN: list[tuple[list[Any], Any]] = [
    ([1], "uint64"), ([1], "UInt64"), ([1], "timedelta64[ns]"), ([1j], None), ([decimal.Decimal(1)], None),
    ([pd.Period("2020")], None), ([datetime.time(1)], None), ([{1, 2}], None), ([(1, 2)], None), ([{1: 2}], None),
    (["a", 1], object), ([True, 1], object), ([[1, "a"]], None), ([[1, 2.5]], None), ([[1], [2.5]], None),
    ([["a"], {"a": 1}], None), ([{"a": 1}, {"a": "x"}], None), ([np.array([1], dtype="uint64")], None),
]


@pytest.mark.parametrize(("short", "values", "dtype"), COMPLETE)
def test_a_column_without_missing_values(short: Short, values: list[Any], dtype: Any) -> None:
    series = pd.Series(values, dtype=dtype)
    assert infer_schema(pd.DataFrame({"c": series})).to_dict() == [{**long(short), "name": "c", "required": True}]
    assert infer_schema(series).to_dict() == [{**long(short), "required": True}]
    assert infer_schema(series.rename("s")).to_dict() == [{**long(short), "name": "s", "required": True}]


@pytest.mark.parametrize(("short", "values", "dtype"), WITH_MISSING)
def test_a_column_with_missing_values_is_optional(short: Short, values: list[Any], dtype: Any) -> None:
    series = pd.Series(values, dtype=dtype)
    assert infer_schema(pd.DataFrame({"c": series})).to_dict() == [{**long(short), "name": "c", "required": False}]
    with pytest.raises(InvalidValue, match="name"):
        infer_schema(series)


@pytest.mark.parametrize(("values", "dtype"), UNKNOWN)
def test_a_column_without_a_type_is_named(values: list[Any], dtype: Any) -> None:
    frame = pd.DataFrame({"fine": range(len(values)), "odd one": pd.Series(values, dtype=dtype)})
    with pytest.raises(InvalidValue, match="'odd one'"):
        infer_schema(frame)


def test_labels_of_frames() -> None:
    by_number = infer_schema(pd.DataFrame(np.zeros((1, 2))))
    assert by_number.input_names() == [0, 1]
    pairs = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])
    assert infer_schema(pd.DataFrame(np.zeros((1, 2)), columns=pairs)).input_names() == [("a", 1), ("b", 2)]
    with pytest.raises(InvalidValue):
        infer_schema(pd.DataFrame([[1, "a"]], columns=["a", "a"]))
    with pytest.raises(InvalidValue):
        infer_schema(pd.DataFrame())


def tensor(dtype: str, *shape: int) -> dict[str, Any]:
    return {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(shape)}}


@pytest.mark.parametrize(
    ("data", "written"),
    [
        (np.array([1, 2]), tensor("int64", -1)),
        (np.zeros((2, 3), dtype="float32"), tensor("float32", -1, 3)),
        (np.zeros((2, 3, 4), dtype="uint64"), tensor("uint64", -1, 3, 4)),
        (np.zeros((0, 3)), tensor("float64", -1, 3)),
        (np.array(["a", "bcd"]), tensor("str", -1)),
        (np.array([b"abc"]), tensor("bytes", -1)),
        (np.array(["a", 1], dtype=object), tensor("object", -1)),
        (np.array(["2020"], dtype="datetime64[D]"), tensor("datetime64[D]", -1)),
        (np.array([True]), tensor("bool", -1)),
        (np.array([1j]), tensor("complex128", -1)),
        (sparse.csr_matrix(np.eye(3)), tensor("float64", -1, 3)),
        (sparse.csc_matrix(np.eye(3)), tensor("float64", -1, 3)),
    ],
)
def test_arrays(data: Any, written: dict[str, Any]) -> None:
    assert infer_schema(data).to_dict() == [written]


def test_an_array_without_axes_is_refused() -> None:
    with pytest.raises(InvalidValue):
        infer_schema(np.array(1))


@pytest.mark.parametrize(
    ("data", "written"),
    [
        ({"a": np.array([1, 2]), "b": np.zeros((2, 3))},
         [{"name": "a", **tensor("int64", -1)}, {"name": "b", **tensor("float64", -1, 3)}]),
        ({"a": [1, 2], "b": ["x"]},
         [{**long(["long"]), "name": "a", "required": True}, {**long(["string"]), "name": "b", "required": True}]),
        ({"a": 1.5, "b": b"x"},
         [{"type": "double", "name": "a", "required": True}, {"type": "binary", "name": "b", "required": True}]),
        ({"a": np.array([1]), "b": "x"},
         [{**long(["long"]), "name": "a", "required": True}, {"type": "string", "name": "b", "required": True}]),
        ({"a": None}, [{"type": "any", "name": "a", "required": False}]),
        ({"a": [1, None]}, [{**long(["long"]), "name": "a", "required": False}]),
        ({"a": []}, [{"type": "any", "name": "a", "required": True}]),
        ({"a": {"b": None}}, [{**long({"b?": "any"}), "name": "a", "required": True}]),
        ({"m": [{"role": "user", "content": "hello"}]},
         [{**long([{"content": "string", "role": "string"}]), "name": "m", "required": True}]),
        ([1, 2], [{"type": "long", "required": True}]),
        (["a", None], [{"type": "string", "required": True}]),
        ([1.0, float("nan")], [{"type": "double", "required": True}]),
        ([[1], None], [{**long(["long"]), "required": True}]),
        ([], [{"type": "string", "required": True}]),
        ([None], [{"type": "any", "required": True}]),
        ([[]], [{"type": "any", "required": True}]),
        ([{"b": 1, "a": 2}, {"c": 1, "b": 2, "a": 1}],
         [{"type": "long", "name": "b", "required": True}, {"type": "long", "name": "a", "required": True},
          {"type": "long", "name": "c", "required": False}]),
        ([{"a": 1}, None], [{**long({"a?": "long"}), "required": True}]),
        ("text", [{"type": "string", "required": True}]),
        (True, [{"type": "boolean", "required": True}]),
        (np.float32(1), [{"type": "float", "required": True}]),
        (TIME, [{"type": "datetime", "required": True}]),
        (float("nan"), [{"type": "any", "required": True}]),
    ],
)
def test_dicts_lists_and_values(data: Any, written: list[dict[str, Any]]) -> None:
    assert infer_schema(data).to_dict() == written


@pytest.mark.parametrize(
    "data",
    [{}, {1: 1}, {"a": np.array(1)}, {"a": [1, "x"]}, {"a": (1, 2)}, {"a": pd.Series([1])}, [1, "a"], [1, 2.5],
     [(1, 2)], (1, 2), {1}, object()],
)
def test_data_without_a_schema_is_refused(data: Any) -> None:
    with pytest.raises(InvalidValue):
        infer_schema(data)


@pytest.mark.parametrize(
    ("short", "values", "dtype"),
    [
        *[("integer", [1, 2], kind) for kind in (pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16)],
        *[("long", [1, 2], kind) for kind in (pl.Int64, pl.UInt32)],
        ("float", [1.5], pl.Float32),
        ("double", [1.5], pl.Float64),
        ("boolean", [True], pl.Boolean),
        *[("string", ["a"], kind) for kind in (pl.String, pl.Categorical, pl.Enum(["a"]))],
        ("binary", [b"a"], pl.Binary),
        ("datetime", [DATE], pl.Date),
        ("datetime", [TIME], pl.Datetime),
        ("datetime", [TIME], pl.Datetime("us", "UTC")),
        (["long"], [[1, 2]], pl.List(pl.Int64)),
        (["long"], [[1, 2]], pl.Array(pl.Int64, 2)),
        ([["double"]], [[[1.5]]], None),
        ({"a": "long", "b": "string"}, [{"a": 1, "b": "x"}], None),
        ([{"a": "long"}], [[{"a": 1}]], None),
    ],
)
def test_polars_columns(short: Short, values: list[Any], dtype: Any) -> None:
    frame = pl.DataFrame({"c": pl.Series(values, dtype=dtype)})
    assert infer_schema(frame).to_dict() == [{**long(short), "name": "c", "required": True}]
    # MLflow 3.17.2 calls a polars column with nulls required; a null is a missing value here as it is in pandas.
    with_null = pl.DataFrame({"c": pl.Series([*values, None], dtype=frame["c"].dtype)})
    assert infer_schema(with_null).to_dict() == [{**long(short), "name": "c", "required": False}]


@pytest.mark.parametrize("dtype", [pl.UInt64, pl.Int128, pl.Duration, pl.Time, pl.Null, pl.Decimal])
def test_polars_types_without_a_name_are_refused(dtype: Any) -> None:
    with pytest.raises(InvalidValue, match="'c'"):
        infer_schema(pl.DataFrame({"c": pl.Series([None], dtype=dtype)}))


def test_arrow_columns_of_pandas() -> None:
    import pyarrow as pa

    table = pa.table({
        "l": pa.array([[1]], pa.list_(pa.int32())),
        "s": pa.array([{"x": 1}], pa.struct([pa.field("x", pa.int64(), nullable=False)])),
        "d": pa.array(["a"]).dictionary_encode(),
        "b": pa.array([b"a"]),
        "t": pa.array([DATE]),
    })
    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    assert [kind.to_dict() for kind in infer_schema(frame).input_types()] == [
        long(short) for short in (["integer"], {"x": "long"}, "string", "binary", "datetime")
    ]
