"""Keeps one server for a whole test session, whichever of pytest's worker processes asked for it first.

``shared(kind)`` starts it unless it runs already, and returns what a client needs to know. A keeper process of its own
holds the server: it ends when the session tells it to, or when the session's main process is gone, however that died.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.servers import ceph, mlflow, postgres

SESSION = "MILLSTREAM_TEST_SESSION"  # the folder of this session: facts about its servers
_PREFIX = "millstream-tests-"
ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def _mlflow(place: Path) -> Iterator[dict[str, str]]:
    with mlflow.MlflowServer(place) as server:
        yield {"uri": server.uri}


def _debian_postgres(place: Path) -> AbstractContextManager[dict[str, str]]:
    binaries = postgres.debian_binaries()
    assert binaries is not None, "Debian's PostgreSQL is not installed; run: make prerequisites"
    return postgres.running(binaries, place)


KINDS: dict[str, Callable[[Path], AbstractContextManager[dict[str, str]]]] = {
    "ceph": ceph.running,
    "mlflow": _mlflow,
    "postgres": lambda place: postgres.running(postgres.wheel_binaries(), place),
    "debian postgres": _debian_postgres,
}


def begin() -> None:
    """Opens a session; in the main process, before any worker starts."""
    for old in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/owner"):
        with contextlib.suppress(OSError, ValueError):
            if not _alive(int(old.read_text())) and not any(old.parent.glob("*.keeper")):
                shutil.rmtree(old.parent, ignore_errors=True)
    os.environ[SESSION] = tempfile.mkdtemp(prefix=_PREFIX)
    Path(os.environ[SESSION], "owner").write_text(str(os.getpid()))


def end() -> None:
    """Stops what the session started, and forgets it."""
    session = Path(os.environ.pop(SESSION))
    keepers = {path: int(path.read_text()) for path in session.glob("*.keeper")}
    for pid in keepers.values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + 30
    for path, pid in keepers.items():
        while path.exists() and _alive(pid) and time.monotonic() < until:
            time.sleep(0.02)
    shutil.rmtree(session, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def session_folder() -> Path:
    """The folder that all processes of this test session share."""
    return Path(os.environ[SESSION])


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Holds the session's lock ``name``: one process of this session at a time."""
    with (session_folder() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def shared(kind: str) -> dict[str, Any]:
    """The facts about the session's server of this kind (a key of KINDS), started now if nobody did yet."""
    facts = session_folder() / f"{kind}.json"
    with locked(kind):
        if not facts.exists():
            log = session_folder() / f"{kind}.log"
            with log.open("ab") as output:
                keeper = subprocess.Popen(
                    [sys.executable, "-m", "tests.servers.keeper", kind],
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            (session_folder() / f"{kind}.keeper").write_text(str(keeper.pid))
            until = time.monotonic() + 180
            while not facts.exists():
                if keeper.poll() is not None or time.monotonic() > until:
                    raise AssertionError(f"{kind} did not start:\n{log.read_text(errors='replace')[-6000:]}")
                time.sleep(0.02)
            # The keeper outlives this worker; nobody is meant to wait for it here.
            keeper.returncode = 0
    found: dict[str, Any] = json.loads(facts.read_text())
    return found


def main(kind: str) -> None:
    """The keeper: starts the server, tells its facts, waits for the end of the session, stops the server."""
    session = session_folder()
    owner = int((session / "owner").read_text())
    told, tell = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.write(tell, b"."))
    place = Path(tempfile.mkdtemp(prefix=f"millstream-{kind.replace(' ', '-')}-"))
    place.chmod(0o755)
    try:
        with KINDS[kind](place) as facts:
            written = session / f"{kind}.part"
            written.write_text(json.dumps(facts))
            written.rename(session / f"{kind}.json")
            while _alive(owner) and not select.select([told], [], [], 0.5)[0]:
                pass
    finally:
        shutil.rmtree(place, ignore_errors=True)
        (session / f"{kind}.keeper").unlink(missing_ok=True)
        if not _alive(owner):
            shutil.rmtree(session, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
