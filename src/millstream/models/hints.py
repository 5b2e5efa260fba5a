"""Type hints of a model's predict function: the signature that they are, and the check of data against them.

A hint is a batch, ``list[…]`` of int, float, bool, str, bytes, datetime, Any, pydantic models, and lists and
``dict[str, …]`` of these. ``pandas.DataFrame``, ``numpy.ndarray`` and the like say nothing of their columns and are no
signature. ``TypeFromExample`` leaves the type to the input example. The rules are those of MLflow 3.17.
"""

from __future__ import annotations

import dataclasses
import datetime as dates
import inspect
import json
import logging
import sys
import types
from collections.abc import Callable
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from millstream.errors import InvalidValue, SchemaMismatch
from millstream.models.examples import split
from millstream.models.schema import (
    AnyType,
    Array,
    ColSpec,
    ColumnType,
    DataType,
    Map,
    Object,
    ParamSchema,
    Property,
    Schema,
)
from millstream.models.signature import ModelSignature, infer_params, infer_signature

_log = logging.getLogger(__name__)

TypeFromExample = TypeVar("TypeFromExample")

SCALARS: dict[Any, DataType] = {
    bool: DataType.boolean, int: DataType.long, float: DataType.double, str: DataType.string, bytes: DataType.binary,
    dates.datetime: DataType.datetime,
}
SUPPORTED = (
    "hint list[…] of int, float, bool, str, bytes, datetime, Any, pydantic models, or lists and dict[str, …] of them"
)
SHOWN_FAULTS = 3


class UnsupportedHint(InvalidValue):
    """A type hint that is no signature; the model is saved without one."""


class InvalidHint(InvalidValue):
    """A type hint that is meant as a signature but leaves out what it needs."""


def signature_from(function: Callable[..., Any], input_example: Any = None) -> ModelSignature | None:
    """The signature that the type hints of a predict function are; None when it has none that say so.

    The data of ``predict(context, model_input, params)`` are the first argument but ``context``. Parameters are taken
    from the example. Raises InvalidHint for hints such as ``list`` or ``list[dict]``, which need the type of the items.
    """
    hint, returned = _hints(function)
    data, params = split(input_example)
    described = infer_params(params) if params else None
    if _from_example(hint):
        return _by_example(hint, returned, data, described)
    if hint is None or _is_container(hint):
        return None
    try:
        inputs = schema_of(hint)
    except UnsupportedHint as error:
        _log.warning("the type hint of predict() is not the model's signature: %s", error.message)
        return None
    made = ModelSignature(inputs, _output(returned), described)
    made.is_from_type_hint = True
    return made


def converter(function: Callable[..., Any]) -> Callable[[Any], Any] | None:
    """What brings data into the type of the hint of a predict function, None when there is no such hint.

    Frames, series and arrays become lists, dicts become the pydantic models of the hint. It raises SchemaMismatch for
    data that do not fit.
    """
    hint, _ = _hints(function)
    if hint is None or _from_example(hint) or _is_container(hint):
        return None
    try:
        schema_of(hint)
    except InvalidValue:
        return None
    return lambda data: convert(data, hint)


def schema_of(hint: Any) -> Schema:
    """The schema of a hint ``list[…]``: one column without a name. Raises UnsupportedHint and InvalidHint."""
    if hint is list or (get_origin(hint) is list and not get_args(hint)):
        raise InvalidHint(f"the type hint {_shown(hint)} does not name the type of its items", hint=SUPPORTED)
    if get_origin(hint) is not list:
        raise UnsupportedHint(
            f"a model predicts for several inputs at once, so the type hint is a list, not {_shown(hint)}",
            hint=f"write list[{_shown(hint)}]",
        )
    return Schema([ColSpec(_type(get_args(hint)[0]))])


def dataclass_columns(described: type) -> list[ColSpec]:
    """The columns that the fields of a dataclass are. Raises UnsupportedHint."""
    found = get_type_hints(described)
    return [ColSpec(*_field(found[part.name], part.name)) for part in dataclasses.fields(described)]


