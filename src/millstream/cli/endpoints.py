"""``millstream endpoints``: models served under a name, and the hosts that serve them."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from millstream.cli.endpoint_options import MANAGERS, carried_out, listed, settings_of, shares, steps, with_settings
from millstream.cli.output import (
    say,
    show_json,
    show_table,
    time_text,
    tracking_store,
    warn,
    with_json,
)
from millstream.cli.registry_options import with_registry_uri

if TYPE_CHECKING:
    from millstream.entities.endpoint import Share
    from millstream.operations import EndpointAnswer

_PAGE = 1_000


@click.group()
def endpoints() -> None:
    """Serve registered models under names that stay, and look after that."""


@endpoints.command()
@click.argument("name")
@click.option("--model", help="The registered model.  [default: NAME]")
@click.option("--off", is_flag=True, help="Create it switched off.")
@with_settings
@with_registry_uri
def create(name: str, model: str | None, off: bool, registry_uri: str | None, **given: Any) -> None:
    """Create the endpoint NAME for a registered model."""
    from millstream.operations import CreateEndpoint

    made = carried_out(registry_uri, CreateEndpoint(name, model or name, enabled=not off, **settings_of(given)))
    say(f"created the endpoint {name} of the model {made.endpoint.model}")
    _say_address(made)


@endpoints.command("list")
@click.option("--model", help="Only those of a registered model.")
@with_json
@with_registry_uri
def list_(model: str | None, as_json: bool, registry_uri: str | None) -> None:
    """List endpoints."""
    from millstream.operations import ListEndpoints
    from millstream.operations.paging import pages

    asked = ListEndpoints(model, _PAGE)
    found = [one for page in pages(partial(carried_out, registry_uri), asked) for one in page.endpoints]
    if as_json:
        show_json(found)
        return
    show_table(
        ["Name", "Model", "State", "Traffic", "Changed"],
        [[one.name, one.model, one.state, _rule(one.traffic), time_text(one.last_updated_timestamp)] for one in found],
    )


def _rule(traffic: list[Share]) -> str:
    return ", ".join(f"{share.target}={share.weight:g}" for share in traffic) or "default"


@endpoints.command()
@click.argument("name")
@with_json
@with_registry_uri
def describe(name: str, as_json: bool, registry_uri: str | None) -> None:
    """Show an endpoint: its settings, its versions, and the processes that serve them."""
    from millstream.operations import GetEndpoint

    found = carried_out(registry_uri, GetEndpoint(name))
    if as_json:
        show_json(found)
        return
    one = found.endpoint
    rows = [
        ["Model", one.model], ["State", one.state + (f": {one.reason}" if one.reason else "")],
        ["Traffic", _rule(one.traffic)], ["Shadow", ", ".join(one.shadow)], ["Serves", one.serves],
        ["Processes", f"{one.replicas} with {one.workers} workers a version"], ["Environment", one.env_manager],
        ["Ends when idle", f"after {one.idle_seconds:g} s" if one.idle_seconds else ""],
        ["Revision", str(one.revision)], ["Changed", time_text(one.last_updated_timestamp)],
        *[["Address", f"{host.address}/endpoints/{one.name}/invocations"] for host in found.hosts],
    ]
    if one.canary is not None:
        told = f"version {one.canary.version}, {one.canary.state}"
        if one.canary.percent:
            told += f", step {one.canary.step + 1} of {len(one.canary.steps)} with {one.canary.percent:g} %"
        rows.append(["Canary", told + (f": {one.canary.reason}" if one.canary.reason else "")])
    show_table(["Fact", "Value"], [row for row in rows if row[1]])
    show_table(
        ["Version", "Stage", "Aliases", "Percent", "State", "Process", "Restarts", "Error"],
        [
            [one.version, one.stage, ", ".join(one.aliases), f"{one.percent:g}", *process]
            for one in found.versions
            for process in [[own.state, own.pid, own.restarts, own.error] for own in one.replicas] or [[one.state]]
        ],
        right=["Version", "Percent", "Process", "Restarts"],
    )


@endpoints.command()
@click.argument("name")
@click.option("--revision", type=int, help="Only if nobody has changed it since this revision.")
@with_settings
@with_registry_uri
def update(name: str, revision: int | None, registry_uri: str | None, **given: Any) -> None:
    """Change settings of the endpoint NAME; what is not given stays."""
    from millstream.operations import GetEndpoint, UpdateEndpoint

    before = carried_out(registry_uri, GetEndpoint(name)).endpoint
    fields = settings_of(given, before.limits)
    if not fields:
        raise click.UsageError("nothing to change was given")
    after = carried_out(registry_uri, UpdateEndpoint(name, revision or before.revision, **fields)).endpoint
    say(f"the endpoint {name} is at revision {after.revision}")


@endpoints.command()
@click.argument("name")
@click.argument("rule")
@with_registry_uri
def traffic(name: str, rule: str, registry_uri: str | None) -> None:
    """Give the endpoint NAME another traffic rule, such as Production=90,7=10 or default."""
    from millstream.operations import UpdateEndpoint

    found = carried_out(registry_uri, UpdateEndpoint(name, traffic=shares(rule)))
    say(f"the traffic of {name}: " + (", ".join(
        f"version {one.version} {one.percent:g} %" for one in found.versions if one.percent
    ) or "nothing to serve"))


@endpoints.command()
@click.argument("name")
@click.argument("targets")
@with_registry_uri
def shadow(name: str, targets: str, registry_uri: str | None) -> None:
    """Send copies of the requests to the endpoint NAME to other versions; 'none' ends that."""
    from millstream.operations import UpdateEndpoint

    wanted = [] if targets == "none" else listed(targets)
    found = carried_out(registry_uri, UpdateEndpoint(name, shadow=wanted)).endpoint
    say(f"copies of requests to {name} go to {', '.join(found.shadow) or 'nobody'}")


@endpoints.group()
def canary() -> None:
    """Let a new version take over step by step, as long as it does well."""


@canary.command("start")
@click.argument("name")
@click.argument("version")
@click.option("--steps", "rule", default="5:60,25:60,50:60", show_default=True,
              help="Percent of the traffic and seconds of each step.")
@click.option("--max-error-rate", type=float, default=0.05, show_default=True,
              help="By how much its share of failed answers may exceed that of the others.")
@click.option("--min-requests", type=int, default=20, show_default=True, help="Answers before it is judged.")
@click.option("--max-seconds", type=float, help="What 95 % of its answers may take.")
@with_registry_uri
def start_canary(
    name: str, version: str, rule: str, max_error_rate: float, min_requests: int, max_seconds: float | None,
    registry_uri: str | None,
) -> None:
    """Begin to send requests to the endpoint NAME to a VERSION."""
    from millstream.operations import StartCanary

    carried_out(registry_uri, StartCanary(name, version, steps(rule), max_error_rate, min_requests, max_seconds))
    say(f"version {version} is the canary of {name}")


def _end_canary(name: str, outcome: str, reason: str | None, uri: str | None) -> None:
    from millstream.operations import EndCanary

    ended = carried_out(uri, EndCanary(name, outcome, reason)).endpoint.canary
    say(f"the canary of {name}, version {ended.version if ended else ''}: {outcome}")


@canary.command()
@click.argument("name")
@click.option("--reason")
@with_registry_uri
def promote(name: str, reason: str | None, registry_uri: str | None) -> None:
    """Give the canary all the traffic now."""
    _end_canary(name, "PROMOTED", reason, registry_uri)


@canary.command("roll-back")
@click.argument("name")
@click.option("--reason")
@with_registry_uri
def roll_back(name: str, reason: str | None, registry_uri: str | None) -> None:
    """Take the canary's traffic away."""
    _end_canary(name, "ROLLED_BACK", reason, registry_uri)


