"""The serving host that a tracking server has beside it: a child process that is started again when it dies."""

from __future__ import annotations

import subprocess
import sys
import threading
from urllib.parse import urlsplit, urlunsplit

from millstream.cli.output import say, warn

_STOP_SECONDS = 75.0
_RESTART_SECONDS = 1.0
_MOST_RESTART_SECONDS = 30.0


class HostProcess:
    """``millstream endpoints host`` for a server on this machine; it ends with this process, whatever ends that."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self, address: str) -> None:
        """Say that the server listens at ``address``, and serve what it says."""
        say(f"Millstream is listening on {address}")
        self._thread = threading.Thread(target=self._keep, args=(local(address),), name="millstream-host", daemon=True)
        self._thread.start()

    def _keep(self, address: str) -> None:
        pause = _RESTART_SECONDS
        while not self._stopped.is_set():
            with self._lock:
                if self._stopped.is_set():
                    return
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "millstream", "endpoints", "host", "--port", "0", "--while-stdin",
                     "--tracking-uri", address], stdin=subprocess.PIPE,
                )
            status = self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()
            if not self._stopped.is_set():
                warn(f"the serving host ended with status {status} and is started again in {pause:g} s")
                self._stopped.wait(pause)
                pause = min(2 * pause, _MOST_RESTART_SECONDS)

    def __enter__(self) -> HostProcess:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()
        with self._lock:
            process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        if self._thread is not None:
            self._thread.join(5.0)


def local(address: str) -> str:
    """An address at which this machine reaches a server that listens on all of its own."""
    split = urlsplit(address)
    if split.hostname == "0.0.0.0":
        split = split._replace(netloc=f"127.0.0.1:{split.port}")
    elif split.hostname == "::":
        split = split._replace(netloc=f"[::1]:{split.port}")
    return urlunsplit(split)
