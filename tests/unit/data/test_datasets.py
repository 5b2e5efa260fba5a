from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import millstream.data
from millstream import plugins
from millstream.data import Dataset, from_numpy, from_pandas, from_polars, get_source
from millstream.data.dataset_source import DatasetSource
from millstream.data.http_dataset_source import HTTPDatasetSource
from millstream.data.meta_dataset import MetaDataset
from millstream.data.schema import TensorDatasetSchema
from millstream.entities import Dataset as DatasetEntity
from millstream.entities import DatasetInput
from millstream.errors import InvalidValue, NotFound
from millstream.models.schema import ColSpec, Schema, TensorSpec

FRAME = pd.DataFrame({"a": [1, 2, 3], "b": [1.5, 2.5, None], "c": ["x", "y", None]})
COLUMNS = (
    '{"mlflow_colspec": [{"type": "long", "name": "a", "required": true}, '
    '{"type": "double", "name": "b", "required": false}, {"type": "string", "name": "c", "required": false}]}'
)


def test_what_a_frame_records_is_what_mlflow_records() -> None:
    # The whole text that MLflow 3.17.2 gives for the same call.
    data = from_pandas(pd.DataFrame({"a": [1]}), source="data.csv", targets="a")
    assert data.to_json() == (
        r'{"name": "dataset", "digest": "d0ca2a63", "source": "{\"uri\": \"data.csv\"}", "source_type": "local", '
        r'"schema": "{\"mlflow_colspec\": [{\"type\": \"long\", \"name\": \"a\", \"required\": true}]}", '
        r'"profile": "{\"num_rows\": 1, \"num_elements\": 1}"}'
    )


def test_a_frame() -> None:
    data = from_pandas(FRAME, source="https://example.com/y.csv", targets="a", name="n", predictions="b")
    assert data.to_dict() == {
        "name": "n", "digest": data.digest, "source": '{"url": "https://example.com/y.csv"}', "source_type": "http",
        "schema": COLUMNS, "profile": '{"num_rows": 3, "num_elements": 9}',
    }
    assert (data.df is FRAME, data.targets, data.predictions, data.name) == (True, "a", "b", "n")
    assert data.profile == {"num_rows": 3, "num_elements": 9}
    assert data.schema is not None
    assert data.schema.input_names() == ["a", "b", "c"]


def test_the_entity_of_a_data_set() -> None:
    data = from_pandas(FRAME, source="data.csv", name="n")
    entity = data.to_entity()
    assert entity == DatasetEntity(
        name="n", digest=data.digest, source_type="local", source='{"uri": "data.csv"}', schema=COLUMNS,
        profile='{"num_rows": 3, "num_elements": 9}',
    )
    assert data._to_mlflow_entity() == entity


def test_a_schema_too_big_for_a_store_is_left_out() -> None:
    wide = pd.DataFrame(np.zeros((1, 2_000)), columns=[f"{'n' * 500}{i}" for i in range(2_000)])
    data = from_pandas(wide, source="data.csv")
    assert len(str(data.to_dict()["schema"])) > 1_048_575
    assert data.to_entity().schema is None
    assert data.to_entity().profile == '{"num_rows": 1, "num_elements": 2000}'


def test_the_running_code_is_the_source_unless_one_is_named() -> None:
    data = from_pandas(FRAME)
    assert data.name == "dataset"
    tags = json.loads(data.to_dict()["source"])["tags"]
    assert data.to_dict()["source_type"] == "code"
    assert tags["mlflow.source.type"] == "LOCAL"
    assert "mlflow.user" in tags


def test_a_digest_of_the_users_own() -> None:
    assert from_pandas(FRAME, digest="v7").digest == "v7"
    assert from_numpy(np.zeros(3), digest="v7").digest == "v7"
    assert from_polars(pl.DataFrame({"a": [1]}), digest="v7").digest == "v7"


def test_the_digest_is_of_the_moment() -> None:
    frame = FRAME.copy()
    data = from_pandas(frame)
    before = data.digest
    frame.loc[0, "a"] = 100
    assert data.digest == before
    assert from_pandas(frame).digest != before


