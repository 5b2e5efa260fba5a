from __future__ import annotations

import itertools
import json
import logging
import math
import os
import signal
import stat
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millstream.errors import (
    EndpointNotFound,
    InvalidValue,
    LimitExceeded,
    MillstreamError,
    PermissionDenied,
    StoreUnavailable,
    TooManyRequests,
    Unauthenticated,
    Unreachable,
)
from millstream.operations import BeatRun, LogBatch, UpdateRun
from millstream.tracking import outbox
from millstream.tracking.outbox import shipper
from tests.servers.processes import wait_until
from tests.unit.tracking.ledger import Ledger


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state" / "outbox"
    monkeypatch.setenv("MILLSTREAM_OUTBOX_DIR", str(folder))
    return folder


@pytest.fixture
def ledger(box: Path) -> Iterator[Ledger]:
    made = Ledger(f"ledger://{uuid.uuid4().hex}")
    yield made
    made.before = made.after = lambda operation: None
    for log in shipper.SHIPPER.logs(made.uri):
        assert log.close(10)


def fail_with(
    ledger: Ledger, error: MillstreamError | Exception, times: int = 10**9, *, entries_only: bool = False
) -> threading.Event:
    """The store answers its next requests with ``error``; the event tells that it did so twice."""
    told = threading.Event()
    left = [times]

    def before(operation: Any) -> None:
        if entries_only and operation == LogBatch("r1"):
            return
        left[0] -= 1
        if left[0] < times - 1 or left[0] < 0:
            told.set()
        if left[0] >= 0:
            raise error

    ledger.before = before
    return told


def steps(ledger: Ledger, run_id: str = "r1") -> list[int]:
    return [step for _, _, _, step, *_ in ledger.points.get(run_id, {})]


def test_a_point_arrives_as_it_was_logged(ledger: Ledger) -> None:
    log = outbox.run_log(ledger, "r1")
    log.metric("loss", 0.25, 1_700_000_000_123, 7)
    log.metric("loss", math.nan, -5, -(2**63), "m-1", "train", "abc")
    log.metric("acc", 1, 2**63 - 1, 2**63 - 1)
    assert log.flush(10)
    assert list(ledger.points["r1"]) == [
        ("loss", 0.25, 1_700_000_000_123, 7, None, None, None),
        ("loss", "NaN", -5, -(2**63), "m-1", "train", "abc"),
        ("acc", 1.0, 2**63 - 1, 2**63 - 1, None, None, None),
    ]


def test_the_store_receives_entries_in_the_order_of_the_calls(ledger: Ledger) -> None:
    fail_with(ledger, Unreachable("away"), times=1)
    log = outbox.run_log(ledger, "r1")
    log.params({"lr": "0.1"})
    log.metrics({"a": 1.0, "b": 2.0}, 5, 0)
    log.tags({"phase": "one"})
    log.update(run_name="renamed")
    log.tags({"phase": "two"})
    log.update("FINISHED", 99)
    assert log.flush(10)
    assert ledger.params["r1"] == {"lr": "0.1"}
    assert ledger.tags["r1"] == {"phase": "two"}
    taken = [operation for operation in ledger.heard if isinstance(operation, UpdateRun)]
    assert taken == [UpdateRun("r1", run_name="renamed"), UpdateRun("r1", "FINISHED", 99)]
    assert [type(operation) for operation in ledger.heard[-4:]] == [LogBatch, UpdateRun, LogBatch, UpdateRun]


def test_logging_returns_while_the_store_is_away_and_all_arrives_when_it_is_back(
    ledger: Ledger, box: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "millstream.outbox")
    failed_twice = fail_with(ledger, Unreachable("nobody answers"))
    log = outbox.run_log(ledger, "r1")
    for step in range(1500):
        log.metric("loss", step / 2, 1, step)
    assert failed_twice.wait(10)
    assert not log.flush(0.01)
    (file,) = outbox.pending()
    assert (file.entries, file.live, file.run_id, file.pid) == (1500, True, "r1", os.getpid())
    assert outbox.sync().live == 1, "the file of a live process is left alone"
    ledger.before = lambda operation: None
    assert log.flush(10)
    assert steps(ledger) == list(range(1500))
    messages = [record.message for record in caplog.records]
    assert len(messages) == 2
    assert "does not take what is logged now: nobody answers" in messages[0]
    assert "takes what is logged again" in messages[1]


