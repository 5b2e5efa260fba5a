"""Signatures, examples and the check of input across the border: what either side writes or infers, the other reads."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sparse
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from millstream.errors import InvalidValue, SchemaMismatch
from millstream.models import examples, hints
from millstream.models.enforcement import enforce_input
from millstream.models.mlmodel import Model
from millstream.models.schema import ColSpec, DataType, Schema
from millstream.models.signature import ModelSignature, infer_signature
from tests.flavors.foreign import Foreign
from tests.unit.models.test_enforcement import LESS, MORE, REFUSED, TAKEN, VALUES
from tests.unit.models.test_hints import Point
from tests.unit.models.test_inference import COMPLETE, UNKNOWN, WITH_MISSING
from tests.unit.models.test_schema_properties import signatures

TIME = datetime.datetime(2020, 1, 1)
EXAMPLES: list[Any] = [
    pd.DataFrame({"a": [1, 2], "s": ["x", None], "f": [0.5, None], "b": [True, False]}),
    pd.DataFrame([[1, 2.5]]), pd.DataFrame({"l": [[1, 2]], "d": [{"x": 1}]}), np.array([[1, 2]]), np.array(["a", "b"]),
    {"a": np.array([1]), "b": np.zeros((1, 2))}, sparse.csr_matrix(np.eye(2)), sparse.csc_matrix(np.eye(2)),
    {"a": 1, "b": ["x"]}, [{"a": 1}, {"a": 2}], ["a", "b"], [[1, 2]], "a text", 3, 2.5, True,
    (pd.DataFrame({"a": [1]}), {"p": 1}), (np.array([1]), {"p": [1.5]}), ({"a": 1}, {"p": "x"}),
    {"messages": [{"role": "user", "content": "hi"}]},
]
PARAMS: list[Any] = [
    1, 1.5, "x", True, np.int32(3), np.float32(1), np.bool_(True), TIME, [1, 2], [1.0, 2], ["a"], np.array([1]), [],
    {"a": {"b": [1]}},
]


@settings(max_examples=1, deadline=None, phases=[Phase.generate],
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large,
                                 HealthCheck.large_base_example])
@given(st.lists(signatures, min_size=60, max_size=60))
def test_mlflow_reads_our_signatures(foreign: Foreign, tmp_path: Path, made: list[ModelSignature]) -> None:
    folders = [tmp_path / str(position) for position in range(len(made))]
    for folder, signature in zip(folders, made, strict=True):
        folder.mkdir()
        Model(flavors={"python_function": {}}, signature=signature).save(folder / "MLmodel")
    program = """
        from mlflow.models import Model

        result = [Model.load(path).signature.to_dict() for path in paths]
    """
    found = foreign.run(program, paths=list(map(str, folders)))
    for theirs, ours in zip(found, made, strict=True):
        assert parsed(theirs) == parsed(ours.to_dict())
        assert ModelSignature.from_dict(theirs) == ours


def parsed(written: dict[str, Any]) -> dict[str, Any]:
    return {name: text and json.loads(text) for name, text in written.items()}


def test_both_infer_the_same(foreign: Foreign) -> None:
    columns = [pd.DataFrame({"c": pd.Series(values, dtype=dtype)}) for _, values, dtype in (*COMPLETE, *WITH_MISSING)]
    data = [*columns, *(example[0] if isinstance(example, tuple) else example for example in EXAMPLES)]
    program = """
        import warnings

        from mlflow.models import infer_signature
        from mlflow.types.utils import _infer_schema

        warnings.simplefilter("ignore")
        result = [[_infer_schema(one).to_json() for one in data], []]
        for one in params:
            result[1].append(infer_signature(params={"p": one}).to_dict()["params"])
    """
    # What it does not infer, and we do.
    known = [one for one in data if not (isinstance(one, pd.DataFrame) and "c" in one and more(one["c"].dtype))]
    schemas, params = foreign.run(program, data=known, params=PARAMS)
    for one, theirs in zip(known, schemas, strict=True):
        ours = infer_signature(one).inputs
        assert ours is not None
        assert ours.to_dict() == json.loads(theirs)
    for one, theirs in zip(PARAMS, params, strict=True):
        assert json.loads(theirs) == json.loads(infer_signature(params={"p": one}).to_dict()["params"])


def more(dtype: Any) -> bool:
    return isinstance(dtype, pd.SparseDtype) or (
        isinstance(dtype, pd.CategoricalDtype) and dtype.categories.dtype.kind == "M"
    )


def test_what_neither_infers(foreign: Foreign) -> None:
    program = """
        from mlflow.types.utils import _infer_schema

        result = []
        for one in data:
            try:
                _infer_schema(one)
                result.append(True)
            except Exception:
                result.append(False)
    """
    data = [pd.DataFrame({"c": pd.Series(values, dtype=dtype)}) for values, dtype in UNKNOWN]
    assert not any(foreign.run(program, data=data))


def test_examples_go_both_ways(foreign: Foreign, tmp_path: Path) -> None:
    infos, folders = [], []
    for position, example in enumerate(EXAMPLES):
        folders.append(tmp_path / f"ours-{position}")
        folders[-1].mkdir()
        infos.append(examples.prepare(example).save(folders[-1]))
    program = """
        import os, warnings

        import numpy, pandas
        from mlflow.models import Model
        from mlflow.models.utils import _save_example

        warnings.simplefilter("ignore")
        result = []
        for info, folder, example in zip(infos, folders, examples):
            ours = Model(saved_input_example_info=info)
            theirs = Model()
            os.mkdir(folder + "-theirs")
            _save_example(theirs, example, folder + "-theirs")
            result.append((
                ours.load_input_example(folder), ours.load_input_example_params(folder),
                theirs.saved_input_example_info, theirs.load_input_example(folder + "-theirs"),
                theirs.load_input_example_params(folder + "-theirs"),
            ))
    """
    found = foreign.run(program, infos=infos, folders=list(map(str, folders)), examples=EXAMPLES)
    for example, info, folder, theirs in zip(EXAMPLES, infos, folders, found, strict=True):
        ours_there, params_there, their_info, theirs_there, their_params = theirs
        assert info == their_info
        data, params = examples.load(folder, info), examples.load_params(folder, info)
        same(data, ours_there)
        assert params == params_there == their_params
        same(examples.load(f"{folder}-theirs", their_info), theirs_there)
        same(data, theirs_there)
        ours, other = (json.loads(Path(place, examples.SERVING_FILE).read_text().replace("NaN", "null"))
                       for place in (folder, f"{folder}-theirs"))
        assert ours == other, example


def same(one: Any, other: Any) -> None:
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other)
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    elif sparse.issparse(one):
        assert (one.format, one.dtype) == (other.format, other.dtype)
        np.testing.assert_array_equal(one.toarray(), other.toarray())
    elif isinstance(one, dict) and any(isinstance(value, np.ndarray) for value in one.values()):
        assert one.keys() == other.keys()
        for name, value in one.items():
            same(value, other[name])
    else:
        assert one == other


def test_the_table_of_what_is_taken_is_theirs(foreign: Foreign) -> None:
    program = """
        import numpy, pandas
        from mlflow.models.utils import _enforce_schema
        from mlflow.types import ColSpec, Schema

        result = {}
        for kind, name in cases:
            try:
                _enforce_schema(pandas.DataFrame({"c": values[name]}), Schema([ColSpec(kind, "c")]))
                result[kind, name] = True
            except Exception:
                result[kind, name] = False
    """
    cases = [*sorted(TAKEN), *REFUSED]
    theirs = foreign.run(program, cases=cases, values=VALUES)
    more = {(kind, name.replace("_", " ")) for kind, (_, names) in MORE.items() for name in names.split()}
    kept = {("boolean", "boolean gaps"), ("long", "Int64 gaps"), ("datetime", "zoned"), ("string", "categories"),
            ("binary", "categories"), *((kind, "int categories") for kind in ("long", "float", "double"))}
    less = {(kind, name) for kind, names in LESS.items() for name in names.split()}
    for case in cases:
        expected = case in less or (case in TAKEN and case not in more | kept)
        assert theirs[case] is expected, case


@pytest.mark.parametrize("kind", [kind.name for kind in DataType])
def test_ours_gives_the_same_columns(foreign: Foreign, kind: str) -> None:
    program = """
        import pandas
        from mlflow.models.utils import _enforce_schema
        from mlflow.types import ColSpec, Schema

        result = {}
        for name, value in values.items():
            try:
                result[name] = _enforce_schema(pandas.DataFrame({"c": value}), Schema([ColSpec(kind, "c")]))
            except Exception:
                pass
    """
    schema = Schema([ColSpec(kind, "c")])
    for name, theirs in foreign.run(program, values=VALUES, kind=kind).items():
        try:
            ours = enforce_input(pd.DataFrame({"c": VALUES[name]}), schema)
        except SchemaMismatch:
            assert name in LESS[kind].split()
            continue
        # Objects that are texts keep their type here.
        same_types = ours["c"].dtype != object
        pd.testing.assert_frame_equal(ours.infer_objects(), theirs.infer_objects(), check_dtype=same_types)


def test_both_read_the_same_from_type_hints(foreign: Foreign) -> None:
    known: list[Any] = [
        list[str], list[int], list[float], list[bool], list[bytes], list[datetime.datetime], list[Any], list[int | str],
        list[list[int]], list[dict[str, int]], list[dict[str, Any]], list[dict[str, list[float]]],
    ]
    refused: list[Any] = [
        str, dict[str, int], Any, list, list[datetime.date], list[tuple[int]], list[dict[int, str]], list[str | None],
        list[object], list[np.ndarray], np.ndarray, pd.DataFrame,
    ]
    program = """
        import typing

        import pydantic
        from mlflow.types.type_hints import _infer_schema_from_list_type_hint

        fields = {"a": (int, ...), "b": (typing.Optional[str], None), "c": (list[float], [])}
        Point = pydantic.create_model("Point", __module__="points", **fields)

        def read(hint):
            try:
                return _infer_schema_from_list_type_hint(hint).to_json()
            except Exception:
                return None

        result = [read(hint) for hint in (*known, list[Point])], [read(hint) for hint in refused]
    """
    there, not_there = foreign.run(program, known=known, refused=refused)
    assert not_there == [None] * len(refused)
    for hint, theirs in zip([*known, list[Point]], there, strict=True):
        assert hints.schema_of(hint).to_dict() == json.loads(theirs)
    for hint in refused:
        with pytest.raises(InvalidValue):
            hints.schema_of(hint)