@pytest.mark.parametrize("role", ["targets", "predictions"])
@pytest.mark.parametrize(("make", "frame"), [(from_pandas, FRAME), (from_polars, pl.DataFrame({"a": [1]}))])
def test_a_column_that_is_not_there(make: Any, frame: Any, role: str) -> None:
    with pytest.raises(InvalidValue, match=f"no {role} column 'z'") as caught:
        make(frame, **{role: "z"})
    assert "'a'" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("make", "data"),
    [
        (from_pandas, pd.Series([1])), (from_pandas, [1]), (from_numpy, [1, 2]), (from_numpy, {"a": [1]}),
        (from_numpy, None), (from_polars, pl.LazyFrame({"a": [1]})), (from_polars, FRAME),
    ],
)
def test_data_of_another_kind_is_refused_with_the_way_out(make: Any, data: Any) -> None:
    with pytest.raises(InvalidValue):
        make(data)


def test_a_frame_that_no_schema_describes_has_none() -> None:
    data = from_pandas(pd.DataFrame({"t": pd.to_timedelta([1])}), source="x.csv")
    assert data.schema is None
    assert data.to_dict()["schema"] is None


@pytest.mark.parametrize(
    ("features", "targets", "schema", "profile"),
    [
        # Texts that MLflow 3.17.2 gives.
        (np.arange(12).reshape(3, 4), None,
         '{"mlflow_tensorspec": {"features": "[{\\"type\\": \\"tensor\\", \\"tensor-spec\\": {\\"dtype\\": '
         '\\"int64\\", \\"shape\\": [-1, 4]}}]", "targets": null}}',
         '{"features_shape": [3, 4], "features_size": 12, "features_nbytes": 96}'),
        ({"x": np.arange(12).reshape(3, 4), "a": np.arange(3.0)}, {"t": np.array([1, 2, 3])},
         '{"mlflow_tensorspec": {"features": "[{\\"name\\": \\"x\\", \\"type\\": \\"tensor\\", \\"tensor-spec\\": '
         '{\\"dtype\\": \\"int64\\", \\"shape\\": [-1, 4]}}, {\\"name\\": \\"a\\", \\"type\\": \\"tensor\\", '
         '\\"tensor-spec\\": {\\"dtype\\": \\"float64\\", \\"shape\\": [-1]}}]", "targets": "[{\\"name\\": \\"t\\", '
         '\\"type\\": \\"tensor\\", \\"tensor-spec\\": {\\"dtype\\": \\"int64\\", \\"shape\\": [-1]}}]"}}',
         '{"features_shape": {"x": [3, 4], "a": [3]}, "features_size": {"x": 12, "a": 3}, "features_nbytes": '
         '{"x": 96, "a": 24}, "targets_shape": {"t": [3]}, "targets_size": {"t": 3}, "targets_nbytes": {"t": 24}}'),
        (np.array(3), None, None, '{"features_shape": [], "features_size": 1, "features_nbytes": 8}'),
    ],
)
def test_arrays(features: Any, targets: Any, schema: str | None, profile: str) -> None:
    data = from_numpy(features, targets=targets)
    assert data.to_dict()["schema"] == schema
    assert data.to_dict()["profile"] == profile
    assert data.features is features
    assert data.targets is targets


def test_a_schema_of_tensors_is_read_back() -> None:
    data = from_numpy(np.zeros((2, 3)), targets=np.zeros(2))
    assert data.schema is not None
    assert TensorDatasetSchema.from_dict(json.loads(data.schema.to_json())) == data.schema
    assert "Tensor('float64', (-1, 3))" in repr(data.schema)
    for wrong in ({}, {"mlflow_tensorspec": 1}, {"mlflow_tensorspec": {"features": "["}}):
        with pytest.raises(InvalidValue):
            TensorDatasetSchema.from_dict(wrong)
    with pytest.raises(InvalidValue):
        TensorDatasetSchema(Schema([ColSpec("long")]))


