from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from millstream.autolog import drawing


def pixels(png: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def blue(picture: Any) -> Any:
    """Where the line is."""
    return (picture[..., 2] - picture[..., 0]) > 80


def test_a_curve_goes_where_its_points_are() -> None:
    picture = blue(pixels(drawing.curve([0, 0.5, 1], [0, 1, 1], title="T", across="x", up="y", legend="L")))
    rows, columns = np.nonzero(picture)
    left, right, top, bottom = columns.min(), columns.max(), rows.min(), rows.max()
    middle = columns == (left + right) // 2
    assert abs(rows[middle].min() - top) <= 3  # at the half it is at the top
    quarter = columns == left + (right - left) // 4
    assert abs(rows[quarter].mean() - (top + bottom) / 2) <= 4


@pytest.mark.parametrize("count", [1, 3, 12, 60])
def test_shares_are_shades(count: int) -> None:
    cells = np.eye(count).tolist()
    picture = pixels(drawing.shares(cells, [f"class {n}" for n in range(count)], title="T", across="x", up="y"))
    dark = (picture == (8, 48, 107)).all(axis=2)
    rows, columns = np.nonzero(dark)
    assert np.corrcoef(rows, columns)[0, 1] > 0.5 or count == 1  # the diagonal, from the top left
    light = (picture == (247, 251, 255)).all(axis=2).sum()
    assert light > dark.sum() or count < 3


def test_names_of_any_alphabet_and_length() -> None:
    names = ["Привет", "x" * 500, "多", ""]
    assert drawing.shares(np.zeros((4, 4)).tolist(), names, title="", across="", up="").startswith(b"\x89PNG")
