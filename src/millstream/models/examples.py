"""Input examples: data that show what a model takes, kept beside it as JSON.

Two files, as MLflow 3.17 writes and reads them: ``input_example.json``, the data, and ``serving_input_example.json``,
the body of a request to a scoring server. JSON has no dates, bytes or missing numbers: they are written as ISO text,
base64 text and null.
"""

from __future__ import annotations

import base64
import datetime as dates
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from millstream.errors import BadModel, InvalidValue
from millstream.models.payloads import decoded_input, frame
from millstream.models.schema import Schema, TensorSpec

__all__ = [
    "InputExample", "ModelInputExample", "PyFuncInput", "PyFuncOutput", "convert_input_example_to_serving_input",
    "load", "load_params", "prepare", "serving_payload", "split",
]

FILE = "input_example.json"
SERVING_FILE = "serving_input_example.json"
# Larger texts are written without indentation, which takes ten times as long and three times the room.
READABLE_CHARACTERS = 100_000
# What a request holds of a sparse matrix at most, in which all the zeros are written out.
DENSE_NUMBERS = 1_000_000

# What annotations of users call an input example, and the input and output of a python function.
ModelInputExample = PyFuncInput = PyFuncOutput = Any
KINDS = "a DataFrame, Series, ndarray, sparse matrix, dict, list, text, bytes, number, date or pydantic object"


