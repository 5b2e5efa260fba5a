"""A job: files read chunk by chunk, predicted and written, in this process; the program of a model's own environment.

``python -m millstream.inference.job JOB TOLD PIPE`` runs the job in the file JOB (JSON) and writes to the file TOLD
what came of it: ``{"done": …}``, or ``{"error": …}`` in the form in which errors go over the wire. It ends when the
pipe with the number PIPE does, that is, with the process that started it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import msgspec

from millstream.errors import BadRequest, FunctionFailed, MillstreamError, SchemaMismatch
from millstream.flavors import prediction
from millstream.inference import answers, writing
from millstream.inference.faults import first_misfit
from millstream.inference.sources import Source
from millstream.inference.tables import Wanted, tables
from millstream.models import payloads, trust
from millstream.models.schema import ColSpec, DataType

if TYPE_CHECKING:
    from millstream.flavors.pyfunc.model import PyFuncModel

__all__ = ["Done", "Job", "run", "stopped_by_signals"]

_SECONDS_BETWEEN = 0.2


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done: ``inputs`` are paths (None: standard input) of files of one ``kind``.

    ``output`` (None: standard output) is written as ``unfinished`` until it is whole. ``rows`` are those of a chunk:
    None bounds them by their columns, 0 reads each file at once.
    """

    folder: str
    inputs: tuple[str | None, ...]
    kind: str
    output: str | None
    unfinished: str | None
    output_kind: str
    keep: tuple[str, ...] = ()
    params: dict[str, Any] | None = None
    rows: int | None = None


class Done(msgspec.Struct, frozen=True):
    """What was done: the rows that were predicted, of so many files, and the seconds that it took."""

    rows: int
    files: int
    seconds: float


class _Chunk(NamedTuple):
    """Data of one file; ``first`` is the place of its first row in the file, from 0, ``rows`` is None for no rows."""

    source: Source
    data: Any
    params: dict[str, Any] | None
    first: int = 0
    rows: int | None = None

    @property
    def place(self) -> str:
        """The same for messages."""
        if self.rows is None or self.source.kind == "json":
            return self.source.name
        return f"rows {self.first + 1} to {self.first + self.rows} of {self.source.name}"


def run(job: Job) -> Done:
    """Do a job. Nothing is at its output before all is.

    Raises BadRequest and SchemaMismatch for data that are not readable or do not fit, with file and row, FunctionFailed
    for a model that fails, and what loading it raises.
    """
    from millstream.flavors.pyfunc.loading import load_model

    began = time.monotonic()
    model = load_model(job.folder, suppress_warnings=True)
    places = [Path(name) if name else None for name in (job.output, job.unfinished)]
    with writing.target(*places) as stream, _Progress() as progress:
        out = writing.writer(job.output_kind, stream)
        try:
            for chunk, alone in _with_others(_chunks(job, model)):
                _put(out, job, chunk, model, alone)
                progress.add(chunk.rows or 0)
            out.close()
        except BaseException:
            with contextlib.suppress(Exception):
                out.abort()
            raise
    return Done(progress.rows, len(job.inputs), time.monotonic() - began)


def _chunks(job: Job, model: PyFuncModel) -> Iterator[_Chunk]:
    schema = model.metadata.get_input_schema()
    wanted = Wanted(schema, job.keep, job.rows)
    for path in job.inputs:
        source = Source(None if path is None else Path(path), job.kind)
        if job.kind == "json":
            yield _request(source, schema, job.params)
            continue
        first = 0
        for table in tables(source, wanted):
            yield _Chunk(source, table, job.params, first, len(table))
            first += len(table)


def _request(source: Source, schema: Any, params: dict[str, Any] | None) -> _Chunk:
    """The whole of a file that holds the body of a request."""
    with source.open() as stream:
        body = stream.read()
    try:
        data, told = payloads.parse(body.decode("utf-8"), schema)
    except (MillstreamError, UnicodeDecodeError) as error:
        said, hint = (error.message, error.hint) if isinstance(error, MillstreamError) else ("it is not UTF-8", None)
        raise BadRequest(f"{source.name}: {said}", hint=hint) from None
    columns = getattr(data, "columns", None)
    return _Chunk(source, data, {**(told or {}), **(params or {})} or None, 0, None if columns is None else len(data))


def _with_others(chunks: Iterator[_Chunk]) -> Iterator[tuple[_Chunk, bool]]:
    """Each chunk, and whether it is the only one."""
    before = next(chunks, None)
    if before is None:
        return
    alone = True
    for chunk in chunks:
        alone = False
        yield before, alone
        before = chunk
    yield before, alone


