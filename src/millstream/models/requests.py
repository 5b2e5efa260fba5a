"""Requests to a scoring server as data: JSON read with the types that the model's schema says.

JSON has numbers without a width, and neither dates nor bytes. Its numbers take the width of the column or tensor, ISO
texts become dates where the schema has dates, base64 becomes bytes where it has bytes; what does not fit is left as it
came, for the check of the input to tell of.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dates
import json
from collections.abc import Mapping, Sequence
from typing import Any

from millstream.errors import BadRequest
from millstream.models.columns import Misfit, from_python
from millstream.models.schema import Array, ColSpec, ColumnType, DataType, Map, Object, Schema

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")


def parse_serving(
    body: str | bytes | Mapping[str, Any], schema: Schema | None = None
) -> tuple[Any, dict[str, Any] | None]:
    """The data and the parameters of a request: its JSON text, or what that stands for.

    ``dataframe_split`` and ``dataframe_records`` become a DataFrame, ``inputs`` and ``instances`` stay lists and dicts,
    the body of a chat request is the data. Raises BadRequest.
    """
    fields = _object(body)
    params = fields.get("params")
    if params is not None and not isinstance(params, dict):
        raise BadRequest("params of a request is a JSON object of names and values")
    forms = [form for form in FORMS if form in fields]
    if not forms and "messages" in fields:
        return fields, None
    if len(forms) != 1:
        raise BadRequest(
            f"a request holds one of {', '.join(FORMS)}, found {' and '.join(forms) or 'none of them'}",
            hint='send {"inputs": …}, or a data frame: {"dataframe_split": {"columns": […], "data": [[…]]}}',
        )
    (form,) = forms
    content = fields[form]
    if form == "dataframe_split":
        return _split(content, schema), params
    if form == "dataframe_records":
        if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
            raise BadRequest("dataframe_records is a list of objects, one a row")
        names = list(dict.fromkeys(name for row in content for name in row))
        return frame(names, [[row.get(name) for row in content] for name in names], schema), params
    return _decoded_input(content, schema), params


def frame(
    names: Sequence[Any] | None, columns: Sequence[Sequence[Any]], schema: Schema | None, index: Any = None
) -> Any:
    """A DataFrame from columns of JSON values, in the types of the schema's columns of these names (or positions)."""
    import pandas

    labels = list(range(len(columns))) if names is None else [_label(name) for name in names]
    known = _known(schema, labels)
    places = enumerate(zip(labels, columns, strict=True))
    made = pandas.DataFrame({place: _column(values, known.get(name)) for place, (name, values) in places}, index=index)
    made.columns = pandas.DataFrame(columns=labels).columns
    return made


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


def _object(body: str | bytes | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(body, (str, bytes)):
        try:
            body = json.loads(body)
        except ValueError as error:
            raise BadRequest(f"the body of the request is not JSON: {error}") from None
    if not isinstance(body, Mapping):
        raise BadRequest(f"the body of a request is a JSON object, got a {type(body).__name__}",
                         hint='send {"inputs": …}')
    return dict(body)


def _split(content: Any, schema: Schema | None) -> Any:
    rows = content.get("data") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise BadRequest('dataframe_split is an object with "columns" and "data", a list of rows')
    names = content.get("columns")
    widths = {len(row) for row in rows} | ({len(names)} if isinstance(names, list) else set())
    if len(widths) > 1:
        raise BadRequest(f"the columns and rows of dataframe_split have different lengths: {sorted(widths)}")
    columns: list[Any] = list(zip(*rows, strict=True)) or [()] * max(widths or {0})
    return frame(names, columns, schema, content.get("index"))


def _known(schema: Schema | None, labels: Sequence[Any]) -> dict[Any, ColSpec]:
    if schema is None or schema.is_tensor_spec():
        return {}
    names = schema.input_names() if schema.has_input_names() else labels
    return {name: spec for name, spec in zip(names, schema, strict=False) if isinstance(spec, ColSpec)}


def _column(values: Sequence[Any], spec: ColSpec | None) -> Any:
    plain = list(values)
    if spec is None:
        return plain
    plain = [decoded(value, spec.type) for value in plain]
    try:
        return from_python(plain, spec.type, spec.required)
    except Misfit:
        return plain


def _decoded_input(content: Any, schema: Schema | None) -> Any:
    if schema is None or schema.is_tensor_spec():
        return content
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        return [_decoded_input(row, schema) for row in content]
    if isinstance(content, dict) and schema.has_input_names():
        known = _known(schema, ())
        return {name: _decoded_column(value, known[name].type) if name in known else value
                for name, value in content.items()}
    (spec, *others) = schema
    if not others and isinstance(spec, ColSpec):
        return _decoded_column(content, spec.type)
    return content


def _decoded_column(value: Any, kind: ColumnType) -> Any:
    """One value of a column, or a list of them."""
    if isinstance(value, list) and not isinstance(kind, Array):
        return [decoded(item, kind) for item in value]
    return decoded(value, kind)


def _label(name: Any) -> Any:
    return tuple(name) if isinstance(name, list) else name
