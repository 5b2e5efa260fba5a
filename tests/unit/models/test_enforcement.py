"""Input checked against a signature, by a table that was first observed with MLflow 3.17.2 (pandas 3.1.1, NumPy 2.4.6).

Where we accept what it refuses (``MORE``) no value changes: whole numbers as floats that are as exact, pandas' own
types with missing values, categories, time zones, Python's numbers in any width. What it accepts and we refuse is
``LESS``.
"""

from __future__ import annotations

import datetime
import decimal
import logging
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sparse

from millstream.errors import SchemaMismatch
from millstream.models.enforcement import Enforcer, enforce_input, enforce_params, validate_schema
from millstream.models.inference import infer_schema
from millstream.models.schema import (
    AnyType,
    Array,
    ColSpec,
    DataType,
    Map,
    Object,
    ParamSchema,
    ParamSpec,
    Property,
    Schema,
    SparkMLVector,
    TensorSpec,
)
from millstream.models.signature import ModelSignature

TIME = datetime.datetime(2020, 1, 1)
TIMES = pd.to_datetime(["2020-01-01", "2021-01-01"])
VALUES: dict[str, Any] = {
    **{name: np.array([1, 2], dtype=name) for name in
       ("int8", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64")},
    "huge": np.array([2**53 + 1, 1]), "gaps": np.array([1.0, np.nan]), "bool": np.array([True, False]),
    "text": ["a", "b"], "objects": np.array(["a", None], dtype=object), "ints": np.array([1, 2], dtype=object),
    "intgaps": np.array([1, None], dtype=object), "floats": np.array([1.5, 2.0], dtype=object),
    "bools": np.array([True, None], dtype=object), "bytes": np.array([b"a", b"b"], dtype=object),
    "mixed": np.array([1, "a"], dtype=object), "times": TIMES, "seconds": np.array(["2020"] * 2, dtype="datetime64[s]"),
    "zoned": TIMES.tz_localize("UTC"), "dates": np.array([TIME.date()] * 2, dtype=object),
    "timegaps": pd.to_datetime(["2020-01-01", None]), "timetexts": ["2020-01-01", "2021-01-01"],
    **{name: pd.array([1, 2], dtype=name) for name in ("Int64", "Int32", "Float64", "Float32", "int64[pyarrow]")},
    "Int64 gaps": pd.array([1, None], dtype="Int64"), "Float64 gaps": pd.array([1.5, None], dtype="Float64"),
    "boolean": pd.array([True, False], dtype="boolean"), "boolean gaps": pd.array([True, None], dtype="boolean"),
    "string": pd.array(["a", None], dtype="string"), "categories": pd.Categorical(["a", "b"]),
    "int categories": pd.Categorical([1, 2]), "decimals": np.array([decimal.Decimal("1.5")] * 2, dtype=object),
    "nothing": np.array([None, None], dtype=object), "spans": pd.to_timedelta([1, 2]),
}
SAME: dict[str, tuple[str, str]] = {
    "boolean": ("bool", "bool boolean"),
    "integer": ("int32", "int8 int32 uint8 uint16 Int32"),
    "long": ("int64", "int8 int32 int64 uint8 uint16 uint32 ints Int64 Int32 int64[pyarrow] huge"),
    "float": ("float32", "float16 float32 Float32"),
    "double": ("float64", "int8 int32 uint8 uint16 uint32 float16 float32 float64 gaps intgaps floats Int32 Float64"
                          " Float64_gaps Float32 decimals nothing"),
    "datetime": ("datetime64[ns]", "times seconds dates timegaps nothing"),
}
MORE: dict[str, tuple[str, str]] = {
    "integer": ("int32", "ints"),
    "float": ("float32", "int8 int32 int64 uint8 uint16 uint32 uint64 ints intgaps floats Int64 Int32 Int64_gaps"
                         " decimals nothing int64[pyarrow]"),
    "double": ("float64", "int64 uint64 ints Int64 Int64_gaps int64[pyarrow]"),
}
# Given back as they are.
KEPT = {
    "boolean": "bools nothing boolean_gaps", "long": "Int64_gaps int_categories", "datetime": "zoned",
    "string": "text objects ints intgaps floats bools bytes mixed timetexts dates string decimals nothing categories",
    "binary": "text objects ints intgaps floats bools bytes mixed timetexts dates string decimals nothing categories",
    "float": "int_categories", "double": "int_categories",
}
LESS = {"boolean": "bytes mixed dates decimals", "double": "bools"}


def frame(name: str) -> pd.DataFrame:
    return pd.DataFrame({"c": VALUES[name]})


def one(kind: Any, name: str | None = "c", required: bool = True) -> Schema:
    return Schema([ColSpec(kind, name, required)])


CONVERTED = [(kind, dtype, name.replace("_", " ")) for table in (SAME, MORE) for kind, (dtype, names) in table.items()
             for name in names.split()]
UNTOUCHED = [(kind, name.replace("_", " ")) for kind, names in KEPT.items() for name in names.split()]
TAKEN = {(kind, name) for kind, _, name in CONVERTED} | set(UNTOUCHED)
REFUSED = [(kind.name, name) for kind in DataType for name in VALUES if (kind.name, name) not in TAKEN]


@pytest.mark.parametrize(("kind", "dtype", "name"), CONVERTED)
def test_columns_are_widened(kind: str, dtype: str, name: str) -> None:
    given = frame(name)
    made = enforce_input(given, one(kind))
    assert str(made["c"].dtype) == dtype
    equal = [(pd.isna(a) and pd.isna(b)) or a == b for a, b in zip(made["c"], pd.Series(VALUES[name]), strict=True)]
    if kind != "datetime":
        assert all(equal)
    assert infer_schema(made).input_types() == [DataType[kind]]
    pd.testing.assert_frame_equal(given, frame(name))


@pytest.mark.parametrize(("kind", "name"), UNTOUCHED)
def test_columns_stay_as_they_are(kind: str, name: str) -> None:
    given = frame(name)
    made = enforce_input(given, one(kind))
    pd.testing.assert_frame_equal(made, given)


@pytest.mark.parametrize(("kind", "name"), REFUSED)
def test_columns_are_refused(kind: str, name: str) -> None:
    with pytest.raises(SchemaMismatch, match=f"the column 'c' should be {kind}, found ") as told:
        enforce_input(frame(name), one(kind))
    assert told.value.error_code == "INVALID_PARAMETER_VALUE"


def test_what_mlflow_takes_and_we_refuse_is_known() -> None:
    known = {(kind, name) for kind, names in LESS.items() for name in names.split()}
    assert known <= set(REFUSED)


@pytest.mark.parametrize(
    ("kind", "name", "found", "remedy"),
    [
        ("integer", "int64", "int64", "df['c'] = df['c'].astype('int32')"),
        ("long", "float64", "float64", "df['c'] = df['c'].astype('int64')"),
        ("long", "gaps", "float64 with missing values", "df['c'] = df['c'].astype('Int64')"),
        ("long", "intgaps", "whole numbers of which some are missing", "df['c'] = df['c'].astype('Int64')"),
        ("boolean", "int64", "int64", "df['c'] = df['c'].astype('boolean')"),
        ("datetime", "timetexts", "str", "df['c'] = pandas.to_datetime(df['c'])"),
        ("string", "int64", "int64", "df['c'] = df['c'].astype(str)"),
        ("double", "mixed", "values of type str", "df['c'] = df['c'].astype('float64')"),
        ("double", "huge", r"int64 with numbers beyond ±2\^53", "df['c'] = df['c'].astype('float64')"),
    ],
)
def test_a_refusal_names_type_and_remedy(kind: str, name: str, found: str, remedy: str) -> None:
    with pytest.raises(SchemaMismatch, match=f"should be {kind}, found {found}(\n|$)") as told:
        enforce_input(frame(name), one(kind))
    assert told.value.hint == remedy


@pytest.mark.parametrize("name", ["gaps", "intgaps"])
def test_the_remedy_for_missing_whole_numbers_works(name: str) -> None:
    cured = frame(name)
    cured["c"] = cured["c"].astype("Int64")
    assert enforce_input(cured, one("long")) is cured


AB = Schema([ColSpec("long", "a"), ColSpec("double", "b")])
MAYBE = Schema([ColSpec("long", "a"), ColSpec("double", "b", required=False)])
ROW = pd.DataFrame({"a": [1], "b": [1.5]})


def test_a_frame_that_fits_is_not_touched() -> None:
    check = Enforcer(AB)
    assert check(ROW) is ROW
    assert check(ROW) is ROW
    other = ROW.copy()
    assert check(other) is other


def test_columns_are_found_by_name() -> None:
    indexed = ROW[["b", "a"]].set_axis(["k"])
    made = enforce_input(indexed, AB)
    assert made.columns.tolist() == ["a", "b"]
    assert made.index.tolist() == ["k"]
    assert enforce_input(ROW.assign(z=1), AB).columns.tolist() == ["a", "b"]
    assert enforce_input(ROW[["a"]], MAYBE).columns.tolist() == ["a"]
    assert enforce_input(ROW.iloc[:0], AB).empty
    labels = pd.DataFrame([[1, 1.5]])
    assert enforce_input(labels, Schema([ColSpec("long", 0), ColSpec("double", 1)])) is labels
    pairs = pd.DataFrame([[1.5, 1]], columns=pd.MultiIndex.from_tuples([("b", 1), ("a", 1)]))
    schema = Schema([ColSpec("long", ("a", 1)), ColSpec("double", ("b", 1))])
    for same in (schema, Schema.from_json(schema.to_json())):
        assert same == schema
        assert enforce_input(pairs, same).columns.tolist() == [("a", 1), ("b", 1)]


def test_the_same_types_in_another_order_have_a_plan_of_their_own() -> None:
    check = Enforcer(AB)
    assert check(ROW) is ROW
    with pytest.raises(SchemaMismatch, match="'a' should be long"):
        check(pd.DataFrame({"a": [1.5], "b": [1]}))
    narrow = pd.DataFrame({"a": np.array([1], dtype="int8"), "b": [1.5]})
    for _ in range(2):
        assert check(narrow).dtypes.tolist() == [np.dtype("int64"), np.dtype("float64")]
    assert check(ROW) is ROW


def test_plans_are_not_kept_without_end() -> None:
    check = Enforcer(Schema([ColSpec("string", name) for name in "abcdefgh"]))
    for number in range(100):
        types = [object if number >> bit & 1 else "str" for bit in range(8)]
        given = pd.DataFrame({name: pd.Series(["x"], dtype=kind) for name, kind in zip("abcdefgh", types, strict=True)})
        assert check(given) is given
    assert len(check._plans) <= 64


def test_several_faults_are_told_together() -> None:
    given = pd.DataFrame({"a": ["x"], "z": [1]})
    with pytest.raises(SchemaMismatch, match=r"'b' is missing \(found 'z' instead\); the column 'a' should be") as told:
        enforce_input(given, AB)
    assert told.value.hint == (
        "the model takes the columns 'a': long, 'b': double; add 'b'; df['a'] = df['a'].astype('int64')"
    )
    wide = Schema([ColSpec("long", f"c{number}") for number in range(40)])
    with pytest.raises(SchemaMismatch, match="; and 30 more(\n|$)"):
        enforce_input(pd.DataFrame({f"c{number}": ["x"] for number in range(40)}), wide)


@pytest.mark.parametrize("given", [np.array([[1, 1.5]]), [[1, 1.5]], pd.DataFrame([[1, 1.5]])])
def test_columns_without_names(given: Any) -> None:
    with pytest.raises(SchemaMismatch, match="'a', 'b' are missing") as told:
        enforce_input(given, AB)
    assert told.value.hint == "name the columns: pandas.DataFrame(data, columns=['a', 'b'])"


def test_a_column_that_comes_twice() -> None:
    with pytest.raises(SchemaMismatch, match="'a' come more than once"):
        enforce_input(pd.DataFrame([[1, 2, 1.5]], columns=["a", "a", "b"]), AB)
    made = enforce_input(pd.DataFrame([[1, 2, 2, 1.5]], columns=["a", "z", "z", "b"]), AB)
    pd.testing.assert_frame_equal(made, ROW)


def plain(made: Any) -> Any:
    if isinstance(made, pd.DataFrame):
        return {name: (str(made[name].dtype), made[name].tolist()) for name in made.columns}
    return made


A, B, TEXT = ("int64", [1]), ("float64", [1.5]), str(pd.Series(["x"]).dtype)
LISTS = Schema([ColSpec(Array(DataType.long), "l")])


@pytest.mark.parametrize(
    ("schema", "given", "expected"),
    [
        (AB, {"a": 1, "b": 1.5}, {"a": A, "b": B}), (AB, {"a": [1], "b": [1.5]}, {"a": A, "b": B}),
        (AB, {"a": np.array([1]), "b": np.array(1.5)}, {"a": A, "b": B}),
        (AB, {"a": [1, 2], "b": 1.5, "z": 0}, {"a": ("int64", [1, 2]), "b": ("float64", [1.5, 1.5])}),
        (AB, [{"a": 1, "b": 1}, {"b": 2.5, "a": 2}], {"a": ("int64", [1, 2]), "b": ("float64", [1.0, 2.5])}),
        (MAYBE, {"a": 1}, {"a": A}), (MAYBE, [{"a": 1}], {"a": A}),
        (AB, pl.DataFrame({"b": [1.5], "a": [1]}), {"a": A, "b": B}),
        (AB, pa.table({"a": [1], "b": [1.5]}), {"a": A, "b": B}),
        (one("long"), pd.Series([1], name="c"), {"c": A}), (one("long"), pl.Series("c", [1]), {"c": A}),
        (one("long", None), pd.Series([1]), {0: A}), (one("long", None), pd.DataFrame({"q": [1]}), {"q": A}),
        (one("long", None), 1, {0: A}), (one("long", None), [1], {0: A}), (one("long", None), np.array([[1]]), {0: A}),
        (one("long", None), {"q": 1}, {"q": A}), (one("long", None), [{"q": 1}], {"q": A}),
        (one("integer", None), [1], {0: ("int32", [1])}), (one("float"), {"c": 1.5}, {"c": ("float32", [1.5])}),
        (one("string", None), "x", {0: (TEXT, ["x"])}), (one("string"), {"c": ["x", "y"]}, {"c": (TEXT, ["x", "y"])}),
        (one("binary", None), b"x", {0: ("object", [b"x"])}), (one("boolean", None), True, {0: ("bool", [True])}),
        (one("datetime", None), TIME, {0: ("datetime64[ns]", [pd.Timestamp(TIME)])}),
        (Schema([ColSpec("long"), ColSpec("double")]), [[1, 1.5], [2, 2.5]],
         {0: ("int64", [1, 2]), 1: ("float64", [1.5, 2.5])}),
        (Schema([ColSpec("long"), ColSpec("double")]), pd.DataFrame({"q": [1], "w": [1.5], "z": [0]}),
         {"q": A, "w": B}),
        (one("long", required=False), [{"c": 1}, {"c": None}], {"c": ("Int64", [1, pd.NA])}),
        (one("double", required=False), {"c": None}, {"c": ("float64", [pytest.approx(np.nan, nan_ok=True)])}),
        (LISTS, {"l": [1, 2]}, {"l": ("object", [[1, 2]])}), (LISTS, {"l": [[1], [2]]}, {"l": ("object", [[1], [2]])}),
        (LISTS, [{"l": [1, None]}], {"l": ("object", [[1, None]])}),
        (LISTS, pl.DataFrame({"l": [[1, 2], [3]]}), {"l": ("object", [[1, 2], [3]])}),
        (one(Array(DataType.long), None), [[1, 2], [3]], {0: ("object", [[1, 2], [3]])}),
        (one(Object([Property("x", "long")]), None), {"x": 1}, {0: ("object", [{"x": 1}])}),
        (one(AnyType()), {"c": object}, {"c": ("object", [object])}),
    ],
)
def test_other_data_than_frames(schema: Schema, given: Any, expected: Any) -> None:
    assert plain(enforce_input(given, schema)) == expected


@pytest.mark.parametrize(
    ("schema", "given", "told"),
    [
        (AB, None, "found a value of type NoneType"), (AB, np.zeros((1, 1, 1)), "ndarray"),
        (AB, "x", "'b' are missing"),
        (AB, sparse.csr_matrix(np.zeros((1, 2))), "csr_matrix"), (AB, {"a": [1, 2], "b": [1.5]}, "different lengths"),
        (AB, {"a": "x", "b": 1.5}, "'a' should be long, found values of type str"), (AB, [1, 2], "'b' are missing"),
        (one("long"), [1], "'c' is missing"), (one("integer", None), [2**40], "beyond 32 bits"),
        (one("long", None), [2**63], "beyond 64 bits"), (one("float", None), [1e300], "beyond 32 bits"),
        (one("float", None), [2**24 + 1], "every digit"), (one("long", None), [1.0], "values of type float"),
        (one("long", None), [True], "values of type bool"), (one("string", None), 5, "values of type int"),
        (one("double", None), [[1.5], [1.5, 2]], "different lengths"), (one("datetime"), {"c": "2020-01-01"}, "str"),
        (Schema([ColSpec("long"), ColSpec("double")]), pd.DataFrame({"q": [1]}), "takes 2 columns, found 1"),
    ],
)
def test_other_data_that_do_not_fit(schema: Schema, given: Any, told: str) -> None:
    with pytest.raises(SchemaMismatch, match=told):
        enforce_input(given, schema)


def test_a_schema_that_says_nothing_takes_everything() -> None:
    for given in (pd.DataFrame({"a": [1], "b": [2]}), {"q": 1}, [1, "a"], object(), None):
        assert enforce_input(given, one(AnyType(), None)) is given
        assert enforce_input(given, None) is given
    assert enforce_input(ROW, ModelSignature(outputs=AB)) is ROW
    assert enforce_input(ROW, ModelSignature(AB)) is ROW
    validate_schema(ROW, AB)


CELLS = Object([Property("x", "long"), Property("y", "string", required=False)])


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        (Array("long"), [1, 2]), (Array("long"), []), (Array("long"), np.array([1, 2])), (Array("double"), [1, 1.5]),
        (Array(Array("long")), [[1], [2]]), (Array(Array("double")), np.zeros((2, 2))), (Array("string"), ["a", None]),
        (Array("string"), np.array(["a"])), (CELLS, {"x": 1, "y": "a"}), (CELLS, {"x": np.int64(1), "y": None}),
        (CELLS, {"x": 1}), (Map("long"), {"x": 1, "q": 2}), (Map(Array("long")), {"x": [1]}), (AnyType(), {1, 2}),
        (SparkMLVector(), [1.0, 2.0]), (SparkMLVector(), np.zeros(2)), (Array(CELLS), [{"x": 1}]),
        (Array("datetime"), [TIME]), (Array("binary"), [b"a"]), (Array("boolean"), [True, np.False_]),
    ],
)
def test_cells_that_fit_are_not_touched(kind: Any, cell: Any) -> None:
    given = pd.DataFrame({"c": pd.Series([cell], dtype=object)})
    assert enforce_input(given, one(kind)) is given or enforce_input(given, one(kind))["c"].iloc[0] is cell


