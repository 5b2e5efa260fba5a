"""``millstream monitor``: what endpoints are asked, what has drifted, and which alerts are open."""

from __future__ import annotations

import csv
import json
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from millstream.cli.output import say, show_json, show_table, time_text, with_json
from millstream.cli.registry_options import carry_out, registry_store, with_registry_uri
from millstream.errors import InvalidValue, MonitorNotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from millstream.entities.monitoring import Alert, Threshold, WindowFindings

_PAGE = 1_000
_endpoint = click.option("--endpoint", "-e", required=True, metavar="NAME", help="The endpoint.")


@click.group()
def monitor() -> None:
    """Watch endpoints: requests, drift against the training data, alerts."""


@monitor.command("set")
@_endpoint
@click.option("--enable/--disable", "enabled", default=None, help="Whether it is watched.")
@click.option("--sample-rate", type=float, help="The share of requests that are logged, from 0 to 1.")
@click.option("--bodies/--no-bodies", "keep_bodies", default=None,
              help="Whether bodies of requests and answers are logged; drift needs them.")
@click.option("--body-bytes", type=int, help="The size of the largest body that is logged.")
@click.option("--keep-days", type=float, help="Days after which logged requests are removed.")
@click.option("--keep-requests", type=int, help="How many logged requests are kept at most.")
@click.option("--window-rows", type=int, help="Rows that are looked at together.")
@click.option("--window-seconds", type=float, help="Seconds after which fewer rows are looked at.")
@click.option("--minimum-rows", type=int, help="The least rows that are looked at.")
@click.option("--every-seconds", type=float, help="Seconds between two looks.")
@click.option("--false-alarm-rate", type=float, help="The chance that a window without drift exceeds a limit.")
@click.option("--raise-after", type=int, help="Windows in a row beyond a limit that raise an alert.")
@click.option("--clear-after", type=int, help="Windows in a row within it that clear the alert.")
@click.option("--threshold", "thresholds", multiple=True, metavar="STATISTIC[:COLUMN]=LIMIT",
              help="From where on a statistic counts, such as psi=0.25 or psi:income=0.1. Replaces those there were.")
@click.option("--statistic", "statistics", multiple=True, help="A statistic to compute; all of them unless given.")
@click.option("--ignore", "ignored_columns", multiple=True, metavar="COLUMN", help="A column that is left out.")
@click.option("--webhook/--no-webhook", default=None, help="Whether webhooks are told of alerts.")
@click.option("--tag", metavar="KEY[=VALUE]", help="A tag that the registered model carries while alerts are open.")
@with_json
@with_registry_uri
def set_(
    endpoint: str, thresholds: tuple[str, ...], statistics: tuple[str, ...], ignored_columns: tuple[str, ...],
    webhook: bool | None, tag: str | None, as_json: bool, registry_uri: str | None, **given: Any,
) -> None:
    """Watch an endpoint, or change how it is watched; what is not given stays as it is."""
    import msgspec

    from millstream.entities.monitoring import AlertAction, MonitorSettings
    from millstream.operations import GetMonitor, SetMonitor

    changed: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if thresholds:
        changed["thresholds"] = [_threshold(text) for text in thresholds]
    if statistics:
        changed["statistics"] = list(statistics)
    if ignored_columns:
        changed["ignored_columns"] = list(ignored_columns)
    with registry_store(registry_uri) as store:
        try:
            settings = carry_out(store, GetMonitor(endpoint)).monitor.settings
        except MonitorNotFound:
            settings = MonitorSettings()
        actions = [one for one in settings.actions if one.kind != "webhook" or webhook is not False]
        if webhook and not any(one.kind == "webhook" for one in actions):
            actions.append(AlertAction("webhook"))
        if tag is not None:
            key, _, value = tag.partition("=")
            actions = [*(one for one in actions if one.kind != "tag"), AlertAction("tag", key, value)]
        settings = msgspec.structs.replace(settings, **changed, actions=actions)
        made = carry_out(store, SetMonitor(endpoint, settings)).monitor
    if as_json:
        show_json(made)
    else:
        say(f"the endpoint {endpoint} is {'watched' if made.settings.enabled else 'not watched'}")


