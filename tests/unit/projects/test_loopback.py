"""An embedded store served to other processes: at the first call, by one server for all, and no longer than needed."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

import millstream
from millstream.projects import loopback
from millstream.projects.loopback import is_embedded, served
from millstream.stores import open_store


def servers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "millstream.cli.embedded" in child.cmdline()]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [("runs", True), ("file:///runs", True), ("sqlite:///runs.db", True), ("http://127.0.0.1:5000", False),
     ("https://runs.example.com", False), ("postgresql://host/runs", False), ("databricks", False),
     ("databricks://profile", False)],
)
def test_what_other_processes_cannot_open_themselves(uri: str, expected: bool) -> None:
    assert is_embedded(uri) == expected


def test_a_server_of_others_is_passed_on() -> None:
    with served("http://127.0.0.1:5000") as address:
        assert address == "http://127.0.0.1:5000"


@pytest.mark.parametrize("uri", ["runs", "sqlite:///runs.db"])
def test_what_is_logged_through_it_is_in_the_store(tracking: Path, uri: str) -> None:
    program = "import millstream; r = millstream.start_run(); millstream.log_text('a', 'a.txt'); print(r.info.run_id)"
    with served(uri) as address:
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True,
                              env={"MILLSTREAM_TRACKING_URI": address, "HOME": str(tracking)})
    run_id = done.stdout.split()[0]
    millstream.set_tracking_uri(uri)
    assert millstream.get_run(run_id).info.status == "FINISHED"
    assert millstream.artifacts.load_text(f"runs:/{run_id}/a.txt") == "a"
    assert not servers()


def test_those_who_use_it_at_the_same_time_share_it(tracking: Path) -> None:
    with ExitStack() as users:
        first = users.enter_context(served("runs"))
        with served("runs") as second:
            assert first == second
        with open_store(first) as store:
            assert store is not None
        port = urlsplit(first).port
        with socket.create_connection(("127.0.0.1", port or 0)) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        assert len(servers()) == 1
        with served("other") as third:
            assert third != first
    assert not servers()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port or 0))


def test_it_is_started_when_somebody_connects(tracking: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback, "_START_SECONDS", 3600)
    with served("runs"):
        pass  # nobody did
    with served("runs") as address:
        assert not servers()
        with urllib.request.urlopen(f"{address}/health") as answer:
            assert answer.status == 200
        assert len(servers()) == 1
    assert not servers()