def test_arrays_in_cells_are_widened() -> None:
    given = pd.DataFrame({"c": [np.array([1, 2], dtype="int32"), [3]]})
    made = enforce_input(given, one(Array("long")))["c"]
    assert made.iloc[0].dtype == np.dtype("int64")
    assert made.iloc[1] == [3]
    assert given["c"].iloc[0].dtype == np.dtype("int32")


@pytest.mark.parametrize(
    ("kind", "cell", "told"),
    [
        (Array("long"), [1.5], "1.5 of type float where long"), (Array("long"), ["a"], "'a' of type str"),
        (Array("long"), 1, "where a list is expected"), (Array("long"), (1, 2), "tuple"),
        (Array("long"), [True], "bool"),
        (Array("integer"), np.array([1]), "int64"), (Array("long"), np.array([[1]]), "2 axes"),
        (Array("datetime"), ["2020-01-01"], "where datetime"),
        (CELLS, {"y": "a"}, "lacks 'x'"), (CELLS, {"x": None}, "lacks 'x'"),
        (CELLS, {"x": 1, "z": 1}, "with 'z', which the type does not name"),
        (CELLS, {"x": "q"}, "'q' of type str where long"), (CELLS, 5, "where a dict"),
        (Map("long"), {1: 2}, "texts as keys"),
        (Map("long"), {"x": "a"}, "where long"), (Array("long"), None, "missing values"),
        (CELLS, None, "missing values"),
    ],
)
def test_cells_that_do_not_fit(kind: Any, cell: Any, told: str) -> None:
    given = pd.DataFrame({"c": pd.Series([cell], dtype=object)})
    with pytest.raises(SchemaMismatch, match=f"the column 'c' should be .*{told}"):
        enforce_input(given, one(kind))
    if cell is None:
        pd.testing.assert_frame_equal(enforce_input(given, one(kind, required=False)), given)


