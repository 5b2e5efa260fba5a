"""Windows, hysteresis, outcomes and silence, tick by tick, on a real store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from millstream.entities.monitoring import Alert, Finding, MonitorSettings, Outcome, RequestRecord, Threshold
from millstream.errors import MonitorNotFound
from millstream.models.profile import Profile, profile
from millstream.operations import (
    ClaimMonitor,
    ListAlerts,
    ListFindings,
    RecordOutcomes,
    RecordRequests,
    SearchRequests,
    SetMonitor,
)
from millstream.serving.monitoring import alerts
from millstream.serving.monitoring.monitor import Monitoring
from millstream.stores.sql.store import SqlStore

START = 4_000_000_000_000  # in the future: nothing is old
RNG = np.random.default_rng(3)
REFERENCE = profile({"x": RNG.normal(size=1_000), "y": RNG.normal(size=1_000)}, RNG.normal(size=1_000))
SETTINGS = MonitorSettings(window_rows=100, minimum_rows=50, every_seconds=1.0, window_seconds=3_600.0)


class Place:
    """A store with one monitor, and requests of ten rows each, a second after the other."""

    def __init__(self, store: SqlStore, settings: MonitorSettings = SETTINGS) -> None:
        self.store = store
        self.time, self.number = START, 0
        self.watch(settings)
        self.monitoring = Monitoring(store, lambda model, version: REFERENCE)

    def watch(self, settings: MonitorSettings) -> None:
        self.store.execute(SetMonitor("loan", settings))

    def send(self, rows: int, *, shift: float = 0.0, version: str = "1", status: int = 200) -> None:
        made = []
        for _ in range(rows // 10):
            self.number += 1
            self.time += 1_000
            table = RNG.normal(size=(10, 2)) + [shift, 0.0]
            predictions = RNG.normal(size=10).tolist()
            made.append(RequestRecord(
                "loan", f"r{self.number}", self.time, "m", version, status, 0.01, 10, "application/json",
                json.dumps({"inputs": table.tolist()}), json.dumps({"predictions": predictions}),
            ))
        self.store.execute(RecordRequests(made))

    def look(self, later: float = 0.0) -> int:
        """How many windows a look finds."""
        self.time += int(later * 1000)
        return len(self.monitoring.check("loan", self.time))

    def open(self) -> set[tuple[str, str, str]]:
        found = self.store.execute(ListAlerts("loan", only_open=True)).alerts
        return {(alert.version, alert.statistic, alert.column) for alert in found}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    with SqlStore(f"sqlite:///{tmp_path}/store.db", str(tmp_path / "files")) as store:
        yield store


def test_a_window_is_complete_by_its_rows(store: SqlStore) -> None:
    place = Place(store)
    place.send(90)
    assert place.look() == 0
    place.send(130)
    assert place.look() == 2
    windows = store.execute(ListFindings("loan")).windows
    assert [(one.window.rows, one.window.requests) for one in windows] == [(100, 10), (100, 10)]
    assert windows[1].window.last_sequence + 1 == windows[0].window.first_sequence
    assert place.look() == 0


def test_fewer_rows_are_looked_at_after_their_time(store: SqlStore) -> None:
    place = Place(store)
    place.send(60)
    assert place.look(3_000) == 0
    assert place.look(700) == 1
    place.send(40)
    assert place.look(4_000) == 0  # too few, and too old to belong to the next
    place.send(100)
    assert place.look() == 1
    assert store.execute(ListFindings("loan")).windows[0].window.rows == 100


def test_drift_takes_two_windows_in_a_row(store: SqlStore) -> None:
    place = Place(store)
    place.send(100, shift=2.0)
    place.send(100)
    place.send(100, shift=2.0)
    assert place.look() == 3
    assert place.open() == set()
    place.send(100, shift=2.0)
    assert place.look() == 1
    assert {("1", "psi", "x"), ("1", "ks", "x")} <= place.open()
    assert {column for _, _, column in place.open()} == {"x"}
    place.send(100)
    place.look()
    assert place.open()
    place.send(100)
    place.look()
    assert place.open() == set()
    reasons = {one.statistic: one.cleared_reason for one in store.execute(ListAlerts("loan")).alerts}
    assert "within its limit" in str(reasons["psi"])


def test_another_process_goes_on_where_the_last_ended(store: SqlStore) -> None:
    place = Place(store)
    place.send(150, shift=2.0)
    assert place.look() == 1
    place.monitoring = Monitoring(store, lambda model, version: REFERENCE)
    assert place.look() == 0
    place.send(50, shift=2.0)
    assert place.look() == 1
    assert place.open()


def test_only_one_looks_at_a_time(store: SqlStore) -> None:
    place = Place(store)
    place.send(100)
    store.execute(ClaimMonitor("loan", "somebody else", 60.0))
    assert place.look() == 0
    store.execute(ClaimMonitor("loan", "somebody else", 0.0))
    assert place.look() == 1
    with pytest.raises(MonitorNotFound):
        place.monitoring.check("nobody", START)


def test_ticks_keep_the_schedule(store: SqlStore) -> None:
    place = Place(store)
    place.send(100)
    assert len(place.monitoring.tick(START)) == 1
    place.send(100)
    monitored = store.execute(ListFindings("loan")).windows[0]
    assert place.monitoring.tick(monitored.time) == []  # a moment after the last
    assert len(place.monitoring.tick(START + 10_000)) == 1
    place.watch(MonitorSettings(enabled=False))
    place.send(1_000)
    assert place.monitoring.tick(START + 20_000) == []


def test_requests_that_failed_are_no_drift_and_their_share_counts(store: SqlStore) -> None:
    place = Place(store, MonitorSettings(
        window_rows=100, minimum_rows=50, raise_after=1, thresholds=[Threshold("error_rate", 0.2)]
    ))
    place.send(50)
    place.send(50, shift=9.0, status=500)
    assert place.look() == 1
    assert place.open() == {("1", "error_rate", "")}
    found = {one.statistic: one for one in store.execute(ListFindings("loan", column="")).windows[0].findings}
    assert (found["error_rate"].value, found["seconds_p95"].value) == (0.5, 0.01)


def test_quality_follows_the_outcomes(store: SqlStore) -> None:
    place = Place(store, MonitorSettings(
        window_rows=100, minimum_rows=50, raise_after=1, thresholds=[Threshold("mean_absolute_error", 0.5)]
    ))
    place.send(100)
    place.look()
    given = store.execute(SearchRequests("loan", with_bodies=True)).requests
    outcomes = [Outcome(one.request_id, json.dumps([value + 2.0 for value in json.loads(str(one.answer))["predictions"]]
                                                   )) for one in given]
    store.execute(RecordOutcomes("loan", outcomes))
    place.send(100)
    place.look()
    found = {one.statistic: one.value for one in store.execute(ListFindings("loan", column="")).windows[0].findings}
    assert found["mean_absolute_error"] == pytest.approx(2.0)
    assert found["root_mean_squared_error"] == pytest.approx(2.0)
    assert ("1", "mean_absolute_error", "") in place.open()


def test_the_alerts_of_a_version_that_is_no_longer_asked_end(store: SqlStore) -> None:
    place = Place(store)
    place.send(200, shift=3.0)
    place.look()
    assert {version for version, _, _ in place.open()} == {"1"}
    place.send(100, version="2")
    place.look()
    assert place.open()
    place.time += 4_000_000
    place.send(10, version="2")
    place.look()
    assert place.open() == set()
    assert {one.cleared_reason for one in store.execute(ListAlerts("loan")).alerts} == {
        "the version has had no request for 1 h"
    }


def test_without_a_profile_there_are_figures_and_no_drift(store: SqlStore) -> None:
    place = Place(store)
    place.monitoring = Monitoring(store, lambda model, version: None)
    place.send(100, shift=5.0)
    assert place.look() == 1
    found = store.execute(ListFindings("loan")).windows[0].findings
    assert {one.statistic for one in found} == {"error_rate", "seconds_p95"}


def test_predictions_drift_too(store: SqlStore) -> None:
    moved = profile({"x": RNG.normal(size=500), "y": RNG.normal(size=500)}, RNG.normal(5.0, 1.0, 500))
    place = Place(store)
    place.monitoring = Monitoring(store, lambda model, version: moved)
    place.send(200)
    place.look()
    assert {column for _, _, column in place.open()} == {"prediction"}


def test_prometheus_hears_what_was_found(store: SqlStore) -> None:
    place = Place(store)
    place.send(200, shift=3.0)
    place.look()
    families = {family.name: family for family in place.monitoring.families()}
    beyond = {(one.labels["statistic"], one.labels["column"]): one.value
              for one in families["millstream_monitoring_exceeded"].samples}
    assert beyond["psi", "x"] == 1.0
    assert beyond["psi", "y"] == 0.0
    (opened,) = families["millstream_monitoring_open_alerts"].samples
    assert opened.value == len(place.open())


def test_the_thread_ends(store: SqlStore) -> None:
    place = Place(store)
    place.send(100)
    place.monitoring.start(0.01)
    place.monitoring.close(60)
    assert place.monitoring._thread is not None
    assert not place.monitoring._thread.is_alive()


def _finding(state: str, statistic: str = "psi") -> Finding:
    return Finding(statistic, 0.3, state, "x", 0.1)


@pytest.mark.parametrize(("past", "opened", "now", "raised", "cleared"), [
    ([], False, "exceeded", 0, 0),
    (["exceeded"], False, "exceeded", 1, 0),
    (["ok"], False, "exceeded", 0, 0),
    (["exceeded"], True, "exceeded", 0, 0),
    (["exceeded"], True, "ok", 0, 0),
    (["ok"], True, "ok", 0, 1),
    (["ok"], False, "ok", 0, 0),
])
def test_hysteresis(past: list[str], opened: bool, now: str, raised: int, cleared: int) -> None:
    before = [[_finding(state)] for state in past]
    is_open: list[Any] = [Alert(1, "loan", "psi", START, "because", column="x")] if opened else []
    found = alerts.changes([_finding(now)], before, is_open, MonitorSettings(), 100)
    assert tuple(map(len, found)) == (raised, cleared)


def test_what_is_no_longer_measured_is_cleared_unless_it_waits_for_outcomes() -> None:
    is_open = [Alert(1, "loan", "psi", START, "because", column="gone"), Alert(2, "loan", "accuracy", START, "because")]
    raised, cleared = alerts.changes([], [], is_open, MonitorSettings(), 100)
    assert raised == []
    assert [one.column for one in cleared] == ["gone"]


def test_profiles_are_read_once_in_a_while(store: SqlStore) -> None:
    asked: list[str] = []

    def references(model: str, version: str) -> Profile | None:
        asked.append(version)
        return REFERENCE

    place = Place(store)
    place.monitoring = Monitoring(store, references)
    place.send(100)
    place.look()
    assert asked == ["1"]
