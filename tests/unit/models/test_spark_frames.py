"""Frames of Spark checked against a signature: what MLflow 3.17.2 takes, and why the rest is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.ml.linalg import Vectors
from pyspark.sql import SparkSession

from millstream.errors import SchemaMismatch
from millstream.models.enforcement import enforce_input
from millstream.models.inference import infer_schema
from millstream.models.schema import AnyType, Array, ColSpec, Map, Object, Property, Schema, SparkMLVector

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*pandas:FutureWarning")]


@pytest.fixture(scope="module")
def frame(spark: SparkSession) -> Any:
    return spark.sql("""
        select 1 a, cast(2.5 as float) d, 'x' s, true b, 5L l, date'2020-01-01' t, cast(1 as decimal(10, 2)) n,
               array(1) r, named_struct('x', 1, 'y', 'q') o, map('k', 1) m, interval 1 day odd, 'q' `with.dot`
    """)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a", "integer"), ("a", "long"), ("a", "double"), ("l", "long"), ("l", "double"), ("d", "float"),
        ("d", "double"),
        ("s", "string"), ("b", "boolean"), ("t", "datetime"), ("n", "double"), ("r", Array("integer")),
        ("r", Array("long")),
        ("o", Object([Property("x", "long"), Property("y", "string"), Property("z", "long", required=False)])),
        ("m", Map("long")), ("odd", AnyType()), ("n", AnyType()), ("with.dot", "string"),
    ],
)
def test_columns_that_fit(frame: Any, name: str, kind: Any) -> None:
    made = enforce_input(frame, Schema([ColSpec(kind, name), ColSpec("long", "absent", required=False)]))
    assert made.columns == [name]
    assert made.schema[name] == frame.schema[name]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a", "string"), ("l", "integer"), ("n", "string"), ("odd", "datetime"), ("r", Array("string")),
    ("s", Array("string")),
     ("o", Object([Property("x", "long")])), ("o", Object([Property("x", "long"), Property("w", "long")])),
     ("m", Map("string"))],
)
def test_columns_that_do_not(frame: Any, name: str, kind: Any) -> None:
    fault = f"'gone' is missing.*the column '{name}' should be .*, found Spark's"
    with pytest.raises(SchemaMismatch, match=fault) as told:
        enforce_input(frame, Schema([ColSpec(kind, name), ColSpec("long", "gone")]))
    assert f"df.withColumn('{name}'" in str(told.value.hint)


def test_columns_without_names_are_taken_in_order(frame: Any) -> None:
    assert enforce_input(frame, Schema([ColSpec("integer"), ColSpec("double")])).columns == ["a", "d"]
    with pytest.raises(SchemaMismatch, match="1 is missing"):
        enforce_input(frame.select("a"), Schema([ColSpec("integer"), ColSpec("double")]))


def test_vectors_of_spark(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(Vectors.dense([1.0, 2.0]),), (Vectors.sparse(2, [0], [1.0]),)], ["features"])
    schema = Schema([ColSpec(SparkMLVector(), "features")])
    assert infer_schema(frame) == schema
    assert enforce_input(frame, schema).schema == frame.schema
    local = frame.toPandas()
    assert enforce_input(local, schema) is local
