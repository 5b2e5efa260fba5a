"""When an alert is raised and cleared: with hysteresis, so that one odd window does neither."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from millstream.entities.monitoring import OF_QUALITY, Alert, AlertChange, Finding, MonitorSettings

Key = tuple[str, str]


def changes(
    findings: Sequence[Finding], before: Sequence[Sequence[Finding]], open_alerts: Iterable[Alert],
    settings: MonitorSettings, rows: int,
) -> tuple[list[AlertChange], list[AlertChange]]:
    """The alerts that the ``findings`` of a window of so many ``rows`` raise, and those that they clear.

    ``before`` holds the findings of the windows before it, the newest first; ``open_alerts`` are the version's. An
    alert is raised by ``raise_after`` windows in a row beyond the limit, and cleared by ``clear_after`` within it; what
    is no longer measured is cleared, unless it waits for outcomes.
    """
    past = [{(one.statistic, one.column): one.state for one in window} for window in before]
    is_open = {(one.statistic, one.column): one for one in open_alerts}
    now = {(one.statistic, one.column): one for one in findings}
    raised: list[AlertChange] = []
    cleared: list[AlertChange] = []
    for key, finding in now.items():
        if key in is_open:
            if _in_a_row("ok", key, finding, past, settings.clear_after):
                cleared.append(_change(finding, _within(finding, settings.clear_after, rows)))
        elif _in_a_row("exceeded", key, finding, past, settings.raise_after):
            raised.append(_change(finding, _beyond(finding, settings.raise_after, rows)))
    for key, alert in is_open.items():
        if key not in now and alert.statistic not in OF_QUALITY:
            cleared.append(AlertChange(alert.statistic, "it is no longer measured", alert.column))
    return raised, cleared


def silenced(open_alerts: Iterable[Alert], hours: float) -> list[AlertChange]:
    """What clears the alerts of a version that others have taken the requests of."""
    reason = f"the version has had no request for {hours:g} h"
    return [AlertChange(one.statistic, reason, one.column, one.value, one.limit) for one in open_alerts]


def _in_a_row(
    state: str, key: Key, finding: Finding, past: Sequence[Mapping[Key, str]], length: int
) -> bool:
    return finding.state == state and len(past) >= length - 1 and all(
        window.get(key) == state for window in past[:length - 1]
    )


def _change(finding: Finding, reason: str) -> AlertChange:
    return AlertChange(finding.statistic, reason, finding.column, finding.value, finding.limit)


def _beyond(finding: Finding, windows: int, rows: int) -> str:
    word = "below" if finding.statistic == "accuracy" else "above"
    return _sentence(finding, word, windows, rows)


def _within(finding: Finding, windows: int, rows: int) -> str:
    return _sentence(finding, "within", windows, rows)


def _sentence(finding: Finding, word: str, windows: int, rows: int) -> str:
    limit = "" if finding.limit is None else f" its limit {finding.limit:.4g}"
    times = "" if windows == 1 else f" in {windows} windows in a row"
    of = f" of {finding.column[:200]}" if finding.column else ""
    return f"{finding.statistic}{of} is {finding.value:.4g}, {word}{limit}{times} (the last of {rows} rows)"
