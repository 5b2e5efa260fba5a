"""What monitoring keeps of served models: requests, service figures, monitors, what they found, alerts.

Times are in milliseconds since the epoch, durations in seconds. A ``version`` is a version of the registered model
``model``, by its number.
"""

from __future__ import annotations

import msgspec

from millstream.entities.base import Entity, Int64

# Of columns and predictions, against the training data.
DRIFT = ("psi", "ks", "js", "chi2", "missing", "unseen")
# Of whole rows; of the service; of predictions against outcomes. The last two count only against a threshold.
OF_ROWS = ("outliers",)
OF_SERVICE = ("error_rate", "seconds_p95")
OF_QUALITY = ("accuracy", "mean_absolute_error", "root_mean_squared_error")
STATISTICS = (*DRIFT, *OF_ROWS, *OF_SERVICE, *OF_QUALITY)
ACTIONS = ("webhook", "tag")


class RequestRecord(Entity, frozen=True):
    """One request to an endpoint, and how it was answered.

    ``request`` and ``answer`` are the bodies as text, None where they are not kept or were larger than the monitor
    allows. ``rows`` is the number of rows that were asked about, 0 where nobody could count them. ``outcome`` is what
    really happened, as JSON: a value, or a list of one value a row. ``sequence`` counts the records as they arrived in
    the store, 0 before that.
    """

    endpoint: str
    request_id: str
    time: Int64
    model: str = ""
    version: str = ""
    status_code: Int64 = 0
    seconds: float = 0.0
    rows: Int64 = 0
    content_type: str | None = None
    request: str | None = None
    answer: str | None = None
    outcome: str | None = None
    outcome_time: Int64 | None = None
    sequence: Int64 = 0


class Outcome(Entity, frozen=True):
    """What really happened after a request: ``value`` is JSON, a value or a list of one value a row of the request."""

    request_id: str
    value: str


class LatencyBucket(Entity, frozen=True):
    """How many requests took about so long; see :mod:`millstream.entities.latency` for the bounds of a bucket."""

    index: Int64
    count: Int64


class MinuteFigures(Entity, frozen=True):
    """What one host counted of one version within one minute, so far: a later report replaces an earlier one.

    ``minute`` is its first millisecond. ``errors`` are answers of 500 and above, ``refused`` those from 400 to 499.
    """

    endpoint: str
    minute: Int64
    host: str
    model: str = ""
    version: str = ""
    requests: Int64 = 0
    errors: Int64 = 0
    refused: Int64 = 0
    rows: Int64 = 0
    seconds: float = 0.0
    buckets: list[LatencyBucket] = []


class ServiceFigures(Entity, frozen=True):
    """Figures of one version from ``time`` on, for ``step`` milliseconds, all hosts together.

    ``p50``, ``p95`` and ``p99`` are quantiles of the seconds to an answer, exact to 2 %.
    """

    endpoint: str
    time: Int64
    step: Int64
    model: str = ""
    version: str = ""
    requests: Int64 = 0
    errors: Int64 = 0
    refused: Int64 = 0
    rows: Int64 = 0
    seconds: float = 0.0
    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0


class Threshold(Entity, frozen=True):
    """From where on a statistic counts: of one column, or of all that name none.

    What chance alone reaches is never counted, however low the threshold (see
    :mod:`millstream.serving.monitoring.statistics`).
    """

    statistic: str
    limit: float
    column: str = ""


class AlertAction(Entity, frozen=True):
    """What is done when an alert is raised besides telling of it.

    ``webhook`` sends the events ``monitor.alert_raised`` and ``monitor.alert_cleared``; ``tag`` sets the tag ``key`` of
    the registered model to ``value`` while alerts are open, and removes it with the last.
    """

    kind: str
    key: str = ""
    value: str = ""


class MonitorSettings(Entity, frozen=True, omit_defaults=False):
    """What a monitor watches, and how closely.

    ``sample_rate`` is the share of requests that are kept, ``keep_bodies`` whether their bodies are, each up to
    ``body_bytes``: without bodies there are figures, and no drift. Records are removed after ``keep_days`` days,
    and beyond the newest ``keep_requests``; figures, findings and cleared alerts after ``keep_figures_days``. Every
    ``every_seconds`` seconds the requests since the last look are looked at when they have ``window_rows`` rows, or
    when the oldest has waited ``window_seconds`` and they have at least ``minimum_rows``. ``false_alarm_rate`` is
    the chance that a window without any change exceeds a threshold; an alert is raised after ``raise_after`` such
    windows in a row and cleared after ``clear_after`` without. ``statistics`` are those to compute (all of them
    unless some are named), ``ignored_columns`` are left out.
    """

    enabled: bool = True
    sample_rate: float = 1.0
    keep_bodies: bool = True
    body_bytes: Int64 = 65_536
    keep_days: float = 30.0
    keep_requests: Int64 = 100_000
    keep_figures_days: float = 365.0
    window_rows: Int64 = 1_000
    window_seconds: float = 86_400.0
    minimum_rows: Int64 = 100
    every_seconds: float = 60.0
    false_alarm_rate: float = 0.001
    raise_after: Int64 = 2
    clear_after: Int64 = 2
    statistics: list[str] = []
    ignored_columns: list[str] = []
    thresholds: list[Threshold] = []
    actions: list[AlertAction] = msgspec.field(default_factory=lambda: [AlertAction("webhook")])


class Monitor(Entity, frozen=True):
    """What watches one endpoint. ``last_check`` is when it was last looked at."""

    endpoint: str
    creation_time: Int64
    last_update_time: Int64
    settings: MonitorSettings = msgspec.field(default_factory=MonitorSettings)
    last_check: Int64 | None = None


class MonitorWindow(Entity, frozen=True):
    """The requests that one look was about: from the record ``first_sequence`` to ``last_sequence``, of one version."""

    start_time: Int64
    end_time: Int64
    first_sequence: Int64
    last_sequence: Int64
    model: str = ""
    version: str = ""
    requests: Int64 = 0
    rows: Int64 = 0


class Finding(Entity, frozen=True):
    """One statistic of one column in one window.

    ``limit`` is what the value is compared with, None where no threshold applies. ``state`` is ``ok`` or ``exceeded``.
    ``column`` is empty for what is about whole rows or the service. ``p_value`` is the chance of such a value without
    any change, where a test gives one.
    """

    statistic: str
    value: float
    state: str = "ok"
    column: str = ""
    limit: float | None = None
    p_value: float | None = None


class WindowFindings(Entity, frozen=True):
    """What was found in one window."""

    endpoint: str
    window: MonitorWindow
    time: Int64
    findings: list[Finding] = []


class AlertChange(Entity, frozen=True):
    """An alert that a look raises or clears: of which statistic and column, at which value, and why in words."""

    statistic: str
    reason: str
    column: str = ""
    value: float = 0.0
    limit: float | None = None


class Alert(Entity, frozen=True):
    """Something that was beyond its limit. It is open until ``cleared_time``."""

    alert_id: Int64
    endpoint: str
    statistic: str
    raised_time: Int64
    reason: str
    model: str = ""
    version: str = ""
    column: str = ""
    value: float = 0.0
    limit: float | None = None
    cleared_time: Int64 | None = None
    cleared_reason: str | None = None

    @property
    def open(self) -> bool:
        """Whether it has not been cleared."""
        return self.cleared_time is None
