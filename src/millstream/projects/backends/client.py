"""Jobs whose program on this machine is only a client: its end does not end what it has started elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from millstream.projects.submitted import SubmittedRun

__all__ = ["ClientRun"]


class ClientRun(SubmittedRun):
    """A job that is followed by ``client``, a run on this machine; to cancel it is each backend's own matter."""

    def __init__(self, client: SubmittedRun) -> None:
        self._client = client

    @property
    def run_id(self) -> str:
        """The run that it is recorded in."""
        return self._client.run_id

    def wait(self, timeout: float | None = None) -> bool:
        """As that of any run on this machine."""
        return self._client.wait(timeout)

    def get_status(self) -> int:
        """Where it stands."""
        return self._client.get_status()

    def logs(self) -> Iterator[str]:
        """The lines that the client writes."""
        return self._client.logs()

    def failure(self) -> str:
        """Why it did not end well."""
        return self._client.failure()

    def when_ended(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` when it has ended."""
        self._client.when_ended(callback)
