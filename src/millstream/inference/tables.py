"""Tables read in chunks: CSV, JSON lines and Parquet, in the types of the model's signature.

CSV is what pandas says it is, with its numbers read exactly: Arrow's reader of CSV, which knows other rules for what is
missing and what is quoted, was measured to be no faster on one core.
"""

from __future__ import annotations

import importlib.util
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from millstream.errors import BadRequest, NotSupported
from millstream.inference.sources import Source
from millstream.models import payloads
from millstream.models.schema import ColSpec, DataType, Schema

if TYPE_CHECKING:
    import pandas

__all__ = ["Wanted", "tables"]

# A chunk has that many rows, fewer of wide tables: what is held at one time is bounded by its cells.
ROWS = 50_000
CELLS = 2_000_000
_NUMBERS = (DataType.boolean, DataType.integer, DataType.long, DataType.float, DataType.double)
# What pandas takes for missing in CSV (https://pandas.pydata.org/docs/reference/api/pandas.read_csv.html).
_MISSING = ["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
            "NA", "NULL", "NaN", "None", "n/a", "nan", "null"]
_BLOCK = 4 * 1024 * 1024


@dataclass(frozen=True)
class Wanted:
    """What is read of a table: the columns of ``schema`` and those to ``keep``, ``rows`` at a time (0: all at once)."""

    schema: Schema | None = None
    keep: Sequence[str] = ()
    rows: int | None = None

    @property
    def specs(self) -> dict[Any, ColSpec]:
        """The named columns of the model."""
        return {spec.name: spec for spec in self.schema or () if isinstance(spec, ColSpec) and spec.name is not None}

    @property
    def names(self) -> list[str] | None:
        """The names of all columns that are needed; None when the model takes whatever there is."""
        specs = self.specs
        return [*dict.fromkeys([*specs, *self.keep])] if specs else None

    def count(self, columns: int) -> int | None:
        """The rows of a chunk of a table with that many columns; None for all."""
        if self.rows is not None:
            return self.rows or None
        return max(1, min(ROWS, CELLS // max(1, columns)))


def tables(source: Source, wanted: Wanted) -> Iterator[pandas.DataFrame]:
    """The table in ``source``, chunk by chunk. Raises BadRequest, which names file and line, for what is none."""
    return {"csv": _csv, "jsonl": _lines, "parquet": _parquet}[source.kind](source, wanted)


# CSV

def _csv(source: Source, wanted: Wanted) -> Iterator[pandas.DataFrame]:
    import pandas

    specs = wanted.specs
    texts = {name: str for name, spec in specs.items() if spec.type not in _NUMBERS}
    texts |= {name: str for name in wanted.keep if name not in specs}
    options: dict[str, Any] = {"dtype": texts, "encoding": "utf-8", "low_memory": False}
    if specs:  # a column that is only kept is text, also where it is "NA"
        options |= {"keep_default_na": False, "na_values": dict.fromkeys(specs, _MISSING)}
    if tuple(map(int, pandas.__version__.split(".")[:2])) < (3, 1):  # later ones read every number exactly
        options["float_precision"] = "round_trip"
    with source.open() as stream:
        try:
            # How wide the table is shows its first line, as far as it is there at once.
            width = len(wanted.names or ()) or stream.peek(_BLOCK).partition(b"\n")[0].count(b",") + 1
            rows = wanted.count(width)
            if rows is None:
                yield _typed(pandas.read_csv(stream, **options), specs)
                return
            with pandas.read_csv(stream, chunksize=rows, **options) as reader:
                for table in reader:
                    yield _typed(table, specs)
        except (ValueError, OSError, EOFError) as error:
            raise _unreadable(source, "CSV", error) from None


def _typed(table: pandas.DataFrame, specs: dict[Any, ColSpec]) -> pandas.DataFrame:
    """Texts as the dates, bytes and values of several parts that the model's columns hold; those that are none stay."""
    for name, spec in specs.items():
        if spec.type in _NUMBERS or spec.type is DataType.string or name not in table:
            continue
        composite = not isinstance(spec.type, DataType)
        table[name] = [
            payloads.decoded(_parsed(value) if composite else value, spec.type) if isinstance(value, str) else
            None if composite else value for value in table[name]
        ]
    return table


def _parsed(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


# JSON lines

def _lines(source: Source, wanted: Wanted) -> Iterator[pandas.DataFrame]:
    decode = msgspec.json.Decoder().decode
    held: list[dict[str, Any]] = []
    rows: int | None = None
    given = 0
    try:
        with source.open() as stream:
            for number, line in enumerate(stream, 1):
                if not line.strip():
                    continue
                try:
                    row = decode(line)
                except msgspec.DecodeError:
                    row = _python_json(source, number, line)
                if not isinstance(row, dict):
                    raise BadRequest(f"line {number} of {source.name} holds no JSON object",
                                     hint='each line is a row: {"column": value, …}')
                if not held and not given:
                    rows = wanted.count(len(row))
                held.append(row)
                if len(held) == rows:
                    yield _of_rows(held, given, wanted)
                    given += len(held)
                    held = []
    except (OSError, EOFError) as error:
        raise _unreadable(source, "JSON", error) from None
    if held:
        yield _of_rows(held, given, wanted)


def _python_json(source: Source, number: int, line: bytes) -> Any:
    """The value of a line as Python writes JSON, with NaN."""
    try:
        return json.loads(line)
    except ValueError as error:
        raise BadRequest(f"line {number} of {source.name} is not JSON: {error}",
                         hint='each line is a row: {"column": value, …}') from None


def _of_rows(rows: list[dict[str, Any]], given: int, wanted: Wanted) -> pandas.DataFrame:
    import pandas

    names = list(dict.fromkeys(name for row in rows for name in row))
    table = payloads.frame(names, [[row.get(name) for row in rows] for name in names], wanted.schema)
    table.index = pandas.RangeIndex(given, given + len(rows))
    return table


# Parquet

def _parquet(source: Source, wanted: Wanted) -> Iterator[pandas.DataFrame]:
    if not _has_arrow():
        raise NotSupported(f"{source.name} is not read here, as there is no pyarrow", hint="pip install pyarrow")
    import pandas
    import pyarrow
    from pyarrow import parquet

    done = 0
    try:
        with source.open() as stream:
            file = parquet.ParquetFile(stream if source.path is not None else io.BytesIO(stream.read()))
            present = file.schema_arrow.names
            names = [name for name in wanted.names if name in present] if wanted.names else present
            rows = wanted.count(len(names)) or max(1, file.metadata.num_rows)
            for batch in file.iter_batches(batch_size=rows, columns=names):
                # An index that pandas kept is not the model's.
                table = pyarrow.Table.from_batches([batch]).to_pandas(date_as_object=False, ignore_metadata=True)
                table.index = pandas.RangeIndex(done, done + len(table))
                done += len(table)
                yield table
    except (pyarrow.ArrowInvalid, OSError, EOFError) as error:
        raise _unreadable(source, "Parquet", error) from None


def _has_arrow() -> bool:
    return importlib.util.find_spec("pyarrow") is not None


def _unreadable(source: Source, form: str, error: Exception) -> BadRequest:
    hint = {"CSV": "its first line names the columns, as DataFrame.to_csv(index=False) writes them",
            "Parquet": "DataFrame.to_parquet() writes one"}.get(form)
    said = str(error).strip().removeprefix("Error tokenizing data. C error: ").partition("\n")[0][:300]
    return BadRequest(f"{source.name} is no {form}: {said}", hint=hint)
