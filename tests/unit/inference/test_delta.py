"""Predictions go to Delta tables once a batch, and the version stands on the run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

import millstream
from millstream.errors import InvalidValue
from millstream.inference import delta
from tests.isolation import isolated

ROWS = pd.DataFrame({"id": [1, 2], "prediction": [0.5, 1.5]})


@pytest.fixture(autouse=True)
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with isolated(tmp_path, monkeypatch):
        yield str(tmp_path / "table")


def test_a_version_can_be_read_back_and_stands_on_the_run(table: str) -> None:
    assert delta.write_table(ROWS, table) == 0
    with millstream.start_run() as run:
        assert delta.write_table(pa.table({"id": [3], "prediction": [2.5]}), table) == 1
    assert delta.write_table(ROWS[:1], table, mode="overwrite") == 2
    found = millstream.get_run(run.info.run_id)
    assert found.data.tags["millstream.output.version"] == "1" and found.data.tags["millstream.output.uri"] == table
    (written,) = found.inputs.dataset_inputs
    assert [(tag.key, tag.value) for tag in written.tags] == [("mlflow.data.context", "output")]
    source = millstream.data.get_source(written.dataset)
    assert sorted(source.load().to_pandas()["id"]) == [1, 2, 3]
    assert sorted(delta.read_table(table, 0).to_pandas()["id"]) == [1, 2]
    assert delta.read_table(table).to_pandas()["id"].tolist() == [1]


def test_a_batch_is_written_once(table: str) -> None:
    versions = [delta.write_table(ROWS, table, app_id="stream", batch_id=number) for number in (0, 0, 1, 0, 1, 2)]
    assert versions == [0, 0, 1, 1, 1, 2]
    assert delta.write_table(ROWS, table, app_id="another stream", batch_id=0) == 3
    assert len(delta.read_table(table).to_pandas()) == 8


def test_what_is_no_table_or_no_batch(table: str) -> None:
    with pytest.raises(InvalidValue, match="belong together"):
        delta.write_table(ROWS, table, app_id="stream")
    with pytest.raises(InvalidValue, match="mode"):
        delta.write_table(ROWS, table, mode="merge")
    with pytest.raises(InvalidValue, match="a dict is no table"):
        delta.write_table({"id": [1]}, table)
    assert not Path(table).exists()
