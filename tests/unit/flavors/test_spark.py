"""Models of Spark ML as folders: what is written, what comes back, and which classes need trust."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.ml import Pipeline, PipelineModel, Transformer
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.clustering import KMeans
from pyspark.ml.evaluation import BinaryClassificationEvaluator
from pyspark.ml.feature import StringIndexer, VectorAssembler
from pyspark.ml.linalg import DenseVector, Vectors
from pyspark.ml.regression import LinearRegression
from pyspark.ml.tuning import CrossValidatorModel
from pyspark.ml.util import DefaultParamsReadable, DefaultParamsWritable
from pyspark.sql.functions import lit

import millstream.pyfunc
import millstream.spark
from millstream.errors import BadModel, CorruptModel, InvalidValue, SchemaMismatch, UntrustedModel
from millstream.models.mlmodel import Model
from tests.isolation import isolated

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*pandas:FutureWarning")]

ROWS = pd.DataFrame({
    "x": np.arange(40) / 4.0, "colour": ["red", "blue"] * 20, "y": np.arange(40) / 2.0 + np.tile([1.0, 0.0], 20),
})


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with isolated(tmp_path, monkeypatch):
        monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "key"))
        yield


@pytest.fixture(scope="module")
def pipeline(spark: Any) -> Any:
    return Pipeline(stages=[
        StringIndexer(inputCol="colour", outputCol="code"), VectorAssembler(inputCols=["x", "code"], outputCol="v"),
        LinearRegression(featuresCol="v", labelCol="y", solver="normal"),
    ]).fit(spark.createDataFrame(ROWS))


@pytest.fixture(scope="module")
def vectors(spark: Any) -> Any:
    """Points of two groups as vectors."""
    points = [(Vectors.dense([float(n % 2), float(n)]), float(n % 2)) for n in range(12)]
    return spark.createDataFrame(points, ["features", "label"])


@pytest.fixture(scope="module")
def classifier(vectors: Any) -> Any:
    return LogisticRegression(maxIter=2).fit(vectors)


@pytest.fixture(scope="module")
def saved(classifier: Any, vectors: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classifier as a model with an example of vectors."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    millstream.spark.save_model(classifier, folder, input_example=vectors.select("features"))
    return folder


def in_pandas(frame: Any) -> pd.DataFrame:
    """Not by toPandas, which warns of pandas 3."""
    return pd.DataFrame([tuple(row) for row in frame.collect()], columns=frame.columns)


def predicted(model: Any, frame: Any) -> list[Any]:
    return [row[0] for row in model.transform(frame).select("prediction").collect()]


def test_a_pipeline_comes_back_as_it_was(spark: Any, pipeline: Any) -> None:
    millstream.spark.save_model(pipeline, "model", input_example=ROWS[["x", "colour"]][:3], metadata={"owner": "me"})
    frame = spark.createDataFrame(ROWS)
    expected = predicted(pipeline, frame)
    loaded = millstream.spark.load_model("model")
    assert isinstance(loaded, PipelineModel) and predicted(loaded, frame) == expected
    function = millstream.pyfunc.load_model("model")
    assert function.predict(ROWS) == expected
    assert function.predict(ROWS[:0]) == []
    assert [row[0] for row in function.predict(frame).collect()] == expected
    assert isinstance(function.get_raw_model(), PipelineModel)
    with pytest.raises(SchemaMismatch, match="colour"):
        function.predict(ROWS[["x"]])
    told = Model.load("model")
    assert told.flavors["spark"] == {
        "code": None, "model_class": "pyspark.ml.pipeline.PipelineModel", "model_data": "sparkml",
        "pyspark_version": spark.version,
    }
    assert told.flavors["python_function"]["loader_module"] == "mlflow.spark"
    assert told.flavors["python_function"]["data"] == "sparkml"
    assert told.metadata == {"owner": "me"} and told.signature is not None
    assert told.signature.inputs is not None and told.signature.outputs is not None
    assert told.signature.inputs.input_names() == ["x", "colour"]
    assert told.signature.outputs.to_dict() == [{"type": "double", "required": True}]
    needed = {line.partition("==")[0] for line in Path("model/requirements.txt").read_text().split()}
    assert {"pyspark", "numpy", "pandas"} <= needed and "millstream" not in needed


def test_vectors(spark: Any, saved: Path, classifier: Any, vectors: Any) -> None:
    told = Model.load(saved)
    assert told.signature is not None and told.signature.inputs is not None
    assert told.signature.inputs.to_dict() == [{"type": "sparkml_vector", "name": "features", "required": True}]
    example = json.loads((saved / "input_example.json").read_text())
    assert example == {"columns": ["features"], "data": [[[float(n % 2), float(n)]] for n in range(5)]}
    function = millstream.pyfunc.load_model(str(saved))
    expected = predicted(classifier, vectors)
    frame = vectors.select("features")
    lists = pd.DataFrame({"features": [row[0].toArray().tolist() for row in frame.collect()]})
    assert function.predict(lists) == expected
    assert function.predict(in_pandas(frame)) == expected
    assert [row[0] for row in function.predict(frame).collect()] == expected
    assert [row[0] for row in function.predict(spark.createDataFrame(lists)).collect()] == expected
    assert isinstance(function.input_example["features"][0], (list, np.ndarray))


def test_what_predicts_vectors_gives_arrays(spark: Any, vectors: Any) -> None:
    class Points(Transformer):
        def _transform(self, dataset: Any) -> Any:
            return dataset.withColumn("prediction", dataset["features"])

    from millstream.flavors.spark import PythonFunction

    found = PythonFunction(Points()).predict(in_pandas(vectors.limit(1)))
    np.testing.assert_array_equal(found, [[0.0, 0.0]])


def test_predictions_in_a_column_of_another_name(spark: Any, vectors: Any) -> None:
    model = KMeans(k=2, seed=1, predictionCol="group").fit(vectors)
    expected = [row[0] for row in model.transform(vectors).select("group").collect()]
    millstream.spark.save_model(model, "model", input_example=in_pandas(vectors.select("features")))
    assert millstream.pyfunc.load_model("model").predict(in_pandas(vectors.select("features"))) == expected


def test_a_model_without_predictions(spark: Any, caplog: pytest.LogCaptureFixture) -> None:
    model = StringIndexer(inputCol="colour", outputCol="code").fit(spark.createDataFrame(ROWS))
    millstream.spark.save_model(model, "model", input_example=ROWS[["colour"]][:2])
    assert "gives no column 'prediction'" in caplog.text
    assert "code" in millstream.spark.load_model("model").transform(spark.createDataFrame(ROWS)).columns
    with pytest.raises(InvalidValue, match="gives no column 'prediction', only colour, code"):
        millstream.pyfunc.load_model("model").predict(ROWS[["colour"]])
    with pytest.raises(InvalidValue, match="for a DataFrame, not for a list"):
        millstream.pyfunc.load_model("model").predict(["red"])


def test_an_example_of_vectors_that_does_not_fit(
    spark: Any, classifier: Any, caplog: pytest.LogCaptureFixture
) -> None:
    example = pd.DataFrame({"other": [DenseVector([1.0, 2.0])]})
    millstream.spark.save_model(classifier, "model", input_example=example)
    assert "saved without a signature" in caplog.text
    assert Model.load("model").signature is None


@pytest.mark.parametrize("thing", [LinearRegression, dict])
def test_what_is_not_fitted_is_refused(spark: Any, thing: Any) -> None:
    with pytest.raises(InvalidValue, match=thing.__name__):
        millstream.spark.save_model(thing(), "model")
    assert not Path("model").exists()


def test_by_way_of_another_file_system(saved: Path, classifier: Any, vectors: Any, tmp_path: Path) -> None:
    place = tmp_path / "shared"
    millstream.spark.save_model(classifier, "model", dfs_tmpdir=f"file://{place}")
    assert list(place.iterdir()) == []
    loaded = millstream.spark.load_model("model", dfs_tmpdir=f"file://{place}")
    assert len(list(place.glob("*/metadata"))) == 1
    assert predicted(loaded, vectors) == predicted(classifier, vectors)


def test_a_search_comes_back_with_its_scores(classifier: Any, vectors: Any) -> None:
    search = CrossValidatorModel(classifier, avgMetrics=[0.25])
    search._set(estimatorParamMaps=[{}], numFolds=2, estimator=LogisticRegression(),
                evaluator=BinaryClassificationEvaluator())
    millstream.spark.save_model(search, "model")
    (again,) = millstream.spark.load_model("model").stages
    assert again.avgMetrics == [0.25]
    assert predicted(again, vectors) == predicted(classifier, vectors)


def test_logged_and_registered(pipeline: Any, spark: Any) -> None:
    with millstream.start_run() as run:
        info = millstream.spark.log_model(pipeline, name="lines", registered_model_name="lines")
    for uri in (info.model_uri, f"runs:/{run.info.run_id}/lines", "models:/lines/1"):
        loaded = millstream.spark.load_model(uri)
        assert [stage.uid for stage in loaded.stages] == [stage.uid for stage in pipeline.stages]
    assert info.model_id is not None and millstream.get_logged_model(info.model_id).name == "lines"


# Which classes need trust.


class Constant(Transformer, DefaultParamsReadable["Constant"], DefaultParamsWritable):
    """A stage of the program's own."""

    def _transform(self, dataset: Any) -> Any:
        return dataset.withColumn("prediction", lit(7.0))


