"""Tables as files: what ``log_table`` writes and ``load_table`` reads.

A ``.json`` file holds ``{"columns": […], "data": [[…], …]}``, a row in each inner list, as pandas writes with
``orient="split"``; it is made without pandas. A ``.parquet`` file is pandas' own. An image in a cell becomes two files
beside the table, and the cell names them.
"""

from __future__ import annotations

import datetime as dates
import io
import math
import os
import posixpath
import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from millstream.errors import InvalidValue
from millstream.tracking import extras
from millstream.tracking.media import Image, encode_image, thumbnail

if TYPE_CHECKING:
    import pandas


class _File(msgspec.Struct):
    columns: list[Any]
    data: list[list[Any]]


class Table:
    """Columns by name and rows of JSON values."""

    def __init__(self, columns: list[Any], rows: list[list[Any]]) -> None:
        self.columns = columns
        self.rows = rows

    @classmethod
    def of(cls, data: Any, artifact_file: str) -> tuple[Table, dict[str, bytes]]:
        """The table of a dict or a DataFrame (pandas, polars), and the files (path to content) of the images in it.

        A dict maps a column to its values, or to one value for all rows; lists of different lengths make one row of
        lists. Raises InvalidValue for an ``artifact_file`` that does not end in ``.json`` or ``.parquet`` and for a
        column where only some cells are images, TypeError for other data.
        """
        check_name(artifact_file)
        if isinstance(data, Mapping):
            columns, rows = list(data), _rows(list(data.values()))
        elif hasattr(data, "itertuples"):
            columns, rows = list(data.columns), [list(row) for row in data.itertuples(index=False, name=None)]
        elif hasattr(data, "iter_rows"):
            columns, rows = list(data.columns), [list(row) for row in data.iter_rows()]
        else:
            raise TypeError(f"a table is a dict of columns or a DataFrame, got {type(data).__name__}")
        files: dict[str, bytes] = {}
        folder = posixpath.join("table_images", os.path.splitext(artifact_file)[0])
        pictures = {position for position in range(len(columns)) if _holds_images(columns[position], rows, position)}
        table = cls(columns, [
            [_image_cell(cell, folder, files) if i in pictures else json_cell(cell) for i, cell in enumerate(row)]
            for row in rows
        ])
        return table, files

    @classmethod
    def from_bytes(cls, content: bytes, artifact_file: str) -> Table:
        """The table that a file holds. Raises InvalidValue when it holds none."""
        check_name(artifact_file)
        if artifact_file.endswith(".parquet"):
            frame = extras.pandas(f"reading {artifact_file}").read_parquet(io.BytesIO(content))
            return cls.of(frame, artifact_file)[0]
        try:
            file = msgspec.json.decode(content, type=_File)
        except msgspec.DecodeError as error:
            raise InvalidValue(f"the file {artifact_file!r} holds no table: {error}") from None
        return cls(file.columns, file.data)

    def append(self, other: Table) -> Table:
        """The rows of both: columns of this table first; a cell that one of the two does not have is None."""
        columns = [*self.columns, *(column for column in other.columns if column not in self.columns)]
        return Table(columns, [*self._in(columns), *other._in(columns)])

    def with_columns(self, values: Mapping[str, Any]) -> Table:
        """This table with more columns, each of one value: what ``load_table`` adds of the run."""
        return Table([*self.columns, *values], [[*row, *values.values()] for row in self.rows])

    def to_bytes(self, artifact_file: str) -> bytes:
        """The content of a file, in the format that its name ends in."""
        check_name(artifact_file)
        if artifact_file.endswith(".parquet"):
            stream = io.BytesIO()
            self.to_pandas().to_parquet(stream)
            return stream.getvalue()
        return msgspec.json.encode({"columns": self.columns, "data": self.rows})

    def to_pandas(self) -> pandas.DataFrame:
        """A DataFrame."""
        frame = extras.pandas("a table as a DataFrame")
        return frame.DataFrame(self.rows, columns=[tuple(c) if isinstance(c, list) else c for c in self.columns])

    def _in(self, columns: list[Any]) -> Iterable[list[Any]]:
        places = {self._key(name): position for position, name in enumerate(self.columns)}
        order = [places.get(self._key(name)) for name in columns]
        for row in self.rows:
            yield [None if place is None else row[place] for place in order]

    @staticmethod
    def _key(name: Any) -> Any:
        return tuple(name) if isinstance(name, list) else name


