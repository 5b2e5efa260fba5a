from __future__ import annotations

import json
import sys
from pathlib import Path

import deltalake
import pandas as pd
import pytest

from millstream.data import get_source, load_delta
from millstream.data.delta_dataset import DeltaDataset
from millstream.data.delta_dataset_source import DeltaDatasetSource
from millstream.data.spark_dataset import delta_version
from millstream.errors import InvalidValue


@pytest.fixture
def table(tmp_path: Path) -> str:
    """A Delta table with two versions: a null in the first, which the second takes out."""
    path = str(tmp_path / "table")
    first = pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": ["x", "y"], "l": [[1], [2]]})
    deltalake.write_deltalake(path, first)
    deltalake.DeltaTable(path).delete("a IS NULL")
    return path


def load(path: str, version: str | int | None = None, targets: str | None = None) -> DeltaDataset:
    data = load_delta(path, version=version, targets=targets)
    assert isinstance(data, DeltaDataset)
    return data


def test_the_latest_version_is_recorded(table: str) -> None:
    data = load(table, targets="b")
    fields = data.to_dict()
    assert fields["source_type"] == "delta_table"
    assert json.loads(fields["source"]) == {"path": table, "delta_table_version": 1}
    assert json.loads(fields["profile"])["num_rows"] == 1
    assert data.targets == "b"
    assert data.table.to_pandas()["b"].tolist() == ["x"]


def test_an_older_version(table: str) -> None:
    data = load(table, version="0")
    assert json.loads(data.to_dict()["source"])["delta_table_version"] == 0
    assert data.profile == {"num_rows": 2, "num_files": 1, "size_bytes": data.profile["size_bytes"]}
    assert data.profile["size_bytes"] > 0
    assert len(data.table.to_pandas()) == 2


def test_a_version_has_one_digest_and_another_version_another(table: str, tmp_path: Path) -> None:
    assert load(table).digest == load(table, version=1).digest
    assert load(table).digest != load(table, version=0).digest
    other = str(tmp_path / "other")
    deltalake.write_deltalake(other, pd.DataFrame({"a": [1]}))
    assert load(other).digest != load(table, version=0).digest


def test_a_column_without_nulls_in_the_log_is_required(table: str) -> None:
    text = (
        '{{"mlflow_colspec": [{{"type": "long", "name": "a", "required": {}}}, '
        '{{"type": "string", "name": "b", "required": true}}, '
        '{{"type": "array", "items": {{"type": "long"}}, "name": "l", "required": false}}]}}'
    )
    assert load(table, version=0).to_dict()["schema"] == text.format("false")
    assert load(table).to_dict()["schema"] == text.format("true")


def test_a_table_with_a_type_that_schemas_lack(tmp_path: Path) -> None:
    import decimal

    path = str(tmp_path / "decimals")
    deltalake.write_deltalake(path, pd.DataFrame({"d": [decimal.Decimal("1.50")]}))
    assert load(path).schema is None


def test_a_recorded_version_is_loaded_again(table: str) -> None:
    recorded = load(table, version=0).to_entity()
    deltalake.write_deltalake(table, pd.DataFrame({"a": [5], "b": ["z"], "l": [[3]]}), mode="append")
    source = get_source(recorded)
    assert isinstance(source, DeltaDatasetSource)
    assert (source.path, source.delta_table_version, source.delta_table_name, source.delta_table_id) == (
        table, 0, None, None
    )
    assert len(source.load().to_pandas()) == 2


def test_the_latest_version_is_read_from_the_log(table: str, tmp_path: Path) -> None:
    assert delta_version(None, table, None) == 1
    assert delta_version(None, Path(table).as_uri(), None) == 1
    assert delta_version(None, str(tmp_path), None) is None
    assert delta_version(None, None, None) is None


def test_what_names_no_table(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pyspark.sql", raising=False)  # a program without Spark
    with pytest.raises(InvalidValue, match="by its path or by its name"):
        load_delta()
    with pytest.raises(InvalidValue, match="by its path or by its name"):
        load_delta(table, "name")
    with pytest.raises(InvalidValue) as caught:
        load_delta(table_name="catalog.schema.table")
    assert caught.value.hint == "start a Spark session, or give its path"
    with pytest.raises(InvalidValue, match="no targets column 'z'"):
        load_delta(table, targets="z")
