"""A Spark linear regression with a grid of parameters under CrossValidator, logged by itself."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import mlflow
import mlflow.pyspark.ml
import mlflow.spark
import numpy as np
from mlflow.tracking import MlflowClient
from pyspark.ml import Pipeline
from pyspark.ml.evaluation import RegressionEvaluator
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.regression import LinearRegression
from pyspark.ml.tuning import CrossValidator, ParamGridBuilder
from pyspark.sql import SparkSession
from sklearn.datasets import load_diabetes

from tests.clients.programs.report import Report
from tests.clients.programs.stored import keep_run


def main() -> None:
    report = Report()
    os.environ["PYSPARK_PYTHON"] = sys.executable
    spark = (
        SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "1").config("spark.ui.showConsoleProgress", "false").getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    mlflow.set_experiment(f"{report.token} grid")
    mlflow.pyspark.ml.autolog()

    diabetes = load_diabetes(as_frame=True).frame
    features = list(diabetes.columns[:-1])
    df = spark.createDataFrame(diabetes).coalesce(1).cache()
    train, test = df.randomSplit([0.8, 0.2], seed=42)
    regression = LinearRegression(labelCol="target", maxIter=20)
    pipeline = Pipeline(stages=[VectorAssembler(inputCols=features, outputCol="features"), regression])
    grid = (
        ParamGridBuilder().addGrid(regression.regParam, [0.1, 0.01]).addGrid(regression.elasticNetParam, [0.0, 1.0])
        .build()
    )
    evaluator = RegressionEvaluator(labelCol="target")
    search = CrossValidator(
        estimator=pipeline, estimatorParamMaps=grid, evaluator=evaluator, numFolds=2, seed=1
    )
    with mlflow.start_run(run_name="grid") as run:
        model = search.fit(train)
        predictions = model.transform(test)
        report.keep("rmse", round(evaluator.evaluate(predictions), 9))
        report.keep("r2", round(evaluator.evaluate(predictions, {evaluator.metricName: "r2"}), 9))
    keep_search(report, run.info.run_id)
    report.show()
    spark.stop()


def keep_search(report: Report, run_id: str) -> None:
    """What the search has left: its run, its candidates, its files, its models."""
    keep_run(report, "grid", run_id)
    client = MlflowClient()
    for name in ("best_parameters.json", "estimator_info.json", "metric_info.json", "search_results.csv"):
        with open(client.download_artifacts(run_id, name), encoding="utf-8") as file:
            text = file.read()
        report.keep(f"grid {name}", json.loads(text) if name.endswith(".json") else text)
    experiment = client.get_run(run_id).info.experiment_id
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run_id}'")
    report.keep("candidates", sorted(([child.data.params, child.data.metrics, child.info.status, {
        key: value for key, value in child.data.tags.items() if key.startswith(("estimator", "mlflow.autologging"))
    }] for child in children), key=json.dumps))
    rows: Any = load_diabetes(as_frame=True).frame[:3]
    for name in ("model", "best_model"):
        uri = f"runs:/{run_id}/{name}"
        found = mlflow.pyfunc.load_model(uri)
        report.keep(f"{name} predicts", np.round(found.predict(rows), 6).tolist())
        signature = found.metadata.signature
        # MLflow's columns are in another order each time.
        report.keep(f"{name} signature", signature and {
            "inputs": sorted(signature.inputs.to_dict(), key=json.dumps), "outputs": signature.outputs.to_dict(),
        })
        report.keep(f"{name} class", [type(stage).__name__ for stage in mlflow.spark.load_model(uri).stages])


if __name__ == "__main__":
    main()
