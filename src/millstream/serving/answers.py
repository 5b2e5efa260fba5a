"""Predictions as JSON: ``{"predictions": …}``, and the part of each request in those that were made together.

Forms are MLflow's: a table is a list of objects, one a row, and so is a Series, by its name or ``"0"``. JSON has no
numbers that are missing or infinite: they are null, where MLflow's server writes ``NaN``, which few clients can read.
Dates are ISO texts, bytes base64.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from millstream.inference import answers

_encode = msgspec.json.Encoder().encode


def values(predicted: Any) -> Any:
    """``predicted`` in what JSON has. Raises FunctionFailed for a model that gave something else."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(predicted, pandas.Series):
        predicted = predicted.to_frame()
    return answers.values(predicted)


def printed(answer: Any) -> bytes:
    """The body of an answer with these values."""
    return b'{"predictions": %s}' % _encode(answer)


def parts(predicted: Any, rows: Sequence[int]) -> list[bytes] | None:
    """The bodies of the answers to requests of so many rows each; None when ``predicted`` has not one entry a row."""
    if not by_rows(predicted, sum(rows)):
        return None
    answer = values(predicted)
    made, start = [], 0
    for count in rows:
        made.append(printed(answer[start:start + count]))
        start += count
    return made


def pieces(predicted: Any, rows: Sequence[int]) -> list[Any] | None:
    """The predictions for requests of so many rows each; None when ``predicted`` has not one entry a row."""
    if not by_rows(predicted, sum(rows)):
        return None
    cut = getattr(predicted, "iloc", predicted)
    ends = list(itertools.accumulate(rows))
    return [cut[end - count:end] for end, count in zip(ends, rows, strict=True)]


def by_rows(predicted: Any, rows: int) -> bool:
    """Whether ``predicted`` is a table, an array or a list with one entry for each of so many rows."""
    if isinstance(predicted, (list, tuple)):
        return len(predicted) == rows
    shape = getattr(predicted, "shape", None)
    return isinstance(shape, tuple) and len(shape) > 0 and shape[0] == rows