def test_an_answer_that_is_lost_on_the_way_doubles_nothing(ledger: Ledger) -> None:
    lost = iter([Unreachable("the answer was lost")])

    def after(operation: Any) -> None:
        for error in lost:
            raise error

    ledger.after = after
    log = outbox.run_log(ledger, "r1")
    for step in range(10):
        log.metric("loss", 0.5, 1, step)
    assert log.flush(10)
    assert steps(ledger) == list(range(10))
    assert ledger.received >= 11


@pytest.mark.parametrize("error", [
    Unreachable("x"), StoreUnavailable("x"), TooManyRequests("x"), Unauthenticated("x"), PermissionDenied("x"),
    EndpointNotFound("x"), MillstreamError("x"), RuntimeError("a fault of ours"),
], ids=lambda error: type(error).__name__)
def test_what_may_be_taken_later_is_kept(ledger: Ledger, error: Exception, entries_only: bool = True) -> None:
    failed_twice = fail_with(ledger, error, entries_only=entries_only)
    log = outbox.run_log(ledger, "r1")
    log.metric("loss", 1.0, 1, 1)
    assert failed_twice.wait(10)
    ledger.before = lambda operation: None
    assert log.flush(10)
    assert steps(ledger) == [1]
    assert log.refused == []


def test_a_page_that_answers_in_the_store_s_place_is_no_refusal(ledger: Ledger) -> None:
    from millstream.errors import BadRequest

    test_what_may_be_taken_later_is_kept(ledger, BadRequest("please sign in"), entries_only=False)


def test_a_store_that_is_away_is_asked_less_and_less(ledger: Ledger) -> None:
    asked: list[float] = []
    often = threading.Event()

    def before(operation: Any) -> None:
        asked.append(time.monotonic())
        if len(asked) == 5:
            often.set()
        raise Unreachable("away")

    ledger.before = before
    outbox.run_log(ledger, "r1").metric("loss", 1.0, 1, 1)
    assert often.wait(20)
    # 0.25 s, doubled each time, of which at least half is waited: 0.125, 0.25, 0.5 and 1 s.
    assert [later - earlier >= least for earlier, later, least in zip(
        asked, asked[1:], (0.125, 0.25, 0.5, 1.0), strict=False)] == [True] * 4


