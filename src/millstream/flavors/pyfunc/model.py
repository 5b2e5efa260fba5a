"""A loaded python function: checks what it is given against the model's signature, and predicts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from millstream.errors import NotSupported
from millstream.models import hints
from millstream.models.enforcement import Enforcer, enforce_params
from millstream.models.info import ModelInfo
from millstream.models.mlmodel import PYTHON_FUNCTION, Model
from millstream.models.schema import ColSpec, DataType


class PyFuncModel:
    """A model as a function of data, whatever library it is of.

    ``predict(data, params)`` takes a DataFrame, array, sparse matrix, dictionary or list, as the model's signature
    says; with a signature the input is checked and converted, and an error names column and type.
    """

    def __init__(
        self, model_meta: Model, model_impl: Any, predict_fn: str = "predict",
        predict_stream_fn: str = "predict_stream", model_config: dict[str, Any] | None = None,
    ) -> None:
        if not hasattr(model_impl, predict_fn):
            raise NotSupported(f"a {type(model_impl).__name__} has no {predict_fn}()",
                               hint="the loader module's _load_pyfunc() returns an object with predict(data)")
        self._model_meta = model_meta
        self._model_impl = model_impl
        self._model_config = model_config
        signature = model_meta.signature
        self._enforce: Callable[[Any], Any] | None = None
        if signature is not None:
            if signature.is_from_type_hint:
                self._enforce = _by_hint(model_impl)
            if self._enforce is None and signature.inputs is not None:
                self._enforce = Enforcer(signature.inputs)
                if signature.type_hint_from_example:
                    self._enforce = hints.in_form_of(self.input_example, self._enforce)
        self._predict = _with_params(getattr(model_impl, predict_fn))
        self._stream = getattr(model_impl, predict_stream_fn, None)

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """The predictions for ``data``. Raises SchemaMismatch when it is not what the model takes."""
        data, params = self._checked(data, params)
        return self._predict(data, params)

    def on_arrays(self) -> Callable[[Any], Any] | None:
        """``predict`` for arrays of doubles, one column for each of the signature's, without a check of them.

        Their order in memory is :func:`millstream.flavors.arrays.order`. The predictions are the same to the last bit,
        or this is None: for a model of which that is not known, or whose columns are not doubles with names.
        """
        schema = self._model_meta.get_input_schema()
        if schema is None or not schema.has_input_names() or not isinstance(self._enforce, Enforcer):
            return None
        if self._model_meta.get_params_schema() is not None:  # their defaults go with every prediction
            return None
        names = schema.input_names()
        found = getattr(self._model_impl, "on_arrays", None)
        if found is None or len(set(names)) != len(names):
            return None
        if not all(isinstance(spec, ColSpec) and spec.type is DataType.double for spec in schema):
            return None
        made: Callable[[Any], Any] | None = found(names)
        return made

    def predict_stream(self, data: Any, params: dict[str, Any] | None = None) -> Iterator[Any]:
        """The parts of the prediction for ``data``, as the model gives them. Raises NotSupported if it does not."""
        if self._stream is None:
            raise NotSupported("this model does not stream", hint="use predict()")
        data, params = self._checked(data, params)
        parts: Iterator[Any] = _with_params(self._stream)(data, params)
        return parts

    def _checked(self, data: Any, params: dict[str, Any] | None) -> tuple[Any, dict[str, Any] | None]:
        if self._enforce is not None:
            data = self._enforce(data)
        schema = self._model_meta.get_params_schema()
        if schema is not None or params:
            params = enforce_params(params, schema)
        return data, params

    @property
    def metadata(self) -> Model:
        """The description of the model."""
        return self._model_meta

    @property
    def model_id(self) -> str | None:
        """The logged model that this is, None for one that was only saved."""
        return self._model_meta.model_id

    @property
    def loader_module(self) -> str:
        """The module that loaded it, by MLflow's name."""
        return str(self._model_meta.flavors[PYTHON_FUNCTION]["loader_module"])

    @property
    def model_config(self) -> dict[str, Any] | None:
        """The configuration that it was loaded with."""
        return self._model_config

    @property
    def input_example(self) -> Any:
        """The input example that was saved with it, None without one."""
        return self._model_meta.load_input_example()

    def get_raw_model(self) -> Any:
        """The library's own model. Raises NotSupported for a flavor that has none."""
        if not hasattr(self._model_impl, "get_raw_model"):
            raise NotSupported(f"a model of {self.loader_module} does not give its inner model",
                               hint="load it with its own flavor's load_model()")
        return self._model_impl.get_raw_model()

    def unwrap_python_model(self) -> Any:
        """The PythonModel inside. Raises NotSupported for a model of a library."""
        from millstream.flavors.pyfunc.python_model import Calling

        if not isinstance(self._model_impl, Calling):
            raise NotSupported("this model is not written as a PythonModel",
                               hint="get_raw_model() gives a library's model")
        return self._model_impl.python_model

    def get_model_info(self) -> ModelInfo:
        """The facts of the model."""
        return ModelInfo.of(self._model_meta)

    def __repr__(self) -> str:
        meta = self._model_meta
        facts = {"artifact_path": meta.artifact_path, "flavor": self.loader_module, "run_id": meta.run_id}
        shown = "".join(f"  {name}: {value}\n" for name, value in facts.items() if value)
        return f"millstream.pyfunc.loaded_model:\n{shown}"


def _by_hint(model_impl: Any) -> Callable[[Any], Any] | None:
    """The check of the type hint of the python model's own predict(); None when it shows none that is known."""
    from millstream.flavors.pyfunc.python_model import Calling, FunctionModel

    if not isinstance(model_impl, Calling):
        return None
    written = model_impl.python_model
    return hints.converter(written.func if isinstance(written, FunctionModel) else written.predict)


def _with_params(method: Callable[..., Any]) -> Callable[[Any, dict[str, Any] | None], Any]:
    """``method`` called with ``params`` where it takes them, and without where it does not."""
    try:
        asked = inspect.signature(method).parameters
    except (TypeError, ValueError):  # compiled functions do not say
        return lambda data, params: method(data)
    if "params" in asked or any(one.kind == one.VAR_KEYWORD for one in asked.values()):
        return lambda data, params: method(data, params=params)
    return lambda data, params: method(data)
