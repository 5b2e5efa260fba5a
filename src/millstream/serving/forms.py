"""Request bodies by their content type: what the model gets, and which requests it can be given together.

Small JSON is read in the event loop, which takes microseconds and tells which requests are alike: the same form, the
same columns, the same types in every row, the same params. Alike requests are merged as JSON, before they become one
table: that is what costs, for one row as for a hundred. A model that takes arrays of doubles gets no table at all, see
:meth:`millstream.flavors.pyfunc.model.PyFuncModel.on_arrays`. Whatever is big, or no JSON, is read by the thread that
predicts, alone.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from millstream.errors import BadRequest, UnknownContentType
from millstream.models import payloads
from millstream.models.schema import ColSpec, DataType, Schema

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
SMALL_BYTES = 64 * 1024
LARGE_BYTES = 256 * 1024
_decode = msgspec.json.Decoder().decode
_SCALARS = frozenset({int, float, str, bool, type(None)})
# Columns whose cells are read one by one, so that the other rows of a batch change nothing.
_PLAIN = frozenset({DataType.boolean, DataType.integer, DataType.long, DataType.float, DataType.double,
                    DataType.string})
_FLOATS = frozenset({DataType.float, DataType.double})
_EXACT = 2.0**53  # beyond it, not every whole number is a double


class Doubles:
    """How rows of nothing but doubles become one table, or (with an ``order`` in memory) one array, at once."""

    __slots__ = ("labels", "order")

    def __init__(self, labels: Any, order: Literal["C", "F"] | None) -> None:
        self.labels = labels
        self.order = order

    def __call__(self, rows: list[list[float]]) -> Any:
        """The data; None when a number is not exactly a double."""
        import numpy

        try:
            made = numpy.array(rows, dtype=numpy.float64, order=self.order or "C")
        except OverflowError:
            return None
        if numpy.abs(made).max() >= _EXACT:
            return None
        if self.order:
            return made
        import pandas

        return pandas.DataFrame(made, columns=self.labels.view())


class Asked:
    """One request: ``read()`` gives the data and params. Those with equal ``key``, not None, may be merged.

    ``doubles`` is there where the data are nothing else.
    """

    __slots__ = ("_body", "_kind", "_schema", "doubles", "key", "rows")

    def __init__(
        self, kind: str, body: Any, schema: Schema | None, key: Any = None, rows: int = 0,
        doubles: Doubles | None = None,
    ) -> None:
        self._kind = kind
        self._body = body
        self._schema = schema
        self.doubles = doubles
        self.key = key
        self.rows = rows

    @property
    def is_array(self) -> bool:
        """Whether the model gets an array of it."""
        return self.doubles is not None and self.doubles.order is not None

    def read(self) -> tuple[Any, dict[str, Any] | None]:
        """The data and params, for this request alone. Raises BadRequest."""
        if self._kind == JSON:
            body = self._body if isinstance(self._body, dict) else decoded(self._body)
            if not isinstance(body, dict):
                raise BadRequest("the body is JSON, and not an object",
                                 hint=f"send an object with one of {', '.join(payloads.FORMS)}")
            if self.doubles is not None and (numbers := self.doubles(_rows([self]))) is not None:
                return numbers, body.get("params")
            return payloads.parse(body, self._schema)
        return _table(self._kind, self._body, self._schema), None

    def merged(self, others: Sequence[Asked]) -> tuple[Any, dict[str, Any] | None]:
        """The data of this one and the ``others`` that are alike, one after the other, and the params of all."""
        asked = (self, *others)
        if self.doubles is not None and (numbers := self.doubles(_rows(asked))) is not None:
            return numbers, self._body.get("params")
        form = self.key[0]
        bodies = [one._body[form] for one in asked]
        if form == "dataframe_split":
            content: Any = {**bodies[0], "data": [row for body in bodies for row in body["data"]]}
        else:
            content = [row for body in bodies for row in body]
        return payloads.parse({**self._body, form: content}, self._schema)


def _rows(asked: Sequence[Asked]) -> list[list[Any]]:
    """The rows of these requests, which are tables."""
    if asked[0].key[0] == "dataframe_split":
        return [row for one in asked for row in one._body["dataframe_split"]["data"]]
    return [list(row.values()) for one in asked for row in one._body["dataframe_records"]]


def content_kind(header: bytes | None) -> str:
    """The content type that a header names. Raises UnknownContentType for one that is not read, or not in UTF-8."""
    name, *parameters = (header or b"").decode("latin-1").split(";")
    name = name.strip().lower()
    if name not in (JSON, CSV, PARQUET):
        told = f"the content type {name[:100]!r} is not read here" if name else "the request has no Content-Type"
        raise UnknownContentType(told, hint=f"send {JSON}, {CSV} or {PARQUET}")
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() != "charset":
            raise UnknownContentType(f"the content type has an unknown parameter {key.strip()[:100]!r}",
                                     hint=f"send it as '{name}', the form of the data is a name in the body")
        if value.strip().strip('"').lower() not in ("utf-8", "utf8"):
            raise UnknownContentType("text is read as UTF-8 only", hint=f"send it as '{name}; charset=utf-8'")
    return name


def decoded(body: bytes) -> Any:
    """The values of a JSON text; also of one with NaN, as Python writes it. Raises BadRequest."""
    try:
        return _decode(body)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return json.loads(body.decode("utf-8"))
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None
    except ValueError as error:
        raise BadRequest(f"the body is not JSON: {error}",
                         hint=f"send an object with one of {', '.join(payloads.FORMS)}") from None


class Reader:
    """Reads the requests to a model with this ``schema`` of inputs.

    ``arrays`` is the order in memory of the arrays that the model takes in place of tables of doubles; None when it
    does not.
    """

    def __init__(self, schema: Schema | None, arrays: Literal["C", "F"] | None = None) -> None:
        self._schema = schema
        self._tensors = schema is not None and schema.is_tensor_spec()
        columns = [spec for spec in schema or () if isinstance(spec, ColSpec)]
        # Whether requests may be merged at all.
        self.merges = self._tensors or all(spec.type in _PLAIN for spec in columns)
        self._floats = frozenset(spec.name for spec in columns if spec.type in _FLOATS)
        self._real = self._tensors and all(
            spec.type.kind == "f" for spec in schema or () if not isinstance(spec, ColSpec)
        )
        self._known: dict[Any, Any] = {}
        self._doubles = frozenset(spec.name for spec in columns if spec.type is DataType.double)
        self._arrays = arrays
        self._names = tuple(spec.name for spec in columns)
        self._made: dict[tuple[Any, ...], Doubles | None] = {}

    def read(self, kind: str, body: bytes, *, alone: bool) -> Asked:
        """The request in a ``body`` of this content type; ``alone`` says that it will not be merged."""
        if kind != JSON or len(body) > LARGE_BYTES:
            return Asked(kind, body, self._schema)
        values = decoded(body)
        if alone or not self.merges or len(body) > SMALL_BYTES or not isinstance(values, dict):
            return Asked(kind, values if isinstance(values, dict) else body, self._schema)
        key, rows = self._alike(values)
        return Asked(kind, values, self._schema, key, rows, self._doubles_of(key) if key is not None else None)

    def _alike(self, body: dict[str, Any]) -> tuple[Any, int]:
        """What requests have in common that may be merged, and the rows of this one; None for one that may not."""
        params = body.get("params")
        forms = [name for name in body if name != "params"]
        if len(forms) != 1 or (params is not None and not isinstance(params, dict)):
            return None, 0
        (form,) = forms
        content = body[form]
        names: tuple[Any, ...] | None = None
        if form == "dataframe_split":
            if not isinstance(content, dict) or content.keys() != {"columns", "data"}:
                return None, 0
            columns, rows = content["columns"], content["data"]
            if not isinstance(columns, list) or not isinstance(rows, list):
                return None, 0
            names = tuple(columns)
            kinds = self._same(names, rows) if set(map(type, columns)) <= _SCALARS else None
        elif form in ("dataframe_records", "instances", "inputs") and isinstance(content, list) and content:
            rows = content
            if all(type(row) is dict for row in rows):
                names = tuple(rows[0])
                if any(tuple(row) != names for row in rows):
                    return None, 0
                kinds = self._same(names, [list(row.values()) for row in rows])
            elif form == "dataframe_records":
                return None, 0
            else:
                kinds = _shape(rows, self._real)
        else:
            return None, 0
        if kinds is None or not rows:
            return None, 0
        return (form, names, kinds, None if params is None else msgspec.json.encode(params)), len(rows)

    def _doubles_of(self, key: tuple[Any, ...]) -> Doubles | None:
        """What makes a table or an array of such a request; None for one that is not all doubles."""
        form, names, kinds, params = key
        if form not in ("dataframe_split", "dataframe_records") or not names or set(kinds) != {float}:
            return None
        if (names, params is None) not in self._made:
            if len(self._made) >= 256:
                self._made.clear()
            self._made[names, params is None] = self._how(names, params is None)
        return self._made[names, params is None]

    def _how(self, names: tuple[Any, ...], plain: bool) -> Doubles | None:
        if self._arrays is not None and plain and names == self._names:
            return Doubles(None, self._arrays)
        if not self._doubles.issuperset(names):
            return None
        import pandas

        return Doubles(pandas.DataFrame(columns=list(names)).columns, None)

    def _same(self, names: tuple[Any, ...], rows: list[Any]) -> Any:
        """The types of the cells, the same in each row; None when they differ or hold more than one value."""
        found: Any = None
        for row in rows:
            if type(row) is not list or len(row) != len(names):
                return None
            types = tuple(map(type, row))
            kinds = self._known.get((names, types))
            if kinds is None:
                kinds = self._kinds(names, types)
            if not kinds or (found is not None and kinds != found):
                return None
            found = kinds
        return found

    def _kinds(self, names: tuple[Any, ...], types: tuple[type, ...]) -> Any:
        """The same with whole numbers as numbers, where the model has numbers; empty for what may not be merged."""
        kinds: tuple[type, ...] = ()
        if _SCALARS.issuperset(types):
            kinds = tuple(
                float if kind is int and name in self._floats else kind for name, kind in zip(names, types, strict=True)
            )
        if len(self._known) >= 256:
            self._known.clear()
        self._known[names, types] = kinds
        return kinds


def _shape(rows: Any, real: bool) -> Any:
    """The lengths below the first and the one type of the numbers or texts of nested lists; None when they differ.

    ``real`` says that whole numbers count as numbers.
    """
    kinds = set(map(type, rows))
    if real and kinds and kinds <= {int, float}:
        return float
    if len(kinds) != 1:
        return None
    (kind,) = kinds
    if kind is not list:
        return kind if kind in _SCALARS else None
    shapes = {_shape(row, real) for row in rows}
    lengths = set(map(len, rows))
    if len(shapes) != 1 or None in shapes or len(lengths) != 1:
        return None
    return lengths.pop(), shapes.pop()


def _table(kind: str, body: bytes, schema: Schema | None) -> Any:
    """The table of a CSV text or a Parquet file. Raises BadRequest."""
    import pandas

    columns = {spec.name: spec.type for spec in schema or () if isinstance(spec, ColSpec) and spec.name is not None}
    if kind == PARQUET:
        try:
            return pandas.read_parquet(io.BytesIO(body))
        except ImportError:
            raise UnknownContentType("Parquet is not read here: the model's environment has no pyarrow",
                                     hint=f"send {JSON}, or add pyarrow to the model's requirements") from None
        except (ValueError, OSError) as error:
            raise BadRequest(f"the body is no Parquet file: {_first_line(error)}",
                             hint="DataFrame.to_parquet() writes one") from None
    texts = {name: str for name, kind in columns.items() if kind is DataType.string}
    try:
        table = pandas.read_csv(io.BytesIO(body), dtype=texts, encoding="utf-8")
        for name, type_ in columns.items():
            if type_ is DataType.datetime and name in table:
                table[name] = pandas.to_datetime(table[name])
        return table
    except ValueError as error:
        raise BadRequest(f"the body is no CSV: {_first_line(error)}",
                         hint="its first line names the columns, as DataFrame.to_csv(index=False) writes them"
                         ) from None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]
