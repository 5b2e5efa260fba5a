"""All runs of a table as one file, row after row: CSV for spreadsheets, JSON lines for programs.

A spreadsheet takes a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, and runs it. What is logged may
be anything, so a text that begins so gets an apostrophe in front, which makes it a text there; numbers stay numbers.
"""

from __future__ import annotations

import csv
import datetime
import io
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from millstream.errors import InvalidValue
from millstream.operations import ListColumns, QueryRuns, RunTable
from millstream.server.files import disposition
from millstream.server.messages import Request, StreamedReply
from millstream.web.headers import HeaderList

_ATTRIBUTES = ("run_id", "run_name", "status", "user_id", "start_time", "end_time", "duration", "experiment_id")
_TIMES = frozenset({"attributes.start_time", "attributes.end_time"})
_COLUMNS_AT_ONCE = 500
_ROWS_AT_ONCE = 1_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_KIND_PREFIX = {"metric": "metrics.", "param": "params.", "tag": "tags."}
_FORMATS = {"csv": b"text/csv; charset=utf-8", "jsonl": b"application/jsonl; charset=utf-8"}


@dataclass
class _Table:
    """The table that is exported, read window by window of one snapshot."""

    request: Request
    asked: QueryRuns
    columns: list[str]

    async def window(self, offset: int, snapshot: str | None) -> RunTable:
        """Rows from ``offset`` on, with all columns."""
        parts = [
            self.columns[start : start + _COLUMNS_AT_ONCE] for start in range(0, len(self.columns), _COLUMNS_AT_ONCE)
        ]
        table: RunTable | None = None
        for part in parts or [[]]:
            asked = msgspec.structs.replace(
                self.asked, columns=part, offset=offset, limit=_ROWS_AT_ONCE, snapshot=snapshot
            )
            found: RunTable = await self.request.app.execution.answer(asked, self.request.principal)
            snapshot = found.snapshot
            if table is None:
                table = found
            else:
                table.cols.update(found.cols)
        assert table is not None
        return table


async def runs(request: Request) -> StreamedReply:
    """``GET /v1/runs/export``: the whole of a table of runs as a file, with these columns or all there are."""
    fields = request.lists()
    form = (fields.get("format") or ["csv"])[0]
    if form not in _FORMATS:
        raise InvalidValue.of("format", form, f"it is none of {', '.join(_FORMATS)}")
    experiments = fields.get("experiment_ids", [])
    asked = QueryRuns(
        experiments, filter=request.fields.get("filter"), order_by=fields.get("order_by", []),
        view_type=request.fields.get("view_type") or "ACTIVE_ONLY",
    )
    columns = list(dict.fromkeys(fields.get("columns", []))) or await _all_columns(request, experiments)
    table = _Table(request, asked, columns)
    first = await table.window(0, None)  # says what is wrong before the file begins
    write = _csv_rows if form == "csv" else _json_rows
    headers: HeaderList = [
        (b"content-disposition", disposition(f"runs.{form}")), (b"cache-control", b"no-store"),
        (b"content-security-policy", b"sandbox; default-src 'none'"),
    ]
    return StreamedReply(_rows(table, first, write), None, _FORMATS[form], headers=headers)


async def _all_columns(request: Request, experiments: list[str]) -> list[str]:
    found = await request.app.execution.answer(ListColumns(experiments), request.principal)
    keys = [
        _KIND_PREFIX[column.kind] + column.key for column in found.columns if not column.key.startswith("mlflow.")
    ]
    return [*(f"attributes.{name}" for name in _ATTRIBUTES), *keys]


_Write = Callable[[list[str], RunTable, bool], bytes]


async def _rows(table: _Table, first: RunTable, write: _Write) -> AsyncGenerator[bytes, None]:
    window, offset = first, 0
    while True:
        yield await table.request.app.execution.in_thread(write, table.columns, window, offset == 0)
        offset += len(window.ids)
        if not window.ids or offset >= window.total:
            return
        window = await table.window(offset, first.snapshot)


def _csv_rows(columns: list[str], window: RunTable, begins: bool) -> bytes:
    written = io.StringIO()
    writer = csv.writer(written)
    if begins:
        writer.writerow([_safe(column) for column in columns])
    cells = [_csv_cells(column, window.cols[column]) for column in columns]
    writer.writerows(zip(*cells, strict=True) if cells else [[] for _ in window.ids])
    return written.getvalue().encode()


def _csv_cells(column: str, values: list[Any]) -> list[Any]:
    """A column as the writer takes it, which leaves None empty."""
    if column.startswith(("params.", "tags.")):
        return [value if not value or value[0] not in _FORMULA else _safe(value) for value in values]
    if column in _TIMES:
        return [value if value is None else _moment(value) for value in values]
    if column.startswith("attributes."):
        return [_safe("; ".join(map(str, value)) if isinstance(value, list) else value) for value in values]
    return values  # of metrics: numbers, and the words for what is no number


def _moment(milliseconds: int) -> str:
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _safe(text: Any) -> Any:
    if not isinstance(text, str) or not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return "'" + text
    return text


def _json_rows(columns: list[str], window: RunTable, begins: bool) -> bytes:
    rows: Iterable[tuple[Any, ...]] = zip(window.ids, *(window.cols[column] for column in columns), strict=True)
    names = ["run_id", *columns]
    encode = msgspec.json.Encoder().encode
    return b"".join(encode(dict(zip(names, row, strict=True))) + b"\n" for row in rows)
