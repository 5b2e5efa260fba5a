"""Background work of the store: runs whose process has died are marked, so that nothing stays RUNNING for ever."""

from __future__ import annotations

import threading

from millstream import settings
from millstream.server.execution import ServedStore
from millstream.server.logs import LOGGER


class Sweeper:
    """A thread that sweeps a store several times a lease. Any number of servers may sweep one store."""

    def __init__(self, store: ServedStore) -> None:
        self._store = store
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; a second call changes nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="millstream-sweep", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End, after the sweep under way."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(settings.SWEEP_SECONDS.get()):
            try:
                swept = self._store.sweep()
            except Exception as error:
                LOGGER.error("the sweep of leases failed", exc_info=error)
            else:
                if swept:
                    LOGGER.warning("runs whose process died were marked as failed", extra={"facts": {"runs": swept}})
