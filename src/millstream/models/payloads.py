"""Request bodies of a scoring server: the JSON forms in which data come to a model.

A body is an object with exactly one of ``dataframe_split``, ``dataframe_records``, ``instances`` and ``inputs``, and
optionally ``params``; the forms are MLflow's, ``instances`` and ``inputs`` those of TensorFlow Serving. Chat models
take a body with ``messages`` whole.

JSON has numbers without a width, and neither dates nor bytes. With a model's schema its numbers take the width of the
column or tensor, ISO texts become dates where the schema has dates, base64 becomes bytes where it has bytes; what does
not fit is left as it came, for the check of the input to tell of.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dates
import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from millstream.errors import BadRequest
from millstream.models.cells import from_python
from millstream.models.schema import Array, ColSpec, ColumnType, DataType, Map, Object, Schema
from millstream.models.widening import Misfit

_KEPT_CHARACTERS = 16_384  # of the names of one request, so that strangers' do not fill the memory
FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
HINTS = {
    "dataframe_split": '{"columns": […], "data": [[…], …]}, as DataFrame.to_dict(orient="split") gives',
    "dataframe_records": '[{"column": value, …}, …], as DataFrame.to_dict(orient="records") gives',
    "instances": "a list with one item a row: numbers, lists of numbers, or objects of them",
    "inputs": "a list, or an object with a list for each input",
}


def parse(body: str | bytes | Mapping[str, Any], schema: Schema | None = None) -> tuple[Any, dict[str, Any] | None]:
    """The data and the params of a request body: a DataFrame, or values.

    Values are lists and dictionaries when the ``schema`` is known, which says what they are, and arrays of their
    numbers when it is not. Raises BadRequest for what is no JSON object with exactly one of the forms, or not of the
    form that it names.
    """
    if not isinstance(body, Mapping):
        try:
            body = json.loads(body)
        except ValueError as error:
            raise BadRequest(f"the body is not JSON: {error}",
                             hint=f"send an object with one of {', '.join(FORMS)}") from None
    if not isinstance(body, Mapping):
        raise BadRequest(f"the body is a JSON {type(body).__name__}, not an object",
                         hint=f"send an object with one of {', '.join(FORMS)}")
    given = [form for form in FORMS if form in body]
    if not given and "messages" in body:
        return dict(body), None
    if len(given) != 1:
        found = ", ".join(map(repr, body)) or "nothing"
        raise BadRequest(f"the body has {found}, and exactly one of {', '.join(FORMS)} is expected",
                         hint='a DataFrame goes as {"dataframe_split": {"columns": […], "data": [[…], …]}}')
    params = body.get("params")
    if params is not None and not isinstance(params, dict):
        raise BadRequest("params are a JSON object", hint='send them as {"params": {"name": value}}')
    (form,) = given
    try:
        return _data(form, body[form], schema), params
    except (TypeError, ValueError, KeyError) as error:
        raise BadRequest(f"{form} is not what it should be: {error}", hint=HINTS[form]) from None


def frame(
    names: Sequence[Any] | None, columns: Sequence[Sequence[Any]], schema: Schema | None, index: Any = None
) -> Any:
    """A DataFrame from columns of JSON values, in the types of the schema's columns of these names (or positions)."""
    import pandas

    labels = list(range(len(columns))) if names is None else [_label(name) for name in names]
    known = _known(schema, labels)
    places = enumerate(zip(labels, columns, strict=True))
    made = pandas.DataFrame({place: _column(values, known.get(name)) for place, (name, values) in places}, index=index)
    made.columns = _index(labels)
    return made


def _index(labels: list[Any]) -> Any:
    """The index of these columns. Names are remembered: finding their type takes longer than all the rest of a row."""
    if set(map(type, labels)) == {str} and sum(map(len, labels)) <= _KEPT_CHARACTERS:
        return _kept_index(tuple(labels)).view()
    return _new_index(labels)


@functools.lru_cache(256)
def _kept_index(names: tuple[str, ...]) -> Any:
    return _new_index(list(names))


def _new_index(labels: list[Any]) -> Any:
    import pandas

    return pandas.DataFrame(columns=labels).columns