@pytest.fixture
def unsealed(saved: Path, tmp_path: Path) -> Path:
    """The model as it would come from somebody else: no manifest of this user."""
    folder = tmp_path / "unsealed"
    shutil.copytree(saved, folder)
    (folder / "manifest.json").unlink()
    return folder


def metadata_of(folder: Path, pattern: str) -> Path:
    (found,) = (file for file in (folder / "sparkml").glob(f"{pattern}/part-*"))
    for check in (folder / "sparkml").rglob("*.crc"):
        check.unlink()
    return found


def test_a_model_of_sparks_own_classes_needs_no_trust(unsealed: Path, classifier: Any, vectors: Any) -> None:
    assert predicted(millstream.spark.load_model(str(unsealed)), vectors) == predicted(classifier, vectors)
    assert millstream.pyfunc.load_model(str(unsealed)).metadata.signature is not None


@pytest.mark.parametrize(
    "name", ["os.path", "com.evil.Stage", "org.apache.spark.mlx.Stage", "org.apache.spark.util.Utils",
             "pyspark.ml.util.json", "pyspark.ml.dl_util.cloudpickle", "pyspark.ml.torch.data.X", "", 7],
)
def test_another_class_is_refused(name: Any, unsealed: Path) -> None:
    file = metadata_of(unsealed, "stages/0_*/metadata")
    content = json.loads(file.read_text())
    assert content["class"] == "org.apache.spark.ml.classification.LogisticRegressionModel"
    file.write_text(json.dumps({**content, "class": name}))
    with pytest.raises(UntrustedModel, match="sparkml"):
        millstream.spark.load_model(str(unsealed))
    with pytest.raises(UntrustedModel):
        millstream.pyfunc.load_model(str(unsealed))