PARAMS = ParamSchema([
    ParamSpec("i", "integer", 1), ParamSpec("d", "double", 1.5), ParamSpec("s", "string", "x"),
    ParamSpec("t", "datetime", TIME), ParamSpec("l", "long", [1, 2], (-1,)), ParamSpec("n", "long", None),
    ParamSpec("o", CELLS, {"x": 1}),
])
DEFAULTS = {"i": 1, "d": 1.5, "s": "x", "t": TIME, "l": [1, 2], "n": None, "o": {"x": 1}}


@pytest.mark.parametrize("params", [None, {}])
def test_parameters_have_defaults(params: Any) -> None:
    made = enforce_params(params, PARAMS)
    assert made == DEFAULTS
    made["l"].append(3)
    assert enforce_params(params, PARAMS) == DEFAULTS


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("i", 5, 5), ("i", np.int32(3), 3), ("i", None, None), ("d", 1, 1.0), ("d", np.float32(1.5), 1.5),
        ("s", "q", "q"),
        ("t", "2020-02-01", datetime.datetime(2020, 2, 1)), ("t", pd.Timestamp("2021"), datetime.datetime(2021, 1, 1)),
        ("l", [3], [3]), ("l", np.array([3]), [3]), ("n", 5, 5), ("o", {"x": 2, "y": None}, {"x": 2, "y": None}),
    ],
)
def test_parameters_are_brought_into_their_types(name: str, value: Any, expected: Any) -> None:
    assert enforce_params({name: value}, PARAMS) == {**DEFAULTS, name: expected}


