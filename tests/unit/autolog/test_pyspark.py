"""Trainings with Spark ML that log themselves, on scikit-learn's diabetes data."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.ml import Pipeline
from pyspark.ml.base import Estimator, Transformer
from pyspark.ml.classification import LogisticRegression, OneVsRest
from pyspark.ml.evaluation import Evaluator, MulticlassClassificationEvaluator, RegressionEvaluator
from pyspark.ml.feature import SQLTransformer, StringIndexer, VectorAssembler
from pyspark.ml.recommendation import ALS
from pyspark.ml.regression import LinearRegression
from pyspark.ml.tuning import CrossValidator, ParamGridBuilder, TrainValidationSplit
from pyspark.sql import DataFrameReader
from sklearn.datasets import load_diabetes

import millstream
import millstream.pyspark.ml
import millstream.spark
from millstream.entities import Run
from tests.unit.autolog.logged import content, files, inputs, model_of, signature_of, told

Runs = Callable[[], list[Run]]

pytestmark = [
    pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*pandas:FutureWarning"),
    # Spark's own, of searches and OneVsRest, which leave them to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed running multiprocessing pool:ResourceWarning"),
]

DIABETES = load_diabetes(as_frame=True).frame[:120]
FEATURES = list(DIABETES.columns[:-1])


@pytest.fixture(autouse=True)
def _a_store_of_its_own(tracking: Path) -> None:
    pass


@pytest.fixture(scope="module")
def diabetes(spark: Any) -> Iterator[Any]:
    frame = spark.createDataFrame(DIABETES).coalesce(1).cache()
    frame.count()
    yield frame
    frame.unpersist()


@pytest.fixture(scope="module")
def letters(spark: Any) -> Any:
    rows = [(float(n % 3), float(n), "ab"[n % 2], "cd"[n % 2]) for n in range(12)]
    return spark.createDataFrame(rows, "label double, x double, a string, b string").coalesce(1)


@pytest.fixture(scope="module")
def points(diabetes: Any) -> Any:
    """The data with its vectors."""
    return VectorAssembler(inputCols=FEATURES, outputCol="features").transform(diabetes)


def lines(**options: Any) -> Any:
    return LinearRegression(labelCol="target", **{"solver": "normal", **options})


def jobs_of(spark: Any, call: Callable[[], Any]) -> tuple[int, Any]:
    """How many jobs Spark began for a call, and what the call gave."""
    scheduler = spark.sparkContext._jsc.sc().dagScheduler()
    before = scheduler.nextJobId()
    made = call()
    return scheduler.nextJobId() - before, made


def children_of(run: Run, found: list[Run]) -> list[Run]:
    return [one for one in found if one.data.tags.get("mlflow.parentRunId") == run.info.run_id]


def read(run: Run, name: str) -> Any:
    return json.loads(content(run, name))


# What a fit logs.


def test_a_pipeline_with_two_stages_of_a_class(letters: Any, runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    millstream.pyspark.ml.autolog(log_models=False, extra_tags={"team": "a"})
    Pipeline(stages=[
        StringIndexer(inputCol="a", outputCol="ai"), StringIndexer(inputCol="b", outputCol="bi"),
        VectorAssembler(inputCols=["ai", "bi", "x"], outputCol="features"),
        OneVsRest(classifier=LogisticRegression(maxIter=1)),
    ]).fit(letters)
    [run] = runs()
    # As MLflow 3.17.2 logs it.
    given = run.data.params
    assert given["stages"] == "['StringIndexer_1', 'StringIndexer_2', 'VectorAssembler', 'OneVsRest']"
    assert (given["StringIndexer_1.inputCol"], given["StringIndexer_2.inputCol"]) == ("a", "b")
    assert given["OneVsRest.classifier"] == "LogisticRegression"
    assert (given["LogisticRegression.maxIter"], given["LogisticRegression.tol"]) == ("1", "1e-06")
    assert len(given) == 33
    assert run.info.status == "FINISHED"
    tags = {name: run.data.tags[name] for name in ("estimator_name", "estimator_class", "mlflow.autologging", "team")}
    assert tags == {"estimator_name": "Pipeline", "estimator_class": "pyspark.ml.pipeline.Pipeline",
                    "mlflow.autologging": "pyspark.ml", "team": "a"}
    assert files(run) == ["estimator_info.json"]
    assert read(run, "estimator_info.json") == {"hierarchy": {"name": "Pipeline", "stages": [
        {"name": "StringIndexer_1"}, {"name": "StringIndexer_2"}, {"name": "VectorAssembler"},
        {"name": "OneVsRest", "classifier": {"name": "LogisticRegression"}},
    ]}}
    assert inputs(run) == [("dataset", "train")]
    [used] = run.inputs.dataset_inputs
    assert used.dataset.profile == '{"approx_count": "unknown"}' and used.dataset.schema is not None
    assert [column["name"] for column in json.loads(used.dataset.schema)["mlflow_colspec"]] == letters.columns
    assert told(caplog) == []


def test_the_model_and_its_metrics(
    spark: Any, diabetes: Any, runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    stages = [VectorAssembler(inputCols=FEATURES[:3], outputCol="v"), lines(featuresCol="v", regParam=0.1)]
    plain: Any = Pipeline(stages=stages).fit(diabetes)
    millstream.pyspark.ml.autolog(log_input_examples=True, registered_model_name="lines")
    made: Any = Pipeline(stages=stages).fit(diabetes)
    assert made.stages[1].coefficients == plain.stages[1].coefficients
    evaluator = RegressionEvaluator(labelCol="target")
    predictions = made.transform(diabetes)
    rmse = evaluator.evaluate(predictions)
    mae = evaluator.evaluate(predictions, {evaluator.metricName: "mae"})
    assert (evaluator.getMetricName(), rmse) == ("rmse", evaluator.evaluate(plain.transform(diabetes)))
    some = diabetes.limit(50)
    second = evaluator.evaluate(made.transform(some))
    third = evaluator.evaluate(made.transform(diabetes.limit(40)))
    evaluator.evaluate(predictions.limit(30))  # no prediction of the model's any more
    [run] = runs()
    assert run.data.metrics == {
        "rmse_diabetes": rmse, "mae_diabetes": mae, "rmse-2_some": second, "rmse-3_unknown_dataset": third,
    }
    info = read(run, "metric_info.json")
    assert info.keys() == run.data.metrics.keys()
    assert info["mae_diabetes"] == {
        "evaluator_class": "pyspark.ml.evaluation.RegressionEvaluator",
        "params": {"labelCol": "target", "metricName": "mae", "predictionCol": "prediction", "throughOrigin": False},
    }
    assert inputs(run) == [("dataset", "train"), *[("dataset", "eval")] * 3]
    # The data is cached, so Spark knows how many rows it has.
    assert run.inputs.dataset_inputs[0].dataset.profile == '{"approx_count": 120}'
    model = model_of(run)
    assert {metric.key for metric in model.metrics or []} == set(run.data.metrics)
    signature = signature_of(model)
    assert signature.inputs.input_names() == FEATURES[:3]
    assert signature.outputs.to_dict() == [{"type": "double", "required": True}]
    function = millstream.pyfunc.load_model("models:/lines/1")
    assert list(function.input_example.columns) == FEATURES[:3] and len(function.input_example) == 5
    expected = [row[0] for row in predictions.select("prediction").collect()]
    assert function.predict(DIABETES) == expected
    assert told(caplog) == []


@pytest.mark.parametrize("parallelism", [1, 2])
def test_cross_validation_logs_every_candidate(
    parallelism: int, spark: Any, points: Any, runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    estimator = lines()
    grid = (ParamGridBuilder().addGrid(estimator.regParam, [0.1, 0.01]).addGrid(estimator.elasticNetParam, [0.0, 0.5])
            .build())
    search = CrossValidator(estimator=estimator, estimatorParamMaps=grid, seed=1, numFolds=2, parallelism=parallelism,
                            evaluator=RegressionEvaluator(labelCol="target"))
    plain_jobs, plain = jobs_of(spark, lambda: search.fit(points))
    millstream.pyspark.ml.autolog(log_models=parallelism == 2)
    jobs, made = jobs_of(spark, lambda: search.fit(points))
    assert made.avgMetrics == plain.avgMetrics and made.bestModel.coefficients == plain.bestModel.coefficients
    if parallelism == 1:
        assert jobs == plain_jobs  # nothing of the data is computed for the log
    found = runs()
    [run] = [one for one in found if "mlflow.parentRunId" not in one.data.tags]
    children = children_of(run, found)
    assert len(found) == 5 and len(children) == 4
    names = [{"LinearRegression.regParam": one[estimator.regParam],
              "LinearRegression.elasticNetParam": one[estimator.elasticNetParam]} for one in grid]
    best = names[made.avgMetrics.index(min(made.avgMetrics))]
    assert run.data.params == {
        "collectSubModels": "False", "estimator": "LinearRegression", "evaluator": "RegressionEvaluator",
        "foldCol": "", "numFolds": "2", "parallelism": str(parallelism), "seed": "1",
        "RegressionEvaluator.labelCol": "target", "RegressionEvaluator.metricName": "rmse",
        "RegressionEvaluator.predictionCol": "prediction", "RegressionEvaluator.throughOrigin": "False",
        **{f"best_{name}": str(value) for name, value in best.items()},
    }
    assert run.data.tags["estimator_class"] == "pyspark.ml.tuning.CrossValidator"
    tried = {(one.data.params["regParam"], one.data.params["elasticNetParam"]): one for one in children}
    for index, one in enumerate(grid):
        child = tried[str(one[estimator.regParam]), str(one[estimator.elasticNetParam])]
        assert child.data.metrics == {"avg_rmse": made.avgMetrics[index], "std_rmse": made.stdMetrics[index]}
        assert child.data.tags["estimator_name"] == "LinearRegression" and len(child.data.params) == 14
        assert child.info.status == "FINISHED"
    assert read(run, "best_parameters.json") == best
    rows = list(csv.DictReader(io.StringIO(content(run, "search_results.csv").decode())))
    assert list(rows[0]) == ["params", "avg_rmse", "std_rmse", *(f"param.{name}" for name in best)]
    assert [json.loads(row["params"]) for row in rows] == names
    assert [float(row["avg_rmse"]) for row in rows] == made.avgMetrics
    described = read(run, "estimator_info.json")
    assert described["hierarchy"] == {
        "name": "CrossValidator", "evaluator": {"name": "RegressionEvaluator"},
        "tuned_estimator": {"name": "LinearRegression"},
    }
    assert described["CrossValidator"]["tuning_parameter_map_list"] == names
    assert described["CrossValidator"]["tuned_estimator_parameter_map"]["LinearRegression.maxIter"] == 100
    if parallelism == 2:
        logged = [millstream.get_logged_model(one.model_id) for one in run.outputs.model_outputs]
        assert sorted(model.name for model in logged) == ["best_model", "model"]
        for model in logged:
            (stage,) = millstream.spark.load_model(model.model_uri).stages
            assert getattr(stage, "bestModel", stage).coefficients == made.bestModel.coefficients
            assert signature_of(model).inputs.to_dict() == [
                {"type": "sparkml_vector", "name": "features", "required": True}
            ]
    assert told(caplog) == []


def test_a_validation_split_that_is_a_stage(diabetes: Any, runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    estimator = lines()
    evaluator = RegressionEvaluator(labelCol="target", metricName="r2")
    search = TrainValidationSplit(
        estimator=estimator, estimatorParamMaps=[{estimator.regParam: 9.0}, {estimator.regParam: 0.5}], seed=1,
        evaluator=evaluator,
    )
    millstream.pyspark.ml.autolog(log_models=False)
    made: Any = Pipeline(stages=[VectorAssembler(inputCols=FEATURES, outputCol="features"), search]).fit(diabetes)
    found = runs()
    [run] = [one for one in found if "mlflow.parentRunId" not in one.data.tags]
    scores = {one.data.params["regParam"]: one.data.metrics for one in children_of(run, found)}
    assert scores == {"9.0": {"r2": made.stages[1].validationMetrics[0]},
                      "0.5": {"r2": made.stages[1].validationMetrics[1]}}
    best = max(scores, key=lambda name: scores[name]["r2"])
    assert run.data.params["best_LinearRegression.regParam"] == best
    assert run.data.params["TrainValidationSplit.trainRatio"] == "0.75"
    assert read(run, "estimator_info.json")["TrainValidationSplit"]["tuning_parameter_map_list"][0] == {
        "LinearRegression.regParam": 9.0
    }
    assert evaluator.evaluate(made.stages[1].bestModel.transform(made.stages[0].transform(diabetes))) < 1
    assert told(caplog) == []


def test_a_fit_with_parameters_of_its_own(points: Any, runs: Runs) -> None:
    millstream.pyspark.ml.autolog(log_models=False, log_datasets=False)
    estimator = lines()
    estimator.fit(points, {estimator.regParam: 2.5})
    one, two = estimator.fit(points, [{estimator.regParam: 1.5}, {estimator.regParam: 0.5}])
    assert (one.getRegParam(), two.getRegParam(), estimator.getRegParam()) == (1.5, 0.5, 0.0)
    found = runs()
    first, second = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    assert (first.data.params["regParam"], second.data.params["regParam"]) == ("2.5", "0.0")
    assert sorted(run.data.params["regParam"] for run in children_of(second, found)) == ["0.5", "1.5"]
    assert inputs(first) == []


def test_a_fit_that_fails_is_raised(points: Any, runs: Runs) -> None:
    millstream.pyspark.ml.autolog()
    with pytest.raises(Exception, match="gone"):
        LinearRegression(labelCol="gone").fit(points)
    [run] = runs()
    assert (run.info.status, run.outputs.model_outputs) == ("FAILED", [])


# What is not logged.


def test_estimators_that_prepare_data_are_left_alone(letters: Any, runs: Runs) -> None:
    millstream.pyspark.ml.autolog()
    model = StringIndexer(inputCol="a", outputCol="ai").fit(letters)
    MulticlassClassificationEvaluator().evaluate(letters.withColumn("prediction", letters["label"]))
    assert model.labels == ["a", "b"] and runs() == []


def test_the_originals_come_back(runs: Runs) -> None:
    owners: list[tuple[Any, str]] = [
        (Estimator, "fit"), (Transformer, "transform"), (Evaluator, "evaluate"), (DataFrameReader, "load"),
        (DataFrameReader, "parquet"),
    ]
    before = [vars(owner)[name] for owner, name in owners]
    millstream.autolog()
    assert all(vars(owner)[name] is not one for (owner, name), one in zip(owners, before, strict=True))
    millstream.pyspark.ml.autolog(disable=True)
    millstream.spark.autolog(disable=True)
    assert all(vars(owner)[name] is one for (owner, name), one in zip(owners, before, strict=True))


def test_spark_is_not_imported_for_it() -> None:
    program = (
        "import sys, millstream, millstream.spark, millstream.pyspark.ml as ml; from millstream.pyspark import ml as m;"
        "ml.autolog(); millstream.spark.autolog(); millstream.autolog(); assert ml is m;"
        "print('pyspark' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_models_that_grow_with_the_data_are_logged_on_demand(
    spark: Any, runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    ratings = spark.createDataFrame([(n % 3, n % 2, float(n)) for n in range(6)], "user int, item int, rating float")
    caplog.set_level("INFO", "millstream")
    als = ALS(rank=1, maxIter=1, coldStartStrategy="drop", numUserBlocks=1, numItemBlocks=1)
    millstream.pyspark.ml.autolog()
    als.fit(ratings)
    assert "pyspark.ml.recommendation.ALSModel is not in the list of models to log" in caplog.text
    millstream.pyspark.ml.autolog(log_model_allowlist=["pyspark.ml.recommendation.*"])
    made = als.fit(ratings)
    first, second = runs()
    assert first.outputs.model_outputs == []
    model = model_of(second)
    assert signature_of(model).inputs.input_names() == ["user", "item"]
    assert millstream.spark.load_model(model.model_uri).stages[0].rank == made.rank == 1


def test_a_list_of_models_in_a_file(spark: Any, points: Any, runs: Runs, tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("# ours\npyspark.ml.classification.*  # all of them\n")
    spark.conf.set("spark.mlflow.pysparkml.autolog.logModelAllowlistFile", str(file))
    try:
        millstream.pyspark.ml.autolog()
        lines().fit(points)
        file.write_text("pyspark.ml.regression.LinearRegressionModel\n")
        lines().fit(points)
    finally:
        spark.conf.unset("spark.mlflow.pysparkml.autolog.logModelAllowlistFile")
    first, second = runs()
    assert first.outputs.model_outputs == []
    assert model_of(second).name == "model"


def test_a_stage_that_does_not_tell_its_columns(diabetes: Any, runs: Runs) -> None:
    millstream.pyspark.ml.autolog(log_model_signatures=True)
    Pipeline(stages=[
        SQLTransformer(statement="SELECT *, bmi * 2 AS more FROM __THIS__"),
        VectorAssembler(inputCols=["more"], outputCol="features"), lines(),
    ]).fit(diabetes)
    [run] = runs()
    model = model_of(run)
    assert signature_of(model).inputs.input_names() == FEATURES
    assert len(millstream.pyfunc.load_model(model.model_uri).predict(DIABETES[FEATURES])) == 120


# What Spark reads.


def test_what_is_read_in_a_run(spark: Any, runs: Runs, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    DIABETES[:3].to_csv(tmp_path / "a.csv", index=False)
    DIABETES[:3].to_parquet(tmp_path / "b.parquet")
    spark.range(3).createOrReplaceTempView("numbers")
    millstream.spark.autolog()
    with millstream.start_run():
        assert spark.read.csv(str(tmp_path / "a.csv"), header=True).count() == 3
        spark.read.load(str(tmp_path / "b.parquet"))
        spark.read.format("csv").option("header", True).load([str(tmp_path / "a.csv")])
        spark.read.parquet(str(tmp_path / "b.parquet"))
        spark.read.json(spark.sparkContext.parallelize(["{}"]), schema="a int")
        spark.table("numbers")
    [run] = runs()
    assert run.data.tags["sparkDatasourceInfo"].split("\n") == [
        f"path=file:{tmp_path}/a.csv,format=csv", f"path=file:{tmp_path}/b.parquet,format=parquet",
        "path=numbers,format=table",
    ]
    assert told(caplog) == []


def test_what_is_read_before_a_training(spark: Any, runs: Runs, tmp_path: Path) -> None:
    DIABETES.to_parquet(tmp_path / "b.parquet")
    millstream.autolog(log_models=False, log_datasets=False)
    frame = spark.read.parquet(str(tmp_path / "b.parquet"))
    pipeline = Pipeline(stages=[VectorAssembler(inputCols=FEATURES, outputCol="features"), lines()])
    pipeline.fit(frame)
    pipeline.fit(frame)
    first, second = runs()
    assert first.data.tags["sparkDatasourceInfo"] == f"path=file:{tmp_path}/b.parquet,format=parquet"
    assert "sparkDatasourceInfo" not in second.data.tags
    assert first.data.tags["mlflow.autologging"] == "pyspark.ml"
