"""Looking at what was recorded: windows of requests against the reference, findings and alerts into the store.

It runs on schedule in a serving host, or once for a command; it reads everything from the store, so any process may
do it, and of several that do only one looks at an endpoint at a time.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from millstream.entities.monitoring import Finding, Monitor, MonitorWindow, RequestRecord, WindowFindings
from millstream.errors import MillstreamError
from millstream.models.profile import Profile
from millstream.operations import (
    ClaimMonitor,
    GetMonitor,
    ListAlerts,
    ListFindings,
    ListMonitors,
    PruneRequests,
    RecordFindings,
    SearchRequests,
)
from millstream.operations.paging import pages
from millstream.serving.monitoring import alerts, bodies
from millstream.serving.monitoring.comparing import findings as compared
from millstream.serving.monitoring.quality import quality, service
from millstream.serving.monitoring.references import References
from millstream.stores.contract import Store

logger = logging.getLogger("millstream.serving")

Version = tuple[str, str]

_PAGE, _ALERTS = 1_000, 10_000
# Bodies may be large: a page of them is held in memory.
_BODIES = 200
_CLAIM_SECONDS = 120.0
_PRUNE_MS = 60_000
# A server that does not answer is asked again by the next tick.
_PATIENCE_SECONDS = 5.0


@dataclass
class _Progress:
    """What is known of one endpoint: the last record that was read, and the records of each version that wait."""

    seen: int = 0
    cursors: dict[Version, int] = field(default_factory=dict)
    waiting: dict[Version, list[RequestRecord]] = field(default_factory=dict)
    last_request: dict[Version, int] = field(default_factory=dict)
    pruned: int = 0


class Monitoring:
    """Looks at every endpoint that has a monitor. ``references(model, version)`` gives the profile of a version's
    training data, None where there is none: then there are figures, and no drift.

    One thread at a time may call its methods.
    """

    def __init__(
        self, store: Store, references: Callable[[str, str], Profile | None] | None = None, holder: str | None = None
    ) -> None:
        self.store = store
        self.holder = holder or f"monitoring-{secrets.token_hex(6)}"
        self._references = references or References(store)
        self._progress: dict[str, _Progress] = {}
        self._newest: dict[tuple[str, str, str], WindowFindings] = {}
        self._open: dict[str, int] = {}
        self._wake, self._ended = threading.Event(), False
        self._thread: threading.Thread | None = None

    def tick(self, now: int) -> list[WindowFindings]:
        """Look at the endpoints that are due at ``now`` (milliseconds since the epoch); what was found in each window.

        An endpoint that cannot be looked at is a line in the log, and the others are not held up by it.
        """
        found: list[WindowFindings] = []
        for monitor in self._monitors():
            due = monitor.last_check is None or now - monitor.last_check >= monitor.settings.every_seconds * 1000
            if monitor.settings.enabled and due:
                try:
                    found += self.check(monitor.endpoint, now)
                except MillstreamError as error:
                    logger.warning("the endpoint %s is not looked at: %s", monitor.endpoint, error)
        return found

    def check(self, endpoint: str, now: int, *, at_once: bool = False) -> list[WindowFindings]:
        """Look at one endpoint now; what was found in each window that is complete, and with ``at_once`` in those that
        have the least number of rows. Nothing while another process looks at it. Raises MonitorNotFound.
        """
        if not self.store.execute(ClaimMonitor(endpoint, self.holder, _CLAIM_SECONDS)).claimed:
            return []
        try:
            monitor = self.store.execute(GetMonitor(endpoint)).monitor
            progress = self._progress.get(endpoint)
            if progress is None:
                progress = self._progress[endpoint] = self._begin(monitor, now)
            self._read(monitor, progress, now)
            found = [
                self._look(monitor, version, window)
                for version in list(progress.waiting)
                for window in self._windows(monitor, progress, version, now, at_once)
            ]
            self._silence(monitor, progress, now)
            if now - progress.pruned >= _PRUNE_MS:
                self.store.execute(PruneRequests(endpoint))
                progress.pruned = now
            opened = self.store.execute(ListAlerts(endpoint, only_open=True, max_results=_ALERTS)).alerts
            self._open[endpoint] = len(opened)
            return found
        finally:
            self.store.execute(ClaimMonitor(endpoint, self.holder, 0.0))

    def start(self, every: float = 1.0) -> None:
        """Tick every so many seconds in a thread of its own, until :meth:`close`."""
        self._thread = threading.Thread(target=self._run, args=(every,), name="millstream-monitoring", daemon=True)
        self._thread.start()

    def close(self, timeout: float = 5.0) -> None:
        """End the thread, after the look that is under way."""
        self._ended = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def families(self) -> Iterator[Any]:
        """What was found last, for Prometheus, as prometheus-client has it."""
        from prometheus_client.core import GaugeMetricFamily

        labels = ["endpoint", "model", "version", "column", "statistic"]
        values = GaugeMetricFamily("millstream_monitoring_value", "A statistic in the last window", labels=labels)
        beyond = GaugeMetricFamily("millstream_monitoring_exceeded", "1 where the statistic is beyond its limit",
                                   labels=labels)
        for (endpoint, model, version), window in list(self._newest.items()):
            for one in window.findings:
                named = [endpoint, model, version, one.column, one.statistic]
                values.add_metric(named, one.value)
                if one.limit is not None:
                    beyond.add_metric(named, float(one.state == "exceeded"))
        yield values
        yield beyond
        opened = GaugeMetricFamily("millstream_monitoring_open_alerts", "Alerts that are open", labels=["endpoint"])
        for endpoint, count in list(self._open.items()):
            opened.add_metric([endpoint], count)
        yield opened

    def _run(self, every: float) -> None:
        from millstream.stores.http import PATIENCE

        PATIENCE.set(_PATIENCE_SECONDS)
        while not self._ended:
            try:
                self.tick(time.time_ns() // 1_000_000)
            except MillstreamError as error:
                logger.warning("monitoring waits: %s", error)
            except Exception:  # the thread lives as long as the host does
                logger.exception("monitoring met an unexpected problem")
            self._wake.wait(every)

    def _monitors(self) -> Iterator[Monitor]:
        for page in pages(self.store.execute, ListMonitors()):
            yield from page.monitors

    # Windows

    def _begin(self, monitor: Monitor, now: int) -> _Progress:
        """Where the last look at an endpoint ended, of each version, whoever it was."""
        progress = _Progress()
        for found in reversed(self.store.execute(ListFindings(monitor.endpoint, max_results=_PAGE)).windows):
            window = found.window
            if window.requests:
                progress.cursors[window.model, window.version] = window.last_sequence
                progress.last_request[window.model, window.version] = window.end_time
        return progress

    def _read(self, monitor: Monitor, progress: _Progress, now: int) -> None:
        """Read the records that are new, each behind those of its version that wait."""
        oldest = now - int(monitor.settings.window_seconds * 2000)
        asked = SearchRequests(
            monitor.endpoint, after=progress.seen, start_time=oldest, with_bodies=True, max_results=_BODIES
        )
        for page in pages(self.store.execute, asked):
            for record in page.requests:
                version = (record.model, record.version)
                progress.seen = max(progress.seen, record.sequence)
                if record.sequence > progress.cursors.get(version, 0):
                    progress.waiting.setdefault(version, []).append(record)
                    progress.last_request[version] = max(record.time, progress.last_request.get(version, 0))

    def _windows(
        self, monitor: Monitor, progress: _Progress, version: Version, now: int, at_once: bool
    ) -> Iterator[list[RequestRecord]]:
        """Take the complete windows of a version from the records that wait."""
        settings = monitor.settings
        waiting = progress.waiting[version]
        start, rows, end = 0, 0, 0
        for end, record in enumerate(waiting, 1):
            rows += max(1, record.rows)
            if rows >= settings.window_rows:
                yield waiting[start:end]
                start, rows = end, 0
        rest = waiting[start:]
        late = bool(rest) and now - rest[0].time >= settings.window_seconds * 1000
        if rows >= settings.minimum_rows and (late or at_once):
            yield rest
            rest = []
        elif late:  # too few of them for too long: what is older than a window does not belong to the next
            rest = [record for record in rest if now - record.time < settings.window_seconds * 1000]
        progress.waiting[version] = rest

    def _look(self, monitor: Monitor, version: Version, records: Sequence[RequestRecord]) -> WindowFindings:
        """Measure one window, and record what was found."""
        settings = monitor.settings
        window = MonitorWindow(
            min(record.time for record in records), max(record.time for record in records), records[0].sequence,
            records[-1].sequence, *version, len(records), sum(record.rows for record in records),
        )
        found = [*service(records, settings), *self._drift(monitor, version, records),
                 *quality(self._with_outcomes(monitor, version), settings)]
        model, number = version
        length = max(settings.raise_after, settings.clear_after) - 1
        before = self.store.execute(
            ListFindings(monitor.endpoint, model, number, max_results=length)
        ).windows if length else []
        opened = self.store.execute(ListAlerts(monitor.endpoint, model, number, only_open=True, max_results=_ALERTS))
        raised, cleared = alerts.changes(
            found, [one.findings for one in before], opened.alerts, settings, window.rows
        )
        self.store.execute(RecordFindings(monitor.endpoint, window, found, raised, cleared))
        progress = self._progress[monitor.endpoint]
        progress.cursors[version] = window.last_sequence
        made = WindowFindings(monitor.endpoint, window, window.end_time, found)
        self._newest[monitor.endpoint, model, number] = made
        return made

    def _drift(self, monitor: Monitor, version: Version, records: Sequence[RequestRecord]) -> list[Finding]:
        """What the requests that were answered, and their answers, show against the training data."""
        answered = [record for record in records if record.status_code < 400]
        read = [(text, record.content_type) for record in answered if (text := record.request) is not None]
        reference = self._references(*version) if read else None
        if reference is None:
            return []
        names = [column.name for column in reference.columns]
        columns = bodies.requested(read, names)
        predictions = bodies.predicted([record.answer for record in answered if record.answer is not None])
        rows = max(map(len, columns.values()), default=0)
        return compared(reference, columns, predictions, monitor.settings) if rows else []

    def _with_outcomes(self, monitor: Monitor, version: Version) -> list[RequestRecord]:
        """The newest requests whose outcomes are known, with as many rows as a window has."""
        found: list[RequestRecord] = []
        asked = SearchRequests(
            monitor.endpoint, *version, with_outcome=True, with_bodies=True, max_results=_BODIES
        )
        for page in pages(self.store.execute, asked):
            found += page.requests
            if sum(record.rows for record in found) >= monitor.settings.window_rows:
                break
        return found

    def _silence(self, monitor: Monitor, progress: _Progress, now: int) -> None:
        """Clear the alerts of versions that get no requests any more while others do."""
        newest = max(progress.last_request.values(), default=0)
        if now - newest >= monitor.settings.window_seconds * 1000:
            return
        opened = self.store.execute(ListAlerts(monitor.endpoint, only_open=True, max_results=_ALERTS)).alerts
        for version in dict.fromkeys((one.model, one.version) for one in opened):
            last = progress.last_request.get(version, 0)
            if now - last >= monitor.settings.window_seconds * 1000:
                mine = [one for one in opened if (one.model, one.version) == version]
                window = MonitorWindow(last, now, progress.seen, progress.seen, *version)
                cleared = alerts.silenced(mine, monitor.settings.window_seconds / 3600)
                self.store.execute(RecordFindings(monitor.endpoint, window, [], [], cleared))
