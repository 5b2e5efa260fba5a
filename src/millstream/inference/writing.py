"""Predictions written as they are made: JSON, JSON lines, CSV and Parquet, to a file that appears when it is whole."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import msgspec

from millstream.errors import AlreadyExists, FunctionFailed, InvalidValue, NotFound, NotSupported
from millstream.inference import answers
from millstream.inference.sources import KINDS

if TYPE_CHECKING:
    import pandas

__all__ = ["Writer", "beside", "check_target", "output_kind", "target", "writer"]

_encode = msgspec.json.Encoder().encode
_WHOLE = "predict the file at once with --chunk-rows 0 (chunk_rows=0)"


def output_kind(asked: str | None, path: str | os.PathLike[str] | None) -> str:
    """How predictions are written: as asked, else as the name of the file ends, else JSON. Raises InvalidValue."""
    kind = asked or (KINDS.get(Path(path).suffix.lower()) if path is not None else None) or "json"
    if kind not in KINDS.values():
        raise InvalidValue.of("output_type", kind, f"it is none of {', '.join(dict.fromkeys(KINDS.values()))}")
    return kind


def check_target(path: Path, *, overwrite: bool) -> None:
    """Raises AlreadyExists for a file that must not be overwritten, InvalidValue and NotFound for no place for one."""
    if path.is_dir():
        raise InvalidValue(f"{path} is a folder, and predictions are written to one file", hint="name a file in it")
    if path.exists() and not overwrite:
        raise AlreadyExists(f"{path} is there already", hint="name another file, or overwrite it with --force")
    if not path.parent.is_dir():
        raise NotFound(f"there is no folder {path.parent}", hint="make it first")


def beside(path: Path) -> Path:
    """A name beside ``path`` for what is not yet whole."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}")


