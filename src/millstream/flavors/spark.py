"""Spark ML: fitted pipelines and models of ``pyspark.ml``, in Spark's own format.

Spark's format holds no code, but names the class of each stage, which Spark loads by that name. Classes of Spark itself
are loaded from any model; others only where the model's maker is trusted, like a pickle.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import re
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream.errors import BadModel, InvalidValue
from millstream.flavors import loading, logging, saving
from millstream.flavors.contract import Flavor, LogOptions, SaveOptions, Written, spelled_out
from millstream.models import trust
from millstream.models.mlmodel import Model

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from millstream.models.info import ModelInfo
    from millstream.models.signature import ModelSignature

FLAVOR = Flavor("spark", "mlflow.spark", ("pyspark", "numpy", "pandas", "pyarrow"))
DATA = "sparkml"
# Where a model rests on its way to and from a file system that Spark's executors share, unless told otherwise.
DFS_TMPDIR = "/tmp/mlflow"
PREDICTION = "prediction"
_PIPELINE = "pyspark.ml.pipeline.PipelineModel"
_OF_SPARK = re.compile(
    r"org\.apache\.spark\.ml\.([a-z]\w*\.)*[A-Z]\w*|pyspark\.ml\.(base|classification|clustering|evaluation|feature|fpm"
    r"|pipeline|recommendation|regression|stat|tree|tuning)\.[A-Z]\w*"
)


@spelled_out
def save_model(
    spark_model: Any, path: str | os.PathLike[str], mlflow_model: Model | None = None,
    conda_env: Mapping[str, Any] | str | None = None, code_paths: Iterable[str] | None = None,
    dfs_tmpdir: str | None = None, **options: Unpack[SaveOptions],
) -> None:
    """Save a fitted model or transformer of Spark ML as the model in the folder ``path``.

    What is no ``PipelineModel`` becomes the only stage of one. ``input_example`` may be a DataFrame of Spark, whose
    first five rows are taken, or of pandas; vectors in it become lists, and ``SparkMLVector`` in the signature. Spark
    writes the model to ``dfs_tmpdir`` first when that is given, or when its own file system is not this machine's.
    Raises InvalidValue for what is not fitted.
    """
    model = _pipeline(spark_model)
    example, signature = _described(model, options.get("input_example"), options.get("signature"))

    def write(folder: Path) -> Written:
        import pyspark

        _write(model, folder / DATA, dfs_tmpdir)
        kind = type(model)
        block = {
            "pyspark_version": str(pyspark.__version__), "model_data": DATA,
            "model_class": f"{kind.__module__}.{kind.__name__}",
        }
        modules = {type(stage).__module__.partition(".")[0] for stage in model.stages} - {"pyspark"}
        return Written(block, {"data": DATA}, modules, PythonFunction(model).predict)

    given: Any = {**options, "input_example": example, "signature": signature}
    saving.save(FLAVOR, path, write, conda_env=conda_env, code_paths=code_paths, mlflow_model=mlflow_model, **given)


@spelled_out
def log_model(
    spark_model: Any, artifact_path: str | None = None, conda_env: Mapping[str, Any] | str | None = None,
    code_paths: Iterable[str] | None = None, dfs_tmpdir: str | None = None, **options: Unpack[LogOptions],
) -> ModelInfo:
    """Save a fitted model of Spark ML, see :func:`save_model`, and log it."""
    save = functools.partial(
        save_model, spark_model, conda_env=conda_env, code_paths=code_paths, dfs_tmpdir=dfs_tmpdir
    )
    return logging.log(save, artifact_path, **options)


def load_model(model_uri: str | os.PathLike[str], dfs_tmpdir: str | None = None, dst_path: str | None = None) -> Any:
    """The ``PipelineModel`` of the model at ``model_uri``, in the active Spark session or a new local one.

    ``dfs_tmpdir`` is as for :func:`save_model`. Raises BadModel, CorruptModel, and UntrustedModel for a model that
    names classes that are not Spark's.
    """
    folder, _, block = loading.open_model(model_uri, FLAVOR.name, dst_path)
    return _read(loading.file_of(folder, block, "model_data", default=DATA), block, dfs_tmpdir)


def get_default_pip_requirements() -> list[str]:
    """The pins of what every model of Spark ML needs."""
    return FLAVOR.default_requirements()


def get_default_conda_env() -> dict[str, Any]:
    """The same as the content of a conda.yaml."""
    return FLAVOR.default_conda_env()


def _load_pyfunc(path: str, model_config: dict[str, Any] | None = None) -> PythonFunction:
    """The python function of the model in the folder ``path``, whose MLmodel file lies beside it."""
    folder = Path(path)
    model = Model.load(folder.parent)
    block = model.flavors.get(FLAVOR.name) or {}
    return PythonFunction(_read(folder, block, None), _vectors_of(model.signature))


class PythonFunction:
    """A model of Spark ML that predicts. Columns named in ``vectors`` come as lists and become vectors."""

    def __init__(self, spark_model: Any, vectors: Iterable[str] = ()) -> None:
        self.spark_model = spark_model
        self.vectors = frozenset(vectors)

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """The predictions for a DataFrame of pandas, as a list; for one of Spark, the model's predictions as a lazy
        DataFrame. ``params`` change nothing. Raises InvalidValue for a model that gives no predictions."""
        is_spark = type(data).__module__.partition(".")[0] == "pyspark"
        if not is_spark and len(data) == 0:
            return []
        frame = self._lists_to_vectors(data) if is_spark else self._to_spark(data)
        made = self.spark_model.transform(frame)
        column = prediction_column(self.spark_model)
        if column not in made.columns:
            raise InvalidValue(
                f"the model gives no column {column!r}, only {', '.join(made.columns)}",
                hint="load it with millstream.spark.load_model(…) and use its transform()",
            )
        predicted = made.select(column)
        if is_spark:
            return predicted
        return [row[0].toArray() if hasattr(row[0], "toArray") else row[0] for row in predicted.collect()]

    def get_raw_model(self) -> Any:
        """The ``PipelineModel``."""
        return self.spark_model

    def _to_spark(self, data: Any) -> Any:
        import pandas

        if not isinstance(data, pandas.DataFrame):
            raise InvalidValue(f"a model of Spark predicts for a DataFrame, not for a {type(data).__name__}",
                               hint="pandas.DataFrame(…)")
        frame, vectors = columns_as_lists(data.set_axis([str(name) for name in data.columns], axis=1))
        return self._lists_to_vectors(session().createDataFrame(frame), vectors)

    def _lists_to_vectors(self, frame: Any, vectors: frozenset[str] = frozenset()) -> Any:
        from pyspark.ml.functions import array_to_vector

        arrays = {name for name, kind in frame.dtypes if kind.startswith("array")}
        wanted = (self.vectors | vectors) & arrays
        return frame.withColumns({name: array_to_vector(frame[name].cast("array<double>")) for name in wanted})


def session() -> Any:
    """The active Spark session, or a new one on this machine."""
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    found = SparkSession.getActiveSession()
    if found is not None:
        return found
    if SparkContext._active_spark_context is not None:
        return SparkSession.builder.getOrCreate()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else another Python, which may lack the packages
    return (
        SparkSession.builder.master("local[*]").appName("millstream").config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1").getOrCreate()
    )


def columns_as_lists(frame: Any) -> tuple[Any, frozenset[str]]:
    """A pandas DataFrame whose vectors of Spark are lists, and the names of the columns that held vectors."""
    vectors = [name for name in frame.columns if any(_is_vector(value) for value in frame[name].head())]
    if not vectors:
        return frame, frozenset()
    changed = frame.copy(deep=False)
    for name in vectors:
        changed[name] = [None if value is None else value.toArray().tolist() for value in frame[name]]
    return changed, frozenset(vectors)


def _pipeline(spark_model: Any) -> Any:
    from pyspark.ml import PipelineModel, Transformer

    if not isinstance(spark_model, Transformer):
        raise InvalidValue(f"a fitted model of pyspark.ml is expected, not a {type(spark_model).__name__}",
                           hint="give what fit() of an estimator returned")
    return spark_model if isinstance(spark_model, PipelineModel) else PipelineModel([spark_model])


def _described(
    model: Any, example: Any, signature: ModelSignature | bool | None
) -> tuple[Any, ModelSignature | bool | None]:
    """The example as a pandas DataFrame without vectors, and the signature of one that had some."""
    if type(example).__module__.partition(".")[0] == "pyspark":
        example = _first_rows(example)
    if not hasattr(example, "columns") or not hasattr(example, "iloc"):
        return example, signature
    example, vectors = columns_as_lists(example)
    if signature is not None or not vectors:
        return example, signature
    from millstream.models.schema import ColSpec, Schema, SparkMLVector
    from millstream.models.signature import ModelSignature, infer_signature

    try:
        plain = infer_signature(example, PythonFunction(model, vectors).predict(example))
    except Exception as error:  # whatever Spark raises about an example of its user
        saving.logger.warning("the model is saved without a signature: its input example does not predict: %s: %s",
                              type(error).__name__, error)
        return example, False
    inputs = [ColSpec(SparkMLVector(), spec.name, getattr(spec, "required", True)) if spec.name in vectors else spec
              for spec in plain.inputs or ()]
    return example, ModelSignature(Schema(inputs), plain.outputs)


def _first_rows(frame: Any, rows: int = 5) -> Any:
    """The first rows of a DataFrame of Spark as one of pandas; its ``toPandas`` warns of a pandas newer than itself."""
    import pandas

    return pandas.DataFrame([tuple(row) for row in frame.limit(rows).collect()], columns=frame.columns)


def _vectors_of(signature: ModelSignature | None) -> list[str]:
    from millstream.models.schema import SparkMLVector

    inputs = signature.inputs if signature is not None else None
    return [str(spec.name) for spec in inputs or () if isinstance(spec.type, SparkMLVector)]


def prediction_column(model: Any) -> str:
    """The column in which a model, or the last stage of a pipeline that predicts, puts its predictions."""
    model = getattr(model, "bestModel", model)
    for stage in reversed(getattr(model, "stages", [model])):
        if hasattr(stage, "stages") or hasattr(stage, "bestModel"):
            return prediction_column(stage)
        if stage.hasParam("predictionCol"):
            return str(stage.getOrDefault("predictionCol"))
    return PREDICTION


def _is_vector(value: Any) -> bool:
    return type(value).__module__ == "pyspark.ml.linalg" and hasattr(value, "toArray")


def _write(model: Any, target: Path, dfs_tmpdir: str | None) -> None:
    if dfs_tmpdir is None and _is_on_this_machine():
        model.save(f"file://{target.absolute()}")
        return
    with_scheme, files, paths = _resting_place(dfs_tmpdir)
    try:
        model.save(with_scheme)
        files.copyToLocalFile(False, paths(with_scheme), paths(f"file://{target.absolute()}"), False)
    finally:
        files.delete(paths(with_scheme), True)


def _read(folder: Path, block: Mapping[str, Any], dfs_tmpdir: str | None) -> Any:
    named = str(block.get("model_class") or _PIPELINE)
    if not all(_OF_SPARK.fullmatch(name) for name in (named, *_classes(folder))):
        trust.check(folder)
    session()
    module, _, name = named.rpartition(".")
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadModel(f"the model at {folder} is of the class {named}, which is not found here: {error}",
                       hint="install what the model's requirements.txt names") from error
    if dfs_tmpdir is None and _is_on_this_machine():
        return kind.load(f"file://{folder.resolve()}")
    place, files, paths = _resting_place(dfs_tmpdir)
    files.copyFromLocalFile(False, True, paths(f"file://{folder.resolve()}"), paths(place))
    files.deleteOnExit(paths(place))  # some models read their data when they first predict
    return kind.load(place)


def _is_on_this_machine() -> bool:
    """Whether Spark's own file system is the local one (Spark Connect writes where its server is)."""
    context = getattr(session(), "_sc", None)
    if context is None:
        return True
    return str(context._jsc.hadoopConfiguration().get("fs.defaultFS", "file:///")).startswith("file:")


