"""The part of the store contract that is about monitoring, as tests."""

from __future__ import annotations

from typing import Any

import pytest

from millstream.entities.monitoring import (
    AlertAction,
    AlertChange,
    Finding,
    LatencyBucket,
    MinuteFigures,
    MonitorSettings,
    MonitorWindow,
    Outcome,
    RequestRecord,
    ServiceFigures,
    Threshold,
)
from millstream.errors import InvalidValue, LimitExceeded, MonitorNotFound, RegisteredModelNotFound
from millstream.operations import (
    ClaimMonitor,
    CreateModelVersion,
    CreateRegisteredModel,
    DeleteMonitor,
    DeleteRegisteredModel,
    FindingsRecorded,
    GetMonitor,
    GetRegisteredModel,
    GetServiceFigures,
    GetVersionProfile,
    ListAlerts,
    ListFindings,
    ListMonitors,
    Operation,
    PruneRequests,
    RecordFindings,
    RecordOutcomes,
    RecordRequests,
    SearchRequests,
    SetMonitor,
    SetVersionProfile,
)
from millstream.stores.contract import Store

_TIME = 1_600_000_020_000  # the first millisecond of a minute
_MINUTE = 60_000


def request(number: int, **fields: Any) -> RequestRecord:
    """A request of a second after the one before."""
    made = {"endpoint": "loan", "request_id": f"r{number}", "time": _TIME + number * 1000, "model": "loan",
            "version": "1", "status_code": 200, "seconds": 0.01, "rows": 1, "content_type": "application/json",
            "request": '{"inputs": [1]}', "answer": '{"predictions": [1]}', **fields}
    return RequestRecord(**made)


def ids(store: Store, **fields: Any) -> list[str]:
    """The requests that a search finds."""
    return [one.request_id for one in store.execute(SearchRequests("loan", **fields)).requests]


def look(store: Store, last: int, *, raised: Any = (), cleared: Any = (), **fields: Any) -> FindingsRecorded:
    """Record a window that ends with the record ``last``."""
    window = MonitorWindow(_TIME, _TIME + 1, 1, last, "loan", "1", 5, 5)
    findings = fields.pop("findings", [Finding("psi", 0.4, "exceeded", "income", 0.1)])
    return store.execute(RecordFindings("loan", window, findings, list(raised), list(cleared), **fields))


