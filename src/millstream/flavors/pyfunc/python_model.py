"""Models that are Python code of the user: a class or a function, and what it is called with.

Pickled, the classes here go by the names that MLflow has for them, so each side loads the other's models.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from millstream.errors import NotSupported


class PythonModelContext:
    """What a model finds when it is loaded: its artifacts by their names, and what it is configured with."""

    __written_as__ = "mlflow.pyfunc.model.PythonModelContext"

    def __init__(self, artifacts: dict[str, str], model_config: dict[str, Any]) -> None:
        self._artifacts = artifacts
        self._model_config = model_config

    @property
    def artifacts(self) -> dict[str, str]:
        """Name → absolute local path of what was saved with the model."""
        return self._artifacts

    @property
    def model_config(self) -> dict[str, Any]:
        """The configuration, as given when the model was loaded, else when it was saved."""
        return self._model_config


class PythonModel:
    """The base of models written as a class: override ``predict``, and ``load_context`` to read artifacts once.

    ``predict(self, context, model_input, params=None)`` may leave out ``context`` and ``params``. A type hint on
    ``model_input`` (``list[str]``, ``list[SomeModel]``, …) is the signature, and input is checked against it.
    """

    __written_as__ = "mlflow.pyfunc.model.PythonModel"

    def load_context(self, context: PythonModelContext) -> None:
        """Called once when the model is loaded."""

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """The predictions for ``model_input``."""
        raise NotSupported(f"{type(self).__name__} has no predict()",
                           hint="define predict(self, context, model_input, params=None) in its class")

    def predict_stream(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Iterator[Any]:
        """The parts of a prediction, one after the other."""
        raise NotSupported(f"{type(self).__name__} does not stream",
                           hint="define predict_stream(self, context, model_input, params=None) in its class")


class FunctionModel(PythonModel):
    """A function of one argument as a model."""

    __written_as__ = "mlflow.pyfunc.model._FunctionPythonModel"

    def __init__(self, func: Callable[[Any], Any], signature: Any = None) -> None:
        self.func = func
        self.signature = signature

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """What the function makes of ``model_input``."""
        return self.func(model_input)


# Under their own names there, for pickles of MLflow that are read here.
_FunctionPythonModel = FunctionModel


class Calling:
    """A python model with its context: the python function that a prediction calls."""

    def __init__(self, python_model: Any, context: PythonModelContext) -> None:
        self.python_model = python_model
        self.context = context
        self._predict = bound(python_model.predict, context)
        self._stream: Callable[..., Any] | None = None

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """The predictions for ``data``."""
        return self._predict(data, params)

    def predict_stream(self, data: Any, params: dict[str, Any] | None = None) -> Iterator[Any]:
        """The parts of the prediction for ``data``."""
        if self._stream is None:
            self._stream = bound(self.python_model.predict_stream, self.context)
        parts: Iterator[Any] = self._stream(data, params)
        return parts

    def get_raw_model(self) -> Any:
        """The python model itself."""
        return self.python_model


def bound(method: Callable[..., Any], context: PythonModelContext) -> Callable[[Any, dict[str, Any] | None], Any]:
    """``method`` as a function of data and params, given what of context, input and params it asks for.

    ``context`` is asked for by its name, or by being the first of two arguments that are not ``params``.
    """
    names = [
        one.name for one in inspect.signature(method).parameters.values()
        if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    keywords = any(one.kind == one.VAR_KEYWORD for one in inspect.signature(method).parameters.values())
    takes_params = "params" in names or "params" in inspect.signature(method).parameters or keywords
    takes_context = "context" in names or len([name for name in names if name != "params"]) > 1
    if takes_context and takes_params:
        return lambda data, params: method(context, data, params=params)
    if takes_context:
        return lambda data, params: method(context, data)
    if takes_params:
        return lambda data, params: method(data, params=params)
    return lambda data, params: method(data)


def streams(python_model: Any) -> bool:
    """Whether the model has a ``predict_stream`` of its own."""
    own = getattr(type(python_model), "predict_stream", None)
    return own is not None and own is not PythonModel.predict_stream