def _resting_place(dfs_tmpdir: str | None) -> tuple[str, Any, Any]:
    """A new path in ``dfs_tmpdir``, its file system, and the class of paths, the latter two Hadoop's."""
    context = session().sparkContext
    paths = context._jvm.org.apache.hadoop.fs.Path
    place = f"{(dfs_tmpdir or DFS_TMPDIR).rstrip('/')}/{uuid.uuid4().hex}"
    files = paths(place).getFileSystem(context._jsc.hadoopConfiguration())
    return place, files, paths


def _classes(folder: Path) -> Iterator[str]:
    """The classes that a saved model names; something that is no class for what Spark may read otherwise than we do."""
    for file in folder.rglob("*"):
        if file.is_symlink():
            yield "a link"
        is_hidden = file.name.startswith(".") or (file.name.startswith("_") and "=" not in file.name)
        if is_hidden or "metadata" not in file.relative_to(folder).parts[:-1] or not file.is_file():
            continue
        found: list[str] = []
        try:
            for line in re.split(r"\r\n|\r|\n", file.read_text("utf-8")):
                if line.strip():
                    json.loads(line, object_pairs_hook=functools.partial(_note, found))
        except ValueError:
            found = []
        yield from found or ["unreadable metadata"]


def _note(found: list[str], pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Note the classes that an object of a stage's metadata names, and what leads out of the model's folder."""
    for key, value in pairs:
        if key == "class":
            found.append(str(value))
        elif key == "stageUids" and "/" in str(value):
            found.append("a stage elsewhere")
        elif key == "isJson" and value is not True:
            found.append("a parameter with a file of its own")
    return dict(pairs)
