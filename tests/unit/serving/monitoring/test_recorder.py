"""The way of a request into the log: sampled, bounded, in batches, never in the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.entities.monitoring import MinuteFigures, MonitorSettings
from millstream.operations import GetServiceFigures, RecordRequests, SearchRequests, SetMonitor
from millstream.serving.monitoring.recorder import Recorder
from millstream.stores.sql.store import SqlStore

BODY, ANSWER = b'{"inputs": [1, 2]}', b'{"predictions": [1, 2]}'


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with SqlStore(f"sqlite:///{tmp_path}/store.db", str(tmp_path / "files")) as store:
        yield store


def record(recorder: Recorder, number: int, *, endpoint: str = "loan", status: int = 200, body: bytes | None = BODY,
           seconds: float = 0.01) -> None:
    recorder.record(endpoint, "1", f"r{number}", body, "application/json", ANSWER, status, seconds, model="m")


def test_requests_come_into_the_log(store: SqlStore) -> None:
    store.execute(SetMonitor("loan"))
    recorder = Recorder(store)
    record(recorder, 1)
    record(recorder, 2, endpoint="nobody watches")
    recorder.close()
    (found,) = store.execute(SearchRequests("loan", with_bodies=True)).requests
    assert (found.request_id, found.model, found.version, found.rows) == ("r1", "m", "1", 2)
    assert (found.request, found.answer) == (BODY.decode(), ANSWER.decode())
    assert store.execute(SearchRequests("nobody watches")).requests == []
    assert (recorder.recorded, recorder.dropped) == (1, 0)
    record(recorder, 3)
    assert recorder.dropped == 1


def test_every_request_counts_in_the_figures(store: SqlStore) -> None:
    store.execute(SetMonitor("loan", MonitorSettings(sample_rate=0.0)))
    recorder = Recorder(store)
    for number in range(20):
        record(recorder, number, status=503 if number == 0 else 404 if number < 3 else 200, seconds=0.1)
    record(recorder, 20, endpoint="nobody watches", seconds=float("nan"))
    recorder.flush()
    record(recorder, 21, seconds=0.1)
    recorder.close()
    figures = store.execute(GetServiceFigures("loan", 0, 2**42, step_minutes=10**6)).figures
    assert [(one.requests, one.errors, one.refused) for one in figures] == [(21, 1, 2)]
    assert figures[0].p99 == pytest.approx(0.1, rel=0.021)
    assert store.execute(SearchRequests("loan")).requests == []
    assert len(store.execute(GetServiceFigures("nobody watches", 0, 2**42, step_minutes=10**6)).figures) == 1


def test_the_sample_is_the_same_for_every_host(store: SqlStore) -> None:
    store.execute(SetMonitor("loan", MonitorSettings(sample_rate=0.3)))
    chosen = []
    for _ in range(2):
        recorder = Recorder(store)
        for number in range(1_000):
            record(recorder, number)
        recorder.close()
        requests = store.execute(SearchRequests("loan", max_results=10_000)).requests
        chosen.append({one.request_id for one in requests})
    assert chosen[0] == chosen[1]
    assert 250 < len(chosen[0]) < 350


@pytest.mark.parametrize(("settings", "body", "kept"), [
    (MonitorSettings(keep_bodies=False), BODY, None),
    (MonitorSettings(body_bytes=len(BODY)), BODY, BODY.decode()),
    (MonitorSettings(body_bytes=len(BODY) - 1), BODY, None),
    (MonitorSettings(), b"\xff\xfe", None),
    (MonitorSettings(), b"nul \x00", None),
    (MonitorSettings(), None, None),
], ids=["none", "just", "too large", "no text", "nul", "not there"])
def test_bodies_are_kept_as_the_monitor_says(
    store: SqlStore, settings: MonitorSettings, body: bytes | None, kept: str | None
) -> None:
    store.execute(SetMonitor("loan", settings))
    recorder = Recorder(store)
    recorder.flush()  # the settings are known, and what is not kept is not held
    record(recorder, 1, body=body)
    recorder.close()
    (found,) = store.execute(SearchRequests("loan", with_bodies=True)).requests
    assert found.request == kept


def test_what_does_not_fit_is_dropped_and_counted(store: SqlStore) -> None:
    store.execute(SetMonitor("loan"))
    recorder = Recorder(store, held_bytes=10 * (len(BODY) + len(ANSWER)), every=60.0)
    for number in range(30):
        record(recorder, number)
    recorder.flush()
    recorder.close()
    assert recorder.recorded + recorder.dropped == 30
    assert recorder.dropped >= 1


def test_odd_names_are_no_reason_to_fail(store: SqlStore) -> None:
    store.execute(SetMonitor("loan"))
    recorder = Recorder(store)
    for name in ("", "x" * 1_000, "nul\x00", "\ud800"):
        recorder.record("loan", "1", name, BODY, None, ANSWER, 200, 0.1)
    recorder.record("loan", None, "r", BODY, None, ANSWER, 200, 0.1)  # type: ignore[arg-type]
    recorder.close()
    found = store.execute(SearchRequests("loan")).requests
    assert len(found) == recorder.recorded == 4
    assert recorder.dropped == 1
    assert {len(one.request_id) <= 256 for one in found} == {True}


def test_a_monitor_is_seen_while_the_recorder_runs(store: SqlStore) -> None:
    recorder = Recorder(store, refresh=0.0)
    record(recorder, 1)
    recorder.flush()
    store.execute(SetMonitor("loan"))
    record(recorder, 2)  # before the recorder knows: its body was not kept, so it is no record
    recorder.flush()
    record(recorder, 3)
    recorder.close()
    (found,) = store.execute(SearchRequests("loan", with_bodies=True)).requests
    assert (found.request_id, found.request) == ("r3", BODY.decode())
    names = {family.name for family in recorder.families()}
    assert "millstream_monitoring_recorded_requests" in names


def test_old_figures_of_what_nobody_watches_are_forgotten(store: SqlStore) -> None:
    store.execute(RecordRequests(figures=[MinuteFigures("loan", 60_000, "host", requests=1)]))
    recorder = Recorder(store)
    recorder._pruned = -1e9  # an hour ago
    record(recorder, 1)
    recorder.close()
    figures = store.execute(GetServiceFigures("loan", 0, 2**42, step_minutes=10**6)).figures
    assert sum(one.requests for one in figures) == 1
    assert figures[-1].version == "1"
