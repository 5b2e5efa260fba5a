"""Predictions become an array of the type that was asked for, or an error says what there is instead."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from millstream.errors import FunctionFailed
from millstream.inference.results import result

INT, LONG, FLOAT, DOUBLE, TEXT, BOOLEAN = pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.string(), pa.bool_()
TABLE = pd.DataFrame({"s": ["q"] * 2, "f": [1.5] * 2, "l": [3] * 2, "i": np.full(2, 4, "int32"), "b": [True] * 2})


@pytest.mark.parametrize(("predicted", "wanted", "first"), [
    ([1.5, 2.0], DOUBLE, 1.5), (np.full(2, 7), DOUBLE, 7.0), (np.full(2, 1.5, "float32"), DOUBLE, 1.5),
    (pd.Series([1.5, 2.0]), FLOAT, 1.5), (np.array([np.nan, 1.0]), DOUBLE, None), ([None, None], DOUBLE, None),
    (np.full((2, 3), 2.5), DOUBLE, 2.5), ([[1.5, 2.0], [2.5, 3.0]], DOUBLE, 1.5),
    (np.full(2, 7), INT, 7), (np.full(2, 2**40), LONG, 2**40), (np.full(2, 7, "uint8"), INT, 7),
    (TABLE, INT, 4), (TABLE, LONG, 3), (TABLE, DOUBLE, 1.5), (TABLE, TEXT, "q"), (TABLE, BOOLEAN, True),
    (np.full(2, 2.0), TEXT, "2.0"), (np.array([True, False]), TEXT, "True"), ([None, "a"], TEXT, None),
    ([{"p": 1.5, "q": 2}] * 2, LONG, 2), ({"p": np.full(2, 1.5)}, DOUBLE, 1.5),
    ([b"ab", b"c"], pa.binary(), b"ab"),
    (pd.Series(pd.to_datetime(["2026-01-02 03:04", None])), pa.timestamp("us"), datetime.datetime(2026, 1, 2, 3, 4)),
    ([datetime.date(2026, 1, 2)] * 2, pa.date32(), datetime.date(2026, 1, 2)),
    (np.full((2, 2), 1.5), pa.list_(DOUBLE), [1.5, 1.5]), (np.arange(4).reshape(2, 2), pa.list_(DOUBLE), [0.0, 1.0]),
    (TABLE, pa.list_(DOUBLE), [1.5, 3.0, 4.0]), (TABLE, pa.list_(INT), [4]), (TABLE, pa.list_(LONG), [3, 4]),
    (np.full(2, 7), pa.list_(INT), [7]), (TABLE, pa.list_(TEXT), ["q", "1.5", "3", "4", "True"]),
    (pd.DataFrame({"l": [[1.5, 2.0], [3.0, 4.0]]}), pa.list_(DOUBLE), [1.5, 2.0]),
    ([["a", "b"], ["c", "d"]], pa.list_(TEXT), ["a", "b"]),
    (np.full((2, 1, 2), 1.5), pa.list_(pa.list_(DOUBLE)), [[1.5, 1.5]]),
    (TABLE, pa.struct([("l", LONG), ("f", FLOAT), ("s", TEXT)]), {"l": 3, "f": 1.5, "s": "q"}),
    ({"p": np.full((2, 2), 1.5), "q": [1, 2]}, pa.struct([("q", LONG)]), {"q": 1}),
])
def test_the_part_of_a_prediction_that_is_of_the_type(predicted: Any, wanted: pa.DataType, first: Any) -> None:
    made = result(predicted, wanted, 2)
    made.validate(full=True)
    assert made.type == wanted and len(made) == 2 and made[0].as_py() == first


@pytest.mark.parametrize(("predicted", "wanted", "said"), [
    ([1.5, 2.0], LONG, "they are double"), (np.full(2, 2.0), INT, "they are double"),
    (np.full(2, 2**40), INT, "not in range"), (["q", "r"], DOUBLE, "they are string"),
    (np.array([True, False]), DOUBLE, "they are bool"), (np.full(2, 1), BOOLEAN, "they are int64"),
    (np.full(2, 7), pa.timestamp("us"), "they are int64"), ([[1.5]] * 2, pa.list_(INT), "list<item: double>"),
    (np.full(2, 1.5), pa.list_(LONG), "none of its 1 columns is of int64"),
    (np.full((2, 2), 1.5), pa.list_(pa.list_(DOUBLE)), "2 columns without lists"),
    (TABLE, pa.struct([("no", LONG)]), "it gives no 'no', but 's', 'f'"),
    (np.full(3, 1.5), DOUBLE, "3 predictions for 2 rows"), (1.5, DOUBLE, "a float for 2 rows"),
])
def test_what_is_not_of_the_type_is_told(predicted: Any, wanted: pa.DataType, said: str) -> None:
    with pytest.raises(FunctionFailed, match=said) as caught:
        result(predicted, wanted, 2)
    assert caught.value.hint


def test_the_column_is_chosen_by_its_type_and_not_by_the_values_of_a_batch() -> None:
    columns = pd.DataFrame({"wide": [1, 2], "narrow": np.array([3, 4], "int32")})
    assert result(columns, INT, 2).to_pylist() == [3, 4]


def test_times_without_a_zone_are_those_of_the_session() -> None:
    predicted = pd.Series(pd.to_datetime(["2026-01-02 03:04"]))
    (made,) = result(predicted, pa.timestamp("us", "UTC"), 1, "Asia/Tokyo").to_pylist()
    assert made == datetime.datetime(2026, 1, 1, 18, 4, tzinfo=datetime.timezone.utc)
