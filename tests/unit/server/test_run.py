"""The server as a process: it starts, says where, ends cleanly, and is replaced when it dies."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from millstream.errors import InvalidValue
from millstream.server.config import ServerConfig
from millstream.server.run import open_served_store, serve
from tests.servers.processes import bound_to_parent, wait_until
from tests.servers.wire import call

API = "/api/2.0/mlflow"


class Started:
    """A `millstream server` of our own on a port that the system chose."""

    def __init__(self, place: Path, *options: str) -> None:
        self.log = place / "server.log"
        self.log.unlink(missing_ok=True)
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                bound_to_parent(
                    [
                        sys.executable,
                        "-m",
                        "millstream",
                        "server",
                        "-p",
                        "0",
                        "--backend-store-uri",
                        f"sqlite:///{place}/store.db",
                        "--artifacts-destination",
                        f"{place}/artifacts",
                        *options,
                    ]
                ),
                cwd=place,
                stderr=output,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                env={
                    name: text for name, text in os.environ.items() if not name.startswith(("MLFLOW_", "MILLSTREAM_"))
                },
            )
        wait_until(lambda: bool(self.said) or self.process.poll() is not None, 60, "the server")
        found = re.fullmatch("Millstream is listening on (http://.*)", self.said[-1]) if self.said else None
        assert found is not None, self.said
        self.address = found.group(1)

    @property
    def said(self) -> list[str]:
        """The whole lines of its log."""
        return self.log.read_text().rpartition("\n")[0].splitlines()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Its status, once a signal to all of its processes, as a terminal sends it, has ended it."""
        os.killpg(self.process.pid, number)
        return self.process.wait(60)


@contextmanager
def started(place: Path, *options: str) -> Iterator[Started]:
    server = Started(place, *options)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.end(signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_listens_and_ends_when_asked(tmp_path: Path, number: int) -> None:
    with started(tmp_path) as server:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", server.address)
        assert server.said == [f"Millstream is listening on {server.address}"]
        made = call(server.address, "POST", f"{API}/experiments/create", {"name": "kept"})
        assert server.end(number) == 0
        assert len(server.said) == 1, server.said
    with started(tmp_path) as server:
        found = call(server.address, "GET", f"{API}/experiments/get?experiment_id={made.json()['experiment_id']}")
        assert found.json()["experiment"]["name"] == "kept"


def test_a_request_under_way_is_finished(tmp_path: Path) -> None:
    with started(tmp_path) as server:
        target = urlsplit(server.address)
        assert target.hostname is not None
        slow = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
        slow.putrequest("PUT", "/api/2.0/mlflow-artifacts/artifacts/0/slow.txt")
        slow.putheader("Content-Length", "10")
        slow.endheaders(b"01234")
        assert call(server.address, "GET", "/health").status == 200
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not answers(server.address), 30, "the end of listening")
        slow.send(b"56789")
        assert slow.getresponse().status == 200
        slow.close()
        assert server.process.wait(60) == 0
    assert (tmp_path / "artifacts" / "0" / "slow.txt").read_text() == "0123456789"


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with started(tmp_path) as server:
        target = urlsplit(server.address)
        assert target.hostname is not None
        stuck = http.client.HTTPConnection(target.hostname, target.port, timeout=60)
        stuck.putrequest("PUT", "/api/2.0/mlflow-artifacts/artifacts/0/stuck.txt")
        stuck.putheader("Content-Length", "10")
        stuck.endheaders(b"01234")
        assert call(server.address, "GET", "/health").status == 200
        server.process.send_signal(signal.SIGINT)
        wait_until(lambda: not answers(server.address), 30, "the end of listening")
        assert server.end(signal.SIGINT) is not None
        stuck.close()
    assert not (tmp_path / "artifacts" / "0" / "stuck.txt").exists()


def test_several_workers(tmp_path: Path) -> None:
    with started(tmp_path, "--workers", "2") as server:
        for number in range(20):
            assert (
                call(
                    server.address, "POST", f"{API}/runs/create", {"experiment_id": "0", "run_name": f"r{number}"}
                ).status
                == 200
            )
        figures = call(server.address, "GET", "/metrics").text
        assert 'millstream_http_requests_total{operation="CreateRun",status="2xx"} 20.0' in figures
        children = workers_of(server.process.pid)
        assert len(children) == 2
        os.kill(children[0], signal.SIGKILL)
        wait_until(
            lambda: len(now := workers_of(server.process.pid)) == 2 and children[0] not in now, 60, "the new worker"
        )
        for _ in range(5):
            assert call(server.address, "GET", f"{API}/experiments/get?experiment_id=0").status == 200
        assert server.end(signal.SIGINT) == 0
        assert [line for line in server.said if " error " in line] == [
            line for line in server.said if "a worker died" in line
        ]


def test_workers_share_postgresql(tmp_path: Path, postgres_uri: str) -> None:
    with started(tmp_path, "--workers", "2", "--backend-store-uri", postgres_uri) as server:
        made = [call(server.address, "POST", f"{API}/runs/create", {"experiment_id": "0"}) for _ in range(10)]
        found = call(server.address, "POST", f"{API}/runs/search", {"experiment_ids": ["0"]}).json()["runs"]
        assert {run["info"]["run_id"] for run in found} == {one.json()["run"]["info"]["run_id"] for one in made}
        assert server.end() == 0


def test_workers_do_not_outlive_who_started_them(tmp_path: Path) -> None:
    import psutil

    with started(tmp_path, "--workers", "2") as server:
        children = workers_of(server.process.pid)
        server.process.kill()
        server.process.wait(60)
        wait_until(lambda: not any(psutil.pid_exists(child) for child in children), 60, "the end of the workers")


def test_an_error_at_the_start_is_told_with_a_hint(tmp_path: Path) -> None:
    with started(tmp_path) as server:
        port = server.address.rpartition(":")[2]
        second = subprocess.run(
            [
                sys.executable,
                "-m",
                "millstream",
                "server",
                "-p",
                port,
                "--backend-store-uri",
                f"sqlite:///{tmp_path}/other.db",
            ],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=60,
            check=False,
        )
    assert second.returncode == 1
    assert second.stderr.startswith(f"error: cannot listen on 127.0.0.1 port {port}")
    assert "\n\nhint: " in second.stderr
    assert "Traceback" not in second.stderr


def test_a_server_does_not_stand_in_front_of_a_server() -> None:
    with pytest.raises(InvalidValue, match="served by another server"):
        open_served_store(ServerConfig("http://127.0.0.1:1"))


def test_serving_beyond_this_machine_needs_a_word(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="full access"):
        serve(ServerConfig(f"sqlite:///{tmp_path}/store.db", host="0.0.0.0"))


def answers(address: str) -> bool:
    try:
        return call(address, "GET", "/health").status == 200
    except OSError:
        return False


def workers_of(parent: int) -> list[int]:
    """The processes that serve below ``parent``, the one that cleans up after them left out."""
    import psutil

    try:
        children = psutil.Process(parent).children()
        return sorted(child.pid for child in children if "spawn_main" in " ".join(child.cmdline()))
    except psutil.NoSuchProcess:
        return []