def convert(data: Any, hint: Any) -> Any:
    """``data`` as the type of a hint ``list[…]``. Raises SchemaMismatch, which tells the first values that are not."""
    items = _items(data, get_args(hint)[0])
    made, faults = [], []
    for position, item in enumerate(items):
        try:
            made.append(_fit(item, get_args(hint)[0], f"[{position}]"))
        except SchemaMismatch as fault:
            faults.append(fault.message)
            if len(faults) > SHOWN_FAULTS:
                break
    if faults:
        more = "; and more" if len(faults) > SHOWN_FAULTS else ""
        raise SchemaMismatch(
            f"the data do not fit the type hint {_shown(hint)}: {'; '.join(faults[:SHOWN_FAULTS])}{more}",
            hint=f"predict() of this model takes {_shown(hint)}",
        )
    return made


def in_form_of(example: Any, enforce: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The check ``enforce`` of the data of a model that is hinted TypeFromExample: what it gives becomes a list again
    where the example is one, of values or of dicts."""
    if not isinstance(example, list):
        return enforce
    rows = bool(example) and all(isinstance(item, dict) for item in example)

    def checked(data: Any) -> Any:
        made = enforce(data)
        if not hasattr(made, "columns"):
            return made
        return _records(made) if rows else made.iloc[:, 0].tolist()

    return checked


def _hints(function: Callable[..., Any]) -> tuple[Any, Any]:
    """The hint of the data and of what is returned; None where there is none."""
    try:
        names = [name for name in inspect.signature(function).parameters if name not in ("self", "context")]
    except (TypeError, ValueError):
        return None, None
    try:
        found = get_type_hints(function)
    except Exception:  # names that exist for type checkers only
        found = {name: hint for name, hint in getattr(function, "__annotations__", {}).items()
                 if not isinstance(hint, str)}
    hint = found.get(names[0]) if names else None
    return None if hint is type(None) else hint, found.get("return")


def _from_example(hint: Any) -> bool:
    # By its name too: a model that was pickled by MLflow has the one of its own.
    inner = get_args(hint)[0] if get_origin(hint) is list and get_args(hint) else hint
    return isinstance(inner, TypeVar) and inner.__name__ == "TypeFromExample"


def _by_example(hint: Any, returned: Any, data: Any, params: ParamSchema | None) -> ModelSignature | None:
    if data is None:
        _log.warning("the type hint of predict() leaves the signature to an input example, and none is given")
        return None
    made = infer_signature(data)
    made.outputs, made.params = None if returned is None else _output(returned), params
    made.type_hint_from_example = type(data).__name__ in ("list", "DataFrame", "Series")
    return made


def _output(hint: Any) -> Schema:
    if get_origin(hint) is list and get_args(hint):
        hint = get_args(hint)[0]
    try:
        return Schema([ColSpec(AnyType() if hint is None else _type(hint))])
    except InvalidValue:
        return Schema([ColSpec(AnyType())])


def _is_container(hint: Any) -> bool:
    return getattr(hint, "__module__", "").partition(".")[0] in ("pandas", "numpy", "scipy", "polars", "pyspark")


def _type(hint: Any) -> ColumnType:
    if hint in SCALARS:
        return SCALARS[hint]
    if hint is Any:
        return AnyType()
    origin, inner = get_origin(hint), get_args(hint)
    if origin is list and inner:
        return Array(_type(inner[0]))
    if origin is dict and inner:
        if inner[0] is not str:
            raise InvalidHint(f"the keys of {_shown(hint)} are not texts", hint="write dict[str, …]")
        return Map(_type(inner[1]))
    if hint in (list, dict) or origin in (list, dict):
        raise InvalidHint(f"the type hint {_shown(hint)} does not name the type of its items", hint=SUPPORTED)
    if origin in (Union, types.UnionType):
        if type(None) in inner:
            raise InvalidHint(
                f"an input cannot be missing, as {_shown(hint)} says", hint="use a pydantic model with optional fields"
            )
        return AnyType()
    if _is_pydantic(hint):
        return _pydantic_type(hint)
    raise UnsupportedHint(f"no schema has a type for {_shown(hint)}", hint=SUPPORTED)


def _field(hint: Any, name: str) -> tuple[ColumnType, str, bool]:
    """The type of a field of a class, its name, and whether it is required."""
    inner = get_args(hint)
    if get_origin(hint) in (Union, types.UnionType) and type(None) in inner:
        rest = [one for one in inner if one is not type(None)]
        return _field(rest[0], name)[0] if len(rest) == 1 else AnyType(), name, False
    if get_origin(hint) is list and inner:
        return Array(_field(inner[0], name)[0]), name, True
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        columns = dataclass_columns(hint)
        return Object([Property(column.name, column.type, column.required) for column in columns]), name, True
    return _type(hint), name, True


def _pydantic_type(model: Any) -> Object:
    parts = []
    for name, field in model.model_fields.items():
        kind, _, required = _field(field.annotation, name)
        if not required and field.is_required():
            raise InvalidHint(
                f"the field {name!r} of {model.__name__} may be None and has no default", hint=f"write {name}: … = None"
            )
        parts.append(Property(name, kind, required))
    return Object(parts)


def _is_pydantic(hint: Any) -> bool:
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(hint, type) and issubclass(hint, pydantic.BaseModel)


def _items(data: Any, inner: Any) -> list[Any]:
    """The batch that ``data`` is, as a list."""
    if isinstance(data, list):
        return data
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        if get_origin(inner) is dict or _is_pydantic(inner):
            return _records(data)
        if len(data.columns) != 1:
            raise SchemaMismatch(
                f"the model takes a list of {_shown(inner)}, found a DataFrame of {len(data.columns)} columns",
                hint="give the one column of it: df['x'].tolist()",
            )
        return list(data.iloc[:, 0].tolist())
    if (pandas is not None and isinstance(data, pandas.Series)) or (
        numpy is not None and isinstance(data, numpy.ndarray) and data.ndim
    ):
        return list(data.tolist())
    raise SchemaMismatch(
        f"the model takes a list of {_shown(inner)}, found a value of type {type(data).__name__}",
        hint="predict() takes several inputs at once: put a single one into a list",
    )


def _records(frame: Any) -> list[dict[Any, Any]]:
    held = frame.astype(object)
    rows: list[dict[Any, Any]] = held.where(held.notna(), None).to_dict("records")
    return rows


def _fit(value: Any, hint: Any, name: str) -> Any:
    if hint is Any:
        return value
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return value
    if origin is list and isinstance(value, list):
        return [_fit(item, inner[0], f"{name}[{position}]") for position, item in enumerate(value)]
    if origin is dict and isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _fit(item, inner[1], f"{name}[{key!r}]") for key, item in value.items()}
    if origin is None and hint in SCALARS:
        if type(value).__module__ == "numpy":
            value = value.tolist()
        # An int is a float to Python, as PEP 484 has it.
        if isinstance(value, hint) or (hint is float and type(value) is int):
            return value
    if _is_pydantic(hint):
        return _validated(value, hint, name)
    raise SchemaMismatch(f"{name} should be {_shown(hint)}, found {_cut(value)} of type {type(value).__name__}")


def _validated(value: Any, model: Any, name: str) -> Any:
    import pydantic

    try:
        return model.model_validate(value, strict=True)
    except pydantic.ValidationError as error:
        try:  # dates are texts in JSON, which pydantic knows when it is told that it reads JSON
            return model.model_validate_json(json.dumps(value), strict=True)
        except (TypeError, ValueError):
            faults = [f"{'.'.join(map(str, fault['loc'])) or name}: {fault['msg']}" for fault in error.errors()]
            raise SchemaMismatch(f"{name} is no {model.__name__}: {', '.join(faults)}") from None


def _shown(hint: Any) -> str:
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint).replace("typing.", "")


def _cut(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:80] + "…"
