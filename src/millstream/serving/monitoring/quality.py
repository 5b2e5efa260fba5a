"""What a window says of the service, and of predictions where the outcomes are known."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from millstream.entities.monitoring import OF_QUALITY, OF_SERVICE, Finding, MonitorSettings, RequestRecord
from millstream.serving.monitoring.bodies import values_of


def service(records: Sequence[RequestRecord], settings: MonitorSettings) -> list[Finding]:
    """The share of requests that the service failed to answer, and the 95 % quantile of the seconds that they took."""
    seconds = sorted(record.seconds for record in records)
    errors = sum(record.status_code >= 500 for record in records)
    slow = seconds[min(len(seconds) - 1, math.ceil(0.95 * len(seconds)) - 1)] if seconds else 0.0
    values = {"error_rate": errors / max(1, len(records)), "seconds_p95": slow}
    return [_finding(name, values[name], settings) for name in OF_SERVICE if _wanted(name, settings)]


def quality(records: Sequence[RequestRecord], settings: MonitorSettings) -> list[Finding]:
    """Accuracy where outcomes are classes, mean absolute and root mean squared error where they are numbers.

    Of records with an outcome and an answer; nothing where there are fewer than ``minimum_rows`` rows of them. Outcomes
    that are numbers are compared by their values, others by their texts.
    """
    pairs = [pair for record in records for pair in _pairs(record)]
    if len(pairs) < settings.minimum_rows:
        return []
    values: dict[str, float] = {}
    numbers = [(float(given), float(real)) for given, real in pairs if _number(given) and _number(real)]
    if len(numbers) == len(pairs) and any(not one.is_integer() for pair in numbers for one in pair):
        distances = [abs(given - real) for given, real in numbers]
        values["mean_absolute_error"] = math.fsum(distances) / len(distances)
        values["root_mean_squared_error"] = math.sqrt(math.fsum(one * one for one in distances) / len(distances))
    else:
        values["accuracy"] = sum(_same(given, real) for given, real in pairs) / len(pairs)
    return [_finding(name, values[name], settings) for name in OF_QUALITY if name in values and _wanted(name, settings)]


def _pairs(record: RequestRecord) -> list[tuple[Any, Any]]:
    """What was predicted and what happened, row by row."""
    if record.outcome is None or record.answer is None or record.status_code >= 400:
        return []
    given = values_of(record.answer)
    real = json.loads(record.outcome)
    happened = real if isinstance(real, list) else [real]
    if given is None or len(given) != len(happened):
        return []
    return [(one, other) for one, other in zip(given, happened, strict=True) if other is not None]


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _same(given: Any, real: Any) -> bool:
    if _number(given) and _number(real):
        return float(given) == float(real)
    return str(given) == str(real)


def _wanted(name: str, settings: MonitorSettings) -> bool:
    return not settings.statistics or name in settings.statistics


def _finding(name: str, value: float, settings: MonitorSettings) -> Finding:
    limit = next((one.limit for one in settings.thresholds if one.statistic == name), None)
    beyond = limit is not None and (value < limit if name == "accuracy" else value > limit)
    return Finding(name, value, "exceeded" if beyond else "ok", "", limit)