class RequestLog:
    """Requests, outcomes, figures."""

    def test_requests_are_kept_as_they_were_recorded(self, store: Store) -> None:
        made = [request(1), request(2, status_code=500, answer=None, request="é\n\"", outcome="[1, null]")]
        store.execute(RecordRequests(made))
        found = store.execute(SearchRequests("loan", with_bodies=True)).requests
        assert [one.request_id for one in found] == ["r2", "r1"]
        assert found[0].sequence > found[1].sequence > 0
        for one, expected in zip(found, reversed(made), strict=True):
            assert {**dict(one), "sequence": 0} == dict(expected)
        bare = store.execute(SearchRequests("loan")).requests
        assert [(one.request, one.answer) for one in bare] == [(None, None)] * 2

    def test_a_batch_may_be_sent_twice(self, store: Store) -> None:
        for _ in range(2):
            store.execute(RecordRequests([request(1), request(2)]))
        store.execute(RecordRequests([request(2, time=_TIME + 9_000)]))  # an id that a client uses again
        assert ids(store) == ["r2", "r2", "r1"]

    def test_requests_are_found_by_what_they_are(self, store: Store) -> None:
        store.execute(RecordRequests([
            request(1, version="2"), request(2, status_code=404), request(3, status_code=503, seconds=2.0),
            request(4, endpoint="other"), request(5, model="second"),
        ]))
        store.execute(RecordOutcomes("loan", [Outcome("r1", "1")]))
        assert ids(store) == ["r5", "r3", "r2", "r1"]
        assert ids(store, version="2") == ["r1"]
        assert ids(store, model="second") == ["r5"]
        assert ids(store, least_status=400) == ["r3", "r2"]
        assert ids(store, least_status=400, most_status=499) == ["r2"]
        assert ids(store, least_seconds=1.5) == ["r3"]
        assert ids(store, start_time=_TIME + 2000, end_time=_TIME + 3000) == ["r2"]
        assert ids(store, with_outcome=True) == ["r1"]
        assert ids(store, with_outcome=False) == ["r5", "r3", "r2"]
        assert ids(store, request_id="r3") == ["r3"]
        assert ids(store, request_id="r4") == []

    @pytest.mark.parametrize("upward", [False, True])
    def test_pages_of_requests(self, store: Store, upward: bool) -> None:
        store.execute(RecordRequests([request(number) for number in range(7)]))
        found: list[str] = []
        token = None
        while True:
            page = store.execute(
                SearchRequests("loan", after=0 if upward else None, max_results=3, page_token=token)
            )
            found += [one.request_id for one in page.requests]
            token = page.next_page_token
            if token is None:
                break
        expected = [f"r{number}" for number in range(7)]
        assert found == (expected if upward else expected[::-1])

    def test_outcomes_are_attached_later(self, store: Store) -> None:
        store.execute(RecordRequests([request(1), request(2)]))
        done = store.execute(RecordOutcomes("loan", [Outcome("r1", '"yes"'), Outcome("gone", "1")]))
        assert (done.attached, done.unknown) == (1, ["gone"])
        store.execute(RecordOutcomes("loan", [Outcome("r1", '"no"')]))
        (found,) = store.execute(SearchRequests("loan", with_outcome=True)).requests
        assert (found.request_id, found.outcome) == ("r1", '"no"')
        assert found.outcome_time is not None
        with pytest.raises(InvalidValue, match="JSON"):
            store.execute(RecordOutcomes("loan", [Outcome("r1", "no")]))

    def test_what_cannot_be_a_record_is_refused(self, store: Store) -> None:
        with pytest.raises(InvalidValue, match="request_id"):
            store.execute(RecordRequests([request(1, request_id=" ")]))
        with pytest.raises(LimitExceeded, match="version"):
            store.execute(RecordRequests([request(1, version="v" * 257)]))
        refused: list[Operation[Any]] = [
            RecordRequests([request(1, outcome="{")]),
            RecordRequests(figures=[MinuteFigures("loan", _TIME, "a", buckets=[LatencyBucket(10**6, 1)])]),
            RecordRequests(figures=[MinuteFigures("loan", -1, "a")]), GetServiceFigures("loan", -(2**63), 2**63 - 1),
        ]
        for bad in refused:
            with pytest.raises(InvalidValue):
                store.execute(bad)
        assert ids(store) == []

    def test_requests_are_removed_by_age_and_count(self, store: Store) -> None:
        store.execute(RecordRequests([request(number) for number in range(6)]))
        store.execute(RecordRequests([request(9, endpoint="other")]))
        assert store.execute(PruneRequests("loan", before=_TIME + 2000, most=100)).removed == 2
        assert store.execute(PruneRequests("loan", before=0, most=3)).removed == 1
        assert ids(store) == ["r5", "r4", "r3"]
        store.execute(SetMonitor("loan", MonitorSettings(keep_days=36_500.0, keep_requests=2)))
        assert store.execute(PruneRequests("loan")).removed == 1
        assert ids(store) == ["r5", "r4"]
        store.execute(SetMonitor("loan", MonitorSettings(keep_days=30.0)))  # they are of long ago
        assert store.execute(PruneRequests("loan")).removed == 2
        assert len(store.execute(SearchRequests("other")).requests) == 1

    def test_figures_of_hosts_add_up_and_are_replaced(self, store: Store) -> None:
        def minute(host: str, at: int = 0, **counts: Any) -> MinuteFigures:
            return MinuteFigures("loan", _TIME + at * _MINUTE, host, "loan", "1", **counts)

        fast, slow = LatencyBucket(-100, 10), LatencyBucket(0, 10)
        store.execute(RecordRequests(figures=[minute("a", requests=4, errors=1, buckets=[fast])]))
        store.execute(RecordRequests(figures=[
            minute("a", requests=10, errors=2, refused=1, rows=20, seconds=0.5, buckets=[fast]),
            minute("b", requests=10, rows=10, seconds=10.0, buckets=[slow]), minute("a", 2, requests=1),
        ]))
        found = store.execute(GetServiceFigures("loan", _TIME, _TIME + 10 * _MINUTE)).figures
        assert [(one.time, one.requests, one.errors, one.refused, one.rows) for one in found] == [
            (_TIME, 20, 2, 1, 30), (_TIME + 2 * _MINUTE, 1, 0, 0, 0)
        ]
        assert found[0].seconds == 10.5
        assert found[0].p50 < 0.02 < 0.97 < found[0].p95 < 1.02
        (whole,) = store.execute(
            GetServiceFigures("loan", _TIME // 600_000 * 600_000, _TIME + 10 * _MINUTE, step_minutes=60)
        ).figures
        assert isinstance(whole, ServiceFigures)
        assert (whole.requests, whole.step) == (21, 60 * _MINUTE)
        assert store.execute(GetServiceFigures("loan", _TIME, _TIME + 10 * _MINUTE, version="2")).figures == []
        with pytest.raises(InvalidValue, match="steps"):
            store.execute(GetServiceFigures("loan", 0, _TIME))


class Monitors:
    """Monitors, findings and alerts."""

    def test_a_monitor_keeps_its_settings(self, store: Store) -> None:
        with pytest.raises(MonitorNotFound):
            store.execute(GetMonitor("loan"))
        settings = MonitorSettings(
            sample_rate=0.5, window_rows=200, thresholds=[Threshold("psi", 0.25, "income")],
            actions=[AlertAction("tag", "drift", "yes")], ignored_columns=["id"], keep_bodies=False,
        )
        made = store.execute(SetMonitor("loan", settings)).monitor
        assert (made.endpoint, made.settings, made.last_check) == ("loan", settings, None)
        assert store.execute(GetMonitor("loan")).monitor == made
        again = store.execute(SetMonitor("loan", MonitorSettings(enabled=False))).monitor
        assert (again.settings.enabled, again.creation_time) == (False, made.creation_time)
        assert again.settings.actions == [AlertAction("webhook")]
        store.execute(DeleteMonitor("loan"))
        with pytest.raises(MonitorNotFound):
            store.execute(DeleteMonitor("loan"))

    @pytest.mark.parametrize(("settings", "named"), [
        (MonitorSettings(sample_rate=1.5), "sample_rate"),
        (MonitorSettings(window_rows=50, minimum_rows=60), "minimum_rows"),
        (MonitorSettings(statistics=["luck"]), "luck"),
        (MonitorSettings(thresholds=[Threshold("psi", -1.0)]), "limit"),
        (MonitorSettings(actions=[AlertAction("sing")]), "sing"),
        (MonitorSettings(actions=[AlertAction("tag")]), "key"),
        (MonitorSettings(false_alarm_rate=0.0), "false_alarm_rate"),
    ], ids=lambda value: value if isinstance(value, str) else "")
    def test_settings_that_cannot_work_are_refused(self, store: Store, settings: MonitorSettings, named: str) -> None:
        with pytest.raises(InvalidValue, match=named):
            store.execute(SetMonitor("loan", settings))

    def test_monitors_are_listed_by_endpoint(self, store: Store) -> None:
        for name in ("c", "a", "b"):
            store.execute(SetMonitor(name))
        page = store.execute(ListMonitors(max_results=2))
        rest = store.execute(ListMonitors(max_results=2, page_token=page.next_page_token))
        assert [one.endpoint for one in (*page.monitors, *rest.monitors)] == ["a", "b", "c"]
        assert rest.next_page_token is None

    def test_one_looks_at_a_time(self, store: Store) -> None:
        store.execute(SetMonitor("loan"))
        assert store.execute(ClaimMonitor("loan", "first", 60.0)).claimed
        assert not store.execute(ClaimMonitor("loan", "second", 60.0)).claimed
        assert store.execute(ClaimMonitor("loan", "first", 60.0)).claimed
        assert store.execute(GetMonitor("loan")).monitor.last_check is not None
        assert not store.execute(ClaimMonitor("loan", "second", 0.0)).claimed
        assert store.execute(ClaimMonitor("loan", "first", 0.0)).claimed
        assert store.execute(ClaimMonitor("loan", "second", 60.0)).claimed
        for seconds in (1e300, float("inf"), float("nan")):
            with pytest.raises(InvalidValue, match="seconds"):
                store.execute(ClaimMonitor("loan", "second", seconds))

    def test_alerts_are_raised_once_and_cleared_once(self, store: Store) -> None:
        store.execute(SetMonitor("loan"))
        income = AlertChange("psi", "the income has moved", "income", 0.4, 0.1)
        (raised,) = look(store, 5, raised=[income]).raised
        assert (raised.endpoint, raised.column, raised.value, raised.limit, raised.open) == (
            "loan", "income", 0.4, 0.1, True
        )
        assert look(store, 6, raised=[income]).raised == []
        assert store.execute(ListAlerts("loan", only_open=True)).alerts == [raised]
        back = AlertChange("psi", "the income is back", "income", 0.02, 0.1)
        (cleared,) = look(store, 7, cleared=[back, AlertChange("ks", "was never raised")]).cleared
        assert (cleared.alert_id, cleared.cleared_reason, cleared.open) == (
            raised.alert_id, "the income is back", False
        )
        assert look(store, 8, cleared=[back]).cleared == []
        assert store.execute(ListAlerts(only_open=True)).alerts == []
        (again,) = look(store, 9, raised=[income]).raised
        page = store.execute(ListAlerts("loan", max_results=1))
        rest = store.execute(ListAlerts("loan", max_results=1, page_token=page.next_page_token))
        assert [*page.alerts, *rest.alerts] == [again, cleared]
        assert store.execute(ListAlerts("loan", version="2")).alerts == []

    def test_a_window_counts_once(self, store: Store) -> None:
        store.execute(SetMonitor("loan"))
        income = AlertChange("psi", "moved", "income")
        assert len(look(store, 5, raised=[income]).raised) == 1
        assert look(store, 5, cleared=[income]) == FindingsRecorded()
        assert len(store.execute(ListFindings("loan")).windows) == 1

    def test_findings_are_read_back(self, store: Store) -> None:
        store.execute(SetMonitor("loan"))
        findings = [Finding("psi", 0.4, "exceeded", "income", 0.1), Finding("ks", 0.01, "ok", "age", 0.1, 0.7),
                    Finding("error_rate", 0.0)]
        for last in (5, 6):
            look(store, last, findings=findings)
        first, second = store.execute(ListFindings("loan")).windows
        assert (first.window.last_sequence, second.window.last_sequence) == (6, 5)
        assert first.findings == second.findings == findings
        assert first.window.version == "1"
        (one,) = store.execute(ListFindings("loan", column="age", max_results=1)).windows
        assert one.findings == findings[1:2]
        assert [found.findings for found in store.execute(ListFindings("loan", statistic="psi")).windows] == [
            findings[:1], findings[:1]
        ]
        assert store.execute(ListFindings("loan", version="2")).windows == []
        with pytest.raises(InvalidValue, match="finite"):
            look(store, 7, findings=[Finding("psi", float("nan"))])

    def test_an_alert_sets_a_tag_until_it_is_cleared(self, store: Store) -> None:
        store.execute(CreateRegisteredModel("loan"))
        store.execute(SetMonitor("loan", MonitorSettings(actions=[AlertAction("tag", "retrain", "drift")])))
        changes = [AlertChange("psi", "moved", column) for column in ("income", "age")]
        look(store, 5, raised=changes)
        assert store.execute(GetRegisteredModel("loan")).registered_model.tags == {"retrain": "drift"}
        look(store, 6, cleared=changes[:1])
        assert store.execute(GetRegisteredModel("loan")).registered_model.tags == {"retrain": "drift"}
        look(store, 7, cleared=changes[1:])
        assert store.execute(GetRegisteredModel("loan")).registered_model.tags == {}
        store.execute(DeleteRegisteredModel("loan"))
        assert len(look(store, 8, raised=changes).raised) == 2

    def test_a_deleted_monitor_takes_what_it_found_along(self, store: Store) -> None:
        store.execute(SetMonitor("loan"))
        store.execute(RecordRequests([request(1)]))
        look(store, 5, raised=[AlertChange("psi", "moved", "income")])
        store.execute(DeleteMonitor("loan"))
        assert store.execute(ListAlerts()).alerts == []
        assert ids(store) == []
        store.execute(SetMonitor("loan"))
        assert store.execute(ListFindings("loan")).windows == []

    def test_a_version_has_a_profile(self, store: Store) -> None:
        with pytest.raises(RegisteredModelNotFound):
            store.execute(SetVersionProfile("loan", "1", "{}"))
        store.execute(CreateRegisteredModel("loan"))
        store.execute(CreateModelVersion("loan", "s3://bucket/models"))
        assert store.execute(GetVersionProfile("loan", "1")).profile is None
        for text in ('{"format": 1}', '{"format": 2}'):
            store.execute(SetVersionProfile("loan", "1", text))
            assert store.execute(GetVersionProfile("loan", "1")).profile == text
        store.execute(SetVersionProfile("loan", "1"))
        assert store.execute(GetVersionProfile("loan", "1")).profile is None


class MonitoringConformance(RequestLog, Monitors):
    """What a store promises of monitoring."""