@pytest.mark.parametrize(
    ("name", "value"),
    [("i", "5"), ("i", True), ("i", 2**40), ("d", "1"), ("s", 1), ("t", "bogus"), ("l", 3), ("l", [1.5]), ("l", [[1]]),
     ("o", {"y": "a"}), ("o", {"x": 1, "z": 1}), ("o", 5)],
)
def test_parameters_that_do_not_fit_are_named(name: str, value: Any) -> None:
    with pytest.raises(SchemaMismatch, match=f"'{name}"):
        enforce_params({name: value}, PARAMS)


def test_parameters_are_told_together_and_unknown_ones_left_out(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SchemaMismatch, match="'i'.*; 'd'") as told:
        enforce_params({"i": "q", "d": "w"}, PARAMS)
    assert told.value.hint
    with pytest.raises(SchemaMismatch, match="got int"):
        enforce_params(5, PARAMS)
    with caplog.at_level(logging.WARNING):
        assert enforce_params({"unknown": 1}, PARAMS) == DEFAULTS
        assert enforce_params({"unknown": 1}, None) == {}
    assert all("'unknown'" in line for line in caplog.messages)
    assert len(caplog.messages) == 2


def tensor(dtype: str, *shape: int, name: str | None = None) -> TensorSpec:
    return TensorSpec(np.dtype(dtype), shape, name)


