"""A project that was submitted to a backend: waited for, asked, cancelled, read."""

from __future__ import annotations

import abc
import threading
from collections.abc import Callable, Iterator

from millstream.entities import RunStatus

__all__ = ["SubmittedRun"]


class SubmittedRun(abc.ABC):
    """The handle of a project run. Methods may be called from any thread, and again after the end."""

    # Whether this program shows its output as it comes; where it does not, who waits asks for logs().
    shows_output = True

    @property
    @abc.abstractmethod
    def run_id(self) -> str:
        """The run that it is recorded in."""

    @abc.abstractmethod
    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most ``timeout`` seconds; whether it ended well.

        When this returns after the end, the run's status is in the store. Raises NotInTime when it goes on after the
        timeout.
        """

    @abc.abstractmethod
    def get_status(self) -> int:
        """Where it stands: a number of :class:`millstream.entities.RunStatus`."""

    @abc.abstractmethod
    def cancel(self) -> None:
        """End it with all its processes, and the run as KILLED; returns when that is so. After the end: nothing."""

    def logs(self) -> Iterator[str]:
        """The lines of its output (stdout and stderr in order) without their ends, until it ends; none where the
        backend has no access to them."""
        return iter(())

    def failure(self) -> str:
        """Why it did not end well, as an error message says it: the exit status, the last lines of the output."""
        return "it was cancelled" if self.get_status() == RunStatus.KILLED else "it failed"

    def when_ended(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` when it has ended, from a thread of this handle."""

        def wait() -> None:
            try:
                self.wait()
            finally:
                callback()

        threading.Thread(target=wait, name=f"millstream-wait-{self.run_id[:8]}", daemon=True).start()
