"""The run of a project: made before its command starts, ended when that ends."""

from __future__ import annotations

import contextlib
import time

from millstream.entities import RunStatus
from millstream.errors import MillstreamError
from millstream.operations import GetRun, UpdateRun
from millstream.tracking import stores

__all__ = ["finish"]


def finish(tracking_uri: str, run_id: str, status: int) -> int:
    """End a run with ``status``, and return the status that it has then.

    What the program itself said of its run stands, unless it ended badly after it had said that all is well.
    """
    store = stores.store(tracking_uri)
    said = RunStatus.from_string(store.execute(GetRun(run_id)).run.info.status)
    if RunStatus.is_terminated(said) and (status == RunStatus.FINISHED or said != RunStatus.FINISHED):
        return said
    with contextlib.suppress(MillstreamError):  # the run may have been deleted meanwhile
        store.execute(UpdateRun(run_id, status=RunStatus.to_string(status), end_time=time.time_ns() // 1_000_000))
    return status