def decoded(value: Any, kind: ColumnType) -> Any:
    """A JSON value with the dates and bytes that ``kind`` has in it."""
    if kind is DataType.datetime and isinstance(value, str):
        try:
            return dates.datetime.fromisoformat(value[:-1] + "+00:00" if value.endswith("Z") else value)
        except ValueError:
            return value
    if kind is DataType.binary and isinstance(value, str):
        try:
            return base64.b64decode("".join(value.split()), validate=True)
        except binascii.Error:
            return value
    if isinstance(kind, Array) and isinstance(value, list):
        return [decoded(item, kind.dtype) for item in value]
    if isinstance(kind, Map) and isinstance(value, dict):
        return {name: decoded(item, kind.value_type) for name, item in value.items()}
    if isinstance(kind, Object) and isinstance(value, dict):
        known = {part.name: part.dtype for part in kind.properties}
        return {name: decoded(item, known[name]) if name in known else item for name, item in value.items()}
    return value


def decoded_input(content: Any, schema: Schema) -> Any:
    """Values for a model with this schema, with the dates and bytes of its columns."""
    if schema.is_tensor_spec():
        return content
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        return [decoded_input(row, schema) for row in content]
    if isinstance(content, dict) and schema.has_input_names():
        known = _known(schema, ())
        return {name: _decoded_column(value, known[name].type) if name in known else value
                for name, value in content.items()}
    (spec, *others) = schema
    if not others and isinstance(spec, ColSpec):
        return _decoded_column(content, spec.type)
    return content


def _data(form: str, value: Any, schema: Schema | None) -> Any:
    if form == "dataframe_split":
        return _split(value, schema)
    if form == "dataframe_records":
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise ValueError("a list of objects is expected")
        names = list(dict.fromkeys(name for row in value for name in row))
        return frame(names, [[row.get(name) for row in value] for name in names], schema)
    if form == "instances" and not isinstance(value, list):
        raise ValueError("a list is expected")
    return _arrays(form, value) if schema is None else decoded_input(value, schema)


def _split(content: Any, schema: Schema | None) -> Any:
    rows = content.get("data") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise ValueError("an object with columns and data, a list of rows, is expected")
    names = content.get("columns")
    widths = {len(row) for row in rows} | ({len(names)} if isinstance(names, list) else set())
    if len(widths) > 1:
        raise ValueError(f"the columns and rows have different lengths: {sorted(widths)}")
    columns: list[Any] = list(zip(*rows, strict=True)) or [()] * max(widths or {0})
    return frame(names, columns, schema, content.get("index"))


def _arrays(form: str, value: Any) -> Any:
    import numpy

    if form == "instances":
        if value and all(isinstance(row, dict) for row in value):
            return {name: numpy.asarray([row[name] for row in value]) for name in value[0]}
        return numpy.asarray(value)
    if isinstance(value, dict):
        return {name: numpy.asarray(column) for name, column in value.items()}
    return numpy.asarray(value) if isinstance(value, list) and _is_numbers(value) else value


def _is_numbers(value: list[Any]) -> bool:
    first: Any = value
    while isinstance(first, list):
        if not first:
            return False
        first = first[0]
    return isinstance(first, (int, float)) and not isinstance(first, bool)


def _known(schema: Schema | None, labels: Sequence[Any]) -> dict[Any, ColSpec]:
    if schema is None or schema.is_tensor_spec():
        return {}
    names = schema.input_names() if schema.has_input_names() else labels
    return {name: spec for name, spec in zip(names, schema, strict=False) if isinstance(spec, ColSpec)}


def _column(values: Sequence[Any], spec: ColSpec | None) -> Any:
    plain = list(values)
    if spec is None:
        return plain
    if spec.type not in (DataType.boolean, DataType.integer, DataType.long, DataType.float, DataType.double):
        plain = [decoded(value, spec.type) for value in plain]
    try:
        return from_python(plain, spec.type, spec.required)
    except Misfit:
        return plain


def _decoded_column(value: Any, kind: ColumnType) -> Any:
    """One value of a column, or a list of them."""
    if isinstance(value, list) and not isinstance(kind, Array):
        return [decoded(item, kind) for item in value]
    return decoded(value, kind)


def _label(name: Any) -> Any:
    return tuple(name) if isinstance(name, list) else name
