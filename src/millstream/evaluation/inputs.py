"""The data of an evaluation: features, labels and predictions out of whatever was given, and the data set to log."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from millstream.data.dataset import Dataset
from millstream.errors import InvalidValue, MissingValue

if TYPE_CHECKING:
    import numpy
    import pandas

logger = logging.getLogger("millstream")

# Of a Spark frame, which may be larger than this machine, as many rows as MLflow takes.
SPARK_ROWS = 10_000


@dataclass(frozen=True)
class EvaluationDataset:
    """Data as evaluators get it; the attributes have MLflow's names.

    ``features_data`` is a frame; ``labels_data`` and ``predictions_data`` are arrays with a value a row, or None.
    ``dataset`` is what is logged as the run's input.
    """

    features_data: pandas.DataFrame
    labels_data: numpy.ndarray[Any, Any] | None
    predictions_data: numpy.ndarray[Any, Any] | None
    dataset: Dataset
    targets_name: Any = None
    predictions_name: Any = None
    path: str | None = None

    @property
    def feature_names(self) -> list[Any]:
        """The columns of the features."""
        return list(self.features_data.columns)

    @property
    def has_targets(self) -> bool:
        """Whether there are labels."""
        return self.labels_data is not None

    @property
    def has_predictions(self) -> bool:
        """Whether there are predictions."""
        return self.predictions_data is not None

    @property
    def name(self) -> str:
        """The name of the data set."""
        return self.dataset.name

    @property
    def digest(self) -> str:
        """A short text that changes with the data."""
        return self.dataset.digest

    hash = digest


def evaluation_dataset(
    data: Any, targets: Any, predictions: Any, feature_names: list[Any] | None, dataset_path: str | None,
    *, with_model: bool,
) -> EvaluationDataset:
    """The parts of ``data``.

    ``targets`` is a column, or an array with a value for each row. ``predictions`` is a column of the data, or
    ``with_model`` one of the model's output. Raises InvalidValue for a column that is not there, for parts of
    different lengths and for data of no known kind; MissingValue without data.
    """
    if data is None:
        raise MissingValue("evaluate() needs data", hint="a DataFrame, an array, or a data set of millstream.data")
    if isinstance(data, Dataset):
        targets, predictions = _named_by(data, targets, predictions)
    frame, labels = _frame(data, feature_names)
    if isinstance(targets, str) or (targets is not None and not hasattr(targets, "__len__")):
        labels = _column(frame, targets, "targets")
    elif targets is not None:
        labels, targets = _array(targets), None
    if labels is not None and len(labels) != len(frame):
        raise InvalidValue(f"there are {len(labels)} targets for {len(frame)} rows of data")
    predicted = None
    if predictions is not None and not with_model:
        predicted = _column(frame, predictions, "predictions")
    features = _features(frame, feature_names, [targets] if with_model else [targets, predictions])
    made = data if isinstance(data, Dataset) else _dataset(
        data, frame, targets, labels, None if with_model else predictions, dataset_path
    )
    return EvaluationDataset(features, labels, predicted, made, targets, predictions, dataset_path)


def _named_by(data: Dataset, targets: Any, predictions: Any) -> tuple[Any, Any]:
    """The columns that a data set names; what else is given must not say otherwise."""
    named = {}
    for role, given in (("targets", targets), ("predictions", predictions)):
        own = getattr(data, role, None)
        if isinstance(own, str) and given is not None and given != own:
            raise InvalidValue(
                f"{role}={given!r}, but the data set {data.name!r} says that they are {own!r}",
                hint="say it once, in the data set",
            )
        named[role] = own if isinstance(own, str) else given
    return named["targets"], named["predictions"]


def _frame(data: Any, feature_names: list[Any] | None) -> tuple[pandas.DataFrame, numpy.ndarray[Any, Any] | None]:
    """The data as a DataFrame with rows counted from 0, and labels that come beside it."""
    import pandas

    labels = None
    if isinstance(data, Dataset):
        beside = getattr(data, "targets", None)
        if beside is not None and not isinstance(beside, str):
            labels = _array(beside)
        inner = next((getattr(data, name) for name in ("df", "features", "ds", "data") if hasattr(data, name)), None)
        if inner is None or isinstance(inner, Dataset):
            raise InvalidValue(f"a {type(data).__name__} holds no rows to evaluate on", hint="load it into a DataFrame")
        data = inner
    if isinstance(data, pandas.DataFrame):
        return data.reset_index(drop=True), labels
    if hasattr(data, "hash_rows"):  # polars, whose own to_pandas() needs pyarrow
        return pandas.DataFrame({name: data[name].to_numpy() for name in data.columns}), labels
    if hasattr(data, "toPandas"):
        # Not toPandas(), which each Spark has with some pandas only.
        rows = data.limit(SPARK_ROWS + 1).collect()
        if len(rows) > SPARK_ROWS:
            logger.warning("the Spark frame has more than %d rows: the first %d are evaluated", SPARK_ROWS, SPARK_ROWS)
        return pandas.DataFrame.from_records(rows[:SPARK_ROWS], columns=data.columns), labels
    if hasattr(data, "to_pandas"):  # Hugging Face
        return data.to_pandas(), labels
    if hasattr(data, "as_numpy_iterator"):
        raise InvalidValue("a stream of tensors is read in no order that predictions could be compared in",
                           hint="load it into an array")
    if isinstance(data, dict):
        return pandas.DataFrame(data), labels
    return _of_array(data, feature_names), labels


def _of_array(data: Any, feature_names: list[Any] | None) -> pandas.DataFrame:
    import pandas

    array = _array(data)
    if array.ndim == 1:
        array = array.reshape(-1, 1)
    if array.ndim != 2 or array.dtype.hasobject and not all(hasattr(row, "__len__") for row in array):
        raise InvalidValue(
            f"data of shape {array.shape} and type {array.dtype} is no table of rows and features",
            hint="give a DataFrame, or an array of shape (rows, features)",
        )
    width = array.shape[1]
    if feature_names is not None and len(feature_names) != width:
        raise InvalidValue(f"feature_names has {len(feature_names)} names for {width} columns of the data")
    digits = len(str(width))
    names = feature_names or [f"feature_{number:0{digits}d}" for number in range(1, width + 1)]
    return pandas.DataFrame(array, columns=names)


def _features(frame: pandas.DataFrame, feature_names: list[Any] | None, others: list[Any]) -> pandas.DataFrame:
    if feature_names is not None:
        for name in feature_names:
            _check_column(frame, name, "feature")
        return frame[list(feature_names)]
    dropped = [name for name in others if name is not None and name in frame.columns]
    return frame.drop(columns=dropped) if dropped else frame


def _column(frame: pandas.DataFrame, name: Any, role: str) -> numpy.ndarray[Any, Any]:
    _check_column(frame, name, role)
    return _array(frame[name])


def _check_column(frame: pandas.DataFrame, name: Any, role: str) -> None:
    from millstream.data.dataset import check_column

    check_column(list(frame.columns), name, role)


def _array(values: Any) -> numpy.ndarray[Any, Any]:
    import numpy
    from pandas.api.types import infer_dtype

    try:
        array = numpy.asarray(values)
    except ValueError as error:
        raise InvalidValue(f"the rows do not all have the same length: {error}") from None
    if array.dtype.hasobject and array.ndim == 1 and infer_dtype(array) in ("boolean", "floating", "integer"):
        return numpy.array(array.tolist())  # such as pandas' nullable types
    return array


def _dataset(
    data: Any, frame: pandas.DataFrame, targets: Any, labels: Any, predictions: Any, dataset_path: str | None
) -> Dataset:
    """The data set of plain data, of the kind that the data is."""
    from millstream.data import from_numpy, from_pandas, from_polars

    target = targets if isinstance(targets, str) else None
    if hasattr(data, "hash_rows"):
        return from_polars(data, dataset_path, target, predictions=predictions)
    if hasattr(data, "columns") or isinstance(data, dict):
        known = predictions if isinstance(predictions, str) else None
        return from_pandas(frame, dataset_path, target, predictions=known)
    return from_numpy(_array(data), dataset_path, labels)