def test_a_polars_frame() -> None:
    data = from_polars(pl.DataFrame({"a": [1, 2], "b": ["x", None]}), source="x.parquet", targets="a")
    assert data.to_dict() == {
        "name": "dataset", "digest": data.digest, "source": '{"uri": "x.parquet"}', "source_type": "local",
        "schema": '{"mlflow_colspec": [{"type": "long", "name": "a", "required": true}, '
                  '{"type": "string", "name": "b", "required": false}]}',
        "profile": '{"num_rows": 2, "num_elements": 4}',
    }
    assert len(data.digest) <= 36


@pytest.mark.parametrize(
    ("digest", "name", "schema"),
    [
        # As MLflow 3.17.2 computes them.
        ("1ecbb313", None, None),
        ("b603255d", "zz", None),
        ("1cd6135e", None, Schema([ColSpec("long", "a")])),
        ("cc92758d", None, Schema([TensorSpec(np.dtype("float32"), (-1, 2))])),
    ],
)
def test_a_description_without_data(digest: str, name: str | None, schema: Any) -> None:
    data = MetaDataset(HTTPDatasetSource("https://x/y.csv"), name=name, schema=schema)
    assert data.digest == digest
    assert data.profile is None
    assert ("schema" in data.to_dict()) == (schema is not None)
    assert data.to_entity().source == '{"url": "https://x/y.csv"}'


def test_the_source_of_a_data_set_and_of_a_recorded_one() -> None:
    data = from_pandas(FRAME, source="s3://bucket/key.csv")
    for described in (data, data.to_entity(), DatasetInput(data.to_entity())):
        source = get_source(described)
        assert (source._get_source_type(), source.to_json()) == ("s3", '{"uri": "s3://bucket/key.csv"}')
    with pytest.raises(InvalidValue):
        get_source("s3://bucket/key.csv")  # type: ignore[arg-type]
    with pytest.raises(NotFound, match="'lake'"):
        get_source(DatasetEntity(name="n", digest="d", source_type="lake", source="{}"))
    with pytest.raises(InvalidValue):
        get_source(DatasetEntity(name="n", digest="d", source_type="s3", source="{}"))
    with pytest.raises(InvalidValue):
        get_source(DatasetEntity(name="n", digest="d", source_type="s3", source="not json"))


def test_a_data_set_written_for_mlflow(tmp_path: Path) -> None:
    class Rows(Dataset):
        def __init__(self, rows: list[int], source: DatasetSource) -> None:
            self.rows = rows
            super().__init__(source, name="rows")

        def _compute_digest(self) -> str:
            return f"{sum(self.rows):x}"

        def to_dict(self) -> dict[str, str]:
            return {**super().to_dict(), "profile": json.dumps(self.profile)}

        @property
        def profile(self) -> Any:
            return {"rows": len(self.rows)}

        @property
        def schema(self) -> Any:
            return None

    entity = Rows([10, 6], HTTPDatasetSource("https://x/y"))._to_mlflow_entity()
    assert (entity.digest, entity.profile, entity.schema) == ("10", '{"rows": 2}', None)


def test_a_constructor_from_a_plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "lake-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[mlflow.dataset_constructor]\nfrom_lake = lake_plugin:from_lake\n")
    (tmp_path / "lake_plugin.py").write_text("def from_lake(name):\n    return f'lake {name}'\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins.forget()
    try:
        assert millstream.data.from_lake("x") == "lake x"
    finally:
        plugins.forget()
        vars(millstream.data).pop("from_lake", None)
    with pytest.raises(AttributeError):
        _ = millstream.data.from_nowhere


def test_every_public_name_is_there() -> None:
    assert all(hasattr(millstream.data, name) for name in millstream.data.__all__)
    assert set(millstream.data.__all__) <= set(dir(millstream.data))
    assert sorted(millstream.data._WHERE) == millstream.data.__all__


def test_the_package_imports_no_library_of_data() -> None:
    program = (
        "import sys, millstream.data\nfor name in millstream.data.__all__: getattr(millstream.data, name)\n"
        "print(sorted({'pandas', 'numpy', 'polars', 'pyarrow', 'pyspark', 'deltalake', 'datasets', 'tensorflow'}"
        " & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert answer.stdout == "[]\n"
