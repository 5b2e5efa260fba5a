"""What a backend is: it takes a job and answers with the handle of what it submitted."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from millstream.projects.job import Job
from millstream.projects.submitted import SubmittedRun

__all__ = ["Backend"]


@runtime_checkable
class Backend(Protocol):
    """A place where entry points run.

    ``on_this_machine`` says that the job sees this machine's files and its loopback addresses: parameters of type
    ``path`` are fetched before it is submitted, and a store that is embedded in this process is served to it. For
    others the project's files are there until :meth:`submit` returns.
    """

    name: str
    on_this_machine: bool

    def submit(self, job: Job) -> SubmittedRun:
        """Start the job and return at once.

        Raises what keeps it from starting, InvalidValue for a configuration that can never work among it; the caller
        marks the run as FAILED then. From the return on, ending the run is the backend's part:
        ``millstream.projects.recording`` has :func:`finish` for that.
        """
