"""The outbox: what a program logs is in a file when the call returns, and in the store soon after, exactly once.

    log_metric(…)  →  RunLog.metric   (append to a memory-mapped file: survives kill -9)
                   →  Shipper         (one thread a process: batches, retries, leases)
                   →  store.execute(LogBatch)

:func:`run_log` gives the log of a run; :func:`sync` sends what dead processes and outages left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from millstream.tracking.outbox.delivery import Refusal
from millstream.tracking.outbox.place import outbox_directory
from millstream.tracking.outbox.run_log import RunLog
from millstream.tracking.outbox.shipper import SHIPPER

if TYPE_CHECKING:
    from millstream.stores.contract import Store
    from millstream.tracking.outbox.left import Damaged, Kept, Sent, SyncReport, Waiting, pending, sync

_OF_LEFT = frozenset({"Damaged", "Kept", "Sent", "SyncReport", "Waiting", "pending", "sync"})


def __getattr__(name: str) -> Any:
    # A program that logs has no use for these.
    if name in _OF_LEFT:
        from millstream.tracking.outbox import left

        return getattr(left, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def run_log(store: Store, run_id: str, *, experiment_id: str | None = None) -> RunLog:
    """The log of a run of ``store`` in this process: always the same one, for any number of threads.

    ``experiment_id`` is noted in the file, for those who look into it.
    """
    return SHIPPER.log_of(store, run_id, experiment_id)


def flush_all(store_uri: str | None = None, timeout: float | None = None) -> bool:
    """Wait until the store has answered for all that this process logged before the call.

    ``store_uri`` limits it to one store, as its ``uri`` says; ``timeout`` is in seconds, for all runs together. False
    when it ran out; what is left is sent later.
    """
    return SHIPPER.flush(store_uri, timeout)


__all__ = [
    "Damaged", "Kept", "Refusal", "RunLog", "Sent", "SyncReport", "Waiting", "flush_all", "outbox_directory", "pending",
    "run_log", "sync",
]
