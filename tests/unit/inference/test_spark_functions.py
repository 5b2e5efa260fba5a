"""A model is a function of Spark's columns: by position, by name, by its signature; here, or in its own environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F
from pyspark.sql import types as T
from sklearn.linear_model import LinearRegression

import millstream.pyfunc
import millstream.sklearn
from millstream.errors import BadModel, InvalidValue, SchemaMismatch, UntrustedModel
from millstream.inference.spark import functions, shipping
from millstream.inference.spark.types import result_type
from millstream.models import ModelSignature
from millstream.models.schema import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
from millstream.pyfunc import spark_udf
from tests.isolation import isolated
from tests.unit.environments.wheels import wheel
from tests.unit.inference.showing import showing

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*pandas:FutureWarning")]

ROWS = pd.DataFrame({"x": np.arange(40) / 4.0, "y": np.arange(40) % 7 * 1.0, "odd name": np.arange(40) % 3 * 2.0})
DOUBLES = Schema([ColSpec("double", "x"), ColSpec("double", "y")])
ASKING = ParamSchema([ParamSpec("show", "string", "")])


@pytest.fixture(autouse=True)
def _own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with isolated(tmp_path, monkeypatch):
        yield


@pytest.fixture(scope="module")
def frame(spark: Any) -> Any:
    return spark.createDataFrame(ROWS).repartition(2).cache()


@pytest.fixture(scope="module")
def regression(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("regression") / "model"
    fitted = LinearRegression().fit(ROWS, ROWS["x"] * 3 - ROWS["y"])
    millstream.sklearn.save_model(fitted, folder, input_example=ROWS[:3])
    return folder


def collected(frame: Any) -> pd.DataFrame:
    return pd.DataFrame([row.asDict() for row in frame.collect()])  # toPandas() warns of newer versions of pandas


def shown(folder: Path, signature: ModelSignature | None = None) -> str:
    millstream.pyfunc.save_model(folder, python_model=showing(), signature=signature, pip_requirements=[])
    return str(folder)


def test_columns_by_position_by_name_and_by_the_signature(spark: Any, frame: Any, regression: Path) -> None:
    predict = spark_udf(spark, regression, "double")
    spark.udf.register("predict", predict)
    frame.createOrReplaceTempView("rows")
    found = collected(frame.select(
        "x", "y", "odd name", predict("x", "y", F.col("odd name")).alias("position"),
        predict(F.struct("y", "odd name", "x")).alias("names"), predict().alias("signature"),
        F.expr("predict(x, y, `odd name`)").alias("sql"), spark_udf(spark, regression)().alias("inferred"),
    ))
    expected = millstream.pyfunc.load_model(str(regression)).predict(found[["x", "y", "odd name"]])
    for way in ("position", "names", "signature", "sql", "inferred"):
        assert found[way].tolist() == expected.tolist(), way
    assert predict.returnType == T.DoubleType() and "double" in repr(predict)


def test_results_of_every_kind_and_what_a_model_is_given(spark: Any, frame: Any, tmp_path: Path) -> None:
    def table(model_input):  # type: ignore[no-untyped-def]
        return model_input.assign(n=range(len(model_input)), word="w", when=model_input.index.astype("datetime64[us]"))

    millstream.pyfunc.save_model(tmp_path / "table", python_model=table, pip_requirements=[])
    kinds = ["double", "long", "string", "array<double>", "array<string>", "x float, word string",
             T.StructType([T.StructField("n", T.IntegerType())])]
    made = [spark_udf(spark, tmp_path / "table", kind)(F.struct("x", "y")) for kind in kinds]
    nothing, named = shown(tmp_path / "any"), shown(tmp_path / "named", ModelSignature(DOUBLES, None, ASKING))
    made += [
        spark_udf(spark, nothing, "string")("x", "y"),
        spark_udf(spark, nothing, "string")(F.struct("y", F.lit("a").alias("a"))),
        spark_udf(spark, named, T.StringType())("y", "x"),
        spark_udf(spark, named, "string", params={"show": "asked"})(),
        spark_udf(spark, named, "string", params={"show": "$COLOUR"}, extra_env={"COLOUR": "red"})("y", "x"),
    ]
    (row,) = frame.where("x = 5").coalesce(1).select(*made).collect()
    assert list(row)[:7] == [5.0, 0, "5.0", [5.0, 6.0, 0.0], ["5.0", "6.0", "0", "w", "1970-01-01 00:00:00"],
                             (5.0, "w"), (0,)]
    assert list(row)[7:] == ["frame 0: float64, 1: float64", "frame y: float64, a: str",
                             "frame x: float64, y: float64", "asked", "red"]


def test_models_of_tensors_take_columns_of_lists(spark: Any, frame: Any, tmp_path: Path) -> None:
    folder = shown(tmp_path / "model", ModelSignature(Schema([TensorSpec(np.dtype("float32"), (-1, 3, 1))])))
    lists = frame.limit(3).coalesce(1).select(F.array("x", "y", "odd name").alias("a"))
    assert {row[0] for row in lists.select(spark_udf(spark, folder, "string")("a")).collect()} == {
        "array float32 (3, 3, 1)"}


def test_a_spark_without_functions_on_arrow(
    spark: Any, frame: Any, regression: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = collected(frame.select(spark_udf(spark, regression, "double")()))
    monkeypatch.setattr(functions, "_function", functions.by_pandas)
    found = collected(frame.select(
        spark_udf(spark, regression, "double")().alias("columns"),
        spark_udf(spark, regression, "double")(F.struct("*")).alias("struct"),
        spark_udf(spark, shown(Path("any")), "string")(F.struct("x", "y")).alias("given"),
    ))
    assert found["columns"].tolist() == found["struct"].tolist() == expected.iloc[:, 0].tolist()
    assert set(found["given"]) == {"frame x: float64, y: float64"}


def test_what_is_wrong_is_told_where_the_function_is_made(
    spark: Any, regression: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("nonsense", "map<string,double>", "decimal(3,1)", T.MapType(T.StringType(), T.LongType()),
                 "a struct<b: int>"):
        with pytest.raises(InvalidValue, match="result_type"):
            spark_udf(spark, regression, kind)
    with pytest.raises(InvalidValue, match="exclude each other"):
        spark_udf(spark, regression, env_manager="uv", prebuilt_env_uri="x.tar.gz")
    with pytest.raises(InvalidValue, match="env_manager"):
        spark_udf(spark, regression, env_manager="poetry")
    asking = shown(tmp_path / "asking", ModelSignature(None, None, ASKING))
    with pytest.raises(SchemaMismatch, match="show"):
        spark_udf(spark, asking, params={"show": 3})
    with pytest.raises(InvalidValue, match="signature names none"):
        spark_udf(spark, asking)()
    optional = ModelSignature(Schema([ColSpec("double", "x"), ColSpec("double", "q", required=False)]))
    with pytest.raises(InvalidValue, match="can do without"):
        spark_udf(spark, shown(tmp_path / "optional", optional))()
    with pytest.raises(BadModel):
        spark_udf(spark, tmp_path)
    monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(UntrustedModel):
        spark_udf(spark, asking)


def test_what_executors_cannot_do_names_the_reason(spark: Any, frame: Any, regression: Path) -> None:
    from pyspark.errors import PythonException

    for column, said in (
        (spark_udf(spark, regression, "double")("x"), "takes 3 columns, found 1"),
        (spark_udf(spark, regression, "long")(), "they are double"),
    ):
        with pytest.raises(PythonException, match=said):
            frame.select(column).collect()


def test_a_model_that_is_saved_anew_is_another(spark: Any, frame: Any, tmp_path: Path) -> None:
    def saved(answer: str) -> None:
        millstream.pyfunc.save_model(
            tmp_path / answer, python_model=lambda model_input: [answer] * len(model_input), pip_requirements=[])

    saved("first")
    saved("second")
    place = tmp_path / "model"
    for answer in ("first", "second"):
        (tmp_path / answer).rename(place)
        assert {row[0] for row in frame.select(spark_udf(spark, place, "string")("x")).collect()} == {answer}
        place.rename(tmp_path / f"{answer} used")


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that needs what only its own environment has."""
    place = tmp_path_factory.mktemp("apart")

    def total(model_input):  # type: ignore[no-untyped-def]
        import os
        import sys

        import beam  # type: ignore[import-not-found]

        return [f"{value} {beam.version} {os.getpid()} {sys.prefix}" for value in model_input["x"]]

    wheel(place / "shelf", "beam", "1.0")
    millstream.pyfunc.save_model(
        place / "model", python_model=total, signature=ModelSignature(Schema([ColSpec("double", "x")])),
        pip_requirements=["cloudpickle", f"--find-links {place / 'shelf'}", "beam"])
    return place


