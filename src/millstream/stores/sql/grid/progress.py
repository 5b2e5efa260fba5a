"""How far running runs are: the last step that they have logged, of as many as they say there will be."""

from __future__ import annotations

from collections.abc import Sequence

from millstream.stores.sql.driver import fetch
from millstream.stores.sql.grid.values import TEXT_TABLES, number_of, within
from millstream.stores.sql.transaction import Transaction

TOTAL = "total_steps"
# Metrics of the machine have steps of their own.
_SYSTEM = "system/"


def progress_of(transaction: Transaction, runs: Sequence[int]) -> dict[int, float]:
    """Run → the greatest step of its metrics divided by its ``total_steps``, at most 1.

    Its tag of that name counts before its parameter. Runs that do not tell, or have logged nothing, are left out.
    """
    key = transaction.key(TOTAL)
    if key is None or not runs:
        return {}
    totals: dict[int, float] = {}
    for table in TEXT_TABLES.values():
        of = f"FROM {table} WHERE {within('run', runs)} AND key = {key}"
        for run, text in fetch(transaction.connection, f"SELECT run, value {of}"):
            total = number_of(text)
            if total is not None and 0 < total < float("inf"):
                totals[run] = total
    if not totals:
        return {}
    rows = fetch(transaction.connection, f"SELECT run, key, step FROM metrics WHERE {within('run', list(totals))}")
    names = transaction.keys.names(transaction.connection, {number for _, number, _ in rows})
    steps: dict[int, int] = {}
    for run, number, step in rows:
        if not names[number].startswith(_SYSTEM):
            steps[run] = max(step, steps.get(run, 0))
    return {run: min(step / totals[run], 1.0) for run, step in steps.items()}