class InputExample:
    """An example: ``data`` is what ``predict`` gets, ``params`` the parameters beside it or None."""

    def __init__(self, data: Any, params: dict[str, Any] | None = None) -> None:
        self.data = data
        self.params = params
        self.kind, self._written = _written(data)

    @property
    def payload(self) -> dict[str, Any]:
        """The body of a request to a scoring server: JSON values only."""
        if self.kind.startswith("sparse_matrix"):
            rows = max(1, DENSE_NUMBERS // max(1, self.data.shape[1]))
            body: dict[str, Any] = {"inputs": _array(self.data[:rows].toarray())}
        elif self.kind == "dataframe":
            body = {"dataframe_split": self._written}
        elif isinstance(self._written, dict) and "messages" in self._written:
            # The requests of chat models carry their fields, parameters among them, side by side.
            return {**self._written, **_plain(self.params or {})}
        else:
            body = {"inputs": self._written}
        return body if self.params is None else {**body, "params": _plain(self.params)}

    def save(self, folder: str | Path) -> dict[str, Any]:
        """Write both files into ``folder``; gives what ``saved_input_example_info`` says of them in an MLmodel."""
        info: dict[str, Any] = {"artifact_path": FILE}
        text, params = json.dumps(self._written), ""
        form = "dataframe_split" if self.kind == "dataframe" else "inputs"
        request = f'{{"{form}": {text}'
        if self.params is not None:
            info["params"] = "true"
            params = f', "params": {json.dumps(_plain(self.params))}'
            text = f'{{"inputs": {text}{params}}}'
        info["type"] = self.kind
        if self.kind == "dataframe":
            info["pandas_orient"] = "split" if "columns" in self._written else "values"
        info["serving_input_path"] = SERVING_FILE
        Path(folder, FILE).write_text(text, encoding="utf-8")
        if len(text) <= READABLE_CHARACTERS:
            request = json.dumps(self.payload, indent=2)
        elif self.kind == "json_object" or self.kind.startswith("sparse_matrix"):
            request = json.dumps(self.payload)
        else:
            request += f"{params}}}"
        Path(folder, SERVING_FILE).write_text(request, encoding="utf-8")
        return info


def prepare(example: Any) -> InputExample:
    """The example that a user gave: data, or a tuple of data and a dict of parameters.

    Raises InvalidValue for data that cannot be written as JSON.
    """
    return example if isinstance(example, InputExample) else InputExample(*split(example))


def split(example: Any) -> tuple[Any, dict[str, Any] | None]:
    """The data and the parameters of an example as users give it. Raises InvalidValue for another tuple."""
    if isinstance(example, InputExample):
        return example.data, example.params
    if isinstance(example, tuple):
        if len(example) != 2 or not (example[1] is None or isinstance(example[1], Mapping)):
            raise InvalidValue(
                "an input example that is a tuple holds data and a dict of parameters",
                hint="give a list where the data themselves are meant",
            )
        data, params = example
        return data, dict(params) if params else None
    return example, None


def load(folder: str | Path, info: Mapping[str, Any], schema: Schema | None = None) -> Any:
    """The data of the example in ``folder``, which ``info`` of its MLmodel describes. Raises BadModel.

    With the model's schema the data have their types again: dates, bytes, the width of numbers.
    """
    content, kind = _read(folder, info), info.get("type")
    if _has_params(info):
        content = content["inputs"]
    try:
        if kind == "dataframe":
            return _frame(content, schema)
        if kind in ("sparse_matrix_csr", "sparse_matrix_csc"):
            from scipy import sparse

            build = sparse.csr_matrix if kind == "sparse_matrix_csr" else sparse.csc_matrix
            return build((content["data"], content["indices"], content["indptr"]), shape=tuple(content["shape"]))
        if kind == "ndarray":
            if info.get("format") == "tf-serving":  # written by MLflow 1
                content = content["inputs"]
            if isinstance(content, dict):
                return {name: _numbers(values, schema, name) for name, values in content.items()}
            return _numbers(content, schema)
    except (KeyError, TypeError, ValueError) as error:
        path = _path(folder, info)
        raise BadModel(f"the file {path} holds no {kind}: {error!r}", hint="save the model again") from None
    return content if schema is None else decoded_input(content, schema)


def load_params(folder: str | Path, info: Mapping[str, Any]) -> dict[str, Any] | None:
    """The parameters of the example in ``folder``; None where it has none. Raises BadModel."""
    if not _has_params(info):
        return None
    params: dict[str, Any] = _read(folder, info)["params"]
    return params


def serving_payload(data: Any, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The body of a request that asks a scoring server to predict for ``data``, in JSON values. Raises InvalidValue."""
    return InputExample(data, dict(params) if params else None).payload


def convert_input_example_to_serving_input(input_example: Any) -> str | None:
    """The same for an example as users give it, as JSON text; None for None. Raises InvalidValue."""
    return None if input_example is None else json.dumps(prepare(input_example).payload, indent=2)


def json_values(value: Any) -> Any:
    """``value`` (an array, scalar, list, dictionary, …) in what JSON has. Raises InvalidValue for what has no form."""
    return _plain(value)


def _has_params(info: Mapping[str, Any]) -> bool:
    return str(info.get("params", "")).lower() == "true"


def _path(folder: str | Path, info: Mapping[str, Any]) -> Path:
    return Path(folder, info.get("artifact_path", FILE))


def _read(folder: str | Path, info: Mapping[str, Any]) -> Any:
    path = _path(folder, info)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadModel(f"the model has no input example: {path} is missing", hint="save the model again") from None
    except ValueError as error:
        raise BadModel(f"the file {path} is not JSON: {error}", hint="save the model again") from None
    if _has_params(info) and not (isinstance(content, dict) and {"inputs", "params"} <= content.keys()):
        raise BadModel(f"the file {path} lacks the inputs or the params of the example", hint="save the model again")
    return content


def _frame(content: Any, schema: Schema | None) -> Any:
    rows, names = (content, None) if isinstance(content, list) else (content["data"], content.get("columns"))
    columns = list(zip(*rows, strict=True)) or [() for _ in names or ()]
    return frame(names, columns, schema, None if isinstance(content, list) else content.get("index"))


def _numbers(content: Any, schema: Schema | None, name: str | None = None) -> Any:
    import numpy

    spec = next((spec for spec in schema or () if spec.name == name and isinstance(spec, TensorSpec)), None)
    made = numpy.array(content)
    if spec is not None and spec.type.kind in "biufM":
        try:
            return numpy.array(content, dtype=spec.type)
        except (TypeError, ValueError):  # the signature was written by hand, for other data
            return made
    if made.dtype.kind == "O" and all(item is None or type(item) in (int, float) for item in made.flat):
        return made.astype(float)  # null stood for numbers that are missing
    return made


def _written(data: Any) -> tuple[str, Any]:
    """The kind of an example, as MLmodel files name it, and what is written for it: JSON values."""
    pandas, polars, numpy = (sys.modules.get(name) for name in ("pandas", "polars", "numpy"))
    if pandas is not None and isinstance(data, pandas.DataFrame):
        return "dataframe", _split(data)
    if pandas is not None and isinstance(data, pandas.Series):
        return "dataframe", _split(data.to_frame())
    if polars is not None and isinstance(data, (polars.DataFrame, polars.Series)):
        frame = data.to_frame() if isinstance(data, polars.Series) else data
        columns = [_plain(column.to_list()) for column in frame.get_columns()]
        return "dataframe", {"columns": frame.columns, "data": _rows(columns)}
    if numpy is not None and isinstance(data, numpy.ndarray):
        return "ndarray", _array(data)
    sparse = sys.modules.get("scipy.sparse")
    if sparse is not None and sparse.issparse(data):
        if data.format not in ("csr", "csc"):
            raise InvalidValue(
                f"an input example cannot be a sparse matrix of the format {data.format}",
                hint="convert it: matrix.tocsr()",
            )
        parts = {name: _array(getattr(data, name)) for name in ("data", "indices", "indptr")}
        return f"sparse_matrix_{data.format}", {**parts, "shape": [int(length) for length in data.shape]}
    if numpy is not None and isinstance(data, dict) and data:
        arrays = [isinstance(value, numpy.ndarray) for value in data.values()]
        if all(arrays):
            return "ndarray", {str(name): _array(value) for name, value in data.items()}
        if any(arrays):
            raise InvalidValue(
                "an input example cannot mix arrays with other values in a dict",
                hint="give arrays only, or lists: array.tolist()",
            )
    return "json_object", _plain(data)


def _split(frame: Any) -> dict[str, Any]:
    """The columns and rows of a data frame. Its index is left out: models are not given it."""
    import pandas

    rows = _rows([_column(values) for _, values in frame.items()])
    if isinstance(frame.columns, pandas.RangeIndex):
        return {"data": rows}
    return {"columns": _plain(frame.columns.tolist()), "data": rows}


def _rows(columns: list[list[Any]]) -> list[list[Any]]:
    return [list(row) for row in zip(*columns, strict=True)]


def _column(values: Any) -> list[Any]:
    import numpy

    if isinstance(values.dtype, numpy.dtype) and values.dtype.kind in "biuf":
        return list(_array(values.to_numpy()))
    missing = values.isna()
    items = values.astype(object)
    return [None if gone else _plain(item) for item, gone in zip(items, missing, strict=True)]


def _array(values: Any) -> Any:
    """The nested list of an array. Numbers that are missing become None."""
    import numpy

    if values.dtype.kind in "biu":
        return values.tolist()
    if values.dtype.kind == "f":
        return _nested(values, numpy.isnan(values))
    if values.dtype.kind == "M":
        return _nested(numpy.datetime_as_string(values), numpy.isnat(values))
    return _plain(values.tolist())


def _nested(values: Any, missing: Any) -> Any:
    if missing.any():
        values = values.astype(object)
        values[missing] = None
    return values.tolist()


def _plain(value: Any) -> Any:
    """``value`` in what JSON has. Raises InvalidValue for a value that has no form there."""
    kind = type(value)
    if value is None or kind in (str, int, bool):
        return value
    if isinstance(value, float):
        return None if value != value else float(value)
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode()
    if _is_missing(value):
        return None
    if isinstance(value, dates.date):
        return value.isoformat()
    if kind.__module__ == "numpy":
        return _array(value) if getattr(value, "ndim", 0) else _scalar(value)
    if isinstance(value, str):  # and more than that, as the members of some enumerations
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if hasattr(value, "model_dump"):  # pydantic
        return _plain(value.model_dump())
    raise InvalidValue(
        f"an input example cannot hold a value of type {kind.__name__}", hint=f"give {KINDS}, or lists and dicts of it"
    )


def _is_missing(value: Any) -> bool:
    pandas = sys.modules.get("pandas")
    return pandas is not None and (value is pandas.NA or value is pandas.NaT)


def _scalar(value: Any) -> Any:
    if value.dtype.kind == "M":
        return None if value != value else str(value)
    return _plain(value.tolist())