def test_a_model_scores_in_its_own_environment_or_in_an_archive_of_it(
    spark: Any, frame: Any, apart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLSTREAM_ENV_ROOT", str(apart / "envs"))
    archive = millstream.pyfunc.build_model_env(str(apart / "model"), str(apart / "archives"))
    for options in ({"env_manager": "uv"}, {"prebuilt_env_uri": archive}):
        predict = spark_udf(spark, apart / "model", "string", **options)  # type: ignore[arg-type]
        found = frame.select("x", predict("x")).collect()
        assert [row[1].split()[:2] for row in found] == [[str(row[0]), "1.0"] for row in found]
        prefixes = {row[1].split()[3] for row in found}
        assert all(("envs" in prefix) == ("env_manager" in options) for prefix in prefixes), prefixes
        assert str(os.getpid()) not in {row[1].split()[2] for row in found}
        assert all(prefix != sys.prefix for prefix in prefixes)


def test_archives_go_to_executors_once(
    spark: Any, regression: Path, monkeypatch: pytest.MonkeyPatch, frame: Any
) -> None:
    sent: list[str] = []
    add = type(spark.sparkContext).addArchive

    def adding(self: Any, path: str) -> None:
        sent.append(path)
        add(self, path)

    monkeypatch.setattr(type(spark.sparkContext), "addArchive", adding)
    monkeypatch.setattr(shipping, "_on_this_machine", lambda session: False)
    expected = millstream.pyfunc.load_model(str(regression)).predict(ROWS)
    for _ in range(2):
        found = collected(frame.select(spark_udf(spark, regression, "double")()))
        assert sorted(found.iloc[:, 0]) == sorted(expected)
    assert len(sent) == 1


@pytest.mark.parametrize(("outputs", "kind"), [
    (None, "double"), (Schema([ColSpec("long")]), "bigint"), (Schema([ColSpec("integer", "q")]), "int"),
    (Schema([ColSpec("double", "p"), ColSpec("string", "q")]), "struct<p:double,q:string>"),
    (Schema([TensorSpec(np.dtype("float64"), (-1,))]), "array<double>"),
    (Schema([TensorSpec(np.dtype("float32"), (-1, 2))]), "array<float>"),
    (Schema([TensorSpec(np.dtype("int64"), (-1, 2, 2))]), "array<array<bigint>>"),
    (Schema([ColSpec("double"), ColSpec("string")]), "double"), (Schema([ColSpec("datetime")]), "timestamp"),
])
def test_results_are_of_the_type_of_the_outputs(outputs: Schema | None, kind: str, spark: Any) -> None:
    assert result_type(None, outputs).simpleString() == kind
