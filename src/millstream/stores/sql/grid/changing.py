"""One change of many runs, some at a time: each batch is a transaction, so that others write in between."""

from __future__ import annotations

from millstream.entities import RunTag
from millstream.errors import InvalidValue
from millstream.operations import ChangedRuns, ChangeRuns, SetTag
from millstream.stores.sql.driver import fetch, many
from millstream.stores.sql.grid.ordered import Asked, base, bound_of, matching
from millstream.stores.sql.grid.values import chunked, within
from millstream.stores.sql.logging import checked_tags, log
from millstream.stores.sql.records import find_rows
from millstream.stores.sql.transaction import Transaction, executes, find_experiment, now_ms

MOST_RUNS = 5_000
_VIEWS = {"tag": "ACTIVE_ONLY", "delete": "ACTIVE_ONLY", "restore": "DELETED_ONLY"}
_ALL = 2**63 - 1


@executes(ChangeRuns)
def change_runs(transaction: Transaction, operation: ChangeRuns) -> ChangedRuns:
    view = _VIEWS.get(operation.action)
    if view is None:
        raise InvalidValue.of("action", operation.action, f"it is none of {', '.join(_VIEWS)}")
    if not 1 <= operation.limit <= MOST_RUNS:
        raise InvalidValue.of("limit", operation.limit, f"it must be from 1 to {MOST_RUNS}")
    for field, given in (("run_ids", operation.run_ids), ("except_run_ids", operation.except_run_ids)):
        if len(given) > MOST_RUNS:
            raise InvalidValue.of(field, f"{len(given)} runs", f"at most {MOST_RUNS} are named at once")
    if operation.action == "tag":
        checked_tags([RunTag(operation.key, operation.value)], "tag")
    for experiment in dict.fromkeys(operation.experiment_ids):
        find_experiment(transaction, experiment, active=operation.action == "restore")
    asked = Asked.of(operation.experiment_ids, operation.filter, [], view)
    left = _left(transaction, operation, asked)
    batch, rest = left[: operation.limit], left[operation.limit :]
    run_ids = _changed(transaction, operation, batch)
    return ChangedRuns(run_ids, str(batch[-1]) if rest else None)


def _left(transaction: Transaction, operation: ChangeRuns, asked: Asked) -> list[int]:
    """The runs that are to be changed after the page token, by their numbers."""
    bound = bound_of(operation.snapshot) if operation.snapshot else _ALL
    after = _after(operation.page_token)
    runs = {run for run in base(transaction, asked, bound) if run > after}
    if operation.run_ids:
        runs &= {row.id for row in find_rows(transaction, list(dict.fromkeys(operation.run_ids)))}
    chosen = matching(transaction, asked)
    if chosen is not None:
        runs &= chosen
    if operation.except_run_ids:
        runs -= {row.id for row in find_rows(transaction, list(dict.fromkeys(operation.except_run_ids)))}
    return sorted(runs)


def _after(token: str | None) -> int:
    if token is None:
        return 0
    if not (token.isascii() and token.isdigit() and len(token) < 19):
        raise InvalidValue.of("page_token", token, "no answer gave it", hint="leave it out to begin anew")
    return int(token)


def _changed(transaction: Transaction, operation: ChangeRuns, runs: list[int]) -> list[str]:
    connection = transaction.connection
    run_ids: list[str] = []
    for chunk in chunked(runs):
        rows = fetch(connection, f"SELECT run_id FROM runs WHERE {within('id', chunk)} ORDER BY id")
        run_ids.extend(row[0] for row in rows)
    if operation.action == "tag":
        for error in log(transaction, [SetTag(run_id, operation.key, operation.value) for run_id in run_ids]):
            if error is not None:
                raise error
    elif operation.action == "delete":
        now = now_ms()
        many(connection, "UPDATE runs SET deleted_time = ? WHERE id = ?", [(now, run) for run in runs])
    else:
        restored = "UPDATE runs SET deleted_time = NULL, deleted_with_experiment = ? WHERE id = ?"
        many(connection, restored, [(False, run) for run in runs])
    return run_ids
