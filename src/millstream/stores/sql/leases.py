"""Leases: a run whose process stopped beating has died, and is marked so."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, select, update

from millstream.entities import RunStatus, RunTag
from millstream.errors import InvalidValue
from millstream.operations import BeatRun, LogBatch
from millstream.stores.sql.logging import log
from millstream.stores.sql.schema import run_tags, runs
from millstream.stores.sql.transaction import Transaction, executes, find_run, now_ms

EXPIRED_TAG = "millstream.lease.expired"
_LONGEST_SECONDS = 7 * 24 * 3600.0
_SWEPT_AT_ONCE = 500


@executes(BeatRun)
def beat(transaction: Transaction, operation: BeatRun) -> None:
    run = find_run(transaction, operation.run_id, active=True)
    if not 0 <= operation.seconds <= _LONGEST_SECONDS:
        raise InvalidValue.of("seconds", operation.seconds, f"it must be from 0 to {_LONGEST_SECONDS:.0f}")
    if RunStatus.is_terminated(run.status) and not _revived(transaction, run):
        return
    until = now_ms() + int(operation.seconds * 1000) if operation.seconds else None
    transaction.connection.execute(update(runs).where(runs.c.id == run.id).values(lease_until=until))


def _revived(transaction: Transaction, run: Row[Any]) -> bool:
    """Whether the run was only believed dead, behind an outage, and runs again now that it beats."""
    expired = transaction.key(EXPIRED_TAG)
    gone = transaction.connection.execute(
        delete(run_tags).where(run_tags.c.run == run.id, run_tags.c.key == expired)
    ).rowcount
    if gone:
        transaction.connection.execute(
            update(runs).where(runs.c.id == run.id).values(status=RunStatus.RUNNING, end_time=None)
        )
    return bool(gone)


def sweep(transaction: Transaction) -> list[str]:
    """Mark runs whose lease ran out as FAILED, ended when it did; returns which. Several sweepers share the work."""
    now = now_ms()
    lapsed = (
        select(runs.c.id, runs.c.run_id, runs.c.lease_until)
        .where(
            runs.c.lease_until < now,
            runs.c.status.in_((RunStatus.RUNNING, RunStatus.SCHEDULED)),
            runs.c.deleted_time.is_(None),
        )
        .order_by(runs.c.id)
        .limit(_SWEPT_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    rows = transaction.connection.execute(lapsed).all()
    for row in rows:
        transaction.connection.execute(
            update(runs)
            .where(runs.c.id == row.id)
            .values(status=RunStatus.FAILED, end_time=row.lease_until, lease_until=None)
        )
    log(transaction, [LogBatch(row.run_id, tags=[RunTag(EXPIRED_TAG, str(row.lease_until))]) for row in rows])
    return [row.run_id for row in rows]