def check_name(artifact_file: str) -> None:
    """Raises InvalidValue for a file name that does not say how its table is written."""
    if not artifact_file.endswith((".json", ".parquet")):
        raise InvalidValue.of("artifact_file", artifact_file, "a table is a .json or a .parquet file")


def json_cell(cell: Any) -> Any:
    """The JSON value of a cell.

    Dates and times are ISO texts to the millisecond, those with a zone in UTC; what is not finite or missing is None;
    arrays and sets are lists; bytes are UTF-8 text; anything else is its ``str()``.
    """
    if cell is None or isinstance(cell, (str, bool)):
        return cell
    if isinstance(cell, int):
        return cell if -(2**63) <= cell < 2**64 else float(cell)
    if isinstance(cell, float):
        return float(cell) if math.isfinite(cell) else None
    if isinstance(cell, dates.datetime):
        return _iso(cell)
    if isinstance(cell, dates.date):
        return _iso(dates.datetime(cell.year, cell.month, cell.day))
    if isinstance(cell, Mapping):
        return {str(key): json_cell(item) for key, item in cell.items()}
    if isinstance(cell, (list, tuple, set, frozenset)):
        return [json_cell(item) for item in cell]
    if isinstance(cell, (bytes, bytearray)):
        return cell.decode("utf-8", "replace")
    if type(cell).__module__ == "numpy":
        if cell.dtype.kind == "M":  # its own whole numbers are not times
            cell = cell.astype("datetime64[us]")
        return json_cell(cell.tolist())
    if type(cell).__name__ in ("NAType", "NaTType"):
        return None
    return str(cell)


def _iso(moment: dates.datetime) -> str | None:
    if moment != moment:  # pandas' NaT is a datetime
        return None
    if moment.tzinfo is None:
        return moment.isoformat(timespec="milliseconds")
    return moment.astimezone(dates.timezone.utc).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _rows(columns: list[Any]) -> list[list[Any]]:
    lists = [list(column) if _is_list(column) else None for column in columns]
    lengths = {len(values) for values in lists if values is not None}
    if len(lengths) != 1:
        return [columns] if columns else []
    (length,) = lengths
    return [
        [column if values is None else values[i] for column, values in zip(columns, lists, strict=True)]
        for i in range(length)
    ]


def _is_list(column: Any) -> bool:
    if isinstance(column, (list, tuple, range)):
        return True
    return hasattr(column, "tolist") and getattr(column, "ndim", 0) > 0  # an array, a Series


def _is_image(kind: type) -> bool:
    return any(k is Image or (k.__name__ == "Image" and k.__module__ == "PIL.Image") for k in kind.__mro__)


def _holds_images(column: Any, rows: list[list[Any]], position: int) -> bool:
    kinds = {type(row[position]) for row in rows}
    images = {kind for kind in kinds if _is_image(kind)}
    if images and images < kinds:
        raise InvalidValue(
            f"the column {column!r} holds images in some rows and other values in others",
            hint="put the images into a column of their own, one in each row",
        )
    return bool(images)


def _image_cell(image: Any, folder: str, files: dict[str, bytes]) -> dict[str, str]:
    name = f"{folder}/{uuid.uuid4()}"
    files[f"{name}.png"] = encode_image(image, f"{name}.png")
    files[f"{name}.webp"] = thumbnail(image)
    return {"type": "image", "filepath": f"{name}.png", "compressed_filepath": f"{name}.webp"}
