"""What happens to logged points when servers stop, processes die and disks fill up. Nothing here is pretended."""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.operations import CreateRun, GetMetricHistory, GetRun
from millstream.stores import Store, open_store
from millstream.tracking import outbox
from tests.servers.millstream import MillstreamServer
from tests.servers.processes import free_port, wait_until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "outbox"
    monkeypatch.setenv("MILLSTREAM_OUTBOX_DIR", str(folder))
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MillstreamServer]:
    (tmp_path / "server").mkdir()
    with MillstreamServer(tmp_path / "server") as running:
        yield running


class Trainer:
    """A child process that runs ``tests.faults.trainer`` or a program of its own."""

    def __init__(self, place: Path, *words: str, program: str | None = None, **options: object) -> None:
        command = [sys.executable, "-c", textwrap.dedent(program)] if program else [
            sys.executable, "-m", "tests.faults.trainer"]
        self._errors = (place / f"trainer-{len(list(place.glob('trainer-*')))}.log").open("w+b")
        self.process: subprocess.Popen[str] = subprocess.Popen(  # type: ignore[call-overload]
            [*command, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True, cwd=ROOT,
            **options,
        )

    def read_until(self, word: str) -> None:
        """Read its output up to a line that begins with ``word``."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.split()[:len(word.split())] == word.split():
                return
        raise AssertionError(f"it ended with {self.process.wait()} before it said {word!r}:\n{self.errors()}")

    def go_on(self) -> None:
        """Let it go on after a pause."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.wait()

    def finish(self, seconds: float = 120) -> int:
        """Wait for its end; returns its status."""
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate(timeout=seconds)
        return self.process.returncode

    def errors(self) -> str:
        """What it wrote to its error output."""
        self._errors.flush()
        return Path(self._errors.name).read_text()

    def __enter__(self) -> Trainer:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


def new_run(store: Store) -> str:
    return store.execute(CreateRun("0", start_time=1)).run.info.run_id


def points(store: Store, run_id: str, key: str = "loss") -> list[tuple[int, int, float]]:
    """``(step, timestamp, value)`` of every point."""
    found = []
    token: str | None = None
    while True:
        page = store.execute(GetMetricHistory(run_id, key, 25_000, token))
        found += [(point.step, point.timestamp, point.value) for point in page.metrics]
        token = page.next_page_token
        if token is None:
            return found


def expected(count: int) -> list[tuple[int, int, float]]:
    return [(step, 1_700_000_000_000 + step, step / 2) for step in range(count)]


def test_server_stopped_and_client_killed_in_the_middle_of_200000_points(
    tmp_path: Path, box: Path, server: MillstreamServer
) -> None:
    store = open_store(server.uri)
    run_id = new_run(store)
    with Trainer(tmp_path, server.uri, run_id, "200000", "--pause", "60000", "--pause", "90000") as trainer:
        trainer.read_until("paused 60000")
        server.stop()
        trainer.go_on()
        trainer.read_until("paused 90000")
        wait_until(lambda: "does not take what is logged now" in trainer.errors(), 30, "the client's notice")
        trainer.go_on()
        trainer.read_until("150000")
        trainer.kill()
    server.start()
    waiting = sum(file.entries for file in outbox.pending())
    assert waiting > 90_000 and not any(file.live for file in outbox.pending())
    report = outbox.sync()
    assert (report.entries, report.kept, report.refused, report.damaged) == (waiting, [], [], [])
    arrived = points(store, run_id)
    assert len(arrived) > 150_000, "every call that returned is there"
    assert arrived == expected(len(arrived)), "each once"
    assert store.execute(GetRun(run_id)).run.data.tags["at.loss"] == str((len(arrived) - 1) // 1000 * 1000)
    assert list(box.iterdir()) == []
    store.close()


def test_a_server_that_comes_back_gets_everything_from_the_living_client(
    tmp_path: Path, box: Path, server: MillstreamServer
) -> None:
    store = open_store(server.uri)
    run_id = new_run(store)
    with Trainer(tmp_path, server.uri, run_id, "200000", "--pause", "100000", "--flush") as trainer:
        trainer.read_until("50000")
        server.kill()  # under load
        trainer.read_until("paused 100000")
        wait_until(lambda: "does not take what is logged now" in trainer.errors(), 30, "the client's notice")
        trainer.go_on()
        server.start()
        trainer.read_until("flushed True")
        assert trainer.finish() == 0
        assert trainer.errors().count("does not take what is logged now") == 1
        assert trainer.errors().count("takes what is logged again") == 1
    assert points(store, run_id) == expected(200_000)
    assert list(box.iterdir()) == []
    store.close()


def test_client_killed_while_it_ships_into_an_embedded_store(tmp_path: Path, box: Path) -> None:
    uri = str(tmp_path / "runs")
    with open_store(uri) as store:
        run_id = new_run(store)
    with Trainer(tmp_path, uri, run_id, "1000000") as trainer:
        trainer.read_until("100000")
        trainer.kill()
    outbox.sync()
    with open_store(uri) as store:
        arrived = points(store, run_id)
    assert len(arrived) > 100_000
    assert arrived == expected(len(arrived))
    assert list(box.iterdir()) == []


def test_eight_processes_log_into_one_sqlite_file(tmp_path: Path, box: Path) -> None:
    uri = f"sqlite:///{tmp_path}/runs.db"
    with open_store(uri) as store:
        shared = new_run(store)
    with contextlib.ExitStack() as stack:
        trainers = [
            stack.enter_context(Trainer(tmp_path, uri, shared, "5000", "--key", f"loss{number}", "--flush"))
            for number in range(8)
        ]
        for trainer in trainers:
            trainer.read_until("flushed True")
            assert trainer.finish() == 0
            assert trainer.errors() == ""
    with open_store(uri) as store:
        for number in range(8):
            assert points(store, shared, f"loss{number}") == expected(5000)
        tags = store.execute(GetRun(shared)).run.data.tags
    assert {tags[f"at.loss{number}"] for number in range(8)} == {"4000"}
    assert list(box.iterdir()) == []


def test_eight_processes_make_one_sqlite_file_at_once(tmp_path: Path, box: Path) -> None:
    program = """
        import sys
        from millstream.operations import CreateRun
        from millstream.stores import open_store
        from millstream.tracking import outbox
        print("ready", flush=True)
        sys.stdin.readline()
        store = open_store(sys.argv[1])
        log = outbox.run_log(store, store.execute(CreateRun("0", start_time=1)).run.info.run_id)
        for step in range(1000):
            log.metric("loss", step / 2, 1_700_000_000_000 + step, step)
        print("run", log.run_id, log.flush(60), flush=True)
    """
    uri = f"sqlite:///{tmp_path}/runs.db"
    with contextlib.ExitStack() as stack:
        trainers = [stack.enter_context(Trainer(tmp_path, uri, program=program)) for _ in range(8)]
        for trainer in trainers:
            trainer.read_until("ready")
        for trainer in trainers:
            trainer.go_on()
        outputs = [trainer.process.communicate(timeout=120)[0] for trainer in trainers]
        assert [trainer.errors() for trainer in trainers] == [""] * 8
    runs = [output.split()[-2] for output in outputs]
    assert [output.split()[-1] for output in outputs] == ["True"] * 8 and len(set(runs)) == 8
    with open_store(uri) as store:
        assert all(points(store, run_id) == expected(1000) for run_id in runs)


def test_the_end_of_a_program_sends_what_waits(tmp_path: Path, box: Path) -> None:
    uri = str(tmp_path / "runs")
    with open_store(uri) as store:
        run_id = new_run(store)
        with Trainer(tmp_path, uri, run_id, "20000") as trainer:
            assert trainer.finish() == 0
            assert trainer.errors() == ""
        assert points(store, run_id) == expected(20_000)
    assert list(box.iterdir()) == []


def test_a_program_that_ends_during_an_outage_says_what_is_left(
    tmp_path: Path, box: Path, server: MillstreamServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLSTREAM_EXIT_FLUSH_SECONDS", "1")
    store = open_store(server.uri)
    run_id = new_run(store)
    server.stop()
    with Trainer(tmp_path, server.uri, run_id, "2500") as trainer:
        assert trainer.finish() == 0
        said = trainer.errors().strip().splitlines()[-1]
    assert f"2503 entries of 1 run have not reached {server.uri}" in said
    assert "Run `millstream sync`" in said and str(box) in said
    server.start()
    assert outbox.sync().entries == 2503
    assert points(store, run_id) == expected(2500)
    store.close()


FORKING = """
    import multiprocessing, os, sys
    from millstream.stores import open_store
    from millstream.tracking import outbox

    uri, run_id, way = sys.argv[1:]
    store = open_store(uri)
    log = outbox.run_log(store, run_id)

    def work(number):
        mine = log if way != "spawn" else outbox.run_log(open_store(uri), run_id)
        for step in range(500):
            mine.metric(f"child{number}", step / 2, 1_700_000_000_000 + step, step)
        if number % 2:
            assert outbox.flush_all(timeout=60)

    if __name__ == "__main__":
        log.metric("loss", 0.0, 1_700_000_000_000, 0)
        children = []
        if way == "os.fork":
            for number in range(4):
                child = os.fork()
                if child == 0:
                    work(number)
                    sys.exit()
                children.append(child)
        else:
            context = multiprocessing.get_context(way)
            children = [context.Process(target=work, args=(number,)) for number in range(4)]
            for child in children:
                child.start()
        for step in range(1, 2000):
            log.metric("loss", step / 2, 1_700_000_000_000 + step, step)
        for child in children:
            if way == "os.fork":
                assert os.waitpid(child, 0)[1] == 0
            else:
                child.join()
                assert child.exitcode == 0
"""


@pytest.mark.parametrize("way", ["os.fork", "fork", "forkserver", "spawn"])
def test_children_log_to_files_of_their_own(tmp_path: Path, box: Path, way: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(FORKING))
    uri = str(tmp_path / "runs")
    with open_store(uri) as store:
        run_id = new_run(store)
        # Newer Pythons warn of any fork beside a thread; that it works all the same is what is shown here.
        quiet = ["-W", "ignore:This process:DeprecationWarning"]
        command = [sys.executable, *quiet, str(program), uri, run_id, way]
        finished = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert (finished.returncode, finished.stderr) == (0, "")
        assert points(store, run_id) == expected(2000)
        for number in range(4):
            assert points(store, run_id, f"child{number}") == expected(500)
    assert list(box.iterdir()) == []


def test_a_child_that_outlives_its_parent_does_not_keep_the_parent_s_file(tmp_path: Path, box: Path) -> None:
    program = """
        import os, sys
        from millstream.stores import open_store
        from millstream.tracking import outbox
        uri, run_id = sys.argv[1:]
        log = outbox.run_log(open_store(uri), run_id)
        for step in range(3000):
            log.metric("loss", step / 2, 1_700_000_000_000 + step, step)
        if os.fork() == 0:
            print("child", flush=True)
            sys.stdin.readline()
            os._exit(0)
        sys.stdin.readline()
    """
    run_id = "a" * 32
    with Trainer(tmp_path, f"http://127.0.0.1:{free_port()}", run_id, program=program) as trainer:
        trainer.read_until("child")
        trainer.kill()
        waiting = outbox.pending()
        trainer.go_on()
    assert sum(file.entries for file in waiting) == 3000
    assert not any(file.live for file in waiting)


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A file system of its own."""
    place.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(place)], capture_output=True
    ).returncode == 0
    if not mounted:
        pytest.skip("mounting a file system needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


@pytest.mark.parametrize("killed", [False, True], ids=["lives", "killed"])
def test_a_full_disk_under_the_outbox(
    tmp_path: Path, server: MillstreamServer, killed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(server.uri)
    run_id = new_run(store)
    server.stop()
    with small_disk(tmp_path / "disk", "512k") as disk:
        monkeypatch.setenv("MILLSTREAM_OUTBOX_DIR", str(disk / "outbox"))
        with Trainer(tmp_path, server.uri, run_id, "100000", "--pause", "99999", "--flush") as trainer:
            trainer.read_until("paused 99999")
            assert "No space left on device" in trainer.errors()
            assert "free space, or name a folder" in trainer.errors()
            on_disk = sum(file.entries for file in outbox.pending())
            assert on_disk > 10_000
            if killed:
                trainer.kill()
            server.start()
            if not killed:
                trainer.go_on()
                trainer.read_until("flushed True")
                assert trainer.finish() == 0
        report = outbox.sync()
        assert (report.damaged, report.kept, report.refused, report.foreign) == ([], [], [], [])
        arrived = points(store, run_id)
        assert arrived == expected(len(arrived)), "a clean beginning, nothing damaged"
        if killed:
            tags = store.execute(GetRun(run_id)).run.data.tags
            assert report.entries == on_disk and int(tags["at.loss"]) == (len(arrived) - 1) // 1000 * 1000
        else:
            assert len(arrived) == 100_000
        assert list((disk / "outbox").iterdir()) == []
    store.close()


def test_a_limit_on_the_size_of_files_is_a_full_disk(tmp_path: Path, box: Path, server: MillstreamServer) -> None:
    store = open_store(server.uri)
    run_id = new_run(store)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    with Trainer(tmp_path, server.uri, run_id, "30000", "--flush", preexec_fn=limit) as trainer:
        trainer.read_until("flushed True")
        assert trainer.finish() == 0
    assert points(store, run_id) == expected(30_000)
    assert list(box.iterdir()) == []
    store.close()


def test_a_read_only_folder_for_the_outbox(
    tmp_path: Path, server: MillstreamServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(server.uri)
    run_id = new_run(store)
    with small_disk(tmp_path / "disk", "1m") as disk:
        remount(disk, "ro")
        monkeypatch.setenv("MILLSTREAM_OUTBOX_DIR", str(disk / "outbox"))
        with Trainer(tmp_path, server.uri, run_id, "3000", "--flush") as trainer:
            trainer.read_until("flushed True")
            assert trainer.finish() == 0
            assert trainer.errors().count("the outbox cannot be kept in") == 1
            assert "Read-only file system" in trainer.errors()
    assert points(store, run_id) == expected(3000)
    store.close()


def test_a_full_disk_under_the_store(tmp_path: Path, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_EXIT_FLUSH_SECONDS", "1")
    with small_disk(tmp_path / "disk", "2m") as disk:
        uri = str(disk / "runs")
        with open_store(uri) as store:
            run_id = new_run(store)
        with Trainer(tmp_path, uri, run_id, "100000") as trainer:
            assert trainer.finish() == 0, "training is not broken"
            assert "full" in trainer.errors() and "Run `millstream sync`" in trainer.errors()
        with sqlite3.connect(disk / "runs" / "millstream.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
        remount(disk, "size=64m")
        outbox.sync()
        with open_store(uri) as store:
            assert points(store, run_id) == expected(100_000)
    assert list(box.iterdir()) == []


def test_a_store_that_has_become_read_only(tmp_path: Path, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with small_disk(tmp_path / "disk", "32m") as disk:
        uri = str(disk / "runs")
        with open_store(uri) as store:
            run_id = new_run(store)
        # The trainer has opened the store when it pauses.
        with Trainer(tmp_path, uri, run_id, "2000", "--pause", "1", "--pause", "1999", "--flush") as trainer:
            trainer.read_until("paused 1")
            wait_until(lambda: all(file.entries == 0 for file in outbox.pending()), 30, "the first points")
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], capture_output=True)
            with sqlite3.connect(disk / "runs" / "millstream.db") as connection:
                connection.execute("SELECT 1")
            connection.close()
            trainer.go_on()
            trainer.read_until("paused 1999")
            trainer.go_on()
            remount(disk, "rw")
            trainer.read_until("flushed True")
            assert trainer.finish() == 0
        with open_store(uri) as store:
            assert points(store, run_id) == expected(2000)
    assert list(box.iterdir()) == []


def test_mlflow_s_own_server_recognises_what_is_sent_again(tmp_path: Path, box: Path, mlflow_server: str) -> None:
    with open_store(mlflow_server) as store:
        run_id = new_run(store)
        with Trainer(tmp_path, mlflow_server, run_id, "20000", "--pause", "1500", "--pause", "4000") as trainer:
            trainer.read_until("paused 1500")
            wait_until(lambda: all(file.entries == 0 for file in outbox.pending()), 60, "the first points")
            trainer.go_on()
            trainer.read_until("paused 4000")
            trainer.kill()
        left = {path: path.read_bytes() for path in box.iterdir()}
        assert outbox.sync(mlflow_server).kept == []
        for path, content in left.items():
            path.write_bytes(content)
        assert outbox.sync(mlflow_server).entries > 0
        assert points(store, run_id) == expected(4000)
        run = store.execute(GetRun(run_id)).run
        assert (run.data.tags["at.loss"], run.info.status) == ("3000", "RUNNING")
    assert list(box.iterdir()) == []
