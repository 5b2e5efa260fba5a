from __future__ import annotations

import os
import random
import struct
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.entities import RunTag
from millstream.operations import CreateRun, DeleteRun, GetMetricHistory, GetRun, LogBatch
from millstream.stores import Store, open_store
from millstream.tracking import outbox
from millstream.tracking.outbox.records import (
    ACKNOWLEDGED_AT,
    PARAMS,
    TAGS,
    UPDATE,
    Facts,
    MetricName,
    RunUpdate,
    encode_point,
    encode_texts,
    encode_update,
)
from millstream.tracking.outbox.segment import FIRST_BYTES, Segment
from tests.servers.processes import free_port

# A process that no longer is; its number does not matter, the lock tells.
DEAD = 4_000_000


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "outbox"
    monkeypatch.setenv("MILLSTREAM_OUTBOX_DIR", str(folder))
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "runs")) as opened:
        yield opened


@pytest.fixture
def run_id(store: Store) -> str:
    return new_run(store)


def new_run(store: Store) -> str:
    return store.execute(CreateRun("0", start_time=1)).run.info.run_id


class Left:
    """The files of a dead process, written as it would have written them."""

    def __init__(self, box: Path, uri: str, run_id: str, started: int = 1) -> None:
        self._box, self._uri, self._run_id, self._started = box, uri, run_id, started
        self._log = uuid.uuid4().hex[:8]
        self._sequence = 0
        self.segment = self._open()

    def _open(self) -> Segment:
        facts = Facts(self._uri, self._run_id, "0", DEAD, os.uname().nodename, self._started, self._log, self._sequence)
        self._sequence += 1
        return Segment.create(str(self._box), facts, FIRST_BYTES, 0)

    def points(self, first: int, last: int, key: str = "loss") -> Left:
        segment = self.segment
        word = segment.words.get(key) or segment.define(MetricName(key))
        for step in range(first, last):
            record = encode_point(word, 1_700_000_000_000 + step, step, step / 2)
            segment.map[segment.end:segment.end + len(record)] = record
            segment.end += len(record)
        return self

    def record(self, record: bytes, kind: int) -> Left:
        self.segment.append(record, kind)
        return self

    def next_file(self) -> Left:
        self.segment.abandon()
        self.segment = self._open()
        return self

    def die(self) -> Path:
        path = self.segment.path
        assert path is not None
        self.segment.abandon()
        return Path(path)


def steps(store: Store, run_id: str, key: str = "loss") -> list[int]:
    return [point.step for point in store.execute(GetMetricHistory(run_id, key)).metrics]


def test_what_a_dead_process_left_is_sent_once_and_removed(box: Path, store: Store, run_id: str) -> None:
    left = Left(box, store.uri, run_id).points(0, 1200)
    left.record(encode_texts(PARAMS, {"lr": "0.1"}), PARAMS).record(encode_texts(TAGS, {"a": "1"}), TAGS)
    left.next_file().points(1200, 1500).record(encode_texts(TAGS, {"a": "2"}), TAGS)
    left.record(encode_update(RunUpdate("FINISHED", 77)), UPDATE).die()
    waiting = outbox.pending()
    assert [(file.entries, file.live, file.pid, file.run_id) for file in waiting] == [
        (1202, False, DEAD, run_id), (302, False, DEAD, run_id)]
    seen: list[tuple[str, int, int]] = []
    report = outbox.sync(progress=lambda *told: seen.append(told))
    assert report.entries == 1504
    (sent,) = report.sent
    assert (sent.run_id, sent.metrics, sent.params, sent.tags, sent.updates) == (run_id, 1500, 1, 2, 1)
    assert seen[-1] == (run_id, 302, 302) and (run_id, 1202, 1202) in seen
    assert steps(store, run_id) == list(range(1500))
    run = store.execute(GetRun(run_id)).run
    assert (run.info.status, run.info.end_time) == ("FINISHED", 77)
    assert (run.data.params, run.data.tags["a"]) == ({"lr": "0.1"}, "2")
    assert list(box.iterdir()) == []
    again = outbox.sync()
    assert (again.entries, again.sent, again.kept, again.refused, again.foreign) == (0, [], [], [], [])


def test_what_was_acknowledged_is_not_sent_again(box: Path, store: Store, run_id: str) -> None:
    left = Left(box, store.uri, run_id).points(0, 10)
    left.segment.acknowledge(left.segment.end)
    left.points(10, 15).die()
    assert outbox.sync().entries == 5
    assert steps(store, run_id) == list(range(10, 15))


def test_what_was_sent_but_not_acknowledged_is_there_once(box: Path, store: Store, run_id: str) -> None:
    path = Left(box, store.uri, run_id).points(0, 300).die()
    content = path.read_bytes()
    outbox.sync()
    path.write_bytes(content)  # as if the process that sent it had died before it noted the answer
    assert outbox.sync().entries == 300
    assert steps(store, run_id) == list(range(300))


