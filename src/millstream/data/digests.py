"""Digests of data: short texts that change with the content, the same as MLflow 3.17's for the same data.

A frame is digested by pandas' hash of its first rows (index, text columns and number columns), its number of rows and
the names of all columns; an array by the hash of its first elements and its shape. The first eight digits of an MD5
sum name the result. That is enough to notice a change, and no protection against somebody who makes one on purpose.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy
    import pandas

MAX_ROWS = 10_000  # rows of a frame, elements of an array


def frame_digest(frame: pandas.DataFrame) -> str:
    """The digest of a pandas DataFrame."""
    import numpy
    import pandas

    head = frame.head(MAX_ROWS)
    texts = frame.columns[[_is_text(frame, i, dtype) for i, dtype in enumerate(frame.dtypes)]]
    numbers = head.select_dtypes(include=["number"]).columns
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # labels of several types have no order
        columns = texts.union(numbers)
    chosen = head[columns]
    try:
        rows = pandas.util.hash_pandas_object(chosen)
    except TypeError:  # an index of lists or dicts cannot be hashed
        rows = pandas.util.hash_pandas_object(chosen, index=False)
    return _md5([rows.to_numpy(), numpy.int64(len(frame)), *(str(column).encode() for column in frame.columns)])


def array_digest(features: Any, targets: Any = None) -> str:
    """The digest of an ndarray or a dict of them, and of its targets."""
    return _md5([*_array_parts(features), *([] if targets is None else _array_parts(targets))])


def sum_digest(number: int) -> str:
    """The digest of a whole number of 64 bits that stands for the data."""
    import numpy

    return _md5([numpy.int64(number)])


def element_digest(elements: Iterable[Any]) -> str:
    """The digest of a stream of arrays, each hashed up to :data:`MAX_ROWS` elements."""
    return _md5(hash_array(element.ravel()[:MAX_ROWS]) for element in elements)


def hash_array(values: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """The 64-bit hash of each element, as ``pandas.util.hash_array`` gives it; numbers are hashed without pandas.

    Raises TypeError or ValueError for elements that have no hash. The mixing function is the finaliser of SplitMix64
    (https://prng.di.unimi.it/splitmix64.c).
    """
    import numpy

    if values.dtype.kind not in "biufmM" or values.dtype.itemsize > 8 or _has_twins(values):
        import pandas

        hashed: numpy.ndarray[Any, Any] = pandas.util.hash_array(values)
        return hashed
    mixed: numpy.ndarray[Any, Any] = (values if values.dtype.kind == "b" else _bits(values)).astype("u8")
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed ^= mixed >> numpy.uint64(shift)
        mixed *= numpy.uint64(factor)
    mixed ^= mixed >> numpy.uint64(31)
    return mixed


def _bits(values: Any) -> Any:
    import numpy

    return numpy.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")


def _has_twins(values: Any) -> bool:
    """Whether a float is written in bits that are not its usual ones, -0.0 or an odd NaN: versions of pandas differ in
    how they hash those."""
    import numpy

    if values.dtype.kind != "f":
        return False
    bits, usual = _bits(values), _bits(numpy.array([-0.0, numpy.nan], dtype=values.dtype))
    return bool(numpy.any(bits == usual[0]) or numpy.any(numpy.isnan(values) & (bits != usual[1])))


def _is_text(frame: Any, position: int, dtype: Any) -> bool:
    """Whether every value of a column is a ``str``: true of any column without rows."""
    if not len(frame):
        return True
    if dtype.kind in "biufcmM":  # numbers and dates: no need to look at each value
        return False
    column = frame.iloc[:, position]
    values = column.unique() if dtype.name == "category" else column
    return all(type(value) is str for value in values)


def _array_parts(data: Any) -> list[Any]:
    import numpy

    arrays = [data[name] for name in sorted(data)] if isinstance(data, dict) else [data]
    parts: list[Any] = []
    for array in arrays:
        flat = array.flat[:MAX_ROWS]  # row by row however it lies in memory, and no copy of the rest
        try:
            parts.append(hash_array(flat))
        except (TypeError, ValueError):
            parts.append(numpy.int64(flat.size))
        parts.extend(numpy.int64(length) for length in array.shape)
    return parts


def _md5(parts: Iterable[Any]) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for part in parts:
        digest.update(part if isinstance(part, bytes) else part.tobytes())
    return digest.hexdigest()[:8]
