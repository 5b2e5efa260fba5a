"""What the fields of monitoring mean, see :mod:`millstream.server.glossary`."""

from __future__ import annotations

_COMMON = {
    "endpoint": "The name of the endpoint.",
    "name": "The name of the endpoint.",
    "model": "The registered model.",
    "version": "The number of its version.",
    "column": "The column; unset for what is about whole rows, or about the service.",
    "statistic": "psi, ks, js, chi2, missing, unseen, outliers, error_rate, seconds_p95, accuracy, "
                 "mean_absolute_error or root_mean_squared_error.",
    "limit": "The number beyond which the value counts.",
    "page_token": "What the page before has said.",
    "next_page_token": "What asks for the next page; unset on the last.",
    "max_results": "How many at most.",
}
_REQUEST = {
    "request_id": "The id of the request, as its answer's X-Request-Id says.",
    "time": "When it was answered, in milliseconds since the epoch.",
    "status_code": "The HTTP status of the answer.",
    "seconds": "The seconds from its head to the answer.",
    "rows": "How many rows it asked about; 0 where nobody could count them.",
    "content_type": "The content type of its body.",
    "request": "Its body; unset where it is not kept.",
    "answer": "The body of the answer; unset where it is not kept.",
    "outcome": "What really happened, as JSON: a value, or a list of one value a row.",
    "outcome_time": "When that was said, in milliseconds since the epoch.",
    "sequence": "The number of the record, in the order in which they came into the store.",
}
_COUNTS = {
    "requests": "How many requests were answered.",
    "errors": "How many of them with a status of 500 or above.",
    "refused": "How many of them with a status from 400 to 499.",
    "rows": "The rows of those that are logged.",
    "seconds": "The seconds that they took, together.",
}
_CHANGE = {
    "value": "The value that raised or clears it.",
    "reason": "Why, in words and numbers.",
}
_WORDS: dict[str, dict[str, str]] = {
    "RequestRecord": _REQUEST,
    "Outcome": {"request_id": _REQUEST["request_id"], "value": _REQUEST["outcome"]},
    "LatencyBucket": {
        "index": "The number of the bucket: it holds the seconds up to 1.0408 to that power.",
        "count": "How many requests took so long.",
    },
    "MinuteFigures": {
        **_COUNTS,
        "minute": "The first millisecond of the minute.",
        "host": "Who has counted; a later report of it about the same minute replaces an earlier one.",
        "buckets": "How many requests took how long.",
    },
    "ServiceFigures": {
        **_COUNTS,
        "time": "The beginning of the step, in milliseconds since the epoch.",
        "step": "The length of the step in milliseconds.",
        "p50": "The seconds within which half of the requests were answered.",
        "p95": "The seconds within which 95 % of them were.",
        "p99": "The seconds within which 99 % of them were.",
    },
    "Threshold": {
        "limit": "From where on a value matters.",
        "column": "The column that it is for; all that have none of their own unless given.",
    },
    "AlertAction": {
        "kind": "webhook: webhooks are told of alerts; tag: the registered model carries a tag while alerts are open.",
        "key": "The key of the tag.",
        "value": "The value of the tag.",
    },
    "MonitorSettings": {
        "enabled": "Whether the endpoint is watched.",
        "sample_rate": "The share of requests that are logged, from 0 to 1, chosen by their ids.",
        "keep_bodies": "Whether bodies of requests and answers are logged; without them there is no drift.",
        "body_bytes": "The size of the largest body that is logged.",
        "keep_days": "The days after which logged requests are removed.",
        "keep_requests": "How many logged requests are kept at most, the newest.",
        "keep_figures_days": "The days after which figures, findings and cleared alerts are removed.",
        "window_rows": "The rows that are looked at together.",
        "window_seconds": "The seconds after which fewer rows are looked at.",
        "minimum_rows": "The least rows that are looked at.",
        "every_seconds": "The seconds between two looks.",
        "false_alarm_rate": "The chance that a window without any change exceeds a limit.",
        "raise_after": "The windows in a row beyond a limit that raise an alert.",
        "clear_after": "The windows in a row within it that clear the alert.",
        "statistics": "What is computed; all of it unless given.",
        "ignored_columns": "The columns that are left out.",
        "thresholds": "From where on values matter, in place of the usual numbers.",
        "actions": "What is done when an alert is raised and cleared.",
    },
    "Monitor": {
        "creation_time": "When the endpoint was first watched, in milliseconds since the epoch.",
        "last_update_time": "When its settings were changed last, in milliseconds since the epoch.",
        "settings": "How it is watched.",
        "last_check": "When it was looked at last, in milliseconds since the epoch.",
    },
    "MonitorWindow": {
        "start_time": "When its first request was answered, in milliseconds since the epoch.",
        "end_time": "When its last request was answered, in milliseconds since the epoch.",
        "first_sequence": "The number of its first record.",
        "last_sequence": "The number of its last record.",
        "requests": "How many requests it has.",
        "rows": "How many rows they asked about.",
    },
    "Finding": {
        "value": "The value of the statistic.",
        "state": "ok, or exceeded.",
        "p_value": "The chance of such a value without any change, where a test gives one.",
    },
    "WindowFindings": {
        "window": "The requests that were looked at.",
        "time": "When that was, in milliseconds since the epoch.",
        "findings": "What was found.",
    },
    "AlertChange": _CHANGE,
    "Alert": {
        "alert_id": "The number of the alert.",
        "value": "The value that raised it.",
        "reason": "Why it was raised, in words and numbers.",
        "raised_time": "When it was raised, in milliseconds since the epoch.",
        "cleared_time": "When it was cleared, in milliseconds since the epoch; unset while it is open.",
        "cleared_reason": "Why it was cleared.",
    },
    "RequestPage": {"requests": "The requests."},
    "OutcomesRecorded": {
        "attached": "How many requests have their outcome now.",
        "unknown": "The ids that the log does not have.",
    },
    "Removed": {"removed": "How many records were removed."},
    "ServiceFiguresAnswer": {"figures": "The figures, the oldest first."},
    "MonitorAnswer": {"monitor": "The monitor."},
    "MonitorPage": {"monitors": "The monitors."},
    "Claimed": {"claimed": "Whether whoever asked may look now."},
    "FindingsRecorded": {"raised": "The alerts that were raised.", "cleared": "The alerts that were cleared."},
    "FindingsPage": {"windows": "The windows, the newest first."},
    "AlertPage": {"alerts": "The alerts, the newest first."},
    "ProfileAnswer": {"profile": "The profile as JSON; unset where none was set."},
    "RecordRequests": {"requests": "The requests, at most 10,000.", "figures": "The figures, at most 10,000."},
    "SearchRequests": {
        "request_id": "The request of this id.",
        "start_time": "Answered at this time or later, in milliseconds since the epoch.",
        "end_time": "Answered before this time, in milliseconds since the epoch.",
        "least_status": "Answered with this status or a higher one.",
        "most_status": "Answered with this status or a lower one.",
        "least_seconds": "Took so many seconds or more.",
        "with_outcome": "Only those that have an outcome, or that have none.",
        "with_bodies": "Whether the bodies are told.",
        "after": "The records behind the one of this number, the oldest first.",
    },
    "RecordOutcomes": {"outcomes": "What happened after which request, at most 10,000."},
    "PruneRequests": {
        "before": "Requests before this time go, in milliseconds since the epoch, whatever the monitor says.",
        "most": "So many of the newest stay, whatever the monitor says.",
    },
    "GetServiceFigures": {
        "start_time": "From this time on, in milliseconds since the epoch.",
        "end_time": "Before this time, in milliseconds since the epoch.",
        "step_minutes": "The minutes that are told together.",
    },
    "SetMonitor": {"settings": "How it is watched."},
    "GetMonitor": {},
    "ListMonitors": {},
    "DeleteMonitor": {},
    "ClaimMonitor": {
        "holder": "Who asks.",
        "seconds": "For how many seconds nobody else may look; 0 gives it back.",
    },
    "RecordFindings": {
        "window": "The requests that were looked at.",
        "findings": "What was found.",
        "raised": "The alerts that are to be raised.",
        "cleared": "The alerts that are to be cleared.",
    },
    "ListFindings": {
        "start_time": "Windows that end at this time or later, in milliseconds since the epoch.",
        "end_time": "Windows that begin before this time, in milliseconds since the epoch.",
    },
    "ListAlerts": {"only_open": "Only those that are open."},
    "SetVersionProfile": {
        "name": "The registered model.",
        "profile": "The profile as JSON, see millstream.monitoring.profile; an empty text removes it.",
    },
    "GetVersionProfile": {"name": "The registered model."},
}

# "owner.field" → what it means
MONITORING = {
    f"{owner}.{field}": text for owner, words in _WORDS.items() for field, text in {**_COMMON, **words}.items()
}
