"""Request bodies of a scoring server: the JSON forms in which data come to a model.

A body is an object with exactly one of ``dataframe_split``, ``dataframe_records``, ``instances`` and ``inputs``, and
optionally ``params``; the forms are MLflow's, ``instances`` and ``inputs`` those of TensorFlow Serving.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from millstream.errors import BadRequest

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")


def parse(body: str | bytes | Mapping[str, Any]) -> tuple[Any, dict[str, Any] | None]:
    """The data and the params of a request body: a DataFrame, an array, or a dictionary of arrays.

    Raises BadRequest for what is no JSON object with exactly one of the forms, or not of the form that it names.
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
    if len(given) != 1:
        found = ", ".join(map(repr, body)) or "nothing"
        raise BadRequest(f"the body has {found}, and exactly one of {', '.join(FORMS)} is expected",
                         hint='a DataFrame goes as {"dataframe_split": {"columns": […], "data": [[…], …]}}')
    params = body.get("params")
    if params is not None and not isinstance(params, dict):
        raise BadRequest("params are a JSON object", hint='send them as {"params": {"name": value}}')
    (form,) = given
    try:
        return _data(form, body[form]), params
    except (TypeError, ValueError, KeyError) as error:
        raise BadRequest(f"{form} is not what it should be: {error}", hint=_HINTS[form]) from None


_HINTS = {
    "dataframe_split": '{"columns": […], "data": [[…], …]}, as DataFrame.to_dict(orient="split") gives',
    "dataframe_records": '[{"column": value, …}, …], as DataFrame.to_dict(orient="records") gives',
    "instances": "a list with one item a row: numbers, lists of numbers, or objects of them",
    "inputs": "a list, or an object with a list for each input",
}


def _data(form: str, value: Any) -> Any:
    if form.startswith("dataframe"):
        import pandas

        if form == "dataframe_split":
            if not isinstance(value, dict) or "data" not in value:
                raise ValueError("an object with columns and data is expected")
            return pandas.DataFrame(value["data"], index=value.get("index"), columns=value.get("columns"))
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise ValueError("a list of objects is expected")
        return pandas.DataFrame.from_records(value)
    import numpy

    if form == "instances":
        if not isinstance(value, list):
            raise ValueError("a list is expected")
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