def test_a_sync_that_is_interrupted_is_taken_up_where_it_was(box: Path, store: Store, run_id: str) -> None:
    Left(box, store.uri, run_id).points(0, 1700).die()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outbox.sync(progress=interrupt)
    assert [file.entries for file in outbox.pending()] == [700]
    assert outbox.sync().entries == 700
    assert steps(store, run_id) == list(range(1700))


def test_runs_are_sent_in_the_order_in_which_they_were_begun(box: Path, store: Store, run_id: str) -> None:
    Left(box, store.uri, run_id, started=2000).record(encode_texts(TAGS, {"a": "later"}), TAGS).die()
    Left(box, store.uri, run_id, started=1000).record(encode_texts(TAGS, {"a": "earlier"}), TAGS).die()
    outbox.sync()
    assert store.execute(GetRun(run_id)).run.data.tags["a"] == "later"


def test_the_file_of_a_live_process_is_left_alone(box: Path, store: Store, run_id: str) -> None:
    left = Left(box, store.uri, run_id).points(0, 5)
    report = outbox.sync()
    assert (report.live, report.entries) == (1, 0)
    assert [file.live for file in outbox.pending()] == [True]
    left.die()
    assert outbox.sync().entries == 5


def test_two_at_once_send_everything_once(box: Path, store: Store) -> None:
    runs = [new_run(store) for _ in range(6)]
    for run_id in runs:
        Left(box, store.uri, run_id).points(0, 800).next_file().points(800, 1600).die()
    start = threading.Barrier(3)
    reports = []

    def work() -> None:
        start.wait()
        reports.append(outbox.sync())

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reports.append(outbox.sync())  # what one could not lock while another looked at it
    assert sum(report.entries for report in reports) == 6 * 1600
    assert all(not report.kept and not report.foreign for report in reports)
    assert all(steps(store, run_id) == list(range(1600)) for run_id in runs)
    assert list(box.iterdir()) == []