def _threshold(text: str) -> Threshold:
    from millstream.entities.monitoring import Threshold

    name, equals, limit = text.rpartition("=")
    statistic, _, column = name.partition(":")
    try:
        return Threshold(statistic, float(limit), column)
    except ValueError:
        raise InvalidValue.of("threshold", text, "a limit is a number", hint="write it like psi=0.25 or psi:income=0.1"
                              ) from None


@monitor.command("list")
@with_json
@with_registry_uri
def list_(as_json: bool, registry_uri: str | None) -> None:
    """List the endpoints that are watched."""
    from millstream.operations import ListMonitors
    from millstream.operations.paging import pages

    with registry_store(registry_uri) as store:
        found = [one for page in pages(partial(carry_out, store), ListMonitors(_PAGE)) for one in page.monitors]
    if as_json:
        show_json(found)
        return
    rows = [
        [one.endpoint, "yes" if one.settings.enabled else "no", f"{one.settings.sample_rate:g}",
         one.settings.window_rows, ", ".join(action.kind for action in one.settings.actions), time_text(one.last_check)]
        for one in found
    ]
    show_table(["Endpoint", "Watched", "Sample", "Window", "Actions", "Last look"], rows, right=["Sample", "Window"])


@monitor.command()
@_endpoint
@with_registry_uri
def delete(endpoint: str, registry_uri: str | None) -> None:
    """Stop watching an endpoint, and remove what was recorded of it."""
    from millstream.operations import DeleteMonitor

    with registry_store(registry_uri) as store:
        carry_out(store, DeleteMonitor(endpoint))
    say(f"the endpoint {endpoint} is no longer watched, and its log is removed")


