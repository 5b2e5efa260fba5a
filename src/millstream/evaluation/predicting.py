"""What is evaluated: a model by its address, loaded, or as a function, or predictions that are there already."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream.errors import InvalidValue, MillstreamError

if TYPE_CHECKING:
    import numpy
    import pandas

    Array = numpy.ndarray[Any, Any]

logger = logging.getLogger("millstream")


@dataclass(frozen=True)
class Subject:
    """A model to evaluate. ``predict`` takes a frame of features.

    ``raw`` is the library's own model with its ``predict_proba`` and ``score``, where there is one; ``model_id`` the
    logged model that it is; ``given`` what the user gave, for evaluators of others.
    """

    predict: Callable[[Any], Any]
    raw: Any = None
    model_id: str | None = None
    given: Any = None


@dataclass
class Predicted:
    """Predictions of a model: an array with a value for each row, and what else there is to compute metrics from.

    ``probabilities`` has a row for each row and a column for each of ``classes``. ``score(features, labels)``
    is the model's own. ``others`` are columns of the model's output beside the predictions.
    """

    values: Array
    probabilities: Array | None = None
    classes: Array | None = None
    score: Callable[..., float] | None = None
    others: dict[Any, pandas.Series] = field(default_factory=dict)


def subject_of(
    model: Any, env_manager: str, model_config: dict[str, Any] | None, inference_params: dict[str, Any] | None,
) -> Subject | None:
    """What ``model`` is; None for None. Raises InvalidValue for something that does not predict."""
    if model is None:
        return None
    if isinstance(model, (str, os.PathLike)):
        return _at_address(str(model), env_manager, model_config, inference_params)
    if env_manager != "local":
        raise InvalidValue(
            f"env_manager={env_manager!r} is for a model that is given by its address",
            hint="give its URI, or leave env_manager out to predict in this process",
        )
    if hasattr(model, "metadata") and hasattr(model, "get_raw_model"):
        return _of_pyfunc(model, inference_params)
    if inference_params:
        raise InvalidValue("inference_params are for models of the python function flavor", hint="bind them yourself")
    if hasattr(model, "predict"):
        return Subject(model.predict, _classic(model), None, model)
    if callable(model):
        return Subject(model, None, None, model)
    raise InvalidValue(
        f"a {type(model).__name__} does not predict",
        hint="give the URI of a model, a loaded model, a function of a DataFrame, or only predictions",
    )


def _at_address(
    uri: str, env_manager: str, model_config: dict[str, Any] | None, inference_params: dict[str, Any] | None
) -> Subject:
    if env_manager == "local":
        from millstream.flavors import pyfunc

        return _of_pyfunc(pyfunc.load_model(uri, model_config=model_config), inference_params)
    if model_config or inference_params:
        raise InvalidValue("model_config and inference_params are for models that predict in this process",
                           hint='leave them out, or env_manager="local"')
    from millstream.flavors.loading import fetch
    from millstream.models.mlmodel import Model

    folder = fetch(uri)

    def predict(features: pandas.DataFrame) -> Any:
        return _elsewhere(folder, features, env_manager)

    return Subject(predict, None, Model.load(folder).model_id)


def _elsewhere(folder: Path, features: pandas.DataFrame, env_manager: str) -> Any:
    """The predictions that the model makes in an environment of its own."""
    import json
    import tempfile

    from millstream.flavors.isolated import predict

    with tempfile.TemporaryDirectory() as temporary:
        answer = Path(temporary) / "predictions.json"
        predict(str(folder), features, output_path=str(answer), env_manager=env_manager)
        return json.loads(answer.read_text())["predictions"]


def _of_pyfunc(model: Any, inference_params: dict[str, Any] | None) -> Subject:
    try:
        raw = _classic(model.get_raw_model())
    except MillstreamError:  # a flavor without an inner model
        raw = None
    block = model.metadata.flavors.get("python_function", {})
    # A python function that gives probabilities says nothing of classes; its estimator does.
    if raw is not None and block.get("predict_fn", "predict") != "predict":
        predict: Callable[[Any], Any] = raw.predict
    elif inference_params:
        def predict(features: Any) -> Any:
            return model.predict(features, params=inference_params)
    else:
        predict = model.predict
    return Subject(predict, raw, model.metadata.model_id, model)


def _classic(raw: Any) -> Any:
    """``raw`` when it is an estimator in scikit-learn's manner."""
    return raw if hasattr(raw, "predict") and (hasattr(raw, "predict_proba") or hasattr(raw, "score")) else None


def predicted_by(subject: Subject, features: pandas.DataFrame, column: Any, *, classifies: bool) -> Predicted:
    """The predictions of a model for a frame; ``column`` names them among several outputs.

    Raises InvalidValue for outputs of which it is not clear which they are, or of another length than the data.
    """
    values, others = _split(subject.predict(features), column)
    if len(values) != len(features):
        raise InvalidValue(f"the model gives {len(values)} predictions for {len(features)} rows")
    found = Predicted(values, others=others)
    if values.ndim == 2:
        if not classifies or not _are_probabilities(values):
            raise InvalidValue(
                f"the model gives {values.shape[1]} values for each row",
                hint="predictions='…' names the column that is meant, where the model gives a frame or dictionary",
            )
        # A network's softmax: the class is the one with the greatest share.
        found.probabilities = values
        found.values = values.argmax(axis=1)
    raw = subject.raw
    if raw is not None:
        if classifies and hasattr(raw, "predict_proba"):
            found.probabilities = _probabilities(raw, features)
            found.classes = getattr(raw, "classes_", None)
        if hasattr(raw, "score"):
            found.score = raw.score
    return found


def _probabilities(raw: Any, features: pandas.DataFrame) -> Array | None:
    import numpy

    try:
        return numpy.asarray(raw.predict_proba(features))
    except (AttributeError, NotImplementedError) as error:  # such as a support vector machine that was not asked to
        logger.warning("no metrics of probabilities: %s", error)
        return None


def _split(output: Any, column: Any) -> tuple[Array, dict[Any, pandas.Series]]:
    """The predictions among a model's outputs, and the other columns."""
    import numpy
    import pandas

    if isinstance(output, list) and output and isinstance(output[0], dict):
        output = pandas.DataFrame(output)
    elif isinstance(output, dict):
        output = pandas.DataFrame({name: numpy.asarray(values).ravel() for name, values in output.items()})
    if not isinstance(output, pandas.DataFrame):
        array = numpy.asarray(output)
        return (array.reshape(-1) if array.ndim == 2 and array.shape[1] == 1 else array), {}
    output = output.reset_index(drop=True)
    if column is None and output.shape[1] == 1:
        column = output.columns[0]
    if column is None:
        array = output.to_numpy()
        if _are_probabilities(array):
            return array, {}
    if column not in output.columns:
        raise InvalidValue(
            f"the model gives the columns {', '.join(map(repr, output.columns))}"
            + ("" if column is None else f", and none {column!r}"),
            hint="predictions='…' names the one that is to be evaluated",
        )
    return numpy.asarray(output[column]), {name: output[name] for name in output.columns if name != column}


def _are_probabilities(values: Array) -> bool:
    import numpy

    return (
        values.ndim == 2 and values.shape[1] > 1 and values.dtype.kind == "f"
        and bool(((values >= 0) & (values <= 1)).all()) and bool(numpy.allclose(values.sum(axis=1), 1, atol=1e-3))
    )
