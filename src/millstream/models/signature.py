"""Signatures: what a model takes, what it gives, and the parameters of a prediction."""

from __future__ import annotations

import datetime as dates
import importlib
import logging
import sys
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

from millstream.errors import InvalidValue
from millstream.models.inference import infer_schema, numpy_type, value_type
from millstream.models.schema import AnyType, ColSpec, DataType, Object, ParamSchema, ParamSpec, Schema

_log = logging.getLogger(__name__)


class ModelSignature:
    """The schemas of a model's input, output and parameters; at least one of them.

    ``inputs`` and ``outputs`` may be dataclasses, whose fields are the columns. ``is_from_type_hint`` says that the
    input is described by the type hint of the model's predict function, ``type_hint_from_example`` that the hint leaves
    it to an example. Raises ValueError (an InvalidValue) for a signature of nothing, TypeError for what is no schema.
    """

    def __init__(self, inputs: Any = None, outputs: Any = None, params: ParamSchema | None = None) -> None:
        if inputs is None and outputs is None and params is None:
            raise InvalidValue(
                "a signature describes inputs, outputs or params, and none was given",
                hint="infer_signature(data, predictions) makes one from data",
            )
        self.inputs = _schema("inputs", inputs)
        self.outputs = _schema("outputs", outputs)
        if params is not None and not isinstance(params, ParamSchema):
            raise TypeError(f"params is a ParamSchema or None, got {type(params).__name__}")
        self.params = params
        self.is_from_type_hint = False
        self.type_hint_from_example = False

    def to_dict(self) -> dict[str, Any]:
        """What ``MLmodel`` files hold: each schema as JSON text, None where there is none."""
        parts = {"inputs": self.inputs, "outputs": self.outputs, "params": self.params}
        return {name: part.to_json() if part is not None else None for name, part in parts.items()}

    @classmethod
    def from_dict(cls, signature_dict: Mapping[str, Any]) -> ModelSignature:
        """The signature that an ``MLmodel`` file holds. Raises InvalidValue."""
        inputs, outputs, params = (signature_dict.get(name) for name in ("inputs", "outputs", "params"))
        return cls(
            Schema.from_json(inputs) if inputs else None,
            Schema.from_json(outputs) if outputs else None,
            ParamSchema.from_json(params) if params else None,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelSignature) and (
            (self.inputs, self.outputs, self.params) == (other.inputs, other.outputs, other.params)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"inputs: \n  {self.inputs!r}\noutputs: \n  {self.outputs!r}\nparams: \n  {self.params!r}\n"


def infer_signature(
    model_input: Any = None, model_output: Any = None, params: Mapping[str, Any] | None = None
) -> ModelSignature:
    """The signature of a model that takes ``model_input`` and gives ``model_output``, with ``params`` as the defaults.

    The data may be whatever :func:`millstream.models.inference.infer_schema` reads. An input or output that no schema
    describes gets the type "any", with a warning that says why. Raises InvalidValue when nothing is given, and for a
    parameter without a type.
    """
    inputs = None if model_input is None else _inferred("input", model_input)
    outputs = None if model_output is None else _inferred("output", model_output)
    described = infer_params(params) if params else None
    if inputs is not None and (names := _whole_columns(model_input)):
        _log.info(
            "whole numbers have no missing value in NumPy: if one may be missing in %s, give the column the type Int64"
            " or float64 before the signature is inferred, so that such rows are accepted", ", ".join(map(str, names)),
        )
    return ModelSignature(inputs, outputs, described)


def infer_params(params: Any) -> ParamSchema:
    """The schema of parameters whose defaults are ``params``. Raises InvalidValue; the message names the parameter."""
    if not isinstance(params, Mapping):
        raise InvalidValue(f"params is a dict of names and default values, got {type(params).__name__}")
    return ParamSchema([_param(name, value) for name, value in params.items()])


def dataclass_schema(described: Any) -> Schema:
    """The schema whose columns are the fields of a dataclass (or of one's instance). Raises InvalidValue."""
    from millstream.models.hints import dataclass_columns

    return Schema(dataclass_columns(described if isinstance(described, type) else type(described)))


def _schema(name: str, given: Any) -> Schema | None:
    if given is None or isinstance(given, Schema):
        return given
    if is_dataclass(given):
        return dataclass_schema(given)
    raise TypeError(f"{name} is a Schema, a dataclass or None, got {type(given).__name__}")


def _inferred(what: str, data: Any) -> Schema:
    try:
        return infer_schema(data)
    except InvalidValue as error:
        _log.warning("the %s of the model is described as of any type and will not be checked: %s", what, error.message)
        return Schema([ColSpec(AnyType())])


def _whole_columns(data: Any) -> list[str]:
    """The first columns of a DataFrame that can hold whole numbers only."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(data, pandas.DataFrame):
        return []
    import numpy

    found = [repr(name) for name, dtype in data.dtypes.items() if isinstance(dtype, numpy.dtype) and dtype.kind in "iu"]
    return [*found[:5], "…"] if len(found) > 5 else found


def _param(name: str, value: Any) -> ParamSpec:
    try:
        if isinstance(value, (list, tuple)) or getattr(value, "ndim", 0) == 1:
            return ParamSpec(name, _item_type(value), value, (-1,))
        return ParamSpec(name, _param_type(value), value)
    except InvalidValue as error:
        raise InvalidValue(
            f"no type for the parameter {name!r}: {error.message}",
            hint=error.hint or "a parameter is a number, text, boolean, date, dict of them, or list of one of these",
        ) from None


def _item_type(values: Any) -> Any:
    if not len(values):
        # An empty list tells nothing; MLflow writes it with the first type that fits.
        return numpy_type(values.dtype) if hasattr(values, "dtype") else DataType.datetime
    found = [_param_type(item) for item in values]
    if all(kind in (DataType.long, DataType.double) for kind in found):
        return DataType.double if DataType.double in found else DataType.long
    for kind in found[1:]:
        if kind != found[0]:
            raise InvalidValue(f"its values have different types: {found[0]!r} and {kind!r}")
    return found[0]


def _param_type(value: Any) -> DataType | Object:
    if value is None:
        raise InvalidValue("None has no type", hint="give a value of the type that callers will send")
    if isinstance(value, dates.date):
        return DataType.datetime
    if isinstance(value, float):  # a value that is not a number is still a double
        return DataType.float if getattr(getattr(value, "dtype", None), "name", "") == "float32" else DataType.double
    kind = value_type(value)
    if not isinstance(kind, (DataType, Object)):
        raise InvalidValue(f"it has the type {kind!r}")
    return kind


def __getattr__(name: str) -> Any:
    # MLflow's users import these from here; they live in rooms behind this one.
    if name in {"set_signature"}:
        return getattr(importlib.import_module("millstream.models"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
