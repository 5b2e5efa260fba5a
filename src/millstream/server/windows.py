"""Parts of files, read for the eye: lines of a text, rows of a table. Whatever its size, a file is never read whole
unless its form asks for that, and then only up to a bound."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
from collections.abc import Iterator
from typing import Any

import msgspec

from millstream.artifacts.contract import Content
from millstream.errors import InvalidValue, NotSupported, TooLarge
from millstream.server.artifacts import Place

LINES = 5_000
ROWS = 5_000
# How far into a file its beginning is followed to find a line or a row.
_SCANNED_BYTES = 1 << 30
_LINE_LENGTH = 20_000
_WINDOW_BYTES = 4 << 20
_WHOLE_BYTES = 64 << 20
_CELL_LENGTH = 5_000
_DELIMITERS = ",;\t|"


class Lines(msgspec.Struct, omit_defaults=True):
    """Lines of a text: the first has the number ``first``, where that is known. ``offset`` is where they begin, in
    bytes, ``next_offset`` where what follows does; ``total`` lines are in the file, if its end was reached."""

    size: int
    first: int | None
    lines: list[str]
    offset: int
    next_offset: int
    more: bool
    total: int | None = None


class Column(msgspec.Struct):
    """A column of a table; ``type`` is int, float, bool or text, by the rows that were read."""

    name: str
    type: str


class Rows(msgspec.Struct, omit_defaults=True):
    """Rows of a table, column by column; ``total`` is how many there are, if known."""

    columns: list[Column]
    cols: list[list[Any]]
    offset: int
    rows: int
    more: bool
    total: int | None = None


def read_lines(place: Place, path: str, first: int, last: int) -> Lines:
    """The lines ``first`` … ``last`` of a text file, counted from 1. Raises InvalidValue for what is no text."""
    if not 1 <= first <= last or last - first >= LINES:
        raise InvalidValue.of("lines", f"{first}-{last}", f"a window has from 1 to {LINES} lines, counted from 1")
    at = place.at(path)
    size = place.store.stat(at).file_size or 0
    passed, offset = 0, 0
    with place.store.open(at) as content:
        for chunk in content:
            if offset == 0:
                _check_text(path, chunk)
            ends = chunk.count(b"\n")
            if passed + ends >= first - 1:
                break
            passed += ends
            offset += len(chunk)
            _check_scanned(offset)
        else:
            chunk = b""
    start = 0
    while passed < first - 1:
        found = chunk.find(b"\n", start)
        if found < 0:
            return Lines(size, first, [], size, size, False, passed + (1 if size and not _ends(place, at, size) else 0))
        start = found + 1
        passed += 1
    return _window(place, at, size, offset + start, first, last - first + 1)


def read_from(place: Place, path: str, offset: int, count: int) -> Lines:
    """Lines from a byte on; a negative ``offset`` is one from the end, and begins with the next whole line."""
    if not 1 <= count <= LINES:
        raise InvalidValue.of("limit", count, f"a window has from 1 to {LINES} lines")
    at = place.at(path)
    size = place.store.stat(at).file_size or 0
    if offset < 0:
        offset = max(size + offset, 0)
        if offset:
            with place.store.open(at, offset, min(_LINE_LENGTH, size - offset)) as content:
                offset += content.read().find(b"\n") + 1
    return _window(place, at, size, min(offset, size), 1 if offset == 0 else None, count)


def _window(place: Place, at: str, size: int, offset: int, first: int | None, count: int) -> Lines:
    if offset >= size:
        return Lines(size, first, [], size, size, False)
    taken = min(_WINDOW_BYTES, size - offset)
    with place.store.open(at, offset, taken) as content:
        data = content.read()
    if offset == 0:
        _check_text(at, data)
    parts = data.split(b"\n", count)
    if len(parts) > count:
        lines, used = parts[:count], len(data) - len(parts[count])
    elif offset + taken < size and len(parts) > 1:
        lines, used = parts[:-1], len(data) - len(parts[-1])  # the last one goes on behind the window
    else:
        lines, used = (parts[:-1] if parts[-1] == b"" else parts), len(data)
    more = offset + used < size
    total = None if more or first is None else first - 1 + len(lines)
    return Lines(size, first, [_shown(line) for line in lines], offset, offset + used, more, total)


def _shown(line: bytes) -> str:
    text = line.removesuffix(b"\r").decode("utf-8", "replace")
    return text if len(text) <= _LINE_LENGTH else text[:_LINE_LENGTH] + "…"


def _ends(place: Place, at: str, size: int) -> bool:
    with place.store.open(at, size - 1, 1) as content:
        return content.read() == b"\n"


def _check_text(path: str, beginning: bytes) -> None:
    if b"\0" in beginning[:8192]:
        raise InvalidValue.of("path", path, "it is no text", hint="download it")


def _check_scanned(offset: int) -> None:
    if offset > _SCANNED_BYTES:
        raise TooLarge(f"this lies more than {_SCANNED_BYTES} bytes into the file",
                       hint="read on from a byte: offset=… with the next_offset of an answer before")


# Tables


def read_rows(place: Place, path: str, offset: int, limit: int) -> Rows:
    """Rows of a CSV, TSV or Parquet file, or of a table that was logged as JSON.

    Raises InvalidValue for what is no table, NotSupported for Parquet without pyarrow.
    """
    if offset < 0 or not 0 <= limit <= ROWS:
        raise InvalidValue.of("limit", limit, f"a window has at most {ROWS} rows, from row 0 on")
    suffix = path.lower().rpartition(".")[2]
    if suffix == "parquet":
        return _parquet(place, path, offset, limit)
    if suffix == "json":
        return _json(place, path, offset, limit)
    return _csv(place, path, offset, limit, "\t" if suffix == "tsv" else None)


def _csv(place: Place, path: str, offset: int, limit: int, delimiter: str | None) -> Rows:
    with place.store.open(place.at(path)) as content:
        lines = _text_lines(path, content)
        head = next(lines, "")
        if delimiter is None:
            delimiter = max(_DELIMITERS, key=lambda sign: (head.count(sign), -_DELIMITERS.index(sign)))
        try:
            reader = csv.reader(itertools.chain([head], lines), delimiter=delimiter)
            names = next(reader, [])
            passed = sum(1 for _ in itertools.islice(reader, offset))
            rows = list(itertools.islice(reader, limit))
            more = next(reader, None) is not None
        except csv.Error as error:
            raise InvalidValue.of("path", path, f"it is no table of values: {error}") from None
    width = max([len(names), *(len(row) for row in rows)], default=0)
    names = [name or f"column {index + 1}" for index, name in enumerate([*names, *[""] * (width - len(names))])]
    cols = [[row[index][:_CELL_LENGTH] if index < len(row) else None for row in rows] for index in range(width)]
    total = None if more else passed + len(rows)
    columns = [Column(name, _type(column)) for name, column in zip(names, cols, strict=True)]
    return Rows(columns, cols, offset, len(rows), more, total)


def _text_lines(path: str, content: Content) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    rest, scanned = "", 0
    for chunk in content:
        if not scanned:
            _check_text(path, chunk)
        scanned += len(chunk)
        _check_scanned(scanned)
        rest += decoder.decode(chunk)
        *whole, rest = rest.split("\n")
        for line in whole:
            yield line + "\n"
        if len(rest) > _WINDOW_BYTES:
            raise InvalidValue.of("path", path, f"it has a line longer than {_WINDOW_BYTES} characters")
    rest += decoder.decode(b"", final=True)
    if rest:
        yield rest


def _type(values: list[Any]) -> str:
    found = {_type_of(value) for value in values if value not in (None, "")}
    if found <= {"int"}:
        return "int" if found else "text"
    if found <= {"int", "float"}:
        return "float"
    return "bool" if found == {"bool"} else "text"


def _type_of(value: Any) -> str:
    if isinstance(value, bool) or (isinstance(value, str) and value.lower() in ("true", "false")):
        return "bool"
    if isinstance(value, (int, float)):
        return "int" if isinstance(value, int) else "float"
    try:
        float(value)
    except (TypeError, ValueError):
        return "text"
    return "int" if str(value).lstrip("+-").isdigit() else "float"


def json_in(place: Place, path: str, most: int, what: str, otherwise: str) -> Any:
    """What a file of JSON holds: ``what``, read whole, up to ``most`` bytes.

    Raises TooLarge beyond them, and InvalidValue, which says that the file is ``otherwise``.
    """
    at = place.at(path)
    if (place.store.stat(at).file_size or 0) > most:
        raise TooLarge(f"{what} is read whole, up to {most} bytes", hint="download it")
    with place.store.open(at) as content:
        try:
            return json.loads(content.read())
        except (ValueError, RecursionError) as error:
            raise InvalidValue.of("path", path, f"it is {otherwise}: {error}") from None


def _json(place: Place, path: str, offset: int, limit: int) -> Rows:
    """A table as ``{"columns": [names], "data": [rows]}``, or a list of objects."""
    found = json_in(place, path, _WHOLE_BYTES, "a table of JSON", "not JSON")
    if isinstance(found, dict) and isinstance(found.get("columns"), list) and isinstance(found.get("data"), list):
        names, data = [str(name) for name in found["columns"]], found["data"]
        rows = [row if isinstance(row, list) else [row] for row in data]
    elif isinstance(found, list) and found and all(isinstance(row, dict) for row in found):
        names = list(dict.fromkeys(str(name) for row in found for name in row))
        rows = [[row.get(name) for name in names] for row in found]
    else:
        raise InvalidValue.of("path", path, "it holds no table", hint="read it as text: …/lines")
    window = rows[offset : offset + limit]
    cols = [[_cell(row[index]) if index < len(row) else None for row in window] for index in range(len(names))]
    columns = [Column(name, _type(column)) for name, column in zip(names, cols, strict=True)]
    return Rows(columns, cols, offset, len(window), offset + len(window) < len(rows), len(rows))


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return text[:_CELL_LENGTH]


class _Ranges(io.RawIOBase):
    """A file of an artifact store that is read wherever the reader jumps."""

    def __init__(self, place: Place, at: str, size: int) -> None:
        self._place, self._at, self._size, self._position = place, at, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        left = max(self._size - self._position, 0)
        size = left if size is None or size < 0 else min(size, left)
        if not size:
            return b""
        with self._place.store.open(self._at, self._position, size) as content:
            data = content.read()
        self._position += len(data)
        return data


def _parquet(place: Place, path: str, offset: int, limit: int) -> Rows:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise NotSupported("this server reads no Parquet files: it has no pyarrow",
                           hint="pip install pyarrow beside the server, or download the file") from None
    at = place.at(path)
    source = _Ranges(place, at, place.store.stat(at).file_size or 0)
    try:
        file = pyarrow.parquet.ParquetFile(pyarrow.PythonFile(source, mode="r"))
        total: int = file.metadata.num_rows
        skip, wanted = offset, min(limit, max(total - offset, 0))
        rows: list[dict[str, Any]] = []
        groups: list[int] = []
        for group in range(file.metadata.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if not groups and skip >= size:
                skip -= size
            else:
                groups.append(group)
        for batch in file.iter_batches(batch_size=4096, row_groups=groups) if wanted and groups else ():
            if skip >= batch.num_rows:
                skip -= batch.num_rows
                continue
            rows += batch.slice(skip, wanted - len(rows)).to_pylist()
            skip = 0
            if len(rows) >= wanted:
                break
        names: list[str] = file.schema_arrow.names
    except pyarrow.ArrowException as error:
        raise InvalidValue.of("path", path, f"it is no Parquet file that can be read: {error}") from None
    cols = [[_cell(row[name]) for row in rows] for name in names]
    columns = [Column(name, _type(column)) for name, column in zip(names, cols, strict=True)]
    return Rows(columns, cols, offset, len(rows), offset + len(rows) < total, total)
