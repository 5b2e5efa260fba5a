"""Digests that MLflow 3.17.2 computes for the same data (pandas 3.1.1, NumPy 2.4.6), written down."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn import datasets

from millstream.data import from_numpy, from_pandas, from_polars
from millstream.data.digests import array_digest, frame_digest, hash_array

MIXED = pd.DataFrame({
    "a": [1, 2, 3], "b": [1.5, 2.5, None], "c": ["x", "y", None], "d": [True, False, True],
    "e": pd.to_datetime(["2020-01-01"] * 3),
})
MANY = pd.DataFrame({"a": np.arange(25000), "b": np.arange(25000) / 7})
LATE = pd.DataFrame({"z": np.arange(10001), "s": pd.Series([*["x"] * 10000, None], dtype=object)})


def two_of_a_name() -> pd.DataFrame:
    return pd.concat(
        [pd.DataFrame({"b": [1, 2]}), pd.DataFrame({"a": ["x", "y"], "c": [1, 2]}), pd.DataFrame({"a": ["x", "y"]})],
        axis=1,
    )


@pytest.mark.parametrize(
    ("digest", "frame"),
    [
        ("c3e573ab", MIXED),
        ("ebf81fbb", MANY),
        ("44856c13", MANY.iloc[:10001]),
        ("26278ea8", MANY.iloc[:10000]),
        ("db989200", LATE),
        ("c5e3df5d", pd.DataFrame({"i": pd.array([1, None, 3], dtype="Int64")})),
        ("75a1b593", pd.DataFrame({"cat": pd.Categorical(["a", "b", "a"])})),
        ("213bea59", pd.DataFrame({"x": pd.Categorical([1, 2]), "n": [1, 2]})),
        ("213bea59", pd.DataFrame({"x": pd.Categorical(["a", None]), "n": [1, 2]})),
        ("213bea59", pd.DataFrame({"x": pd.Series([np.str_("a"), "b"], dtype=object), "n": [1, 2]})),
        ("2d165daf", pd.DataFrame({"td": pd.to_timedelta([1, 2, 3])})),
        ("8fff6a7a", pd.DataFrame({"lst": [[1], [2], [3]]})),
        ("9da9317c", pd.DataFrame({"dct": [{"a": 1}] * 3})),
        ("4bf2593f", pd.DataFrame({"mixed": ["a", 1, None]})),
        ("bd5f7f5b", pd.DataFrame({"tz": pd.to_datetime(["2020-01-01"] * 3, utc=True)})),
        ("4124c741", pd.DataFrame({"cx": [1j, 2j, 3j]})),
        ("ba4d37ae", pd.DataFrame({"per": pd.period_range("2020", periods=3, freq="D")})),
        ("cee38565",
         pd.DataFrame({"s": pd.array(["a", "b"], dtype="string"), "o": pd.Series(["a", "b"], dtype=object)})),
        ("91449776", pd.DataFrame({
            "s": pd.array(["a", "b"], dtype=pd.ArrowDtype(pa.string())), "n": [1, 2],
            "d": pd.array(["a", "b"], dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))),
        })),
        ("f211617a", pd.DataFrame(np.ones((2, 2)))),
        ("63a4e12f", pd.DataFrame(np.ones((2, 2)), columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]))),
        ("862fef8d",
         pd.DataFrame([[1, "a"], [2, "b"]], columns=pd.MultiIndex.from_tuples([("z", 1), ("b", 2)]))),
        ("c90e33b7", pd.DataFrame({"a": []})),
        ("7dea362b", pd.DataFrame()),
        ("a830a738", pd.DataFrame({
            "t": pd.to_datetime([]), "b": pd.Series([], dtype=bool), "n": pd.Series([], dtype=float)
        })),
        ("b544218e", pd.DataFrame({"a": [1, 2]}, index=["x", "y"])),
        ("741e9dc1", pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]))),
        ("0046a508", pd.DataFrame(np.ones((2, 2)), columns=["a", "a"])),
        ("c9f21632", two_of_a_name()),
        ("2a58158a", pd.DataFrame({1: [1, 2], "b": ["x", "y"]})),
        ("73f37e0b", pd.DataFrame({
            "x": pd.array([0, 1], dtype="int64[pyarrow]"), "s": pd.array(["a", "b"], dtype="string[pyarrow]"),
            "b": pd.array([True, None], dtype="boolean"), "f": pd.array([1.0, None], dtype="Float32"),
        })),
    ],
)
def test_frames(digest: str, frame: pd.DataFrame) -> None:
    assert frame_digest(frame) == digest


@pytest.mark.parametrize(
    ("digest", "features", "targets"),
    [
        ("2e1d0375", np.arange(12).reshape(3, 4), None),
        ("9a1c26e6", np.arange(12).reshape(3, 4).astype("float32"), np.array([1, 2, 3])),
        ("ef68e43e", {"x": np.arange(12).reshape(3, 4), "a": np.arange(3.0)}, {"t": np.array([1, 2, 3])}),
        ("de959e1d", np.arange(3), {"b": np.arange(2), "a": np.arange(3)}),
        ("88d43939", np.array(["a", "b"]), None),
        ("88d43939", np.array(["a", "b"], dtype=object), None),
        ("44ace9e8", np.arange(75000).reshape(25000, 3), None),
        ("8bc0b057", np.arange(10000).reshape(5000, 2), None),
        ("08f7ffcf", np.arange(10001), None),
        ("bc57f514", np.arange(24000).reshape(12000, 2), None),
        ("a7520c29", np.array([True, True, True]), None),
        *[("fdf1765f", np.array([1, 2, 3]).astype(kind), None) for kind in (
            "int8", "uint8", "int16", "int32", "uint32", "uint64", "datetime64[ns]", "datetime64[s]"
        )],
        ("0fb94f03", np.array([1, 2, 3], dtype="float16"), None),
        ("305b47e1", np.array([1, 2, 3], dtype="float32"), None),
        ("2cdde8b4", np.array([1, 2, 3], dtype="float64"), None),
        ("305b47e1", np.array([1, 2, 3], dtype="complex64"), None),
        *[("6694d86d", np.array([1, 2, 3]).astype(kind), None) for kind in ("S3", "U3")],
        ("a56d029a", np.array(3), None),
        ("96a0cdaa", np.zeros((2, 3, 4)), None),
        ("503e83c0", np.zeros((0, 3)), None),
        ("bade85fd", np.asfortranarray(np.arange(6).reshape(2, 3)), None),
        ("3fb680fe", np.arange(12).reshape(3, 4)[:, ::2], None),
        ("c0f8eacc", np.array([1, "a", None], dtype=object), None),
        ("6e41a5f8", np.array([[1], "a", None], dtype=object), None),
        ("a42db42e", np.array([[1], "a", None] * 5000, dtype=object), None),
        ("8ebf47aa", np.array([[1], "a", None], dtype=object), np.arange(3)),
    ],
)
def test_arrays(digest: str, features: Any, targets: Any) -> None:
    assert array_digest(features, targets) == digest


@pytest.mark.parametrize(
    ("load", "frame", "array"),
    [
        (datasets.load_iris, "8f9eb48c", "2bf3ace3"),
        (datasets.load_wine, "0a64f9dd", "5cba2f89"),
        (datasets.load_breast_cancer, "7ff6fd89", "7f03c7ae"),
    ],
)
def test_data_that_ships_with_scikit_learn(load: Any, frame: str, array: str) -> None:
    data = load(as_frame=True)
    assert from_pandas(data.frame, targets="target").digest == frame
    assert from_numpy(data.data.to_numpy(), targets=data.target.to_numpy()).digest == array


def test_a_polars_frame_is_the_sum_of_the_hashes_of_its_rows() -> None:
    # What MLflow 3.17.2 records; polars promises these hashes within one of its versions only.
    frame = pl.DataFrame({"a": [1, 2, 3], "b": ["x", "y", None]})
    assert from_polars(frame).digest == str(frame.hash_rows().sum())
    assert from_polars(frame.reverse()).digest == from_polars(frame).digest
    assert from_polars(frame.head(2)).digest != from_polars(frame).digest
    assert from_polars(pl.DataFrame()).digest == "0"


def test_an_index_that_cannot_be_hashed_is_left_out() -> None:
    listed = pd.DataFrame({"a": [1, 2]}, index=pd.Index([[1], [2]], dtype=object))
    plain = pd.DataFrame({"a": [1, 2]})
    assert frame_digest(listed) != frame_digest(plain)
    assert frame_digest(listed) == frame_digest(listed.copy())


@pytest.mark.parametrize(
    "values",
    [
        np.array([0, 1, -1, 2**62], dtype="int64"), np.array([0, 1, 255], dtype="uint8"),
        np.array([0.0, -0.0, 1.5, np.nan, np.inf]), np.array([1.5, -2], dtype="float32"), np.array([True, False]),
        np.array([1, 2], dtype="timedelta64[s]"), np.arange(20, dtype="int32")[::3], np.array([], dtype="float64"),
        np.array(["a", "bc"]), np.array([1 + 2j]), np.array([-0.0, 0.0], dtype="float16"),
        np.array([np.nan, -np.nan], dtype="float32"),
    ],
)
def test_the_hash_of_elements_is_that_of_pandas(values: Any) -> None:
    assert np.array_equal(hash_array(values), pd.util.hash_array(values))


def test_elements_without_a_hash_count_by_their_number() -> None:
    zeros, ones = np.zeros(2, dtype="longdouble"), np.ones(2, dtype="longdouble")
    assert array_digest(zeros) == array_digest(ones)
    assert array_digest(zeros) != array_digest(zeros[:1])


def test_numbers_are_digested_without_pandas() -> None:
    import subprocess
    import sys

    program = (
        "import sys, numpy\nfrom millstream.data.digests import array_digest\n"
        "print(array_digest(numpy.arange(12).reshape(3, 4)), 'pandas' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert answer.stdout.split() == ["2e1d0375", "False"]
