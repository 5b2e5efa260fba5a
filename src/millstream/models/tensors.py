"""Arrays in the type and shape that a schema of tensors says."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from millstream.errors import SchemaMismatch
from millstream.models.schema import Schema, TensorSpec
from millstream.models.widening import EXACT_BITS

if TYPE_CHECKING:
    import numpy


class TensorEnforcer:
    """Brings data into the tensors of a schema: one array, or a dict of arrays where the schema has names."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._specs = [spec for spec in schema if isinstance(spec, TensorSpec)]

    def __call__(self, data: Any) -> Any:
        """The arrays, those given where they fit. Raises SchemaMismatch."""
        if not self._schema.has_input_names():
            return self._checked({None: data}, self._specs)[None]
        if not isinstance(data, dict):
            data = self._named(data)
        return self._checked(data, self._specs)

    def _named(self, data: Any) -> dict[Any, Any]:
        pandas = sys.modules.get("pandas")
        if pandas is not None and isinstance(data, pandas.DataFrame):
            return {name: data[name] for name in data.columns}
        if len(self._specs) == 1:
            return {self._specs[0].name: data}
        if isinstance(data, list) and data and all(isinstance(row, dict) for row in data):
            return {name: [row.get(name) for row in data] for name in data[0]}
        raise SchemaMismatch(
            f"the model takes a dict of the arrays {_listed(self._specs)}, found a value of type {type(data).__name__}",
            hint="give a dict: {" + ", ".join(f"{spec.name!r}: …" for spec in self._specs) + "}",
        )

    def _checked(self, given: dict[Any, Any], specs: list[TensorSpec]) -> dict[Any, Any]:
        made, faults, remedies = {}, [], []
        for spec in specs:
            if spec.name not in given:
                faults.append(f"the array {spec.name!r} is missing")
                remedies.append(f"the model takes the arrays {_listed(specs)}; add {spec.name!r}")
                continue
            try:
                made[spec.name] = _fit(given[spec.name], spec)
            except SchemaMismatch as fault:
                faults.append(fault.message)
                remedies.extend([fault.hint] if fault.hint else [])
        if faults:
            raise SchemaMismatch("; ".join(faults), hint="; ".join(dict.fromkeys(remedies)) or None)
        return made


def _listed(specs: list[TensorSpec]) -> str:
    return ", ".join(repr(spec.name) for spec in specs)


def _fit(value: Any, spec: TensorSpec) -> Any:
    who = "the input" if spec.name is None else f"the array {spec.name!r}"
    shape = f"{spec.type.name} of shape {spec.shape}"
    array = _array(value, spec)
    if array is None:
        raise SchemaMismatch(
            f"{who} should be an array, {shape}, found a value of type {type(value).__name__}",
            hint=f"convert it: numpy.array(data, dtype={spec.type.name!r})",
        )
    if not _accepts(spec.type, array.dtype):
        if not _widens(array, spec.type):
            raise SchemaMismatch(
                f"{who} should be {shape}, found {array.dtype} of shape {array.shape}",
                hint=f"convert it, if what is lost does not matter: array.astype({spec.type.name!r})",
            )
        array = array.astype(spec.type)
    if len(array.shape) != len(spec.shape) or any(
        length not in (-1, found) for length, found in zip(spec.shape, array.shape, strict=True)
    ):
        raise SchemaMismatch(
            f"{who} should be of shape {spec.shape}, found {array.shape}",
            hint="-1 stands for any length, here of the batch; array.reshape(…) gives an array another shape",
        )
    return array


def _array(value: Any, spec: TensorSpec) -> Any:
    import numpy

    sparse = sys.modules.get("scipy.sparse")
    if isinstance(value, numpy.ndarray) or (sparse is not None and sparse.issparse(value)):
        return value
    if hasattr(value, "dtypes") or hasattr(value, "to_numpy"):  # a frame or a series, whose cells may hold arrays
        array = value.to_numpy()
        if array.dtype.kind == "O" and array.size:
            array = _stacked([row[0] if array.ndim == 2 and array.shape[1] == 1 else row for row in array])
        return array
    if isinstance(value, list):
        return _from_python(value, spec.type)
    return numpy.asarray(value) if hasattr(value, "__array__") else None


def _stacked(cells: list[Any]) -> Any:
    import numpy

    made = numpy.array([cell.tolist() if isinstance(cell, numpy.ndarray) else cell for cell in cells])
    return numpy.stack(cells) if isinstance(cells[0], numpy.ndarray) and cells[0].dtype.kind != "O" else made


def _from_python(values: list[Any], target: numpy.dtype[Any]) -> Any:
    """Nested lists as an array. Python's numbers have no width, so they take that of the tensor."""
    import numpy

    try:
        array = numpy.array(values)
    except ValueError:  # rows of different lengths
        return None
    if target.kind == "M" and array.dtype.kind == "U":
        try:
            return array.astype(target)
        except ValueError:  # texts that are no dates
            return array
    if array.dtype.kind == "f" and target.kind == "f":
        return array.astype(target)
    if array.dtype.kind in "iu" and target.kind in "iu" and array.size:
        limits = numpy.iinfo(target)
        if limits.min <= int(array.min()) and int(array.max()) <= limits.max:
            return array.astype(target)
    return array


def _accepts(expected: numpy.dtype[Any], found: numpy.dtype[Any]) -> bool:
    if expected.kind == "O":
        return True
    return found.kind == expected.kind if expected.kind in "US" else found == expected


def _widens(array: Any, target: numpy.dtype[Any]) -> bool:
    """Whether every value is the same in the type ``target``."""
    import numpy

    if array.dtype.kind == "O" or not numpy.can_cast(array.dtype, target, "safe") or array.dtype.kind == "b":
        return False
    if array.dtype.kind in "iu" and target.kind == "f" and array.size:
        limit = 1 << EXACT_BITS.get(target.itemsize, 53)
        return bool(-limit <= array.min() and array.max() <= limit)
    return bool(array.dtype.kind == target.kind or (array.dtype.kind in "iu" and target.kind in "iuf"))