@endpoints.command()
@click.argument("name")
@click.option("--version", help="Only of this version.")
@with_registry_uri
def logs(name: str, version: str | None, registry_uri: str | None) -> None:
    """Print the last lines of the scoring processes of an endpoint."""
    from millstream.operations import GetEndpointLogs

    for one in carried_out(registry_uri, GetEndpointLogs(name, version)).logs:
        say(f"version {one.version}, process {one.number} on the host {one.host}")
        sys.stdout.write(one.text)


@endpoints.command()
@click.argument("name")
@with_json
@with_registry_uri
def history(name: str, as_json: bool, registry_uri: str | None) -> None:
    """Show what has happened to an endpoint, the newest last."""
    from millstream.operations import ListEndpointEvents

    events = carried_out(registry_uri, ListEndpointEvents(name, _PAGE)).events[::-1]
    if as_json:
        show_json(events)
        return
    show_table(["Time", "Event", "By", "Version", "Detail"],
               [[time_text(one.timestamp), one.kind, one.user_id, one.version, one.detail] for one in events])


@endpoints.command()
@click.argument("name")
@click.option("--workers", type=int, help="Processes that predict, in each replica.")
@click.option("--replicas", type=int, help="Scoring processes of each version.")
@with_registry_uri
def scale(name: str, workers: int | None, replicas: int | None, registry_uri: str | None) -> None:
    """Serve each version of an endpoint by more or fewer processes."""
    from millstream.operations import UpdateEndpoint

    if workers is None and replicas is None:
        raise click.UsageError("neither --workers nor --replicas was given")
    after = carried_out(registry_uri, UpdateEndpoint(name, workers=workers, replicas=replicas)).endpoint
    say(f"each version of {name} has {after.replicas} scoring processes with {after.workers} workers")