def _predicted(model: PyFuncModel, chunk: _Chunk) -> Any:
    schema = model.metadata.get_input_schema()
    data = chunk.data
    if chunk.rows is not None and schema is not None and schema.has_input_names():
        known = set(schema.input_names())
        data = data[[name for name in data.columns if name in known]]  # what is only kept is none of the model's
    try:
        return model.predict(data, chunk.params)
    except SchemaMismatch as error:
        found = None
        if chunk.rows:
            found = first_misfit(chunk.data, schema, texts=chunk.source.kind == "csv")
        if found is None:
            raise SchemaMismatch(f"{chunk.place}: {error.message}", hint=error.hint) from None
        raise SchemaMismatch(
            f"row {chunk.first + found.row + 1} of {chunk.source.name}: the column {found.column!r} should be "
            f"{found.wanted!r}, found {found.found}", hint="correct the row, or leave it out",
        ) from None
    except MillstreamError:
        raise
    except Exception as error:  # of the model's own code, or of a library
        hint = "its traceback tells where"
        if isinstance(error, ModuleNotFoundError):
            hint = ("the model's requirements lack it: give it with --pip-requirements-override, or for good with "
                    "`millstream models update-pip-requirements`")
        raise FunctionFailed(f"the model did not predict {chunk.place}: {type(error).__name__}: {error}",
                             hint=hint) from error


def _put(out: writing.Writer, job: Job, chunk: _Chunk, model: PyFuncModel, alone: bool) -> None:
    predicted = _predicted(model, chunk)
    kept = _kept(job, chunk, Wanted(model.metadata.get_input_schema()).specs)
    if kept is None and alone and job.output_kind == "json":
        out.write_value(predicted)
        return
    rows = chunk.rows
    if rows is None:
        rows = len(predicted) if isinstance(predicted, (list, tuple)) or getattr(predicted, "shape", None) else -1
    if answers.is_by_rows(predicted, rows):
        out.write(predicted, kept)
    elif alone and kept is None:
        out.write_value(predicted)
    else:
        told = f"{len(predicted)} predictions" if hasattr(predicted, "__len__") else f"a {type(predicted).__name__}"
        raise FunctionFailed(f"the model gave {told} for {chunk.place}: rows that are predicted in parts need one each",
                             hint="--chunk-rows 0 (chunk_rows=0) gives it the whole file at once")


def _kept(job: Job, chunk: _Chunk, specs: dict[Any, ColSpec]) -> Any:
    if not job.keep:
        return None
    if chunk.rows is None:
        raise BadRequest(f"{chunk.source.name} has no columns that could be kept",
                         hint="send rows: dataframe_split, dataframe_records, CSV, JSON lines or Parquet")
    for name in job.keep:
        if name not in chunk.data.columns:
            raise BadRequest(f"{chunk.source.name} has no column {name!r} to keep",
                             hint=f"it has {', '.join(map(str, list(chunk.data.columns)[:20]))}")
    kept = chunk.data[list(job.keep)]
    real = {name: "float64" for name in job.keep if (spec := specs.get(name)) is not None
            and spec.type in (DataType.float, DataType.double) and kept[name].dtype.kind in "iu"}
    return kept.astype(real)  # whole numbers in this chunk, which others need not have


class _Progress:
    """Rows, and rows a second, on a terminal; silent elsewhere."""

    def __init__(self) -> None:
        self.rows = 0
        self._shows = sys.stderr is not None and sys.stderr.isatty()
        self._began = self._told = time.monotonic()

    def add(self, rows: int) -> None:
        """Count what was predicted."""
        self.rows += rows
        now = time.monotonic()
        if self._shows and now - self._told >= _SECONDS_BETWEEN:
            self._told = now
            sys.stderr.write(f"\r\x1b[K{self.rows:,} rows, {self.rows / (now - self._began):,.0f} rows/s")
            sys.stderr.flush()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._shows and self._told > self._began:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """A polite request to end (SIGTERM, SIGHUP) ends the work inside as an exception does, so that it cleans up."""
    def stop(number: int, frame: Any) -> NoReturn:
        sys.exit(128 + number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def _end_with(pipe: int) -> None:
    while os.read(pipe, 4096):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


def main(arguments: list[str]) -> int:
    """Run the job in a file, and return the exit status."""
    asked, told, pipe = Path(arguments[0]), Path(arguments[1]), int(arguments[2])
    threading.Thread(target=_end_with, args=(pipe,), name="millstream-parent", daemon=True).start()
    job = msgspec.json.decode(asked.read_bytes(), type=Job)
    if os.environ.pop(prediction.TRUSTED, None):
        trust.vouch(Path(job.folder))
    try:
        with stopped_by_signals():
            answer: dict[str, Any] = {"done": run(job)}
    except MillstreamError as error:
        if error.__cause__ is not None:
            traceback.print_exception(error.__cause__)
        answer = {"error": error.to_wire()}
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output has gone, and the one that started us knows
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    told.write_bytes(msgspec.json.encode(answer))
    return int("error" in answer)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
