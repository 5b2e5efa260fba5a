"""What is on its way to a store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from millstream import settings
from millstream.errors import StoreUnavailable, from_wire

if TYPE_CHECKING:
    from millstream.tracking.outbox import RunLog


class RunOperations:
    """The answer of a call with ``synchronous=False``: what it logged is written down here and will be sent."""

    def __init__(self, logs: Sequence[RunLog]) -> None:
        self._logs = logs
        self._refused = [len(log.refused) for log in logs]

    def wait(self) -> None:
        """Wait until the store has answered.

        Raises the error of the first entry refused since the call, and StoreUnavailable when there was no answer within
        the seconds of EXIT_FLUSH_SECONDS; what was logged is sent later then.
        """
        for log, before in zip(self._logs, self._refused, strict=True):
            if not log.flush(settings.EXIT_FLUSH_SECONDS.get()):
                raise StoreUnavailable(
                    f"{log.uri} has not answered yet; what was logged is kept and sent later",
                    hint="`millstream sync` sends what is left when the program has ended",
                )
            for refusal in log.refused[before:]:
                raise from_wire({"error_code": refusal.error_code, "message": refusal.reason})
