"""Profiles of data: what each kind of column becomes, and what comes back from the file."""

from __future__ import annotations

import datetime as dates
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.errors import BadModel, InvalidValue
from millstream.models.profile import FILE, ColumnProfile, Profile, far_out, kind_of, profile

FRAME = pd.DataFrame({
    "number": [1.0, 2.0, None, 4.0] * 10,
    "whole": list(range(40)),
    "flag": [True, False] * 20,
    "time": pd.to_datetime(["2024-01-01", "2024-01-02"] * 20),
    "zoned": pd.to_datetime(["2024-01-01T00:00:00Z", None] * 20),
    "color": ["red", "green", "blue", None] * 10,
    "shade": pd.Categorical(["dark", "light"] * 20),
    "text": [f"a text of its own, number {number}" for number in range(40)],
    "nullable": pd.array([1, None] * 20, dtype="Int64"),
    "yes": pd.array([True, None] * 20, dtype="boolean"),
})


def column(made: Profile, name: str) -> ColumnProfile:
    found = made.column(name)
    assert found is not None
    return found


def test_each_column_has_its_kind() -> None:
    made = profile(FRAME)
    assert {one.name: one.kind for one in made.columns} == {
        "number": "number", "whole": "number", "flag": "boolean", "time": "time", "zoned": "time",
        "color": "category", "shade": "category", "text": "text", "nullable": "number", "yes": "boolean",
    }
    assert (made.rows, made.profiled) == (40, 40)
    assert {one.name: one.missing for one in made.columns if one.missing} == {
        "number": 10, "zoned": 20, "color": 10, "nullable": 20, "yes": 20
    }


def test_numbers() -> None:
    found = column(profile({"x": np.arange(100.0)}), "x")
    assert (found.minimum, found.maximum, found.mean) == (0.0, 99.0, 49.5)
    assert found.std == pytest.approx(np.arange(100.0).std())
    assert found.edges == [9.0, 19.0, 29.0, 39.0, 49.0, 59.0, 69.0, 79.0, 89.0]
    assert found.counts == [10] * 10
    assert sorted(found.sample) == list(np.arange(100.0))
    assert (found.lower_fence, found.upper_fence) == (24 - 3 * 51, 75 + 3 * 51)


def test_categories() -> None:
    found = column(profile({"x": ["b"] * 3 + ["a"] * 5 + ["c"] + [None]}), "x")
    assert (found.categories, found.others, found.once, found.missing) == ([("a", 5), ("b", 3), ("c", 1)], 0, 1, 1)
    many = column(profile({"x": pd.Series([str(number % 150) for number in range(3_000)], dtype="category")}), "x")
    assert (len(many.categories), many.others) == (100, 1_000)


def test_times_are_seconds_since_the_epoch() -> None:
    day = 86_400.0
    for values in (
        FRAME["time"], FRAME["zoned"], [dates.date(2024, 1, 1)], [dates.datetime(2024, 1, 1)], FRAME["time"].to_numpy()
    ):
        found = column(profile({"t": values}), "t")
        assert (found.kind, found.minimum) == ("time", 19_723 * day)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=300))
@settings(max_examples=50, deadline=None)
def test_bins_hold_every_finite_number(values: list[float]) -> None:
    found = column(profile({"x": np.array(values)}), "x")
    finite = [value for value in values if np.isfinite(value)]
    assert (found.count, found.missing) == (len(finite), len(values) - len(finite))
    assert sum(found.counts) == len(finite)
    assert found.edges == sorted(set(found.edges))
    if finite:
        assert len(found.counts) == len(found.edges) + 1


