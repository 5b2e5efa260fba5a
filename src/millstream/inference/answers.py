"""Predictions as rows: columns with names, for tables and lines, or values of JSON."""

from __future__ import annotations

import sys
from typing import Any

from millstream.errors import FunctionFailed, InvalidValue
from millstream.models.examples import json_values

__all__ = ["PREDICTION", "columns", "is_by_rows", "values"]

PREDICTION = "prediction"


def values(predicted: Any) -> Any:
    """Predictions as JSON values, a table as a list of objects, one a row. Raises FunctionFailed for what has none."""
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    if numpy is not None and isinstance(predicted, numpy.ndarray) and predicted.dtype.kind in "biuf":
        return predicted.tolist()  # JSON has no NaN: it is null when it is printed
    if pandas is not None and isinstance(predicted, pandas.DataFrame):
        predicted = predicted.to_dict(orient="records")
    elif pandas is not None and isinstance(predicted, pandas.Series):
        predicted = predicted.tolist()
    try:
        return json_values(predicted)
    except InvalidValue:
        raise FunctionFailed(f"the model's prediction, a {type(predicted).__name__}, has no form in JSON",
                             hint="its predict() may return a DataFrame, an array, a list, a dict, texts and numbers"
                             ) from None


def is_by_rows(predicted: Any, rows: int) -> bool:
    """Whether there is one prediction for each of so many rows."""
    if isinstance(predicted, (list, tuple)):
        return len(predicted) == rows
    if isinstance(predicted, dict):
        return bool(predicted) and all(is_by_rows(part, rows) for part in predicted.values())
    shape = getattr(predicted, "shape", None)
    return isinstance(shape, tuple) and len(shape) > 0 and shape[0] == rows


def columns(predicted: Any) -> dict[str, Any]:
    """Predictions that are by rows as columns: lists or arrays under names.

    A DataFrame, a dictionary and objects have names of their own, a Series may; an array with two axes becomes
    ``prediction_0``, ``prediction_1``, …; everything else is ``prediction``.
    """
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    if pandas is not None and isinstance(predicted, pandas.DataFrame):
        return {_named(name): predicted.iloc[:, place].array for place, name in enumerate(predicted.columns)}
    if pandas is not None and isinstance(predicted, pandas.Series):
        return {PREDICTION if predicted.name is None else str(predicted.name): predicted.array}
    if isinstance(predicted, dict):
        return {name: column for key, part in predicted.items() for name, column in _parts(str(key), part)}
    if numpy is not None and not isinstance(predicted, (list, tuple)):
        return dict(_parts(PREDICTION, numpy.asarray(predicted)))
    rows = list(predicted)
    if rows and all(isinstance(row, dict) for row in rows):
        names = dict.fromkeys(str(name) for row in rows for name in row)
        return {name: [row.get(name) for row in rows] for name in names}
    return {PREDICTION: rows}


def _named(name: Any) -> str:
    return f"{PREDICTION}_{name}" if isinstance(name, int) else str(name)


def _parts(name: str, part: Any) -> list[tuple[str, Any]]:
    shape: Any = getattr(part, "shape", ())
    if len(shape) == 2:
        return [(f"{name}_{place}", part[:, place]) for place in range(shape[1])]
    return [(name, list(part) if len(shape) > 2 else part)]
