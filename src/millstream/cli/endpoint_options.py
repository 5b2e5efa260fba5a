"""What the commands of endpoints share: settings as options, rules and steps as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from millstream.cli.output import tracking_store
from millstream.errors import InvalidValue

if TYPE_CHECKING:
    from millstream.entities.endpoint import CanaryStep, Share
    from millstream.operations import Operation

A = TypeVar("A")
F = TypeVar("F", bound=Callable[..., Any])

MANAGERS = click.Choice(["uv", "local", "virtualenv", "conda"])


def carried_out(uri: str | None, operation: Operation[A]) -> A:
    """The answer of the registry to an operation, done as the person behind this process."""
    from millstream.tracking.stores import acting, get_registry_uri

    with tracking_store(uri or get_registry_uri()) as store:
        return store.execute(operation, acting())


def with_settings(command: F) -> F:
    """The options that are settings of an endpoint."""
    for option in reversed((
        click.option("--traffic", metavar="RULE",
                     help="Shares of the traffic, such as Production=90,7=10. Targets are versions, stages, @alias "
                          "and latest; 'default' means Production, else the newest."),
        click.option("--shadow", metavar="TARGETS", help="Targets that get copies of requests, separated by commas; "
                                                         "'none' for none."),
        click.option("--serves", type=click.Choice(["all", "traffic"]),
                     help="Which versions have scoring processes: all that are not archived, or those with traffic."),
        click.option("--workers", type=int, help="Processes that predict, in each replica."),
        click.option("--replicas", type=int, help="Scoring processes of each version."),
        click.option("--env-manager", type=MANAGERS,
                     help="Where models run: in environments of what they need, or in that of the host (local)."),
        click.option("--idle", "idle_seconds", type=float, metavar="SECONDS",
                     help="End versions without traffic after so many seconds without a request; 0 for never."),
        click.option("--max-body", "body_bytes", type=int, metavar="BYTES", help="The largest request."),
        click.option("--timeout", "seconds", type=float, metavar="SECONDS", help="From a request to its answer."),
        click.option("--max-requests", "requests", type=int, metavar="N", help="Requests under way at one time."),
    )):
        command = option(command)
    return command


def settings_of(given: dict[str, Any], before: Any = None) -> dict[str, Any]:
    """The fields of an operation that were given as options."""
    import msgspec

    from millstream.entities.endpoint import EndpointLimits

    fields = {name: given[name] for name in ("serves", "workers", "replicas", "env_manager", "idle_seconds")
              if given[name] is not None}
    if given["traffic"] is not None:
        fields["traffic"] = shares(given["traffic"])
    if given["shadow"] is not None:
        fields["shadow"] = [] if given["shadow"] == "none" else listed(given["shadow"])
    limits = {name: given[name] for name in ("body_bytes", "seconds", "requests") if given[name] is not None}
    if limits:
        fields["limits"] = msgspec.structs.replace(before or EndpointLimits(), **limits)
    return fields


def listed(text: str) -> list[str]:
    """The items of a text, separated by commas."""
    return [item.strip() for item in text.split(",") if item.strip()]


def shares(text: str) -> list[Share]:
    """The shares of a rule such as ``Production=90,7=10``. Raises InvalidValue for a text that is none."""
    from millstream.entities.endpoint import Share

    if text == "default":
        return []
    made = []
    for item in listed(text):
        target, separator, weight = item.rpartition("=")
        try:
            made.append(Share(target if separator else item, float(weight) if separator else 100.0))
        except ValueError:
            raise InvalidValue.of("traffic", item, "a share is a target and a number",
                                  hint="write it like Production=90,7=10") from None
    return made


def steps(text: str) -> list[CanaryStep]:
    """The steps of a canary such as ``5:60,25:300``, percent and seconds. Raises InvalidValue."""
    from millstream.entities.endpoint import CanaryStep

    made = []
    for item in listed(text):
        percent, _, seconds = item.partition(":")
        try:
            made.append(CanaryStep(float(percent), float(seconds or 0)))
        except ValueError:
            raise InvalidValue.of("steps", item, "a step is a percentage and seconds",
                                  hint="write them like 5:60,25:300,50:300") from None
    return made
