"""Real servers as child processes: free ports, readiness by polling, and an end that comes even when pytest dies.

A child belongs to a process group of its own, so that what it starts ends with it, and on Linux the kernel signals it
when its parent dies.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody accepts connections on ``port``."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def wait_until(ready: Callable[[], bool], seconds: float, what: str, process: Process | None = None) -> None:
    """Polls ``ready`` until it is true; AssertionError, with the log of ``process``, when it dies or time is up."""
    until = time.monotonic() + seconds
    while not ready():
        if process is not None and process.returncode() is not None:
            raise AssertionError(f"{what} ended with status {process.returncode()}:\n{process.log_tail()}")
        if time.monotonic() > until:
            raise AssertionError(f"{what} was not ready after {seconds:g} s:\n{process.log_tail() if process else ''}")
        time.sleep(0.02)


def bound_to_parent(command: Sequence[str | Path], death_signal: str = "TERM", user: str | None = None) -> list[str]:
    """``command`` such that it gets ``death_signal`` when this process dies, run as ``user`` when one is given."""
    words = [str(word) for word in command]
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return words
    drop = ["--reuid", user, "--regid", user, "--clear-groups"] if user else []
    # Not by a preexec_fn, as Python warns of those in a program with threads.
    return [setpriv, "--pdeathsig", death_signal, *drop, "--", *words]


class Process:
    """One server process, with its output appended to ``log``. Use as a context manager, or call :meth:`stop`."""

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stop_signal: int = signal.SIGTERM,
        death_signal: str = "TERM",
        user: str | None = None,
    ) -> None:
        self.log = log
        self._stop_signal = stop_signal
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                bound_to_parent(command, death_signal, user),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=cwd,
                env=dict(environment) if environment is not None else None,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def returncode(self) -> int | None:
        """The status that the process ended with, None while it runs."""
        return self._popen.poll()

    def log_tail(self, characters: int = 4000) -> str:
        """The end of what the process wrote."""
        return self.log.read_text(errors="replace")[-characters:]

    def send_signal(self, number: int) -> None:
        """Sends a signal to the process and to those it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, number)

    def kill(self) -> None:
        """Ends the process as a power cut would: no clean-up."""
        self.send_signal(signal.SIGKILL)
        self._popen.wait()

    def stop(self, seconds: float = 15) -> int:
        """Asks the process to end, insists after ``seconds``; returns its status."""
        if self._popen.poll() is None:
            self._popen.send_signal(self._stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(seconds)
        # What does not listen, and what the process started and left behind, ends here.
        self.send_signal(signal.SIGKILL)
        return self._popen.wait()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
