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
    texts = frame.columns[[_is_text(frame.iloc[:, i]) for i in range(frame.shape[1])]]
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

    Raises TypeError for objects that have no hash. The mixing function is the finaliser of SplitMix64
    (https://prng.di.unimi.it/splitmix64.c).
    """
    import numpy

    if values.dtype.kind not in "biufmM" or values.dtype.itemsize > 8:
        import pandas

        hashed: numpy.ndarray[Any, Any] = pandas.util.hash_array(values)
        return hashed
    if values.dtype.kind == "b":
        mixed = values.astype("u8")
    elif values.dtype.kind in "mM":
        mixed = values.view("i8").astype("u8")
    else:
        mixed = numpy.ascontiguousarray(values).view(f"u{values.dtype.itemsize}").astype("u8")
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed ^= mixed >> numpy.uint64(shift)
        mixed *= numpy.uint64(factor)
    mixed ^= mixed >> numpy.uint64(31)
    return mixed


def _is_text(column: Any) -> bool:
    """Whether every value is a ``str``: true of any column without rows."""
    if not len(column):
        return True
    kind = column.dtype
    if getattr(kind, "kind", "O") != "O":  # numbers, dates: no need to look at each value
        return False
    values = column.unique() if kind.name == "category" else column
    return all(type(value) is str for value in values)


def _array_parts(data: Any) -> list[Any]:
    import numpy

    arrays = [data[name] for name in sorted(data)] if isinstance(data, dict) else [data]
    parts: list[Any] = []
    for array in arrays:
        flat = array.flat[:MAX_ROWS]  # row by row however it lies in memory, and no copy of the rest
        try:
            parts.append(hash_array(flat))
        except TypeError:
            parts.append(numpy.int64(flat.size))
        parts.extend(numpy.int64(length) for length in array.shape)
    return parts


def _md5(parts: Iterable[Any]) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    for part in parts:
        digest.update(part if isinstance(part, bytes) else part.tobytes())
    return digest.hexdigest()[:8]