@monitor.command()
@_endpoint
@click.option("--fail", is_flag=True, help="End with status 1 while alerts are open.")
@with_json
@with_registry_uri
@click.pass_context
def check(context: click.Context, endpoint: str, fail: bool, as_json: bool, registry_uri: str | None) -> None:
    """Look at the requests since the last look now, without a serving host."""
    from millstream.operations import ListAlerts
    from millstream.serving.monitoring.monitor import Monitoring

    with registry_store(registry_uri) as store:
        found = Monitoring(store).check(endpoint, time.time_ns() // 1_000_000, at_once=True)
        opened = carry_out(store, ListAlerts(endpoint, only_open=True, max_results=_PAGE)).alerts
    if as_json:
        show_json({"windows": found, "alerts": opened})
    else:
        if not found:
            say("there are too few requests since the last look, or somebody else looks at this moment")
        for window in found:
            _show_window(window)
        _show_alerts(opened)
    if fail and opened:
        context.exit(1)


@monitor.command()
@_endpoint
@click.option("--version", help="The version; all of them unless given.")
@click.option("--windows", type=click.IntRange(1, _PAGE), default=1, show_default=True, help="How many, newest first.")
@with_json
@with_registry_uri
def report(endpoint: str, version: str | None, windows: int, as_json: bool, registry_uri: str | None) -> None:
    """Show what was found in the last windows of requests."""
    from millstream.operations import ListFindings

    with registry_store(registry_uri) as store:
        found = carry_out(store, ListFindings(endpoint, version=version, max_results=windows)).windows
    if as_json:
        show_json(found)
        return
    if not found:
        say("nothing was looked at yet")
    for window in found:
        _show_window(window)


@monitor.command()
@_endpoint
@click.option("--version", help="Of this version only.")
@click.option("--request-id", metavar="ID", help="The request of this id.")
@click.option("--least-status", type=int, metavar="CODE", help="Answered with this status or a higher one.")
@click.option("--bodies", "with_bodies", is_flag=True, help="With the bodies.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many, newest first.")
@with_json
@with_registry_uri
def requests(endpoint: str, limit: int, as_json: bool, registry_uri: str | None, **conditions: Any) -> None:
    """List logged requests, the newest first."""
    from millstream.operations import SearchRequests

    with registry_store(registry_uri) as store:
        found = carry_out(store, SearchRequests(endpoint, max_results=limit, **conditions)).requests
    if as_json:
        show_json(found)
        return
    bodies = ["Request", "Answer"] if conditions["with_bodies"] else []
    rows = [
        [one.request_id, time_text(one.time), one.version, one.status_code, f"{one.seconds:.4f}", one.rows, one.outcome,
         *([one.request, one.answer] if bodies else [])]
        for one in found
    ]
    show_table(["Id", "Time", "Version", "Status", "Seconds", "Rows", "Outcome", *bodies], rows,
               right=["Status", "Seconds", "Rows"])


@monitor.command()
@_endpoint
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@with_registry_uri
def outcomes(endpoint: str, file: Path, registry_uri: str | None) -> None:
    """Attach what really happened to requests: FILE is CSV, or JSON lines, with request_id and outcome."""
    from millstream.entities.monitoring import Outcome
    from millstream.operations import RecordOutcomes

    given = [Outcome(name, value) for name, value in _outcomes(file)]
    unknown: list[str] = []
    with registry_store(registry_uri) as store:
        for start in range(0, len(given), _PAGE):
            unknown += carry_out(store, RecordOutcomes(endpoint, given[start:start + _PAGE])).unknown
    say(f"{len(given) - len(unknown)} of {len(given)} outcomes are attached")
    for name in unknown:
        print(name)


def _outcomes(file: Path) -> list[tuple[str, str]]:
    """Request ids and outcomes in JSON. In CSV, what is no JSON is a text."""
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            if file.suffix in (".csv", ".CSV"):
                return [(row["request_id"], _json(row["outcome"])) for row in csv.DictReader(lines)]
            rows = [json.loads(line) for line in lines if line.strip()]
            return [(str(row["request_id"]), json.dumps(row["outcome"])) for row in rows]
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidValue(f"{file} is not read: {error!r}",
                           hint="each line needs a request_id and an outcome") from None


def _json(text: str) -> str:
    try:
        json.loads(text)
    except ValueError:
        return json.dumps(text)
    return text


@monitor.command()
@click.option("--endpoint", "-e", metavar="NAME", help="Of this endpoint only.")
@click.option("--open", "only_open", is_flag=True, help="Only those that are open.")
@with_json
@with_registry_uri
def alerts(endpoint: str | None, only_open: bool, as_json: bool, registry_uri: str | None) -> None:
    """List alerts, the newest first."""
    from millstream.operations import ListAlerts

    with registry_store(registry_uri) as store:
        found = carry_out(store, ListAlerts(endpoint, only_open=only_open, max_results=_PAGE)).alerts
    if as_json:
        show_json(found)
    else:
        _show_alerts(found)


def _show_window(found: WindowFindings) -> None:
    window = found.window
    say(f"{found.endpoint}, {window.model} version {window.version}: {window.requests} requests, {window.rows} rows, "
        f"{time_text(window.start_time)} to {time_text(window.end_time)}")
    rows = [
        [one.column, one.statistic, f"{one.value:.4g}", "" if one.limit is None else f"{one.limit:.4g}", one.state]
        for one in found.findings
    ]
    show_table(["Column", "Statistic", "Value", "Limit", "State"], rows, right=["Value", "Limit"])


def _show_alerts(found: Sequence[Alert]) -> None:
    if not found:
        say("no alerts")
        return
    rows = [
        [one.alert_id, one.endpoint, one.version, one.reason, time_text(one.raised_time), time_text(one.cleared_time)]
        for one in found
    ]
    show_table(["Id", "Endpoint", "Version", "Reason", "Raised", "Cleared"], rows, right=["Id"])
