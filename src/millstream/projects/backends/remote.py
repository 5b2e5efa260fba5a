"""Jobs on machines of others: looked at until they end, and recorded as they ended."""

from __future__ import annotations

import abc
import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from millstream.entities import RunStatus
from millstream.errors import InvalidValue, MillstreamError, NotInTime, NotSupported, StoreUnavailable
from millstream.operations import GetRun, SetTag
from millstream.projects.files import DockerEnvironment
from millstream.projects.job import Job
from millstream.projects.recording import LOG_FILE, finish
from millstream.projects.submitted import SubmittedRun
from millstream.stores.opening import scheme_of
from millstream.tracking import stores

__all__ = ["RemoteRun", "Seen", "check_config", "is_loopback", "refuse_image", "seconds_of", "tag", "variables_of"]

logger = logging.getLogger("millstream")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_PATIENCE = 600.0
_TAIL = 10


class Seen:
    """How the far side says that a job stands: a number of RunStatus, and its words."""

    __slots__ = ("message", "status")

    def __init__(self, status: int, message: str = "") -> None:
        self.status = status
        self.message = message

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return RunStatus.is_terminated(self.status)


class RemoteRun(SubmittedRun):
    """A job elsewhere. A backend says how it is looked at, stopped and read.

    A far side that does not answer is asked again for ``patience`` seconds; then, as when it no longer knows the job,
    what the program itself said of its run counts, and where it said nothing the run has failed.
    """

    shows_output = False

    def __init__(self, job: Job, shown: str, *, patience: float | None = None) -> None:
        self._job = job
        self._shown = shown
        self._patience = _PATIENCE if patience is None else patience
        self._lock = threading.RLock()
        self._again = threading.Event()
        self._seen = Seen(RunStatus.SCHEDULED)
        self._silent_since: float | None = None
        self._cancelled = False
        self._output = ""

    @abc.abstractmethod
    def _look(self) -> Seen | None:
        """How the job stands now; None when the far side does not know it. Raises StoreUnavailable where that does not
        answer, another error where it refuses to."""

    @abc.abstractmethod
    def _stop(self) -> None:
        """Ask the far side to end the job; no error where it has ended or is gone."""

    @abc.abstractmethod
    def _read(self) -> str:
        """All that it has written so far and that the far side gives; empty where that gives nothing."""

    def _rest(self, seconds: float) -> None:
        """Wait until the job may stand otherwise, at most ``seconds``."""
        self._again.wait(seconds)

    def follow(self) -> RemoteRun:
        """Look at it from a thread of this program too, so that its end is recorded where nobody waits for it."""
        threading.Thread(target=self._follow, name=f"millstream-follow-{self.run_id[:8]}", daemon=True).start()
        return self

    def _follow(self) -> None:
        try:
            self.wait()
        except MillstreamError as error:
            logger.warning("%s is not followed any more: %s", self._shown, error.message)

    @property
    def run_id(self) -> str:
        """The run that it is recorded in."""
        return self._job.run_id

    def get_status(self) -> int:
        """Where it stands now. Raises StoreUnavailable when the far side does not answer."""
        return self._now(quiet=False).status

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most ``timeout`` seconds; whether it ended well. Raises NotInTime."""
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = _FIRST_PAUSE
        while not (seen := self._now()).ended:
            left = pause if deadline is None else min(pause, deadline - time.monotonic())
            if left <= 0:
                raise NotInTime(f"{self._shown} goes on after {timeout:g} seconds", hint="wait again, or cancel it")
            self._rest(left)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        return seen.status == RunStatus.FINISHED

    def cancel(self) -> None:
        """End the job; the run is KILLED when this returns. After the end: nothing."""
        with self._lock:
            if self._now().ended:
                return
            self._keep_output()  # with a job its output may go
            self._stop()
            self._cancelled = True
        pause, asked = _FIRST_PAUSE, time.monotonic()
        while not self._now().ended:
            self._again.wait(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
            if time.monotonic() - asked > _LONGEST_PAUSE:  # it may have been too early to be stopped
                self._stop()
                asked = time.monotonic()

    def logs(self) -> Iterator[str]:
        """The lines that the job writes, until it ends."""
        given = 0
        pause = _FIRST_PAUSE
        while True:
            ended = self._now().ended
            text = self._output if ended else ""
            with contextlib.suppress(StoreUnavailable):
                text = text or self._read()
            lines = text.splitlines(keepends=True)
            if lines and not ended and not lines[-1].endswith("\n"):
                lines.pop()  # the rest of it comes
            yield from (line.rstrip("\r\n") for line in lines[given:])
            if ended:
                return
            pause = _FIRST_PAUSE if len(lines) > given else min(pause * 1.5, _LONGEST_PAUSE)
            given = max(given, len(lines))
            self._rest(pause)

    def failure(self) -> str:
        """Why it did not end well: the words of the far side, and the last lines of the output."""
        said = self._seen.message or super().failure()
        tail = "\n".join(self._output.splitlines()[-_TAIL:])
        return f"{said}; its last lines:\n{tail}" if tail else said

    def _now(self, *, quiet: bool = True) -> Seen:
        with self._lock:
            if self._seen.ended:
                return self._seen
            try:
                found = self._look() or self._vanished(f"{self._shown} is no longer there")
                self._silent_since = None
            except StoreUnavailable as error:
                if self._silent_since is None:
                    self._silent_since = time.monotonic()
                    logger.warning("%s does not answer, trying on: %s", self._shown, error.message)
                if time.monotonic() - self._silent_since < self._patience:
                    if quiet:
                        return self._seen
                    raise
                found = self._vanished(f"{self._shown} has not answered for {self._patience:g} seconds")
            if found.ended:
                self._end(found)
            else:
                self._seen = found
            return self._seen

    def _vanished(self, message: str, otherwise: int = RunStatus.FAILED) -> Seen:
        """What counts when the far side has no answer: what the program said of its run, else ``otherwise``."""
        status = RunStatus.KILLED if self._cancelled else otherwise
        with contextlib.suppress(MillstreamError):
            run = stores.store(self._job.tracking_uri).execute(GetRun(self.run_id)).run
            said = RunStatus.from_string(run.info.status)
            if RunStatus.is_terminated(said):
                status = said
        return Seen(status, message)

    def _end(self, found: Seen) -> None:
        if self._cancelled and found.status != RunStatus.FINISHED:
            found = Seen(RunStatus.KILLED, "it was cancelled")
        self._keep_output()
        finish(self._job.tracking_uri, self.run_id, found.status)
        self._seen = found  # last: whoever sees the end finds it recorded
        self._again.set()

    def _keep_output(self) -> None:
        """Take what the job has written, and keep it as an artifact of the run."""
        with contextlib.suppress(MillstreamError):
            self._output = self._read() or self._output
        if not self._output:
            return
        from millstream.tracking.client import MlflowClient

        try:
            MlflowClient(self._job.tracking_uri).log_text(self.run_id, self._output, LOG_FILE)
        except (MillstreamError, OSError) as error:
            logger.warning("The output of %s is not kept: %s", self._shown, error)


def tag(job: Job, name: str, value: str) -> None:
    """Note something that a backend found out on the run of a job."""
    stores.store(job.tracking_uri).execute(SetTag(job.run_id, name, value))


def refuse_image(job: Job, backend: str) -> None:
    """Raises NotSupported for a project that asks for an image, where a backend has none."""
    if isinstance(job.environment, DockerEnvironment):
        raise NotSupported(f"the project runs in the image {job.environment.image}, and the backend {backend} in none",
                           hint="run it with the backend local or kubernetes, or without its image: "
                                "--env-manager local")


def variables_of(job: Job, *, near: bool = False, address: str | None = None) -> dict[str, str]:
    """The environment variables of a job elsewhere; ``near`` when it runs on this machine all the same.

    ``address`` is that of the store where the job runs, if it is another there.
    Raises InvalidValue for a store in a folder or file of this machine, which nobody elsewhere reaches.
    """
    if address:
        return {**job.variables, "MLFLOW_TRACKING_URI": address, "MILLSTREAM_TRACKING_URI": address}
    scheme = scheme_of(job.tracking_uri).partition("+")[0]
    if not near:
        if scheme in ("", "file", "sqlite"):
            raise InvalidValue(f"the store {job.tracking_uri} is on this machine, where the job does not run",
                               hint="run `millstream server` where the job reaches it, and name it: "
                                    "MLFLOW_TRACKING_URI=http://host:5000")
        if scheme in ("http", "https") and is_loopback(job.tracking_uri):
            logger.warning("The job is told of the server at %s, an address that means itself where it runs",
                           job.tracking_uri)
    return dict(job.variables)


def is_loopback(uri: str) -> bool:
    """Whether an address is one of this machine only."""
    host = (urlsplit(uri).hostname or "").lower()
    return host in ("localhost", "::1") or host.startswith("127.")


def check_config(config: Mapping[str, Any], known: Mapping[str, tuple[type, ...]], backend: str) -> None:
    """Hold the configuration of a backend to what that takes: names, and the types of their values.

    A name that is not known is a warning: it may be meant for another version. Raises InvalidValue for a wrong type.
    """
    for name, value in config.items():
        if name not in known:
            logger.warning("The configuration of the backend %s has no %r; it has %s", backend, name,
                           ", ".join(sorted(known)))
        elif not isinstance(value, known[name]):
            names = {str: "a text", dict: "names with values", list: "a list", int: "a number", float: "a number",
                     bool: "true or false"}
            raise InvalidValue(f"{name!r} in the configuration of the backend {backend} is {value!r}, not "
                               + " or ".join(dict.fromkeys(names[kind] for kind in known[name])),
                               hint="correct the file or the object given as backend_config")


def seconds_of(config: Mapping[str, Any], name: str = "patience") -> float | None:
    """A number of seconds from a configuration, None where it says none."""
    value = config.get(name)
    return None if value is None else float(value)