@pytest.mark.parametrize(
    "way", ["twice", "compressed", "a link", "broken", "further file", "a file that Spark reads", "a stage elsewhere",
            "a parameter elsewhere", "the block"],
)
def test_no_way_around(way: str, unsealed: Path) -> None:
    file = metadata_of(unsealed, "stages/0_*/metadata")
    text = file.read_text().strip()
    evil = text.replace("org.apache.spark.ml.classification", "com.evil")
    if way == "twice":
        file.write_text(text[:-1] + ', "class": "com.evil.Stage"}')
    elif way == "compressed":
        file.unlink()
        file.with_suffix(".gz").write_bytes(gzip.compress(evil.encode()))
    elif way == "a link":
        place = unsealed.parent / "elsewhere"
        shutil.move(file.parents[1], place)
        file.parents[1].symlink_to(place)
    elif way == "broken":
        file.write_text(text[:-1])
    elif way == "further file":
        (file.parent / "a.txt").write_text(evil)
    elif way == "a file that Spark reads":
        (file.parent / "_a=b").mkdir()
        (file.parent / "_a=b" / "a.txt").write_text(evil)
    elif way == "a stage elsewhere":
        whole = metadata_of(unsealed, "metadata")
        content = json.loads(whole.read_text())
        content["paramMap"]["stageUids"] = ["x/../../../elsewhere"]
        whole.write_text(json.dumps(content))
    elif way == "a parameter elsewhere":
        content = json.loads(text)
        value = {"parent": "p", "name": "n", "value": "/elsewhere", "isJson": False}
        file.write_text(json.dumps({**content, "paramMap": {"estimatorParamMaps": [[value]]}}))
    else:
        described = (unsealed / "MLmodel").read_text()
        (unsealed / "MLmodel").write_text(described.replace("pyspark.ml.pipeline.PipelineModel", "os.path.Model"))
    with pytest.raises(UntrustedModel):
        millstream.spark.load_model(str(unsealed))


def test_a_stage_of_ones_own(spark: Any, tmp_path: Path) -> None:
    millstream.spark.save_model(PipelineModel([Constant()]), "model")
    assert predicted(millstream.spark.load_model("model"), spark.range(2)) == [7.0, 7.0]
    assert millstream.pyfunc.load_model("model").predict(ROWS[:1]) == [7.0]
    Path("model/manifest.json").unlink()
    with pytest.raises(UntrustedModel):
        millstream.spark.load_model("model")


def test_a_class_that_is_not_there(unsealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_ALLOW_PICKLE_DESERIALIZATION", "true")
    described = (unsealed / "MLmodel").read_text()
    (unsealed / "MLmodel").write_text(described.replace("pyspark.ml.pipeline.PipelineModel", "gone.Model"))
    with pytest.raises(BadModel, match=r"gone\.Model"):
        millstream.spark.load_model(str(unsealed))


def test_a_flipped_byte_is_refused(saved: Path, tmp_path: Path) -> None:
    shutil.copytree(saved, tmp_path / "model")
    (file,) = (tmp_path / "model" / "sparkml").glob("stages/0_*/data/part-*")
    content = bytearray(file.read_bytes())
    content[10] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(CorruptModel, match=r"sparkml/stages/0_.*part-"):
        millstream.spark.load_model("model")