@contextlib.contextmanager
def target(path: Path | None, unfinished: Path | None = None) -> Iterator[BinaryIO]:
    """Where predictions go: standard output, or the file ``unfinished`` that becomes ``path`` when all went well.

    The file is on the disk then. Whatever ends the writing before leaves neither of both.
    """
    if path is None or unfinished is None:
        with _standard_output() as stream:
            yield stream
        return
    try:
        with open(unfinished, "xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    """Standard output for predictions alone: what the model prints meanwhile goes to standard error."""
    out = sys.stdout
    out.flush()
    with contextlib.redirect_stdout(sys.stderr):
        yield cast(BinaryIO, getattr(out, "buffer", None) or _Texts(out))
    out.flush()


class _Texts:
    """A stream of text, as notebooks have, for bytes."""

    def __init__(self, out: Any) -> None:
        self._out = out

    def write(self, data: bytes) -> int:
        """Write UTF-8. Raises InvalidValue for what is no text."""
        try:
            self._out.write(bytes(data).decode("utf-8"))
        except UnicodeDecodeError:
            raise InvalidValue("Parquet cannot be printed", hint="give an output path") from None
        return len(data)

    def flush(self) -> None:
        """Show what was written."""
        self._out.flush()


class Writer(ABC):
    """Takes predictions chunk by chunk; ``kept`` are columns of the input that go beside them."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream

    @abstractmethod
    def write(self, predicted: Any, kept: pandas.DataFrame | None) -> None:
        """Write the predictions for the rows of one chunk, one a row."""

    def write_value(self, predicted: Any) -> None:
        """Write a prediction that is not one a row: all that there is. Raises FunctionFailed where that has no form."""
        raise FunctionFailed(f"the model gave a {type(predicted).__name__} for all rows together, which is no table",
                             hint="write it as JSON: --output-type json")

    def close(self) -> None:
        """Write what comes last."""
        self.stream.flush()

    def abort(self) -> None:
        """Let go of what is open, of an output that will not be whole."""
        return


class _Json(Writer):
    """``{"predictions": [...]}``, the answer of a scoring server, in parts."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        self._end = b""

    def write(self, predicted: Any, kept: pandas.DataFrame | None) -> None:
        if isinstance(predicted, dict) and kept is None:
            raise FunctionFailed("the model gives columns under names, which are one object in JSON and no list",
                                 hint=f"write jsonl, csv or parquet, or {_WHOLE}")
        rows = answers.values(predicted) if kept is None else list(_objects(predicted, kept))
        text = _encode(rows)[1:-1]
        if text:
            self.stream.write((b", " if self._end else b'{"predictions": [') + text)
            self._end = b"]}\n"

    def write_value(self, predicted: Any) -> None:
        self.stream.write(b'{"predictions": %s' % _encode(answers.values(predicted)))
        self._end = b"}\n"

    def close(self) -> None:
        self.stream.write(self._end or b'{"predictions": []}\n')


class _Lines(Writer):
    """An object on each line."""

    def write(self, predicted: Any, kept: pandas.DataFrame | None) -> None:
        lines = [_encode(row) for row in _objects(predicted, kept)]
        self.stream.write(b"".join(line + b"\n" for line in lines))


class _Csv(Writer):
    """A table, whose first line names the columns; values of several parts are JSON."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        self._names: list[str] | None = None

    def write(self, predicted: Any, kept: pandas.DataFrame | None) -> None:
        table = _table(predicted, kept)
        for place, name in enumerate(table.columns):
            column = table.iloc[:, place]
            if column.dtype == object and any(isinstance(value, (list, dict)) or _is_array(value) for value in column):
                table[name] = [_encode(answers.values(value)).decode() for value in column]
        if self._names not in (None, list(table.columns)):
            raise FunctionFailed(f"the model gave the columns {self._names} for some rows and "
                                 f"{list(table.columns)} for others", hint="write it as jsonl")
        text = table.to_csv(index=False, header=self._names is None, lineterminator="\n")
        self._names = list(table.columns)
        self.stream.write(text.encode("utf-8"))


class _Parquet(Writer):
    """A Parquet file with a row group for each chunk, in the types of the first."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        self._writer: Any = None
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise NotSupported("Parquet is not written here, as there is no pyarrow",
                               hint="pip install pyarrow") from None

    def write(self, predicted: Any, kept: pandas.DataFrame | None) -> None:
        import pyarrow
        from pyarrow import parquet

        table = _table(predicted, kept)
        for place, name in enumerate(table.columns):
            column = table.iloc[:, place]
            if column.dtype == object and any(_is_array(value) for value in column):
                table[name] = [answers.values(value) for value in column]
        schema = None if self._writer is None else self._writer.schema
        try:
            made = pyarrow.Table.from_pandas(table, schema=schema, preserve_index=False)
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, KeyError) as error:
            raise FunctionFailed(f"the predictions have no form in Parquet, or another than those before: {error}",
                                 hint="write them as jsonl") from None
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self.stream, made.schema)
        self._writer.write_table(made)

    def close(self) -> None:
        import pyarrow
        from pyarrow import parquet

        if self._writer is None:
            self._writer = parquet.ParquetWriter(self.stream, pyarrow.schema([]))
        self._writer.close()

    def abort(self) -> None:
        if self._writer is not None:
            self._writer.close()


def writer(kind: str, stream: BinaryIO) -> Writer:
    """The writer of a kind of file."""
    kinds: dict[str, type[Writer]] = {"json": _Json, "jsonl": _Lines, "csv": _Csv, "parquet": _Parquet}
    return kinds[kind](stream)


def _table(predicted: Any, kept: pandas.DataFrame | None) -> pandas.DataFrame:
    import pandas

    made = answers.columns(predicted)
    if kept is None:
        return pandas.DataFrame(made)
    if both := [name for name in made if name in kept]:
        raise InvalidValue(f"the model gives a column {both[0]!r} itself, so that the one of the input cannot be kept",
                           hint="keep it under another name in the input")
    return pandas.DataFrame({**{name: kept[name].array for name in kept}, **made})


def _objects(predicted: Any, kept: pandas.DataFrame | None) -> Iterator[dict[str, Any]]:
    """An object of JSON values for each row."""
    table = _table(predicted, kept)
    parts = [answers.values(table.iloc[:, place]) for place in range(len(table.columns))]
    names = list(table.columns)
    for row in zip(*parts, strict=True):
        yield dict(zip(names, row, strict=True))


def _is_array(value: Any) -> bool:
    return type(value).__name__ == "ndarray"