@endpoints.command()
@click.argument("name")
@with_registry_uri
def restart(name: str, registry_uri: str | None) -> None:
    """Replace the scoring processes of an endpoint by new ones, while requests go on being answered."""
    from millstream.operations import RestartEndpoint

    carried_out(registry_uri, RestartEndpoint(name))
    say(f"the processes of {name} are being replaced")


@endpoints.command()
@click.argument("model")
@click.option("--env-manager", type=MANAGERS, help="Where the models run.  [default: uv]")
@with_registry_uri
def on(model: str, env_manager: str | None, registry_uri: str | None) -> None:
    """Serve every version of the registered MODEL that is not archived, at the endpoint of its name."""
    from millstream.operations import EnableServing

    found = carried_out(registry_uri, EnableServing(model, env_manager))
    say(f"{model} is served: {found.endpoint.state}")
    _say_address(found)


@endpoints.command()
@click.argument("model")
@with_registry_uri
def off(model: str, registry_uri: str | None) -> None:
    """Serve the registered MODEL no longer: every endpoint of it is switched off."""
    from millstream.operations import DisableServing

    found = carried_out(registry_uri, DisableServing(model)).endpoints
    say(f"switched off: {', '.join(one.name for one in found) or 'nothing, it has no endpoint'}")


def _say_address(found: EndpointAnswer) -> None:
    name = found.endpoint.name
    if not found.hosts:
        warn("no serving host lives: `millstream endpoints host` starts one, `millstream server --serve-models` too")
    for host in found.hosts:
        say(f"{host.address}/endpoints/{name}/invocations")


@endpoints.command()
@click.argument("name")
@with_registry_uri
def delete(name: str, registry_uri: str | None) -> None:
    """Remove the endpoint NAME; requests under way are answered."""
    from millstream.operations import DeleteEndpoint

    carried_out(registry_uri, DeleteEndpoint(name))
    say(f"deleted the endpoint {name}")


@endpoints.command()
@click.argument("name")
@click.option("--data", "-d", help="The body: JSON such as {\"inputs\": [[1.0]]}.  [default: from standard input]")
@click.option("--version", help="Ask this version, stage, @alias or latest instead of the traffic rule.")
@click.option("--content-type", default="application/json", show_default=True)
@with_registry_uri
def query(name: str, data: str | None, version: str | None, content_type: str, registry_uri: str | None) -> None:
    """Ask an endpoint for predictions and print its answer."""
    from millstream.tracking.client.endpoints import EndpointCaller
    from millstream.tracking.stores import get_registry_uri

    body = data.encode() if data is not None else sys.stdin.buffer.read()
    with tracking_store(registry_uri or get_registry_uri()) as store:
        answer = EndpointCaller(store).ask(name, body, content_type, version=version)
    sys.stdout.write(answer.decode())
    sys.stdout.write("\n")


@endpoints.command()
@click.option("--host", "-h", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", "-p", type=int, default=5002, show_default=True, help="The port; 0 lets the system choose.")
@click.option("--address", metavar="URL", help="The address by which others reach this host.")
@click.option("--workers-max", type=int, metavar="N", help="The most scoring processes at a time.  [default: no limit]")
@click.option("--start-timeout", "start_seconds", type=float, default=600.0, show_default=True,
              help="Seconds that a model may take to load.")
@click.option("--allowed-hosts", metavar="NAMES", default="",
              help="Comma-separated names, addresses and networks that the Host header may name.")
@click.option("--no-sign-in", is_flag=True,
              help="Listen beyond this machine although everybody who reaches the host may use the models.")
@click.option("--while-stdin", is_flag=True, hidden=True)
@click.option("--tracking-uri", metavar="URI", help="The store or server whose endpoints are served.")
def host(
    host: str, port: int, address: str | None, workers_max: int | None, start_seconds: float, allowed_hosts: str,
    no_sign_in: bool, while_stdin: bool, tracking_uri: str | None,
) -> None:
    """Run a serving host: it keeps the scoring processes of all endpoints, and answers requests to them.

    Ctrl-C lets requests under way finish; a second one does not.
    """
    from millstream.serving.endpoints.run import HostConfig, serve_endpoints
    from millstream.tracking.stores import set_tracking_uri
    from millstream.web.gate import is_loopback

    if tracking_uri:
        set_tracking_uri(tracking_uri)
    config = HostConfig(
        host=host, port=port, workers_max=workers_max, address=address, no_sign_in=no_sign_in,
        allowed_hosts=tuple(listed(allowed_hosts)), start_seconds=start_seconds, while_stdin=while_stdin,
    )
    if not is_loopback(host):
        warn(f"{host} can be reached from other machines, and everybody who does may use the models")
    serve_endpoints(config)