@pytest.mark.parametrize(("data", "names"), [
    (np.zeros((5, 2)), ["0", "1"]),
    (np.zeros(5), ["0"]),
    ([[1, 2], [3, 4]], ["0", "1"]),
    ([{"a": 1}, {"a": 2, "b": 3}], ["a", "b"]),
    (pd.Series([1, 2], name="s"), ["s"]),
    (pd.Series([1, 2]), ["0"]),
    (pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}), ["a", "b"]),
    (scipy.sparse.csr_matrix(np.eye(4)), ["0", "1", "2", "3"]),
    ({"a": (1, 2), "b": np.array([1.0, 2.0])}, ["a", "b"]),
], ids=["array", "vector", "rows", "objects", "series", "unnamed", "polars", "sparse", "columns"])
def test_data_of_every_form(data: Any, names: list[str]) -> None:
    assert [one.name for one in profile(data).columns] == names


@pytest.mark.parametrize("data", [np.zeros((2, 2, 2)), {"a": [1], "b": [1, 2]}, {}], ids=["cube", "ragged", "nothing"])
def test_what_is_no_table_is_refused(data: Any) -> None:
    with pytest.raises(InvalidValue):
        profile(data)


def test_predictions_are_classes_or_numbers() -> None:
    data = np.zeros((100, 1))
    classes = profile(data, np.arange(100) % 3).predictions
    assert [(one.name, one.kind) for one in classes] == [("prediction", "category")]
    assert [one.kind for one in profile(data, np.arange(100)).predictions] == ["number"]
    assert [one.kind for one in profile(data, np.linspace(0, 1, 100)).predictions] == ["number"]
    both = profile(data, np.zeros((100, 2))).predictions
    assert [one.name for one in both] == ["prediction.0", "prediction.1"]


def test_many_rows_are_sampled_the_same_each_time() -> None:
    data = pd.DataFrame({"x": np.arange(50_000.0), "c": ["a", "b"] * 25_000})
    state = np.random.get_state()[1].copy()  # type: ignore[index]
    made = profile(data, np.arange(50_000.0))
    assert made == profile(data, np.arange(50_000.0))
    assert (np.random.get_state()[1] == state).all()  # type: ignore[index]
    assert (made.rows, made.profiled, column(made, "x").count) == (50_000, 10_000, 10_000)
    assert column(made, "prediction").count == 10_000
    assert len(column(made, "x").sample) == 512
    assert column(made, "x").mean == pytest.approx(25_000, rel=0.05)


def test_rows_far_out_are_counted() -> None:
    data = {"x": [*range(100), 10_000], "y": [*range(100), 50], "same": [1] * 101}
    made = profile(data)
    assert made.outlying == 1
    assert far_out(made, {"x": [50, -9_999, None], "y": [1, 2, 9_999]}).tolist() == [
        [False, False], [True, False], [False, True]
    ]


def test_a_profile_comes_back_from_its_file(tmp_path: Path) -> None:
    made = profile(FRAME, FRAME["whole"])
    assert Profile.load(tmp_path) is None
    (tmp_path / FILE).write_text(made.to_json())
    assert Profile.load(tmp_path) == made
    assert "NaN" not in made.to_json()
    json.loads(made.to_json())


@pytest.mark.parametrize(("text", "told"), [("{", "not readable"), ("[]", "not readable"),
                                            ('{"rows": 1, "profiled": 1, "format": 2}', "format 2")])
def test_a_file_that_is_no_profile_is_told(text: str, told: str) -> None:
    with pytest.raises(BadModel, match=told):
        Profile.from_json(text)


def test_a_profile_of_a_wide_table_stays_small() -> None:
    made = profile(np.random.default_rng(0).normal(size=(2_000, 500)))
    assert {len(one.sample) for one in made.columns} == {64}
    assert len(made.to_json()) < 1_000_000


@pytest.mark.parametrize(("values", "kind"), [
    ([1, 2.5], "number"), ([None, None], "number"), ([True, None], "boolean"), ([1, "a"], "category"),
    ([f"word {number}" for number in range(30)], "text"), (["a", "b"], "category"), ([], "number"),
    ([dates.date(2024, 1, 1)], "time"),
])
def test_kinds_by_values(values: list[Any], kind: str) -> None:
    assert kind_of(values) == kind
