"""An embedded store served on loopback, so that whatever client the environment of a project holds can log into it.

The server is a child process that ends with this one. Its socket listens before it is started: who connects meanwhile
waits, so that nothing else waits for its start.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from millstream import settings
from millstream.stores.opening import DEFAULT_URI, folder_of, scheme_of

__all__ = ["is_embedded", "served"]

_START_SECONDS = 0.15


def is_embedded(uri: str) -> bool:
    """Whether a store lives in the process that opens it, so that another client may not understand its URI."""
    return scheme_of(uri) in ("", "file") or scheme_of(uri).partition("+")[0] == "sqlite"


class _Served:
    """The server of a store, with those who use it.

    It is started when somebody connects, and after a moment anyway: before most programs have imported what they log
    with, but not for one that is over by then.
    """

    def __init__(self, uri: str) -> None:
        self.uses = 0
        self._place = _place(uri)
        self._lock = threading.Lock()
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.bind(("127.0.0.1", 0))
            self._socket.listen(128)
        except OSError:
            self._socket.close()
            raise
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._start, name="millstream-loopback", daemon=True)
        self._thread.start()

    def _start(self) -> None:
        select.select([self._socket, self._woken], [], [], _START_SECONDS)
        # Here it is closed in any case: whoever connects without a server is refused, and does not wait for ever.
        with self._lock, self._socket:
            if not self._closed:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "millstream.cli.embedded", str(self._socket.fileno()), *self._place],
                    stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, pass_fds=[self._socket.fileno()],
                    start_new_session=True,
                )

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self._wake.close()
        self._thread.join()
        self._woken.close()
        if self._process is not None:
            # At once: what it has answered is on the disk, and nobody is left who could ask.
            self._process.kill()
            self._process.wait()
            assert self._process.stdin is not None
            self._process.stdin.close()


def _place(uri: str) -> tuple[str, str]:
    """The store and its artifact root as the server is told of them: what this process would use itself."""
    if scheme_of(uri) in ("", "file"):
        folder = str(folder_of(uri))
        return folder, folder
    return uri, settings.ARTIFACT_ROOT.get() or str(Path(DEFAULT_URI).absolute())


class _Servers:
    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.lock = threading.Lock()
        self.by_uri: dict[str, _Served] = {}

    def close(self) -> None:
        with self.lock:
            servers, self.by_uri = list(self.by_uri.values()), {}
        for one in servers:
            one.close()


_servers = _Servers()
atexit.register(_servers.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_servers.begin)


@contextlib.contextmanager
def served(uri: str) -> Iterator[str]:
    """The address under which other processes of this machine reach a store, for the time of the block.

    One that is no embedded store is passed on as it is. Runs of one process share the server of a store.
    """
    if not is_embedded(uri):
        yield uri
        return
    with _servers.lock:
        one = _servers.by_uri.get(uri)
        if one is None:
            one = _servers.by_uri[uri] = _Served(uri)
        one.uses += 1
    try:
        yield one.address
    finally:
        with _servers.lock:
            one.uses -= 1
            last = one.uses == 0 and _servers.by_uri.get(uri) is one
            if last:
                del _servers.by_uri[uri]
        if last:
            one.close()
