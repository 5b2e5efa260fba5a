from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import pytest

from millstream.data import from_huggingface
from millstream.data.huggingface_dataset_source import HuggingFaceDatasetSource
from millstream.errors import InvalidValue

ROWS = datasets.Dataset.from_dict({"a": [1, 2, 3], "b": ["x", "y", "z"], "c": [1.0, 2.0, 3.0]})
MANY = datasets.Dataset.from_dict({"a": list(range(20000)), "l": [[1]] * 20000})


def test_what_is_recorded_is_what_mlflow_records() -> None:
    # As MLflow 3.17.2 gives it (datasets 5.2.0).
    assert from_huggingface(ROWS, path="org/name").to_dict() == {
        "name": "dataset",
        "digest": "4b1854b7",
        "source": '{"path": "org/name", "config_name": null, "data_dir": null, "data_files": null, "split": "None", '
                  '"revision": null}',
        "source_type": "hugging_face",
        "schema": '{"mlflow_colspec": [{"type": "long", "name": "a", "required": true}, {"type": "string", "name": '
                  '"b", "required": true}, {"type": "double", "name": "c", "required": true}]}',
        "profile": '{"num_rows": 3, "dataset_size": null, "size_in_bytes": null}',
    }
    assert from_huggingface(MANY, path="org/x").digest == "c4293311"


def test_arguments_of_the_loader_are_recorded() -> None:
    data = from_huggingface(
        ROWS, path="org/name", targets="a", data_dir="d", data_files=["f"], revision="r", name="n"
    )
    assert json.loads(data.to_dict()["source"]) == {
        "path": "org/name", "config_name": None, "data_dir": "d", "data_files": ["f"], "split": "None", "revision": "r"
    }
    assert (data.name, data.targets, data.ds is ROWS) == ("n", "a", True)


def test_data_from_elsewhere() -> None:
    assert from_huggingface(ROWS, source="s3://b/x").to_dict()["source"] == '{"uri": "s3://b/x"}'
    assert from_huggingface(ROWS).to_dict()["source_type"] == "code"
    with pytest.raises(InvalidValue):
        from_huggingface(ROWS, path="org/name", source="s3://b/x")


@pytest.mark.parametrize("other", [datasets.DatasetDict({"train": ROWS}), {"a": [1]}, None])
def test_other_objects_are_refused(other: Any) -> None:
    with pytest.raises(InvalidValue):
        from_huggingface(other)


def test_a_column_that_is_not_there() -> None:
    with pytest.raises(InvalidValue, match="'z'"):
        from_huggingface(ROWS, targets="z")


def test_a_recorded_source_is_loaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "rows.csv").write_text("a,b\n1,x\n2,y\n")
    loaded = datasets.load_dataset("csv", data_files=str(tmp_path / "rows.csv"), split="train", cache_dir=str(tmp_path))
    data = from_huggingface(loaded, path="csv", data_files=str(tmp_path / "rows.csv"))
    source = HuggingFaceDatasetSource.from_json(data.source.to_json())
    assert (source.path, source.config_name, source.split) == ("csv", "default", "train")
    assert source.load(cache_dir=str(tmp_path), name=None)["b"][:] == ["x", "y"]
