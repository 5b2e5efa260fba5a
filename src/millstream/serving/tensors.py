"""The open inference protocol, version 2, with tensors as JSON.

A request names its tensors: ``{"inputs": [{"name", "shape", "datatype", "data"}], "parameters": {…}}``. A model with
columns gets a table, made of one tensor a column or of one tensor with a row a row; a model with tensors, or without a
signature, gets arrays: one as it is, several by their names. What it predicts goes back in the same way, an array as
one tensor named ``predictions``, a table or a dictionary as one tensor a column or key.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from millstream.errors import BadRequest, FunctionFailed
from millstream.models.schema import ColSpec, Schema
from millstream.models.signature import ModelSignature
from millstream.serving.answers import values
from millstream.serving.forms import SMALL_BYTES, decoded

DATATYPES = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "INT8": "int8",
    "INT16": "int16", "INT32": "int32", "INT64": "int64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
    "BYTES": "object",
}
_NAMES = {numpy: name for name, numpy in DATATYPES.items()}
_OF_COLUMNS = {"boolean": "BOOL", "integer": "INT32", "long": "INT64", "float": "FP32", "double": "FP64"}


class InferRequest:
    """The body of an ``infer`` call; ``read()`` gives the data and params.

    A small one that may be merged with others (not ``alone``) is read at once: those of equal ``key``, not None, have
    the same tensors but for their rows. ``arrays`` is the order in memory of the array that the model takes in place of
    a table of doubles. Raises BadRequest for a body that is not of the protocol.
    """

    def __init__(
        self, body: bytes, schema: Schema | None, arrays: Literal["C", "F"] | None = None, *, alone: bool = True
    ) -> None:
        self.key: Any = None
        self.rows = 0
        self.is_array = False
        self._body = body
        self._schema = schema
        self._order: Literal["C", "F"] | None = None
        self._tensors: list[tuple[str, Any]] | None = None
        self._params: dict[str, Any] | None = None
        self.id: str | None = None
        self._wanted: list[str] = []
        if not alone and len(body) <= SMALL_BYTES:
            self._tensors = self._parsed()
            self._find_alike(arrays)

    def read(self) -> tuple[Any, dict[str, Any] | None]:
        """The data and params. Raises BadRequest for a body that is not of the protocol."""
        if self._tensors is None:
            self._tensors = self._parsed()
        return self._data(self._tensors), self._params

    def merged(self, others: Sequence[InferRequest]) -> tuple[Any, dict[str, Any] | None]:
        """The data of this one and the ``others`` that are alike, one after the other, and the params."""
        import numpy

        all_of_them = [one._tensors or [] for one in (self, *others)]
        joined = [(columns[0][0], numpy.concatenate([tensor for _, tensor in columns]))
                  for columns in zip(*all_of_them, strict=True)]
        return self._data(joined), self._params

    def _parsed(self) -> list[tuple[str, Any]]:
        body = decoded(self._body)
        tensors = body.get("inputs") if isinstance(body, dict) else None
        if not isinstance(tensors, list) or not tensors:
            raise BadRequest("the body has no inputs", hint='send {"inputs": [{"name": …, "shape": […], "datatype": '
                             '"FP64", "data": […]}]}')
        self.id = str(body["id"]) if body.get("id") is not None else None
        outputs = body.get("outputs") or []
        if not isinstance(outputs, list) or not all(isinstance(one, dict) and "name" in one for one in outputs):
            raise BadRequest("outputs are a list of objects with a name", hint="leave them out for all that there are")
        self._wanted = [str(one["name"]) for one in outputs]
        self._params = body.get("parameters") or None
        if self._params is not None and not isinstance(self._params, dict):
            raise BadRequest("parameters are a JSON object")
        return [_tensor(one) for one in tensors]

    def _find_alike(self, arrays: Literal["C", "F"] | None) -> None:
        """What others have to be like, and whether the model gets an array of it."""
        tensors = self._tensors or []
        if not all(tensor.ndim and len(tensor) for _, tensor in tensors) or len({len(one) for _, one in tensors}) != 1:
            return
        self.rows = len(tensors[0][1])
        self.key = ("infer", tuple((name, tensor.dtype.str, tensor.shape[1:]) for name, tensor in tensors),
                    None if self._params is None else msgspec.json.encode(self._params))
        if arrays is None or self._params is not None or self._schema is None:
            return
        if all(tensor.dtype.str.endswith("f8") for _, tensor in tensors):
            names = self._schema.input_names()
            if [name for name, _ in tensors] == names:
                if all(math.prod(tensor.shape[1:]) == 1 for _, tensor in tensors):
                    self._order = "F"  # the columns of a table that was made of columns lie one after the other
            elif len(tensors) == 1 and tensors[0][1].shape[1:] == (len(names),) and tensors[0][0] not in names:
                self._order = arrays
        self.is_array = self._order is not None

    def _data(self, tensors: list[tuple[str, Any]]) -> Any:
        if self._order is not None:
            import numpy

            rows = tensors[0][1].shape[0]
            table = numpy.empty((rows, sum(tensor.size // rows for _, tensor in tensors)), order=self._order)
            table[:] = numpy.concatenate([tensor.reshape(rows, -1) for _, tensor in tensors], axis=1)
            return table
        named = dict(tensors)
        if len(named) != len(tensors):
            raise BadRequest("two inputs have the same name")
        schema = self._schema
        if schema is None or schema.is_tensor_spec():
            known = schema is not None and schema.has_input_names()
            return named if known or len(tensors) > 1 else tensors[0][1]
        import pandas

        columns = [spec.name for spec in schema if isinstance(spec, ColSpec)]
        ((name, first), *others) = tensors
        if not others and first.ndim == 2 and name not in columns and first.shape[1] == len(columns):
            return pandas.DataFrame(first, columns=columns if schema.has_input_names() else None)
        flat = {name: tensor.reshape(-1) if math.prod(tensor.shape[1:]) == 1 else list(tensor)
                for name, tensor in tensors}
        lengths = set(map(len, flat.values()))
        if len(lengths) != 1:
            raise BadRequest(f"the inputs have different numbers of rows: {sorted(lengths)}")
        return pandas.DataFrame(flat)

    def answer(self, predicted: Any, name: str) -> bytes:
        """The body of the answer with what the model ``name`` predicted. Raises BadRequest, FunctionFailed."""
        outputs = [_output(key, value) for key, value in _columns(predicted).items()]
        if self._wanted:
            known = {one["name"]: one for one in outputs}
            if unknown := [one for one in self._wanted if one not in known]:
                raise BadRequest(f"the model has no output {unknown[0]!r}", hint=f"it has {', '.join(known)}")
            outputs = [known[one] for one in self._wanted]
        told: dict[str, Any] = {"model_name": name, "outputs": outputs}
        if self.id is not None:
            told["id"] = self.id
        return msgspec.json.encode(told)


def described(name: str, signature: ModelSignature | None) -> dict[str, Any]:
    """The metadata of the model: its inputs and outputs."""
    inputs = signature.inputs if signature is not None else None
    outputs = signature.outputs if signature is not None else None
    return {"name": name, "platform": "millstream", "inputs": _told(inputs, "input"),
            "outputs": _told(outputs, "predictions")}


def _told(schema: Schema | None, unnamed: str) -> list[dict[str, Any]]:
    made = []
    for spec in schema or ():
        name = unnamed if spec.name is None else str(spec.name)
        if isinstance(spec, ColSpec):
            kind = spec.type.name if hasattr(spec.type, "name") else ""
            made.append({"name": name, "datatype": _OF_COLUMNS.get(kind, "BYTES"), "shape": [-1]})
        else:
            made.append({"name": name, "datatype": _NAMES.get(str(spec.type), "BYTES"), "shape": list(spec.shape)})
    return made


def _tensor(one: Any) -> tuple[str, Any]:
    import numpy

    if not isinstance(one, dict) or not {"name", "shape", "datatype", "data"} <= one.keys():
        raise BadRequest("an input has a name, a shape, a datatype and data",
                         hint="binary tensors are not read here: send the data as JSON")
    name, shape, datatype, data = str(one["name"]), one["shape"], one["datatype"], one["data"]
    if datatype not in DATATYPES:
        raise BadRequest(f"the input {name!r} has the datatype {str(datatype)[:50]!r}",
                         hint=f"it is one of {', '.join(DATATYPES)}")
    if not isinstance(shape, list) or not all(type(length) is int and length >= 0 for length in shape):
        raise BadRequest(f"the shape of the input {name!r} is not a list of lengths")
    flat = _flat(data if isinstance(data, list) else [data])
    if len(flat) != math.prod(shape):
        raise BadRequest(f"the input {name!r} has {len(flat)} values, and its shape {shape} holds {math.prod(shape)}")
    try:
        if datatype == "BYTES":
            made = numpy.empty(len(flat), dtype=object)
            made[:] = flat
        elif datatype.startswith("FP"):
            made = numpy.array([math.nan if value is None else value for value in flat], dtype=DATATYPES[datatype])
        else:
            kinds = {bool} if datatype == "BOOL" else {int}
            if not set(map(type, flat)) <= kinds:
                raise ValueError("other values than the datatype has")
            made = numpy.array(flat, dtype=DATATYPES[datatype])
    except (TypeError, ValueError, OverflowError) as error:
        raise BadRequest(f"the input {name!r} is not of {datatype}: {error}") from None
    return name, made.reshape(shape)


def _flat(data: list[Any]) -> list[Any]:
    """The values of lists within lists, one after the other."""
    while data and all(type(item) is list for item in data):
        data = [value for item in data for value in item]
    return data


def _columns(predicted: Any) -> Mapping[str, Any]:
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(predicted, pandas.DataFrame):
        return {str(name): column.to_numpy() for name, column in predicted.items()}
    if isinstance(predicted, Mapping):
        return {str(name): value for name, value in predicted.items()}
    return {"predictions": predicted}


def _output(name: str, value: Any) -> dict[str, Any]:
    import numpy

    try:
        array = numpy.asarray(value)
    except ValueError:
        raise FunctionFailed(f"the model's prediction {name!r} is no tensor: its rows have different lengths",
                             hint="ask for it at /invocations") from None
    datatype = _NAMES.get(str(array.dtype), "BYTES")
    flat = values(array.reshape(-1))
    if datatype == "BYTES":
        flat = [item if item is None or isinstance(item, str) else msgspec.json.encode(item).decode() for item in flat]
    return {"name": name, "datatype": datatype, "shape": list(array.shape), "data": flat}
