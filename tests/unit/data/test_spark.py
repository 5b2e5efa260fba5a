from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import deltalake
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import LongType, StructField, StructType

from millstream.data import from_spark, load_delta
from millstream.data.delta_dataset import DeltaDataset
from millstream.data.spark_dataset_source import SparkDatasetSource
from millstream.errors import InvalidValue
from millstream.models.inference import infer_schema
from millstream.models.schema import AnyType, Array, ColSpec, Map, Object, Property, Schema, SparkMLVector

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*pandas:FutureWarning")]


@pytest.fixture(scope="module")
def parquet(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("spark") / "rows.parquet")
    rows = [(1, "x", 1.5, True), (2, "y", 2.5, False)]
    spark.createDataFrame(rows, "a int, b string, c double, d boolean").write.parquet(path)
    return path


def test_what_a_frame_records(spark: SparkSession, parquet: str) -> None:
    frame = spark.read.parquet(parquet)
    data = from_spark(frame, path=parquet, targets="a", name="n")
    assert data.to_dict() == {
        "name": "n",
        "digest": data.digest,
        "source": json.dumps({"path": parquet}),
        "source_type": "spark",
        "schema": '{"mlflow_colspec": [{"type": "integer", "name": "a", "required": true}, {"type": "string", "name": '
                  '"b", "required": true}, {"type": "double", "name": "c", "required": true}, {"type": "boolean", '
                  '"name": "d", "required": true}]}',
        "profile": '{"approx_count": 2}',
    }
    assert from_spark(spark.read.parquet(parquet), path=parquet).digest == data.digest
    assert from_spark(frame.filter("a > 1"), path=parquet).digest != data.digest
    assert (data.targets, data.df is frame) == ("a", True)


def test_the_digest_of_a_plan(spark: SparkSession) -> None:
    # What MLflow 3.17.2 digests is Spark's own hash of the plan, as a 64-bit number.
    import hashlib

    frame = spark.range(20000)
    packed = frame.semanticHash().to_bytes(8, "little", signed=True)
    assert from_spark(frame).digest == hashlib.md5(packed).hexdigest()[:8]


def test_where_frames_come_from(spark: SparkSession, parquet: str) -> None:
    frame = spark.read.parquet(parquet)
    frame.createOrReplaceTempView("rows")
    query = "SELECT a FROM rows"
    by_table, by_query = from_spark(frame, table_name="rows"), from_spark(spark.sql(query), sql=query)
    assert by_table.source.to_json() == '{"table_name": "rows"}'
    assert by_query.source.to_json() == json.dumps({"sql": query})
    assert from_spark(frame).to_dict()["source_type"] == "code"
    for data, rows in ((by_table, 2), (by_query, 2), (from_spark(frame, path=parquet), 2)):
        again = SparkDatasetSource.from_json(data.source.to_json())
        assert again.load().count() == rows


@pytest.mark.parametrize(
    "wrong", [{"path": "a", "sql": "b"}, {"path": "/no/table", "version": 1}, {"version": 1}, {"targets": "z"},
              {"predictions": "z"}],
)
def test_what_does_not_fit(spark: SparkSession, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        from_spark(spark.range(1), **wrong)


def test_the_version_of_a_delta_table(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "table")
    deltalake.write_deltalake(path, pd.DataFrame({"a": [1, 2]}))
    deltalake.write_deltalake(path, pd.DataFrame({"a": [3]}), mode="append")
    frame = spark.read.parquet(*deltalake.DeltaTable(path).file_uris())
    latest, first = from_spark(frame, path=path), from_spark(frame, path=path, version="0")
    assert latest.to_dict()["source_type"] == "delta_table"
    assert json.loads(latest.source.to_json()) == {"path": path, "delta_table_version": 1}
    assert json.loads(first.source.to_json()) == {"path": path, "delta_table_version": 0}


def test_a_session_that_does_not_know_delta_leaves_it_to_deltalake(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "table")
    deltalake.write_deltalake(path, pd.DataFrame({"a": [1, 2]}))
    data = load_delta(path)
    assert isinstance(data, DeltaDataset)
    assert data.profile["num_rows"] == 2


@pytest.mark.parametrize(
    ("type", "inferred"),
    [
        # As MLflow 3.17.2 infers them, timestamp_ntz and maps apart, for which it has no type.
        *[(name, {"type": "integer"}) for name in ("byte", "short", "int")],
        *[(name, {"type": name}) for name in ("long", "float", "double", "string", "binary", "boolean")],
        *[(name, {"type": "datetime"}) for name in ("date", "timestamp", "timestamp_ntz")],
        ("array<array<string>>", {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}),
        ("struct<x:int,y:string>", {"type": "object", "properties": {
            "x": {"type": "integer", "required": False}, "y": {"type": "string", "required": False}}}),
        ("map<string,int>", {"type": "map", "values": {"type": "integer"}}),
    ],
)
def test_types_of_columns(spark: SparkSession, type: str, inferred: dict[str, Any]) -> None:
    frame = spark.createDataFrame([], f"a {type}")
    assert infer_schema(frame).to_dict() == [{**inferred, "name": "a", "required": True}]


@pytest.mark.parametrize("type", ["decimal(10,2)", "map<int,int>", "interval day"])
def test_types_without_a_name(spark: SparkSession, type: str) -> None:
    frame = spark.createDataFrame([], f"odd {type}")
    with pytest.raises(InvalidValue, match="'odd'"):
        infer_schema(frame)
    assert from_spark(frame).schema is None


def test_schemas_as_types_of_spark(spark: SparkSession) -> None:
    schema = Schema([
        ColSpec("long", "a"), ColSpec(Array("string"), "b", required=False), ColSpec(Map("double"), "c"),
        ColSpec(Object([Property("x", "datetime"), Property("y", "binary", required=False)]), "d"),
        ColSpec(SparkMLVector(), "e"),
    ])
    made = schema.as_spark_schema()
    assert isinstance(made, StructType)
    assert made["a"] == StructField("a", LongType(), False)
    assert made["b"].nullable
    assert infer_schema(spark.createDataFrame([], made)).input_types() == schema.input_types()
    assert Schema([ColSpec("long")]).as_spark_schema() == LongType()
    with pytest.raises(InvalidValue):
        Schema([ColSpec(AnyType(), "x")]).as_spark_schema()
