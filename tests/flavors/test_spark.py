"""Models of Spark ML across the border: each side loads what the other saved, and predicts the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.ml import Pipeline
from pyspark.ml.feature import StringIndexer, VectorAssembler
from pyspark.ml.regression import LinearRegression

import millstream.pyfunc
import millstream.spark
from tests.flavors.foreign import Foreign
from tests.isolation import isolated

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*pandas:FutureWarning")]

ROWS = pd.DataFrame({
    "x": np.arange(30) / 4.0, "colour": ["red", "blue", "red"] * 10,
    "y": np.arange(30) / 2.0 + np.tile([1.0, 0.0, 2.0], 10),
})
VECTORS = pd.DataFrame({"v": [[n % 2, float(n)] for n in range(5)]})


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with isolated(tmp_path, monkeypatch):
        yield


@pytest.fixture(scope="module")
def fitted(spark: Any) -> Any:
    return Pipeline(stages=[
        StringIndexer(inputCol="colour", outputCol="code"), VectorAssembler(inputCols=["x", "code"], outputCol="v"),
        LinearRegression(featuresCol="v", labelCol="y", solver="normal"),
    ]).fit(spark.createDataFrame(ROWS))


def test_mlflow_predicts_the_same_with_models_saved_here(
    spark: Any, fitted: Any, tmp_path: Path, foreign: Foreign
) -> None:
    millstream.spark.save_model(fitted, tmp_path / "columns", input_example=ROWS[["x", "colour"]][:3])
    regression = fitted.stages[2]
    vectors = fitted.transform(spark.createDataFrame(ROWS)).select("v")
    millstream.spark.save_model(regression, tmp_path / "vectors", input_example=vectors)
    theirs = foreign.run(
        """
        import os, sys

        os.environ["PYSPARK_PYTHON"] = sys.executable
        import mlflow.pyfunc, mlflow.spark
        from pyspark.sql import SparkSession

        session = (
            SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.sql.shuffle.partitions", "1").getOrCreate()
        )
        columns = mlflow.pyfunc.load_model(folder + "/columns")
        model = mlflow.spark.load_model(folder + "/columns")
        result = {
            "pyfunc": columns.predict(rows), "vectors": mlflow.pyfunc.load_model(folder + "/vectors").predict(vectors),
            "spark": [row[0] for row in model.transform(session.createDataFrame(rows)).select("prediction").collect()],
            "signature": columns.metadata.signature.to_dict(),
        }
        """,
        folder=str(tmp_path), rows=ROWS, vectors=VECTORS,
    )
    expected = [row[0] for row in fitted.transform(spark.createDataFrame(ROWS)).select("prediction").collect()]
    ours = millstream.pyfunc.load_model(str(tmp_path / "columns"))
    assert theirs["pyfunc"] == theirs["spark"] == ours.predict(ROWS) == expected
    assert theirs["vectors"] == millstream.pyfunc.load_model(str(tmp_path / "vectors")).predict(VECTORS)
    assert ours.metadata.signature is not None and theirs["signature"] == ours.metadata.signature.to_dict()


def test_models_saved_by_mlflow_predict_the_same_here(
    spark: Any, fitted: Any, tmp_path: Path, foreign: Foreign
) -> None:
    fitted.save(f"file://{tmp_path}/fitted")
    # Nothing but Spark's own classes is in it, so it needs no trust.
    theirs = foreign.run(
        """
        import os, sys

        os.environ["PYSPARK_PYTHON"] = sys.executable
        import mlflow.spark
        from mlflow.models import infer_signature
        from pyspark.ml import PipelineModel
        from pyspark.sql import SparkSession

        session = (
            SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
            .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1").getOrCreate()
        )
        model = PipelineModel.load("file://" + folder + "/fitted")
        frame = model.transform(session.createDataFrame(rows))
        # With requirements of its own choice mlflow would load the model in yet another process, for minutes.
        pins = {"pip_requirements": ["pyspark"]}
        mlflow.spark.save_model(model, folder + "/columns", input_example=rows[["x", "colour"]][:3], **pins)
        signature = infer_signature(frame.select("v"), frame.select("prediction"))
        mlflow.spark.save_model(model.stages[2], folder + "/vectors", signature=signature, **pins)
        result = {
            "columns": mlflow.pyfunc.load_model(folder + "/columns").predict(rows),
            "vectors": mlflow.pyfunc.load_model(folder + "/vectors").predict(vectors),
        }
        """,
        folder=str(tmp_path), rows=ROWS, vectors=VECTORS,
    )
    assert millstream.pyfunc.load_model(str(tmp_path / "columns")).predict(ROWS) == theirs["columns"]
    assert millstream.pyfunc.load_model(str(tmp_path / "vectors")).predict(VECTORS) == theirs["vectors"]
    loaded = millstream.spark.load_model(str(tmp_path / "columns"))
    assert [stage.uid for stage in loaded.stages] == [stage.uid for stage in fitted.stages]
