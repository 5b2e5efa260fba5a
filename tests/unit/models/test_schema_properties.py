"""Whatever signature, data or example: nothing is lost on the way to a file and back, and no value changes."""

from __future__ import annotations

import datetime
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.models import examples
from millstream.models.enforcement import Enforcer, enforce_input
from millstream.models.inference import infer_schema
from millstream.models.mlmodel import Model
from millstream.models.payloads import parse
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

names = st.text(min_size=1, max_size=8)
times = st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1))
types = st.recursive(
    st.sampled_from([*DataType, AnyType(), SparkMLVector()]),
    lambda inner: st.one_of(
        inner.map(Array), inner.map(Map),
        st.dictionaries(names, st.tuples(inner, st.booleans()), min_size=1, max_size=3).map(
            lambda parts: Object([Property(name, kind, required) for name, (kind, required) in parts.items()])
        ),
    ),
    max_leaves=5,
)
tensors = st.builds(
    lambda dtype, shape: (np.dtype(dtype),
    (-1, *shape)), st.sampled_from(["float32", "int64", "str", "bool", "object"]),
    st.lists(st.integers(1, 9), max_size=3),
)
schemas = st.one_of(
    types.map(lambda kind: Schema([ColSpec(kind)])),
    tensors.map(lambda tensor: Schema([TensorSpec(*tensor)])),
    st.dictionaries(names, st.tuples(types, st.booleans()), min_size=1, max_size=5).map(
        lambda columns: Schema([ColSpec(kind, name, required) for name, (kind, required) in columns.items()])
    ),
    st.dictionaries(names, tensors, min_size=1, max_size=3).map(
        lambda named: Schema([TensorSpec(*tensor, name) for name, tensor in named.items()])
    ),
)
DEFAULTS: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(), "integer": st.integers(-(2**31), 2**31 - 1), "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, width=32), "double": st.floats(allow_nan=False), "string": st.text(max_size=9),
    "datetime": times,
}
params = st.dictionaries(
    names, st.sampled_from(list(DEFAULTS)).flatmap(lambda kind: st.one_of(
        st.tuples(st.just(kind), DEFAULTS[kind], st.none()),
        st.tuples(st.just(kind), st.lists(DEFAULTS[kind], max_size=3), st.just((-1,))),
    )), max_size=3,
).map(lambda made: ParamSchema([ParamSpec(name, *spec) for name, spec in made.items()]))
signatures = st.builds(ModelSignature, schemas, st.none() | schemas, st.none() | params)

COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(), "int8": st.integers(-128, 127), "int32": st.integers(-(2**31), 2**31 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1), "uint32": st.integers(0, 2**32 - 1), "float32": st.floats(width=32),
    "float64": st.floats(), "datetime64[ns]": st.none() | times, "Int64": st.none() | st.integers(-(2**63), 2**63 - 1),
    "boolean": st.none() | st.booleans(), "string": st.none() | st.text(max_size=5),
    "str": st.none() | st.text(max_size=5),
    "Float64": st.none() | st.floats(allow_nan=False), "object": st.none() | st.binary(max_size=5),
}


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    rows = draw(st.integers(1, 4))
    made = {}
    for name in draw(st.lists(names, min_size=1, max_size=4, unique=True)):
        dtype = draw(st.sampled_from(list(COLUMNS)))
        values = draw(st.lists(COLUMNS[dtype], min_size=rows, max_size=rows))
        made[name] = pd.Series(values, dtype=dtype)
    return pd.DataFrame(made)


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=5)
)


def nests(least: int) -> st.SearchStrategy[Any]:
    def around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.lists(inner, min_size=least, max_size=3) | st.dictionaries(names, inner, min_size=least, max_size=3)

    return st.recursive(scalars, around, max_leaves=6)


def same(one: Any, other: Any) -> bool:
    return bool(pd.isna(other)) if pd.isna(one) else one == other


@given(signatures)
def test_a_signature_survives_its_file(signature: ModelSignature) -> None:
    written = json.loads(json.dumps(signature.to_dict()))
    assert ModelSignature.from_dict(written) == signature
    with tempfile.TemporaryDirectory() as folder:
        Model(flavors={"python_function": {}}, signature=signature).save(Path(folder, "MLmodel"))
        assert Model.load(folder).signature == signature


@given(frames())
def test_a_signature_takes_the_data_it_was_inferred_from(frame: pd.DataFrame) -> None:
    before = frame.copy(deep=True)
    made = enforce_input(frame, infer_schema(frame))
    pd.testing.assert_frame_equal(frame, before)
    for name in frame.columns:
        for one, other in zip(made[name], before[name], strict=True):
            assert same(one, other)
    check = Enforcer(infer_schema(frame))
    again = check(made)
    pd.testing.assert_frame_equal(again, made)
    assert check(again) is again


@given(nests(1))  # an empty list has the type of whatever stands beside it, which need not be one of lists
def test_a_signature_takes_the_values_it_was_inferred_from(value: Any) -> None:
    rows = [{"column": value}]
    try:
        schema = infer_schema(rows)
    except ValueError:  # lists of several types
        return
    if value is not None:
        made = enforce_input(rows, schema)["column"].iloc[0]
        assert made == value or value != value


@settings(max_examples=50)
@given(frames())
def test_a_frame_survives_its_example(frame: pd.DataFrame) -> None:
    schema = infer_schema(frame)
    with tempfile.TemporaryDirectory() as folder:
        example = examples.prepare(frame)
        data = examples.load(folder, example.save(folder), schema)
        served, _ = parse(Path(folder, examples.SERVING_FILE).read_text(), schema)
    for made in (data, served):
        assert made.columns.tolist() == frame.columns.tolist()
        for name in frame.columns:
            for one, other in zip(Enforcer(schema)(made)[name], frame[name], strict=True):
                assert same(one, other)


@given(nests(0))
def test_values_survive_their_example(value: Any) -> None:
    if value is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        assert examples.load(folder, examples.prepare(value).save(folder)) == value
        assert examples.load_params(folder, examples.prepare((value, {"p": value})).save(folder)) == {"p": value}
