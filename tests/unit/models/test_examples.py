"""Input examples: the files are those that MLflow 3.17.2 writes, and come back as data."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sparse

from millstream.errors import BadModel, InvalidValue
from millstream.models import examples

TIME = datetime.datetime(2020, 1, 1)
FRAME = pd.DataFrame({"a": [1, 2], "s": ["x", "y"]})
SPLIT = {"columns": ["a", "s"], "data": [[1, "x"], [2, "y"]]}
CSR = sparse.csr_matrix(np.array([[1, 0], [0, 2.5]]))
CSR_FILE = {"data": [1.0, 2.5], "indices": [0, 1], "indptr": [0, 1, 2], "shape": [2, 2]}
CHAT = {"messages": [{"role": "user", "content": "hi"}]}

# data, kind, content of input_example.json, content of serving_input_example.json
WRITTEN: list[tuple[Any, str, Any, Any]] = [
    (FRAME, "dataframe", SPLIT, {"dataframe_split": SPLIT}),
    (FRAME.set_index("s"), "dataframe", {"columns": ["a"], "data": [[1], [2]]}, ...),
    (pd.DataFrame([[1, 2.5]]), "dataframe", {"data": [[1, 2.5]]}, {"dataframe_split": {"data": [[1, 2.5]]}}),
    (pd.DataFrame({"a": [], "b": []}), "dataframe", {"columns": ["a", "b"], "data": []}, ...),
    (pd.DataFrame({"t": [pd.Timestamp(TIME), pd.NaT]}), "dataframe",
     {"columns": ["t"], "data": [["2020-01-01T00:00:00"], [None]]}, ...),
    (pd.DataFrame({"t": [pd.Timestamp(TIME, tz="UTC")]}), "dataframe",
     {"columns": ["t"], "data": [["2020-01-01T00:00:00+00:00"]]}, ...),
    (pd.DataFrame({"i": pd.array([1, None], dtype="Int64")}), "dataframe",
     {"columns": ["i"], "data": [[1], [None]]}, ...),
    (pd.DataFrame({"f": [1.5, None]}), "dataframe", {"columns": ["f"], "data": [[1.5], [None]]}, ...),
    (pd.DataFrame({"c": pd.Categorical(["a"])}), "dataframe", {"columns": ["c"], "data": [["a"]]}, ...),
    (pd.DataFrame({"b": [b"ab"]}), "dataframe", {"columns": ["b"], "data": [["YWI="]]}, ...),
    (pd.DataFrame({"l": [[1, 2]], "d": [{"x": 1}], "n": [np.array([1.0])]}), "dataframe",
     {"columns": ["l", "d", "n"], "data": [[[1, 2], {"x": 1}, [1.0]]]}, ...),
    (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", 1)])), "dataframe",
     {"columns": [["a", 1]], "data": [[1]]}, ...),
    (FRAME["a"], "dataframe", {"columns": ["a"], "data": [[1], [2]]}, ...),
    (pl.DataFrame({"a": [1, 2], "s": ["x", "y"]}), "dataframe", SPLIT, {"dataframe_split": SPLIT}),
    (pl.Series("a", [1, 2]), "dataframe", {"columns": ["a"], "data": [[1], [2]]}, ...),
    (np.array([[1.5, np.nan]]), "ndarray", [[1.5, None]], {"inputs": [[1.5, None]]}),
    (np.zeros((1, 2, 2), dtype="float32"), "ndarray", [[[0.0, 0.0], [0.0, 0.0]]], ...),
    (np.array(["a", "b"]), "ndarray", ["a", "b"], {"inputs": ["a", "b"]}),
    (np.array(["2020-01-01", "NaT"], dtype="datetime64[D]"), "ndarray", ["2020-01-01", None], ...),
    ({"a": np.array([1]), "b": np.zeros((1, 2))}, "ndarray", {"a": [1], "b": [[0.0, 0.0]]},
     {"inputs": {"a": [1], "b": [[0.0, 0.0]]}}),
    (CSR, "sparse_matrix_csr", CSR_FILE, {"inputs": [[1.0, 0.0], [0.0, 2.5]]}),
    (sparse.csc_array(np.array([[1, 0], [0, 2.5]])), "sparse_matrix_csc", CSR_FILE, ...),
    ({"a": 1, "b": "x"}, "json_object", {"a": 1, "b": "x"}, {"inputs": {"a": 1, "b": "x"}}),
    ({"a": [1, 2], "c": {"d": None}}, "json_object", {"a": [1, 2], "c": {"d": None}}, ...),
    ({"a": np.float32(1.5), "t": TIME, "b": b"x", 1: True}, "json_object",
     {"a": 1.5, "t": "2020-01-01T00:00:00", "b": "eA==", "1": True}, ...),
    ([{"a": 1}, {"a": 2}], "json_object", [{"a": 1}, {"a": 2}], {"inputs": [{"a": 1}, {"a": 2}]}),
    ([1, "a", None, pd.NA], "json_object", [1, "a", None, None], ...),
    ("hello", "json_object", "hello", {"inputs": "hello"}),
    (np.int64(3), "json_object", 3, {"inputs": 3}),
    (np.datetime64("2020-01-01"), "json_object", "2020-01-01", ...),
    (b"hi\xff", "json_object", "aGn/", {"inputs": "aGn/"}),
    (CHAT, "json_object", CHAT, CHAT),
    (([1, 2], {"p": [1], "t": TIME}), "json_object",
     {"inputs": [1, 2], "params": {"p": [1], "t": "2020-01-01T00:00:00"}},
     {"inputs": [1, 2], "params": {"p": [1], "t": "2020-01-01T00:00:00"}}),
    ((FRAME, {"p": 1}), "dataframe", {"inputs": SPLIT, "params": {"p": 1}},
     {"dataframe_split": SPLIT, "params": {"p": 1}}),
    ((CSR, {"p": 1}), "sparse_matrix_csr", {"inputs": CSR_FILE, "params": {"p": 1}}, ...),
    ((CHAT, {"temperature": 0.5}), "json_object", {"inputs": CHAT, "params": {"temperature": 0.5}},
     {**CHAT, "temperature": 0.5}),
    (([1], {}), "json_object", [1], {"inputs": [1]}),
    (([1], None), "json_object", [1], {"inputs": [1]}),
]


@pytest.mark.parametrize(("example", "kind", "content", "request_body"), WRITTEN)
def test_the_files_are_mlflows(example: Any, kind: str, content: Any, request_body: Any, tmp_path: Path) -> None:
    made = examples.prepare(example)
    info = made.save(tmp_path)
    assert info["type"] == kind
    assert info["artifact_path"] == "input_example.json"
    assert info["serving_input_path"] == "serving_input_example.json"
    assert json.loads((tmp_path / "input_example.json").read_text()) == content
    body = json.loads((tmp_path / "serving_input_example.json").read_text())
    if request_body is not ...:
        assert body == request_body
    assert body == made.payload == examples.serving_payload(made.data, made.params)
    assert body == json.loads(examples.convert_input_example_to_serving_input(example) or "")


def test_what_the_model_file_says(tmp_path: Path) -> None:
    files = {"artifact_path": "input_example.json", "serving_input_path": "serving_input_example.json"}
    frame = examples.prepare(FRAME).save(tmp_path)
    assert frame == {**files, "type": "dataframe", "pandas_orient": "split"}
    unnamed = examples.prepare(pd.DataFrame([[1]])).save(tmp_path)
    assert unnamed == {**files, "type": "dataframe", "pandas_orient": "values"}
    assert examples.prepare(([1], {"p": 1})).save(tmp_path) == {**files, "type": "json_object", "params": "true"}


def saved(example: Any, folder: Path) -> tuple[Any, Any]:
    info = examples.prepare(example).save(folder)
    return examples.load(folder, info), examples.load_params(folder, info)


def test_data_come_back(tmp_path: Path) -> None:
    data, params = saved((FRAME, {"p": 1}), tmp_path)
    pd.testing.assert_frame_equal(data, FRAME)
    assert params == {"p": 1}
    data, params = saved(np.array([[1.5, np.nan]]), tmp_path)
    np.testing.assert_array_equal(data, np.array([[1.5, np.nan]]))
    assert params is None
    data, _ = saved({"a": np.array([1, 2])}, tmp_path)
    np.testing.assert_array_equal(data["a"], np.array([1, 2]))
    data, _ = saved(CSR, tmp_path)
    assert isinstance(data, sparse.csr_matrix)
    np.testing.assert_array_equal(data.toarray(), CSR.toarray())
    assert saved({"a": [1, {"b": "x"}]}, tmp_path)[0] == {"a": [1, {"b": "x"}]}
    labels = saved(pd.DataFrame([[1]], columns=[("a", 1)]), tmp_path)[0].columns.tolist()
    assert labels == [("a", 1)]


def test_what_predict_gets_is_what_was_given() -> None:
    made = examples.prepare((FRAME, {"p": 1}))
    assert made.data is FRAME
    assert made.params == {"p": 1}
    assert examples.prepare(made) is made
    assert examples.convert_input_example_to_serving_input(None) is None


def test_older_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "input_example.json").write_text('{"inputs": [[1, 2]]}')
    info = {"artifact_path": "input_example.json", "type": "ndarray", "format": "tf-serving"}
    np.testing.assert_array_equal(examples.load(tmp_path, info), np.array([[1, 2]]))
    (tmp_path / "input_example.json").write_text('{"columns": ["a"], "index": [7], "data": [[NaN]]}')
    frame = examples.load(tmp_path, {"artifact_path": "input_example.json", "type": "dataframe"})
    pd.testing.assert_frame_equal(frame, pd.DataFrame({"a": [np.nan]}, index=[7]))


@pytest.mark.parametrize("text", [None, "{", '{"column": []}', '{"data": 5}'])
def test_a_bad_file_is_named(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "input_example.json").write_text(text)
    with pytest.raises(BadModel, match="input_example.json") as told:
        examples.load(tmp_path, {"artifact_path": "input_example.json", "type": "dataframe"})
    assert told.value.hint


@pytest.mark.parametrize(
    "example",
    [{1}, object(), [FRAME], (1, 2, 3), ([1], [2]), {"a": np.array([1]), "b": [1]}, sparse.coo_matrix(np.eye(2))],
)
def test_what_cannot_be_written_is_refused(example: Any) -> None:
    with pytest.raises(InvalidValue) as told:
        examples.prepare(example)
    assert told.value.hint


def test_large_examples_are_kept_whole_in_one_line(tmp_path: Path) -> None:
    numbers = list(range(50_000))
    large: list[Any] = [pd.DataFrame({"a": numbers}), np.array(numbers), numbers, {"messages": numbers},
                        sparse.csr_matrix(np.array([numbers]))]
    for given, example in [*zip(large, large, strict=True), *((one, (one, {"p": 1})) for one in large)]:
        data, params = saved(example, tmp_path)
        body = (tmp_path / "serving_input_example.json").read_text()
        assert "\n" not in body
        assert json.loads(body) == examples.prepare(example).payload
        assert params == (example[1] if isinstance(example, tuple) else None)
        assert getattr(data, "shape", None) == getattr(given, "shape", None)


def test_a_request_holds_the_first_rows_of_a_large_sparse_matrix() -> None:
    payload = examples.serving_payload(sparse.csr_matrix((1000, 100_000)))
    assert len(payload["inputs"]) == 10