def test_one_bad_entry_is_put_aside_and_its_neighbours_arrive(
    ledger: Ledger, box: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = outbox.run_log(ledger, "r1")
    for step in range(2500):
        log.metric("!bad" if step == 1234 else "loss", 0.5, 1, step)
    assert log.flush(10)
    assert steps(ledger) == [step for step in range(2500) if step != 1234]
    (refusal,) = log.refused
    assert (refusal.run_id, refusal.entries, refusal.keys) == ("r1", 1, ["!bad"])
    assert refusal.error_code == "INVALID_PARAMETER_VALUE" and "not allowed" in refusal.reason
    assert refusal.kept_in is not None
    (line,) = Path(refusal.kept_in).read_text().splitlines()
    assert json.loads(line)["request"]["metrics"] == [{"key": "!bad", "value": 0.5, "timestamp": 1, "step": 1234}]
    assert "refused 1 entries (!bad) for good" in caplog.text
    assert outbox.sync().refused == [refusal], "sync says so too"
    assert outbox.sync(discard_refused=True).refused == [refusal]
    assert outbox.sync().refused == []


def test_a_changed_parameter_is_refused_alone(ledger: Ledger) -> None:
    log = outbox.run_log(ledger, "r1")
    log.params({"lr": "0.1"})
    log.params({"lr": "0.2", "depth": "3"})
    log.params({"lr": "0.1", "seed": "0"})
    assert log.flush(10)
    assert ledger.params["r1"] == {"lr": "0.1", "depth": "3", "seed": "0"}
    assert [(refusal.keys, refusal.entries) for refusal in log.refused] == [(["lr"], 1)]


def test_what_is_logged_to_a_run_that_is_gone_is_refused_in_few_requests(ledger: Ledger) -> None:
    ledger.missing.add("r1")
    log = outbox.run_log(ledger, "r1")
    for step in range(3000):
        log.metric("loss", 0.5, 1, step)
    log.update("FINISHED", 1)
    assert log.flush(10)
    assert sum(refusal.entries for refusal in log.refused) == 3001
    assert len(ledger.heard) <= 20


def test_a_refused_update_is_put_aside(ledger: Ledger) -> None:
    log = outbox.run_log(ledger, "r1")
    log.update("NONSENSE")
    log.metric("loss", 1.0, 1, 1)
    assert log.flush(10)
    assert [(refusal.operation, refusal.keys) for refusal in log.refused] == [("UpdateRun", [])]
    assert steps(ledger) == [1]


def test_batches_keep_to_the_limits_of_the_protocol(ledger: Ledger) -> None:
    # The ledger itself refuses what is beyond them.
    fail_with(ledger, Unreachable("away"), times=1)
    log = outbox.run_log(ledger, "r1")
    log.params({f"p{number}": "x" * 6000 for number in range(250)})
    log.tags({f"t{number}": "\u00e9\x01" * 4000 for number in range(250)})
    for step in range(2000):
        log.metric("k" * 250, 0.1234567890123456, 1_700_000_000_000, step, "\x01" * 200, "\x01" * 500, "d" * 36)
    assert log.flush(20)
    assert (len(ledger.params["r1"]), len(ledger.tags["r1"]), len(steps(ledger))) == (250, 250, 2000)
    assert log.refused == []


def test_a_text_beyond_any_request_is_refused_at_the_call(ledger: Ledger) -> None:
    log = outbox.run_log(ledger, "r1")
    with pytest.raises(LimitExceeded) as raised:
        log.tags({"note": "x" * 600_000})
    assert raised.value.hint is not None and "artifact" in raised.value.hint


@pytest.mark.parametrize(("value", "timestamp", "step", "named"), [
    ("high", 1, 1, "value"), (None, 1, 1, "value"), (1.0, 1, 2**63, "step"), (1.0, -(2**63) - 1, 1, "timestamp"),
    (1.0, 1, 1.5, "step"), (1.0, None, 1, "timestamp"),
])
def test_what_cannot_be_written_down_raises_at_the_call(
    ledger: Ledger, value: Any, timestamp: Any, step: Any, named: str
) -> None:
    log = outbox.run_log(ledger, "r1")
    log.metric("loss", 1.0, 1, 0)
    with pytest.raises(InvalidValue, match=f"parameter '{named}'"):
        log.metric("loss", value, timestamp, step)
    log.metric("loss", 1.0, 1, 2)
    assert log.flush(10)
    assert steps(ledger) == [0, 2]


def test_texts_that_are_not_plain_are_made_so_or_refused(ledger: Ledger) -> None:
    import numpy

    log = outbox.run_log(ledger, "r1")
    values: Any = {numpy.str_("lr"): numpy.str_("0.1"), "depth": 3}
    log.params(values)
    log.metric(numpy.str_("loss"), numpy.float32(0.5), 1, numpy.int64(1))
    with pytest.raises(InvalidValue, match="no text that can be written"):
        log.tags({"path": "\udc80"})
    with pytest.raises(InvalidValue, match="cannot be updated"):
        log.update("FINISHED", "now")  # type: ignore[arg-type]
    log.tags({"after": "all"})
    assert log.flush(10)
    assert (ledger.params["r1"], ledger.tags["r1"], steps(ledger)) == (
        {"lr": "0.1", "depth": "3"}, {"after": "all"}, [1])


def test_threads_lose_and_double_nothing(ledger: Ledger) -> None:
    log = outbox.run_log(ledger, "r1")
    start = threading.Barrier(8)

    def work(number: int) -> None:
        start.wait()
        for step in range(4000):
            log.metric(f"m{number}", 0.5, 1, step)
            if step % 1000 == 0:
                log.tags({f"t{number}": str(step)})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.flush(20)
    for number in range(8):
        mine = [step for key, _, _, step, *_ in ledger.points["r1"] if key == f"m{number}"]
        assert mine == list(range(4000)), "each thread's points, in its order"
    assert set(ledger.tags["r1"].values()) == {"3000"}


def test_what_is_logged_in_the_middle_of_logging_follows_it(ledger: Ledger) -> None:
    log = outbox.run_log(ledger, "r1")

    class Chatty:
        def __float__(self) -> float:
            log.metric("inner", 2.0, 1, 1)
            log.tags({"inner": "too"})
            return 1.0

    log.metric("outer", Chatty(), 1, 0)  # type: ignore[arg-type]
    assert log.flush(10)
    assert [(key, value) for key, value, *_ in ledger.points["r1"]] == [("outer", 1.0), ("inner", 2.0)]
    assert ledger.tags["r1"] == {"inner": "too"}


def test_a_signal_handler_may_log_in_the_middle_of_logging(ledger: Ledger) -> None:
    log = outbox.run_log(ledger, "r1")
    count = itertools.count()
    handled: list[int] = []

    def handle(number: int, frame: object) -> None:
        mine = next(count)  # a handler may itself be interrupted
        log.metric("signals", 1.0, 1, mine)
        log.tags({f"signal {mine}": "handled"})
        handled.append(mine)

    before = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
        logged = 0
        while len(handled) < 200:
            log.metric("loss", 0.5, 1, logged)
            logged += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert log.flush(20)
    points = list(ledger.points["r1"])
    assert [step for key, _, _, step, *_ in points if key == "loss"] == list(range(logged))
    assert sorted(step for key, _, _, step, *_ in points if key == "signals") == sorted(handled)
    assert set(ledger.tags["r1"]) == {f"signal {mine}" for mine in handled}


def test_files_are_the_owner_s_alone_and_go_when_they_are_settled(ledger: Ledger, box: Path) -> None:
    failed = fail_with(ledger, Unreachable("away"))
    log = outbox.run_log(ledger, "run/with:odd characters", experiment_id="7")
    for step in range(60_000):
        log.metric("loss", 0.5, 1, step)
    files = sorted(box.iterdir())
    assert len(files) > 3, "they grow by doubling"
    assert stat.S_IMODE(box.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert failed.wait(10)
    assert {(waiting.experiment_id, waiting.run_id) for waiting in outbox.pending()} == {
        ("7", "run/with:odd characters")}
    ledger.before = lambda operation: None
    assert log.close(20)
    assert list(box.iterdir()) == []
    assert len(steps(ledger, "run/with:odd characters")) == 60_000
    log.metric("loss", 0.5, 1, 60_000)
    assert len(list(box.iterdir())) == 1, "logging after close opens a new file"
    assert log.flush(10)
    assert len(steps(ledger, "run/with:odd characters")) == 60_001


def test_room_is_reserved_where_the_system_has_no_call_for_it(
    ledger: Ledger, box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "posix_fallocate")
    log = outbox.run_log(ledger, "r1")
    log.metric("loss", 0.5, 1, 0)
    (file,) = box.iterdir()
    assert file.stat().st_blocks * 512 >= file.stat().st_size > 0
    assert log.flush(10)
    assert steps(ledger) == [0]


def test_a_log_that_is_idle_lets_go_of_its_file(ledger: Ledger, box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipper, "_IDLE_SECONDS", 0.0)
    log = outbox.run_log(ledger, "r1")
    log.metric("loss", 0.5, 1, 0)
    wait_until(lambda: list(box.iterdir()) == [], 10, "the idle log")
    log.metric("loss", 0.5, 1, 1)
    assert log.flush(10)
    assert steps(ledger) == [0, 1]


def test_thousands_of_runs_do_not_use_up_the_files_of_the_process(ledger: Ledger, box: Path) -> None:
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    most = 0
    for number in range(1500):
        log = outbox.run_log(ledger, f"r{number}")
        log.metric("loss", 0.5, 1, number)
        if before and number % 100 == 0:
            most = max(most, len(os.listdir("/proc/self/fd")) - before)
    assert outbox.flush_all(ledger.uri, 20)
    assert most <= 300
    assert len(ledger.points) == 1500
    wait_until(lambda: len(list(box.iterdir())) <= 65, 10, "letting go of the files")


def test_without_a_folder_memory_stands_in(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MILLSTREAM_OUTBOX_DIR", str(tmp_path / "file" / "outbox"))
    log = outbox.run_log(ledger, "r1")
    for step in range(5000):
        log.metric("loss", 0.5, 1, step)
    assert log.flush(10)
    assert steps(ledger) == list(range(5000))
    (message,) = [record.message for record in caplog.records]
    assert "cannot be kept in" in message and "Not a directory" in message and "MILLSTREAM_OUTBOX_DIR" in message
    monkeypatch.setenv("MILLSTREAM_OUTBOX_DIR", str(tmp_path / "good"))
    assert log.close(10)
    log.metric("loss", 0.5, 1, 5000)
    assert "is kept in" in caplog.records[-1].message


def test_when_disk_and_memory_are_full_the_call_says_so_and_nothing_is_lost(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MILLSTREAM_OUTBOX_DIR", str(tmp_path / "file" / "outbox"))
    monkeypatch.setattr(shipper, "MEMORY_BYTES", 200_000)
    failed = fail_with(ledger, Unreachable("away"))
    log = outbox.run_log(ledger, "r1")
    logged = 0
    with pytest.raises(StoreUnavailable, match="nothing more can be logged") as raised:
        while True:
            log.metric("loss", 0.5, 1, logged)
            logged += 1
    assert raised.value.hint is not None and "MILLSTREAM_OUTBOX_DIR" in raised.value.hint
    assert failed.wait(10)
    ledger.before = lambda operation: None
    assert log.flush(10)
    log.metric("loss", 0.5, 1, logged)
    assert log.flush(10)
    assert steps(ledger) == list(range(logged + 1))
    assert logged > 4000


def test_a_process_has_one_log_a_run(ledger: Ledger) -> None:
    log = outbox.run_log(ledger, "r1")
    assert outbox.run_log(ledger, "r1") is log
    assert outbox.run_log(ledger, "r2") is not log
    newer = Ledger(ledger.uri)
    assert outbox.run_log(newer, "r1") is log
    log.metric("loss", 0.5, 1, 1)
    assert log.flush(10)
    assert steps(newer) == [1] and steps(ledger) == [], "it sends through the newest handle"


def test_a_run_beats_until_its_end_is_sent(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_LEASE_SECONDS", "0.3")
    log = outbox.run_log(ledger, "r1")
    log.start_beat()
    wait_until(lambda: len(ledger.beats.get("r1", [])) >= 3, 10, "three beats")
    assert set(ledger.beats["r1"]) == {0.3}
    log.update("FINISHED", 5)
    assert log.flush(10)
    ended = ledger.heard.index(UpdateRun("r1", "FINISHED", 5))
    other = outbox.run_log(ledger, "r2")
    other.start_beat()
    wait_until(lambda: len(ledger.beats.get("r2", [])) >= 3, 10, "the beats of another")
    assert not [operation for operation in ledger.heard[ended:] if operation == BeatRun("r1", 0.3)]
    other.stop_beat()


def test_a_store_without_leases_is_asked_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_LEASE_SECONDS", "0.3")
    ledger.leases = False
    first, second = outbox.run_log(ledger, "r1"), outbox.run_log(ledger, "r2")
    first.start_beat()
    wait_until(lambda: BeatRun("r1", 0.3) in ledger.heard, 10, "the first beat")
    second.start_beat()
    second.metric("loss", 0.5, 1, 1)
    for _ in range(3):
        first.metric("loss", 0.5, 1, 1)
        wait_until(lambda: first.flush(10) and second.flush(10), 10, "a few rounds")
    assert [operation for operation in ledger.heard if isinstance(operation, BeatRun)] == [BeatRun("r1", 0.3)]
    first.stop_beat()
    second.stop_beat()


def test_no_lease_no_beat(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_LEASE_SECONDS", "0")
    log = outbox.run_log(ledger, "r1")
    log.start_beat()
    log.metric("loss", 0.5, 1, 1)
    assert log.flush(10)
    assert ledger.beats == {}
    log.stop_beat()


def test_flush_all_is_for_one_store_or_all(ledger: Ledger) -> None:
    other = Ledger(f"ledger://{uuid.uuid4().hex}")
    away = fail_with(other, Unreachable("away"))
    outbox.run_log(ledger, "r1").metric("loss", 0.5, 1, 1)
    outbox.run_log(other, "r1").metric("loss", 0.5, 1, 1)
    assert outbox.flush_all(ledger.uri, 10)
    assert steps(ledger) == [1]
    assert away.wait(10)
    assert not outbox.flush_all(timeout=0.01)
    other.before = lambda operation: None
    assert outbox.flush_all(timeout=10)
    assert steps(other) == [1]
    assert outbox.run_log(other, "r1").close(10)