def test_a_store_that_does_not_answer_keeps_its_files_and_holds_nobody_up(
    box: Path, store: Store, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLSTREAM_HTTP_REQUEST_MAX_RETRIES", "0")
    away = f"http://user:secret@127.0.0.1:{free_port()}"
    Left(box, away, "gone", started=1).points(0, 7).die()
    Left(box, away, "gone too", started=2).points(0, 8).die()
    Left(box, store.uri, run_id, started=3).points(0, 5).die()
    report = outbox.sync()
    assert report.entries == 5
    assert [(kept.run_id, kept.entries) for kept in report.kept] == [("gone", 7), ("gone too", 8)]
    assert "does not answer" in report.kept[0].reason
    assert "secret" not in str(report)
    assert [file.entries for file in outbox.pending()] == [7, 8]


def test_one_tracking_uri_alone_can_be_synced(box: Path, store: Store, run_id: str, tmp_path: Path) -> None:
    other = open_store(str(tmp_path / "other"))
    other_run = new_run(other)
    Left(box, store.uri, run_id).points(0, 5).die()
    Left(box, other.uri, other_run).points(0, 6).die()
    assert outbox.sync(other.uri).entries == 6
    assert outbox.sync(f"file://{store.uri}/").entries == 5
    other.close()


def test_what_the_store_refuses_is_kept_with_the_reason(box: Path, store: Store, run_id: str) -> None:
    store.execute(LogBatch(run_id, tags=[RunTag("a", "b")]))
    deleted = new_run(store)
    store.execute(DeleteRun(deleted))
    Left(box, store.uri, deleted).points(0, 1500).die()
    left = Left(box, store.uri, run_id, started=2).points(0, 10)
    left.record(encode_texts(PARAMS, {"lr": "1"}), PARAMS).points(10, 20)
    left.record(encode_texts(PARAMS, {"lr": "2"}), PARAMS).points(20, 30).die()
    report = outbox.sync()
    by_run = {note.run_id: note for note in report.refused}
    assert sum(note.entries for note in report.refused if note.run_id == deleted) == 1500
    assert (by_run[run_id].entries, by_run[run_id].keys) == (1, ["lr"])
    assert report.of(store.uri, deleted).entries == 0
    assert report.entries == 31
    assert steps(store, run_id) == list(range(30))
    assert outbox.sync().refused == report.refused, "it is said again until somebody discards it"
    assert outbox.sync("elsewhere", discard_refused=True).refused == []
    assert outbox.sync(discard_refused=True).refused == report.refused
    assert list(box.iterdir()) == []


def test_damage_costs_what_is_damaged_and_the_file_is_kept(box: Path, store: Store, run_id: str) -> None:
    path = Left(box, store.uri, run_id).points(0, 100).die()
    content = bytearray(path.read_bytes())
    middle = len(bytes(content).rstrip(b"\0")) // 2
    content[middle] ^= 0xFF
    path.write_bytes(content)
    report = outbox.sync()
    (damaged,) = report.damaged
    assert damaged.run_id == run_id and damaged.unreadable == 32
    assert len(steps(store, run_id)) == 99
    assert Path(damaged.path).read_bytes()[middle] == content[middle]
    assert outbox.pending() == []
    assert outbox.sync().foreign == []


@pytest.mark.parametrize(
    "tail", [b"\xff" * 500, b"\x01" * 500, random.Random(7).randbytes(500)], ids=["ff", "01", "random"]
)
def test_a_corrupted_tail_does_not_touch_what_stands_before_it(
    box: Path, store: Store, run_id: str, tail: bytes
) -> None:
    left = Left(box, store.uri, run_id).points(0, 100)
    end = left.segment.end
    path = left.die()
    with path.open("r+b") as file:
        file.seek(end)
        file.write(tail)
    report = outbox.sync()
    assert steps(store, run_id) == list(range(100))
    assert report.entries == 100
    assert [damaged.unreadable for damaged in report.damaged] == [500]


def test_a_truncated_file_gives_what_is_left_of_it(box: Path, store: Store, run_id: str) -> None:
    left = Left(box, store.uri, run_id).points(0, 100)
    end = left.segment.end
    path = left.die()
    os.truncate(path, end - 40)
    report = outbox.sync()
    assert steps(store, run_id) == list(range(98))
    assert [damaged.unreadable for damaged in report.damaged] == [FIRST_BYTES - end + 40]


def test_an_acknowledgement_that_cannot_be_right_counts_for_nothing(box: Path, store: Store, run_id: str) -> None:
    path = Left(box, store.uri, run_id).points(0, 100).die()
    with path.open("r+b") as file:
        file.seek(ACKNOWLEDGED_AT)
        file.write(struct.pack("<Q", 777))
    assert outbox.sync().entries == 100
    assert steps(store, run_id) == list(range(100))


def test_foreign_files_are_named_and_left_alone(box: Path, store: Store, run_id: str, tmp_path: Path) -> None:
    path = Left(box, store.uri, run_id).points(0, 5).die()
    elsewhere = tmp_path / "elsewhere.outbox"
    elsewhere.write_bytes(path.read_bytes())
    (box / "linked.outbox").symlink_to(elsewhere)
    (box / "notes.txt").write_text("mine")
    (box / "other.outbox").write_bytes(b"something else" * 1000)
    (box / "folder.outbox").mkdir()
    os.mkfifo(box / "pipe.outbox")
    report = outbox.sync()
    names = {"linked.outbox", "notes.txt", "other.outbox", "folder.outbox", "pipe.outbox"}
    assert {Path(name).name for name in report.foreign} == names == {entry.name for entry in box.iterdir()}
    assert report.entries == 5


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_not_believed(box: Path, store: Store, run_id: str) -> None:
    path = Left(box, store.uri, run_id).points(0, 5).die()
    os.chown(path, 65534, 65534)
    report = outbox.sync()
    assert (report.entries, report.foreign) == (0, [str(path)])
    assert outbox.pending() == []


def test_a_file_that_was_never_finished_is_removed_in_time(box: Path) -> None:
    box.mkdir()
    fresh, old = box / "a.outbox.new", box / "b.outbox.new"
    fresh.touch()
    old.touch()
    os.utime(old, (1, 1))
    assert outbox.sync().foreign == []
    assert (fresh.exists(), old.exists()) == (True, False)


def test_a_folder_that_does_not_exist_holds_nothing(tmp_path: Path) -> None:
    assert outbox.pending(str(tmp_path / "none")) == []
    report = outbox.sync(directory=str(tmp_path / "none"))
    assert (report.entries, report.live, report.sent) == (0, 0, [])


def test_without_locks_the_process_id_tells(box: Path, store: Store, run_id: str) -> None:
    import msgspec

    from millstream.tracking.outbox.records import header, read_header

    for pid, live in ((os.getpid(), True), (DEAD, False)):
        path = Left(box, store.uri, run_id).points(0, 5).die()
        content = path.read_bytes()
        heading = read_header(content)
        assert heading is not None
        made = header(msgspec.structs.replace(heading.facts, pid=pid, locked=False))
        assert len(made) == heading.begin
        path.write_bytes(made + content[heading.begin:])
        assert [file.live for file in outbox.pending()] == [live]
        assert outbox.sync().live == live
        path.unlink(missing_ok=True)


def test_every_entry_counts(box: Path, store: Store, run_id: str) -> None:
    left = Left(box, store.uri, run_id).points(0, 3).record(encode_texts(TAGS, {"a": "1", "b": "2"}), TAGS)
    left.record(encode_update(RunUpdate("FINISHED", 77)), UPDATE).points(3, 4).die()
    assert outbox.pending()[0].entries == 7
    assert outbox.sync().entries == 7
