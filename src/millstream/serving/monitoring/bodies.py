"""Bodies of requests and answers, as they were recorded, made into columns of values.

The columns are those that the reference names: values without names are taken in its order. What a body does not say
is None, and so is every value of a body that cannot be read.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from millstream.models.profile import PREDICTION

_decode = msgspec.json.Decoder().decode
_FORMS = ("dataframe_records", "instances", "inputs")

Columns = dict[str, list[Any]]


def rows_of(body: bytes | None, content_type: str) -> int:
    """How many rows a request asks about; 0 where it does not show."""
    if not body:
        return 0
    found = _content(body, content_type)
    return _length(_columns(found, ()))


def requested(bodies: Iterable[tuple[str, str | None]], names: Sequence[str]) -> Columns:
    """The columns of requests, ``(body, content type)`` each, one after the other."""
    return _joined([_columns(_content(body.encode(), kind or ""), names) for body, kind in bodies])


def predicted(bodies: Iterable[str]) -> Columns:
    """The columns of the predictions in answers, named as in a profile."""
    return _joined([_named(_predictions(_content(body.encode(), ""))) for body in bodies])


def values_of(body: str) -> list[Any] | None:
    """The predictions in one answer, one a row; None where there are none."""
    found = _named(_predictions(_content(body.encode(), "")))
    return found.get(PREDICTION)


def _content(body: bytes, content_type: str) -> Any:
    if content_type.partition(";")[0].strip().lower() == "text/csv":
        try:
            return {"dataframe_records": list(csv.DictReader(io.StringIO(body.decode("utf-8"))))}
        except (UnicodeDecodeError, csv.Error):
            return None
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _columns(content: Any, names: Sequence[str]) -> Columns:
    if not isinstance(content, dict):
        return {}
    split = content.get("dataframe_split")
    if isinstance(split, dict):
        given = split.get("columns")
        labels = [_label(name) for name in given] if isinstance(given, list) else names
        return _rows(split.get("data"), labels)
    for form in _FORMS:
        value = content.get(form)
        if isinstance(value, list):
            if value and all(isinstance(one, dict) and "datatype" in one for one in value):
                return _tensors(value, names)
            return _rows(value, names)
        if isinstance(value, dict):
            return {_label(name): column if isinstance(column, list) else [column] for name, column in value.items()}
        if value is not None:
            return _rows([value], names)
    return {}


def _rows(rows: Any, names: Sequence[str]) -> Columns:
    """Columns of rows that are objects, lists, or single values."""
    if not isinstance(rows, list) or not rows:
        return {}
    if all(isinstance(row, dict) for row in rows):
        labels = list(dict.fromkeys(name for row in rows for name in row))
        return {_label(name): [row.get(name) for row in rows] for name in labels}
    if not all(isinstance(row, list) for row in rows):
        return {names[0] if len(names) == 1 else "0": rows}
    width = len(rows[0])
    if any(len(row) != width for row in rows):
        return {}
    labels = list(names) if len(names) == width else [str(place) for place in range(width)]
    return dict(zip(labels, map(list, zip(*rows, strict=True)), strict=True))


def _tensors(tensors: list[dict[str, Any]], names: Sequence[str]) -> Columns:
    """Columns of tensors of the open inference protocol."""
    made: Columns = {}
    for tensor in tensors:
        shape, data = tensor.get("shape"), tensor.get("data")
        if not isinstance(shape, list) or not isinstance(data, list) or not shape:
            continue
        width = 1
        for length in shape[1:]:
            width *= length if isinstance(length, int) and length > 0 else 0
        if data and isinstance(data[0], list):
            data = [value for row in data for value in (row if isinstance(row, list) else [row])]
        if width == 1:
            made[str(tensor.get("name"))] = data
        elif len(tensors) == 1 and width and len(data) % width == 0:
            made = _rows([data[start:start + width] for start in range(0, len(data), width)], names)
    return made


def _predictions(content: Any) -> Any:
    if not isinstance(content, dict):
        return content
    if "predictions" in content:
        return content["predictions"]
    outputs = content.get("outputs")
    if isinstance(outputs, list) and outputs and all(isinstance(one, dict) for one in outputs):
        columns = _tensors(outputs, ())
        if columns and len({len(column) for column in columns.values()}) == 1:
            return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return None


def _named(values: Any) -> Columns:
    if isinstance(values, dict):
        columns = {str(name): column for name, column in values.items() if isinstance(column, list)}
    else:
        columns = _rows(values, ())
    if len(columns) == 1:
        return {PREDICTION: next(iter(columns.values()))}
    return {f"{PREDICTION}.{name}": column for name, column in columns.items()}


def _joined(parts: list[Columns]) -> Columns:
    names = list(dict.fromkeys(name for part in parts for name in part))
    made: Columns = {name: [] for name in names}
    for part in parts:
        length = _length(part)
        for name, values in made.items():
            column = part.get(name, [])
            values += column[:length] + [None] * (length - len(column))
    return made


def _length(columns: Columns) -> int:
    return max(map(len, columns.values()), default=0)


def _label(name: Any) -> str:
    return str(tuple(name)) if isinstance(name, list) else str(name)
