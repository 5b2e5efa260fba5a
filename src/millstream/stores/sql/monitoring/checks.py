"""What may be said of a monitor, and what a record of a request may hold."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from millstream.entities.latency import bucket_of
from millstream.entities.monitoring import ACTIONS, STATISTICS, MonitorSettings
from millstream.errors import InvalidValue, LimitExceeded
from millstream.operations.limits import check_text

NAME_LENGTH = 256
OUTCOME_LENGTH = 1_000_000
BATCH = 10_000
BODY_BYTES = 4 * 1024 * 1024


def check_name(value: str, field: str) -> str:
    """A name of at most 256 characters that is not blank."""
    if not value.strip():
        raise InvalidValue.of(field, value, "it is empty")
    return check_text(value, NAME_LENGTH, field)


def check_batch(items: Sequence[object], field: str, most: int = BATCH) -> None:
    """At most ``most`` of them in one request. Raises LimitExceeded."""
    if len(items) > most:
        raise LimitExceeded(f"one request holds at most {most} {field}; this one has {len(items)}",
                            hint=f"send the {field} in several requests")


def check_json(text: str, field: str) -> str:
    """A text that is JSON."""
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidValue.of(field, text[:100], f"it is not JSON: {error}",
                              hint='a text in JSON stands in quotes: "\\"yes\\""') from None
    return check_text(text, OUTCOME_LENGTH, field)


def check_finite(value: float | None, field: str) -> float | None:
    """A number that is neither infinite nor NaN; None stays."""
    if value is not None and not math.isfinite(value):
        raise InvalidValue.of(field, value, "it is no finite number")
    return value


def check_bucket(index: int) -> int:
    """The number of a bucket of latency, see :mod:`millstream.entities.latency`."""
    if not bucket_of(0.0) <= index <= bucket_of(math.inf):
        raise InvalidValue.of("index", index, "no duration belongs to this bucket")
    return index


def check_settings(settings: MonitorSettings) -> MonitorSettings:
    """Settings that can work. Raises InvalidValue, naming the one that cannot."""
    for field, low, high in (
        ("sample_rate", 0.0, 1.0), ("false_alarm_rate", 1e-9, 0.5), ("keep_days", 1e-6, 36_500.0),
        ("keep_figures_days", 1e-6, 36_500.0), ("window_seconds", 1.0, 366 * 86_400.0),
        ("every_seconds", 0.1, 86_400.0), ("body_bytes", 1, BODY_BYTES), ("keep_requests", 1, 10**9),
        ("minimum_rows", 20, 10**5), ("window_rows", 20, 10**5), ("raise_after", 1, 100), ("clear_after", 1, 100),
    ):
        value = getattr(settings, field)
        if not (math.isfinite(value) and low <= value <= high):
            raise InvalidValue.of(field, value, f"it must be at least {low:g} and at most {high:g}")
    if settings.minimum_rows > settings.window_rows:
        raise InvalidValue.of("minimum_rows", settings.minimum_rows,
                              f"a window is complete with {settings.window_rows} rows (window_rows)")
    for name in (*settings.statistics, *(threshold.statistic for threshold in settings.thresholds)):
        if name not in STATISTICS:
            raise InvalidValue.of("statistic", name, "there is none of this name",
                                  hint=f"there are {', '.join(STATISTICS)}")
    for threshold in settings.thresholds:
        if not math.isfinite(threshold.limit) or threshold.limit < 0:
            raise InvalidValue.of("limit", threshold.limit, "a threshold is a number, not below 0")
    for action in settings.actions:
        if action.kind not in ACTIONS:
            raise InvalidValue.of("kind", action.kind, "an alert does nothing of the kind",
                                  hint=f"it may {' or '.join(ACTIONS)}")
        if action.kind == "tag" and not action.key:
            raise InvalidValue("the action 'tag' needs the key of the tag", hint='give it as key="…"')
    return settings
