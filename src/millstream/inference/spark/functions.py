"""``spark_udf``: a model as a function of Spark's columns."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import msgspec

from millstream import settings
from millstream.errors import InvalidValue
from millstream.flavors import isolated, loading
from millstream.flavors.pyfunc.loading import load_model, read_config
from millstream.inference.scoring_process import Order, type_text
from millstream.inference.spark import shipping
from millstream.inference.spark.executors import Scoring, score
from millstream.inference.spark.types import arrow_type
from millstream.inference.spark.types import result_type as chosen_type
from millstream.models import trust
from millstream.models.enforcement import enforce_params
from millstream.models.examples import json_values
from millstream.models.mlmodel import PYTHON_FUNCTION, Model
from millstream.models.schema import Schema
from millstream.tracking.files import download_artifacts

if TYPE_CHECKING:
    from pyspark.sql import Column, SparkSession

__all__ = ["ModelFunction", "spark_udf"]


def spark_udf(
    spark: SparkSession, model_uri: str | os.PathLike[str], result_type: Any = None, env_manager: str | None = None,
    params: dict[str, Any] | None = None, extra_env: Mapping[str, str] | None = None,
    prebuilt_env_uri: str | None = None, model_config: str | os.PathLike[str] | dict[str, Any] | None = None,
) -> ModelFunction:
    """The model at ``model_uri`` as a function of columns of Spark's data frames, also of streams.

    Called with columns or their names it takes them in the order of the model's signature; called with one
    ``struct(…)`` it takes them by their names; called with nothing it takes the columns that the signature names. A
    model of tensors takes a column of lists for each, which are reshaped and cast as its signature says.

    ``result_type`` is a type of Spark or its text ("double", "array<float>", "label string, score double"); what the
    signature's outputs are unless given, else double. Of a prediction with several columns, a number is the leftmost
    of such numbers, a boolean the leftmost boolean, a string the leftmost column as text, an array all columns of its
    elements' type; a struct takes columns by name.

    The model goes to each executor once and is loaded once in each of their Python processes, which need Millstream.
    ``env_manager`` "local" (the default) loads it there; "uv", "virtualenv" and "conda" build the model's own
    environment here, ship it as an archive to executors on other machines, and let it score in a process of its own.
    ``prebuilt_env_uri`` names such an archive that :func:`build_model_env` made. ``params`` go to the model with each
    batch, ``extra_env`` are environment variables of the processes that score, ``model_config`` is that of
    :func:`load_model`.

    Raises InvalidValue, SchemaMismatch for params that do not fit, UntrustedModel, and what fetching the model and
    building its environment raise.
    """
    manager = _manager(env_manager, prebuilt_env_uri)
    folder = loading.fetch(model_uri)
    model = Model.load(folder)
    loading.block_of(model, PYTHON_FUNCTION, os.fspath(model_uri))
    signature = model.signature
    kind = chosen_type(result_type, signature.outputs if signature else None)
    known_params = signature.params if signature else None
    if params or known_params is not None:
        enforce_params(params, known_params)  # what does not fit is told here and now
    config = None if model_config is None else read_config(model_config)
    allowed = settings.ALLOW_PICKLE_DESERIALIZATION.get()
    trusted = trust.knows(folder) if allowed is None else allowed
    environment = None
    if prebuilt_env_uri is not None:
        isolated.check_origin(folder)
        environment = shipping.archive(spark, Path(download_artifacts(prebuilt_env_uri)))
    elif manager != "local":
        wanted = isolated.environment_of(folder, manager=manager, also=("pyarrow",))
        environment = shipping.environment(spark, isolated.built_for(folder, wanted))
    elif not trusted:
        load_model(folder, suppress_warnings=True, model_config=config)  # raises here what executors would
    order = Order(
        folder="", result=type_text(arrow_type(kind)), params=None if params is None else json_values(params),
        config=config, trusted=trusted, timezone=str(spark.conf.get("spark.sql.session.timeZone", "UTC")),
    )
    variables = {str(name): str(value) for name, value in (extra_env or {}).items()}
    place = shipping.model(spark, folder)
    told = json.dumps([repr(place), msgspec.to_builtins(order), repr(environment), variables], sort_keys=True)
    scoring = Scoring(hashlib.sha256(told.encode()).hexdigest(), place, order, environment, variables)
    return ModelFunction(_function(scoring, kind), signature.inputs if signature else None)


def _manager(asked: str | None, prebuilt: str | None) -> str:
    if prebuilt is None:
        return "local" if asked is None else isolated.managed(asked)
    if asked is not None:
        raise InvalidValue("env_manager and prebuilt_env_uri exclude each other",
                           hint="leave out env_manager: the environment is built already")
    return "local"


class ModelFunction:
    """A model as a function of columns; ``spark.udf.register(name, function)`` makes it one of SQL."""

    def __init__(self, function: Any, inputs: Schema | None) -> None:
        self._function = function
        self._inputs = inputs

    def __call__(self, *columns: Column | str) -> Column:
        """The column of results. Raises InvalidValue for no columns when the signature does not name them."""
        made: Column = self._function(*(columns or self._named()))
        return made

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._function, name)  # returnType, evalType, asNondeterministic(), …

    def _named(self) -> list[str]:
        if self._inputs is None or not self._inputs.has_input_names():
            raise InvalidValue("the function is called without columns, and the model's signature names none",
                               hint="name them: predict('x', 'y'), or predict(struct('x', 'y'))")
        if optional := self._inputs.optional_input_names():
            raise InvalidValue(f"the function is called without columns, and the model can do without {optional}",
                               hint="name those that the data have: predict(struct('x', 'y'))")
        return ["`" + str(name).replace("`", "``") + "`" for name in self._inputs.input_names()]

    def __repr__(self) -> str:
        takes = "any columns" if self._inputs is None else repr(self._inputs)
        return f"<model function of {takes}: {self.returnType.simpleString()}>"


def _function(scoring: Scoring, kind: Any) -> Any:
    """A function of Spark's: of Arrow's arrays, which Spark has since 4.1, or by way of pandas."""
    from pyspark.sql.pandas import functions

    if not hasattr(functions, "arrow_udf"):
        return by_pandas(scoring, kind)

    import pyarrow

    def predict(*columns: Any) -> Any:
        return score(scoring, columns)

    predict.__annotations__ = {"columns": pyarrow.Array, "return": pyarrow.Array}  # by which Spark knows the kind
    made: Any = functions.arrow_udf
    return made(predict, kind)


def by_pandas(scoring: Scoring, kind: Any) -> Any:
    """The same function for a Spark before 4.1."""
    import pandas
    import pyarrow
    from pyspark.sql.pandas.functions import pandas_udf
    from pyspark.sql.types import StructType

    def predict(*columns: Any) -> Any:
        made = [
            pyarrow.RecordBatch.from_pandas(one, preserve_index=False).to_struct_array()
            if isinstance(one, pandas.DataFrame) else pyarrow.Array.from_pandas(one) for one in columns
        ]
        scored = score(scoring, made)
        if pyarrow.types.is_struct(scored.type):
            return pyarrow.RecordBatch.from_struct_array(scored).to_pandas()
        return scored.to_pandas()

    one: Any = pandas.DataFrame if isinstance(kind, StructType) else pandas.Series
    predict.__annotations__ = {"columns": Union[pandas.Series, pandas.DataFrame], "return": one}  # noqa: UP007
    made: Any = pandas_udf
    return made(predict, kind)


