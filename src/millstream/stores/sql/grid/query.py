"""The table of runs, window by window."""

from __future__ import annotations

from collections.abc import Callable

from millstream.errors import InvalidValue
from millstream.operations import QueryRuns, RunTable
from millstream.stores.sql.driver import fetch
from millstream.stores.sql.grid.cells import column_of, read_cells
from millstream.stores.sql.grid.groups import grouped
from millstream.stores.sql.grid.ordered import Asked, Rows, rows_of, window_of
from millstream.stores.sql.records import find_rows
from millstream.stores.sql.transaction import Transaction, executes
from millstream.stores.sql.views.changes import state_of

MOST_ROWS = 5_000
MOST_CELLS = 500_000
MOST_COLUMNS = 2_000


@executes(QueryRuns)
def query_runs(transaction: Transaction, operation: QueryRuns) -> RunTable:
    if not 0 <= operation.limit <= MOST_ROWS:
        raise InvalidValue.of("limit", operation.limit, f"it must be at least 0 and at most {MOST_ROWS}")
    if operation.offset < 0:
        raise InvalidValue.of("offset", operation.offset, "it counts rows from 0")
    if len(operation.columns) > MOST_COLUMNS or len(operation.columns) * operation.limit > MOST_CELLS:
        raise InvalidValue.of(
            "columns", f"{len(operation.columns)} columns of {operation.limit} runs",
            f"at most {MOST_COLUMNS} columns and {MOST_CELLS} cells are read at once",
            hint="ask for fewer rows at a time",
        )
    columns = [column_of(text) for text in dict.fromkeys(operation.columns)]
    if operation.run_ids:
        if len(operation.run_ids) > MOST_ROWS:
            raise InvalidValue.of("run_ids", f"{len(operation.run_ids)} runs", f"at most {MOST_ROWS} at once")
        found = [row.id for row in find_rows(transaction, list(dict.fromkeys(operation.run_ids)))]
        ids, cols = read_cells(transaction, found, columns)
        return RunTable(total=len(ids), matched=len(ids), snapshot="", ids=ids, cols=cols)
    asked = Asked.of(
        operation.experiment_ids, operation.filter, operation.order_by, operation.view_type, tree=operation.tree,
        pinned=operation.pinned_first,
    )
    rows = rows_of(transaction, asked, operation.snapshot, state_of(transaction))
    if operation.group_by:
        return grouped(transaction, asked, rows, operation.group_by, columns, operation.offset, operation.limit)
    expanded = _expanded(transaction, operation) if operation.tree else None
    total, runs, depths = window_of(rows, operation.offset, operation.limit, expanded)
    ids, cols = read_cells(transaction, runs, columns)
    table = RunTable(total=total, matched=len(rows.runs), snapshot=rows.snapshot, ids=ids, cols=cols)
    return _in_tree(table, rows, runs, depths) if operation.tree else table


def _in_tree(table: RunTable, rows: Rows, runs: list[int], depths: list[int]) -> RunTable:
    return RunTable(
        total=table.total, matched=table.matched, snapshot=table.snapshot, ids=table.ids, cols=table.cols,
        depths=depths, children=[len(rows.children.get(run, ())) for run in runs],
    )


def _expanded(transaction: Transaction, operation: QueryRuns) -> Callable[[int], bool] | None:
    if not operation.expanded:
        return None
    if "*" in operation.expanded:
        return lambda run: True
    open_runs: set[int] = set()
    wanted = list(operation.expanded)
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        marks = ", ".join("?" * len(part))
        open_runs.update(
            row[0] for row in fetch(transaction.connection, f"SELECT id FROM runs WHERE run_id IN ({marks})", part)
        )
    return open_runs.__contains__
