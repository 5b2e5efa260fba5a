"""Outliers: rows with values far out of what the training data had.

A row is an outlier if any of its numbers lies beyond the outer fences of its column (see
:mod:`millstream.models.profile`): a rule for each column, which can say of a row why. Training data has such rows too,
in columns with long tails many; what counts is that their share is another than it was there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from millstream.models.profile import Profile, far_out, fenced_columns
from millstream.serving.monitoring.statistics import Compared, share


def outlying(reference: Profile, columns: Mapping[str, Any]) -> list[list[str]]:
    """Of each row, the columns in which it is far out; an empty list for a row that is no outlier."""
    names = fenced_columns(reference)
    return [
        [name for name, far in zip(names, row, strict=True) if far] for row in far_out(reference, columns).tolist()
    ]


def compare_outliers(reference: Profile, columns: Mapping[str, Any]) -> list[Compared]:
    """The share of rows that are outliers against the one in the reference; nothing where no column has fences."""
    found = far_out(reference, columns)
    if not found.size or not reference.profiled:
        return []
    hits = int(found.any(axis=1).sum())
    return [share("outliers", "", (reference.outlying, reference.profiled), (hits, len(found)))]
