"""A process that scores Arrow columns in the model's own environment, and the pipe by which it is asked.

``python -m millstream.inference.scoring_process`` reads from standard input and writes to what standard output is when
it starts; what the model prints goes to standard error. Both directions carry messages: a byte that tells JSON from
Arrow, the length as eight bytes, big-endian, and so many bytes. The first message is an :class:`Order`, each later one
a stream of Arrow's with one batch of columns, and so is its answer: one column. An error is JSON, in the form in which
errors go over the wire. The process ends with the pipe, and so with the process that started it, however that ends.
"""

from __future__ import annotations

import base64
import contextlib
import os
import struct
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from millstream.errors import CorruptModel, EnvironmentFailed, MillstreamError, from_wire
from millstream.models import trust

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Order", "ScoringProcess", "type_from", "type_text"]

_HEAD = struct.Struct(">cQ")
_JSON, _ARROW = b"j", b"a"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Which model scores, and what its results are: ``result`` is a type as :func:`type_text` writes it."""

    folder: str
    result: str
    params: dict[str, Any] | None = None
    config: dict[str, Any] | None = None
    trusted: bool = False
    timezone: str = "UTC"


def type_text(wanted: pyarrow.DataType) -> str:
    """An Arrow type as text that any version of Arrow reads."""
    import pyarrow

    return base64.b64encode(pyarrow.schema([pyarrow.field("result", wanted)]).serialize().to_pybytes()).decode("ascii")


def type_from(text: str) -> pyarrow.DataType:
    """The type that :func:`type_text` wrote."""
    import pyarrow

    return pyarrow.ipc.read_schema(pyarrow.py_buffer(base64.b64decode(text))).field(0).type


class ScoringProcess:
    """A model that scores in another process, by the interpreter ``python`` and with these environment variables.

    ``held`` is let go of when the process has ended. Called like a :class:`millstream.inference.scoring.Scorer`. Raises
    EnvironmentFailed when the process ends, and what loading the model raises.
    """

    def __init__(
        self, python: Path, order: Order, variables: Mapping[str, str], held: contextlib.ExitStack | None = None
    ) -> None:
        self._python = python
        self._held = held or contextlib.ExitStack()
        self._process = subprocess.Popen(
            [str(python), "-m", __name__], env=dict(variables), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        try:
            self._ask(_JSON, msgspec.json.encode(order))
        except BaseException:
            self.close()
            raise

    def __call__(self, columns: Sequence[pyarrow.Array]) -> pyarrow.Array:
        """The results for these columns."""
        import pyarrow

        named = pyarrow.RecordBatch.from_arrays(list(columns), [str(place) for place in range(len(columns))])
        try:
            return _batch(self._ask(_ARROW, _stream(named))).column(0)
        except MillstreamError:
            raise
        except BaseException:  # whoever asks next must not get this answer
            self.close()
            raise

    @property
    def is_running(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def _ask(self, kind: bytes, content: bytes | pyarrow.Buffer) -> bytes:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            _write(self._process.stdin, kind, content)
            answered = _read(self._process.stdout)
        except BrokenPipeError:
            answered = None
        if answered is None:
            self.close()
            raise EnvironmentFailed(
                f"the process that scores ended with status {self._process.returncode} and no answer",
                hint=f"its last words are in the log of the executor; it ran {self._python}",
            )
        kind, content = answered
        if kind == _JSON:
            told = msgspec.json.decode(content)
            if told is not None:
                raise from_wire(told)
        return content

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was still to be written
                    stream.close()
        self._process.wait()
        self._held.close()


def _stream(batch: pyarrow.RecordBatch) -> pyarrow.Buffer:
    import pyarrow

    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def _batch(content: bytes) -> pyarrow.RecordBatch:
    import pyarrow

    with pyarrow.ipc.open_stream(pyarrow.py_buffer(content)) as reader:
        return reader.read_next_batch()


def _write(stream: Any, kind: bytes, content: bytes | pyarrow.Buffer) -> None:
    stream.write(_HEAD.pack(kind, len(content) if isinstance(content, bytes) else content.size))
    stream.write(content)
    stream.flush()


def _read(stream: Any) -> tuple[bytes, bytes] | None:
    """A message; None when the other side has gone."""
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    kind, length = _HEAD.unpack(head)
    content = stream.read(length)
    return (kind, content) if len(content) == length else None


def main() -> int:
    """Answer until the pipe ends, and return the exit status."""
    given, told = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    score: Any = None
    while (message := _read(given)) is not None:
        try:
            if message[0] == _JSON:
                score = _loaded(msgspec.json.decode(message[1], type=Order))
                _answer(told, _JSON, b"null")
            else:
                import pyarrow

                made = score(_batch(message[1]).columns)
                _answer(told, _ARROW, _stream(pyarrow.RecordBatch.from_arrays([made], ["result"])))
        except Exception as error:
            traceback.print_exc()
            known = error if isinstance(error, MillstreamError) else CorruptModel(
                f"the model is not to be loaded: {type(error).__name__}: {error}", hint="its traceback tells where")
            _answer(told, _JSON, msgspec.json.encode(known.to_wire()))
    return 0


def _answer(told: BinaryIO, kind: bytes, content: bytes | pyarrow.Buffer) -> None:
    _write(told, kind, content)


def _loaded(order: Order) -> Any:
    from millstream.flavors.pyfunc.loading import load_model
    from millstream.inference.scoring import Scorer

    if order.trusted:
        trust.vouch(Path(order.folder))
    model = load_model(order.folder, suppress_warnings=True, model_config=order.config)
    return Scorer(model, type_from(order.result), order.params, order.timezone)


if __name__ == "__main__":
    sys.exit(main())