GRID = Schema([tensor("float64", -1, 3)])
PAIR = Schema([tensor("float64", -1, 2, name="x"), tensor("int64", -1, name="y")])


@pytest.mark.parametrize(
    ("schema", "given"),
    [
        (GRID, np.zeros((2, 3))), (GRID, sparse.csr_matrix(np.zeros((2, 3)))),
        (GRID, sparse.csc_array(np.zeros((2, 3)))),
        (Schema([tensor("str", -1)]), np.array(["a"])), (Schema([tensor("object", -1)]), np.array(["a"])),
        (Schema([tensor("float64", 2, 3)]), np.zeros((2, 3))), (Schema([tensor("bool", -1)]), np.array([True])),
    ],
)
def test_arrays_that_fit_are_not_touched(schema: Schema, given: Any) -> None:
    assert enforce_input(given, schema) is given


@pytest.mark.parametrize(
    ("schema", "given", "dtype"),
    [
        (GRID, np.zeros((2, 3), dtype="float32"), "float64"), (GRID, np.zeros((2, 3), dtype=int), "float64"),
        (GRID, pd.DataFrame(np.zeros((2, 3))), "float64"),
        (GRID, pd.DataFrame({"a": [1.5], "b": [1], "c": [2]}), "float64"),
        (GRID, [[1, 2, 3]], "float64"), (GRID, sparse.csr_matrix(np.zeros((2, 3), dtype=int)), "float64"),
        (GRID, pd.DataFrame({"v": [[1.0, 2.0, 3.0]]}), "float64"), (GRID, pd.Series([np.zeros(3)] * 2), "float64"),
        (Schema([tensor("float32", -1)]), [1.1, 2], "float32"), (Schema([tensor("int8", -1)]), [1, 2], "int8"),
        (Schema([tensor("datetime64[ns]", -1)]), np.array(["2020"], dtype="datetime64[D]"), "datetime64[ns]"),
        (Schema([tensor("datetime64[ns]", -1)]), ["2020-01-01"], "datetime64[ns]"),
    ],
)
def test_arrays_are_widened(schema: Schema, given: Any, dtype: str) -> None:
    made = enforce_input(given, schema)
    assert made.dtype == np.dtype(dtype)
    assert made.shape[1:] == tuple(schema.inputs[0].shape[1:])  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("schema", "given", "told"),
    [
        (GRID, np.zeros((2, 4)), r"shape \(-1, 3\), found \(2, 4\)"), (GRID, np.zeros(3), r"found \(3,\)"),
        (GRID, "x", "value of type str"), (GRID, 1.0, "type float"), (GRID, {"a": np.zeros((2, 3))}, "type dict"),
        (GRID, [[1, 2, 3], [1]], "type list"), (GRID, np.array([["a"] * 3]), "found <U1"), (GRID, None, "NoneType"),
        (GRID, np.array([[True] * 3]), "found bool"), (GRID, np.array([[2**53 + 1, 0, 0]]), "found int64"),
        (GRID, np.zeros((2, 3)).astype(object), "found object"),
        (Schema([tensor("float32", -1)]), np.zeros(2), "float64"),
        (Schema([tensor("int32", -1)]), np.array([1]), "int64"), (Schema([tensor("int8", -1)]), [300], "int64"),
        (Schema([tensor("float64", 2, 3)]), np.zeros((1, 3)), r"\(2, 3\), found \(1, 3\)"),
        (Schema([tensor("datetime64[ns]", -1)]), ["x"], "found <U1"),
        (PAIR, np.zeros((2, 2)), "'x', 'y', found .* ndarray"),
        (PAIR, {"x": np.zeros((2, 2))}, "the array 'y' is missing"),
        (PAIR, {"x": np.zeros((2, 3)), "y": np.zeros(2)}, r"'x' should be of shape .*; the array 'y' should be int64"),
    ],
)
def test_arrays_that_do_not_fit(schema: Schema, given: Any, told: str) -> None:
    with pytest.raises(SchemaMismatch, match=told) as error:
        enforce_input(given, schema)
    assert error.value.hint


@pytest.mark.parametrize(
    "given",
    [
        {"x": np.zeros((2, 2)), "y": np.zeros(2, dtype=int), "z": 1}, {"x": [[0.0, 0], [0, 0]], "y": [0, 0]},
        pd.DataFrame({"x": [[0.0, 0.0]] * 2, "y": [0, 0]}), pd.DataFrame({"x": [np.zeros(2)] * 2, "y": [0, 0]}),
        [{"x": [0.0, 0.0], "y": 0}] * 2,
    ],
)
def test_arrays_by_name(given: Any) -> None:
    made = enforce_input(given, PAIR)
    np.testing.assert_array_equal(made["x"], np.zeros((2, 2)))
    np.testing.assert_array_equal(made["y"], np.zeros(2, dtype=int))
    assert made.keys() == {"x", "y"}
    assert (made["x"].dtype, made["y"].dtype) == (np.dtype("float64"), np.dtype("int64"))


def test_one_named_array_without_its_name() -> None:
    given = np.zeros(2)
    assert enforce_input(given, Schema([tensor("float64", -1, name="x")]))["x"] is given
