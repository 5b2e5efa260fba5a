"""What the parts of the client share: the store they speak to, and the order of reads and writes."""

from __future__ import annotations

from typing import TypeVar

from millstream.operations import Operation
from millstream.stores.contract import Store
from millstream.tracking import recorder, stores

A = TypeVar("A")


class Calls:
    """One tracking URI, and operations sent to its store behind all that this process has logged before."""

    def __init__(self, tracking_uri: str | None = None, registry_uri: str | None = None) -> None:
        self._tracking_uri = tracking_uri or stores.get_tracking_uri()
        self._registry_uri = registry_uri

    @property
    def tracking_uri(self) -> str:
        """Where this client's runs are kept."""
        return self._tracking_uri

    @property
    def _store(self) -> Store:
        return stores.store(self._tracking_uri)

    def _execute(self, operation: Operation[A], run_id: str | None = None) -> A:
        """Carry out ``operation`` after what this process has logged has arrived.

        A write that names its run waits for the entries of that run only.
        """
        recorder.flush(self._tracking_uri, run_id if operation.endpoint.writes else None)
        return self._store.execute(operation)
